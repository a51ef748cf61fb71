"""Reads registers of claims: one YAML file an article, checked whole, with what would bear on each claim."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field

from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load, wrong
from processors.records import Kind, Polarity, Role, Voice
from processors.terms import TermLanguage, problems

FOLDER = Path(__file__).parent / "registers"
"""The registers that come with sulh."""

PLACE = "place:"
"""How a pattern names a place of the register among its concepts: ``place:atareb``."""

ClaimKind = Literal[
    Kind,
    "neutrality",
    "membership",
    "statement",
    "attendance",
    "reinforcement",
    "assessment",
    "motive",
    "character",
    "no-reconciliation",
    "exception",
    "fragmentation",
    "improbability",
    "sourcing",
    "interested-source",
    "rivalry",
]
"""What a claim is about: an event, or what is said of groups, sources and the rest."""

Stance = Literal["for", "against"]
Names = Mapping[TermLanguage, tuple[str, ...]]


class Article(Knowledge):
    """The article that the claims are of."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str
    author: str
    date: date
    outlet: str = ""
    url: str = ""


class Side(Knowledge):
    """One side of an event pattern: who may stand there, and in what role where that matters."""

    actors: tuple[str, ...] = Field(min_length=1)
    kin: tuple[str, ...] = ()
    """Others of the same camp or line: they match too, for less, and the reason says so."""
    role: Role | None = None


class EventPattern(Knowledge):
    """Events that bear on a claim."""

    kinds: tuple[Kind, ...] = Field(min_length=1)
    near: tuple[Kind, ...] = ()
    """Kinds that match for half."""
    sides: tuple[Side, ...] = Field(min_length=1, max_length=3)
    stance: Stance = "for"
    """``for``: such an event is what the claim says. ``against``: it cannot be true beside the claim."""
    denied: Literal["opposite", "nothing"] = "opposite"
    """Whether the denial of such an event speaks for the other stance."""
    polarity: Polarity | None = None
    """Only events that happened, or only denials; None takes both."""
    told: Literal["any", "stated", "evidence"] = "any"
    """``stated``: only what the outlet itself states; where others say so, it speaks for or against nothing.
    ``evidence``: whoever says so brings evidence, so that it supports the claim."""
    words: tuple[str, ...] = ()
    """Concepts that must stand in the event's sentence or one beside it."""
    unless: tuple[str, ...] = ()
    """Concepts that must not stand in the event's own sentence."""
    place: Literal["free", "anywhere", "wanted", "needed", "told"] = "wanted"
    """``free``: not asked; ``anywhere``: another place lowers the score; ``wanted``: another place excludes;
    ``needed``: the place must be named beside it; ``told``: the text must name it somewhere."""
    time: Literal["free", "wanted", "needed"] = "wanted"
    """``free``: not asked; ``wanted``: another time excludes; ``needed``: known to be in it or the week after."""
    fact: str = ""
    """Which of several facts that the claim needs such events show: a text that tells some of them bears in part."""


class StatementPattern(Knowledge):
    """Words that bear on a claim: every concept must stand in one sentence or in two that follow each other."""

    all: tuple[str, ...] = Field(min_length=1)
    """The last is what is said of the others; a negator beside it turns the statement round."""
    about: tuple[str, ...] = ()
    """Concepts that must stand there too, or failing that, for less, in the title or further up: pronouns need that."""
    order: tuple[str, str] | None = None
    """Two names of which the first acts: the score is lower where the text names them the other way round."""
    unless: tuple[str, ...] = ()
    """Concepts that show that the sentences are about something else."""
    stance: Stance = "for"
    negated: Literal["opposite", "nothing", "same"] = "opposite"
    """What a negator beside the last concept makes of it; ``same`` where its terms hold their own negation."""
    time: Literal["free", "wanted", "needed"] = "free"
    told: Literal["any", "others", "evidence"] = "any"
    """``others``: the concepts themselves name who says it ("officials"), so that a text only reports it.
    ``evidence``: whoever says so brings evidence, so that it supports the claim."""


class Claimant(Knowledge):
    """A group that the claim is about, and in what role."""

    actor: str
    role: Role = "party"


class Claim(Knowledge):
    """One thing that the article says or passes on, in our words, and what would bear on it.

    Only `id` and `statement` are required: `processors.claims` reads the rest from the statement where it is absent.
    """

    id: str
    statement: str = Field(min_length=1)
    voice: Voice = "author"
    kind: ClaimKind = "assessment"
    parties: tuple[Claimant, ...] = ()
    place: str = ""
    since: date | None = None
    until: date | None = None
    locator: str = Field(default="", pattern=r"^(P\d+)?$")
    words: Names = Field(default_factory=dict)
    """Words by which texts say the claim, in place of those that are read from its statement."""
    events: tuple[EventPattern, ...] = ()
    statements: tuple[StatementPattern, ...] = ()


class Place(Knowledge):
    """A place by its names, and the place that holds it."""

    names: Names
    within: str = ""


class Register(Knowledge):
    """All claims of one article, with the concepts and places that its patterns name."""

    article: Article
    language: Literal["en", "ar", "ru", "fr", "tr"] = "en"
    """The language of the statements."""
    names: Mapping[str, str] = {}
    """How reasons call an actor, by its id."""
    actors: Mapping[str, str] = {}
    """Concepts that are groups, with the actor's id: what the annotator finds of it counts as its name."""
    places: Mapping[str, Place] = {}
    concepts: Mapping[str, Names] = {}
    claims: tuple[Claim, ...] = Field(min_length=1)

    def holds(self, outer: str, inner: str) -> bool:
        """Tell whether a place is another or lies within it."""
        while inner:
            if inner == outer:
                return True
            inner = self.places[inner].within
        return False


