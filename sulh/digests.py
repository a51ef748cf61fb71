"""One message a day for the channels that ask for it: each change of an alert stands in exactly one, whoever crashes.

The outbox is the memory. What changed is put there when it is decided, once, as a delivery that waits: an alert by its
id, as for any other channel, and a change of its state by `change`. The time at which it was put there says of which
day's message it is. That message is a delivery of its own, `DIGEST` and the day, and is claimed, sent and settled as an
alert is (see `sulh.deliver`): two workers make one of it, a crash before it is begun costs nothing, and one in the
middle leaves it unsure, in plain view, and what it told is not told again. What it told is settled after it; what it
leaves out, since an analyst dismissed it or nothing reports it any more, is put off to the next before it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as day_time
from typing import Final

from processors.records import Alert, Document, State, utc
from sulh import deliver
from sulh.deliver import Channel, DeliveryReport, Message
from sulh.stores import Delivery, Store

DIGEST: Final = "digest:"
"""How the outbox names a day's message, before the day."""

MARGIN: Final = timedelta(hours=1)
"""What is decided less than this before a message goes out belongs to the next: a decision dates what it puts into the
outbox with its start, and must be through by then. Over a hundred thousand reports it takes a minute."""

_QUOTES: Final = (400, 120, 0)
"""Characters of a quoted sentence, fewer where the message would be too long; 0 leaves all but the headlines out."""


def change(alert: str, state: State) -> str:
    """Give the name under which the outbox keeps that an alert came to be of this state."""
    return f"{alert}.{state}"


def day_of(noted: datetime, hour: int) -> date:
    """Give the day whose message tells what was noted then, which goes out at this hour (UTC)."""
    return (utc(noted) + MARGIN - timedelta(hours=hour)).date() + timedelta(days=1)


