"""Tells the same report retold in other words: by whom it was printed, whom it cites, on which groups, in which words.

A retelling shares too few word shingles for `story.same_story`. It names the outlet that it has the report from, comes
a day or two later, is about the same groups, and keeps most names, numbers and content words of the lead. What this
needs is kept as numbers beside the sketch's hashes (its marks), which have their highest bit set, so that stores find
candidates by the same index look-up. Only reports on jihadist groups have marks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from functools import cache, lru_cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from processors.annotate.actors import ACTORS, named_in
from processors.annotate.language import is_small
from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load
from processors.records import RECONCILING, Document, Event, learned

_FIRST = 1 << 63
"""Marks lie from here on, a sketch's hashes below."""


class _Sort(IntEnum):
    PRINTED = 0
    """A name of the outlet, and a span of days: cites look this up."""
    CITES = 1
    """A name in words of citing, and a span of days: the outlet's own report looks this up."""
    ABOUT = 2
    """Two of its groups, a span of days, and the language: a translation is no retelling."""
    CREDITS = 3
    """The agency that it credits, a span of days, and the language."""
    OUTLET = 4
    GROUP = 5
    DEAL = 6
    AGENCY = 7
    FLASH = 8
    """It is a headline alone, or little more."""
    OTHERS = 9
    """It tells something of the groups that is no deal."""
    PRESS = 10
    """It has its news from an outlet that it does not name."""
    WORDS = 11
    """Three hashes of content words."""
    LANGUAGE = 12
    OWN = 13
    """It says that somebody told it to itself, or bears out what another outlet told."""


Marked = Mapping[_Sort, frozenset[int]]
"""The marks in a sketch, by sort."""

_BITS = 59
_WORD_BITS = 19
_LEAD = 1500
"""Characters in which a report says what is new; a retelling keeps the lead and cuts the background."""
_ABOUT = 1000
"""Characters in which it says whom it is about."""
_CITING = 1000
"""Characters in which a retelling says where it has the report from."""
_UNNAMED = 300
"""Characters in which it says so where it names nobody: the lead."""
_REACH = 80
"""Characters between a word of citing and the name of the one cited."""
_NAME = 4
"""Consonants from which an outlet's name tells: with three, `manar` is also "minor"."""
_FLASH = 20
"""Words of text up to which a report brings nothing of its own beside its headline."""

_SPAN = 3
"""Days in one span of a citation."""
_NEXT = 1.75
"""Days within which a report is retold: by the end of the next day. Later, outlets have news of their own."""

# Thresholds of shared content words, as a part of the shorter report's and by number. On labelled retellings that
# name their outlet .27 to .88 are shared; who names an outlet for another report shares at most .14, and who adds a
# source of his own to it .23 to .42, which is why such a source is looked for. On 50 scenes of four to five texts (114
# pairs of one story) 93 pairs are found and 1 is wrong. With _KEPT .24 or .36, _LEANING or _HEADLINE .06 off it is one
# less or the same; _ALIKE .45 finds 94 and .55 finds 87, with none wrong; within two days and a half 3 are wrong.
_KEPT, _KEPT_WORDS = 0.28, 8
# Two that credit one agency: on 118 pairs of 409 real articles with one credit, wires of different events reach .49.
_SAME, _SAME_WORDS = 0.55, 12
# Two that credit one agency, or the later one an outlet without a name, for a deal of the same groups.
_DEAL, _DEAL_WORDS = 0.3, 8
# The later one has it from an outlet without a name.
_LEANING, _LEANING_WORDS = 0.38, 9
# Two that credit nobody alike.
_ALIKE, _ALIKE_WORDS = 0.5, 10
# A headline alone, of a deal of the same groups that another outlet told up to a day before.
_HEADLINE, _HEADLINE_WORDS = 0.6, 5
# A headline alone in which no deal was read.
_BARE, _BARE_WORDS = 0.66, 6

_DEALS = RECONCILING | {"coalition"}
"""Kinds that one outlet or another uses for a deal of the two: an agreement may be read as an alliance."""
_DENIED, _HEADED = "denied", "denied in the headline"

_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_MARKS = re.compile("[\u0300-\u036f\u0640\u064b-\u065f\u0670]")
_ALEF = re.compile("[\u0622\u0623\u0625]")
_ARTICLE = re.compile("^(?:[وفبلك]?ال|لل)(?=..)")
_BOUND = re.compile("at$")
_GLUED = re.compile("^(?:al|el)(?=.{3})")
_DOUBLED = re.compile(r"(.)\1+")

