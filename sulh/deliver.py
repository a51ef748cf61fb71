"""Delivers alerts, and findings to operators: each channel gets each once, whoever crashes, and is tried until then.

Nobody can know whether a message went out when a process dies between sending it and writing that down, unless the
receiver helps, and mail, chats and webhooks do not. So the outbox marks a delivery ``unsure`` just before the first
byte and settles it right after the answer, one message at a time; all that can fail or take long (loading, writing the
message, reaching the store) happens before the mark, while the delivery still waits and a crash costs nothing.

- A crash before the mark: the delivery waits, the next run sends it.
- A refusal, or no connection: it waits again, with a growing pause, for as long as it takes.
- A signal that asks the process to end, SIGTERM or Ctrl-C: it waits until the message is settled.
- A crash between mark and settling, milliseconds as a rule: it stays ``unsure`` and is *not* sent again by itself: an
  alert that comes twice teaches analysts to distrust the alarm, while one that may be missing is in plain view
  (`sulh doctor`, `sulh alerts`, the desk, the Atom file, which never depends on the outbox). `sulh deliver
  --resend-unsure` sends it again when a person says so; the message names its alert, so that a double shows.

The mark is also what two workers compete for: whoever sets it sends.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final
from xml.etree import ElementTree

from processors.annotate.actors import ACTORS
from processors.errors import SettingsError, StoreError
from processors.records import Alert, Document, Record, digest, utc
from sulh.counts import count
from sulh.stores import Delivery, Finding, Store

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=6)
"""A failed delivery waits one minute, then twice as long each time, up to four tries a day for as long as it takes."""

LEASE: Final = timedelta(minutes=10)
"""How long a delivery may be unsure because it is being sent right now: the time limits below, with a wide margin."""

_READ_SECONDS: Final = 30.0
"""How long a channel may take to answer. Apprise gives up after 4 s; a receiver that was merely slow has the message
by then and would get it again."""

_FAILURES_IN_A_ROW: Final = 3
"""After so many a channel is left alone until the next run, so that a dead one does not hold up the others."""

_LIMIT: Final = 3_900
"""Characters of a message: Telegram takes 4,096 and counts some twice, and nobody reads more on a phone."""

_QUOTE, _SHORT_QUOTE = 400, 120
"""Characters of a quoted sentence: a long news sentence; when the message is too long, enough to recognise it."""

_LINKS: Final = 5
"""Further reports that a message lists; the desk has all of them."""

_FEED_ENTRIES: Final = 100
"""Alerts in the Atom file, the newest: about a year of them; readers keep what they have seen."""

QUESTIONS: Final[Mapping[str, str]] = {
    "anonymous_source": "Source not named",
    "interested_source": "Source's own side gains from it",
    "single_origin": "All outlets go back to one report",
    "local_exception": "About cut-off, local units only",
    "against_interest": "Would undo what a party fought for",
    "counter_report": "Denied or refused by a party",
    "expert_doubt": "Doubted by officials or experts",
    "incompatible_terms": "Asks for what the other cannot give",
}
"""The caution checklist in words; each line is true of the report where the signal is shown."""


WITHDRAWN: Final[Mapping[str, str]] = {
    "text": "a page that reported it says otherwise now",
    "reading": "the same texts are read otherwise now, by changed rules or beside other reports",
    "joined": "its reports are part of another alert now",
}
"""Why an alert is withdrawn, in words."""

HELD: Final[Mapping[str, str]] = {
    "old": "reported long before it was fetched",
    "told": "analysts were notified of the same texts under another alert",
}
"""Why nobody is notified of an alert, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one channel gets for one alert, in plain text."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A place that alerts go to. Its address holds secrets: it is known by its digest, and shown by its label."""

    id: str
    label: str
    """Scheme and host, with the host masked where it is a token."""
    limit: int = _LIMIT
    """Characters that a message may have."""
    digest: bool = False
    """Whether it gets one message a day, by `sulh.digests`, in place of one an alert."""
    send: Callable[[Message], str] = field(repr=False)
    """Sends; gives an empty text, or why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport(Record):
    """How a delivery run went: sent and failed in this run; waiting and unsure now."""

    sent: int
    failed: int
    waiting: int
    unsure: int
    errors: tuple[str, ...] = ()
    """One line a channel that failed: its label and why."""

    def __add__(self, other: DeliveryReport) -> DeliveryReport:
        """Give the report on both, which went to different channels."""
        return DeliveryReport(
            sent=self.sent + other.sent,
            failed=self.failed + other.failed,
            waiting=self.waiting + other.waiting,
            unsure=self.unsure + other.unsure,
            errors=(*self.errors, *other.errors),
        )

    def summary(self) -> str:
        """Say how many messages went out, and which channels failed."""
        counts = f"sent {self.sent}, failed {self.failed}, waiting {self.waiting}, unsure {self.unsure}"
        return "\n".join([f"delivered: {counts}", *(f"  {error}" for error in self.errors)])


def channels(addresses: Iterable[str], *, setting: str = "SULH_NOTIFY") -> tuple[Channel, ...]:
    """Give the channels of Apprise addresses. Raises SettingsError for one that cannot be used, without its secrets."""
    given = [address.strip() for address in addresses if address.strip()]
    found = [_channel(address, number, setting) for number, address in enumerate(given, 1)]
    return tuple({channel.id: channel for channel in found}.values())


def for_operators(addresses: Iterable[str], write: Callable[[str], None]) -> tuple[Channel, ...]:
    """Give the channels that findings go to; with no address, the one that writes them out.

    One address may take alerts and findings: it is then two channels, so that neither waits in the other's queue.
    """
    found = channels(addresses, setting="SULH_OPERATORS") or (printer(write),)
    if any(channel.digest for channel in found):
        raise SettingsError("SULH_OPERATORS: findings are not gathered for a day: leave digest=daily out")
    return tuple(replace(channel, id=digest("operators", channel.id)) for channel in found)


def printer(write: Callable[[str], None]) -> Channel:
    """Give the channel for when no address is set: the alert is written out, and by the outbox only once."""

    def send(message: Message) -> str:
        write(f"{message.title}\n\n{message.body}\n")
        return ""

    return Channel(id="printed", label="the terminal", limit=100_000, send=send)


def deliver(
    store: Store,
    channels: Sequence[Channel],
    *,
    now: datetime,
    desk: str = "",
    send: Callable[[Channel, Message], str] | None = None,
) -> DeliveryReport:
    """Send what is due to the channels, until nothing is; ``desk`` is the desk's address, for links.

    Those that take one message a day are left to `deliver_digests`.
    """
    channels = [channel for channel in channels if not channel.digest]
    alerts: dict[str, Alert] = {}

    def message(delivery: Delivery, channel: Channel) -> Message | None:
        nonlocal alerts
        if delivery.alert not in alerts:
            alerts = {alert.id: alert for alert in store.alerts()}
        alert = alerts.get(delivery.alert)
        # None: withdrawn since; the next look will not give it.
        return render(alert, documents(store, alert), desk=desk, limit=channel.limit) if alert else None

    return _empty(store, channels, message, now=now, send=send)


def deliver_findings(
    store: Store,
    channels: Sequence[Channel],
    *,
    now: datetime,
    desk: str = "",
    send: Callable[[Channel, Message], str] | None = None,
) -> DeliveryReport:
    """Send the findings that are due to the operators' channels, as `deliver` does alerts."""
    findings: dict[str, Finding] = {}

    def message(delivery: Delivery, channel: Channel) -> Message | None:
        nonlocal findings
        if delivery.alert not in findings:
            findings = {finding.id: finding for finding in store.findings()}
        finding = findings.get(delivery.alert)
        return render_finding(finding, desk=desk, limit=channel.limit) if finding else None

    return _empty(store, channels, message, now=now, send=send)


