"""What the desk's pages and the commands both show: plain questions to the store, answered with records.

The commands ask a `Board`, which `open_board` opens over either store. The desk asks the embedded store, by the
functions that take an open connection and only read; `reading(path)` opens one.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from processors.archive import Archive
from processors.errors import ArchiveError, StoreError
from processors.records import (
    Alert,
    Bearing,
    Comparison,
    Document,
    Event,
    Language,
    LedgerRow,
    Record,
    Rejection,
    Verdict,
)
from processors.register import Registers
from sulh.freshness import SPAN, Freshness, by_source
from sulh.pairs import SIDES, Side, between_pair, side
from sulh.periods import Step, between, fitting, start
from sulh.stores import Access, Delivery, Finding, server
from sulh.stores.sqlite import VERSION, arrivals, messages

BEARINGS: tuple[Bearing, ...] = ("supports", "reports", "contradicts")

_APPLICATION = 1937075304
"""As in mappings/sqlite.sql."""

_R = TypeVar("_R", bound=Record)


# Opening


def connect(path: Path) -> sqlite3.Connection:
    """Open the store for reading only, such that what a running pipeline commits is seen. Raises StoreError."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no store here yet; `sulh run` makes one, `sulh demo` makes one to look at")
    try:
        # Not immutable: that would leave out what still stands in the write-ahead log.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: the store cannot be opened: {error}") from error
    try:
        connection.execute("PRAGMA query_only = 1")
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"{path}: the store cannot be read: {error}") from error
    problem = ""
    if application != _APPLICATION:
        problem = "this file is not a store of sulh; check SULH_STORE"
    elif version > VERSION:
        problem = f"the store is of version {version}, newer than the {VERSION} read here: upgrade sulh"
    elif version < VERSION:
        problem = f"the store is of version {version}, older than the {VERSION} read here: `sulh run` converts it"
    if problem:
        connection.close()
        raise StoreError(f"{path}: {problem}")
    return connection


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the store for one reader and one moment: all questions asked inside see the same state of it."""
    with closing(connect(path)) as connection, snapshot(connection):
        try:
            yield connection
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path}: the store cannot be read: {error}") from error


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold one state of the store, whatever a running pipeline commits meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.rollback()


class Board(Protocol):
    """What the commands ask: the same answers from every store."""

    def claim_board(self, registers: Registers, *, claim: str = "") -> list[ClaimRow]:
        """Give every claim of the registers, or those of one id, with what bears on it; one without a finding too."""

    def evidence(self, register: str, claim: str, *, limit: int | None = None) -> Iterator[Evidence]:
        """Give all that bears on one claim, or as much as is asked for, newest first, as it is read."""

    def alert_queue(self, *, beginning: str = "") -> list[AlertRow]:
        """Give all alerts, newest first, or those whose id has this beginning."""

    def document(self, id: str) -> Document | None:
        """Give a document in its current text."""


@contextmanager
def open_board(address: str | Path, *, access: Access | None = None) -> Iterator[Board]:
    """Open the store at an address for reading, as `open_store` does for all else. Raises StoreError."""
    if str(address).lower().startswith(("http://", "https://")):
        # Here, since it makes the records of this module.
        from sulh.stores.elastic_board import ElasticBoard

        with closing(ElasticBoard(server(str(address)), access or Access())) as board:
            yield board
    else:
        with reading(Path(address)) as connection:
            yield SqliteBoard(connection)


# Claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Period(Record):
    """How many independent origins came out in one period, by how they bear on a claim."""

    start: date
    supports: int = 0
    reports: int = 0
    contradicts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow(Record):
    """One claim and what has been found on it: counts are of independent origins, not of reprints."""

    register: str
    claim: str
    statement: str
    voice: str
    supports: int
    reports: int
    contradicts: int
    documents: int
    latest_at: datetime | None = None
    latest_bearing: str = ""
    latest_sentence: str = ""
    latest_document: str = ""
    latest_story: str = ""
    latest_source: str = ""
    latest_language: Language = "und"
    step: Step = "day"
    periods: tuple[Period, ...] = ()
    """The same periods for all claims of a board, so that their plots can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Record):
    """One document's bearing on a claim, and where it comes from."""

    bearing: Bearing
    score: float
    sentence: str
    why: str
    document: str
    title: str
    url: str
    source: str
    language: Language
    dated_at: datetime
    story: str
    origin: str
    """The agency or outlet that the story credits, else the story: what counts as one voice."""
    register: str
    claim: str
    event: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a store says of one claim, from which its row on the board is made."""

    documents: int
    days: tuple[tuple[date, str, str], ...]
    """Day (or first day of the period), bearing and origin: each combination that there is."""
    latest: Evidence
    """The newest; of several of one time, the one with the highest document id."""


def claim_rows(
    registers: Registers, claim: str, found: Mapping[tuple[str, str], Found], span: tuple[date, date] | None
) -> list[ClaimRow]:
    """Make the board's rows, in the registers' order, for all claims or for those of one id.

    ``span`` is that of all comparisons, so that the claims' plots can be compared.
    """
    step = fitting(span or ())
    starts = between(*span, step) if span else ()
    rows = []
    for register, one in registers.claims():
        if claim not in ("", one.id):
            continue
        about = found.get((register.article.id, one.id))
        days = about.days if about else ()
        # Independent origins: a reprint, or a second page that credits the same agency, is no further voice.
        voices = Counter(bearing for bearing, _ in {(bearing, origin) for _, bearing, origin in days})
        last = about.latest if about else None
        rows.append(
            ClaimRow(
                register=register.article.id,
                claim=one.id,
                statement=one.statement,
                voice=one.voice,
                supports=voices["supports"],
                reports=voices["reports"],
                contradicts=voices["contradicts"],
                documents=about.documents if about else 0,
                latest_at=last.dated_at if last else None,
                latest_bearing=last.bearing if last else "",
                latest_sentence=last.sentence if last else "",
                latest_document=last.document if last else "",
                latest_story=last.story if last else "",
                latest_source=last.source if last else "",
                latest_language=last.language if last else "und",
                step=step,
                periods=_periods(starts, step, days),
            )
        )
    return rows


def _periods(starts: Sequence[date], step: Step, found: Iterable[tuple[date, str, str]]) -> tuple[Period, ...]:
    """Count each origin once a period and bearing."""
    distinct = {(start(day, step), bearing, origin) for day, bearing, origin in found}
    counts = Counter((begin, bearing) for begin, bearing, _ in distinct)
    return tuple(Period(start=begin, **{name: counts[begin, name] for name in BEARINGS}) for begin in starts)


_EVIDENCE = """c.bearing, c.score, c.sentence, c.why, c.document, d.title, d.url, d.source, d.language, d.dated_at,
  d.story, o.origin, c.register, c.claim, c.event"""
_BEARING = "comparisons c JOIN documents d ON d.id = c.document JOIN story_origins o ON o.story = d.story"


def claim_board(connection: sqlite3.Connection, registers: Registers, *, claim: str = "") -> list[ClaimRow]:
    """Give every claim of the registers, or those of one id, with what bears on it; one without a finding too."""
    where, arguments = ("WHERE c.claim = ?", (claim,)) if claim else ("", ())
    first, last = connection.execute(
        "SELECT min(d.day), max(d.day) FROM comparisons c JOIN documents d ON d.id = c.document"
    ).fetchone()
    days: dict[tuple[str, str], list[tuple[date, str, str]]] = defaultdict(list)
    for register_id, claim_id, bearing, day, origin in connection.execute(
        f"SELECT DISTINCT c.register, c.claim, c.bearing, d.day, o.origin FROM {_BEARING} {where}", arguments
    ):
        days[register_id, claim_id].append((date.fromisoformat(day), bearing, origin))
    found = {}
    for row in _rows(
        connection,
        # Bare columns beside max() come from the row that holds the maximum (SQLite's documented behaviour).
        f"""SELECT {_EVIDENCE}, count(*) AS documents, max(d.dated_at || ' ' || d.id)
        FROM {_BEARING} {where} GROUP BY c.register, c.claim""",
        *arguments,
    ):
        key = (row["register"], row["claim"])
        found[key] = Found(documents=row["documents"], days=tuple(days[key]), latest=_record(Evidence, row))
    span = (date.fromisoformat(first), date.fromisoformat(last)) if first else None
    return claim_rows(registers, claim, found, span)


def evidence(connection: sqlite3.Connection, register: str, claim: str, *, limit: int | None = None) -> list[Evidence]:
    """Give all that bears on one claim, or as much as is asked for, newest first."""
    return [
        _record(Evidence, row)
        for row in _rows(
            connection,
            f"SELECT {_EVIDENCE} FROM {_BEARING}"
            " WHERE c.register = ? AND c.claim = ? ORDER BY d.dated_at DESC, d.id LIMIT ?",
            register,
            claim,
            # SQLite: a negative limit is none.
            -1 if limit is None else limit,
        )
    ]


# Alerts

Queue = Literal["open", "held", "withdrawn", "confirmed", "dismissed"]
QUEUES: tuple[Queue, ...] = ("open", "held", "withdrawn", "confirmed", "dismissed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow(Record):
    """An alert, what an analyst decided on it, and who was told."""

    alert: Alert
    verdict: Verdict
    why: str
    judged_at: datetime | None
    queue: Queue
    """Where it waits: decided, else withdrawn, else held back (nobody is notified), else open."""
    language: Language
    """Of the document that raised it."""
    deliveries: tuple[Delivery, ...] = ()

    @property
    def shown(self) -> int:
        """How many of the checklist's signals the texts show."""
        return sum(signal.shown for signal in self.alert.caution)


