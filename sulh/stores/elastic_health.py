"""Whether an Elasticsearch can serve a store: its shards, its disks, blocks on writing, and the indices' version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, Literal

from elasticsearch import AuthorizationException, Elasticsearch

from sulh.stores import Access, server
from sulh.stores.elastic_client import connect, plainly
from sulh.stores.elastic_indices import indices

INDICATORS: Final = ("disk", "shards_capacity", "master_is_stable")
"""Those of the server's own health report that are not about single shards, which `_shards` tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One thing that is wrong, or worth knowing, and what to do."""

    level: Literal["note", "wrong"]
    about: str
    said: str
    todo: str


def complaints(address: str, access: Access) -> Iterator[Complaint]:
    """Give what there is to complain of, the worst first. Raises StoreError where the server does not answer."""
    address = server(address)
    with plainly(address), closing(connect(address, access)) as client:
        try:
            yield from _shards(client, access.prefix)
            yield from _report(client)
        except AuthorizationException:
            yield Complaint(
                level="note",
                about="cluster",
                said="these credentials may not ask for its health",
                todo="ask with those of an administrator",
            )
        yield from _blocks(client, access.prefix)
        outdated = [index.name for index in indices(client, access.prefix) if index.write and index.outdated]
        if outdated:
            yield Complaint(
                level="note",
                about="indices",
                said=f"of an older mapping: {_some(outdated)}",
                todo="`sulh index migrate`",
            )


def _shards(client: Elasticsearch, prefix: str) -> Iterator[Complaint]:
    health = client.cluster.health(index=f"{prefix}-*", level="indices")
    of_colour: dict[str, list[str]] = {"red": [], "yellow": []}
    for name, index in sorted(health.get("indices", {}).items()):
        of_colour.get(index["status"], []).append(name)
    if of_colour["red"]:
        yield Complaint(
            level="wrong",
            about="cluster",
            said=f"red: data are missing of {_some(of_colour['red'])}",
            todo="start the node that has them, or restore them (docs/operations.md)",
        )
    if of_colour["yellow"]:
        yield Complaint(
            level="note",
            about="cluster",
            said=f"yellow: no second copy of {_some(of_colour['yellow'])}",
            todo="works, but a disk that fails loses data: see that all nodes run and have room (docs/operations.md)",
        )


def _report(client: Elasticsearch) -> Iterator[Complaint]:
    for name, indicator in client.health_report()["indicators"].items():
        if name in INDICATORS and indicator["status"] in ("yellow", "red"):
            diagnoses: list[dict[str, Any]] = indicator.get("diagnosis", [])
            yield Complaint(
                level="wrong" if indicator["status"] == "red" else "note",
                about=f"cluster, {name.replace('_', ' ')}",
                said=indicator["symptom"],
                todo=diagnoses[0]["action"] if diagnoses else "docs/operations.md",
            )


def _blocks(client: Elasticsearch, prefix: str) -> Iterator[Complaint]:
    full, closed = [], []
    settings = client.indices.get_settings(index=f"{prefix}-*", name="index.blocks.*", flat_settings=True)
    # An index whose place another has taken stays closed for good.
    serving = {index.name for index in indices(client, prefix) if index.serves}
    for name, about in sorted(settings.items()):
        if name not in serving:
            continue
        blocks = {key for key, value in about["settings"].items() if str(value) == "true"}
        if "index.blocks.read_only_allow_delete" in blocks:
            full.append(name)
        elif blocks:
            closed.append(name)
    if full:
        yield Complaint(
            level="wrong",
            about="disk",
            said=f"full: no writes to {_some(full)}",
            todo="make room: writing then goes on by itself (docs/operations.md)",
        )
    if closed:
        yield Complaint(
            level="wrong",
            about="indices",
            said=f"closed to writes: {_some(closed)}",
            todo="if `sulh index migrate` broke off, run it again; else lift the block (docs/operations.md)",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
