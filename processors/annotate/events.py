"""Finds what a text says happened between armed groups: who, with or against whom, said by whom, where and when.

A sentence is read clause by clause. Each frame of `processors/cues/<lang>.yml` names words that stand for a kind of
event and the ways in which its parties stand around them ("A CUE with T"); an event is found where the groups of one
clause fill such a layout. What no frame finds is weighed by its words against example sentences (`likeness`); never is
an event found because two names share a sentence.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

from processors.annotate.actors import Mention, Named, beside, named_in
from processors.annotate.lexicon import (
    FOLDER,
    FRENCH_WORD,
    LANGUAGES,
    MARKED,
    WORD,
    Cues,
    Frame,
    Layout,
    Lexicon,
    Mark,
    Phrase,
    Places,
    fold,
    layout_of,
    numbers_of,
    places,
)
from processors.annotate.likeness import (
    DENIED,
    EXAMPLES,
    MARKS,
    SUPPOSED,
    Guess,
    Likeness,
    Weighing,
    Word,
    likeness_of,
    nearest,
)
from processors.annotate.likeness import OLD as LONG_AGO
from processors.annotate.likeness import words as weighed
from processors.annotate.parties import REBELS, across, camp_of, is_state, line_of, parent_of, settle
from processors.annotate.reading import FIRED, LEAST, Candidate, Text, reading
from processors.imagined import imagined
from processors.knowledge import load, wrong
from processors.records import (
    HOSTILE,
    LEARNED,
    RECONCILING,
    Attribution,
    Document,
    Event,
    Field,
    Kind,
    Modality,
    Party,
    Polarity,
    Role,
    digest,
    learned,
)
from processors.sentences import sentences

LIKELY = 0.35
"""How likely a text must tell, all its sentences taken together, what no frame found. Of .25 to .4, F1 over 600
labelled texts is alike up to .35, where precision is highest, and a point lower at .4."""

DEAL = 0.4
"""The same for what reconciles: with .35 a labelled refusal raises an alert, with .45 one alert in fifty is lost."""

UNNAMED = 0.5
"""The same where the sentence that is surest of it does not name the groups: of .35, .5 and .6 the most precise at the
same F1."""

PARTED = 0.65
"""The same for a split and a merger, which words alone tell worst: of 500 labelled texts 13 of 42 splits told from here
on are right, 20 of 75 from .35 on, and F1 of events is highest from .65 to .8."""

TOGETHER: frozenset[Kind] = frozenset({"truce", "pact", "merger", "cooperation", "coalition", "negotiation"})
"""What more than two groups do as one."""

POINTERS = frozenset(("pair", "rival", "self"))
"""The lists of words by which a sentence without names means groups that were named."""


AGAINST = HOSTILE - {"defection"}
"""What sets two groups against each other: men who leave one for the other may do so in peace."""

NO = frozenset({"kind:refusal", "kind:ultimatum"})
"""The cues beside which words alone tell of no reconciliation: of clashes and refusals that raised an alert by their
words half held one."""

OF_KIN: frozenset[Kind] = frozenset({"pledge", "split", "merger", "defection", "refusal"})
"""What may be told by its words of a group and its own branch, which are mostly named side by side."""

SPOKEN: frozenset[Kind] = frozenset({"negotiation", "refusal", "ultimatum", "truce", "pact", "swap"})
"""What an envoy can do for the group that sent it."""

CUES, RELATIONS, TURNS = range(3)
"""The stages in which `lexicon` gives a file's phrases: what happens, who stands how, what turns it."""

DENIED_WITHIN = 2
"""Sentences behind a deal in which it is denied without being named: the next, or the one after who is quoted."""

CLOSE = 3
"""Words that may stand between a negation and the denial that it turns round: "did not in any way deny"."""

FIGHT_DENIED = 3
"""Words from a word of fighting within which a negation denies it: further off it denies what is said of the fight, as
in "would not be drawn into the war between them". Of 1 to 7, F1 of events is highest from 1 to 3."""

OLD = 180
"""Days after which what a sentence dates is looked back on: half a year, about the life of a local truce."""


def events(document: Document) -> tuple[Event, ...]:
    """Give the events of the document's title and text, in order, each with the sentence that says so."""
    return _read(document, _Context())


def explain(document: Document) -> tuple[Explained, ...]:
    """Give for each event of the document how it was found: clause, cue, layout, names and what turned it."""
    context = _Context(trace=[])
    kept = {event.id: event for event in _read(document, context)}
    named = named_in(document)
    told: dict[str, Explained] = {}
    for event, line, found in context.trace or ():
        if event.id in kept and event.id not in told:
            told[event.id] = reader_of(document.language).explained(kept[event.id], line, found, named[event.field])
    return tuple(told.values())


def _read(document: Document, context: _Context) -> tuple[Event, ...]:
    found = _framed(document, context)
    for event in _weighed(_likely(document, context), tuple(found.values())):
        found.setdefault(event.id, event)
    if not found:
        return ()
    told = _settled(_happened(document, found.values()))
    if told and reader_of(document.language).looks_back(document):
        return tuple(replace(event, modality="looking-back") if _undated(event, document) else event for event in told)
    return told


def _framed(document: Document, context: _Context, named: Named | None = None) -> dict[str, Event]:
    """Give by their ids the events that frames find, and leave what else the text may tell in the context."""
    if document.language not in LANGUAGES:
        return {}
    named = named or named_in(document)
    actors = {mention.actor for inside in named.values() for mention in inside}
    # One group alone does nothing with or against another; with a state about, unnamed rebels may make a truce with it.
    if len(actors) < 2 and not any(is_state(actor) for actor in actors):
        return {}
    reader = reader_of(document.language)
    context.topic = _topic(named["title"], named["text"])
    found: dict[str, Event] = {}
    for name, inside in named.items():
        for event in reader.read(document, name, inside, context):
            found.setdefault(event.id, event)
    told = {(_parties(event), event.kind) for event in found.values()}
    context.candidates = tuple(context.gathered.candidates(told, frozenset(map(line_of, context.topic))))
    return found


def candidates(document: Document, *, named: Named, likeness: Likeness) -> tuple[Candidate[_Place], ...]:
    """Give what the text may tell besides what frames find, from which `reading` learns what is right.

    ``named`` are its groups beside those that the aliases find, ``likeness`` the weights to judge by.
    """
    context = _Context(likeness=likeness)
    _framed(document, context, {field: beside(named[field], found) for field, found in named_in(document).items()})
    return context.candidates


def _least(kind: Kind, *, named: bool) -> float:
    if kind in ("split", "merger"):
        return PARTED
    if not named:
        return UNNAMED
    return DEAL if kind in RECONCILING else LIKELY


def _likely(document: Document, context: _Context) -> Iterator[tuple[float, Event]]:
    """Give what the text tells by its words, its sentences taken together, each with how likely that is."""
    weights = reading()
    likely = [
        (chance, one)
        for one in context.candidates
        # A sentence that does not name them must tell it first of all.
        if (one.place.here or one.features["fired"])
        and (chance := weights.chance(one.features)) >= _least(one.kind, named=one.place.here)
    ]
    for chance, one in likely:
        joined = any(one.parties < other.parties and one.kind == other.kind for _, other in likely)
        event = None if joined else reader_of(document.language).guessed(document, one.place, chance, context)
        if event is not None:
            yield chance, event


def _weighed(guesses: Iterable[tuple[float, Event]], found: Collection[Event]) -> Iterator[Event]:
    """Give of what was told by its words the surest sentence a kind and pair, where no frame told the same."""
    told = {(event.kind, _parties(event)) for event in found}
    contacts = {_families(event) for event in found if event.kind in RECONCILING and event.polarity == "affirmed"}
    turned_down = {_families(event) for event in found if event.kind == "refusal" and event.modality != "looking-back"}
    broken = {_families(event) for event in found if event.kind == "split" and event.modality != "looking-back"}
    for _, event in sorted(guesses, key=lambda guess: -guess[0]):
        unsure = event.polarity == "denied" or event.modality == "speculated" or event.kind == "negotiation"
        if _families(event) in contacts and (event.kind == "refusal" or (unsure and event.kind in RECONCILING)):
            # "This is no merger", of a truce that a frame found: the frame is surer of what the text reports.
            continue
        old = event.modality == "looking-back"
        if event.kind in RECONCILING and not old and any(_families(event) <= parties for parties in turned_down):
            # What was offered and turned down: the words of the offer are told as well.
            continue
        if event.kind == "truce" and not old and _families(event) in broken:
            # "The truce held for a day": that it broke is what is told.
            continue
        if event.kind == "refusal":
            turned_down.add(_families(event))
        if event.kind == "split":
            broken.add(_families(event))
        if (event.kind, _parties(event)) not in told:
            told.add((event.kind, _parties(event)))
            yield event


def _parties(event: Event) -> frozenset[str]:
    return frozenset(line_of(party.actor) for party in event.parties)


def _families(event: Event) -> frozenset[str]:
    """Give the parties with each branch under its parent: a deal of al-Qaeda's branch is also told as al-Qaeda's."""
    return frozenset(parent_of(party.actor) or line_of(party.actor) for party in event.parties)


_DEALING: frozenset[Kind] = frozenset({"truce", "pact", "negotiation", "government-truce"})
_JOINED: frozenset[Kind] = frozenset({"cooperation", "coalition", "merger"})
_JOINING: frozenset[Kind] = frozenset({"pledge", "defection"})


def _akin(one: Kind, other: Kind) -> bool:
    """Tell whether the two kinds are told in much the same words, so that one sentence means one of them."""
    return one == other or {one, other} <= _DEALING or {one, other} <= _JOINED or {one, other} <= _JOINING


