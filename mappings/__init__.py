"""Mappings: how records lie in each store."""

from __future__ import annotations

from importlib.resources import files


def sqlite_schema() -> str:
    """Give the embedded store's schema as one SQL script."""
    return files("mappings").joinpath("sqlite.sql").read_text(encoding="utf-8")