def queue_of(alert: Alert, verdict: Verdict) -> Queue:
    """Give where an alert waits: as it was decided, or withdrawn, or held back, or none of these."""
    if verdict != "open":
        return verdict
    return "withdrawn" if alert.state == "withdrawn" else "held" if alert.held else "open"


def alert_queue(connection: sqlite3.Connection, *, alert: str = "", beginning: str = "") -> list[AlertRow]:
    """Give all alerts, newest first, or the one of this id, or those whose id has this beginning."""
    sent: dict[str, list[Delivery]] = defaultdict(list)
    where, arguments = "", list[Any]()
    if alert:
        where, arguments = "WHERE alert = ?", [alert]
    elif beginning:
        where, arguments = "WHERE substr(alert, 1, ?) = ?", [len(beginning), beginning]
    for row in _rows(connection, f"SELECT * FROM deliveries {where} ORDER BY alert, channel", *arguments):
        delivery = _record(Delivery, row)
        sent[delivery.alert].append(delivery)
    rows = []
    for row in _rows(
        connection,
        f"""SELECT a.*, coalesce(v.verdict, 'open') AS verdict, coalesce(v.why, '') AS why, v.at AS judged_at,
          coalesce((SELECT d.language FROM alert_members m JOIN documents d ON d.id = m.document
            WHERE m.alert = a.id ORDER BY m.position LIMIT 1), 'und') AS language
        FROM alerts a LEFT JOIN verdicts v ON v.alert = a.id {where.replace("alert", "a.id")}
        ORDER BY a.opened_at DESC, a.id""",
        *arguments,
    ):
        found = _record(Alert, row)
        verdict: Verdict = row["verdict"]
        rows.append(
            AlertRow(
                alert=found,
                verdict=verdict,
                why=row["why"],
                judged_at=datetime.fromisoformat(row["judged_at"]) if row["judged_at"] else None,
                queue=queue_of(found, verdict),
                language=row["language"],
                deliveries=tuple(sent[found.id]),
            )
        )
    return rows


