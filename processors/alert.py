"""The step alert: clusters reports of one reconciliation and answers the caution checklist from their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from processors.records import (
    RECONCILING,
    SIGNALS,
    Alert,
    Document,
    Event,
    Member,
    Signal,
    digest,
)


class ReportLike(Protocol):
    """A document with its events."""

    @property
    def document(self) -> Document:
        """The document."""

    @property
    def events(self) -> tuple[Event, ...]:
        """Its events."""


class ActorLike(Protocol):
    """What deciding needs to know of a group."""

    @property
    def name(self) -> str:
        """The name as shown."""

    @property
    def camp(self) -> str:
        """is, aq, independent, rebel, regime, …"""

    @property
    def jihadist(self) -> bool:
        """Whether it is one of the groups whose reconciliation analysts watch for."""

    @property
    def state(self) -> bool:
        """Whether it is a state or its forces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An alert that was delivered or decided: a cluster that holds its anchor keeps its id."""

    anchor: str
    """Id of the document that raised it."""
    parties: tuple[str, ...]
    members: tuple[str, ...] = ()
    """Ids of its other documents: they keep the id where the anchor no longer reports anything."""

    @classmethod
    def of(cls, alert: Alert) -> Settled:
        """Take what counts from an alert as it was decided."""
        anchor, *others = (member.document for member in alert.members)
        return cls(anchor=anchor, parties=alert.parties, members=tuple(others))


def alert(
    reports: Iterable[ReportLike],
    *,
    now: datetime,
    settled: Mapping[str, Settled],
    max_age_days: int | None,
    actors: Mapping[str, ActorLike],
    rival: Callable[[str, str], bool],
) -> tuple[Alert, ...]:
    """Fold all reports into alerts, oldest first: the same reports give the same alerts, however they came in."""
    ordered = sorted(reports, key=_arrival)
    alerts: dict[tuple[str, ...], Alert] = {}
    for report in ordered:
        for event in report.events:
            parties = tuple(sorted({party.actor for party in event.parties}))
            if (
                event.kind not in RECONCILING
                or event.polarity == "denied"
                or event.modality == "looking-back"
                or not any(rival(a, b) for a in parties for b in parties if a < b)
                or parties in alerts
            ):
                continue
            document = report.document
            alerts[parties] = Alert(
                id=digest(document.id, *parties),
                parties=parties,
                kind=event.kind,
                place=event.place,
                opened_at=document.published_at or document.fetched_at,
                title=document.title,
                sentence=event.sentence,
                members=(Member(document=document.id, role="first", event=event.id, sentence=event.sentence),),
                origins=(document.story or document.id,),
                caution=tuple(Signal(name=name, shown=False, note="not looked for yet") for name in SIGNALS),
            )
    return tuple(alerts.values())


def _arrival(report: ReportLike) -> tuple[str, datetime, str]:
    document = report.document
    return (document.fetched_at.date().isoformat(), document.published_at or document.fetched_at, document.id)
