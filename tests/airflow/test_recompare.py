"""Judging the archive anew under Airflow: a person reads what changes, and it holds once the person agrees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sulh.airflow_home import Home
from sulh.demo.serve import Outlets
from sulh.stores import open_store
from tests.airflow.machine import ROOT, free_port, program

PORT = 18860
"""Beside the ports of the demo and of the other tests."""

SOURCE = "levantwire_lb"

RUNS = """
import json, sys, threading, time
from fastapi.testclient import TestClient
from airflow.api_fastapi.app import create_app
from airflow.dag_processing.dagbag import DagBag

path, password, register, *answers = sys.argv[1:]
client = TestClient(create_app(apps="all"))
token = client.post("/auth/token", json={"username": "admin", "password": password}).json()["access_token"]
client.headers["Authorization"] = f"Bearer {token}"
asked = []

def answer():
    # Each question is answered as a person does under "Required Actions".
    while len(asked) < len(answers):
        time.sleep(0.2)
        found = client.get("/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false").json()["hitl_details"]
        for one in found:
            task = one["task_instance"]
            if task["state"] != "awaiting_input":
                continue
            place = f"/api/v2/dags/sulh_recompare/dagRuns/{task['dag_run_id']}/taskInstances/agree/-1/hitlDetails"
            chosen = answers[len(asked)]
            if chosen == "Late":
                # A person agrees to what was reported, and another has changed the rules once more since.
                chosen, text = "Approve", open(register).read()
                open(register, "w").write(text.replace("id: C77\\n", "id: C78\\n"))
            said = client.patch(place, json={"chosen_options": [chosen]})
            asked.append([one["body"], said.status_code])

threading.Thread(target=answer, daemon=True).start()
dag = DagBag(dag_folder=path, bundle_name="dags-folder").dags["sulh_recompare"]
runs = []
for _ in answers:
    run = dag.test()
    runs.append([str(run.state), {one.task_id: str(one.state) for one in run.get_task_instances()}])
print("RUNS", json.dumps([asked, runs]))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which one outlet was judged, and whose register was changed since."""
    for name in list(os.environ):
        if name.startswith(("SULH_", "AIRFLOW")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    (home / "sources").mkdir(parents=True)
    monkeypatch.setenv("SULH_HOME", str(home))
    monkeypatch.setenv("SULH_ALLOW_LOOPBACK", "true")
    monkeypatch.setenv("SULH_ALERT_MAX_AGE_DAYS", "0")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Outlets().start(PORT) as outlets:
        (home / "sources" / f"{SOURCE}.yml").write_text(outlets.sources()[SOURCE], encoding="utf-8")
        subprocess.run([sys.executable, "-m", "sulh", "run", SOURCE], check=True, capture_output=True)
    text = files("processors").joinpath("registers/orton-2014-11-15.yml").read_text(encoding="utf-8")
    (home / "registers").mkdir()
    changed = text.replace("id: C01\n", "id: C77\n")
    assert changed != text
    (home / "registers" / "mine.yml").write_text(changed, encoding="utf-8")
    return home


def sulh(*words: str) -> list[Any]:
    """Run a command over the home."""
    done = subprocess.run([sys.executable, "-m", "sulh", *words, "--json"], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def claims(home: Path) -> set[str]:
    """Give the claims that something bears on."""
    with closing(open_store(home / "sulh.sqlite", create=False)) as store:
        return {row["claim"] for row in store.export("comparisons")}


def test_nothing_holds_until_a_person_agrees(home: Path, tmp_path: Path) -> None:
    place = Home(folder=tmp_path / "airflow-home", port=free_port(), program=program())
    place.prepare()
    password = json.loads(place.passwords.read_text(encoding="ascii"))["admin"]
    before = home / "sulh.sqlite", tmp_path / "before.sqlite"
    shutil.copy(*before)

    def run(*answers: str) -> tuple[list[Any], list[Any]]:
        done = subprocess.run(
            [
                str(place.program.with_name("python")),
                "-c",
                RUNS,
                str(place.dags / "sulh_recompare.py"),
                password,
                str(home / "registers" / "mine.yml"),
                *answers,
            ],
            env=place.environment(),
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        said = [line for line in done.stdout.splitlines() if line.startswith("RUNS ")]
        assert done.returncode == 0 and said, done.stdout + done.stderr
        asked, runs = json.loads(said[0].removeprefix("RUNS "))
        return asked, runs

    assert "C01" in claims(home)
    dismissed, *_ = [row["alert"]["id"] for row in sulh("alerts")]
    sulh("alerts", dismissed, "--dismiss", "a rumour")
    asked, runs = run("Reject", "Late", "Approve")
    (rejected, late, approved) = runs
    assert rejected == ["success", {"report": "success", "agree": "success", "switch": "skipped"}]
    assert late == ["failed", {"report": "success", "agree": "success", "switch": "failed"}]
    assert approved == ["success", {"report": "success", "agree": "success", "switch": "success"}]
    for body, status in asked:
        assert status == 200
        assert "new comparison" in body and "**gone** orton-2014-11-15/C01" in body
        assert "http://127.0.0.1" in body
    # What was rejected changed nothing: the second question is the first one again.
    assert asked[0] == asked[1]
    # What nobody had read was not switched in, and was by the next report.
    assert "C78" not in asked[1][0] and "C78" in asked[2][0]
    assert {"C78"} <= claims(home) and not {"C01", "C77"} & claims(home)

    (row,) = sulh("alerts", dismissed)
    assert (row["queue"], row["why"]) == ("dismissed", "a rumour")
    with closing(open_store(home / "sulh.sqlite", create=False)) as store:
        found = [one.kind for one in store.findings(standing=True)]
    # Operators knew of each report that waited, and of the one whose rules changed.
    assert (found.count("approval-waits"), found.count("task-failed")) == (3, 1)