# Stories and documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Head(Record):
    """What a list of documents shows of each."""

    document: str
    revision: int
    source: str
    url: str
    title: str
    language: Language
    published_at: datetime | None
    published_from: str
    fetched_at: datetime
    dated_at: datetime
    story: str
    credit: str
    size: int
    """Characters of its text."""


_HEAD = """d.id AS document, d.revision, d.source, d.url, d.title, d.language, d.published_at, d.published_from,
  d.fetched_at, coalesce(d.published_at, d.fetched_at) AS dated_at, d.story, d.credit, length(d.text) AS size"""


def story(connection: sqlite3.Connection, id: str) -> list[Head]:
    """Give the documents of a story, the one that had it first at the head; none where there is no such story."""
    sql = f"SELECT {_HEAD} FROM documents d WHERE d.story = ? ORDER BY d.dated_at, d.id"
    return [_record(Head, row) for row in _rows(connection, sql, id)]


def story_of(connection: sqlite3.Connection, document: str) -> str:
    """Give the story that a document belongs to; empty where there is no such document."""
    row = connection.execute("SELECT story FROM documents WHERE id = ?", (document,)).fetchone()
    return row[0] if row else ""


def heads(connection: sqlite3.Connection, documents: Iterable[str]) -> dict[str, Head]:
    """Give the documents of these ids that the store has."""
    sql = f"SELECT {_HEAD} FROM documents d WHERE d.id IN (SELECT value FROM json_each(?))"
    found = [_record(Head, row) for row in _rows(connection, sql, json.dumps(sorted(set(documents))))]
    return {head.document: head for head in found}


