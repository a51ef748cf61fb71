"""Tells in which of the five languages a text is written, or abstains: by its script, its letters, its small words.

Where those leave a doubt, as on most headlines, py3langid's model of letter sequences is asked, and believed as far as
letters and small words allow. langdetect costs 2 to 13 ms a text and is sure of itself on any input, so it is the last
to be asked, never on a headline, and believed only where another kind of evidence agrees.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from heapq import nlargest
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from processors.annotate.lexicon import LANGUAGES, told
from processors.knowledge import Knowledge, load
from processors.records import Language

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_SAMPLE = 1000
"""Characters looked at: on 1,000 the small words alone decide nearly every news text (tests hold the floors)."""
_FEW = 12
"""Letters under which nothing is decided: two words."""
_ENOUGH_FOR_DETECTION = 150
"""Letters under which langdetect is not asked: it takes capitals and transliterated names for another language."""

_ENOUGH_FOR_WORDS = 300
"""Characters from which small words decide alone; in a line or two, a language without a list shares some by chance."""

_OURS = frozenset(get_args(Language)) - {"und"}

_ARABIC = re.compile(r"[\u0620-\u064a\u066e-\u06d3\u06d5\u06fa-\u06ff\ufb50-\ufdff\ufe70-\ufefc]")
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_OTHER = re.compile(r"[^\W\d_A-Za-z\u00c0-\u024f\u1e00-\u1eff\u0400-\u052f\u0600-\u06ff\ufb50-\ufdff\ufe70-\ufefc]")

# What Arabic does not write: Persian, Urdu, Pashto, Kurdish and Uyghur letters. Iraqi and Gulf names bring in گ and چ,
# and some keyboards ک and ی, so one in a hundred is let pass; Persian has ten times that.
_NOT_ARABIC = re.compile(r"[\u063b-\u063f\u066e-\u06d3\u06d5\u06fa-\u06ff]")
# What Russian does not write: Ukrainian, Belarusian, Serbian, Macedonian, Turkic, Tajik, Mongolian, Caucasian letters.
_NOT_RUSSIAN = re.compile(r"[^\W\d_а-яёa-z\u0080-\u024f]")
# Letters of Latin-script neighbours that neither English, French nor Turkish writes: Azerbaijani, Kurmanji and Zaza
# have some in every line. French û, î, ê also stand in Kurmanji; there the small words tell.
_NOT_LATIN = re.compile(r"[əŋɓɗƙłąęśżźćńőűřěůťďňžšđčñßåäøæãõẹọṣạả]")

# Letters and endings that its Slavic neighbours do not have, or only beside letters that Russian does not write.
_RUSSIAN = re.compile(r"[ыэ]|(?:тся|ться|лся|лась|лись|лось|ого|его)$")
_TURKISH = re.compile(r"[ığşİĞŞ]")

_NAMED = re.compile(r"\b[Aa]l-\w+|\b[A-Z]{2,}\b|(?<=\w)['’]s\b")
"""What no small word is in a line or two: names with the Arabic article, what is written in capitals, English "'s"."""

_WORDS = Path(__file__).parent.parent / "cues" / "languages.yml"
_WORD = re.compile(r"[^\W\d_]+")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class _Languages(Knowledge):
    small_words: dict[str, str]
    unlikely: str


@cache
def _meanings(path: Path = _WORDS) -> dict[str, tuple[str, ...]]:
    """Give the languages in which each small word is one. Raises KnowledgeError for a file that is wrong."""
    words: dict[str, set[str]] = {}
    for code, listed in load(path, _Languages).small_words.items():
        for word in listed.split():
            words.setdefault(word, set()).add(code)
    return {word: tuple(sorted(codes)) for word, codes in words.items()}


def is_small(word: str) -> bool:
    """Tell whether the word, in small letters, is a small word of some language: one that says nothing of the topic."""
    return word in _meanings()


# Share of words that must be small words of the language for them to decide alone: under what 9 of 10 texts of 1,000
# characters have in the treebanks of news and encyclopedia text that we measured, over what any neighbour has.
_OVERWHELMING = {"ar": 0.08, "ru": 0.10, "en": 0.22, "fr": 0.28, "tr": 0.07}
_NEIGHBOUR = 0.25
"""The same for the languages that are none of ours: so many of their small words, and ours are out of the question."""
_MARGIN = 1.6
"""How many times as many small words as the next language's list; at least the share above."""
_TELLING = 2
"""Words of one language alone that decide where they are a twelfth of the text and four fifths of all such words: on
10,000 single sentences of nine languages this was wrong in 10, all of them Bulgarian."""

