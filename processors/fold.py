"""Folds and stems words for search, the same for what is indexed and for what is asked, in every store.

A word of the text gives one term or a few: where a form can be read two ways (Arabic wa- may be a conjunction or the
first root letter, French accents may be typed or left out) it is indexed under each reading, and asked for under each,
so that two forms of one word meet in at least one term. Stemming is Snowball's, by PyStemmer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import Stemmer

STEMMERS: Final = {
    "ar": Stemmer.Stemmer("arabic", 0),
    "en": Stemmer.Stemmer("english", 0),
    "fr": Stemmer.Stemmer("french", 0),
    "ru": Stemmer.Stemmer("russian", 0),
    "tr": Stemmer.Stemmer("turkish", 0),
}
_BY_SCRIPT: Final = {"Arabic": ("ar",), "Cyrillic": ("ru",), "Latin": ("en", "fr", "tr")}
"""The languages read here by script; the first takes the words of a text in another script or language."""

_APOSTROPHES: Final = "'’‘ʼʻʿʾ`´′"
_HYPHENS: Final = "-‐‑‒–"
_IGNORED: Final = "\u00ad\u0640\u200c\u200d"
"""Soft hyphen, Arabic tatweel, zero-width (non-)joiner: they change how a word looks, not which word it is."""

_MARKS: Final = "\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
_PART: Final = rf"(?:[^\W_]|[{_MARKS}{_IGNORED}])+"
_CHAIN: Final = rf"{_PART}(?:[{_APOSTROPHES}]{_PART})*"
_COMPOUND: Final = re.compile(rf"{_CHAIN}(?:[{_HYPHENS}]{_CHAIN})*")
_CHAINS: Final = re.compile(_CHAIN)
_APOSTROPHE: Final = re.compile(f"[{_APOSTROPHES}]")
_HYPHEN: Final = re.compile(f"[{_HYPHENS}]")

_LETTERS: Final = str.maketrans(
    {
        # Arabic: alef with hamza, madda or wasla; alef maqsura and the Persian ya; hamza on its seats; ta marbuta.
        **dict.fromkeys("أإآٱ", "ا"),
        **dict.fromkeys("ىیې", "ي"),
        "ک": "ك",
        "ؤ": "و",
        "ئ": "ي",
        "ء": "",
        "ة": "ه",
        # Cyrillic: yo is written with or without its dots.
        "ё": "е",
        # Latin: what loses nothing by Unicode decomposition. The Turkish dotless i meets the dotted one here.
        "ı": "i",
        "ø": "o",
        "đ": "d",
        "ł": "l",
        "æ": "ae",
        "œ": "oe",
        **dict.fromkeys(_IGNORED, ""),
    }
)
_CYRILLIC_SHORT_I: Final = ("й", "\u0438\u0306")

_LONGEST: Final = 64
"""Characters of a word that count: longer ones are addresses or encoded data, and nobody types them."""


def fold(text: str) -> str:
    """Give the text as search compares it: one case, one form of each letter, no marks, accents or apostrophes.

    Turkish İ, I and ı all become i, since a reader types whichever the keyboard has; hyphens become spaces.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    # й is и with a mark to Unicode, but a letter of its own to a reader: it is kept.
    kept = folded.replace(_CYRILLIC_SHORT_I[0], "\ue000")
    bare = "".join(c for c in unicodedata.normalize("NFKD", kept) if not unicodedata.combining(c))
    bare = unicodedata.normalize("NFKC", bare.replace("\ue000", _CYRILLIC_SHORT_I[0])).translate(_LETTERS)
    bare = _HYPHEN.sub(" ", _APOSTROPHE.sub("", bare))
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in bare)


@dataclass(frozen=True, slots=True)
class Word:
    """One word where it stands in a text, with the terms that find it."""

    start: int
    end: int
    terms: tuple[str, ...]


def words(text: str, language: str) -> Iterator[Word]:
    """Give the words of a text in a language, in order; a hyphenated one gives its parts, then itself joined."""
    for compound in _COMPOUND.finditer(text):
        at = compound.start()
        for start, end, found in _compound(compound.group(), language):
            yield Word(at + start, at + end, found)


def terms(text: str, language: str) -> list[str]:
    """Give the folded, stemmed terms under which a text in a language is indexed: letters and digits only."""
    return [term for compound in _COMPOUND.findall(text) for word in _compound(compound, language) for term in word[2]]


def indexed(title: str, text: str, language: str) -> tuple[str, str]:
    """Give the terms of a title and of a text, each with blanks between them, as both stores index them."""
    return " ".join(terms(title, language)), " ".join(terms(text, language))


