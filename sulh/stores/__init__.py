"""Stores: one behaviour behind one Protocol, for one person (SQLite) or a team (a server)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from processors.errors import SettingsError, StoreError
from processors.fold import Needle, indexed, needles
from processors.records import (
    Alert,
    Comparison,
    Document,
    Event,
    LedgerRow,
    Record,
    Rejection,
    Verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What opens a store on a server; its secrets show themselves in no repr and no trace."""

    api_key: SecretStr = field(default_factory=lambda: SecretStr(""))
    user: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))
    ca: Path | None = None
    """PEM file of the authority that signed the server's certificate; None: those that the system trusts."""
    prefix: str = "sulh"
    """First part of the names of all indices."""


ExportKind = Literal["documents", "events", "comparisons", "stories", "alerts", "rejections", "ledger"]
EXPORTS: tuple[ExportKind, ...] = (
    "documents",
    "events",
    "comparisons",
    "stories",
    "alerts",
    "rejections",
    "ledger",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Record):
    """What became of one capture: exactly one per capture, so that nothing is lost or counted twice."""

    capture: str
    source: str
    url: str
    fetched_at: datetime
    disposition: Literal["indexed", "duplicate", "rejected"]
    reason: str = ""
    """rejected: why; duplicate: ``unchanged`` (the same text again at the same address)."""
    document: str = ""
    processed_at: datetime | None = None
    """When it was first told, which a replay keeps; None where that was before sulh noted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """All that processing one capture gives; a store writes it whole or not at all."""

    outcome: Outcome
    document: Document | None = None
    events: tuple[Event, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    rejection: Rejection | None = None
    words: tuple[str, str] | None = None
    """The terms of the document's title and text, where whoever judged it has given them."""

    def indexed(self) -> tuple[str, str]:
        """Give the terms under which the document is found; stems them where they were not given."""
        if self.words is not None or self.document is None:
            return self.words or ("", "")
        return indexed(self.document.title, self.document.text, self.document.language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Record):
    """A capture whose rows the store itself would not take: it has no outcome, so the next run tries it again."""

    capture: str
    source: str
    url: str
    fetched_at: datetime
    detail: str
    """What the store said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketched(Record):
    """What finding reprints needs of a document that the store holds."""

    document: str
    story: str
    sketch: tuple[int, ...]
    published_at: datetime | None
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Record):
    """A document with its events, as the alert step reads it."""

    document: Document
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search: words (any inflected form finds), and filters that all must hold."""

    words: str = ""
    language: str = ""
    source: str = ""
    since: date | None = None
    until: date | None = None
    """Inclusive days of publication (of capture where the page gives no date)."""
    claim: str = ""
    kind: str = ""
    limit: int = 20


MOST_WORDS = 100
"""Of one question: Elasticsearch takes some thousand clauses, and a word is up to a few dozen."""


