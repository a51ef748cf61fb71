"""Crawls a site by its RSS, Atom or JSON feed."""

from __future__ import annotations

from crawlers.lists import ListError, read_feed
from crawlers.spiders import FetchError, SourceSpider

MOST_PAGES = 500
"""Pages of one feed or listing that are followed: ten a page make 5,000 items, more than outlets list."""


class FeedSpider(SourceSpider):
    """Reads every entry's feed; where it has older pages, those too until it meets what is known."""

    async def list(self) -> None:
        problems: list[str] = []
        for entry in self.source.entries:
            try:
                await read_feed_pages(self, entry, self.source.pages)
            except (ListError, FetchError) as error:
                self.drop_list(entry)
                problems.append(f"{entry}: {error}")
        if problems:
            raise ListError("feed", "; ".join(problems))


async def read_feed_pages(spider: SourceSpider, url: str, pages: str) -> None:
    """Read a feed and, where ``pages`` names the query of its older pages, those until known items or the end."""
    reply = await spider.read_list(url)
    if reply is None:
        return
    entries = read_feed(reply.body, reply.content_type, reply.url)
    found = await spider.found(entries)
    links = {entry.link or entry.id for entry in entries}
    number = 1
    while pages and not spider.past(entries) and (spider.backfill or not found.met):
        number += 1
        if number > MOST_PAGES:
            raise ListError("endless", f"more than {MOST_PAGES} pages")
        try:
            older = f"{url}{'&' if '?' in url else '?'}{pages}={number}"
            reply = await spider.read_list(older, ask=False, named_at=reply.read_at)
        except FetchError as error:
            if error.reason in ("http-400", "http-404", "http-410"):
                return  # the page after the last
            raise
        assert reply is not None
        entries = read_feed(reply.body, reply.content_type, reply.url)
        found = await spider.found(entries)
        new = {entry.link or entry.id for entry in entries} - links
        links |= new
        if not new:
            return  # a feed that gives the same items whatever page is asked for, or none
