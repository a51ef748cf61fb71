"""Stores to test with, on a real Elasticsearch node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk, scan

from mappings import KINDS
from sulh.stores import Access, server
from sulh.stores.elastic_client import connect
from sulh.stores.elastic_indices import create
from tests.elastic.node import Running


@pytest.fixture(scope="session")
def suite(node: Running) -> Iterator[tuple[str, Access]]:
    """Indices that all tests of the session share, since making them takes seconds, as address and access."""
    address, access = server(node.url), Access(prefix=f"suite{uuid4().hex[:12]}")
    try:
        with closing(connect(address, access)) as client:
            create(client, access.prefix)
        yield address, access
    finally:
        node.clear(access.prefix)


@pytest.fixture
def elastic(suite: tuple[str, Access]) -> tuple[str, Access]:
    """The shared indices, emptied."""
    address, access = suite
    with closing(connect(address, access)) as client:
        empty(client, access.prefix)
    return suite


def empty(client: Elasticsearch, prefix: str) -> None:
    """Remove all rows but the counter of writes, which must rise."""
    names = [f"{prefix}-{kind}-0*" for kind in KINDS if kind != "state"]
    client.indices.refresh(index=names)
    rows = scan(client, index=names, query={"query": {"match_all": {}}}, _source=False)
    bulk(client, ({"_op_type": "delete", "_index": row["_index"], "_id": row["_id"]} for row in rows), refresh=True)
    # What is deleted still counts in the statistics that rank, until its segment goes.
    client.indices.forcemerge(index=f"{prefix}-documents-0*", max_num_segments=1)
