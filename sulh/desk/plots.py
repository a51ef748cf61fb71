"""Small plots as SVG text, drawn on the server: no script, no style attribute, so a strict page policy holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup, escape

from sulh.periods import Step, label


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One period of a plot: what stands above the line, from the line up, and what hangs below it."""

    start: date
    above: tuple[int, ...]
    below: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What one layer of the columns stands for: the class that colours it and its name in words."""

    style: str
    name: str


def sparkline(columns: Sequence[Column], above: Sequence[Series], below: Sequence[Series], *, words: str) -> Markup:
    """Draw a word-sized plot; ``words`` says in text what it shows."""
    return _svg(columns, above, below, words=words, width=150, height=32, pad=(1, 1, 1, 1))


def plot(
    columns: Sequence[Column], above: Sequence[Series], below: Sequence[Series], *, step: Step, words: str
) -> Markup:
    """Draw a plot twice, for a wide and for a narrow page, so that its letters stay readable on both."""
    wide = _svg(columns, above, below, words=words, width=880, height=190, pad=(10, 8, 24, 30), step=step)
    narrow = _svg(columns, above, below, words=words, width=360, height=180, pad=(10, 6, 24, 28), step=step)
    return (
        Markup('<div class="plot wide">') + wide + Markup('</div><div class="plot narrow">') + narrow + Markup("</div>")
    )


def _svg(
    columns: Sequence[Column],
    above: Sequence[Series],
    below: Sequence[Series],
    *,
    words: str,
    width: int,
    height: int,
    pad: tuple[int, int, int, int],
    step: Step | None = None,
) -> Markup:
    top, right, bottom, left = pad
    highest = max((sum(column.above) for column in columns), default=0)
    lowest = max((sum(column.below) for column in columns), default=0)
    room = height - top - bottom
    # One scale above and below the line, so that equal counts are equally long.
    unit = room / max(highest + lowest, 1)
    # A single report must not fill a word-sized plot: the same height would then mean one or a hundred.
    unit = min(unit, room / 3)
    line = top + (room - unit * (highest + lowest)) / 2 + unit * highest
    slot = (width - left - right) / max(len(columns), 1)
    bar = min(max(slot * 0.72, 1.5), 26)
    parts: list[Markup] = []
    if step is not None:
        parts += _scale(highest, lowest, unit, line, left, width - right)
    parts.append(_tag("line", "axis", x1=left, x2=width - right, y1=line, y2=line))
    for index, column in enumerate(columns):
        x = left + slot * index + (slot - bar) / 2
        y = line
        for series, count in zip(above, column.above, strict=True):
            if count:
                y -= unit * count
                parts.append(_bar(series, count, column, step, x, y, bar, unit * count))
        y = line
        for series, count in zip(below, column.below, strict=True):
            if count:
                parts.append(_bar(series, count, column, step, x, y, bar, unit * count))
                y += unit * count
    if step is not None:
        parts += _dates(columns, step, slot, left, width - right, height)
    return Markup('<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>').format(
        width, height, width, height, words, Markup("").join(parts)
    )


def _bar(
    series: Series, count: int, column: Column, step: Step | None, x: float, y: float, width: float, height: float
) -> Markup:
    # A hair of ground between layers, so that they can be told apart without their colours.
    gap = 0.6 if height > 3 else 0
    title = Markup("")
    if step is not None:
        title = Markup("<title>{}: {} {}</title>").format(label(column.start, step, full=True), count, series.name)
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">{}</rect>').format(
        series.style, x, y + gap / 2, width, max(height - gap, 0.8), title
    )


def _scale(highest: int, lowest: int, unit: float, line: float, left: float, right: float) -> list[Markup]:
    """Draw two or three light lines with their counts."""
    parts = []
    for count, sign in ((highest, -1), (lowest, 1)):
        if not count:
            continue
        y = line + sign * unit * count
        parts.append(_tag("line", "grid", x1=left, x2=right, y1=y, y2=y))
        parts.append(_text(str(count), "tick end", left - 6, y + 4))
    parts.append(_text("0", "tick end", left - 6, line + 4))
    return parts


def _dates(
    columns: Sequence[Column], step: Step, slot: float, left: float, right: float, height: float
) -> list[Markup]:
    """Write as many dates under the columns as fit without touching."""
    parts = []
    # A date takes about 56 units at the plot's letter size.
    every = max(1, round(64 / slot + 0.49))
    for index in range(0, len(columns), every):
        x = left + slot * (index + 0.5)
        if x + 28 > right and index:
            break
        place = "tick middle" if x - 28 > 0 else "tick start"
        parts.append(_text(label(columns[index].start, step), place, x if "middle" in place else left, height - 6))
    return parts


def _tag(name: str, style: str, **numbers: float) -> Markup:
    places = Markup(" ").join(Markup('{}="{:.1f}"').format(key, value) for key, value in numbers.items())
    return Markup('<{} class="{}" {}/>').format(Markup(name), style, places)


def _text(text: str, style: str, x: float, y: float) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(style, x, y, escape(text))
