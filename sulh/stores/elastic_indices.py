"""The indices of a store on Elasticsearch: templates, first indices and aliases, and whether they are what we know.

An index is called ``<prefix>-<kind>-<number>``. Readers go through the alias ``<prefix>-<kind>``, which shows only rows
that hold, writers through ``<prefix>-<kind>-write``; a new index takes the place of an old one by moving both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from elasticsearch import AuthorizationException, BadRequestError, Elasticsearch

from mappings import KINDS, SCHEMA, component_templates, fingerprint, index_templates
from processors.errors import StoreError
from sulh.stores import Access, server
from sulh.stores.elastic_client import cause, connect, plainly

T = TypeVar("T")

HOLDS: Final = {"term": {"retired": False}}
"""What the read aliases show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index of the store."""

    name: str
    kind: str
    number: int
    schema: int
    fingerprint: str
    """That of the mappings it was made with; see `mappings.fingerprint`."""
    filling: str
    """What it was made for (``rebuild``, ``migrate``) until it serves; the mark may outlast that by a moment."""
    source: str
    """The index that it is filled from, by `sulh index migrate`."""
    copied: int
    """Up to which sequence number the rows of the source are in it."""
    closing: bool
    """Whether the source was closed to writes for the last rows."""
    read: bool
    write: bool
    """Whether the alias for readers, and that for writers, points to it."""

    @property
    def serves(self) -> bool:
        """Whether an alias points to it, so that it is the truth of its kind."""
        return self.read or self.write

    @property
    def outdated(self) -> bool:
        """Whether its mapping is older than that of this sulh."""
        return self.schema < SCHEMA or (self.schema == SCHEMA and self.fingerprint != fingerprint(self.kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How one index of the store stands, for a person to see."""

    kind: str
    index: str
    schema: int
    serves: bool
    rows: int
    """Those that hold; the others are `retired`."""
    retired: int
    size: int | None
    """Bytes on disk; None where the key may not ask."""
    aliases: tuple[str, ...]
    pending: str
    """What `sulh index migrate` has to do with it; empty: nothing."""


def indices(client: Elasticsearch, prefix: str) -> list[Index]:
    """Give all indices of the store, by kind and number."""
    answer = client.indices.get(
        index=f"{prefix}-*", filter_path="*.aliases,*.mappings._meta", expand_wildcards="open", allow_no_indices=True
    ).body
    found = []
    for name, about in answer.items():
        match = re.fullmatch(rf"{re.escape(prefix)}-({'|'.join(KINDS)})-(\d{{6}})", name)
        if match is None:
            continue
        meta = about.get("mappings", {}).get("_meta", {})
        aliases = about.get("aliases", {})
        found.append(
            Index(
                name=name,
                kind=match[1],
                number=int(match[2]),
                schema=meta.get("schema", 0),
                fingerprint=meta.get("fingerprint", ""),
                filling=meta.get("filling", ""),
                source=meta.get("source", ""),
                copied=meta.get("copied", -1),
                closing=meta.get("closing", False),
                read=f"{prefix}-{match[1]}" in aliases,
                write=f"{prefix}-{match[1]}-write" in aliases,
            )
        )
    return sorted(found, key=lambda index: (KINDS.index(index.kind), index.number))


def check(client: Elasticsearch, address: str, prefix: str) -> dict[str, Index]:
    """Give the indices that serve, by kind; raises StoreError where some lack, or a newer sulh made them.

    Those of an older schema can be read; `refuse_older` is for who wants to write.
    """
    found = indices(client, prefix)
    refuse_newer(found, address)
    for kind in KINDS:
        for role, there in (
            ("", [index for index in found if index.kind == kind and index.read]),
            ("-write", [index for index in found if index.kind == kind and index.write]),
        ):
            if not there:
                raise StoreError(
                    f"{address}: the alias {prefix}-{kind}{role} is missing: run `sulh index create`, which makes what"
                    " lacks and leaves the rest"
                )
            if len(there) > 1:
                names = ", ".join(index.name for index in there)
                raise StoreError(
                    f"{address}: the alias {prefix}-{kind}{role} points to more than one index ({names}): take it off"
                    " all but the one that serves (docs/operations.md)"
                )
    return {index.kind: index for index in found if index.write}


def refuse_older(found: Iterable[Index], address: str) -> None:
    """Raise StoreError where an index that serves is of an older make, which this sulh can read and not write."""
    for index in found:
        if index.write and index.schema < SCHEMA:
            raise StoreError(
                f"{address}: the index {index.name} is of an older schema ({index.schema}, this sulh writes {SCHEMA}):"
                " run `sulh index migrate`"
            )
        if index.write and index.fingerprint != fingerprint(index.kind):
            # Each row of a new field would be refused, one by one.
            raise StoreError(
                f"{address}: the index {index.name} was made with other mappings than this sulh writes: run `sulh index"
                " migrate`"
            )


