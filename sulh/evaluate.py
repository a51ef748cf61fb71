"""Measures what sulh judges against labelled items: per language and task, with what went wrong and by which rule.

Items are judged as `sulh judge` judges them. Stories are told over all items of one language; alerts within a scene,
items that belong together, in the order of publication: an item without a scene stands alone, so that what one text
tells does not hang on what others about the same groups do.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AfterValidator
from pydantic import Field as Item

from processors.alert import alert
from processors.annotate.actors import ACTORS, Mention, named_in, rival
from processors.annotate.events import AGAINST
from processors.compare import compare
from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load, parse
from processors.records import (
    SIGNALS,
    Bearing,
    Document,
    Event,
    Field,
    Kind,
    Language,
    Modality,
    Party,
    Polarity,
    digest,
)
from processors.register import Registers
from processors.sentences import sentences
from sulh.pipeline import Judged, KnownStories, judge_document
from sulh.stores import Report

Task = Literal["language", "headlines", "events", "comparisons", "contradicts", "alerts", "stories", "caution"]
TASKS: tuple[Task, ...] = get_args(Task)

HEADLINE = 30
"""Words up to which an item counts as a headline or a flash when languages are told: two lines of print."""

RESAMPLES = 400
"""Draws of items, with replacement, behind each interval: the ends of a 95 % interval then move by a point at most."""

SEED = 20141115


def _known_event(text: str) -> str:
    told(text)
    return text


class Told(NamedTuple):
    """One event as the labels write it: ``truce islamic-state+nusra affirmed attributed``."""

    kind: Kind
    parties: frozenset[str]
    polarity: Polarity
    modality: Modality


def told(text: str) -> Told:
    """Read an event's label. Raises ValueError that says what is wrong with it."""
    words = text.split()
    if len(words) != 4:
        raise ValueError(f"{text!r}: expected kind, parties joined by +, polarity and modality, apart by blanks")
    kind, parties, polarity, modality = words
    for word, known in ((kind, get_args(Kind)), (polarity, get_args(Polarity)), (modality, get_args(Modality))):
        if word not in known:
            raise ValueError(f"{word!r}: expected one of {', '.join(known)}")
    actors = frozenset(parties.split("+")) - {"unnamed"}
    unknown = sorted(actors - ACTORS.keys())
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no actor of this id; processors/actors/ holds them")
    return Told(kind, actors, polarity, modality)  # type: ignore[arg-type]


def _known_signal(text: str) -> str:
    if text not in SIGNALS:
        raise ValueError(f"{text!r}: expected one of {', '.join(SIGNALS)}")
    return text


class Labelled(Knowledge):
    """One item and what an analyst says of it; what is not labelled is not measured."""

    id: str
    language: Language | None = None
    title: str = ""
    text: str = ""
    published: str
    source: str = ""
    scene: str = ""
    """Items of one scene are judged together."""
    story: str = ""
    """Id of the item of which this is a reprint."""
    events: tuple[Annotated[str, AfterValidator(_known_event)], ...] | None = None
    claims: dict[str, Bearing] | None = None
    alert: bool | None = None
    """Whether it reports a reconciliation, by itself or within its scene."""
    caution: tuple[Annotated[str, AfterValidator(_known_signal)], ...] | None = None
    note: str = ""


class LabelledFile(Knowledge):
    """The items of one file; ``language`` is that of all that say none."""

    language: Language | None = None
    items: tuple[Labelled, ...] = Item(min_length=1)


def labelled(path: Path) -> list[Labelled]:
    """Read a file of labelled items, YAML or JSON lines. Raises KnowledgeError with file, line and reason."""
    if path.suffix in (".jsonl", ".ndjson"):
        items = list(_lines(path))
    else:
        file = load(path, LabelledFile)
        items = [one if one.language else one.model_copy(update={"language": file.language}) for one in file.items]
    seen: set[str] = set()
    for one in items:
        if one.id in seen:
            raise KnowledgeError(f"{path}: the id {one.id} is given twice")
        if not (one.title or one.text):
            raise KnowledgeError(f"{path}: {one.id}: expected a title or a text")
        if one.language is None:
            raise KnowledgeError(f"{path}: {one.id}: expected a language, of the item or of the file")
        try:
            moment(one.published)
        except ValueError as error:
            raise KnowledgeError(f"{path}: {one.id}: published: {error}") from None
        seen.add(one.id)
    for one in items:
        if one.story and one.story not in seen:
            raise KnowledgeError(f"{path}: {one.id}: story: there is no item {one.story}")
    return items


def _lines(path: Path) -> Iterator[Labelled]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield parse(line, Labelled, name=f"{path}:{number}")


