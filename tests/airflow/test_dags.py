"""The DAG files: light to read, with the pools that are made, and no command that the program would refuse."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sulh.airflow_home import POOLS, WORKERS
from sulh.scheduled import pages, words_of
from tests.airflow.machine import ROOT, program
from tests.command_lines import arguments, refusal

FILES = sorted((ROOT / "dags").glob("*.py"))

READING = """
import json, sys, time
opened = []
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
sys.addaudithook(lambda event, given: event.startswith("socket.") and opened.append(event))
bags = {}
for path in sys.argv[1:]:
    before = set(sys.modules)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        bag = DagBag(dag_folder=path, bundle_name="dags-folder")
        seconds.append(time.perf_counter() - began)
    bags[path] = {
        "seconds": min(seconds),
        "modules": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
        "sulh": sorted(name for name in sys.modules if name.partition(".")[0] in ("sulh", "processors", "crawlers")),
        "errors": bag.import_errors,
        "dags": {
            dag.dag_id: {
                "paused": dag.is_paused_upon_creation, "catchup": dag.catchup, "active": dag.max_active_runs,
                "doc": dag.doc_md or "", "tags": sorted(dag.tags), "schedule": str(dag.timetable),
                "tasks": {
                    task.task_id: {
                        "pool": task.pool, "owner": task.owner, "rule": str(task.trigger_rule), "retries": task.retries,
                        "policy": task.retry_policy is not None, "told": bool(task.on_failure_callback),
                        "limit": task.execution_timeout and task.execution_timeout.total_seconds(),
                        "name": task.task_display_name,
                        "empty": task.task_type == "EmptyOperator",
                        "leaf": not task.downstream_task_ids, "queue": task.queue,
                    }
                    for task in dag.tasks
                },
            }
            for dag in bag.dags.values()
        },
    }
print("READ", json.dumps({"bags": bags, "opened": opened}))
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow reads out of the files, in a process without a database."""
    return reading(tmp_path_factory.mktemp("airflow"), FILES)


def reading(folder: Path, files: Sequence[Path], **environment: str) -> dict[str, Any]:
    """Let a process without a database read the files."""
    done = subprocess.run(
        [str(program().with_name("python")), "-c", READING, *map(str, files)],
        env={name: value for name, value in os.environ.items() if not name.startswith(("SULH_", "AIRFLOW__"))}
        | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/none.db",
            "PYTHONPATH": str(ROOT),
        }
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("READ ")]
    assert done.returncode == 0 and said, done.stderr
    assert not (folder / "none.db").exists()
    found: dict[str, Any] = json.loads(said[0].removeprefix("READ "))
    return found


def dags(read: dict[str, Any]) -> dict[str, Any]:
    return {name: dag for bag in read["bags"].values() for name, dag in bag["dags"].items()}


def test_every_file_holds_the_dag_of_its_name(read: dict[str, Any]) -> None:
    assert {path: bag["errors"] for path, bag in read["bags"].items() if bag["errors"]} == {}
    assert {Path(path).stem: list(bag["dags"]) for path, bag in read["bags"].items()} == {
        path.stem: [path.stem] for path in FILES
    }
    assert set(dags(read)) == {"sulh_daily", "sulh_alert", "sulh_backfill", "sulh_recompare", "sulh_watch"}


def test_over_a_server_the_archive_is_judged_anew_by_who_has_the_admins_key_alone(tmp_path: Path) -> None:
    file, store = ROOT / "dags" / "sulh_recompare.py", "https://elasticsearch:9200"
    assert dags(reading(tmp_path, [file], SULH_STORE=store)) == {}
    found = dags(reading(tmp_path, [file], SULH_STORE=store, SULH_AIRFLOW_ADMIN_QUEUE="admin"))
    assert {one["queue"] for one in found["sulh_recompare"]["tasks"].values()} == {"admin"}


def test_reading_is_light_and_opens_nothing(read: dict[str, Any]) -> None:
    assert read["opened"] == []
    ours = {re.split(r"[<>=!~\[ ]", line)[0].replace("-", "_").lower() for line in dependencies()}
    heavy = ours | {"crawlers", "processors", "lxml", "sqlite3", "yaml", "numpy", "pandas"}
    for path, bag in read["bags"].items():
        assert not heavy & {name.lower() for name in bag["modules"]}, path
        # Of sulh no more than what starts its commands.
        assert {name for name in bag["sulh"] if name.count(".")} <= {"sulh.scheduled"}, path


def test_each_file_is_read_within_a_second(read: dict[str, Any]) -> None:
    # A scheduler reads them all the time; 0.03 s each were measured, and the best of three bears with a busy machine.
    assert {Path(path).stem: bag["seconds"] for path, bag in read["bags"].items() if bag["seconds"] >= 1} == {}


def dependencies() -> list[str]:
    """Give what sulh itself needs: a DAG file needs none of it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: list[str] = tomllib.load(file)["project"]["dependencies"]
    assert any(line.startswith("scrapy") for line in map(str.lower, found))
    return found


