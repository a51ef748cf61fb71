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
from typing import Final, NamedTuple, get_args

from processors.annotate.actors import ACTORS, Mention
from processors.annotate.parties import is_state, line_of
from processors.errors import KnowledgeError
from processors.fold import STEMMERS
from processors.records import Kind

EXAMPLES: Final = Path(__file__).parent.parent / "examples"

LEARNED: Final = "@examples"
"""Ends the rule of an event that no frame found."""

NOTHING: Final = "none"
ABOUT: Final = "about "
DENIED: Final = "denied"
SUPPOSED: Final = "speculated"
OLD: Final = "looking-back"
TURNS: Final = (DENIED, SUPPOSED, OLD)
"""What a label may say of an event besides kind and parties, in the words of `records.Polarity` and `Modality`."""

PARTY: Final = "P"
STATE: Final = "S"
OTHER: Final = "O"
"""Stand for names among the words: of the two parties, of states, and of further groups."""

MARKS: Final = (
    "negation",
    "deny",
    "hedge",
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
        if not bar or actor not in ACTORS:
            raise ValueError(f"{{{piece}}}: expected {{name as written|id of an actor}}")
        names.append(Mention(actor=actor, start=len(text), end=len(text) + len(shown), alias=shown))
        text += shown
    return Example(number, text, told, tuple(names), about)


def _telling(text: str) -> Telling:
    words = text.split()
    if len(words) < 2 or words[0] not in get_args(Kind) or not set(words[2:]) <= set(TURNS):
        raise ValueError(f"{text.strip()!r}: expected kind, parties joined by +, then denied, speculated, looking-back")
    parties = words[1].split("+")
    for actor in parties:
        if actor not in ACTORS:
            raise ValueError(f"{text.strip()!r}: {actor} is no id of an actor")
    return Telling(words[0], frozenset(line_of(actor) for actor in parties), frozenset(words[2:]))  # type: ignore[arg-type]


def digest_of(path: Path) -> str:
    """Give what tells whether weights were learned from this file as it is."""
    return sha256(path.read_bytes()).hexdigest()[:16]


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


def features(seen: Iterable[Word], marks: Iterable[str], parties: frozenset[str]) -> dict[str, float]:
    """Give what is weighed of a sentence for two parties: words, neighbours, cues and marks, each as a unit vector."""
    stems = [_name(word.actor, parties) if word.actor else word.stem for word in seen]
    shown = dict.fromkeys(stem for stem in stems if stem not in (PARTY, STATE, OTHER))
    shown |= dict.fromkeys(f"{left} {right}" for left, right in pairwise(stems))
    given = dict.fromkeys(marks, 1 / math.sqrt(len(marks))) if (marks := tuple(dict.fromkeys(marks))) else {}
    return dict.fromkeys(shown, 1 / math.sqrt(len(shown) or 1)) | given


def _name(actor: str, parties: frozenset[str]) -> str:
    return PARTY if actor in parties else STATE if is_state(actor) else OTHER


class Guess(NamedTuple):
    """What the words of a sentence say of two groups."""

    kind: Kind
    share: float
    """0 to 1: how much of the weight the kind has among all kinds and nothing at all."""
    turns: frozenset[str]
    words: tuple[str, ...]
    """What weighed most for the kind, the heaviest first."""


class Likeness:
    """The weights of one language."""

    def __init__(self, path: Path) -> None:
        read = json.loads(path.read_text(encoding="utf-8"))
        self.learned_from: str = read["examples"]
        self.columns: list[str] = read["columns"]
        self.bias: list[float] = read["bias"]
        self.kinds = len(self.columns) - len(TURNS)
        self.weights: Mapping[str, list[float]] = read["weights"]

    def guess(self, given: Mapping[str, float]) -> Guess | None:
        """Give the likeliest kind, or nothing where nothing is likelier than any kind."""
        sums = self._sums(given)
        kinds = sums[: self.kinds]
        top = max(range(self.kinds), key=kinds.__getitem__)
        if self.columns[top] == NOTHING:
            return None
        share = 1 / sum(math.exp(other - kinds[top]) for other in kinds)
        turns = frozenset(turn for turn, value in zip(TURNS, sums[self.kinds :], strict=True) if value > 0)
        return Guess(self.columns[top], share, turns, self._heaviest(given, top))  # type: ignore[arg-type]

    def share(self, given: Mapping[str, float], kind: Kind) -> float:
        """Give how much of the weight one kind has, 0 to 1."""
        kinds = self._sums(given)[: self.kinds]
        own = kinds[self.columns.index(kind)]
        return 1 / sum(math.exp(other - own) for other in kinds)

    def _sums(self, given: Mapping[str, float]) -> list[float]:
        sums = list(self.bias)
        weights = self.weights
        for feature, value in given.items():
            row = weights.get(feature)
            if row:
                for at in range(0, len(row), 2):
                    sums[int(row[at])] += value * row[at + 1]
        return sums

    def _heaviest(self, given: Mapping[str, float], column: int) -> tuple[str, ...]:
        weighed = sorted(
            (
                (value * row[at + 1], feature)
                for feature, value in given.items()
                for row in [self.weights.get(feature, [])]
                for at in range(0, len(row), 2)
                if row[at] == column and row[at + 1] > 0
            ),
            reverse=True,
        )
        return tuple(feature for _, feature in weighed[:4])

    def features(self) -> Iterator[str]:
        """Go through all that is weighed."""
        return iter(self.weights)


@cache
def likeness_of(language: str) -> Likeness:
    """Give the weights of one of `lexicon.LANGUAGES`, read once."""
    return Likeness(EXAMPLES / f"{language}.json")


def nearest(path: Path, language: str, kind: Kind, text: str) -> Example:
    """Give the example of this kind that shares most words with a text: the line to look at, or to set another beside.

    Words that few examples have count more. Raises KnowledgeError where the file cannot be read.
    """
    told = [example for example in examples(path) if any(one.kind == kind for one in example.told)]
    known = {example.line: _stems(example.text, language) for example in told}
    seen = Counter(stem for stems in known.values() for stem in stems)
    own = _stems(text, language)
    return max(
        told,
        key=lambda example: (
            sum(1 / seen[stem] for stem in own & known[example.line]) / math.sqrt(len(known[example.line]) or 1)
        ),
    )


def _stems(text: str, language: str) -> set[str]:
    return {_stem(word, language) for word in _WORD.findall(text)}


_WORD = re.compile(r"\w+")
