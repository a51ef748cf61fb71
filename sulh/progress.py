"""Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click

LINE_SECONDS = 5.0
"""How often a plain line comes: often enough to see that work goes on, seldom enough for a log."""


class Advance(Protocol):
    """Called as work goes on."""

    def __call__(self, steps: int = 1) -> None:
        """Count further steps as done."""


@contextmanager
def progress(label: str, total: int, *, quiet: bool = False) -> Iterator[Advance]:
    """Give a function to call as steps are done; shows nothing when quiet or when there is nothing to do."""
    if quiet or total == 0:
        yield lambda steps=1: None
    elif sys.stderr.isatty():
        with click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True) as bar:
            yield lambda steps=1: bar.update(steps)
    else:
        done, shown, said = 0, -1, time.monotonic()

        def advance(steps: int = 1) -> None:
            nonlocal done, shown, said
            done += steps
            if time.monotonic() - said >= LINE_SECONDS:
                shown, said = done, time.monotonic()
                click.echo(f"{label}: {done} of {total}", err=True)

        yield advance
        if shown != done:
            click.echo(f"{label}: {done} of {total}", err=True)
