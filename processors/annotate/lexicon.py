"""The words of one language that tell of events, as its file of cues lists them, and how they are found in a text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pydantic import Field as Item

from processors.knowledge import Knowledge, load
from processors.records import Kind, Modality, Polarity

Link = Literal["between", "with", "beside", "against", "from", "to", "by", "of", "on", "other"]
"""How a party is linked to a cue; `other` takes a party out: "near", "despite"."""

LANGUAGES = ("en", "ar", "ru", "fr", "tr")
FOLDER = Path(__file__).parent.parent / "cues"


class Frame(Knowledge):
    """Words that stand for one kind of event, and how its parties stand around them."""

    id: str
    kind: Kind
    cue: tuple[str, ...]
    parties: tuple[str, ...]
    unless: tuple[str, ...] = ()
    """Phrases that hold a cue's words and mean something else."""
    reach: Literal["layout", "apart", "sentence", "text"] = "layout"
    """Where the parties are looked for when no layout finds them: nowhere; the only two groups of the cue's clause or
    sentence, `apart` if not joined by "and"; failing that the two groups that the whole text is about, where the
    sentence names no other."""
    state: bool = True
    """Whether a truce whose parties nobody names may be one with the state that the text speaks of."""
    modality: Modality | None = None
    polarity: Polarity | None = None


class Calendar(Knowledge):
    """The words of a language for days, months and distances from today."""

    months: dict[str, int]
    weekdays: dict[str, int]
    """Monday is 0."""
    relative: dict[str, int]
    """Phrase to days from the day of publication."""
    numbers: dict[str, int]
    units: dict[str, int]
    """Unit of time to its length in days."""
    ago: tuple[str, ...]
    since: tuple[str, ...]
    """Words before a date from which something lasts: it says nothing of how long ago it is."""
    until: tuple[str, ...] = ()
    """Words before a date up to which something lasts."""


class Cues(Knowledge):
    """What one language says about events; `cues/en.yml` explains how phrases and layouts are written."""

    language: str
    clitics: tuple[str, ...] = ()
    """Letters that may be written together in front of any word, such as the Arabic conjunction and article."""
    enclitics: tuple[str, ...] = ()
    """The same behind it: "their" in Arabic. They are taken off where four letters or more are left."""
    sets: dict[str, str] = Item(default_factory=dict)
    """Alternatives that several phrases share, as ``@name``."""
    links: dict[Link, tuple[str, ...]]
    """Relation to the words that stand in front of a party in it: between, with, against, from, to, by, of, on."""
    links_after: dict[Link, tuple[str, ...]] = Item(default_factory=dict)
    """The same for words that stand behind it."""
    suffixes: dict[Link, tuple[str, ...]] = Item(default_factory=dict)
    """The same for endings of the name itself."""
    prefixes: dict[Link, tuple[str, ...]] = Item(default_factory=dict)
    """The same for letters written together in front of it."""
    joins: tuple[str, ...]
    filler: tuple[str, ...]
    """Words that may stand between joined parties, or between a link and its party."""
    people: tuple[str, ...]
    """Words for a party's people or places, through which it acts or is acted on: "fighters from"."""
    breaks: tuple[str, ...]
    relatives: tuple[str, ...]
    belongs: tuple[str, ...] = ()
    """Phrases in front of a name that say whose branch somebody is: the name is then no party."""
    belongs_after: tuple[str, ...] = ()
    assailed: tuple[str, ...] = ()
    """Phrases behind a name for what is fought over: who attacks a group's stronghold fights the group."""
    alias: tuple[str, ...] = ()
    """Phrases between two names of one group."""
    negation: tuple[str, ...]
    negation_reach: tuple[int, int]
    """Words to the left and to the right of a cue within which a negation denies it."""
    neutral: tuple[str, ...] = ()
    """Phrases that hold a marker's words without its meaning: "not only"."""
    deny: tuple[str, ...]
    hedge: tuple[str, ...]
    future: tuple[str, ...] = ()
    """The words of `hedge` that say when rather than whether: "will". Beside `agreed` they make nothing a maybe."""
    agreed: tuple[str, ...] = ()
    """Phrases for terms that are settled: "under the deal"."""
    calls: tuple[str, ...] = ()
    """Words of wishing: "called for", "should". What they govern has not happened, but for talks, which they may be."""
    hearsay: tuple[str, ...]
    past: tuple[str, ...]
    retrospect: tuple[str, ...] = ()
    """Phrases of a headline that make the whole text look back."""
    behalf: tuple[str, ...] = ()
    """Phrases in front of a group for which somebody else speaks: "sent by", "on behalf of"."""
    behalf_after: tuple[str, ...] = ()
    """The same behind it."""
    exceptions: tuple[str, ...]
    """Phrases in front of the names that a truce does not hold for."""
    elsewhere: tuple[str, ...] = ()
    """Words for states and their talks: what is agreed in a sentence with one of them is no matter of the two groups
    that the text is about, unless it names them."""
    excluded: tuple[str, ...]
    """Phrases behind them."""
    rebels: tuple[str, ...]
    """Phrases for rebels without a name, who can be a side beside named groups."""
    say: tuple[str, ...]
    say_first: bool = False
    """True where the verb of saying stands in front of the speaker."""
    according: tuple[str, ...]
    according_after: tuple[str, ...] = ()
    anonymous: tuple[str, ...]
    apposition: bool = False
    """Whether two names side by side are one group: not where the object may follow its subject."""
    cased: bool = True
    """Whether names have capital letters."""
    pair: tuple[str, ...]
    """Phrases for the last two groups: "the two groups"."""
    rival: tuple[str, ...] = ()
    """Phrases for the other of the last two groups."""
    self: tuple[str, ...]
    """Phrases for the group that the clause before spoke of."""
    calendar: Calendar
    frames: tuple[Frame, ...]


