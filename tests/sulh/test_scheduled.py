"""A command run for a scheduler: what it prints comes back, what fails says why, nothing outlives a stopped task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from processors.archive import Archive
from sulh.recompare import Change
from sulh.scheduled import (
    CommandError,
    WrongUsageError,
    arrived,
    changes_in_words,
    in_words,
    interval,
    missing_in_words,
    months,
    spans,
    sulh,
    tell_operators,
)
from sulh.stores import open_store

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60
"""Seconds to wait for what comes in one or two on a quiet machine."""


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def at_work(home: Path) -> list[int]:
    """Give the processes that were started for this home, by their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and f"SULH_HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without sources of its own, which the commands get by their environment."""
    for name in list(os.environ):
        if name.startswith("SULH_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("SULH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SULH_ALLOW_LOOPBACK", "true")
    (tmp_path / "home" / "sources").mkdir(parents=True)
    return tmp_path / "home"


def write_source(home: Path, name: str, url: str) -> None:
    text = f'name: "Mine"\ncountry: "GB"\nlanguage: en\nkind: feed\nurl: "{url}"\n'
    (home / "sources" / f"{name}.yml").write_text(text, encoding="utf-8")


@pytest.fixture
def silent_site() -> Iterator[tuple[str, Event]]:
    """A site that takes a request and never answers; gives its address, and what is set when it was asked."""
    asked, over = Event(), Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            over.wait(PATIENCE)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            over.set()
            server.shutdown()
            thread.join()


def test_what_a_command_prints_comes_back_and_what_it_says_is_said(home: Path) -> None:
    write_source(home, "mine_gb", "https://aaa.test/feed")
    (home / "sources" / "other_gb.yml").write_text("name: nothing else\n", encoding="utf-8")
    said: list[str] = []
    groups = sulh("sources", "due", say=said.append)
    assert {"about": "aaa.test", "hosts": ["aaa.test"], "sources": ["mine_gb"]} in groups
    assert said[0] == "$ sulh sources due --json"
    assert any(line.startswith("left out: ") and "other_gb.yml" in line for line in said)


def test_a_command_that_fails_says_what_it_said_last_and_keeps_what_it_printed(home: Path) -> None:
    for number in range(800):
        (home / "sources" / f"s{number}_gb.yml").write_text("name: nothing else\n", encoding="utf-8")
    write_source(home, "mine_gb", "https://mine.test/" + "x" * 2**16)
    said: list[str] = []
    with pytest.raises(CommandError) as caught:
        sulh("sources", "list", say=said.append)
    # Both streams hold more than a pipe does.
    assert sum(map(len, said)) > 2**16 < len(repr(caught.value.rows))
    assert caught.value.status == 1
    # What it printed stands in the log too, as far as a person reads.
    assert sum(line.startswith("{") for line in said) == min(len(caught.value.rows), 100)
    assert caught.value.said.splitlines() == [line for line in said if not line.startswith("{")][-20:]
    assert str(caught.value).startswith("`sulh sources list --json` ended with status 1:\n")


def test_a_command_line_that_the_program_refuses_is_told_from_one_that_failed(home: Path) -> None:
    with pytest.raises(WrongUsageError, match="No such option"):
        sulh("crawl", "--nonsense")
    with pytest.raises(CommandError, match="there is no source nobody") as caught:
        sulh("crawl", "nobody")
    assert not isinstance(caught.value, WrongUsageError)


TASK = "import sys; from sulh.scheduled import sulh; sulh(*sys.argv[1:])"


def started(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start what a scheduler would: a process that runs a command as a task does."""
    return subprocess.Popen(
        [sys.executable, "-c", TASK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_task_that_is_told_to_end_ends_its_crawl_cleanly(home: Path, silent_site: tuple[str, Event]) -> None:
    address, asked = silent_site
    write_source(home, "silent_gb", f"{address}/feed")
    with started(home, "crawl", "silent_gb") as task:
        assert asked.wait(PATIENCE)
        task.send_signal(signal.SIGTERM)
        _, said = task.communicate(timeout=PATIENCE)
    assert "StoppedError: stopped by SIGTERM" in said
    assert at_work(home) == []
    # Cleanly: the crawl itself wrote down that it was ended.
    assert Archive(home).recent("silent_gb").outcome == "interrupted"


def test_a_task_that_is_killed_leaves_nothing_at_work(home: Path, silent_site: tuple[str, Event]) -> None:
    address, asked = silent_site
    write_source(home, "silent_gb", f"{address}/feed")
    with started(home, "crawl", "silent_gb") as task:
        assert asked.wait(PATIENCE)
        task.kill()
        task.communicate(timeout=PATIENCE)
    until(lambda: at_work(home) == [])
    assert not Archive(home).recent("silent_gb").held


STARTER = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"


def test_a_task_whose_own_starter_is_killed_ends_its_crawl(home: Path, silent_site: tuple[str, Event]) -> None:
    address, asked = silent_site
    write_source(home, "silent_gb", f"{address}/feed")
    call = [sys.executable, "-c", STARTER, TASK, "crawl", "silent_gb"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as starter:
        assert asked.wait(PATIENCE)
        starter.kill()
        _, said = starter.communicate(timeout=PATIENCE)
    assert "StoppedError: the process that started the task has ended" in said.decode()
    until(lambda: at_work(home) == [])
    assert Archive(home).recent("silent_gb").outcome == "interrupted"


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
"""
KEEPER = """
import sys
from sulh.scheduled import keep
sys.exit(keep([sys.executable, "-c", sys.argv[1]], given=int(sys.argv[2]), grace=0.2))
"""


@pytest.mark.parametrize("how", ["its input ends", "SIGTERM"])
def test_a_command_that_does_not_end_is_killed_with_what_it_started(home: Path, how: str) -> None:
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, STUBBORN, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with keeper:
        assert keeper.stdout is not None and keeper.stdin is not None
        assert keeper.stdout.readline() == "ready\n"
        assert len(at_work(home)) >= 3
        if how == "SIGTERM":
            keeper.terminate()
        else:
            keeper.stdin.close()
        assert keeper.wait(PATIENCE) == 128 + signal.SIGKILL
    until(lambda: at_work(home) == [])


def test_a_command_that_is_killed_gives_what_a_shell_would(home: Path) -> None:
    call = [sys.executable, "-c", KEEPER, "import os; os.kill(os.getpid(), 9)", "0"]
    with subprocess.Popen(call, stdin=subprocess.PIPE) as keeper:
        assert keeper.wait(PATIENCE) == 128 + signal.SIGKILL


def test_what_is_given_is_the_commands_standard_input_and_ends_there(home: Path) -> None:
    given = b"the last line\n" * 10_000
    call = [sys.executable, "-c", KEEPER, "import sys; print(len(sys.stdin.read()))", str(len(given))]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        keeper.stdin.write(given)
        keeper.stdin.flush()
        assert keeper.stdout.read() == b"140000\n"
        assert keeper.wait(PATIENCE) == 0


def test_days_are_cut_into_months_or_into_more_where_there_were_too_many() -> None:
    assert spans("2014-11-20", "2015-01-05") == [
        {"from": "2014-11-20", "to": "2014-11-30"},
        {"from": "2014-12-01", "to": "2014-12-31"},
        {"from": "2015-01-01", "to": "2015-01-05"},
    ]
    assert spans("2016-02-29", "2016-02-29") == [{"from": "2016-02-29", "to": "2016-02-29"}]
    many = spans("1900-01-01", "2026-12-31", most=1000)
    assert len(many) <= 1000
    assert (many[0]["from"], many[0]["to"], many[-1]["to"]) == ("1900-01-01", "1900-02-28", "2026-12-31")
    with pytest.raises(ValueError, match="lies before"):
        spans("2015-01-02", "2015-01-01")


def test_what_a_backfill_is_asked_for_is_checked_before_any_month_is_fetched(home: Path) -> None:
    write_source(home, "mine_gb", "https://aaa.test/feed")
    asked = {"source": "mine_gb", "from": "2013-01-15", "to": "2013-03-31", "via": "own kind", "files": []}
    assert [one["from"] for one in months(asked)] == ["2013-01-15", "2013-02-01", "2013-03-01"]
    assert len(months(asked | {"via": "warc", "files": ["old.warc.gz"]})) == 1
    for wrong, said in (
        ({"vai": "sitemap"}, "unknown: vai; expected some of source, from, to, via, files"),
        ({"to": "2012-12-31"}, "lies before the first"),
        ({"via": "warc"}, "none were given"),
        ({"files": ["old.warc.gz"]}, "only via warc takes files"),
    ):
        with pytest.raises(ValueError, match=said):
            months(asked | wrong)
    with pytest.raises(WrongUsageError, match="there is no source unknown_xx"):
        months(asked | {"source": "unknown_xx"})


def test_a_source_to_fill_in_that_is_not_there_is_not_tried_again(home: Path) -> None:
    with pytest.raises(WrongUsageError, match="there is no source unknown_xx; `sulh sources` lists them"):
        sulh("backfill", "unknown_xx", "--from", "2013-01-01", "--to", "2013-01-31")


def test_what_a_backfill_lacks_is_told_of_all_months_together() -> None:
    cut = spans("2013-01-01", "2013-04-30")
    unread = {"list": "https://x.test/old.xml", "reason": "http-500"}
    days = [[["2013-01-03", "2013-01-03"], ["2013-01-30", "2013-01-31"]], [["2013-02-01", "2013-02-04"]], []]
    items = [[{"url": "https://x.test/1", "reason": "http-404"}], [], []]
    fetched = [
        [{"source": "x_gb", "gaps": {"days": run, "lists": [unread], "items": item}, **month}]
        for month, run, item in zip(cut[:3], days, items, strict=True)
    ]
    assert missing_in_words(cut, fetched) == [
        "not fetched: 2013-04-01 to 2013-04-30",
        "nothing of 2013-01-03",
        "nothing of 2013-01-30 to 2013-02-04",
        "could not be read: https://x.test/old.xml: http-500",
        "could not be had: https://x.test/1: http-404",
    ]


def test_only_sources_that_brought_documents_are_told_of() -> None:
    reports = [{"sources": {"a_gb": {"indexed": 2, "rejected": 1}, "b_gb": {"duplicate": 3}}}, {"sources": {}}]
    assert arrived(reports) == {"a_gb": {"indexed": 2, "rejected": 1}}


def test_how_often_to_look_is_written_as_in_a_sources_file() -> None:
    assert (interval("15m"), interval("30")) == (timedelta(minutes=15), timedelta(seconds=30))
    told = {"15m": "15 minutes", "90s": "90 seconds", "3600": "hour", "2d": "2 days"}
    assert {text: in_words(interval(text)) for text in told} == told
    for wrong in ("", "0m", "often", "1.5h"):
        with pytest.raises(ValueError, match="such as 15m"):
            interval(wrong)


def test_what_would_change_is_said_for_a_person_to_agree_with() -> None:
    common = {"source": "x_gb", "url": "https://x.test/1", "was": ""}
    row = Change(
        kind="comparison", sort="new", id="c1", about="orton/C09", document="d1", before="", after="reports (0.95)",
        sentence="They [agreed](https://evil.test) <b>it</b>.", **common,
    )  # fmt: skip
    alert = Change(
        kind="alert", sort="withdrawn", id="a1", about="truce: a, b", document="d1", before="new", after="withdrawn",
        sentence="A truce.", verdict="dismissed: a rumour", sends=True, **common,
    )  # fmt: skip
    counts = {"alert": {"new": 0, "withdrawn": 1}, "comparison": {"new": 3}}
    report = {"documents": 7, "switched": False, "counts": counts, "changes": [alert.to_json(), row.to_json()]}
    assert changes_in_words([report]).splitlines() == [
        "7 documents judged anew: 1 withdrawn alert, 3 new comparisons.",
        "",
        "",
        "**Alerts**",
        "",
        "- **withdrawn** truce: a, b a1: new → withdrawn. An analyst decided “dismissed: a rumour”, which stays."
        " **Analysts will be notified of it.** “A truce.” x\\_gb: <https://x.test/1>",
        "",
        "**Comparisons**",
        "",
        # Text from the web makes no link and no markup.
        "- **new** orton/C09: reports \\(0.95\\). “They \\[agreed\\]\\(https://evil.test\\) \\<b\\>it\\</b\\>.” x\\_gb:"
        " <https://x.test/1>",
        "- and 2 more: `sulh recompare --json` prints them all",
    ]
    assert "nothing changes" in changes_in_words([{"documents": 7, "switched": False, "counts": {}, "changes": []}])


@dataclass(frozen=True)
class FailedTask:
    """What a scheduler says of a task that failed."""

    rendered_map_index: str
    dag_id: str = "sulh_backfill"
    task_id: str = "fetch"


def test_each_backfill_that_fails_is_told_once_by_its_source(home: Path) -> None:
    def fails(source: str, month: str, said: str) -> None:
        params = {"source": source, "from": "2013-01-01", "to": "2013-03-31"}
        error = CommandError(["sulh", "backfill"], 1, said)
        tell_operators({"ti": FailedTask(month), "params": params, "exception": error})

    for month in ("2013-01-01 to 2013-01-31", "2013-02-01 to 2013-02-28"):
        fails("old_gb", month, "the outlet is down")
    fails("new_gb", "2013-01-01 to 2013-01-31", "no such file")
    with closing(open_store(str(home / "sulh.sqlite"), create=False)) as store:
        found = {one.about: one.said for one in store.findings(standing=True)}
    assert found == {
        "sulh_backfill: fetch: old_gb, 2013-01-01 to 2013-03-31": "2013-02-01 to 2013-02-28:\nthe outlet is down",
        "sulh_backfill: fetch: new_gb, 2013-01-01 to 2013-03-31": "2013-01-01 to 2013-01-31:\nno such file",
    }