TASKS = {
    "sulh_alert": {"decide": "sulh_turn", "deliver": "default_pool"},
    "sulh_backfill": {
        "cut": "default_pool",
        "fetch": "sulh_backfill",
        "process": "sulh_turn",
        "missing": "default_pool",
        "all_is_done": "default_pool",
    },
    "sulh_daily": {
        "list_due": "default_pool",
        "host.crawl": "sulh_crawl",
        "host.process": "sulh_turn",
        "all_is_done": "default_pool",
    },
    "sulh_recompare": {"report": "sulh_turn", "agree": "default_pool", "switch": "sulh_turn"},
    "sulh_watch": {"look": "default_pool"},
}
"""Each task with its pool: whoever judges or decides takes turns, and a host's patience is counted by crawls."""


def test_tasks_and_their_pools_are_those_that_operators_know(read: dict[str, Any]) -> None:
    found = {name: {task: one["pool"] for task, one in dag["tasks"].items()} for name, dag in dags(read).items()}
    assert found == TASKS


LONG = 30 * 60
"""Seconds: what takes no longer than deciding on alerts may, keeps none waiting for long."""


def test_tasks_that_take_hours_leave_a_worker_to_the_others(read: dict[str, Any]) -> None:
    long = {
        one["pool"]
        for dag in dags(read).values()
        for one in dag["tasks"].values()
        if one["limit"] and one["limit"] > LONG
    }
    # Whoever judges waits for a turn, and what waits for its slot in a pool holds no worker.
    assert long == {"sulh_crawl", "sulh_backfill", "sulh_turn"}
    assert sum(POOLS[name][0] for name in long - {"sulh_turn"}) < WORKERS
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    slots = re.findall(r"AIRFLOW_TASKS:-(\d+)\}", compose)
    assert slots and all(int(one) >= WORKERS for one in slots)


def test_what_the_pages_of_the_dags_tell_to_type_can_be_typed(read: dict[str, Any]) -> None:
    for name, dag in dags(read).items():
        lines = [words for code in re.findall(r"`([^`]+)`", dag["doc"]) if (words := arguments(code))]
        assert lines, name
        for words in lines:
            assert refusal(words) == "", (name, words)
        # Where there is no desk, no link leads to one.
        assert "](http" not in pages("alerts", "ledger", environ={"SULH_STORE": "https://elasticsearch:9200"})


def test_schedules_are_those_that_are_told(read: dict[str, Any]) -> None:
    found = dags(read)
    assert not any(dag["catchup"] for dag in found.values())
    assert not any(dag["paused"] for dag in found.values())
    assert "seconds=900" in found["sulh_daily"]["schedule"]
    assert "sulh-documents" in found["sulh_alert"]["schedule"] and "7 * * * *" in found["sulh_alert"]["schedule"]
    assert found["sulh_alert"]["active"] == 1
    assert "22,52 * * * *" in found["sulh_watch"]["schedule"]
    assert "Null" in found["sulh_backfill"]["schedule"] and "Null" in found["sulh_recompare"]["schedule"]


def test_each_task_can_be_understood_and_is_seen_when_it_fails(read: dict[str, Any]) -> None:
    for name, dag in dags(read).items():
        assert "**Red?**" in dag["doc"] or "red?**" in dag["doc"], name
        assert "http://127.0.0.1:8020/" in dag["doc"] and "sulh" in dag["tags"]
        for task, one in dag["tasks"].items():
            assert one["pool"] in {*POOLS, "default_pool"}, task
            assert " " in one["name"], task
            # A run must not look fine because its last task went on after a failure.
            assert not (one["leaf"] and one["rule"] == "all_done"), task
            if not one["empty"]:
                assert one["told"] and one["owner"] == "sulh", task
            if one["retries"]:
                assert one["empty"] or (one["policy"] and one["limit"]), task


SAMPLES = {
    "group": {"about": "x.test", "hosts": ["x.test"], "sources": ["a_gb", "b_gb"]},
    "params": {"source": "a_gb", "files": [str(ROOT / "README.md")], "switch": True},
    "span": {"from": "2014-11-01", "to": "2014-11-30"},
    "approved": {"rules": "0123456789abcdef"},
    "via": ["--via", "warc"],
    "GROUPS": "100",
}
"""What the tasks hand to their commands."""


def commands(path: Path) -> list[list[str]]:
    """Give the words of each command line in a DAG file, with samples for what comes in when it runs."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sulh":
            words = ast.Expression(ast.fix_missing_locations(ast.List(elts=node.args, ctx=ast.Load())))
            found.append(eval(compile(words, str(path), "eval"), dict(SAMPLES)))
    return found


def test_the_program_takes_what_tells_operators() -> None:
    said = words_of(["watch", "tell", "task-failed", "sulh_daily: host.crawl: x.test", "--said", "-", "--todo", "look"])
    assert refusal(said[1:]) == ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_program_takes_every_command(path: Path) -> None:
    lines = commands(path)
    assert lines
    for line in lines:
        assert refusal(words_of(line)[1:]) == "", line


def test_nothing_but_the_tasks_call_the_program() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "subprocess" not in text and "BashOperator" not in text and "os.system" not in text
