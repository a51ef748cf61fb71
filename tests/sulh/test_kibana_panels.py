"""Each panel of the dashboards shows, over the same data, what the program says: asked on a real node."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from mappings import KINDS
from processors.records import SIGNALS
from sulh import board
from sulh.kibana.described import described
from sulh.pairs import between_pair, side
from sulh.pipeline import registers_of
from sulh.stores import Access
from sulh.stores.elastic import ElasticStore
from sulh.stores.elastic_client import connect
from sulh.stores.sqlite import SqliteStore
from tests.demo_data import NOW, fill
from tests.kibana_panels import Shown, shown
from tests.sulh.conftest import empty

ZONES = ("America/Los_Angeles", "Asia/Damascus", "Asia/Tokyo")


@dataclass(frozen=True, kw_only=True)
class Both:
    """The demo's data: what the panels show of it, and the embedded store to ask the program's own questions."""

    panels: dict[tuple[str, str], Shown]
    elsewhere: dict[str, dict[tuple[str, str], Shown]]
    """The same by time zone of the reader."""
    path: Path
    documents: dict[str, dict[str, Any]]
    """By id, with the story's origin."""
    events: list[dict[str, Any]]
    """With the day, story and document they were told in, their side and their pairs."""

    def rows(self, dashboard: str, panel: str) -> list[tuple[Any, ...]]:
        return self.panels[dashboard, panel].rows


