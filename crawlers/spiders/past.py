"""Takes a site's past from web archives, Common Crawl and the Wayback Machine, one request at a time."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from crawlers.indexes import (
    Collection,
    Row,
    read_collections,
    read_json_lines,
    read_page_count,
    read_rows,
    says_nothing_found,
)
from crawlers.lists import Entry, ListError
from crawlers.services import PUBLIC, Services
from crawlers.sources import Source
from crawlers.spiders import FetchError, SourceSpider
from processors.addresses import canonical_url, same_site, untracked
from processors.archive import BodyError, Exchange, Past, decode_body, gunzip, page_of_record

TROUBLE = 3
"""Captures in a row that an archive does not hand over before a call is ended: each had several tries, and the Wayback
Machine shuts out for an hour who goes on asking for a minute."""

MOST_ROWS = 10_000
"""Rows of the Wayback Machine's index a request: near 2 MiB, where a body may have 16."""

_ASIDE = r"(image|audio|video|font)/.*|text/css|(text|application)/(x-)?javascript"
"""Media types that the Wayback Machine is asked to leave out of its answer: most of what it holds of a site."""

_MOST_KEYS = 100_000
"""Portions of an index: a thousand million captures; beyond it the archive goes round in circles."""


class PastSpider(SourceSpider):
    """Lists the captures of a site in a web archive, and copies each distinct page into the source's archive.

    Neither archive's robots.txt is asked: these are interfaces made for programs, and the pages are not theirs.
    """

    patience = 600.0
    rest = 60.0
    delay = 1.0
    """Seconds between two requests to the public service."""

    def __init__(self, *, services: Services, **more: Any) -> None:
        super().__init__(**more)
        self.services = services
        self.first_wait = max(self.first_wait, self.source.delay)
        self._trouble = 0
        self._fronts = {canonical_url(link) for link in (self.source.front, *self.source.entries)}

    @classmethod
    def polite(cls, source: Source, services: Services) -> Source:
        """Give the source with the delay that its archive wants; one of one's own gets the delay of the source."""
        public = cls.address(services) == cls.address(PUBLIC)
        # An index may take a minute to look a large site up.
        patient = {
            "delay": max(source.delay, cls.delay) if public else source.delay,
            "timeout": max(source.timeout, 120.0),
        }
        return source.model_copy(update=patient)

    @staticmethod
    @abstractmethod
    def address(services: Services) -> str:
        """Give the address of the service."""

    @abstractmethod
    async def fetch(self, row: Row) -> Exchange | str:
        """Fetch one capture: the page as it was, or why it is none. Raises FetchError and BodyError."""

    @property
    def span(self) -> dict[str, str]:
        """The days asked for, as both interfaces take them."""
        span = {}
        if self.since:
            span["from"] = f"{self.since:%Y%m%d}000000"
        if self.until:
            span["to"] = f"{self.until:%Y%m%d}235959"
        return span

    @property
    def host(self) -> str:
        """All pages of the source's site, as both interfaces take it."""
        return f"{urlsplit(self.source.front).netloc}/*"

    async def read_index(self, url: str) -> bytes | None:
        """Fetch and archive a portion of an index; None where it says that it has nothing."""
        exchange = await self.get(url, meta={"dont_obey_robotstxt": True})
        if exchange.status == 404 and says_nothing_found(exchange.body):
            return None
        if exchange.status == 403 and b"AccessControl" in exchange.body:
            raise ListError("withdrawn", f"{url}: the archive does not show this site")
        self._accept(exchange)
        try:
            return await self._write(self.writer.store_list(exchange))
        except BodyError as error:
            raise ListError(error.reason, url) from error

    async def copy(self, rows: Iterable[Row]) -> None:
        """Settle each capture that an index lists, fetching those that are not here yet."""
        listed: dict[Past, Row] = {}
        for row in rows:
            day = row.captured_at.date()
            if day < (self.since or day) or day > (self.until or day):
                continue
            listed.setdefault(self._past(row), row)
        self._discovered += len(listed)
        left = tuple(listed)
        while left:
            weighed = await self._write(self.writer.weigh(left, self.now()))
            self.report.days.update(past.captured_at.date() for past in weighed.held)
            self._settled += len(left) - len(weighed.due) - len(weighed.waiting)
            for past in weighed.due:
                await self._copy(past, listed[past])
                self._settled += 1
                self._tell(self.source.id, self._discovered, self._settled)
            left = weighed.waiting
        self._tell(self.source.id, self._discovered, self._settled)

    async def _copy(self, past: Past, row: Row) -> None:
        try:
            page = await self.fetch(row)
            if isinstance(page, str):
                await self._write(self.writer.pass_over(past, "refused", page))
            else:
                stored = await self._write(self.writer.take(page, past))
                if stored.disposition == "failed":
                    self.report.lost.append((past.url, stored.reason))
                else:
                    self.report.days.add(past.captured_at.date())
        except (FetchError, BodyError) as error:
            await self._write(self.writer.pass_over(past, "failed", error.reason))
            self.report.lost.append((past.url, error.reason))
            if isinstance(error, BodyError) or error.reason == "gone-from-archive":
                return
            self._trouble += 1
            if self._trouble >= TROUBLE:
                raise FetchError(
                    f"the archive has failed {TROUBLE} times in a row ({error.reason}): call again later"
                ) from error
        else:
            self._trouble = 0

    def _past(self, row: Row) -> Past:
        try:
            url = untracked(row.url)
            address = canonical_url(row.url)
        except ValueError:
            return Past(url=row.url, captured_at=row.captured_at, digest=row.digest, refused="bad-address")
        listed = self._listed(Entry(link=row.url, published=row.captured_at))
        refused = ""
        if row.broken:
            refused = "bad-date"
        elif not same_site(address, self.source.front):
            refused = "other-host"
        elif row.status not in ("", "200"):
            refused = f"http-{row.status}"
        elif row.mime and "html" not in row.mime:
            refused = "not-a-page"
        elif address in self._fronts:
            refused = "front-page"
        elif listed is not None:
            refused = listed.refused
        return Past(url=url, captured_at=row.captured_at, digest=row.digest, refused=refused)