def moment(text: str) -> datetime:
    """Read a day or a time. Raises ValueError."""
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), time(12), tzinfo=UTC)
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


# Counting


@dataclass(slots=True)
class Count:
    """What was right, and what was wrong in either way."""

    right: int = 0
    found: int = 0
    wanted: int = 0

    def add(self, other: Count) -> None:
        """Take another's counts in."""
        self.right += other.right
        self.found += other.found
        self.wanted += other.wanted

    @property
    def precision(self) -> float:
        """Right of found; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Found of wanted; 1 where nothing was wanted."""
        return self.right / self.wanted if self.wanted else 1.0

    @property
    def f1(self) -> float:
        """Their harmonic mean; 1 where nothing was wanted or found."""
        return 2 * self.right / (self.found + self.wanted) if self.found + self.wanted else 1.0


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong answer, with what a person needs to see why."""

    task: Task
    said: str
    """``missed`` or ``extra`` and what."""
    sentence: str = ""
    rule: str = ""

    def line(self) -> str:
        """Give it on one line."""
        shown = f" | {self.sentence}" if self.sentence else ""
        return f"{self.task}: {self.said}{f' [{self.rule}]' if self.rule else ''}{shown}"


@dataclass(slots=True)
class Outcome:
    """How one item came out."""

    item: Labelled
    counts: dict[Task, Count] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    rules: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """The rules whose events were right (True) or wrong."""
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Kinds wanted and found of the same parties; ``-`` for none."""
    modality: Count = field(default_factory=Count)

    def count(self, task: Task, *, right: int, found: int, wanted: int) -> None:
        """Add to the counts of a task."""
        self.counts.setdefault(task, Count()).add(Count(right, found, wanted))


@dataclass(frozen=True, slots=True)
class Figure:
    """A task's counts in one language, and the 95 % interval of its F1 by drawing items anew."""

    count: Count
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All items' outcomes, and the figures of each language and task."""

    outcomes: tuple[Outcome, ...]
    figures: Mapping[str, Mapping[Task, Figure]]

    def wrongly_reconciled(self) -> list[tuple[str, str]]:
        """Give the items of clashes, refusals, splits and ultimatums alone that raised an alert, with the sentence."""
        found = []
        for one in self.outcomes:
            kinds = {told(text).kind for text in one.item.events or ()}
            if kinds and kinds <= AGAINST:
                found += [(one.item.id, m.sentence) for m in one.mistakes if m.task == "alerts" and "extra" in m.said]
        return found


def evaluate(
    items: Sequence[Labelled],
    registers: Registers,
    *,
    advance: Callable[[int], None],
    labelled_events: bool = False,
) -> Evaluation:
    """Judge the items and measure them; ``advance`` is told of each.

    With ``labelled_events`` the labels stand in place of the events found, so that what is wrong still is the fault
    of the steps after them.
    """
    outcomes = {one.id: Outcome(one) for one in items}
    judged: dict[str, Judged] = {}
    for order, item in enumerate(items):
        judged[item.id] = judge_document(document_of(item, order), registers)
        if labelled_events and item.events is not None:
            judged[item.id] = _as_labelled(judged[item.id], item.events, registers)
        _language(outcomes[item.id], judged[item.id])
        _events(outcomes[item.id], judged[item.id])
        _claims(outcomes[item.id], judged[item.id])
        advance(1)
    for language in sorted({one.language or "" for one in items}):
        group = [one for one in items if one.language == language]
        _stories(group, judged, outcomes)
        scenes: defaultdict[str, list[Labelled]] = defaultdict(list)
        for one in group:
            scenes[f"scene {one.scene}" if one.scene else f"item {one.id}"].append(one)
        for members in scenes.values():
            _alerts(members, judged, outcomes)
    return Evaluation(tuple(outcomes.values()), _figures(outcomes.values()))


def document_of(item: Labelled, order: int) -> Document:
    """Give the item as a document that came in on its day, after those before it in the file."""
    published = moment(item.published) + timedelta(microseconds=order)
    return Document(
        id=digest("evaluate", item.id),
        source=item.source or item.id,
        url=item.id,
        title=item.title,
        text=item.text,
        published_at=published,
        published_from="listing",
        fetched_at=published,
        capture="",
    )


