"""Writes numbers with their nouns, for what people read."""

from __future__ import annotations


def count(number: int, one: str, many: str = "") -> str:
    """Write a count with its noun: 1 story, 1,204 stories."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
