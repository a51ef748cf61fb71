"""The step compare: how one document bears on the claims of the registers, each with the sentence that shows it.

An event bears on a claim by kind, parties in their roles, place and time; a statement by the concepts that one
sentence, or two that follow each other, name. Both are found by index, so that the cost hangs on the document and on
what it touches, not on how many claims there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import combinations, permutations, product
from pathlib import Path
from typing import NamedTuple, Protocol, get_args

from processors.imagined import imagined
from processors.knowledge import Knowledge, load
from processors.records import RECONCILING, Bearing, Comparison, Document, Event, Field, Kind, Party, digest
from processors.register import PLACE, Claim, EventPattern, Register, Registers, Side, StatementPattern
from processors.sentences import sentences
from processors.terms import Found, TermLanguage, Terms

THRESHOLD = 0.6
"""Below this share a document does not bear on a claim: kind and exact parties alone reach it (0.70 of 1); a kind
that is only near, or a party that is only kin, needs the place or the time as well."""

KIND, PARTIES, PLACED, DATED = 0.35, 0.35, 0.15, 0.15
"""What each part of an event counts for, where the claim asks for it: what happened and between whom make the
claim, where and when tell one occasion from another."""

NEAR = 0.5
"""A kind that is only akin: a negotiation is half of a truce."""

KIN = 0.6
"""A party of the same camp or line, and a role that the sentence leaves open (0.75), match in part."""

OPEN_ROLE = 0.75

SLACK = timedelta(days=3)
"""A day's difference of zones, and reports that date one meeting a day or two apart, are the same time."""

LAG = timedelta(days=30)
"""Undated news published this long after the time of a claim may still be about it: the article itself takes up reports
of two weeks, and monthlies come later. What speaks against a claim, or must
be of its time, has to come within a week (`LAG_AGAINST`)."""

LAG_AGAINST = timedelta(days=7)

BRIEF = timedelta(days=180)
"""A claim of so short a time is about one occasion, which what is recalled without a day need not be."""

APART = 0.15
"""What a statement loses when its concepts stand in two sentences, when the names stand further up, or when the time is
unknown."""

FAR = 0.25
"""What it loses when the names stand more than `NEAR_BY` sentences, some paragraph, further up."""

NEAR_BY = 3

REVERSED = 0.3
"""What a statement loses when its names stand the other way round than the claim has them act."""

HAPPENED: frozenset[str] = frozenset({*RECONCILING, "refusal", "statement", "attendance", "reinforcement"})
"""Kinds of claims about what happened, which a text has from somebody; what groups are like it may know itself."""

LEAD = 3
"""Sentences in which an outlet says from whom it has its news."""

TOLD_ONCE: frozenset[Kind] = frozenset({*get_args(Kind)} & {*RECONCILING, "refusal", "ultimatum"})
"""Kinds of events whose source stands for all that a text tells of the same occasion."""

MAY_BE: frozenset[str] = frozenset({*RECONCILING, "clash"})
"""Kinds of events that a claim is not shown by where they are only guessed at."""

NEGATION_REACH = 30
"""Characters, some five words, within which a negator turns a concept round."""


class Named(Protocol):
    """A group that the text names, as the annotator finds it."""

    @property
    def actor(self) -> str:
        """Its id."""

    @property
    def start(self) -> int:
        """Where its name begins."""


