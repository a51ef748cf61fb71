"""Says what is configured, reachable, silent, slow or out of balance, and what to do about each.

`sulh doctor` shows all of it to a person; `sulh watch` keeps what has a kind as findings, and tells them.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from crawlers.sources import Source
from processors.archive import Archive, Health, Pulse
from processors.errors import LockedError, SulhError
from processors.records import Record
from sulh.board import Balance, balances
from sulh.config import Settings
from sulh.counts import count
from sulh.crawling import known_sources
from sulh.daily import channels_of, ledger_rows, operators_of, turn
from sulh.digests import DIGEST
from sulh.freshness import Freshness, freshness, percentile, slow, span
from sulh.pipeline import registers_of
from sulh.stores import Delivery, Store, open_store

LOW_DISK = 2 * 1024**3
"""Bytes free under which a day's crawl may fill the disk: 50 sources of 40 pages of up to 1 MiB."""

FAILURES = 3
"""Crawls in a row that fail before operators are told: with the pauses between them an hour and a half, so that a
server's restart or a short outage of the network is over."""

OTHER_THAN_LISTS = ("not-a-feed", "not-a-sitemap", "not-wordpress", "invalid-xml", "no-items")
"""Reasons why the answer of a site that works was no list any more: nobody need wait whether it mends itself."""

USUAL, HABITS = 3, 5
"""Silent is a source that is quiet for longer than three times what it hardly ever is (the 95th percentile of the times
between news), where there are five such times to tell it from: outlets have holidays, and elections."""

SHORTEST_SILENCE = timedelta(days=2)
"""No source is silent before: a weekend, or a wire's feast day."""

STANDSTILL = timedelta(days=1)
"""After so long without any reading that succeeds the scheduler is asked about, not the single source."""

LOOK_AGAIN_SECONDS = 60
"""How long to wait for who processes right now before saying that the ledger is out of balance."""

KINDS = (
    "archive",
    "crawl-failing",
    "delivery-failed",
    "delivery-unsure",
    "disk",
    "empty-list",
    "few-items",
    "ledger",
    "no-list",
    "refused",
    "register",
    "server",
    "setting",
    "silent",
    "slow",
    "source-file",
    "standstill",
    "store",
)
"""What `sulh watch` finds by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Record):
    """One thing looked at: fine, worth knowing, or wrong; with what to do."""

    level: Literal["ok", "note", "wrong"]
    about: str
    said: str
    todo: str = ""
    kind: str = ""
    """Under which operators are told of it; empty: they are not."""
    decided: bool = True
    """False where it can't be told now whether it holds: a finding of it stays as it is."""


def examine(settings: Settings, *, now: datetime, measured: Sequence[Freshness] | None = None) -> Iterator[Look]:
    """Give what there is to say of the settings, the sources, the archive, the store and the outbox, in that order.

    ``measured`` is the freshness, where it is known already.
    """
    yield from _settings(settings)
    sources, broken = known_sources(settings)
    yield Look(level="ok", about="sources", said=f"{len(sources)} known")
    for error in broken:
        yield Look(level="wrong", about="sources", said=str(error), todo="mend the file", kind="source-file")
    try:
        claims = sum(1 for _ in registers_of(settings.register_folder).claims())
        yield Look(level="ok", about="registers", said=count(claims, "claim"))
    except SulhError as error:
        yield Look(level="wrong", about="registers", said=str(error), todo="mend the file", kind="register")
    yield from _sources(settings, sources, now)
    yield from _store(settings, sources, now, measured)