_CHANCE = 0.3
"""Chance that the model must give to a language of ours. On lingua's test sentences, cut to five to ten words, ours
were found in .93 to 1.00, and of 60 other languages 1 in 200 was taken for one of ours (letters and words aside)."""
_HALF = 0.2
"""The same where a word for what armed groups do is of that language too: of our headlines that the other rules leave
undecided, two are taken for a wrong language without it, none with it."""
_SEVERAL = 5
"""Words from which a lesser chance is believed where it is `_MARGIN` times the next: three words may be all names."""
_FAINT = 0.1
_SURE = 0.6
"""Chance from which another language is out of the question, or certain."""

_TELLING_LETTERS = 4
"""Letters from which a word of the subject tells its language: shorter ones mean something in several."""

_ARABICS = {"arz": "ar", "ary": "ar"}
_SLAVIC = frozenset({"be", "bg", "mk", "sr", "uk"})
_UNSLAVIC = re.compile(r"[ыэ]")
"""Letters that no Slavic neighbour writes but Belarusian, which has letters in every line that Russian has not."""
_TURKIC = frozenset({"az", "crh", "tk", "ku"})
_NOT_TURKISH = re.compile(r"[əqxwäňýňûêúʻñ]", re.IGNORECASE)


def language(text: str, title: str = "", declared: str = "") -> Language:
    """Give the language of the text, or ``und`` where there is too little of it or the evidence disagrees.

    The page's own declaration never outweighs the text; it settles a doubt, and a short text if its script agrees.
    """
    sample = text[:_SAMPLE]
    hint = _hint(declared)
    found = _of(sample, hint)
    if found is None and title:
        # A short text and its headline together; small words and letters only, never langdetect.
        found = _of(f"{title}\n{sample}", hint)
    return cast(Language, found) if found in _OURS else "und"


def _hint(declared: str) -> str:
    code = re.split(r"[-_]", declared.strip().lower(), maxsplit=1)[0]
    return code if code.isalpha() and len(code) in (2, 3) else ""


def _of(sample: str, hint: str) -> str | None:
    """Give a language, ``und`` where the evidence disagrees, or None where there is too little of it."""
    counts = {
        "arabic": len(_ARABIC.findall(sample)),
        "cyrillic": len(_CYRILLIC.findall(sample)),
        "latin": len(_LATIN.findall(sample)),
        "other": len(_OTHER.findall(sample)),
    }
    letters = sum(counts.values())
    if letters < _FEW:
        return None
    script, most = max(counts.items(), key=lambda item: item[1])
    # An Arabic or Russian text may quote names and links in Latin letters; under two thirds it is a mixture.
    if most < 0.66 * letters or script == "other":
        return "und"
    lower = sample.replace("İ", "i").lower()
    # "UN" and the "al" of names are small words elsewhere.
    short = len(sample) < _ENOUGH_FOR_WORDS and not sample.isupper()
    words = _WORD.findall(_NAMED.sub(" ", sample).lower() if short and script == "latin" else lower)
    shares = _shares(words)
    if script == "arabic":
        return _among(words, shares, hint, sample, len(_NOT_ARABIC.findall(lower)) > 0.01 * most, ("ar",))
    if script == "cyrillic":
        if most >= _ENOUGH_FOR_DETECTION:
            # ы is every fiftieth letter of Russian and none of Bulgarian, Serbian or Ukrainian, whose small words
            # are much the same: beside it their lists say nothing.
            if lower.count("ы") < 0.003 * most:
                return "und"
            for code in ("bg", "uk", "mk", "sr"):
                del shares[code]
        return _among(words, shares, hint, sample, len(_NOT_RUSSIAN.findall(lower)) > 0.005 * most, ("ru",))
    return _among(words, shares, hint, sample, len(_NOT_LATIN.findall(lower)) > 0.02 * most, ("en", "fr", "tr"))


def _shares(words: list[str]) -> Counter[str]:
    """Give for each language the share of words that are small words of it, in millionths."""
    meanings = _meanings()
    found: Counter[str] = Counter()
    for word in words:
        for code in meanings.get(word, ()):
            found[code] += 1
    return Counter({code: round(1e6 * count / len(words)) for code, count in found.items()})


def _telling(words: list[str]) -> Counter[str]:
    """Count the words that only one language writes: small words of one list, or words with a letter of its own."""
    meanings = _meanings()
    found: Counter[str] = Counter()
    for word in words:
        codes = meanings.get(word, ())
        if len(codes) == 1:
            found[codes[0]] += 1
        elif not codes and _RUSSIAN.search(word):
            found["ru"] += 1
        elif not codes and ("ğ" in word or "ı" in word):
            found["tr"] += 1
    return found


