"""Finds the groups and persons that a text names, in five languages and three scripts, by one automaton.

The names are data: `processors/actors/*.yml`, one file a camp, and `forms.yml` with endings, clitics and context words.

How an alias is written says how it is matched. A capital in it must be a capital in the text, a small letter matches
either: `IS` never matches "is", `Islamic State` never "an Islamic state", `front al-Nosra` also "Front al-Nosra".
`(a|b|)` stands for each of its parts, `{m}` for the endings of that name in `forms.yml`. Blank, hyphen and the line of
a hashtag are one;
apostrophes, quotation marks and vowel signs are left out; letters with marks match those without.

"The Islamic State" in a text about Yemen is its Yemeni province: `theatres.yml` holds the places by which a text shows
where it is, an actor's `theatre` and `called` say whose name means it there, and `since` from when on; its `regions`
mean it where they stand right beside that name: "the Islamic State in West Africa".
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from itertools import accumulate, product
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import ahocorasick
from pydantic import Field

from processors.knowledge import Knowledge, load, wrong
from processors.records import Document
from processors.records import Field as Part

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
    """The alias that matched, as spelled out from the data."""
    adjectival: bool = False
    """The group only describes another: "al-Qaeda-linked", "IS-held"; it is no party of the sentence."""
    person: bool = False
    """A person who speaks or acts for the group."""
    branch: bool = False
    """The name is that of the whole, and its branch is meant: "al-Qaeda's Syrian arm"."""


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
    theatre: tuple[str, ...] = ()
    """Where it fights, by the names of `theatres.yml`; the first is its home, which its own name shows too."""
    called: tuple[str, ...] = ()
    """Actors by whose name it is meant in its theatres: "al-Qaeda" in Yemen."""
    since: str = Field("", pattern=r"^(\d{4}-\d{2})?$")
    """The month from which on it can be meant so."""
    regions: _Names = _Names()
    """Names of wide or distant regions that beside the name of who it is `called` by mean it, and show nothing else."""
    only_people: bool = False
    """In its theatre not the name alone means it, but the name's branch, men or fighters there: "al-Qaeda's men"."""
    fought: tuple[str, ...] = ()
    """Groups outside the split between the Islamic State and the rest that it has fought, with lasting enmity."""
    allied: tuple[str, ...] = ()
    """Those of `fought` beside whom it stood for most of its time: what the two agree on is an alliance."""
    aliases: _Names
    members: _Names = _Names()
    """What its people are called: "Nusraites", игиловцы. They stand for the group."""
    weak: _Names = _Names()
    """Ambiguous aliases: they count beside a clear name of any armed group or a subject word of `forms.yml`."""
    own: _Names = _Names()
    """Very ambiguous aliases: they count only beside a clear alias of this actor and of no other that shares them."""
    short: _Names = _Names()
    """Short names that are words of the language too ("Hurras", Heyet, الدولة): they count beside a clear alias of this
    actor, and where another armed group of its theatre is named and the word stands as a name: within a sentence, in
    quotation marks or before an apostrophe with a capital; in Arabic in one sentence with that group."""
    places: _Names = _Names()
    """Names of a country or capital: they count where no word of `forms.yml` shows that the place is meant."""
    capitals: _Names = _Names()
    """Its capital where there is fighting too: it counts where a word beside it shows that the government is meant."""
    unless: tuple[str, ...] = ()
    """Words that, among the two before or after a weak or own alias, show that another thing is meant."""
    persons: tuple[Person, ...] = ()


class _Camp(Knowledge):
    theatre: tuple[str, ...] = ()
    """The theatre of those actors of the file that name none."""
    actors: tuple[Actor, ...]


class _Theatre(Knowledge):
    places: _Names
    peoples: _Names = _Names()
    """Adjectives and peoples: a Yemeni can be anywhere, so they show where a text is, but not where a sentence is."""


class _Theatres(Knowledge):
    theatres: dict[str, _Theatre]


class _Forms(Knowledge):
    endings: dict[str, tuple[str, ...]]
    subject: _Names
    adjectival_hyphened: _Names
    adjectival_after: _Names
    adjectival_before: _Names
    branch_after: _Names
    branch_before: _Names
    people_after: _Names
    people_before: _Names
    linked: _Names
    parent: _Names
    belonging_after: _Names
    belonging_before: _Names
    followers_after: _Names
    followers_before: _Names
    place_before: _Names
    place_after: _Names
    government_before: _Names
    government_after: _Names


# "scene" and "people" name no actor but a theatre: the places and the peoples that show it.
# "region" stands beside a name and says which branch of that group it is.
_Strength = Literal["clear", "weak", "own", "short", "place", "capital", "scene", "people", "region"]


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
    members: bool = False


