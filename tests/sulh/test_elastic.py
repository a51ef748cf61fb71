"""What the store on Elasticsearch promises beyond the behaviour that all stores share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from mappings import SCHEMA
from processors.archive import CaptureRef
from processors.errors import StoreError
from processors.records import Document, Event, Party, digest
from sulh.pipeline import Judged, process
from sulh.stores import Access, Outcome, Processed, Query, open_store
from sulh.stores.elastic import ElasticStore
from sulh.stores.elastic_client import connect
from sulh.stores.elastic_indices import create, indices

NOON = datetime(2014, 11, 15, 12, tzinfo=UTC)
Place = tuple[str, Access]


@pytest.fixture
def store(elastic: Place) -> Iterator[ElasticStore]:
    with closing(opened(elastic)) as store:
        yield store


@pytest.fixture
def client(elastic: Place) -> Iterator[Elasticsearch]:
    with closing(connect(*elastic)) as client:
        yield client


def opened(place: Place) -> ElasticStore:
    address, access = place
    store = open_store(address, access=access)
    assert isinstance(store, ElasticStore)
    return store


def processed(name: str, text: str = "A truce was agreed.", *kinds: str, **fields: Any) -> Processed:
    """Give a page as the pipeline writes it, with an event a kind."""
    url = f"https://outlet.example/{name}"
    id = digest(url)
    given = {"source": "outlet_uk", "title": "", "language": "en", "fetched_at": NOON, "story": id, **fields}
    given.setdefault("capture", digest(url, str(given.get("revision", 1))))
    document = Document(id=id, url=url, text=text, **given)
    events = tuple(
        Event(
            id=digest(id, kind, text),
            document=id,
            kind=kind,  # type: ignore[arg-type]
            parties=(Party(actor="islamic-state"), Party(actor="nusra")),
            start=0,
            end=len(text),
            sentence=text,
            rule="en:agreed",
        )
        for kind in kinds
    )
    outcome = Outcome(
        capture=document.capture,
        source=document.source,
        url=url,
        fetched_at=document.fetched_at,
        disposition="indexed",
        document=id,
    )
    return Processed(outcome=outcome, document=document, events=events)


def shown(client: Elasticsearch, place: Place, kind: str) -> list[dict[str, Any]]:
    """Give the rows that a person sees in Kibana, which knows the alias only."""
    client.indices.refresh(index=f"{place[1].prefix}-{kind}")
    hits = client.search(index=f"{place[1].prefix}-{kind}", size=100)["hits"]["hits"]
    return [hit["_source"] for hit in hits]


def test_a_write_that_comes_late_replaces_nothing_newer(
    elastic: Place, store: ElasticStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = processed("1", "No truce was agreed after all.", "refusal", revision=1, capture="newer")
    with closing(opened(elastic)) as late:
        number = late._number()
        store.write([newer])
        # It took its number first, was held up, and wakes up now; it judged the page as of then.
        monkeypatch.setattr(late, "_number", lambda: number)
        older = processed("1", capture="older")
        (refusal,) = late.write([older])
    assert "newer" in refusal.detail
    assert store.document(newer.outcome.document) == newer.document
    assert [event["kind"] for event in store.export("events")] == ["refusal"]
    # The late capture is not lost: the next run judges it beside the newer text.
    assert store.unprocessed(["older", "newer"]) == {"older"}


def test_a_refused_document_is_named_and_kept_and_its_neighbours_go_on(store: ElasticStore) -> None:
    # Elasticsearch takes no keyword above 32,766 bytes.
    bad = processed("bad", "Unwritable.", "truce", credit="x" * 40_000)
    good = processed("good", "Another truce was agreed.", "truce")
    (refusal,) = store.write([bad, good])
    assert (refusal.capture, refusal.url) == (bad.outcome.capture, bad.outcome.url)
    assert "credit" in refusal.detail
    assert store.refusals() == [refusal]
    assert store.unprocessed([bad.outcome.capture, good.outcome.capture]) == {bad.outcome.capture}
    assert [row["id"] for row in store.export("documents")] == [good.outcome.document]
    assert [row["document"] for row in store.export("events")] == [good.outcome.document]
    assert [story["id"] for story in store.export("stories")] == [good.outcome.document]
    assert [(row.disposition, row.count) for row in store.ledger()] == [("indexed", 1)]
    mended = replace(bad, document=replace(bad.document, credit=""))  # type: ignore[type-var]
    assert store.write([mended]) == ()
    assert store.refusals() == []
    assert [(row.disposition, row.count) for row in store.ledger()] == [("indexed", 2)]


def test_a_page_of_a_run_that_broke_off_is_the_same_page_in_the_next(
    elastic: Place, store: ElasticStore, client: Elasticsearch
) -> None:
    first = processed("1", "A truce was agreed.", "truce")
    edited = processed("1", "A truce was agreed on Friday.", "truce", revision=2, fetched_at=NOON + timedelta(hours=1))
    store.write([first])
    store.write([edited])
    before = {kind: list(store.export(kind)) for kind in ("documents", "events", "stories", "ledger")}
    # As after a kill between the rows and the outcome, which is written last.
    client.delete(index=f"{elastic[1].prefix}-ledger-write", id=edited.outcome.capture, refresh=True)
    assert edited.document is not None
    ref = CaptureRef(id=edited.outcome.capture, source="outlet_uk", url=edited.outcome.url, fetched_at=NOON, locator="")
    again = Judged(document=replace(edited.document, revision=1, story=""), events=edited.events, comparisons=())
    report = process(store, [(replace(ref, fetched_at=edited.outcome.fetched_at), again)])
    assert report.counts == {"indexed": 1}
    assert {kind: list(store.export(kind)) for kind in before} == before


def test_what_no_longer_holds_is_out_of_sight(elastic: Place, store: ElasticStore, client: Elasticsearch) -> None:
    store.write([processed("1", "A truce was agreed.", "truce", "swap"), processed("2", "A truce.", "truce")])
    store.relabel({processed("2").outcome.document: processed("1").outcome.document})
    store.write([processed("1", "A truce was refused.", "refusal", revision=2, fetched_at=NOON + timedelta(days=1))])
    assert sorted(row["kind"] for row in shown(client, elastic, "events")) == ["refusal", "truce"]
    assert [row["size"] for row in shown(client, elastic, "stories")] == [2]
    assert store.search(Query(kind="swap")) == []


def test_a_story_that_gains_a_credit_gives_all_its_rows_that_origin(store: ElasticStore, elastic: Place) -> None:
    first, reprint = processed("1", "A truce.", "truce"), processed("2", "A truce. (AP)", "truce", credit="ap")
    store.write([first])
    store.write([reprint], stories={reprint.outcome.document: first.outcome.document})
    with closing(connect(*elastic)) as client:
        for kind in ("documents", "events"):
            carried = {(row["story"], row["origin"]) for row in shown(client, elastic, kind)}
            assert carried == {(first.outcome.document, "ap")}, kind


def test_making_the_indices_again_makes_nothing(elastic: Place, client: Elasticsearch) -> None:
    assert create(client, elastic[1].prefix) == []


def test_a_lost_alias_is_said_and_put_back(elastic: Place, store: ElasticStore, client: Elasticsearch) -> None:
    store.write([processed("1")])
    prefix = elastic[1].prefix
    (serving,) = (index.name for index in indices(client, prefix) if index.kind == "events")
    client.indices.delete_alias(index=serving, name=f"{prefix}-events-write")
    with pytest.raises(StoreError, match=r"the alias .*-events-write is missing: run `sulh index create`"):
        opened(elastic)
    # A run that has the store open must not make an index of guessed fields either.
    with pytest.raises(StoreError, match="run `sulh index create`"):
        store.write([processed("2", "A truce.", "truce")])
    create(client, prefix)
    assert store.write([processed("2", "A truce.", "truce")]) == ()
    assert len(list(store.export("events"))) == 1


def test_an_alias_to_two_indices_is_not_mended_by_making_more(
    elastic: Place, store: ElasticStore, client: Elasticsearch
) -> None:
    prefix = elastic[1].prefix
    extra = f"{prefix}-stories-000009"
    client.indices.create(index=extra, aliases={f"{prefix}-stories": {}})
    try:
        with pytest.raises(StoreError, match=f"more than one index.*{extra}.*take it off"):
            opened(elastic)
    finally:
        client.indices.delete(index=extra)


def test_indices_of_a_newer_version_are_refused(elastic: Place, client: Elasticsearch) -> None:
    (serving,) = (index for index in indices(client, elastic[1].prefix) if index.kind == "alerts")
    meta = {"schema": SCHEMA + 1, "fingerprint": serving.fingerprint}
    client.indices.put_mapping(index=serving.name, meta=meta)
    try:
        with pytest.raises(StoreError, match=r"newer sulh.*upgrade"):
            opened(elastic)
    finally:
        client.indices.put_mapping(index=serving.name, meta={**meta, "schema": SCHEMA})
    opened(elastic).close()


def test_a_rebuild_that_fails_leaves_the_store_and_no_index_behind(
    elastic: Place, store: ElasticStore, client: Elasticsearch
) -> None:
    store.write([processed("1", "A truce.", "truce")])
    before = indices(client, elastic[1].prefix)
    with pytest.raises(ZeroDivisionError), store.rebuilding() as fresh:
        fresh.write([processed("2", "Another.", "truce")])
        raise ZeroDivisionError
    assert indices(client, elastic[1].prefix) == before
    assert [row["url"] for row in store.export("documents")] == ["https://outlet.example/1"]
