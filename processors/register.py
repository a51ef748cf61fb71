"""Reads registers of claims: one YAML file an article, checked whole, with what would bear on each claim."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field

from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load
from processors.records import Kind, Role, Voice

FOLDER = Path(__file__).parent / "registers"
"""The registers that come with sulh."""

Stance = Literal["for", "against"]
TermLanguage = Literal["ar", "en", "ru", "fr", "tr", "any"]
"""``any``: names that texts of every language print alike."""


class Article(Knowledge):
    """The article that the claims are of."""

    id: str
    title: str
    author: str
    date: date
    outlet: str
    url: str


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
    words: tuple[str, ...] = ()
    """Concepts that must stand in the event's sentence or one beside it."""
    place: Literal["free", "wanted", "needed"] = "wanted"
    time: Literal["free", "wanted", "needed"] = "wanted"
    after: date | None = None
    """Only events from this day on, where that is later than the claim's own beginning."""


class StatementPattern(Knowledge):
    """Words that bear on a claim: every concept must stand in one sentence or in two that follow each other."""

    all: tuple[str, ...] = Field(min_length=1)
    about: tuple[str, ...] = ()
    """Concepts that must stand there too, or failing that, for less, in the title or the three sentences before."""
    stance: Stance = "for"
    negated: Literal["opposite", "nothing", "same"] = "opposite"
    """What a negator in the sentence makes of it; ``same`` where the words hold their own negation."""
    time: Literal["free", "wanted", "needed"] = "free"


class Claimant(Knowledge):
    """A group that the claim is about, and in what role."""

    actor: str
    role: Role = "party"


class Claim(Knowledge):
    """One thing that the article says or passes on, in our words, and what would bear on it."""

    id: str
    statement: str
    voice: Voice
    kind: str
    parties: tuple[Claimant, ...] = ()
    place: str = ""
    since: date | None = None
    until: date | None = None
    locator: str = Field(pattern=r"^P\d+$")
    events: tuple[EventPattern, ...] = ()
    statements: tuple[StatementPattern, ...] = ()


class Place(Knowledge):
    """A place by its names in five languages, and the place that holds it."""

    names: Mapping[TermLanguage, tuple[str, ...]]
    within: str = ""


class Register(Knowledge):
    """All claims of one article, with the concepts and places that its patterns name."""

    article: Article
    concepts: Mapping[str, Mapping[TermLanguage, tuple[str, ...]]] = {}
    places: Mapping[str, Place] = {}
    claims: tuple[Claim, ...] = Field(min_length=1)


class Registers:
    """Several registers side by side, with the indexes by which a document finds the claims it may bear on."""

    def __init__(self, registers: Iterable[Register]) -> None:
        """Take registers that `load_registers` (or a test) has checked."""
        self.registers: tuple[Register, ...] = tuple(registers)

    def __iter__(self) -> Iterator[Register]:
        """Go through the registers in order of article id."""
        return iter(self.registers)

    def claims(self) -> Iterator[tuple[Register, Claim]]:
        """Go through all claims with their registers."""
        for register in self.registers:
            for claim in register.claims:
                yield register, claim


def load_registers(
    folder: Path | None = None, *, actors: Collection[str] | None = None, kinds: Collection[str] | None = None
) -> Registers:
    """Read every register of a folder (the bundled ones by default); a wrong one is refused with file, line and key.

    ``actors`` are the known actor ids: a register that names another is refused; without it they are not checked.
    """
    folder = folder or FOLDER
    if not folder.is_dir():
        raise KnowledgeError(f"{folder}: there is no such folder of registers")
    paths = sorted(folder.glob("*.yml"))
    if not paths:
        raise KnowledgeError(f"{folder}: holds no register (*.yml)")
    registers = [load(path, Register) for path in paths]
    return Registers(registers)
