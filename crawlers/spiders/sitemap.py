"""Crawls a site by its sitemap or an index of sitemaps."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime

from crawlers.lists import Child, ListError, day_of_text, read_sitemap
from crawlers.spiders import FetchError, SourceSpider
from processors.addresses import canonical_url

MOST_FILES = 5000
"""Sitemap files that are read in one crawl; an index may name 50,000, the largest outlets name some 3,000."""


class SitemapSpider(SourceSpider):
    """Reads the sitemaps that have changed; an item is fetched again only when its ``lastmod`` is later than before."""

    async def list(self) -> None:
        first: list[tuple[Child, str, datetime | None]] = [(Child(link=e), "", None) for e in await self.sitemaps()]
        waiting = deque(first)
        problems: list[str] = []
        seen: set[str] = set()
        while waiting:
            child, parent, named_at = waiting.popleft()
            address = canonical_url(child.link)
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MOST_FILES:
                problems.append(f"endless: more than {MOST_FILES} sitemaps")
                break
            try:
                below, read_at = await self._read(child, parent, address, named_at)
                waiting.extend((further, address, read_at) for further in below)
            except (ListError, FetchError) as error:
                self.drop_list(child.link)
                problems.append(f"{child.link}: {error}")
                self.report.unread.append((child.link, str(error)))
        if problems:
            raise ListError("sitemap", "; ".join(problems))

    async def sitemaps(self) -> tuple[str, ...]:
        """Give the sitemaps to begin with: the source's entries or, in a backfill of another kind, the site's own."""
        if self.source.kind == "sitemap":
            return self.source.entries
        robots = await self.robots(f"{self.source.front}robots.txt")
        named = re.findall(rb"(?im)^\s*sitemap:\s*(\S+)", robots) if isinstance(robots, bytes) else []
        return tuple(link.decode("utf-8", "ignore") for link in named) or (f"{self.source.front}sitemap.xml",)

    async def _read(
        self, child: Child, parent: str, address: str, named_at: datetime | None
    ) -> tuple[tuple[Child, ...], datetime | None]:
        before = self.lists_before.get(address)
        if before and child.modified and before.hint == child.modified:
            self.keep_list(before)
            return self._children_before(address), None
        reply = await self.read_list(child.link, parent=parent, hint=child.modified, named_at=named_at)
        if reply is None:
            return self._children_before(address), None
        sitemap = read_sitemap(reply.body, reply.url)
        if sitemap.entries:
            await self.found(sitemap.entries)
        first = self.first_day
        if first is None:
            return sitemap.children, reply.read_at
        # What was last changed before the span began lists nothing of it.
        days = [(child, day_of_text(child.modified)) for child in sitemap.children]
        return tuple(child for child, day in days if day is None or day >= first), reply.read_at

    def _children_before(self, address: str) -> tuple[Child, ...]:
        """Give the sitemaps below an index that has not changed: one whose time it named has not changed either."""
        below = [known for known in self.lists_before.values() if known.parent == address]
        return tuple(Child(link=known.address, modified=known.hint) for known in below)
