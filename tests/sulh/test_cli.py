"""The commands as a person meets them: mistakes get one sentence and the right status, readers make nothing."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sulh.cli import main
from sulh.config import Settings
from sulh.crawling import crawl
from sulh.pipeline import Fault, ProcessReport
from tests.crawlers.site import Crawls, Site, item, rss
from tests.sample_store import write

ROOT = Path(__file__).parent.parent.parent
SOURCE = 'name: "Mine"\ncountry: "GB"\nlanguage: en\nkind: feed\nurl: "https://mine.test/feed"\n'


@pytest.fixture(autouse=True)
def _settings(no_settings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def sulh(*arguments: str | Path, status: int = 0) -> Result:
    """Run a command in this process, and expect its exit status and no trace."""
    result = CliRunner().invoke(main, [str(part) for part in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def rows(result: Result) -> list[dict[str, Any]]:
    """Give the JSON lines that a command printed on standard output."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def home_with(tmp_path: Path, **sources: str) -> Path:
    """Make a home with some sources of its own."""
    home = tmp_path / "home"
    (home / "sources").mkdir(parents=True)
    for name, text in sources.items():
        (home / "sources" / f"{name}.yml").write_text(text, encoding="utf-8")
    return home


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A home with a small store."""
    home = home_with(tmp_path, mine=SOURCE)
    write(home / "sulh.sqlite")
    return home


# Where things are


@pytest.mark.parametrize(
    "command",
    [
        ["search", "truce"],
        ["export", "documents"],
        ["ledger"],
        ["alerts"],
        ["claims"],
        ["deliver"],
        ["alert"],
        ["alerts", "abc", "--confirm"],
    ],
)
def test_a_reader_of_a_mistyped_home_says_so_and_makes_nothing(tmp_path: Path, command: Sequence[str]) -> None:
    home = tmp_path / "mistyped"
    result = sulh("--home", home, *command, status=1)
    assert re.search(r"sulh: .*mistyped.sulh\.sqlite: there is no store", result.stderr)
    assert result.stdout == ""
    assert not home.exists()


@pytest.mark.parametrize("command", [["process"], ["alert"], ["replay"], ["run"], ["crawl"], ["deliver"]])
@pytest.mark.parametrize("below", [False, True])
def test_a_file_as_home_is_one_sentence(tmp_path: Path, command: Sequence[str], below: bool) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    home = tmp_path / "file" / "home" if below else tmp_path / "file"
    result = sulh("--home", home, *command, status=1)
    assert result.stderr.startswith("sulh: ") and str(home) in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", ["crawl", "process", "run"])
def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path, command: str) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    result = sulh("--home", home, command, status=1)
    assert f"sulh: {home}: cannot be written" in result.stderr


def test_a_lock_that_cannot_be_taken_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home" / "process.lock").mkdir(parents=True)
    result = sulh("--home", tmp_path / "home", "process", status=1)
    assert f"sulh: {tmp_path / 'home'}: cannot be written as the home" in result.stderr


def test_registers_that_were_named_and_are_missing_are_an_error(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SULH_REGISTERS", str(tmp_path / "none"))
    assert "none: there is no such folder of registers" in sulh("--home", filled, "claims", status=1).stderr
    findings = rows(sulh("--home", filled, "doctor", "--json", status=1))
    assert [one["level"] for one in findings if one["about"] == "registers"] == ["wrong"]
    monkeypatch.delenv("SULH_REGISTERS")
    sulh("--home", filled, "claims")


# The demo


def test_the_demo_goes_where_it_is_told_and_says_how_to_leave_a_busy_port(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        result = sulh("--home", tmp_path / "mine", "demo", "--port", str(port), status=1)
    assert "in use" in result.stderr
    assert "make demo DEMO_PORT=" in result.stderr
    assert "--port $(DEMO_PORT)" in (ROOT / "Makefile").read_text(encoding="utf-8")


# Sources


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "Evil", "", "a b"])
def test_a_new_source_cannot_be_written_elsewhere(tmp_path: Path, name: str) -> None:
    from processors.errors import SulhError
    from sulh.crawling import save_source

    home = home_with(tmp_path)
    with pytest.raises(SulhError, match="expected a name of lower-case letters"):
        save_source(Settings(home=home), name, SOURCE)
    assert [path.name for path in home.rglob("*")] == ["sources"]


def test_a_wordpress_site_is_found_by_a_relative_link_and_named_once(tmp_path: Path) -> None:
    posts = [{"id": 1, "link": "/a", "date_gmt": "2014-11-14T08:00:00", "title": {"rendered": "A"}}]
    head = "<title>The Outlet – The Outlet</title><link rel='https://api.w.org/' href='/blog/wp-json/'>"

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages = {"/": f"<html lang='en'><head>{head}</head></html>", "/blog/wp-json/wp/v2/posts": json.dumps(posts)}
            body = pages.get(self.path.partition("?")[0], "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/json" if body.startswith(b"[") else "text/html")
            self.send_header("X-WP-Total", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            os.environ["SULH_ALLOW_LOOPBACK"] = "true"
            address = f"http://127.0.0.1:{server.server_port}"
            text = sulh("--home", tmp_path, "sources", "new", f"{address}/").stdout
        finally:
            del os.environ["SULH_ALLOW_LOOPBACK"]
            server.shutdown()
            thread.join()
    assert {'name: "The Outlet"', "kind: wordpress", f'url: "{address}/blog/wp-json/wp/v2/posts"'} <= {
        *text.splitlines()
    }


@pytest.mark.parametrize("arguments", [["sources", "new", "ftp://x.test/"], ["sources", "check", "nope"]])
def test_what_the_crawl_process_says_looks_like_the_rest(
    tmp_path: Path, arguments: Sequence[str], capfd: pytest.CaptureFixture[str]
) -> None:
    sulh("--home", tmp_path, *arguments, status=1)
    assert capfd.readouterr().err.startswith("sulh: ")


def test_a_source_is_shown_as_json(filled: Path) -> None:
    (shown,) = rows(sulh("--home", filled, "sources", "show", "mine", "--json"))
    assert (shown["id"], shown["kind"], shown["last_crawl"]["outcome"]) == ("mine", "feed", "never")


# Reading


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["search", "--claim", "C99"], "there is no claim C99; there are C01 to"),
        (["search", "--source", "nope"], "there is no source nope"),
        (["ledger", "--source", "nope"], "there is no source nope"),
        (["claims", "--register", "nope"], "there is no register nope; there is orton-2014-11-15"),
    ],
)
def test_a_name_that_nothing_bears_is_an_error(filled: Path, command: Sequence[str], said: str) -> None:
    result = sulh("--home", filled, *command, status=1)
    assert said in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "options",
    [["--lang", "xx"], ["--kind", "nonsense"], ["x", "--from", "2014-11-30", "--to", "2014-11-01"]],
)
def test_wrong_usage_of_search_is_refused(filled: Path, options: Sequence[str]) -> None:
    sulh("--home", filled, "search", *options, status=2)


def test_nothing_found_where_there_was_something_to_look_for_is_no_error(filled: Path) -> None:
    assert "nothing found" in sulh("--home", filled, "search", "zeppelin", "--source", "mine").stderr
    assert sulh("--home", filled, "ledger", "--source", "mine", "--json").stdout == ""


def test_a_verdict_is_told_as_json(filled: Path) -> None:
    alert = rows(sulh("--home", filled, "alerts", "--json"))[0]["alert"]["id"]
    (told,) = rows(sulh("--home", filled, "alerts", alert, "--dismiss", "not of these two", "--json"))
    assert told == {"alert": alert, "verdict": "dismissed", "why": "not of these two"}
    (told,) = rows(sulh("--home", filled, "alerts", alert, "--confirm", "--json"))
    assert told == {"alert": alert, "verdict": "confirmed", "why": ""}


def test_faults_and_total_stand_in_the_json_of_process() -> None:
    report = ProcessReport(
        counts={"indexed": 2},
        written=2,
        faults=(Fault(url="https://x.test/", said="why"),),
        sources={"mine": {"indexed": 2}},
    )
    assert report.to_json() == {
        "total": 3,
        "written": 2,
        "counts": {"indexed": 2},
        "sources": {"mine": {"indexed": 2}},
        "faults": [{"url": "https://x.test/", "said": "why"}],
    }


# The past


def test_a_backfill_that_finds_nothing_in_the_files_says_so(tmp_path: Path) -> None:
    home, file = home_with(tmp_path, mine=SOURCE), tmp_path / "old.warc"
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>x</p>"
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:1>\r\nWARC-Target-URI: https://mine.test/a\r\n"
        "WARC-Date: 2014-11-14T00:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(page)}\r\n\r\n"
    )
    file.write_bytes(head.encode() + page + b"\r\n\r\n")
    call = ("--home", home, "backfill", "mine", "--via", "warc", file)
    nothing = sulh(*call, "--from", "2015-01-01", "--to", "2015-01-31", status=1)
    assert "no page of mine.test, captured between 2015-01-01 and 2015-01-31, is in the files" in nothing.stderr
    assert "1 fetched" in sulh(*call, "--from", "2014-11-01", "--to", "2014-11-30").stdout
    (told,) = rows(sulh("--home", home, "process", "--json"))
    assert (told["total"], sum(told["counts"].values()), told["faults"]) == (1, 1, [])
    assert rows(sulh("--home", home, "replay", "--json")) == [told]
    assert "captured" in sulh("backfill", "--help").stdout


# Progress


def test_plain_progress_counts_each_source_once_and_says_it_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home = home_with(tmp_path, mine=SOURCE.replace("https://mine.test", "http://127.0.0.1:9"))
    report = crawl(Settings(home=home), ["mine"])
    assert len(report.results) == 1
    assert capfd.readouterr().err.count("crawling sources: 1 of 1") == 1


def test_the_ledger_beside_a_crawl_says_that_it_is_under_way_and_is_no_error(tmp_path: Path) -> None:
    site, crawls = Site(), Crawls(tmp_path)
    asked, go = Event(), Event()

    def hold(total: int) -> None:
        if total == 3:  # robots.txt, the feed, and a page of it
            asked.set()
            go.wait(30)

    site.watch = hold
    site.pages["/feed"] = rss(item(f"{site.url}/1"), item(f"{site.url}/2"))
    crawls.source("mine", "feed", f"{site.url}/feed")
    ledger = ("--home", crawls.home, "ledger")
    try:
        with crawls.start(stdout=subprocess.DEVNULL) as crawl:
            assert asked.wait(30)
            seen = sulh(*ledger)
            assert "being crawled or processed" in seen.stdout and "BALANCE" not in seen.output
            assert [row["under_way"] for row in rows(sulh(*ledger, "--json"))] == [True]
            go.set()
            assert crawl.wait(30) == 0
        assert [row["under_way"] for row in rows(sulh(*ledger, "--json"))] == [False]
        with closing(sqlite3.connect(crawls.archive.folder / "mine" / "index.sqlite")) as index, index:
            index.execute("UPDATE crawls SET discovered = discovered + 1")
        assert "OUT OF BALANCE by 1" in sulh(*ledger, status=1).stdout
    finally:
        go.set()
        site.close()
