"""How records lie in Elasticsearch: their own fields as they are, and beside them what searches and panels need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar

from mappings import properties
from processors import fold
from processors.records import Alert, Comparison, Document, Event, LedgerRow, Record, Rejection, Verdict, digest, utc
from sulh.board import queue_of
from sulh.pairs import between_pair, side
from sulh.stores import Delivery, Finding, Outcome, Refusal

LANGUAGES: Final = ("ar", "en", "fr", "ru", "tr")
"""Those that have an analyzer of their own in `mappings/elasticsearch/documents.json`."""

PAIR_MARK: Final = "|"
"""Stands between the two actor ids of a pair, which hold none."""

R = TypeVar("R", bound=Record)


def names(record: type[Record]) -> tuple[str, ...]:
    """Give the record's field names, which are those of its row."""
    return tuple(record.__dataclass_fields__)  # type: ignore[attr-defined]


def plain(value: Any) -> Any:
    """Give a value as JSON holds it: times in UTC, records as objects, text without lone surrogates."""
    if isinstance(value, str):
        # Most are ids and addresses.
        return value if value.isascii() else clean(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return utc(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        # A sketch is dozens of numbers.
        return list(value) if value and type(value[0]) is int else [plain(item) for item in value]
    if isinstance(value, Record):
        return {name: plain(getattr(value, name)) for name in names(type(value))}
    return value


def clean(text: str) -> str:
    """Give the text without lone surrogates, which JSON can smuggle in and UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def fields_of(record: Record) -> dict[str, Any]:
    """Give the record's own fields as JSON values."""
    return {name: plain(getattr(record, name)) for name in names(type(record))}


def record_of(kind: type[R], row: Mapping[str, Any]) -> R:
    """Make the record from its row, whatever else the row holds."""
    return kind.from_json({name: row[name] for name in names(kind) if name in row})


def dated(document: Document) -> str:
    """Give when a document came out, as far as anyone knows, as its rows say it."""
    return utc(document.published_at or document.fetched_at).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A document with what it says, ready to be written; the later of two equal ids is left out, as in a reading."""

    document: Document
    events: tuple[Event, ...]
    comparisons: tuple[Comparison, ...]
    words: tuple[str, str]
    """The terms of title and text."""

    @classmethod
    def of(
        cls, document: Document, events: Sequence[Event], comparisons: Sequence[Comparison], words: tuple[str, str]
    ) -> Placed:
        """Keep the first of the events that are one and the same thing in one place, and of the comparisons."""
        return cls(
            document=document,
            words=words,
            events=tuple({event.id: event for event in reversed(events)}.values()),
            comparisons=tuple({row.id: row for row in reversed(comparisons)}.values()),
        )


def document_row(placed: Placed, *, origin: str) -> dict[str, Any]:
    """Give the row of a document's current text."""
    document = placed.document
    row = fields_of(document)
    language = document.language
    row |= {
        "dated_at": dated(document),
        "origin": clean(origin),
        "words": dict(zip(("title", "text"), placed.words, strict=True)),
        "kinds": sorted({event.kind for event in placed.events}),
        "actors": sorted({party.actor for event in placed.events for party in event.parties}),
        "claims": sorted({comparison.claim for comparison in placed.comparisons}),
        "event_ids": [event.id for event in placed.events],
        "comparison_ids": [comparison.id for comparison in placed.comparisons],
    }
    if language in LANGUAGES:
        row["title_l"] = {language: row["title"]}
        row["text_l"] = {language: row["text"]}
    return row


def revision_row(document: Document) -> dict[str, Any]:
    """Give the row of a former text."""
    return fields_of(document) | {"dated_at": dated(document)}


def told(document: Document, origin: str) -> dict[str, Any]:
    """Give the fields of its document that an event or a comparison carries."""
    return {
        "source": document.source,
        "language": document.language,
        "title": clean(document.title),
        "url": clean(document.url),
        "published_at": plain(document.published_at),
        "fetched_at": plain(document.fetched_at),
        "dated_at": dated(document),
        "day": _noon(dated(document)),
        "story": document.story,
        "origin": clean(origin),
    }


def _noon(moment: str) -> str:
    """Give the day of a time for bars by day.

    A field of its own: bars over the view's time field would become months where the time range is long. At noon, since
    Kibana tells days in the zone of its reader: midnight in UTC is the day before in all of America.
    """
    return f"{moment[:10]}T12:00:00+00:00"


def event_row(event: Event, carried: Mapping[str, Any]) -> dict[str, Any]:
    """Give the row of an event: with its actors, the pairs it stands between and on which side, for the timeline."""
    roles = [(party.actor, party.role) for party in event.parties]
    return {
        **carried,
        **fields_of(event),
        "actors": sorted({party.actor for party in event.parties}),
        "pairs": sorted(PAIR_MARK.join(pair) for pair in between_pair(event.kind, roles)),
        "side": side(event.kind, event.polarity),
    }


def comparison_row(comparison: Comparison, carried: Mapping[str, Any]) -> dict[str, Any]:
    """Give the row of a comparison."""
    return {**carried, **fields_of(comparison)}


Members = dict[str, dict[str, Any]]
"""The documents of a story by id, each with what the story's row is made of."""


def member(document: Document) -> dict[str, Any]:
    """Give what a story keeps of one of its documents."""
    return {
        "credit": clean(document.credit),
        "dated_at": dated(document),
        "source": document.source,
        "language": document.language,
        "title": clean(document.title),
    }


def origin_of(story: str, members: Members) -> str:
    """Give where a story comes from: the agency or outlet that one of its documents credits, else the story itself."""
    return min((one["credit"] for one in members.values() if one["credit"]), default=story)


def story_row(story: str, members: Members) -> dict[str, Any]:
    """Give the row of a story: the document that had it first, and how many share it."""
    first = min(members, key=lambda id: (members[id]["dated_at"], id))
    return {
        "id": story,
        "first": first,
        "size": len(members),
        "documents": sorted(members),
        "origin": origin_of(story, members),
        "first_at": members[first]["dated_at"],
        "last_at": max(one["dated_at"] for one in members.values()),
        "title": members[first]["title"],
        "sources": sorted({one["source"] for one in members.values()}),
        "languages": sorted({one["language"] for one in members.values()}),
        "members": members,
    }


def alert_row(alert: Alert, *, language: str, verdict: tuple[Verdict, str, str | None]) -> dict[str, Any]:
    """Give the row of an alert, with what an analyst decided (verdict, why, when) and the queue it stands in."""
    decided, why, at = verdict
    return {
        **fields_of(alert),
        "language": language,
        "verdict": decided,
        "why": why,
        "judged_at": at,
        "queue": queue_of(alert, decided),
        "signals": [signal.name for signal in alert.caution if signal.shown],
        "document_count": len(alert.members),
        "origin_count": len(alert.origins),
    }


def outcome_row(outcome: Outcome, rejection: Rejection | None) -> dict[str, Any]:
    """Give the ledger's row of what became of one capture."""
    row = {
        "row": "outcome",
        "source": outcome.source,
        "day": utc(outcome.fetched_at).date().isoformat(),
        "step": "process",
        "disposition": outcome.disposition,
        "reason": outcome.reason,
        "count": 1,
        "capture": outcome.capture,
        "url": clean(outcome.url),
        "fetched_at": plain(outcome.fetched_at),
        "document": outcome.document,
        "processed_at": plain(outcome.processed_at),
    }
    if rejection is not None:
        row["rejection"] = fields_of(rejection)
    return row


def refusal_row(refusal: Refusal) -> dict[str, Any]:
    """Give the ledger's row of a capture that the store refused; an outcome takes its place."""
    return {
        "row": "refusal",
        "source": refusal.source,
        "day": utc(refusal.fetched_at).date().isoformat(),
        "step": "process",
        "disposition": "waiting",
        "reason": "store-refused",
        "count": 1,
        "capture": refusal.capture,
        "url": clean(refusal.url),
        "fetched_at": plain(refusal.fetched_at),
        "detail": clean(refusal.detail),
    }


def tally_row(tally: LedgerRow) -> dict[str, Any]:
    """Give the ledger's row of a count of the crawl."""
    return {"row": "tally", **fields_of(tally)}


def tally_id(tally: LedgerRow) -> str:
    """Give the id by which a later count replaces an earlier one."""
    return digest("tally", tally.source, tally.day.isoformat(), tally.step, tally.disposition, tally.reason)


_RECORDS: Final[dict[str, type[Record]]] = {
    "documents": Document,
    "revisions": Document,
    "events": Event,
    "comparisons": Comparison,
    "alerts": Alert,
    "deliveries": Delivery,
    "findings": Finding,
}
_TOLD: Final = ("source", "language", "title", "url", "published_at", "fetched_at", "dated_at", "story", "origin")
"""What `told` takes from the document; a row of any schema has it."""


def _told_anew(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: row[name] for name in _TOLD}, "day": _noon(row["dated_at"])}


def anew(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row as this sulh would write it: what its record tells is derived again, the rest is carried over."""
    if row.get("retired"):
        return dict(row)
    fresh = {name: value for name, value in row.items() if name in properties(kind)}
    if kind == "documents":
        document = record_of(Document, row)
        words = fold.indexed(document.title, document.text, document.language)
        fresh |= document_row(Placed(document=document, events=(), comparisons=(), words=words), origin=row["origin"])
        # What its events and comparisons say, which are rows of their own.
        fresh |= {name: row[name] for name in ("kinds", "actors", "claims", "event_ids", "comparison_ids")}
    elif kind == "revisions":
        fresh |= revision_row(record_of(Document, row))
    elif kind == "events":
        fresh |= event_row(record_of(Event, row), _told_anew(row))
    elif kind == "comparisons":
        fresh |= comparison_row(record_of(Comparison, row), _told_anew(row))
    elif kind == "stories":
        fresh |= story_row(row["id"], row["members"])
    elif kind == "alerts":
        verdict = (row["verdict"], row["why"], row["judged_at"])
        fresh |= alert_row(record_of(Alert, row), language=row["language"], verdict=verdict)
    return fresh


def essence(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a row must not lose when it moves: the fields of its record, or all where it holds none."""
    if row.get("retired"):
        return {"retired": True}
    record = _RECORDS.get(kind)
    if record is not None:
        return fields_of(record_of(record, row))
    if kind == "stories":
        return {name: row[name] for name in ("id", "members")}
    return {name: value for name, value in row.items() if name not in ("written", "retired")}


def in_reading_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """Give events as a reader meets them: those of the title first."""
    return tuple(sorted(events, key=lambda event: (event.field != "title", event.start, event.end, event.id)))
