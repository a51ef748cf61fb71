"""Finds what of a text tells of an imagined world, a scene or a satire: what happens in it has not happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from processors.knowledge import Knowledge, load
from processors.records import Field
from processors.sentences import sentences
from processors.terms import TermLanguage, Terms, fold

HEAD = 70
"""Characters of a sentence that are read for its opening, some ten words."""

OPENING = 25
"""Characters within which the phrase begins: "But, for a moment, suppose", and no later verb of the sentence."""


JOKES = 2
"""Different words of offices, sport and shops beside which armed groups stand only in satire: one may be chance."""


class _Words(Knowledge):
    satire: Mapping[TermLanguage, tuple[str, ...]]
    opening: Mapping[TermLanguage, tuple[str, ...]]
    unless: Mapping[TermLanguage, tuple[str, ...]]
    title: Mapping[TermLanguage, tuple[str, ...]]


@cache
def _terms() -> Terms:
    words = load(Path(__file__).parent / "cues" / "imagined.yml", _Words)
    return Terms({"satire": words.satire, "opening": words.opening, "unless": words.unless, "title": words.title})


@dataclass(frozen=True, slots=True)
class Imagined:
    """Which parts of a text are imagined."""

    title: bool
    """The headline imagines, and so does the text, but for sentences that say when, or who says so."""
    passages: tuple[tuple[int, int], ...]
    """Offsets in the text from the words that open the scene to the end of the paragraph."""

    def holds(self, field: Field, start: int) -> bool:
        """Tell whether the place lies in the imagined headline or in a passage."""
        if field == "title":
            return self.title
        return any(first <= start < last for first, last in self.passages)


@lru_cache(maxsize=4)
def imagined(title: str, text: str, language: str) -> Imagined:
    """Find the imagined passages of a text in one of the five languages."""
    if _jokes(title, text, language):
        return Imagined(True, ((0, len(text) + 1),))
    passages: list[tuple[int, int]] = []
    for start, end in sentences(text, language):
        if passages and start < passages[-1][1]:
            continue
        if _opens(text[start : min(end, start + HEAD)], "opening", language):
            stop = _paragraph_end(text, end - 1)
            if stop <= end + 1:
                # "Imaginons." alone: the scene follows in the next paragraph.
                stop = _paragraph_end(text, _next(text, stop))
            passages.append((start, stop))
    return Imagined(_opens(title[:HEAD], "title", language), tuple(passages))


def _jokes(title: str, text: str, language: str) -> bool:
    whole = f"{title}\n{text}"
    folded = fold(whole)
    said = {folded[hit.start : hit.end] for hit in _terms().find(whole, language) if hit.concept == "satire"}
    return len(said) >= JOKES


def _opens(head: str, concept: str, language: str) -> bool:
    found = _terms().find(head, language)
    barred = {hit.end for hit in found if hit.concept == "unless"}
    return any(hit.concept == concept and hit.start <= OPENING and hit.end not in barred for hit in found)


def _paragraph_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
