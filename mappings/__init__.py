"""Mappings: how records lie in each store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

SCHEMA: Final = 3
"""Version of the Elasticsearch mappings: raised with every change of a file in `mappings/elasticsearch`."""

PREFIX: Final = "sulh"
"""The first part of all names in the files; an installation may put another in its place."""

KINDS: Final[tuple[str, ...]] = (
    "documents",
    "revisions",
    "events",
    "comparisons",
    "stories",
    "alerts",
    "ledger",
    "verdicts",
    "deliveries",
    "findings",
    "state",
)
"""What there is an index of."""

COMPONENTS: Final[tuple[str, ...]] = ("settings", "row", "document", "told")

ROLES: Final[tuple[str, ...]] = ("writer", "reader", "admin")
"""Who may do what: the pipeline, an analyst, and who looks after the store."""


def sqlite_schema() -> str:
    """Give the embedded store's schema as one SQL script."""
    return files("mappings").joinpath("sqlite.sql").read_text(encoding="utf-8")


def component_templates(prefix: str = PREFIX) -> dict[str, dict[str, Any]]:
    """Give the component templates by name, with the prefix in place."""
    return {f"{prefix}-{name}": _read(f"elasticsearch/components/{name}.json", prefix) for name in COMPONENTS}


def index_templates(prefix: str = PREFIX) -> dict[str, dict[str, Any]]:
    """Give the index templates by name, with the prefix in place: one a kind."""
    return {f"{prefix}-{kind}": _read(f"elasticsearch/{kind}.json", prefix) for kind in KINDS}


def roles(prefix: str = PREFIX) -> dict[str, dict[str, Any]]:
    """Give the role descriptors by name, with the prefix in place."""
    return {f"{prefix}-{role}": _read(f"roles/{role}.json", prefix) for role in ROLES}


def resolved(kind: str) -> dict[str, Any]:
    """Give mappings and settings of a kind as Elasticsearch composes them from the templates."""
    components = component_templates()
    template = index_templates()[f"{PREFIX}-{kind}"]
    whole: dict[str, Any] = {}
    for name in template["composed_of"]:
        _merge(whole, components[name]["template"])
    _merge(whole, template["template"])
    return whole


@cache
def properties(kind: str) -> dict[str, Any]:
    """Give the mapping's properties of a kind, by field name."""
    found: dict[str, Any] = resolved(kind)["mappings"]["properties"]
    return found


@cache
def fingerprint(kind: str) -> str:
    """Give a digest of mappings and settings: two indices of one fingerprint hold their rows alike."""
    text = json.dumps(resolved(kind), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _read(name: str, prefix: str) -> dict[str, Any]:
    text = files("mappings").joinpath(name).read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text.replace(f'"{PREFIX}-', f'"{prefix}-'))
    return read


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = json.loads(json.dumps(value))