# 1 character to 1, so that offsets stay. Cyrillic й loses its mark too: decomposed text has lost it before.
_SINGLES = {
    "İ": "i", "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ß": "s", "й": "и", "Й": "и", "ё": "е", "Ё": "е",
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه", "ک": "ك", "گ": "ك",
    "-": " ", "‐": " ", "‑": " ", "‒": " ", "–": " ", "—": " ", "\u00a0": " ", "\u202f": " ", "\t": " ", "_": " ",
}  # fmt: skip
_APOSTROPHES = "'’‘ʼʻ`´ʿʾ′"
_QUOTES = '«»“”„"'
_MARKS = frozenset(_QUOTES)
_LETTERLESS = frozenset(_APOSTROPHES + _QUOTES)
# Apostrophes, quotation marks, combining marks, tatweel, vowel signs, what cannot be seen,
# and each blank after a blank or hyphen.
_DROPPED = re.compile(
    rf"[{_APOSTROPHES}{_QUOTES}\u0300-\u036f\u0640\u064b-\u065f\u0670\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\u00ad]"
    r"|(?<=[ \u00a0-]) "
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
        return position + bisect_right(self.shifts, position) if self.shifts else position


def _fold(text: str) -> _Folded:
    pieces = _DROPPED.split(text)
    if len(pieces) == 1:
        return _Folded(text.translate(_TABLE), [])
    # Each separator was one character: the pieces' lengths say where they stood.
    return _Folded("".join(pieces).translate(_TABLE), list(accumulate(map(len, pieces[:-1]))))


_BRACES = re.compile(r"\{([a-z]*)\}")
_ARABIC = re.compile(r"[\u0600-\u06ff]")


@dataclass(frozen=True, slots=True)
class _Index:
    actors: Mapping[str, Actor]
    automaton: Any
    subject: re.Pattern[str]
    hyphened: re.Pattern[str]
    after: re.Pattern[str]
    before: re.Pattern[str]
    place: re.Pattern[str]
    place_last: frozenset[str]
    """The last words of what stands before a place or a government, to save the search where none of them stands."""
    place_after: re.Pattern[str]
    government_before: re.Pattern[str]
    government_after: re.Pattern[str]
    belonging_after: re.Pattern[str]
    belonging_before: re.Pattern[str]
    followers_after: re.Pattern[str]
    followers_before: re.Pattern[str]
    before_last: frozenset[str]
    """The last words of what both `before` match, to save the search where none of them stands."""
    unless: Mapping[str, re.Pattern[str]]
    lines: Mapping[str, frozenset[str]]
    branch_after: re.Pattern[str]
    branch_before: re.Pattern[str]
    people_after: re.Pattern[str]
    people_before: re.Pattern[str]
    linked: re.Pattern[str]
    parent: re.Pattern[str]
    called: Mapping[str, Mapping[str, tuple[Actor, ...]]]
    """Whose name can mean which actors in which theatre."""


@cache
def _index(folder: Path = FOLDER) -> _Index:
    """Read the data once and build the automaton. Raises KnowledgeError that names the file."""
    forms = load(folder / "forms.yml", _Forms)
    theatres = load(folder / "theatres.yml", _Theatres).theatres
    actors: dict[str, Actor] = {}
    where: dict[str, tuple[Path, int]] = {}
    for path in sorted(folder.glob("*.yml")):
        if path.name in ("forms.yml", "theatres.yml"):
            continue
        camp = load(path, _Camp)
        for number, read in enumerate(camp.actors):
            actor = read if read.theatre else read.model_copy(update={"theatre": camp.theatre})
            if actor.id in actors:
                said = f"the id {actor.id} is taken by an actor of {where[actor.id][0].name}; expected another id"
                raise wrong(path, ("actors", number, "id"), said)
            actors[actor.id] = actor
            where[actor.id] = (path, number)
    for id, actor in actors.items():
        path, number = where[id]
        others = [("parent", actor.parent), ("predecessor", actor.predecessor)]
        others += [("fought", other) for other in actor.fought]
        others += [("allied", other) for other in actor.allied]
        others += [("called", other) for other in actor.called]
        others += [("persons", other) for person in actor.persons for other in person.also]
        for key, other in others:
            if other and other not in actors:
                raise wrong(path, ("actors", number, key), f"there is no actor {other}; expected an id of these files")
        for theatre in actor.theatre:
            if theatre not in theatres:
                said = f"there is no theatre {theatre}; expected one of {', '.join(theatres)}"
                raise wrong(path, ("actors", number, "theatre"), said)
    patterns: dict[str, list[_Alias]] = {}
    for alias, folded in _aliases(actors, forms, where):
        aliases = patterns.setdefault(folded, [])
        if alias.strength == "clear" and alias.person is None:
            rivals = [a.actor for a in aliases if a.strength == "clear" and a.person is None and a.actor != alias.actor]
            if rivals:
                path, number = where[alias.actor]
                said = f"{alias.text!r} names {rivals[0]} too; expected names of one actor only, or the key own"
                raise wrong(path, ("actors", number, "aliases"), said)
        aliases.append(alias)
    for alias, folded in _scenes(theatres, forms, folder / "theatres.yml"):
        patterns.setdefault(folded, []).append(alias)
    automaton = ahocorasick.Automaton()
    for folded, aliases in patterns.items():
        automaton.add_word(folded, (len(folded), tuple(aliases)))
    automaton.make_automaton()
    return _Index(
        actors=actors,
        automaton=automaton,
        subject=_words(forms.subject, r"(?<!\w)(?:{})", forms),
        hyphened=_words(forms.adjectival_hyphened, r"[-\u2010\u2011](?:{})(?!\w)", forms),
        # A Turkish case stands between the name and what follows it: El Kaide'ye bağlı.
        after=_words(forms.adjectival_after, r"(?:\w{1,4})? ?(?:{})(?!\w)", forms),
        before=_words(forms.adjectival_before, r"(?<!\w)(?:{})(?: the| le| la| les)?(?: l)? ?$", forms),
        followers_after=_words(forms.followers_after, r"(?:\w{1,4})? (?:{})", forms),
        followers_before=_words(forms.followers_before, r"(?<!\w)(?:{})(?: the| le| la| les)?(?: l)? ?$", forms),
        belonging_after=_words(forms.belonging_after, r"(?:\w{1,4})? ?(?:{})(?!\w)", forms),
        belonging_before=_words(forms.belonging_before, r"(?<!\w)(?:{})(?: the| le| la| les)?(?: l)? ?$", forms),
        before_last=frozenset(
            form.split()[-1]
            for names in (forms.adjectival_before, forms.belonging_before, forms.branch_before)
            for form in _forms(names, forms)
        ),
        place=_words(forms.place_before, r"(?<!\w)[وف]?(?:{})(?: the)? $", forms),
        # A Turkish genitive stands between: Şam'ın güneyi.
        place_last=frozenset(
            form.split()[-1] for names in (forms.place_before, forms.government_before) for form in _forms(names, forms)
        ),
        government_before=_words(forms.government_before, r"(?<!\w)[وف]?(?:{}) $", forms),
        government_after=_words(forms.government_after, r"(?:[iu]n)? (?:{})", forms),
        place_after=_words(forms.place_after, r"(?:[iu]n)? (?:{})", forms),
        unless={
            actor.id: re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, map(_plain, actor.unless)))})s?(?!\w)")
            for actor in actors.values()
            if actor.unless
        },
        lines=_lines(actors),
        branch_after=_words(forms.branch_after, r"(?:\w{1,4})? (?:(?!and |ve )\w+ )?(?:{})(?!\w)", forms),
        branch_before=_words(forms.branch_before, r"(?<!\w)(?:{})(?: the| le| la| les)?(?: l)? ?$", forms),
        people_after=_words(forms.people_after, r"(?:\w{1,4})? (?:(?!and |ve )\w+ )?(?:{})", forms),
        people_before=_words(
            forms.people_before, r"(?<!\w)(?:{})(?: \w+)?(?: the| le| la| les| d| de| du)?(?: l)? ?$", forms
        ),
        linked=_words(forms.linked, r"(?:\w{1,4})? (?:{})(?!\w)", forms),
        parent=_words(forms.parent, r"(?<!\w)(?:{})", forms),
        called=_called(actors),
    )