def _as_labelled(judged: Judged, labels: Sequence[str], registers: Registers) -> Judged:
    """Give what follows from the labelled events, each in the sentence in which it was found or may stand."""
    document = judged.document
    found = {(e.kind, frozenset(p.actor for p in e.parties), e.polarity): e for e in reversed(judged.events)}
    named = named_in(document)
    events: list[Event] = []
    used: set[tuple[frozenset[str], Field, int]] = set()
    for number, label in enumerate(labels):
        one = told(label)
        event = found.get((one.kind, one.parties, one.polarity)) or _standing(document, one, named, used)
        used.add((one.parties, event.field, event.start))
        parties = tuple(Party(actor=actor) for actor in sorted(one.parties))
        id = f"{number:02}{event.id[2:]}"
        events.append(replace(event, id=id, kind=one.kind, parties=parties, modality=one.modality))
    events.sort(key=lambda event: (event.field != "title", event.start, event.id))
    return Judged(
        document=document, events=tuple(events), comparisons=compare(document, events, registers, named=named)
    )


def _standing(
    document: Document,
    one: Told,
    named: Mapping[Field, Sequence[Mention]],
    used: set[tuple[frozenset[str], Field, int]],
) -> Event:
    """Put a labelled event where it may stand: the first of its parties in a headline that names them all.

    What follows between them, in the order of the labels, goes to the next sentence of the text that names most.
    """
    rows: list[tuple[int, int, Field, int, int]] = []
    later = any(parties == one.parties for parties, _, _ in used)
    fields: tuple[tuple[Field, str], ...] = (("title", document.title), ("text", document.text))
    for name, text in fields:
        for start, end in sentences(text, document.language):
            missing = len(one.parties - {mention.actor for mention in named[name] if start <= mention.start < end})
            if name == "text" or not document.text or not (missing or later):
                rows.append((missing, len(rows), name, start, end))
    free = [row for row in rows if (one.parties, row[2], row[3]) not in used]
    _, _, name, start, end = min(free) if free else rows[-1]
    return Event(
        id=digest(document.id, name, str(start), one.kind, *sorted(one.parties)),
        document=document.id,
        kind=one.kind,
        parties=(),
        polarity=one.polarity,
        field=name,
        start=start,
        end=end,
        sentence=(document.title if name == "title" else document.text)[start:end],
        rule="label",
    )


def _language(outcome: Outcome, judged: Judged) -> None:
    item, found = outcome.item, judged.document.language
    short = len(f"{item.title} {item.text}".split()) <= HEADLINE
    task: Task = "headlines" if short else "language"
    right = found == item.language
    outcome.count(task, right=right, found=found != "und", wanted=1)
    if not right:
        outcome.mistakes.append(Mistake(task, f"{found} for {item.language}", (item.title or item.text)[:120]))


def _events(outcome: Outcome, judged: Judged) -> None:
    if outcome.item.events is None:
        return
    wanted = {(one.kind, one.parties, one.polarity): one.modality for one in map(told, outcome.item.events)}
    found: dict[tuple[Kind, frozenset[str], Polarity], Any] = {}
    for event in judged.events:
        key = (event.kind, frozenset(party.actor for party in event.parties), event.polarity)
        found.setdefault(key, event)
    right = wanted.keys() & found.keys()
    outcome.count("events", right=len(right), found=len(found), wanted=len(wanted))
    outcome.modality.add(Count(sum(found[k].modality == wanted[k] for k in right), len(right), len(right)))
    for key, event in found.items():
        outcome.rules[event.rule, key in wanted] += 1
        if key not in wanted:
            said = f"extra {_named(key)}"
            outcome.mistakes.append(Mistake("events", said, event.sentence, event.rule))
    outcome.mistakes += [Mistake("events", f"missed {_named(key)}") for key in wanted if key not in found]
    parties = {key[1] for key in (*wanted, *found)}
    for group in parties:
        want = sorted(kind for kind, those, _ in wanted if those == group)
        got = sorted(kind for kind, those, _ in found if those == group)
        for kind in set(want) & set(got):
            outcome.kinds[kind, kind] += 1
        want, got = [k for k in want if k not in got], [k for k in got if k not in want]
        outcome.kinds.update(zip(want, got, strict=False))
        outcome.kinds.update((kind, "-") for kind in want[len(got) :])
        outcome.kinds.update(("-", kind) for kind in got[len(want) :])


def _named(key: tuple[Kind, frozenset[str], Polarity]) -> str:
    return f"{key[0]} {'+'.join(sorted(key[1])) or 'unnamed'} {key[2]}"


