"""The Airflow that tests run, where this machine has one."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sulh.airflow_home import Home, Standalone, alive, descendants
from sulh.demo.serve import Outlets
from sulh.stores import ExportKind, open_store
from tests.conftest import absent

ROOT = Path(__file__).parent.parent.parent


def program() -> Path:
    """Give Airflow's program: beside this Python, or what ``SULH_TEST_AIRFLOW`` names. Skips where there is none."""
    path = Path(os.environ.get("SULH_TEST_AIRFLOW") or Path(sys.executable).with_name("airflow"))
    if not path.exists():
        absent("airflow", f"{path} is not there: requirements-airflow.lock holds it, for Pythons that it supports")
    return path


def free_port() -> int:
    """Give a port on loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def open_to_others(processes: Iterable[int]) -> list[str]:
    """Give where the processes listen on another address than this machine's own."""
    inodes = set()
    for descriptor in (one for pid in processes for one in Path(f"/proc/{pid}/fd").glob("*")):
        # It may be closed by now, or its process be gone.
        with suppress(OSError):
            inodes.add(str(descriptor.readlink()))
    found = []
    for table, own in (("tcp", "0100007F"), ("tcp6", "00000000000000000000000001000000")):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            listens = words[3] == "0A"
            if listens and f"socket:[{words[9]}]" in inodes and words[1].partition(":")[0] != own:
                found.append(f"{table} {words[1]}")
    return found


class Interface:
    """What an Airflow says of its runs, by its own interface for programs."""

    def __init__(self, home: Home) -> None:
        self.home = home
        password = json.loads(home.passwords.read_text(encoding="ascii"))["admin"]
        self._token = ""
        self._token = self._ask("POST", "/auth/token", {"username": "admin", "password": password})["access_token"]

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Give the runs of a DAG, the oldest first."""
        found: list[dict[str, Any]] = self._ask("GET", f"/api/v2/dags/{dag}/dagRuns?order_by=id&limit=100")["dag_runs"]
        return found

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        """Give the tasks of a run, by name and what each is about."""
        found = self._ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances?limit=100")["task_instances"]
        return {f"{one['task_id']} {one.get('rendered_map_index') or ''}".strip(): one for one in found}

    def trigger(self, dag: str, **given: Any) -> str:
        """Start a run of a DAG as a person does, with these parameters; gives its name."""
        name: str = self._ask("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None, "conf": given})[
            "dag_run_id"
        ]
        return name

    def mark_failed(self, dag: str, run: str, task: str, index: int) -> None:
        """Mark a mapped task that is at work as failed."""
        self._ask("PATCH", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{index}", {"new_state": "failed"})

    def clear(self, dag: str, run: str, task: str, index: int) -> None:
        """Clear a mapped task and what follows it, as the page does unless told otherwise."""
        given = {"dag_run_id": run, "task_ids": [[task, index]], "include_downstream": True, "only_failed": False}
        self._ask("POST", f"/api/v2/dags/{dag}/clearTaskInstances", given | {"dry_run": False, "reset_dag_runs": True})

    def result(self, dag: str, run: str, task: str) -> Any:
        """Give what a task gave."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value"
        return self._ask("GET", path)["value"]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.home.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"}
            | ({"Authorization": f"Bearer {self._token}"} if self._token else {}),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


PATIENCE = 240
"""Seconds to wait for a run that takes half a minute on a quiet machine."""


@dataclass(frozen=True)
class Bench:
    """A home with the sample outlets, an Airflow over it, and what a webhook was told."""

    home: Path
    running: Standalone
    airflow: Interface
    outlets: Outlets
    told: list[dict[str, Any]]
    """By the channel of alerts."""
    warned: list[dict[str, Any]]
    """By the operators' channel."""

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until something holds, and give it."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            log = self.running.home.log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            assert time.monotonic() < end, "\n".join([f"it did not come: {what}", *log])
            time.sleep(0.5)
        return found

    def ended(self, dag: str) -> list[dict[str, Any]]:
        """Give the runs of a DAG that have ended, the oldest first."""
        return [run for run in self.airflow.runs(dag) if run["state"] in ("success", "failed")]

    def end(self, dag: str, run: str) -> dict[str, Any]:
        """Wait until a run has ended, and give it."""
        found: dict[str, Any] = self.until(
            lambda: next((one for one in self.ended(dag) if one["dag_run_id"] == run), None), f"the end of {dag} {run}"
        )
        return found

    def warnings(self, about: str) -> list[dict[str, Any]]:
        """Give what operators were told of a crawl that failed; the watch has findings of its own."""
        return [one for one in self.warned if f"host.crawl: {about}" in json.dumps(one)]

    def documents(self) -> list[str]:
        """Give what the store holds, by id and revision."""
        return [f"{row['id']} {row['revision']}" for row in export(self.home, "documents")]

    def alerts(self) -> list[str]:
        """Give the ids of the alerts."""
        return [row["id"] for row in export(self.home, "alerts")]


def export(home: Path, kind: ExportKind) -> list[dict[str, Any]]:
    """Give what the store of a home holds of a kind."""
    with closing(open_store(str(home / "sulh.sqlite"), create=False)) as store:
        return list(store.export(kind))


def write_sources(home: Path, texts: dict[str, str]) -> None:
    """Make a home with these sources, each to be looked at every 20 seconds."""
    (home / "sources").mkdir(parents=True)
    for name, text in texts.items():
        (home / "sources" / f"{name}.yml").write_text(f"{text.rstrip()}\nevery: 20s\n", encoding="utf-8")


@contextmanager
def benched(folder: Path, outlets: Outlets, *, every: str, **more: str) -> Iterator[Bench]:
    """Start an Airflow over the outlets and more sources, which looks so often what is due; end it with the block."""
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

    place = Home(folder=folder / "airflow-home", port=free_port(), program=program())
    with pytest.MonkeyPatch.context() as environment, ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        home = folder / "home"
        write_sources(home, outlets.sources() | more)
        for name in list(os.environ):
            if name.startswith(("SULH_", "AIRFLOW")):
                environment.delenv(name)
        environment.chdir(folder)
        for name, value in {
            "PYTHONPATH": str(ROOT),
            "SULH_AIRFLOW_EVERY": every,
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
            yield Bench(home=home, running=running, airflow=Interface(place), outlets=outlets, told=told, warned=warned)
        finally:
            started = descendants(running.process.pid)
            running.stop()
            hook.shutdown()
        assert not [pid for pid in started if alive(pid)]
