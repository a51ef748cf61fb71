"""Measures what comparing a document with 10,000 claims costs against the bundled ones on the same pages."""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import yaml

from processors.annotate import annotate
from processors.annotate.actors import ACTORS
from processors.annotate.events import events
from processors.claims import read
from processors.compare import compare
from processors.records import Document, Event, utc
from processors.register import (
    Article,
    Claim,
    EventPattern,
    Register,
    Registers,
    Side,
    StatementPattern,
    load_registers,
)

OUTLETS = Path(__file__).parent.parent / "sulh" / "demo" / "outlets"
CLAIMS = 10_000
ROUNDS = 7
LIMIT = 2.0


def main() -> int:
    """Print the ratio as one JSON line; exit 1 where it is above the limit."""
    pages = sample()
    few = read(load_registers(actors=ACTORS))
    many = Registers((*few, invented(next(iter(few)), CLAIMS - sum(1 for _ in few.claims()))))
    costs: dict[str, list[float]] = {"bundled": [], "10000": []}
    for _ in range(ROUNDS):
        # In turns, so that what else the machine does falls on both.
        for name, registers in (("bundled", few), ("10000", many)):
            start = time.process_time()
            for document, found in pages:
                compare(document, found, registers)
            costs[name].append(time.process_time() - start)
    best = {name: min(times[1:]) / len(pages) * 1000 for name, times in costs.items()}
    ratio = best["10000"] / best["bundled"]
    claims = sum(1 for _ in many.claims())
    shown = {"ms_bundled": best["bundled"], "ms_10000": best["10000"], "ratio": ratio}
    result = {"documents": len(pages), "claims": claims, **shown}
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))
    return 0 if ratio <= LIMIT else 1


def sample() -> list[tuple[Document, tuple[Event, ...]]]:
    """Give the sample outlets' pages, annotated."""
    pages = []
    for path in sorted(OUTLETS.glob("*/pages/*.yml")):
        page = yaml.safe_load(path.read_text(encoding="utf-8"))
        published = page["published"] if not isinstance(page["published"], str) else None
        at = utc(published) if published else utc(_time(page["published"]))
        document = Document(
            id=path.stem,
            source=path.parent.parent.name,
            url=f"https://{path.parent.parent.name}.example/{path.stem}",
            title=page["title"],
            text="\n".join(line.strip() for line in page["text"].splitlines() if line.strip()),
            published_at=at,
            fetched_at=at,
            capture=path.stem,
        )
        document, found = annotate(document)
        pages.append((document, found or events(document)))
    return pages


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def invented(base: Register, count: int) -> Register:
    """Give a register of claims on other pairs, times and places, and of other statements in the same concepts."""
    pick = random.Random(34)
    actors = sorted(ACTORS)
    concepts = sorted(base.concepts)
    places = sorted(base.places)
    kinds = ("truce", "pact", "merger", "clash", "negotiation", "pledge", "refusal")
    claims = []
    for number in range(count):
        one, other = pick.sample(actors, 2)
        since = date(2011, 1, 1) + timedelta(days=pick.randrange(4500))
        claims.append(
            Claim(
                id=f"X{number:05}",
                statement="An invented claim.",
                voice="author",
                kind="truce",
                place=pick.choice(places),
                since=since,
                until=since + timedelta(days=14),
                locator="P1",
                events=(EventPattern(kinds=(pick.choice(kinds),), sides=(Side(actors=(one,)), Side(actors=(other,)))),),
                statements=(StatementPattern(all=tuple(pick.sample(concepts, 3)), time="wanted"),),
            )
        )
    article = Article(
        id="invented",
        title="Invented",
        author="Nobody",
        date=date(2020, 1, 1),
        outlet="None",
        url="https://example.org/",
    )
    return Register(article=article, names=base.names, concepts=base.concepts, places=base.places, claims=tuple(claims))


if __name__ == "__main__":
    sys.exit(main())
