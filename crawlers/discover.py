"""Finds a site's feed, sitemap or WordPress interface, and writes the YAML of a new source."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urljoin, urlsplit

from scrapy.http import HtmlResponse

from crawlers.lists import ListError, read_feed, read_posts, read_sitemap
from crawlers.run import run_spider
from crawlers.sources import SourceFile, named
from crawlers.spiders import FetchError, ListReply, Report, SourceSpider
from processors.archive import Archive
from processors.errors import SulhError

_FEEDS = ("feed/", "rss.xml", "rss", "atom.xml", "feed.xml", "index.xml", "feed.json")
"""Where the common publishing programs keep their feeds, WordPress first."""


async def discover(url: str, *, contact: str, loopback: bool) -> int:
    """Print the YAML of a source for the site; 0 if it offers something for machines, 1 with a listing to fill in."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise SulhError(f"{url}: expected an address that begins with http:// or https://")
    probe = named("probe", SourceFile(name="probe", country="XX", language="en", kind="feed", url=url))
    found: list[str] = []

    class Discover(SourceSpider):
        async def list(self) -> None:
            found.append(await _look(self, url))

    report = Report(source="probe")
    with TemporaryDirectory(prefix="sulh-discover-") as folder, Archive(Path(folder)).writer("probe") as writer:
        await run_spider(Discover, probe, writer, report, contact=contact, loopback=loopback)
    if not found:
        raise SulhError(f"{url}: cannot be read: {report.reason}")
    print(found[0], end="", flush=True)
    return 1 if "kind: listing" in found[0] else 0


async def _look(spider: SourceSpider, url: str) -> str:
    reply = await spider.read_list(url)
    assert reply is not None
    page = HtmlResponse(reply.url, body=reply.body, headers={"Content-Type": reply.content_type})
    parts = urlsplit(reply.url)
    home = f"{parts.scheme}://{parts.netloc}/"
    name = page.css('meta[property="og:site_name"]::attr(content)').get() or page.css("title::text").get() or ""
    language = (page.css("html::attr(lang)").get() or "").lower()[:2]
    kind, entry = await _entry(spider, reply, page, home)
    ending = parts.netloc.partition(":")[0].rpartition(".")[2]
    lines = [
        f"# Save as {_id(parts.hostname or '')}.yml; read every line, then run `sulh sources check`.",
        f"name: {json.dumps(_once(' '.join(name.split())), ensure_ascii=False)}",
        f'country: "{ending.upper() if len(ending) == 2 and ending.isalpha() else "XX"}"  # ISO 3166-1',
        f"language: {language if language in ('ar', 'en', 'ru', 'fr', 'tr') else 'en'}",
        f"kind: {kind}",
        f"url: {json.dumps(entry)}",
    ]
    if kind == "listing":
        lines += [
            "selectors:",
            '  item: "article a"  # CSS of the links to articles',
            '  next: "a[rel=next]"',
        ]
    return "\n".join([*lines, 'about: ""  # why an analyst of this subject reads it', 'checked: "never"', ""])


async def _entry(spider: SourceSpider, reply: ListReply, page: HtmlResponse, home: str) -> tuple[str, str]:
    """Give kind and address of the best way in: what proves completeness first."""
    interface = page.urljoin(page.css('link[rel="https://api.w.org/"]::attr(href)').get() or f"{home}wp-json/")
    posts = urljoin(interface.rstrip("/") + "/", "wp/v2/posts")
    answer = await _try(spider, f"{posts}?per_page=1")
    with suppress(ListError):
        if answer is not None and "x-wp-total" in answer.headers:
            read_posts(answer.body, answer.url)
            return "wordpress", posts
    declared = page.css(
        'link[rel="alternate"][type*="rss"]::attr(href), link[rel="alternate"][type*="atom"]::attr(href),'
        ' link[rel="alternate"][type="application/feed+json"]::attr(href)'
    ).getall()
    for link in [reply.url, *map(page.urljoin, declared), *(home + path for path in _FEEDS)]:
        answer = reply if link == reply.url else await _try(spider, link)
        with suppress(ListError):
            if answer is not None and read_feed(answer.body, answer.content_type, answer.url):
                return "feed", link
    robots = await spider.robots(f"{home}robots.txt")
    named_maps = re.findall(rb"(?im)^\s*sitemap:\s*(\S+)", robots) if isinstance(robots, bytes) else []
    for link in [reply.url, *(text.decode("utf-8", "ignore") for text in named_maps), f"{home}sitemap.xml"]:
        answer = reply if link == reply.url else await _try(spider, link)
        with suppress(ListError):
            if answer is not None:
                sitemap = read_sitemap(answer.body, answer.url)
                if sitemap.entries or sitemap.children:
                    return "sitemap", link
    return "listing", reply.url


async def _try(spider: SourceSpider, url: str) -> ListReply | None:
    with suppress(FetchError, ListError):
        return await spider.read_list(url)
    return None


def _once(title: str) -> str:
    """Give a front page's title, where it is the site's name and nothing more, only once: "X - X" is X."""
    parts = re.split(r"\s+[-\u2013\u2014|\u00b7\u00bb:]\s+", title)
    return parts[0] if len({part.casefold() for part in parts}) == 1 else title


def _id(host: str) -> str:
    labels = [label for label in re.sub(r"[^a-z0-9.]", "", host.lower().removeprefix("www.")).split(".") if label]
    name = "_".join(labels) if labels else "outlet"
    return name if name[0].isalpha() else f"outlet_{name}"
