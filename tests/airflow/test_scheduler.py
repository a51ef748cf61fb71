"""Under a real scheduler: the daily work, from its schedule to one message an alert; a backfill; and the watch.

All tests share one Airflow, which takes half a minute to start.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from processors.archive import Archive
from sulh.demo.serve import Outlets
from tests.airflow.machine import Bench, benched, export, free_port
from tests.crawlers.site import Reply, Site, article, item, rss


@pytest.fixture(scope="module")
def down() -> str:
    """The host of an outlet that does not answer."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, down: str) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("scheduler")
    source = f'name: "Down"\ncountry: "GB"\nlanguage: en\nkind: feed\nurl: "http://{down}/feed"\n'
    with Outlets().start(0) as outlets, benched(folder, outlets, every="45s", down_gb=source) as bench:
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


PAGES = {"/1": "2014-11-03", "/2": "2014-11-20", "/gone": "2014-11-21", "/3": "2014-12-05", "/4": "2014-12-06"}
"""What a site's past holds, by day; one page of it is no more."""


@pytest.fixture
def past() -> Iterator[tuple[Site, threading.Event, threading.Event]]:
    """A site with a past, one page of which comes only when it is let go; gives also what is set when it is asked."""
    site, asked, free = Site(), threading.Event(), threading.Event()

    def held(count: int) -> Reply:
        asked.set()
        free.wait()
        return article("A report of the fourth day.")

    listed = "".join(f"<url><loc>{site.url}{path}</loc><lastmod>{day}</lastmod></url>" for path, day in PAGES.items())
    site.pages = {path: article(f"A report that has the address {path}.") for path in PAGES if path != "/gone"}
    site.pages |= {
        "/robots.txt": Reply(f"User-agent: *\nSitemap: {site.url}/all.xml\n".encode()),
        "/all.xml": Reply(f"<urlset>{listed}</urlset>".encode()),
        "/feed": rss(item(f"{site.url}/today")),
        "/today": article("A report of today."),
        "/4": held,
    }
    yield site, asked, free
    free.set()
    site.close()


def test_a_backfill_that_is_stopped_goes_on_where_it_was(
    bench: Bench, past: tuple[Site, threading.Event, threading.Event]
) -> None:
    site, asked, free = past
    text = f'name: "Past"\ncountry: "GB"\nlanguage: en\nkind: feed\nurl: "{site.url}/feed"\ndelay: 0.1\nevery: 1d\n'
    (bench.home / "sources" / "past_gb.yml").write_text(text, encoding="utf-8")
    days = {"from": "2014-11-01", "to": "2014-12-31"}
    run = bench.airflow.trigger("sulh_backfill", source="past_gb", via="sitemap", **days)
    bench.until(asked.is_set, "the last page of the second month")
    bench.airflow.mark_failed("sulh_backfill", run, "fetch", 1)
    bench.until(lambda: not Archive(bench.home).recent("past_gb").held, "the end of its command")
    # Before the daily crawl, which takes up what was interrupted as well.
    free.set()
    assert bench.end("sulh_backfill", run)["state"] == "failed"
    assert bench.airflow.result("sulh_backfill", run, "missing")[0] == "not fetched: 2014-12-01 to 2014-12-31"

    bench.airflow.clear("sulh_backfill", run, "fetch", 1)
    bench.until(lambda: bench.airflow.runs("sulh_backfill")[0]["state"] == "success", "the end of what was left")
    fetched = Counter(path for path in site.paths() if path in PAGES)
    # The page that was under way is the only one that is asked for again.
    assert {path: fetched[path] for path in PAGES} == {"/1": 1, "/2": 1, "/gone": 1, "/3": 1, "/4": 2}
    held = {row["url"] for row in export(bench.home, "documents")}
    assert {path for path in PAGES if f"{site.url}{path}" in held} == {"/1", "/2", "/3", "/4"}
    missing = bench.airflow.result("sulh_backfill", run, "missing")
    # Days without an item are one run across the months.
    assert "nothing of 2014-11-22 to 2014-12-04" in missing
    assert f"could not be had: {site.url}/gone: http-404" in missing


def test_a_backfill_of_what_is_not_there_fails_once_and_judges_nothing(bench: Bench) -> None:
    days = {"from": "2014-01-01", "to": "2014-12-31"}
    run = bench.airflow.trigger("sulh_backfill", source="nobody_xx", **days)
    assert bench.end("sulh_backfill", run)["state"] == "failed"
    tasks = bench.airflow.tasks("sulh_backfill", run)
    assert (tasks["cut"]["state"], tasks["cut"]["try_number"]) == ("failed", 1)
    assert {one["state"] for name, one in tasks.items() if name != "cut"} == {"upstream_failed"}
    bench.until(lambda: [one for one in bench.warned if "nobody_xx" in json.dumps(one)], "the operators' message")
    (said,) = [json.dumps(one) for one in bench.warned if "nobody_xx" in json.dumps(one)]
    assert "there is no source nobody_xx" in said


def test_the_watch_tells_operators_once_of_what_it_finds(bench: Bench) -> None:
    (bench.home / "sources" / "broken_gb.yml").write_text("name: nothing else\n", encoding="utf-8")
    try:
        for _ in range(2):
            run = bench.airflow.trigger("sulh_watch")
            assert bench.end("sulh_watch", run)["state"] == "success"
            (report,) = bench.airflow.result("sulh_watch", run, "look")
            assert "source-file" in {one["kind"] for one in report["findings"]}
    finally:
        (bench.home / "sources" / "broken_gb.yml").unlink()
    assert sum("source-file" in json.dumps(one) for one in bench.warned) == 1
