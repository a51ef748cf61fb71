"""The daily work under a real scheduler: from its schedule to one message an alert, and nothing twice."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sulh.airflow_home import Home, alive, descendants
from sulh.demo.serve import Outlets
from sulh.stores import open_store
from tests.airflow.machine import ROOT, Interface, free_port, open_to_others, program

PORT = 18780
"""Beside the ports of the demo and of the other tests."""

PATIENCE = 240
"""Seconds to wait for a run that takes half a minute on a quiet machine."""


@dataclass(frozen=True)
class Bench:
    """A home with the sample outlets and one that is down, an Airflow over it, and what a webhook was told."""

    home: Path
    airflow: Interface
    outlets: Outlets
    down: str
    told: list[dict[str, Any]]
    warned: list[dict[str, Any]]

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until something holds, and give it."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            log = self.airflow.home.log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            assert time.monotonic() < end, "\n".join([f"it did not come: {what}", *log])
            time.sleep(0.5)
        return found

    def ended(self, dag: str) -> list[dict[str, Any]]:
        """Give the runs of a DAG that have ended, the oldest first."""
        return [run for run in self.airflow.runs(dag) if run["state"] in ("success", "failed")]

    def warnings(self) -> list[dict[str, Any]]:
        """Give what operators were told of the crawl that failed; the watch has findings of its own."""
        return [one for one in self.warned if f"host.crawl: {self.down}" in json.dumps(one)]

    def documents(self) -> list[str]:
        """Give what the store holds, by id and revision."""
        with closing(open_store(str(self.home / "sulh.sqlite"), create=False)) as store:
            return [f"{row['id']} {row['revision']}" for row in store.export("documents")]

    def alerts(self) -> list[str]:
        """Give the ids of the alerts."""
        with closing(open_store(str(self.home / "sulh.sqlite"), create=False)) as store:
            return [one.id for one in store.alerts()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    told: list[dict[str, Any]] = []
    warned: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            (warned if self.path.startswith("/operators") else told).append(said)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    place = Home(folder=tmp_path / "airflow-home", port=free_port(), program=program())
    with (
        pytest.MonkeyPatch.context() as environment,
        ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook,
        Outlets().start(PORT) as outlets,
    ):
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        home = tmp_path / "home"
        (home / "sources").mkdir(parents=True)
        for name, text in outlets.sources().items():
            often, count = re.subn(r"(?m)^every:.*$", "every: 20s", text)
            text = often if count else f"{text.rstrip()}\nevery: 20s\n"
            (home / "sources" / f"{name}.yml").write_text(text, encoding="utf-8")
        down = f"127.0.0.1:{free_port()}"
        (home / "sources" / "down_gb.yml").write_text(
            f'name: "Down"\ncountry: "GB"\nlanguage: en\nkind: feed\nurl: "http://{down}/feed"\n',
            encoding="utf-8",
        )
        for name in list(os.environ):
            if name.startswith(("SULH_", "AIRFLOW")):
                environment.delenv(name)
        environment.chdir(tmp_path)
        for name, value in {
            "PYTHONPATH": str(ROOT),
            "SULH_AIRFLOW_EVERY": "45s",
            "SULH_HOME": str(home),
            "SULH_ALLOW_LOOPBACK": "true",
            "SULH_ONLY_OWN_SOURCES": "true",
            "SULH_ALERT_MAX_AGE_DAYS": "0",
            "SULH_NOTIFY": f"json://127.0.0.1:{hook.server_port}/alerts",
            "SULH_OPERATORS": f"json://127.0.0.1:{hook.server_port}/operators",
        }.items():
            environment.setenv(name, value)
        place.prepare()
        running = place.start()
        try:
            running.wait_until_ready()
            assert open_to_others(descendants(running.process.pid)) == []
            yield Bench(home=home, airflow=Interface(place), outlets=outlets, down=down, told=told, warned=warned)
        finally:
            started = descendants(running.process.pid)
            running.stop()
            hook.shutdown()
        assert not [pid for pid in started if alive(pid)]


def test_the_daily_work_is_done_by_its_schedule_once(bench: Bench) -> None:
    first = bench.until(lambda: bench.ended("sulh_daily"), "the first run")[0]
    assert first["run_type"] == "scheduled"
    tasks = bench.airflow.tasks("sulh_daily", first["dag_run_id"])
    # The outlet that is down fails its own task, and the run shows it; all else went on.
    assert sorted(name for name, task in tasks.items() if task["state"] == "failed") == [f"host.crawl {bench.down}"]
    assert (first["state"], tasks["all_is_done"]["state"]) == ("failed", "upstream_failed")
    good = {name: task for name, task in tasks.items() if name not in ("all_is_done", f"host.crawl {bench.down}")}
    assert len(good) == 12 and {task["state"] for task in good.values()} == {"success"}, good

    # Its operators are told, with what its log ends with, and once.
    bench.until(lambda: bench.warnings(), "the operators' message")
    (warning,) = bench.warnings()
    assert "robots-connection-refused" in json.dumps(warning)

    # Documents that came in let alerts be decided; the last decision begins after the last documents.
    came = max(task["end_date"] for name, task in good.items() if "process" in name and bench.down not in name)
    bench.until(
        lambda: any(run["start_date"] > came for run in bench.ended("sulh_alert")), "the decision on all documents"
    )
    bench.until(lambda: len(bench.ended("sulh_alert")) == len(bench.airflow.runs("sulh_alert")), "its end")
    documents, alerts, told = bench.documents(), bench.alerts(), list(bench.told)
    assert documents and len(told) == len(alerts) > 0
    assert max(Counter(json.dumps(one, sort_keys=True) for one in told).values()) == 1

    # A later run asks the outlets again, finds nothing new, and nobody is told anything.
    asked, moment = len(bench.outlets.log), datetime.now(UTC).isoformat()
    later = bench.until(
        lambda: [run for run in bench.ended("sulh_daily") if run["start_date"] > moment], "a run that began later"
    )[0]
    assert (later["run_type"], later["state"]) == ("scheduled", "success")
    assert len(bench.outlets.log) > asked
    assert (bench.documents(), bench.alerts(), bench.told) == (documents, alerts, told)
    assert bench.warnings() == [warning]
    assert {run["state"] for run in bench.airflow.runs("sulh_alert")} <= {"success", "queued", "running"}