class Places(Knowledge):
    """Names of places in the five languages, under their English name."""

    provinces: tuple[str, ...]
    countries: tuple[str, ...]
    places: dict[str, dict[str, tuple[str, ...]]]


# Letters that writers of one word choose between; folding loses offsets, so it is done word by word.
_MARKS: dict[int, int | None] = {ord(mark): None for mark in "ـًٌٍَُِّْٰ"}
_FOLDS: dict[str, Mapping[int, int | str | None]] = {
    "en": str.maketrans("’‘", "''"),
    "fr": {**str.maketrans("’àâäçéèêëîïôöùûü", "'aaaceeeeiioouuu"), ord("œ"): "oe"},
    "ru": str.maketrans("ё", "е"),
    "tr": str.maketrans("’ıâîûçğöşü", "'iaiucgosu"),
    "ar": {**_MARKS, **str.maketrans("أإآٱىةؤئ", "اااايهوي")},
}
WORD = re.compile(r"[^\W_][\wً-ْٰ]*(?:['’][^\W_]+)*")
# French writes articles and pronouns together with the word that follows: "d'al-Nosra", "s'allie".
FRENCH_WORD = re.compile(r"[^\W_]\w*")


def fold(word: str, language: str) -> str:
    if language == "tr":
        word = word.replace("İ", "i").replace("I", "ı")
    return word.lower().translate(_FOLDS[language])


class Phrase(NamedTuple):
    """A compiled phrase: steps of (element, optional) where a negative element is a gap of so many words at most."""

    mark: str
    value: str
    steps: tuple[tuple[int, bool], ...]
    last: int = 0
    """The element of the last word that must be there: a sentence without it holds no such phrase."""
    text: str = ""
    """As the file writes it."""


class Mark(NamedTuple):
    start: int
    end: int
    value: str