def _joint(guesses: Mapping[tuple[str, str], Guess]) -> Iterator[tuple[tuple[str, ...], Guess]]:
    """Give three or more groups of which each two do the same: they are parties of one event."""
    kinds: dict[Kind, list[tuple[str, str]]] = {}
    for pair, guess in guesses.items():
        kinds.setdefault(guess.kind, []).append(pair)
    for kind, pairs in kinds.items():
        actors = tuple(dict.fromkeys(actor for pair in pairs for actor in pair))
        if kind in TOGETHER and len(actors) > 2 and len(pairs) == len(actors) * (len(actors) - 1) // 2:
            yield actors, min((guesses[pair] for pair in pairs), key=lambda guess: guess.share)


HEADLINE_WEIGHT, LEAD_WEIGHT = 3, 2
"""What a name in the headline, and one among the first words of the text, weighs beside one further down."""

LEAD = 400
"""Characters of a lead: two sentences of a wire."""

MINOR = 0.5
"""A third group that is named at most half as often as the second is no matter of the text."""


def _topic(title: Sequence[Mention], text: Sequence[Mention]) -> tuple[str, ...]:
    """Give the two groups that the text is about, by how often and where it names them; none where a state is more."""
    weights: Counter[str] = Counter()
    names: dict[str, str] = {}
    for mention, weight in (
        *((mention, HEADLINE_WEIGHT) for mention in title),
        *((mention, LEAD_WEIGHT if mention.start < LEAD else 1) for mention in text),
    ):
        if not mention.adjectival:
            line = line_of(mention.actor)
            names.setdefault(line, mention.actor)
            weights[line] += weight
    ranked = [(names[line], weight) for line, weight in weights.most_common()]
    groups = [(actor, weight) for actor, weight in ranked if not is_state(actor)]
    if len(groups) < 2 or (len(groups) > 2 and groups[2][1] > MINOR * groups[1][1]):
        return ()
    if any(is_state(actor) and weight > groups[1][1] for actor, weight in ranked):
        return ()
    return groups[0][0], groups[1][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """How an event was found, for a person who disagrees and wants to change the line that did it."""

    event: Event
    clause: str
    """The clause in which the cue stands."""
    file: Path
    frame: int
    """Row of the frame in the file's list; of an event told by its words the line of the nearest example."""
    cue: str
    """The phrase as the file writes it."""
    words: str
    """What it matched."""
    layout: str
    names: tuple[tuple[str, str], ...]
    """Each party's actor and how the sentence names it; empty where an earlier sentence or a pronoun does."""
    marks: tuple[tuple[str, str], ...]
    """What the file lists (negation, deny, hedge, past …) and the words that matched, near the event."""


def _happened(document: Document, found: Iterable[Event]) -> tuple[Event, ...]:
    """Leave out what happens in imagined passages; under a headline that imagines, what has neither day nor source."""
    scenes = imagined(document.title, document.text, document.language)
    return tuple(
        event
        for event in found
        if not scenes.holds(event.field, event.start)
        and not (
            scenes.title
            and event.date is None
            # Groups that speak of themselves do so within the scene.
            and (event.attribution is None or any(event.attribution.actor == party.actor for party in event.parties))
        )
    )


_COVERED: Mapping[Kind, frozenset[Kind]] = {
    "negotiation": frozenset({"truce", "pact", "merger", "pledge", "swap"}),
    "pact": frozenset({"merger", "pledge"}),
    "coalition": frozenset({"merger"}),
}
"""The kinds that end what a kind begins: a meeting of which a truce came is told as the truce."""

SPONSORS = frozenset({"usa", "russia", "iran", "turkey", "us-coalition"})
"""States that broker the truces of others."""


def _settled(found: Sequence[Event]) -> tuple[Event, ...]:
    """Read the events of a text together: what ends a meeting covers it, and who fight each other are no allies."""
    kinds: dict[tuple[frozenset[str], Polarity, bool], set[Kind]] = {}
    made: dict[frozenset[str], set[Kind]] = {}
    fought = set()
    for event in found:
        pair = frozenset(party.actor for party in event.parties)
        kinds.setdefault((pair, event.polarity, event.modality in _TOLD), set()).add(event.kind)
        if event.polarity == "affirmed":
            made.setdefault(pair, set()).add(event.kind)
            if event.kind in ("clash", "truce", "swap", "split"):
                fought.add(pair)
    refused = {
        _families(event)
        for event in found
        if event.kind == "refusal" and event.polarity == "affirmed" and event.modality in _TOLD
    }
    told: list[Event] = []
    for event in found:
        pair = frozenset(party.actor for party in event.parties)
        # What may come covers no meeting that was held, nor does what once was.
        same = kinds[pair, event.polarity, event.modality in _TOLD]
        if event.kind == "coalition" and event.rule.rpartition(":")[2] in _DEALS and pair in fought:
            event = replace(event, kind="pact")
        if not _COVERED.get(event.kind, frozenset()).isdisjoint(same):
            continue
        if event.kind == "negotiation" and event.polarity == "affirmed" and _families(event) in refused:
            # What was offered and turned down is told as the refusal.
            continue
        if event.kind == "pact" and event.polarity == "denied" and "truce" in made.get(pair, ()):
            # "There is no agreement": none of the kind that the text tells of.
            event = replace(event, kind="truce")
        if event.kind == "government-truce":
            own = tuple(party for party in event.parties if party.actor not in SPONSORS)
            # Without another state it is the sponsor's own truce.
            if any(is_state(party.actor) for party in own):
                event = replace(event, parties=own)
        told.append(event)
    # One whose parties nobody names says nothing beside one whose are.
    named = any(event.kind == "government-truce" and event.parties for event in told)
    return tuple(event for event in told if event.parties or not named)


_DEALS = ("pact", "pact-plain")
_TOLD = ("stated", "attributed")


def _undated(event: Event, document: Document) -> bool:
    """Tell whether the sentence gives no day of the last half year, which a text that looks back would need."""
    return (
        event.date is None
        or document.published_at is None
        or (document.published_at.date() - event.date).days > OLD
        or event.field == "title"
    )


@dataclass(slots=True)
class _Group:
    """One or more joined parties, and how they are linked to what stands around them."""

    actors: list[str]
    start: int
    end: int
    clause: int
    link: str = ""
    linked_at: int = -1
    """The word with which the link ends; -1 where the name's ending or nothing says it."""
    possessive: bool = False
    taken: bool = False
    """The object of an earlier cue, so no subject of a later one."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A sentence that reminds of a kind, and of whom."""

    name: Field
    line: _Line
    named: Sequence[Mention]
    weighing: Weighing
    guess: Guess
    kind: Kind
    parties: tuple[tuple[str, Role], ...]
    here: bool
    """It names them."""


@dataclass(slots=True)
class _Context:
    """What earlier sentences spoke of: their groups, latest last, and whether a state was among them."""

    pairs: list[tuple[str, ...]] = field(default_factory=list)
    states: dict[str, None] = field(default_factory=dict)
    subject: str = ""
    topic: tuple[str, ...] = ()
    """The two groups that the whole text is about; empty where it is about one, or about many."""

    trace: list[tuple[Event, _Line, _Found]] | None = None
    """Takes down how each event was found, where somebody asks."""

    likeness: Likeness | None = None
    """The weights of words to judge by, where not those of the language."""

    gathered: Text[_Place] = field(default_factory=Text)
    """What sentences remind of by their words."""

    candidates: tuple[Candidate[_Place], ...] = ()
    """What of it the text may tell besides what frames found."""

    deals: list[tuple[str, ...]] = field(default_factory=list)
    """The two parties of a deal or talks in each of the last sentences, nothing where there was none."""

    reported: tuple[Event, _Found] | None = None
    """The deal affirmed last, which one of the next sentences may deny without naming it."""

    since_reported: int = 0
    """Sentences since."""

    governed: bool = False
    """Whether the deal told last is one with a state."""

    def deal(self) -> tuple[str, ...]:
        """Give the parties of the deal told last, if within three sentences."""
        return next((pair for pair in reversed(self.deals[-3:]) if pair), ())

    def pair(self) -> tuple[str, ...]:
        """Give the two groups that "the two" can only mean, or nothing."""
        seen: dict[str, None] = {}
        # Two sentences back: further away a reader would not understand "the two" either.
        for actors in reversed(self.pairs[-2:]):
            seen.update(dict.fromkeys(actors))
            if len(seen) >= 2:
                break
        return tuple(seen) if len(seen) == 2 else ()


@dataclass(slots=True)
class _Line:
    """One sentence being read: its words, marks, clauses and groups."""

    text: str
    start: int
    end: int
    spans: Sequence[tuple[int, int]]
    ids: Sequence[tuple[int, ...]]
    numbers: Collection[int]
    """The elements of phrases that any of the words is."""
    marks: dict[str, list[Mark]] = field(default_factory=dict)
    stage: int = 0
    """The stage of phrases to be found next."""
    clauses: list[int] = field(default_factory=list)
    relative: set[int] = field(default_factory=set)
    resumes: dict[int, int] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)
    loose: list[Mention] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    """Groups on whose behalf others speak."""
    told: set[int] = field(default_factory=set)
    """The clauses that hold events: a date in one of them is that event's."""

    def gap(self, left: int) -> str:
        """Give the characters between this word and the next."""
        return self.text[self.spans[left][1] : self.spans[left + 1][0]] if left + 1 < len(self.spans) else ""

    def has(self, mark: str, start: int, end: int) -> bool:
        return any(start <= found.start < end for found in self.marks.get(mark, ()))


def _asks(line: _Line) -> bool:
    return line.text[line.start : line.end].rstrip(_CLOSING).endswith(("?", "؟"))


@dataclass(slots=True)
class _Found:
    kind: Kind
    parties: tuple[tuple[str, Role], ...]
    frame: Frame
    start: int
    end: int
    layout: str = ""
    """How the parties stand around the cue, as the file writes it; empty where the context gives them."""
    words: str = ""
    """What weighed most, where no frame found the event."""


@cache
def reader_of(language: str) -> Reader:
    """Give the reader of one of `LANGUAGES`, made once."""
    return Reader(FOLDER / f"{language}.yml", places())


def _list_of(phrase: Phrase) -> str:
    return f"frame {phrase.value}" if phrase.mark in ("frame", "unless") else phrase.mark


