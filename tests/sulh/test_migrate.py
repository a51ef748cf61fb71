"""`sulh index migrate` moves a store to other mappings while writes go on, and is finished by a second call."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from mappings import KINDS, SCHEMA
from processors.errors import StoreError
from sulh.stores import Access, Query, Store, open_store, server
from sulh.stores.elastic_client import connect
from sulh.stores.elastic_indices import create_indices, indices, meta_of
from sulh.stores.elastic_migrate import drop_old, migrate
from tests.elastic.node import Running
from tests.sulh.conftest import empty
from tests.sulh.test_store import NOON, alert, comparison, document, event, everything, processed, rejected

SOME = ("documents", "deliveries", "state")
"""Kinds that differ in how they are written; making an index takes a while."""

PLACES = ("filling", "comparing", "closing", "the last rows", "equal", "the aliases")


@pytest.fixture(scope="module")
def shared(node: Running) -> Iterator[tuple[str, Access]]:
    """Indices that all tests share, since making them takes seconds."""
    address, access = server(node.url), Access(prefix=f"m{uuid4().hex[:12]}")
    try:
        create_indices(address, access)
        yield address, access
    finally:
        node.clear(access.prefix)


@pytest.fixture
def team(shared: tuple[str, Access]) -> tuple[str, Access]:
    """The shared indices, empty and with the mapping of this sulh."""
    address, access = shared
    with closing(connect(address, access)) as client:
        there = indices(client, access.prefix)
        if rest := [index.name for index in there if not index.serves]:
            client.indices.delete(index=rest)
        serving = [index for index in there if index.serves]
        client.indices.put_settings(
            index=[index.name for index in serving], settings={"index.blocks.write": None}, preserve_existing=False
        )
        for index in serving:
            if index.outdated or index.filling or index.schema != SCHEMA:
                client.indices.put_mapping(index=index.name, meta=meta_of(index.kind))
        empty(client, access.prefix)
    return address, access


@pytest.fixture
def store(team: tuple[str, Access]) -> Iterator[Store]:
    with closing(open_store(team[0], access=team[1])) as store:
        yield store


def fill(store: Store, count: int, first: int = 0) -> None:
    """Write documents with all that can hang on them."""
    docs = [document(f"https://a.example/{number}", f"A truce was agreed, {number}.") for number in range(first, count)]
    store.write([processed(doc, event(doc), comparisons=(comparison(doc),)) for doc in docs])
    again = document(docs[0].url, "It was denied.", revision=2)
    store.write([processed(again, event(again, "refusal")), rejected(f"https://a.example/none/{first}")])
    store.write_alerts([alert(doc) for doc in docs[:3]])
    store.judge(alert(docs[1]).id, "dismissed", "old", at=NOON)
    for doc in docs[:3]:
        store.enqueue(alert(doc).id, ["a", "b"], at=NOON)
    sent = store.deliveries(alert=alert(docs[0]).id)[0]
    assert store.claim(sent.id, now=NOON)
    store.settle(sent.id, sent=True, now=NOON)


def age(node: Running, prefix: str, *kinds: str, schema: int = SCHEMA) -> None:
    """Let indices say that they were made with other mappings."""
    for kind in kinds:
        for name in node.request("GET", f"/{prefix}-{kind}-write/_alias").json:
            meta = {"schema": schema, "fingerprint": "of other files"}
            assert node.request("PUT", f"/{name}/_mapping", {"_meta": meta}).status == 200


def all_of(store: Store) -> dict[str, Any]:
    return everything(store) | {"outbox": store.deliveries(), "verdicts": store.verdicts()}


def numbers(node: Running, prefix: str) -> dict[str, int]:
    """Give the number of the index that each kind's writers meet."""
    return {
        kind: int(name.rpartition("-")[2])
        for kind in KINDS
        for name in node.request("GET", f"/{prefix}-{kind}-write/_alias").json
    }


def counter(node: Running, prefix: str) -> int:
    return int(node.request("GET", f"/{prefix}-state-write/_doc/writes").json["_version"])


