"""Stores to test with, on a real Elasticsearch node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk, scan

from mappings import KINDS
from sulh.stores import Access, server
from sulh.stores.elastic_client import connect
from sulh.stores.elastic_indices import create, indices

PREFIX = "suite"


@pytest.fixture(scope="session")
def elastic_indices(node) -> Iterator[str]:  # type: ignore[no-untyped-def]
    """Indices that all tests share, since making them takes seconds."""
    address = server(node.url)
    with closing(connect(address, Access())) as client:
        remove(client, PREFIX)
        create(client, PREFIX)
        yield address
        remove(client, PREFIX)


@pytest.fixture
def elastic(elastic_indices: str) -> tuple[str, Access]:
    """Empty indices, as address and access."""
    with closing(connect(elastic_indices, Access())) as client:
        empty(client, PREFIX)
    return elastic_indices, Access(prefix=PREFIX)


def remove(client: Elasticsearch, prefix: str) -> None:
    """Remove the indices of a store."""
    names = [index.name for index in indices(client, prefix)]
    if names:
        client.indices.delete(index=names)


def empty(client: Elasticsearch, prefix: str) -> None:
    """Remove all rows but the counter of writes, which must rise."""
    names = [f"{prefix}-{kind}-0*" for kind in KINDS if kind != "state"]
    client.indices.refresh(index=names)
    rows = scan(client, index=names, query={"query": {"match_all": {}}}, _source=False)
    bulk(client, ({"_op_type": "delete", "_index": row["_index"], "_id": row["_id"]} for row in rows), refresh=True)