def _claims(outcome: Outcome, judged: Judged) -> None:
    wanted = outcome.item.claims
    if wanted is None:
        return
    # Labels name the claims of the article; other registers have their own.
    rows = {row.claim: row for row in judged.comparisons if row.register == ARTICLE}
    right = [claim for claim, bearing in wanted.items() if claim in rows and rows[claim].bearing == bearing]
    outcome.count("comparisons", right=len(right), found=len(rows), wanted=len(wanted))
    against = {claim for claim, bearing in wanted.items() if bearing == "contradicts"}
    said = {claim for claim, row in rows.items() if row.bearing == "contradicts"}
    outcome.count("contradicts", right=len(against & said), found=len(said), wanted=len(against))
    for claim in sorted({*wanted, *rows}):
        if claim in right:
            continue
        want, row = wanted.get(claim), rows.get(claim)
        text = f"{claim} {row.bearing if row else 'missed'} for {want}" if want else f"extra {claim}"
        sentence, why = (row.sentence, row.why) if row else ("", "")
        outcome.mistakes.append(Mistake("comparisons", text, sentence, why))


ARTICLE = "orton-2014-11-15"


def _stories(group: Sequence[Labelled], judged: Mapping[str, Judged], outcomes: Mapping[str, Outcome]) -> None:
    known = KnownStories()
    for item in sorted(group, key=lambda one: (moment(one.published), one.id)):
        known.add(judged[item.id].document)
    wanted = {item.id: item.story or item.id for item in group}
    found = {item.id: known.documents[judged[item.id].document.id].story for item in group}
    for one, other in combinations([item.id for item in group], 2):
        want, got = wanted[one] == wanted[other], found[one] == found[other]
        if want or got:
            outcomes[other].count("stories", right=want and got, found=got, wanted=want)
        if want != got:
            outcomes[other].mistakes.append(Mistake("stories", f"{'missed' if want else 'extra'} {one} and {other}"))


def _alerts(members: Sequence[Labelled], judged: Mapping[str, Judged], outcomes: Mapping[str, Outcome]) -> None:
    known = KnownStories()
    for item in sorted(members, key=lambda one: (moment(one.published), one.id)):
        known.add(judged[item.id].document)
    documents = {item.id: judged[item.id].document.id for item in members}
    reports = [Report(document=known.documents[documents[item.id]], events=judged[item.id].events) for item in members]
    now = max(report.document.fetched_at for report in reports) + timedelta(days=1)
    alerts = alert(reports, now=now, settled={}, max_age_days=None, actors=ACTORS, rival=rival)
    for item in members:
        outcome = outcomes[item.id]
        mine = [
            (one, member)
            for one in alerts
            for member in one.members
            if member.document == documents[item.id] and member.role not in ("denial", "fighting")
        ]
        if item.alert is not None:
            outcome.count("alerts", right=bool(mine) and item.alert, found=bool(mine), wanted=item.alert)
            if bool(mine) != item.alert:
                said = "missed" if item.alert else f"extra {mine[0][0].kind} {'+'.join(mine[0][0].parties)}"
                outcome.mistakes.append(Mistake("alerts", said, mine[0][1].sentence if mine else ""))
        if item.caution is None or not item.alert or not mine:
            # What an alert that was missed would have said is the alert's miss, not the checklist's.
            continue
        shown = {signal.name: signal for one, _ in mine[:1] for signal in one.caution if signal.shown}
        wanted = set(item.caution)
        outcome.count("caution", right=len(wanted & shown.keys()), found=len(shown), wanted=len(wanted))
        outcome.mistakes += [Mistake("caution", f"missed {name}") for name in sorted(wanted - shown.keys())]
        outcome.mistakes += [
            Mistake("caution", f"extra {name}", one.sentence, one.note)
            for name, one in sorted(shown.items())
            if name not in wanted
        ]


def _figures(outcomes: Iterable[Outcome]) -> dict[str, dict[Task, Figure]]:
    groups: defaultdict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[one.item.language or ""].append(one)
    return {language: _of(group) for language, group in sorted(groups.items())}


