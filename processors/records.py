"""The records that steps hand on: frozen, keyword-only, and made of plain values that survive JSON.

Times are aware and in UTC. Collections are tuples. Ids are deterministic: the same input gives the same id on any
machine, in any run, so that a second run writes the same records again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from functools import cache
from types import UnionType
from typing import Any, Final, Literal, Self, Union, get_args, get_origin, get_type_hints

Language = Literal["ar", "en", "ru", "fr", "tr", "und"]
"""ISO 639-1 code of a language that sulh reads, or ``und`` where it abstains."""

Kind = Literal[
    "truce",
    "pact",
    "merger",
    "pledge",
    "cooperation",
    "negotiation",
    "swap",
    "clash",
    "split",
    "refusal",
    "ultimatum",
    "defection",
    "government-truce",
    "coalition",
]
"""What an event is. ``government-truce``: one side is a state; ``coalition``: allies all along, fighting together."""

RECONCILING: frozenset[str] = frozenset({"truce", "pact", "merger", "pledge", "cooperation", "negotiation", "swap"})
"""The kinds of which `article-claims` says: two groups on rival sides made, sought, or are making one."""

LEARNED: Final = "@examples"
"""Ends the rule of an event that no frame found, told by its words."""


def learned(rule: str) -> bool:
    """Tell whether an event's rule is what example sentences taught rather than a frame."""
    return rule.endswith(LEARNED)


HOSTILE: frozenset[str] = frozenset({"clash", "split", "refusal", "ultimatum", "defection"})
"""The kinds that cannot be true beside a reconciliation of the same two at the same time."""

Polarity = Literal["affirmed", "denied"]
Modality = Literal["stated", "attributed", "speculated", "looking-back"]
Role = Literal["agent", "target", "party", "mediator"]
Field = Literal["title", "text"]
Bearing = Literal["supports", "reports", "contradicts"]
Voice = Literal["author", "relayed", "doubted", "conceded"]
State = Literal["new", "corroborated", "denied", "collapsed", "withdrawn"]
Verdict = Literal["open", "confirmed", "dismissed"]
MemberRole = Literal["first", "reprint", "corroboration", "follow-up", "denial", "fighting"]
"""What a document adds to an alert. ``fighting``: it tells that the parties fought since, or that the deal broke."""
DateOrigin = Literal["page", "listing", "url", "none"]
"""Where a publication date came from: the page's own markup, the feed or sitemap that listed it, its address."""

SIGNALS: tuple[str, ...] = (
    "anonymous_source",
    "interested_source",
    "single_origin",
    "local_exception",
    "against_interest",
    "counter_report",
    "expert_doubt",
    "incompatible_terms",
)
"""The caution checklist, in the order in which it is shown."""


