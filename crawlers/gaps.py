"""Names the days of a span of which there is nothing, as runs from first to last; pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

_DAY = timedelta(days=1)


def empty_days(days: Collection[date], since: date | None, until: date | None) -> tuple[tuple[date, date], ...]:
    """Give the runs of days without one of the given; an open end of the span is the first or last day given."""
    first, last = since or min(days, default=None), until or max(days, default=None)
    if first is None or last is None:
        return ()
    runs: list[tuple[date, date]] = []
    begin = first
    for day in sorted({day for day in days if first <= day <= last}):
        if begin < day:
            runs.append((begin, day - _DAY))
        begin = day + _DAY
    return (*runs, (begin, last)) if begin <= last else tuple(runs)