def _of(group: Sequence[Outcome]) -> dict[Task, Figure]:
    figures: dict[Task, Figure] = {}
    for task in TASKS:
        counts = [one.counts[task] for one in group if task in one.counts]
        if not counts:
            continue
        # Of items without any such thing to find or found nothing can be said; they are drawn all the same.
        draw = random.Random(SEED)
        f1s = sorted(_sum(draw.choices(counts, k=len(counts))).f1 for _ in range(RESAMPLES))
        figures[task] = Figure(_sum(counts), f1s[RESAMPLES // 40], f1s[-RESAMPLES // 40 - 1])
    return figures


def _sum(counts: Iterable[Count]) -> Count:
    total = Count()
    for one in counts:
        total.add(one)
    return total


# Saying it


def table(evaluation: Evaluation) -> Iterator[str]:
    """Give the figures, a line a language and task."""
    yield f"{'':4}{'task':13}{'precision':>10}{'recall':>8}{'F1':>6}{'95 %':>11}{'right':>7}{'found':>7}{'wanted':>8}"
    for language, figures in evaluation.figures.items():
        for task, one in figures.items():
            count = one.count
            yield (
                f"{language:4}{task:13}{count.precision:10.2f}{count.recall:8.2f}{count.f1:6.2f}"
                f"{f'{one.low:.2f}-{one.high:.2f}':>11}{count.right:7}{count.found:7}{count.wanted:8}"
            )


def confusion(evaluation: Evaluation) -> Iterator[str]:
    """Give the kinds that were taken for others, most often first."""
    totals: Counter[tuple[str, str]] = Counter()
    for one in evaluation.outcomes:
        totals.update(one.kinds)
    for (want, got), count in sorted(totals.items(), key=lambda item: (-item[1], item[0])):
        if want != got:
            yield f"{count:5}  {want} → {got}"


def worst(evaluation: Evaluation, most: int, tasks: Sequence[str] = ()) -> Iterator[str]:
    """Give the items with the most mistakes, and each mistake with its sentence and the rule that fired."""
    rows = []
    for one in evaluation.outcomes:
        mistakes = [m for m in one.mistakes if not tasks or m.task in tasks]
        if mistakes:
            rows.append((one, mistakes))
    rows.sort(key=lambda row: (-len(row[1]), row[0].item.id))
    for one, mistakes in rows[: most or None]:
        yield f"{one.item.id}  {one.item.title}"
        for mistake in mistakes:
            yield f"    {mistake.line()}"


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Give the figures as JSON values."""
    return {
        language: {
            task: {
                "precision": round(one.count.precision, 4),
                "recall": round(one.count.recall, 4),
                "f1": round(one.count.f1, 4),
                "low": round(one.low, 4),
                "high": round(one.high, 4),
                "right": one.count.right,
                "found": one.count.found,
                "wanted": one.count.wanted,
            }
            for task, one in figures.items()
        }
        for language, figures in evaluation.figures.items()
    }


def dumps(evaluation: Evaluation) -> str:
    """Give the figures as one JSON text."""
    return json.dumps(to_json(evaluation), ensure_ascii=False)


# The gate


class Floors(Knowledge):
    """The F1 below which a figure counts as a fall: language to task to floor, and why floors were ever lowered."""

    floors: dict[Language, dict[Task, float]]
    lowered: tuple[str, ...] = ()


def floors_in(path: Path) -> Floors:
    """Read a file of floors. Raises KnowledgeError."""
    return load(path, Floors)


TICK = 0.005
"""Half of the last digit that a floor is written with."""


def falls(evaluation: Evaluation, floors: Floors) -> list[str]:
    """Give the figures that lie below their floor, in words; one that is no longer measured has fallen too."""
    found = []
    for language, tasks in floors.floors.items():
        for task, floor in tasks.items():
            figure = evaluation.figures.get(language, {}).get(task)
            if figure is None:
                found.append(f"{language} {task}: not measured; its floor is {floor:.2f}")
            elif figure.count.f1 < floor - TICK:
                found.append(f"{language} {task}: F1 {figure.count.f1:.2f} is below its floor of {floor:.2f}")
    return found


def pinned(evaluation: Evaluation, floors: Floors, *, lower: str = "") -> str:
    """Give the text of a file of floors: those of this evaluation where they are higher, or ``lower`` says why not.

    Raises KnowledgeError for a fall without a reason.
    """
    down = falls(evaluation, floors)
    if down and not lower:
        raise KnowledgeError("\n".join([*down, 'a lower floor needs a reason: --lower "why"']))
    new = {
        language: {
            task: max(_cut(one.count.f1), 0.0 if lower else floors.floors.get(language, {}).get(task, 0.0))  # type: ignore[call-overload]
            for task, one in tasks.items()
        }
        for language, tasks in evaluation.figures.items()
    }
    lines = [
        "# F1 of each language and task, below which `make evaluate` fails. Written by `sulh evaluate --pin`; a floor",
        "# is lowered only with a reason, which stands below.",
        "floors:",
    ]
    for language, rows in new.items():
        lines.append(f"  {language}:")
        lines += [f"    {task}: {floor:.2f}" for task, floor in rows.items()]
    reasons = [*floors.lowered, *([lower] if down else [])]
    lines.append("lowered:" if reasons else "lowered: []")
    lines += [f"  - {json.dumps(reason, ensure_ascii=False)}" for reason in reasons]
    return "\n".join(lines) + "\n"


def _cut(value: float) -> float:
    return int(value * 100) / 100
