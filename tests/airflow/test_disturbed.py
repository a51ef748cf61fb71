"""Tasks and the scheduler killed in the middle of a run: it ends all the same, as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sulh.airflow_home import alive, descendants
from sulh.demo.serve import FOLDER, Outlet, Outlets, Response
from tests.airflow.machine import Bench, benched, export, write_sources

OF_THE_RUN = ("fetched_at", "capture")
"""What a document says of its own fetching, in which two crawls differ."""


class Holding(Outlet):
    """A sample outlet that answers a few pages, and then none until it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.pages_left = 3
        self.asked, self.free = threading.Event(), threading.Event()

    def answer(self, target: str) -> Response:
        if target.partition("?")[0] in self.routes:
            self.pages_left -= 1
            if self.pages_left < 0:
                self.asked.set()
                self.free.wait()
        return super().answer(target)


@pytest.fixture
def held() -> tuple[Holding, Holding]:
    return Holding(FOLDER / "levantwire_lb"), Holding(FOLDER / "midan_sy")


@pytest.fixture
def bench(tmp_path: Path, held: tuple[Holding, Holding]) -> Iterator[Bench]:
    outlets = Outlets()
    outlets.outlets = {outlet.name: outlet for outlet in held}
    with outlets.start(0), benched(tmp_path, outlets, every="1h") as bench:
        try:
            yield bench
        finally:
            for outlet in held:
                outlet.free.set()


def lines(pids: set[int]) -> dict[int, list[str]]:
    """Give the command lines of processes."""
    found = {}
    for pid in pids:
        try:
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
    return found


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def crawl_of(bench: Bench, source: str) -> tuple[int, set[int]]:
    """Give the process of the task that crawls a source, and those of its command."""
    found = lines(descendants(bench.running.process.pid))
    (keeper,) = [pid for pid, words in found.items() if "sulh.scheduled" in words and source in words]
    return parent(keeper), {keeper} | descendants(keeper)


def part(bench: Bench, name: str) -> int:
    """Give the process of a part of Airflow."""
    found = lines(descendants(bench.running.process.pid))
    (keeper,) = [pid for pid, words in found.items() if "--part" in words and name in words]
    (process,) = [pid for pid in descendants(keeper) if parent(pid) == keeper]
    return process


def contents(home: Path) -> dict[str, list[Any]]:
    """Give all that the store of a home holds, as far as two crawls of the same pages agree."""
    held: dict[str, list[Any]] = {
        kind: [{name: row[name] for name in row if name not in OF_THE_RUN} for row in export(home, kind)]
        for kind in ("documents", "events", "comparisons", "stories")
    }
    # An alert that was told keeps its name, which it has by the first of its reports that came in.
    held["alerts"] = sorted(
        (row["kind"], row["parties"], row["place"], row["state"], sorted(one["document"] for one in row["members"]))
        for row in export(home, "alerts")
    )
    held["rejections"] = sorted(f"{row['step']} {row['reason']} {row['url']}" for row in export(home, "rejections"))
    ends: Counter[str] = Counter()
    for row in export(home, "ledger"):
        if row["step"] == "process":
            ends[f"{row['source']} {row['disposition']} {row['reason']}"] += row["count"]
    held["ledger"] = sorted(ends.items())
    return held


def sulh(home: Path, *words: str) -> list[Any]:
    """Run a command over a home."""
    done = subprocess.run(
        [sys.executable, "-m", "sulh", "--home", str(home), *words, "--json"],
        env={name: value for name, value in os.environ.items() if name != "SULH_NOTIFY"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_run_of_which_parts_are_killed_ends_as_if_undisturbed(
    bench: Bench, held: tuple[Holding, Holding], tmp_path: Path
) -> None:
    first, second = held
    bench.until(lambda: first.asked.is_set() and second.asked.is_set(), "two crawls that wait for pages")
    run = bench.airflow.runs("sulh_daily")[0]["dag_run_id"]

    # The process of a task, as the kernel does when memory runs out: its command goes with it.
    task, command = crawl_of(bench, first.name)
    os.kill(task, signal.SIGKILL)
    bench.until(lambda: not any(map(alive, command)), "the end of the command of the task that was killed")
    first.free.set()

    # The scheduler: it comes back, and the tasks that it had begun are begun again.
    scheduler = part(bench, "scheduler")
    task, command = crawl_of(bench, second.name)
    os.kill(scheduler, signal.SIGKILL)
    bench.until(lambda: not any(map(alive, {task} | command)), "the end of what the scheduler had begun")
    second.free.set()

    done = bench.until(
        lambda: next((one for one in bench.ended("sulh_daily") if one["dag_run_id"] == run), None), "the run's end"
    )
    tasks = bench.airflow.tasks("sulh_daily", run)
    assert (done["state"], {one["state"] for one in tasks.values()}) == ("success", {"success"}), tasks
    for outlet in held:
        assert tasks[f"host.crawl {outlet.base.removeprefix('http://')}"]["try_number"] == 2
    came = max(one["end_date"] for label, one in tasks.items() if "process" in label)
    bench.until(lambda: any(one["start_date"] > came for one in bench.ended("sulh_alert")), "the last decision")
    bench.until(lambda: len(bench.ended("sulh_alert")) == len(bench.airflow.runs("sulh_alert")), "its end")
    assert {one["state"] for one in bench.airflow.runs("sulh_alert")} == {"success"}

    calm = tmp_path / "calm"
    write_sources(calm, bench.outlets.sources())
    sulh(calm, "run")
    assert contents(bench.home) == contents(calm)
    assert {(row["crawl_gap"], row["process_gap"], row["waiting"]) for row in sulh(bench.home, "ledger")} == {(0, 0, 0)}
    assert Counter(one["state"] for one in deliveries(bench.home)) == {"sent": len(bench.told)}
    ids = [row["id"] for row in export(bench.home, "alerts")]
    told = {id: sum(id in json.dumps(one) for one in bench.told) for id in ids}
    assert ids and set(told.values()) == {1} and len(bench.told) == len(ids)
    # Operators know of the scheduler; that a task was tried again is nobody's business.
    assert ["scheduler" in json.dumps(one) for one in bench.warned if "airflow" in json.dumps(one).lower()] == [True]


def deliveries(home: Path) -> list[dict[str, Any]]:
    """Give the deliveries of all alerts."""
    return [one for row in sulh(home, "alerts") for one in row["deliveries"]]