def _called(actors: Mapping[str, Actor]) -> dict[str, dict[str, tuple[Actor, ...]]]:
    called: dict[str, dict[str, tuple[Actor, ...]]] = {}
    for actor in actors.values():
        for other in actor.called:
            for theatre in actor.theatre:
                there = called.setdefault(other, {})
                there[theatre] = (*there.get(theatre, ()), actor)
    return called


def _plain(text: str) -> str:
    return _fold(text).text


def _forms(names: _Names, forms: _Forms) -> set[str]:
    written = [word for field in _Names.model_fields for word in getattr(names, field)]
    return {_plain(form) for word in written for form in _spelled(word, forms)}


def _words(names: _Names, frame: str, forms: _Forms) -> re.Pattern[str]:
    words = sorted(map(re.escape, _forms(names, forms)), key=len, reverse=True)
    # A star in the data is any one word.
    return re.compile(frame.replace("{}", "|".join(words).replace(r"\*", r"\w+")))


def _aliases(
    actors: Mapping[str, Actor], forms: _Forms, where: Mapping[str, tuple[Path, int]]
) -> Iterator[tuple[_Alias, str]]:
    for actor in actors.values():
        groups: list[tuple[_Names, _Strength, Person | None, str]] = [
            (actor.aliases, "clear", None, "aliases"),
            (actor.members, "clear", None, "members"),
            (actor.weak, "weak", None, "weak"),
            (actor.own, "own", None, "own"),
            (actor.short, "short", None, "short"),
            (actor.places, "place", None, "places"),
            (actor.capitals, "capital", None, "capitals"),
            (actor.regions, "region", None, "regions"),
        ]
        for person in actor.persons:
            groups += [(person.aliases, "clear", person, "persons"), (person.weak, "weak", person, "persons")]
        for names, strength, person_or_none, key in groups:
            for language in _Names.model_fields:
                given: set[str] = set()
                for written in getattr(names, language):
                    try:
                        spelled = list(_spelled(written, forms))
                    except KeyError as error:
                        path, number = where[actor.id]
                        said = f"{written!r}: forms.yml has no endings called {error.args[0]!r}"
                        raise wrong(path, ("actors", number, key), said) from None
                    for form in spelled:
                        if form not in given:
                            given.add(form)
                            yield _alias(actor.id, form, language, strength, person_or_none, members=key == "members")


def _scenes(theatres: Mapping[str, _Theatre], forms: _Forms, path: Path) -> Iterator[tuple[_Alias, str]]:
    for theatre, shown in theatres.items():
        groups: tuple[tuple[_Names, _Strength, str], ...] = (
            (shown.places, "scene", "places"),
            (shown.peoples, "people", "peoples"),
        )
        for names, strength, key in groups:
            for language in _Names.model_fields:
                for written in getattr(names, language):
                    try:
                        spelled = list(_spelled(written, forms))
                    except KeyError as error:
                        said = f"{written!r}: forms.yml has no endings called {error.args[0]!r}"
                        raise wrong(path, ("theatres", theatre, key), said) from None
                    for form in spelled:
                        yield _alias(theatre, form, language, strength, None)


_CHOICE = re.compile(r"\(([^()]*)\)")


def _spelled(written: str, forms: _Forms) -> Iterator[str]:
    """Give every form of an alias, and the Arabic one in which the article melts into a preposition.

    Raises KeyError for endings that `forms.yml` does not have.
    """
    choice = _CHOICE.search(written)
    if choice:
        for part in choice[1].split("|"):
            yield from _spelled(written[: choice.start()] + part + written[choice.end() :], forms)
        return
    parts = _BRACES.split(written)
    for endings in product(*(forms.endings[name] for name in parts[1::2])):
        form = parts[0] + "".join(ending + rest for ending, rest in zip(endings, parts[2::2], strict=True))
        yield form
        if form.startswith("ال"):
            yield "لل" + form[2:]


def _alias(
    actor: str, form: str, language: str, strength: _Strength, person: Person | None, *, members: bool = False
) -> tuple[_Alias, str]:
    folded = _fold(form)
    capitals: tuple[int, ...] = ()
    if not form.islower():
        if folded.shifts:
            capitals = tuple(i for i in range(len(folded.text)) if form[folded.original(i)].isupper())
        else:
            capitals = tuple(i for i, letter in enumerate(form) if letter.isupper())
    alias = _Alias(
        actor=actor,
        text=form,
        language=language,
        strength=strength,
        person=person,
        capitals=capitals,
        length=len(folded.text),
        arabic=bool(_ARABIC.search(form)),
        members=members,
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
    r"(?:[ns]?[iu]n?|n[iu]n|y?[iuae]|n[ae]|n?[dt][ae]n?|y?l[ae]|c[ae]|n?[dt]aki|n?deki"
    # Its people: Colaniciler, Horasanlılardan.
    r"|(?:[cl][iu])?(?:l[ae]r)?(?:[iu]n?[ae]?|[ae]|[dt][ae]n?|l[ae])?)(?!\w)"
)
# "in" and "from" of a Turkish place name, "to" and "of" too.
_LOCATIVE = re.compile(r"(?:[dt][ae]n?|y[ae]|n[iu]n)(?!\w)")
_PLURAL = re.compile(r"s(?!\w)")
# What Russian adds to a name that ends in a consonant, whether a dictionary declines it or not: «Джунд аль-Исламом».
_RUSSIAN = re.compile(r"(?:а|у|ом|ым|е)(?!\w)")
_HARD = frozenset("бвгджзклмнпрстфхцчшщ")


