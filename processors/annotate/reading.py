"""Tells from all sentences of a text together what it reports of two groups, as learned from labelled texts.

One sentence's words are weighed by `likeness`. What they remind of is told or not by what stands elsewhere: that the
headline has it, that frames found something else of the two, that another kind is surer. `processors/examples/
reading.json` holds what each of these counts for: a logistic regression over whole reports in our own words, of which
each sentence says what it tells, by `make learn`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Generic, TypeVar

from processors.annotate.likeness import EXAMPLES, Guess
from processors.records import Kind

READING: Final = EXAMPLES / "reading.json"

LEAST: Final = 0.05
"""Of a smaller share nothing is kept."""

FIRED: Final = 0.3
"""The share from which the heaviest kind of a sentence counts as told there: a choice; its weight is learned."""

_EDGE: Final = 0.002
"""Shares nearer to 0 or 1 are all alike."""

Place = TypeVar("Place")
Parties = frozenset[str]


@dataclass(slots=True)
class Evidence(Generic[Place]):
    """What the sentences of a text say of one kind between the same groups."""

    here: float = 0.0
    """The largest share in a sentence that names the groups."""
    about: float = 0.0
    """The same where the text is about the two."""
    title: float = 0.0
    missed: float = 1.0
    """How likely none of the sentences tells it, were they to speak independently."""
    fired: int = 0
    """Sentences in which it is the heaviest kind, and heavy enough."""
    headline: bool = False
    """One of these is the headline."""
    rank: int = 9
    """Its best place among the kinds of a sentence."""
    cue: bool = False
    best: float = -1.0
    place: Place | None = None
    """Where it is surest, or where it fired."""

    def add(self, guess: Guess, rank: int, place: Place, *, here: bool, title: bool, cue: bool, fired: bool) -> None:
        """Take in a sentence."""
        share = guess.share
        if here:
            self.here = max(self.here, share)
        else:
            self.about = max(self.about, share)
        if title:
            self.title = max(self.title, share)
        self.missed *= 1 - share
        self.rank = min(self.rank, rank)
        self.cue = self.cue or cue
        self.fired += fired
        self.headline = self.headline or (fired and title)
        # Where it is what the sentence tells, it is told rather than where it is one of several things.
        surest = share + fired
        if surest > self.best:
            self.best, self.place = surest, place

    @property
    def most(self) -> float:
        """The largest share."""
        return max(self.here, self.about)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Place]):
    """A kind that a text may tell of some groups, and what speaks for and against it."""

    kind: Kind
    parties: Parties
    features: Mapping[str, float]
    place: Place


@dataclass(slots=True)
class Text(Generic[Place]):
    """What was gathered from the sentences of a text."""

    evidence: dict[tuple[Parties, Kind], Evidence[Place]] = field(default_factory=dict)
    sentences: int = 0
    """Sentences that were weighed, each as often as it has pairs."""

    def of(self, parties: Parties, kind: Kind) -> Evidence[Place]:
        """Give what is known of a kind between these groups, to add to."""
        return self.evidence.setdefault((parties, kind), Evidence())

    def candidates(self, told: Collection[tuple[Parties, Kind]], topic: Parties) -> Iterator[Candidate[Place]]:
        """Give what the text may tell besides what frames told."""
        kinds: dict[Parties, list[tuple[Kind, float]]] = {}
        by_kind: dict[Kind, list[tuple[Parties, float]]] = {}
        for (parties, kind), found in self.evidence.items():
            kinds.setdefault(parties, []).append((kind, found.most))
            by_kind.setdefault(kind, []).append((parties, found.most))
        framed: dict[Parties, set[Kind]] = {}
        for parties, kind in told:
            framed.setdefault(parties, set()).add(kind)
        framed_kinds = {kind for _, kind in told}
        pairs = math.log(len({*kinds, *framed}) or 1)
        for (parties, kind), found in self.evidence.items():
            if (parties, kind) in told or found.place is None:
                continue
            rest = [(other, share) for other, share in kinds[parties] if other != kind]
            most = _logit(found.most)
            features = {
                "here": _logit(found.here),
                "about": _logit(found.about),
                "title": _logit(found.title),
                "any": _logit(1 - found.missed),
                "first": float(found.rank == 0),
                "second": float(found.rank == 1),
                "cue": float(found.cue),
                "fired": float(min(found.fired, 3)),
                "in headline": float(found.headline),
                "topic": float(parties == topic),
                "many": float(len(parties) > 2),
                "others": _logit(max((share for _, share in rest), default=0)),
                "elsewhere": _logit(max((share for other, share in by_kind[kind] if other != parties), default=0)),
                "framed elsewhere": float(kind in framed_kinds),
                "framed otherwise": float(parties in framed),
                "length": math.log(1 + self.sentences),
                "pairs": pairs,
                f"{kind}": 1.0,
                f"{kind} share": 0.3 * most,
                f"{kind} pairs": pairs,
            }
            for other, share in rest:
                features[f"{kind} beside {other}"] = 0.2 * (_logit(share) - _logit(0))
            for other in framed.get(parties, ()):
                features[f"{kind} beside framed {other}"] = 1.0
            yield Candidate(kind, parties, features, found.place)


def _logit(share: float) -> float:
    bounded = min(max(share, _EDGE), 1 - _EDGE)
    return math.log(bounded / (1 - bounded))


@dataclass(frozen=True, slots=True)
class Reading:
    """What each thing that speaks for a kind counts for."""

    bias: float
    weights: Mapping[str, float]
    learned_from: str = ""

    def chance(self, features: Mapping[str, float]) -> float:
        """Give how likely the text tells it, 0 to 1."""
        weights = self.weights
        total = self.bias + sum(weights.get(name, 0.0) * value for name, value in features.items())
        return 1 / (1 + math.exp(-total))


@cache
def reading(path: Path = READING) -> Reading:
    """Give the weights, read once."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Reading(data["bias"], data["weights"], data["examples"])
