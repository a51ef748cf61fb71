"""Finds the groups and persons that a text names, in five languages and three scripts, by one automaton.

The names are data: `processors/actors/*.yml`, one file a camp, and `forms.yml` with endings, clitics and context words.

How an alias is written says how it is matched. A capital in it must be a capital in the text, a small letter matches
either: `IS` never matches "is", `Islamic State` never "an Islamic state", `front al-Nosra` also "Front al-Nosra".
`{m}` stands for the endings of that name in `forms.yml`. Blank and hyphen are one, apostrophes and vowel signs are
left out, letters with marks match those without.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import ahocorasick
from pydantic import Field

from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load

Camp = Literal[
    "is",
    "aq",
    "independent",
    "rebel",
    "kurdish",
    "regime",
    "state",
    "coalition",
    "shia-militia",
    "taliban",
]

FOLDER = Path(__file__).parent.parent / "actors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One place where a text names an actor: `text[start:end]` without clitics and endings after an apostrophe."""

    actor: str
    start: int
    end: int
    alias: str
    """The alias as the data writes it."""
    adjectival: bool = False
    """The group only describes another: "al-Qaeda-linked", "IS-held"; it is no party of the sentence."""
    person: bool = False
    """A person who speaks or acts for the group."""


class _Names(Knowledge):
    """Aliases by language; `any` holds in every language."""

    any: tuple[str, ...] = ()
    en: tuple[str, ...] = ()
    ar: tuple[str, ...] = ()
    ru: tuple[str, ...] = ()
    fr: tuple[str, ...] = ()
    tr: tuple[str, ...] = ()


class Person(Knowledge):
    """A person who speaks or acts for a group."""

    name: str
    aliases: _Names
    also: tuple[str, ...] = ()
    """Other groups that the person led: the one that the text names most is meant."""
    weak: _Names = _Names()