_Match = tuple[int, int, list[_Alias]]


@dataclass(frozen=True, slots=True)
class _Scene:
    """A place of the folded text that shows a theatre."""

    start: int
    end: int
    theatre: str
    strength: _Strength


_Region = tuple[int, int, str]
"""A place of the folded text that names the region of an actor."""


@dataclass(frozen=True, slots=True)
class _Seen:
    folded: _Folded
    matches: list[_Match]
    scenes: list[_Scene]
    regions: list[_Region]


# A document's title is read in the context of its text and the text in that of its title: each is looked through once.
@lru_cache(maxsize=4)
def _seen(text: str, language: str) -> _Seen:
    index = _index()
    folded = _fold(text)
    return _Seen(folded, *_matches(index, text, folded, language))


Named = Mapping[Part, tuple[Mention, ...]]
"""The groups that a document's title and text name, in this order."""


def named_in(document: Document) -> Named:
    """Give the groups that a document's title and text name."""
    title, text, language, day = document.title, document.text, document.language, document.published_at
    return {
        "title": mentions(title, language, context=text, day=day),
        "text": mentions(text, language, context=title, day=day),
    }


def beside(given: Iterable[Mention], found: Iterable[Mention]) -> tuple[Mention, ...]:
    """Give in order the mentions that are known, and those that were found where none of these stands."""
    given = tuple(given)
    more = (one for one in found if all(one.end <= known.start or known.end <= one.start for known in given))
    return tuple(sorted((*given, *more), key=lambda mention: mention.start))


# Events and marks ask for the same two: a document's title and its text.
@lru_cache(maxsize=4)
def mentions(text: str, language: str = "und", *, context: str = "", day: date | None = None) -> tuple[Mention, ...]:
    """Give where the text names which actor, in order and without overlap, the longest name winning.

    An ambiguous name counts only with what `forms.yml` and the actor's entry ask for, in this text or in the context:
    give a title its text, so that "IS" in a headline is read as the article reads it. The day of publication keeps
    what is older than a branch from naming it.
    """
    index = _index()
    seen = _seen(text, language)
    folded = seen.folded
    elsewhere = _seen(context, language) if context else None
    found = _decided(index, text, seen, elsewhere, language)
    taken: list[tuple[int, int, _Alias]] = []
    covered = bytearray(len(folded.text))
    for start, end, alias in sorted(found, key=lambda match: (match[0] - match[1], match[0])):
        if covered.find(1, start, end) < 0:
            covered[start:end] = b"\1" * (end - start)
            taken.append((start, end, alias))
    taken.sort(key=lambda match: match[0])
    month = f"{day:%Y-%m}" if day else ""
    actors = _meant(index, seen, elsewhere, taken, month)
    given = []
    for number, ((start, end, alias), actor) in enumerate(zip(taken, actors, strict=True)):
        adjectival = _adjectival(index, text, folded, taken, actors, number)
        adjectival = adjectival or _belonging(index, folded.text, taken, number)
        given.append(
            Mention(
                # What only describes tells the family, not the branch: "the al-Qaeda-linked Nusra Front".
                actor=alias.actor if adjectival and alias.person is None else actor,
                start=folded.original(start),
                end=folded.original(end - 1) + 1,
                alias=alias.text,
                adjectival=adjectival,
                person=alias.person is not None,
                branch=alias.person is None and actor != alias.actor,
            )
        )
    return tuple(given)


def _matches(
    index: _Index, text: str, folded: _Folded, language: str
) -> tuple[list[_Match], list[_Scene], list[_Region]]:
    """Give all aliases that stand as words of their own, with the capitals that they ask for; scenes and regions."""
    plain = folded.text
    size = len(plain)
    found: list[_Match] = []
    scenes: list[_Scene] = []
    regions: list[_Region] = []
    for last, (length, aliases) in index.automaton.iter(plain):
        end = last + 1
        start = end - length
        # Most hits lie within a word ("us", "is"): they are passed over before anything else is asked.
        if end < size and plain[end].isalnum() and not _stops(text, folded, end, language):
            continue
        if start and plain[start - 1].isalnum() and not _begins(text, folded, start, aliases[0].arabic):
            continue
        meant = [
            alias
            for alias in aliases
            if (alias.strength == "clear" or language == "und" or alias.language in ("any", language))
            and (not alias.capitals or all(text[folded.original(start + i)].isupper() for i in alias.capitals))
        ]
        if not meant:
            continue
        shown = [alias for alias in meant if alias.strength in ("scene", "people")]
        scenes += [_Scene(start, end, alias.actor, alias.strength) for alias in shown]
        named = [alias.actor for alias in meant if alias.strength == "region"]
        regions += [(start, end, actor) for actor in named]
        if shown or named:
            meant = [alias for alias in meant if alias.strength not in ("scene", "people", "region")]
        if meant:
            found.append((start, end, meant))
    return found, scenes, regions


def _begins(text: str, folded: _Folded, start: int, arabic: bool) -> bool:
    """Tell whether a name begins here after all, though a letter stands before it: after l' or an Arabic clitic."""
    if text[folded.original(start) - 1] in _LETTERLESS:
        return True
    return arabic and _CLITICS.search(folded.text, max(0, start - 3), start) is not None


def _stops(text: str, folded: _Folded, end: int, language: str) -> bool:
    """Tell whether a name ends here after all, though a letter follows: an ending after an apostrophe, s, a case."""
    if text[folded.original(end - 1) + 1] in _LETTERLESS:
        return True
    if _PLURAL.match(folded.text, end):
        return True
    if language in ("ru", "und") and folded.text[end - 1] in _HARD and _RUSSIAN.match(folded.text, end):
        return True
    return language in ("tr", "und") and _TURKISH.match(folded.text, end) is not None


