"""What keeps an Airflow at work on one machine: a part that dies comes back, and nothing outlives what started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from processors.errors import SulhError
from sulh.airflow_home import Home, alive, descendants
from sulh.stores import open_store

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds to wait for what comes in a few on a quiet machine."""

PROGRAM = """#!{python}
import http.server, json, os, signal, subprocess, sys, time
home, part = os.environ["AIRFLOW_HOME"], sys.argv[1]
if part == "standalone":
    # As Airflow does: parts by PATH, one signal, no look at what becomes of them.
    parts = [subprocess.Popen(["airflow", name]) for name in ("scheduler", "dag-processor", "api-server", "triggerer")]
    try:
        while True:
            time.sleep(60)
    except KeyboardInterrupt:
        for one in parts:
            one.terminate()
        for one in parts:
            one.wait()
elif part == "api-server":
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            names = ("scheduler", "dag_processor", "metadatabase")
            self.wfile.write(json.dumps({{name: {{"status": "healthy"}} for name in names}}).encode())
    http.server.HTTPServer(("127.0.0.1", int(os.environ["AIRFLOW__API__PORT"])), Health).serve_forever()
elif part in ("scheduler", "dag-processor", "triggerer"):
    worker = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"])
    with open(os.path.join(home, part + ".started"), "a") as file:
        print(os.getpid(), worker.pid, *sys.argv[1:], file=file, flush=True)
    signal.pause()
"""


START = """
import sys
from pathlib import Path
from sulh.airflow_home import Home
home = Home(folder=Path(sys.argv[1]), port=int(sys.argv[2]), program=Path(sys.argv[3]))
home.prepare()
running = home.start()
running.wait_until_ready()
print(running.process.pid, flush=True)
sys.stdin.readline()
running.stop()
"""


@dataclass
class Kept:
    """An Airflow, and the program that keeps it at work, as `make airflow` does."""

    home: Home
    starter: subprocess.Popen[str]
    standalone: int

    def started(self, part: str) -> list[list[str]]:
        """Give the process, its worker and the words of each start of a part."""
        path = self.home.folder / f"{part}.started"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def at_work(self) -> set[int]:
        """The processes of this Airflow."""
        return {pid for pid in {self.standalone} | descendants(self.standalone) if alive(pid)}


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    for name in list(os.environ):
        if name.startswith(("SULH_", "AIRFLOW")):
            monkeypatch.delenv(name)
    program = tmp_path / "airflow"
    program.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("SULH_HOME", str(tmp_path / "home"))
    home = Home(folder=tmp_path / "airflow-home", port=port, program=program)
    starter = subprocess.Popen(
        [sys.executable, "-c", START, str(home.folder), str(port), str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        assert starter.stdout is not None
        kept = Kept(home=home, starter=starter, standalone=int(starter.stdout.readline()))
        try:
            until(lambda: all(kept.started(part) for part in ("scheduler", "dag-processor", "triggerer")))
            yield kept
        finally:
            starter.kill()
            until(lambda: not kept.at_work)


def test_a_part_that_is_killed_comes_back_and_operators_know(kept: Kept, tmp_path: Path) -> None:
    ((pid, worker, *words),) = kept.started("scheduler")
    assert words == ["scheduler", "--skip-serve-logs"]
    os.kill(int(pid), signal.SIGKILL)
    until(lambda: len(kept.started("scheduler")) == 2)
    # It would wait for ever for a scheduler that is no more.
    assert not alive(int(worker))
    assert len(kept.started("triggerer")) == 1
    with closing(open_store(tmp_path / "home" / "sulh.sqlite", create=False)) as store:
        (finding,) = store.findings()
    assert (finding.kind, finding.about) == ("airflow", "scheduler")
    assert "ended with status 137 and is started again" in finding.said


def test_it_ends_in_order_with_all_that_it_started(kept: Kept) -> None:
    assert len(kept.at_work) == 12
    kept.starter.communicate("end\n", timeout=PATIENCE)
    assert kept.starter.returncode == 0
    assert kept.at_work == set()


def test_it_ends_when_what_started_it_is_killed(kept: Kept) -> None:
    kept.starter.kill()
    until(lambda: not kept.at_work)


def test_another_one_on_its_port_is_refused(kept: Kept) -> None:
    with pytest.raises(SulhError, match="does an Airflow run already"):
        kept.home.start()
    assert len(kept.started("scheduler")) == 1