class CommonCrawlSpider(PastSpider):
    """Asks the index of each collection of the days in question, and cuts the records out of its WARC files."""

    name = "commoncrawl"

    @staticmethod
    def address(services: Services) -> str:
        return services.commoncrawl

    async def list(self) -> None:
        url = _at(self.services.commoncrawl, "collinfo.json")
        body = await self.read_index(url)
        if body is None:
            raise FetchError("http-404")
        wanted = [
            collection
            for collection in read_collections(body, url)
            if (self.until is None or collection.first <= self.until)
            and (self.since is None or collection.last >= self.since)
        ]
        if not wanted:
            raise ListError("no-collections", f"{url} has none of these days")
        silent = 0
        for collection in reversed(wanted):
            try:
                await self._read(collection)
                silent = 0
            except (ListError, FetchError) as error:
                self.report.unread.append((collection.id, str(error)))
                # One that is not there says nothing about the next; a service that does not answer does.
                silent += isinstance(error, FetchError) and error.reason != "http-404"
                if self._trouble >= TROUBLE or silent >= TROUBLE:
                    raise
        if self.report.unread:
            raise ListError("index", "; ".join(f"{id}: {reason}" for id, reason in self.report.unread))

    async def _read(self, collection: Collection) -> None:
        # One block a page: 3,000 captures, near 2 MiB.
        query = {"url": self.host, "output": "json", "pageSize": "1", **self.span}
        pages = f"{collection.index}?{urlencode(query | {'showNumPages': 'true'})}"
        body = await self.read_index(pages)
        for number in range(read_page_count(body, pages) if body is not None else 0):
            url = f"{collection.index}?{urlencode(query | {'page': str(number)})}"
            portion = await self.read_index(url)
            if portion is not None:
                await self.copy(read_json_lines(portion, url))

    async def fetch(self, row: Row) -> Exchange | str:
        url = _at(self.services.commoncrawl_data, row.file)
        last = row.offset + row.length - 1
        exchange = await self.get(url, part=f"bytes={row.offset}-{last}", meta={"dont_obey_robotstxt": True})
        if exchange.status in (404, 410, 416):
            raise FetchError("gone-from-archive")
        if exchange.status not in (200, 206):
            raise FetchError(f"http-{exchange.status}")
        raw = exchange.body if exchange.status == 206 else exchange.body[row.offset : last + 1]
        page = page_of_record(raw)
        if page is None:
            return "not-a-page"
        if canonical_url(page.url) != canonical_url(row.url):
            raise BodyError("other-record")
        return _as_listed(page, row, f"{url}#bytes={row.offset}-{last}")


