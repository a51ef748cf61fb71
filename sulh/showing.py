"""The demo: the whole product on the sample outlets of the package, over real HTTP on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sulh.config import Settings
from sulh.daily import RunReport, run
from sulh.demo.serve import PORT, Outlets


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What a demo did, and with what settings its folder can be looked at."""

    settings: Settings
    first: bool
    """Whether the folder was fresh."""
    run: RunReport


def demo(
    home: Path,
    *,
    now: Callable[[], datetime],
    echo: Callable[[str], None],
    port: int = PORT,
    store: str = "",
) -> DemoReport:
    """Serve the sample outlets on loopback, crawl them into the folder, and judge what came in.

    The outlets tell of November 2014, so reports of any age alert; nothing is sent to anyone. Raises SulhError when a
    port is in use.
    """
    # Nothing of the person's own settings: a demo must not write to their store or to their channels.
    settings = Settings(home=home.resolve(), store=store, allow_loopback=True, alert_max_age_days=0)
    first = not (settings.home / "archive").is_dir()
    with Outlets().start(port) as outlets:
        settings.source_folder.mkdir(parents=True, exist_ok=True)
        # For every later command on this folder: `sulh --home demo-data replay` must decide as the demo did.
        (settings.home / "sulh.toml").write_text("allow_loopback = true\nalert_max_age_days = 0\n", encoding="utf-8")
        for name, text in outlets.sources().items():
            (settings.source_folder / f"{name}.yml").write_text(text, encoding="utf-8")
        report = run(settings, sorted(outlets.sources()), now=now, echo=echo)
    return DemoReport(settings=settings, first=first, run=report)
