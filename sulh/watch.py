"""Keeps findings of what is wrong with the watch itself, and tells operators of each once.

A finding stands from when it is first seen until it is gone. What `sulh watch` looks at by itself is gone when it is
looked at and found well; what comes in from outside, such as a failed task, when it has not come in for a day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from filelock import FileLock, Timeout

from processors.archive import Archive
from processors.errors import LockedError, SulhError
from processors.records import digest
from sulh.config import Settings
from sulh.daily import make_home, operators_of
from sulh.deliver import DeliveryReport, deliver_findings
from sulh.doctor import KINDS, Look, examine
from sulh.freshness import Freshness, freshness
from sulh.stores import Finding, Store, open_store

SILENCE = timedelta(hours=24)
"""A finding from outside that has not come in for so long is gone; when it comes again, it is told again."""

MANY = 10
"""More new findings of one kind at once have one cause, such as the network here, and are told as one."""

LOCK_SECONDS = 60
"""How long to wait for another process that writes findings, which takes it well under a second."""

Seen = Mapping[tuple[str, str], tuple[str, str]]
"""By kind and about: what is said, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchReport:
    """What stands, what is new and gone since the last look, how fresh things are, and how the telling went."""

    standing: tuple[Finding, ...]
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    freshness: tuple[Freshness, ...]
    delivery: DeliveryReport

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values."""
        return {
            "findings": [one.to_json() for one in self.standing],
            "new": [one.id for one in self.new],
            "gone": [one.id for one in self.gone],
            "freshness": [one.to_json() for one in self.freshness],
            "delivery": self.delivery.to_json(),
        }


def watch(settings: Settings, *, now: datetime, write: Callable[[str], None] = print) -> WatchReport:
    """Look at everything, keep what is found, and tell operators what they have not been told."""
    ids = [channel.id for channel in operators_of(settings, write)]
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        measured = freshness(store, Archive(settings.home), now=now)
        looks = [look for look in examine(settings, now=now, measured=measured) if look.kind]
        with _alone(settings):
            before = store.findings(standing=True)
            changed = fold(before, looks, now=now)
            store.write_findings(changed)
            standing = store.findings(standing=True)
            _enqueue(store, standing, ids, now)
        delivery = _deliver(settings, store, now=now, write=write)
    known = {one.id for one in before}
    return WatchReport(
        standing=tuple(standing),
        new=tuple(one for one in standing if one.id not in known),
        gone=tuple(one for one in changed if one.gone_at is not None),
        freshness=tuple(measured),
        delivery=delivery,
    )


def tell(
    settings: Settings,
    kind: str,
    about: str,
    *,
    said: str,
    todo: str = "",
    now: datetime,
    write: Callable[[str], None] = print,
) -> WatchReport:
    """Keep one finding from outside, and tell it unless it stands already. Raises SulhError for a kind of our own."""
    if kind in KINDS:
        raise SulhError(f"{kind}: `sulh watch` finds this by itself, and would call it gone: take another kind")
    make_home(settings)
    ids = [channel.id for channel in operators_of(settings, write)]
    with closing(open_store(settings.store_address, access=settings.access)) as store:
        with _alone(settings):
            before = store.findings(standing=True)
            changed = told(before, kind, about, said=said, todo=todo, now=now)
            store.write_findings(changed)
            # Also one that stands: a crash may have come between keeping it and this.
            standing = [one for one in changed if one.gone_at is None]
            _enqueue(store, standing, ids, now)
        delivery = _deliver(settings, store, now=now, write=write)
    known = {one.id for one in before}
    return WatchReport(
        standing=tuple(standing),
        new=tuple(one for one in standing if one.id not in known),
        gone=tuple(one for one in changed if one.gone_at is not None),
        freshness=(),
        delivery=delivery,
    )


def fold(standing: Sequence[Finding], looks: Iterable[Look], *, now: datetime) -> list[Finding]:
    """Give the findings that are new or changed, among them those that are gone, after a look at everything."""
    looks = list(looks)
    by_key = {(one.kind, one.about): one for one in standing}
    seen = _grouped(_seen(look for look in looks if look.decided), by_key)
    changed = []
    for (kind, about), (said, todo) in seen.items():
        old = by_key.get((kind, about))
        changed.append(
            replace(old, said=said, todo=todo, last_at=now) if old else new_finding(kind, about, said, todo, now)
        )
    open_keys = {(look.kind, look.about) for look in looks if not look.decided}
    unread = {look.about for look in looks if look.decided and look.kind in ("archive", "store")}
    for key, old in by_key.items():
        if key in seen or key in open_keys:
            continue
        if old.kind not in KINDS:
            if now - old.last_at >= SILENCE:
                changed.append(replace(old, gone_at=now))
        elif "store" not in unread and old.about not in unread:
            # What could not be read tells nothing of what else is wrong with it.
            changed.append(replace(old, gone_at=now))
    return changed


def told(standing: Sequence[Finding], kind: str, about: str, *, said: str, todo: str, now: datetime) -> list[Finding]:
    """Give what changes by one finding from outside: it goes on, or a new one begins after a day of silence."""
    old = next((one for one in standing if (one.kind, one.about) == (kind, about)), None)
    if old is None:
        return [new_finding(kind, about, said, todo, now)]
    if now - old.last_at < SILENCE:
        return [replace(old, said=said, todo=todo, last_at=now)]
    return [replace(old, gone_at=now), new_finding(kind, about, said, todo, now)]


def new_finding(kind: str, about: str, said: str, todo: str, now: datetime) -> Finding:
    """Give a finding that was not there before."""
    return Finding(
        id=digest(kind, about, now.isoformat()),
        kind=kind,
        about=about,
        said=said,
        todo=todo,
        first_at=now,
        last_at=now,
    )


def _seen(looks: Iterable[Look]) -> dict[tuple[str, str], tuple[str, str]]:
    """Put together what is said of one and the same thing, such as two wrong source files."""
    found: defaultdict[tuple[str, str], list[Look]] = defaultdict(list)
    for look in looks:
        found[look.kind, look.about].append(look)
    return {key: ("\n".join(look.said for look in those), those[0].todo) for key, those in found.items()}


def _grouped(seen: Seen, standing: Mapping[tuple[str, str], Finding]) -> dict[tuple[str, str], tuple[str, str]]:
    """Make one of the new findings of a kind where they are many; those that stand already stay single."""
    fresh: defaultdict[str, list[str]] = defaultdict(list)
    for kind, about in seen:
        if (kind, about) not in standing:
            fresh[kind].append(about)
    many = {kind for kind, abouts in fresh.items() if len(abouts) > MANY}
    grouped = {key: what for key, what in seen.items() if key[0] not in many or key in standing}
    for kind in sorted(many):
        abouts = fresh[kind]
        lines = [f"{len(abouts)} at once, which may have one cause:"]
        lines += [f"- {about}: {seen[kind, about][0]}" for about in abouts]
        grouped[kind, "many"] = ("\n".join(lines), "look for one cause, such as the network here; `sulh doctor`")
    return grouped


def _enqueue(store: Store, standing: Iterable[Finding], channels: Sequence[str], now: datetime) -> None:
    for one in standing:
        store.enqueue(one.id, channels, at=now)


def _deliver(settings: Settings, store: Store, *, now: datetime, write: Callable[[str], None]) -> DeliveryReport:
    # The desk reads a file only: over a server an address of it would lead nowhere.
    desk = "" if settings.on_server else settings.desk_address
    return deliver_findings(store, operators_of(settings, write), now=now, desk=desk)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let no two processes begin one and the same finding."""
    lock = FileLock(settings.home / "findings.lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        raise LockedError(
            f"another sulh has been writing findings in {settings.home} for {LOCK_SECONDS} s: try again when it is done"
        ) from None
    except OSError as error:
        raise SulhError(f"{settings.home}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    try:
        yield
    finally:
        lock.release()
