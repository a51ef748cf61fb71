"""Tells who stands behind what a sentence reports: a person with a name and a role, a body, a paper, or nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from processors.knowledge import Knowledge, load
from processors.terms import TermLanguage, Terms, fold

BESIDE = 6
"""Words that may stand between a role and the name, none of them a verb of speech: "director of the monitoring centre
for human rights in Syria, Rami A."."""

NEAR = 70
"""Characters, a dozen words, between a side's name and the verb of speech that makes it the speaker."""

AFTER = 4
"""Words between a name and the role that follows it after a comma: "Kaka Bukar, a well-known fish trader"."""

_WORD = re.compile(r"[^\W\d_]+(?:[-'’ʼ][^\W\d_]+)*")
REACH = 14
"""Characters before a side's name that hold "against the": it is fought there, and says nothing."""

_AGAINST = re.compile(r"\b(?:against|contre|против|ضد)\b")
_QUOTES = re.compile(r"[«»“”\"„]")
_COMMA = re.compile(r"[,،،«»“”\"(—–:]")
_CLITIC = re.compile(r"^(?:[وف]?[بكلس]?(?:ال)?|[وف]?لل)")
_PARTICLES = frozenset(
    {"al", "el", "bin", "ben", "ibn", "ag", "ould", "ul", "ud", "ur", "ad", "as", "at", "de", "du", "d"}
)
_KUNYA = frozenset({"ابو", "ابا", "ابي", "ام"})
_LETTERS = 2
"""Letters that a word must keep when an Arabic clitic is taken off it: fewer are the word itself."""


class _Words(Knowledge):
    says: Mapping[TermLanguage, tuple[str, ...]]
    signed: Mapping[TermLanguage, tuple[str, ...]]
    silent: Mapping[TermLanguage, tuple[str, ...]]
    institution: Mapping[TermLanguage, tuple[str, ...]]
    nameless: Mapping[TermLanguage, tuple[str, ...]]
    side: Mapping[TermLanguage, tuple[str, ...]]
    opposition: Mapping[TermLanguage, tuple[str, ...]]
    mouthpiece: Mapping[TermLanguage, tuple[str, ...]]
    roles: Mapping[TermLanguage, tuple[str, ...]]
    names: Mapping[TermLanguage, tuple[str, ...]]
    no_person: Mapping[TermLanguage, tuple[str, ...]]


_HEARD = ("says", "signed", "silent", "institution", "nameless", "side", "opposition", "mouthpiece")


@cache
def _words() -> _Words:
    return load(Path(__file__).parent / "cues" / "voices.yml", _Words)


@cache
def _terms() -> Terms:
    return Terms({name: getattr(_words(), name) for name in _HEARD})


class _Lookup:
    """Single words, whole or by how they begin."""

    def __init__(self, words: Sequence[str]) -> None:
        folded = [fold(word).replace(" ", "-") for word in words]
        self.whole = frozenset(word for word in folded if not word.endswith("*"))
        self.heads = tuple(word[:-1] for word in folded if word.endswith("*"))

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and (word in self.whole or word.startswith(self.heads))


@cache
def _lookup(name: str, language: str) -> _Lookup:
    lists: Mapping[str, Sequence[str]] = getattr(_words(), name)
    return _Lookup([*lists.get("any", ()), *lists.get(language, ())])


class Heard(NamedTuple):
    """Who speaks in a sentence, and under what."""

    words: frozenset[str]
    """The lists of `voices.yml` that it has words of."""
    person: str
    """Somebody with a name and a role, as written; empty where nobody is."""
    quoted: bool
    """Whether it gives words in quotes."""
    side: str
    """``side`` or ``opposition`` where a side at war with both speaks, by the lists of `voices.yml`; else empty."""

    @property
    def speaks(self) -> bool:
        """Whether somebody says something there."""
        return "silent" not in self.words and (self.quoted or "says" in self.words)

    @property
    def answers(self) -> bool:
        """Whether somebody who can be asked again says it: a person with a role, or a body with a name."""
        return self.speaks and bool(self.person or ("institution" in self.words and "nameless" not in self.words))