def _empty(
    store: Store,
    channels: Sequence[Channel],
    message_of: Callable[[Delivery, Channel], Message | None],
    *,
    now: datetime,
    send: Callable[[Channel, Message], str] | None,
) -> DeliveryReport:
    started = time.monotonic()
    by_id = {channel.id: channel for channel in channels}
    in_a_row = dict.fromkeys(by_id, 0)
    errors: dict[str, str] = {}
    sent = failed = 0
    while open_channels := [id for id, times in in_a_row.items() if times < _FAILURES_IN_A_ROW]:
        delivery = store.due(channels=open_channels, now=now)
        if delivery is None:
            break
        channel = by_id[delivery.channel]
        message = message_of(delivery, channel)
        if message is None:
            continue
        # A run may take long: its clock goes on from the time that it was given.
        moment = now + timedelta(seconds=time.monotonic() - started)
        error = hand_over(store, delivery, channel, message, now=moment, send=send)
        if error is None:
            continue
        if error:
            failed += 1
            in_a_row[channel.id] += 1
            errors[channel.id] = f"{channel.label}: {error}"
        else:
            sent += 1
            in_a_row[channel.id] = 0
    outbox = [delivery for delivery in store.deliveries() if delivery.channel in by_id]
    return DeliveryReport(
        sent=sent,
        failed=failed,
        waiting=sum(delivery.state == "waiting" for delivery in outbox),
        unsure=sum(delivery.state == "unsure" for delivery in outbox),
        errors=tuple(errors.values()),
    )


