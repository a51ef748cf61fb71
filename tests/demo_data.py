"""The demo's pages, judged once and written the same way into any store: with a ledger, alerts, messages, a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from processors.addresses import canonical_url
from processors.archive import CaptureRef
from processors.records import Capture, LedgerRow, Rejection, digest
from sulh.demo.serve import Outlets
from sulh.pipeline import Judged, decide, judge_capture, process, registers_of
from sulh.stores import Finding, Store

NOW = datetime(2014, 11, 22, 12, tzinfo=UTC)
CHANNELS = (digest("mail"), digest("chat"))


@cache
def judged() -> tuple[tuple[CaptureRef, Judged | Rejection], ...]:
    """Give the pages of all outlets, read and judged; those of two outlets came in a day before the others."""
    outlets, registers = Outlets(), registers_of(None)
    found = []
    for number, outlet in enumerate(outlets.outlets.values()):
        outlet.base = f"http://{outlet.name.replace('_', '-')}.example"
        for page in outlet.pages:
            address = outlet.base + outlet.path(page)
            answer = outlet.answer(address.removeprefix(outlet.base))
            capture = Capture(
                id=digest(outlet.name, address),
                source=outlet.name,
                url=canonical_url(address),
                fetched_at=NOW - timedelta(days=number < 2, minutes=number),
                status=answer.status,
                headers=(),
                content_type=answer.content_type,
                body=answer.body,
                locator="",
            )
            ref = CaptureRef(
                id=capture.id, source=capture.source, url=capture.url, fetched_at=capture.fetched_at, locator=""
            )
            found.append((ref, judge_capture(capture, registers)))
    return tuple(sorted(found, key=lambda pair: (pair[0].fetched_at, pair[0].id)))


def crawled() -> Iterator[LedgerRow]:
    """Give the ledger of a crawl that brought these pages, with some known, refused and failed ones."""
    counts = Counter((ref.source, ref.fetched_at.date()) for ref, _ in judged())
    for number, ((source, day), fetched) in enumerate(sorted(counts.items())):
        parts = {"fetched": (fetched, ""), "known": (number, ""), "refused": (1, "robots"), "failed": (2, "http-503")}
        parts["discovered"] = (sum(count for count, _ in parts.values()), "")
        for disposition, (count, reason) in parts.items():
            yield LedgerRow(source=source, day=day, step="crawl", disposition=disposition, count=count, reason=reason)


def fill(store: Store) -> None:
    """Write all of it into a store."""
    store.tally(crawled())
    report = process(store, judged())
    assert not report.faults, report.faults
    store.write_findings(
        Finding(
            id=digest("silent", about),
            kind="silent",
            about=about,
            said="brings nothing new",
            todo="look",
            first_at=NOW - timedelta(days=2),
            last_at=NOW,
            gone_at=gone,
        )
        for about, gone in (("quiet_sy", None), ("back_again_fr", NOW))
    )
    alerts = decide(store, now=NOW, max_age_days=None, channels=CHANNELS).alerts
    store.judge(alerts[0].id, "dismissed", "a truce of the government's", at=NOW)
    first, second = store.deliveries()[:2]
    store.claim(first.id, now=NOW)
    store.settle(first.id, sent=True, now=NOW)
    store.claim(second.id, now=NOW)
