"""The daily job and its parts, as the commands call them: crawl, process, alert, deliver; and replay and judge."""

from __future__ import annotations

import errno
import itertools
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from processors.archive import Archive, CaptureRef
from processors.errors import LockedError, SulhError
from processors.pool import Died, Overdue, Pool
from processors.records import Capture, Document, LedgerRow, Rejection
from sulh.config import Settings
from sulh.crawling import CrawlReport, crawl
from sulh.deliver import (
    Channel,
    DeliveryReport,
    channels,
    deliver,
    for_operators,
    printer,
    resend_unsure,
    write_atom,
)
from sulh.digests import deliver_digests
from sulh.explain import explained
from sulh.intake import intake
from sulh.pipeline import (
    Decision,
    Fault,
    Judge,
    Judged,
    ProcessReport,
    arrivals,
    decide,
    judge,
    process,
    registers_of,
    settled_in,
)
from sulh.progress import progress
from sulh.stores import Store, open_store

Item = TypeVar("Item", bound=CaptureRef | Capture | Document)


TURN_FILE = "process.lock"
"""In the home: held by who judges or decides, and left there."""

TURN_SECONDS = 600
"""How long to wait for another process: an hour's news is judged in seconds; ten minutes mean that one is stuck."""


def judged_items(
    settings: Settings, items: Iterator[Item], *, most: int
) -> Generator[tuple[Item, Judged | Rejection | Fault], None, None]:
    """Read and judge the items in processes that can be killed, in order; a page that takes one down is rejected.

    There are at ``most`` so many.
    """
    # Here first: a wrong register is a sentence for a person, and in a worker it would be the end of all work.
    registers_of(settings.register_folder)
    judge_one = Judge(settings.home, settings.register_folder)
    given, worked = itertools.tee(items)
    with Pool(
        judge_one,
        # An hour's news is a page or two, and each process takes a second to start.
        workers=max(1, min(settings.workers, most)),
        wall_seconds=settings.page_seconds,
        initializer=judge_one.warm_up,
        preload=["processors.extract"],
    ) as pool:
        for item, result in zip(given, pool.map(worked), strict=True):
            if isinstance(result, Overdue | Died):
                yield item, _lost(item, isinstance(result, Overdue), settings.page_seconds)
            else:
                yield item, result


def _lost(item: CaptureRef | Capture | Document, overdue: bool, seconds: float) -> Rejection:
    return Rejection(
        step="extract",
        reason="timeout" if overdue else "worker-died",
        source=item.source,
        url=item.url,
        capture=item.capture if isinstance(item, Document) else item.id,
        detail=f"took more than {seconds:g} s" if overdue else "the process that read it ended",
        at=item.fetched_at,
    )


def chosen(archive: Archive, sources: Sequence[str]) -> tuple[str, ...]:
    """Give the named sources, or all that the archive holds. Raises SulhError for one that it does not hold."""
    held = archive.sources()
    missing = [source for source in sources if source not in held]
    if missing:
        raise SulhError(
            f"the archive {archive.folder} holds nothing of {', '.join(missing)}:"
            " `sulh crawl` fetches, `sulh sources` lists"
        )
    return tuple(sources) or tuple(held)


def make_home(settings: Settings) -> None:
    """Make the home unless it is there. Raises SulhError where no files can be written in it."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(settings, error) from error
    if not os.access(settings.home, os.W_OK | os.X_OK):
        raise _unusable(settings, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def nothing_yet(settings: Settings) -> bool:
    """Say whether nothing was ever judged here, so that there is no store to look at, and nothing is wrong with that.

    A store that went missing is told from that by the lock that whoever judges leaves in the home.
    """
    if settings.on_server or Path(settings.store_address).exists():
        return False
    return not (settings.home / TURN_FILE).exists()


def _unusable(settings: Settings, error: OSError) -> SulhError:
    said = (error.strerror or str(error)).lower()
    return SulhError(
        f"{settings.home}: cannot be written as the home ({said}): make it a folder that you may write to,"
        " or name another with --home or SULH_HOME"
    )


@contextmanager
def turn(settings: Settings, *, seconds: float = TURN_SECONDS) -> Iterator[None]:
    """Wait until no other command judges or decides: stories and revisions are told one after the other.

    Raises LockedError when that takes longer than ``seconds``, SulhError where the home cannot be written.
    """
    make_home(settings)
    lock = FileLock(settings.home / TURN_FILE)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        raise LockedError(
            f"another sulh has been processing in {settings.home} for {seconds:g} s: try again when it is done"
        ) from None
    except OSError as error:
        raise _unusable(settings, error) from error
    try:
        yield
    finally:
        lock.release()


def process_archive(
    settings: Settings,
    store: Store,
    sources: Sequence[str] = (),
    *,
    day: date | None = None,
    now: Callable[[], datetime] | None = None,
) -> ProcessReport:
    """Process what the archive holds and the store lacks, and take over the crawl's ledger; ``now`` is the clock."""
    archive = Archive(settings.home)
    names = chosen(archive, sources)
    for source in names:
        store.tally(archive.tallies(source))
    # Counted first and walked again, so that a long backlog never stands in memory.
    waiting = sum(1 for _ in arrivals(archive, store, names, day=day))
    if not waiting:
        return ProcessReport(counts={}, written=0)
    with (
        progress("processing", waiting) as advance,
        # Closed at once where the store breaks off: at the end of the program there is no pool left to end well.
        closing(judged_items(settings, arrivals(archive, store, names, day=day), most=waiting)) as judged,
    ):
        return process(store, judged, advance=advance, now=now)