def test_a_changed_mapping_becomes_a_new_index_with_the_same_rows(
    node: Running, team: tuple[str, Access], store: Store
) -> None:
    address, access = team
    fill(store, 12)
    before, written, first = all_of(store), counter(node, access.prefix), numbers(node, access.prefix)
    age(node, access.prefix, *KINDS)
    moved = migrate(address, access, quiet=True)
    assert [one.kind for one in moved] == list(KINDS)
    assert numbers(node, access.prefix) == {kind: number + 1 for kind, number in first.items()}
    assert all_of(store) == before
    assert counter(node, access.prefix) == written
    assert migrate(address, access, quiet=True) == []
    fill(store, 15, 12)
    assert counter(node, access.prefix) > written
    assert len(store.search(Query(words="truce", limit=100))) == 13
    assert sorted(drop_old(address, access)) == sorted(one.old for one in moved)
    assert drop_old(address, access) == []


def test_a_kind_that_the_older_sulh_did_not_have_is_made(node: Running, team: tuple[str, Access], store: Store) -> None:
    address, access = team
    fill(store, 2)
    (name,) = node.request("GET", f"/{access.prefix}-findings-write/_alias").json
    node.request("DELETE", f"/{name}")
    with pytest.raises(StoreError, match="findings is missing"):
        migrate(address, access, quiet=True)
    age(node, access.prefix, *SOME, schema=SCHEMA - 1)
    migrate(address, access, quiet=True)
    with closing(open_store(address, access=access)) as newer:
        assert newer.findings() == []


def test_only_what_changed_moves(node: Running, team: tuple[str, Access], store: Store) -> None:
    address, access = team
    fill(store, 5)
    age(node, access.prefix, "events", "alerts")
    first = numbers(node, access.prefix)
    assert [one.kind for one in migrate(address, access, quiet=True)] == ["events", "alerts"]
    assert {kind for kind, number in numbers(node, access.prefix).items() if number > first[kind]} == {
        "events",
        "alerts",
    }


def test_what_is_derived_is_derived_again(node: Running, team: tuple[str, Access], store: Store) -> None:
    address, access = team
    fill(store, 5)
    store.search(Query(words="truce"))  # sees what was written, and so does the next request
    (row, *_) = node.request("GET", f"/{access.prefix}-documents/_search").json["hits"]["hits"]
    path = f"/{row['_index']}/_doc/{row['_id']}"
    older = {name: value for name, value in row["_source"].items() if name not in ("words", "text_l", "title_l")}
    node.request("PUT", f"{path}?version_type=external_gte&version={row['_source']['written']}", older)
    age(node, access.prefix, "documents", schema=0)
    (moved,) = migrate(address, access, quiet=True)
    derived = node.request("GET", path.replace(moved.old, moved.new)).json
    assert derived["_source"] == row["_source"]
    assert derived["_version"] == row["_source"]["written"]


def test_writes_go_on_meanwhile_and_none_is_lost(node: Running, team: tuple[str, Access], store: Store) -> None:
    address, access = team
    fill(store, 30)
    # A writer that was at work before the mappings changed goes on; one that begins later is asked to migrate first.
    wrote_on, ended = threading.Semaphore(0), threading.Event()
    failures: list[BaseException] = []
    wrote = 0

    def write() -> None:
        nonlocal wrote
        try:
            with closing(open_store(address, access=access)) as busy:
                while not ended.is_set():
                    doc = document(f"https://b.example/{wrote}")
                    busy.write([processed(doc, event(doc))])
                    busy.enqueue(alert(doc).id, ["c"], at=NOON)
                    delivery = busy.deliveries(alert=alert(doc).id)[0]
                    assert busy.claim(delivery.id, now=NOON)
                    busy.settle(delivery.id, sent=True, now=NOON)
                    wrote += 1
                    wrote_on.release()
        except BaseException as error:
            failures.append(error)
            ended.set()

    busy = threading.Thread(target=write)
    busy.start()
    try:
        for _ in range(2):
            while wrote_on.acquire(blocking=False):
                pass
            # Two whole rounds: it has met the indices that serve now.
            while not all(wrote_on.acquire(timeout=1) for _ in range(2)) and not ended.is_set():
                pass
            age(node, access.prefix, *SOME)
            migrate(address, access, quiet=True)
    finally:
        ended.set()
        busy.join()
    assert failures == []
    assert wrote > 0
    found = all_of(store)
    assert len(found["documents"]) == 30 + wrote
    assert len(found["events"]) == 30 + wrote
    assert [row.state for row in found["outbox"] if row.channel == "c"] == ["sent"] * wrote


