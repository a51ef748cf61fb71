"""The daily run on the sample outlets, over real HTTP on this machine: complete, repeatable, and safe to kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sulh.demo.expected import expected
from sulh.demo.serve import Outlets
from sulh.stores import ExportKind, open_store

PORT = 18760
"""Beside the demo's own ports, so that a demo that is open does not disturb the tests."""

RUN_DEPENDENT = ("fetched_at", "capture")
"""What a document says of its own fetching: two crawls differ in it, two replays do not."""


@dataclass
class Bench:
    """A home with the sample outlets as its sources, and a webhook that counts what it is told."""

    home: Path
    hook: str = ""
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The settings, and nothing of the person's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SULH_")}
        ours = {"SULH_HOME": str(self.home), "SULH_ALLOW_LOOPBACK": "true", "SULH_ALERT_MAX_AGE_DAYS": "0"}
        return kept | ours | ({"SULH_NOTIFY": self.hook} if self.hook else {})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "sulh", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sulh(self, *arguments: str, status: int = 0) -> str:
        """Run a command, expect its exit status, and give what it printed."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == status, err
        return out

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command that prints JSON lines."""
        return [json.loads(line) for line in self.sulh(*arguments).splitlines()]

    def exports(self, *, without: tuple[str, ...] = ()) -> dict[str, list[dict[str, Any]]]:
        """Give everything that the store holds."""
        kinds: tuple[ExportKind, ...] = ("documents", "events", "comparisons", "stories", "alerts")
        with closing(open_store(self.home / "sulh.sqlite", create=False)) as store:
            return {
                kind: [{key: row[key] for key in row if key not in without} for row in store.export(kind)]
                for kind in kinds
            }


def bench_at(home: Path, outlets: Outlets) -> Bench:
    """Make a home whose sources are the outlets."""
    (home / "sources").mkdir(parents=True)
    for name, text in outlets.sources().items():
        (home / "sources" / f"{name}.yml").write_text(text, encoding="utf-8")
    return Bench(home=home)


@pytest.fixture(scope="module")
def outlets() -> Iterator[Outlets]:
    with Outlets().start(PORT) as running:
        yield running