def revisions(connection: sqlite3.Connection, document: str) -> list[Head]:
    """Give all texts that stood at one address, the current one first."""
    sql = f"""SELECT {_HEAD} FROM documents d WHERE d.id = ? UNION ALL
      SELECT {_HEAD} FROM revisions d WHERE d.id = ? ORDER BY 2 DESC"""
    return [_record(Head, row) for row in _rows(connection, sql, document, document)]


def document(connection: sqlite3.Connection, id: str, *, revision: int | None = None) -> Document | None:
    """Give a document in its current or a former text."""
    for table in ("documents", "revisions"):
        for row in _rows(connection, f"SELECT * FROM {table} WHERE id = ?", id):
            if revision is None or row["revision"] == revision:
                return _record(Document, row)
    return None


def events(connection: sqlite3.Connection, document: str) -> list[Event]:
    """Give the events of a document's current text, in reading order."""
    sql = "SELECT * FROM events WHERE document = ? ORDER BY field DESC, start, id"
    return [_record(Event, row) for row in _rows(connection, sql, document)]


def comparisons(connection: sqlite3.Connection, document: str) -> list[Comparison]:
    """Give how a document's current text bears on the claims."""
    sql = "SELECT * FROM comparisons WHERE document = ? ORDER BY register, claim"
    return [_record(Comparison, row) for row in _rows(connection, sql, document)]


def alerts_of(connection: sqlite3.Connection, documents: Iterable[str]) -> list[str]:
    """Give the ids of the alerts that have one of the documents as a member."""
    sql = "SELECT DISTINCT alert FROM alert_members WHERE document IN (SELECT value FROM json_each(?)) ORDER BY alert"
    return [id for (id,) in connection.execute(sql, (json.dumps(sorted(set(documents))),))]


# Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Record):
    """Two groups that events stand between, in how many stories."""

    first: str
    second: str
    contacts: int
    clashes: int
    denied: int
    other: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening(Record):
    """One event between a pair, told by one story: its reprints are counted, not listed."""

    at: date
    """The day under which it stands: of publication, or the event's own where that was asked for and is known."""
    happened_on: date | None
    """The event's own date, where its sentence gives one."""
    side: Side
    kind: str
    polarity: str
    modality: str
    place: str
    sentence: str
    parties: tuple[str, ...]
    event: str
    document: str
    title: str
    source: str
    language: Language
    dated_at: datetime
    story: str
    tellings: int
    """How many documents of the story say so."""


def pairs(connection: sqlite3.Connection) -> list[Pair]:
    """Give all pairs of groups that events stand between, those of the most stories first."""
    stories: dict[tuple[str, str], dict[Side, set[str]]] = defaultdict(lambda: {name: set() for name in SIDES})
    for kind, polarity, parties, found in connection.execute(
        """SELECT DISTINCT e.kind, e.polarity, e.parties, d.story FROM events e JOIN documents d ON d.id = e.document"""
    ):
        for pair in between_pair(kind, _roles(parties)):
            stories[pair][side(kind, polarity)].add(found)
    rows = [
        Pair(
            first=first,
            second=second,
            contacts=len(sides["contact"]),
            clashes=len(sides["clash"]),
            denied=len(sides["denied"]),
            other=len(sides["other"]),
        )
        for (first, second), sides in stories.items()
    ]
    return sorted(rows, key=lambda row: (-(row.contacts + row.clashes + row.denied + row.other), row.first, row.second))


@cache
def _roles(parties: str) -> tuple[tuple[str, str], ...]:
    return tuple((party["actor"], party.get("role", "party")) for party in json.loads(parties))


def timeline(connection: sqlite3.Connection, first: str, second: str, *, happened: bool = False) -> list[Happening]:
    """Give what is told of two groups, newest first: each kind of event once a story, in its first telling.

    With ``happened`` an event stands under its own date where the sentence gives one, rather than that of publication.
    """
    told: dict[tuple[str, str, str], list[sqlite3.Row]] = defaultdict(list)
    for row in _rows(
        connection,
        """SELECT e.id AS event, e.kind, e.polarity, e.modality, e.place, e.date, e.sentence, e.parties, e.start,
          d.id AS document, d.title, d.source, d.language, d.dated_at, d.story
        FROM events e JOIN documents d ON d.id = e.document
        WHERE e.id IN (SELECT event FROM event_parties WHERE actor = ?
          INTERSECT SELECT event FROM event_parties WHERE actor = ?)
        ORDER BY d.dated_at, d.id, e.field DESC, e.start""",
        first,
        second,
    ):
        if (min(first, second), max(first, second)) in between_pair(row["kind"], _roles(row["parties"])):
            told[row["story"], row["kind"], row["polarity"]].append(row)
    rows = []
    for tellings in told.values():
        row = tellings[0]
        own = date.fromisoformat(row["date"]) if row["date"] else None
        rows.append(
            Happening(
                at=own if own and happened else date.fromisoformat(row["dated_at"][:10]),
                happened_on=own,
                side=side(row["kind"], row["polarity"]),
                kind=row["kind"],
                polarity=row["polarity"],
                modality=row["modality"],
                place=row["place"],
                sentence=row["sentence"],
                parties=tuple(actor for actor, _ in _roles(row["parties"])),
                event=row["event"],
                document=row["document"],
                title=row["title"],
                source=row["source"],
                language=row["language"],
                dated_at=datetime.fromisoformat(row["dated_at"]),
                story=row["story"],
                tellings=len({telling["document"] for telling in tellings}),
            )
        )
    return sorted(rows, key=lambda row: (row.at, row.dated_at, row.event), reverse=True)


