"""Reads what a feed, sitemap, WordPress interface or listing page lists; pure, and names what it cannot read."""

from __future__ import annotations

import calendar
import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser
from lxml import etree
from scrapy.http import HtmlResponse

from crawlers.sources import Selectors
from processors.archive import BodyError, gunzip
from processors.records import utc


class ListError(Exception):
    """A list that cannot be read as what it should be; ``reason`` names why, the message says more."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item as a list names it; ``link`` is absolute, or empty where the list gives none."""

    link: str
    title: str = ""
    published: datetime | None = None
    modified: datetime | None = None
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One sitemap that an index names."""

    link: str
    modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """What one sitemap file names: pages or further sitemaps."""

    entries: tuple[Entry, ...] = ()
    children: tuple[Child, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingPage:
    """What one listing page names: its items and the next (older) page."""

    entries: tuple[Entry, ...]
    next: str = ""


def read_feed(body: bytes, content_type: str, url: str) -> tuple[Entry, ...]:
    """Read RSS, Atom or JSON feed. Raises ListError ``not-a-feed`` for all else, such as an HTML page."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return _json_feed(body, url)
    # Bytes, never text, which feedparser would take for a path or an address; the location makes links absolute.
    feed = feedparser.parse(
        body, response_headers={"content-type": content_type, "content-location": url}, sanitize_html=False
    )
    if not feed.get("version") and not feed.get("entries"):
        raise ListError("not-a-feed", f"{url} begins with {body[:60]!r}")
    return tuple(_feed_entry(entry, url) for entry in feed.entries)


def _feed_entry(entry: Any, url: str) -> Entry:
    link = entry.get("feedburner_origlink") or entry.get("link") or ""
    id = str(entry.get("id") or "")
    if not link and id.startswith(("http://", "https://")):
        link = id
    # Through dict: feedparser's own look-up gives the publication for a missing update, with a warning.
    published = _from_struct(dict.get(entry, "published_parsed"))
    modified = _from_struct(dict.get(entry, "updated_parsed")) or published
    title = _plain_text(str(entry.get("title") or ""))
    return Entry(link=_join(url, link), title=title, published=published, modified=modified, id=id)


def _json_feed(body: bytes, url: str) -> tuple[Entry, ...]:
    try:
        feed = json.loads(body)
    except ValueError as error:
        raise ListError("not-a-feed", f"{url}: not valid JSON: {error}") from error
    if "jsonfeed.org" not in str(feed.get("version", "")) or not isinstance(feed.get("items"), list):
        raise ListError("not-a-feed", f"{url} is JSON but no JSON feed")
    entries = []
    for item in feed["items"]:
        if not isinstance(item, dict):
            entries.append(Entry(link=""))
            continue
        published = read_time(item.get("date_published"))
        entries.append(
            Entry(
                link=_join(url, str(item.get("url") or item.get("external_url") or "")),
                title=_plain_text(str(item.get("title") or "")),
                published=published,
                modified=read_time(item.get("date_modified")) or published,
                id=str(item.get("id") or ""),
            )
        )
    return tuple(entries)