def refuse_newer(found: Iterable[Index], address: str) -> None:
    """Raise StoreError where an index that serves was made by a newer sulh."""
    for index in found:
        if index.serves and index.schema > SCHEMA:
            raise StoreError(
                f"{address}: the index {index.name} was made by a newer sulh (schema {index.schema}, this sulh knows"
                f" {SCHEMA}): upgrade sulh"
            )


def put_templates(client: Elasticsearch, prefix: str) -> None:
    """Write the templates; existing indices are not touched by them."""

    def put_component(named: tuple[str, dict[str, Any]]) -> None:
        name, body = named
        client.cluster.put_component_template(name=name, template=body["template"], meta=_meta(body))

    def put_index(named: tuple[str, dict[str, Any]]) -> None:
        name, body = named
        client.indices.put_index_template(
            name=name,
            index_patterns=body["index_patterns"],
            composed_of=body["composed_of"],
            priority=body["priority"],
            template=body["template"],
            # A name that is gone must not come into being by a write to it.
            allow_auto_create=False,
            meta=_meta(body),
        )

    _at_once(put_component, component_templates(prefix).items())
    _at_once(put_index, index_templates(prefix).items())


def _at_once(work: Callable[[T], None], items: Iterable[T]) -> None:
    """Do the work for all items side by side: the master takes changes together that wait together."""
    with ThreadPoolExecutor(max_workers=8) as threads:
        for _ in threads.map(work, items):
            pass


def _meta(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body["_meta"], "schema": SCHEMA}


def create_indices(address: str, access: Access) -> tuple[list[str], list[Index]]:
    """Do what `create` does; gives the names of what is new, and all indices as they stand then."""
    address = server(address)
    with plainly(address), closing(connect(address, access)) as client:
        made = create(client, access.prefix)
        return made, indices(client, access.prefix)


def serving(address: str, access: Access) -> bool:
    """Tell whether there is an index of each kind, with its aliases."""
    address = server(address)
    with plainly(address), closing(connect(address, access)) as client:
        return {index.kind for index in indices(client, access.prefix) if index.read and index.write} == set(KINDS)


def status(address: str, access: Access) -> list[State]:
    """Give how each index of the store stands. Raises StoreError, in one sentence."""
    address = server(address)
    with plainly(address), closing(connect(address, access)) as client:
        found = indices(client, access.prefix)
        if not found:
            raise StoreError(
                f"{address}: there is no index of sulh called {access.prefix}-*: run `sulh index create` (or check"
                " SULH_STORE_PREFIX)"
            )
        sizes = _sizes(client, [index.name for index in found])
        return [_state(client, access.prefix, index, found, sizes.get(index.name)) for index in found]


def _state(client: Elasticsearch, prefix: str, index: Index, found: Iterable[Index], size: int | None) -> State:
    rows = client.count(index=index.name, query=HOLDS)["count"]
    aliases = [f"{prefix}-{index.kind}"] if index.read else []
    aliases += [f"{prefix}-{index.kind}-write"] if index.write else []
    newest = not any(other.number > index.number for other in found if other.kind == index.kind and other.read)
    if aliases:
        pending = "made by a newer sulh" if index.schema > SCHEMA else "to be moved" if index.outdated else ""
    elif index.filling:
        pending = "being filled" if index.filling == "migrate" else "left by a replay"
    else:
        pending = "without its aliases" if newest else "old: --drop-old removes it"
    return State(
        kind=index.kind,
        index=index.name,
        schema=index.schema,
        serves=index.read and index.write,
        rows=rows,
        retired=client.count(index=index.name)["count"] - rows,
        size=size,
        aliases=tuple(aliases),
        pending=pending,
    )


def _sizes(client: Elasticsearch, names: list[str]) -> dict[str, int]:
    try:
        stats = client.indices.stats(index=names, metric="store", filter_path="indices.*.primaries.store.size_in_bytes")
    except AuthorizationException:
        return {}
    return {name: about["primaries"]["store"]["size_in_bytes"] for name, about in stats.get("indices", {}).items()}


