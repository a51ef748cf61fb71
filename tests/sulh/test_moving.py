"""A whole store moves from a file to a server and back: nothing is lost, nothing is sent twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from processors.errors import StoreError
from processors.records import LedgerRow
from sulh.stores import TABLES, Access, Query, Store, open_store
from sulh.stores.moving import move
from tests.sulh.test_store import NOON, alert, comparison, document, event, everything, finding, processed, rejected

Place = tuple[str, Callable[[], Store]]


@pytest.fixture(params=["file to server", "server to file"])
def places(
    request: pytest.FixtureRequest, tmp_path: Path, elastic: tuple[str, Access]
) -> tuple[str, str, Access, Callable[[str], Store]]:
    address, access = elastic
    both = (str(tmp_path / "one.sqlite"), address)
    source, target = both if request.param == "file to server" else both[::-1]
    return source, target, access, lambda at: open_store(at, access=access)


@pytest.fixture
def filled(places: tuple[str, str, Access, Callable[[str], Store]]) -> Iterator[Store]:
    with closing(places[3](places[0])) as store:
        fill(store)
        yield store


def fill(store: Store) -> None:
    docs = [
        replace(document(f"https://a.example/{n}", f"A truce was agreed, {n}.", sketch=(n, 2**63 + n)), credit="ap")
        for n in range(250)
    ]
    store.write([processed(doc, event(doc), event(doc, "pact"), comparisons=(comparison(doc),)) for doc in docs])
    for revision in (2, 3):
        again = document(docs[0].url, f"Denied, {revision} \ud800.", revision=revision, story=docs[1].story)
        store.write([processed(again, event(again, "refusal"))])
    wall = rejected("https://a.example/wall", "wall")
    wall = replace(wall, outcome=replace(wall.outcome, processed_at=NOON))
    store.write([rejected("https://a.example/none"), wall])
    store.relabel({docs[3].story: docs[4].story})
    store.tally(
        [
            LedgerRow(
                source="outlet_uk", day=date(2014, 11, day), step="fetch", disposition="fetched", reason="", count=3
            )
            for day in (14, 15)
        ]
    )
    store.write_findings([finding(), finding("outlet_fr", gone_at=NOON)])
    store.enqueue(finding().id, ["operators"], at=NOON)
    store.write_alerts([alert(doc) for doc in docs[:5]])
    store.judge(alert(docs[1]).id, "dismissed", "old", at=NOON)
    store.judge(alert(docs[2]).id, "confirmed", "", at=NOON)
    for doc in docs[:4]:
        store.enqueue(alert(doc).id, ["a", "b"], at=NOON)
    sent, failed, unsure, *_ = store.deliveries()
    for one in (sent, failed, unsure):
        assert store.claim(one.id, now=NOON)
    store.settle(sent.id, sent=True, now=NOON)
    store.settle(failed.id, sent=False, now=NOON, error="refused", retry_at=NOON)


def told(store: Store) -> dict[str, Any]:
    return everything(store) | {table: list(store.rows(table)) for table in TABLES}


def test_all_of_a_store_moves(places: tuple[str, str, Access, Callable[[str], Store]], filled: Store) -> None:
    source, target, access, opened = places
    before = told(filled)
    moved = {one.table: one.rows for one in move(source, target, access, quiet=True)}
    assert (moved["documents"], moved["revisions"], moved["deliveries"], moved["verdicts"]) == (250, 2, 9, 2)
    assert moved["findings"] == 2
    assert told(filled) == before
    with closing(opened(target)) as new:
        assert told(new) == before
        for words in ("truce", "denied"):
            query = Query(words=words, limit=500)
            assert {hit.document for hit in new.search(query)} == {hit.document for hit in filled.search(query)}
        assert [one.document for one in new.sketched([7])] == [one.document for one in filled.sketched([7])]
        states = {row.id: row.state for row in filled.deliveries()}
        # Not one that was sent, or may have been, is due again.
        while due := new.due(channels=["a", "b"], now=NOON):
            assert states[due.id] == "waiting"
            assert new.claim(due.id, now=NOON)
        # And work goes on there.
        doc = document("https://a.example/later")
        new.write([processed(doc, event(doc))])
        assert new.count("documents") == 251
    with pytest.raises(StoreError, match="holds documents already"):
        move(source, target, access, quiet=True)


@pytest.mark.parametrize("place", ["moving deliveries", "moving documents", "equal"])
def test_killed_anywhere_a_second_call_moves_all(
    places: tuple[str, str, Access, Callable[[str], Store]], filled: Store, place: str
) -> None:
    source, target, access, opened = places
    before = told(filled)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, source, target, access.prefix, place],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with closing(opened(target)) as half:
        assert not any(everything(half).values())
        assert half.due(channels=["a", "b"], now=NOON) is None
    move(source, target, access, quiet=True)
    with closing(opened(target)) as new:
        assert told(new) == before


KILLED = """
import os, signal, sys
import click
from sulh.stores import Access
from sulh.stores.moving import move
source, target, prefix, place = sys.argv[1:]
class Stream:
    # Progress and what is said come by this one door.
    def write(self, text):
        if text.startswith(place):
            os.kill(os.getpid(), signal.SIGKILL)
    def flush(self): pass
    def isatty(self): return False
sys.stderr = Stream()
move(source, target, Access(prefix=prefix), echo=lambda line: print(line, file=sys.stderr))
"""


def test_a_store_that_holds_others_is_refused(
    places: tuple[str, str, Access, Callable[[str], Store]], filled: Store
) -> None:
    source, target, access, opened = places
    with closing(opened(target)) as other:
        other.enqueue("of another store", ["a"], at=NOON)
    with pytest.raises(StoreError, match="holds deliveries of another one, and moving never mixes"):
        move(source, target, access, quiet=True)
    with closing(opened(target)) as other:
        other.write([processed(document("https://b.example/"))])
    with pytest.raises(StoreError, match="holds documents already, and moving never mixes"):
        move(source, target, access, quiet=True)
    with pytest.raises(StoreError, match="where the store is already"):
        move(source, source, access, quiet=True)


def test_a_source_that_is_written_to_meanwhile_moves_nothing(
    places: tuple[str, str, Access, Callable[[str], Store]], filled: Store
) -> None:
    source, target, access, opened = places

    def write(line: str) -> None:
        if line.startswith("comparing"):
            filled.write([processed(document("https://a.example/late"))])

    with pytest.raises(StoreError, match=r"differ .* nothing was moved"):
        move(source, target, access, echo=write, quiet=True)
    with closing(opened(target)) as other:
        assert other.count("documents") == 0
    move(source, target, access, quiet=True)
    with closing(opened(target)) as other:
        assert other.count("documents") == 251