def _clear(matches: list[_Match]) -> set[str]:
    return {alias.actor for _, _, aliases in matches for alias in aliases if alias.strength == "clear"}


def _decided(
    index: _Index, text: str, seen: _Seen, elsewhere: _Seen | None, language: str
) -> list[tuple[int, int, _Alias]]:
    """Give each match the one alias that is meant, and leave out ambiguous ones that nothing bears out."""
    folded, matches = seen.folded, seen.matches
    plain = folded.text
    decided: list[tuple[int, int, _Alias]] = []
    doubtful: list[_Match] = []
    for start, end, aliases in matches:
        clear = next((alias for alias in aliases if alias.strength == "clear"), None)
        if clear is not None:
            decided.append((start, end, clear))
        else:
            doubtful.append((start, end, aliases))
    if not doubtful:
        return decided
    clear_actors = _clear(matches)
    around = plain
    if elsewhere:
        around = f"{plain}\n{elsewhere.folded.text}"
        clear_actors |= _clear(elsewhere.matches)
    kept = [
        (start, end, meant)
        for start, end, aliases in doubtful
        if (meant := [alias for alias in aliases if not _other_thing(index, alias, plain, start, end)])
    ]
    # Two ambiguous names of different groups bear each other out: "IS and JN agree". Not so in Arabic, which has no
    # capitals to tell "the base" and "the youth" from names.
    hinted = {alias.actor for _, _, aliases in kept for alias in aliases if alias.strength == "weak" and alias.capitals}
    armed = (
        len(hinted) > 1
        or any(not index.actors[id].state for id in clear_actors)
        or index.subject.search(around) is not None
    )
    # A place of a theatre is context enough for a name with a capital, and for the group at home there.
    shown = {scene.theatre for scene in (*seen.scenes, *(elsewhere.scenes if elsewhere else ()))}
    clear_actors |= {id for id in hinted if armed or _at_home(index, id, shown)}
    clear_actors |= _paired(index, text, folded, kept)
    for start, end, aliases in kept:
        for alias in aliases:
            if alias.strength != "weak" or _shouted(text, folded, start, end):
                continue
            if armed or alias.actor in clear_actors or (alias.capitals and _at_home(index, alias.actor, shown)):
                decided.append((start, end, alias))
                break
    settled = {(start, end) for start, end, _ in decided}
    clear_actors |= {alias.actor for _, _, alias in decided}
    fighting = [index.actors[id] for id in clear_actors if not index.actors[id].state]
    jihadists = [(start, end) for start, end, alias in decided if index.actors[alias.actor].jihadist]
    begins, stops = {start for start, _ in jihadists}, {end for _, end in jihadists}
    regions = {(start, end): actor for start, end, actor in seen.regions}
    for start, end, aliases in kept:
        owners = {alias.actor for alias in aliases if alias.strength == "own" and alias.actor in clear_actors}
        # A branch and the group by whose name it is meant are one owner.
        owners -= {other for owner in owners for other in index.actors[owner].called}
        for alias in aliases:
            if (start, end) in settled or alias.strength == "weak":
                continue
            region = regions.get((start, end))
            if region and _as_region(index, region, plain, start, end, decided, language):
                continue
            if alias.strength == "short":
                could = _could(index, aliases, fighting)
                meant_here = alias.actor in clear_actors or (
                    could == {alias.actor} and _as_name(index, alias, text, folded, start, end, decided, matches)
                )
            elif alias.strength == "own":
                meant_here = owners == {alias.actor} or (
                    len({other.actor for other in aliases}) == 1
                    and (
                        _listed(alias, begins, stops, start, end)
                        or (armed and _quoted(alias, text, folded, start, end))
                    )
                )
            else:
                meant_here = not _place(index, text, folded, start, end, language) and (
                    alias.strength == "place"
                    or _government(index, plain, start, end)
                    or _enumerated(plain, start, end, decided)
                )
            if meant_here:
                decided.append((start, end, alias))
                break
    return decided


# Between a group's name and the region that says which branch of it is meant: "ISIS's Khorasan", "Daech au Khorassan".
_OF_REGION = re.compile(r"(?:s|in|nin)? ?(?:in |of |au |du |en |dans le |в |в провинции |في )?(?:the )?")


def _as_region(
    index: _Index,
    id: str,
    plain: str,
    start: int,
    end: int,
    decided: list[tuple[int, int, _Alias]],
    language: str,
) -> bool:
    """Tell whether what is a group's name too is here a place, or says which branch of the group before it is meant."""
    if not plain.endswith("the ", 0, start) and _local(index, plain, start, end, language):
        return True
    parents = index.actors[id].called
    return any(
        alias.actor in parents and 0 <= start - stop <= _BESIDE and _OF_REGION.fullmatch(plain, stop, start)
        for _, stop, alias in decided
    )


def _at_home(index: _Index, id: str, shown: set[str]) -> bool:
    """Tell whether the text shows a place where the group fights; of a group that has none, any of any group."""
    theatres = index.actors[id].theatre
    return bool(shown.intersection(theatres)) if theatres else bool(shown)


def _joined(index: _Index, kept: list[_Match]) -> set[str]:
    """Give the groups of one theatre whose ambiguous Arabic names one "and" joins: «القاعدة» و«الدولة»."""
    begins = {
        start: alias
        for start, _, aliases in kept
        for alias in aliases
        if alias.arabic and alias.strength in ("weak", "short")
    }
    if not begins:
        return set()
    joined: set[str] = set()
    for _, end, aliases in kept:
        # و "and" is written together with what follows.
        other = begins.get(end + 2)
        for alias in aliases if other else ():
            if alias.strength in ("weak", "short") and other and other.actor != alias.actor:
                homes = index.actors[alias.actor].theatre[:1], index.actors[other.actor].theatre[:1]
                if homes[0] == homes[1]:
                    joined |= {alias.actor, other.actor}
    return joined


def _theatres(index: _Index, id: str) -> set[str]:
    """Give where an actor fights, and where its name means a branch of its own."""
    return {*index.actors[id].theatre, *index.called.get(id, ())}


