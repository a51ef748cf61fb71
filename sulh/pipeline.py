"""The pipeline: the one place where steps meet, and where what they give is written down."""

from __future__ import annotations

import heapq
import itertools
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from processors.alert import Settled, alert
from processors.annotate import annotate
from processors.annotate.actors import ACTORS, named_in, rival
from processors.annotate.retold import asked
from processors.annotate.story import assign
from processors.archive import Archive, CaptureRef
from processors.claims import read
from processors.compare import compare
from processors.errors import KnowledgeError, SulhError
from processors.fold import indexed
from processors.records import Alert, Capture, Comparison, Document, Event, Rejection, Verdict
from processors.register import Registers, load_registers
from sulh.counts import count
from sulh.digests import change
from sulh.stores import Outcome, Processed, Refusal, Report, Sketched, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A page read and judged by itself, before its story is known."""

    document: Document
    events: tuple[Event, ...]
    comparisons: tuple[Comparison, ...]
    words: tuple[str, str] | None = None
    """The terms under which it is indexed, where it goes into a store."""

    def processed(self, outcome: Outcome, document: Document) -> Processed:
        """Give what a store writes of it: ``document`` with its story and revision."""
        return Processed(
            outcome=outcome,
            document=document,
            events=self.events,
            comparisons=self.comparisons,
            words=self.words,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A page that a step did not understand and did not decline: a mistake of ours, said loudly at the end.

    It gets no outcome, so the ledger shows it as waiting and the next run tries it again; its neighbours go on.
    """

    url: str
    said: str


def judge_document(document: Document, registers: Registers) -> Judged:
    """Annotate a document and compare it with every claim."""
    document, events = annotate(document)
    comparisons = compare(document, events, registers, named=named_in(document))
    return Judged(document=document, events=events, comparisons=comparisons)


def judge_capture(capture: Capture, registers: Registers) -> Judged | Rejection:
    """Read a page, annotate it and compare it with every claim; gives a rejection for what a step declines."""
    # Here: what decides and delivers reads no page, and need not wait for what does.
    from processors.extract import extract

    read = extract(capture)
    return read if isinstance(read, Rejection) else judge_document(read, registers)


def registers_of(folder: Path | None) -> Registers:
    """Give the registers that come with sulh and those of one more folder, where one of the same id takes its place.

    Raises KnowledgeError where the folder is absent.
    """
    if folder is not None and not folder.is_dir():
        raise KnowledgeError(f"{folder}: there is no such folder of registers; SULH_REGISTERS names it")
    bundled = load_registers(actors=ACTORS)
    if folder is None:
        return read(bundled)
    own = load_registers(folder, actors=ACTORS)
    by_id = {one.article.id: one for one in (*bundled, *own)}
    return read(Registers(by_id.values(), {**bundled.files, **own.files}))


class Judge:
    """The work of one process of the pool: takes the address of a capture, reads the archive itself.

    Bodies of up to 16 MiB stay out of the pipes between processes.
    """

    def __init__(self, home: Path, register_folder: Path | None) -> None:
        self.home, self.register_folder = home, register_folder
        self.archive: Archive | None = None
        self.registers: Registers | None = None

    def warm_up(self) -> None:
        """Load what every page needs, so that it does not count against the first page's time."""
        self.archive = Archive(self.home)
        self.registers = registers_of(self.register_folder)

    def __call__(self, item: CaptureRef | Capture | Document) -> Judged | Rejection | Fault:
        if self.archive is None or self.registers is None:
            self.warm_up()
        assert self.archive is not None and self.registers is not None
        try:
            if isinstance(item, Document):
                return _indexed(judge_document(item, self.registers))
            capture = item if isinstance(item, Capture) else self.archive.read(item)
            judged = judge_capture(capture, self.registers)
            return judged if isinstance(judged, Rejection) else _indexed(judged)
        except SulhError as error:
            return Fault(url=item.url, said=str(error))
        except Exception:
            return Fault(url=item.url, said=traceback.format_exc())