def goes_out(day: date, hour: int) -> datetime:
    """Give when a day's message goes out."""
    return datetime.combine(day, day_time(hour), tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    alert: Alert
    new: bool
    rows: tuple[Delivery, ...]


def deliver_digests(
    store: Store,
    channels: Sequence[Channel],
    *,
    now: datetime,
    hour: int,
    desk: str = "",
    send: Callable[[Channel, Message], str] | None = None,
) -> DeliveryReport:
    """Send the daily messages that are due to the channels that take one; a day without a change has none."""
    channels = [channel for channel in channels if channel.digest]
    if not channels:
        return DeliveryReport(sent=0, failed=0, waiting=0, unsure=0)
    started = time.monotonic()
    alerts = {alert.id: alert for alert in store.alerts()}
    dismissed = {id for id, (verdict, _) in store.verdicts().items() if verdict == "dismissed"}
    sent = failed = 0
    errors: list[str] = []
    for channel in channels:
        outbox = [row for row in store.deliveries() if row.channel == channel.id]
        made = {row.alert: row for row in outbox if row.alert.startswith(DIGEST)}
        days, left_out = _days(outbox, alerts, dismissed, hour)
        for day in sorted(day for day in days if now >= goes_out(day, hour)):
            entries = days[day]
            name = f"{DIGEST}{day.isoformat()}"
            if name not in made:
                store.enqueue(name, [channel.id], at=now)
                (made[name],) = [row for row in store.deliveries(alert=name) if row.channel == channel.id]
            row = made[name]
            if row.state == "unsure" or (row.state == "waiting" and row.next_attempt > now):
                continue
            if row.state == "waiting":
                for other in left_out[day]:
                    if store.claim(other.id, now=now):
                        store.settle(other.id, sent=False, now=now, retry_at=now)
                message = render_digest(day, entries, _documents(store, entries), desk=desk, limit=channel.limit)
                moment = now + timedelta(seconds=time.monotonic() - started)
                error = deliver.hand_over(store, row, channel, message, now=moment, send=send)
                if error is None:
                    continue
                if error:
                    failed += 1
                    errors.append(f"{channel.label}: {error}")
                    # In order, or not at all: the next day's must not come first.
                    break
                sent += 1
            for told in (each for entry in entries for each in entry.rows):
                if store.claim(told.id, now=now):
                    store.settle(told.id, sent=True, now=now)
    ids = {channel.id for channel in channels}
    outbox = [row for row in store.deliveries() if row.channel in ids]
    return DeliveryReport(
        sent=sent,
        failed=failed,
        waiting=sum(row.state == "waiting" for row in outbox),
        unsure=sum(row.state == "unsure" for row in outbox),
        errors=tuple(errors),
    )


def _days(
    outbox: Sequence[Delivery], alerts: Mapping[str, Alert], dismissed: set[str], hour: int
) -> tuple[dict[date, list[_Entry]], Mapping[date, list[Delivery]]]:
    """Give what is to be told by day, in order, and what is left out: withdrawn before it was told, or dismissed."""
    left_out: defaultdict[date, list[Delivery]] = defaultdict(list)
    told = {row.alert for row in outbox if row.state != "waiting"}
    rows: defaultdict[tuple[date, str], list[Delivery]] = defaultdict(list)
    for row in outbox:
        id = row.alert.partition(".")[0]
        if row.state != "waiting" or row.alert.startswith(DIGEST):
            continue
        day = day_of(row.next_attempt, hour)
        if id not in alerts or id in dismissed or (alerts[id].state == "withdrawn" and id not in told):
            left_out[day].append(row)
        else:
            rows[day, id].append(row)
    days: defaultdict[date, list[_Entry]] = defaultdict(list)
    for (day, id), found in rows.items():
        new = any(row.alert == id for row in found)
        days[day].append(_Entry(alert=alerts[id], new=new, rows=tuple(found)))
    for entries in days.values():
        entries.sort(key=lambda entry: (not entry.new, entry.alert.opened_at, entry.alert.id))
    return dict(days), left_out


def _documents(store: Store, entries: Sequence[_Entry]) -> dict[str, Document]:
    ids = {entry.alert.members[0].document for entry in entries if entry.alert.members}
    found = {id: store.document(id) for id in sorted(ids)}
    return {id: document for id, document in found.items() if document is not None}


def render_digest(
    day: date, entries: Sequence[_Entry], documents: Mapping[str, Document], *, desk: str = "", limit: int
) -> Message:
    """Give a day's message, at most ``limit`` characters: sentences are cut first, then left out, headlines last."""
    new = sum(entry.new for entry in entries)
    changed = len(entries) - new
    counts = ", ".join(part for part in (f"{new} new" if new else "", f"{changed} changed" if changed else "") if part)
    body = ""
    for quote in _QUOTES:
        body = "\n".join(
            [line for entry in entries for line in _lines(entry, documents, desk, quote)]
            + [f"Digest of {day:%Y-%m-%d}: {counts}"]
        )
        if len(body) <= limit:
            break
    else:
        note = f"\n… (the rest was cut; whole: {desk.rstrip('/')}/alerts)" if desk else "\n… (cut; whole: sulh alerts)"
        body = body[: max(0, limit - len(note))].rstrip() + note
    return Message(title=f"sulh, {day:%Y-%m-%d}: {counts}", body=body)


def _lines(entry: _Entry, documents: Mapping[str, Document], desk: str, quote: int) -> list[str]:
    one = entry.alert
    what = "New" if entry.new else f"Now {one.state}"
    why = f" ({deliver.WITHDRAWN[one.withdrawn]})" if one.withdrawn in deliver.WITHDRAWN else ""
    where = f"{desk.rstrip('/')}/alerts/{one.id}" if desk else f"sulh alerts {one.id}"
    head = f"{what}: {deliver.headline(one)}{why}"
    if not quote:
        return [head, f"  {where}"]
    # What brought it there: a denial or a fight for a change, else the report itself.
    last = next((m for m in reversed(one.members) if m.role in ("denial", "fighting")), None)
    sentence = one.sentence if entry.new or last is None else last.sentence
    first = documents.get(one.members[0].document) if one.members else None
    shown = [signal for signal in one.caution if signal.shown]
    names = "; ".join(deliver.QUESTIONS.get(signal.name, signal.name).lower() for signal in shown)
    return [
        head,
        f"  {deliver.quoted(sentence, quote)}",
        *([f"  {first.source}: {first.url}"] if first is not None else []),
        f"  Origins: {len(one.origins)}. Caution: {names or 'nothing shown'}",
        f"  {where}",
        "",
    ]