def _paired(index: _Index, text: str, folded: _Folded, kept: list[_Match]) -> set[str]:
    """Give the groups whose short names stand beside each other as names: "Hurras and the Heyet shake hands"."""
    named: dict[str, str] = {}
    for start, end, aliases in kept:
        for alias in aliases:
            if alias.capitals and (
                alias.strength == "weak" or (alias.strength == "short" and _capital(text, folded, start, end, alias))
            ):
                home = index.actors[alias.actor].theatre
                named[alias.actor] = home[0] if home else ""
    homes = Counter(named.values())
    paired = _joined(index, kept)
    return paired | {actor for actor, home in named.items() if home and homes[home] + homes[""] > 1}


def _could(index: _Index, aliases: list[_Alias], fighting: list[Actor]) -> set[str]:
    """Give whom a short name can mean beside these groups; of several, who has fought one of them."""
    could = {
        alias.actor for alias in aliases if alias.strength == "short" and _beside_fighters(index, alias.actor, fighting)
    }
    if len(could) < 2:
        return could
    named = {other.id for other in fighting}
    enemies = {
        id for id in could if named & set(index.actors[id].fought) or any(id in other.fought for other in fighting)
    }
    return enemies or could


def _beside_fighters(index: _Index, id: str, fighting: list[Actor]) -> bool:
    """Tell whether another group is named that fights where this one does: any jihadist, if it has no theatre."""
    if not index.actors[id].theatre and any(other.jihadist and other.id != id for other in fighting):
        return True
    theatres = _theatres(index, id)
    return any(
        other.id != id and (bool(theatres & set(other.theatre)) or (not other.theatre and other.jihadist))
        for other in fighting
    )


def _as_name(
    index: _Index,
    alias: _Alias,
    text: str,
    folded: _Folded,
    start: int,
    end: int,
    decided: list[tuple[int, int, _Alias]],
    matches: list[_Match],
) -> bool:
    if not alias.arabic:
        if not alias.capitals or _capital(text, folded, start, end, alias):
            return bool(alias.capitals)
        first, last = folded.original(start), folded.original(end - 1) + 1
        if text[last : last + 1].isalpha() or text.find(text[first].lower() + text[first + 1 : last]) >= 0:
            # A delegation is written small elsewhere in the text: "Bir heyet geldi. Heyet, …".
            return False
        home = index.actors[alias.actor].theatre[:1]
        if not home or all(index.actors[found.actor].theatre[:1] != home for _, _, found in decided):
            return False
    if folded.text.endswith("بين ", 0, start) and not any(
        0 < other - end <= _BESIDE and "،" not in folded.text[end:other] for other, _, _ in matches
    ):
        # "Between the state and the unions": who stands on the other side is no group.
        return False
    ended = [found.start() for found in _SENTENCE_END.finditer(folded.text)]
    sentence = bisect_right(ended, start)
    return any(bisect_right(ended, other) == sentence for other, _, found in decided if found.actor != alias.actor)


def _capital(text: str, folded: _Folded, start: int, end: int, alias: _Alias) -> bool:
    """Tell whether a capital makes a word a name: within a sentence, in quotation marks, or before 's or 'in."""
    last = folded.original(end - 1) + 1
    after = text[last : last + 1]
    if after.isalpha():
        return False
    if after and after in _LETTERLESS:
        return True
    if alias.capitals[0] > 0:
        return True
    before = text[max(0, folded.original(start) - 3) : folded.original(start)].rstrip()
    return bool(before) and (before[-1].isalnum() or before[-1] in ",;-–—/(&")


def _listed(alias: _Alias, begins: set[int], stops: set[int], start: int, end: int) -> bool:
    """Tell whether a name stands in a list of groups: "Khorasan, Jund al-Aqsa and Ahrar al-Sham"."""
    if alias.arabic:
        # و "and" is written together with what follows.
        return end + 2 in begins
    if not alias.capitals or alias.capitals[0] != 0:
        return False
    # Room for a comma, or "and" in any of the languages, with blanks.
    return any(start - gap in stops or end + gap in begins for gap in range(1, 6))


def _quoted(alias: _Alias, text: str, folded: _Folded, start: int, end: int) -> bool:
    """Tell whether quotation marks say that a word is a name, in Arabic, which has no capitals: «الدولة»."""
    if not alias.arabic:
        return False
    before = text[max(0, folded.original(start) - 2) : folded.original(start)]
    after = text[folded.original(end - 1) + 1 : folded.original(end - 1) + 2]
    return bool(after) and after in _MARKS and any(mark in _MARKS for mark in before)


def _other_thing(index: _Index, alias: _Alias, plain: str, start: int, end: int) -> bool:
    unless = index.unless.get(alias.actor)
    if unless is None:
        return False
    before, after = plain[max(0, start - 40) : start].split(), plain[end : end + 40].split()
    return unless.search(" ".join([*before[-2:], "|", *after[:2]])) is not None


# After a town at the beginning of a line: "Damascus (AP) -", "Beyrouth, 3 mars".
_DATELINE = re.compile(r" ?[(,:/]| [ -] ?")


def _place(index: _Index, text: str, folded: _Folded, start: int, end: int, language: str) -> bool:
    plain = folded.text
    if index.place_after.match(plain, end) or _local(index, plain, start, end, language):
        return True
    before = plain[start - 1] if start else "\n"
    if before == "\n" and _DATELINE.match(plain, end):
        return True
    # A dateline within a text: "BEIRUT Air strikes …".
    return end - start > 4 and text[folded.original(start) : folded.original(end - 1) + 1].isupper()


def _local(index: _Index, plain: str, start: int, end: int, language: str) -> bool:
    """Tell whether "in", "near" or "from" and the like say that a name is a place."""
    if _led(index, plain, start) and index.place.search(plain, max(0, start - 24), start):
        return True
    if start and plain[start - 1] == "ب":
        # The Arabic "in" is written together with the name.
        return True
    return language in ("tr", "und") and _LOCATIVE.match(plain, end) is not None