def compare(
    document: Document,
    events: Iterable[Event],
    registers: Registers,
    *,
    named: Mapping[Field, Sequence[Named]] | None = None,
) -> tuple[Comparison, ...]:
    """Give at most one comparison per claim, the strongest, in order of register and claim.

    ``named`` are the groups that the title and the text name, in whatever spelling.
    """
    index = _index(registers)
    events = tuple(events)
    page = _Page(document, index, events, named or {})
    best: dict[tuple[int, int], _Match] = {}
    statements = tuple(_from_statements(page, index))
    if statements:
        # What stands in an imagined scene states nothing.
        scenes = imagined(document.title, document.text, document.language)
        whole = scenes.title and document.language != "und"
        statements = tuple(
            match
            for match in statements
            if not scenes.holds(match.field, match.start) and not (whole and match.bearing != "reports")
        )
    for match in _agreed(tuple(_whole(_from_events(page, index, events), index)), statements):
        key = match.claim
        if match.score >= THRESHOLD and (key not in best or match.rank() < best[key].rank()):
            best[key] = match
    return tuple(_comparison(document, registers, best[key]) for key in sorted(best))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    claim: tuple[int, int]
    bearing: Bearing
    score: float
    field: Field
    start: int
    end: int
    sentence: str
    why: str
    event: str = ""
    fact: str = ""
    """Which of the claim's several facts it shows."""
    denies: bool = False
    """An event that was denied or turned down."""

    @property
    def against(self) -> bool:
        """Whether it speaks against the claim."""
        return self.bearing == "contradicts"

    def at(self) -> tuple[bool, int]:
        """Tell where it begins: the title comes before the text."""
        return self.field == "text", self.start

    def shares(self, other: _Match) -> bool:
        """Tell whether both are shown by the same words."""
        return self.field == other.field and self.start < other.end and other.start < self.end

    def rank(self) -> tuple[object, ...]:
        """Order: the best match; then a contradiction before support before a relay; events before words; text before
        title, since headlines leave out who says so; what stands first."""
        bearings = ("contradicts", "supports", "reports")
        return (
            -round(self.score, 3),
            bearings.index(self.bearing),
            not self.event,
            self.field,
            self.start,
            self.end,
            self.event,
            self.why,
        )


def _agreed(told: Sequence[_Match], said: Sequence[_Match]) -> Iterator[_Match]:
    """Give the matches without those that another outweighs, where a claim's events and words disagree.

    In one sentence the words are surer: they are the claim's own, and know what denies or doubts it. Elsewhere the
    events are: a text that tells a truce and has somebody doubt it tells it, and one that tells a denial denies what it
    quotes. Of words alone, those that come first, and fit as well, are what the text is about.
    """
    words: dict[tuple[int, int], list[_Match]] = defaultdict(list)
    for match in said:
        if match.score >= THRESHOLD:
            words[match.claim].append(match)
    events: dict[tuple[int, int], list[_Match]] = defaultdict(list)
    for match in told:
        if not any(one.against != match.against and one.shares(match) for one in words[match.claim]):
            if match.score >= THRESHOLD:
                events[match.claim].append(match)
            yield match
    for match in said:
        if any(one.against != match.against and (not one.against or one.denies) for one in events[match.claim]):
            continue
        first = (one for one in words[match.claim] if not one.against and one.at() < match.at())
        if match.against and any(one.score >= match.score for one in first):
            continue
        yield match


def _comparison(document: Document, registers: Registers, match: _Match) -> Comparison:
    register = registers.registers[match.claim[0]]
    claim = register.claims[match.claim[1]]
    return Comparison(
        id=digest(document.id, register.article.id, claim.id),
        document=document.id,
        register=register.article.id,
        claim=claim.id,
        bearing=match.bearing,
        score=round(match.score, 3),
        field=match.field,
        start=match.start,
        end=match.end,
        sentence=match.sentence,
        why=match.why,
        event=match.event,
    )


class _Cues(Knowledge):
    negators: Mapping[TermLanguage, tuple[str, ...]]
    relayed: Mapping[TermLanguage, tuple[str, ...]]
    guessed: Mapping[TermLanguage, tuple[str, ...]]
    mentioned: Mapping[TermLanguage, tuple[str, ...]]
    doubted: Mapping[TermLanguage, tuple[str, ...]]


_NEGATOR, _RELAYED, _GUESSED = "cue:negators", "cue:relayed", "cue:guessed"
_MENTIONED, _DOUBTED = "cue:mentioned", "cue:doubted"


class _EventEntry(NamedTuple):
    claim: tuple[int, int]
    pattern: EventPattern


class _StatementEntry(NamedTuple):
    claim: tuple[int, int]
    pattern: StatementPattern
    all: tuple[str, ...]
    about: tuple[str, ...]
    unless: tuple[str, ...]
    order: tuple[str, ...]
    needed: frozenset[str]
    since: date
    until: date
    """Outside these days of publication the claim's time excludes it."""