@pytest.fixture(scope="module")
def both(suite: tuple[str, Access], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    address, access = suite
    path = tmp_path_factory.mktemp("kibana") / "sulh.sqlite"
    with closing(connect(address, access)) as client:
        empty(client, access.prefix)
        for store in (ElasticStore(address, access), SqliteStore(path)):
            with closing(store):
                fill(store)
        client.indices.refresh(index=[f"{access.prefix}-{kind}" for kind in KINDS])
        panels, *elsewhere = (
            {(each.dashboard, each.panel.id): each for each in shown(client, access.prefix, now=NOW, zone=zone)}
            for zone in ("UTC", *ZONES)
        )
    with closing(SqliteStore(path, create=False)) as store:
        documents = {row["id"]: row for row in store.export("documents")}
        events = list(store.export("events"))
    for event in events:
        roles = [(party["actor"], party["role"]) for party in event["parties"]]
        document = documents[event["document"]]
        event["side"] = side(event["kind"], event["polarity"])
        event["pairs"] = ["|".join(pair) for pair in between_pair(event["kind"], roles)]
        event["story"] = document["story"]
        event["at"] = datetime.fromisoformat(document["published_at"] or document["fetched_at"])
    yield Both(
        panels=panels, elsewhere=dict(zip(ZONES, elsewhere, strict=True)), path=path, documents=documents, events=events
    )


def distinct(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, int]:
    """Count how many different values each key has."""
    found: dict[Any, set[Any]] = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return {key: len(values) for key, values in found.items()}


def evidence(both: Both) -> list[board.Evidence]:
    with board.reading(both.path) as connection:
        return [
            piece
            for register, claim in registers_of(None).claims()
            for piece in board.evidence(connection, register.article.id, claim.id)
        ]


def test_every_panel_shows_something(both: Both) -> None:
    assert set(both.panels) == {(id, panel.id) for id, panel in described().panels() if panel.type != "text"}
    assert [key for key, each in both.panels.items() if not each.rows] == []


@pytest.mark.parametrize("zone", ZONES)
def test_what_was_said_on_a_day_stands_under_it_for_every_reader(both: Both, zone: str) -> None:
    for panel in (("claim-board", "over-time"), ("infighting-timeline", "over-time")):
        assert both.elsewhere[zone][panel].by_key == both.panels[panel].by_key


# ---------------------------------------------------------------------------------------------- the claim board


def test_the_claims_stand_as_in_sulh_claims(both: Both) -> None:
    with board.reading(both.path) as connection:
        said = {
            (row.claim, bearing): getattr(row, bearing)
            for row in board.claim_board(connection, registers_of(None))
            for bearing in board.BEARINGS
            if getattr(row, bearing)
        }
    assert both.panels["claim-board", "origins"].by_key == said
    table = both.rows("claim-board", "table")
    assert {(claim, bearing): origins for _, claim, bearing, origins, _, _ in table} == said
    pieces = evidence(both)
    assert {(register, claim, bearing): pages for register, claim, bearing, _, pages, _ in table} == Counter(
        (piece.register, piece.claim, piece.bearing) for piece in pieces
    )
    newest = {(piece.register, piece.claim, piece.bearing): piece.dated_at for piece in reversed(pieces)}
    assert {row[:3]: row[5] for row in table} == newest


def test_the_claims_over_time_are_those_of_the_evidence(both: Both) -> None:
    said = distinct(((piece.dated_at.date(), piece.bearing), piece.origin) for piece in evidence(both))
    assert both.panels["claim-board", "over-time"].by_key == said
    (totals,) = both.rows("claim-board", "totals")
    pieces = evidence(both)
    counted = (
        len({piece.claim for piece in pieces}),
        len({piece.origin for piece in pieces}),
        len({piece.document for piece in pieces}),
    )
    assert totals == counted


def test_the_sentences_are_those_of_sulh_claims(both: Both) -> None:
    def line(claim: str, bearing: str, sentence: str, why: str, url: str) -> tuple[str, ...]:
        return claim, bearing, sentence, why, url

    told = [line(*row[:4], row[5]) for row in both.rows("claim-board", "sentences")]
    said = [line(one.claim, one.bearing, one.sentence, one.why, one.url) for one in evidence(both)]
    assert sorted(told) == sorted(said)


# ----------------------------------------------------------------------------------------------- the timeline


def test_the_pairs_stand_as_on_the_timeline(both: Both) -> None:
    with board.reading(both.path) as connection:
        pairs = board.pairs(connection)
    said = {
        (f"{pair.first}|{pair.second}", name): count
        for pair in pairs
        for name, count in (
            ("contact", pair.contacts), ("clash", pair.clashes), ("denied", pair.denied), ("other", pair.other),
        )
        if count
    }  # fmt: skip
    table = both.rows("infighting-timeline", "pair-table")
    assert {row[:2]: row[2] for row in table} == said
    documents = distinct(((pair, event["side"]), event["document"]) for event in both.events for pair in event["pairs"])
    assert {row[:2]: row[3] for row in table} == documents
    bars = both.panels["infighting-timeline", "pairs"].by_key
    assert len({pair for pair, _ in bars}) == min(20, len({pair for pair, name in said if name != "other"}))
    assert bars == {key: said[key] for key in bars}


def test_days_kinds_and_groups_are_those_of_the_events(both: Both) -> None:
    between = [event for event in both.events if event["pairs"]]
    either = [event for event in between if event["side"] != "other"]
    days = distinct(((event["at"].date(), event["side"]), event["story"]) for event in either)
    assert both.panels["infighting-timeline", "over-time"].by_key == days
    kinds = distinct(((event["kind"], event["polarity"]), event["story"]) for event in between)
    assert both.panels["infighting-timeline", "kinds"].by_key == kinds
    groups = distinct(
        ((party["actor"], event["side"]), event["story"]) for event in either for party in event["parties"]
    )
    assert both.panels["infighting-timeline", "groups"].by_key == groups
    told = [(row[0], row[1], row[4], row[6]) for row in both.rows("infighting-timeline", "documents")]
    said = [
        (event["side"], event["kind"], event["sentence"], both.documents[event["document"]]["url"]) for event in either
    ]
    assert sorted(told) == sorted(said)


# ------------------------------------------------------------------------------------------------- the alerts


def test_the_alerts_stand_as_in_sulh_alerts(both: Both) -> None:
    with board.reading(both.path) as connection:
        queue = board.alert_queue(connection)
    assert both.panels["alert-queue", "queue"].by_key == Counter(row.queue for row in queue)
    assert both.panels["alert-queue", "states"].by_key == Counter(
        (row.alert.state, row.queue, row.verdict) for row in queue
    )
    signals = Counter((signal.name, row.alert.state) for row in queue for signal in row.alert.caution if signal.shown)
    assert both.panels["alert-queue", "caution"].by_key == signals
    assert {name for name, _ in signals} <= set(SIGNALS)
    rests = {
        (row.alert.id, row.alert.title, row.queue, row.alert.state): (
            len(row.alert.origins), len(row.alert.members), row.alert.opened_at,
        )
        for row in queue
    }  # fmt: skip
    assert {row[:4]: row[4:] for row in both.rows("alert-queue", "origins")} == rests
    told = both.rows("alert-queue", "alerts")
    assert [row[-1] for row in told] == [row.alert.id for row in queue]
    assert [row[0] for row in told] == [row.queue for row in queue]
    members = [{member.document for member in row.alert.members} for row in queue]
    assert [set(row[10].split(", ")) for row in told] == members
    assert "a truce of the government's" in {row[12] for row in told}


def test_the_messages_are_those_of_the_outbox(both: Both) -> None:
    with closing(SqliteStore(both.path, create=False)) as store:
        messages = store.deliveries()
    assert both.panels["alert-queue", "delivery"].by_key == Counter(one.state for one in messages)
    told = {(row[0], row[1], row[2]) for row in both.rows("alert-queue", "unsent")}
    assert told == {(one.state, one.alert, one.channel) for one in messages if one.state != "sent"}


# ------------------------------------------------------------------------------------------------ the sources


def test_the_ledger_stands_as_in_sulh_ledger(both: Both) -> None:
    with board.reading(both.path) as connection:
        rows = board.ledger(connection)
        declined = board.rejections(connection)
        sources = {row.source: row for row in board.source_rows(connection)}
        standing = {one.about for one in board.findings(connection) if one.gone_at is None}
    parts: Counter[tuple[date, str, str]] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for row in rows:
        parts[row.day, row.source, row.disposition] += row.count
        if row.disposition in ("rejected", "refused", "failed", "waiting"):
            reasons[row.reason, row.source] += row.count
    assert both.panels["sources-and-coverage", "ledger"].by_key == dict(parts)
    assert both.panels["sources-and-coverage", "reasons"].by_key == dict(reasons)
    balances = {(row.day, row.source): row for row in board.balances(rows)}
    for day, source, disposition, count in both.rows("sources-and-coverage", "ledger"):
        assert getattr(balances[day, source], disposition) == count
    told = {(row[0], row[2], row[4]) for row in both.rows("sources-and-coverage", "declined")}
    assert told == {(one.source, one.reason, one.url) for one in declined}
    found = both.rows("sources-and-coverage", "findings")
    assert {row[1] for row in found} == standing
    silent = both.rows("sources-and-coverage", "silent")
    assert {source: last for source, last, _ in silent} == {source: row.last_fetched for source, row in sources.items()}
    assert [row[1] for row in silent] == sorted(row[1] for row in silent)


def test_what_came_in_is_what_the_store_holds(both: Both) -> None:
    held = [
        (datetime.fromisoformat(row["fetched_at"]).date(), row["source"], row["language"], row["story"])
        for row in both.documents.values()
    ]
    days = both.panels["sources-and-coverage", "by-day"].by_key
    assert days == Counter((day, source) for day, source, _, _ in held)
    assert len({day for day, _ in days}) == 2
    languages = both.panels["sources-and-coverage", "languages-by-day"].by_key
    assert languages == Counter((day, language) for day, _, language, _ in held)
    table = both.rows("sources-and-coverage", "languages")
    assert {row[:2]: row[2] for row in table} == Counter((source, language) for _, source, language, _ in held)
    assert {row[:2]: row[3] for row in table} == distinct(
        ((source, language), story) for _, source, language, story in held
    )
    with board.reading(both.path) as connection:
        taken = {day: board.intake(connection, day) for day in {day for day, _ in days}}
    assert days == {(day, one.source): one.documents for day, rows in taken.items() for one in rows if one.documents}
