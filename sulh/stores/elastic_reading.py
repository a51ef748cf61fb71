"""Reading rows of an index: all that a query finds, however many, or those of given ids as they are at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from elasticsearch import Elasticsearch

from processors.errors import StoreError
from sulh.stores.elastic_client import cause
from sulh.stores.elastic_indices import HOLDS

PAGE: Final = 1000
"""Rows that one request brings: a document with its text is some kB."""

_KEEP: Final = "5m"
"""How long the server keeps a state between two requests: whoever reads may write meanwhile, or wait for a pager."""


def hits(
    client: Elasticsearch,
    index: str,
    filters: Sequence[Mapping[str, Any]] = (),
    *,
    order: Sequence[Any],
    only: Sequence[str] = (),
    first: int = PAGE,
) -> Iterator[dict[str, Any]]:
    """Give all rows that hold and match, in order, as they stood when the first was asked for.

    The ``first`` come in one short request of their own, since most readers want no more.
    """
    pit = client.open_point_in_time(index=index, keep_alive=_KEEP)["id"]
    after: list[Any] | None = None
    size = first
    try:
        while True:
            page = client.search(
                pit={"id": pit, "keep_alive": _KEEP},
                query={"bool": {"filter": [HOLDS, *filters]}},
                sort=[*order, "_shard_doc"],
                size=size,
                track_total_hits=False,
                source_includes=list(only) or None,
                search_after=after,
            )
            pit = page["pit_id"]
            found = page["hits"]["hits"]
            yield from found
            if len(found) < size:
                return
            after, size = found[-1]["sort"], PAGE
    finally:
        with suppress(Exception):
            client.close_point_in_time(id=pit)


def rows_of(client: Elasticsearch, index: str, ids: Iterable[str], only: Sequence[str] = ()) -> dict[str, Any]:
    """Give the rows of these ids that hold, as they are at this moment, whatever searches see yet."""
    found: dict[str, Any] = {}
    wanted = iter(dict.fromkeys(ids))
    while chunk := list(islice(wanted, PAGE)):
        given: dict[str, Any] = {"source_includes": [*only, "retired"]} if only else {}
        for item in client.mget(index=index, ids=chunk, **given)["docs"]:
            if "error" in item:
                kind, reason = cause(item)
                if kind == "index_not_found_exception":
                    raise StoreError(f"the index {index} is missing: run `sulh index create`")
                raise StoreError(
                    f"the index {index} cannot be read ({reason or kind}): nothing is lost; see docs/operations.md,"
                    " then run the same command again"
                )
            if item["found"] and not item["_source"].get("retired"):
                found[item["_id"]] = item["_source"]
    return found
