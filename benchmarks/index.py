"""Measures the store on Elasticsearch beside the bare client, on one real node and in one run.

    python -m benchmarks.index [--documents 10000] [--claim-documents 100000]

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
from datetime import timedelta
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import streaming_bulk

from benchmarks.process import sample_captures
from processors.records import digest
from sulh.pipeline import Judged, judge_capture, registers_of
from sulh.stores import Access, Outcome, Processed, server
from sulh.stores.elastic import ElasticStore
from sulh.stores.elastic_board import ElasticBoard
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

CEILING = 1.5
"""Of the bare query's slowest twentieth: our own mark; above the server's work there is making records of the rows."""

REGISTER = "orton-2014-11-15"

PAGE = 100
"""Rows of a claim's page: what a reader waits for."""

WARM_UP = 4
"""Turns that do not count: the node compiles its code as it runs."""

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


def indexing(address: str, judged: list[Judged], documents: int) -> float:
    """Give the middle turn's ratio of documents a second: another program's turn on the machine hits a few only."""
    ratios: list[float] = []
    seconds = [0.0, 0.0, 0.0]
    with closing(connect(address, BARE)) as client, closing(ElasticStore(address, OURS)) as store:
        for turn, start in enumerate(range(0, documents + WARM_UP * TURN, TURN)):
            items = [item(n, judged[n % len(judged)]) for n in range(start, start + TURN)]
            actions = [row for one in items for row in rows(one)]
            spent = [0.0, 0.0, 0.0]
            # Each goes first in every other turn.
            for mine in (True, False) if turn % 2 else (False, True):
                began = time.perf_counter()
                if mine:
                    store.write(items)
                else:
                    send(client, actions)
                spent[not mine] = time.perf_counter() - began
            began = time.perf_counter()
            send(client, [row for row in actions if row["_index"] == f"{BARE.prefix}-documents-write"])
            spent[2] = time.perf_counter() - began
            if turn >= WARM_UP:
                ratios.append(spent[1] / spent[0])
                seconds = [one + more for one, more in zip(seconds, spent, strict=True)]
    ours, bare, only = (documents / each for each in seconds)
    print(
        f"  ours {ours:.0f} documents/s, bare {bare:.0f} (and {only:.0f} of the documents without what hangs on them)\n"
        f"  by turn: {' '.join(f'{ratio:.2f}' for ratio in ratios)}",
        flush=True,
    )
    return statistics.median(ratios)


def fill(address: str, judged: list[Judged], documents: int) -> None:
    """Bring many documents with what they bear on claims into our indices, with the head of their text only."""
    bearing = [one for one in judged if one.comparisons]
    with closing(connect(address, OURS)) as client:
        for start in range(0, documents, TURN):
            actions = []
            for number in range(start, min(start + TURN, documents)):
                one = item(number, bearing[number % len(bearing)])
                assert one.document is not None
                moment = one.document.fetched_at + timedelta(minutes=number)
                document = replace(
                    one.document, text=one.document.text[:300], published_at=moment, sketch=one.document.sketch[:4]
                )
                actions += [
                    {**row, "_index": row["_index"].replace(BARE.prefix, OURS.prefix, 1)}
                    for row in rows(replace(one, document=document, events=()))
                ]
            send(client, actions)
        client.indices.refresh(index=f"{OURS.prefix}-*")


def asking(address: str, rounds: int) -> float:
    """Give the ratio of our slowest twentieth to the bare query's, for the page of each claim in turn."""
    ours, bare = [], []
    with closing(ElasticBoard(address, OURS)) as board, closing(connect(address, OURS)) as client:
        index = f"{OURS.prefix}-comparisons"
        found = client.search(index=index, size=0, aggregations={"claims": {"terms": {"field": "claim", "size": 100}}})
        claims = [bucket["key"] for bucket in found["aggregations"]["claims"]["buckets"]]
        for turn in range(rounds + 1):
            for claim in claims:
                start = time.perf_counter()
                page = list(board.evidence(REGISTER, claim, limit=PAGE))
                middle = time.perf_counter()
                answer = client.search(
                    index=index,
                    query={
                        "bool": {"filter": [{"term": {"register": "orton-2014-11-15"}}, {"term": {"claim": claim}}]}
                    },
                    sort=[{"dated_at": "desc"}, "document"],
                    size=PAGE,
                    track_total_hits=False,
                )
                end = time.perf_counter()
                if [one.document for one in page] != [hit["_source"]["document"] for hit in answer["hits"]["hits"]]:
                    raise SystemExit(f"{claim}: the two give other rows")
                if turn:
                    ours.append(middle - start)
                    bare.append(end - middle)
    mine, theirs = (1000 * statistics.quantiles(each, n=20)[-1] for each in (ours, bare))
    print(f"  ours {mine:6.1f} ms   bare {theirs:6.1f} ms   over {len(ours)} questions on {len(claims)} claims")
    return mine / theirs


def main(arguments: list[str] | None = None) -> int:
    """Start a node, run both parts and print their figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=int, default=10_000, help="documents to index")
    options.add_argument("--claim-documents", type=int, default=100_000, help="documents to ask among")
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
    ratio = indexing(address, judged, chosen.documents)
    print(f"indexing: ratio {ratio:.2f} (floor {FLOOR})", flush=True)
    fill(address, judged, chosen.claim_documents)
    slower = asking(address, rounds=20)
    print(f"a claim's page among {chosen.claim_documents} documents: ratio {slower:.2f} (ceiling {CEILING})")
    return 0 if ratio >= FLOOR and slower <= CEILING else 1


if __name__ == "__main__":
    raise SystemExit(main())