class Registers:
    """Several registers side by side."""

    def __init__(self, registers: Iterable[Register], files: Mapping[str, Path] | None = None) -> None:
        """Take registers that `load_registers` (or a test) has checked, and the files that they were read from."""
        self.registers: tuple[Register, ...] = tuple(registers)
        self.files: Mapping[str, Path] = files or {}

    def __iter__(self) -> Iterator[Register]:
        """Go through the registers in the order in which they were given."""
        return iter(self.registers)

    def claims(self) -> Iterator[tuple[Register, Claim]]:
        """Go through all claims with their registers."""
        for register in self.registers:
            for claim in register.claims:
                yield register, claim


def load_registers(folder: Path | None = None, *, actors: Collection[str] | None = None) -> Registers:
    """Read every register of a folder (the bundled ones by default); a wrong one is refused with file, line and key.

    ``actors`` are the known actor ids: a register that names another is refused. Without it they are not checked.
    """
    folder = folder or FOLDER
    if not folder.is_dir():
        raise KnowledgeError(f"{folder}: there is no such folder of registers")
    paths = sorted(folder.glob("*.yml"))
    if not paths:
        raise KnowledgeError(f"{folder}: holds no register (*.yml)")
    registers: dict[str, Register] = {}
    files: dict[str, Path] = {}
    for path in paths:
        register = load(path, Register)
        for location, said in _mistakes(register, actors):
            raise wrong(path, location, said)
        if register.article.id in registers:
            raise wrong(path, ("article", "id"), f"{register.article.id!r} is the id of another register here")
        registers[register.article.id] = register
        files[register.article.id] = path
    return Registers(registers.values(), files)


Mistake = tuple[tuple[str | int, ...], str]


def _mistakes(register: Register, actors: Collection[str] | None) -> Iterator[Mistake]:
    """Give what the form alone cannot show: names that nothing bears, days the wrong way round, ids given twice."""
    for key, place in register.places.items():
        if place.within and place.within not in register.places:
            yield ("places", key, "within"), f"unknown place {place.within!r}; expected one of `places`"
        elif _circular(register, key):
            yield ("places", key, "within"), f"{key!r} lies within itself"
    concepts: Iterable[tuple[str, str, Names, tuple[str, ...]]] = [
        *(("places", key, place.names, ("names",)) for key, place in register.places.items()),
        *(("concepts", key, names, ()) for key, names in register.concepts.items()),
    ]
    for group, key, names, inner in concepts:
        for language, terms in names.items():
            if said := problems(terms):
                yield (group, key, *inner, language), said
    seen: set[str] = set()
    for number, claim in enumerate(register.claims):
        at = ("claims", number)
        if claim.id in seen:
            yield (*at, "id"), f"the claim id {claim.id!r} is given twice"
        seen.add(claim.id)
        if claim.place and claim.place not in register.places:
            yield (*at, "place"), f"unknown place {claim.place!r}; expected one of `places`"
        if claim.since and claim.until and claim.until < claim.since:
            yield (*at, "until"), f"{claim.until} lies before since ({claim.since})"
        for language, terms in claim.words.items():
            if said := problems(terms):
                yield (*at, "words", language), said
        for location, id in _actors(claim):
            if actors is not None and id not in actors:
                yield (*at, *location), f"unknown actor {id!r}; expected an id of processors/actors"
        for location, name in _concepts(claim):
            known = name.removeprefix(PLACE) in register.places if name.startswith(PLACE) else name in register.concepts
            if not known:
                yield (*at, *location), f"unknown concept {name!r}; expected one of `concepts`, or {PLACE}<place>"
    for name, id in register.actors.items():
        if name not in register.concepts:
            yield ("actors", name), f"unknown concept {name!r}; expected one of `concepts`"
        if actors is not None and id not in actors:
            yield ("actors", name), f"unknown actor {id!r}; expected an id of processors/actors"
    for id in register.names:
        if actors is not None and id not in actors:
            yield ("names", id), f"unknown actor {id!r}; expected an id of processors/actors"


def _circular(register: Register, key: str) -> bool:
    seen: set[str] = set()
    while key in register.places and key not in seen:
        seen.add(key)
        key = register.places[key].within
    return key in seen


def _actors(claim: Claim) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for number, party in enumerate(claim.parties):
        yield ("parties", number, "actor"), party.actor
    for number, pattern in enumerate(claim.events):
        for place, side in enumerate(pattern.sides):
            for id in side.actors:
                yield ("events", number, "sides", place, "actors"), id
            for id in side.kin:
                yield ("events", number, "sides", place, "kin"), id


def _concepts(claim: Claim) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for number, event in enumerate(claim.events):
        for key, names in (("words", event.words), ("unless", event.unless)):
            for name in names:
                yield ("events", number, key), name
    for number, statement in enumerate(claim.statements):
        named = (("all", statement.all), ("about", statement.about), ("unless", statement.unless))
        for key, names in (*named, ("order", statement.order or ())):
            for name in names:
                yield ("statements", number, key), name