class _Index:
    """What turns up the patterns that an event or a sentence may fit, without going through all."""

    def __init__(self, registers: Registers) -> None:
        self.registers = registers.registers
        concepts: dict[str, Mapping[TermLanguage, tuple[str, ...]]] = {}
        same: dict[tuple[object, ...], str] = {}
        self.names: list[dict[str, str]] = []
        cues = load(Path(__file__).parent / "cues" / "statements.yml", _Cues)
        concepts |= {_NEGATOR: cues.negators, _RELAYED: cues.relayed, _GUESSED: cues.guessed}
        concepts |= {_MENTIONED: cues.mentioned, _DOUBTED: cues.doubted}
        for number, register in enumerate(self.registers):
            # Registers that name one concept alike share it.
            known: dict[str, str] = {}
            places = ((PLACE + key, place.names) for key, place in register.places.items())
            for key, words in (*register.concepts.items(), *places):
                content = tuple(sorted((language, terms) for language, terms in words.items()))
                known[key] = same.setdefault((key.startswith(PLACE), content), f"{number}:{key}")
                concepts[known[key]] = words
            self.names.append(known)
        self.terms = Terms(concepts)
        self.actors: dict[str, set[str]] = defaultdict(set)
        for number, register in enumerate(self.registers):
            for name, actor in register.actors.items():
                self.actors[actor].add(self.names[number][name])
        self.events: dict[tuple[str, str, str], dict[tuple[int, int] | None, list[_EventEntry]]] = {}
        self.statements: dict[tuple[str, str], list[_StatementEntry]] = {}
        self.keyed: frozenset[str] = frozenset()
        # What is in Atareb is in the country of Aleppo, and in Syria.
        self.around: dict[str, set[str]] = defaultdict(set)
        for known, register in zip(self.names, self.registers, strict=True):
            for key, place in register.places.items():
                while place.within:
                    self.around[known[PLACE + key]].add(known[PLACE + place.within])
                    place = register.places[place.within]
        self._fill()

    def _fill(self) -> None:
        entries: list[_StatementEntry] = []
        uses: dict[str, int] = defaultdict(int)
        for number, register in enumerate(self.registers):
            known = self.names[number]
            for place, claim in enumerate(register.claims):
                at = (number, place)
                for event in claim.events:
                    self._add_event(_EventEntry(at, event), claim)
                for statement in claim.statements:
                    entry = _StatementEntry(
                        at,
                        statement,
                        tuple(known[name] for name in statement.all),
                        tuple(known[name] for name in statement.about),
                        tuple(known[name] for name in statement.unless),
                        tuple(known[name] for name in statement.order or ()),
                        frozenset(known[name] for name in statement.all),
                        claim.since if claim.since and statement.time != "free" else date.min,
                        claim.until + LAG if claim.until and statement.time not in ("free", "after") else date.max,
                    )
                    entries.append(entry)
                    for name in entry.all:
                        uses[name] += 1
        for entry in entries:
            # By the two rarest of its concepts: few other statements turn up with both.
            rarest = sorted(set(entry.all), key=lambda name: (uses[name], name))
            key = _pair(rarest[0], rarest[1]) if len(rarest) > 1 else ("", rarest[0])
            self.statements.setdefault(key, []).append(entry)
        self.keyed = frozenset(name for key in self.statements for name in key)

    def _add_event(self, entry: _EventEntry, claim: Claim) -> None:
        sides = [(*side.actors, *side.kin) for side in entry.pattern.sides[:2]]
        pairs = {(a, "") for a in sides[0]} if len(sides) == 1 else {_pair(a, b) for a, b in product(*sides)}
        months: Iterable[tuple[int, int] | None] = (None,)
        if entry.pattern.time != "free" and claim.since and claim.until:
            months = _months(claim.since - SLACK, claim.until + LAG)
        buckets = tuple(months)
        for kind, (a, b) in product((*entry.pattern.kinds, *entry.pattern.near), pairs):
            by_month = self.events.setdefault((kind, a, b), {})
            for month in buckets:
                by_month.setdefault(month, []).append(entry)

    def event_entries(self, event: Event, published: date | None) -> list[_EventEntry]:
        """Give the patterns of the event's kind and of two of its parties, whose time the event's may be."""
        actors = sorted({party.actor for party in event.parties})
        keys = [(a, "") for a in actors] + [_pair(a, b) for a in actors for b in actors if a < b]
        day = event.date or (None if event.modality == "looking-back" else published)
        found: dict[int, _EventEntry] = {}
        for a, b in keys:
            by_month = self.events.get((event.kind, a, b), {})
            months = list(by_month) if day is None else [None, (day.year, day.month)]
            for month in months:
                for entry in by_month.get(month, ()):
                    found[id(entry)] = entry
        return sorted(found.values(), key=lambda entry: entry.claim)


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a <= b else (b, a)


