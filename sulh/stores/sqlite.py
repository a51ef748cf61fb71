"""The embedded store: one SQLite file, nothing to run, readable by any SQL tool while sulh writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from mappings import sqlite_schema
from processors import fold
from processors.errors import StoreError
from processors.records import (
    HOSTILE,
    RECONCILING,
    Alert,
    Comparison,
    Document,
    Event,
    LedgerRow,
    Record,
    Rejection,
    Verdict,
    digest,
    utc,
)
from sulh.stores import (
    Arrival,
    Delivery,
    Disposal,
    ExportKind,
    Finding,
    Hit,
    Judgement,
    Outcome,
    Placement,
    Processed,
    Query,
    Refusal,
    Report,
    Sketched,
    Table,
    needles_of,
)

VERSION: Final = 3
"""The schema that mappings/sqlite.sql describes, as in its user_version."""

MIGRATIONS: Final[tuple[str, ...]] = (
    """
ALTER TABLE outcomes ADD COLUMN processed_at TEXT;
CREATE INDEX outcomes_by_document ON outcomes (document);
CREATE TABLE findings (
  id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, about TEXT NOT NULL, said TEXT NOT NULL, todo TEXT NOT NULL,
  first_at TEXT NOT NULL, last_at TEXT NOT NULL, gone_at TEXT
) STRICT;
CREATE INDEX findings_standing ON findings (gone_at, first_at);
""",
    """
ALTER TABLE alerts ADD COLUMN withdrawn TEXT NOT NULL DEFAULT '';
DROP VIEW alert_queue;
CREATE VIEW alert_queue AS
SELECT a.id, a.opened_at, a.kind, a.parties, a.place, a.title, a.sentence, a.state, a.held, a.withdrawn,
  json_array_length(a.members) AS documents, json_array_length(a.origins) AS origins,
  coalesce(v.verdict, 'open') AS verdict, coalesce(v.why, '') AS why, v.at AS judged_at
