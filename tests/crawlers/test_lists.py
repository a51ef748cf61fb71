"""Lists: what outlets really send, broken or not, becomes entries or a named failure."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime

import pytest

from crawlers.lists import Entry, ListError, day_of, read_feed, read_listing, read_posts, read_sitemap
from crawlers.sources import Selectors

URL = "https://example.org/feed/"


def feed(body: str, kind: str = "application/rss+xml") -> list[Entry]:
    return list(read_feed(body.encode(), kind, URL))


def test_rss() -> None:
    (entry,) = feed(
        """<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><item>
        <title>A &amp;amp; &lt;b&gt;B&lt;/b&gt; </title><link>/a?x=1</link><guid>urn:1</guid>
        <pubDate>Sat, 15 Nov 2014 14:00:00 +0200</pubDate>
        <atom:updated>2014-11-16T10:00:00Z</atom:updated></item></channel></rss>"""
    )
    assert (entry.title, entry.link) == ("A & B", "https://example.org/a?x=1")
    assert entry.published == datetime(2014, 11, 15, 12, tzinfo=UTC)
    assert entry.modified == datetime(2014, 11, 16, 10, tzinfo=UTC)


def test_atom() -> None:
    (entry,) = feed(
        """<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>A</title><link href="https://example.org/a"/>
        <id>tag:1</id><updated>2014-11-16T10:00:00Z</updated></entry></feed>""",
        "application/atom+xml",
    )
    assert (entry.link, entry.published) == ("https://example.org/a", None)
    assert entry.modified == datetime(2014, 11, 16, 10, tzinfo=UTC)


def test_json_feed() -> None:
    items = [{"id": "1", "url": "/a", "title": "A", "date_published": "2014-11-15T12:00:00Z"}, {"id": "2"}, "nonsense"]
    body = json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items})
    first, second, third = feed(body, "application/feed+json")
    assert (first.link, first.published) == ("https://example.org/a", datetime(2014, 11, 15, 12, tzinfo=UTC))
    assert (second.link, third.link) == ("", "")


@pytest.mark.parametrize("count", [2, 9])
def test_items_that_share_a_guid_are_all_there(count: int) -> None:
    items = "".join(f"<item><link>/{n}</link><guid isPermaLink='false'>same</guid></item>" for n in range(count))
    assert len({entry.link for entry in feed(f"<rss version='2.0'><channel>{items}</channel></rss>")}) == count


def test_a_feed_that_is_not_quite_xml_is_read() -> None:
    entries = feed(
        "<rss version='2.0'><channel><item><link>/a?x=1&y=2</link></item><item><link>/b</link></item></channel></rss>"
    )
    assert [entry.link for entry in entries] == ["https://example.org/a?x=1&y=2", "https://example.org/b"]


def test_an_arabic_date_is_no_date_and_no_error() -> None:
    (entry,) = feed(
        "<rss version='2.0'><channel><item><link>/a</link><pubDate>السبت 15 نوفمبر</pubDate></item></channel></rss>"
    )
    assert entry.published is None


def test_an_empty_feed_is_a_feed() -> None:
    assert feed("<rss version='2.0'><channel><title>quiet</title></channel></rss>") == []


@pytest.mark.parametrize(
    "body", ["<html><title>Log in</title><body><p>Log in</p></body></html>", "", "{}", "{not json", '{"items": []}']
)
def test_what_is_no_feed_is_named(body: str) -> None:
    with pytest.raises(ListError, match="not-a-feed"):
        feed(body, "text/html")


def test_a_feed_is_never_taken_for_a_path() -> None:
    with pytest.raises(ListError, match="not-a-feed"):
        feed("/etc/hostname")


SITEMAP = """<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:news="http://www.google.com/schemas/sitemap-news/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<url><image:image><image:loc>https://example.org/photo.jpg</image:loc></image:image><loc> https://example.org/a </loc>
<lastmod>2014-11-16</lastmod><news:news><news:publication_date>2014-11-15T12:00:00Z</news:publication_date>
<news:title>A</news:title></news:news></url><url><lastmod>2014</lastmod></url></urlset>"""


@pytest.mark.parametrize("body", [SITEMAP.encode(), gzip.compress(SITEMAP.encode())])
def test_a_sitemap_with_news_and_images(body: bytes) -> None:
    first, second = read_sitemap(body, URL).entries
    assert (first.link, first.title) == ("https://example.org/a", "A")
    assert first.published == datetime(2014, 11, 15, 12, tzinfo=UTC)
    assert first.modified == datetime(2014, 11, 16, tzinfo=UTC)
    assert second == Entry(link="")


def test_an_index_of_sitemaps() -> None:
    body = b"<sitemapindex><sitemap><loc>/one.xml</loc><lastmod>2014-11-16</lastmod></sitemap></sitemapindex>"
    (child,) = read_sitemap(body, URL).children
    assert (child.link, child.modified) == ("https://example.org/one.xml", "2014-11-16")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<urlset><url><loc>cut", "invalid-xml"),
        (b"", "invalid-xml"),
        (b"<html></html>", "not-a-sitemap"),
        (gzip.compress(bytes(17 * 2**20)), "too-large"),
        (gzip.compress(SITEMAP.encode())[:-20], "encoding"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><urlset><url><loc>&e;</loc></url></urlset>', ""),
    ],
)
def test_a_broken_sitemap_is_named(body: bytes, reason: str) -> None:
    if reason:
        with pytest.raises(ListError, match=reason):
            read_sitemap(body, URL)
    else:
        assert read_sitemap(body, URL).entries == (Entry(link=""),)  # nothing was read from this machine


def test_wordpress_posts() -> None:
    post = {"id": 7, "link": "https://example.org/a", "title": {"rendered": "A &#8211; B"}}
    post |= {"date_gmt": "2014-11-15T12:00:00", "modified_gmt": "2014-11-16T12:00:00"}
    (entry,) = read_posts(json.dumps([post]).encode(), URL)
    assert (entry.id, entry.title, entry.published) == ("7", "A – B", datetime(2014, 11, 15, 12, tzinfo=UTC))
    for body in (b"<html>", b'{"code": "rest_forbidden"}', b"[1]"):
        with pytest.raises(ListError, match="not-wordpress"):
            read_posts(body, URL)


LISTING = """<html><head><meta charset="windows-1251"></head><div class="item"><h2><a href="/a">Новости</a></h2></div>
<div class="item">no link</div><a rel="next" href="?page=2">older</a></html>"""


@pytest.mark.parametrize("item", [".item", ".item a", ".item a::attr(href)"])
def test_a_listing(item: str) -> None:
    page = read_listing(LISTING.encode("cp1251"), "text/html", URL, Selectors(item=item, next="a[rel=next]"))
    assert [entry.link for entry in page.entries] == ["https://example.org/a"]
    assert page.next == "https://example.org/feed/?page=2"
    assert page.entries[0].title in ("Новости", "")


def test_a_listing_whose_layout_changed_is_named() -> None:
    with pytest.raises(ListError, match="no-items"):
        read_listing(LISTING.encode("cp1251"), "text/html", URL, Selectors(item=".gone"))


@pytest.mark.parametrize(
    ("link", "day"),
    [
        ("https://e.org/2014/11/15/truce", date(2014, 11, 15)),
        ("https://e.org/truce-20141115.html", date(2014, 11, 15)),
        ("https://e.org/2014/02/31/truce", None),
        ("https://e.org/truce-1926479281", None),
    ],
)
def test_an_address_may_tell_the_day(link: str, day: date | None) -> None:
    assert day_of(Entry(link=link)) == day
