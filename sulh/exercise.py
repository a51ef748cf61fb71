"""Says which cues no labelled item exercises, and which only hurt, so that a list of cues does not grow by hope."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from processors.annotate.events import explain, reader_of
from processors.annotate.lexicon import LANGUAGES
from processors.knowledge import row_of
from processors.records import Language, learned
from sulh.evaluate import Labelled, document_of, told

Cue = tuple[str, str]
"""A list of the file, or ``frame <id>``; and the phrase as the file writes it."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """What the items of one language make of its file of cues."""

    language: Language
    phrases: int
    silent: tuple[Cue, ...]
    """Phrases that match nowhere in the items."""
    hurting: tuple[tuple[Cue, int], ...]
    """Cues of which no event was right, and how many were wrong."""


def exercise(items: Sequence[Labelled]) -> tuple[Exercise, ...]:
    """Read all items and give, for each language, the cues that none of them exercises and those that only hurt."""
    by_language: defaultdict[Language, list[Labelled]] = defaultdict(list)
    for item in items:
        if item.language in LANGUAGES:
            by_language[item.language].append(item)
    return tuple(_of(language, group) for language, group in sorted(by_language.items()))


def _of(language: Language, items: Sequence[Labelled]) -> Exercise:
    reader = reader_of(language)
    matched: set[Cue] = set()
    right: Counter[Cue] = Counter()
    wrong: Counter[Cue] = Counter()
    for order, item in enumerate(items):
        document = replace(document_of(item, order), language=language)
        matched.update(reader.matched(document.title), reader.matched(document.text))
        if item.events is None:
            continue
        wanted = {(one.kind, one.parties, one.polarity) for one in map(told, item.events)}
        for one in explain(document):
            event = one.event
            if learned(event.rule):
                continue
            cue = (f"frame {event.rule.rpartition(':')[2]}", one.cue)
            key = (event.kind, frozenset(party.actor for party in event.parties), event.polarity)
            (right if key in wanted else wrong)[cue] += 1
    every = reader.phrases()
    return Exercise(
        language=language,
        phrases=len(every),
        silent=tuple(cue for cue in every if cue not in matched),
        hurting=tuple((cue, count) for cue, count in wrong.most_common() if not right[cue]),
    )


def lines(found: Sequence[Exercise]) -> Iterator[str]:
    """Give the report for a person: how many cues, then each that hurts or is silent, by list of the file."""
    for one in found:
        yield f"{one.language}: {one.phrases} phrases, {len(one.silent)} never matched, {len(one.hurting)} only hurt"
        for (place, phrase), count in one.hurting:
            yield f"    only hurts, {count} times: {_where(one.language, place)}: {phrase}"
        by_place: defaultdict[str, list[str]] = defaultdict(list)
        for place, phrase in one.silent:
            by_place[place].append(phrase)
        for place, phrases in by_place.items():
            yield f"    never matched: {_where(one.language, place)}: {'; '.join(phrases)}"


def _where(language: Language, place: str) -> str:
    if not place.startswith("frame "):
        return place
    path = reader_of(language).path
    return f"{place} ({path.name}:{row_of(path, 'frames', place.removeprefix('frame '))})"


def to_json(found: Sequence[Exercise]) -> dict[str, Any]:
    """Give the report as JSON values."""
    return {
        one.language: {
            "phrases": one.phrases,
            "silent": [list(cue) for cue in one.silent],
            "hurting": [[*cue, count] for cue, count in one.hurting],
        }
        for one in found
    }