FROM alerts a LEFT JOIN verdicts v ON v.alert = a.id;
""",
)
"""SQL scripts: the first brings schema 1 to 2, the next 2 to 3, and so on."""

_APPLICATION: Final = 0x73756C68

_BUSY_SECONDS: Final = 30
"""How long to wait for another writer: batches take well under a second, a checkpoint of a large file a few."""

_TITLE_WEIGHT: Final = 4.0
"""A word in the title counts as much as four in the text: headlines are a dozen words, texts some hundreds."""

_NESTED: Final = frozenset({"authors", "links", "sketch", "parties", "attribution", "members", "origins", "caution"})
"""The fields that lie as JSON text."""

R = TypeVar("R", bound=Record)


class SqliteStore:
    """A `Store` in one SQLite file."""

    batch: Final = 64
    """Large enough that commits cost little, small enough that a crash repeats little work."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the file, or make it; raises StoreError, in one sentence, where that cannot be."""
        self._path = path
        if not create and not path.exists():
            raise StoreError(f"{path}: there is no store yet: run `sulh run` or `sulh process` first")
        with self._plainly():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"{path}: its folder cannot be made: {error.strerror}") from error
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._sketches = _Sketches()
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        db = self._db
        self._check(*self._marks())
        db.execute("PRAGMA foreign_keys = ON")
        # FULL: a claim must be on the disk before the message goes out, or a power cut would send it twice.
        db.execute("PRAGMA synchronous = FULL")
        if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            db.execute("PRAGMA journal_mode = WAL")
        if self._marks()[1] == VERSION:
            return
        with self._writing():
            # Again, now that no other process can be at it.
            _, version, tables = self._marks()
            if tables:
                migrate(db, MIGRATIONS, version=version)
            else:
                run_script(db, sqlite_schema())

    def _marks(self) -> tuple[int, int, int]:
        one = self._db.execute
        application: int = one("PRAGMA application_id").fetchone()[0]
        version: int = one("PRAGMA user_version").fetchone()[0]
        tables: int = one("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return application, version, tables

    def _check(self, application: int, version: int, tables: int) -> None:
        if tables and application != _APPLICATION:
            raise StoreError(f"{self._path}: this SQLite file is not a store of sulh: set SULH_STORE to another path")
        if version > VERSION:
            raise StoreError(
                f"{self._path}: this store was written by a newer sulh (schema {version}, this sulh knows {VERSION}):"
                " upgrade sulh"
            )

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Turn what SQLite says of the disk, the file or other processes into a StoreError; bugs pass through."""
        try:
            yield
        except sqlite3.Error as error:
            primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
            said = _SAID.get(primary)
            if said is None:
                raise
            raise StoreError(f"{self._path}: {said}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. IMMEDIATE: a transaction that reads first fails at once when another process wrote."""
        with self._plainly():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for long reads: one state of the store, whatever is written meanwhile."""
        with (
            self._plainly(),
            closing(
                sqlite3.connect(
                    f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
                )
            ) as db,
        ):
            db.execute("BEGIN")
            yield db

    # ------------------------------------------------------------------------------------------ what was found

    def unprocessed(self, captures: Sequence[str]) -> set[str]:
        """Give those of the capture ids that have no outcome yet."""
        with self._plainly():
            rows = self._db.execute(
                "SELECT capture FROM outcomes WHERE capture IN (SELECT value FROM json_each(?))", [json.dumps(captures)]
            )
            return set(captures) - {capture for (capture,) in rows}

    def document(self, id: str) -> Document | None:
        """Give the newest revision of a document."""
        with self._plainly():
            return next(_records(self._db, Document, "documents WHERE id = ?", [id]), None)

    def sketched(self, terms: Sequence[int], *, limit: int = 200) -> list[Sketched]:
        """Give the documents that share most of the sketch terms, by an index look-up."""
        with self._plainly():
            found = self._db.execute(
                "SELECT s.document FROM (SELECT document, count(*) AS shared FROM sketch_terms"
                "  WHERE term IN (SELECT value FROM json_each(?)) GROUP BY document) s"
                " JOIN documents d ON d.number = s.document ORDER BY s.shared DESC, d.id LIMIT ?",
                [json.dumps([_signed(term) for term in dict.fromkeys(terms)]), limit],
            )
            numbers = [number for (number,) in found]
            known = self._sketches.known(self._db)
            if unknown := [number for number in numbers if number not in known]:
                rows = self._db.execute(
                    "SELECT number, id AS document, story, sketch, published_at, fetched_at FROM documents"
                    " WHERE number IN (SELECT value FROM json_each(?))",
                    [json.dumps(unknown)],
                )
                for row in _dicts(rows):
                    number = row.pop("number")
                    known[number] = Sketched.from_json(_plain(row))
            # Another process may have taken one out in between.
            return [known[number] for number in numbers if number in known]

    def write(self, batch: Iterable[Processed], *, stories: Mapping[str, str] | None = None) -> tuple[()]:
        """Write outcomes with all they bring, and move stories, in one transaction."""
        # Read and stemmed before the transaction begins, which keeps other writers out.
        items = [(item, item.indexed()) for item in batch]
        with self._writing() as db:
            sketched: dict[int, Sequence[int]] = {}
            for item, words in items:
                _write_outcome(db, item.outcome, item.rejection)
                if item.document is not None:
                    _write_document(db, item.document, words, item.events, item.comparisons, sketched)
            _write_sketches(db, sketched)
            _relabel(db, stories or {})
        self._sketches.forget(sketched, stories or {})
        return ()

    def refusals(self) -> list[Refusal]:
        """Give nothing: what a table cannot hold is an error of the whole batch here."""
        return []

    def relabel(self, stories: dict[str, str]) -> None:
        """Move whole stories: every document of a story named as key joins the story that is its value."""
        with self._writing() as db:
            _relabel(db, stories)
        self._sketches.forget((), stories)

    def reports(self, *, actors: Collection[str] = ()) -> Iterator[Report]:
        """Give each document with an event of a reconciling or hostile kind, with its events, in order of arrival."""
        of = (
            " AND id IN (SELECT e.document FROM event_parties p JOIN events e ON e.id = p.event"
            " WHERE p.actor IN (SELECT value FROM json_each(?)))"
        )
        with self._reading() as db:
            numbers = db.execute(
                "SELECT number FROM documents WHERE id IN"
                " (SELECT document FROM events WHERE kind IN (SELECT value FROM json_each(?)))"
                f"{of if actors else ''} ORDER BY substr(fetched_at, 1, 10), dated_at, id",
                [json.dumps(sorted(RECONCILING | HOSTILE)), *([json.dumps(sorted(actors))] if actors else [])],
            )
            for (number,) in numbers:
                (document,) = _records(db, Document, "documents WHERE number = ?", [number])
                # "title" before "text": the order in which a reader meets them.
                events = _records(
                    db, Event, 'events WHERE document = ? ORDER BY field DESC, start, "end", id', [document.id]
                )
                yield Report(document=document, events=tuple(events))

    # ------------------------------------------------------------------------------------------------- ledger

    def tally(self, rows: Iterable[LedgerRow]) -> None:
        """Set the crawl's rows of the ledger; the count of a row that is there is replaced."""
        with self._writing() as db:
            db.executemany(
                "INSERT INTO tallies (source, day, step, disposition, reason, count) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET count = excluded.count",
                [(r.source, r.day.isoformat(), r.step, r.disposition, r.reason, r.count) for r in rows],
            )

    def ledger(self, *, source: str = "", day: date | None = None) -> list[LedgerRow]:
        """Give the ledger: the tallied crawl rows, and the process rows counted from the outcomes."""
        where, values = _where({"source": source, "day": day.isoformat() if day else ""})
        with self._plainly():
            return list(_records(self._db, LedgerRow, f"ledger{where} ORDER BY {_LEDGER_ORDER}", values))

    def rejections(self, *, source: str = "", day: date | None = None) -> Iterator[Rejection]:
        """Give what was declined, newest first."""
        where, values = _where({"source": source, "substr(at, 1, 10)": day.isoformat() if day else ""})
        with self._reading() as db:
            yield from _records(db, Rejection, f"rejections{where} ORDER BY at DESC, {_REJECTION_ORDER}", values)

    # ------------------------------------------------------------------------------------------------- alerts

    def alerts(self) -> list[Alert]:
        """Give all alerts, newest first."""
        with self._plainly():
            return list(_records(self._db, Alert, "alerts ORDER BY opened_at DESC, id", []))

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Replace the alerts as decided; deliveries and verdicts stay, and what has not changed is not written."""
        rows = {alert.id: _row(alert) for alert in alerts}
        with self._writing() as db:
            there = {row["id"]: row for row in _raw(db, Alert, "alerts", [])}
            gone = [(id,) for id, row in there.items() if rows.get(id) != row]
            db.executemany("DELETE FROM alerts WHERE id = ?", gone)
            for alert in alerts:
                row = rows[alert.id]
                if there.get(alert.id) == row:
                    continue
                _insert_alert(db, alert)

    def verdicts(self) -> dict[str, tuple[Verdict, str]]:
        """Give what analysts decided: alert id to verdict and reason."""
        with self._plainly():
            rows = self._db.execute("SELECT alert, verdict, why FROM verdicts ORDER BY alert")
            return {alert: (verdict, why) for alert, verdict, why in rows}

    def judge(self, alert: str, verdict: Verdict, why: str, *, at: datetime) -> None:
        """Keep an analyst's verdict on an alert. Raises StoreError where there is no such alert."""
        with self._writing() as db:
            if db.execute("SELECT 1 FROM alerts WHERE id = ?", [alert]).fetchone() is None:
                raise StoreError(f"{alert}: there is no such alert: `sulh alerts` lists them")
            db.execute(
                "INSERT INTO verdicts (alert, verdict, why, at) VALUES (?, ?, ?, ?) ON CONFLICT (alert)"
                " DO UPDATE SET verdict = excluded.verdict, why = excluded.why, at = excluded.at",
                [alert, verdict, _clean(why), _time(at)],
            )

    # ------------------------------------------------------------------------------------------------- outbox

    def enqueue(self, alert: str, channels: Sequence[str], *, at: datetime) -> int:
        """Put one delivery a channel into the outbox unless it is there already; gives how many are new."""
        with self._writing() as db:
            before = db.total_changes
            db.executemany(
                "INSERT INTO deliveries (id, alert, channel, state, attempts, next_attempt, error)"
                " VALUES (?, ?, ?, 'waiting', 0, ?, '') ON CONFLICT DO NOTHING",
                [(digest(alert, channel), alert, channel, _time(at)) for channel in channels],
            )
            return db.total_changes - before

    def due(self, *, channels: Sequence[str], now: datetime) -> Delivery | None:
        """Give the next delivery that waits for one of the channels, is due, and whose alert or finding stands."""
        with self._plainly():
            return next(
                _records(
                    self._db,
                    Delivery,
                    "deliveries WHERE state = 'waiting' AND next_attempt <= ?"
                    " AND alert IN (SELECT id FROM alerts WHERE state <> 'withdrawn' UNION ALL SELECT id FROM findings)"
                    " AND alert NOT IN (SELECT alert FROM verdicts WHERE verdict = 'dismissed')"
                    " AND channel IN (SELECT value FROM json_each(?)) ORDER BY next_attempt, alert, channel LIMIT 1",
                    [_time(now), json.dumps(channels)],
                ),
                None,
            )

    def claim(self, delivery: str, *, now: datetime) -> bool:
        """Mark a waiting delivery as unsure, to be called just before sending; False if another worker was first."""
        with self._writing() as db:
            claimed = db.execute(
                "UPDATE deliveries SET state = 'unsure', attempts = attempts + 1, claimed_at = ?"
                " WHERE id = ? AND state = 'waiting'",
                [_time(now), delivery],
            )
            return claimed.rowcount == 1

    def settle(
        self, delivery: str, *, sent: bool, now: datetime, error: str = "", retry_at: datetime | None = None
    ) -> None:
        """Say how a claimed delivery went: sent, or waiting again until ``retry_at``."""
        with self._writing() as db:
            if sent:
                db.execute(
                    "UPDATE deliveries SET state = 'sent', sent_at = ?, error = '' WHERE id = ? AND state = 'unsure'",
                    [_time(now), delivery],
                )
            else:
                db.execute(
                    "UPDATE deliveries SET state = 'waiting', next_attempt = ?, error = ?"
                    " WHERE id = ? AND state = 'unsure'",
                    [_time(retry_at or now), _clean(error), delivery],
                )

    def release(self, *, claimed_before: datetime, now: datetime) -> int:
        """Let deliveries that are unsure since before a time be sent again; gives how many."""
        with self._writing() as db:
            return db.execute(
                "UPDATE deliveries SET state = 'waiting', next_attempt = ? WHERE state = 'unsure' AND claimed_at < ?",
                [_time(now), _time(claimed_before)],
            ).rowcount

    def deliveries(self, *, alert: str = "") -> list[Delivery]:
        """Give the outbox, in order of alert and channel."""
        where, values = _where({"alert": alert})
        with self._plainly():
            return list(_records(self._db, Delivery, f"deliveries{where} ORDER BY alert, channel", values))

    # ---------------------------------------------------------------------------------------------- watching

    def findings(self, *, standing: bool = False) -> list[Finding]:
        """Give the findings, or those that stand, in order of when they were first seen."""
        where = " WHERE gone_at IS NULL" if standing else ""
        with self._plainly():
            return list(_records(self._db, Finding, f"findings{where} ORDER BY first_at, kind, about", []))

    def write_findings(self, findings: Sequence[Finding]) -> None:
        """Write findings; one of the same id is replaced."""
        with self._writing() as db:
            for row in map(_row, findings):
                _insert(db, "findings", row, _replacing("id", row))

    def arrivals(self, *, since: datetime) -> Iterator[Arrival]:
        """Give when the first texts of pages that came out since a time were published and processed."""
        with self._reading() as db:
            yield from arrivals(db, since=since)

    def processed(self, documents: Sequence[str]) -> dict[str, datetime]:
        """Give when each of the documents was first processed, as far as that was noted."""
        with self._plainly():
            rows = self._db.execute(
                "SELECT document, min(processed_at) FROM outcomes WHERE document IN (SELECT value FROM json_each(?))"
                " AND processed_at IS NOT NULL GROUP BY document",
                [json.dumps(list(documents))],
            )
            return {document: datetime.fromisoformat(at) for document, at in rows}

    # ------------------------------------------------------------------------------------------------ reading

    def search(self, query: Query) -> list[Hit]:
        """Find documents: the best first, or the newest first where no words are asked for."""
        with self._plainly():
            return search(self._db, query)

    def export(self, kind: ExportKind) -> Iterator[dict[str, Any]]:
        """Give all records of a kind as JSON values: by id; stories by id; rejections and ledger by their fields."""
        with self._reading() as db:
            if kind == "stories":
                yield from _stories(db)
                return
            record, rows = _EXPORTED[kind]
            for row in _raw(db, record, rows, []):
                yield _plain(row)

    # ------------------------------------------------------------------------------------------------- moving

    def count(self, table: Table) -> int:
        """Give how many rows a table has."""
        with self._plainly():
            (number,) = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()
            return int(number)

    def rows(self, table: Table) -> Iterator[Record]:
        """Give the rows of a table, in the order of their ids, as they are to be put into another store."""
        with self._reading() as db:
            if table == "documents":
                for document in _records(db, Document, "documents ORDER BY id", []):
                    yield Placement(
                        document=document,
                        events=tuple(
                            _records(
                                db,
                                Event,
                                'events WHERE document = ? ORDER BY field DESC, start, "end", id',
                                [document.id],
                            )
                        ),
                        comparisons=tuple(
                            _records(db, Comparison, "comparisons WHERE document = ? ORDER BY rowid", [document.id])
                        ),
                    )
            elif table == "outcomes":
                for outcome in _records(db, Outcome, "outcomes ORDER BY capture", []):
                    rejections = _records(db, Rejection, "rejections WHERE capture = ?", [outcome.capture])
                    yield Disposal(outcome=outcome, rejection=next(rejections, None))
            else:
                record, order = _MOVED[table]
                yield from _records(db, record, f"{table} ORDER BY {order}", [])

    def put(self, table: Table, rows: Sequence[Record]) -> None:
        """Write rows of a table as they are, in place of those of the same ids."""
        sketched: dict[int, Sequence[int]] = {}
        with self._writing() as db:
            for row in rows:
                if isinstance(row, Placement):
                    words = fold.indexed(row.document.title, row.document.text, row.document.language)
                    _write_document(db, row.document, words, row.events, row.comparisons, sketched)
                elif isinstance(row, Disposal):
                    _write_outcome(db, row.outcome, row.rejection)
                elif isinstance(row, Alert):
                    db.execute("DELETE FROM alerts WHERE id = ?", [row.id])
                    _insert_alert(db, row)
                else:
                    values = _row(row)
                    _insert(db, table, values, _replacing(_KEYS[table], values))
            _write_sketches(db, sketched)
        self._sketches.forget(sketched, {})

    @contextmanager
    def rebuilding(self, *, without: Sequence[str] = ()) -> Iterator[SqliteStore]:
        """Give a store to fill anew, which takes this one's place when the block ends well, and vanishes if not.

        It is a file beside this one. In the end its pages are copied over this one's in one transaction: moving the
        file would leave a desk that has it open with the write-ahead log of another.
        """
        path = self._path.with_name(self._path.name + ".rebuild")
        _remove(path)
        fresh = SqliteStore(path)
        try:
            if without:
                with fresh._plainly():
                    self._db.backup(fresh._db)
                fresh._forget(without)
            yield fresh
            with fresh._plainly():
                fresh._db.execute("ATTACH ? AS old", [str(self._path)])
                with fresh._writing() as db:
                    # What cannot be rebuilt, as it stands at the last moment: analysts and channels went on meanwhile.
                    for table in ("deliveries", "findings", "verdicts"):
                        db.execute(f"DELETE FROM main.{table}")
                        db.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")
                    db.execute(
                        "UPDATE main.outcomes SET processed_at = former.processed_at FROM old.outcomes AS former"
                        " WHERE former.capture = main.outcomes.capture"
                    )
                fresh._db.execute("DETACH old")
            with self._plainly():
                fresh._db.backup(self._db)
            self._sketches = _Sketches()
        finally:
            fresh.close()
            _remove(path)

    def _forget(self, sources: Sequence[str]) -> None:
        marks = ", ".join("?" * len(sources))
        with self._writing() as db:
            numbers = f"SELECT number FROM documents WHERE source IN ({marks})"
            db.execute(f"DELETE FROM documents_fts WHERE rowid IN ({numbers})", sources)
            # The next documents may get their numbers.
            db.execute(f"DELETE FROM sketch_terms WHERE document IN ({numbers})", sources)
            for table in ("documents", "revisions", "outcomes", "rejections"):
                db.execute(f"DELETE FROM {table} WHERE source IN ({marks})", sources)
        self._sketches = _Sketches()

    def close(self) -> None:
        """Close the store."""
        self._db.close()


class _Sketches:
    """The sketches that were asked for last, by a document's number: each report of a day asks for the day's others."""

    SIZE: Final = 4096

    def __init__(self) -> None:
        self._known: dict[int, Sketched] = {}
        self._version = 0

    def known(self, db: sqlite3.Connection) -> dict[int, Sketched]:
        """Give what is known and still holds: nothing once another process has written."""
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != self._version or len(self._known) > self.SIZE:
            self._known.clear()
            self._version = version
        return self._known

    def forget(self, numbers: Iterable[int], stories: Mapping[str, str]) -> None:
        """Forget documents that were written anew, and those of stories that moved."""
        for number in numbers:
            self._known.pop(number, None)
        if stories:
            self._known = {number: one for number, one in self._known.items() if one.story not in stories}


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


_SAID: Final = {
    sqlite3.SQLITE_FULL: "the disk is full: nothing was written; make room and run the same command again",
    sqlite3.SQLITE_READONLY: "the store cannot be written: check who may write to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "the store cannot be opened: check that its folder is there and who may use it",
    sqlite3.SQLITE_PERM: "the store cannot be opened: check who may use the file",
    sqlite3.SQLITE_NOTADB: "this file is not an SQLite database: set SULH_STORE to another path",
    sqlite3.SQLITE_CORRUPT: "the store is damaged: move it away; `sulh replay` rebuilds it from the archive",
    sqlite3.SQLITE_IOERR: "the disk failed while the store was read or written: nothing was written; check the disk",
    sqlite3.SQLITE_BUSY: f"another process has kept the store busy for {_BUSY_SECONDS} s: try again when it is done",
    sqlite3.SQLITE_LOCKED: "another process holds the store: try again when it is done",
}

_MOVED: Final[dict[str, tuple[type[Record], str]]] = {
    "revisions": (Document, "id, revision"),
    "tallies": (LedgerRow, "source, day, step, disposition, reason"),
    "alerts": (Alert, "id"),
    "verdicts": (Judgement, "alert"),
    "deliveries": (Delivery, "id"),
    "findings": (Finding, "id"),
}
_KEYS: Final[dict[str, str]] = {
    "revisions": "id, revision",
    "tallies": "source, day, step, disposition, reason",
    "verdicts": "alert",
    "deliveries": "id",
    "findings": "id",
}

_LEDGER_ORDER: Final = "source, day, step, disposition, reason"
_REJECTION_ORDER: Final = "source, url, capture, step"
_EXPORTED: Final[dict[str, tuple[type[Record], str]]] = {
    "documents": (Document, "documents ORDER BY id"),
    "events": (Event, "events ORDER BY id"),
    "comparisons": (Comparison, "comparisons ORDER BY id"),
    "alerts": (Alert, "alerts ORDER BY id"),
    "rejections": (Rejection, f"rejections ORDER BY {_REJECTION_ORDER}"),
    "ledger": (LedgerRow, f"ledger ORDER BY {_LEDGER_ORDER}"),
}


def arrivals(db: sqlite3.Connection, *, since: datetime) -> Iterator[Arrival]:
    """Give what `Store.arrivals` does, over a connection."""
    rows = db.execute(
        "SELECT d.source, d.published_at, o.processed_at FROM documents d JOIN outcomes o ON o.capture ="
        " d.capture WHERE d.day >= ? AND d.published_at >= ? AND d.revision = 1 AND o.processed_at IS NOT NULL",
        [utc(since).date().isoformat(), _time(since)],
    )
    for row in _dicts(rows):
        yield Arrival.from_json(row)


def messages(db: sqlite3.Connection, *, since: datetime) -> Iterator[tuple[str, timedelta]]:
    """Give for each message sent since a time the source of its alert's first document, and how long it took since."""
    rows = db.execute(
        "SELECT d.source, v.sent_at, min(o.processed_at) FROM deliveries v JOIN alerts a ON a.id = v.alert"
        " JOIN documents d ON d.id = json_extract(a.members, '$[0].document') JOIN outcomes o ON o.document = d.id"
        " WHERE v.sent_at >= ? AND o.processed_at IS NOT NULL GROUP BY v.id",
        [_time(since)],
    )
    for source, sent_at, processed_at in rows:
        yield source, datetime.fromisoformat(sent_at) - datetime.fromisoformat(processed_at)


def search(db: sqlite3.Connection, query: Query) -> list[Hit]:
    """Search over any connection to a store, a read-only one included."""
    wanted = needles_of(query)
    if query.words.strip() and not wanted:
        # Only punctuation: nothing can match, which is not the same as asking for everything.
        return []
    conditions, values = ["1"], list[Any]()
    for condition, value in (
        ("d.language = ?", query.language),
        ("d.source = ?", query.source),
        ("d.day >= ?", query.since.isoformat() if query.since else ""),
        ("d.day <= ?", query.until.isoformat() if query.until else ""),
        ("d.id IN (SELECT document FROM comparisons WHERE claim = ?)", query.claim),
        ("d.id IN (SELECT document FROM events WHERE kind = ?)", query.kind),
    ):
        if value:
            conditions.append(condition)
            values.append(value)
    table, rank = "documents d", "0"
    if wanted:
        table = "documents_fts JOIN documents d ON d.number = documents_fts.rowid"
        conditions.append("documents_fts MATCH ?")
        values.append(_match(wanted))
        rank = f"bm25(documents_fts, {_TITLE_WEIGHT}, 1.0)"
    # Ranked by number alone, since the sorter would carry the texts along.
    rows = db.execute(
        "SELECT d.id AS document, d.source, d.language, d.url, d.title, d.published_at, d.story, d.text AS snippet"
        f" FROM (SELECT d.number, {rank} AS score FROM {table} WHERE {' AND '.join(conditions)}"
        "  ORDER BY score, d.dated_at DESC, d.id LIMIT ?) best"
        " JOIN documents d ON d.number = best.number ORDER BY best.score, d.dated_at DESC, d.id",
        [*values, query.limit],
    )
    return [
        Hit.from_json({**data, "snippet": fold.snippet(data["snippet"], wanted, data["language"])})
        for data in _dicts(rows)
    ]


def run_script(db: sqlite3.Connection, script: str) -> None:
    """Run a script statement by statement within the transaction that is open, which `executescript` would end."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""


def migrate(db: sqlite3.Connection, steps: Sequence[str], *, version: int) -> None:
    """Bring a store of an older version to the newest, one script a version, within the open transaction."""
    for number, script in enumerate(steps[version - 1 :], start=version + 1):
        run_script(db, script)
        db.execute(f"PRAGMA user_version = {number}")


def _columns(record: type[Record]) -> tuple[str, ...]:
    # A dataclass knows its fields in order; the tables use the same names.
    return tuple(record.__dataclass_fields__)  # type: ignore[attr-defined]


def _raw(db: sqlite3.Connection, record: type[Record], rows: str, values: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Give rows as they lie, under the record's field names."""
    names = ", ".join(f'"{name}"' for name in _columns(record))
    return _dicts(db.execute(f"SELECT {names} FROM {rows}", values))


def _dicts(cursor: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row as the record's JSON values."""
    return {name: json.loads(v) if name in _NESTED and v is not None else v for name, v in row.items()}


def _records(db: sqlite3.Connection, record: type[R], rows: str, values: Sequence[Any]) -> Iterator[R]:
    for row in _raw(db, record, rows, values):
        yield record.from_json(_plain(row))


def _row(record: Record) -> dict[str, Any]:
    """Give a record as a row: nested values as JSON text, times in UTC."""
    row: dict[str, Any] = {}
    for name in _columns(type(record)):
        value = getattr(record, name)
        if isinstance(value, datetime):
            row[name] = _time(value)
        elif isinstance(value, date):
            row[name] = value.isoformat()
        elif isinstance(value, tuple):
            plain = [item.to_json() if isinstance(item, Record) else item for item in value]
            row[name] = _clean(json.dumps(plain, ensure_ascii=False))
        elif isinstance(value, Record):
            row[name] = _clean(json.dumps(value.to_json(), ensure_ascii=False))
        elif isinstance(value, bool):
            row[name] = int(value)
        else:
            row[name] = _clean(value) if isinstance(value, str) else value
    return row


def _time(moment: datetime) -> str:
    return utc(moment).isoformat()


def _clean(text: str) -> str:
    """Give the text without lone surrogates, which JSON can smuggle in and UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _signed(term: int) -> int:
    return term - 2**64 if term >= 2**63 else term


def _where(filters: Mapping[str, str]) -> tuple[str, list[str]]:
    given = {column: value for column, value in filters.items() if value}
    return (" WHERE " + " AND ".join(f"{column} = ?" for column in given) if given else ""), list(given.values())


def _insert(db: sqlite3.Connection, table: str, row: Mapping[str, Any], conflict: str = "") -> int:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    cursor = db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}", list(row.values()))
    return cursor.lastrowid or 0


def _replacing(key: str, row: Mapping[str, Any]) -> str:
    # Never INSERT OR REPLACE: it deletes the row first, with all that hangs on it.
    sets = ", ".join(f'"{name}" = excluded."{name}"' for name in row)
    return f"ON CONFLICT ({key}) DO UPDATE SET {sets}"


def _insert_alert(db: sqlite3.Connection, alert: Alert) -> None:
    _insert(db, "alerts", _row(alert))
    db.executemany(
        "INSERT INTO alert_parties VALUES (?, ?)", [(alert.id, party) for party in dict.fromkeys(alert.parties)]
    )
    for position, member in enumerate(alert.members):
        _insert(db, "alert_members", {"alert": alert.id, "position": position, **_row(member)})
    for position, signal in enumerate(alert.caution):
        _insert(db, "alert_signals", {"alert": alert.id, "position": position, **_row(signal)})


def _write_sketches(db: sqlite3.Connection, sketched: Mapping[int, Sequence[int]]) -> None:
    # Sorted, for the whole batch at once: the terms are random, and the tree is walked through only once.
    db.executemany(
        "INSERT INTO sketch_terms (term, document) VALUES (?, ?)",
        sorted({(_signed(term), number) for number, terms in sketched.items() for term in terms}),
    )


def _write_outcome(db: sqlite3.Connection, outcome: Outcome, rejection: Rejection | None) -> None:
    row = _row(outcome)
    _insert(db, "outcomes", row, _replacing("capture", row))
    db.execute("DELETE FROM rejections WHERE capture = ?", [outcome.capture])
    if rejection is not None:
        row = _row(rejection)
        _insert(db, "rejections", row, _replacing("capture, step, url", row))


def _write_document(
    db: sqlite3.Connection,
    document: Document,
    words: tuple[str, str],
    events: Sequence[Event],
    comparisons: Sequence[Comparison],
    sketched: dict[int, Sequence[int]],
) -> None:
    row = _row(document)
    former = next(_raw(db, Document, "documents WHERE id = ?", [document.id]), None)
    if former is not None and former["revision"] > document.revision:
        # Written late: the newer text stays the current one.
        _insert(db, "revisions", row, _replacing("id, revision", row))
        return
    if former is not None and former["revision"] < document.revision:
        _insert(db, "revisions", former, _replacing("id, revision", former))
    if former is not None and former["capture"] == document.capture:
        # The same again: the story it has been moved to since is the truth.
        row["story"] = former["story"]
    _insert(db, "documents", row, _replacing("id", row))
    (number,) = db.execute("SELECT number FROM documents WHERE id = ?", [document.id]).fetchone()
    db.execute("DELETE FROM documents_fts WHERE rowid = ?", [number])
    db.execute("INSERT INTO documents_fts (rowid, title, text) VALUES (?, ?, ?)", [number, *words])
    if former is not None and number not in sketched:
        db.executemany(
            "DELETE FROM sketch_terms WHERE term = ? AND document = ?",
            [(_signed(term), number) for term in json.loads(former["sketch"])],
        )
    sketched[number] = document.sketch
    db.execute("DELETE FROM events WHERE document = ?", [document.id])
    # Two cues can find one and the same thing in one place: the first is kept.
    for event in {event.id: event for event in reversed(events)}.values():
        _insert(db, "events", _row(event))
        db.executemany(
            "INSERT INTO event_parties (event, position, actor, role) VALUES (?, ?, ?, ?)",
            [(event.id, position, party.actor, party.role) for position, party in enumerate(event.parties)],
        )
    db.execute("DELETE FROM comparisons WHERE document = ?", [document.id])
    for comparison in {comparison.id: comparison for comparison in reversed(comparisons)}.values():
        _insert(db, "comparisons", _row(comparison))


def _relabel(db: sqlite3.Connection, stories: Mapping[str, str]) -> None:
    for story in stories:
        target, seen = story, {story}
        # a joins b and b joins c: a joins c.
        while (onward := stories.get(target)) is not None and onward not in seen:
            seen.add(onward)
            target = onward
        if target != story:
            db.execute("UPDATE documents SET story = ? WHERE story = ?", [target, story])


def _match(wanted: Sequence[fold.Needle]) -> str:
    """Write what is wanted in FTS5's language; every term is quoted, so that none is read as syntax."""
    return " AND ".join(
        "(" + " OR ".join("(" + " AND ".join(_any(word) for word in reading) + ")" for reading in needle.readings) + ")"
        for needle in wanted
    )


def _any(terms: Sequence[str]) -> str:
    return "(" + " OR ".join(f'"{term}"' for term in terms) + ")"


def _stories(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    rows = db.execute("SELECT story, id, dated_at FROM documents ORDER BY story, id")
    for story, group in groupby(rows, key=lambda row: row[0]):
        members = [(dated_at, id) for _, id, dated_at in group]
        yield {
            "id": story,
            "first": min(members)[1],
            "size": len(members),
            "documents": [id for _, id in members],
        }
