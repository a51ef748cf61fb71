"""Tells by its words what a sentence reports between two groups, as learned from example sentences.

Frames say exactly how the parties stand around a cue, and miss what is said in another way. What they miss is weighed
here: each word, each pair of neighbouring words and each cue or mark of the language's file adds to or takes from every
kind. The weights come from `processors/examples/<lang>.txt`, sentences in our own words with what they tell, by
`make learn`; who disagrees adds a sentence there.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

from processors.annotate.actors import ACTORS, Mention
from processors.annotate.parties import is_state, line_of
from processors.errors import KnowledgeError
from processors.fold import STEMMERS
from processors.records import Kind

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
REPORTS: Final = EXAMPLES / "reports"
"""Whole reports, an example a sentence: what they tell together is known, too."""

NOTHING: Final = "none"
ABOUT: Final = "about "
DENIED: Final = "denied"
SUPPOSED: Final = "speculated"
OLD: Final = "looking-back"
TURNS: Final = (DENIED, SUPPOSED, OLD)
"""What a label may say of an event besides kind and parties, in the words of `records.Polarity` and `Modality`."""

SLOTS: Final = {"A": "islamic-state", "B": "nusra", "C": "ahrar-al-sham", "S": "syrian-regime"}
"""What ``{A}`` and so on in an example stand for, where it does not matter who they are: the two groups of the label,
a third one and a state. A label without parties is of A and B; of a government's truce, of A and the state."""

PARTY: Final = "P"
STATE: Final = "S"
OTHER: Final = "O"
"""Stand for names among the words: of the two parties, of states, and of further groups."""

LETTERS: Final = 4
"""Letters of a part of a word; 3 and 5 tell the kinds of unseen example lines a point worse in Turkish and Arabic."""

PART, BESIDE = 0.4, 0.7
"""What a part of a word, and two neighbours, count for beside a word: of .25, .4 and .6 for the one the best on unseen
example lines, where parts add five points of F1; between .5 and 1 for the other no difference is to be seen."""

WORDS: Final = 50_000
"""Words whose weights are kept at hand: a language's news of some months."""

MARKS: Final = (
    "negation",
    "deny",
    "hedge",
    "calls",
    "hearsay",
    "past",
    "retrospect",
    "exceptions",
    "excluded",
    "elsewhere",
    "pair",
    "rival",
    "self",
)
"""The lists of a cue file whose words say something about the kind, its polarity or its modality."""


@lru_cache(maxsize=50_000)
def _stem(word: str, language: str) -> str:
    # Snowball takes some short Arabic words for nothing but endings.
    return "0" if word[0].isdigit() else str(STEMMERS[language].stemWord(word.lower())) or word


class Telling(NamedTuple):
    """One event that an example tells: ``truce islamic-state+nusra denied``."""

    kind: Kind
    parties: frozenset[str]
    turns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Example:
    """One line of an example file: a sentence or a few, what they tell between groups, and the names in braces."""

    line: int
    text: str
    told: tuple[Telling, ...]
    names: tuple[Mention, ...]
    about: bool
    """From inside a text about the two groups of its label, which it does not name."""


def examples(path: Path) -> list[Example]:
    """Read an example file. Raises KnowledgeError with file, line and what was expected."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    read = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            read.append(_example(number, line))
        except ValueError as error:
            raise KnowledgeError(f"{path}:{number}: {error}") from None
    return read


def _example(number: int, line: str) -> Example:
    label, tab, marked = line.partition("\t")
    if not tab or not marked.strip():
        raise ValueError("expected what is told, a tab, and the sentence")
    about, label = label.startswith(ABOUT), label.removeprefix(ABOUT)
    told = () if label.strip() == NOTHING else tuple(_telling(part) for part in label.split(";"))
    text, names = "", []
    for number_of, piece in enumerate(marked.replace("}", "{").split("{")):
        if number_of % 2 == 0:
            text += piece
            continue
        shown, bar, actor = piece.partition("|")
        if not bar:
            actor = SLOTS.get(shown, "")
        if actor not in ACTORS:
            raise ValueError(f"{{{piece}}}: expected {{name as written|id of an actor}}, or one of {', '.join(SLOTS)}")
        names.append(Mention(actor=actor, start=len(text), end=len(text) + len(shown), alias=shown))
        text += shown
    return Example(number, text, told, tuple(names), about)


def _telling(text: str) -> Telling:
    words = text.split()
    if words and (len(words) == 1 or words[1] in TURNS):
        words.insert(1, "+".join(SLOTS[slot] for slot in ("AS" if words[0] == "government-truce" else "AB")))
    if not words or words[0] not in get_args(Kind) or not set(words[2:]) <= set(TURNS):
        raise ValueError(f"{text.strip()!r}: expected kind, parties joined by +, then denied, speculated, looking-back")
    parties = words[1].split("+")
    for actor in parties:
        if actor not in ACTORS:
            raise ValueError(f"{text.strip()!r}: {actor} is no id of an actor")
    return Telling(words[0], frozenset(line_of(actor) for actor in parties), frozenset(words[2:]))  # type: ignore[arg-type]


def files_of(language: str) -> tuple[Path, Path]:
    """Give the files from which a language's weights are learned: single sentences, and reports."""
    return EXAMPLES / f"{language}.txt", REPORTS / f"{language}.txt"