def _months(first: date, last: date) -> Iterator[tuple[int, int]]:
    year, month = first.year, first.month
    while (year, month) <= (last.year, last.month):
        yield year, month
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


@lru_cache(maxsize=8)
def _index(registers: Registers) -> _Index:
    return _Index(registers)


class _Sentence(NamedTuple):
    field: Field
    start: int
    end: int
    hits: tuple[Found, ...]
    names: frozenset[str]


class _Page:
    """A document cut into sentences, each with the concepts that it names."""

    def __init__(
        self,
        document: Document,
        index: _Index,
        events: Sequence[Event],
        named: Mapping[Field, Sequence[Named]],
    ) -> None:
        self.document = document
        self.relays = bool(document.credit) or any(_from_others(event) for event in events if event.kind in TOLD_ONCE)
        self.published = document.published_at.date() if document.published_at else None
        told = [event for event in events if event.modality != "looking-back"]
        actors = {party.actor for event in told for party in event.parties}
        self.named = frozenset(name for actor in actors for name in index.actors.get(actor, ()))
        self.title = self._cut("title", document.title, index, told, named.get("title", ()))
        self.text = self._cut("text", document.text, index, told, named.get("text", ()))
        self.places = frozenset(n for cut in (*self.title, *self.text) for n in cut.names if PLACE in n)
        self.relays = self.relays or any(_RELAYED in cut.names for cut in (*self.title, *self.text[:LEAD]))

    def _cut(
        self, field: Field, text: str, index: _Index, events: Sequence[Event], names: Sequence[Named]
    ) -> list[_Sentence]:
        cut = []
        mine = [event for event in events if event.field == field]
        wanted = [(one.start, index.actors[one.actor]) for one in names if one.actor in index.actors]
        language = self.document.language
        spans = sentences(text, language)
        found = index.terms.find_each([text[start:end] for start, end in spans], language)
        for (start, end), hits in zip(spans, found, strict=True):
            named = {hit.concept for hit in hits}
            for place in named & index.around.keys():
                named |= index.around[place]
            # "The two groups" are no names that a list could hold; the annotator knows whom they mean.
            for event in mine:
                if event.start < end and start < event.end:
                    for party in event.parties:
                        named.update(index.actors.get(party.actor, ()))
            for at, concepts in wanted:
                if start <= at < end:
                    named |= concepts
            cut.append(_Sentence(field, start, end, tuple(hits), frozenset(named)))
        return cut

    def of(self, field: Field) -> list[_Sentence]:
        return self.title if field == "title" else self.text

    def around(self, event: Event) -> tuple[frozenset[str], frozenset[str]]:
        """Give the concepts of the event's sentence, and those with the sentences beside it."""
        cut = self.of(event.field)
        own = [n for n, sentence in enumerate(cut) if sentence.start < event.end and event.start < sentence.end]
        if not own:
            return frozenset(), frozenset()
        inner = frozenset[str]().union(*(cut[n].names for n in own))
        outer = cut[max(0, own[0] - 1) : own[-1] + 2]
        return inner, inner.union(*(sentence.names for sentence in outer))


# Events


def _from_events(page: _Page, index: _Index, events: Iterable[Event]) -> Iterator[_Match]:
    ordered = sorted(events, key=lambda event: (event.field, event.start, event.id))
    # A headline says in short what the text says with its source: the text's own events stand for it.
    told = {(event.kind, frozenset(p.actor for p in event.parties)) for event in ordered if event.field == "text"}
    hearsay = {pair for event in ordered if _from_others(event) for pair in _reconciled(event)}
    ended = _ended(ordered)
    for event in ordered:
        if event.field == "title" and (event.kind, frozenset(p.actor for p in event.parties)) in told:
            continue
        entries = index.event_entries(event, page.published)
        if not entries:
            continue
        inner, outer = page.around(event)
        # An outlet names its source once and then writes on as if it were fact.
        relayed = _from_others(event) or any(
            page.document.credit or pair in hearsay or _MENTIONED in inner
            for pair in _reconciled(event)
            if event.modality == "stated"
        )
        for entry in entries:
            happened = index.registers[entry.claim[0]].claims[entry.claim[1]].kind in HAPPENED
            happened = happened or entry.pattern.told == "stated"
            match = _event_match(page, index, event, entry, inner, outer, relayed or (happened and page.relays))
            if match is not None and not (match.bearing == "contradicts" and event.id in ended):
                yield match


