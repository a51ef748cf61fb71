"""Finds which documents tell one story in the same words, cut short or under another headline, and whom they credit.

A sketch is the smallest hashes of a text's word shingles. Two sketches estimate how much of the shorter text stands in
the longer one (containment, not resemblance: a reprint is often cut short), so stores find candidates by an index
look-up of the hashes and nothing else is kept.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol
from unicodedata import normalize

from pydantic import Field

from processors.annotate.retold import marked, retold
from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load

SKETCH_SIZE = 64
"""Hashes kept. Of a text cut to a tenth of the other's length six still lie in the range that both sketches cover."""

_CONTAINED = 0.6
_SHARED = 5

_WORD = re.compile(r"\w+")
_MARKS = re.compile("[\u0300-\u036f\u0640\u064b-\u065f\u0670]")


def sketch(text: str) -> tuple[int, ...]:
    """Give up to `SKETCH_SIZE` hashes of 63 bits that stand for the text, smallest first, the same in every run.

    A shingle is four words: three join phrases such as "the Free Syrian Army said", five lose more to each changed one.
    """
    words = _WORD.findall(_MARKS.sub("", normalize("NFKD", text)).lower())
    coded = [word.encode() for word in words]
    shingles = {b" ".join(four) for four in zip(coded, coded[1:], coded[2:], coded[3:], strict=False)}
    # The order comes from a cheap hash over all, the rest of the bits from a good one over the few that are kept. Few
    # but those that may be kept are sorted: ranks are spread evenly, so twice their share holds them but by a freak.
    most = min((2 * SKETCH_SIZE << 32) // max(1, len(shingles)), 1 << 32)
    ranked = [(rank, shingle) for rank, shingle in zip(_ranks(shingles), shingles, strict=True) if rank <= most]
    if len(ranked) < min(SKETCH_SIZE, len(shingles)):
        ranked = list(zip(_ranks(shingles), shingles, strict=True))
    ranked.sort()
    return tuple(
        rank << 31 | int.from_bytes(hashlib.blake2b(shingle, digest_size=4).digest()) >> 1
        for rank, shingle in ranked[:SKETCH_SIZE]
    )


def _ranks(shingles: Iterable[bytes]) -> list[int]:
    """Give for each a 32-bit value whose order has nothing to do with that of the checksum, which is linear."""
    return [(value * 0x9E3779B1 ^ value >> 15) & 0xFFFFFFFF for value in map(zlib.crc32, shingles)]


def same_story(one: Sequence[int], other: Sequence[int]) -> bool:
    """Tell whether one text holds most of the other's wording, judged on the range that both sketches cover.

    A full sketch covers hashes up to its last; a shorter one covers all. `_CONTAINED` was set on 415 news texts read
    side by side: reprints cut by two paragraphs lie at 0.90 and above, rewritten wires between 0.55 and 0.9, reports of
    different events that end with the outlet's standing background below 0.56. `_SHARED` keeps two short texts apart
    that have one phrase in common: eight words in a row give five shingles.
    """
    return _same(_hashes(tuple(one)), _hashes(tuple(other)))


class _Hashes(NamedTuple):
    """The hashes of wording in a sketch, without the marks behind them: in order, and for comparing."""

    ordered: tuple[int, ...]
    held: frozenset[int]


@lru_cache(maxsize=4096)
def _hashes(sketch: tuple[int, ...]) -> _Hashes:
    hashes = sketch[: bisect_left(sketch, 1 << 63)]
    return _Hashes(hashes, frozenset(hashes))


def _same(one: _Hashes, other: _Hashes) -> bool:
    shared = one.held & other.held
    if len(shared) < _SHARED:
        return False
    both = (one.ordered, other.ordered)
    limit = min((s[-1] for s in both if len(s) >= SKETCH_SIZE), default=1 << 63)
    common = sum(value <= limit for value in shared)
    return common >= _SHARED and common >= _CONTAINED * min(bisect_right(s, limit) for s in both)


class Dated(Protocol):
    """What says when a document came out; a `Document` and a store's rows both do."""

    @property
    def published_at(self) -> datetime | None: ...
    @property
    def fetched_at(self) -> datetime: ...


class Sketched(Dated, Protocol):
    """A document as the search for reprints sees it."""

    @property
    def document(self) -> str: ...
    @property
    def story(self) -> str: ...
    @property
    def sketch(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The story that a document joins, and the stories that become one with it."""

    story: str
    relabels: dict[str, str] = field(default_factory=dict)
    """Former story id to the id that it has from now on."""


def assign(
    document: str,
    dated: Dated,
    terms: tuple[int, ...],
    candidates: Iterable[Sketched],
    look_up: Callable[[str], Dated | None],
) -> Assignment:
    """Give the story of a document: the id of the first, by (published_at or fetched_at, id), of all that it joins.

    The answer is the same in whatever order the documents come. `candidates` are those that share sketch terms;
    `look_up` gives the times of a story's first document, which need not be among them.
    """
    firsts = {document: dated}
    former: set[str] = set()
    hashes, told, came = _hashes(terms), marked(terms), dated.published_at or dated.fetched_at
    for candidate in candidates:
        sketch = candidate.sketch
        if (
            candidate.document == document
            or _same(hashes, _hashes(sketch))
            or retold(told, came, marked(sketch), candidate.published_at or candidate.fetched_at)
        ):
            story = candidate.story or candidate.document
            former.add(story)
            if story not in firsts:
                firsts[story] = look_up(story) or candidate
    story = min(firsts, key=lambda id: (firsts[id].published_at or firsts[id].fetched_at, id))
    return Assignment(story=story, relabels={id: story for id in sorted(former) if id != story})


class _Outlet(Knowledge):
    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    names: tuple[str, ...]
    monitor: bool = False


class _Phrases(Knowledge):
    citing: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class _Credits(Knowledge):
    outlets: tuple[_Outlet, ...]
    leaning: dict[str, _Phrases]
    pictures: _Phrases
    signed: tuple[str, ...]


_CREDITS = Path(__file__).parent.parent / "cues" / "credits.yml"
_OPENING = 160
"""Characters in which a dateline stands: place, day and agency are within two lines of every wire that we read."""
_LEANING = 1500
"""Characters in which a report says on whom it leans; an agency named only further down is a side source."""
_CLOSING = 40
"""Characters at the end in which a text is signed: "(AFP)", "Source: AA", "Avec AFP"."""
_SIGNED_END = re.compile(r"[\s)\]/.»”\"]*")
_BEFORE = r"(?<!\w)[وف]?(?:{})\s*[«“\"]?$"
_AFTER_DATELINE = re.compile(r"\s*[-–—:]|\s*$")


@dataclass(frozen=True, slots=True)
class _Crediting:
    names: re.Pattern[str]
    ids: dict[str, str]
    monitors: frozenset[str]
    citing: re.Pattern[str]
    before: re.Pattern[str]
    after: re.Pattern[str]
    picture_before: re.Pattern[str]
    picture_after: re.Pattern[str]
    signed: re.Pattern[str]


@cache
def _crediting(path: Path = _CREDITS) -> _Crediting:
    """Read who can be credited, and in which words. Raises KnowledgeError for a file that is wrong."""
    data = load(path, _Credits)
    parts: list[str] = []
    for number, outlet in enumerate(data.outlets):
        names = sorted(map(re.escape, outlet.names), key=len, reverse=True)
        parts.append(f"(?P<n{number}>{'|'.join(names)})".replace("\\~", "~").replace("~", "[а-яё]{0,3}"))
    # Said beforehand, the letters with which names begin spare most words the walk through all names.
    firsts = "".join(sorted({re.escape(name[0]) for outlet in data.outlets for name in outlet.names} | set("وبل")))
    try:
        return _Crediting(
            # Arabic writes و ب ل together with the name.
            names=re.compile(rf"(?<!\w)(?=[{firsts}])(?:[وبل]|لل)?(?:{'|'.join(parts)})(?!\w)"),
            ids={f"n{number}": outlet.id for number, outlet in enumerate(data.outlets)},
            monitors=frozenset(outlet.id for outlet in data.outlets if outlet.monitor),
            citing=_either([p for phrases in data.leaning.values() for p in phrases.citing], _BEFORE),
            before=_either([p for phrases in data.leaning.values() for p in phrases.before], _BEFORE),
            after=_either([p for phrases in data.leaning.values() for p in phrases.after], r"[»”\"]?\s*(?:{})(?!\w)"),
            picture_before=_either(data.pictures.before, r"(?:{})\s*$"),
            picture_after=_either(data.pictures.after, r"\s*(?:{})"),
            signed=_either(data.signed, r"(?:[(\[/–—-]|(?<!\w)(?:{})\s?:?)\s*$"),
        )
    except re.error as error:
        raise KnowledgeError(f"{path}: a pattern is no regular expression: {error}") from error


def _either(patterns: Sequence[str], frame: str) -> re.Pattern[str]:
    return re.compile(frame.replace("{}", "|".join(patterns)), re.IGNORECASE)


def credit(text: str) -> str:
    """Give the id of the agency or outlet on which the report leans, empty where it leans on none that we know.

    A dateline ("BEIRUT (AP)") comes first, then what the text credits most often ("Reuters reported", "نقلا عن وكالة
    رويترز"), then a monitor's word. A picture's credit is none, nor is an outlet that is merely spoken of.
    """
    data = _crediting()
    head = text[:_LEANING]
    signed = ""
    credited: Counter[str] = Counter()
    for match in data.names.finditer(head):
        id = data.ids[match.lastgroup or ""]
        left = head[max(0, match.start() - 60) : match.start()]
        right = head[match.end() : match.end() + 140]
        bracketed = left[-1:] + right[:1] in ("()", "[]", "//")
        if data.picture_before.search(left) or (data.picture_after.match(right) and not bracketed):
            continue
        if match.start() < _OPENING:
            dashed = left.rstrip().endswith(("-", "–", "—", "/", ",")) and _AFTER_DATELINE.match(right)
            if bracketed or dashed:
                return id
        if match.end() > len(text) - _CLOSING and data.signed.search(left) and _SIGNED_END.fullmatch(right):
            signed = id
        if data.citing.search(left):
            # "TASS reports, citing Reuters": the one cited had it first.
            credited[id] += 10
        elif data.before.search(left) or data.after.match(right):
            credited[id] += 1
    if signed and set(credited) <= data.monitors:
        return signed
    if not credited:
        return signed
    return max(credited, key=lambda id: (id not in data.monitors, credited[id]))