# Consonants as a reader hears them through any of the three scripts; what scripts write differently (vowels, w, y, h)
# is left out, so that "إدلب بوست" is `idlib_post` and «Африка сегодня» `afrika_segodnya`.
_SOUNDS = str.maketrans(
    dict(zip("bcdfgjklmnpqrstvxz", "bkdfkkklmnbkrstfks", strict=True))
    | dict(zip("бвгджзклмнпрстфхцчшщ", "bfkdssklmnbrstfkssss", strict=True))
    | dict(zip("بتثجخدذرزسشصضطظغفقكلمنپڤگچ", "bttkkddrssssdtskfkklmnbfks", strict=True))
)
_SOUND = re.compile("[^bdfklmnrst]")


class _Words(Knowledge):
    cues: dict[str, tuple[str, ...]]
    unnamed: dict[str, tuple[str, ...]]
    own: dict[str, tuple[str, ...]]
    denying: dict[str, tuple[str, ...]]
    generic: str


class _Press(NamedTuple):
    cues: dict[str, re.Pattern[str]]
    unnamed: dict[str, re.Pattern[str]]
    own: dict[str, re.Pattern[str]]
    denying: dict[str, re.Pattern[str]]
    generic: frozenset[str]


_WORDS = Path(__file__).parent.parent / "cues" / "press.yml"


@cache
def _press(path: Path = _WORDS) -> _Press:
    """Read words of citing by language, and words of the trade. Raises KnowledgeError for a file that is wrong."""
    words = load(path, _Words)
    try:
        cues, unnamed, own, denying = (
            {code: re.compile("|".join(listed), re.IGNORECASE) for code, listed in by_language.items()}
            for by_language in (words.cues, words.unnamed, words.own, words.denying)
        )
    except re.error as error:
        raise KnowledgeError(f"{path}: a pattern is no regular expression: {error}") from error
    return _Press(cues, unnamed, own, denying, frozenset(words.generic.split()))