def _settings(settings: Settings) -> Iterator[Look]:
    yield Look(level="ok", about="home", said=str(settings.home))
    if not settings.contact:
        yield Look(
            level="note",
            about="contact",
            said="not set: the sites that are crawled cannot write to you",
            todo="set SULH_CONTACT to an address or a page",
        )
    try:
        channels = channels_of(settings)
    except SulhError as error:
        yield Look(level="wrong", about="notify", said=str(error), todo="mend SULH_NOTIFY", kind="setting")
    else:
        said = (
            ", ".join(channel.label + " (once a day)" * channel.digest for channel in channels)
            or "nobody is notified; alerts go to the Atom file"
        )
        yield Look(level="ok" if channels else "note", about="notify", said=said)
    if not settings.operators:
        yield Look(
            level="note",
            about="operators",
            said="nobody is told what `sulh watch` finds; it is printed",
            todo="set SULH_OPERATORS",
        )
    else:
        try:
            labels = [channel.label for channel in operators_of(settings)]
        except SulhError as error:
            yield Look(level="wrong", about="operators", said=str(error), todo="mend SULH_OPERATORS")
        else:
            yield Look(level="ok", about="operators", said=", ".join(labels))
    folder = next(path for path in (settings.home, *settings.home.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK:
        yield Look(level="wrong", about="disk", said=f"{free // 1024**2} MiB free", todo="make room", kind="disk")
    else:
        yield Look(level="ok", about="disk", said=f"{free // 1024**3} GiB free")


def _sources(settings: Settings, sources: dict[str, Source], now: datetime) -> Iterator[Look]:
    archive = Archive(settings.home)
    crawled = set(archive.sources())
    for name in sorted(crawled - sources.keys()):
        yield Look(level="note", about=name, said="has an archive and no source file: it is not crawled any more")
    still: list[tuple[datetime, str]] = []
    for name, source in sources.items():
        if name not in crawled:
            continue
        try:
            health = archive.health(name, now=now, interval=source.interval)
            pulse = archive.pulse(name)
            for said in archive.broken(name):
                todo = "bring the file back from a backup: what it held cannot be read again"
                yield Look(level="wrong", about=f"archive of {name}", said=said, todo=todo, kind="archive")
        except SulhError as error:
            yield Look(level="wrong", about=name, said=str(error), kind="archive")
            continue
        yield from _crawls(name, source, health)
        yield from _habits(name, source, health, pulse)
        if not health.failures and health.last_ok and now - health.last_ok > max(STANDSTILL, 3 * source.interval):
            still.append((health.last_ok, name))
    if still:
        last, name = max(still)
        yield Look(
            level="note",
            about="crawls",
            said=f"{count(len(still), 'source has', 'sources have')} not been read for"
            f" {span((now - last).total_seconds())} or longer, {name} among them",
            todo="see that the scheduler runs; `sulh crawl`",
            kind="standstill",
        )
    never = [name for name in sources if name not in crawled]
    if never:
        yield Look(level="note", about="sources", said=f"{len(never)} never crawled yet", todo="`sulh crawl`")


def _crawls(name: str, source: Source, health: Health) -> Iterator[Look]:
    """Say how the crawls of a source went."""
    check = f"`sulh sources check {name}`"
    unlike = health.outcome == "failed" and any(reason in health.reason for reason in OTHER_THAN_LISTS)
    if health.failures:
        many = health.outcome == "failed" and health.failures >= FAILURES
        kind = "no-list" if unlike else "crawl-failing" if many else ""
        said = f"{health.outcome} {count(health.failures, 'time')} in a row: {health.reason}"
        yield Look(level="wrong", about=name, said=said, todo=check, kind=kind)
    elif health.stale:
        last = f"last read {health.last_ok:%Y-%m-%d %H:%M}" if health.last_ok else "never read to its end"
        yield Look(level="note", about=name, said=last, todo="`sulh crawl`")
    if health.outcome != "ok":
        # Only an answer that could be read proves that a list is one again, and no crawl that is under way.
        for kind in ("no-list", "crawl-failing"):
            yield Look(level="ok", about=name, said="cannot be told now", kind=kind, decided=False)
    if health.unbalanced:
        said = f"{count(health.unbalanced, 'item')} without a disposition"
        # Of no kind: the ledger says the same, day by day.
        yield Look(level="wrong", about=name, said=said, todo=_MISCOUNTED)
    if health.failing:
        said = count(health.failing, "address keeps failing", "addresses keep failing")
        yield Look(level="note", about=name, said=said)


def _habits(name: str, source: Source, health: Health, pulse: Pulse) -> Iterator[Look]:
    """Say whether a source brings what it usually brings, and what its file expects."""
    check = f"`sulh sources check {name}`"
    if pulse.emptied_at is not None and source.kind == "feed":
        said = f"its feed lists nothing at all, read {pulse.emptied_at:%Y-%m-%d %H:%M}; it listed items before"
        yield Look(level="wrong", about=name, said=said, todo=check, kind="empty-list")
        return
    usual = percentile([round(gap.total_seconds()) for gap in pulse.gaps], 95)
    if usual is not None and len(pulse.gaps) >= HABITS and health.last_ok and pulse.last_new:
        quiet = health.last_ok - pulse.last_new
        if quiet > max(USUAL * timedelta(seconds=usual), SHORTEST_SILENCE):
            said = (
                f"brings nothing new since {pulse.last_new:%Y-%m-%d %H:%M}, though its list was read until"
                f" {health.last_ok:%Y-%m-%d %H:%M}; it is hardly ever quiet for longer than {span(usual)}"
            )
            yield Look(level="wrong", about=name, said=said, todo=check, kind="silent")
            return
    if health.fresh_a_day is None:
        return
    if health.fresh_a_day < source.expect.min:
        said = f"brings {health.fresh_a_day:.1f} items a day, expected {source.expect.min:g} at least"
        yield Look(level="wrong", about=name, said=said, todo=check, kind="few-items")
    if source.expect.max and health.fresh_a_day > source.expect.max:
        said = f"brings {health.fresh_a_day:.1f} items a day, expected {source.expect.max:g} at most"
        yield Look(level="note", about=name, said=said)


_MISCOUNTED = "an error in sulh, or a hand in the archive's index: `sulh ledger` shows the day; tell us what it says"


def _store(
    settings: Settings, sources: dict[str, Source], now: datetime, measured: Sequence[Freshness] | None
) -> Iterator[Look]:
    address = settings.store_address
    if "://" not in address and not Path(address).exists():
        yield Look(level="note", about="store", said=f"{address} is not there yet", todo="`sulh run`")
        return
    if settings.on_server:
        yield from _server(settings)
    try:
        with closing(open_store(address, create=False, access=settings.access)) as store:
            refusals = store.refusals()
            outbox = _outbox(store)
            if measured is None:
                measured = freshness(store, Archive(settings.home), now=now)
        rows, moving = balances_now(settings)
    except SulhError as error:
        yield Look(level="wrong", about="store", said=str(error), kind="store")
        return
    yield Look(level="ok", about="store", said=address)
    for row in rows:
        if row.balanced:
            continue
        about = f"ledger of {row.source}, {row.day}"
        if (row.source, row.day) in moving:
            said = "cannot be told now: it is being crawled or processed"
            yield Look(level="note", about=about, said=said, todo="look again", kind="ledger", decided=False)
            continue
        yield Look(
            level="wrong",
            about=about,
            said=f"out of balance by {row.crawl_gap} at crawl and {row.process_gap} at process",
            # A replay reads the archive's pages; what its index counted at the crawl stays as it is.
            todo=_MISCOUNTED if row.crawl_gap else "`sulh replay` rebuilds the store from the archive",
            kind="ledger",
        )
    if refusals:
        yield Look(
            level="wrong",
            about="store",
            said=f"refuses {count(len(refusals), 'capture')}, the first is {refusals[0].url}: {refusals[0].detail}",
            todo="`sulh process` tries them again; tell us what it says if it stays so",
            kind="refused",
        )
    waiting = sum(row.waiting for row in rows) - len(refusals)
    if waiting > 0:
        said = count(waiting, "capture waits", "captures wait")
        yield Look(level="note", about="store", said=said, todo="`sulh process`")
    yield from _deliveries(settings, outbox)
    for one in measured:
        for said in slow(one, sources):
            yield Look(level="note", about=one.source, said=said, todo="`sulh watch` shows each source", kind="slow")


def balances_now(
    settings: Settings, *, source: str = "", day: date | None = None, seconds: float = LOOK_AGAIN_SECONDS
) -> tuple[list[Balance], set[tuple[str, date]]]:
    """Give the ledger, and the rows out of balance of which nobody can tell while others write.

    Archive and store are read one after the other: what came in between looks like a loss. So what is out of balance
    is counted again while nobody processes, which is waited for as long as ``seconds``; and an item that a crawl is
    still at has no disposition yet.
    """
    archive = Archive(settings.home)
    rows = balances(ledger_rows(settings, source=source, day=day))
    off = {row.source for row in rows if not row.balanced}
    if not off or not settings.home.is_dir():
        return rows, set()
    # Before and after: a crawl may end while its rows are read.
    held = {name for name in off if archive.held(name)}
    try:
        with turn(settings, seconds=seconds):
            rows = balances(ledger_rows(settings, source=source, day=day))
    except LockedError:
        return rows, {(row.source, row.day) for row in rows if not row.balanced}
    except SulhError:
        # Who may only read counts once.
        pass
    held |= {name for name in off if archive.held(name)}
    return rows, {(row.source, row.day) for row in rows if not row.balanced and row.source in held}


def _outbox(store: Store) -> list[Delivery]:
    """Give the deliveries that are in doubt or still to be sent: what was withdrawn or dismissed never is."""
    verdicts = store.verdicts()
    alerts = store.alerts()
    there = {one.id for one in alerts} | {one.id for one in store.findings()}
    off = {one.id for one in alerts if one.state == "withdrawn"}
    off |= {id for id, (verdict, _) in verdicts.items() if verdict == "dismissed"}
    return [
        one
        for one in store.deliveries()
        if one.alert.startswith(DIGEST) or (one.alert in there and not (one.state == "waiting" and one.alert in off))
    ]


def _deliveries(settings: Settings, outbox: Sequence[Delivery]) -> Iterator[Look]:
    labels: dict[str, str] = {}
    for channels in (channels_of, operators_of):
        # What is wrong with an address is said where the settings are looked at.
        with suppress(SulhError):
            labels |= {channel.id: channel.label for channel in channels(settings)}
    late, unsure = defaultdict(list), defaultdict(list)
    for one in outbox:
        label = labels.get(one.channel, "an address that is not set any more")
        if one.state == "waiting" and one.error:
            late[label].append(one)
        elif one.state == "unsure":
            unsure[label].append(one)
    for label, found in late.items():
        yield Look(
            level="wrong",
            about=f"delivery to {label}",
            said=f"{len(found)} not delivered: {found[0].error}",
            todo="mend the address or its receiver; they are tried again by themselves",
            kind="delivery-failed",
        )
    for label, found in unsure.items():
        yield Look(
            level="wrong",
            about=f"delivery to {label}",
            said=f"{len(found)} left in doubt by a crash",
            todo="look in the channel; `sulh deliver --resend-unsure` sends them again",
            kind="delivery-unsure",
        )


def _server(settings: Settings) -> Iterator[Look]:
    # Here, so that who keeps the store in a file need not wait for the client.
    from sulh.stores.elastic_health import complaints

    try:
        for one in complaints(settings.store_address, settings.access):
            kind = "server" if one.level == "wrong" else ""
            yield Look(level=one.level, about=one.about, said=one.said, todo=one.todo, kind=kind)
    except SulhError:
        # Opening the store says the same.
        return
