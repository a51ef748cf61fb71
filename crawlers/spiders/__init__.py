"""Crawls one source: each kind of site is one spider class that says how to list; fetching is the same for all."""

from __future__ import annotations

import asyncio
import logging
import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from scrapy.http import Response

from crawlers.downloads import RobotsUnreachableError
from crawlers.gaps import empty_days
from crawlers.guard import RefusedError
from crawlers.lists import Entry, ListError, day_of
from crawlers.sources import Source
from processors.addresses import canonical_url, untracked
from processors.archive import BodyError, Discovered, Due, Exchange, Kept, Known, Listed, Outcome, Writer
from processors.errors import ArchiveError
from processors.records import digest

Result = TypeVar("Result")
log = logging.getLogger(__name__)

PAGES_AT_ONCE = 64
"""Pages of a source that are on their way at once, most of them waiting for a turn or for the disk."""

ATTEMPTS = 5
"""Requests for one address within a crawl: where one in ten fails, one address in 100,000 is left."""

PAUSES = 12
"""Times that a crawl waits for one address because the site asks it to, before it leaves it for the next crawl."""

FIRST_WAIT = 0.3
"""Seconds before a failed request is sent again, doubled each time: trouble of a moment is outlived within a crawl."""

PATIENCE = 60.0
"""Seconds of Retry-After that a crawl waits for; who asks for more is tried again in a later crawl."""

KEPT = timedelta(days=1)
"""How long a crawl of the past takes a list as an earlier one read it, and robots.txt, which RFC 9309, 2.4, allows for
so long: a backfill is many crawls, one a month, and what is listed of years ago stays the same from one to the next."""

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Answers that mean "later": RFC 9110's, and those of a large content delivery network for its origins."""

_FAILURES: tuple[tuple[type[Exception], str, bool], ...] = (
    (DownloadTimeoutError, "timeout", True),
    (DownloadCancelledError, "too-large", False),
    (ResponseDataLossError, "cut-short", True),
    (DownloadConnectionRefusedError, "connection-refused", True),
    (CannotResolveHostError, "unknown-host", True),
    (UnsupportedURLSchemeError, "scheme", False),
    (DownloadFailedError, "connection", True),
)
"""What goes wrong on the way: the exception, its name in the ledger, and whether trying again may help."""


class FetchError(Exception):
    """A page or list that could not be had; ``reason`` names why, ``refused`` says that a rule forbids it."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReply:
    """One list as fetched and archived."""

    url: str
    body: bytes
    content_type: str
    headers: Mapping[str, str]
    """By lower-case name."""
    read_at: datetime
    """When the site was last known to give this."""


@dataclass(slots=True, kw_only=True)
class Report:
    """How a crawl went, for the process that runs it."""

    source: str
    outcome: Outcome = "failed"
    reason: str = ""
    counts: dict[str, int] | None = None
    crashed: int = 0
    """Items that ended in an exception nobody expected: an error of the program."""
    days: set[date] = field(default_factory=set)
    """Days of which a crawl of the past has, or had before, an item."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Lists that a crawl of the past could not read, and why."""
    lost: list[tuple[str, str]] = field(default_factory=list)
    """Items that a crawl of the past could not have, and why."""

    def gaps(self, since: date | None, until: date | None) -> dict[str, Any]:
        """Say what a crawl of the past lacks: the days without an item, as first and last of each run, and the rest."""
        empty = [[first.isoformat(), last.isoformat()] for first, last in empty_days(self.days, since, until)]
        lists = [{"list": name, "reason": reason} for name, reason in self.unread]
        items = [{"url": url, "reason": reason} for url, reason in self.lost]
        return {"days": empty, "lists": lists, "items": items}

    @property
    def accounted(self) -> bool:
        """Whether every discovered item has exactly one disposition, and none crashed."""
        if self.counts is None or self.outcome == "interrupted" or self.crashed:
            return False
        settled = sum(self.counts[name] for name in ("fetched", "known", "refused", "failed"))
        return not self.counts["unsettled"] and self.counts["discovered"] == settled


