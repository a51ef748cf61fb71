"""Measures freshness: from the moment a loopback outlet publishes an item to its alert at a webhook.

    python -m benchmarks.freshness [--items 20] [--every 15] [--only airflow|loop] [--keep FOLDER]

A feed that is polled every 15 s, and reports of reconciliations that come out at uneven moments of that time, each on
another pair of rivals, so that each raises an alert of its own. It is measured under `airflow standalone`, by its
schedule, and again with `sulh run` in a loop, which shows what of it is Airflow's. Without Airflow only the latter.

Exit status 1 where an item did not arrive, or twice. The seconds depend on the machine: no bound is set on them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.process import Writer
from processors.errors import SulhError
from sulh.airflow_home import Home
from sulh.freshness import percentile
from sulh.stores import open_store

ROOT = Path(__file__).parent.parent

UNEVEN = 1.618
"""Intervals between two items: with the golden ratio they fall on all moments of the interval alike."""

PATIENCE = 180.0
"""Seconds to wait for what should come: several times what the slowest item took on two busy cores."""

PARTS = ("fetched", "indexed", "decided", "delivered")
"""What befalls an item, in that order, after it was published."""

BRANCHES = ("Khorasan", "West Africa", "Sahel", "Sinai", "Central Africa")
RIVALS = (
    "Hurras al-Din",
    "al-Shabaab",
    "Ansar Dine",
    "the Turkistan Islamic Party",
    "the Caucasus Emirate",
    "al-Mourabitoun",
    "Ansaru",
    "Jund al-Aqsa",
)
"""Five branches by eight rivals: no pair is of the same groups as another, nor of a group and its parent."""

DEALS = (
    "agreed a truce",
    "signed a ceasefire",
    "reached a truce after talks",
    "agreed to stop fighting each other",
)

Running = Callable[[Path, Mapping[str, str]], AbstractContextManager[None]]
"""What does the work in a folder, with an environment, for as long as it is entered."""


def stories(count: int) -> Iterator[tuple[str, str]]:
    """Give titles and paragraphs of so many reports, each of a reconciliation of its own."""
    writer = Writer(seed=5)
    pairs = [(branch, rival) for rival in RIVALS for branch in BRANCHES]
    for number, (branch, rival) in enumerate(pairs[:count]):
        told = f"The Islamic State {branch} Province and {rival} {DEALS[number % len(DEALS)]}"
        rest = "".join(f"<p>{writer.paragraph('en')}</p>" for _ in range(5))
        yield told, f"<p>{told} this week, residents said.</p>{rest}"


@dataclass
class Outlet:
    """A site whose feed lists what has been published so far, and the webhook that is told."""

    items: Sequence[tuple[str, str]]
    published: dict[int, datetime] = field(default_factory=dict)
    arrived: dict[int, list[datetime]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    address: str = ""

    def publish(self, number: int) -> None:
        """Let the feed and the page be there from now on."""
        self.published[number] = datetime.now(UTC)

    def answer(self, path: str) -> tuple[str, str] | None:
        """Give the type and text of what lies at a path."""
        self.asked.add(path)
        if path == "/robots.txt":
            return "text/plain", "User-agent: *\nAllow: /\n"
        if path == "/feed":
            entries = "".join(
                f"<item><title>{self.items[number][0]}</title><link>{self.address}/news/{number}</link>"
                f"<guid>{self.address}/news/{number}</guid><pubDate>{format_datetime(at)}</pubDate></item>"
                for number, at in sorted(self.published.items(), reverse=True)
            )
            return "application/rss+xml", (
                f'<?xml version="1.0"?><rss version="2.0"><channel><title>Bench</title>{entries}</channel></rss>'
            )
        if (found := re.fullmatch(r"/news/(\d+)", path)) and int(found[1]) in self.published:
            (title, text), at = self.items[int(found[1])], self.published[int(found[1])]
            head = f'<title>{title}</title><meta property="article:published_time" content="{at.isoformat()}">'
            body = f"<article><h1>{title}</h1>{text}</article>"
            return "text/html", f"<html><head>{head}</head><body>{body}</body></html>"
        return None

    def take(self, said: str) -> None:
        """Note which item's alert has come."""
        at = datetime.now(UTC)
        for number in {int(found) for found in re.findall(rf"{re.escape(self.address)}/news/(\d+)\b", said)}:
            self.arrived.setdefault(number, []).append(at)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve on loopback."""
        outlet = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = outlet.answer(self.path)
                kind, text = found or ("text/plain", "nothing here")
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.startswith("/alerts"):
                    outlet.take(said["message"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.address = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, args=[0.05])
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()


@contextmanager
def airflow(folder: Path, environment: Mapping[str, str], port: int) -> Iterator[None]:
    """Run Airflow by its own schedule."""
    # It takes its environment from here, as it does from the shell of a person.
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        home = Home(folder=folder / "airflow-home", port=port)
        home.prepare()
        running = home.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        running.wait_until_ready()
        yield
    finally:
        running.stop()


@contextmanager
def loop(folder: Path, environment: Mapping[str, str], every: int) -> Iterator[None]:
    """Run `sulh run` at every beginning of the interval, as a crontab would if it took seconds."""
    ended = threading.Event()

    def work() -> None:
        begun = time.monotonic()
        while not ended.is_set():
            with (folder / "loop.log").open("ab") as log:
                subprocess.run(
                    [sys.executable, "-m", "sulh", "run", "bench_xx"],
                    env=dict(environment),
                    cwd=folder,
                    stdout=log,
                    stderr=log,
                    check=False,
                )
            ended.wait(every - (time.monotonic() - begun) % every)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def measure(folder: Path, items: int, every: int, running: Running) -> tuple[dict[str, list[float]], list[str]]:
    """Give the seconds of each part for every item, and what went wrong."""
    # The first is no report: it lets the first crawl, which starts everything, be over.
    outlet = Outlet(items=[("The weather", "<p>It rained in the north.</p>" * 3), *stories(items)])
    home = folder / "home"
    (home / "sources").mkdir(parents=True)
    with outlet.served():
        (home / "sources" / "bench_xx.yml").write_text(
            'name: "Bench"\ncountry: "XX"\nlanguage: en\nkind: feed\n'
            f'url: "{outlet.address}/feed"\nevery: {every}s\ndelay: 0\n',
            encoding="utf-8",
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SULH_", "AIRFLOW"))}
        # Where it is installed, no program is compiled at each start.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment |= {
            "PYTHONPATH": str(ROOT),
            "SULH_AIRFLOW_EVERY": f"{every}s",
            "SULH_HOME": str(home),
            "SULH_ALLOW_LOOPBACK": "true",
            "SULH_ONLY_OWN_SOURCES": "true",
            "SULH_NOTIFY": f"{outlet.address.replace('http:', 'json:')}/alerts",
            "SULH_OPERATORS": f"{outlet.address.replace('http:', 'json:')}/operators",
        }
        outlet.publish(0)
        with running(folder, environment):
            until(lambda: "/news/0" in outlet.asked, 2 * PATIENCE)
            for number in range(1, items + 1):
                time.sleep(UNEVEN * every)
                outlet.publish(number)
            until(lambda: len(outlet.arrived) == items, PATIENCE)
            # What would come twice needs a turn more.
            time.sleep(2 * every)
        return parts(home, outlet)


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds, or so long."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


def parts(home: Path, outlet: Outlet) -> tuple[dict[str, list[float]], list[str]]:
    """Read out of the store when what befell each item."""
    took: dict[str, list[float]] = {name: [] for name in ("all", *PARTS)}
    wrong = []
    with closing(open_store(str(home / "sulh.sqlite"), create=False)) as store:
        documents = {row["url"]: row for row in store.export("documents")}
        processed = store.processed([row["id"] for row in documents.values()])
        alerts = {one.members[0].document: one for one in store.alerts()}
        for number, at in sorted(outlet.published.items())[1:]:
            came = outlet.arrived.get(number, [])
            if len(came) != 1:
                wrong.append(f"item {number} arrived {len(came)} times")
                continue
            document = documents[f"{outlet.address}/news/{number}"]
            alert = alerts[document["id"]]
            # Sent at the first attempt: it was put into the outbox when it was decided, and due at once.
            (delivery,) = store.deliveries(alert=alert.id)
            moments = [
                at,
                datetime.fromisoformat(document["fetched_at"]),
                processed[document["id"]],
                delivery.next_attempt,
                came[0],
            ]
            for name, before, after in zip(PARTS, moments, moments[1:], strict=False):
                took[name].append((after - before).total_seconds())
            took["all"].append((came[0] - at).total_seconds())
    return took, wrong


def table(took: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Give p50, p95 and the mean of each part as lines."""
    words = {
        "all": "published to the webhook",
        "fetched": "published to fetched",
        "indexed": "fetched to indexed",
        "decided": "indexed to decided",
        "delivered": "decided to the webhook",
    }
    yield f"  {'':26}    p50     p95    mean"
    for name, values in took.items():
        tenths = [round(10 * value) for value in values]
        p50, p95 = ((percentile(tenths, part) or 0) / 10 for part in (50, 95))
        yield f"  {words[name]:26} {p50:6.1f}  {p95:6.1f}  {statistics.fmean(values):6.1f}"


