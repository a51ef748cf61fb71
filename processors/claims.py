"""Reads what the claims of a register are about from their statements, so that a register can be a file of sentences.

The annotator that reads documents reads the statement: its events give kind, parties, roles, polarity, place and time,
and with `cues/contrary.yml` what would bear on the claim; where it tells no event, the groups and the words that it
names do. What the file says itself, stands.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

from processors.annotate.actors import ACTORS, mentions
from processors.annotate.events import events
from processors.annotate.lexicon import Cues, Places
from processors.knowledge import Knowledge, load, wrong
from processors.records import Document, Event, Kind, Party
from processors.register import Claim, Claimant, EventPattern, Names, Place, Register, Registers, Side
from processors.register import StatementPattern as Words
from processors.terms import Terms, fold

CUES = Path(__file__).parent / "cues"

BEFORE, AFTER = timedelta(days=60), timedelta(days=30)
"""An article takes up what happened in its own weeks: an event without a day in the statement is of the two months
before the article, or the month after."""

STEM, ENDING = 5, 2
"""A word of the statement matches with other endings: by all but its last two letters, and at least five of them."""

LONG = 6
"""Letters of a word that tells something: shorter ones are mostly grammar."""

MANY = 2
"""Words that must stand together where no list of a register holds any of the statement's: one alone is chance."""


class _Contrary(Knowledge):
    akin: tuple[Kind, ...] = ()
    contrary: tuple[Kind, ...] = ()
    roles: bool = False


class _Kinds(Knowledge):
    kinds: Mapping[Kind, _Contrary]


class _Turning(Knowledge):
    negators: Names
    relayed: Names
    guessed: Names
    mentioned: Names
    doubted: Names


class _Calendar(NamedTuple):
    months: Mapping[str, int]
    since: tuple[str, ...]


def read(registers: Registers) -> Registers:
    """Give the registers with all that their claims leave out. Raises KnowledgeError for one that says too little."""
    library: dict[str, Names] = {}
    for register in registers:
        for name, names in register.concepts.items():
            if name not in register.actors:
                library.setdefault(name, names)
    terms = Terms(library)
    read = [_register(one, registers.files.get(one.article.id), library, terms) for one in registers]
    return Registers(read, registers.files)


def _register(register: Register, path: Path | None, library: Mapping[str, Names], terms: Terms) -> Register:
    if all(claim.events or claim.statements for claim in register.claims):
        return register
    added = _Added(register, library, terms)
    claims = []
    for number, claim in enumerate(register.claims):
        one = claim if claim.events or claim.statements else added.claim(claim)
        if not (one.events or one.statements):
            said = (
                "nothing can be read from the statement: name two groups and what they did, or a group and what is "
                "said of it, or give `events`, `statements` or `words`"
            )
            raise wrong(path or Path(register.article.id), ("claims", number, "statement"), said)
        claims.append(one)
    return register.model_copy(
        update={
            "claims": tuple(claims),
            "places": {**added.places, **register.places},
            "concepts": {**added.concepts, **register.concepts},
            "actors": {**added.actors, **register.actors},
            "names": {**{id: ACTORS[id].name for id in added.actors.values()}, **register.names},
        }
    )


