"""The sample outlets answer as real sites do, and the labels fit their pages."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import feedparser
import langdetect
import pytest
from langdetect import DetectorFactory
from lxml import etree, html

from crawlers.sources import load_sources
from processors.errors import KnowledgeError, SulhError
from processors.extract import extract
from processors.records import Capture, Document
from sulh.demo.expected import expected
from sulh.demo.serve import FOLDER, Outlets, Request

COMMUNIQUE = 60
"""Words; below, a page is a communiqué, and those have to be as short as real ones are."""


@pytest.fixture(scope="module")
def outlets() -> Iterator[Outlets]:
    with Outlets().start(0) as served:
        yield served


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Fetch an address without any library's own caching or redirects."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=10)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def canonical(addresses: set[str]) -> set[str]:
    return {address.split("?")[0] for address in addresses}


def pages_of(outlets: Outlets, name: str) -> set[str]:
    return {url for id, url in outlets.addresses().items() if id.startswith(f"{name}/")}


def test_there_is_enough_to_read(outlets: Outlets) -> None:
    labels = expected().pages
    languages = Counter(label.language for label in labels.values())
    assert sum(languages[code] for code in ("ar", "en", "ru", "fr", "tr")) >= 66
    assert all(languages[code] >= 13 for code in ("ar", "en", "ru", "fr", "tr")), languages
    assert languages["und"] >= 1
    assert {outlet.about.kind for outlet in outlets.outlets.values()} == {"feed", "wordpress", "sitemap", "listing"}
    assert {outlet.about.language for outlet in outlets.outlets.values()} == {"ar", "en", "ru", "fr", "tr"}
    assert {label.rejection for label in labels.values()} > {
        "soft-404",
        "bot-wall",
        "paywall-stub",
        "no-text",
        "robots",
    }


def test_every_page_tells_something_in_its_own_language(outlets: Outlets) -> None:
    DetectorFactory.seed = 0
    labels = expected().pages
    short = 0
    for id, page in outlets.pages():
        if page.answer != "article":
            continue
        words = len(page.text.split())
        # An Arabic or Turkish word says what two English ones do; reprints are cut short on purpose.
        floor = 40 if labels[id].story or page.disallowed else 105
        short += words <= COMMUNIQUE
        assert words <= 400, id
        assert words >= floor or 28 <= words <= COMMUNIQUE, f"{id}: {words} words"
        assert langdetect.detect(page.text) == (page.language or outlets.outlets[id.split("/")[0]].about.language), id
    assert short >= 4


def test_the_labels_fit_the_pages(outlets: Outlets) -> None:
    labels = expected()
    pages = dict(outlets.pages())
    assert labels.pages.keys() == pages.keys()
    for id, label in labels.pages.items():
        assert (label.language is None) == bool(label.rejection), id
        assert {member.name for member in label.alerts} <= labels.alerts.keys(), id
        if label.story:
            first = pages[label.story]
            assert first.published < pages[id].published and not labels.pages[label.story].story, id
            # Most of a reprint's words stand in the same order in the page that it was cut from.
            runs = [run for run in re.split(r"\n\n", pages[id].text.strip()) if run in first.text]
            assert sum(map(len, runs)) > 0.45 * len(pages[id].text), id
        if label.credit:
            assert label.credit in pages[id].text, id
    for name, alert in labels.alerts.items():
        members = {id: member.role for id, p in labels.pages.items() for member in p.alerts if member.name == name}
        firsts = [id for id, role in members.items() if role == "first"]
        assert len(firsts) == 1 and set(alert.origins) <= members.keys(), name
        assert pages[firsts[0]].published == min(pages[id].published for id in members), name


def test_most_claims_have_something_bearing_on_them_in_every_language() -> None:
    known = {f"C{number:02}" for number in range(1, 35)}
    labels = expected().pages.values()
    told = {claim for label in labels for claim in (*label.carries, *label.contradicts)}
    assert told <= known
    assert len(told) >= 32, known - told
    for language in ("ar", "en", "ru", "fr", "tr"):
        here = {claim for label in labels if label.language == language for claim in label.carries}
        assert len(here) >= 17, (language, here)


def test_the_sources_are_ones_that_the_crawl_takes(outlets: Outlets, tmp_path: Path) -> None:
    for name, text in outlets.sources().items():
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    sources = load_sources(tmp_path, packaged=False)
    assert {name: source.kind for name, source in sources.items()} == {
        name: outlet.about.kind for name, outlet in outlets.outlets.items()
    }
    for source in sources.values():
        assert get(source.entries[0])[0] == 200, source.id


def test_what_is_read_from_each_page_is_what_was_written(outlets: Outlets) -> None:
    labels = expected().pages
    addresses = outlets.addresses()
    for id, page in outlets.pages():
        if labels[id].rejection == "robots":
            continue
        status, headers, body = get(addresses[id])
        read = extract(
            Capture(
                id=id,
                source=id.split("/")[0],
                url=addresses[id],
                fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
                status=status,
                headers=tuple(headers.items()),
                content_type=headers["content-type"],
                body=body,
                locator="sample:0",
            )
        )
        if labels[id].rejection:
            assert not isinstance(read, Document) and read.reason == labels[id].rejection, id
            continue
        assert isinstance(read, Document), (id, read)
        assert (read.title, read.text.split()) == (page.title, page.text.split()), id
        assert read.published_at and read.published_at.date() == page.published.astimezone(UTC).date(), id


def test_an_unchanged_page_costs_only_a_conditional_request(outlets: Outlets) -> None:
    url = outlets.addresses()["levantwire_lb/atareb-truce"]
    _, headers, _ = get(url)
    status, _, body = get(url, If_None_Match=headers["etag"])
    assert (status, body) == (304, b"")
    assert outlets.log[-1] == Request(
        outlet="levantwire_lb", method="GET", path=urlsplit(url).path, status=304, conditional=True, user_agent=""
    )
    assert get(url, If_Modified_Since=headers["last-modified"])[0] == 304
    assert get(url, If_Modified_Since="Mon, 03 Nov 2014 00:00:00 GMT")[0] == 200
    for outlet, entry in (("levantwire_lb", "/feed/"), ("sinirpostasi_tr", "/atom.xml"), ("machrek_fr", "/actualite/")):
        address = outlets.outlets[outlet].base + entry
        assert get(address, If_None_Match=get(address)[1]["etag"])[0] == 304, address


def test_robots_close_a_folder_that_the_feed_links_to(outlets: Outlets) -> None:
    outlet = outlets.outlets["sinirpostasi_tr"]
    assert b"Disallow: /ozel/\n" in get(f"{outlet.base}/robots.txt")[2]
    closed = outlets.addresses()["sinirpostasi_tr/ozel-abone-bulteni"]
    assert urlsplit(closed).path.startswith("/ozel/")
    feed = feedparser.parse(get(f"{outlet.base}/atom.xml")[2])
    assert closed in {entry.link.split("?")[0] for entry in feed.entries}


def test_the_feed_reaches_back_page_by_page(outlets: Outlets) -> None:
    base = outlets.outlets["levantwire_lb"].base
    seen: list[Any] = []
    number = 1
    while (answer := get(f"{base}/feed/?paged={number}"))[0] == 200:
        feed = feedparser.parse(answer[2])
        assert not feed.bozo and feed.version == "rss20"
        seen += feed.entries
        number += 1
    assert number == 3 and answer[0] == 404
    assert canonical({entry.link for entry in seen}) == pages_of(outlets, "levantwire_lb")
    assert all("utm_source" in entry.link and entry.published_parsed for entry in seen)
    assert len({entry.id for entry in seen}) == len(seen)


def test_the_atom_feed_is_whole_and_its_pages_declare_an_old_charset(outlets: Outlets) -> None:
    base = outlets.outlets["sinirpostasi_tr"].base
    feed = feedparser.parse(get(f"{base}/atom.xml")[2])
    assert not feed.bozo and feed.version == "atom10"
    assert canonical({entry.link for entry in feed.entries}) == pages_of(outlets, "sinirpostasi_tr")
    _, headers, body = get(outlets.addresses()["sinirpostasi_tr/mare-catisma"])
    assert headers["content-type"] == "text/html; charset=iso-8859-9"
    assert "IŞİD ile muhalifler arasında" in body.decode("iso-8859-9")


def test_wordpress_counts_pages_and_narrows_by_date(outlets: Outlets) -> None:
    base = outlets.outlets["midan_sy"].base
    api = f"{base}/wp-json/wp/v2/posts"
    status, headers, body = get(f"{api}?per_page=5&page=1")
    total, pages = int(headers["x-wp-total"]), int(headers["x-wp-totalpages"])
    assert (status, len(json.loads(body)), pages) == (200, 5, -(-total // 5))
    links = {post["link"] for n in range(1, pages + 1) for post in json.loads(get(f"{api}?per_page=5&page={n}")[2])}
    assert links == pages_of(outlets, "midan_sy") and len(links) == total
    assert get(f"{api}?per_page=5&page={pages + 1}")[0] == 400
    assert get(f"{api}?per_page=101")[0] == get(f"{api}?modified_after=yesterday")[0] == 400
    late = json.loads(get(f"{api}?modified_after=2014-11-16T00:00:00&orderby=modified&order=asc&per_page=100")[2])
    assert late and [post["modified"] for post in late] == sorted(post["modified"] for post in late)
    assert all(post["modified"] > "2014-11-16" for post in late)
    assert json.loads(get(f"{api}?_fields=id,link&per_page=1")[2])[0].keys() == {"id", "link"}
    assert len(feedparser.parse(get(f"{base}/feed/")[2]).entries) == 15


def test_the_sitemap_index_leads_to_all_pages(outlets: Outlets) -> None:
    outlet = outlets.outlets["meridian_ru"]
    spaces = {
        "s": "http://www.sitemaps.org/schemas/sitemap/0.9",
        "news": "http://www.google.com/schemas/sitemap-news/0.9",
    }
    assert f"Sitemap: {outlet.base}/sitemap.xml".encode() in get(f"{outlet.base}/robots.txt")[2]
    index = etree.fromstring(get(f"{outlet.base}/sitemap.xml")[2])
    news, archive = (loc.text or "" for loc in index.iterfind(".//s:loc", spaces))
    listed = etree.fromstring(gzip.decompress(get(archive)[2]))
    assert {loc.text for loc in listed.iterfind(".//s:loc", spaces)} == pages_of(outlets, "meridian_ru")
    assert len(etree.fromstring(get(news)[2]).findall(".//news:publication_date", spaces)) == 10


def test_the_list_goes_on_and_has_one_article_under_two_addresses(outlets: Outlets) -> None:
    base = outlets.outlets["machrek_fr"].base
    address, links = f"{base}/actualite/", []
    while address:
        page = html.document_fromstring(get(address)[2])
        page.make_links_absolute(address)
        links += page.xpath('//div[@class="teaser"]/h2/a/@href')
        address = next(iter(page.xpath('//a[@class="suivant"]/@href')), "")
    others = set(links) - pages_of(outlets, "machrek_fr")
    assert len(others) == 1 and pages_of(outlets, "machrek_fr") < set(links)
    twin = html.document_fromstring(get(others.pop())[2])
    assert twin.xpath('//link[@rel="canonical"]/@href') == [outlets.addresses()["machrek_fr/qalamoun-cote-a-cote"]]


def test_corrections_are_published_once_asked_for_and_listed_as_changes() -> None:
    with Outlets().start(0) as outlets:
        addresses = outlets.addresses()
        report, swap = addresses["levantwire_lb/atareb-truce"], addresses["midan_sy/swap-akhtarin"]
        feed = outlets.outlets["levantwire_lb"].base + "/feed/"
        posts = outlets.outlets["midan_sy"].base + "/wp-json/wp/v2/posts"
        newest = max(post["modified_gmt"] for post in json.loads(get(f"{posts}?per_page=100")[2]))
        before, listed = get(report), get(feed)
        assert b"Correction, 21 November" not in before[2]

        assert outlets.revise() == (report, swap)

        tags = {"If_None_Match": before[1]["etag"], "If_Modified_Since": before[1]["last-modified"]}
        status, after, body = get(report, **tags)
        assert status == 200 and b"Correction, 21 November" in body
        assert after["last-modified"] == "Fri, 21 Nov 2014 07:30:00 GMT"
        assert b'dateModified": "2014-11-21T07:30:00+00:00' in body
        # A crawl learns of a change from what lists the page, so the lists must show it.
        status, _, body = get(feed, If_None_Match=listed[1]["etag"])
        (entry,) = (entry for entry in feedparser.parse(body).entries if entry.link.startswith(report))
        assert status == 200 and entry.updated_parsed > entry.published_parsed
        assert [post["link"] for post in json.loads(get(f"{posts}?modified_after={newest}")[2])] == [swap]


def test_addresses_differ_in_nothing_but_the_port_from_run_to_run(outlets: Outlets) -> None:
    # Ids of documents derive from addresses; with the fixed ports of the demo, two runs have the same ones.
    assert [outlet.about.port for outlet in Outlets().outlets.values()] == [0, 1, 2, 3, 4]
    with Outlets().start(0) as others:
        first, second = outlets.addresses(), others.addresses()
        assert {id: urlsplit(url).path for id, url in first.items()} == {
            id: urlsplit(url).path for id, url in second.items()
        }


def test_a_port_in_use_is_said_clearly(outlets: Outlets) -> None:
    port = urlsplit(outlets.outlets["levantwire_lb"].base).port or 0
    with pytest.raises(SulhError, match=f"Port {port} .*levantwire_lb.*--port"):
        Outlets().start(port)


def test_nothing_answers_after_the_end() -> None:
    with Outlets().start(0) as outlets:
        base = outlets.outlets["machrek_fr"].base
        assert get(f"{base}/nowhere")[0] == 404
    with pytest.raises(ConnectionRefusedError):
        get(base)


def test_a_wrong_page_is_refused_by_file_and_line(tmp_path: Path) -> None:
    outlet = tmp_path / "machrek_fr"
    (outlet / "pages").mkdir(parents=True)
    for name in ("outlet.yml", "frame.html", "article.html"):
        (outlet / name).write_bytes((FOLDER / "machrek_fr" / name).read_bytes())
    with pytest.raises(KnowledgeError, match="there is no page"):
        Outlets(folder=tmp_path)
    (outlet / "pages" / "a.yml").write_text("title: A\npublished: soon\nsection: S\ntext: T\n", encoding="utf-8")
    with pytest.raises(KnowledgeError, match=r"a\.yml:2: published"):
        Outlets(folder=tmp_path)
    with pytest.raises(KnowledgeError, match="holds no sample outlets"):
        Outlets(folder=tmp_path / "none")