def hand_over(
    store: Store,
    delivery: Delivery,
    channel: Channel,
    message: Message,
    *,
    now: datetime,
    send: Callable[[Channel, Message], str] | None = None,
) -> str | None:
    """Claim a delivery, send its message and settle it: gives an empty text, or why it failed.

    None where another worker was first.
    """
    started = time.monotonic()
    with _to_its_end():
        if not store.claim(delivery.id, now=now):
            return None
        error = send(channel, message) if send else channel.send(message)
        moment = now + timedelta(seconds=time.monotonic() - started)
        if error:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(delivery.attempts, 20))
            store.settle(delivery.id, sent=False, now=moment, error=error, retry_at=moment + pause)
        else:
            store.settle(delivery.id, sent=True, now=moment)
        return error


@contextmanager
def _to_its_end() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C wait until the block is done: a message that is being sent shall not end in doubt.

    A channel that does not answer keeps them waiting for `_READ_SECONDS`, which is less than a scheduler gives.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: came.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if came:
        signal.raise_signal(came[0])


def resend_unsure(store: Store, *, now: datetime) -> int:
    """Let what a crash left unsure be sent again, as a person asked; gives how many.

    One claimed less than `LEASE` ago stays: another process may be sending it.
    """
    return store.release(claimed_before=now - LEASE, now=now)


# ------------------------------------------------------------------------------------------------------- channels