@lru_cache(maxsize=32_768)
def _compound(compound: str, language: str) -> tuple[tuple[int, int, tuple[str, ...]], ...]:
    """Give start, end and terms of the words in a hyphenated word, or in one without hyphens."""
    chains = [(chain.start(), chain.end(), chain.group()) for chain in _CHAINS.finditer(compound)]
    if len(chains) > 1:
        # "cease-fire" is also asked for as "ceasefire".
        chains.append((0, len(compound), _HYPHEN.sub("", compound)))
    found = ((start, end, _chain_terms(chain[:_LONGEST], language)) for start, end, chain in chains)
    return tuple((start, end, terms) for start, end, terms in found if terms)


@dataclass(frozen=True, slots=True)
class Needle:
    """One word of a query: it is found where all words of at least one of its readings are.

    A reading is a sequence of words, each given as the terms of which any finds it: "cease-fire" reads as
    ``({cease}, {fire})`` or as ``({ceasefir},)``.
    """

    readings: tuple[tuple[tuple[str, ...], ...], ...]


def needles(query: str, language: str = "") -> tuple[Needle, ...]:
    """Give what must be found for a query, all of it; without a language, in each that the words' script allows."""
    found: list[Needle] = []
    for compound in _COMPOUND.finditer(query):
        chains = [part.group() for part in _CHAINS.finditer(compound.group())]
        readings = [chains] if len(chains) == 1 else [chains, [_HYPHEN.sub("", compound.group())]]
        read = [tuple(asked for chain in reading if (asked := _asked(chain, language))) for reading in readings]
        if any(read):
            found.append(Needle(tuple(reading for reading in read if reading)))
    # Asked for twice is asked for once.
    return tuple(dict.fromkeys(found))


