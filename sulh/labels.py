"""Gives what analysts decided as labelled items, so that `sulh evaluate` measures the rules against their verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from processors.records import Alert, Document, Member, utc
from sulh.stores import Store

COUNTERING = ("denial", "fighting")
"""Roles of documents that report no reconciliation themselves."""


def labels(store: Store) -> Iterator[dict[str, Any]]:
    """Give an item for each document of an alert that an analyst judged, in the form of `sulh.evaluate.Labelled`.

    A confirmed alert labels what reports it with `alert: true`, a dismissed one with `false`; what denies it or tells
    of fighting since is `false` in both. A document that tells of several alerts is `true` where one of them is
    confirmed, and left out where one is neither: nobody said that it should be quiet. One whose sentence has gone is
    left out too.
    Events, claims and caution are no part of a verdict, and are not labelled.
    """
    verdicts = store.verdicts()
    alerts = sorted(store.alerts(), key=lambda one: (one.opened_at, one.id))
    confirmed = [one for one in alerts if verdicts.get(one.id, ("open", ""))[0] == "confirmed"]
    dismissed = [one for one in alerts if verdicts.get(one.id, ("open", ""))[0] == "dismissed"]
    judged = {one.id for one in dismissed}
    undecided = {
        m.document for one in alerts if one.id not in judged and one.state != "withdrawn" for m in _telling(one)
    }
    given: set[str] = set()
    stories: dict[str, str] = {}
    for one in (*confirmed, *dismissed):
        verdict, why = verdicts[one.id]
        for member in one.members:
            if member.document in given or (verdict == "dismissed" and member.document in undecided):
                continue
            document = store.document(member.document)
            if document is None or not _stands(member, document):
                continue
            given.add(document.id)
            first = stories.setdefault(document.story or document.id, document.id)
            yield {
                "id": document.id,
                "language": document.language,
                "title": document.title,
                "text": document.text,
                "published": utc(document.published_at or document.fetched_at).isoformat(),
                "source": document.source,
                **({"scene": one.id} if len(one.members) > 1 else {}),
                **({"story": first} if first != document.id else {}),
                "alert": verdict == "confirmed" and member.role not in COUNTERING,
                "note": f"{verdict}{f': {why}' if why else ''}; {member.role}",
            }


def _telling(one: Alert) -> Iterator[Member]:
    return (member for member in one.members if member.role not in COUNTERING)


def _stands(member: Member, document: Document) -> bool:
    """Tell whether the text still says what the analyst judged."""
    return member.sentence in document.title or member.sentence in document.text
