"""Says what a crawl of a source would get, by fetching its entry and one page; nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crawlers.lists import Entry
from crawlers.run import run_spider
from crawlers.sources import Source
from crawlers.spiders import Report
from crawlers.spiders.kinds import KINDS
from processors.archive import Archive, Discovered


class _EnoughError(Exception):
    """The first list was read: that is all a check asks."""


async def check(source: Source, *, contact: str, loopback: bool) -> int:
    """Print as one JSON line what the source's entry lists and what its first page gives; 0 if both were had."""
    listed: list[Entry] = []

    kind: Any = KINDS[source.kind]

    class Check(kind):  # type: ignore[misc]
        async def list(self) -> None:
            with suppress(_EnoughError):
                await super().list()

        async def found(self, entries: Iterable[Entry]) -> Discovered:
            listed.extend(entries)
            wanted = (entry for entry in listed if (item := self._listed(entry)) and not item.refused)
            first = next(wanted, None)
            if first is not None:
                await super().found([first])
            raise _EnoughError

    report = Report(source=source.id)
    with TemporaryDirectory(prefix="sulh-check-") as folder:
        archive = Archive(Path(folder))
        with archive.writer(source.id) as writer:
            await run_spider(Check, source, writer, report, contact=contact, loopback=loopback)
        pages = [archive.read(ref) for ref in archive.captures(source.id)]
        trouble = [row.reason for row in archive.tallies(source.id) if row.disposition in ("refused", "failed")]
    page: dict[str, Any] | None = None
    if pages:
        page = {"url": pages[0].url, "content_type": pages[0].content_type, "bytes": len(pages[0].body)}
    reason = report.reason or "; ".join(trouble) or ("" if listed else "the entry lists nothing")
    facts = {
        "source": source.id,
        "ok": bool(page) and not reason,
        "reason": reason,
        "listed": len(listed),
        "dated": sum(entry.published is not None or entry.modified is not None for entry in listed),
        "titles": [entry.title for entry in listed[:3]],
        "page": page,
    }
    print(json.dumps(facts, ensure_ascii=False), flush=True)
    return 0 if facts["ok"] else 1
