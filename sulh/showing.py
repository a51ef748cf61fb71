"""The demo: the whole product on the sample outlets of the package, over real HTTP on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from processors.errors import SulhError
from sulh.config import Settings
from sulh.daily import RunReport, run
from sulh.demo.serve import PORT, Outlets
from sulh.stores import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What a demo did, and with what settings its folder can be looked at."""

    settings: Settings
    first: bool
    """Whether the folder was fresh."""
    run: RunReport


_ACCESS: Final = (
    "store_api_key",
    "store_api_key_file",
    "store_user",
    "store_password",
    "store_ca",
    "store_prefix",
)
"""The settings that open a store on a server."""


def demo(
    home: Path,
    *,
    now: Callable[[], datetime],
    echo: Callable[[str], None],
    port: int = PORT,
    store: str = "",
    access: Settings | None = None,
) -> DemoReport:
    """Serve the sample outlets on loopback, crawl them into the folder, and judge what came in.

    ``store`` is the path of a file, or the address of an Elasticsearch, opened with the settings in ``access``, on
    which the indices are made where they lack. The outlets tell of November 2014, so reports of any age alert; nothing
    is sent to anyone. Raises SulhError when a port is in use, or the store holds what is not the demo's.
    """
    # Nothing else of the person's own settings: a demo must not write to their store or to their channels.
    opening = {name: getattr(access, name) for name in _ACCESS} if access is not None and "://" in store else {}
    if store and "://" not in store:
        store = str(Path(store).expanduser().absolute())
    settings = Settings(home=home.resolve(), store=store, allow_loopback=True, alert_max_age_days=0, **opening)
    first = not (settings.home / "archive").is_dir()
    with Outlets().start(port) as outlets:
        if store:
            _make_store(settings, outlets.sources())
        settings.source_folder.mkdir(parents=True, exist_ok=True)
        # For every later command on this folder: `sulh --home demo-data replay` must decide as the demo did.
        (settings.home / "sulh.toml").write_text(_file(settings), encoding="utf-8")
        for name, text in outlets.sources().items():
            (settings.source_folder / f"{name}.yml").write_text(text, encoding="utf-8")
        report = run(settings, sorted(outlets.sources()), now=now, echo=echo)
    return DemoReport(settings=settings, first=first, run=report)


def _make_store(settings: Settings, sources: Iterable[str]) -> None:
    """Make the store where it lacks. Raises SulhError where it holds sources that are not the demo's."""
    if settings.on_server:
        from sulh.stores.elastic_indices import create_indices, serving

        # Looked for first: to make them takes an administrator, and to write into them does not.
        if not serving(settings.store, settings.access):
            create_indices(settings.store, settings.access)
    with closing(open_store(settings.store_address, access=settings.access)) as store:
        others = sorted({row.source for row in store.ledger()} - set(sources))
    if others:
        where = "SULH_STORE_PREFIX to another name, such as demo" if settings.on_server else "--store to another file"
        raise SulhError(
            f"{settings.store_address}: this store holds {', '.join(others[:3])}{' …' if others[3:] else ''}, and what"
            f" the demo adds could not be taken out again: set {where}"
        )


def _file(settings: Settings) -> str:
    """Give the demo's settings as a file; what is secret stays in the person's own."""
    values: dict[str, Any] = {"allow_loopback": True, "alert_max_age_days": 0}
    if settings.store:
        values["store"] = settings.store
    if settings.on_server:
        values["store_prefix"] = settings.store_prefix
        for name in ("store_ca", "store_api_key_file"):
            if (path := getattr(settings, name)) is not None:
                values[name] = str(path.absolute())
    # JSON's words and numbers are TOML's too, and so are its texts where nothing is escaped by surrogates.
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())
