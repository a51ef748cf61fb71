"""Crawls sources side by side in one process: ``python -m crawlers --home DIR --source ID …``.

Prints one JSON line a finished source on standard output, with lines of progress between. Exit 0: every source ended
with all its items accounted for, also one that failed by name; 1: some did not, or is locked; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from crawlers.check import check
from crawlers.discover import discover
from crawlers.run import run, run_spider, say
from crawlers.services import PUBLIC, Services
from crawlers.sources import Source, collect_sources
from crawlers.spiders import Report, SourceSpider
from crawlers.spiders.kinds import ARCHIVES, KINDS
from processors.archive import Archive, Writer
from processors.errors import ArchiveError, LockedError, SulhError

AT_ONCE = 16
"""Sources that are crawled side by side: each holds an index, a thread and up to 64 pages in memory."""

PROGRESS = 1.0
"""Seconds between two lines of progress of one source."""


_WAYS = ("sitemap", "wordpress", *ARCHIVES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit code."""
    options = _options(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("scrapy").setLevel(logging.ERROR)  # its warnings are failures that the index names
    if options.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        sources, broken = collect_sources(options.sources_dir, packaged=not options.only_sources_dir)
        for error in broken:
            say(f"sulh: {error}")
        who: dict[str, Any] = {"contact": options.contact, "loopback": options.allow_loopback}
        if options.discover:
            return run(lambda: discover(options.discover, **who), loopback=options.allow_loopback)
        if options.check:
            (source,) = _chosen(sources, [options.check])
            return run(lambda: check(source, **who), loopback=options.allow_loopback)
        crawl = Crawl(_chosen(sources, options.source or []), options)
        try:
            return run(crawl.run, loopback=options.allow_loopback)
        finally:
            crawl.settle()
    except SulhError as error:
        say(f"sulh: {error}")
        return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m crawlers", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(), help="folder that holds the archive")
    parser.add_argument("--source", action="append", help="id of a source; all where none is given", metavar="ID")
    parser.add_argument("--sources-dir", type=Path, help="folder of further sources, over those of the package")
    parser.add_argument("--only-sources-dir", action="store_true", help="leave out the sources of the package")
    parser.add_argument("--contact", default="", help="address or page for the crawled sites to write to")
    parser.add_argument("--allow-loopback", action="store_true", help="let this machine be crawled: demo and tests")
    parser.add_argument("--since", type=date.fromisoformat, help="crawl the past from this day on", metavar="DAY")
    parser.add_argument("--until", type=date.fromisoformat, help="up to and with this day", metavar="DAY")
    parser.add_argument("--via", choices=_WAYS, help="crawl the past by this, whatever the kind")
    parser.add_argument("--commoncrawl", default=PUBLIC.commoncrawl, help="Common Crawl's index", metavar="URL")
    parser.add_argument("--commoncrawl-data", default=PUBLIC.commoncrawl_data, help="its files", metavar="URL")
    parser.add_argument("--wayback", default=PUBLIC.wayback, help="the Wayback Machine", metavar="URL")
    parser.add_argument("--with-parent", action="store_true", help="end at once when standard input is closed")
    parser.add_argument("--lock-wait", type=float, default=5.0, help="seconds to wait for a source that is in use")
    parser.add_argument("--check", help="fetch the entry and one page, and say what a crawl would get", metavar="ID")
    parser.add_argument("--discover", help="find a site's feed, sitemap or interface and print the YAML", metavar="URL")
    options = parser.parse_args(arguments)
    if options.via and not (options.since or options.until):
        parser.error("--via needs --since or --until")
    return options


def _chosen(sources: dict[str, Source], ids: Sequence[str]) -> list[Source]:
    unknown = [id for id in ids if id not in sources]
    if unknown:
        raise SulhError(f"no source is called {', '.join(unknown)}; `sulh sources list` shows them")
    return [sources[id] for id in dict.fromkeys(ids)] if ids else list(sources.values())


def _end_with_parent() -> None:
    """End when the parent does, however it ended: nothing needs to be tidied, the archive outlives any end."""
    with suppress(OSError, ValueError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    os._exit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One source as it is to be crawled."""

    spider: type[SourceSpider]
    source: Source
    host: str
    """Whom it asks: the source's own, or a web archive."""
    more: dict[str, Any]
    """The spider's own options."""


class Crawl:
    """The crawls of one process."""

    def __init__(self, sources: Sequence[Source], options: argparse.Namespace) -> None:
        self.sources, self.options = sources, options
        self.archive = Archive(options.home)
        self._open: dict[str, Writer] = {}
        self._told: dict[str, float] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> int:
        """Crawl all sources and give the exit code."""
        by_host: dict[str, list[_Work]] = {}
        for source in self.sources:
            work = self._work(source)
            by_host.setdefault(work.host, []).append(work)
        done = await asyncio.gather(*(self._ask(host, works) for host, works in by_host.items()))
        return 0 if all(done) else 1

    async def _ask(self, host: str, works: list[_Work]) -> bool:
        """Crawl the sources of a host one after the other, while no other process on this archive asks it.

        Its delay is meant for all that we ask of it: not for each source, nor for each of several commands.
        """
        began, told, done = monotonic(), False, True
        while works:
            async with self._room:
                try:
                    turn = self.archive.turn(host)
                except ArchiveError as error:
                    return all([self._not_begun(work.source.id, str(error)) for work in works])
                if turn is not None:
                    try:
                        for work in works:
                            await asyncio.sleep(turn.rest(work.source.delay, datetime.now(UTC)))
                            try:
                                done &= await self._crawl(work)
                            finally:
                                turn.asked(datetime.now(UTC))
                    finally:
                        turn.release()
                    return done
            if not told:
                what = "backfill" if self.options.via in ARCHIVES else "crawl"
                names = ", ".join(work.source.id for work in works)
                say(f"sulh: {names}: another {what} is asking {host}: waiting for its end")
                told = True
            await asyncio.sleep(0.5)
            if self.options.via not in ARCHIVES and monotonic() - began > self.options.lock_wait:
                # Another process is at this very source: there is nothing to wait for.
                for work in [work for work in works if self.archive.held(work.source.id)]:
                    works.remove(work)
                    done = self._not_begun(work.source.id, f"{work.source.id} is being crawled by another process")
        return done

    async def _crawl(self, work: _Work) -> bool:
        source, began = work.source, monotonic()
        report = Report(source=source.id)
        try:
            writer = await self._writer(source.id)
        except (LockedError, ArchiveError) as error:
            return self._not_begun(source.id, str(error))
        self._open[source.id] = writer
        try:
            await run_spider(
                work.spider,
                source,
                writer,
                report,
                contact=self.options.contact,
                loopback=self.options.allow_loopback,
                since=self.options.since,
                until=self.options.until,
                tell=self._progress,
                **work.more,
            )
        except Exception as error:
            # One source's crash is its own failure: the others go on.
            logging.exception("the crawl of %s crashed", source.id)
            report.crashed += 1
            report.reason = f"crashed: {error!r}"
        finally:
            if report.counts is not None or report.crashed:
                self._close(source.id)
        counts = report.counts or {}
        if report.reason:
            say(f"sulh: {source.id}: {report.reason}")
        self._say(
            event="done",
            source=source.id,
            outcome=report.outcome,
            reason=report.reason,
            accounted=report.accounted,
            crashed=report.crashed,
            seconds=round(monotonic() - began, 2),
            **counts,
            **({"gaps": report.gaps(self.options.since, self.options.until)} if self._past else {}),
        )
        return report.accounted

    def _not_begun(self, source: str, reason: str) -> bool:
        say(f"sulh: {reason}")
        self._say(event="done", source=source, outcome="not-begun", reason=reason, accounted=False)
        return False

    @property
    def _past(self) -> bool:
        return bool(self.options.since or self.options.until)

    def _work(self, source: Source) -> _Work:
        archive = ARCHIVES.get(self.options.via or "")
        if archive is None:
            spider = KINDS[self.options.via or source.kind]
            return _Work(spider=spider, source=source, host=urlsplit(source.entries[0]).netloc, more={})
        where = Services(
            commoncrawl=self.options.commoncrawl,
            commoncrawl_data=self.options.commoncrawl_data,
            wayback=self.options.wayback,
        )
        host = urlsplit(archive.address(where)).netloc
        return _Work(spider=archive, source=archive.polite(source, where), host=host, more={"services": where})

    async def _writer(self, source: str) -> Writer:
        until = monotonic() + self.options.lock_wait
        while True:
            try:
                return self.archive.writer(source)
            except LockedError:
                if monotonic() > until:
                    raise
                await asyncio.sleep(0.1)

    def _progress(self, source: str, discovered: int, settled: int) -> None:
        now = monotonic()
        if now - self._told.get(source, 0.0) >= PROGRESS:
            self._told[source] = now
            self._say(event="progress", source=source, discovered=discovered, settled=settled)

    def _say(self, **facts: Any) -> None:
        with suppress(BrokenPipeError):
            print(json.dumps(facts, ensure_ascii=False), flush=True)

    def _close(self, source: str) -> None:
        writer = self._open.pop(source)
        with suppress(ArchiveError):
            writer.close()

    def settle(self) -> None:
        """End what a signal or a crash left open: its items are settled as interrupted, its file is finished."""
        for source, writer in list(self._open.items()):
            with suppress(ArchiveError, FutureTimeoutError):
                writer.end("interrupted", "the crawl was ended", datetime.now(UTC)).result(timeout=30)
            self._close(source)
            self._say(event="done", source=source, outcome="interrupted", reason="the crawl was ended", accounted=False)


if __name__ == "__main__":
    sys.exit(main())
