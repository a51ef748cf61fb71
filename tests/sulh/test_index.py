"""`sulh index` makes what a store on Elasticsearch needs, once, and says what it did."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mappings import KINDS, ROLES, roles
from sulh.cli import main
from sulh.stores import Access, open_store, server
from sulh.stores.elastic_indices import create_indices
from tests.elastic.node import Running


@pytest.fixture(autouse=True)
def _no_settings_of_whoever_runs_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SULH_")]:
        monkeypatch.delenv(name)


def sulh(node: Running, prefix: str, *words: str, **more: str) -> Result:
    """Run a command as the node's superuser, unless the settings say otherwise."""
    settings = {"SULH_STORE": node.url, "SULH_STORE_PREFIX": prefix, "SULH_HOME": "/nonexistent"}
    if node.ca is not None:
        settings["SULH_STORE_CA"] = str(node.ca)
    if node.admin is not None and not {"SULH_STORE_API_KEY", "SULH_STORE_USER"} & more.keys():
        settings |= {"SULH_STORE_USER": node.admin[0], "SULH_STORE_PASSWORD": node.admin[1]}
    return CliRunner().invoke(main, words, env=settings | more)


def test_create_makes_all_once_and_leaves_what_is_there(node: Running, prefix: str) -> None:
    first = sulh(node, prefix, "index", "create")
    assert first.exit_code == 0, first.output
    assert all(f"made {prefix}-{kind}-000001\n" in first.stdout for kind in KINDS)
    again = sulh(node, prefix, "index", "create")
    assert (again.exit_code, again.stdout) == (0, f"{len(KINDS)} indices were there already\n")
    assert node.request("DELETE", f"/{prefix}-alerts-000001").status == 200
    third = sulh(node, prefix, "index", "create")
    assert third.stdout.splitlines() == [f"made {prefix}-alerts-000001", f"{len(KINDS) - 1} indices were there already"]
    # What was in it is gone, and that must be said.
    assert f"made new and empty beside others that were there: {prefix}-alerts-000001" in third.stderr
    open_store(node.url, access=Access(prefix=prefix)).close()


def test_two_calls_of_create_at_once_make_one_store(node: Running, prefix: str) -> None:
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(lambda _: create_indices(node.url, Access(prefix=prefix)), range(2)))
    assert sorted(name for made, _ in found for name in made) == sorted(f"{prefix}-{kind}-000001" for kind in KINDS)
    open_store(node.url, access=Access(prefix=prefix)).close()


def test_a_lost_alias_comes_back_onto_its_index(node: Running, prefix: str) -> None:
    address, access = server(node.url), Access(prefix=prefix)
    create_indices(address, access)
    node.request("DELETE", f"/{prefix}-alerts-000001/_alias/{prefix}-alerts-write")
    refused = sulh(node, prefix, "search", "truce")
    assert refused.exit_code == 1
    assert f"the alias {prefix}-alerts-write is missing: run `sulh index create`" in refused.stderr
    assert sulh(node, prefix, "index", "create").exit_code == 0
    with closing(open_store(address, access=access)) as store:
        store.write_alerts([])


def test_status_tells_what_there_is(node: Running, prefix: str) -> None:
    none = sulh(node, prefix, "index", "status")
    assert (none.exit_code, none.stdout) == (1, "")
    assert "run `sulh index create`" in none.stderr
    create_indices(node.url, Access(prefix=prefix))
    shown = sulh(node, prefix, "index", "status", "--json")
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [row["kind"] for row in rows] == list(KINDS)
    assert all(row["serves"] and row["rows"] == 0 and not row["pending"] for row in rows)
    assert rows[0]["aliases"] == [f"{prefix}-documents", f"{prefix}-documents-write"]


def test_without_security_roles_and_keys_are_refused_in_one_sentence(node: Running, prefix: str) -> None:
    for words in (["create", "--roles"], ["key", "writer"]):
        refused = sulh(node, prefix, "index", *words)
        assert refused.exit_code == 1
        assert "security is off on this cluster" in refused.stderr


def test_a_store_in_a_file_has_no_indices(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["index", "create"], env={"SULH_STORE": str(tmp_path / "sulh.sqlite")})
    assert refused.exit_code == 1
    assert "is a file" in refused.stderr


def test_roles_name_no_index_beyond_the_store() -> None:
    for name, body in roles("mine").items():
        assert [part["names"] for part in body["indices"]] == [["mine-*"]], name


def test_a_key_is_printed_once_or_kept_in_a_file_of_its_own(
    secure_node: Running, secure_prefix: str, tmp_path: Path
) -> None:
    made = sulh(secure_node, secure_prefix, "index", "create", "--roles")
    assert made.exit_code == 0, made.output
    assert all(f"made the role {secure_prefix}-{role}\n" in made.stdout for role in ROLES)
    path = tmp_path / "writer.key"
    kept = sulh(secure_node, secure_prefix, "index", "key", "writer", "--days", "1", "--out", str(path))
    assert kept.exit_code == 0, kept.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = path.read_text().strip()
    assert key not in kept.output
    assert [entry.name for entry in tmp_path.iterdir()] == ["writer.key"]
    again = sulh(secure_node, secure_prefix, "index", "key", "reader", "--out", str(path))
    assert (again.exit_code, path.read_text().strip()) == (1, key)
    forced = sulh(secure_node, secure_prefix, "index", "key", "reader", "--out", str(path), "--force")
    assert forced.exit_code == 0
    assert path.read_text().strip() != key
    printed = sulh(secure_node, secure_prefix, "index", "key", "reader")
    shown = sulh(secure_node, secure_prefix, "index", "status", SULH_STORE_API_KEY=printed.stdout.strip())
    assert shown.exit_code == 0, shown.output
    derived = sulh(secure_node, secure_prefix, "index", "key", "reader", SULH_STORE_API_KEY=key)
    assert derived.exit_code == 1
    assert "only a user who may manage security" in derived.stderr


@pytest.mark.parametrize("place", ["missing/writer.key", "."])
def test_a_key_that_cannot_be_kept_is_made_void(
    secure_node: Running, secure_prefix: str, tmp_path: Path, place: str
) -> None:
    refused = sulh(secure_node, secure_prefix, "index", "key", "writer", "--out", str(tmp_path / place))
    assert refused.exit_code in (1, 2)
    keys = secure_node.request("GET", f"/_security/api_key?name={secure_prefix}-writer").json["api_keys"]
    assert [key["invalidated"] for key in keys] == [True] * len(keys)
    assert list(tmp_path.iterdir()) == []