# The ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Record):
    """What became of the items of one source on one day; every item must be somewhere."""

    source: str
    day: date
    discovered: int = 0
    fetched: int = 0
    known: int = 0
    refused: int = 0
    failed: int = 0
    indexed: int = 0
    duplicate: int = 0
    rejected: int = 0
    waiting: int = 0
    reasons: tuple[tuple[str, str, int], ...] = ()
    """Disposition, reason and count, where a reason is given."""

    @property
    def crawl_gap(self) -> int:
        """Items that were discovered and then neither fetched nor known, refused or failed."""
        return self.discovered - (self.fetched + self.known + self.refused + self.failed)

    @property
    def process_gap(self) -> int:
        """Items that were fetched and then neither indexed nor duplicate, rejected or waiting."""
        return self.fetched - (self.indexed + self.duplicate + self.rejected + self.waiting)

    @property
    def balanced(self) -> bool:
        """True where both equations hold."""
        return not self.crawl_gap and not self.process_gap

    def to_json(self) -> dict[str, Any]:
        """Give the counts with the two gaps, which a reader of the numbers asks for first."""
        return {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "day": self.day.isoformat(),
            "reasons": [list(reason) for reason in self.reasons],
            "crawl_gap": self.crawl_gap,
            "process_gap": self.process_gap,
        }


def ledger(
    connection: sqlite3.Connection, *, source: str = "", day: date | None = None, archive: Archive | None = None
) -> list[LedgerRow]:
    """Give the ledger's rows by source, day, step, disposition and reason.

    With the archive, the crawl's rows are its own, newer than those that the store noted at the last processing, and
    captures without an outcome count as waiting. An archive that cannot be read leaves the rows that the store has.
    """
    sql = """SELECT source, day, step, disposition, reason, count FROM ledger
      WHERE (? = '' OR source = ?) AND (? = '' OR day = ?) ORDER BY source, day, step, disposition, reason"""
    when = day.isoformat() if day else ""
    # Without `from_json`: a year of forty sources is a hundred thousand rows.
    rows = [
        LedgerRow(
            source=source, day=date.fromisoformat(day), step=step, disposition=disposition, reason=reason, count=count
        )
        for source, day, step, disposition, reason, count in connection.execute(sql, (source, source, when, when))
    ]
    for name in archive.sources() if archive is not None else ():
        if source not in ("", name):
            continue
        assert archive is not None
        try:
            crawled = [row for row in archive.tallies(name) if day in (None, row.day)]
            waiting = _waiting(connection, archive, name, day)
        except ArchiveError:
            continue
        rows = [row for row in rows if row.step != "crawl" or row.source != name] + crawled + waiting
    return rows


def _waiting(connection: sqlite3.Connection, archive: Archive, source: str, day: date | None) -> list[LedgerRow]:
    """Count the captures without an outcome: by looking for each, since a difference would hide a loss."""
    done = {capture for (capture,) in connection.execute("SELECT capture FROM outcomes WHERE source = ?", (source,))}
    waiting = Counter(ref.fetched_at.date() for ref in archive.captures(source, day=day) if ref.id not in done)
    return [
        LedgerRow(source=source, day=on, step="process", disposition="waiting", count=count)
        for on, count in sorted(waiting.items())
    ]


def balances(rows: Iterable[LedgerRow]) -> list[Balance]:
    """Add the ledger's rows up to one balance a source and day, the newest day first."""
    counts: dict[tuple[str, date], Counter[str]] = defaultdict(Counter)
    reasons: dict[tuple[str, date], list[tuple[str, str, int]]] = defaultdict(list)
    for row in rows:
        counts[row.source, row.day][row.disposition] += row.count
        if row.reason:
            reasons[row.source, row.day].append((row.disposition, row.reason, row.count))
    found = [
        Balance(source=source, day=day, **count, reasons=tuple(sorted(reasons[source, day])))
        for (source, day), count in counts.items()
    ]
    return sorted(found, key=lambda row: (-row.day.toordinal(), row.source))