@pytest.fixture(scope="module")
def calm(outlets: Outlets, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One undisturbed run, which the other tests only read."""
    bench = bench_at(tmp_path_factory.mktemp("calm") / "home", outlets)
    bench.sulh("run", *outlets.sources())
    return bench


@pytest.fixture
def webhook(calm: Bench) -> Iterator[list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        told.append({"address": f"json://127.0.0.1:{server.server_port}/"})
        yield told
        server.shutdown()
        thread.join()


def test_every_page_is_indexed_or_declined_by_name(calm: Bench, outlets: Outlets) -> None:
    indexed = {row["url"] for row in calm.rows("export", "documents")}
    declined = {row["url"]: row["reason"] for row in calm.rows("export", "rejections")}
    labels = expected().pages
    addresses = outlets.addresses()
    found = {
        name: declined.get(address, "" if address in indexed else "nowhere") for name, address in addresses.items()
    }
    wanted = {name: labels[name].rejection for name in addresses}
    assert {name: why for name, why in found.items() if why != "nowhere"} == {
        name: why for name, why in wanted.items() if why != "robots"
    }
    assert [name for name, why in found.items() if why == "nowhere"] == [
        name for name, why in wanted.items() if why == "robots"
    ]
    assert not any(request.path.startswith("/ozel/") for request in outlets.log)


def test_the_ledger_balances(calm: Bench) -> None:
    rows = calm.rows("ledger", "--json")
    assert {row["source"] for row in rows} == {row["source"] for row in calm.rows("export", "documents")}
    for row in rows:
        assert row["discovered"] == row["fetched"] + row["known"] + row["refused"] + row["failed"]
        assert row["fetched"] == row["indexed"] + row["duplicate"] + row["rejected"]
        assert (row["crawl_gap"], row["process_gap"], row["waiting"]) == (0, 0, 0)


def test_languages_and_stories_are_as_labelled(calm: Bench, outlets: Outlets) -> None:
    labels = expected().pages
    names = {address: name for name, address in outlets.addresses().items()}
    documents = {names[row["url"]]: row for row in calm.rows("export", "documents")}
    assert {name: row["language"] for name, row in documents.items()} == {
        name: labels[name].language for name in documents
    }
    for name, row in documents.items():
        head = labels[name].story or name
        assert row["story"] == documents[head]["id"], name


def test_a_second_run_changes_nothing(calm: Bench, outlets: Outlets) -> None:
    before = calm.exports()
    (report,) = calm.rows("run", "--json", *outlets.sources())
    assert (report["process"], report["new_alerts"], report["delivery"]["sent"]) == ({}, [], 0)
    assert calm.exports() == before


def test_replay_gives_the_same_store_and_keeps_verdicts_and_deliveries(calm: Bench) -> None:
    before = calm.exports()
    first = before["alerts"][0]["id"]
    calm.sulh("alerts", first, "--dismiss", "told twice over")
    calm.sulh("replay")
    assert calm.exports() == before
    (row,) = calm.rows("alerts", first, "--json")
    assert (row["queue"], row["why"]) == ("dismissed", "told twice over")
    assert [delivery["state"] for delivery in row["deliveries"]] == ["sent"]


def test_replay_of_one_source_gives_the_same_store(calm: Bench) -> None:
    before = calm.exports()
    calm.sulh("replay", "meridian_ru")
    assert calm.exports() == before


def test_replay_without_its_archive_leaves_the_store_as_it_was(calm: Bench) -> None:
    before = calm.exports()
    archive, away = calm.home / "archive", calm.home / "away"
    archive.rename(away)
    try:
        with calm.start("replay") as process:
            _, err = process.communicate(timeout=120)
    finally:
        away.rename(archive)
    assert process.returncode == 1
    assert "there is no archive to replay" in err
    assert calm.exports() == before


def test_killed_runs_end_like_an_undisturbed_one(
    calm: Bench, outlets: Outlets, webhook: list[dict[str, Any]], tmp_path: Path
) -> None:
    bench = bench_at(tmp_path / "home", outlets)
    bench.hook = webhook.pop()["address"]
    # At the start of the crawl, within it, and while pages are read: what a full run of some 10 s goes through.
    for seconds in (2.0, 4.0, 6.0):
        process = bench.start("run", *outlets.sources())
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    bench.sulh("run", *outlets.sources())
    bench.sulh("ledger")
    assert bench.exports(without=RUN_DEPENDENT) == calm.exports(without=RUN_DEPENDENT)
    rows = bench.rows("alerts", "--json")
    told = Counter(
        row["alert"]["id"] for row in rows for message in webhook if row["alert"]["id"] in message["message"]
    )
    assert sum(told.values()) == len(webhook)
    states = {row["alert"]["id"]: row["deliveries"][0]["state"] for row in rows}
    # A kill in the milliseconds in which a message is handed over leaves it in doubt: shown, and never sent twice.
    assert all(told[id] == 1 if state == "sent" else told[id] <= 1 for id, state in states.items())
    assert set(states.values()) <= {"sent", "unsure"}
    assert list(states.values()).count("unsure") <= 1


def test_a_broken_off_archive_file_is_named(calm: Bench, tmp_path: Path, outlets: Outlets) -> None:
    bench = bench_at(tmp_path / "home", outlets)
    bench.sulh("crawl", "meridian_ru")
    (file,) = (bench.home / "archive" / "meridian_ru").glob("*.warc.gz")
    file.write_bytes(file.read_bytes()[:-4000])
    with bench.start("process") as process:
        _, err = process.communicate(timeout=120)
    out = bench.rows("ledger", "--json")
    assert process.returncode == 1
    assert file.name in err
    # The pages before the damage came in; the rest waits, and is counted.
    assert out[0]["indexed"] > 0 and out[0]["waiting"] > 0


def test_the_demo_goes_into_the_home_before_the_command_and_prints_json(tmp_path: Path) -> None:
    bench = Bench(home=tmp_path / "of-the-variable")
    (report,) = bench.rows("--home", str(tmp_path / "mine"), "demo", "--port", str(PORT + 20), "--json")
    assert report["process"] and report["new_alerts"] and not report["faults"]
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}
