"""The daily run on the sample outlets, over real HTTP on this machine: complete, repeatable, and safe to kill."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from processors.archive import CaptureRef
from processors.errors import StoreError
from sulh.demo.expected import expected
from sulh.demo.serve import Outlets
from sulh.pipeline import Judged, process
from sulh.stores import EXPORTS, Access, ExportKind, open_store
from sulh.stores.elastic_indices import create_indices
from tests import sample_store as sample
from tests.elastic.node import Node

PORT = 18760
"""Beside the demo's own ports, so that a demo that is open does not disturb the tests."""

RUN_DEPENDENT = ("fetched_at", "capture")
"""What a document says of its own fetching: two crawls differ in it, two replays do not."""


@dataclass
class Bench:
    """A home with the sample outlets as its sources, and a webhook that counts what it is told."""

    home: Path
    hook: str = ""
    store: str = ""
    prefix: str = "sulh"
    told: list[dict[str, Any]] = field(default_factory=list)
    code: Path = Path(__file__).parent.parent.parent
    """Where the program lies that is called."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings, and nothing of the person's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SULH_")}
        ours = {"SULH_HOME": str(self.home), "SULH_ALLOW_LOOPBACK": "true", "SULH_ALERT_MAX_AGE_DAYS": "0"}
        store = {"SULH_STORE": self.store} if self.store else {}
        hook = {"SULH_NOTIFY": self.hook} if self.hook else {}
        return kept | ours | {"SULH_STORE_PREFIX": self.prefix} | store | hook

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "sulh", *arguments],
            env=self.environment | {"PYTHONPATH": str(self.code)},
            cwd=self.code,
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


def test_a_changed_claim_is_told_of_before_it_holds(calm: Bench, tmp_path: Path) -> None:
    shutil.copytree(calm.home, tmp_path / "home")
    bench = Bench(home=tmp_path / "home")
    shipped = files("processors").joinpath("registers/orton-2014-11-15.yml").read_text(encoding="utf-8")
    mine = bench.home / "registers" / "mine.yml"
    mine.parent.mkdir()
    mine.write_text(shipped.replace("id: orton-2014-11-15", "id: mine"), encoding="utf-8")
    bench.sulh("recompare", "--switch")
    dismissed = bench.rows("export", "alerts")[0]["id"]
    bench.sulh("alerts", dismissed, "--dismiss", "a rumour")
    before = bench.exports()
    held = [row for row in before["comparisons"] if (row["register"], row["claim"]) == ("mine", "C01")]
    assert held

    assert "nothing changes" in bench.sulh("recompare")
    mine.write_text(mine.read_text(encoding="utf-8").replace("id: C01\n", "id: C77\n"), encoding="utf-8")
    (report,) = bench.rows("recompare", "--json")
    changes = {(change["kind"], change["sort"], change["about"]) for change in report["changes"]}
    assert changes == {("comparison", "gone", "mine/C01"), ("comparison", "new", "mine/C77")}
    gone = [change for change in report["changes"] if change["sort"] == "gone"]
    assert {(change["document"], change["sentence"]) for change in gone} == {
        (row["document"], row["sentence"]) for row in held
    }
    assert all(change["url"].startswith("http://127.0.0.1:") for change in gone)
    assert bench.exports() == before, "a report must leave the store as it was"

    # Changed once more since: what was read is not what would be switched in.
    read = mine.read_text(encoding="utf-8")
    mine.write_text(read.replace("id: C02\n", "id: C78\n"), encoding="utf-8")
    bench.sulh("recompare", "--switch", "--only-if", report["rules"], status=1)
    assert bench.exports() == before
    mine.write_text(read, encoding="utf-8")

    said = bench.sulh("recompare", "--switch", "--only-if", report["rules"])
    assert f"comparisons: {len(held)} new, {len(held)} gone, 0 changed" in said
    after = bench.exports()
    assert {row["claim"] for row in after["comparisons"] if row["register"] == "mine"} >= {"C77"}
    assert {kind: after[kind] for kind in after if kind != "comparisons"} == {
        kind: before[kind] for kind in before if kind != "comparisons"
    }
    (row,) = bench.rows("alerts", dismissed, "--json")
    assert (row["queue"], row["why"], [each["state"] for each in row["deliveries"]]) == (
        "dismissed",
        "a rumour",
        ["sent"],
    )


AHRAR = "(حركة |كتائب |)أحرار الشام( الإسلامية|)"
"""What the file of the rebels' groups calls Ahrar al-Sham in Arabic."""