def _government(index: _Index, plain: str, start: int, end: int) -> bool:
    if index.government_after.match(plain, end):
        return True
    return _led(index, plain, start) and index.government_before.search(plain, max(0, start - 24), start) is not None


_AND = re.compile(r" ?(?:,|and|и|ve|et|و) ?(?:the |le |la |l)?")


def _enumerated(plain: str, start: int, end: int, decided: list[tuple[int, int, _Alias]]) -> bool:
    """Tell whether a capital stands in one list with an actor: "Hezbollah, Damascus and Tehran"."""
    return any(
        (0 < other - end <= 9 and _AND.fullmatch(plain, end, other))
        or (0 < start - stop <= 9 and _AND.fullmatch(plain, stop, start))
        for other, stop, _ in decided
    )


def _led(index: _Index, plain: str, start: int) -> bool:
    words = plain[max(0, start - 24) : start].split()
    if words and words[-1] == "the":
        words.pop()
    return bool(words) and (words[-1] in index.place_last or words[-1].lstrip("وف") in index.place_last)


def _shouted(text: str, folded: _Folded, start: int, end: int) -> bool:
    """Tell whether two capitals stand among capitals only, where "IS" is as likely the verb."""
    if end - start > 2:
        return False
    around = text[max(0, folded.original(start) - 12) : folded.original(end - 1) + 13]
    return around.upper() == around and sum(letter.isalpha() for letter in around) > 6


def _meant(
    index: _Index, seen: _Seen, elsewhere: _Seen | None, taken: list[tuple[int, int, _Alias]], month: str
) -> list[str]:
    """Give whom each name means: a parent's its branch where the text is about that, a person's the group of then."""
    actors = [alias.actor for _, _, alias in taken]
    if any(alias.actor in index.called and alias.person is None for _, _, alias in taken):
        ground = _ground(index, seen, elsewhere, taken)
        for number, (_, _, alias) in enumerate(taken):
            if alias.actor in index.called and alias.person is None:
                actors[number] = _branch(index, seen.folded.text, ground, taken[number], month)
    counts = Counter(actor for (_, _, alias), actor in zip(taken, actors, strict=True) if alias.person is None)
    for number, (_, _, alias) in enumerate(taken):
        if alias.person is not None and alias.person.also:
            # Who says nothing of the day names groups that show it: nobody wrote of Hurras al-Din before it was there.
            then = month or max((index.actors[id].since for id in counts), default="")
            could = [id for id in (alias.actor, *alias.person.also) if _existed(index.actors[id], then)]
            # Of those that the text names as often, the name that the group had when it was written.
            since = {id: index.actors[id].since if then else "" for id in could}
            actors[number] = max(could, key=lambda id: (counts[id], since[id])) if could else alias.actor
    return actors


def _existed(actor: Actor, month: str) -> bool:
    return not month or actor.since <= month


@dataclass(frozen=True, slots=True)
class _Ground:
    """What shows where a text is: in order of place, and counted with what its context shows."""

    scenes: list[_Scene]
    regions: list[_Region]
    most: str
    """The theatre that more than half of all shows; empty where none does."""
    named: frozenset[str]
    """Groups that the text or its context names by a name of their own."""


def _ground(index: _Index, seen: _Seen, elsewhere: _Seen | None, taken: list[tuple[int, int, _Alias]]) -> _Ground:
    scenes = list(seen.scenes)
    for start, end, alias in taken:
        theatre = index.actors[alias.actor].theatre
        if theatre and alias.actor not in index.called:
            scenes.append(_Scene(start, end, theatre[0], "clear"))
    scenes.sort(key=lambda scene: scene.start)
    counts = Counter(scene.theatre for scene in scenes)
    named = {alias.actor for _, _, alias in taken if alias.person is None}
    if elsewhere:
        counts.update(scene.theatre for scene in elsewhere.scenes)
        clear = _clear(elsewhere.matches)
        named |= clear
        homes = (index.actors[id].theatre for id in clear if id not in index.called)
        counts.update(home[0] for home in homes if home)
    most = max(counts, key=lambda theatre: counts[theatre], default="")
    if counts[most] * 2 <= counts.total():
        most = ""
    return _Ground(scenes, seen.regions, most, frozenset(named))


_NEAR = 14
"""Characters between a place and a name that are still one noun phrase: "l'État islamique dans le Grand Sahara"."""
_NEAR_BRANCH = 24
"""The same where a word for a branch is one of them: "la branche yéménite de l'organisation État islamique"."""
_SENTENCE_END = re.compile(r"[.!?؟…\n](?=\s|$)")


def _branch(index: _Index, plain: str, ground: _Ground, match: tuple[int, int, _Alias], month: str) -> str:
    """Give the branch that a group's name means here, or the group itself."""
    start, end, alias = match
    low = max(0, start - 400)
    for ended in _SENTENCE_END.finditer(plain, low, start):
        low = ended.end()
    ends = _SENTENCE_END.search(plain, end, end + 400)
    high = ends.start() if ends else end + 400
    branch = _named_branch(index, plain, start, end)
    local = [scene for scene in ground.scenes if low <= scene.start and scene.end <= high]
    near = _NEAR_BRANCH if branch else _NEAR
    beside = {
        scene.theatre
        for scene in local
        if (scene.strength == "scene" or (branch and scene.strength == "people"))
        and (0 <= scene.start - end <= near or 0 <= start - scene.end <= near)
    }
    regional = [
        index.actors[id]
        for first, last, id in ground.regions
        if low <= first
        and last <= high
        and (0 <= first - end <= near or 0 <= start - last <= near)
        and alias.actor in index.actors[id].called
        and _existed(index.actors[id], month)
    ]
    here = {scene.theatre for scene in local if scene.strength != "people"}
    if len(beside) == 1:
        (theatre,) = beside
    elif len(here) == 1 and ground.most not in here:
        (theatre,) = here
    else:
        theatre = ground.most
    if not ((beside or regional) and branch) and _of_parent(
        index, plain, max(low, start - 60), start, end, min(high, end + 25)
    ):
        return alias.actor
    if regional:
        return max(regional, key=lambda actor: actor.since).id
    called = index.called[alias.actor]
    people = branch or alias.members or _named_people(index, plain, start, end)
    could = [actor for actor in called.get(theatre, ()) if _existed(actor, month) and (people or not actor.only_people)]
    by_name = [actor for actor in could if actor.id in ground.named]
    if len(by_name) == 1:
        return by_name[0].id
    if could:
        # The youngest of those that were there then; the first listed where nobody says when.
        return max(could, key=lambda actor: actor.since).id if month else could[0].id
    if theatre not in called and theatre != "levant":
        others = {actor.id for actors in called.values() for actor in actors if actor.id in ground.named}
        if len(others) == 1:
            return others.pop()
    return alias.actor