def _whole(matches: Iterable[_Match], index: _Index) -> Iterator[_Match]:
    """Give the matches, those that show one of several facts joined: by the strongest, for the part that is shown."""
    facts: dict[tuple[tuple[int, int], Bearing], dict[str, _Match]] = defaultdict(dict)
    for match in matches:
        if not match.fact:
            yield match
            continue
        known = facts[match.claim, match.bearing]
        if match.fact not in known or match.rank() < known[match.fact].rank():
            known[match.fact] = match
    for (claim, _), shown in facts.items():
        needed = {p.fact for p in index.registers[claim[0]].claims[claim[1]].events if p.fact}
        best = min(shown.values(), key=_Match.rank)
        if best.score < THRESHOLD or len(shown) == len(needed):
            yield best
            continue
        part = f"{len(shown)} of the {len(needed)} facts that the claim needs"
        score = max(THRESHOLD, sum(match.score for match in shown.values()) / len(needed))
        yield replace(best, score=score, why=f"{best.why} In part: {part}.")


def _ended(events: Sequence[Event]) -> frozenset[str]:
    """Give the fights that a text tells as what a deal of the two ends: such a fight does not belie the deal.

    The sentence that tells both is about the deal, unless the headline tells of the fight.
    """
    deals = [(event, set(_reconciled(event))) for event in events if event.polarity == "affirmed"]
    found = set()
    for fight in events:
        if fight.kind != "clash" or fight.polarity == "denied":
            continue
        pairs = set(_pairs(fight))
        if any(other.kind == "clash" and other.field == "title" and pairs & set(_pairs(other)) for other in events):
            continue
        if any(
            pairs & joined
            and (
                deal.field == "title"
                or (deal.field == fight.field and deal.start < fight.end and fight.start < deal.end)
            )
            for deal, joined in deals
        ):
            found.add(fight.id)
    return frozenset(found)


def _from_others(event: Event) -> bool:
    return event.modality in ("attributed", "speculated")


def _reconciled(event: Event) -> list[tuple[str, str]]:
    """Give the pairs of whom an affirmed event tells that they came together."""
    return [] if event.kind not in RECONCILING or event.polarity == "denied" else _pairs(event)


def _pairs(event: Event) -> list[tuple[str, str]]:
    actors = sorted({party.actor for party in event.parties})
    return [(a, b) for a in actors for b in actors if a < b]


def _event_match(
    page: _Page,
    index: _Index,
    event: Event,
    entry: _EventEntry,
    inner: frozenset[str],
    outer: frozenset[str],
    relayed: bool,
) -> _Match | None:
    register = index.registers[entry.claim[0]]
    claim = register.claims[entry.claim[1]]
    pattern = entry.pattern
    known = index.names[entry.claim[0]]
    # "Even a truce of a week is hard to believe, he said": nobody tells the truce there, and somebody doubts it.
    doubted = bool(_reconciled(event)) and _DOUBTED in inner
    # What may be bears on nothing that was; "auraient" and "reportedly" put somebody's word carefully.
    if event.modality == "speculated" and event.kind in MAY_BE and _RELAYED not in inner:
        return None
    bearing = _event_bearing(event, pattern, relayed, doubted)
    if bearing is None or not all(known[name] in outer for name in pattern.words):
        return None
    if any(known[name] in inner for name in pattern.unless):
        return None
    parties = _parties(event.parties, pattern.sides, register)
    if parties is None:
        return None
    # A denial comes after the reports that it denies: it has their time.
    against = pattern.stance == "against"
    time = _dated(claim, pattern.time, event.date, page.published, event.modality == "looking-back", against=against)
    if time is None:
        return None
    place = _placed(event, claim, pattern, register, known, inner, page.places)
    if place is None:
        return None
    kind = 1.0 if event.kind in pattern.kinds else NEAR
    if doubted and kind < 1:
        return None
    weights = [(kind, KIND), (parties.share, PARTIES)]
    weights += [(part.share, weight) for part, weight in ((place, PLACED), (time, DATED)) if part.asked]
    score = sum(share * weight for share, weight in weights) / sum(weight for _, weight in weights)
    turned = "which the sentence doubts" if doubted else ""
    said = [_kind_said(event, claim, pattern, kind), turned, parties.said, place.said, time.said, _told(event, relayed)]
    return _Match(
        claim=entry.claim,
        bearing=bearing,
        score=score,
        field=event.field,
        start=event.start,
        end=event.end,
        sentence=event.sentence,
        why=_sentence_of(said),
        event=event.id,
        fact=pattern.fact,
        denies=event.polarity == "denied" or event.kind == "refusal",
    )