@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_a_second_call_finishes(
    node: Running, team: tuple[str, Access], store: Store, place: str
) -> None:
    address, access = team
    fill(store, 12)
    before, written, first = all_of(store), counter(node, access.prefix), numbers(node, access.prefix)
    age(node, access.prefix, *SOME)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, address, access.prefix, place], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -9, killed.stderr
    if place not in ("closing", "the last rows", "equal"):
        # As long as the old indices are open, or the new ones serve, work goes on.
        late = document("https://a.example/late")
        store.write([processed(late)])
        before, written = all_of(store), counter(node, access.prefix)
    migrate(address, access, quiet=True)
    assert numbers(node, access.prefix) == {kind: first[kind] + (kind in SOME) for kind in KINDS}
    assert all_of(store) == before
    assert counter(node, access.prefix) == written
    store.write([processed(document("https://a.example/last"))])
    assert len(list(store.export("documents"))) == len(before["documents"]) + 1
    assert drop_old(address, access) == [f"{access.prefix}-{kind}-{first[kind]:06d}" for kind in SOME]
    assert migrate(address, access, quiet=True) == []


KILLED = """
import os, signal, sys
from sulh.stores import Access
from sulh.stores.elastic_migrate import migrate
address, prefix, place = sys.argv[1:]
class Stream:
    # Progress and what is said come by this one door.
    def write(self, text):
        if text.startswith(place):
            os.kill(os.getpid(), signal.SIGKILL)
    def flush(self): pass
    def isatty(self): return False
sys.stderr = Stream()
migrate(address, Access(prefix=prefix), echo=lambda line: print(line, file=sys.stderr))
"""


def test_a_newer_store_is_refused(node: Running, team: tuple[str, Access]) -> None:
    address, access = team
    age(node, access.prefix, "stories", schema=SCHEMA + 1)
    for call in (lambda: migrate(address, access), lambda: open_store(address, access=access)):
        with pytest.raises(StoreError, match=r"made by a newer sulh .*: upgrade sulh"):
            call()


def test_an_older_store_is_read_and_not_written(node: Running, team: tuple[str, Access], store: Store) -> None:
    address, access = team
    fill(store, 4)
    found = all_of(store)
    age(node, access.prefix, *SOME, schema=SCHEMA - 1)
    with closing(open_store(address, access=access)) as older:
        assert all_of(older) == found
        doc = document("https://a.example/new")
        for write in (
            lambda: older.write([processed(doc)]),
            lambda: older.enqueue("a", ["b"], at=NOON),
            lambda: older.claim(found["outbox"][1].id, now=NOON),
        ):
            with pytest.raises(StoreError, match=r"older schema .*: run `sulh index migrate`"):
                write()
        migrate(address, access, quiet=True)
        older.write([processed(doc)])
    assert store.document(doc.id) == doc


def test_a_writer_of_an_older_sulh_stops_at_the_first_batch_after_the_move(
    node: Running, team: tuple[str, Access], store: Store
) -> None:
    address, access = team
    fill(store, 4)
    age(node, access.prefix, *SOME)
    migrate(address, access, quiet=True)
    age(node, access.prefix, *SOME, schema=SCHEMA + 1)
    doc = document("https://a.example/new")
    with pytest.raises(StoreError, match="made by a newer sulh"):
        store.write([processed(doc)])
    assert store.unprocessed([doc.capture]) == {doc.capture}


def test_rows_removed_by_hand_stop_it_and_the_old_indices_serve_on(
    node: Running, team: tuple[str, Access], store: Store
) -> None:
    address, access = team
    fill(store, 6)
    age(node, access.prefix, "events")
    gone = next(store.export("events"))["id"]

    def remove(line: str) -> None:
        if line.startswith("closing"):
            node.request("DELETE", f"/{access.prefix}-events-write/_doc/{gone}?refresh=true")

    with pytest.raises(StoreError, match="differ: the old one serves as before"):
        migrate(address, access, echo=remove, quiet=True)
    store.write([processed(document("https://a.example/new"))])
    (moved,) = migrate(address, access, quiet=True)
    assert moved.rows == node.request("GET", f"/{moved.old}/_count").json["count"]