def read_sitemap(body: bytes, url: str) -> Sitemap:
    """Read a sitemap or an index of sitemaps, gzipped or not. Raises ListError that names what is wrong with it."""
    if body[:2] == b"\x1f\x8b":
        try:
            body = gunzip(body)
        except BodyError as error:
            raise ListError(error.reason, url) from error
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body.lstrip(b"\xef\xbb\xbf \t\r\n"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ListError("invalid-xml", f"{url}: {error}") from error
    kind = etree.QName(root).localname
    if kind == "sitemapindex":
        named = [_fields(element) for element in root.iterchildren("*")]
        return Sitemap(
            children=tuple(
                Child(link=_join(url, fields["loc"]), modified=fields.get("lastmod", ""))
                for fields in named
                if fields.get("loc")
            )
        )
    if kind != "urlset":
        raise ListError("not-a-sitemap", f"{url} has the root element {kind}")
    entries = []
    for element in root.iterchildren("*"):
        fields = _fields(element)
        published = read_time(fields.get("publication_date"))
        entries.append(
            Entry(
                link=_join(url, fields.get("loc", "")),
                title=_plain_text(fields.get("title", "")),
                published=published,
                modified=read_time(fields.get("lastmod")) or published,
            )
        )
    return Sitemap(entries=tuple(entries))


def _fields(element: Any) -> dict[str, str]:
    """Give the texts below an element by local name, the first of each: extensions repeat ``loc`` and ``title``."""
    fields: dict[str, str] = {}
    for child in element.iter("*"):
        if child is not element and child.text and child.text.strip():
            namespace = etree.QName(child).namespace or ""
            if not namespace.endswith(("sitemap-image/1.1", "sitemap-video/1.1")):
                fields.setdefault(etree.QName(child).localname, child.text.strip())
    return fields


def read_posts(body: bytes, url: str) -> tuple[Entry, ...]:
    """Read a page of WordPress posts. Raises ListError ``not-wordpress`` for anything else."""
    try:
        posts = json.loads(body)
    except ValueError as error:
        raise ListError("not-wordpress", f"{url}: not valid JSON: {error}") from error
    if not isinstance(posts, list) or not all(isinstance(post, dict) and "id" in post for post in posts):
        raise ListError("not-wordpress", f"{url} is JSON but no list of posts")
    entries = []
    for post in posts:
        title = post.get("title")
        rendered = title.get("rendered", "") if isinstance(title, dict) else title
        published = read_time(post.get("date_gmt"))
        entries.append(
            Entry(
                link=_join(url, str(post.get("link") or "")),
                title=_plain_text(str(rendered or "")),
                published=published,
                modified=read_time(post.get("modified_gmt")) or published,
                id=str(post["id"]),
            )
        )
    return tuple(entries)


def read_listing(body: bytes, content_type: str, url: str, selectors: Selectors) -> ListingPage:
    """Read a listing page by the source's CSS selectors. Raises ListError ``no-items`` where they find nothing."""
    page = HtmlResponse(url, body=body, headers={"Content-Type": content_type} if content_type else {})
    try:
        found = page.css(selectors.item)
        older = page.css(selectors.next) if selectors.next else []
    except ValueError as error:
        raise ListError("selector", str(error)) from error
    entries = []
    for item in found:
        link, title = _link_of(item)
        if link is not None:
            entries.append(Entry(link=_join(url, page.urljoin(link)), title=_plain_text(title)))
    if not entries:
        raise ListError("no-items", f"{selectors.item!r} finds no link on {url}: has its layout changed?")
    following = next((link for link, _ in map(_link_of, older) if link), "")
    return ListingPage(entries=tuple(entries), next=_join(url, page.urljoin(following)) if following else "")


def _link_of(item: Any) -> tuple[str | None, str]:
    if isinstance(item.root, str):  # the selector ends in ::attr(href)
        return item.root, ""
    anchor = item if item.root.get("href") is not None else next(iter(item.css("a[href]")), None)
    return (anchor.root.get("href"), " ".join(anchor.css("*::text").getall())) if anchor is not None else (None, "")


_URL_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[/-]?(0[1-9]|1[0-2])[/-]?(0[1-9]|[12]\d|3[01])(?!\d)")


def day_of(entry: Entry) -> date | None:
    """Give the day of an entry: as listed, else as its address tells."""
    moment = entry.published or entry.modified
    if moment:
        return moment.date()
    found = _URL_DAY.search(entry.link)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def read_time(text: Any) -> datetime | None:
    """Read an ISO 8601 time, in UTC where it has no zone; None for what is not one."""
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        return utc(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        return None


def _from_struct(moment: time.struct_time | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(moment), UTC) if moment else None
    except (ValueError, OverflowError):
        return None


def _join(base: str, link: str) -> str:
    try:
        joined = urljoin(base, link.strip()) if link.strip() else ""
        return joined if urlsplit(joined).hostname else ""
    except ValueError:
        return ""


def _plain_text(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", unescape(text))).split())


def day_of_text(text: str) -> date | None:
    """Give the day of a W3C time such as sitemaps have; None for what is not one."""
    moment = read_time(text)
    return moment.date() if moment else None