def _event_bearing(event: Event, pattern: EventPattern, relayed: bool, doubted: bool) -> Bearing | None:
    if doubted:
        return "contradicts" if pattern.stance == "for" and pattern.told != "stated" else None
    if pattern.polarity not in (None, event.polarity):
        return None
    if pattern.told == "stated" and (relayed or event.modality == "looking-back"):
        return None
    stance = pattern.stance
    if event.polarity == "denied":
        if pattern.denied == "nothing":
            return None
        stance = "against" if stance == "for" else "for"
    if stance == "against":
        return "contradicts"
    return "reports" if relayed and pattern.told != "evidence" else "supports"


class _Part(NamedTuple):
    share: float
    said: str
    asked: bool = True


def _parties(parties: Sequence[Party], sides: Sequence[Side], register: Register) -> _Part | None:
    """Match the sides with different parties in the best way; None where a side has nobody, or in the wrong role."""
    best: tuple[float, tuple[tuple[Side, Party, float], ...]] | None = None
    for chosen in permutations(sorted(set(parties), key=lambda p: (p.actor, p.role)), len(sides)):
        if len({party.actor for party in chosen}) < len(chosen):
            continue
        shares = [_share(side, party) for side, party in zip(sides, chosen, strict=True)]
        if 0.0 in shares:
            continue
        mean = sum(shares) / len(shares)
        if best is None or mean > best[0]:
            best = mean, tuple(zip(sides, chosen, shares, strict=True))
    if best is None:
        return None
    said = []
    for side, party, _ in best[1]:
        name = register.names.get(party.actor, party.actor)
        if party.actor in side.kin:
            meant = " or ".join(register.names.get(id, id) for id in side.actors)
            name += f" (kin of {meant}, whom the claim names)"
        if side.role and party.role != side.role:
            name += f" (as {party.role}; the claim has it as {side.role})"
        said.append(name)
    return _Part(best[0], "parties: " + " and ".join(said))


_OPPOSED = {("agent", "target"), ("target", "agent")}


def _share(side: Side, party: Party) -> float:
    if party.actor in side.actors:
        share = 1.0
    elif party.actor in side.kin:
        share = KIN
    else:
        return 0.0
    if side.role and party.role != side.role:
        return 0.0 if (side.role, party.role) in _OPPOSED else share * OPEN_ROLE
    return share


def _placed(
    event: Event,
    claim: Claim,
    pattern: EventPattern,
    register: Register,
    known: Mapping[str, str],
    inner: frozenset[str],
    told: frozenset[str],
) -> _Part | None:
    if not claim.place or pattern.place == "free":
        return _Part(0.0, "", asked=False)
    named = {key for key in register.places if known[PLACE + key] in inner}
    where = event.place.lower().replace(" ", "-")
    if where in register.places:
        named.add(where)
    if any(register.holds(claim.place, key) for key in named):
        shown = ", ".join(sorted(key for key in named if register.holds(claim.place, key)))
        return _Part(1.0, f"place: {shown}, as in the claim")
    if pattern.place == "told" and any(
        register.holds(claim.place, key) for key in register.places if known[PLACE + key] in told
    ):
        return _Part(1.0, f"place: {claim.place}, named in the text")
    if pattern.place in ("needed", "told"):
        return None
    if any(register.holds(key, claim.place) for key in named):
        wider = ", ".join(sorted(key for key in named if register.holds(key, claim.place)))
        return _Part(0.5, f"place: only {wider}, around the claim's {claim.place}")
    other = event.place or ", ".join(sorted(named))
    if not other:
        return _Part(0.0, f"place: not said (the claim: {claim.place})")
    if pattern.place == "anywhere":
        return _Part(0.0, f"place: {other}, not the claim's {claim.place}")
    return None