def rejections(
    connection: sqlite3.Connection, *, source: str = "", day: date | None = None, reason: str = "", limit: int = 500
) -> list[Rejection]:
    """Give what was declined, newest first."""
    sql = """SELECT * FROM rejections WHERE (? = '' OR source = ?) AND (? = '' OR substr(at, 1, 10) = ?)
      AND (? = '' OR reason = ?) ORDER BY at DESC, url LIMIT ?"""
    when = day.isoformat() if day else ""
    return [
        _record(Rejection, row) for row in _rows(connection, sql, source, source, when, when, reason, reason, limit)
    ]


# Today, and sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake(Record):
    """What one source brought on one day."""

    source: str
    documents: int
    """Documents whose current text was fetched that day."""
    stories: int
    """Stories among them that no document told on an earlier day."""
    duplicate: int
    rejected: int
    languages: tuple[tuple[Language, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow(Record):
    """One source as the store knows it."""

    source: str
    documents: int = 0
    stories: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    """When its newest document came out."""
    last_fetched: datetime | None = None
    """When a page of it last came in, whatever became of it."""
    discovered: int = 0
    fetched: int = 0
    refused: int = 0
    failed: int = 0
    rejected: int = 0
    gap: int = 0
    """Items that the ledger cannot account for, over all days."""
    waiting: int = 0
    health: str = ""
    """In words, from the archive, where the desk was given one."""
    indexed_p50: int | None = None
    indexed_p95: int | None = None
    """Seconds from publication until an item could be found, over the last week; None where there was none."""
    delivered_p50: int | None = None
    delivered_p95: int | None = None
    """And from then until an alert that began with one was delivered."""


def findings(connection: sqlite3.Connection) -> list[Finding]:
    """Give what is or was wrong with the watch itself: what stands first, the newest first."""
    sql = "SELECT * FROM findings ORDER BY gone_at IS NOT NULL, first_at DESC, kind, about"
    return [_record(Finding, row) for row in _rows(connection, sql)]


def latest_day(connection: sqlite3.Connection) -> date | None:
    """Give the last day on which anything came in; None for an empty store."""
    (day,) = connection.execute("SELECT max(day) FROM (SELECT max(day) AS day FROM ledger)").fetchone()
    return date.fromisoformat(day) if day else None


def intake(connection: sqlite3.Connection, day: date) -> list[Intake]:
    """Give what each source brought on a day, the busiest first."""
    languages: dict[str, Counter[Language]] = defaultdict(Counter)
    stories: Counter[str] = Counter()
    seen: set[str] = set()
    for source, language, story_id, earlier in connection.execute(
        """SELECT d.source, d.language, d.story,
          EXISTS (SELECT 1 FROM documents e WHERE e.story = d.story AND e.fetched_at < ?)
            OR EXISTS (SELECT 1 FROM revisions r WHERE r.id = d.id AND r.fetched_at < ?)
        FROM documents d WHERE d.fetched_at >= ? AND d.fetched_at < ? ORDER BY d.dated_at, d.id""",
        (day.isoformat(), day.isoformat(), day.isoformat(), _after(day)),
    ):
        languages[source][language] += 1
        # A story is new where it was first told; another source's reprint of the same day is not.
        if not earlier and story_id not in seen:
            stories[source] += 1
        seen.add(story_id)
    declined: dict[str, Counter[str]] = defaultdict(Counter)
    for source, disposition, count in connection.execute(
        "SELECT source, disposition, count(*) FROM outcomes WHERE day = ? GROUP BY source, disposition",
        (day.isoformat(),),
    ):
        declined[source][disposition] = count
    rows = [
        Intake(
            source=source,
            documents=languages[source].total(),
            stories=stories[source],
            duplicate=declined[source]["duplicate"],
            rejected=declined[source]["rejected"],
            languages=tuple(languages[source].most_common()),
        )
        for source in sorted(languages.keys() | declined.keys())
    ]
    return sorted(rows, key=lambda row: (-row.documents, row.source))


def _after(day: date) -> str:
    return date.fromordinal(day.toordinal() + 1).isoformat()


def source_rows(connection: sqlite3.Connection, *, archive: Archive | None = None) -> list[SourceRow]:
    """Give every source that the ledger or the documents name."""
    rows: dict[str, SourceRow] = {}

    def row(source: str) -> SourceRow:
        return rows.get(source) or SourceRow(source=source)

    for source, documents, stories, first, last in connection.execute(
        "SELECT source, count(*), count(DISTINCT story), min(dated_at), max(dated_at) FROM documents GROUP BY source"
    ):
        rows[source] = replace(
            row(source),
            documents=documents,
            stories=stories,
            first_at=datetime.fromisoformat(first),
            last_at=datetime.fromisoformat(last),
        )
    for source, last in connection.execute("SELECT source, max(fetched_at) FROM outcomes GROUP BY source"):
        rows[source] = replace(row(source), last_fetched=datetime.fromisoformat(last))
    for balance in balances(ledger(connection, archive=archive)):
        old = row(balance.source)
        rows[balance.source] = replace(
            old,
            discovered=old.discovered + balance.discovered,
            fetched=old.fetched + balance.fetched,
            refused=old.refused + balance.refused,
            failed=old.failed + balance.failed,
            rejected=old.rejected + balance.rejected,
            waiting=old.waiting + balance.waiting,
            gap=old.gap + abs(balance.crawl_gap) + abs(balance.process_gap),
        )
    return [rows[source] for source in sorted(rows)]


def freshness(connection: sqlite3.Connection, *, archive: Archive | None = None, now: datetime) -> list[Freshness]:
    """Give how long each source's items of the last week took, as `sulh sources freshness` does."""
    since = now - SPAN
    return by_source(arrivals(connection, since=since), messages(connection, since=since), archive)


def source_names(connection: sqlite3.Connection) -> list[str]:
    """Give the sources that have a document."""
    return [name for (name,) in connection.execute("SELECT DISTINCT source FROM documents ORDER BY source")]


def totals(connection: sqlite3.Connection) -> dict[str, int]:
    """Count what the store holds."""
    (documents, stories) = connection.execute("SELECT count(*), count(DISTINCT story) FROM documents").fetchone()
    counts = {"documents": documents, "stories": stories}
    for table in ("events", "comparisons", "alerts", "rejections"):
        (counts[table],) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return counts


class SqliteBoard:
    """A `Board` over the embedded store, at one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def claim_board(self, registers: Registers, *, claim: str = "") -> list[ClaimRow]:
        """Give every claim of the registers, or those of one id, with what bears on it; one without a finding too."""
        return claim_board(self._connection, registers, claim=claim)

    def evidence(self, register: str, claim: str, *, limit: int | None = None) -> Iterator[Evidence]:
        """Give all that bears on one claim, or as much as is asked for, newest first."""
        return iter(evidence(self._connection, register, claim, limit=limit))

    def alert_queue(self, *, beginning: str = "") -> list[AlertRow]:
        """Give all alerts, newest first, or those whose id has this beginning."""
        return alert_queue(self._connection, beginning=beginning)

    def document(self, id: str) -> Document | None:
        """Give a document in its current text."""
        return document(self._connection, id)


# Rows into records


def _rows(connection: sqlite3.Connection, sql: str, *arguments: Any) -> Iterator[sqlite3.Row]:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return iter(cursor.execute(sql, arguments))


_NESTED = frozenset({"parties", "attribution", "members", "origins", "caution", "authors", "links", "sketch"})
"""Columns that hold JSON text."""


def _record(kind: type[_R], row: sqlite3.Row) -> _R:
    """Make a record from a row that has all its fields; columns beside them are left out."""
    data = {}
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name in row.keys():  # noqa: SIM118 a row iterates over its values
            value = row[f.name]
            data[f.name] = json.loads(value) if value is not None and f.name in _NESTED else value
    return kind.from_json(data)