def needles_of(query: Query) -> tuple[Needle, ...]:
    """Give what must be found for a query. Raises StoreError for more words than any store can look for at once."""
    wanted = needles(query.words, query.language)
    if len(wanted) > MOST_WORDS:
        raise StoreError(f"the question has {len(wanted)} different words: ask for {MOST_WORDS} at most")
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit(Record):
    """One search result, best first; the snippet is plain text with the matches between ``[`` and ``]``."""

    document: str
    source: str
    language: str
    url: str
    title: str
    published_at: datetime | None
    story: str
    snippet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Record):
    """One message that one channel must get exactly once."""

    id: str
    """``digest(alert, channel)``."""
    alert: str
    channel: str
    """Digest of the channel's address: the address itself may hold a password and is never stored."""
    state: Literal["waiting", "sent", "unsure"]
    attempts: int
    next_attempt: datetime
    sent_at: datetime | None = None
    error: str = ""
    """Why the last attempt failed, without the channel's address."""
    claimed_at: datetime | None = None
    """When it was last taken for sending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Record):
    """One thing that is wrong with the watch itself, from when it was first seen until it was gone."""

    id: str
    """``digest(kind, about, first_at)``: what comes back after it was gone is another finding."""
    kind: str
    about: str
    said: str
    todo: str
    first_at: datetime
    last_at: datetime
    """When it was last seen, or came in again."""
    gone_at: datetime | None = None
    """When it was seen to hold no longer; None while it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival(Record):
    """When a document came out, and when it could first be found in the store."""

    source: str
    published_at: datetime
    processed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement(Record):
    """A document's current text with what it says, as it moves from store to store."""

    document: Document
    events: tuple[Event, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposal(Record):
    """An outcome with its rejection, as they move from store to store."""

    outcome: Outcome
    rejection: Rejection | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(Record):
    """What an analyst decided on an alert, and when."""

    alert: str
    verdict: Verdict
    why: str
    at: datetime


Table = Literal["documents", "revisions", "outcomes", "tallies", "alerts", "verdicts", "deliveries", "findings"]
TABLES: tuple[Table, ...] = (
    "documents",
    "revisions",
    "outcomes",
    "tallies",
    "alerts",
    "verdicts",
    "deliveries",
    "findings",
)
"""What a store holds: `Placement`, `Document`, `Disposal`, `LedgerRow`, `Alert`, `Judgement`, `Delivery`,
`Finding`. Stories come out of the documents; what a store refused has no outcome and is tried again."""


class Store(Protocol):
    """Keeps what the pipeline found. Writing the same again changes nothing."""

    @property
    def batch(self) -> int:
        """How many captures one `write` takes best: enough that it costs little, few enough to repeat after a crash."""

    def unprocessed(self, captures: Sequence[str]) -> set[str]:
        """Give those of the capture ids that have no outcome yet."""

    def document(self, id: str) -> Document | None:
        """Give the newest revision of a document."""

    def sketched(self, terms: Sequence[int], *, limit: int = 200) -> list[Sketched]:
        """Give the documents that share most of the sketch terms, by an index look-up."""

    def write(self, batch: Iterable[Processed], *, stories: Mapping[str, str] | None = None) -> tuple[Refusal, ...]:
        """Write outcomes with their documents, events, comparisons and rejections; gives what the store refused.

        A document of a new revision replaces the former as the current one, together with its events and comparisons;
        the former stays readable as a revision. ``stories`` are moved after that, as `relabel` does. A crash on the
        way leaves no capture with an outcome whose rows are not all there: in one transaction where the store has
        them, else by writing the outcomes last.
        """

    def refusals(self) -> list[Refusal]:
        """Give the captures that the store refused and that have no outcome since."""

    def relabel(self, stories: dict[str, str]) -> None:
        """Move whole stories: every document of a story named as key joins the story that is its value."""

    def tally(self, rows: Iterable[LedgerRow]) -> None:
        """Set the crawl's rows of the ledger (same source, day, step, disposition, reason: the count is replaced)."""

    def ledger(self, *, source: str = "", day: date | None = None) -> list[LedgerRow]:
        """Give the ledger: the tallied crawl rows, and the process rows counted from the outcomes."""

    def rejections(self, *, source: str = "", day: date | None = None) -> Iterator[Rejection]:
        """Give what was declined, newest first."""

    def reports(self, *, actors: Collection[str] = ()) -> Iterator[Report]:
        """Give each document that has an event of a reconciling or hostile kind, or a refusal, with its events.

        Given ``actors``, only those with an event of one of them.
        """

    def alerts(self) -> list[Alert]:
        """Give all alerts, newest first."""

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Replace the alerts as decided; deliveries and verdicts, which are keyed by alert id, stay."""

    def verdicts(self) -> dict[str, tuple[Verdict, str]]:
        """Give what analysts decided: alert id to verdict and reason."""

    def judge(self, alert: str, verdict: Verdict, why: str, *, at: datetime) -> None:
        """Keep an analyst's verdict on an alert."""

    def enqueue(self, alert: str, channels: Sequence[str], *, at: datetime) -> int:
        """Put one delivery a channel into the outbox unless it is there already; gives how many are new.

        ``alert`` is the id of an alert, or of a finding.
        """

    def due(self, *, channels: Sequence[str], now: datetime) -> Delivery | None:
        """Give the next delivery that waits for one of the channels, is due, and whose alert or finding stands.

        What was withdrawn or dismissed meanwhile is not given.
        """

    def claim(self, delivery: str, *, now: datetime) -> bool:
        """Mark a waiting delivery as unsure, to be called just before sending; False if another worker was first."""

    def settle(
        self, delivery: str, *, sent: bool, now: datetime, error: str = "", retry_at: datetime | None = None
    ) -> None:
        """Say how a claimed delivery went: sent, or waiting again until ``retry_at``."""

    def release(self, *, claimed_before: datetime, now: datetime) -> int:
        """Let deliveries that are unsure since before a time be sent again; gives how many."""

    def deliveries(self, *, alert: str = "") -> list[Delivery]:
        """Give the outbox, in order of alert and channel."""

    def findings(self, *, standing: bool = False) -> list[Finding]:
        """Give the findings, or those that stand, in order of when they were first seen."""

    def write_findings(self, findings: Sequence[Finding]) -> None:
        """Write findings; one of the same id is replaced."""

    def arrivals(self, *, since: datetime) -> Iterator[Arrival]:
        """Give when the first texts of pages that came out since a time were published and processed."""

    def processed(self, documents: Sequence[str]) -> dict[str, datetime]:
        """Give when each of the documents was first processed, as far as that was noted."""

    def search(self, query: Query) -> list[Hit]:
        """Find documents."""

    def export(self, kind: ExportKind) -> Iterator[dict[str, Any]]:
        """Give all records of a kind as JSON values in a fixed order, the same from every store."""

    def count(self, table: Table) -> int:
        """Give how many rows a table has."""

    def rows(self, table: Table) -> Iterator[Record]:
        """Give the rows of a table, in the order of their ids, as they are to be put into another store."""

    def put(self, table: Table, rows: Sequence[Record]) -> None:
        """Write rows of a table as they are, in place of those of the same ids. Documents go before revisions."""

    def rebuilding(self, *, without: Sequence[str] = ()) -> AbstractContextManager[Store]:
        """Give a store to fill anew, which takes this one's place when the block ends well, and vanishes if not.

        It holds this one's deliveries, findings and verdicts, and nothing else; or, given ``without``, all but what
        came from these sources.
        """

    def close(self) -> None:
        """Close the store."""


def open_store(address: str | Path, *, create: bool = True, access: Access | None = None) -> Store:
    """Open the store at an address: a path is an SQLite file, made unless it is there and ``create`` is false.

    An http or https address is an Elasticsearch, whose indices `sulh index create` makes. Raises StoreError where it
    cannot be opened, SettingsError for an address of a kind that this version does not know.
    """
    scheme, mark, _ = str(address).partition("://")
    # Here, since the stores' modules import this one.
    if mark and scheme.lower() in ("http", "https"):
        from sulh.stores.elastic import ElasticStore

        return ElasticStore(server(str(address)), access or Access())
    if mark and scheme.isalnum():
        raise SettingsError(
            f"SULH_STORE: there is no store for {scheme}:// addresses: give the path of a file, or the http(s) address"
            " of an Elasticsearch"
        )
    from sulh.stores.sqlite import SqliteStore

    return SqliteStore(Path(address), create=create)


def server(address: str, setting: str = "SULH_STORE") -> str:
    """Give a server's address, checked. Raises SettingsError for one that holds a password or no host."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise SettingsError(f"{setting}: this is no address: expected https://host:port") from None
    if parts.username is not None or parts.password is not None:
        raise SettingsError(
            f"{setting}: leave user and password out of the address, which is shown and logged: set"
            " SULH_STORE_API_KEY, or SULH_STORE_USER and SULH_STORE_PASSWORD"
        )
    if not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(f"{setting}: this is no address of a server: expected https://host:port")
    # The client wants the port spelt out.
    port = port or (443 if parts.scheme.lower() == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme.lower()}://{host}:{port}{parts.path.rstrip('/')}"