def create(client: Elasticsearch, prefix: str) -> list[str]:
    """Make templates, first indices and aliases, as far as they are not there; gives the names of what is new.

    Two calls at once make each but once. Raises StoreError where a newer sulh made the indices.
    """
    there = indices(client, prefix)
    refuse_newer(there, prefix)
    put_templates(client, prefix)
    made: list[str] = []
    lacking: list[tuple[str, str]] = []
    for kind in KINDS:
        own = [index for index in there if index.kind == kind and (index.serves or not index.filling)]
        readable, writable = [i for i in own if i.read], [i for i in own if i.write]
        if len(readable) > 1 or len(writable) > 1:
            raise StoreError(
                f"{prefix}-{kind}: an alias points to {len(readable)} indices for readers and {len(writable)} for"
                " writers: remove all but one (docs/operations.md)"
            )
        if readable and writable:
            continue
        serving = (writable or readable or own)[-1:]
        if serving:
            # An alias was lost: back onto the index that has the other, else the newest.
            client.indices.update_aliases(actions=[*_aliases(prefix, kind, serving[0].name)])
            made += [f"{prefix}-{kind}", f"{prefix}-{kind}-write"]
        else:
            lacking.append((kind, f"{prefix}-{kind}-{next_number(there, kind):06d}"))

    new: set[str] = set()

    def make(one: tuple[str, str]) -> None:
        kind, name = one
        try:
            make_index(client, prefix, kind, name)
        except BadRequestError as error:
            # Another call may have been first, and made it with its aliases.
            if cause(error.body)[0] != "resource_already_exists_exception":
                raise
        else:
            new.add(name)

    _at_once(make, lacking)
    return made + [name for _, name in lacking if name in new]


def next_number(there: Iterable[Index], kind: str) -> int:
    return max((index.number for index in there if index.kind == kind), default=0) + 1


def meta_of(kind: str, **more: Any) -> dict[str, Any]:
    """Give what an index says of itself: the mappings it was made with, and what it is made for."""
    return {"schema": SCHEMA, "fingerprint": fingerprint(kind), **more}


def make_index(
    client: Elasticsearch, prefix: str, kind: str, name: str, *, filling: str = "", source: str = ""
) -> None:
    """Make one index; with its aliases, unless it is to be filled first."""
    meta = meta_of(kind, filling=filling, source=source) if filling else meta_of(kind)
    aliases = {} if filling else {alias: about for alias, about in _alias_bodies(prefix, kind)}
    client.indices.create(index=name, mappings={"_meta": meta}, aliases=aliases, wait_for_active_shards="1")


def _alias_bodies(prefix: str, kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{prefix}-{kind}", {"filter": HOLDS}), (f"{prefix}-{kind}-write", {"is_write_index": True})]


def _aliases(prefix: str, kind: str, name: str) -> list[dict[str, Any]]:
    return [{"add": {"index": name, "alias": alias, **about}} for alias, about in _alias_bodies(prefix, kind)]


def alias_moves(prefix: str, old: Index, new: str) -> list[dict[str, Any]]:
    """Give what lets a new index take the place of one that serves."""
    return [*_unserved(prefix, old), *_aliases(prefix, old.kind, new)]


def _unserved(prefix: str, index: Index) -> list[dict[str, Any]]:
    return [
        {"remove": {"index": index.name, "alias": alias, "must_exist": True}}
        for alias, there_is in ((f"{prefix}-{index.kind}", index.read), (f"{prefix}-{index.kind}-write", index.write))
        if there_is
    ]


def fresh_indices(
    client: Elasticsearch, prefix: str, kinds: Iterable[str], *, filling: str = "rebuild"
) -> dict[str, str]:
    """Make a new index a kind, without aliases; what an interrupted call of the same purpose left is removed."""
    put_templates(client, prefix)
    there = indices(client, prefix)
    left = [index.name for index in there if index.filling == filling and not index.serves]
    if left:
        client.indices.delete(index=left)
    made = {kind: f"{prefix}-{kind}-{next_number(there, kind):06d}" for kind in kinds}
    _at_once(lambda one: make_index(client, prefix, one[0], one[1], filling=filling), made.items())
    return made


def swap(client: Elasticsearch, prefix: str, made: Mapping[str, str], *, drop: bool = True) -> None:
    """Let new indices, by kind, take the place of those that serve, all in one call; the old ones go with ``drop``."""
    there = indices(client, prefix)
    actions: list[dict[str, Any]] = []
    for kind, name in made.items():
        client.indices.put_mapping(index=name, meta=meta_of(kind))
        actions += _aliases(prefix, kind, name)
        for index in there:
            if index.kind != kind or index.name == name or not index.serves:
                continue
            if drop:
                actions.append({"remove_index": {"index": index.name}})
                continue
            actions += _unserved(prefix, index)
    client.indices.update_aliases(actions=actions)