class SourceSpider(Spider):
    """Lists a source's items, fetches those that are due, and settles each by name in the archive."""

    name = "source"
    patience = PATIENCE
    first_wait = FIRST_WAIT
    rest: float | None = None
    """Seconds to leave a server alone that answers 429 without saying for how long; None: as after any failure."""

    def __init__(
        self,
        *,
        source: Source,
        writer: Writer,
        report: Report,
        since: date | None = None,
        until: date | None = None,
        tell: Callable[[str, int, int], None] = lambda source, discovered, settled: None,
    ) -> None:
        super().__init__(name=source.id)
        self.source, self.writer, self.report = source, writer, report
        self.since, self.until = since, until
        self.paused_until: dict[str, float] = {}
        """Host to the moment, on the monotonic clock, until which it asked to be left alone."""
        self._tell = tell
        self._include = [re.compile(pattern) for pattern in source.include]
        self._exclude = [re.compile(pattern) for pattern in source.exclude]
        self._queue: asyncio.Queue[Due] = asyncio.Queue()
        self._discovered = self._settled = 0
        self._lists: dict[str, Known] = {}
        self._readings: dict[str, datetime] = {}
        self.lists_before: dict[str, Known] = {}
        self.notes: dict[str, str] = {}
        """What a complete reading wants to remember; kept when it was complete."""

    @property
    def backfill(self) -> bool:
        """Whether this crawl is for a span of the past."""
        return self.since is not None or self.until is not None

    @abstractmethod
    async def list(self) -> None:
        """Read the source's lists to their end or to what is known, handing each portion to `found`.

        Raises ListError or FetchError where a list could not be read: what was found until then is fetched.
        """

    async def start(self) -> AsyncIterator[Any]:
        """Crawl the source. Scrapy's queue stays empty: an item is settled here, whatever happens on its way."""
        try:
            await self._crawl()
        except ArchiveError as error:
            self.report.reason = str(error)
        except Exception as error:
            log.exception("the crawl of %s crashed", self.source.id)
            self.report.crashed += 1
            self.report.reason = f"crashed: {error!r}"
        nothing: tuple[Request, ...] = ()
        for request in nothing:
            yield request

    async def _crawl(self) -> None:
        await self._write(self.writer.begin(self.now(), past=self.backfill))
        if not self.backfill:
            self.lists_before = await self._write(self.writer.lists())
            self.notes = await self._write(self.writer.notes())
        # A backfill has time, and is one that somebody interrupts: what waited for the disk would be fetched twice.
        at_once = 1 if self.backfill else PAGES_AT_ONCE
        fetching = [asyncio.create_task(self._fetch_pages()) for _ in range(at_once)]
        reason = ""
        try:
            try:
                await self.list()
            except (ListError, FetchError) as error:
                reason = str(error)
                if not self.report.unread:
                    self.report.unread.append((self.source.id, reason))
            except (ArchiveError, asyncio.CancelledError):
                raise
            except Exception as error:
                log.exception("listing %s crashed", self.source.id)
                self.report.crashed += 1
                reason = f"crashed: {error!r}"
            if self.backfill:
                await self._write(self.writer.note_readings(self._readings))
            else:
                settling = self.writer.settle_lists(self._lists.values(), self.notes, self.now(), complete=not reason)
                await self._write(settling)
                late = await self._write(self.writer.due(self.now()))
                self._enqueue(late)
            done = asyncio.ensure_future(self._queue.join())
            # A worker ends only by an exception: then waiting for the queue would be for ever.
            await asyncio.wait([done, *fetching], return_when=asyncio.FIRST_COMPLETED)
            for task in fetching:
                if task.done():
                    done.cancel()
                    task.result()
        finally:
            for task in fetching:
                task.cancel()
        outcome: Outcome = "failed" if reason else "ok"
        self.report.counts = await self._write(self.writer.end(outcome, reason, self.now()))
        self.report.outcome, self.report.reason = outcome, reason

    def now(self) -> datetime:
        """Give the present; the only clock of a crawl."""
        return datetime.now(UTC)

    # Listing.

    async def found(self, entries: Iterable[Entry]) -> Discovered:
        """Count what a list names as discovered, and queue what is to be fetched."""
        items: list[Listed] = []
        for entry in entries:
            item = self._listed(entry)
            if item is None:
                continue
            items.append(item)
            if self.backfill and not item.refused and (day := day_of(entry)):
                self.report.days.add(day)
        discovered = await self._write(self.writer.discover(items, self.now()))
        self._discovered += len(items) - discovered.repeated
        self._settled += len(items) - discovered.repeated - len(discovered.due)
        self._enqueue(discovered.due, count=False)
        self._tell(self.source.id, self._discovered, self._settled)
        return discovered

    def _enqueue(self, due: Iterable[Due], *, count: bool = True) -> None:
        for item in due:
            self._discovered += count
            self._queue.put_nowait(item)

    def _listed(self, entry: Entry) -> Listed | None:
        """Give the item that an entry names; None where a backfill did not ask for its day."""
        refused = ""
        if self.backfill:
            day = day_of(entry)
            if day is None:
                refused = "undated"
            elif day < (self.since or day) or day > (self.until or day):
                return None
        link = entry.link
        if not link:
            # No address: known by what it says, so that it is counted, once.
            link = f"{self.source.entries[0]}#{digest(entry.id, entry.title)}"
            address, refused = link, "no-link"
        elif urlsplit(link).scheme not in ("http", "https"):
            address, refused = link, "scheme"
        else:
            try:
                address, link = canonical_url(link), untracked(link)
            except ValueError:
                address, refused = link, "no-link"
        if not refused and any(pattern.search(link) for pattern in self._exclude):
            refused = "excluded"
        if not refused and self._include and not any(pattern.search(link) for pattern in self._include):
            refused = "not-included"
        moment = entry.published or entry.modified
        oldest = self.source.oldest
        old = oldest is not None and not self.backfill and moment is not None and self.now() - moment > oldest
        return Listed(
            address=address,
            url=link,
            title=entry.title,
            published=entry.published,
            modified=entry.modified,
            refused=refused,
            old=old,
        )

    @property
    def first_day(self) -> date | None:
        """The day before which nothing is wanted; None where all is."""
        if self.backfill:
            return self.since
        return (self.now() - self.source.oldest).date() if self.source.oldest else None

    def past(self, entries: Iterable[Entry]) -> bool:
        """Say whether a page of a list holds only what is too old to be wanted, so that older pages need no look."""
        days = [day_of(entry) for entry in entries]
        first = self.first_day
        return first is not None and bool(days) and all(day is not None and day < first for day in days)

    async def read_list(
        self,
        url: str,
        *,
        parent: str = "",
        hint: str = "",
        ask: bool = True,
        keep: bool = True,
        named_at: datetime | None = None,
    ) -> ListReply | None:
        """Fetch and archive a list; None where it has not changed since it was last read to the end.

        A crawl of the past gets it out of the archive where that has it as of today and ``named_at``, when what leads
        to it was read: an item that moved from there to here since would be in neither. Without ``keep`` it asks.

        Raises FetchError and, for a body that cannot be taken, ListError.
        """
        address = canonical_url(url)
        kept = await self._write(self.writer.kept(address)) if self.backfill and keep else None
        if kept is not None and kept.read_at is not None and self._holds(kept.read_at, named_at):
            return _reply(kept, kept.read_at)
        before = self.lists_before.get(address) if ask else None
        etag, modified = (before.etag, before.last_modified) if before else ("", "")
        if kept is not None:
            etag, modified = _header(kept.headers, "etag"), _header(kept.headers, "last-modified")
        exchange = await self.get(url, etag=etag, last_modified=modified)
        headers = {name.lower(): value for name, value in exchange.headers}
        if exchange.status == 304 and kept is not None:
            self._readings[address] = exchange.fetched_at
            return _reply(kept, exchange.fetched_at)
        if exchange.status == 304 and before is not None:
            self._lists[address] = Known(address=address, parent=parent, etag=etag, last_modified=modified, hint=hint)
            return None
        self._accept(exchange)
        try:
            body = await self._write(self.writer.store_list(exchange))
        except BodyError as error:
            raise ListError(error.reason, url) from error
        self._readings[address] = exchange.fetched_at
        self._lists[address] = Known(
            address=address,
            parent=parent,
            etag=headers.get("etag", ""),
            last_modified=headers.get("last-modified", ""),
            hint=hint,
        )
        return ListReply(
            url=exchange.url,
            body=body,
            content_type=headers.get("content-type", ""),
            headers=headers,
            read_at=exchange.fetched_at,
        )

    def _holds(self, read_at: datetime, named_at: datetime | None) -> bool:
        """Say whether a crawl of the past need not ask for a list again: it was read today, well after all it wants."""
        ended = self.until is not None and self.until + timedelta(days=1) < read_at.date()
        return ended and self.now() - read_at < KEPT and (named_at is None or named_at <= read_at)

    def keep_list(self, known: Known) -> None:
        """Remember a list that need not be asked: its index says that it has not changed."""
        self._lists[known.address] = known

    def drop_list(self, url: str) -> None:
        """Forget a list that could not be read to its end, so that the next crawl asks for all of it again."""
        self._lists.pop(canonical_url(url), None)
        self._readings.pop(canonical_url(url), None)

    # Fetching.

    async def _fetch_pages(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                await self._fetch_page(item)
            except ArchiveError:
                raise
            except Exception as error:
                log.exception("fetching %s crashed", item.address)
                self.report.crashed += 1
                await self._write(self.writer.fail(item, f"crashed: {type(error).__name__}", self.now()))
            self._settled += 1
            self._queue.task_done()
            self._tell(self.source.id, self._discovered, self._settled)

    async def _fetch_page(self, item: Due) -> None:
        try:
            exchange = await self.get(item.url, etag=item.etag, last_modified=item.last_modified)
            if exchange.status == 304 and (item.etag or item.last_modified):
                await self._write(self.writer.unchanged(item, self.now()))
                return
            self._accept(exchange)
            await self._write(self.writer.store(item, exchange))
        except FetchError as error:
            settle = self.writer.refuse if error.refused else self.writer.fail
            if not error.refused:
                self.report.lost.append((item.url, error.reason))
            await self._write(settle(item, error.reason, self.now()))
        except BodyError as error:
            self.report.lost.append((item.url, error.reason))
            await self._write(self.writer.fail(item, error.reason, self.now()))

    async def robots(self, url: str) -> bytes | RobotsUnreachableError | None:
        """Fetch and archive a robots.txt: its bytes, None where there is none, or the error where it cannot be had."""
        address = canonical_url(url)
        kept = await self._write(self.writer.kept(address, "robots")) if self.backfill else None
        if kept is not None and kept.read_at is not None and self.now() - kept.read_at < KEPT:
            return kept.body
        try:
            exchange = await self.get(url, meta={"dont_obey_robotstxt": True})
            if 400 <= exchange.status < 500 and exchange.status != 429:
                return None
            self._accept(exchange)
            body = await self._write(self.writer.store_list(exchange, kind="robots"))
            await self._write(self.writer.note_readings({address: exchange.fetched_at}))
            return body
        except FetchError as error:
            if error.refused:
                raise RefusedError(error.reason) from error
            # RFC 9309, 2.3.1.3: what is unavailable (4xx) allows all; what is unreachable allows nothing.
            return RobotsUnreachableError(error.reason)
        except BodyError as error:
            return RobotsUnreachableError(error.reason)

    async def get(
        self,
        url: str,
        *,
        etag: str = "",
        last_modified: str = "",
        part: str = "",
        meta: Mapping[str, Any] | None = None,
    ) -> Exchange:
        """Fetch an address with its redirects and retries; any answer that is not "later". Raises FetchError."""
        headers = {"If-None-Match": etag} if etag else {}
        if part:
            headers["Range"] = part
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        engine: Any = self.crawler.engine
        failures = pauses = 0
        while True:
            try:
                request = Request(url, headers=headers, meta=dict(meta or {}), dont_filter=True)
                response: Response = await engine.download_async(request)
            except RefusedError as error:
                raise FetchError(error.reason, refused=True) from error
            except RobotsUnreachableError as error:
                raise FetchError(f"robots-{error}") from error
            except IgnoreRequest as error:
                if "robots" in str(error):
                    raise FetchError("robots", refused=True) from error
                raise FetchError("redirects") from error
            except ValueError as error:
                raise FetchError("bad-address") from error
            except Exception as error:
                reason, again = _named(error)
                if not again:
                    raise FetchError(reason) from error
            else:
                if response.status not in _TRANSIENT:
                    return self._exchange(url, response)
                reason = f"http-{response.status}"
                after = _seconds(response.headers.get("Retry-After"), self.now())
                if after is None and response.status == 429:
                    after = self.rest
                if after is not None:
                    pauses += 1
                    if after > self.patience or pauses > PAUSES:
                        raise FetchError(reason)
                    self._pause(response, after)
                    continue
            # A site that is slow to death holds up its whole queue: it gets half the tries.
            failures += 2 if reason == "timeout" else 1
            if failures >= ATTEMPTS:
                raise FetchError(reason)
            await asyncio.sleep(self.first_wait * 2 ** (failures - 1))

    def _pause(self, response: Response, seconds: float) -> None:
        """Leave the whole host alone for as long as it asks: it is the host that is busy, not the page."""
        host = urlsplit(response.url).hostname or ""
        self.paused_until[host] = max(self.paused_until.get(host, 0.0), monotonic() + seconds)

    def _exchange(self, requested: str, response: Response) -> Exchange:
        assert response.request is not None
        return Exchange(
            requested=requested,
            url=response.url,
            redirects=tuple(response.meta.get("redirect_urls", ())),
            request_headers=_pairs(response.request.headers),
            status=response.status,
            headers=_pairs(response.headers),
            body=response.body,
            fetched_at=self.now(),
            protocol=response.protocol or "HTTP/1.1",
        )

    @staticmethod
    def _accept(exchange: Exchange) -> None:
        if exchange.status not in (200, 203):
            raise FetchError(f"http-{exchange.status}")

    @staticmethod
    async def _write(future: Future[Result]) -> Result:
        return await asyncio.wrap_future(future)


def _named(error: Exception) -> tuple[str, bool]:
    for kind, reason, again in _FAILURES:
        if isinstance(error, kind):
            return reason, again
    module = type(error).__module__
    if module.startswith("OpenSSL") or "ssl" in type(error).__name__.lower():
        return "tls", False
    if isinstance(error, OSError) or module.startswith(("twisted", "service_identity")):
        return "connection", True
    raise error


def _reply(kept: Kept, read_at: datetime) -> ListReply:
    headers = {name.lower(): value for name, value in kept.headers}
    kind = headers.get("content-type", "")
    return ListReply(url=kept.url, body=kept.body, content_type=kind, headers=headers, read_at=read_at)


def _header(headers: Iterable[tuple[str, str]], wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _pairs(headers: Any) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, values in headers.items() for value in values
    )


def _seconds(value: bytes | None, now: datetime) -> float | None:
    """Read Retry-After, which is seconds or a date."""
    text = (value or b"").decode("latin-1").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds()) if text else None
    except (TypeError, ValueError):
        return None
