"""On a cluster with security, each key may do what its role may and no more, and shows itself nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from mappings import KINDS
from processors.errors import SettingsError, StoreError
from processors.records import LedgerRow
from sulh.stores import EXPORTS, TABLES, Access, Query, Store, open_store, server
from sulh.stores.elastic_indices import create_indices, status
from sulh.stores.elastic_migrate import drop_old, migrate
from sulh.stores.elastic_roles import create_key, create_roles
from tests.elastic.certificate import certify
from tests.elastic.node import Running
from tests.sulh.test_migrate import age
from tests.sulh.test_store import NOON, alert, document, event, everything, processed, rejected

Opener = Callable[[str], Access]


@pytest.fixture(scope="module")
def team(secure_node: Running) -> Iterator[tuple[str, Opener]]:
    """A store with something in it, as its address and what gives the access of a role."""
    assert secure_node.admin is not None
    address, prefix = server(secure_node.url), f"s{uuid4().hex[:12]}"
    user, password = secure_node.admin
    root = Access(user=user, password=SecretStr(password), ca=secure_node.ca, prefix=prefix)
    try:
        create_indices(address, root)
        create_roles(address, root)
        keys = {role: create_key(address, root, role) for role in ("writer", "reader", "admin")}

        def access(role: str) -> Access:
            return Access(api_key=keys[role].encoded, ca=secure_node.ca, prefix=prefix) if role in keys else root

        with closing(open_store(address, access=root)) as store:
            doc = document("https://a.example/1")
            store.write([processed(doc, event(doc))])
            store.write_alerts([alert(doc)])
            store.enqueue(alert(doc).id, ["a"], at=NOON)
        yield address, access
    finally:
        for key in keys.values():
            secure_node.request("DELETE", "/_security/api_key", {"ids": [key.id]})
        for role in ("writer", "reader", "admin"):
            secure_node.request("DELETE", f"/_security/role/{prefix}-{role}")
        secure_node.clear(prefix)


TALLY = LedgerRow(source="outlet_uk", day=NOON.date(), step="fetch", disposition="fetched", reason="", count=3)
WRITES: dict[str, Callable[[Store], object]] = {
    "write": lambda store: store.write([processed(document("https://a.example/2"))]),
    "relabel": lambda store: store.relabel({document("https://a.example/1").story: "other"}),
    "tally": lambda store: store.tally([TALLY]),
    "write_alerts": lambda store: store.write_alerts([]),
    "judge": lambda store: store.judge(alert(document("https://a.example/1")).id, "confirmed", "", at=NOON),
    "enqueue": lambda store: store.enqueue("one", ["z"], at=NOON),
    "claim": lambda store: store.claim(store.deliveries()[0].id, now=NOON),
    "rebuilding": lambda store: store.rebuilding().__enter__(),
    **{f"put {table}": lambda store, table=table: store.put(table, list(store.rows(table))) for table in TABLES},  # type: ignore[misc]
}


@pytest.mark.parametrize("name", WRITES)
def test_the_analyst_cannot_write(team: tuple[str, Opener], name: str) -> None:
    address, access = team
    with closing(open_store(address, access=access("reader"))) as store:
        before = everything(store)
        with pytest.raises(StoreError, match="these credentials may not do this"):
            WRITES[name](store)
        assert everything(store) == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_analyst_cannot_write_past_the_program_either(
    team: tuple[str, Opener], secure_node: Running, kind: str
) -> None:
    key, prefix = team[1]("reader").api_key.get_secret_value(), team[1]("reader").prefix
    for name in (f"{prefix}-{kind}", f"{prefix}-{kind}-write", f"{prefix}-{kind}-000001"):
        for method, path, body in (
            ("PUT", f"/{name}/_doc/x", {"retired": False}),
            ("POST", f"/{name}/_update/x", {"doc": {"retired": True}}),
            ("DELETE", f"/{name}/_doc/x", None),
            ("PUT", f"/{name}/_mapping", {"_meta": {}}),
            ("PUT", f"/{name}/_settings", {"index.blocks.write": True}),
        ):
            assert secure_node.request(method, path, body, api_key=key).status == 403, (method, path)
    assert secure_node.request("DELETE", f"/{prefix}-{kind}-000001", api_key=key).status == 403
    assert secure_node.request("PUT", f"/{prefix}-{kind}-000009", api_key=key).status == 403


@pytest.mark.parametrize("kind", KINDS)
def test_the_writer_cannot_delete(team: tuple[str, Opener], secure_node: Running, kind: str) -> None:
    key, prefix = team[1]("writer").api_key.get_secret_value(), team[1]("writer").prefix
    index = f"{prefix}-{kind}-000001"
    moves = {"actions": [{"remove": {"index": index, "alias": f"{prefix}-{kind}"}}]}
    for method, path, body in (
        ("DELETE", f"/{index}/_doc/x", None),
        ("DELETE", f"/{prefix}-{kind}-write/_doc/x", None),
        ("DELETE", f"/{index}", None),
        ("POST", "/_aliases", moves),
        ("POST", "/_aliases", {"actions": [{"remove_index": {"index": index}}]}),
        ("PUT", f"/{prefix}-{kind}-000009", None),
        ("PUT", f"/{prefix}-{kind}-000009/_doc/x", {"retired": False}),
        ("PUT", f"/{index}/_settings", {"index.blocks.write": True}),
        ("PUT", f"/{index}/_mapping", {"_meta": {}}),
        ("POST", f"/{index}/_close", None),
        ("PUT", "/elsewhere/_doc/x", {"a": 1}),
    ):
        said = secure_node.request(method, path, body, api_key=key)
        assert said.status == 403, (method, path, said.json)
    with closing(secure_node.client(api_key=key)) as client:
        (item,) = client.bulk(operations=[{"delete": {"_index": f"{prefix}-{kind}-write", "_id": "x"}}])["items"]
        assert item["delete"]["status"] == 403


def test_each_role_does_its_work(team: tuple[str, Opener], secure_node: Running) -> None:
    address, access = team
    doc = document("https://a.example/work", "A pact was signed.")
    with closing(open_store(address, access=access("writer"))) as writer:
        writer.write([processed(doc, event(doc)), rejected("https://a.example/no")])
        writer.relabel({doc.story: document("https://a.example/1").story})
        assert [hit.document for hit in writer.search(Query(words="signed"))] == [doc.id]
        writer.write_alerts([*writer.alerts(), alert(doc)])
        writer.judge(alert(doc).id, "confirmed", "", at=NOON)
        assert writer.enqueue(alert(doc).id, ["w"], at=NOON) == 1
        due = writer.due(channels=["w"], now=NOON)
        assert due is not None
        assert writer.claim(due.id, now=NOON)
        assert writer.release(claimed_before=NOON + timedelta(hours=1), now=NOON) == 1
        assert writer.claim(due.id, now=NOON)
        writer.settle(due.id, sent=True, now=NOON)
        with pytest.raises(StoreError, match="admin for `sulh index` and `sulh replay`"), writer.rebuilding():
            pass
        before = everything(writer)
    with closing(open_store(address, access=access("reader"))) as reader:
        assert everything(reader) == before
        assert [hit.document for hit in reader.search(Query(words="signed"))] == [doc.id]
        assert [report.document.id for report in reader.reports()]
        assert reader.verdicts()
        assert {row.state for row in reader.deliveries()} == {"sent", "waiting"}
        assert reader.unprocessed([doc.capture]) == set()
        assert all(len(list(reader.rows(table))) == reader.count(table) for table in TABLES)
        assert len(reader.ledger()) > 1
        assert list(reader.rejections())
    assert len(status(address, access("reader"))) == len(KINDS)
    for role in ("writer", "reader"):
        with pytest.raises(StoreError, match="these credentials may not do this"):
            create_indices(address, access(role))
    assert create_indices(address, access("admin"))[0] == []
    age(secure_node, access("admin").prefix, "stories", "deliveries")
    for role in ("writer", "reader"):
        with pytest.raises(StoreError, match="these credentials may not do this"):
            migrate(address, access(role), quiet=True)
    assert len(migrate(address, access("admin"), quiet=True)) == 2
    assert len(drop_old(address, access("admin"))) == 2
    with closing(open_store(address, access=access("admin"))) as admin:
        assert everything(admin) == before
        with admin.rebuilding(without=["nobody_uk"]):
            pass
        assert {kind: everything(admin)[kind] for kind in EXPORTS} == before


def test_credentials_show_themselves_nowhere(
    team: tuple[str, Opener], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address, access = team
    other = tmp_path / "other.crt"
    certify(authority=other, certificate=tmp_path / "node.crt", key=tmp_path / "node.key")
    root, writer = access("root"), access("writer")
    secrets = {root.password.get_secret_value(), writer.api_key.get_secret_value(), "a wrong password", "YTp3cm9uZw=="}
    told = [repr(writer), str(writer), repr(root)]
    with caplog.at_level(logging.DEBUG):
        for name in ("elastic_transport", "elastic_transport.transport", "urllib3", "elasticsearch"):
            caplog.set_level(logging.DEBUG, logger=name)
        for wrong in (
            Access(user=root.user, password=SecretStr("a wrong password"), ca=root.ca, prefix=root.prefix),
            Access(api_key=SecretStr("YTp3cm9uZw=="), ca=root.ca, prefix=root.prefix),
            Access(api_key=writer.api_key, ca=other, prefix=root.prefix),
            Access(user=root.user, password=root.password, ca=None, prefix=root.prefix),
        ):
            with pytest.raises(StoreError) as caught:
                open_store(address, access=wrong)
            trace: BaseException | None = caught.value
            while trace is not None:
                told += [str(trace), repr(trace)]
                trace = trace.__cause__
        with closing(open_store(address, access=writer)) as store:
            store.write([processed(document("https://a.example/shown"))])
            told += [repr(store), str(vars(store)), *map(str, store.refusals()), str(everything(store))]
        key = create_key(address, root, "reader", days=1)
        secrets.add(key.encoded.get_secret_value())
        told.append(repr(key))
    assert any(record.name.startswith("elastic_transport") for record in caplog.records)
    told += [record.getMessage() for record in caplog.records] + [str(record.__dict__) for record in caplog.records]
    for secret in secrets:
        assert [text.replace(secret, "XXX") for text in told if secret in text] == []


def test_wrong_credentials_and_certificates_are_named(
    team: tuple[str, Opener], secure_node: Running, tmp_path: Path
) -> None:
    address, access = team
    root = access("root")
    other = tmp_path / "other.crt"
    certify(authority=other, certificate=tmp_path / "node.crt", key=tmp_path / "node.key")
    nonsense = tmp_path / "nonsense.crt"
    nonsense.write_text("no certificate", encoding="utf-8")
    cases: dict[str, Access] = {
        "refuses these credentials": Access(user=root.user, password=SecretStr("wrong"), ca=root.ca),
        "certificate is not trusted": Access(user=root.user, password=root.password, ca=other),
        "refuses these credentials:": Access(api_key=SecretStr("YTp3cm9uZw=="), ca=root.ca),
        "there is no such file; SULH_STORE_CA": Access(ca=tmp_path / "none.crt"),
        "holds no certificate in PEM form; SULH_STORE_CA": Access(user=root.user, password=root.password, ca=nonsense),
        "refuses these credentials: check": Access(ca=root.ca),
    }
    for said, wrong in cases.items():
        with pytest.raises((StoreError, SettingsError), match=said) as caught:
            open_store(address, access=wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="certificate is not trusted"):
        open_store(address, access=Access(user=root.user, password=root.password))
    with pytest.raises(StoreError, match="whether it wants https:// in SULH_STORE"):
        open_store(address.replace("https://", "http://"), access=root)
    open_store(address, access=root).close()