class _Added:
    """What reading the claims of one register adds to it."""

    def __init__(self, register: Register, library: Mapping[str, Names], terms: Terms) -> None:
        self.register, self.library, self.terms = register, library, terms
        self.places: dict[str, Place] = {}
        self.concepts: dict[str, Names] = {}
        self.actors: dict[str, str] = {}

    def claim(self, claim: Claim) -> Claim:
        """Fill a claim that gives no patterns."""
        language = self.register.language
        at = datetime.combine(self.register.article.date, time(12), tzinfo=UTC)
        document = Document(
            id=claim.id,
            source="register",
            url="",
            title="",
            text=claim.statement,
            language=language,
            published_at=at,
            fetched_at=at,
            capture="",
        )
        told = _once(events(document))
        named = list(dict.fromkeys(one.actor for one in mentions(claim.statement, language)))
        given = claim.model_fields_set
        if "kind" in given and claim.kind not in get_args(Kind):
            # "The feud of the two is past repair" is a judgement, whatever event its words name.
            told = []
        found: dict[str, Any] = {}
        parties = claim.parties
        if "parties" not in given:
            parties = tuple(Claimant(actor=p.actor, role=p.role) for event in told[:1] for p in event.parties)
            parties = parties or tuple(Claimant(actor=actor) for actor in named)
            found["parties"] = parties
        if "kind" not in given and told:
            found["kind"] = told[0].kind
        if "voice" not in given and told and told[0].modality in ("attributed", "speculated"):
            found["voice"] = "relayed"
        place = claim.place
        if "place" not in given:
            place = found["place"] = self._place(claim.statement)
        since, until = claim.since, claim.until
        if not given & {"since", "until"}:
            since, until = _span(claim.statement, language)
            if told and since is None and until is None and told[0].modality != "looking-back":
                since, until = self.register.article.date - BEFORE, self.register.article.date + AFTER
            found |= {"since": since, "until": until}
        bounded = since is not None and until is not None
        if claim.words:
            self.concepts[f"words:{claim.id}"] = claim.words
            found["statements"] = (self._said(parties, [f"words:{claim.id}"], claim, since, until),)
        elif told:
            found["events"] = tuple(
                p for event in told for p in _patterns(event, parties, bool(place), bounded, len(told))
            )
        elif named:
            names = self._concepts(claim, language)
            found["statements"] = (self._said(parties, names, claim, since, until),) if names else ()
        return claim.model_copy(update=found)

    def _place(self, statement: str) -> str:
        """Give the smallest place that the statement names, taken into the register's places if it is new there."""
        own = Terms({key: place.names for key, place in self.register.places.items()})
        hits = [hit.concept for hit in own.find(statement, self.register.language)]
        if hits:
            # What lies within another is the smaller one.
            return max(hits, key=lambda key: _depth(self.register, key))
        known = _known_places()
        found = [hit.concept for hit in _place_terms().find(statement, self.register.language)]
        if not found:
            return ""
        sizes = {**dict.fromkeys(known.provinces, 1), **dict.fromkeys(known.countries, 2)}
        name = min(found, key=lambda one: sizes.get(one, 0))
        key = name.lower().replace(" ", "-")
        self.places[key] = Place(names=_spelled(known.places[name]))
        return key

    def _concepts(self, claim: Claim, language: str) -> list[str]:
        """Give the concepts that the statement names, of any register's lists; failing that, its own longest words."""
        hits: list[str] = []
        taken = 0
        for hit in self.terms.find(claim.statement, language):
            # Two lists that hold the same words mean the same.
            if hit.start >= taken and hit.concept not in hits:
                hits.append(hit.concept)
                taken = hit.end
        if hits:
            for name in hits[-MANY:]:
                self.concepts.setdefault(name, self.library[name])
            return hits[-MANY:]
        spans = [(one.start, one.end) for one in mentions(claim.statement, language)]
        words = [
            fold(match.group())
            for match in re.finditer(r"[^\W\d_]+", claim.statement)
            if len(match.group()) >= LONG and not any(a <= match.start() < b for a, b in spans)
        ]
        chosen = sorted(dict.fromkeys(words), key=lambda word: (-len(word), word))[:MANY]
        if len(chosen) < MANY:
            return []
        for word in chosen:
            self.concepts[f"word:{word}"] = {language: (f"{word[: max(STEM, len(word) - ENDING)]}*",)}  # type: ignore[dict-item]
        return [f"word:{word}" for word in chosen]

    def _said(
        self, parties: Sequence[Claimant], names: Sequence[str], claim: Claim, since: date | None, until: date | None
    ) -> Words:
        about = []
        for party in parties:
            name = next((key for key, id in self.register.actors.items() if id == party.actor), f"actor:{party.actor}")
            if name not in self.register.concepts:
                self.concepts[name] = {"any": (ACTORS[party.actor].name,)}
                self.actors[name] = party.actor
            about.append(name)
        turned = any(hit.concept == "not" for hit in _negators().find(claim.statement, self.register.language))
        bounded = since is not None and until is not None
        return Words(
            all=tuple(names),
            about=tuple(about),
            stance="against" if turned else "for",
            time="wanted" if bounded else "free",
        )