class WaybackSpider(PastSpider):
    """Asks the Wayback Machine's index, and replays each capture as it was, with the headers that it had."""

    name = "wayback"
    delay = 3.0
    """Its index takes 24 requests a minute."""

    @staticmethod
    def address(services: Services) -> str:
        return services.wayback

    async def list(self) -> None:
        query = [
            ("url", self.host),
            ("output", "json"),
            ("fl", "timestamp,original,mimetype,statuscode,digest"),
            ("filter", f"!mimetype:{_ASIDE}"),
            ("limit", str(MOST_ROWS)),
            ("showResumeKey", "true"),
            *self.span.items(),
        ]
        key, keys = "", set[str]()
        while True:
            more = [("resumeKey", key)] if key else []
            url = _at(self.services.wayback, f"cdx/search/cdx?{urlencode([*query, *more])}")
            body = await self.read_index(url)
            rows, key = read_rows(body or b"", url)
            await self.copy(rows)
            if not key:
                return
            if key in keys or len(keys) > _MOST_KEYS:
                raise ListError("endless", f"{url} goes round in circles")
            keys.add(key)

    async def fetch(self, row: Row) -> Exchange | str:
        url = _at(self.services.wayback, f"web/{row.captured_at:%Y%m%d%H%M%S}id_/{row.url}")
        exchange = await self.get(url, meta={"dont_obey_robotstxt": True, "dont_redirect": True})
        headers = {name.lower(): value for name, value in exchange.headers}
        error = headers.get("x-archive-wayback-runtime-error", "")
        if exchange.status == 403 and "AccessControl" in error:
            return "robots" if "Robot" in error else "withdrawn"
        replayed = "memento-datetime" in headers
        if 300 <= exchange.status < 400 or (replayed and _moment_of(headers) != row.captured_at):
            # The redirect of the archive itself leads to another capture, which its index lists too.
            asked = re.search(r"/web/(\d{14})", headers.get("location", ""))
            if replayed and asked and asked[1] == f"{row.captured_at:%Y%m%d%H%M%S}":
                return f"http-{exchange.status}"
            raise FetchError("gone-from-archive")
        if exchange.status != 200:
            if replayed:
                return f"http-{exchange.status}"
            raise FetchError("gone-from-archive" if exchange.status in (404, 410) else f"http-{exchange.status}")
        if not replayed:
            raise BodyError("not-a-replay")
        page = _original(exchange)
        kind = next((value for name, value in page.headers if name.lower() == "content-type"), "html")
        if "html" not in kind.lower():
            return "not-a-page"
        return _as_listed(page, row, url)


def _at(service: str, path: str) -> str:
    # Not urljoin, which takes one of the slashes out of an address within an address.
    return f"{service.rstrip('/')}/{path}"


def _original(exchange: Exchange) -> Exchange:
    """Give what a replay tells of the original response: its headers stand behind a prefix, its body is as it was."""
    prefix = "x-archive-orig-"
    body = decode_body(exchange.headers, exchange.body)
    kept = [(name[len(prefix) :], value) for name, value in exchange.headers if name.lower().startswith(prefix)]
    if body[:2] == b"\x1f\x8b":
        # A body that was compressed when it was captured is replayed as it was, or unpacked, as the archive pleases.
        body = gunzip(body)
    if not any(name.lower() == "content-type" for name, _ in kept):
        kept += [(name, value) for name, value in exchange.headers if name.lower() == "content-type"]
    told = ("content-encoding", "transfer-encoding", "content-length")
    headers = tuple((name, value) for name, value in kept if name.lower() not in told)
    return Exchange(
        requested=exchange.requested,
        url=exchange.url,
        request_headers=None,
        status=200,
        headers=headers,
        body=body,
        fetched_at=exchange.fetched_at,
    )


def _as_listed(page: Exchange, row: Row, requested: str) -> Exchange:
    return Exchange(
        requested=requested,
        url=row.url,
        request_headers=None,
        status=page.status,
        headers=page.headers,
        body=page.body,
        fetched_at=row.captured_at,
    )


def _moment_of(headers: dict[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers["memento-datetime"]).astimezone(UTC)
    except (TypeError, ValueError):
        return None