def snippet(text: str, wanted: Iterable[Needle], language: str, *, size: int = 240) -> str:
    """Give the stretch of the text, about ``size`` characters, that shows the most of what was asked, between [ and ].

    Gives the text's beginning where nothing of it is found.
    """
    asked = {term for needle in wanted for reading in needle.readings for word in reading for term in word}
    hits: list[Word] = []
    for word in words(text, language) if asked else ():
        if asked.isdisjoint(word.terms):
            continue
        if hits and word.start < hits[-1].end:
            # The joined form of a compound covers parts that were found on their own.
            while hits and hits[-1].start >= word.start:
                hits.pop()
        hits.append(word)
    best, best_score = 0, 0
    for first, hit in enumerate(hits):
        shown: set[str] = set()
        for later in hits[first:]:
            if later.end - hit.start > size:
                break
            shown.update(asked.intersection(later.terms))
        if len(shown) > best_score:
            best, best_score = first, len(shown)
    start = _word_start(text, hits[best].start - size // 4) if hits and len(text) > size else 0
    end = _word_end(text, start + size)
    out, at = ["…" if start else ""], start
    for hit in hits:
        if hit.start >= start and hit.end <= end:
            out += [text[at : hit.start], "[", text[hit.start : hit.end], "]"]
            at = hit.end
    out += [text[at:end], "…" if end < len(text) else ""]
    return " ".join("".join(out).split())


def _word_start(text: str, at: int) -> int:
    if at <= 0:
        return 0
    while at < len(text) and not text[at - 1].isspace():
        at += 1
    return at


def _word_end(text: str, at: int) -> int:
    # At most 40 characters further: an endless word must not become the snippet.
    stop = min(len(text), at + 40)
    while at < stop and not text[at].isspace():
        at += 1
    return min(at, len(text))


def _asked(chain: str, language: str) -> tuple[str, ...]:
    languages = (language,) if language else _BY_SCRIPT.get(_script(chain), ("und",))
    return tuple(dict.fromkeys(term for one in languages for term in _chain_terms(chain[:_LONGEST], one)))


def _chain_terms(chain: str, language: str) -> tuple[str, ...]:
    """Give the terms of one word without hyphens as a text in the language holds it."""
    spoken = _spoken(chain, language)
    word = _APOSTROPHE.sub("", _without_elision(chain, spoken))
    if spoken == "ar":
        stems = _arabic(word)
    elif spoken == "tr":
        stems = _turkish(word)
    elif spoken == "fr":
        lowered = unicodedata.normalize("NFC", word).casefold()
        plain = fold(lowered)
        # With its accents, and as typed without them: a final e may then be the é of a participle.
        stems = [_stem("fr", lowered), _stem("fr", plain), _stem("fr", _FRENCH_PARTICIPLE.sub("é", plain))]
    elif spoken == "ru":
        plain = fold(word)
        # -ov is a genitive plural that goes, or a surname of which it is part: Федоров, Федорова.
        stems = [_stem("ru", plain), plain] if plain.endswith(("ов", "ев")) else [_stem("ru", plain)]
    elif spoken == "en":
        stems = [_stem("en", fold(word))]
    else:
        stems = [word]
    folded = (fold(stem).replace(" ", "") for stem in stems)
    return tuple(dict.fromkeys(term for term in folded if term.isalnum()))


def _stem(language: str, word: str) -> str:
    return str(STEMMERS[language].stemWord(word))


def _script(word: str) -> str:
    """Give the script of the first letter, as far as it is one of those read here."""
    for letter in word:
        if letter.isalpha():
            if letter < "\u0250" or "\u1e00" <= letter < "\u1f00":
                return "Latin"
            if "\u0400" <= letter < "\u0530":
                return "Cyrillic"
            if "\u0600" <= letter < "\u0780" or "\ufb50" <= letter < "\ufdfe" or "\ufe70" <= letter < "\uff00":
                return "Arabic"
            return ""
    return ""


def _spoken(word: str, language: str) -> str:
    """Give the language to stem a word in: the text's, unless the word is in a script that it does not use."""
    languages = _BY_SCRIPT.get(_script(word), ())
    if not languages:
        return ""
    return language if language in languages else languages[0]


_FRENCH_ELISION: Final = re.compile(rf"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu)[{_APOSTROPHES}]", re.IGNORECASE)
_FRENCH_PARTICIPLE: Final = re.compile("e(?=e?s?$)")
_ENGLISH_POSSESSIVE: Final = re.compile(rf"[{_APOSTROPHES}]s$", re.IGNORECASE)
_TURKISH_SUFFIX: Final = re.compile(
    # Case, possessive, plural, copula: what Turkish puts after the apostrophe of a name. Names with an apostrophe of
    # their own (Da'ish) do not end like this.
    rf"(?<=\w\w)[{_APOSTROPHES}](?:n?[ıiuü]n|[yns]?[aeıiuü]|n?[dt][ae]\w*|y?l[ae]\w*|l[ıiuü]\w*|[cç][ae]\w*|y?[dt][ıiuü]\w*"
    r"|n?[ae]|y?ken|y?m[ıiuü]ş\w*)$",
    re.IGNORECASE,
)


def _without_elision(chain: str, spoken: str) -> str:
    if not _APOSTROPHE.search(chain):
        return chain
    if spoken == "fr":
        return _FRENCH_ELISION.sub("", chain)
    if spoken == "tr":
        return _TURKISH_SUFFIX.sub("", chain)
    return _ENGLISH_POSSESSIVE.sub("", chain) if spoken == "en" else chain


_ARABIC_ARTICLE: Final = re.compile("^[وف]?(?:[بك]?ال|لل)(?=.{2})")
"""The article, with the conjunctions wa-, fa- and the prepositions bi-, ka-, li- that are written onto it."""

_ARABIC_PREFIX: Final = re.compile("^[وفبلك](?=[^ة]{3})")
"""The same without an article, where they may as well be root letters: at least three letters must remain."""


def _arabic(word: str) -> list[str]:
    plain = "".join(c for c in unicodedata.normalize("NFKC", word) if not unicodedata.combining(c))
    plain = plain.translate({ord(c): None for c in _IGNORED})
    # A final h is mostly a ta marbuta typed without its dots, a final alef maqsura a ya likewise.
    if len(plain) > 3:
        plain = re.sub("ه$", "ة", plain)
    plain = re.sub("[ىی]$", "ي", plain).replace("ک", "ك").replace("ی", "ي")
    bare = _ARABIC_ARTICLE.sub("", plain)
    readings = [bare]
    if bare == plain:
        # One letter less at a time: wabi- may be wa- and a root that begins with b.
        while len(readings) < 3 and _ARABIC_PREFIX.match(readings[-1]):
            readings.append(readings[-1][1:])
    # With the article Snowball reads a noun, without it whatever fits.
    return [stem for reading in readings for stem in (_stem("ar", reading), _stem("ar", "ال" + reading))]


_TURKISH_CASE: Final = re.compile(
    "(?<=.{4})(?:s[ıiuü])?(?:n[ıiuü]n|[ıiuü]n|n[ıiuü]|n?[dt][ae]n?|n[ae]|[ıiuü]|s[ıiuü])$"
)
"""Genitive, accusative, dative, locative and ablative after a possessive: Snowball cuts ateşkesin to ateşke."""


def _turkish(word: str) -> list[str]:
    lowered = unicodedata.normalize("NFC", word).replace("I", "ı").replace("İ", "i").lower()
    readings = [lowered, _TURKISH_CASE.sub("", lowered)]
    return [stem for reading in readings for stem in (_stem("tr", reading), _stem("tr", fold(reading)))]
