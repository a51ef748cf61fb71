"""Says what is configured, reachable, stale or out of balance, and what to do about each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from crawlers.sources import Source
from processors.archive import Archive
from processors.errors import SulhError
from processors.records import Record
from sulh.board import balances
from sulh.config import Settings
from sulh.crawling import known_sources
from sulh.daily import channels_of, ledger_rows
from sulh.pipeline import registers_of
from sulh.stores import open_store

LOW_DISK = 2 * 1024**3
"""Bytes free under which a day's crawl may fill the disk: 50 sources of 40 pages of up to 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Record):
    """One thing looked at: fine, worth knowing, or wrong; with what to do."""

    level: Literal["ok", "note", "wrong"]
    about: str
    said: str
    todo: str = ""


def examine(settings: Settings, *, now: datetime) -> Iterator[Finding]:
    """Give what there is to say of the settings, the sources, the archive, the store and the outbox, in that order."""
    yield from _settings(settings)
    sources, broken = known_sources(settings)
    yield Finding(level="ok", about="sources", said=f"{len(sources)} known")
    for error in broken:
        yield Finding(level="wrong", about="sources", said=str(error), todo="mend the file")
    try:
        claims = sum(1 for _ in registers_of(settings.register_folder).claims())
        yield Finding(level="ok", about="registers", said=f"{claims} claims")
    except SulhError as error:
        yield Finding(level="wrong", about="registers", said=str(error), todo="mend the file")
    yield from _sources(settings, sources, now)
    yield from _store(settings)


def _settings(settings: Settings) -> Iterator[Finding]:
    yield Finding(level="ok", about="home", said=str(settings.home))
    if not settings.contact:
        yield Finding(
            level="note",
            about="contact",
            said="not set: the sites that are crawled cannot write to you",
            todo="set SULH_CONTACT to an address or a page",
        )
    try:
        channels = channels_of(settings)
    except SulhError as error:
        yield Finding(level="wrong", about="notify", said=str(error), todo="mend SULH_NOTIFY")
    else:
        said = ", ".join(channel.label for channel in channels) or "nobody is notified; alerts go to the Atom file"
        yield Finding(level="ok" if channels else "note", about="notify", said=said)
    folder = next(path for path in (settings.home, *settings.home.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK:
        yield Finding(level="wrong", about="disk", said=f"{free // 1024**2} MiB free", todo="make room")
    else:
        yield Finding(level="ok", about="disk", said=f"{free // 1024**3} GiB free")


def _sources(settings: Settings, sources: dict[str, Source], now: datetime) -> Iterator[Finding]:
    archive = Archive(settings.home)
    crawled = set(archive.sources())
    for name in sorted(crawled - sources.keys()):
        yield Finding(level="note", about=name, said="has an archive and no source file: it is not crawled any more")
    for name, source in sources.items():
        if name not in crawled:
            continue
        try:
            health = archive.health(name, now=now, interval=source.interval)
            for said in archive.broken(name):
                todo = "bring the file back from a backup: what it held cannot be read again"
                yield Finding(level="wrong", about=f"archive of {name}", said=said, todo=todo)
        except SulhError as error:
            yield Finding(level="wrong", about=name, said=str(error))
            continue
        if health.failures:
            yield Finding(
                level="wrong",
                about=name,
                said=f"{health.outcome} {health.failures} times in a row: {health.reason}",
                todo=f"`sulh sources check {name}`",
            )
        elif health.stale:
            yield Finding(
                level="note", about=name, said=f"last read {health.last_ok:%Y-%m-%d %H:%M}", todo="`sulh crawl`"
            )
        if health.fresh_a_day is not None and health.fresh_a_day < source.expect.min:
            yield Finding(
                level="wrong",
                about=name,
                said=f"brings {health.fresh_a_day:.1f} items a day, expected {source.expect.min:g} at least",
                todo=f"`sulh sources check {name}`",
            )
        if health.fresh_a_day is not None and source.expect.max and health.fresh_a_day > source.expect.max:
            said = f"brings {health.fresh_a_day:.1f} items a day, expected {source.expect.max:g} at most"
            yield Finding(level="note", about=name, said=said)
        if health.unbalanced:
            yield Finding(level="wrong", about=name, said=f"{health.unbalanced} items without a disposition")
        if health.failing:
            yield Finding(level="note", about=name, said=f"{health.failing} addresses keep failing")
    never = [name for name in sources if name not in crawled]
    if never:
        yield Finding(level="note", about="sources", said=f"{len(never)} never crawled yet", todo="`sulh crawl`")


def _store(settings: Settings) -> Iterator[Finding]:
    address = settings.store_address
    if "://" not in address and not Path(address).exists():
        yield Finding(level="note", about="store", said=f"{address} is not there yet", todo="`sulh run`")
        return
    if settings.on_server:
        yield from _server(settings)
    try:
        with closing(open_store(address, create=False, access=settings.access)) as store:
            deliveries = store.deliveries()
            refusals = store.refusals()
        rows = balances(ledger_rows(settings))
    except SulhError as error:
        yield Finding(level="wrong", about="store", said=str(error))
        return
    yield Finding(level="ok", about="store", said=address)
    for row in rows:
        if not row.balanced:
            yield Finding(
                level="wrong",
                about=f"ledger of {row.source}, {row.day}",
                said=f"out of balance by {row.crawl_gap} at crawl and {row.process_gap} at process",
                todo="`sulh replay` rebuilds the store from the archive",
            )
    if refusals:
        yield Finding(
            level="wrong",
            about="store",
            said=f"refuses {len(refusals)} captures, the first is {refusals[0].url}: {refusals[0].detail}",
            todo="`sulh process` tries them again; tell us what it says if it stays so",
        )
    waiting = sum(row.waiting for row in rows) - len(refusals)
    if waiting > 0:
        yield Finding(level="note", about="store", said=f"{waiting} captures wait", todo="`sulh process`")
    late = [one for one in deliveries if one.state == "waiting" and one.error]
    unsure = [one for one in deliveries if one.state == "unsure"]
    if late:
        yield Finding(level="wrong", about="delivery", said=f"{len(late)} not delivered: {late[0].error}")
    if unsure:
        yield Finding(
            level="wrong",
            about="delivery",
            said=f"{len(unsure)} left in doubt by a crash",
            todo="look in the channel; `sulh deliver --resend-unsure` sends them again",
        )


def _server(settings: Settings) -> Iterator[Finding]:
    # Here, so that who keeps the store in a file need not wait for the client.
    from sulh.stores.elastic_health import complaints

    try:
        for one in complaints(settings.store_address, settings.access):
            yield Finding(level=one.level, about=one.about, said=one.said, todo=one.todo)
    except SulhError:
        # Opening the store says the same.
        return
