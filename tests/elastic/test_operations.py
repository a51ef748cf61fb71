"""What docs/operations.md and docker-compose.yml tell the servers to do works on a real node."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from pydantic import SecretStr

from mappings import KINDS
from sulh.cli import main
from sulh.stores import Access
from sulh.stores.elastic_client import connect
from sulh.stores.elastic_indices import check, create
from tests.conftest import absent
from tests.elastic.node import VERSION, Lacking, Running, distribution, find_java

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def told(section: str) -> str:
    """Give what a section tells to type that goes to Elasticsearch itself."""
    body = re.split(rf"^##+ {section}$", TEXT, flags=re.MULTILINE)[1]
    calls = []
    for block in re.findall(
        r"^```sh\n(.*?)^```", re.split(r"^##", body, flags=re.MULTILINE)[0], re.DOTALL | re.MULTILINE
    ):
        taken = False
        for line in block.splitlines():
            taken = taken if line.startswith(" ") else line.startswith(("es ", "names="))
            calls += [line] * taken
    assert calls
    # Snapshots by a timetable are not in the distribution that tests run on.
    return re.sub(r"^es \S+ _slm.*?(?=^es|\Z)", "", "\n".join(calls) + "\n", flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def type_in(secure_node: Running, secure_prefix: str) -> Callable[[str], str]:
    """Types what a text tells into a shell, for the test's own store."""
    assert secure_node.admin is not None
    name, password = secure_node.admin
    function = re.search(r"^es\(\) \{.*?^\}", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert function
    here = function[0]
    for of_the_container, of_the_test in (
        ("docker compose exec -T elasticsearch ", ""),
        ("config/tls/ca.crt", f'"{secure_node.ca}"'),
        ("https://localhost:9200", secure_node.url),
        ("elastic:", f"{name}:"),
    ):
        assert of_the_container in here
        here = here.replace(of_the_container, of_the_test)

    def type_in(text: str) -> str:
        text = re.sub(r"\bsulh(?=-)|\bbackups\b", secure_prefix, text)
        text = text.replace('"location": "sulh"', f'"location": "{secure_prefix}"')
        shell = ["bash", "-euo", "pipefail", "-c", f"{here}\n{text}"]
        done = subprocess.run(shell, env=os.environ | {"ELASTIC_PASSWORD": password}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert password not in done.stdout + done.stderr
        return done.stdout

    return type_in


@pytest.fixture
def access(secure_node: Running, secure_prefix: str) -> Access:
    """What opens the test's own store, whose indices are made and hold one row."""
    assert secure_node.admin is not None
    name, password = secure_node.admin
    given = Access(user=name, password=SecretStr(password), ca=secure_node.ca, prefix=secure_prefix)
    with closing(connect(secure_node.url, given)) as client:
        create(client, secure_prefix)
    put(secure_node, secure_prefix, "one")
    return given


def put(node: Running, prefix: str, id: str) -> int:
    row = {"retired": False}
    return node.request("PUT", f"/{prefix}-state-write/_doc/{id}?refresh=true&require_alias=true", row).status


def ids(node: Running, prefix: str) -> set[str]:
    found = node.request("GET", f"/{prefix}-state/_search").json
    return {hit["_id"] for hit in found["hits"]["hits"]}


def test_a_snapshot_is_taken_and_brought_back(
    secure_node: Running, secure_prefix: str, access: Access, type_in: Callable[[str], str]
) -> None:
    assert "SUCCESS" in type_in(told("Back up"))
    assert put(secure_node, secure_prefix, "two") == 201
    said = type_in(told("Restore"))
    assert "error" not in said
    assert f'"successful":{len(KINDS)}' in said
    # The aliases are those that sulh knows, and what came after the snapshot is gone.
    with closing(connect(secure_node.url, access)) as client:
        check(client, secure_node.url, secure_prefix)
    assert ids(secure_node, secure_prefix) == {"one"}
    assert put(secure_node, secure_prefix, "three") == 201


def test_a_block_is_lifted(
    secure_node: Running, secure_prefix: str, access: Access, type_in: Callable[[str], str]
) -> None:
    # One list of snapshots is asked for, where there may be no folder of them.
    full = told("Full").replace("es GET '_cat/snapshots/backups?v'\n", "")
    for lifting, block, refused in (
        (full, "read_only_allow_delete", 429),
        (told("Read-only"), "write", 403),
        (told("Read-only"), "read_only", 403),
    ):
        secure_node.request("PUT", f"/{secure_prefix}-*/_settings", {f"index.blocks.{block}": True})
        assert put(secure_node, secure_prefix, "two") == refused
        assert "error" not in type_in(lifting)
        assert put(secure_node, secure_prefix, "two") in (200, 201)


def test_what_is_asked_of_a_red_or_busy_node_is_answered(type_in: Callable[[str], str]) -> None:
    for section in ("When something is wrong", "Red", "Overloaded, or killed"):
        said = type_in(told(section))
        # Nothing is unassigned on a node that is well, which is an error to the last question.
        assert "error" not in said or "There are no unassigned shards" in said


def test_the_setup_prints_what_the_page_shows(
    secure_node: Running, secure_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert secure_node.admin is not None
    name, password = secure_node.admin
    for variable in [variable for variable in os.environ if variable.startswith("SULH_")]:
        monkeypatch.delenv(variable)
    for variable, value in {
        "SULH_HOME": str(tmp_path),
        "SULH_STORE": secure_node.url,
        "SULH_STORE_CA": str(secure_node.ca),
        "SULH_STORE_USER": name,
        "SULH_STORE_PASSWORD": password,
        "SULH_STORE_PREFIX": secure_prefix,
    }.items():
        monkeypatch.setenv(variable, value)
    key = tmp_path / "writer"
    printed = []
    for command in (["index", "create", "--roles"], ["index", "key", "writer", "--out", str(key)]):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
        printed += (
            done.output.replace(secure_prefix, "sulh").replace(str(key), "/var/lib/sulh-keys/writer").splitlines()
        )
    page = (ROOT / "docs" / "team-setup.md").read_text(encoding="utf-8")
    shown = re.split(r"^\$ docker compose logs .*\n", page, flags=re.MULTILINE)[1].split("```")[0].splitlines()
    without_ids = [re.sub(r"the key \S+", "the key …", line) for line in (*printed, *shown)]
    assert without_ids[: len(printed)] == without_ids[len(printed) : 2 * len(printed)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volumes as the service `prepare` leaves them, by Elasticsearch's own tool."""
    tmp_path = tmp_path_factory.mktemp("volumes")
    try:
        java = find_java()
        tools = distribution(VERSION, java) / "bin"
    except Lacking as lacking:
        absent("elasticsearch", str(lacking))
    for mount in SERVICES["prepare"]["volumes"]:
        (tmp_path / mount.split(":")[1].removeprefix("/sulh/")).mkdir()
    # Only root gives files away, and a container has one.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "chown").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "chown").chmod(0o755)
    script = SERVICES["prepare"]["command"][-1].replace("$$", "$").replace("/sulh/", f"{tmp_path}/")
    path = f"{tmp_path / 'bin'}:{tools}:{os.environ['PATH']}"
    command = [*SERVICES["prepare"]["command"][:-1], script]
    for _ in range(2):
        subprocess.run(command, env=os.environ | {"PATH": path, "ES_JAVA_HOME": str(java)}, check=True)
    return tmp_path


@pytest.mark.parametrize("server", ["elasticsearch", "kibana"])
def test_the_certificates_that_are_made_are_trusted(server: str, made: Path) -> None:
    key = made / server / f"{server}.key"
    assert key.stat().st_mode & 0o077 == 0
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(made / server / f"{server}.crt", key)
    asking = ssl.create_default_context(cafile=made / "trust" / "ca.crt")
    # What Python asks for by itself from 3.13 on.
    asking.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    for name in (server, "localhost", "127.0.0.1"):
        ours, theirs = socket.socketpair()
        with ours, theirs:

            def answer(theirs: socket.socket = theirs) -> None:
                with serving.wrap_socket(theirs, server_side=True) as served:
                    served.sendall(b"!")

            thread = threading.Thread(target=answer)
            thread.start()
            with asking.wrap_socket(ours, server_hostname=name) as asked:
                assert asked.recv(1) == b"!"
            thread.join()
