"""The test node does what tests of the store lean on: it knows five languages, keeps strangers out, survives a kill."""

from __future__ import annotations

import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from tests.elastic.certificate import certify
from tests.elastic.node import READY_SECONDS, Broken, Lacking, Node, Running, find_java

Found = TypeVar("Found")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that others may enter, as pytest's own is not: root's node runs as another user."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("analyzer", "text", "inflected"),
    [
        ("arabic", "اتفق الفصيلان على مصالحة", "والمصالحة"),
        ("english", "Two factions reconciled", "reconciling faction"),
        ("russian", "Боевики и группировка", "группировками боевиков"),
        ("french", "Les combattants se réconcilient", "combattant"),
        ("turkish", "Savaşçılar uzlaştı", "savaşçıların"),
    ],
)
def test_a_word_is_found_in_another_form(node: Running, prefix: str, analyzer: str, text: str, inflected: str) -> None:
    fields = {"stemmed": {"type": "text", "analyzer": analyzer}, "plain": {"type": "text"}}
    assert node.request("PUT", f"/{prefix}", {"mappings": {"properties": fields}}).status == 200
    assert node.request("PUT", f"/{prefix}/_doc/1?refresh=true", {"stemmed": text, "plain": text}).status == 201

    def hits(field: str) -> int:
        query = {"match": {field: {"query": inflected, "operator": "and"}}}
        return int(node.request("POST", f"/{prefix}/_count", {"query": query}).json["count"])

    assert hits("stemmed") == 1
    assert hits("plain") == 0


def test_an_analyzer_takes_settings_of_its_own(node: Running, prefix: str) -> None:
    own = {"type": "english", "stopwords": ["truce"], "stem_exclusion": ["fighters"]}
    index = {"settings": {"analysis": {"analyzer": {"own": own}}}}
    assert node.request("PUT", f"/{prefix}", index).status == 200
    said = node.request("POST", f"/{prefix}/_analyze", {"analyzer": "own", "text": "the truce of fighters, groups"})
    assert [token["token"] for token in said.json["tokens"]] == ["the", "of", "fighters", "group"]


def test_only_who_is_known_gets_in(secure_node: Running) -> None:
    known = secure_node.request("GET", "/_security/_authenticate")
    assert (known.status, known.json["roles"]) == (200, ["superuser"])
    assert secure_node.request("GET", "/_cluster/health", anonymous=True).status == 401
    assert secure_node.admin is not None
    name, password = secure_node.admin
    assert secure_node.request("GET", "/_cluster/health", user=(name, password + "x")).status == 401
    assert password not in repr(secure_node)


def test_a_certificate_of_another_authority_is_not_trusted(secure_node: Running, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    certify(authority=other, certificate=tmp_path / "node.crt", key=tmp_path / "node.key")
    stranger = Running(url=secure_node.url, ca=other, admin=secure_node.admin)
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.request("GET", "/_cluster/health")


def test_roles_users_and_keys_hold(secure_node: Running, secure_prefix: str) -> None:
    index, role, user = f"{secure_prefix}-a", f"{secure_prefix}-reader", (f"{secure_prefix}-ann", "a password of ann's")
    may_read = {"indices": [{"names": [f"{secure_prefix}-*"], "privileges": ["read"]}]}
    assert secure_node.request("PUT", f"/{index}/_doc/1?refresh=true", {"a": 1}).status == 201
    assert secure_node.request("PUT", f"/_security/role/{role}", may_read).status == 200
    made = secure_node.request("PUT", f"/_security/user/{user[0]}", {"password": user[1], "roles": [role]})
    assert made.status == 200
    key = secure_node.request("POST", "/_security/api_key", {"name": role, "role_descriptors": {role: may_read}})
    assert key.status == 200

    for who in ({"user": user}, {"api_key": key.json["encoded"]}):
        counted = secure_node.request("GET", f"/{index}/_count", **who)
        assert (counted.status, counted.json["count"]) == (200, 1)
        assert secure_node.request("PUT", f"/{index}/_doc/2", {"a": 2}, **who).status == 403
        assert secure_node.request("DELETE", f"/{index}/_doc/1", **who).status == 403
        assert secure_node.request("DELETE", f"/{index}", **who).status == 403

    assert secure_node.request("DELETE", "/_security/api_key", {"ids": [key.json["id"]]}).status == 200
    assert secure_node.request("GET", f"/{index}/_count", api_key=key.json["encoded"]).status == 401


def test_a_killed_node_comes_back_at_its_address_with_what_it_had_acknowledged(own_node: Callable[..., Node]) -> None:
    node = own_node().start()
    before = node.url
    assert node.request("PUT", "/kept/_doc/1", {"a": 1}).status == 201
    node.kill()
    with pytest.raises(ConnectionRefusedError):
        node.request("GET", "/_cluster/health")
    node.start()
    assert node.url == before
    assert node.request("GET", "/kept/_doc/1").json["_source"] == {"a": 1}
    home = node.home
    node.close()
    assert not home.exists()


def test_a_node_that_does_not_come_up_says_why(own_node: Callable[..., Node]) -> None:
    with pytest.raises(Broken, match="Too small maximum heap"):
        own_node(heap="1k").start()


def test_a_node_does_not_outlive_whoever_started_it(own_node: Callable[..., Node], open_folder: Path) -> None:
    own_node()  # Is all here that it takes?
    # A folder of its own: one that is removed under the server would end it too.
    home = open_folder / "node"
    starter = subprocess.Popen([sys.executable, "-m", "tests.elastic.node", "--home", str(home)])
    try:
        # The file may be there before its content is.
        pid = _until(lambda: "".join(found.read_text() for found in home.glob("tmp/pid")).strip())
    finally:
        starter.kill()
        starter.wait()
    _until(lambda: not _runs(pid))


def _until(found: Callable[[], Found]) -> Found:
    deadline = time.monotonic() + READY_SECONDS
    while not (what := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return what


def _runs(pid: str) -> bool:
    # A process that nobody has taken note of since it ended is listed still, as a zombie.
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def _kit(home: Path, version: str) -> Path:
    for program in ("java", "javac"):
        path = home / "bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho javac {version}\n", encoding="ascii")
        path.chmod(0o755)
    return home


def test_the_java_asked_for_is_taken_where_it_is_new_enough_and_else_the_newest(open_folder: Path) -> None:
    kits = [_kit(open_folder / name, version) for name, version in (("a", "17.0.15"), ("b", "25.0.1"), ("c", "21"))]
    old, newest, asked = kits
    assert find_java({"JAVA_HOME": str(asked)}, kits) == asked
    assert find_java({"ES_JAVA_HOME": str(newest), "JAVA_HOME": str(asked)}, kits) == newest
    assert find_java({"JAVA_HOME": str(old)}, kits) == newest
    assert find_java({}, [open_folder / "nothing", *kits]) == newest


def test_no_java_that_is_new_enough_is_said_with_what_was_found(open_folder: Path) -> None:
    with pytest.raises(Lacking, match="21 or later; the newest found is 17"):
        find_java({}, [_kit(open_folder / "a", "17.0.15")])
    with pytest.raises(Lacking, match="none was found"):
        find_java({"JAVA_HOME": str(open_folder / "nothing")}, [])