_HERE = Layout((), "", (), "", "the sentence's only two groups")
_APART = Layout((), "", (), "", "the sentence's only two groups, named apart")
_TOPIC = Layout((), "", (), "", "the two groups that the text is about")

_BEFORE = "what a sentence before this one tells"

LOOSE = frozenset((_HERE.text, _APART.text, _TOPIC.text))
"""Where no layout says how the parties stand around the cue."""

_TURNING = ("negation", "deny", "hedge", "hearsay", "past", "exceptions", "excluded", "say", "according")
"""The lists whose words decide on polarity and modality, or take a party out."""


class Reader:
    """Reads one language's sentences with its cues."""

    def __init__(self, path: Path, places: Places) -> None:
        self.path = path
        cues = self.cues = load(path, Cues)
        if cues.language != path.stem:
            raise wrong(path, ["language"], f"expected {path.stem!r}, the name of the file, got {cues.language!r}")
        self.lexicon = Lexicon(cues)
        self.sizes = {**dict.fromkeys(places.provinces, 1), **dict.fromkeys(places.countries, 2)}
        self.word = FRENCH_WORD if cues.language == "fr" else WORD
        for mark in MARKED:
            for number, phrase in enumerate(getattr(cues, mark)):
                self._add(mark, "", phrase, mark, number)
        for side, table in (("link", cues.links), ("link_after", cues.links_after)):
            for link, phrases in table.items():
                for number, phrase in enumerate(phrases):
                    self._add(side, link, phrase, "links" if side == "link" else "links_after", link, number)
        self.order: dict[str, int] = {}
        self.frames: dict[str, Frame] = {}
        self.layouts: dict[str, list[Layout]] = {}
        for row, frame in enumerate(cues.frames):
            if frame.id in self.frames:
                raise wrong(path, ["frames", row, "id"], f"{frame.id} is taken; expected one frame an id")
            self.order[frame.id] = row
            self.frames[frame.id] = frame
            self.layouts[frame.id] = []
            for number, layout in enumerate(frame.parties):
                try:
                    self.layouts[frame.id].append(layout_of(layout))
                except ValueError as error:
                    raise wrong(path, ["frames", row, "parties", number], str(error)) from None
            for number, phrase in enumerate(frame.cue):
                self._add("frame", frame.id, phrase, "frames", row, "cue", number)
            for number, phrase in enumerate(frame.unless):
                self._add("unless", frame.id, phrase, "frames", row, "unless", number)
        # The words that begin a cue: a sentence without one is not read further.
        self.cue_elements = frozenset(
            element
            for element, phrases in self.lexicon.triggers[0].items()
            if any(phrase.mark == "frame" for phrase in phrases)
        )
        lone = {frame.id for frame in cues.frames if frame.kind in ("truce", "government-truce")}
        lone |= {id for id, layouts in self.layouts.items() if any(layout.context for layout in layouts)}
        lone |= {frame.id for frame in cues.frames if frame.reach == "text"}
        # The words that begin a cue or a pronoun by which fewer than two names in a sentence can be enough.
        self.lone_elements = frozenset(
            element
            for stage in self.lexicon.triggers[:2]
            for element, phrases in stage.items()
            if any(p.value in lone or p.mark in ("pair", "rival", "self", "rebels") for p in phrases)
        )
        self.denial_elements = frozenset(
            element
            for element, phrases in self.lexicon.triggers[TURNS].items()
            if any(phrase.mark == "deny" for phrase in phrases)
        )
        # The words that begin a cue for which what the text is about is enough.
        about = {frame.id for frame in cues.frames if frame.reach == "text"}
        self.about_elements = self.lone_elements | {
            element
            for element, phrases in self.lexicon.triggers[0].items()
            if any(p.mark == "frame" and p.value in about for p in phrases)
        }
        calendar = cues.calendar
        for kind, key, days in (
            ("month", "months", calendar.months),
            ("weekday", "weekdays", calendar.weekdays),
            ("relative", "relative", calendar.relative),
            ("number", "numbers", calendar.numbers),
            ("unit", "units", calendar.units),
        ):
            for phrase, amount in days.items():
                self._add(kind, str(amount), phrase, "calendar", key, phrase)
        for key, phrases in (("ago", calendar.ago), ("since", calendar.since), ("until", calendar.until)):
            for number, phrase in enumerate(phrases):
                self._add(key, "", phrase, "calendar", key, number)
        for place, names in places.places.items():
            for phrase in names.get(cues.language, ()):
                try:
                    self.lexicon.add("place", place, phrase)
                except ValueError as error:
                    raise wrong(FOLDER / "places.yml", ["places", place, cues.language], str(error)) from None

    def _add(self, mark: str, value: str, phrase: str, *location: str | int) -> None:
        try:
            self.lexicon.add(mark, value, phrase)
        except ValueError as error:
            raise wrong(self.path, location, str(error)) from None

    def phrases(self) -> list[tuple[str, str]]:
        """Give all phrases of the file with the list, or ``frame <id>``, that they stand in."""
        return list(dict.fromkeys((_list_of(phrase), phrase.text) for phrase in self.lexicon.phrases()))

    def matched(self, text: str) -> set[tuple[str, str]]:
        """Give the phrases that match anywhere in the text, in the form of `phrases`."""
        ids = [self.lexicon.look_up(text[start:end]) for start, end in (m.span() for m in self.word.finditer(text))]
        return {(_list_of(phrase), phrase.text) for phrase in self.lexicon.matched(ids)}

    def explained(self, event: Event, line: _Line, found: _Found, named: Sequence[Mention]) -> Explained:
        """Put into words of the files how one event was found."""
        cue = Mark(found.start, found.end, found.frame.id)
        clause = [at for at, number in enumerate(line.clauses) if number == line.clauses[found.start]]
        if learned(event.rule):
            path = EXAMPLES / f"{self.cues.language}.txt"
            near = nearest(path, self.cues.language, event.kind, line.text[line.start : line.end])
            file, row, said, words = path, near.line, near.text, found.words
        else:
            file, row = self.path, self.order[found.frame.id]
            before = found.layout == _BEFORE
            phrase = self.lexicon.phrase(
                cue._replace(value="") if before else cue, "deny" if before else "frame", line.ids
            )
            said = phrase.text if phrase is not None else ""
            words = self._words_of(line, found.start, found.end)
        inside = [m for m in named if line.start <= m.start < line.end]
        return Explained(
            event=event,
            clause=self._words_of(line, clause[0], clause[-1] + 1),
            file=file,
            frame=row,
            cue=said,
            words=words,
            layout=found.layout,
            names=tuple(
                (
                    party.actor,
                    next((line.text[m.start : m.end] for m in inside if m.actor == party.actor), ""),
                )
                for party in event.parties
            ),
            marks=tuple(
                (kind, self._words_of(line, mark.start, mark.end))
                for kind in _TURNING
                for mark in line.marks.get(kind, ())
            ),
        )

    def _words_of(self, line: _Line, first: int, last: int) -> str:
        return line.text[line.spans[first][0] : line.spans[last - 1][1]]

    def looks_back(self, document: Document) -> bool:
        """Tell whether the headline says that the text is about the past: in words, or by an old day and no new one."""
        line = self._line(document.title)
        self._mark(line, TURNS)
        if "retrospect" in line.marks:
            return True
        published = document.published_at.date() if document.published_at else None
        if published is None:
            return False
        days = [(published - day).days for _, day in self._dates(line, published)]
        return bool(days) and min(days) > OLD

    def read(self, document: Document, name: Field, named: Sequence[Mention], context: _Context) -> Iterator[Event]:
        text = document.title if name == "title" else document.text
        # Nobody is named, so nothing can have happened between two groups.
        if not named and not context.pairs and not context.states and not context.topic:
            return
        words = [match.span() for match in self.word.finditer(text)]
        look_up = self.lexicon.look_up
        ids = [look_up(text[start:end]) for start, end in words]
        starts = [start for start, _ in words]
        offsets = [mention.start for mention in named]
        cue_elements = self.cue_elements
        lone_elements = self.about_elements if context.topic else self.lone_elements
        for start, end in sentences(text, document.language):
            first, last = bisect_left(starts, start), bisect_left(starts, end)
            inside = named[bisect_left(offsets, start) : bisect_left(offsets, end)]
            if inside or context.states or context.pairs or context.topic:
                numbers = numbers_of(ids[first:last])
                line = _Line(text, start, end, words[first:last], ids[first:last], numbers)
                enough = len({mention.actor for mention in inside}) > 1 or not lone_elements.isdisjoint(numbers)
                told: list[tuple[Event, str]] = []
                if enough and not cue_elements.isdisjoint(numbers):
                    told += self._events(document, name, line, inside, context)
                if not told and (denial := self._denied(document, name, line, inside, context)):
                    told.append(denial)
                yield from (event for event, _ in told)
                self._weigh(name, line, inside, context, told)
            self._remember(inside, context)

    def _remember(self, named: Sequence[Mention], context: _Context) -> None:
        groups = dict.fromkeys(m.actor for m in named if not m.adjectival and not is_state(m.actor))
        if groups:
            context.pairs.append(tuple(groups))
            del context.pairs[:-3]
            context.subject = next(iter(groups))
        for mention in named:
            if is_state(mention.actor):
                context.states[mention.actor] = None

    def _events(
        self,
        document: Document,
        name: Field,
        line: _Line,
        named: Sequence[Mention],
        context: _Context,
    ) -> Iterator[tuple[Event, str]]:
        """Read one sentence, no further than it holds a cue, and a cue its parties; give each event's layout too."""
        self._mark(line, CUES)
        if "frame" not in line.marks:
            return
        self._part(line, named, context)
        found = self._found(line, context)
        if found:
            self._mark(line, TURNS)
            line.told = {line.clauses[one.start] for one in found}
            deals = [one.parties for one in found if one.kind in RECONCILING and len(one.parties) == 2]
            context.deals.append(tuple(actor for actor, _ in deals[-1]) if deals else ())
            for one in found:
                event = self._event(document, name, line, one)
                if event.kind in HOSTILE and event.polarity == "denied" and "deny" not in line.marks:
                    # "Has not attacked since March" tells of no fight, and no report of one is denied.
                    continue
                if context.trace is not None:
                    context.trace.append((event, line, one))
                if event.kind in _DEALING:
                    context.governed = event.kind == "government-truce"
                if event.kind in RECONCILING and event.polarity == "affirmed" and event.modality != "looking-back":
                    context.reported, context.since_reported = (event, one), 0
                yield event, one.layout

    def _denied(
        self, document: Document, name: Field, line: _Line, named: Sequence[Mention], context: _Context
    ) -> tuple[Event, str] | None:
        """Give the denial of the deal that one of the sentences before told: "Both groups denied it."."""
        if context.reported is None:
            return None
        context.since_reported += 1
        if context.since_reported > DENIED_WITHIN or self.denial_elements.isdisjoint(line.numbers):
            return None
        reported, how = context.reported
        families = _families(reported)
        if any((parent_of(m.actor) or line_of(m.actor)) not in families for m in named if not m.adjectival):
            return None
        self._part(line, named, context)
        self._mark(line, TURNS)
        denial = next(iter(line.marks.get("deny", ())), None)
        others = {self.frames[mark.value].kind for mark in line.marks.get("frame", ())}
        if denial is None or not all(_akin(kind, reported.kind) for kind in others):
            return None
        if any(denial.start - 5 <= mark.start < denial.start for mark in line.marks.get("negation", ())):
            # "Neither confirmed nor denied".
            return None
        found = _Found(reported.kind, how.parties, how.frame, denial.start, denial.end, _BEFORE)
        event = replace(self._event(document, name, line, found), polarity="denied")
        if context.trace is not None:
            context.trace.append((event, line, found))
        context.reported = None
        return event, found.layout

    def seen(self, text: str, named: Sequence[Mention]) -> tuple[list[Word], list[str]]:
        """Give what is weighed of a whole text: its words and the cues and marks in it."""
        return self._given(self._line(text), named)

    def _given(self, line: _Line, named: Sequence[Mention]) -> tuple[list[Word], list[str]]:
        """Give what is weighed of a sentence: its words, each cue by its frame and kind, and each mark by its list."""
        self._mark(line, TURNS)
        cues = {mark.value for mark in line.marks.get("frame", ())}
        kinds = {self.frames[id].kind for id in cues}
        lists = [f"list:{mark}" for mark in MARKS if mark in line.marks]
        given = [*sorted(f"frame:{id}" for id in cues), *sorted(f"kind:{kind}" for kind in kinds), *lists]
        return weighed(line.spans, line.text, named, self.cues.language), given

    def _line(self, text: str) -> _Line:
        """Give a whole text as one sentence."""
        spans = [match.span() for match in self.word.finditer(text)]
        ids = [self.lexicon.look_up(text[start:end]) for start, end in spans]
        return _Line(text, 0, len(text), spans, ids, numbers_of(ids))

    def _weigh(
        self,
        name: Field,
        line: _Line,
        named: Sequence[Mention],
        context: _Context,
        told: Sequence[tuple[Event, str]],
    ) -> None:
        """Keep what a sentence tells by its words, besides what frames found, of its groups or those of the text."""
        pairs, lines, here = self._pairs(named, context)
        known = [(_parties(event), event.kind) for event, _ in told]
        sure = [(_parties(event), event.kind) for event, layout in told if layout not in LOOSE]
        pairs = [pair for pair in pairs if not all(map(is_state, pair))]
        if not pairs:
            return
        if _asks(line):
            # Whoever asks tells nothing.
            return
        seen, given = self._given(line, named)
        if not here and "elsewhere" in line.marks:
            # Others act here, in a text about the two.
            return
        given.append("named" if here else "about")
        likeness = context.likeness or likeness_of(self.cues.language)
        weighing = likeness.weigh(seen, given)
        # "Turned down the call to pledge" has the words of a pledge, and of what became of it. "The truce there holds":
        # whose truce a text about the two does not say.
        deals = NO.isdisjoint(given) and (bool(named) or not POINTERS.isdisjoint(line.marks))
        allowed: list[tuple[tuple[str, str], int, Guess]] = []
        for one, other in pairs:
            if camp_of(one) == camp_of(other) == "kurdish":
                # Parts of one movement, which outlets name side by side.
                continue
            akin = parent_of(lines[one]) == lines[other] or parent_of(lines[other]) == lines[one]
            for rank, guess in weighing.guesses(frozenset((one, other)), LEAST):
                kind = guess.kind
                if kind == "clash" and not here and context.states:
                    # As likely as not the state is whom they fight.
                    continue
                if akin and kind not in OF_KIN:
                    continue
                if any(_akin(kind, framed) and not actors.isdisjoint((one, other)) for actors, framed in known):
                    # A frame has found whose truce it is.
                    continue
                if any(actors == {one, other} and (framed in AGAINST) != (kind in AGAINST) for actors, framed in sure):
                    # "Captured three villages from": how the two stand is said, whatever the words remind of.
                    continue
                if kind in RECONCILING and not deals:
                    continue
                allowed.append(((one, other), rank, guess))
        context.gathered.sentences += len(pairs)
        fired = {pair: guess for pair, rank, guess in allowed if not rank and guess.share >= FIRED}
        joint = tuple(_joint(fired))
        together = {(pair, guess.kind) for actors, guess in joint for pair in combinations(actors, 2)}
        told_here = [
            *((actors, 0, guess, True) for actors, guess in joint),
            *(
                (pair, rank, guess, fired.get(pair) == guess and (pair, guess.kind) not in together)
                for pair, rank, guess in allowed
            ),
        ]
        for actors, rank, guess, is_told in told_here:
            settled = settle(guess.kind, (), (), [lines[actor] for actor in actors])
            if settled is None:
                continue
            kind, parties = settled
            context.gathered.of(frozenset(line_of(actor) for actor, _ in parties), kind).add(
                guess,
                rank,
                _Place(name, line, named, weighing, guess, kind, parties, here),
                here=here,
                title=name == "title",
                cue=f"kind:{guess.kind}" in given,
                fired=is_told,
            )

    def _pairs(self, named: Sequence[Mention], context: _Context) -> tuple[list[tuple[str, str]], dict[str, str], bool]:
        """Give the pairs to weigh by their first names, the actor of each here, and whether the sentence names them."""
        lines: dict[str, str] = {}
        for mention in named:
            if not mention.adjectival:
                lines.setdefault(line_of(mention.actor), mention.actor)
        if len(lines) >= 2:
            return list(combinations(lines, 2)), lines, True
        about = context.topic or context.pair()
        first = next(iter(lines), "")
        if len(about) == 2 and (not lines or first in map(line_of, about)):
            one, other = map(line_of, about)
            if one != other:
                return [(one, other)], {one: about[0], other: about[1]}, False
        return [], {}, False

    def guessed(self, document: Document, place: _Place, chance: float, context: _Context) -> Event | None:
        """Give the event that a text tells by its words, said by whom, where and when as for one that a frame found.

        None where the sentence leaves one of its groups out of it.
        """
        line, guess = place.line, place.guess
        self._part(line, place.named, context)
        if any(actor in line.excluded for actor, _ in place.parties):
            return None
        cue = next(
            (mark for mark in line.marks.get("frame", ()) if self.frames[mark.value].kind == guess.kind),
            Mark(0, 1, ""),
        )
        frame = Frame(id=f"{place.kind}{LEARNED}", kind=place.kind, cue=(), parties=())
        layout = (
            f"none: its words have {guess.share:.0%} of their weight here, and the whole text makes it {chance:.0%}"
        )
        words = ", ".join(place.weighing.heaviest(guess)) if context.trace is not None else ""
        found = _Found(place.kind, place.parties, frame, cue.start, cue.end, layout, words)
        line.told = {line.clauses[cue.start]}
        event = self._event(document, place.name, line, found)
        modality = event.modality
        if LONG_AGO in guess.turns:
            modality = "looking-back"
        elif SUPPOSED in guess.turns and modality != "looking-back":
            modality = "speculated"
        event = replace(event, modality=modality, polarity="denied" if DENIED in guess.turns else event.polarity)
        if event.kind in HOSTILE and event.polarity == "denied":
            return None
        if context.trace is not None:
            context.trace.append((event, line, found))
        return event

    def _mark(self, line: _Line, last: int) -> None:
        """Find the phrases of the stages up to the last asked for, each stage once."""
        while line.stage <= last:
            self._marked(line, line.stage)
            line.stage += 1

    def _marked(self, line: _Line, stage: int) -> None:
        marks = line.marks
        for start, end, phrase in self.lexicon.found(stage, line.ids, line.numbers):
            marks.setdefault(phrase.mark, []).append(Mark(start, end, phrase.value))
        neutral = marks.get("neutral", ())
        if neutral:
            for mark, values in marks.items():
                if mark != "neutral":
                    marks[mark] = [v for v in values if not any(n.start <= v.start and v.end <= n.end for n in neutral)]

    def _part(self, line: _Line, named: Sequence[Mention], context: _Context) -> None:
        """Find the clauses and groups of a sentence, once."""
        if not line.clauses:
            self._mark(line, RELATIONS)
            self._cut(line, named)
            self._group(line, named, context)

    def _cut(self, line: _Line, named: Sequence[Mention]) -> None:
        """Number the clauses: they part at conjunctions, relative pronouns and strong punctuation."""
        breaks = {mark.start for mark in line.marks.get("breaks", ())}
        relatives = {mark.start for mark in line.marks.get("relatives", ())}
        covered = self._covered(line, named)
        # The words after which a comma or a stronger sign stands.
        starts = [start for start, _ in line.spans]
        strong: set[int] = set()
        commas: set[int] = set()
        for sign in _SIGN.finditer(line.text, line.start, line.end):
            at = bisect_left(starts, sign.start())
            (commas if sign[0] in _COMMAS else strong).add(at)
        clause = 0
        opened = -1
        for at in range(len(line.spans)):
            if at and at not in covered:
                if at in relatives:
                    clause += 1
                    line.relative.add(clause)
                    opened = at
                elif at in breaks:
                    clause += 1
                    opened = -1
            if at and at in strong:
                clause += 1
                opened = -1
            elif opened >= 0 and at - opened >= 2 and at in commas:
                clause += 1
                line.resumes[clause] = line.clauses[opened] - 1
                opened = -1
            line.clauses.append(clause)

    def _covered(self, line: _Line, named: Sequence[Mention]) -> set[int]:
        """Give the words inside names: "State" in "Islamic State" is no cue and parts no clause."""
        starts = [start for start, _ in line.spans]
        covered: set[int] = set()
        for mention in named:
            covered.update(range(*self._words(starts, line, mention)))
        return covered

    def _words(self, starts: Sequence[int], line: _Line, mention: Mention) -> tuple[int, int]:
        # A name may begin inside a word, after an Arabic clitic.
        first = max(0, bisect_right(starts, mention.start) - 1)
        return first, max(first + 1, bisect_left(starts, mention.end))

    def _group(self, line: _Line, named: Sequence[Mention], context: _Context) -> None:
        starts = [start for start, _ in line.spans]
        units: list[tuple[int, int, tuple[str, ...], Mention | None]] = []
        for mention in named:
            first, last = self._words(starts, line, mention)
            # "severed ties with al-Qaeda": what the cue is about is a party, though its name follows "ties with".
            cued = any(mark.end in (first - 1, first) for mark in line.marks.get("frame", ()))
            # "held by X, an alliance that includes Y": the town is described, and X then told of.
            cued = cued or any(
                last <= mark.start <= last + 3 and self.frames[mark.value].kind == "coalition"
                for mark in line.marks.get("frame", ())
            )
            about = cued and mention.adjectival and line.text[mention.end : mention.end + 1] not in _HYPHENS
            assailed = self._assailed(line, first, last)
            if not assailed and ((mention.adjectival and not about) or self._belongs(line, first, last, mention)):
                line.loose.append(mention)
                continue
            units.append((first, last, (mention.actor,), mention))
        covered = self._covered(line, named)
        for mark in line.marks.get("rebels", ()):
            if covered.isdisjoint(range(mark.start, mark.end)):
                units.append((mark.start, mark.end, (REBELS,), None))
        units += self._pronouns(line, units, context)
        units.sort(key=lambda unit: unit[:2])
        units = self._without_senders(line, units)
        excluded_from = min((mark.end for mark in line.marks.get("exceptions", ())), default=len(starts) + 1)
        for first, last, actors, found in units:
            if found is not None and (
                (first >= excluded_from and self._excepted(line, first))
                or any(
                    last <= mark.start and line.clauses[mark.start] == line.clauses[first]
                    for mark in line.marks.get("excluded", ())
                )
            ):
                line.excluded.extend(actors)
                continue
            group = line.groups[-1] if line.groups else None
            if group is not None:
                joined = self._joined(line, group, first)
                if joined == "join" and self.cues.suffixes and not self._together(line, group, first, last, found):
                    joined = ""
                if joined == "alias":
                    line.loose.extend([found] if found else [])
                    group.end = last
                    continue
                if joined == "join":
                    group.actors.extend(actor for actor in actors if actor not in group.actors)
                    group.end = last
                    group.link = group.link or self._ending(line, first, last, found)
                    continue
            group = _Group(list(actors), first, last, line.clauses[first])
            if found is not None:
                tail = line.text[found.end : line.spans[last - 1][1]].lower().replace("’", "'")
                group.possessive = tail in ("'s", "'")
                group.link = self._ending(line, first, last, found)
            line.groups.append(group)
        for number, group in enumerate(line.groups):
            floor = line.groups[number - 1].end if number else 0
            link, at = self._link(line, group, floor)
            if link:
                group.link, group.linked_at = link, at

    def _without_senders(
        self, line: _Line, units: list[tuple[int, int, tuple[str, ...], Mention | None]]
    ) -> list[tuple[int, int, tuple[str, ...], Mention | None]]:
        """Take out the groups for which another of their side speaks: they are parties through their envoy."""
        kept = []
        for first, last, actors, found in units:
            behind = any(
                mark.end <= first and self._filled(line, mark.end, first) for mark in line.marks.get("behalf", ())
            )
            before = any(last <= mark.start <= last + 1 for mark in line.marks.get("behalf_after", ()))
            others = {a for _, _, those, _ in units for a in those if not is_state(a) and a not in actors}
            envoy = any(not across([actors[0], other]) for other in others if other != REBELS)
            if found is not None and envoy and (behind or before):
                line.senders.extend(actors)
                line.loose.append(found)
                continue
            kept.append((first, last, actors, found))
        return kept

    def _assailed(self, line: _Line, first: int, last: int) -> bool:
        """Tell whether the name stands for its stronghold, for which somebody fights in the same clause."""
        if not any(mark.start == last for mark in line.marks.get("assailed", ())):
            return False
        return any(
            mark.end <= first <= mark.end + 6
            and line.clauses[mark.start] == line.clauses[first]
            and self.frames[mark.value].kind == "clash"
            for mark in line.marks.get("frame", ())
        )

    def _belongs(self, line: _Line, first: int, last: int, mention: Mention) -> bool:
        """Tell whether the name says only whose branch, member or town somebody else is."""
        cues = line.marks.get("frame", ())
        for mark in line.marks.get("belongs", ()):
            if any(cue.start <= mark.start < cue.end for cue in cues):
                continue
            if any(said.start <= mark.start < said.end for said in line.marks.get("behalf", ())):
                continue
            if mark.end <= first <= mark.end + 1 and self._filled(line, mark.end, first):
                return True
        # "Al-Qaeda's Syrian arm" is the group itself. "Al-Nusra (Qaeda branch in the Levant)": the branch is no word of
        # the name in front of the bracket.
        return not mention.branch and any(
            last <= mark.start <= last + 1 and "(" not in line.text[line.spans[last - 1][1] : line.spans[mark.start][0]]
            for mark in line.marks.get("belongs_after", ())
        )

    def _filled(self, line: _Line, start: int, end: int) -> bool:
        """Tell whether only words that join, describe or stand for people lie between."""
        at = start
        while at < end:
            step = max(
                (
                    mark.end
                    for sort in ("filler", "people", "joins", "link")
                    for mark in line.marks.get(sort, ())
                    if mark.start == at and mark.end <= end
                ),
                default=-1,
            )
            if step < 0:
                return False
            at = step
        return True

    def _pronouns(
        self, line: _Line, units: Sequence[tuple[int, int, tuple[str, ...], Mention | None]], context: _Context
    ) -> list[tuple[int, int, tuple[str, ...], Mention | None]]:
        found: list[tuple[int, int, tuple[str, ...], Mention | None]] = []
        for mark in line.marks.get("pair", ()):
            here = tuple(dict.fromkeys(a for first, _, actors, _ in units for a in actors if first < mark.start))
            # Beside a state nobody can tell whether it is one of the two.
            alone = not any(actors for _, _, actors, _ in units)
            topic = context.topic if set(here) <= set(context.topic) else ()
            pair = here if len(here) == 2 else topic if here else context.pair() or (context.topic if alone else ())
            if any(is_state(a) or a == REBELS for a in (*pair, *(a for _, _, actors, _ in units for a in actors))):
                pair = ()
            if pair:
                found.append((mark.start, mark.end, pair, None))
        for mark in line.marks.get("rival", ()):
            before = [a for first, _, actors, _ in units if first < mark.start for a in actors]
            pair = context.pair()
            if before and before[-1] in pair:
                found.append((mark.start, mark.end, tuple(a for a in pair if a != before[-1]), None))
        for mark in line.marks.get("self", ()):
            clause = line.clauses[mark.start]
            # A pronoun at the head of a clause takes up whoever the clause before spoke of.
            if mark.start and line.clauses[mark.start - 1] == clause and mark.start - line.clauses.index(clause) > 1:
                continue
            earlier = [actors for first, _, actors, _ in units if first < mark.start and line.clauses[first] < clause]
            loose = [m.actor for m in line.loose if m.start < line.spans[mark.start][0]]
            actors = earlier[-1] if earlier else tuple(loose[-1:]) or ((context.subject,) if context.subject else ())
            if actors:
                found.append((mark.start, mark.end, actors, None))
        return found

    def _excepted(self, line: _Line, first: int) -> bool:
        """Tell whether an exception's phrase governs this name: the nearest stands before it in its clause."""
        return any(
            mark.end <= first and line.clauses[mark.start] == line.clauses[first]
            for mark in line.marks.get("exceptions", ())
        )

    def _joined(self, line: _Line, group: _Group, first: int) -> str:
        gap = line.text[line.spans[group.end - 1][1] : line.spans[first][0]]
        between = range(group.end, first)
        # "Islamic State (IS)", and "Nusra, now called JFS": two names of one group.
        if not between and "(" in gap and ")" not in gap:
            return "alias"
        if any(group.end <= mark.start <= group.end + 1 and mark.end <= first for mark in line.marks.get("alias", ())):
            return "alias" if len(between) <= 8 else ""
        if line.clauses[first] != group.clause or len(between) > 6:
            return ""
        if not between and (
            gap in ("-", "–", "/", " - ", " – ", "—") or set(gap) & _COMMAS or self._conjoined(line, first)
        ):
            return "join"
        if not between and not gap.strip() and self.cues.apposition:
            return "alias"
        if not self._filled(line, group.end, first):
            return ""
        linked = line.has("joins", group.end, first) or set(gap) & _COMMAS or self._conjoined(line, first)
        return "join" if linked else ""

    def _together(self, line: _Line, group: _Group, first: int, last: int, found: Mention | None) -> bool:
        """Tell whether two Turkish names side by side are joined: by a word, or by a comma and the same ending."""
        if line.has("joins", group.end, first):
            return True
        comma = set(line.gap(group.end - 1)) & _COMMAS
        if any(mark.start == last for mark in line.marks.get("link_after", ())):
            return False
        return bool(comma) and not group.link and not self._ending(line, first, last, found)

    def _conjoined(self, line: _Line, first: int) -> bool:
        """Tell whether an Arabic "and" is written together with the word."""
        return self.cues.language == "ar" and line.text[line.spans[first][0]] in "و"

    def _ending(self, line: _Line, first: int, last: int, found: Mention | None) -> str:
        """Give the link that the name's own ending or the letters in front of it say."""
        if found is None:
            return ""
        if self.cues.prefixes:
            front = line.text[line.spans[first][0] : found.start]
            for link, letters in self.cues.prefixes.items():
                if front and front[-1] in letters:
                    return link
        if self.cues.suffixes:
            tail = fold(line.text[found.end : line.spans[last - 1][1]], self.cues.language).lstrip("'")
            if not tail and "'" in (word := fold(line.text[line.spans[last - 1][0] : found.end], "tr")):
                tail = word.rpartition("'")[2]
            for link, endings in self.cues.suffixes.items():
                if tail in endings:
                    return link
        return ""

    def _link(self, line: _Line, group: _Group, floor: int) -> tuple[str, int]:
        """Give the relation in which a group stands: by the words next to it, seen through its people."""
        for mark in line.marks.get("link_after", ()):
            if group.end <= mark.start <= group.end + 2 and self._filled(line, group.end, mark.start):
                return mark.value, -1
        at = group.start
        links = [mark for mark in line.marks.get("link", ()) if floor <= mark.start and mark.end <= at]
        for mark in sorted(links, key=lambda mark: -mark.end):
            if line.clauses[mark.start] != group.clause:
                break
            if not self._filled(line, mark.end, at):
                break
            inner = any(
                people.start < mark.start <= people.end and people.end <= at for people in line.marks.get("people", ())
            )
            if not inner:
                return mark.value, mark.end - 1
        return "", -1

    def _found(self, line: _Line, context: _Context) -> list[_Found]:
        """Find the cues, the longest first where they overlap, and the layout that each one's parties fill."""
        # Of overlapping cues the longest counts, even where it finds no parties: "rejected a truce" holds no truce. Of
        # two on the same words the frame that stands first in the file and finds its parties.
        unless = line.marks.get("unless", ())
        covered = {at for group in line.groups for at in range(group.start, group.end)}
        spans: dict[tuple[int, int], list[Mark]] = {}
        for cue in line.marks.get("frame", ()):
            # "Washington-backed": an adjective is no act.
            if (
                cue.start in covered
                or line.text[line.spans[cue.start][0] - 1] in _HYPHENS
                or any(u.value == cue.value and u.start < cue.end and cue.start < u.end for u in unless)
            ):
                continue
            spans.setdefault((cue.start, cue.end), []).append(cue)
        chosen: list[tuple[int, int]] = []
        used: set[int] = set()
        for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
            if used.isdisjoint(range(start, end)):
                chosen.append((start, end))
                used.update(range(start, end))
        found: list[_Found] = []
        for span in sorted(chosen):
            cues = sorted(spans[span], key=lambda cue: self.order[cue.value])
            # Where the parties stand tells most; only where no frame finds them by that, who is about must do.
            for cue, loose in ((cue, loose) for loose in (False, True) for cue in cues):
                got = self._fill(line, cue, context, loose=loose)
                if got is not None:
                    found.append(got)
                    break
        return _best(found)

    def _fill(self, line: _Line, cue: Mark, context: _Context, *, loose: bool) -> _Found | None:
        frame = self.frames[cue.value]
        layouts = self.layouts[frame.id]
        if frame.kind == "government-truce":
            layouts = []
        elif loose:
            layouts = {"layout": [], "apart": [_APART], "sentence": [_HERE], "text": [_HERE, _TOPIC]}[frame.reach]
        for layout in layouts:
            filled = self._layout(line, cue, layout, context)
            if filled is None:
                continue
            for group in filled["objects"]:
                group.taken = True
            agents, targets, both = ([a for g in filled[role] for a in g.actors] for role in "ATP")
            result = settle(frame.kind, agents, targets, both)
            if result is None and any(is_state(a) for slot in filled.values() for g in slot for a in g.actors):
                # The parties are found, and one is a state: another layout would only miss it.
                return None
            if result is not None:
                named = tuple((a, role) for a, role in result[1] if a != REBELS)
                # A deal with nobody in particular reconciles nobody; fighting and standing allies have a known side.
                known = result[0] in ("clash", "coalition", "government-truce")
                if len(named) < len(result[1]) and not (named and known):
                    return None
                return _Found(result[0], named, frame, cue.start, cue.end, layout.text)
        # A truce that leaves groups out is another's, whatever word tells it.
        truce = frame.kind in ("truce", "government-truce")
        if (truce and frame.state) or (line.excluded and (truce or frame.kind == "negotiation")):
            return self._government(line, cue, context, loose=loose)
        return None

    def _government(self, line: _Line, cue: Mark, context: _Context, *, loose: bool) -> _Found | None:
        """Give the truce that no two groups are said to have made: where a state is about, it is one with the state.

        A state of an earlier sentence comes last (``loose``), after the groups that the text is about.
        """
        frame = self.frames[cue.value]
        here = dict.fromkeys(a for g in line.groups for a in g.actors)
        states = [a for a in here if is_state(a)]
        groups = [a for a in here if not is_state(a) and a != REBELS]
        if not loose and frame.kind == "truce" and not states and not line.excluded:
            return None
        if not states and not line.excluded and len(groups) > 1 and frame.kind == "truce":
            # Two named groups and no state: were they its parties, a layout would have found them.
            return None
        parties = [*(states or context.states), *(g for g in groups if g not in line.excluded)]
        if line.excluded:
            # Whoever made it, it is no truce of those that it leaves out.
            return _Found("government-truce", tuple((a, "party") for a in parties), frame, cue.start, cue.end)
        if not parties or (frame.kind == "truce" and not (states or context.states)):
            return None
        return _Found("government-truce", tuple((a, "party") for a in parties), frame, cue.start, cue.end)

    def _layout(self, line: _Line, cue: Mark, layout: Layout, context: _Context) -> dict[str, list[_Group]] | None:
        slots: dict[str, list[_Group]] = {"A": [], "T": [], "P": [], "objects": []}
        if layout in (_HERE, _APART, _TOPIC):
            if layout is _TOPIC:
                pair = self._about(line, cue, context)
            else:
                pair = self._here(line, cue, apart=layout is _APART)
            if len(pair) < 2 or (layout is _HERE and not self._between(line, cue, pair)):
                return None
            slots["P"].append(_Group(list(pair), cue.start, cue.start, line.clauses[cue.start]))
            return slots
        if layout.inside:
            inner = [g for g in line.groups if cue.start <= g.start and g.end <= cue.end]
            if layout.inside == "P":
                inner = [g for g in inner if len(g.actors) > 1]
            if not inner:
                return None
            slots[layout.inside].append(inner[0])
        clause = line.clauses[cue.start]
        used: list[_Group] = []
        for role, link in reversed(layout.left):
            group = self._left(line, cue, clause, role, link, used)
            if group is None:
                return None
            used.append(group)
            slots[role].append(group)
        clause = line.clauses[cue.end - 1]
        for role, link in layout.right:
            groups = self._right(line, cue, clause, role, link, used)
            if not groups:
                return None
            used.extend(groups)
            slots[role].extend(groups)
            if role == "T":
                slots["objects"].extend(groups)
        if layout.context:
            known = {a for g in slots["A"] + slots["T"] for a in g.actors}
            # "The talks failed": whose talks must have been told a moment ago.
            here = tuple(dict.fromkeys(a for g in line.groups for a in g.actors if not is_state(a)))
            # "X sought peace with Y and was refused": by Y, whoever else was named before.
            own = here if len(here) == 2 and REBELS not in here else ()
            pair = context.deal() if layout.context == "P" else own or context.pair()
            pair = pair or here
            missing = [a for a in pair if a not in known]
            if (layout.context != "P" and len(missing) != 1) or (layout.context == "P" and len(missing) != 2):
                return None
            slots[layout.context].append(_Group(missing, cue.start, cue.start, clause))
        return slots

    def _here(self, line: _Line, cue: Mark, *, apart: bool) -> tuple[str, ...]:
        """Give the only two groups of the cue's clause, else of its sentence; of more, nobody can tell which."""
        clauses = {line.clauses[cue.start], line.clauses[cue.end - 1]}
        for groups in ([g for g in line.groups if g.clause in clauses], line.groups):
            if self.frames[cue.value].kind == "clash" and any(is_state(a) for g in groups for a in g.actors):
                # As likely as not the state is whom they fight.
                return ()
            groups = [g for g in groups if any(a != REBELS and not is_state(a) for a in g.actors)]
            actors = tuple(dict.fromkeys(a for g in groups for a in g.actors if a != REBELS and not is_state(a)))
            if len(actors) == 2:
                # "X and Y attacked": joined, they do it together.
                return () if apart and len(groups) < 2 else actors
            if len(actors) > 2:
                break
        return ()

    def _between(self, line: _Line, cue: Mark, pair: Sequence[str]) -> bool:
        """Tell whether the cue can hold between the two: not where both do it to a third, or one helps against one."""
        kind = self.frames[cue.value].kind
        groups = [g for g in line.groups if not set(g.actors).isdisjoint(pair)]
        sides = any(g.end <= cue.start for g in groups) and any(g.end > cue.start for g in groups)
        whole = [g for g in groups if set(pair) <= set(g.actors)]
        if kind == "clash":
            # "Both raided the town", "driving one from what the other holds": not by being named before and after.
            if whole or any(g.link == "against" and g.end <= cue.start for g in groups):
                return False
            return sides or any(g.link in ("against", "with", "by", "from") for g in groups)
        if any(g.link == "against" for g in groups):
            return False
        if whole:
            # "An offensive to dislodge the two": what follows the cue without a link suffers it.
            return any(g.end <= cue.start or g.link or g.start < cue.end for g in whole)
        if kind in ("cooperation", "coalition"):
            fights = any(
                self.frames[mark.value].kind == "clash" and (mark.end <= cue.start or cue.end <= mark.start)
                for mark in line.marks.get("frame", ())
            )
            return sides and not fights and not any(g.link == "from" for g in groups)
        return any(g.end <= cue.start or g.link for g in groups)

    def _about(self, line: _Line, cue: Mark, context: _Context) -> tuple[str, ...]:
        """Give the two groups that the text is about, where the sentence names no other."""
        if not context.topic:
            return ()
        kind = self.frames[cue.value].kind
        if "elsewhere" in line.marks and kind in RECONCILING:
            return ()
        if context.governed and kind in _DEALING:
            # "The truce appeared to hold": the one with the state that the text has told of.
            return ()
        lines = {line_of(a) for a in context.topic}
        here = {a for g in line.groups for a in g.actors} | {m.actor for m in line.loose} | set(line.excluded)
        if any(a == REBELS or is_state(a) or line_of(a) not in lines for a in here):
            return ()
        return context.topic

    def _left(self, line: _Line, cue: Mark, clause: int, role: str, link: str, used: Sequence[_Group]) -> _Group | None:
        here = [g for g in line.groups if g.end <= cue.start and g.clause == clause and g not in used]
        # Further away than this the words in between have other heads.
        here = [g for g in here if cue.start - g.end <= 18]
        if link:
            for group in reversed(here):
                if group.link == link and (role != "P" or len(group.actors) > 1):
                    return group
            return None
        for group in reversed(here):
            if group.taken or group.link not in ("", "of"):
                continue
            if group.possessive and cue.start - group.end > 4:
                continue
            if role == "P" and len(group.actors) < 2:
                continue
            return group
        if role == "P" and here:
            return None
        return self._inherited(line, cue, clause, role) if not here or role == "A" else None

    def _inherited(self, line: _Line, cue: Mark, clause: int, role: str) -> _Group | None:
        """Give the subject that a clause takes over: a relative's antecedent, or that of "and attacked"."""
        first = line.clauses.index(clause)
        before = [g for g in line.groups if g.clause < clause and not (role == "P" and len(g.actors) < 2)]
        if not before:
            return None
        if clause in line.relative:
            return before[-1] if cue.start - first <= 9 else None
        if clause in line.resumes:
            main = [g for g in before if g.clause == line.resumes[clause] and g.link in ("", "of")]
            return main[-1] if main else None
        lead = cue.start - first
        if lead > 3 or any(g.clause == clause and g.start < cue.start for g in line.groups):
            return None
        subjects = [g for g in before if g.clause not in line.relative and g.link in ("", "of") and not g.taken]
        return subjects[0] if subjects and lead <= 2 else None

    def _right(self, line: _Line, cue: Mark, clause: int, role: str, link: str, used: Sequence[_Group]) -> list[_Group]:
        here = [
            g
            for g in line.groups
            if g.start >= cue.end and g.clause == clause and g not in used and g.start - cue.end <= 18
        ]
        if link:
            for number, group in enumerate(here):
                if group.link != link:
                    continue
                if role == "P" and len(group.actors) < 2:
                    # "between IS men near the town and Nusra": the second one stands further on, after "and".
                    rest = [g for g in here[number + 1 :] if self._anded(line, g) or g.link in ("", "between")]
                    return [group, rest[0]] if rest else []
                return [group]
            return []
        cues = line.marks.get("frame", ())
        for group in here:
            # "backed by rebels": the cue's own preposition is no link of the party.
            own = cue.start <= group.linked_at < cue.end
            if (own or group.link in ("", "of", "on")) and (role != "P" or len(group.actors) > 1):
                # An object stands near its verb, and no other verb between: "backed the plan to push them out".
                between = any(cue.end <= mark.start and mark.end <= group.start for mark in cues)
                return [group] if group.start - cue.end <= 8 and not between else []
        return []

    def _anded(self, line: _Line, group: _Group) -> bool:
        return line.has("joins", max(0, group.start - 6), group.start) or self._conjoined(line, group.start)

    def _event(self, document: Document, name: Field, line: _Line, found: _Found) -> Event:
        polarity = self._polarity(name, line, found)
        attribution = self._attribution(line, found)
        when = self._date(line, found, document)
        since = self._since(line, found)
        old = any(
            self._near(line, found, mark.start) and line.clauses[mark.start] not in since
            for mark in line.marks.get("past", ())
        ) or (
            when is not None and document.published_at is not None and (document.published_at.date() - when).days > OLD
        )
        modality: Modality
        if old:
            modality = "looking-back"
        elif found.frame.modality is not None:
            modality = found.frame.modality
        elif self._hedged(line, found) or _asks(line):
            modality = "speculated"
        elif attribution is not None or line.marks.get("hearsay"):
            modality = "attributed"
        else:
            modality = "stated"
        told = found.parties
        for sender in line.senders:
            # Whoever answers the envoy answers the group that sent it.
            role = next((role for actor, role in told if not across([actor, sender])), None)
            if found.kind in SPOKEN and role and sender not in (actor for actor, _ in told):
                told = (*told, (sender, role))
        parties = tuple(Party(actor=actor, role=role) for actor, role in told)
        return Event(
            id=digest(document.id, name, str(line.start), found.kind, *(party.actor for party in parties)),
            document=document.id,
            kind=found.kind,
            parties=parties,
            polarity=polarity,
            modality=modality,
            attribution=attribution,
            place=self._place(line, found),
            date=when,
            field=name,
            start=line.start,
            end=line.end,
            sentence=line.text[line.start : line.end],
            rule=f"{self.cues.language}:{found.frame.id}",
        )

    def _polarity(self, name: Field, line: _Line, found: _Found) -> Polarity:
        """Count what turns the cue round: negations near it in its clause, and denials that govern it."""
        left, right = self.cues.negation_reach
        if found.kind == "clash":
            left, right = min(left, FIGHT_DENIED), min(right, FIGHT_DENIED)
        clause = line.clauses[found.start]
        denied = line.marks.get("deny", ())
        outside = [*line.marks.get("exceptions", ()), *line.marks.get("excluded", ()), *denied]
        # A negation inside a denial, "did not confirm itself", is part of it.
        spoken = [
            mark
            for mark in line.marks.get("negation", ())
            if not any(out.start <= mark.start < out.end for out in outside)
        ]
        # "Did not deny" denies nothing.
        turns = [
            (no, denial)
            for denial in denied
            for no in spoken
            if 0 <= denial.start - no.end < CLOSE and line.clauses[no.start] == line.clauses[denial.start]
        ]
        idle = {mark for turn in turns for mark in turn}
        negations = [
            mark
            for mark in spoken
            if line.clauses[mark.start] == clause
            and mark not in idle
            and (
                found.start - left <= mark.start < found.start
                or self._behind(line, found, mark.start, right)
                or self._amid(line, found, mark)
            )
        ]
        # A headline has one matter, and parties found by the whole sentence stand under all of it.
        whole = name == "title" or found.layout in LOOSE
        denials = [
            mark
            for mark in denied
            if mark not in idle and (whole or mark.end <= found.start or line.clauses[mark.start] == clause)
        ]
        if found.frame.polarity == "denied":
            return "affirmed" if negations else "denied"
        # Once, however often it is said: "denied a truce, calling the reports false", "'no truce': they scoff at such
        # talk". But "denied that there was none" says that there was one.
        turned = any(denial.start < negation.start for denial in denials for negation in negations)
        return "denied" if (negations or denials) and not turned else "affirmed"

    def _behind(self, line: _Line, found: _Found, at: int, reach: int) -> bool:
        """Tell whether a word stands within reach behind the cue: "with Nusra" between the two does not count."""
        if at < found.end:
            return False
        names = {word for group in line.groups for word in range(group.start, group.end)}
        return sum(word not in names for word in range(found.end, at)) < reach

    def _amid(self, line: _Line, found: _Found, negation: Mark) -> bool:
        """Tell whether a negation stands between the words of the cue, and is none of them: "talks were not held"."""
        if not found.start < negation.start < found.end or found.layout == _BEFORE:
            return False
        cue = self.lexicon.phrase(Mark(found.start, found.end, found.frame.id), "frame", line.ids)
        said = line.ids[negation.start]
        return cue is not None and found.kind in RECONCILING and not any(element in said for element, _ in cue.steps)

    def _hedged(self, line: _Line, found: _Found) -> bool:
        clause = line.clauses[found.start]
        # Who calls for talks offers them; of all else a call tells that it has not happened.
        calls = () if found.kind in ("negotiation", "refusal", "clash", "split") else line.marks.get("calls", ())
        # "Under the deal they will hand over the town": what is agreed will be, and is no guess.
        agreed = found.kind in RECONCILING and "agreed" in line.marks
        certain = {mark.start for mark in line.marks.get("future", ())} if agreed else set()
        # "Auraient conclu", "reportedly": on somebody's word, however carefully put.
        certain |= {at for mark in line.marks.get("hearsay", ()) for at in range(mark.start, mark.end)}
        return any(
            line.clauses[mark.start] == clause or (mark.start < found.start and line.clauses[mark.start] >= clause - 1)
            for mark in (*line.marks.get("hedge", ()), *calls)
            if mark.start not in certain
            # "seeks a truce": seeking one is what they do, and no guess.
            and (found.kind != "negotiation" or not found.start <= mark.start < found.end)
        )

    def _attribution(self, line: _Line, found: _Found) -> Attribution | None:
        """Find who the sentence says it is from: "according to X", "X said"."""
        last = len(line.spans)
        for mark in line.marks.get("according", ()):
            return self._speaker(line, *self._after(line, mark.end, last))
        for mark in line.marks.get("according_after", ()):
            return self._speaker(line, *self._before(line, mark.start))
        # "was reported" names nobody.
        rumour = line.marks.get("hearsay", ())
        says = [m for m in line.marks.get("say", ()) if not any(r.start <= m.start < r.end for r in rumour)]
        denies = line.marks.get("deny", [])
        for mark in sorted([*says, *denies]):
            ahead = self._before(line, mark.start)
            behind = self._after(line, mark.end, found.start if mark.end < found.start else last)
            if line.has("breaks", behind[0], behind[0] + 1):
                # "…, said that the strikes …": what is said, not who says it.
                behind = (0, 0)
            order = (behind, ahead) if self.cues.say_first else (ahead, behind)
            first, end = next(((a, b) for a, b in order if b > a), (0, 0))
            if mark in denies and first < found.end and found.start < end:
                # A denial that stands behind what it denies: its subject is the group named first.
                subject = next((g for g in line.groups if g.link in ("", "of")), None)
                first, end = (subject.start, subject.end) if subject else (0, 0)
            # Words that hold the cue are what is said, not who says it: "a truce was announced".
            if end > first and not (first < found.end and found.start < end):
                return self._speaker(line, first, end)
        return None

    def _after(self, line: _Line, first: int, last: int) -> tuple[int, int]:
        end = first
        clause = line.clauses[first] if first < last else -1
        # Ten words hold the longest usual name and office.
        while end < last and end - first < 10 and line.clauses[end] == clause:
            end += 1
            if set(line.gap(end - 1)) & (_COMMAS | _QUOTES):
                break
            group = next((g for g in line.groups if g.end == end), None)
            if group is not None and self.cues.say_first:
                break
        return first, end

    def _before(self, line: _Line, end: int) -> tuple[int, int]:
        first = end
        clause = line.clauses[end] if end < len(line.clauses) else -1
        while first > 0 and end - first < 10 and line.clauses[first - 1] == clause:
            if set(line.gap(first - 1)) & (_COMMAS | _QUOTES):
                break
            first -= 1
        return first, end

    def _speaker(self, line: _Line, first: int, end: int) -> Attribution | None:
        if end <= first:
            return None
        start, stop = line.spans[first][0], line.spans[end - 1][1]
        speaker = line.text[start:stop].strip()
        actor = next(
            (a for g in line.groups if first <= g.start < end for a in g.actors),
            next((m.actor for m in line.loose if start <= m.start < stop), ""),
        )
        unnamed = line.has("anonymous", first, end)
        if self.cues.cased:
            # Two capitals in a row are a name even beside "official"; one may be the sentence's first letter.
            capitals = [line.text[s].isupper() for s, _ in line.spans[first:end]]
            name = any(a and b for a, b in pairwise(capitals))
            one = any(capitals[1:] if first == 0 else capitals)
            named = (name and not (unnamed and actor)) or (one and not unnamed)
        else:
            named = not unnamed
        named = named or (bool(actor) and actor != REBELS and not unnamed)
        camp = camp_of(actor) if actor else ""
        return Attribution(speaker=speaker, named=named, actor="" if actor == REBELS else actor, camp=camp)

    def _place(self, line: _Line, found: _Found) -> str:
        """Give the place nearest to the cue, the smaller one where two stand side by side."""
        marks = [m for m in line.marks.get("place", ()) if not any(g.start <= m.start < g.end for g in line.groups)]
        if not marks:
            return ""
        return min(
            marks,
            key=lambda mark: (
                abs(mark.start - found.start) > 12,
                self.sizes.get(mark.value, 0),
                abs(mark.start - found.start),
            ),
        ).value

    def _near(self, line: _Line, found: _Found, at: int) -> bool:
        """Tell whether a word of time belongs to the event: in its clause, or in one that tells of no other."""
        return line.clauses[at] == line.clauses[found.start] or line.clauses[at] not in line.told

    def _date(self, line: _Line, found: _Found, document: Document) -> date | None:
        """Give the day that the sentence names, nearest to the cue; relative ones against the day of publication."""
        published = document.published_at.date() if document.published_at else None
        # "Since March" and "until Friday" say how long, not when.
        since = {
            mark.end + step for name in ("since", "until") for mark in line.marks.get(name, ()) for step in range(3)
        }
        heads = self._since(line, found)
        known = list(self._dates(line, published))
        first = line.clauses.index(line.clauses[found.start])
        if line.has("breaks", first, first + 1):
            # "At war since 2013, when Nusra refused to submit": the refusal is of that year.
            when = [day for at, day in known if first - 3 <= at < first]
            if when:
                return when[-1]
        dates = sorted(
            (
                item
                for item in known
                if item[0] not in since and line.clauses[item[0]] not in heads and self._near(line, found, item[0])
            ),
            key=lambda item: abs(item[0] - found.start),
        )
        return dates[0][1] if dates else None

    def _since(self, line: _Line, found: _Found) -> set[int]:
        """Give the clauses that begin with "since", but the event's own: they date what came before it."""
        heads = {
            line.clauses[mark.start]
            for mark in line.marks.get("since", ())
            if mark.start and line.clauses[mark.start - 1] != line.clauses[mark.start]
        }
        return heads - {line.clauses[found.start]}

    def _dates(self, line: _Line, published: date | None) -> Iterator[tuple[int, date]]:
        words = [line.text[start:end] for start, end in line.spans]
        seen: set[int] = set()
        for mark in line.marks.get("month", ()):
            day, year = 0, 0
            for at in (mark.start - 1, mark.end):
                if 0 <= at < len(words) and (number := _number(words[at])) and number <= 31 and not day:
                    day = number
                    seen.add(at)
            # "November 2014", "12 November of 2014"; Turkish has the year in front: "2014 Kasım".
            for at in (
                *range(mark.end, min(len(words), mark.end + 2)),
                *range(mark.start - 1, max(-1, mark.start - 4), -1),
            ):
                number = _number(words[at])
                if 1990 <= number <= 2100:
                    year = number
                    seen.add(at)
                    break
            month = int(mark.value)
            if not year:
                if published is None:
                    continue
                # The latest such month that is not in the future: news looks back more often than ahead.
                year = published.year - (1 if month > published.month else 0)
            if day:
                try:
                    yield mark.start, date(year, month, day)
                except ValueError:
                    continue
            elif (
                self.cues.language != "en"
                or mark.end - mark.start > 1
                or line.text[line.spans[mark.start][0]].isupper()
            ):
                # A month alone: its last day, so that it is not older than it can be.
                yield mark.start, date(year, month, monthrange(year, month)[1])
        for at, word in enumerate(words):
            number = _number(word)
            # A year alone: its last day, so that "in 2013" is not older than it can be.
            if at not in seen and 1990 <= number <= 2100 and (published is None or number < published.year):
                yield at, date(number, 12, 31)
        if published is None:
            return
        for mark in line.marks.get("relative", ()):
            yield mark.start, published + timedelta(days=int(mark.value))
        for mark in line.marks.get("weekday", ()):
            yield mark.start, published - timedelta(days=(published.weekday() - int(mark.value)) % 7)
        for unit in line.marks.get("unit", ()):
            amounts = [int(m.value) for m in line.marks.get("number", ()) if m.end == unit.start]
            if unit.start and (number := _number(words[unit.start - 1])):
                amounts.append(number)
            near = [
                m for m in line.marks.get("ago", ()) if 0 <= m.start - unit.end <= 1 or 0 <= unit.start - m.end <= 2
            ]
            if amounts and near and amounts[0] * int(unit.value) < 36500:
                yield unit.start, published - timedelta(days=amounts[0] * int(unit.value))


