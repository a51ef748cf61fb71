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
from processors.errors import LockedError, StoreError, SulhError
from processors.records import digest
from sulh.config import Settings
from sulh.daily import make_home, operators_of
from sulh.deliver import DeliveryReport, deliver_findings
from sulh.doctor import KINDS, Look, examine
from sulh.freshness import Freshness, freshness
from sulh.stores import Finding, Store, open_store
from sulh.stores.sqlite import SqliteStore

SILENCE = timedelta(hours=24)
"""A finding from outside that has not come in for so long is gone; when it comes again, it is told again."""

MANY = 10
"""More new findings of one kind at once have one cause, such as the network here, and are told as one."""

LOCK_SECONDS = 60
"""How long to wait for another process that writes findings, which takes it well under a second."""

ASIDE = "findings-aside.sqlite"
"""Where findings are kept, in the home, while the store cannot be reached; its own absence is one of them."""

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
    operators_of(settings, write)
    try:
        with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
            measured = freshness(store, Archive(settings.home), now=now)
            looks = [look for look in examine(settings, now=now, measured=measured) if look.kind]
            report = _keep(settings, store, lambda standing: fold(standing, looks, now=now), now=now, write=write)
    except StoreError as error:
        if settings.home.is_dir():
            with closing(SqliteStore(settings.home / ASIDE)) as aside:
                look = (said_of(error),)
                _keep(settings, aside, lambda standing: fold(standing, look, now=now), now=now, write=write)
        raise
    _close_aside(settings, now=now, write=write)
    return replace(report, freshness=tuple(measured))


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
    operators_of(settings, write)

    def change(standing: Sequence[Finding]) -> list[Finding]:
        return told(standing, kind, about, said=said, todo=todo, now=now)

    try:
        with closing(open_store(settings.store_address, access=settings.access)) as store:
            return _keep(settings, store, change, now=now, write=write)
    except StoreError:
        # What failed may have failed for the very reason that the store is away: operators must know all the same.
        with closing(SqliteStore(settings.home / ASIDE)) as aside:
            return _keep(settings, aside, change, now=now, write=write)


def said_of(error: StoreError) -> Look:
    """Give what is found where the store itself cannot be asked."""
    return Look(level="wrong", about="store", said=str(error), todo="`sulh doctor`", kind="store")


def _keep(
    settings: Settings,
    store: Store,
    change: Callable[[Sequence[Finding]], list[Finding]],
    *,
    now: datetime,
    write: Callable[[str], None],
) -> WatchReport:
    """Write what changes of the findings that stand, and tell what operators have not been told."""
    channels = operators_of(settings, write)
    with _alone(settings):
        before = store.findings(standing=True)
        changed = change(before)
        store.write_findings(changed)
        standing = store.findings(standing=True)
        for one in standing:
            # Also those that stood: a crash may have come between keeping one and this.
            store.enqueue(one.id, [channel.id for channel in channels], at=now)
    # The desk reads a file only: over a server an address of it would lead nowhere.
    desk = "" if settings.on_server else settings.desk_address
    delivery = deliver_findings(store, channels, now=now, desk=desk)
    known = {one.id for one in before}
    return WatchReport(
        standing=tuple(standing),
        new=tuple(one for one in standing if one.id not in known),
        gone=tuple(one for one in changed if one.gone_at is not None),
        freshness=(),
        delivery=delivery,
    )


def _close_aside(settings: Settings, *, now: datetime, write: Callable[[str], None]) -> None:
    """The store is back: call gone what was kept aside, and send what could not be sent."""
    if (settings.home / ASIDE).exists():
        with closing(SqliteStore(settings.home / ASIDE)) as aside:
            _keep(
                settings, aside, lambda standing: [replace(one, gone_at=now) for one in standing], now=now, write=write
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
