"""The indices of a store on Elasticsearch: templates, first indices and aliases, and whether they are what we know.

An index is called ``<prefix>-<kind>-<number>``. Readers go through the alias ``<prefix>-<kind>``, which shows only rows
that hold, writers through ``<prefix>-<kind>-write``; a new index takes the place of an old one by moving both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from elasticsearch import Elasticsearch

from mappings import KINDS, SCHEMA, component_templates, fingerprint, index_templates
from processors.errors import StoreError

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
    """What it was made for where it is being filled (``rebuild``, ``migrate``); empty once it serves."""
    read: bool
    write: bool
    """Whether the alias for readers, and that for writers, points to it."""


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
                read=f"{prefix}-{match[1]}" in aliases,
                write=f"{prefix}-{match[1]}-write" in aliases,
            )
        )
    return sorted(found, key=lambda index: (KINDS.index(index.kind), index.number))


def check(client: Elasticsearch, address: str, prefix: str) -> None:
    """Raise StoreError, which says what to do, where the indices are not all there or of another version."""
    found = indices(client, prefix)
    for index in found:
        if (index.read or index.write) and index.schema > SCHEMA:
            raise StoreError(
                f"{address}: the index {index.name} was made by a newer sulh (schema {index.schema}, this sulh knows"
                f" {SCHEMA}): upgrade sulh"
            )
    for index in found:
        if index.write and index.schema < SCHEMA:
            raise StoreError(
                f"{address}: the index {index.name} is of an older schema ({index.schema}, this sulh writes {SCHEMA}):"
                " run `sulh index migrate`"
            )
    for kind in KINDS:
        for role, there in (
            ("", [index for index in found if index.kind == kind and index.read]),
            ("-write", [index for index in found if index.kind == kind and index.write]),
        ):
            if len(there) != 1:
                what = "is missing" if not there else "points to more than one index"
                raise StoreError(
                    f"{address}: the alias {prefix}-{kind}{role} {what}: run `sulh index create`, which makes what"
                    " lacks and leaves the rest"
                )


def put_templates(client: Elasticsearch, prefix: str) -> None:
    """Write the templates; existing indices are not touched by them."""
    for name, body in component_templates(prefix).items():
        client.cluster.put_component_template(name=name, template=body["template"], meta=_meta(body))
    for name, body in index_templates(prefix).items():
        client.indices.put_index_template(
            name=name,
            index_patterns=body["index_patterns"],
            composed_of=body["composed_of"],
            priority=body["priority"],
            template=body["template"],
            meta=_meta(body),
        )


def _meta(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body["_meta"], "schema": SCHEMA}


def create(client: Elasticsearch, prefix: str) -> list[str]:
    """Make templates, first indices and aliases, as far as they are not there; gives the names of what is new."""
    put_templates(client, prefix)
    there = indices(client, prefix)
    made = []
    for kind in KINDS:
        own = [index for index in there if index.kind == kind and not index.filling]
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
            name = f"{prefix}-{kind}-{_next(there, kind):06d}"
            make_index(client, prefix, kind, name)
            made.append(name)
    return made


def _next(there: Iterable[Index], kind: str) -> int:
    return max((index.number for index in there if index.kind == kind), default=0) + 1


def make_index(client: Elasticsearch, prefix: str, kind: str, name: str, *, filling: str = "") -> None:
    """Make one index; with its aliases, unless it is to be filled first."""
    meta: dict[str, Any] = {"schema": SCHEMA, "fingerprint": fingerprint(kind)}
    if filling:
        meta["filling"] = filling
    aliases = {} if filling else {alias: about for alias, about in _alias_bodies(prefix, kind)}
    client.indices.create(index=name, mappings={"_meta": meta}, aliases=aliases, wait_for_active_shards="1")


def _alias_bodies(prefix: str, kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{prefix}-{kind}", {"filter": HOLDS}), (f"{prefix}-{kind}-write", {"is_write_index": True})]


def _aliases(prefix: str, kind: str, name: str) -> list[dict[str, Any]]:
    return [{"add": {"index": name, "alias": alias, **about}} for alias, about in _alias_bodies(prefix, kind)]


def fresh_indices(
    client: Elasticsearch, prefix: str, kinds: Iterable[str], *, filling: str = "rebuild"
) -> dict[str, str]:
    """Make a new index a kind, without aliases; what an interrupted call of the same purpose left is removed."""
    put_templates(client, prefix)
    there = indices(client, prefix)
    left = [index.name for index in there if index.filling == filling and not (index.read or index.write)]
    if left:
        client.indices.delete(index=left)
    made = {}
    for kind in kinds:
        made[kind] = f"{prefix}-{kind}-{_next(there, kind):06d}"
        make_index(client, prefix, kind, made[kind], filling=filling)
    return made


def swap(client: Elasticsearch, prefix: str, made: Mapping[str, str], *, drop: bool = True) -> None:
    """Let new indices, by kind, take the place of those that serve, all in one call; the old ones go with ``drop``."""
    there = indices(client, prefix)
    actions: list[dict[str, Any]] = []
    for kind, name in made.items():
        meta = {"schema": SCHEMA, "fingerprint": fingerprint(kind)}
        client.indices.put_mapping(index=name, meta=meta)
        actions += _aliases(prefix, kind, name)
        for index in there:
            if index.kind != kind or index.name == name or not (index.read or index.write):
                continue
            if drop:
                actions.append({"remove_index": {"index": index.name}})
                continue
            actions += [
                {"remove": {"index": index.name, "alias": alias}}
                for alias, there_is in ((f"{prefix}-{kind}", index.read), (f"{prefix}-{kind}-write", index.write))
                if there_is
            ]
    client.indices.update_aliases(actions=actions)