class Lexicon:
    """Turns words into the elements that phrases are made of, and finds the phrases in a run of words."""

    def __init__(self, cues: Cues) -> None:
        self.language = cues.language
        self.sets = cues.sets
        self.elements: dict[str, int] = {}
        self.exact: dict[str, list[int]] = {}
        self.stems: dict[str, list[int]] = {}
        self.longest = 0
        # By stage: cues, then what parts a sentence and groups its names, then what is told of an event.
        self.triggers: tuple[dict[int, list[Phrase]], ...] = ({}, {}, {})
        self.memo: dict[str, tuple[int, ...]] = {}
        # Longest first, so that "wal" is tried before "wa".
        self.clitics = tuple(sorted(cues.clitics, key=len, reverse=True))
        self.enclitics = tuple(fold(letters, cues.language) for letters in cues.enclitics)

    def add(self, mark: str, value: str, text: str) -> None:
        """Take a phrase in. Raises ValueError that says what is wrong with it."""
        steps: list[tuple[int, bool]] = []
        for word in (text.replace("'", " ") if self.language == "fr" else text).split():
            if word.startswith("<") and word.endswith(">") and word[1:-1].isdigit():
                steps.append((-int(word[1:-1]), False))
                continue
            optional = word.endswith("?")
            word = word.removesuffix("?")
            for key in re.findall(r"@([\w-]+)", word):
                if key not in self.sets:
                    raise ValueError(f"the phrase {text!r} uses @{key}, which `sets` does not have")
                word = re.sub(rf"@{re.escape(key)}(?![\w-])", self.sets[key].replace(" ", "|"), word)
            steps.append((self._element(word, text), optional))
        if not steps or steps[0][0] < 0 or steps[0][1]:
            raise ValueError(f"the phrase {text!r} must begin with a word that is not optional")
        stage = 0 if mark in ("frame", "unless") else 1 if mark in PARTING else 2
        last = next(element for element, optional in reversed(steps) if element > 0 and not optional)
        self.triggers[stage].setdefault(steps[0][0], []).append(Phrase(mark, value, tuple(steps), last, text))

    def _element(self, word: str, text: str) -> int:
        if word in self.elements:
            return self.elements[word]
        number = self.elements[word] = len(self.elements) + 1
        for part in word.split("|"):
            table = self.stems if part.endswith("*") else self.exact
            folded = fold(part.removesuffix("*"), self.language)
            if not WORD.fullmatch(folded):
                raise ValueError(f"{part!r} in the phrase {text!r} is not one word")
            table.setdefault(folded, []).append(number)
            if part.endswith("*"):
                self.longest = max(self.longest, len(folded))
        return number

    def look_up(self, word: str) -> tuple[int, ...]:
        known = self.memo.get(word)
        if known is not None:
            return known
        folded = fold(word, self.language)
        got: set[int] = set()
        for form in self._forms(folded):
            got.update(self.exact.get(form, ()))
            for size in range(1, min(self.longest, len(form)) + 1):
                got.update(self.stems.get(form[:size], ()))
        # A bound, so that a long run over noisy text keeps flat memory; a language's usual words come back at once.
        if len(self.memo) > 50_000:
            self.memo.clear()
        self.memo[word] = answer = tuple(sorted(got))
        return answer

    def _forms(self, word: str) -> Iterator[str]:
        yield word
        fronts = [word]
        for clitic in self.clitics:
            # Two letters are no Arabic word, so a shorter rest means that the letters belonged to the word.
            if word.startswith(clitic) and len(word) - len(clitic) >= 2:
                fronts.append(word[len(clitic) :])
        yield from fronts[1:]
        for enclitic in self.enclitics:
            if word.endswith(enclitic):
                for form in fronts:
                    rest = form[: -len(enclitic)]
                    # Of three letters too many are words of their own: "among them" is no "between".
                    if len(rest) >= 4:
                        yield rest
                        # The ending ة, folded to ه, is written ت in front of a pronoun.
                        if rest.endswith("ت"):
                            yield rest[:-1] + "ه"

    def phrases(self) -> Iterator[Phrase]:
        """Go through all phrases of the file."""
        for triggers in self.triggers:
            for phrases in triggers.values():
                yield from phrases

    def matched(self, ids: Sequence[tuple[int, ...]]) -> Iterator[Phrase]:
        """Give each phrase at each place where it matches."""
        for stage in range(len(self.triggers)):
            for _, _, phrase in self.found(stage, ids, numbers_of(ids)):
                yield phrase

    def found(
        self, stage: int, ids: Sequence[tuple[int, ...]], numbers: Collection[int]
    ) -> Iterator[tuple[int, int, Phrase]]:
        """Give start, end and phrase of what a stage holds, in the words' order; ``numbers`` are all of ``ids``."""
        triggers = self.triggers[stage]
        stop = len(ids)
        for at, here in enumerate(ids):
            for number in here:
                for phrase in triggers.get(number, ()):
                    if phrase.last in numbers:
                        # Most phrases are one word, which the trigger itself is.
                        end = at + 1 if len(phrase.steps) == 1 else _match(phrase.steps, 1, ids, at + 1, stop)
                        if end > at:
                            yield at, end, phrase

    def phrase(self, mark: Mark, kind: str, ids: Sequence[tuple[int, ...]]) -> Phrase | None:
        """Give the phrase of the file that was found as this mark."""
        for stage in range(len(self.triggers)):
            for start, end, phrase in self.found(stage, ids, numbers_of(ids)):
                if (start, end, phrase.mark, phrase.value) == (mark.start, mark.end, kind, mark.value):
                    return phrase
        return None


