"""Moving a whole store into another one, of whatever kind: all of it or nothing, and nothing is sent twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Final

from processors.errors import StoreError
from processors.records import Record
from sulh.progress import progress
from sulh.stores import EXPORTS, TABLES, Access, Store, Table, open_store

CHUNK: Final = 200
"""Rows at a time: some MB, whatever the size of the store."""

_KEPT: Final[tuple[Table, ...]] = ("verdicts", "deliveries", "findings")
"""What a store being rebuilt shares with the one whose place it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Record):
    """How many rows of a table moved, and a checksum of what an export of them shows."""

    table: str
    rows: int
    checksum: str


def move(
    source: str,
    target: str,
    access: Access,
    *,
    echo: Callable[[str], None] = lambda line: None,
    quiet: bool = False,
) -> list[Counted]:
    """Move all that one store holds into another one, which must be empty; gives what moved.

    The target takes its documents and alerts over in one step, after all has been compared: until then it shows
    nothing. Interrupted, a second call begins again. Raises StoreError, in one sentence.
    """
    if source == target:
        raise StoreError(f"{source}: this is where the store is already: give another address with --to")
    with (
        closing(open_store(source, create=False, access=access)) as old,
        closing(open_store(target, access=access)) as new,
    ):
        _refuse_others(old, new, target)
        # First, so that there is no moment in which an alert is there and "sent" is not.
        for table in _KEPT:
            _bring(table, old, new, quiet)
        with new.rebuilding() as fresh:
            for table in TABLES:
                if table not in _KEPT:
                    _bring(table, old, fresh, quiet)
            echo(f"comparing {target} with {source}")
            moved = [_equal(name, _exported(old, name), _exported(fresh, name), source) for name in EXPORTS]
            moved.append(_equal("revisions", _told(old, "revisions"), _told(fresh, "revisions"), source))
            moved += [_equal(table, _told(old, table), _told(new, table), source) for table in _KEPT]
            echo("equal: counts and checksums")
        return moved


def _refuse_others(old: Store, new: Store, target: str) -> None:
    """Raise StoreError where the target holds what did not come from this source."""
    for table in TABLES:
        if table not in _KEPT and new.count(table):
            raise StoreError(
                f"{target}: this store holds {table} already, and moving never mixes two stores: give another address,"
                " or another SULH_STORE_PREFIX, with --to"
            )
    for table in _KEPT:
        # What an interrupted call brought; the rest of such a store is empty.
        there = new.rows(table)
        while chunk := {_id(row) for row in islice(there, CHUNK)}:
            known = {id for id in map(_id, old.rows(table)) if id in chunk}
            if chunk - known:
                raise StoreError(
                    f"{target}: this store holds {table} of another one, and moving never mixes two stores: give"
                    " another address, or another SULH_STORE_PREFIX, with --to"
                )


def _id(row: Record) -> str:
    id: str = getattr(row, "id", None) or row.alert  # type: ignore[attr-defined]
    return id


def _bring(table: Table, old: Store, new: Store, quiet: bool) -> None:
    rows = old.rows(table)
    with progress(f"moving {table}", old.count(table), quiet=quiet) as advance:
        while chunk := list(islice(rows, CHUNK)):
            new.put(table, chunk)
            advance(len(chunk))


def _exported(store: Store, kind: str) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) for row in store.export(kind))  # type: ignore[arg-type]


def _told(store: Store, table: Table) -> Iterator[str]:
    return (json.dumps(row.to_json(), ensure_ascii=False) for row in store.rows(table))


def _equal(name: str, old: Iterator[str], new: Iterator[str], source: str) -> Counted:
    before, after = _sum(name, old), _sum(name, new)
    if before != after:
        raise StoreError(
            f"{source}: {name} differ ({before.rows} rows, checksum {before.checksum}; moved {after.rows},"
            f" {after.checksum}): nothing was moved; stop what writes to it, then run this again"
        )
    return after


def _sum(name: str, lines: Iterator[str]) -> Counted:
    told, rows = blake2b(digest_size=16), 0
    for line in lines:
        told.update(line.encode("utf-8", "surrogatepass") + b"\n")
        rows += 1
    return Counted(table=name, rows=rows, checksum=told.hexdigest())