def _once(found: Iterable[Event]) -> list[Event]:
    """Give each thing that the statement tells once."""
    kept: dict[tuple[object, ...], Event] = {}
    for event in found:
        kept.setdefault((event.kind, event.polarity, frozenset(party.actor for party in event.parties)), event)
    return list(kept.values())


def _patterns(
    event: Event, given: Sequence[Claimant], placed: bool, bounded: bool, facts: int
) -> Iterable[EventPattern]:
    """Give what bears on a claim that tells the event, for it and against it."""
    rules = _kinds().kinds.get(event.kind, _Contrary())
    roles = {party.actor: party.role for party in given}
    parties = [Party(actor=p.actor, role=roles.get(p.actor, p.role)) for p in event.parties]
    denied = event.polarity == "denied"
    sides = tuple(_side(party, with_role=rules.roles) for party in parties[:3])
    if not sides:
        return
    fact = event.kind if facts > 1 else ""
    yield EventPattern(
        kinds=(event.kind,),
        near=rules.akin,
        sides=sides,
        stance="against" if denied else "for",
        place="wanted" if placed else "free",
        time="wanted",
        fact=fact,
    )
    if rules.contrary and bounded and not denied and len(sides) > 1:
        yield EventPattern(
            kinds=rules.contrary,
            sides=tuple(_side(party, with_role=False) for party in parties[:2]),
            stance="against",
            denied="nothing",
            place="wanted" if placed else "free",
            time="needed",
        )


def _side(party: Party, *, with_role: bool) -> Side:
    branches = tuple(id for id, actor in ACTORS.items() if actor.parent == party.actor)
    role = party.role if with_role and party.role in ("agent", "target") else None
    return Side(actors=(party.actor,), kin=branches, role=role)


def _depth(register: Register, key: str) -> int:
    depth = 0
    while key := register.places[key].within:
        depth += 1
    return depth


def _span(statement: str, language: str) -> tuple[date | None, date | None]:
    """Give the days that the statement's years and months reach over; open to one side after "since" or "until"."""
    known = _calendar(language)
    folded = fold(statement)
    found: list[tuple[date, date]] = []
    for match in re.finditer(r"(?:(\d{1,2})\s+)?(?:([^\W\d_]+)\s+)?(?:(\d{1,2}),?\s+)?((?:19|20)\d\d)", folded):
        year = int(match[4])
        month = next((number for name, number in known.months.items() if fold(name) == match[2]), 0)
        day = int(match[1] or match[3] or 0) if month else 0
        if day and day <= calendar.monthrange(year, month)[1]:
            found.append((date(year, month, day),) * 2)
        elif month:
            found.append((date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])))
        else:
            found.append((date(year, 1, 1), date(year, 12, 31)))
    if not found:
        return None, None
    since, until = min(first for first, _ in found), max(last for _, last in found)
    if len(found) == 1 and any(re.search(rf"\b{re.escape(fold(word))}\b", folded) for word in known.since):
        return since, None
    return since, until


@cache
def _kinds() -> _Kinds:
    return load(CUES / "contrary.yml", _Kinds)


@cache
def _known_places() -> Places:
    return load(CUES / "places.yml", Places)


@cache
def _place_terms() -> Terms:
    return Terms({name: _spelled(names) for name, names in _known_places().places.items()})


def _spelled(names: Mapping[Any, tuple[str, ...]]) -> Names:
    """Give each spelling of a term that names several apart by a bar."""
    return {
        language: tuple(one for term in terms for one in (term.split("|") if " " not in term else [term]))
        for language, terms in names.items()
    }


@cache
def _negators() -> Terms:
    return Terms({"not": load(CUES / "statements.yml", _Turning).negators})


@cache
def _calendar(language: str) -> _Calendar:
    found = load(CUES / f"{language}.yml", Cues).calendar
    return _Calendar(found.months, found.since)