def digest(*parts: str, size: int = 10) -> str:
    """Give a deterministic id of ``2 * size`` hexadecimal digits for the parts, whatever characters they hold."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=size).hexdigest()


class Record:
    """A frozen record that turns into plain JSON values and back, refusing fields it does not know."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Give the record as values that `json.dumps` takes: times as ISO 8601 with offset, tuples as lists."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Make the record from what `to_json` gave. Raises TypeError on an unknown or missing field."""
        readers = _readers(cls)  # type: ignore[arg-type]
        unknown = data.keys() - readers.keys()
        if unknown:
            raise TypeError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
        return cls(
            **{
                name: value if value is None or (read := readers[name]) is None else read(value)
                for name, value in data.items()
            }
        )


_Reader = Callable[[Any], Any]


@cache
def _readers(cls: type) -> dict[str, _Reader | None]:
    """Give how each field is read from its JSON value; None for one that stays as it is."""
    return {name: _reader(hint) for name, hint in get_type_hints(cls).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _reader(hint: Any) -> _Reader | None:
    """Give the reader for a type, worked out once: a store reads hundreds of thousands of records."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
        return _reader(hint)
    if origin is tuple:
        args = get_args(hint)
        if args[-1] is Ellipsis:
            inner = _reader(args[0])
            return tuple if inner is None else lambda value: tuple([inner(item) for item in value])
        each = [_reader(arg) or (lambda item: item) for arg in args]
        return lambda value: tuple([read(item) for read, item in zip(each, value, strict=True)])
    if hint is datetime:
        return datetime.fromisoformat
    if hint is date:
        return date.fromisoformat
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_json
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture(Record):
    """Evidence: one response as it came off the wire, and where it lies in the archive. Never changed."""

    id: str
    """``digest(source, url, fetched_at)``."""
    source: str
    url: str
    """Canonical address of the page: tracking parameters off, redirects and same-site rel=canonical followed."""
    fetched_at: datetime
    status: int
    headers: tuple[tuple[str, str], ...]
    content_type: str
    """The HTTP header as sent, with its charset; empty where there was none."""
    body: bytes
    """Decompressed."""
    locator: str
    """``<WARC file name>:<offset of the response record>``."""
    listed_title: str = ""
    """What the feed, sitemap or API that listed the page called it."""
    listed_published: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution(Record):
    """Who says so: the words that name the speaker, whether that is a name, and the speaker's camp where known."""

    speaker: str
    named: bool
    """True for a person or body with a name; false for "a source", "activists"."""
    actor: str = ""
    """Actor id of the speaker's group, where the text gives it."""
    camp: str = ""
    """The speaker's camp as in the actors' files: is, aq, independent, rebel, regime, …; empty where unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party(Record):
    """One side of an event."""

    actor: str
    role: Role = "party"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Record):
    """One page as read: its text and what could be told of it. `text[start:end]` of an event is its sentence."""

    id: str
    """``digest(canonical URL)``."""
    revision: int = 1
    """1 for the first text seen at this address; each later capture with another text adds 1."""
    source: str
    url: str
    title: str
    text: str
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    published_from: DateOrigin = "none"
    fetched_at: datetime
    declared: str = ""
    """What the page says of its own language (`<html lang>`), as written; empty where it is silent."""
    language: Language = "und"
    comments: str = ""
    links: tuple[str, ...] = ()
    capture: str
    """Id of the capture that it was read from."""
    sketch: tuple[int, ...] = ()
    """Sampled hashes of its word shingles, by which reprints find each other."""
    story: str = ""
    """Id of the story; reprints of one text share it."""
    credit: str = ""
    """The agency or outlet that the text credits ("AP", "afp"), lower-case id; empty where it credits none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Record):
    """One thing that a sentence says happened, or did not, between groups."""

    id: str
    """``digest(document, field, start, kind, party ids)``."""
    document: str
    kind: Kind
    parties: tuple[Party, ...]
    polarity: Polarity = "affirmed"
    modality: Modality = "stated"
    attribution: Attribution | None = None
    place: str = ""
    date: date | None = None
    field: Field = "text"
    start: int
    end: int
    """Offsets in characters, in the document's field."""
    sentence: str
    rule: str
    """Which frame or cue fired, as ``<file stem>:<id>``, so that a reader can find the line of YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Record):
    """How one document bears on one claim, with the sentence that shows it."""

    id: str
    """``digest(document, register, claim)``: the strongest bearing of a document on a claim is kept."""
    document: str
    register: str
    claim: str
    bearing: Bearing
    score: float
    """0 to 1: how much of the claim (kind, parties, place, time) the sentence matches."""
    field: Field = "text"
    start: int
    end: int
    sentence: str
    why: str
    """The reason, in words a reader can check against the sentence."""
    event: str = ""
    """Id of the event that bears on it; empty where a statement does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection(Record):
    """What a step understood and declined, by name."""

    step: str
    reason: str
    """A short kebab-case name: ``no-text``, ``bot-wall``, ``timeout``."""
    source: str
    url: str
    capture: str = ""
    detail: str = ""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Record):
    """One line of the caution checklist: shown with its sentence, or not shown."""

    name: str
    shown: bool
    sentence: str = ""
    document: str = ""
    note: str = ""
    """In words: what the sentence shows, or what was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Record):
    """One document of an alert, and what it adds."""

    document: str
    role: MemberRole
    event: str = ""
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Record):
    """A cluster of events that report one reconciliation, with the article's caution applied to it."""

    id: str
    """``digest(document that raised it, sorted party ids)``; it never changes."""
    parties: tuple[str, ...]
    """Actor ids, sorted."""
    kind: Kind
    place: str = ""
    opened_at: datetime
    """Publication (else capture) time of the document that raised it."""
    title: str
    sentence: str
    """The sentence that raised it."""
    state: State = "new"
    members: tuple[Member, ...]
    """In the order in which they came; the first raised the alert."""
    origins: tuple[str, ...]
    """Independent origins of the report: story ids, or the credited outlet where several stories go back to one."""
    caution: tuple[Signal, ...]
    """All of `SIGNALS`, in that order."""
    held: str = ""
    """Why nobody is notified (``old``: reported long before it was fetched; ``told``: of the same texts analysts were
    notified under another alert, before the rules changed); empty for an alert that is sent."""
    withdrawn: str = ""
    """Why it is withdrawn: no text reports it any more (``text``: a page says otherwise now), the same texts are read
    otherwise now, by changed rules or beside other reports (``reading``), or it is part of another (``joined``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow(Record):
    """How many items of a source met one disposition at one step on one day."""

    source: str
    day: date
    step: Literal["crawl", "process"]
    disposition: str
    """crawl: discovered, fetched, known, refused, failed; process: indexed, duplicate, rejected, waiting."""
    reason: str = ""
    count: int


def utc(moment: datetime) -> datetime:
    """Give an aware time in UTC; a naive one is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