def _dated(
    claim: Claim, mode: str, dated: date | None, published: date | None, looking_back: bool, *, against: bool = False
) -> _Part | None:
    if mode == "free" or not (claim.since or claim.until):
        return _Part(0.0, "", asked=False)
    if mode == "after" and published is not None and claim.since and published >= claim.since:
        return _Part(1.0, f"time: published {published}, after the claim's {claim.since}")
    since, until = claim.since or date.min + SLACK, claim.until or date.max - LAG
    if dated is not None and not since - SLACK <= dated <= until + SLACK:
        return None
    window = f"{claim.since or ''} to {claim.until or 'now'}".strip()
    if dated is not None:
        return _Part(1.0, f"time: {dated}, within the claim's {window}")
    if looking_back and published is not None and until - since < BRIEF:
        # Half a year old and without a day: of any time, and hardly of those weeks.
        return None
    if published is None or looking_back:
        if mode == "needed" or (published is not None and published < since):
            return None
        return _Part(0.0, f"time: not said (the claim: {window})")
    if not since <= published <= until + (LAG_AGAINST if against or mode == "needed" else LAG):
        return None
    if published <= until + SLACK:
        return _Part(1.0, f"time: published {published}, within the claim's {window}")
    return _Part(0.7, f"time: published {published}, soon after the claim's {window}")


_KINDS = {
    "truce": "a truce",
    "pact": "a pact",
    "merger": "a merger",
    "pledge": "a pledge of allegiance",
    "cooperation": "cooperation",
    "negotiation": "negotiations",
    "swap": "a prisoner swap",
    "clash": "fighting",
    "split": "a split",
    "refusal": "a refusal",
    "ultimatum": "an ultimatum",
    "defection": "a defection",
    "government-truce": "a truce with a government",
    "coalition": "a standing coalition",
}


def _kind_said(event: Event, claim: Claim, pattern: EventPattern, kind: float) -> str:
    said = _KINDS[event.kind]
    if event.polarity == "denied":
        said += ", denied"
    if pattern.stance == "against":
        clause = "which runs against the claim" if event.polarity == "affirmed" else "whose opposite the claim doubts"
        if event.modality in ("attributed", "speculated") and event.polarity == "affirmed":
            clause = "which, if true, runs against the claim"
        return f"the sentence tells of {said}, {clause}"
    meant = _KINDS.get(claim.kind, claim.kind)
    return f"the sentence tells of {said}" + (f" (the claim: {meant}; akin)" if kind < 1 else ", as the claim does")


def _told(event: Event, relayed: bool) -> str:
    if event.modality == "speculated":
        return "told as a possibility"
    if event.modality == "looking-back":
        return "told in looking back"
    if not relayed:
        return "stated by the outlet itself"
    if event.modality == "stated":
        return "relayed from those whom the text names elsewhere"
    by = event.attribution.speaker if event.attribution else ""
    return f"relayed from {by}" if by else "relayed from others"


def _sentence_of(parts: Iterable[str]) -> str:
    said = "; ".join(part for part in parts if part)
    return said[:1].upper() + said[1:] + "."


# Statements


def _from_statements(page: _Page, index: _Index) -> Iterator[_Match]:
    day = page.published
    for cut in (page.title, page.text):
        keyed = [sentence.names & index.keyed for sentence in cut]
        for first in range(len(cut)):
            for last in (first, first + 1):
                if last >= len(cut) or not keyed[first] or not keyed[last]:
                    continue
                union = keyed[first] | keyed[last] if last > first else keyed[first]
                named = cut[first].names | cut[last].names
                names = sorted(union)
                for key in (*(("", name) for name in names), *combinations(names, 2)):
                    for entry in index.statements.get(key, ()):
                        if (
                            not entry.needed <= named
                            or (day is not None and not entry.since <= day <= entry.until)
                            or (first != last and (entry.needed <= cut[first].names or entry.needed <= cut[last].names))
                        ):
                            continue
                        match = _statement_match(page, index, cut, first, last, entry)
                        if match is not None:
                            yield match


