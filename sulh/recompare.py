"""Says what a change of registers, cues or readers changes, before it holds: a rebuild beside the store that serves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from processors.records import Record
from sulh.config import Settings
from sulh.daily import rebuilt
from sulh.stores import ExportKind, Store, open_store

Sort = Literal["new", "gone", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Record):
    """One comparison or alert that would come, go, or be another."""

    kind: Literal["comparison", "alert"]
    sort: Sort
    id: str
    about: str
    """The claim, as ``<register>/<claim>``; or the alert's parties."""
    document: str
    url: str
    before: str
    """How it stands: the bearing, or the alert's kind and state; empty for one that is new."""
    after: str
    sentence: str
    """The sentence that shows it: the new one, or the last one of what is gone."""
    verdict: str = ""
    """alert: what an analyst decided on it, which stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomparison:
    """What a rebuild would change."""

    changes: tuple[Change, ...]
    documents: int
    """Documents that were judged anew."""
    switched: bool

    def counts(self) -> Counter[tuple[str, str]]:
        """Count the changes by kind and sort."""
        return Counter((change.kind, change.sort) for change in self.changes)

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values."""
        return {
            "documents": self.documents,
            "switched": self.switched,
            "changes": [change.to_json() for change in self.changes],
        }


class _NotSwitched(Exception):
    """Ends a rebuild whose result was looked at and is not wanted yet."""


def recompare(settings: Settings, *, now: datetime, switch: bool = False) -> Recomparison:
    """Judge the whole archive anew beside the store, and say what changes; with ``switch`` the result takes its place.

    Without it the store is left as it was. Ids, deliveries and verdicts stay either way. Raises SulhError as a replay.
    """
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        changes: tuple[Change, ...] = ()
        documents = 0
        try:
            with rebuilt(settings, store, (), now=now) as (fresh, report):
                changes = tuple(_changes(store, fresh))
                documents = report.counts.get("indexed", 0)
                if not switch:
                    raise _NotSwitched
        except _NotSwitched:
            pass
        return Recomparison(changes=changes, documents=documents, switched=switch)


def _changes(old: Store, new: Store) -> Iterator[Change]:
    urls: dict[str, str] = {}

    def url(document: str) -> str:
        if document not in urls:
            found = new.document(document) or old.document(document)
            urls[document] = found.url if found else ""
        return urls[document]

    for before, after in _pairs(old, new, "comparisons"):
        row = after or before
        assert row is not None
        shown = [f"{each['bearing']} ({each['score']:.2f})" if each else "" for each in (before, after)]
        if shown[0] != shown[1]:
            yield Change(
                kind="comparison",
                sort=_sort(before, after),
                id=row["id"],
                about=f"{row['register']}/{row['claim']}",
                document=row["document"],
                url=url(row["document"]),
                before=shown[0],
                after=shown[1],
                sentence=row["sentence"],
            )
    verdicts = old.verdicts()
    for before, after in _pairs(old, new, "alerts"):
        row = after or before
        assert row is not None
        shown = [_standing(each) for each in (before, after)]
        if shown[0] != shown[1]:
            document = row["members"][0]["document"] if row["members"] else ""
            yield Change(
                kind="alert",
                sort=_sort(before, after),
                id=row["id"],
                about=", ".join(row["parties"]),
                document=document,
                url=url(document),
                before=shown[0],
                after=shown[1],
                sentence=row["sentence"],
                verdict=verdicts.get(row["id"], ("", ""))[0],
            )


def _sort(before: object, after: object) -> Sort:
    return "new" if before is None else "gone" if after is None else "changed"


def _standing(alert: dict[str, Any] | None) -> str:
    if alert is None:
        return ""
    caution = ", ".join(signal["name"] for signal in alert["caution"] if signal["shown"])
    return (
        f"{alert['kind']}, {alert['state']}, documents: {len(alert['members'])}, origins: {len(alert['origins'])},"
        f" caution: {caution or 'none'}" + (f", held: {alert['held']}" if alert["held"] else "")
    )


def _pairs(old: Store, new: Store, kind: ExportKind) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Give the rows of both stores side by side, by id, which both give in order: neither is held in memory."""
    mine, theirs = old.export(kind), new.export(kind)
    before, after = next(mine, None), next(theirs, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before["id"] < after["id"]):
            yield before, None
            before = next(mine, None)
        elif before is None or after["id"] < before["id"]:
            yield None, after
            after = next(theirs, None)
        else:
            yield before, after
            before, after = next(mine, None), next(theirs, None)


def lines(found: Recomparison, most: int) -> Iterator[str]:
    """Say the changes in words, the alerts first, and at most so many of the comparisons."""
    counts = found.counts()
    for kind in ("alert", "comparison"):
        said = ", ".join(f"{counts[kind, sort]} {sort}" for sort in ("new", "gone", "changed"))
        yield f"{kind}s: {said}"
        of_kind = [change for change in found.changes if change.kind == kind]
        for change in of_kind[:most]:
            verdict = f" [{change.verdict}: stays so]" if change.verdict else ""
            yield f"  {change.about}: {change.before or 'nothing'} -> {change.after or 'nothing'}{verdict}"
            yield f"    “{change.sentence}”"
            yield f"    {change.url}"
        if len(of_kind) > most:
            yield f"  … and {len(of_kind) - most} more: --json gives all, --most N shows more"


def summary(found: Recomparison, program: Sequence[str] = ("sulh", "recompare", "--switch")) -> str:
    """Say in one line what was done, and what to do next."""
    if found.switched:
        return f"{found.documents} documents judged anew; the new results hold now"
    if not found.changes:
        return f"{found.documents} documents judged anew: nothing changes"
    return f"{found.documents} documents judged anew; the store is as it was: `{' '.join(program)}` lets it hold"