def _indexed(judged: Judged) -> Judged:
    """Stem the words here, where pages are read side by side, rather than where one process writes them."""
    document = judged.document
    return replace(judged, words=indexed(document.title, document.text, document.language))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """How many captures met which disposition, and which documents came in."""

    counts: Mapping[str, int]
    """Disposition, or ``rejected (<reason>)``, to number of captures."""
    written: int
    """Documents new or revised."""
    faults: tuple[Fault, ...] = ()
    sources: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The same by source, without the reasons."""

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values; each of the total is counted under a disposition, or is a fault."""
        return {
            "total": sum(self.counts.values()) + len(self.faults),
            "written": self.written,
            "counts": dict(self.counts),
            "sources": {source: dict(counts) for source, counts in self.sources.items()},
            "faults": [{"url": fault.url, "said": fault.said} for fault in self.faults],
        }

    def summary(self) -> str:
        """Say how many captures met which disposition."""
        lines = [f"processed {count(sum(self.counts.values()), 'capture')}"]
        lines += [f"{number:>7}  {name}" for name, number in self.counts.items()]
        return "\n".join(lines)


def arrivals(
    archive: Archive, store: Store, sources: Sequence[str], *, day: date | None = None
) -> Iterator[CaptureRef]:
    """Give the captures that the store has no outcome for, over all sources, in the order in which they came.

    One order over all sources, so that a replay meets revisions and reprints in the order of the days themselves.
    """
    queues = [archive.captures(source, day=day) for source in sources]
    merged = heapq.merge(*queues, key=lambda ref: (ref.fetched_at, ref.id))
    while chunk := list(itertools.islice(merged, 500)):
        waiting = store.unprocessed([ref.id for ref in chunk])
        yield from (ref for ref in chunk if ref.id in waiting)


def process(
    store: Store,
    judged: Iterable[tuple[CaptureRef, Judged | Rejection | Fault]],
    *,
    advance: Callable[[int], None] = lambda steps: None,
    now: Callable[[], datetime] | None = None,
) -> ProcessReport:
    """Write down what became of each capture; each gets exactly one outcome, written with its documents.

    ``now`` is the clock that dates the outcomes; without one they stay undated.
    """
    batch = Batch(store, now)
    faults: list[Fault] = []
    for ref, result in judged:
        advance(1)
        if isinstance(result, Fault):
            faults.append(result)
            continue
        batch.add(ref, result)
        if len(batch) >= store.batch:
            batch.write()
    batch.write()
    faults += [Fault(url=refusal.url, said=f"the store refuses it: {refusal.detail}") for refusal in batch.refused]
    return ProcessReport(
        counts=dict(sorted(batch.counts.items())),
        written=batch.written,
        faults=tuple(faults),
        sources={source: dict(sorted(counts.items())) for source, counts in sorted(batch.sources.items())},
    )


class Batch:
    """Documents on their way into the store, which later ones of the same batch must already see."""

    def __init__(self, store: Store, now: Callable[[], datetime] | None = None) -> None:
        self.store = store
        self.now = now
        self.counts: Counter[str] = Counter()
        """What became of the captures written so far."""
        self.sources: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.written = 0
        """Documents written so far."""
        self.refused: list[Refusal] = []
        self.items: list[Processed] = []
        self.documents: dict[str, Document] = {}
        self.stories: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.items)

    def add(self, ref: CaptureRef, result: Judged | Rejection) -> Processed:
        """Give the outcome of one capture, and keep it for `write`."""
        item = self._rejected(ref, result) if isinstance(result, Rejection) else self._document(ref, result)
        self.items.append(item)
        return item

    def write(self) -> None:
        """Write the batch and begin anew."""
        if not self.items:
            return
        # Labels may have moved after a document joined the batch.
        items = [
            replace(item, document=self.documents[item.document.id]) if item.document is not None else item
            for item in self.items
        ]
        if self.now is not None:
            at = self.now()
            items = [replace(item, outcome=replace(item.outcome, processed_at=at)) for item in items]
        refusals = self.store.write(items, stories=self.stories)
        refused = {refusal.capture for refusal in refusals}
        for outcome in (item.outcome for item in items if item.outcome.capture not in refused):
            self.counts[f"{outcome.disposition} ({outcome.reason})" if outcome.reason else outcome.disposition] += 1
            self.sources[outcome.source][outcome.disposition] += 1
            self.written += outcome.disposition == "indexed"
        self.refused += refusals
        self.items, self.documents, self.stories = [], {}, {}

    def _rejected(self, ref: CaptureRef, rejection: Rejection) -> Processed:
        outcome = Outcome(
            capture=ref.id,
            source=ref.source,
            url=ref.url,
            fetched_at=ref.fetched_at,
            disposition="rejected",
            reason=rejection.reason,
        )
        return Processed(outcome=outcome, rejection=rejection)

    def _document(self, ref: CaptureRef, judged: Judged) -> Processed:
        document = judged.document
        current = self.documents.get(document.id) or self.store.document(document.id)
        outcome = Outcome(
            capture=ref.id,
            source=ref.source,
            url=ref.url,
            fetched_at=ref.fetched_at,
            disposition="indexed",
            document=document.id,
        )
        if current is not None and current.capture == ref.id:
            # Written by a run that broke off before it could say so: the same again, as the revision that it is.
            document = replace(self._with_story(document), revision=current.revision)
            self.documents[document.id] = document
            return judged.processed(outcome, document)
        if current is not None:
            if (current.title, current.text) == (document.title, document.text):
                return Processed(outcome=replace(outcome, disposition="duplicate", reason="unchanged"))
            if document.fetched_at < current.fetched_at:
                return Processed(outcome=replace(outcome, disposition="duplicate", reason="older-revision"))
            if document.id in self.documents:
                # Two revisions of one page in one transaction would leave the former out.
                self.write()
        document = replace(document, revision=current.revision + 1 if current is not None else 1)
        document = self._with_story(document)
        self.documents[document.id] = document
        return judged.processed(outcome, document)

    def _with_story(self, document: Document) -> Document:
        rows = {
            row.document: replace(row, story=self.stories[row.story]) if row.story in self.stories else row
            for row in self.store.sketched(asked(document.sketch))
        }
        rows |= {other.id: sketched(other) for other in self.documents.values()}
        joined = assign(document.id, document, document.sketch, rows.values(), self._look_up)
        if joined.relabels:
            moved = joined.relabels
            self.stories = {old: moved.get(new, new) for old, new in self.stories.items()} | moved
            self.documents = {
                id: replace(other, story=moved.get(other.story, other.story)) for id, other in self.documents.items()
            }
        return replace(document, story=joined.story)

    def _look_up(self, id: str) -> Document | None:
        return self.documents.get(id) or self.store.document(id)