def _statement_match(
    page: _Page, index: _Index, cut: list[_Sentence], first: int, last: int, entry: _StatementEntry
) -> _Match | None:
    window = cut[first : last + 1]
    claim = index.registers[entry.claim[0]].claims[entry.claim[1]]
    pattern = entry.pattern
    if any(name in sentence.names for name in entry.unless for sentence in window):
        return None
    # Words against a claim deny or doubt what was reported: they come as late as reports do.
    time = _dated(claim, pattern.time, None, page.published, False)
    if time is None:
        return None
    score, notes = 1.0, []
    if first != last:
        score -= APART
        notes.append("the words stand in two sentences")
    missing = [name for name in entry.about if not any(name in sentence.names for sentence in window)]
    if missing:
        before = [*page.title, *cut[:first]] if cut is page.text else []
        # Where it was, a text may name last; who it was, in the next sentence.
        told = page.named | page.places | (cut[last + 1].names if last + 1 < len(cut) else frozenset())
        if not all(name in told or any(name in sentence.names for sentence in before) for name in missing):
            return None
        near = [*page.title, *cut[max(0, first - NEAR_BY) : first]]
        score -= APART if all(any(name in sentence.names for sentence in near) for name in missing) else FAR
        notes.append(f"{_listed(missing, index, entry)} named further up only")
    if time.asked and time.share < 1:
        score -= APART
    if entry.order and _first(window, entry.order[0]) > _last(window, entry.order[1]):
        score -= REVERSED
        notes.append("the names stand the other way round than in the claim")
    negated = any(_negated(sentence.hits, entry.all[-1]) for sentence in window)
    stance = pattern.stance
    if negated and pattern.negated != "same":
        if pattern.negated == "nothing":
            return None
        if pattern.negated != "needed":
            stance = "against" if stance == "for" else "for"
        notes.append("with a negation beside it")
    elif pattern.negated == "needed":
        return None
    relayed = any(_relayed(sentence.hits, entry.all) for sentence in window)
    # An outlet names its source for what happened once, and then writes on as if it were fact.
    relayed = relayed or (page.relays and claim.kind in HAPPENED) or pattern.told == "others"
    relayed = relayed and pattern.told != "evidence"
    bearing: Bearing = "contradicts" if stance == "against" else "reports" if relayed else "supports"
    turned = "which runs against the claim" if stance == "against" else "as the claim does"
    start, end = window[0].start, window[-1].end
    field = window[0].field
    text = page.document.title if field == "title" else page.document.text
    named = [name for name in (*entry.all, *entry.about) if name not in missing]
    said = [f"the words for {_listed(named, index, entry)} stand together, {turned}", *notes, time.said]
    said.append("relayed or guessed" if relayed else "stated by the outlet itself")
    return _Match(
        claim=entry.claim,
        bearing=bearing,
        score=score,
        field=field,
        start=start,
        end=end,
        sentence=text[start:end],
        why=_sentence_of(said),
    )


def _stands(window: Sequence[_Sentence], concept: str) -> list[tuple[int, int]]:
    # Named further up: before what stands here.
    hits = ((n, hit.start) for n, sentence in enumerate(window) for hit in sentence.hits if hit.concept == concept)
    return sorted(hits) or [(-1, 0)]


def _first(window: Sequence[_Sentence], concept: str) -> tuple[int, int]:
    return _stands(window, concept)[0]


def _last(window: Sequence[_Sentence], concept: str) -> tuple[int, int]:
    return _stands(window, concept)[-1]


def _relayed(hits: Sequence[Found], concepts: Collection[str]) -> bool:
    """Tell whether the sentence names a source or guesses, but for what the claim itself says of sources."""
    own = [hit for hit in hits if hit.concept in concepts]
    return any(
        hit.concept in (_RELAYED, _GUESSED) and not any(one.start < hit.end and hit.start < one.end for one in own)
        for hit in hits
    )


def _negated(hits: Sequence[Found], concept: str) -> bool:
    """Tell whether a negator stands beside the concept wherever it is named: before it, or after it as in Turkish."""
    turned = [
        any(
            other.concept == _NEGATOR
            and (0 <= hit.start - other.end <= NEGATION_REACH or 0 <= other.start - hit.end <= NEGATION_REACH // 2)
            for other in hits
        )
        for hit in hits
        if hit.concept == concept
    ]
    return bool(turned) and all(turned)


def _listed(names: Iterable[str], index: _Index, entry: _StatementEntry) -> str:
    """Name concepts as the register does, in quotes."""
    own = {shared: key for key, shared in index.names[entry.claim[0]].items()}
    return ", ".join(f"“{own[name].removeprefix(PLACE)}”" for name in dict.fromkeys(names))