def _among(
    words: list[str], shares: Counter[str], hint: str, sample: str, foreign: bool, ours: tuple[str, ...]
) -> str | None:
    """Decide among languages of one script, given whether the sample has letters that none of ours writes."""
    if foreign:
        return "und"
    (top, share), (_, next_share) = [*shares.most_common(2), ("", 0), ("", 0)][:2]
    telling = _telling(words)
    (sure, most), *_ = [*telling.most_common(), ("", 0)]
    ruled = ""
    if share >= _MARGIN * next_share and share >= 1e6 * _OVERWHELMING.get(top, _NEIGHBOUR):
        ruled = top
    elif most >= max(_TELLING, 0.08 * len(words)) and (telling.total() - most) * 4 <= most:
        ruled = sure
    if ruled and len(sample) >= _ENOUGH_FOR_WORDS:
        return ruled if ruled in ours else "und"
    ranked = _ranked(sample)
    best, chance = ranked[0]
    if ruled and (ruled == best or chance < _SURE):
        return ruled if ruled in ours else "und"
    chances = dict(ranked)
    # Slavic languages share the stems of these words.
    subject, said = _subject(words) if chance < _SURE and ours != ("ru",) else ("", 0)
    if said >= _TELLING and chances.get(subject, 0.0) >= _FAINT:
        return subject
    beside = ranked[1][1] if len(ranked) > 1 else 0.0
    if best in ours and (chance >= _CHANCE or (chance >= _MARGIN * beside and len(words) >= _SEVERAL)):
        return best
    if ours == ("ru",) and (best in _SLAVIC or chance < _SURE) and _UNSLAVIC.search(sample.lower()):
        return "ru"
    if best in _TURKIC and "tr" in ours and chances.get("tr") and not _NOT_TURKISH.search(sample):
        # What sets its neighbours apart stands in every line of theirs.
        return "tr"
    # The model doubts, mostly for names: the second best sort of evidence tells, if there is any.
    if chance < _SURE:
        if hint in ours and hint in chances:
            return hint
        if top in ours and share > next_share and chances.get(top, 0.0) >= _FAINT:
            return top
        if subject in ours and said >= (1 if subject == best and chance >= _HALF else _TELLING):
            return subject
        if plain := _without_names(sample, ours):
            return plain
    if len(sample) < _ENOUGH_FOR_DETECTION:
        # Too short for langdetect: the page's word and the text's own small words must agree.
        if chance >= _SURE:
            return "und"
        return hint if hint in ours and (hint in (top, sure) or len(ours) == 1) else None
    detected = _detected(sample)
    # Every tenth letter of Turkish is one of these; of the languages that have them langdetect knows no other.
    lettered = detected == "tr" and len(_TURKISH.findall(sample)) >= 0.05 * len(sample)
    if detected in ours and (detected in (top, hint, best) or lettered):
        return detected
    return "und"


def _without_names(sample: str, ours: tuple[str, ...]) -> str:
    """Give the language of ours that the words in small letters have: names have the letters of anywhere."""
    plain = [word for word in _TOKEN.findall(sample) if word.islower()]
    if len(plain) < _TELLING:
        return ""
    (best, chance), (_, beside), *_ = [*_ranked(" ".join(plain)), ("", 0.0)]
    return best if best in ours and chance >= max(_CHANCE, _MARGIN * beside) else ""


def _subject(words: list[str]) -> tuple[str, int]:
    """Give the language whose words for what armed groups do are in the sample, and how many, if no other has any."""
    telling = [word for word in words if len(word) >= _TELLING_LETTERS]
    known = {code: sum(bool(told(code).look_up(word)) for word in telling) for code in LANGUAGES}
    (best, most), (_, next_most) = Counter(known).most_common(2)
    return ("", 0) if next_most else (best, most)


@cache
def _identifier() -> LanguageIdentifier:
    """Load py3langid's model once, kept to the languages that a headline may be taken for: 80 MB, half a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    unlikely = load(_WORDS, _Languages).unlikely.split()
    identifier.set_languages([label for label in identifier.labels if label not in unlikely])
    return identifier


def _ranked(sample: str) -> list[tuple[str, float]]:
    """Give the three likeliest languages by letter sequences, best first, each with its chance of 0 to 1."""
    chances: dict[str, float] = {}
    for code, chance in _identifier().rank(sample):
        code = _ARABICS.get(code, code)
        chances[code] = chances.get(code, 0.0) + chance
    return nlargest(3, chances.items(), key=itemgetter(1))


@cache
def _factory() -> object:
    """Load langdetect once, seeded: unseeded, its answers change between runs."""
    from langdetect import DetectorFactory
    from langdetect.detector_factory import init_factory

    DetectorFactory.seed = 0
    init_factory()
    from langdetect import detector_factory

    return detector_factory._factory


def _detected(sample: str) -> str:
    from langdetect.lang_detect_exception import LangDetectException

    detector = _factory().create()  # type: ignore[attr-defined]
    detector.append(sample)
    try:
        return str(detector.detect())
    except LangDetectException:
        return ""
