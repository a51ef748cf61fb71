"""Runs the query behind each panel of the dashboards on a real node, over the demo's data, and prints what it shows.

python -m tests.kibana_panels http://127.0.0.1:9200 --prefix kibana --fill
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch

from mappings import KINDS
from sulh.kibana.asks import Asked, asks, shows
from sulh.kibana.described import Panel, described
from sulh.stores import Access, server
from sulh.stores.elastic import ElasticStore
from sulh.stores.elastic_client import connect
from sulh.stores.elastic_indices import create
from tests.demo_data import NOW, fill


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One panel and what it shows."""

    dashboard: str
    panel: Panel
    asked: Asked
    rows: list[tuple[Any, ...]]

    @property
    def by_key(self) -> dict[Any, Any]:
        """The last column by those before it."""
        return {row[:-1] if len(row) > 2 else row[0]: row[-1] for row in self.rows}


def shown(client: Elasticsearch, prefix: str, *, now: datetime, zone: str = "UTC") -> Iterator[Shown]:
    """Ask for every panel that asks anything."""
    what = described()
    for id, panel in what.panels():
        asked = asks(what, what.dashboards[id], panel, now=now, zone=zone)
        if asked is None:
            continue
        answer = client.perform_request(
            "POST",
            f"/{prefix}-{asked.index}/_search",
            headers={"content-type": "application/json", "accept": "application/json"},
            body=asked.body,
        ).body
        yield Shown(dashboard=id, panel=panel, asked=asked, rows=shows(panel, asked.labels, answer))


def in_a_line(each: Shown) -> str:
    """Give a query such that a person sees what is asked for; metrics that only order a bucket are left out."""

    def told(aggregations: dict[str, Any]) -> str:
        nested = [one for one in aggregations.values() if "aggs" in one]
        parts = []
        for one in nested or aggregations.values():
            (kind,) = [name for name in one if name != "aggs"]
            parts.append(f"{kind}({one[kind].get('field', '')})" + (f" > {told(one['aggs'])}" if "aggs" in one else ""))
        return ", ".join(parts)

    body = each.asked.body
    what = told(body["aggs"]) if body.get("aggs") else "rows, newest first" if body["size"] else "count"
    search = described().searches.get(each.panel.search)
    kql = search.filter if search else each.panel.filter
    times = [one["range"] for one in body["query"]["bool"]["filter"] if "range" in one]
    since = [f"{field} since {range['gte'][:10]}" for one in times for field, range in one.items()]
    return f"{each.asked.index}: {what}" + "".join(f"; {part}" for part in [kql, *since] if part)


def main() -> None:
    """Print a table: panel, query, rows, the first of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.kibana_panels", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--prefix", default="sulh")
    parser.add_argument("--fill", action="store_true", help="make the indices and write the demo's data first")
    parser.add_argument("--first", type=int, default=3, help="rows to print of each")
    given = parser.parse_args()
    address, access = server(given.address), Access(prefix=given.prefix)
    with closing(connect(address, access)) as client:
        if given.fill:
            create(client, given.prefix)
            with closing(ElasticStore(address, access)) as store:
                fill(store)
        client.indices.refresh(index=[f"{given.prefix}-{kind}" for kind in KINDS])
        print("| dashboard | panel | query | rows | first |\n|---|---|---|---|---|")
        for each in shown(client, given.prefix, now=NOW if given.fill else datetime.now(UTC)):
            first = "; ".join(" · ".join(_short(value) for value in row) for row in each.rows[: given.first])
            cells = (each.dashboard, each.panel.title, in_a_line(each), str(len(each.rows)), first)
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")


def _short(value: Any) -> str:
    text = f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


if __name__ == "__main__":
    main()
