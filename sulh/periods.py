"""Days, weeks, months or years: the step that keeps a plot of any span readable."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

Step = Literal["day", "week", "month", "year"]

# In a plot as wide as a table cell (150 pixels) a column is then 2.5 pixels: the least that still shows its colour.
_MOST = 60


def fitting(days: Iterable[date]) -> Step:
    """Choose the finest step that draws the days in few enough columns."""
    known = sorted(days)
    if not known:
        return "day"
    span = (known[-1] - known[0]).days + 1
    if span <= _MOST:
        return "day"
    if span <= _MOST * 7:
        return "week"
    return "month" if span <= _MOST * 31 else "year"


def start(day: date, step: Step) -> date:
    """Give the first day of the period that the day lies in; weeks start on Monday, as ISO 8601 has it."""
    if step == "week":
        return day - timedelta(days=day.weekday())
    if step == "month":
        return day.replace(day=1)
    if step == "year":
        return day.replace(month=1, day=1)
    return day


def between(first: date, last: date, step: Step) -> tuple[date, ...]:
    """Give the starts of all periods from the one of the first day to the one of the last, empty ones included."""
    starts = [start(first, step)]
    while starts[-1] < start(last, step):
        # 32 days after the first of a month always lie in the next month, 366 after New Year in the next year.
        leap = {"day": 1, "week": 7, "month": 32, "year": 366}[step]
        starts.append(start(starts[-1] + timedelta(days=leap), step))
    assert all(earlier < later for earlier, later in pairwise(starts))
    return tuple(starts)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def label(day: date, step: Step, *, full: bool = False) -> str:
    """Name a period by its first day, in English whatever the machine's locale."""
    month = _MONTHS[day.month - 1]
    if step == "year":
        return str(day.year)
    if step == "month":
        return f"{month} {day.year}"
    words = f"{day.day} {month}" + (f" {day.year}" if full else "")
    return f"week of {words}" if step == "week" and full else words
