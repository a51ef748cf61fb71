"""Finds which concepts a sentence names, by the words that data files give for them in five languages.

How a term is written says what it matches. Letters are compared folded: lower case, no accents or vowel signs, one
form of each Arabic letter; hyphens and apostrophes are blanks. `rival*` also takes any ending, `seek ~ truce` up to
four words between, and a term all in capitals (`IS`, `JN`) only the same capitals. In Arabic the conjunctions,
prepositions and the article that are written onto a word need not be given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import ahocorasick

TermLanguage = Literal["any", "ar", "en", "ru", "fr", "tr"]
"""``any``: what texts of every language print alike."""

Words = Mapping[TermLanguage, tuple[str, ...]]

_SINGLES = str.maketrans(
    {
        "ı": "i",
        "ى": "ي",
        "ة": "ه",
        "ـ": "",
        "æ": "ae",
        "œ": "oe",
        **dict.fromkeys("'’‘ʼʻ`´ʿʾ-‐‑‒–—\u00a0\u202f\t\n\r", " "),
    }
)
_BETWEEN = "\x1e"
"""Stands between sentences that are folded together: the separator of records, which folding leaves alone."""
_BLANKS = re.compile(" {2,}")
# wa-, fa- "and"; bi-, li-, ka- "by, to, like"; sa- of the future; then the article, which melts into li-.
_CLITIC = r"(?:[وف]?[بكلس]?(?:ال)?|[وف]?لل)"
_CLITICS = re.compile(f"{_CLITIC}$")
_ARABIC = re.compile("[\u0600-\u06ff]")


class _Folded(dict[int, int | str | None]):
    """What becomes of each letter of decomposed text: marks above and below letters go. Each is asked about once."""

    def __missing__(self, letter: int) -> int | None:
        self[letter] = found = None if unicodedata.combining(chr(letter)) else letter
        return found


_FOLDED = _Folded(_SINGLES)


def fold(text: str) -> str:
    """Give the text as terms are compared: one case, no marks, apostrophes and hyphens as blanks."""
    if text.isascii():
        plain = text.lower().translate(_SINGLES)
    else:
        plain = unicodedata.normalize("NFKD", text).lower().translate(_FOLDED)
    return _BLANKS.sub(" ", plain) if "  " in plain else plain


class Found(NamedTuple):
    """Where a concept's term stands in the folded sentence."""

    concept: str
    start: int
    end: int


_PLACED = attrgetter("start", "end", "concept")


class _Term(NamedTuple):
    concept: str
    whole: re.Pattern[str]
    """Matches from where the key begins."""
    arabic: bool
    capitals: re.Pattern[str] | None


class Terms:
    """The terms of many concepts in one automaton a language: its cost hangs on the text, not on how many there are."""

    def __init__(self, concepts: Mapping[str, Words]) -> None:
        """Take concepts by name, each with its words by language."""
        self._automata: dict[str, Any] = {}
        self._concepts = concepts

    def find(self, sentence: str, language: str) -> list[Found]:
        """Give the concepts that the sentence names, in the order in which their terms begin.

        A text of an unknown language (``und``) is searched for the terms of all.
        """
        return next(self.find_each([sentence], language))

    def find_each(self, sentences: Sequence[str], language: str) -> Iterator[list[Found]]:
        """Give for each sentence what `find` gives; folding them in one go costs half as much."""
        automaton = self._automata.get(language)
        if automaton is None:
            automaton = self._automata[language] = self._built(language)
        if not len(automaton):
            yield from ([] for _ in sentences)
            return
        folded = fold(_BETWEEN.join(sentences)).split(_BETWEEN)
        if len(folded) != len(sentences):
            folded = [fold(sentence) for sentence in sentences]
        for sentence, plain in zip(sentences, folded, strict=True):
            yield self._found(automaton, sentence, plain)

    def _found(self, automaton: Any, sentence: str, folded: str) -> list[Found]:
        found: set[Found] = set()
        for last, (length, terms) in automaton.iter(folded):
            start = last + 1 - length
            glued = start > 0 and folded[start - 1].isalnum()
            for term in terms:
                if glued and not (term.arabic and _glued(folded[max(0, start - 8) : start])):
                    continue
                match = term.whole.match(folded, start)
                if match and (term.capitals is None or term.capitals.search(sentence)):
                    found.add(Found(term.concept, start, match.end()))
        return sorted(found, key=_PLACED) if found else []

    def _built(self, language: str) -> Any:
        keys: dict[str, list[_Term]] = {}
        for concept, words in self._concepts.items():
            lists = words.values() if language == "und" else (words.get("any", ()), words.get(language, ()))  # type: ignore[call-overload]
            for written in dict.fromkeys(term for terms in lists for term in terms):
                key, term = _compiled(concept, written)
                keys.setdefault(key, []).append(term)
        automaton = ahocorasick.Automaton()
        for key, terms in keys.items():
            automaton.add_word(key, (len(key), tuple(terms)))
        automaton.make_automaton()
        return automaton


def problems(words: Iterable[str]) -> str:
    """Say what is wrong with the first term that cannot be matched; empty where all can."""
    for written in words:
        parts = fold(written).split()
        if not parts or parts[0] in ("*", "~") or parts[-1] == "~":
            return f"the term {written!r} must begin and end with a word"
        if len(_key(fold(written).strip())) < 2 or any("*" in part[:-1] for part in parts):
            return f"the term {written!r} needs two letters at its beginning, and * only at the end of words"
    return ""


def _glued(before: str) -> bool:
    """Tell whether the letters written onto an Arabic word, back to the blank, are clitics and nothing else."""
    start = max((i + 1 for i, letter in enumerate(before) if not letter.isalnum()), default=0)
    return _CLITICS.fullmatch(before, start) is not None


def _key(folded: str) -> str:
    """Give what every form of a term begins with: what the automaton looks for."""
    return re.split(r"\*| ~", folded)[0]


def _compiled(concept: str, written: str) -> tuple[str, _Term]:
    folded = fold(written).strip()
    key = _key(folded)
    arabic = _ARABIC.search(folded) is not None
    pattern = ""
    for number, part in enumerate(folded.split()):
        if part == "~":
            pattern += r"(?:\W+\w+){0,4}?"
            continue
        clitic = _CLITIC if arabic and number else ""
        pattern += (
            (r"\W+" if number else "") + clitic + re.escape(part.rstrip("*")) + (r"\w*" if "*" in part else r"(?!\w)")
        )
    capitals = None
    if written.isupper() and not arabic:
        capitals = re.compile(rf"(?<!\w){re.escape(written)}(?!\w)")
    return key, _Term(concept, re.compile(pattern), arabic, capitals)