def _channel(address: str, number: int, setting: str) -> Channel:
    # Here: Apprise takes a third of a second to import, and most commands send nothing.
    import apprise

    address, daily = _without_digest(address, number, setting)
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]{1,15}(?=://)", address)
    # Apprise logs addresses, passwords and all, before anyone could hide them.
    log = logging.getLogger("apprise")
    log.propagate = False
    service: Any = apprise.Apprise.instantiate(address) if scheme else None
    if scheme is None or service is None:
        said = f"{scheme.group()}://…" if scheme else "without a scheme such as mailto://"
        raise SettingsError(
            f"{setting}: address {number} ({said}) is not one that Apprise can use: check it against"
            " https://appriseit.com/services/ (a space or comma inside an address is written %20 or %2C)"
        )
    service.socket_read_timeout = max(service.socket_read_timeout, _READ_SECONDS)
    target = apprise.Apprise()
    target.add(service)
    secrets = _secrets(address)

    def send(message: Message) -> str:
        result = target.notify(title=message.title, body=message.body, body_format=apprise.NotifyFormat.TEXT)
        if bool(result):
            return ""
        said = " ".join(str(getattr(entry, "message", entry)) for entry in result.logs())
        return _without(said, secrets)[:300] or f"not sent (Apprise status {int(result.status)})"

    # Without a title of its own a service puts it above the body.
    title_room = 200 if not service.title_maxlen else 0
    shown: str = service.url(privacy=True)
    masked = re.match(r"[^:]+://(?:[^@/]*@)?([^/?:]*)", shown)
    host = masked.group(1) if masked else ""
    return Channel(
        id=digest(address),
        label=f"{scheme.group().lower()}://{host}",
        limit=max(500, min(_LIMIT, service.body_maxlen - title_room)),
        digest=daily,
        send=send,
    )


def _without_digest(address: str, number: int, setting: str) -> tuple[str, bool]:
    """Take `digest=daily` off an address: with and without it the channel is the same, and nothing is told twice."""
    before, mark, query = address.partition("?")
    parts = query.split("&") if mark else []
    kept = [part for part in parts if not part.lower().startswith("digest=")]
    asked = {part.lower() for part in parts} - {part.lower() for part in kept}
    if asked - {"digest=daily"}:
        raise SettingsError(f"{setting}: address {number}: expected digest=daily, or no digest")
    return before + (f"?{'&'.join(kept)}" if kept else ""), bool(asked)


def _secrets(address: str) -> list[str]:
    """Give what may be secret in an address: all of it but the scheme, in pieces, the longest first."""
    rest = address.partition("://")[2]
    pieces = {rest, *re.split(r"[/:@?&=#]+", rest), *re.split(r"[/@?&=#]+", rest)}
    return sorted((piece for piece in pieces if len(piece) > 3), key=len, reverse=True)


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    # One line: it ends up in a table and in a log.
    return " ".join(text.split())


# -------------------------------------------------------------------------------------------------------- messages


def documents(store: Store, alert: Alert) -> dict[str, Document]:
    """Give the documents that a message on an alert shows: the first, the latest few, and those of its caution."""
    members = [member.document for member in alert.members]
    wanted = [*members[:1], *members[-_LINKS:], *(one.document for one in alert.caution if one.shown)]
    found = {id: store.document(id) for id in dict.fromkeys(wanted) if id}
    return {id: document for id, document in found.items() if document is not None}


def headline(alert: Alert) -> str:
    """Give an alert's one line: what, who, where, and how it stands."""
    place = f" ({_place(alert.place)})" if alert.place else ""
    state = "" if alert.state == "new" else f" — {alert.state}"
    return f"{_kind(alert).capitalize()} reported: {_parties(alert)}{place}{state}"


def render(alert: Alert, documents: Mapping[str, Document], *, desk: str = "", limit: int = _LIMIT) -> Message:
    """Give the message for an alert, at most ``limit`` characters; what does not fit is cut by rule, and it says so.

    Quoted sentences are cut to 120 characters first; then the tail goes, and the last line says how much.
    """
    title = headline(alert)[:250]
    body = _body(alert, documents, desk, _QUOTE)
    if len(body) > limit:
        body = _body(alert, documents, desk, _SHORT_QUOTE)
    if len(body) > limit:
        where = f"{desk}/alerts/{alert.id}" if desk else f"sulh alerts {alert.id}"
        note = f"\n… ({len(body)} characters in all, the rest was cut; whole: {where})"
        body = body[: max(0, limit - len(note))].rstrip() + note
    return Message(title=title, body=body)


def render_finding(finding: Finding, *, desk: str = "", limit: int = _LIMIT) -> Message:
    """Give the message for a finding, at most ``limit`` characters: of a long log the last lines are kept."""
    gone = f", gone {utc(finding.gone_at):%Y-%m-%d %H:%M} UTC" if finding.gone_at else ""
    tail = [
        *(["", f"What to do: {finding.todo}"] if finding.todo else []),
        "",
        f"First seen: {utc(finding.first_at):%Y-%m-%d %H:%M} UTC{gone}",
        *([f"Desk: {desk.rstrip('/')}/findings"] if desk else []),
        f"Finding {finding.id}",
    ]
    room = max(0, limit - len("\n".join(tail)) - 3)
    said = "\n".join(_inert(line) for line in finding.said.splitlines())
    if len(said) > room:
        said = "… " + said[len(said) - room + 2 :]
    return Message(title=f"sulh: {finding.kind}: {_inert(finding.about)}"[:250], body="\n".join([said, *tail]))


def _body(alert: Alert, documents: Mapping[str, Document], desk: str, quote: int) -> str:
    first = alert.members[0].document if alert.members else ""
    why = f" ({WITHDRAWN.get(alert.withdrawn, alert.withdrawn)})" if alert.withdrawn else ""
    lines = [
        f"Who: {_parties(alert)}",
        f"What: {_kind(alert)}",
        f"Where: {_place(alert.place) if alert.place else 'not said'}",
        f"When: reported {utc(alert.opened_at):%Y-%m-%d %H:%M} UTC",
        f"How it stands: {alert.state}{why}; {count(len(alert.origins), 'independent origin')},"
        f" {count(len(alert.members), 'document')}",
        "",
        quoted(alert.sentence, quote),
        *_cited(documents.get(first)),
        "",
        "Caution:",
    ]
    for one in alert.caution:
        said = QUESTIONS.get(one.name, one.name)
        note = f" ({_inert(one.note)})" if one.note else ""
        if not one.shown:
            lines.append(f"- {said}: not shown")
            continue
        lines.append(f"- {said}: YES{note}")
        if one.sentence:
            lines.append(f"  {quoted(one.sentence, quote)}")
    others = [member for member in alert.members[1:][-_LINKS:] if member.document in documents]
    if others:
        hidden = len(alert.members) - 1 - len(others)
        lines += ["", "Also:" if hidden <= 0 else f"Also (the latest of {len(alert.members) - 1}):"]
        for member in others:
            other = documents[member.document]
            lines.append(f"- {member.role}, {other.source}: {other.url}")
    lines += ["", *([f"Desk: {desk.rstrip('/')}/alerts/{alert.id}"] if desk else []), f"Alert {alert.id}"]
    return "\n".join(lines)


def _cited(document: Document | None) -> list[str]:
    if document is None:
        return []
    return [f"{document.source}: {_inert(document.title)}" if document.title else document.source, document.url]


def quoted(sentence: str, limit: int) -> str:
    """Give a sentence of a text in quotes, made harmless, cut after so many characters."""
    text = _inert(" ".join(sentence.split()))
    if len(text) > limit:
        text = text[:limit].rstrip() + "…"
    # First-strong isolate: an Arabic sentence must not turn the English around it.
    return f"“\u2068{text}\u2069”"


def _inert(text: str) -> str:
    """Text from the web is data: a word joiner keeps chats from taking it for a mention of everyone."""
    return re.sub(r"(?<!\w)@(?=\w)|<(?=[!@#])", lambda mark: mark.group() + "\u2060", " ".join(text.split()))


def _parties(alert: Alert) -> str:
    return ", ".join(ACTORS[party].name if party in ACTORS else party for party in alert.parties)


def _kind(alert: Alert) -> str:
    return alert.kind.replace("-", " ")


def _place(place: str) -> str:
    return place.replace("-", " ").title()


# ------------------------------------------------------------------------------------------------------- the feed

_ATOM: Final = "http://www.w3.org/2005/Atom"
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_atom(store: Store, path: Path, now: datetime, *, desk: str = "") -> bool:
    """Write the alerts that are sent as an Atom feed, replacing the file in one step; gives whether it changed.

    An entry's id never changes, its time only when a document joins the alert. ``now`` dates a feed without entries.
    """
    shown = [alert for alert in store.alerts() if not alert.held][:_FEED_ENTRIES]
    entries = []
    latest: list[datetime] = []
    for alert in shown:
        found = documents(store, alert)
        updated = max([alert.opened_at, *(document.fetched_at for document in found.values())])
        latest.append(updated)
        entries.append(_entry(alert, found, updated, desk))
    if not entries and path.exists() and b"<entry" not in path.read_bytes():
        # Only its time would be new.
        return False
    feed = _element("feed")
    feed.set(_LANG, "en")
    _element("id", _urn("alerts"), parent=feed)
    _element("title", "sulh: reports of reconciliation", parent=feed)
    _element("updated", utc(max(latest, default=now)).isoformat(), parent=feed)
    _element("name", "sulh", parent=_element("author", parent=feed))
    _element("generator", "sulh", parent=feed)
    if desk:
        _element("link", parent=feed, rel="alternate", href=desk)
    feed.extend(entries)
    return _replace(path, ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True, short_empty_elements=True))