class Actor(Knowledge):
    """A group or state, and how it is called."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    name: str
    camp: Camp
    jihadist: bool = False
    islamist: bool = False
    """An Islamist rebel group. Every jihadist group counts as one without saying so."""
    state: bool = False
    """A government, its armed forces, or a coalition of governments."""
    parent: str = ""
    """The group that it is a branch, province or member of."""
    predecessor: str = ""
    """The group that took this name: both are one line."""
    fought: tuple[str, ...] = ()
    """Groups outside the split between the Islamic State and the rest that it has fought, with lasting enmity."""
    aliases: _Names
    weak: _Names = _Names()
    """Ambiguous aliases: they count beside a clear name of any armed group or a subject word of `forms.yml`."""
    own: _Names = _Names()
    """Very ambiguous aliases: they count only beside a clear alias of the same actor."""
    unless: tuple[str, ...] = ()
    """Words that, right before or after a weak or own alias, show that another thing is meant."""
    persons: tuple[Person, ...] = ()


class _Camp(Knowledge):
    actors: tuple[Actor, ...]


class _Forms(Knowledge):
    endings: dict[str, tuple[str, ...]]
    subject: _Names
    adjectival_after: _Names
    adjectival_before: _Names


_Strength = Literal["clear", "weak", "own"]


@dataclass(frozen=True, slots=True)
class _Alias:
    actor: str
    text: str
    language: str
    strength: _Strength
    person: Person | None
    capitals: tuple[int, ...]
    length: int
    arabic: bool


# 1 character to 1, so that offsets stay. Cyrillic й loses its mark too: decomposed text has lost it before.
_SINGLES = {
    "İ": "i", "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ß": "s", "й": "и", "Й": "и", "ё": "е", "Ё": "е",
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه", "ک": "ك", "گ": "ك",
    "-": " ", "‐": " ", "‑": " ", "‒": " ", "–": " ", "—": " ", "\u00a0": " ", "\u202f": " ", "\t": " ",
}  # fmt: skip
_APOSTROPHES = "'’‘ʼʻ`´ʿʾ′"
# Apostrophes, vowel signs, tatweel, combining marks, invisible characters, and every blank after a blank or hyphen.
_DROPPED = re.compile(
    rf"[{_APOSTROPHES}\u0300-\u036f\u0640\u064b-\u065f\u0670\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\u00ad]"
    r"|(?<=[ \u00a0-]) +"
)


class _Table(dict[int, int]):
    """A translation table that works out each character once."""

    def __missing__(self, code: int) -> int:
        letter = chr(code)
        if letter in _SINGLES:
            letter = _SINGLES[letter]
        else:
            if code < 0x250 or 0x1E00 <= code < 0x1F00:
                letter = normalize("NFD", letter)[0]
            lower = letter.lower()
            letter = lower if len(lower) == 1 else letter
            letter = _SINGLES.get(letter, letter)
        self[code] = ord(letter)
        return self[code]


_TABLE = _Table()


@dataclass(frozen=True, slots=True)
class _Folded:
    text: str
    shifts: list[int]
    """Folded offset at which each dropped character stood, so that an original offset is one bisection away."""

    def original(self, position: int) -> int:
        return position + bisect_right(self.shifts, position)


def _fold(text: str) -> _Folded:
    shifts: list[int] = []
    dropped = 0
    for match in _DROPPED.finditer(text):
        for position in range(match.start(), match.end()):
            shifts.append(position - dropped)
            dropped += 1
    if dropped:
        text = _DROPPED.sub("", text)
    return _Folded(text.translate(_TABLE), shifts)


_BRACES = re.compile(r"\{([a-z]*)\}")
_ARABIC = re.compile(r"[\u0600-\u06ff]")


@dataclass(frozen=True, slots=True)
class _Index:
    actors: Mapping[str, Actor]
    automaton: Any
    subject: re.Pattern[str]
    after: re.Pattern[str]
    before: re.Pattern[str]
    unless: Mapping[str, re.Pattern[str]]
    lines: Mapping[str, frozenset[str]]


@cache
def _index(folder: Path = FOLDER) -> _Index:
    """Read the data once and build the automaton. Raises KnowledgeError that names the file."""
    forms = load(folder / "forms.yml", _Forms)
    actors: dict[str, Actor] = {}
    for path in sorted(folder.glob("*.yml")):
        if path.name == "forms.yml":
            continue
        for actor in load(path, _Camp).actors:
            if actor.id in actors:
                raise KnowledgeError(f"{path}: the actor id {actor.id} is taken; expected one entry an actor")
            actors[actor.id] = actor
    for actor in actors.values():
        others = [actor.parent, actor.predecessor, *actor.fought, *(i for p in actor.persons for i in p.also)]
        for other in filter(None, others):
            if other not in actors:
                raise KnowledgeError(f"{folder}: {actor.id} names the actor {other}, which no file has")
    patterns: dict[str, list[_Alias]] = {}
    for alias, folded in _aliases(actors, forms):
        patterns.setdefault(folded, []).append(alias)
    automaton = ahocorasick.Automaton()
    for folded, aliases in patterns.items():
        clear = {a.actor for a in aliases if a.strength == "clear" and a.person is None}
        if len(clear) > 1:
            raise KnowledgeError(f"{folder}: the alias {aliases[0].text!r} names {' and '.join(sorted(clear))}")
        automaton.add_word(folded, (len(folded), tuple(aliases)))
    automaton.make_automaton()
    return _Index(
        actors=actors,
        automaton=automaton,
        subject=_words(forms.subject, r"(?<!\w)(?:{})"),
        after=_words(forms.adjectival_after, r"[ ]?(?:{})(?!\w)"),
        before=_words(forms.adjectival_before, r"(?<!\w)(?:{})[ ]?$"),
        unless={a.id: re.compile("|".join(map(re.escape, map(_plain, a.unless)))) for a in actors.values() if a.unless},
        lines=_lines(actors),
    )


def _plain(text: str) -> str:
    return _fold(text).text


def _words(names: _Names, frame: str) -> re.Pattern[str]:
    words = [word for field in _Names.model_fields for word in getattr(names, field)]
    return re.compile(frame.format("|".join(sorted(map(re.escape, map(_plain, words)), key=len, reverse=True))))


def _aliases(actors: Mapping[str, Actor], forms: _Forms) -> Iterator[tuple[_Alias, str]]:
    for actor in actors.values():
        groups: list[tuple[_Names, _Strength, Person | None]] = [
            (actor.aliases, "clear", None),
            (actor.weak, "weak", None),
            (actor.own, "own", None),
        ]
        for person in actor.persons:
            groups += [(person.aliases, "clear", person), (person.weak, "weak", person)]
        for names, strength, person_or_none in groups:
            for language in _Names.model_fields:
                for written in getattr(names, language):
                    for form in _spelled(written, forms):
                        yield _alias(actor.id, written, form, language, strength, person_or_none)


def _spelled(written: str, forms: _Forms) -> Iterator[str]:
    """Give every inflected form of an alias, and the Arabic one in which the article melts into a preposition."""
    parts = _BRACES.split(written)
    unknown = [name for name in parts[1::2] if name not in forms.endings]
    if unknown:
        raise KnowledgeError(f"{written!r}: forms.yml has no endings called {unknown[0]!r}")
    for endings in product(*(forms.endings[name] for name in parts[1::2])):
        form = parts[0] + "".join(ending + rest for ending, rest in zip(endings, parts[2::2], strict=True))
        yield form
        if form.startswith("ال"):
            yield "لل" + form[2:]


def _alias(
    actor: str, written: str, form: str, language: str, strength: _Strength, person: Person | None
) -> tuple[_Alias, str]:
    folded = _fold(form)
    places = {folded.original(i): i for i in range(len(folded.text))}
    capitals = tuple(places[i] for i, letter in enumerate(form) if letter.isupper() and i in places)
    alias = _Alias(
        actor=actor,
        text=written,
        language=language,
        strength=strength,
        person=person,
        capitals=capitals,
        length=len(folded.text),
        arabic=bool(_ARABIC.search(form)),
    )
    return alias, folded.text


def _lines(actors: Mapping[str, Actor]) -> dict[str, frozenset[str]]:
    """Give each actor the set of ids that are one group under successive names."""
    line = {id: {id} for id in actors}
    for actor in actors.values():
        if actor.predecessor:
            joined = line[actor.id] | line[actor.predecessor]
            for id in joined:
                line[id] = joined
    return {id: frozenset(ids) for id, ids in line.items()}


class _Actors(Mapping[str, Actor]):
    """The actors by id, read from the data when first asked for."""

    def __getitem__(self, id: str) -> Actor:
        return _index().actors[id]

    def __iter__(self) -> Iterator[str]:
        return iter(_index().actors)

    def __len__(self) -> int:
        return len(_index().actors)


ACTORS: Mapping[str, Actor] = _Actors()


# و ف "and", ب ل ك "by, to, like", alone or one of each: what Arabic writes together with the name that follows.
_CLITICS = re.compile(r"(?<!\w)[وف]?[بلك]?$")
# What Turkish adds to a name without an apostrophe: case, possessive and "with", folded (ı and i, ü and u are one).
_TURKISH = re.compile(
    r"(?:[ns]?[iu]n?|n[iu]n|y?[iuae]|n[ae]|n?[dt][ae]n?|y?l[ae]|l[ae]r(?:[iu]n?)?|l[iu]|c[iu]|c[ae]|n?[dt]aki|n?deki)(?!\w)"
)
_LATIN_END = re.compile(r"s?(?!\w)")


def mentions(text: str, language: str = "und", *, context: str = "") -> tuple[Mention, ...]:
    """Give where the text names which actor, in order and without overlap, the longest name winning.

    An ambiguous name counts only with what `forms.yml` and the actor's entry ask for, in this text or in the context:
    give a title its text, so that "IS" in a headline is read as the article reads it.
    """
    index = _index()
    folded = _fold(text)
    found = _matches(index, text, folded, language)
    if not found:
        return ()
    if any(alias.strength != "clear" for _, _, alias in found):
        found = _supported(index, found, folded.text, language, context)
    taken: list[tuple[int, int, _Alias]] = []
    for start, end, alias in sorted(found, key=lambda match: (match[0] - match[1], match[0])):
        if all(end <= other[0] or start >= other[1] for other in taken):
            taken.append((start, end, alias))
    counts = Counter(alias.actor for _, _, alias in taken if alias.person is None)
    return tuple(
        Mention(
            actor=_meant(alias, counts),
            start=folded.original(start),
            end=folded.original(end - 1) + 1,
            alias=alias.text,
            adjectival=_adjectival(index, folded.text, start, end),
            person=alias.person is not None,
        )
        for start, end, alias in sorted(taken, key=lambda match: match[0])
    )


def _matches(index: _Index, text: str, folded: _Folded, language: str) -> list[tuple[int, int, _Alias]]:
    """Give all aliases that stand as words of their own, with the capitals that they ask for."""
    plain = folded.text
    found: list[tuple[int, int, _Alias]] = []
    for last, (length, aliases) in index.automaton.iter(plain):
        end = last + 1
        start = end - length
        if not _begins(text, folded, start, aliases[0].arabic) or not _stops(text, folded, end, language):
            continue
        for alias in aliases:
            if alias.strength != "clear" and alias.language not in ("any", language) and language != "und":
                continue
            if all(text[folded.original(start + i)].isupper() for i in alias.capitals):
                found.append((start, end, alias))
                break
    return found


def _begins(text: str, folded: _Folded, start: int, arabic: bool) -> bool:
    if start == 0 or not folded.text[start - 1].isalnum():
        return True
    if text[folded.original(start) - 1] in _APOSTROPHES:
        return True
    return arabic and _CLITICS.search(folded.text, max(0, start - 3), start) is not None


def _stops(text: str, folded: _Folded, end: int, language: str) -> bool:
    plain = folded.text
    if end == len(plain) or not plain[end].isalnum():
        return True
    if text[folded.original(end - 1) + 1] in _APOSTROPHES:
        return True
    if _LATIN_END.match(plain, end):
        return True
    return language in ("tr", "und") and _TURKISH.match(plain, end) is not None


def _supported(
    index: _Index, found: list[tuple[int, int, _Alias]], plain: str, language: str, context: str
) -> list[tuple[int, int, _Alias]]:
    """Leave out ambiguous aliases that nothing in the text or its context bears out."""
    clear = {alias.actor for _, _, alias in found if alias.strength == "clear"}
    others = plain
    if context:
        others = f"{plain}\n{_plain(context)}"
        clear |= {
            alias.actor
            for _, _, alias in _matches(index, context, _fold(context), language)
            if alias.strength == "clear"
        }
    armed = any(not index.actors[id].state for id in clear) or index.subject.search(others) is not None
    kept: list[tuple[int, int, _Alias]] = []
    for start, end, alias in found:
        if alias.strength != "clear":
            if not (armed if alias.strength == "weak" else alias.actor in clear):
                continue
            unless = index.unless.get(alias.actor)
            # Two words either side are looked at: 24 characters hold them in these languages.
            if unless and unless.search(f"{plain[max(0, start - 24) : start]}|{plain[end : end + 24]}"):
                continue
        kept.append((start, end, alias))
    return kept


def _meant(alias: _Alias, counts: Counter[str]) -> str:
    """Give the group for which a person stands here: the one named most in the text, else the one listed first."""
    if alias.person is None or not alias.person.also:
        return alias.actor
    return max((alias.actor, *alias.person.also), key=lambda id: counts[id])


def _adjectival(index: _Index, plain: str, start: int, end: int) -> bool:
    return (
        index.after.match(plain, end) is not None or index.before.search(plain, max(0, start - 40), start) is not None
    )


def rival(one: str, other: str) -> bool:
    """Tell whether a deal of these two would be a reconciliation: two groups across the jihadist split.

    True where one is of the Islamic State's camp and the other a jihadist or Islamist group outside it; and where the
    data say that two jihadist or Islamist groups have fought each other (`fought`, for either, in any of the names
    that they have had), at least one of them jihadist. Never with a state, the Kurdish or Shia forces, or a
    nationalist rebel group such as the Free Syrian Army, whatever they agree; never within one camp or line of names,
    unless `fought` says so. Raises KeyError for an id that the data do not have.
    """
    index = _index()
    a, b = index.actors[one], index.actors[other]
    if index.lines[one] == index.lines[other] or a.state or b.state:
        return False
    if not (a.jihadist or a.islamist) or not (b.jihadist or b.islamist) or not (a.jihadist or b.jihadist):
        return False
    if (a.camp == "is") != (b.camp == "is"):
        return True
    lines = index.lines[one], index.lines[other]
    return any(not lines[1 - side].isdisjoint(index.actors[id].fought) for side in (0, 1) for id in lines[side])
