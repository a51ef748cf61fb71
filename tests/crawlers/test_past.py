"""A site's past comes from web archives as from the site: once, whole, by name, and at their pace."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sulh.demo.serve import FOLDER, Outlet
from tests.crawlers.site import ROOT, Crawled, Crawls, Reply, Site, article, item, rss
from tests.crawlers.webarchive import Held, WebArchive

OUTLET = Outlet(FOLDER / "levantwire_lb")
PAGES = [OUTLET.answer(OUTLET.path(name)).body for name in list(OUTLET.pages)[:5]]
SITE = "http://outlet.test"
SPAN = ("--source", "outlet", "--since", "2014-11-01", "--until", "2014-11-30")
ALIKE = "2014-11-10"
"""A day on which only a page was captured that had not changed."""

HELD = [
    Held(f"{SITE}/one", "20141102080000", PAGES[0], headers=(("Last-Modified", "Sun, 02 Nov 2014 07:00:00 GMT"),)),
    Held(f"{SITE}/one", "20141110080000", PAGES[0], revisit=True),
    Held(f"{SITE}/one?utm_source=feed", "20141112080000", PAGES[0] + b"<!-- corrected -->"),
    Held("http://www.outlet.test:80/two", "20141103080000", PAGES[1], quirk="busy"),
    Held(f"{SITE}/late", "20141202080000", PAGES[2]),
    Held(f"{SITE}/missing", "20141104080000", b"no", 404),
    Held(f"{SITE}/moved", "20141104080000", b"", 301, headers=(("Location", f"{SITE}/two"),)),
    Held(f"{SITE}/feed", "20141105080000", b"<rss/>", mime="application/rss+xml"),
    Held(f"{SITE}/", "20141105080000", b"<p>front"),
    Held(f"{SITE}/private.php", "20141105080000", b"<p>print"),
    Held("http://outlet.test.elsewhere.test/x", "20141105080000", b"<p>not ours"),
    Held(f"{SITE}/gone", "20141106080000", PAGES[2], quirk="gone"),
    Held(f"{SITE}/gone", "20141116080000", PAGES[2]),
    Held(f"{SITE}/cut", "20141107080000", PAGES[3], quirk="cut"),
    Held(f"{SITE}/winter", "20141128080000", PAGES[4], collection="CC-MAIN-2014-52"),
]
BOTH = {
    "fetched": 5,
    "known/same-digest": 1,
    "refused/http-404": 1,
    "refused/http-301": 1,
    "refused/not-a-page": 1,
    "refused/front-page": 1,
    "refused/excluded": 1,
    "refused/other-host": 1,
    "failed/gone-from-archive": 1,
}
CUT = {"commoncrawl": "cut-short", "wayback": "encoding"}


@dataclass
class Past:
    via: str
    archive: WebArchive
    crawls: Crawls
    crawled: Crawled

    def again(self, via: str) -> Crawled:
        return self.crawls.run(*SPAN, "--via", via, *self.archive.options)


@pytest.fixture
def stand_in() -> Iterator[WebArchive]:
    archive = WebArchive(held=list(HELD))
    yield archive
    archive.close()


def source(tmp_path: Path) -> Crawls:
    crawls = Crawls(tmp_path)
    crawls.source("outlet", "feed", f"{SITE}/feed", "delay: 0\nexclude: ['private']\n")
    return crawls


@pytest.fixture(scope="module", params=["commoncrawl", "wayback"])
def past(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    crawls = source(tmp_path_factory.mktemp("past"))
    archive = WebArchive(held=list(HELD))
    yield Past(request.param, archive, crawls, crawls.run(*SPAN, "--via", request.param, *archive.options))
    archive.close()


def test_every_capture_has_one_disposition_by_name(past: Past) -> None:
    assert past.crawled.code == 0, past.crawled.stderr
    expected = BOTH | {f"failed/{CUT[past.via]}": 1}
    assert past.crawls.dispositions("outlet") == expected | {"discovered": sum(expected.values())}


def test_pages_are_captures_as_of_when_they_were_captured(past: Past) -> None:
    archive = past.crawls.archive
    pages = {ref.fetched_at.date().isoformat(): archive.read(ref) for ref in archive.captures("outlet")}
    assert sorted(pages) == ["2014-11-02", "2014-11-03", "2014-11-12", "2014-11-16", "2014-11-28"]
    first = pages["2014-11-02"]
    assert (first.body, first.status, first.content_type) == (PAGES[0], 200, "text/html")
    assert ("Last-Modified", "Sun, 02 Nov 2014 07:00:00 GMT") in first.headers
    assert not [name for name, _ in first.headers if name.lower().startswith(("x-archive", "memento"))]
    assert pages["2014-11-12"].url == first.url


def test_what_is_missing_is_told(past: Past) -> None:
    gaps = past.crawled.done["outlet"]["gaps"]
    lost = {item["url"]: item["reason"] for item in gaps["items"]}
    assert lost == {f"{SITE}/gone": "gone-from-archive", f"{SITE}/cut": CUT[past.via]}
    assert ["2014-11-04", "2014-11-09"] in gaps["days"]
    assert not [run for run in gaps["days"] if run[0] <= ALIKE <= run[1]]
    assert gaps["lists"] == []


def test_requests_come_one_at_a_time_and_say_who_asks(past: Past) -> None:
    assert past.archive.most_at_once == 1
    assert {"desk@example.org" in asked.agent for asked in past.archive.asked} == {True}


def test_a_second_call_fetches_nothing_that_is_here(past: Past) -> None:
    before = len(past.archive.fetched)
    again = past.again(past.via)
    # What could not be had is asked for once more.
    asked = {path for path in past.archive.fetched[before:]}
    assert len(asked) == 1
    counts = again.done["outlet"]
    # The copy that was gone is known by now: it was the same as another.
    assert (counts["fetched"], counts["known"], counts["failed"]) == (0, 7, 1)


def test_the_index_can_be_rebuilt_without_asking_again(past: Past) -> None:
    past.crawls.archive.rebuild_index("outlet", now=datetime(2026, 1, 1, tzinfo=UTC))
    assert past.again(past.via).done["outlet"]["fetched"] == 0


@pytest.mark.parametrize("via", ["commoncrawl", "wayback"])
def test_a_call_that_was_killed_goes_on_where_it_was(tmp_path: Path, stand_in: WebArchive, via: str) -> None:
    stand_in.held = [
        Held(f"{SITE}/{number}", f"201411{number:02}080000", PAGES[0] + b"%d" % number) for number in range(1, 25)
    ]
    crawls = source(tmp_path)
    killed = threading.Event()

    def kill(total: int) -> None:
        if len(stand_in.fetched) == 12 and not killed.is_set():
            process.kill()
            killed.set()

    stand_in.watch = kill
    process = crawls.start(*SPAN, "--via", via, *stand_in.options, stdout=subprocess.DEVNULL)
    process.wait(timeout=60)
    assert killed.is_set()
    again = crawls.run(*SPAN, "--via", via, *stand_in.options)
    assert again.code == 0, again.stderr
    assert len(crawls.pages("outlet")) == 24
    # Only the one that was on its way when the crawl was killed is asked for again.
    assert Counter(stand_in.fetched).most_common()[0][1] <= 2
    assert len(stand_in.fetched) <= 25
    counts = crawls.dispositions("outlet")
    assert counts["discovered"] == sum(counts.values()) - counts["discovered"]


@pytest.mark.parametrize("via", ["commoncrawl", "wayback"])
def test_two_backfills_at_once_ask_one_after_the_other(tmp_path: Path, stand_in: WebArchive, via: str) -> None:
    stand_in.held = [
        Held(f"{site}/{number}", f"201411{number:02}080000", PAGES[0] + b"%d" % number)
        for site in (SITE, "http://other.test")
        for number in range(1, 4)
    ]
    crawls = source(tmp_path)
    crawls.source("other", "feed", "http://other.test/feed", "delay: 0\n")
    asked, go = threading.Event(), threading.Event()

    def hold(total: int) -> None:
        asked.set()
        go.wait(30)

    stand_in.watch = hold
    first = crawls.start(*SPAN, "--via", via, *stand_in.options, stdout=subprocess.DEVNULL)
    assert asked.wait(30)
    second = crawls.start(
        "--source", "other", *SPAN[2:], "--via", via, *stand_in.options,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    with first, second:
        assert second.stderr is not None
        assert "another backfill is asking 127.0.0.1:" in second.stderr.readline()
        go.set()
        assert (first.wait(60), second.wait(60)) == (0, 0)
    assert (len(crawls.pages("outlet")), len(crawls.pages("other"))) == (3, 3)
    assert stand_in.most_at_once == 1


def test_a_dead_collection_is_a_gap_and_a_failure(tmp_path: Path, stand_in: WebArchive) -> None:
    stand_in.dead = ("CC-MAIN-2014-48", "CC-MAIN-2009-2010", "CC-MAIN-2016-07")
    crawled = source(tmp_path).run(*SPAN, "--via", "commoncrawl", *stand_in.options)
    told = crawled.done["outlet"]
    assert [gap["list"] for gap in told["gaps"]["lists"]] == ["CC-MAIN-2014-48"]
    assert (told["outcome"], told["fetched"], told["accounted"]) == ("failed", 5, True)
    assert "CC-MAIN-2014-48" in crawled.stderr


def test_what_an_archive_may_not_show_is_refused_by_name(tmp_path: Path, stand_in: WebArchive) -> None:
    page = Held(f"{SITE}/closed", "20141102080000", PAGES[0], quirk="robots")
    moved = Held(f"{SITE}/moved-on", "20141103080000", PAGES[1], quirk="moved")
    pdf = Held(f"{SITE}/paper", "20141104080000", b"%PDF-1.4", mime="application/pdf", revisit=True)
    stand_in.held = [page, moved, pdf]
    crawls = source(tmp_path)
    assert crawls.run(*SPAN, "--via", "wayback", *stand_in.options).code == 0
    expected = {"refused/robots": 1, "failed/gone-from-archive": 1, "refused/not-a-page": 1, "discovered": 3}
    assert crawls.dispositions("outlet") == expected


def test_a_page_that_an_archive_kept_in_part_is_not_taken_for_whole(tmp_path: Path, stand_in: WebArchive) -> None:
    stand_in.held = [Held(f"{SITE}/long", "20141102080000", PAGES[0], quirk="truncated")]
    crawls = source(tmp_path)
    crawls.run(*SPAN, "--via", "commoncrawl", *stand_in.options)
    assert crawls.dispositions("outlet") == {"failed/cut-in-archive": 1, "discovered": 1}


def test_an_archive_that_does_not_answer_is_left_alone(tmp_path: Path, stand_in: WebArchive) -> None:
    stand_in.held = [Held(f"{SITE}/{number}", "20141102080000", b"%d" % number, quirk="down") for number in range(20)]
    crawls = source(tmp_path)
    crawled = crawls.run(*SPAN, "--via", "commoncrawl", *stand_in.options)
    assert crawled.code == 0
    told = crawled.done["outlet"]
    assert (told["outcome"], told["failed"], len(stand_in.fetched)) == ("failed", 3, 3)
    assert "3 times in a row (http-503)" in told["reason"]


# The command


def sulh(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SULH_")}
    environment |= {"PYTHONPATH": str(ROOT), "SULH_HOME": str(home), "SULH_ALLOW_LOOPBACK": "true", **settings}
    command = [sys.executable, "-m", "sulh", *arguments]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=120)


def test_what_an_archive_held_is_read_as_any_page(tmp_path: Path, stand_in: WebArchive) -> None:
    source(tmp_path)
    call = ("backfill", "outlet", "--from", "2014-11-01", "--to", "2014-11-30", "--via", "wayback")
    told = sulh(tmp_path, *call, SULH_WAYBACK=stand_in.url)
    assert told.returncode == 0, told.stderr
    assert "crawled 1 source: 14 discovered, 5 fetched, 1 known, 6 refused, 2 failed" in told.stdout
    assert "outlet: nothing of 24 days: 2014-11-01, 2014-11-04 to 2014-11-09, " in told.stdout.replace(
        ", the longest runs", ""
    )
    assert f"outlet: could not be had: {SITE}/gone: gone-from-archive" in told.stdout
    read = json.loads(sulh(tmp_path, "process", "--json").stdout)
    assert (read["total"], read["faults"]) == (5, [])
    days = [json.loads(row)["fetched_at"][:7] for row in sulh(tmp_path, "export", "documents").stdout.splitlines()]
    assert set(days) == {"2014-11"}
    assert sulh(tmp_path, "ledger").returncode == 0


def test_a_backfill_of_the_site_itself_tells_its_gaps_too(tmp_path: Path) -> None:
    site, crawls = Site(), Crawls(tmp_path)
    days = {"/one": "2014-11-02", "/two": "2014-11-02", "/gone": "2014-11-05", "/late": "2014-12-24"}
    urls = "".join(f"<url><loc>{site.url}{path}</loc><lastmod>{day}</lastmod></url>" for path, day in days.items())
    children = f"<sitemap><loc>{site.url}/a.xml</loc></sitemap><sitemap><loc>{site.url}/b.xml</loc></sitemap>"
    site.pages["/map.xml"] = Reply(f"<sitemapindex>{children}</sitemapindex>".encode(), kind="application/xml")
    site.pages["/a.xml"] = Reply(f"<urlset>{urls}</urlset>".encode(), kind="application/xml")
    site.pages |= {"/one": article("one"), "/two": article("two")}
    crawls.source("outlet", "sitemap", f"{site.url}/map.xml")
    told = crawls.run(*SPAN).done["outlet"]
    site.close()
    assert (told["outcome"], told["fetched"], told["failed"]) == ("failed", 2, 1)
    assert told["gaps"] == {
        "days": [["2014-11-01", "2014-11-01"], ["2014-11-03", "2014-11-04"], ["2014-11-06", "2014-11-30"]],
        "lists": [{"list": f"{site.url}/b.xml", "reason": "http-404"}],
        "items": [{"url": f"{site.url}/gone", "reason": "http-404"}],
    }


# Month by month


def test_months_read_each_list_once_a_day_and_then_ask_only_whether_it_changed(
    tmp_path: Path,
) -> None:
    site, crawls = Site(), Crawls(tmp_path)

    def sitemap(*days: str) -> Reply:
        urls = "".join(f"<url><loc>{site.url}/{day}</loc><lastmod>{day}</lastmod></url>" for day in days)
        return Reply(f"<urlset>{urls}</urlset>".encode(), kind="application/xml", headers={"ETag": f'"{hash(days)}"'})

    children = "".join(f"<sitemap><loc>{site.url}/{name}.xml</loc></sitemap>" for name in ("old", "new"))
    site.pages["/map.xml"] = Reply(f"<sitemapindex>{children}</sitemapindex>".encode(), headers={"ETag": '"map"'})
    site.pages |= {"/old.xml": sitemap("2014-09-10", "2014-10-10"), "/new.xml": sitemap("2014-11-10")}
    site.pages |= {"/robots.txt": Reply(b"User-agent: *", headers={"ETag": '"robots"'})}
    site.pages |= {f"/{day}": article(day) for day in ("2014-09-10", "2014-10-10", "2014-10-20", "2014-11-10")}
    crawls.source("outlet", "sitemap", f"{site.url}/map.xml")
    lists = ["/robots.txt", "/map.xml", "/old.xml", "/new.xml"]

    def month(number: int) -> list[str]:
        """Crawl one, and give the lists that were asked for, with a mark where it was asked whether they changed."""
        before = len(site.asked)
        assert crawls.run("--since", f"2014-{number:02}-01", "--until", f"2014-{number:02}-30").code == 0
        asked = [one for one in site.asked[before:] if one.path in lists]
        return [one.path + "?" * one.conditional for one in asked]

    def a_day_later() -> None:
        with closing(sqlite3.connect(crawls.archive.folder / "outlet" / "index.sqlite")) as index, index:
            (row,) = index.execute("SELECT max(read_at) FROM readings")
            earlier = (datetime.fromisoformat(row[0]) - timedelta(days=1, minutes=1)).isoformat(timespec="microseconds")
            index.execute("UPDATE readings SET read_at = ?", (earlier,))
            index.execute("UPDATE captures SET fetched_at = ? WHERE kind <> 'page'", (earlier,))

    try:
        assert month(9) == lists
        assert month(10) == []
        assert crawls.pages("outlet") == [f"{site.url}/2014-09-10", f"{site.url}/2014-10-10"]
        a_day_later()
        site.pages["/old.xml"] = sitemap("2014-09-10", "2014-10-10", "2014-10-20")
        assert month(11) == ["/robots.txt", "/map.xml?", "/old.xml?", "/new.xml?"]
        assert month(10) == []
        assert crawls.pages("outlet")[-2:] == [f"{site.url}/2014-11-10", f"{site.url}/2014-10-20"]
        # A list that could not be read is asked for again, and so is one that does not yet know all of the span.
        a_day_later()
        site.pages["/new.xml"] = Reply(b"<html>down")
        crawls.run("--since", "2014-11-01", "--until", "2014-11-30")
        site.pages["/new.xml"] = sitemap("2014-11-10")
        assert month(11) == ["/new.xml"]
        before = len(site.asked)
        assert crawls.run("--since", "2014-11-01", "--until", f"{date.today()}").code == 0
        assert [one.path for one in site.asked[before:] if one.conditional] == lists[1:]
    finally:
        site.close()


@pytest.mark.parametrize("kind", ["feed", "listing"])
def test_older_pages_of_a_list_are_no_older_than_what_leads_to_them(tmp_path: Path, kind: str) -> None:
    site, crawls = Site(), Crawls(tmp_path)
    links = [f"{site.url}/2014/{month:02}/10/story" for month in (12, 11, 10, 9)]

    def publish() -> None:
        """Show two stories a page, the newest first."""
        for number in range(1, len(links) // 2 + 2):
            shown = links[2 * number - 2 : 2 * number]
            anchors = "".join(f"<a href='{link}'>story</a>" for link in shown)
            older = f"<b><a href='/list?p={number + 1}'>older</a></b>" if links[2 * number :] else ""
            listing = Reply(f"<html><body><i>{anchors}</i>{older}</body></html>".encode())
            site.pages[f"/list?p={number}"] = rss(*map(item, shown)) if kind == "feed" else listing
        site.pages["/list"] = site.pages["/list?p=1"]

    more = "delay: 0\n" + ("pages: p\n" if kind == "feed" else "selectors: {item: i a, next: b a}\n")
    crawls.source("outlet", kind, f"{site.url}/list", more)
    site.pages |= {link.removeprefix(site.url): article(link) for link in links}

    def asked(number: int) -> list[str]:
        before = len(site.asked)
        assert crawls.run("--since", f"2014-{number:02}-01", "--until", f"2014-{number:02}-30").code == 0
        return [one.path for one in site.asked[before:] if one.path.startswith("/list")]

    try:
        publish()
        assert "/list?p=2" in asked(9)
        assert asked(10) == []
        # A new story moves one from the first page to the second; the first is asked for again, so the second is too.
        links.insert(0, f"{site.url}/2014/12/12/story")
        publish()
        with closing(sqlite3.connect(crawls.archive.folder / "outlet" / "index.sqlite")) as index, index:
            index.execute("DELETE FROM readings WHERE address LIKE '%/list'")
        assert asked(11)[:2] == ["/list", "/list?p=2"]
        assert crawls.pages("outlet") == [links[4], links[3], links[2]]
    finally:
        site.close()