def _entry(alert: Alert, found: Mapping[str, Document], updated: datetime, desk: str) -> ElementTree.Element:
    first = found.get(alert.members[0].document) if alert.members else None
    entry = _element("entry")
    _element("id", _urn(f"alert:{alert.id}"), parent=entry)
    _element("title", headline(alert), parent=entry)
    _element("published", utc(alert.opened_at).isoformat(), parent=entry)
    _element("updated", utc(updated).isoformat(), parent=entry)
    link = f"{desk.rstrip('/')}/alerts/{alert.id}" if desk else first.url if first else ""
    if link:
        _element("link", parent=entry, rel="alternate", href=link)
    if first:
        _element("link", parent=entry, rel="via", href=first.url)
    language = first.language if first and first.language != "und" else "en"
    _element("summary", alert.sentence, parent=entry).set(_LANG, language)
    content = _element("content", parent=entry, type="xhtml")
    division = ElementTree.SubElement(content, f"{{{_XHTML}}}div")
    for line in render(alert, found, desk=desk, limit=100_000).body.split("\n"):
        ElementTree.SubElement(division, f"{{{_XHTML}}}p", dir="auto").text = _NOT_XML.sub("\ufffd", line)
    return entry


def _element(
    name: str, text: str = "", *, parent: ElementTree.Element | None = None, **attributes: str
) -> ElementTree.Element:
    values = {key: _NOT_XML.sub("\ufffd", value) for key, value in attributes.items()}
    made = ElementTree.Element(f"{{{_ATOM}}}{name}", values)
    if text:
        made.text = _NOT_XML.sub("\ufffd", text)
    if parent is not None:
        parent.append(made)
    return made


def _urn(name: str) -> str:
    # The same for the same alert on any machine: ids are deterministic, so readers on two installs agree.
    return uuid.uuid5(uuid.NAMESPACE_URL, f"sulh:{name}").urn


ElementTree.register_namespace("", _ATOM)
ElementTree.register_namespace("xhtml", _XHTML)


def _replace(path: Path, data: bytes) -> bool:
    if path.exists() and path.read_bytes() == data:
        return False
    temporary: Any = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary:
            temporary.write(data)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(temporary.name).chmod(0o644)
        Path(temporary.name).replace(path)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary.name).unlink(missing_ok=True)
        raise StoreError(f"{path}: the alerts feed cannot be written: {error.strerror}") from error
    return True
