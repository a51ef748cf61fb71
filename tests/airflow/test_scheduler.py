"""The daily work under a real scheduler: from its schedule to one message an alert, and nothing twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sulh.demo.serve import Outlets
from tests.airflow.machine import Bench, benched, free_port


@pytest.fixture
def down() -> str:
    """The host of an outlet that does not answer."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def bench(tmp_path: Path, down: str) -> Iterator[Bench]:
    source = f'name: "Down"\ncountry: "GB"\nlanguage: en\nkind: feed\nurl: "http://{down}/feed"\n'
    with Outlets().start(0) as outlets, benched(tmp_path, outlets, every="45s", down_gb=source) as bench:
        yield bench


def test_the_daily_work_is_done_by_its_schedule_once(bench: Bench, down: str) -> None:
    first = bench.until(lambda: bench.ended("sulh_daily"), "the first run")[0]
    assert first["run_type"] == "scheduled"
    tasks = bench.airflow.tasks("sulh_daily", first["dag_run_id"])
    # The outlet that is down fails its own task, and the run shows it; all else went on.
    assert sorted(name for name, task in tasks.items() if task["state"] == "failed") == [f"host.crawl {down}"]
    assert (first["state"], tasks["all_is_done"]["state"]) == ("failed", "upstream_failed")
    good = {name: task for name, task in tasks.items() if name not in ("all_is_done", f"host.crawl {down}")}
    assert len(good) == 12 and {task["state"] for task in good.values()} == {"success"}, good

    # Its operators are told, with what its log ends with, and once.
    bench.until(lambda: bench.warnings(down), "the operators' message")
    (warning,) = bench.warnings(down)
    assert "robots-connection-refused" in json.dumps(warning)

    # Documents that came in let alerts be decided; the last decision begins after the last documents.
    came = max(task["end_date"] for name, task in good.items() if "process" in name and down not in name)
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
    assert bench.warnings(down) == [warning]
    assert {run["state"] for run in bench.airflow.runs("sulh_alert")} <= {"success", "queued", "running"}