def main(arguments: list[str] | None = None) -> int:
    """Print the parts for both ways; 1 where an item's alert did not come, or twice."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, default=20)
    options.add_argument("--every", type=int, default=15, help="seconds between two looks at the feed")
    options.add_argument("--only", choices=("airflow", "loop"), help="measure one way only")
    options.add_argument("--port", type=int, default=18790, help="of Airflow")
    options.add_argument("--keep", type=Path, help="folder for what is made, which is kept; else it is removed")
    chosen = options.parse_args(arguments)
    ways: dict[str, Running] = {
        "airflow": lambda folder, environment: airflow(folder, environment, chosen.port),
        "loop": lambda folder, environment: loop(folder, environment, chosen.every),
    }
    failed = False
    for way, running in ways.items():
        if chosen.only not in (None, way):
            continue
        if way == "airflow" and not Home(folder=Path()).program.exists():
            print("under Airflow: skipped, it is not installed beside this Python (`make airflow` does that)")
            continue
        with TemporaryDirectory(prefix="sulh-bench-") as made:
            folder = (chosen.keep or Path(made)) / way
            folder.mkdir(parents=True)
            try:
                took, wrong = measure(folder, chosen.items, chosen.every, running)
            except SulhError as error:
                took, wrong = {}, [str(error)]
        name = {"airflow": "by Airflow's schedule", "loop": "by `sulh run` in a loop"}[way]
        print(f"{name}, every {chosen.every} s, {len(took.get('all', ()))} items, in seconds")
        for line in (*(table(took) if took.get("all") else ()), *wrong):
            print(line)
        failed = failed or bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
