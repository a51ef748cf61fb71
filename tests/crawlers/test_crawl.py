"""Crawls as processes against a small rough site: nothing is lost, and what is refused is refused by name."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.crawlers.site import Crawled, Crawls, Reply, Site, article, item, rss

FORBIDDEN = [f"/private/{number}" for number in range(20)]


def first_time(reply: Reply, then: Reply) -> object:
    return lambda count: reply if count == 1 else then


@pytest.fixture(scope="module")
def crawled(site: Site, crawls: Crawls) -> Crawled:
    """One crawl of every kind of source, all with something wrong about them."""
    pages = site.pages
    pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /private/\n", kind="text/plain")
    links = [
        "/good?utm_source=rss",
        "/good#again",
        "/twice",
        "/moved",
        "/elsewhere",
        "/to-private",
        "/to-file",
        "/round",
        "/error-first",
        "/busy-first",
        "/cut-first",
        "/cut-always",
        "/bomb",
        "/large",
        "/endless",
        "/missing",
        "/gone-private.pdf",
        "ftp://example.org/file",
        "",
        *FORBIDDEN,
    ]
    pages["/feed"] = rss(*(item(link, guid="the-same-for-all") for link in links))
    pages["/good"] = article("good", '<link rel="canonical" href="/good">')
    pages["/twice"] = article("the same", '<link rel="canonical" href="/good">')
    pages["/moved"] = Reply(status=302, headers={"Location": "/arrived"})
    pages["/arrived"] = article("arrived")
    pages["/elsewhere"] = article("ours", '<link rel="canonical" href="https://elsewhere.example/">')
    pages["/to-private"] = Reply(status=302, headers={"Location": "http://10.0.0.1/admin"})
    pages["/to-file"] = Reply(status=302, headers={"Location": "file:///etc/passwd"})
    pages["/round"] = Reply(status=302, headers={"Location": "/round"})
    pages["/error-first"] = first_time(Reply(b"oops", 500), article("after an error"))
    pages["/busy-first"] = first_time(Reply(b"later", 429, headers={"Retry-After": "1"}), article("after a pause"))
    whole = article("whole").body
    pages["/cut-first"] = first_time(Reply(whole[:20], declared=len(whole)), Reply(whole))
    pages["/cut-always"] = Reply(whole[:20], declared=len(whole))
    pages["/bomb"] = Reply(gzip.compress(bytes(17 * 2**20)), headers={"Content-Encoding": "gzip"})
    pages["/large"] = Reply(b"", declared=17 * 2**20)
    pages["/endless"] = Reply(endless=True)
    crawls.source("feed", "feed", f"{site.url}/feed", 'delay: 0\ntimeout: 10\nexclude: ["[.]pdf$"]\n')

    pages["/page-feed"] = Reply(b"<html><title>Log in</title><p>Please log in.</p></html>")
    crawls.source("walled", "feed", f"{site.url}/page-feed")

    pages["/map.xml"] = Reply(
        f"<sitemapindex><sitemap><loc>{site.url}/map-1.xml.gz</loc></sitemap>"
        f"<sitemap><loc>{site.url}/map-2.xml</loc></sitemap></sitemapindex>".encode(),
        kind="application/xml",
    )
    pages["/map-1.xml.gz"] = Reply(
        gzip.compress(f"<urlset><url><loc>{site.url}/from-map</loc></url></urlset>".encode()), kind="application/gzip"
    )
    pages["/map-2.xml"] = Reply(b"<urlset><url><loc>broken", kind="application/xml")
    pages["/from-map"] = article("from a sitemap")
    crawls.source("mapped", "sitemap", f"{site.url}/map.xml")

    first = '<li><a href="/l1">1</a></li><li><a href="/l2">2</a></li><a rel="next" href="/news?p=1">more</a>'
    pages["/news"] = Reply(first.encode())
    for number in range(1, 9):
        pages[f"/news?p={number}"] = Reply(
            f'<li><a href="/l{min(number, 2)}">One</a></li><a rel="next" href="/news?p={number + 1}">'.encode()
        )
    pages["/l1"], pages["/l2"] = article("listed one"), article("listed two")
    selectors = 'delay: 0\nselectors: {item: "li a", next: "a[rel=next]"}\n'
    crawls.source("calendar", "listing", f"{site.url}/news", selectors)

    pages["/feed/"] = rss(item("/fell-back"))
    pages["/fell-back"] = article("by the feed")
    pages["/wp-json/wp/v2/posts"] = Reply(b"closed", 403)
    crawls.source("closed", "wordpress", f"{site.url}/wp-json/wp/v2/posts")

    crawls.source("dead", "feed", "http://127.0.0.1:9/feed")
    (crawls.sources / "broken.yml").write_text("name: broken\nkind: rss\n")
    with crawls.archive.writer("busy"):
        crawls.source("busy", "feed", f"{site.url}/feed")
        return crawls.run()


def test_every_item_of_a_rough_feed_has_its_one_disposition(crawled: Crawled, crawls: Crawls) -> None:
    assert crawls.dispositions("feed") == {
        "discovered": 38,
        "fetched": 7,
        "refused/robots": 20,
        "refused/private-address": 1,
        "refused/excluded": 1,
        "refused/scheme": 1,
        "refused/no-link": 1,
        "failed/http-302": 1,
        "failed/redirects": 1,
        "failed/cut-short": 1,
        "failed/too-large": 3,
        "failed/http-404": 1,
    }
    assert crawled.done["feed"]["accounted"]


def test_addresses_are_canonical(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    pages = Counter(url.removeprefix(site.url) for url in crawls.pages("feed"))
    assert pages == {
        "/good": 2,  # once under its own address, once as /twice, which names it as canonical
        "/arrived": 1,
        "/elsewhere": 1,
        "/error-first": 1,
        "/busy-first": 1,
        "/cut-first": 1,
    }


def test_only_whole_bodies_are_archived(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    (ref,) = [ref for ref in crawls.archive.captures("feed") if ref.url.endswith("/cut-first")]
    assert crawls.archive.read(ref).body == article("whole").body
    assert site.counts["/cut-first"] == 2


def test_what_robots_txt_forbids_is_never_asked_for(crawled: Crawled, site: Site) -> None:
    assert site.paths("/private/") == []


def test_robots_txt_is_asked_for_once_a_crawl(crawled: Crawled, site: Site) -> None:
    assert site.counts["/robots.txt"] == 5  # one for each source that asked this site for anything


def test_the_crawler_says_who_it_is(crawled: Crawled, site: Site) -> None:
    assert {asked.agent for asked in site.asked} == {
        "sulh/0.1 (research on news of armed conflict; mailto:desk@example.org)"
    }


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("walled", "not-a-feed"),
        ("mapped", "invalid-xml"),
        ("dead", "connection-refused"),
    ],
)
def test_a_list_that_cannot_be_read_is_a_named_failure(
    crawled: Crawled, crawls: Crawls, source: str, reason: str
) -> None:
    assert (crawled.done[source]["outcome"], crawled.done[source]["accounted"]) == ("failed", True)
    assert reason in crawled.done[source]["reason"]
    health = crawls.archive.health(source, now=datetime.now(UTC))
    assert health.failures == 1
    assert reason in health.reason


def test_what_a_half_broken_index_of_sitemaps_lists_is_fetched(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    assert crawls.pages("mapped") == [f"{site.url}/from-map"]


def test_a_calendar_without_end_is_left(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    assert len(crawls.pages("calendar")) == 2
    assert site.paths("/news?p=") == ["/news?p=1"]


def test_a_closed_interface_falls_back_to_the_feed(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    assert crawls.pages("closed") == [f"{site.url}/fell-back"]
    assert crawled.done["closed"]["outcome"] == "ok"


def test_what_stops_one_source_stops_no_other(crawled: Crawled) -> None:
    assert crawled.code == 1
    assert crawled.done["busy"]["outcome"] == "not-begun"
    assert "busy is being crawled by another process" in crawled.stderr
    assert "broken.yml:2: kind:" in crawled.stderr
    assert all(done["accounted"] for source, done in crawled.done.items() if source != "busy")


def test_the_archive_is_one_that_every_tool_reads(crawled: Crawled, crawls: Crawls) -> None:
    files = [str(path) for path in crawls.archive.folder.glob("*/*.warc.gz*")]
    assert len(files) == 5  # the dead source has nothing to keep
    assert all(path.endswith(".warc.gz") for path in files)
    answer = subprocess.run([sys.executable, "-m", "warcio.cli", "check", *files], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (0, "")


def test_a_second_crawl_asks_only_whether_something_changed(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    began = len(site.asked)
    second = crawls.run("--source", "feed")
    assert [asked.path for asked in site.asked[began:] if not asked.conditional] == ["/robots.txt"]
    assert [asked.path for asked in site.asked[began:] if asked.conditional] == ["/feed"]
    assert (second.code, second.done["feed"]["discovered"]) == (0, 0)


def test_the_loopback_is_closed_without_the_setting(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    began = len(site.asked)
    refused = crawls.run("--source", "walled", loopback=False)
    assert site.asked[began:] == []
    assert "private-address" in refused.done["walled"]["reason"]


def test_a_source_can_be_checked_without_keeping_anything(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    before = crawls.pages("calendar")
    good = subprocess.run([*crawls.command("--check", "calendar")], capture_output=True, text=True, cwd=Path.cwd())
    facts = json.loads(good.stdout)
    assert (good.returncode, facts["ok"], facts["listed"], facts["page"]["url"]) == (0, True, 2, f"{site.url}/l1")
    assert crawls.pages("calendar") == before


def test_a_site_is_discovered(crawled: Crawled, crawls: Crawls, site: Site) -> None:
    head = '<title>The Outlet</title><link rel="alternate" type="application/rss+xml" href="/feed">'
    site.pages["/"] = Reply(f'<html lang="fr"><head>{head}</head></html>'.encode())
    answer = subprocess.run(crawls.command("--discover", f"{site.url}/"), capture_output=True, text=True)
    assert answer.returncode == 0
    for line in ('name: "The Outlet"', "language: fr", "kind: feed", f'url: "{site.url}/feed"', 'checked: "never"'):
        assert line in answer.stdout.splitlines()


@pytest.mark.parametrize("moment", [4, 20])
def test_kill_minus_nine_loses_nothing(tmp_path: Path, moment: int) -> None:
    site, crawls = Site(), Crawls(tmp_path)
    try:
        site.pages["/feed"] = rss(*(item(f"/{number}") for number in range(30)))
        site.pages |= {f"/{number}": article(f"text {number}") for number in range(30)}
        crawls.source("long", "feed", f"{site.url}/feed")
        reached = threading.Event()
        site.watch = lambda total: reached.set() if total == moment else None
        with crawls.start("--source", "long", stdout=subprocess.DEVNULL) as process:
            assert reached.wait(30)
            process.kill()
        files = [str(path) for path in crawls.archive.folder.glob("*/*.warc.gz*")]
        for ref in crawls.archive.captures("long"):
            assert crawls.archive.read(ref).body
        after = crawls.run()
        assert after.code == 0
        assert sorted(crawls.pages("long")) == sorted(f"{site.url}/{number}" for number in range(30))
        files = [str(path) for path in crawls.archive.folder.glob("*/*.warc.gz*")]
        check = subprocess.run([sys.executable, "-m", "warcio.cli", "check", *files], capture_output=True, text=True)
        assert (check.returncode, check.stdout) == (0, "")
        counts = crawls.dispositions("long")
        assert counts.pop("discovered") == sum(counts.values())
        assert counts["fetched"] == 30
    finally:
        site.close()


@pytest.mark.parametrize("how", ["the parent dies", "SIGTERM"])
def test_a_crawl_that_is_ended_holds_nothing(tmp_path: Path, how: str) -> None:
    site, crawls = Site(), Crawls(tmp_path)
    try:
        site.pages["/feed"] = rss(*(item(f"/{number}") for number in range(5)))
        reached, release = threading.Event(), threading.Event()
        site.pages["/0"] = lambda count: (reached.set(), release.wait(30), article("late"))[2]
        crawls.source("slow", "feed", f"{site.url}/feed")
        with crawls.start("--with-parent", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert reached.wait(30)
            if how == "SIGTERM":
                process.terminate()
                line = json.loads(process.stdout.read().splitlines()[-1])
                assert (line["outcome"], line["accounted"]) == ("interrupted", False)
            else:
                process.stdin.close()
            assert process.wait(30) == 1
        crawls.archive.writer("slow").close()  # not locked any more
        release.set()
    finally:
        release.set()
        site.close()


def test_the_past_is_crawled_by_the_sitemap_that_robots_txt_names(tmp_path: Path) -> None:
    site, crawls = Site(), Crawls(tmp_path)
    try:
        site.pages["/robots.txt"] = Reply(f"User-agent: *\nSitemap: {site.url}/all.xml\n".encode())
        listed = {"/before": "2014-10-31", "/first": "2014-11-01", "/last": "2014-11-30", "/after": "2014-12-01"}
        entries = "".join(
            f"<url><loc>{site.url}{path}</loc><lastmod>{day}</lastmod></url>" for path, day in listed.items()
        )
        site.pages["/all.xml"] = Reply(f"<urlset>{entries}<url><loc>/when</loc></url></urlset>".encode())
        site.pages |= {path: article(path) for path in listed}
        crawls.source("past", "feed", f"{site.url}/feed")
        for _ in range(2):
            answer = crawls.run("--via", "sitemap", "--since", "2014-11-01", "--until", "2014-11-30")
            assert (answer.code, answer.done["past"]["discovered"]) == (0, 3)
            assert sorted(crawls.pages("past")) == [f"{site.url}/first", f"{site.url}/last"]
        assert crawls.dispositions("past") == {"discovered": 6, "fetched": 2, "known/seen": 2, "refused/undated": 2}
    finally:
        site.close()


def test_what_a_crawl_says_comes_in_whole_lines_which_nothing_can_come_between(tmp_path: Path) -> None:
    crawls = Crawls(tmp_path)
    for name in ("one", "two"):
        crawls.source(name, "feed", "http://127.0.0.1:9/feed")
    # Each write is a message of its own.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, crawls.start(stdout=subprocess.DEVNULL, stderr=theirs) as crawl:
        theirs.close()
        said = list(iter(lambda: ours.recv(2**16).decode(), ""))
        assert crawl.wait(30) == 0
    assert [line.split(": ")[1] for line in said] == ["one", "two"]
    assert [line.count("\n") for line in said] == [1, 1] == [line.endswith("\n") for line in said]
