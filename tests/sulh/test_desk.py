"""The desk's pages over a small store: each shows what matters, and nothing from the web is more than text."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from processors.archive import Archive, Exchange, Listed
from processors.errors import StoreError
from sulh import board, desk
from sulh.desk import DeskError, words
from sulh.desk.pages import Note, marked
from sulh.pairs import between_pair
from sulh.stores.sqlite import SqliteStore
from tests import sample_store as sample

Get = Callable[..., httpx.Response]
ROOT = Path(__file__).parents[2]

PAGES = {
    "/": "15 Nov 2014",
    "/claims": "C34",
    f"/claims/{sample.REGISTER}/C01": sample.DENIAL,
    f"/stories/{sample.WIRE.story}": "farmhouse",
    f"/stories/{sample.HOSTILE.story}": "comments",
    "/alerts": "Islamic State",
    "/alerts?queue=all": "585 days",
    f"/alerts/{sample.ALERT}": "Counter-report",
    f"/alerts/{sample.HELD}": "Held: old",
    "/timeline": sample.DENIAL,
    "/search": "Newest documents",
    "/search?q=truces": "Rival jihadists",
    "/sources": "down_tr",
    "/ledger": "paywall",
    "/findings": "brings nothing new since 2014-11-01",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A name that SQLite's addresses would read as more than a name.
    return sample.write(tmp_path_factory.mktemp("desk") / "store?mode=rwc#1.sqlite")


def getting(app: desk.Desk) -> Get:
    def get(address: str, *, method: str = "GET", **given: Any) -> httpx.Response:
        return asyncio.run(app.client.request(method, address, **given))

    return get


@pytest.fixture(scope="module")
def get(path: Path) -> Get:
    return getting(desk.app(path, registers=sample.registers()))


@pytest.mark.parametrize("address", PAGES)
def test_each_page_shows_what_matters(get: Get, address: str) -> None:
    answer = get(address)
    assert answer.status_code == 200
    assert PAGES[address] in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("address", PAGES)
def test_text_from_the_web_stays_text(get: Get, address: str) -> None:
    text = get(address).text
    assert "<script" not in text
    assert " style=" not in text, "the page policy would block it"
    assert not re.search(r"\son\w+=", text)


def test_hostile_text_is_shown_as_it_was_written(get: Get) -> None:
    text = get(f"/stories/{sample.HOSTILE.story}").text
    assert "&lt;script&gt;alert(&#39;desk&#39;)&lt;/script&gt;" in text


def test_right_to_left_text_says_so(get: Get) -> None:
    assert re.search(r'<blockquote[^>]* lang="ar" dir="auto">ونفى', get(f"/alerts/{sample.ALERT}").text)


def test_the_front_page_says_what_came_in_and_what_is_out_of_balance(get: Get) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", get("/").text).split())
    # vestnik_ru told its story the day before: its new revision is no new story.
    assert "6 documents in 4 new stories: 2 English, 1 Arabic, 1 French, 1 Russian, 1 undetermined." in text
    assert "blog_xx , 15 Nov 2014: 1 fetched and unaccounted for" in text
    assert "down_tr : 2 items failed, none fetched" in text
    assert "nobody knows whether a channel got it" in text


def test_the_board_counts_origins_and_not_documents(path: Path) -> None:
    with board.reading(path) as connection:
        rows = {row.claim: row for row in board.claim_board(connection, sample.registers())}
    assert tuple(rows) == sample.CLAIMS
    # Three documents in two stories report it; all go back to one agency.
    assert (rows["C01"].reports, rows["C01"].contradicts, rows["C01"].documents) == (1, 2, 5)
    assert rows["C01"].latest_sentence == sample.DENIAL
    assert [(p.start.day, p.reports, p.contradicts) for p in rows["C01"].periods if p.reports or p.contradicts] == [
        (11, 0, 1),
        (13, 1, 0),
        (14, 1, 1),
    ]
    assert rows["C02"].documents == 0 and rows["C02"].statement


def test_the_page_of_the_board_has_the_numbers_of_the_command(get: Get, path: Path) -> None:
    with board.reading(path) as connection:
        rows = board.claim_board(connection, sample.registers())
    assert get("/claims.json").json() == [row.to_json() for row in rows]
    shown = re.findall(r'data-label="(?:support|report|contradict)"><span[^>]*>(\d+)<', get("/claims").text)
    assert [int(n) for n in shown] == [n for row in rows for n in (row.supports, row.reports, row.contradicts)]


def test_the_board_can_be_narrowed_and_sorted(get: Get) -> None:
    ids = [row["claim"] for row in get("/claims.json?found=1&sort=contradicts").json()]
    assert ids[0] == "C01" and set(ids) == {"C01", "C09", "C17", "C19", "C34"}


def test_a_story_says_who_had_it_first_and_marks_its_events(get: Get) -> None:
    text = get(f"/stories/{sample.WIRE.story}").text
    assert "+2 h 10 min" in text
    assert f'<mark class="contact">{sample.TRUCE}</mark>' in text
    assert f'<mark class="claim">{sample.DOUBT}</mark>' in text
    assert f"/claims/{sample.REGISTER}/C09" in text


def test_a_document_leads_to_its_story(get: Get) -> None:
    answer = get(f"/documents/{sample.REPRINT.id}", follow_redirects=True)
    assert answer.status_code == 200
    assert f'<h1 lang="en" dir="auto">{sample.REPRINT.title}' in answer.text


def test_a_former_text_stays_readable_and_unmarked(get: Get) -> None:
    current = get(f"/stories/{sample.FOUGHT.story}").text
    assert '<mark class="clash">' in current and "revision 1" in current
    former = get(f"/stories/{sample.FOUGHT.story}?document={sample.FOUGHT.id}&revision=1").text
    assert sample.FOUGHT_OLD.text in former and "<mark" not in former


def test_comments_stand_apart_from_the_text(get: Get) -> None:
    text = get(f"/stories/{sample.HOSTILE.story}").text
    article = text[text.index("<article") : text.index("</article>")]
    assert "First!" in text and "First!" not in article


def test_marks_that_overlap_keep_every_letter() -> None:
    def note(number: int, start: int, end: int, side: str) -> Note:
        return Note(
            number=number, start=start, end=end, field="text", sentence="", side=side, event=None, comparisons=()
        )

    paragraphs = marked(
        "one two\nthree four", [note(1, 4, 13, "clash"), note(2, 0, 7, "contact"), note(3, 14, 999, "x")]
    )
    assert ["".join(piece.text for piece in paragraph) for paragraph in paragraphs] == ["one two", "three four"]
    assert [(piece.text, piece.sides, piece.ends) for piece in paragraphs[0]] == [
        ("one ", ("contact",), ()),
        ("two", ("clash", "contact"), (2,)),
    ]
    assert [(piece.text, piece.ends) for piece in paragraphs[1]] == [("three", (1,)), (" ", ()), ("four", (3,))]


def test_an_alert_answers_all_eight_signals_and_gives_the_command(get: Get) -> None:
    text = get(f"/alerts/{sample.ALERT}").text
    for title, _ in words.SIGNALS.values():
        assert f"<h3>{title}</h3>" in text
    assert text.count(">shown</span>") == 4
    assert text.count(">not shown</span>") == 4
    assert f"sulh alerts {sample.ALERT} --dismiss" in text
    assert "credited to <strong>ap</strong>" in text
    assert ">sent</span>" in text and ">unsure</span>" in text


def test_the_queue_is_filtered(get: Get) -> None:
    queues = {name: len(get(f"/alerts.json?queue={name}").json()) for name in (*board.QUEUES, "all")}
    assert queues == {"open": 2, "held": 1, "withdrawn": 0, "confirmed": 0, "dismissed": 0, "all": 3}


def test_a_verdict_moves_an_alert_at_the_next_click(tmp_path: Path) -> None:
    path = sample.write(tmp_path / "store.sqlite")
    get = getting(desk.app(path, registers=sample.registers()))
    with closing(SqliteStore(path)) as store:
        # Uncheckpointed: it stands in the write-ahead log only while the store is open.
        store.judge(sample.ALERT, "dismissed", "<b>one origin</b>", at=sample.DAWN)
        text = get("/alerts?queue=dismissed").text
    assert sample.ALERT in text and "&lt;b&gt;one origin" in text
    assert sample.ALERT not in get("/alerts").text


def test_the_timeline_counts_a_story_once(get: Get) -> None:
    rows = get("/timeline.json?pair=islamic-state~nusra").json()
    assert [(row["at"], row["side"], row["kind"], row["tellings"]) for row in rows] == [
        ("2014-11-15", "contact", "negotiation", 1),
        ("2014-11-14", "denied", "truce", 1),
        ("2014-11-14", "contact", "truce", 1),
        ("2014-11-13", "contact", "truce", 2),
        ("2014-11-11", "clash", "clash", 1),
    ]
    happened = get("/timeline.json?pair=islamic-state~nusra&dated=happened").json()
    assert (happened[-1]["at"], happened[-1]["tellings"]) == ("2014-11-02", 2)


@pytest.mark.parametrize(
    ("kind", "roles", "expected"),
    [
        ("clash", [("a", "agent"), ("b", "agent"), ("c", "target")], {("a", "c"), ("b", "c")}),
        ("cooperation", [("a", "agent"), ("b", "agent"), ("c", "target")], {("a", "b")}),
        ("pledge", [("b", "agent"), ("a", "target")], {("a", "b")}),
        ("negotiation", [("a", "party"), ("b", "party"), ("c", "mediator")], {("a", "b")}),
        ("truce", [("a", "party"), ("a", "party")], set()),
    ],
)
def test_pairs_follow_the_roles(kind: str, roles: list[tuple[str, str]], expected: set[tuple[str, str]]) -> None:
    assert between_pair(kind, roles) == expected


def test_the_ledger_names_what_does_not_balance(get: Get) -> None:
    rows = {(row["source"], row["day"]): row for row in get("/ledger.json").json()}
    blog = rows["blog_xx", "2014-11-15"]
    assert (blog["crawl_gap"], blog["process_gap"]) == (0, 1)
    assert all(not row["process_gap"] for key, row in rows.items() if key[0] != "blog_xx")
    narrowed = get("/ledger?source=daily_uk&day=2014-11-15&reason=paywall").text
    assert "daily_uk.test/login" in narrowed and "blog_xx.test/empty" not in narrowed


def test_csv_cannot_become_a_formula(get: Get) -> None:
    for address in ("/alerts.csv?queue=all", "/search.csv", f"/stories/{sample.HOSTILE.story}.csv", "/timeline.csv"):
        answer = get(address)
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert len(rows) > 1
        for cell in (cell for row in rows for cell in row):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
    assert "'" + sample.FORMULA in answer.text or "'" + sample.FORMULA in get("/search.csv").text


def test_nothing_of_the_raw_store_is_served(get: Get) -> None:
    for address in (
        "/store",
        "/store/documents",
        "/store.db",
        "/store/documents.csv",
        "/_internal",
        "/-/settings.json",
    ):
        assert get(address).status_code == 404
    for address in ("/store?sql=select+1", "/store.json?sql=select+1"):
        assert get(address).status_code == 404


def test_only_reading_requests_for_its_own_name_are_answered(get: Get) -> None:
    assert get("/", method="POST").status_code == 405
    assert get("/", headers={"host": "evil.example:8020"}).status_code == 421
    assert get("/", headers={"host": "127.0.0.1:8020"}).status_code == 200


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/nothing", 404, "no such page"),
        ("/stories/none", 404, "no story none"),
        ("/alerts/none", 404, "no alert none"),
        (f"/claims/{sample.REGISTER}/C99", 404, "C99"),
        ("/?day=yesterday", 400, "2014-11-15"),
        ("/timeline?dated=odd", 400, "expected published or happened"),
        ("/alerts?queue=odd", 400, "expected one of open"),
        ("/claims?_format=xls", 400, "expected csv or json"),
        ("/search?limit=99999999999", 400, "not a number"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(get: Get, address: str, status: int, said: str) -> None:
    answer = get(address)
    assert (answer.status_code, said in answer.text) == (status, True)


def test_search_takes_any_words_and_filters(get: Get) -> None:
    assert [hit["source"] for hit in get("/search.json?q=هدنة").json()] == ["sahifa_sy"]
    assert get('/search?q="al-Qaeda" AND (x').status_code == 200
    assert {hit["language"] for hit in get("/search.json?claim=C34&language=ru").json()} == {"ru"}
    assert get("/search.json?until=2014-11-10").json() == []


def test_findings_that_stand_come_before_those_that_are_gone(get: Get) -> None:
    shown = get("/findings").text
    assert "2 findings stand" in shown
    assert shown.index("gazette_fr") < shown.index("Gone") < shown.index("vestnik_ru")
    rows = get("/findings.json").json()
    assert [(row["about"], row["gone_at"] is None) for row in rows] == [
        ("gazette_fr", True),
        ("daily.crawl", True),
        ("vestnik_ru", False),
    ]


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite"
    SqliteStore(path).close()
    get = getting(desk.app(path, registers=sample.registers()))
    assert "sulh run" in get("/").text
    for address in ("/claims", "/alerts", "/timeline", "/search", "/sources", "/ledger", "/findings", "/claims.csv"):
        assert get(address).status_code == 200


def test_a_store_that_cannot_be_read_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store here yet"):
        desk.app(tmp_path / "none.sqlite")
    newer = tmp_path / "newer.sqlite"
    SqliteStore(newer).close()
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer than"):
        desk.app(newer)
    (tmp_path / "text.sqlite").write_text("no database " * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        desk.app(tmp_path / "text.sqlite")
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE x (y)")
    with pytest.raises(StoreError, match="not a store of sulh"):
        desk.app(tmp_path / "other.sqlite")


def test_a_store_that_goes_away_is_a_page_and_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    SqliteStore(path).close()
    get = getting(desk.app(path, registers=sample.registers()))
    path.unlink()
    assert (get("/").status_code, "there is no store here yet" in get("/").text) == (503, True)
    sample.write(path)
    assert get("/").status_code == 200


def test_a_port_in_use_says_what_to_do(path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DeskError, match=f"{port}.*SULH_DESK_PORT"):
            desk.serve(path, port=port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_closes_in_order_when_it_is_told_to(path: Path, number: signal.Signals) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "sulh", "desk", "--port", str(port)],
        env={name: value for name, value in os.environ.items() if not name.startswith("SULH_")}
        | {"PYTHONPATH": str(ROOT), "SULH_HOME": str(path.parent), "SULH_STORE": str(path)},
        cwd=path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "The desk is open" in process.stdout.readline()
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("The desk is closed.\n", "")
    assert process.returncode == 0


def test_the_day_of_the_front_page_can_be_chosen(get: Get) -> None:
    rows = get("/?day=2014-11-14&_format=json").json()
    # The document's current text came in a day later.
    assert [(row["source"], row["documents"]) for row in rows] == [("vestnik_ru", 0)]


def test_with_the_archive_the_sources_show_their_health(tmp_path: Path) -> None:
    path = sample.write(tmp_path / "store.sqlite")
    get = getting(desk.app(path, home=tmp_path, registers=sample.registers(), now=lambda: sample.DAWN))
    for source, outcome, reason in (("wire_us", "ok", ""), ("down_tr", "failed", "dns"), ("down_tr", "failed", "dns")):
        with Archive(tmp_path).writer(source) as writer:
            writer.begin(sample.DAWN).result()
            writer.end(outcome, reason, sample.DAWN).result()  # type: ignore[arg-type]
    broken = tmp_path / "archive" / "gazette_fr"
    broken.mkdir()
    (broken / "index.sqlite").write_text("no index")
    rows = {row["source"]: row["health"] for row in get("/sources.json").json()}
    assert rows["down_tr"] == "failing; last crawl failed: dns; 2 crawls in a row; never read to the end"
    assert "index.sqlite" in rows["gazette_fr"]
    assert rows["blog_xx"].startswith("out of balance")
    assert get("/sources").status_code == get("/ledger").status_code == get("/").status_code == 200


def test_what_a_crawl_is_still_at_is_no_imbalance_on_the_pages(tmp_path: Path) -> None:
    path = sample.write(tmp_path / "store.sqlite")
    get = getting(desk.app(path, home=tmp_path, registers=sample.registers(), now=lambda: sample.DAWN))
    with Archive(tmp_path).writer("wire_us") as writer:
        writer.begin(sample.DAWN).result()
        link = "https://wire_us.test/new"
        writer.discover([Listed(address=link, url=link)], sample.DAWN).result()
        assert "being crawled" in get("/ledger?source=wire_us").text
        assert "out of balance" not in get("/ledger?source=wire_us").text
        assert 'imbalance</span> <a href="/ledger?source=wire_us' not in get("/").text
        assert "failing" not in health(get, "wire_us") and health(get, "wire_us").startswith("being crawled")
        # The crawl breaks off: its item is where it was, and nobody is at it.
    assert "out of balance" in get("/ledger?source=wire_us").text
    assert health(get, "wire_us").startswith("out of balance")


def health(get: Get, source: str) -> str:
    return next(str(row["health"]) for row in get("/sources.json").json() if row["source"] == source)


def test_pages_that_wait_are_counted_from_the_archive(tmp_path: Path) -> None:
    path = sample.write(tmp_path / "store.sqlite")
    with Archive(tmp_path).writer("wire_us") as writer:
        writer.begin(sample.DAWN).result()
        listed = Listed(address="https://wire_us.test/new", url="https://wire_us.test/new")
        (item,) = writer.discover([listed], sample.DAWN).result().due
        exchange = Exchange(
            requested=item.url,
            url=item.url,
            fetched_at=sample.DAWN,
            status=200,
            headers=(("Content-Type", "text/html"),),
            body=b"<html><title>New</title></html>",
        )
        writer.store(item, exchange).result()
        writer.end("ok", "", sample.DAWN).result()
    get = getting(desk.app(path, home=tmp_path, registers=sample.registers(), now=lambda: sample.DAWN))
    rows = {(row["source"], row["day"]): row for row in get("/ledger.json").json()}
    assert rows["wire_us", "2014-11-13"]["waiting"] == 1
    assert "1 page fetched and not yet read" in get("/").text


def test_a_balance_counts_what_is_waiting(path: Path) -> None:
    with board.reading(path) as connection:
        rows = board.balances(board.ledger(connection, source="daily_uk", day=date(2014, 11, 15)))
    assert [(row.discovered, row.known, row.rejected, row.balanced) for row in rows] == [(5, 3, 1, True)]