def numbers_of(ids: Iterable[tuple[int, ...]]) -> set[int]:
    """Give the elements that any of the words is."""
    return {number for found in ids for number in found}


def _match(steps: Sequence[tuple[int, bool]], number: int, ids: Sequence[tuple[int, ...]], at: int, stop: int) -> int:
    """Give where the steps from this one on end when they begin at this word, else -1; gaps are as short as can be."""
    while number < len(steps):
        element, optional = steps[number]
        number += 1
        if element < 0:
            for skip in range(-element + 1):
                end = _match(steps, number, ids, at + skip, stop)
                if end >= 0:
                    return end
            return -1
        if at < stop and element in ids[at]:
            at += 1
        elif not optional:
            return -1
    return at


PARTING = frozenset(
    (
        "joins",
        "filler",
        "people",
        "breaks",
        "relatives",
        "belongs",
        "belongs_after",
        "assailed",
        "behalf",
        "behalf_after",
        "alias",
        "neutral",
        "exceptions",
        "excluded",
        "rebels",
        "elsewhere",
    )
) | {"pair", "rival", "self", "link", "link_after"}
"""The marks that part a sentence into clauses and group its names."""

MARKED = (
    "joins",
    "filler",
    "people",
    "breaks",
    "relatives",
    "belongs",
    "belongs_after",
    "assailed",
    "behalf",
    "behalf_after",
    "alias",
    "negation",
    "neutral",
    "deny",
    "hedge",
    "future",
    "agreed",
    "calls",
    "hearsay",
    "past",
    "retrospect",
    "exceptions",
    "excluded",
    "rebels",
    "elsewhere",
    "say",
    "according",
    "according_after",
    "anonymous",
    "pair",
    "rival",
    "self",
)


class Layout(NamedTuple):
    """How parties stand around a cue: slots of (role letter, link) on its left, inside it and on its right."""

    left: tuple[tuple[str, str], ...]
    inside: str
    right: tuple[tuple[str, str], ...]
    context: str
    text: str


def layout_of(text: str) -> Layout:
    """Read a layout. Raises ValueError that says what is wrong with it."""
    sides: list[list[tuple[str, str]]] = [[], []]
    side, link, inside, context = 0, "", "", ""
    for part in text.split():
        if link and part not in ("A", "T", "P"):
            # Turkish has its links behind the name; in a layout they stand in front of the letter all the same.
            raise ValueError(f"the layout {text!r} has {link!r} in front of {part!r}; expected A, T or P behind a link")
        if part in ("CUE", "CUE[T]", "CUE[A]", "CUE[P]"):
            inside = part[4:5]
            side = 1
        elif part in ("A", "T", "P"):
            sides[side].append((part, link))
            link = ""
        elif part in ("A?", "T?", "P?"):
            context = part[0]
        elif part in get_args(Link):
            link = part
        else:
            raise ValueError(f"the layout {text!r} holds {part!r}; expected A, T, P, one of them with ?, CUE or a link")
    if "CUE" not in text:
        raise ValueError(f"the layout {text!r} has no CUE")
    return Layout(tuple(sides[0]), inside, tuple(sides[1]), context, text)


@cache
def places() -> Places:
    return load(FOLDER / "places.yml", Places)


@cache
def told(language: str) -> Lexicon:
    """Give the words of a language for what armed groups do with and against each other: those of its frames alone."""
    cues = load(FOLDER / f"{language}.yml", Cues)
    lexicon = Lexicon(cues)
    for frame in cues.frames:
        for phrase in frame.cue:
            lexicon.add("frame", frame.id, phrase)
    return lexicon