def reports(path: Path) -> list[list[Example]]:
    """Read the reports of a file, between which a line is empty: each its headline, then its sentences.

    Raises KnowledgeError with file, line and what was expected.
    """
    read: list[list[Example]] = []
    last = -1
    for example in examples(path):
        if example.line != last + 1:
            read.append([])
        read[-1].append(example)
        last = example.line
    return read


def digest_of(paths: Iterable[Path]) -> str:
    """Give what tells whether weights were learned from these files as they are."""
    return sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


class Word(NamedTuple):
    """A word of a sentence as it is weighed: its stem, or the group that a name stands for."""

    stem: str
    actor: str = ""


def words(spans: Sequence[tuple[int, int]], text: str, named: Sequence[Mention], language: str) -> list[Word]:
    """Give the words at these places of the text, each name as one, in order."""
    found: list[Word] = []
    ahead = iter(sorted(named, key=lambda mention: mention.start))
    mention = next(ahead, None)
    taken = False
    for start, end in spans:
        while mention is not None and mention.end <= start:
            mention, taken = next(ahead, None), False
        if mention is not None and mention.start < end:
            if not taken:
                found.append(Word("", line_of(mention.actor)))
                taken = True
        else:
            found.append(Word(_stem(text[start:end], language)))
    return found


def features(seen: Sequence[Word], marks: Sequence[str], parties: frozenset[str]) -> dict[str, float]:
    """Give what is weighed of a sentence for two parties: words and their parts, neighbours, cues and marks."""
    found: dict[str, float] = {}
    stems = _stems(seen)
    for stem in stems:
        found[stem] = 1 / math.sqrt(len(stems))
        for part in parts(stem):
            found[part] = found.get(part, 0) + PART / math.sqrt(len(stems))
    beside = _beside(seen, parties)
    found |= dict.fromkeys(beside, BESIDE / math.sqrt(len(beside) or 1))
    return found | dict.fromkeys(marks, 1 / math.sqrt(len(marks) or 1))


def parts(stem: str) -> list[str]:
    """Give the runs of four letters of a word, by which forms that no example has are known by those that one has."""
    bounded = f"<{stem}>"
    return [f"#{bounded[at : at + LETTERS]}" for at in range(len(bounded) - LETTERS + 1)] if len(stem) >= 3 else []


def _stems(seen: Iterable[Word]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.stem for word in seen if not word.actor))


def _beside(seen: Sequence[Word], parties: frozenset[str]) -> tuple[str, ...]:
    named = [_name(word.actor, parties) if word.actor else word.stem for word in seen]
    return tuple(dict.fromkeys(f"{left} {right}" for left, right in pairwise(named)))


def _name(actor: str, parties: frozenset[str]) -> str:
    return PARTY if actor in parties else STATE if is_state(actor) else OTHER


class Guess(NamedTuple):
    """What the words of a sentence say of two groups."""

    kind: Kind
    share: float
    """0 to 1: how much of the weight the kind has among all kinds and nothing at all."""
    turns: frozenset[str]
    parties: frozenset[str]


