"""Measures memory: the peak of processing and of deciding over 50,000 documents against that over 1,000.

    python -m benchmarks.memory [--few 1000] [--many 50000]

Each size runs in a process of its own, which says its own peak and that of its largest worker. The documents are texts
rather than pages: reading pages is `benchmarks.process`'s, and its workers are renewed in any case.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.process import Writer, reference_of
from processors.archive import CaptureRef
from processors.pool import Died, Overdue, Pool
from processors.records import Document, Rejection, digest
from sulh.pipeline import Fault, Judge, Judged, decide, process
from sulh.stores.sqlite import SqliteStore

CEILING = 1.5
"""What flat means here: fifty times the documents take at most half as much memory again, caches included."""

CLASH = "Fighters of the Nusra Front attacked a checkpoint of the Islamic State near {} on {} and killed {} men."
TRUCE = "The Nusra Front and the Islamic State agreed a truce in {} on {}, {} residents said."
PLACES = ("Albukamal", "Idlib", "Atareb", "Yarmouk", "Qalamoun", "Aleppo", "Raqqa", "Deraa")


def documents(count: int) -> Iterator[Document]:
    """Give as many different texts: one in five tells of a clash between rivals, one in fifty of a truce."""
    writer, chance = Writer(seed=7), random.Random(7)
    for number in range(count):
        published = datetime(2014, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * number)
        lang = ("en", "ru", "ar", "fr", "tr")[number % 5]
        parts = [writer.paragraph(lang) for _ in range(6)]
        template = TRUCE if number % 50 == 0 else CLASH if number % 5 == 0 else ""
        if template:
            parts.insert(1, template.format(chance.choice(PLACES), f"{published:%d %B %Y}", chance.randint(3, 40)))
        url = f"https://outlet.example/{number}"
        yield Document(
            id=digest(url),
            source="bench",
            url=url,
            title=writer.sentence(lang, 6, 9),
            text="\n".join(parts),
            published_at=published,
            published_from="page",
            fetched_at=published + timedelta(hours=1),
            capture=digest("capture", url),
        )


def peak(count: int) -> dict[str, float]:
    """Process so many documents and decide on alerts; gives peaks in MiB and what came of it."""
    with TemporaryDirectory(prefix="sulh-bench-") as folder:
        store = SqliteStore(Path(folder) / "bench.sqlite")
        judge = Judge(Path(folder), None)
        pool: Pool[Document, Judged | Rejection | Fault] = Pool(
            judge, workers=2, wall_seconds=60, initializer=judge.warm_up
        )
        with pool:
            process(store, pairs(pool, count))
            worker = max(high_water(pid) for pid in pool.pids)
        processed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        alerts = decide(store, now=datetime(2030, 1, 1, tzinfo=UTC), max_age_days=None).alerts
        decided = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        store.close()
    return {"process": processed, "worker": worker, "decide": decided, "alerts": len(alerts)}


def high_water(pid: int) -> float:
    """Give the peak of another process in MiB."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def pairs(
    pool: Pool[Document, Judged | Rejection | Fault], count: int
) -> Iterator[tuple[CaptureRef, Judged | Rejection | Fault]]:
    """Give each document's capture with what was judged, made as it is needed."""
    for document, result in zip(documents(count), pool.map(documents(count)), strict=True):
        if isinstance(result, Overdue | Died):
            raise SystemExit(f"a document was given up: {document.url}")
        yield reference_of(document), result


def main(arguments: list[str] | None = None) -> int:
    """Print the peaks of both sizes and their ratios; 1 where one is above the ceiling."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--few", type=int, default=1_000)
    options.add_argument("--many", type=int, default=50_000)
    options.add_argument("--count", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args(arguments)
    if chosen.count:
        print(json.dumps(peak(chosen.count)))
        return 0
    few, many = (
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.memory", "--count", str(count)], check=True, capture_output=True
            ).stdout
        )
        for count in (chosen.few, chosen.many)
    )
    ratios = {}
    for name, what in (("process", "processing"), ("worker", "its largest worker"), ("decide", "deciding on alerts")):
        ratios[name] = many[name] / few[name]
        print(f"  {what:20} {few[name]:6.0f} MiB  {many[name]:6.0f} MiB  ratio {ratios[name]:.2f}")
    print(f"{chosen.few} documents against {chosen.many}; ceiling {CEILING}; {many['alerts']} alerts")
    return 0 if max(ratios.values()) <= CEILING else 1


if __name__ == "__main__":
    raise SystemExit(main())