def marks(document: Document, events: Iterable[Event]) -> tuple[int, ...]:
    """Give the document's marks in ascending order; none for a document that is not about jihadist groups."""
    groups = _groups(document)
    if not groups:
        return ()
    day = int((document.published_at or document.fetched_at).timestamp() // 86400)
    near = [f"{span} {document.language}" for span in (day // 2, day // 2 + 1)]
    found: set[int] = {_mark(_Sort.OUTLET, document.source), _mark(_Sort.LANGUAGE, document.language)}
    # Both spans that a citation may lie in: a date without an hour is local, and may be a day off.
    early = (day - 1) // _SPAN
    names = _own(document.source)
    found |= {_mark(_Sort.PRINTED, f"{name} {span}") for name in names for span in (early, early + 1)}
    cited = _cited(document)
    press, code = _press(), document.language
    told = f"{document.title}\n{document.text[:_CITING]}"
    if cited & names or (code in press.own and press.own[code].search(told)):
        found.add(_mark(_Sort.OWN, ""))
    if code in press.denying and press.denying[code].search(document.title):
        found.add(_mark(_Sort.OTHERS, _HEADED))
    cited -= names
    if document.credit:
        cited |= {f"={document.credit.replace('-', '')}"} - names
        found.add(_mark(_Sort.AGENCY, document.credit))
        found |= {_mark(_Sort.CREDITS, f"{document.credit} {span}") for span in near}
    found |= {_mark(_Sort.CITES, f"{name} {day // _SPAN}") for name in cited}
    found |= {_mark(_Sort.GROUP, group) for group in groups}
    for pair in combinations(sorted(groups), 2):
        found |= {_mark(_Sort.ABOUT, f"{pair} {span}") for span in near}
    for event in events:
        if event.modality == "looking-back":
            continue
        affirmed = event.polarity == "affirmed"
        if event.kind in _DEALS and affirmed:
            parties = "+".join(sorted({_root(party.actor) for party in event.parties}))
            if "+" in parties:
                found.add(_mark(_Sort.DEAL, parties))
        # What words alone tell is right of a report and missed in its retelling too often to speak against the two;
        # and who denies a fight tells no other news than who tells of the truce.
        elif not learned(event.rule) and (affirmed or event.kind in _DEALS):
            found.add(_mark(_Sort.OTHERS, event.kind if affirmed else _DENIED))
    if len(document.text.split()) <= _FLASH:
        found.add(_mark(_Sort.FLASH, ""))
    if code in press.unnamed and press.unnamed[code].search(document.text[:_UNNAMED]):
        found.add(_mark(_Sort.PRESS, ""))
    return tuple(sorted(found | set(_packed(_content(document)))))


def asked(sketch: Sequence[int]) -> tuple[int, ...]:
    """Give the terms by which a store finds what may be the same report: hashes as they are, marks as others hold them.

    A report asks for those that cite its outlet, and one that cites for the outlet's own.
    """
    swapped = {_Sort.PRINTED: _Sort.CITES, _Sort.CITES: _Sort.PRINTED}
    terms: list[int] = []
    for value in sketch:
        if value < _FIRST:
            terms.append(value)
        elif (sort := _sort(value)) in swapped:
            terms.append(value ^ (sort ^ swapped[sort]) << _BITS)
        elif sort in (_Sort.ABOUT, _Sort.CREDITS):
            terms.append(value)
    return tuple(terms)


def retold(one: Marked | None, one_at: datetime, other: Marked | None, other_at: datetime) -> bool:
    """Tell whether one document retells the report of the other, given when each came out."""
    days = abs((other_at - one_at).total_seconds()) / 86400
    if one is None or other is None or days > _NEXT:
        return False
    first, later = (one, other) if one_at <= other_at else (other, one)
    if first[_Sort.OUTLET] & later[_Sort.OUTLET]:
        return False
    groups = len(first[_Sort.GROUP] & later[_Sort.GROUP])
    # A translation is a text of its own; that it goes back to the same report is told by its credit, as its origin.
    if first[_Sort.LANGUAGE] != later[_Sort.LANGUAGE]:
        return False
    if not groups:
        return False
    shared = len(first[_Sort.WORDS] & later[_Sort.WORDS])
    part = shared / max(1, min(len(first[_Sort.WORDS]), len(later[_Sort.WORDS])))
    # A day without an hour may stand for a later time than the report that it cites.
    cited = first[_Sort.PRINTED] & later[_Sort.CITES] or (days <= 1 and later[_Sort.PRINTED] & first[_Sort.CITES])
    alike = part >= _ALIKE and shared >= _ALIKE_WORDS
    if not _agree(first, later, cited=bool(cited), alike=alike):
        return False
    same = part >= _SAME and shared >= _SAME_WORDS
    if later[_Sort.OWN] and not same:
        # Who has a source of his own names the first report as well, and adds an origin to it.
        return False
    if cited and part >= _KEPT and shared >= _KEPT_WORDS:
        return True
    one_agency = bool(first[_Sort.AGENCY] & later[_Sort.AGENCY])
    if one_agency and same:
        return True
    if groups < 2:
        return False
    if alike:
        return True
    deal = first[_Sort.DEAL] & later[_Sort.DEAL]
    if later[_Sort.PRESS] and part >= _LEANING and shared >= _LEANING_WORDS:
        return True
    if deal and (one_agency or later[_Sort.PRESS]) and part >= _DEAL and shared >= _DEAL_WORDS:
        return True
    if not later[_Sort.FLASH]:
        return False
    return (bool(deal) and part >= _HEADLINE and shared >= _HEADLINE_WORDS) or (part >= _BARE and shared >= _BARE_WORDS)


def _agree(first: Marked, later: Marked, *, cited: bool, alike: bool) -> bool:
    """Tell whether the later document's news may be the first's: a deal of the same groups, and nothing denied.

    Where a deal is read in the later one alone, it was missed in the first if the later one names it or has its words:
    one who tells of a deal and cites a report of another thing shares fewer. Fighting that is read in the later one
    alone is taken for misread only where it has the words: "had reported that both were calm" names it too.
    """
    more = later[_Sort.OTHERS] - first[_Sort.OTHERS]
    if _COUNTERED in more:
        return False
    if first[_Sort.DEAL] and later[_Sort.DEAL]:
        return bool(first[_Sort.DEAL] & later[_Sort.DEAL])
    if _COUNTERS & more:
        return False
    if later[_Sort.DEAL]:
        return cited or alike or not first[_Sort.OTHERS]
    return alike or not more


def _mark(sort: _Sort, text: str) -> int:
    value = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 64 - _BITS
    return _FIRST | sort << _BITS | value


def _sort(value: int) -> _Sort:
    return _Sort(value >> _BITS & 15)


def _held(text: str) -> int:
    return _mark(_Sort.OTHERS, text) & (1 << _BITS) - 1


_COUNTERED = _held(_HEADED)
_COUNTERS = frozenset(map(_held, (_DENIED, "refusal", "split")))
"""News that turns on the report it cites: it shares names and places with it, and is no retelling."""


@lru_cache(maxsize=4096)
def marked(sketch: tuple[int, ...]) -> Marked | None:
    """Give the marks by sort, PRINTED and CITES comparable; None where there are none that we wrote."""
    found: dict[_Sort, set[int]] = {sort: set() for sort in _Sort}
    low = (1 << _BITS) - 1
    for value in sketch:
        if value < _FIRST or value >> _BITS & 15 >= len(_Sort):
            continue
        sort = _sort(value)
        if sort is _Sort.WORDS:
            found[sort].update((value & low) >> _WORD_BITS * n & (1 << _WORD_BITS) - 1 for n in range(3))
        else:
            found[sort].add(value & low)
    found[_Sort.WORDS].discard(0)
    return {sort: frozenset(values) for sort, values in found.items()} if found[_Sort.OUTLET] else None


def _groups(document: Document) -> set[str]:
    lead = (mention.actor for inside in named_in(document).values() for mention in inside if mention.start < _ABOUT)
    return {_root(actor) for actor in lead if actor in ACTORS and ACTORS[actor].jihadist}


def _root(actor: str) -> str:
    """Give the group that it belongs to in the end: a retelling may name the branch by the whole."""
    while actor in ACTORS and ACTORS[actor].parent:
        actor = ACTORS[actor].parent
    return actor


def _plain(text: str) -> str:
    return _MARKS.sub("", normalize("NFKD", text)).lower()


@lru_cache(maxsize=8192)
def _sounds(text: str) -> str:
    return _DOUBLED.sub(r"\1", _SOUND.sub("", _plain(text).translate(_SOUNDS)))


def _own(source: str) -> set[str]:
    """Give the outlet's names by their sound: with and without words such as "agency", and as credits have it."""
    parts = source.split("_")
    if len(parts) > 1 and len(parts[-1]) == 2:
        # The country, or the language.
        del parts[-1]
    # "وكالة الساحل" may be `wakalat_alsahil`, `wakala_sahil`: the t is heard before another word alone, and readers
    # leave the article out or not.
    spelled = [_BOUND.sub("a", part) for part in parts]
    bare = [_GLUED.sub("", part) for part in spelled]
    names = {_sounds(" ".join(each)) for each in (parts, spelled, bare)}
    names |= {_sounds(" ".join(part for part in each if part not in _press().generic)) for each in (parts, bare)}
    short = {f"#{''.join(part[0] for part in parts)}"} if len(parts) > 1 else set()
    return {name for name in names if len(name) >= _NAME} | {f"={''.join(parts)}"} | short


def _cited(document: Document) -> set[str]:
    """Give by their sound the names, of one to three words, that stand near a word of citing."""
    cues = _press().cues.get(document.language)
    if cues is None:
        return set()
    found: set[str] = set()
    for text in (document.title, document.text[:_CITING]):
        end = 0
        for cue in cues.finditer(text):
            start = max(end - _REACH // 4, cue.start() - _REACH, 0)
            end = cue.end() + _REACH
            words = _TOKEN.findall(text[start:end])
            sounds = [_sounds(word) for word in words]
            bare = [_sounds(_ARTICLE.sub("", word)) for word in words]
            for at, word in enumerate(words):
                if word[0].isupper() or "\u0620" <= word[0] <= "\u064a":
                    names = (
                        _DOUBLED.sub(r"\1", "".join(heard[at : at + many]))
                        for heard in (sounds, bare)
                        for many in (1, 2, 3)
                    )
                    found.update(name for name in names if len(name) >= _NAME)
                if word.isupper() and word.isascii() and 1 < len(word) < 6:
                    found.add(f"#{word.lower()}")
    return found


def _content(document: Document) -> set[str]:
    """Give what a retelling keeps: content words by their beginnings, which endings leave alone, and numbers."""
    found = set()
    for word in _TOKEN.findall(_plain(f"{document.title}\n{document.text[:_LEAD]}")):
        if is_small(word):
            continue
        if word[0].isdigit():
            if len(word) > 1:
                found.add(word)
        elif "\u0620" <= word[0] <= "\u064a":
            if len(stem := _ARTICLE.sub("", _ALEF.sub("\u0627", word))) > 2:
                found.add(stem[:4])
        elif len(word) > 3:
            found.add(word[:5])
    return found


def _packed(words: Iterable[str]) -> Iterator[int]:
    hashes = sorted(
        {
            int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest()) % ((1 << _WORD_BITS) - 1) + 1
            for word in words
        }
    )
    for at in range(0, len(hashes), 3):
        three = [*hashes[at : at + 3], 0, 0]
        yield _FIRST | _Sort.WORDS << _BITS | three[0] | three[1] << _WORD_BITS | three[2] << 2 * _WORD_BITS