_SIGN = re.compile(r"[;:؛—,،]|(?<=\s)[-–](?=\s)")
_CLOSING = " \"'”’»)\u00a0\u202f"
_HYPHENS = frozenset("-‐‑")
_COMMAS = frozenset(",،")
_QUOTES = frozenset('"“”«»„;:؛')


_DIGITS = re.compile(r"\d{1,4}(?!\d)")


def _number(word: str) -> int:
    """Give the number that the word is, in Western or Arabic digits, else 0."""
    digits = _DIGITS.match(word) if word[0].isdecimal() else None
    return int(digits[0]) if digits else 0


_STRONGER: Mapping[Kind, frozenset[Kind]] = {
    "pact": frozenset({"truce", "merger", "pledge", "swap", "refusal", "split", "ultimatum"}),
    "negotiation": frozenset({"truce", "pact", "merger", "pledge", "swap", "refusal", "split", "ultimatum"}),
    "truce": frozenset({"refusal"}),
    "pledge": frozenset({"refusal"}),
    "cooperation": frozenset({"merger", "pledge", "refusal"}),
    "coalition": frozenset({"truce", "merger"}),
    "clash": frozenset({"coalition", "cooperation", "pact"}),
    "merger": frozenset({"refusal"}),
}
"""The kinds that say of the same parties in one sentence what a kind says, and more: "agreed a truce" is no pact."""


def _best(found: list[_Found]) -> list[_Found]:
    """Keep one finding a kind and set of parties, the earliest, and none that another of the same parties outdoes."""
    kept: list[_Found] = []
    kinds: dict[frozenset[str], dict[Kind, _Found]] = {}
    for one in found:
        parties = frozenset(actor for actor, _ in one.parties)
        if one.kind not in kinds.setdefault(parties, {}):
            kinds[parties][one.kind] = one
            kept.append(one)
    return [one for one in kept if not _outdone(one, kinds[frozenset(actor for actor, _ in one.parties)])]


def _outdone(one: _Found, others: Mapping[Kind, _Found]) -> bool:
    fight = others.get("clash")
    if fight is not None and fight.layout not in LOOSE and one.kind in _STRONGER["clash"] and one.layout in LOOSE:
        # Only of the fight is it said how they stand around it: "grabbed a village from X while X looked away".
        return True
    stronger = [others[kind] for kind in _STRONGER.get(one.kind, ()) if kind in others]
    if one is fight and one.layout not in LOOSE:
        stronger = [other for other in stronger if other.layout not in LOOSE]
    return bool(stronger)
