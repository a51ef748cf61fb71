"""What goes wrong unseen is found on real outlets of this machine, told once, and gone when it is mended."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from processors.archive import Listed
from processors.errors import SettingsError, StoreError
from processors.records import Alert, Document, Member, digest
from sulh.cli import main
from sulh.config import Settings
from sulh.deliver import render_finding
from sulh.desk import app
from sulh.doctor import KINDS, Look
from sulh.freshness import Freshness, freshness, percentile, slow
from sulh.pipeline import registers_of
from sulh.stores import Finding, Outcome, Processed, open_store
from sulh.watch import MANY, SILENCE, WatchReport, fold, tell, told, watch
from tests.crawlers.site import Crawls, Reply, Site, article, item, rss

HOUR = timedelta(hours=1)
NOON = datetime(2014, 11, 15, 12, tzinfo=UTC)


@dataclass
class Hook:
    """A webhook on loopback."""

    address: str
    got: list[tuple[str, str]] = field(default_factory=list)
    """Title and text of each message."""
    refuse: bool = False


@pytest.fixture
def hook() -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(503 if hook.refuse else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if not hook.refuse:
                hook.got.append((sent["title"], sent["message"]))

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Hook(f"json://127.0.0.1:{server.server_port}/operators")
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield hook
        server.shutdown()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@dataclass
class Bench:
    """Outlets on loopback, and operators who are told of them."""

    crawls: Crawls
    settings: Settings

    def watch(self) -> WatchReport:
        return watch(self.settings, now=datetime.now(UTC))

    def standing(self) -> set[tuple[str, str]]:
        """Look once more, and give what stands."""
        return {(one.kind, one.about) for one in self.watch().standing}


@pytest.fixture
def bench(tmp_path: Path, hook: Hook) -> Bench:
    crawls = Crawls(tmp_path)
    settings = Settings(
        home=crawls.home, sources=crawls.sources, operators=(hook.address,), allow_loopback=True, workers=1
    )
    open_store(settings.store_address).close()
    return Bench(crawls, settings)


def test_an_outlet_gone_silent_is_told_once_and_gone_with_its_next_news(site: Site, bench: Bench, hook: Hook) -> None:
    # Twice a day, until three weeks ago.
    links = [f"{site.url}/{number}" for number in range(8)]
    began = datetime.now(UTC) - timedelta(days=24)
    bench.crawls.source("quiet_sy", "feed", f"{site.url}/feed")
    with bench.crawls.archive.writer("quiet_sy") as writer:
        for number, link in enumerate(links):
            at = began + number * timedelta(hours=12)
            writer.begin(at)
            (due,) = writer.discover([Listed(address=link, url=link)], at).result().due
            writer.fail(due, "http-503", at)
            writer.end("ok", "", at)
    site.pages = {f"/{number}": article("An old story.") for number in range(8)}
    site.pages["/feed"] = rss(*map(item, links))
    # Nobody has looked for weeks: that is not the outlet's silence.
    assert bench.standing() == {("standstill", "crawls")}
    assert bench.crawls.run("--source", "quiet_sy").code == 0
    first = bench.watch()
    assert [(one.kind, one.about) for one in first.new] == [("silent", "quiet_sy")]
    assert "hardly ever quiet for longer than 12 h" in first.new[0].said
    again = bench.watch()
    assert again.new == () and [one.id for one in again.standing] == [first.new[0].id]
    assert [title for title, _ in hook.got] == ["sulh: standstill: crawls", "sulh: silent: quiet_sy"]
    assert "sulh sources check quiet_sy" in hook.got[1][1] and first.new[0].id in hook.got[1][1]

    site.pages |= {"/feed": rss(item(f"{site.url}/new"), *map(item, links)), "/new": article("A new story.")}
    assert bench.crawls.run("--source", "quiet_sy").code == 0
    mended = bench.watch()
    assert mended.standing == () and [one.id for one in mended.gone] == [first.new[0].id]
    assert len(hook.got) == 2


def test_a_feed_that_turned_into_a_page_or_became_empty_is_told_once(site: Site, bench: Bench, hook: Hook) -> None:
    good = rss(item(f"{site.url}/1"))
    site.pages = {"/feed": good, "/1": article("A story.")}
    bench.crawls.source("turned_sy", "feed", f"{site.url}/feed")
    assert bench.crawls.run("--source", "turned_sy").code == 0
    assert bench.standing() == set()

    site.pages["/feed"] = Reply(b"<!doctype html><html><body>Welcome to our new site</body></html>")
    bench.crawls.run("--source", "turned_sy")
    assert bench.standing() == bench.standing() == {("no-list", "turned_sy")}
    # A site that does not answer at all has not mended its feed.
    site.pages["/feed"] = Reply(b"", 404)
    bench.crawls.run("--source", "turned_sy")
    assert bench.standing() == {("no-list", "turned_sy")}

    site.pages["/feed"] = rss()
    bench.crawls.run("--source", "turned_sy")
    assert bench.standing() == bench.standing() == {("empty-list", "turned_sy")}
    # Nor is a feed that has not changed since any fuller.
    bench.crawls.run("--source", "turned_sy")
    assert bench.standing() == {("empty-list", "turned_sy")}

    site.pages["/feed"] = good
    bench.crawls.run("--source", "turned_sy")
    assert bench.standing() == set()
    assert [title for title, _ in hook.got] == ["sulh: no-list: turned_sy", "sulh: empty-list: turned_sy"]


def test_a_balance_broken_by_hand_is_told_once_and_again_when_it_breaks_again(
    site: Site, bench: Bench, hook: Hook
) -> None:
    site.pages = {"/feed": rss(item(f"{site.url}/1")), "/1": article("A story.")}
    bench.crawls.source("outlet_sy", "feed", f"{site.url}/feed")
    bench.crawls.run("--source", "outlet_sy")
    assert bench.standing() == set()

    def count(change: int) -> None:
        index = bench.settings.home / "archive" / "outlet_sy" / "index.sqlite"
        with closing(sqlite3.connect(index)) as db, db:
            db.execute("UPDATE crawls SET discovered = discovered + ?", [change])

    count(1)
    about = f"ledger of outlet_sy, {datetime.now(UTC).date()}"
    assert bench.standing() == bench.standing() == {("ledger", about)}
    assert len(hook.got) == 1 and "out of balance by 1 at crawl" in hook.got[0][1]
    # Which would not mend what the archive's own index counts.
    assert "sulh replay" not in hook.got[0][1]
    count(-1)
    assert bench.standing() == set()
    count(1)
    assert bench.standing() == bench.standing() == {("ledger", about)}
    assert len(hook.got) == 2
    with closing(sqlite3.connect(bench.settings.store_address)) as db, db:
        db.execute(
            "INSERT INTO outcomes (capture, source, url, fetched_at, disposition, reason, document)"
            " VALUES ('of-no-capture', 'outlet_sy', 'u', ?, 'rejected', 'r', '')",
            [datetime.now(UTC).isoformat()],
        )
    assert bench.standing() == {("ledger", about)}
    count(-1)
    standing = bench.watch().standing
    assert ["sulh replay" in one.todo for one in standing] == [True]
    assert ["at crawl and -1 at process" in one.said for one in standing] == [True]
    assert len(hook.got) == 2


def test_what_operators_could_not_be_told_is_told_when_they_can_be(bench: Bench, hook: Hook) -> None:
    hook.refuse = True
    report = tell(bench.settings, "task-failed", "daily.crawl", said="Traceback\n  line", now=NOON)
    assert (report.delivery.failed, len(report.new)) == (1, 1)
    # The failure itself is a finding, of the very channel that cannot be told of it yet.
    late = watch(bench.settings, now=NOON + HOUR)
    assert {one.kind for one in late.standing} == {"task-failed", "delivery-failed"}
    hook.refuse = False
    watch(bench.settings, now=NOON + 2 * HOUR)
    after = watch(bench.settings, now=NOON + 3 * HOUR)
    assert {one.kind for one in after.standing} == {"task-failed"}
    assert sorted(title.split(":")[1].strip() for title, _ in hook.got) == ["delivery-failed", "task-failed"]


def test_a_finding_from_outside_is_told_once_while_it_keeps_coming(bench: Bench, hook: Hook) -> None:
    at = NOON
    for _ in range(4):
        tell(bench.settings, "task-failed", "daily.crawl", said="it broke", now=at)
        at += 20 * HOUR
    assert len(hook.got) == 1
    assert len(watch(bench.settings, now=at).standing) == 1
    at += SILENCE
    tell(bench.settings, "task-failed", "daily.crawl", said="it broke anew", now=at)
    assert len(hook.got) == 2
    quiet = watch(bench.settings, now=at + SILENCE)
    assert quiet.standing == () and len(quiet.gone) == 1


def test_a_store_that_is_away_is_told_once_and_what_failed_meanwhile_too(
    bench: Bench, hook: Hook, tmp_path: Path
) -> None:
    away = bench.settings.model_copy(update={"store": str(tmp_path)})  # a folder, which no store can be
    for hours in range(3):
        with pytest.raises(StoreError):
            watch(away, now=NOON + hours * HOUR)
        tell(away, "task-failed", "daily.process", said="no store", now=NOON + hours * HOUR)
    assert [title for title, _ in hook.got] == ["sulh: store: store", "sulh: task-failed: daily.process"]
    assert watch(bench.settings, now=NOON + 4 * HOUR).standing == ()
    with pytest.raises(StoreError):
        watch(away, now=NOON + 5 * HOUR)
    assert [title for title, _ in hook.got[2:]] == ["sulh: store: store"]


def test_a_look_that_could_not_see_calls_nothing_gone() -> None:
    stood = fold([], [look("silent", "a"), look("ledger", "ledger of a"), look("silent", "b")], now=NOON)
    later = NOON + HOUR

    def gone(*looks: Look) -> set[tuple[str, str]]:
        return {(one.kind, one.about) for one in fold(stood, looks, now=later) if one.gone_at}

    assert len(stood) == 3
    assert gone() == {("silent", "a"), ("ledger", "ledger of a"), ("silent", "b")}
    assert gone(look("archive", "a")) == {("ledger", "ledger of a"), ("silent", "b")}
    assert gone(look("store", "store")) == set()
    undecided = replace(look("ledger", "ledger of a"), decided=False)
    assert gone(undecided, look("silent", "b")) == {("silent", "a")}
    assert fold([], [undecided], now=NOON) == []


def test_a_backfill_that_fails_or_brings_much_says_nothing_of_the_source(site: Site, bench: Bench) -> None:
    site.pages = {"/feed": rss(item(f"{site.url}/1")), "/1": article("A story.")}
    bench.crawls.source("well_sy", "feed", f"{site.url}/feed", "delay: 0\nexpect: {min: 0, max: 5}\n")
    past = ("--source", "well_sy", "--since", "2014-11-01", "--until", "2014-11-30", "--via", "sitemap")
    for _ in range(3):
        assert bench.crawls.run(*past).done["well_sy"]["outcome"] == "failed"
    health = bench.crawls.archive.health("well_sy", now=datetime.now(UTC))
    assert (health.outcome, health.failures, health.last_crawl) == ("never", 0, None)
    assert bench.standing() == set()
    # Neither does a span in which nothing came out make an emptied feed of one that is well.
    assert bench.crawls.run("--source", "well_sy").code == 0
    days = [f"{site.url}/{number}" for number in range(2, 40)]
    urls = "".join(f"<url><loc>{link}</loc><lastmod>2014-11-20</lastmod></url>" for link in days)
    site.pages["/sitemap.xml"] = Reply(f"<urlset>{urls}</urlset>".encode(), kind="application/xml")
    site.pages |= {f"/{number}": article(f"Story {number}.") for number in range(2, 40)}
    assert bench.crawls.run(*past).done["well_sy"]["fetched"] == 38
    site.pages["/sitemap.xml"] = Reply(b"<urlset></urlset>", kind="application/xml")
    assert bench.crawls.run(*past).done["well_sy"]["outcome"] == "ok"
    assert bench.standing() == set()
    health = bench.crawls.archive.health("well_sy", now=datetime.now(UTC) + timedelta(days=2))
    assert (health.outcome, health.fresh_a_day) == ("ok", None)
    assert len(bench.crawls.archive.pulse("well_sy").gaps) == 0


def test_what_breaks_everywhere_at_once_is_one_message() -> None:
    few = [look("crawl-failing", f"s{number}") for number in range(MANY)]
    assert len(fold([], few, now=NOON)) == MANY
    stood = fold([], few[:2], now=NOON)
    everywhere = [look("crawl-failing", f"s{number}") for number in range(MANY + 5)]
    found = fold(stood, everywhere, now=NOON + HOUR)
    assert sorted(one.about for one in found) == ["many", "s0", "s1"]
    (many,) = (one for one in found if one.about == "many")
    assert "s14" in many.said
    again = fold(found, everywhere, now=NOON + 2 * HOUR)
    assert {one.id for one in again} == {one.id for one in found} and not any(one.gone_at for one in again)


def look(kind: str, about: str) -> Look:
    return Look(level="wrong", about=about, said="it is so", todo="mend it", kind=kind)


def test_silence_ends_a_finding_from_outside() -> None:
    (one,) = told([], "task-failed", "a", said="x", todo="", now=NOON)
    (on,) = told([one], "task-failed", "a", said="y", todo="", now=NOON + SILENCE - HOUR)
    assert (on.id, on.said, on.first_at) == (one.id, "y", NOON)
    old, new = told([one], "task-failed", "a", said="y", todo="", now=NOON + SILENCE)
    assert old.gone_at is not None and new.id != one.id


def test_a_long_log_keeps_its_end() -> None:
    finding = Finding(
        id="f1",
        kind="task-failed",
        about="a",
        said="begin\n" + "x" * 9_000 + "\nend",
        todo="",
        first_at=NOON,
        last_at=NOON,
    )
    message = render_finding(finding, limit=1_000)
    assert len(message.body) <= 1_000 and "\nend\n" in message.body and "begin" not in message.body
    assert "f1" in message.body


# How fresh things are


def document(number: int, published: datetime | None) -> Document:
    url = f"https://outlet.example/{number}"
    return Document(
        id=digest(url),
        source="outlet_uk",
        url=url,
        title="Truce",
        text="A truce.",
        language="en",
        published_at=published,
        fetched_at=NOON,
        capture=f"c{number}",
        story=digest(url),
    )


def test_freshness_is_told_by_source(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = [10, 20, 30, 40, 50, 60, 70, 80, 90, 400]
    documents = [document(number, NOON - timedelta(minutes=late)) for number, late in enumerate(minutes)]
    # A page that gives a day only, and one that came out long ago.
    documents += [document(20, NOON.replace(hour=0)), document(21, NOON - timedelta(days=40)), document(22, None)]
    with closing(open_store(bench.settings.store_address)) as store:
        store.write(
            Processed(
                document=one,
                outcome=Outcome(
                    capture=one.capture,
                    source=one.source,
                    url=one.url,
                    fetched_at=NOON,
                    disposition="indexed",
                    document=one.id,
                    processed_at=NOON,
                ),
            )
            for one in documents
        )
        alert = Alert(
            id="a1",
            parties=("nusra",),
            kind="truce",
            opened_at=NOON,
            title="Truce",
            sentence="A truce.",
            members=(Member(document=documents[0].id, role="first"),),
            origins=(documents[0].story,),
            caution=(),
        )
        store.write_alerts([alert])
        store.enqueue("a1", ["phone"], at=NOON)
        delivery = store.due(channels=["phone"], now=NOON)
        assert delivery is not None and store.claim(delivery.id, now=NOON)
        store.settle(delivery.id, sent=True, now=NOON + timedelta(minutes=5))
        (row,) = freshness(store, bench.crawls.archive, now=NOON + HOUR)
        assert freshness(store, bench.crawls.archive, now=NOON + timedelta(days=9)) == []
    assert (row.documents, row.indexed_p50, row.indexed_p95) == (10, 50 * 60, 400 * 60)
    assert (row.messages, row.delivered_p50, row.delivered_p95) == (1, 300, 300)
    assert ["indexed 6 h 40 min after" in said for said in slow(row, {})] == [True]
    assert slow(replace(row, indexed_p95=3_000), {}) == ()
    assert len(slow(Freshness(source="s", messages=1, delivered_p95=3 * 3_600), {})) == 1
    assert (percentile([], 95), percentile([3], 50), percentile(list(range(1, 101)), 95)) == (None, 3, 95)
    report = watch(bench.settings, now=NOON + HOUR)
    assert report.freshness == (row,)
    assert ("slow", "outlet_uk") in {(one.kind, one.about) for one in report.new}
    # The desk and the command tell the same figures.
    monkeypatch.setattr("sulh.cli.now", lambda: NOON + HOUR)
    monkeypatch.setenv("SULH_HOME", str(bench.settings.home))
    told = json.loads(sulh("sources", "freshness", "--json").stdout)
    assert told == row.to_json()
    assert re.search("outlet_uk +10 +50 min +6 h 40 min +1 +5 min +5 min", sulh("sources", "freshness").stdout)
    desk = app(
        Path(bench.settings.store_address),
        home=bench.settings.home,
        registers=registers_of(None),
        now=lambda: NOON + HOUR,
    )
    (source,) = asyncio.run(desk.client.get("/sources.json")).json()
    assert {name: source[name] for name in source if name in told} == {
        name: told[name] for name in told if name not in ("documents", "messages")
    } | {"documents": 13}
    page = asyncio.run(desk.client.get("/sources")).text
    assert "6 h 40 min" in page and "Published to indexed" in page


# The command


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SULH_")]:
        monkeypatch.delenv(name)


def sulh(*arguments: object, status: int = 0, given: str = "") -> Result:
    result = CliRunner().invoke(main, [str(one) for one in arguments], input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def test_with_no_operators_a_finding_is_printed_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "nothing to watch yet" in sulh("--home", home, "watch").stderr
    assert not home.exists()
    telling = ("--home", home, "watch", "tell", "task-failed", "daily.crawl")
    first = sulh(*telling, "--said", "-", given="line one\nline two\n")
    assert first.stdout.startswith("sulh: task-failed: daily.crawl\n\nline one\nline two\n")
    again = sulh(*telling, "--json")
    assert "line" not in again.stderr
    row: dict[str, Any] = json.loads(again.stdout)
    assert (row["new"], row["delivery"]["sent"]) == ([], 0)
    shown = sulh("--home", home, "watch")
    assert "task-failed, daily.crawl (since " in shown.stdout and "1 finding stands, 0 new, 0 gone" in shown.stdout
    assert [one["about"] for one in json.loads(sulh("--home", home, "watch", "--json").stdout)["findings"]] == [
        "daily.crawl"
    ]


def test_before_anything_was_judged_nothing_is_wrong_and_a_lost_store_is(bench: Bench, hook: Hook, site: Site) -> None:
    store = Path(bench.settings.store_address)
    store.unlink()
    site.pages |= {"/feed": rss(item(f"{site.url}/1")), "/1": article("A report.")}
    bench.crawls.source("mine_gb", "feed", f"{site.url}/feed")
    given = ("--home", bench.settings.home)
    # The first crawl may take hours: what runs by the clock meanwhile must not alarm anybody.
    assert bench.crawls.run().code == 0
    for name in ("watch", "alert", "deliver"):
        done = sulh(*given, name)
        assert "yet: nothing was judged" in done.stderr and done.stdout == ""
    assert not store.exists()

    sulh(*given, "process")
    store.unlink()
    for name in ("watch", "alert", "deliver"):
        assert "there is no store yet" in sulh(*given, name, status=1).stderr


def test_a_kind_of_its_own_or_none_at_all_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "take another kind" in sulh("--home", home, "watch", "tell", KINDS[0], "x", status=1).stderr
    assert "KIND" in sulh("--home", home, "watch", "tell", "Task Failed", "x", status=2).stderr
    assert "ABOUT" in sulh("--home", home, "watch", "tell", "task-failed", " ", status=2).stderr


def test_an_address_that_cannot_be_used_is_named_by_its_setting(bench: Bench) -> None:
    wrong = bench.settings.model_copy(update={"operators": ("nonsense-s3cret",)})
    with pytest.raises(SettingsError, match="SULH_OPERATORS: address 1") as raised:
        watch(wrong, now=NOON)
    assert "s3cret" not in str(raised.value)