def with_other_rules(home: Path, tmp_path: Path) -> Bench:
    """Give a copy of the home, and of the program whose files of groups take Ahrar's Arabic name for another group."""
    code, root = tmp_path / "code", Path(__file__).parent.parent.parent
    for name in ("sulh", "crawlers", "processors", "mappings"):
        shutil.copytree(root / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in (
        ("rebels", f"      ar: [{AHRAR}]\n", ""),
        ("rebels", "      ar: [الأحرار]\n", ""),
        ("independent", "ar: [(تنظيم |فصيل |)جند الأقصى]", f"ar: [(تنظيم |فصيل |)جند الأقصى, {AHRAR}]"),
    ):
        path = code / "processors" / "actors" / f"{name}.yml"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")
    shutil.copytree(home, tmp_path / "home")
    return Bench(home=tmp_path / "home", code=code)


def test_changed_rules_keep_what_analysts_decided_and_tell_nobody_twice(calm: Bench, tmp_path: Path) -> None:
    bench = with_other_rules(calm.home, tmp_path)
    stood = bench.exports()
    before = [row["id"] for row in stood["alerts"]]
    (swap,) = (row["id"] for row in stood["alerts"] if row["parties"] == ["ahrar-al-sham", "islamic-state"])
    (confirmed, *_) = (id for id in before if id != swap)
    bench.sulh("alerts", swap, "--dismiss", "no truce")
    bench.sulh("alerts", confirmed, "--confirm")

    said = bench.sulh("recompare", "--switch")
    assert "alerts: 1 new, 1 withdrawn, 0 gone, 0 changed" in said
    assert f"withdrawn {swap}  swap: ahrar-al-sham, islamic-state" in said and "dismissed: no truce (stays so)" in said
    assert "analysts will be notified" not in said
    assert bench.rows("alert", "--json") == []
    (delivered,) = bench.rows("deliver", "--json")
    assert (delivered["sent"], delivered["waiting"]) == (0, 0)
    rows = {row["alert"]["id"]: row for row in bench.rows("alerts", "--json")}
    assert (rows[swap]["queue"], rows[swap]["alert"]["state"]) == ("dismissed", "withdrawn")
    assert [each["state"] for each in rows[swap]["deliveries"]] == ["sent"]
    assert rows[confirmed]["queue"] == "confirmed"
    (new,) = rows.keys() - set(before)
    assert (rows[new]["queue"], rows[new]["alert"]["held"], rows[new]["deliveries"]) == ("held", "told", [])

    # The rules as they were again: all is as it was.
    back = Bench(home=bench.home)
    back.sulh("recompare", "--switch")
    assert back.exports() == stood


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


# Over a server


def test_the_demo_over_a_server_gives_what_it_gives_over_a_file(elastic: tuple[str, Access], tmp_path: Path) -> None:
    address, access = elastic
    served = Bench(home=tmp_path / "mine", prefix=access.prefix)
    call = ("--home", str(served.home), "demo", "--port", str(PORT + 40), "--store", address, "--json")
    (report,) = served.rows(*call)
    assert report["process"]["indexed"] and report["new_alerts"] and not report["faults"]
    # What the demo told of its settings: later commands on its folder find the store.
    assert not (served.home / "sulh.sqlite").exists()
    (again,) = served.rows(*call)
    assert (again["process"], again["new_alerts"], again["delivery"]["sent"]) == ({}, [], 0)
    # The same captures, since two crawls differ in when they fetched.
    filed = Bench(home=served.home, store=str(tmp_path / "sulh.sqlite"))
    filed.sulh("process")
    filed.sulh("alert")
    for kind in EXPORTS:
        over_server = served.sulh("--home", str(served.home), "export", kind)
        assert over_server == filed.sulh("export", kind), kind
        assert over_server
    for command in (["claims", "--json"], ["claims", "C09"], ["alerts"], ["ledger"]):
        assert served.sulh(*command) == filed.sulh(*command), command
    for words in ("truces", "перемирия", "هدنة", "trêves", "ateşkesin"):
        found = [{row["document"] for row in bench.rows("search", words, "--json")} for bench in (served, filed)]
        assert found[0] == found[1] and found[0], words


def test_a_replay_over_a_server_gives_the_same_store(elastic: tuple[str, Access], calm: Bench, tmp_path: Path) -> None:
    served = Bench(home=calm.home, store=elastic[0], prefix=elastic[1].prefix)
    served.sulh("process")
    served.sulh("alert")
    before = [served.sulh("export", kind) for kind in EXPORTS]
    served.sulh("replay")
    assert [served.sulh("export", kind) for kind in EXPORTS] == before
    served.sulh("replay", "meridian_ru")
    assert [served.sulh("export", kind) for kind in EXPORTS] == before


def test_the_demo_keeps_out_of_a_store_of_other_sources(elastic: tuple[str, Access], tmp_path: Path) -> None:
    address, access = elastic
    with closing(open_store(address, access=access)) as store:
        sample.fill(store)
        before = list(store.export("documents"))
    bench = Bench(home=tmp_path / "mine", prefix=access.prefix)
    with bench.start("--home", str(bench.home), "demo", "--port", str(PORT + 60), "--store", address) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "this store holds blog_xx, daily_uk, down_tr …" in err and "SULH_STORE_PREFIX" in err
    with closing(open_store(address, access=access)) as store:
        assert list(store.export("documents")) == before


def test_a_node_that_is_killed_costs_a_retry_and_no_item(own_node: Callable[..., Node], tmp_path: Path) -> None:
    pages = {page.capture: page for page in (sample.document(f"wire_us/{n}", sample.TRUCE) for n in range(1200))}

    def judged(captures: Iterable[str], kill_at: int = -1) -> Iterator[tuple[CaptureRef, Judged]]:
        for number, page in enumerate(pages[capture] for capture in captures):
            if number == kill_at:
                node.kill()
            truce = sample.event(page, sample.TRUCE, "truce", "islamic-state", "nusra")
            told = sample.comparison(page, "C09", "reports", truce, "a truce")
            ref = CaptureRef(id=page.capture, source=page.source, url=page.url, fetched_at=page.fetched_at, locator="")
            yield ref, Judged(document=page, events=(truce,), comparisons=(told,))

    node = own_node().start()
    create_indices(node.url, Access())
    store = open_store(node.url, access=Access())
    # The last try finds the node gone, or still going: the sentences differ, what they promise does not.
    with pytest.raises(StoreError, match=r": nothing is lost; check that .* run the same command again"):
        # In the second of three batches.
        process(store, judged(pages, kill_at=700))
    store.close()
    bench = Bench(home=tmp_path / "home", store=node.url)
    with bench.start("process") as command:
        _, err = command.communicate(timeout=60)
    assert command.returncode == 1
    assert err.startswith("sulh: ") and len(err.splitlines()) == 1
    node.start()
    with closing(open_store(node.url, access=Access())) as store:
        waiting = store.unprocessed(list(pages))
        assert 0 < len(waiting) < len(pages)
        report = process(store, judged(capture for capture in pages if capture in waiting))
        assert report.counts == {"indexed": len(waiting)}
        found = {kind: list(store.export(kind)) for kind in EXPORTS}
    with closing(open_store(tmp_path / "sulh.sqlite")) as store:
        process(store, judged(pages))
        assert found == {kind: list(store.export(kind)) for kind in EXPORTS}