def heard(sentence: str, language: str) -> Heard:
    """Read who speaks in one sentence of one of the five languages."""
    found = _terms().find(sentence, language)
    words = frozenset(hit.concept for hit in found)
    folded = fold(sentence)
    speech = [hit for hit in found if hit.concept in ("says", "signed")]
    # Turkish has its verb at the end.
    near = len(folded) if language == "tr" else NEAR
    side = next(
        (
            hit.concept
            for hit in found
            if hit.concept in ("side", "opposition")
            and not _AGAINST.search(folded, max(0, hit.start - REACH), hit.start)
            and any(-near <= hit.start - one.end and one.start - hit.end <= near for one in speech)
        ),
        "",
    )
    return Heard(
        words, "" if "nameless" in words else _person(sentence, language), bool(_QUOTES.search(sentence)), side
    )


_PLACED = re.compile("['’](?:[dt][ae](?:ki)?|[dt][ae]n)$")
"""Turkish endings of a name where something is, or from where it comes."""


class _Token(NamedTuple):
    word: str
    folded: str
    apart: bool
    """Whether a comma or a quote stands before it."""


def _person(sentence: str, language: str) -> str:
    tokens: list[_Token] = []
    last = 0
    for match in _WORD.finditer(sentence):
        folded = fold(match.group()).replace(" ", "-")
        tokens.append(_Token(match.group(), folded, bool(_COMMA.search(sentence, last, match.start()))))
        last = match.end()
    for start, end in _arabic_names(tokens) if language == "ar" else _names(tokens, language):
        if language == "tr" and _PLACED.search(tokens[end - 1].word):
            # "Han es-Sübül'de": a place, in which whoever speaks is.
            continue
        if _has_role(tokens, start, end, language):
            return " ".join(token.word for token in tokens[start:end])
    return ""


def _names(tokens: Sequence[_Token], language: str) -> list[tuple[int, int]]:
    """Give where two or more words in capitals follow each other and name no group or place."""
    barred, found = _lookup("no_person", language), []
    roles = _lookup("roles", language)
    start = None
    for number, token in enumerate((*tokens, _Token("", "", True))):
        parts = re.split(r"[-'’ʼ]", token.word)
        capital = len(token.word) > 1 and any(part[:1].isupper() for part in parts[:2])
        known = token.folded in barred or token.folded in roles or any(fold(part) in barred for part in parts if part)
        part = capital and not known and not (len(token.word) > 1 and token.word.isupper())
        particle = start is not None and token.folded in _PARTICLES
        if part and (start is None or not token.apart):
            start = number if start is None else start
        elif not particle:
            if start is not None and number - start > 1:
                found.append((start, number))
            start = number if part else None
    return found


def _arabic_names(tokens: Sequence[_Token]) -> list[tuple[int, int]]:
    given, found = _lookup("names", "ar"), []
    for number, token in enumerate(tokens[:-1]):
        # "على" is folded like the name, and is a preposition.
        if (token.folded in given and token.word != "على") or token.folded in _KUNYA:
            found.append((number, number + 2))
    return found


def _has_role(tokens: Sequence[_Token], start: int, end: int, language: str) -> bool:
    roles = _lookup("roles", language)
    for number in range(start - 1, max(-1, start - 2 - BESIDE), -1):
        if _bare(tokens[number].folded, language) in roles:
            return True
    if end < len(tokens) and (tokens[end].apart or language in ("ar", "tr", "ru")):
        return any(_bare(token.folded, language) in roles for token in tokens[end : end + AFTER])
    return False


def _bare(word: str, language: str) -> str:
    if language != "ar":
        return word
    bare = _CLITIC.sub("", word)
    return bare if len(bare) > _LETTERS else word