def _named_branch(index: _Index, plain: str, start: int, end: int) -> bool:
    if index.branch_after.match(plain, end):
        return True
    return index.branch_before.search(plain, max(0, start - 60), start) is not None


def _named_people(index: _Index, plain: str, start: int, end: int) -> bool:
    if index.people_after.match(plain, end):
        return True
    return index.people_before.search(plain, max(0, start - 60), start) is not None


def _of_parent(index: _Index, plain: str, low: int, start: int, end: int, high: int) -> bool:
    """Tell whether an oath shows that the group as a whole is meant: who pledges in Mali pledges to the caliph."""
    return index.parent.search(plain, low, start) is not None or index.parent.search(plain, end, high) is not None


_ARTICLES = frozenset({"the", "le", "la", "les", "l"})


def _adjectival(
    index: _Index, text: str, folded: _Folded, taken: list[tuple[int, int, _Alias]], actors: list[str], number: int
) -> bool:
    start, end, alias = taken[number]
    plain = folded.text
    hyphened = index.hyphened.match(text, folded.original(end - 1) + 1)
    if alias.person and index.followers_after.match(plain, end):
        # "Men loyal to Shekau" are his group; those loyal to a group may be another.
        return False
    if hyphened or index.after.match(plain, end):
        if actors[number] == alias.actor:
            return True
        # Where it is known which branch: "al-Qaeda-linked militants" are its men, "al-Qaeda-linked JNIM" is named.
        linked = index.linked.match(plain, end)
        alone = number + 1 == len(taken) or taken[number + 1][0] - end > 2 * _BESIDE
        return not (linked and alone and index.people_after.match(plain, linked.end()))
    if index.branch_after.match(plain, end):
        return _describes(index, plain, taken, actors, number, start)
    if not _may_stand_after(index, plain, start):
        return False
    if index.before.search(plain, max(0, start - 40), start):
        return alias.person is None or not index.followers_before.search(plain, max(0, start - 40), start)
    branch = index.branch_before.search(plain, max(0, start - 60), start)
    return branch is not None and _describes(index, plain, taken, actors, number, branch.start())


def _describes(
    index: _Index, plain: str, taken: list[tuple[int, int, _Alias]], actors: list[str], number: int, start: int
) -> bool:
    """Tell whether the branch of a group, whose phrase begins at `start`, is not itself what is spoken of.

    "The al-Qaeda affiliate" is a group once it is known which, and a branch of AQIM is AQIM. Yet in "Boko Haram, the
    Nigerian branch of the Islamic State" what stands before is spoken of.
    """
    if number > 0 and _APPOSED.fullmatch(plain, taken[number - 1][1], max(start, taken[number - 1][1])):
        return True
    alias = taken[number][2]
    family = alias.actor in index.called and not index.actors[alias.actor].theatre
    return family and actors[number] == alias.actor


def _may_stand_after(index: _Index, plain: str, start: int) -> bool:
    words = [word for word in plain[max(0, start - 40) : start].split()[-3:] if word not in _ARTICLES]
    return bool(words) and words[-1] in index.before_last


# Between a name and what explains it.
_APPOSED = re.compile(r" | ?[,(:] ?(?:(?:the|a|an|la|le|l|une|un) ?)?(?:\w+ )?")

_BESIDE = 25
"""Characters between two names that are still one noun phrase: "El Kaide'ye bağlı [silahlı örgüt] Nusra Cephesi"."""


def _belonging(index: _Index, plain: str, taken: list[tuple[int, int, _Alias]], number: int) -> bool:
    """Tell whether the name says of another group, whose name stands close by, to what it belongs."""
    start, end, alias = taken[number]
    after = index.belonging_after.match(plain, end)
    if after and number + 1 < len(taken):
        following = taken[number + 1]
        # Who obeys a person is of his group, unless it has a name of its own: "Colani'ye bağlı Nusra".
        apart = 2 if alias.person else _BESIDE
        if following[2].actor != alias.actor and following[0] - after.end() <= apart:
            return True
    if number == 0 or not _may_stand_after(index, plain, start):
        return False
    before = index.belonging_before.search(plain, max(0, start - 40), start)
    earlier = taken[number - 1]
    return before is not None and earlier[2].actor != alias.actor and 0 <= before.start() - earlier[1] <= 3


def rival(one: str, other: str) -> bool:
    """Tell whether a deal of these two would be a reconciliation: two groups across the jihadist split.

    True where one is of the Islamic State's camp and the other a jihadist, Islamist or rebel group outside it; and
    where the data say (`fought`, for either) that two jihadist or Islamist groups have fought each other, at least one
    of them jihadist. Never with a state or the Kurdish or Shia forces, nor between another jihadist group and a
    nationalist rebel group such as the Free Syrian Army: such a deal bridges no split among jihadists. Never between
    a group and its parent or the names that it has had. Raises KeyError for an id that the data do not have.
    """
    index = _index()
    a, b = index.actors[one], index.actors[other]
    if index.lines[one] == index.lines[other] or a.state or b.state:
        return False
    if "rebel" in (a.camp, b.camp) and "is" in (a.camp, b.camp):
        return True
    if not (a.jihadist or a.islamist) or not (b.jihadist or b.islamist) or not (a.jihadist or b.jihadist):
        return False
    if (a.camp == "is") != (b.camp == "is"):
        return True
    return other in a.fought or one in b.fought
