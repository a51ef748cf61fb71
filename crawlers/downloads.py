"""Downloads under guard: public addresses only, delays kept, robots.txt obeyed by every request."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import defaultdict
from time import monotonic
from typing import Any

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import CannotResolveHostError
from scrapy.http import Response
from scrapy.robotstxt import RobotParser
from scrapy.utils.httpobj import urlparse_cached

from crawlers.guard import GuardedResolver, RefusedError, check_url, is_allowed

ROBOTS_SIZE = 500 * 2**10
"""Bytes of robots.txt that are read: what RFC 9309 asks of every crawler, and what Google reads."""


class RobotsUnreachableError(Exception):
    """A site's robots.txt cannot be had; until it can, RFC 9309 forbids the whole site."""


class GuardedHandler(HTTP11DownloadHandler):
    """Scrapy's own downloader behind the guard; the delay between requests counts from the end of the last one."""

    def __init__(self, crawler: Any) -> None:
        super().__init__(crawler)
        self._crawler: Any = crawler
        self._loopback: bool = crawler.settings.getbool("SULH_LOOPBACK")
        self._paused_until: dict[str, float] = {}

    async def download_request(self, request: Request) -> Response:
        """Download one request. Raises RefusedError where the guard forbids it."""
        from twisted.internet import reactor

        check_url(request.url, loopback=self._loopback)
        resolver: object = reactor.nameResolver
        if not isinstance(resolver, GuardedResolver):
            raise RuntimeError("a crawl without the guarded resolver would reach private addresses")
        host = urlparse_cached(request).hostname or ""
        paused: dict[str, float] = self._crawler.spider.paused_until
        while (wait := paused.get(host, 0.0) - monotonic()) > 0:
            await asyncio.sleep(wait)
        try:
            response = await super().download_request(request)
        except CannotResolveHostError:
            if host in resolver.refused:
                raise RefusedError("private-address") from None
            raise
        finally:
            slot = self._crawler.engine.downloader.slots.get(request.meta.get("download_slot"))
            if slot is not None:
                slot.lastseen = monotonic()
        reached: ipaddress.IPv4Address | ipaddress.IPv6Address | None = response.ip_address
        if reached is not None and not is_allowed(str(reached), loopback=self._loopback):
            raise RefusedError("private-address")
        return response


class RobotsMiddleware(RobotsTxtMiddleware):
    """Obeys robots.txt for every request: all wait for one fetch of it, which is archived, retried and kept.

    Scrapy's own lets later requests pass while robots.txt is on its way, reads error pages as rules, and allows all
    when robots.txt cannot be had.
    """

    def __init__(self, crawler: Any) -> None:
        super().__init__(crawler)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rules: dict[str, RobotParser | RobotsUnreachableError | None] = {}

    async def robot_parser(self, request: Request) -> RobotParser | None:
        """Give the rules of the request's site; None where it has none. Raises RobotsUnreachableError."""
        parts = urlparse_cached(request)
        site = f"{parts.scheme}://{parts.netloc}"
        if site not in self._rules:
            async with self._locks[site]:
                if site not in self._rules:
                    self._rules[site] = await self._read_rules(site, request)
        rules = self._rules[site]
        if isinstance(rules, RobotsUnreachableError):
            raise rules
        return rules

    async def _read_rules(self, site: str, request: Request) -> RobotParser | RobotsUnreachableError | None:
        spider: Any = self.crawler.spider
        body = await spider.robots(f"{site}/robots.txt")
        if body is None or isinstance(body, RobotsUnreachableError):
            return body
        rules: RobotParser = self._parserimpl.from_crawler(self.crawler, body[:ROBOTS_SIZE])
        delay = rules.crawl_delay(self._robotstxt_useragent or "")
        if delay:
            self._slow_down(urlparse_cached(request).hostname or "", float(delay))
        return rules

    def _slow_down(self, host: str, delay: float) -> None:
        engine: Any = self.crawler.engine
        downloader = engine.downloader
        delay = max(delay, downloader.per_slot_settings.get(host, {}).get("delay", 0.0), self._delay())
        # Scrapy forgets a slot that was idle for a minute: the settings bring its delay back.
        downloader.per_slot_settings[host] = {"concurrency": 1, "delay": delay, "jitter": 0}
        slot = downloader.slots.get(host)
        if slot is not None:
            slot.concurrency, slot.delay, slot.jitter = 1, delay, 0.0

    def _delay(self) -> float:
        return self.crawler.settings.getfloat("DOWNLOAD_DELAY")