def decide_alerts(settings: Settings, store: Store, *, now: datetime) -> Decision:
    """Decide on alerts and fill the outbox."""
    known = channels_of(settings)
    ids, digests = [channel.id for channel in known], [channel.id for channel in known if channel.digest]
    return decide(store, now=now, max_age_days=settings.max_age_days, channels=ids, digests=digests)


def channels_of(settings: Settings) -> tuple[Channel, ...]:
    """Give the channels of the settings; with no address set, the one that prints."""
    return channels(settings.notify) or (printer(print),)


def operators_of(settings: Settings, write: Callable[[str], None] = print) -> tuple[Channel, ...]:
    """Give the channels that findings go to; with no address set, the one that prints."""
    return for_operators(settings.operators, write)


def deliver_alerts(settings: Settings, store: Store, *, now: datetime, resend: bool = False) -> DeliveryReport:
    """Empty the outbox as far as it is due, and write the Atom file."""
    # The desk reads a file only: over a server an address of it would lead nowhere.
    desk = "" if settings.on_server else settings.desk_address
    write_atom(store, settings.home / "alerts.atom", now, desk=desk)
    if resend:
        resend_unsure(store, now=now)
    known = channels_of(settings)
    at_once = deliver(store, known, now=now, desk=desk)
    return at_once + deliver_digests(store, known, now=now, hour=settings.digest_hour, desk=desk)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a daily job did, part by part."""

    crawl: CrawlReport
    process: ProcessReport
    decision: Decision
    delivery: DeliveryReport

    @property
    def changed(self) -> bool:
        """Whether anything came in, or went out."""
        return bool(self.process.counts or self.decision.fresh or self.delivery.sent)

    def summary(self) -> str:
        """Say part by part what was done."""
        return "\n".join(
            [self.crawl.summary(), self.process.summary(), self.decision.summary(), self.delivery.summary()]
        )

    @property
    def ok(self) -> bool:
        """Whether every part did its work; refused items and dead sources are the ledger's business."""
        return self.crawl.ok and not self.process.faults

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values."""
        return {
            "crawl": [dict(result) for result in self.crawl.results],
            "process": dict(self.process.counts),
            "faults": [fault.url for fault in self.process.faults],
            "alerts": len(self.decision.alerts),
            "new_alerts": [one.id for one in self.decision.fresh],
            "delivery": self.delivery.to_json(),
        }


def run(
    settings: Settings,
    sources: Sequence[str] = (),
    *,
    now: Callable[[], datetime],
    echo: Callable[[str], None] = lambda line: None,
) -> RunReport:
    """Crawl, process, alert and deliver; each part begins where an earlier, broken run left off."""
    make_home(settings)
    # What would fail in the end fails at the start: a store of a newer version, a wrong address.
    channels_of(settings)
    open_store(settings.store_address, access=settings.access).close()
    crawled = crawl(settings, sources, echo=echo)
    with turn(settings), closing(open_store(settings.store_address, access=settings.access)) as store:
        # All that the archive holds, not only the sources of this run: what an earlier run left over comes in too.
        processed = process_archive(settings, store, now=now)
        decision = decide_alerts(settings, store, now=now())
        delivery = deliver_alerts(settings, store, now=now())
    return RunReport(crawl=crawled, process=processed, decision=decision, delivery=delivery)


def replay(settings: Settings, sources: Sequence[str] = (), *, now: datetime) -> ProcessReport:
    """Rebuild the store from the archive, all of it or some sources; it replaces the old one only when it is whole.

    Ids are the same as before. Deliveries and verdicts are kept, and alerts that were decided keep their ids.
    """
    with (
        closing(open_store(settings.store_address, create=False, access=settings.access)) as store,
        rebuilt(settings, store, sources, now=now) as (_, report),
    ):
        return report


@contextmanager
def rebuilt(
    settings: Settings, store: Store, sources: Sequence[str], *, now: datetime
) -> Iterator[tuple[Store, ProcessReport]]:
    """Give a store filled anew from the archive, which takes the other's place when the block ends well.

    Raises SulhError where the archive lacks what the store holds, or a page cannot be judged.
    """
    archive = Archive(settings.home)
    names = chosen(archive, sources)
    if not names:
        raise SulhError(f"{archive.folder}: there is no archive to replay; the store is left as it was")
    with turn(settings):
        lost = {row.source for row in store.ledger() if row.step == "process"} - set(archive.sources())
        if lost:
            raise SulhError(
                f"{archive.folder}: lacks {', '.join(sorted(lost))}, which the store holds: bring the archive back;"
                " the store is left as it was"
            )
        settled = settled_in(store)
        with store.rebuilding(without=sources) as fresh:
            report = process_archive(settings, fresh, names, now=lambda: now)
            if report.faults:
                raise SulhError(
                    f"the store is left as it was: {len(report.faults)} pages cannot be judged, the first is"
                    f" {report.faults[0].url}: {report.faults[0].said}"
                )
            decide(fresh, now=now, max_age_days=settings.max_age_days, settled=settled)
            yield fresh, report


def judge_files(
    settings: Settings, files: Sequence[str], *, now: datetime, explain: bool = False
) -> Iterator[dict[str, Any]]:
    """Give one JSON object for each item of the files, in order; nothing is stored.

    With ``explain`` each says under that key by which lines of YAML it was judged so.
    """
    items = list(intake(list(files), now=now))
    work = [item.work for item in items if not isinstance(item.work, Rejection)]
    with progress("judging", len(work)) as advance:
        results = []
        for _, result in judged_items(settings, iter(work), most=len(work)):
            results.append(result)
            advance(1)
    judged = iter(results)
    pairs = [(item.id, item.work if isinstance(item.work, Rejection) else next(judged)) for item in items]
    why = partial(explained, registers=registers_of(settings.register_folder)) if explain else None
    yield from judge(pairs, now=now, why=why)


def ledger_rows(settings: Settings, *, source: str = "", day: date | None = None) -> list[LedgerRow]:
    """Give the ledger, with the captures that the archive holds and the store lacks counted as waiting.

    The waiting ones are counted in the archive itself, not as what is missing: else no loss could ever show. Those
    that the store refused wait too, by that name.
    """
    archive = Archive(settings.home)
    names = [name for name in archive.sources() if source in ("", name)]
    if names and not settings.store and not Path(settings.store_address).exists():
        # Crawled and never yet processed: everything waits, and reading must not make a store.
        waiting = Counter((ref.source, ref.fetched_at.date()) for n in names for ref in archive.captures(n, day=day))
        return _ledger(archive, names, [], waiting, day)
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        # The crawl's rows from the archive itself where it is here: the store has them as of its last processing.
        rows = [row for row in store.ledger(source=source, day=day) if row.step != "crawl" or row.source not in names]
        refused = {one.capture: (one.source, one.fetched_at.date()) for one in store.refusals()}
        waiting = Counter(
            (ref.source, ref.fetched_at.date())
            for ref in arrivals(archive, store, names, day=day)
            if ref.id not in refused
        )
    declined = Counter(
        (name, on) for name, on in refused.values() if source in ("", name) and (day is None or on == day)
    )
    return _ledger(archive, names, rows, waiting, day) + _waiting(declined, reason="store-refused")


def _ledger(
    archive: Archive,
    names: Sequence[str],
    rows: Sequence[LedgerRow],
    waiting: Mapping[tuple[str, date], int],
    day: date | None,
) -> list[LedgerRow]:
    crawls = [row for name in names for row in archive.tallies(name) if day in (None, row.day)]
    return [*crawls, *rows, *_waiting(waiting)]


def _waiting(counts: Mapping[tuple[str, date], int], *, reason: str = "") -> list[LedgerRow]:
    return [
        LedgerRow(source=name, day=on, step="process", disposition="waiting", reason=reason, count=count)
        for (name, on), count in sorted(counts.items())
    ]
