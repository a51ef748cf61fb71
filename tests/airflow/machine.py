"""The Airflow that tests run, where this machine has one."""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sulh.airflow_home import Home
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
