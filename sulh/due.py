"""Says which sources are to be crawled now: each on its own cadence, those of one host together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from crawlers.sources import Source
from processors.archive import Archive, Recent, retry_after
from processors.errors import SulhError

LONGEST_REST = timedelta(days=1)
"""A failing source is looked at once a day at least, or on its own cadence where that is slower: an outlet that is
back after a week shall not wait for another. The archive's own back-off is for single pages, of which there are many.
"""

LATE = timedelta(minutes=3)
"""How late after its turn a crawl may begin and be due at the next all the same: one whose turn comes at the end of a
slot begins in the following, which would have none of its own then. A third of the interval where that is shorter. It
is much less than the quarter of an hour at which a scheduler looks, so that no source is crawled more often by it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Sources that one crawl takes, so that none waits for another that asks the same host."""

    hosts: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def about(self) -> str:
        """A name for a person."""
        more = len(self.hosts) - 1
        return f"{self.hosts[0]} and {more} more" if more else self.hosts[0]

    def to_json(self) -> dict[str, Any]:
        """Give the group as JSON values."""
        return {"about": self.about, "hosts": list(self.hosts), "sources": list(self.sources)}


def host_of(source: Source) -> str:
    """Give the host whose patience a source takes, as the crawl itself tells them apart."""
    return urlsplit(source.entries[0]).netloc


def is_due(source: Source, recent: Recent, *, now: datetime) -> bool:
    """Say whether it is time to look at a source again.

    Time is cut into slots of the source's interval; it is due once in each. So it keeps its cadence however late in a
    slot a crawl began, which "an interval after the last crawl" would not: a scheduler's next tick would always come a
    few seconds too early. Hosts begin their slots at different moments, so that not all are asked at midnight.
    """
    if recent.held:
        return False
    if recent.started_at is None or recent.outcome in ("interrupted", "running"):
        # Never yet, or ended by a person, a scheduler or a crash: there may be more to fetch.
        return True
    since = now - recent.started_at
    if recent.outcome == "failed":
        return since >= min(retry_after(recent.failures), max(LONGEST_REST, source.interval))
    shift = source.interval * (_spread(host_of(source)) / 2**32)
    slot, last = ((moment - EPOCH + shift) // source.interval for moment in (now, recent.started_at))
    if since >= source.interval - min(source.interval / 3, LATE):
        return True
    # A crawl that began at the very end of a slot is not followed at once by the next.
    return slot > last and since >= source.interval / 2


def _spread(host: str) -> int:
    return int.from_bytes(blake2b(host.encode(), digest_size=4).digest(), "big")


def due(archive: Archive, sources: Mapping[str, Source], *, now: datetime) -> tuple[list[str], list[str]]:
    """Give the sources that are due, by name, and what is to be said of those whose archive cannot be read.

    Left out is one of a host that another process asks right now: it would only wait for its turn there.
    """
    names, wrong = [], []
    asked: dict[str, bool] = {}
    for name, source in sources.items():
        try:
            recent = archive.recent(name)
        except SulhError as error:
            wrong.append(f"{name}: {error}")
            continue
        if not is_due(source, recent, now=now):
            continue
        host = host_of(source)
        if host not in asked:
            asked[host] = archive.asked(host)
        if not asked[host]:
            names.append(name)
    return names, wrong


def groups(sources: Iterable[Source], *, most: int | None = None) -> list[Group]:
    """Put the sources of one host together, by name of host; beyond `most` groups, several hosts into one."""
    by_host: dict[str, list[str]] = {}
    for source in sources:
        by_host.setdefault(host_of(source), []).append(source.id)
    hosts = sorted(by_host)
    count = min(len(hosts), most or len(hosts))
    return [
        Group(
            hosts=tuple(hosts[start::count]),
            sources=tuple(sorted(name for host in hosts[start::count] for name in by_host[host])),
        )
        for start in range(count)
    ]