def sketched(document: Document) -> Sketched:
    """Give of a document what finding its reprints needs."""
    return Sketched(
        document=document.id,
        story=document.story,
        sketch=document.sketch,
        published_at=document.published_at,
        fetched_at=document.fetched_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The alerts as decided, and those among them that were not there before."""

    alerts: tuple[Alert, ...]
    fresh: tuple[Alert, ...]
    queued: int
    """Deliveries put into the outbox."""

    def summary(self) -> str:
        """Say how many alerts there are, and how many are new."""
        held = Counter(one.held for one in self.fresh if one.held)
        kept = "".join(f", {number} kept and not sent: {why}" for why, number in sorted(held.items()))
        alerts = f"{count(len(self.alerts), 'alert')}, {len(self.fresh)} of them new{kept}"
        return f"{alerts}; {count(self.queued, 'message')} queued"


def decide(
    store: Store,
    *,
    now: datetime,
    max_age_days: int | None,
    channels: Sequence[str] = (),
    digests: Sequence[str] = (),
    settled: Mapping[str, Settled] | None = None,
) -> Decision:
    """Decide on alerts over all that the store holds, and queue what must be sent.

    An alert is queued for every channel that lacks it, unless it is held or withdrawn, an analyst dismissed it, or it
    opened longer ago than ``max_age_days``: a channel that is added later gets the recent ones, not the whole past.
    For ``digests``, those of the channels that get one message a day, it is queued too that the state of an alert that
    they have, or will get, is another now.
    """
    before = settled_in(store) if settled is None else settled
    alerts = alert(
        store.reports(),
        now=now,
        settled=before,
        max_age_days=max_age_days,
        actors=ACTORS,
        rival=rival,
        document=store.document,
    )
    queued = 0
    if digests:
        # Before the alerts: a run that breaks off in between sees the change again, and the outbox has it already.
        waiting = {(row.alert, row.channel) for row in store.deliveries()}
        for one in alerts:
            old = before[one.id].alert if one.id in before else None
            if old is not None and old.state != one.state:
                having = [channel for channel in digests if (one.id, channel) in waiting]
                queued += store.enqueue(change(one.id, one.state), having, at=now)
    store.write_alerts(alerts)
    verdicts = store.verdicts()
    for one in alerts:
        if to_be_told(one, verdicts.get(one.id, ("open", ""))[0], now=now, max_age_days=max_age_days):
            queued += store.enqueue(one.id, channels, at=now)
    return Decision(alerts=alerts, fresh=tuple(one for one in alerts if one.id not in before), queued=queued)


def settled_in(store: Store) -> dict[str, Settled]:
    """Give the alerts as they were decided last, and which of them analysts know of."""
    verdicts = store.verdicts()
    sent = {delivery.alert for delivery in store.deliveries() if delivery.state != "waiting"}
    return {
        old.id: Settled.of(old, judged=verdicts.get(old.id, ("open", ""))[0] != "open", sent=old.id in sent)
        for old in store.alerts()
    }


def to_be_told(one: Alert, verdict: Verdict, *, now: datetime, max_age_days: int | None) -> bool:
    """Tell whether an alert goes to each channel that lacks it."""
    recent = max_age_days is None or now - one.opened_at <= timedelta(days=max_age_days)
    return recent and not one.held and one.state != "withdrawn" and verdict != "dismissed"


def judge(
    judged: Sequence[tuple[str, Judged | Rejection | Fault]],
    *,
    now: datetime,
    why: Callable[[Judged], Mapping[str, Any]] | None = None,
) -> Iterator[dict[str, Any]]:
    """Give one JSON object an item for a batch that is judged by itself, in the order given; nothing is stored.

    Stories and alerts are told over the whole batch, each document read as if it had come in on its day of publication.
    ``why`` gives what stands under ``explain``. Raises SulhError for an item that a step did not understand.
    """
    known = KnownStories()
    for id, result in judged:
        if isinstance(result, Fault):
            raise SulhError(f"{id}: cannot be judged: {result.said}")
        if isinstance(result, Judged):
            known.add(result.document)
    reports = {
        result.document.id: Report(document=known.documents[result.document.id], events=result.events)
        for _, result in judged
        if isinstance(result, Judged) and result.events
    }
    alerts = alert(
        reports.values(),
        now=now,
        settled={},
        max_age_days=None,
        actors=ACTORS,
        rival=rival,
        document=known.documents.get,
    )
    by_document = {member.document: one for one in reversed(alerts) for member in one.members}
    shown: set[str] = set()
    for id, result in judged:
        if isinstance(result, Rejection):
            yield {
                "id": id,
                "language": "und",
                "story": "",
                "events": [],
                "comparisons": [],
                "alert": None,
                "rejected": {"step": result.step, "reason": result.reason, "detail": result.detail},
            }
        elif isinstance(result, Judged):
            document = known.documents[result.document.id]
            one = by_document.get(document.id)
            yield {
                "id": id,
                "language": document.language,
                "story": document.story,
                "events": [shown_event(event) for event in result.events],
                "comparisons": [shown_comparison(row) for row in result.comparisons],
                # An item that the batch gives twice is new once.
                "alert": shown_alert(one, new=one.members[0].document == document.id not in shown) if one else None,
                **({"explain": why(result)} if why is not None else {}),
            }
            shown.add(document.id)


class KnownStories:
    """The documents of a batch that is judged without a store, with their stories, found by their sketch terms."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.by_term: defaultdict[int, set[str]] = defaultdict(set)

    def add(self, document: Document) -> None:
        """Take a document in and tell its story; one that is known already changes nothing."""
        if document.id in self.documents:
            return
        near = {id for term in asked(document.sketch) for id in self.by_term[term]}
        rows = [sketched(self.documents[id]) for id in sorted(near)]
        joined = assign(document.id, document, document.sketch, rows, self.documents.get)
        if moved := joined.relabels:
            self.documents = {
                id: replace(other, story=moved.get(other.story, other.story)) for id, other in self.documents.items()
            }
        self.documents[document.id] = replace(document, story=joined.story)
        for term in document.sketch:
            self.by_term[term].add(document.id)


def shown_comparison(row: Comparison) -> dict[str, object]:
    """Give a comparison as `sulh judge` prints it."""
    return {
        "register": row.register,
        "claim": row.claim,
        "bearing": row.bearing,
        "score": row.score,
        "sentence": row.sentence,
        "why": row.why,
    }


def shown_event(event: Event) -> dict[str, object]:
    """Give an event as `sulh judge` prints it."""
    return {
        "kind": event.kind,
        "parties": [party.actor for party in event.parties],
        "polarity": event.polarity,
        "modality": event.modality,
        "place": event.place,
        "date": event.date.isoformat() if event.date else None,
        "sentence": event.sentence,
    }


def shown_alert(one: Alert, *, new: bool) -> dict[str, object]:
    """Give of an alert what one of its documents shows; ``new`` is true for the one that notifies."""
    return {
        "id": one.id,
        "new": new,
        "state": one.state,
        "parties": list(one.parties),
        "kind": one.kind,
        "origins": len(one.origins),
        "caution": {signal.name: {"shown": signal.shown, "sentence": signal.sentence} for signal in one.caution},
    }
