"""Crawls a site by its own listing pages, where it offers nothing for machines."""

from __future__ import annotations

from crawlers.lists import ListError, read_listing
from crawlers.spiders import FetchError, SourceSpider
from crawlers.spiders.feed import MOST_PAGES
from processors.addresses import canonical_url


class ListingSpider(SourceSpider):
    """Follows the pages of each listing until it meets what is known, or the end."""

    async def list(self) -> None:
        problems: list[str] = []
        for entry in self.source.entries:
            try:
                await self._read(entry)
            except (ListError, FetchError) as error:
                self.drop_list(entry)
                problems.append(f"{entry}: {error}")
        if problems:
            raise ListError("listing", "; ".join(problems))

    async def _read(self, entry: str) -> None:
        assert self.source.selectors is not None
        seen: set[str] = set()
        links: set[str] = set()
        url, named_at = entry, None
        while url and canonical_url(url) not in seen:
            seen.add(canonical_url(url))
            if len(seen) > MOST_PAGES:
                raise ListError("endless", f"more than {MOST_PAGES} pages")
            reply = await self.read_list(url, ask=len(seen) == 1, named_at=named_at)
            if reply is None:
                return
            named_at = reply.read_at
            page = read_listing(reply.body, reply.content_type, reply.url, self.source.selectors)
            found = await self.found(page.entries)
            # A calendar without end goes on naming next pages, but never a new item.
            new = {entry.link for entry in page.entries} - links
            links |= new
            if not new or self.past(page.entries) or (found.met and not self.backfill):
                return
            url = page.next
