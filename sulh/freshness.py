"""Tells how long documents and alerts take: from publication to the store, and from the store to a channel."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crawlers.sources import Source
from processors.archive import Archive
from processors.errors import SulhError
from processors.records import Record, utc
from sulh.stores import Arrival, Store

SPAN = timedelta(days=7)
"""What is looked back on: a week has a weekend in it, whose habits are others."""

FEW = 5
"""Under so many a 95th percentile says nothing: it is then the slowest of a handful."""

SLOW_INTERVALS, SLOW = 3, timedelta(hours=6)
"""Indexing is slow where the slowest twentieth takes longer than three of the source's intervals, as a source is stale
that was not read for three, or six hours where that is longer: an outlet lists an item some hours late now and then."""

SLOW_DELIVERY = timedelta(hours=2)
"""Delivery is slow beyond two turns of an hourly job: one that just missed it, and one that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness(Record):
    """How long one source's items of the last week took, in seconds; None where there were none."""

    source: str
    documents: int = 0
    """How many say to the minute when they came out."""
    indexed_p50: int | None = None
    indexed_p95: int | None = None
    """From publication until they could be found."""
    messages: int = 0
    delivered_p50: int | None = None
    delivered_p95: int | None = None
    """From then until an alert that began with one of them was delivered."""


def freshness(store: Store, archive: Archive, *, now: datetime) -> list[Freshness]:
    """Measure the last week, by source.

    Not counted are pages that tell no time of day, and what came out before its source was first crawled, which is
    backlog rather than news.
    """
    since = now - SPAN
    sent = [(one.alert, one.sent_at) for one in store.deliveries() if one.sent_at is not None and one.sent_at >= since]
    wanted = {alert for alert, _ in sent}
    firsts = {alert.id: alert.members[0].document for alert in store.alerts() if alert.id in wanted and alert.members}
    processed = store.processed(list(firsts.values()))
    messages = []
    for alert, at in sent:
        document = store.document(firsts[alert]) if firsts.get(alert) in processed else None
        if document is not None:
            messages.append((document.source, at - processed[document.id]))
    return by_source(store.arrivals(since=since), messages, archive)


def by_source(
    arrivals: Iterable[Arrival], messages: Iterable[tuple[str, timedelta]], archive: Archive | None
) -> list[Freshness]:
    """Sum up when documents came out and were processed, and by source how long each message took from there."""
    began: dict[str, datetime | None] = {}
    indexed: defaultdict[str, list[int]] = defaultdict(list)
    for one in arrivals:
        if one.source not in began:
            began[one.source] = _began(archive, one.source) if archive is not None else None
        first, published = began[one.source], utc(one.published_at)
        if (first is not None and published < first) or not (published.hour or published.minute or published.second):
            continue
        indexed[one.source].append(_seconds(one.processed_at - published))
    delivered: defaultdict[str, list[int]] = defaultdict(list)
    for source, took in messages:
        delivered[source].append(_seconds(took))
    return [
        Freshness(
            source=source,
            documents=len(indexed[source]),
            indexed_p50=percentile(indexed[source], 50),
            indexed_p95=percentile(indexed[source], 95),
            messages=len(delivered[source]),
            delivered_p50=percentile(delivered[source], 50),
            delivered_p95=percentile(delivered[source], 95),
        )
        for source in sorted({*indexed, *delivered})
    ]


def percentile(values: Sequence[int], part: int) -> int | None:
    """Give the smallest value that at least so many in a hundred do not exceed; None of none."""
    return sorted(values)[math.ceil(len(values) * part / 100) - 1] if values else None


def slow(row: Freshness, sources: Mapping[str, Source]) -> tuple[str, ...]:
    """Say what of a source's freshness is beyond its bound."""
    said = []
    interval = sources[row.source].interval if row.source in sources else timedelta(0)
    bound = max(SLOW_INTERVALS * interval, SLOW)
    if row.indexed_p95 is not None and row.documents >= FEW and row.indexed_p95 > bound.total_seconds():
        said.append(f"one item in twenty is indexed {span(row.indexed_p95)} after it came out, or later")
    if row.delivered_p95 is not None and row.delivered_p95 > SLOW_DELIVERY.total_seconds():
        said.append(f"alerts were delivered up to {span(row.delivered_p95)} after their first document was indexed")
    return tuple(said)


def span(seconds: float) -> str:
    """Give a length of time in words, such as ``2 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02} min"


def in_words(seconds: int | None) -> str:
    """Give a length of time in words, and a hyphen for none."""
    return "-" if seconds is None else span(seconds)


def _seconds(length: timedelta) -> int:
    # A page may be dated a little ahead of the clock.
    return max(0, round(length.total_seconds()))


def _began(archive: Archive, source: str) -> datetime | None:
    try:
        return archive.began(source)
    except SulhError:
        return None
