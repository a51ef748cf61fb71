"""Crawls a site by WordPress's REST interface, whose totals prove that nothing is missing."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlencode

from crawlers.lists import Entry, ListError, read_posts, read_time
from crawlers.spiders import FetchError, SourceSpider
from crawlers.spiders.feed import read_feed_pages
from processors.records import utc

PER_PAGE = 100
"""The most that WordPress gives at once."""

OVERLAP = timedelta(days=2)
"""Asked for again each time: posts come late, share one second, or were written before and published now."""

_CLOSED = frozenset({"robots", "http-401", "http-403", "http-404", "http-405", "http-410", "not-wordpress"})
"""What a site answers that has its REST interface closed."""


class WordpressSpider(SourceSpider):
    """Asks for what was modified or published since the last complete reading; falls back to the site's feed."""

    async def list(self) -> None:
        for entry in self.entries():
            try:
                await self._read(entry)
            except (FetchError, ListError) as error:
                if error.reason not in _CLOSED or self.backfill:
                    raise
                feed = f"{self.source.front}feed/"
                try:
                    await read_feed_pages(self, feed, "paged")
                except (FetchError, ListError):
                    self.drop_list(feed)
                    raise

    def entries(self) -> tuple[str, ...]:
        """Give the interfaces to ask: the source's or, in a backfill of another kind, where WordPress has it."""
        if self.source.kind == "wordpress":
            return self.source.entries
        return (f"{self.source.front}wp-json/wp/v2/posts",)

    async def _read(self, entry: str) -> None:
        spans: list[dict[str, str]] = []
        if self.backfill:
            # The interface leaves out both ends, and goes by seconds.
            span = {}
            if self.since:
                span["after"] = _stamp(datetime.combine(self.since, time(), UTC) - timedelta(seconds=1))
            if self.until:
                span["before"] = _stamp(datetime.combine(self.until, time(), UTC) + timedelta(days=1))
            spans.append(span)
        else:
            for query, note in (("modified_after", f"modified {entry}"), ("after", f"published {entry}")):
                last = read_time(self.notes.get(note))
                if last:
                    spans.append({query: _stamp(last - OVERLAP)})
            if len(spans) < 2:
                oldest = self.source.oldest
                spans = [{"after": _stamp(self.now() - oldest)} if oldest else {}]
        for span in spans:
            try:
                await self._read_span(entry, span)
            except ListError as error:
                if error.reason != "incomplete":
                    raise
                # A post came or went while its pages were read; a second reading settles it, or it is a failure.
                await self._read_span(entry, span)

    async def _read_span(self, entry: str, span: dict[str, str]) -> None:
        seen: set[str] = set()
        number = total = 0
        while number == 0 or len(seen) < total:
            number += 1
            query = {"per_page": PER_PAGE, "page": number, "_fields": "id,link,date_gmt,modified_gmt,title", **span}
            url = f"{entry}{'&' if '?' in entry else '?'}{urlencode(query)}"
            try:
                # Asked each time: it lists the span's posts only, and a second reading must be one.
                reply = await self.read_list(url, ask=False, keep=False)
            except FetchError as error:
                if number > 1 and error.reason == "http-400":
                    break  # beyond the last page
                raise
            assert reply is not None
            posts = read_posts(reply.body, reply.url)
            text = reply.headers.get("x-wp-total", "")
            if not text.isdecimal():
                raise ListError("incomplete", f"{url} does not say how many posts there are")
            total = int(text)
            fresh = {post.id for post in posts} - seen
            seen |= fresh
            if not posts:
                break
            await self.found(posts)
            self._note(entry, posts)
            if not fresh:
                break
        if len(seen) < total:
            raise ListError("incomplete", f"{entry} lists {len(seen)} posts of {total}")

    def _note(self, entry: str, posts: tuple[Entry, ...]) -> None:
        for note, moments in (
            (f"modified {entry}", [post.modified for post in posts]),
            (f"published {entry}", [post.published for post in posts]),
        ):
            # A post that is dated in the future must not move the mark beyond the present.
            known = [utc(moment).isoformat() for moment in moments if moment and moment <= self.now()]
            self.notes[note] = max([*known, self.notes.get(note, "")])


def _stamp(moment: datetime) -> str:
    return utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