class Likeness:
    """The weights of one language."""

    def __init__(self, learned: Mapping[str, Any]) -> None:
        """Take what `learn.learn` gives."""
        self.learned_from: str = learned["examples"]
        self.columns: list[str] = learned["columns"]
        self.bias: list[float] = learned["bias"]
        self.kinds = len(self.columns) - len(TURNS)
        self.weights: Mapping[str, list[float]] = learned["weights"]
        self._known: dict[str, tuple[float, ...]] = {}

    def weigh(self, seen: Sequence[Word], marks: Sequence[str]) -> Weighing:
        """Weigh what a sentence says whoever is meant, once for all its parties."""
        sums = list(self.bias)
        stems = _stems(seen)
        for stem in stems:
            _add(sums, self.of(stem), 1 / math.sqrt(len(stems)))
        for mark in marks:
            self.put(sums, mark, 1 / math.sqrt(len(marks)))
        return Weighing(self, seen, tuple(marks), sums)

    def of(self, stem: str) -> tuple[float, ...]:
        """Give the weight of a word with all its parts, by column."""
        known = self._known.get(stem)
        if known is None:
            sums = [0.0] * len(self.columns)
            self.put(sums, stem, 1)
            for part in parts(stem):
                self.put(sums, part, PART)
            if len(self._known) >= WORDS:
                self._known.clear()
            known = self._known[stem] = tuple(sums)
        return known

    def put(self, sums: list[float], feature: str, value: float) -> None:
        """Add the weights of a feature to the sums of the columns."""
        row = self.weights.get(feature)
        if row:
            for at in range(0, len(row), 2):
                sums[int(row[at])] += value * row[at + 1]

    def features(self) -> Iterator[str]:
        """Go through all that is weighed."""
        return iter(self.weights)


def _add(sums: list[float], more: Sequence[float], value: float) -> None:
    for at, weight in enumerate(more):
        sums[at] += value * weight


@dataclass(frozen=True, slots=True)
class Weighing:
    """A sentence on the scales."""

    likeness: Likeness
    seen: Sequence[Word]
    marks: Sequence[str]
    sums: Sequence[float]
    """What all but the words beside names weigh."""

    def guesses(self, parties: frozenset[str], least: float) -> list[tuple[int, Guess]]:
        """Give each kind of at least this share with its place among all kinds and nothing at all, 0 the heaviest."""
        sums = self._sums(parties)
        kinds = sums[: self.likeness.kinds]
        turns = frozenset(turn for turn, value in zip(TURNS, sums[len(kinds) :], strict=True) if value > 0)
        top = max(kinds)
        shares = [math.exp(value - top) for value in kinds]
        whole = sum(shares)
        ranked = sorted(range(len(kinds)), key=kinds.__getitem__, reverse=True)
        return [
            (rank, Guess(kind, shares[at] / whole, turns, parties))  # type: ignore[arg-type]
            for rank, at in enumerate(ranked)
            if shares[at] >= least * whole and (kind := self.likeness.columns[at]) != NOTHING
        ]

    def _sums(self, parties: frozenset[str]) -> list[float]:
        sums = list(self.sums)
        beside = _beside(self.seen, parties)
        for two in beside:
            self.likeness.put(sums, two, BESIDE / math.sqrt(len(beside)))
        return sums

    def heaviest(self, guess: Guess) -> tuple[str, ...]:
        """Give what weighed most for the kind, the heaviest first."""
        column = self.likeness.columns.index(guess.kind)
        stems, beside = _stems(self.seen), _beside(self.seen, guess.parties)
        weighed = {stem: self.likeness.of(stem)[column] / math.sqrt(len(stems)) for stem in stems}
        for features, value in ((beside, BESIDE), (self.marks, 1)):
            for feature in features:
                alone = [0.0] * len(self.likeness.columns)
                self.likeness.put(alone, feature, value / math.sqrt(len(features)))
                weighed[feature] = alone[column]
        heaviest = sorted(weighed, key=weighed.__getitem__, reverse=True)[:4]
        return tuple(feature for feature in heaviest if weighed[feature] > 0)


@cache
def likeness_of(language: str) -> Likeness:
    """Give the weights of one of `lexicon.LANGUAGES`, read once."""
    return Likeness(json.loads((EXAMPLES / f"{language}.json").read_text(encoding="utf-8")))


def nearest(path: Path, language: str, kind: Kind, text: str) -> Example:
    """Give the example of this kind that shares most words with a text: the line to look at, or to set another beside.

    Words that few examples have count more. Raises KnowledgeError where the file cannot be read.
    """
    told, seen = _told(path, language, kind)
    own = _words(text, language)
    example, _ = max(told, key=lambda one: sum(1 / seen[stem] for stem in own & one[1]) / math.sqrt(len(one[1]) or 1))
    return example


@lru_cache(maxsize=32)
def _told(path: Path, language: str, kind: Kind) -> tuple[list[tuple[Example, set[str]]], Counter[str]]:
    """Give the examples of a kind with their words, and how many have each word."""
    told = [
        (example, _words(example.text, language))
        for example in examples(path)
        if any(one.kind == kind for one in example.told)
    ]
    return told, Counter(stem for _, stems in told for stem in stems)


def _words(text: str, language: str) -> set[str]:
    return {_stem(word, language) for word in _WORD.findall(text)}


_WORD = re.compile(r"\w+")
