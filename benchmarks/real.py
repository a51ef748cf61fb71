"""Measures the events found in labelled real articles: false alarms, the dominant kind of relation, and the time taken.

Usage: python benchmarks/real.py ARTICLES.jsonl LABELS.yaml [--show N]

The articles are JSON lines with id, title, text and published; the labels a YAML list with id, kind and close.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import yaml

from processors.annotate.actors import ACTORS, mentions, rival
from processors.annotate.events import events, learned
from processors.records import RECONCILING, Document, Event, digest, utc

WEIGHTS = {"looking-back": 0.5, "speculated": 0.5}
"""An event of the past or of a maybe shows half as much what an article is about."""

UNSURE = 0.5
"""So does one that words alone tell: half of those in fresh labelled texts are right."""

TITLE = 3.0
"""A headline says what an article is about as clearly as three of its sentences."""

ORDER = ("truce", "pact", "merger", "pledge", "swap", "cooperation", "negotiation", "split", "defection", "refusal")
ORDER += ("ultimatum", "clash", "coalition", "government-truce")
"""Between kinds of one weight the rarer: what is reported seldom is what makes the article."""


def dominant(found: Iterable[Event]) -> str:
    """Give the kind of relation that weighs most in an article's events, or `other` where there is none."""
    weights: Counter[str] = Counter()
    for event in found:
        # A state's allies, such as Kurdish forces and the air coalition, are no relation among armed groups.
        if event.kind == "coalition" and any(ACTORS[party.actor].state for party in event.parties):
            continue
        sure = UNSURE if learned(event.rule) else 1.0
        weights[event.kind] += sure * WEIGHTS.get(event.modality, 1.0) * (TITLE if event.field == "title" else 1.0)
    return min(weights, key=lambda kind: (-weights[kind], ORDER.index(kind)), default="other")


def read(path: Path) -> list[Document]:
    """Read the articles, each id once."""
    documents: dict[str, Document] = {}
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        published = utc(datetime.fromisoformat(row["published"]))
        documents.setdefault(
            row["id"],
            Document(
                id=row["id"],
                source=row["source"],
                url=f"https://outlet.example/{row['id']}",
                title=row["title"],
                text=row["text"],
                published_at=published,
                fetched_at=published,
                language="en",
                capture=digest(row["id"]),
            ),
        )
    return list(documents.values())


def reconciles(event: Event) -> bool:
    """Tell whether the event reports a reconciliation of rival jihadists."""
    actors = [party.actor for party in event.parties]
    return (
        event.kind in RECONCILING
        and event.polarity == "affirmed"
        and any(rival(one, other) for number, one in enumerate(actors) for other in actors[:number])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--show", type=int, default=0, help="list so many wrong articles with their events")
    options = parser.parse_args()
    documents = read(options.articles)
    labels = {row["id"]: row for row in yaml.safe_load(options.labels.read_text(encoding="utf-8"))}
    for document in documents[:20]:
        events(document)
    started = time.process_time()
    found = {document.id: events(document) for document in documents}
    took = time.process_time() - started
    started = time.process_time()
    for document in documents:
        mentions(document.title, "en", context=document.text)
        mentions(document.text, "en", context=document.title)
    naming = time.process_time() - started
    alarms = [event for one in found.values() for event in one if reconciles(event)]
    print(f"reconciling events between rivals: {len(alarms)}")
    for event in alarms:
        print(f"  {event.document} {event.kind} {event.modality} {event.rule}: {event.sentence[:200]}")
    counted = {id: row for id, row in labels.items() if id in found and not row.get("close")}
    right = {id for id, row in counted.items() if dominant(found[id]) == row["kind"]}
    print(f"dominant kind right: {len(right)} of {len(counted)} = {len(right) / max(1, len(counted)):.3f}")
    confusion = Counter((row["kind"], dominant(found[id])) for id, row in counted.items())
    for (label, got), count in sorted(confusion.items()):
        print(f"  {label:17} {'=' if label == got else '->'} {got:17} {count}")
    size = sum(len(document.title) + len(document.text) for document in documents) / len(documents)
    each = 1000 * took / len(documents)
    print(
        f"{each:.2f} ms an article of {size:.0f} characters, {1000 * naming / len(documents):.2f} of them for the names"
    )
    for id in [id for id in counted if id not in right][: options.show]:
        print(f"\n{id}: {counted[id]['kind']}, got {dominant(found[id])}")
        for event in found[id]:
            parties = "+".join(party.actor for party in event.parties)
            print(f"  {event.kind} {parties} {event.polarity} {event.modality} {event.rule} | {event.sentence[:220]}")


if __name__ == "__main__":
    main()
