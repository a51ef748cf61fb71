"""Measures the store on Elasticsearch beside the bare client, on one real node and in one run.

    python -m benchmarks.index [--documents 6000] [--rounds 3] [--claim-documents 100000]

Indexing: documents a second of `ElasticStore.write`, with all it looks up and keeps straight, against a bare
`streaming_bulk` of the same rows, ready made; the two take turns of some hundred documents. Asking: what bears on a
claim, a page of it, as the commands ask, against a bare query for the same rows, over many documents; the slowest
twentieth counts. Exit status 1 where a figure is missed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import streaming_bulk

from benchmarks.process import sample_captures
from processors.records import digest
from sulh.pipeline import Judged, judge_capture, registers_of
from sulh.stores import Access, Outcome, Processed, server
from sulh.stores.elastic import ElasticStore
from sulh.stores.elastic_client import connect
from sulh.stores.elastic_indices import create
from sulh.stores.elastic_rows import (
    Placed,
    comparison_row,
    document_row,
    event_row,
    member,
    outcome_row,
    story_row,
    told,
)
from tests.elastic.node import Node

FLOOR = 0.80
"""Of the bare client's documents a second: what is asked of the store."""

TURN = 500
"""Documents a turn: a batch of the store, and a chunk of the client."""

OURS, BARE = Access(prefix="ours"), Access(prefix="bare")


def templates(count: int) -> list[Judged]:
    """Give the demo's articles, in pages of real size, as the pipeline judges them."""
    registers = registers_of(None)
    found = []
    for capture, _ in zip(sample_captures(1), range(count), strict=False):
        judged = judge_capture(capture, registers)
        if isinstance(judged, Judged):
            found.append(judged)
    return found


def item(number: int, judged: Judged) -> Processed:
    """Give one of the articles under an address of its own."""
    url = f"{judged.document.url}?copy={number}"
    id = digest(url)
    document = replace(judged.document, id=id, url=url, capture=digest("capture", url), story=id, revision=1)
    events = {event.id: digest(id, event.id) for event in judged.events}
    return Processed(
        outcome=Outcome(
            capture=document.capture,
            source=document.source,
            url=url,
            fetched_at=document.fetched_at,
            disposition="indexed",
            document=id,
        ),
        document=document,
        events=tuple(replace(event, id=events[event.id], document=id) for event in judged.events),
        comparisons=tuple(
            replace(row, id=digest(id, row.id), document=id, event=events.get(row.event, ""))
            for row in judged.comparisons
        ),
    )


def rows(one: Processed) -> Iterator[dict[str, Any]]:
    """Give what a bare client would send for the same document: all its rows, ready made."""
    document = one.document
    assert document is not None
    placed = Placed.of(document, one.events, one.comparisons)
    carried = told(document, document.story)
    made = [("documents", document.id, document_row(placed, origin=document.story))]
    made += [("events", event.id, event_row(event, carried)) for event in placed.events]
    made += [("comparisons", row.id, comparison_row(row, carried)) for row in placed.comparisons]
    made.append(("stories", document.id, story_row(document.id, {document.id: member(document)})))
    made.append(("ledger", document.capture, outcome_row(one.outcome, None)))
    for kind, id, row in made:
        yield {
            "_index": f"{BARE.prefix}-{kind}-write",
            "_id": id,
            "_source": {**row, "written": 1, "retired": False},
        }


def send(client: Elasticsearch, actions: list[dict[str, Any]]) -> None:
    """Send rows as Elastic's own examples do."""
    for ok, answer in streaming_bulk(client, actions):
        if not ok:
            raise SystemExit(f"refused: {answer}")


def indexing(address: str, judged: list[Judged], documents: int, rounds: int) -> float:
    """Give the middle round's ratio of documents a second."""
    ratios = []
    with closing(connect(address, BARE)) as client, closing(ElasticStore(address, OURS)) as store:
        number = 0
        for turn in range(rounds + 1):
            seconds, alone = [0.0, 0.0], 0.0
            for _ in range(0, documents if turn else TURN * 2, TURN):
                items = [item(n, judged[n % len(judged)]) for n in range(number, number + TURN)]
                number += TURN
                actions = [row for one in items for row in rows(one)]
                # Each goes first in every other turn.
                for mine in (True, False) if number // TURN % 2 else (False, True):
                    start = time.perf_counter()
                    if mine:
                        store.write(items)
                    else:
                        send(client, actions)
                    seconds[not mine] += time.perf_counter() - start
                start = time.perf_counter()
                send(client, [row for row in actions if row["_index"] == f"{BARE.prefix}-documents-write"])
                alone += time.perf_counter() - start
            if turn:  # the first, short one warms the node up
                ours, bare, only = (documents / each for each in (*seconds, alone))
                ratios.append(ours / bare)
                print(
                    f"  ours {ours:6.0f} documents/s   bare {bare:6.0f} documents/s   ratio {ratios[-1]:.2f}"
                    f"   (bare, without what hangs on them: {only:.0f} documents/s)",
                    flush=True,
                )
    return statistics.median(ratios)


def main(arguments: list[str] | None = None) -> int:
    """Start a node, run both parts and print their figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=int, default=6000, help="documents a round")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--node", help="address of a node that runs already")
    chosen = options.parse_args(arguments)
    judged = templates(80)
    per = [sum(len(getattr(one, kind)) for one in judged) / len(judged) for kind in ("events", "comparisons")]
    print(f"{len(judged)} articles, each with {per[0]:.1f} events and {per[1]:.1f} comparisons", flush=True)
    if chosen.node:
        return measure(chosen.node, judged, chosen)
    with Node() as node:
        return measure(node.url, judged, chosen)


def measure(url: str, judged: list[Judged], chosen: argparse.Namespace) -> int:
    """Run both parts on a node."""
    address = server(url)
    with closing(connect(address, OURS)) as client:
        for access in (OURS, BARE):
            create(client, access.prefix)
    ratio = indexing(address, judged, chosen.documents, chosen.rounds)
    print(f"indexing: ratio {ratio:.2f} (floor {FLOOR})")
    return 0 if ratio >= FLOOR else 1


if __name__ == "__main__":
    raise SystemExit(main())
