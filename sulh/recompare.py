"""Says what a change of registers, cues or readers changes, before it holds: a rebuild beside the store that serves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import processors
from processors.errors import SulhError
from processors.records import Alert, Record, Verdict
from sulh.config import Settings
from sulh.daily import channels_of, rebuilt
from sulh.deliver import HELD, WITHDRAWN
from sulh.pipeline import registers_of, to_be_told
from sulh.stores import ExportKind, Store, open_store

Kind = Literal["alert", "comparison"]
Sort = Literal["new", "gone", "withdrawn", "changed"]

SORTS: Final[Mapping[Kind, tuple[Sort, ...]]] = {
    "alert": ("new", "withdrawn", "gone", "changed"),
    "comparison": ("new", "gone", "changed"),
}
"""What can become of each kind, in the order in which it is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Record):
    """One comparison or alert that would come, go, or be another."""

    kind: Kind
    sort: Sort
    id: str
    about: str
    """The claim, as ``<register>/<claim>``; or the alert's kind and parties."""
    document: str
    source: str
    url: str
    before: str
    """How it stands: the bearing and score, or the alert's state and what it rests on; empty for one that is new."""
    after: str
    sentence: str
    """The sentence that shows it: the new one, or the last one of what is gone."""
    was: str = ""
    """The sentence that showed it before, where that was another."""
    verdict: str = ""
    """alert: what an analyst decided on it, and why; it stays."""
    sends: bool = False
    """alert: whether `sulh alert` will notify analysts of it, once it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomparison:
    """What a rebuild would change."""

    changes: tuple[Change, ...]
    """Alerts first, then comparisons by claim; of each kind as many as were asked for."""
    counts: Mapping[Kind, Mapping[Sort, int]]
    """How many there are of each kind and sort, all of them."""
    claims: Mapping[str, Mapping[Sort, int]]
    """The same of the comparisons, by claim."""
    statements: Mapping[str, str]
    """What those claims say; a claim that is no more says nothing."""
    documents: int
    """Documents that were judged anew."""
    rules: str
    """Fingerprint of the rules by which they were judged."""
    switched: bool

    @property
    def total(self) -> int:
        """How many changes there are."""
        return sum(sum(of.values()) for of in self.counts.values())

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values."""
        return {
            "documents": self.documents,
            "rules": self.rules,
            "switched": self.switched,
            "counts": {kind: dict(of) for kind, of in self.counts.items()},
            "claims": {
                claim: {"statement": self.statements.get(claim, ""), **dict(of)} for claim, of in self.claims.items()
            },
            "changes": [change.to_json() for change in self.changes],
        }


READERS: Final = ("trafilatura", "lxml", "py3langid")
"""Packages of others by whose versions one and the same page may be read otherwise."""


class _NotSwitched(Exception):
    """Ends a rebuild whose result was looked at and is not wanted yet."""


def fingerprint(settings: Settings) -> str:
    """Give a name for all that decides what a page is judged to say: it is another when any of it is.

    That is the code, cues, actors and registers of the package, the registers of the person, and the versions of what
    reads a page's text and tells its language.
    """
    found = blake2b(digest_size=8)
    for name in READERS:
        found.update(f"{name} {version(name)}\0".encode())
    own = settings.register_folder
    for folder in (Path(processors.__file__).parent, *([own] if own is not None else [])):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(folder)}\0".encode())
                found.update(blake2b(path.read_bytes()).digest())
    return found.hexdigest()


def recompare(
    settings: Settings, *, now: datetime, switch: bool = False, only_if: str = "", most: int | None = None
) -> Recomparison:
    """Judge the whole archive anew beside the store, and say what changes; with ``switch`` the result takes its place.

    Without it the store is left as it was. Ids, deliveries and verdicts stay either way. ``only_if`` is the fingerprint
    of the rules of a report that was read. ``most`` limits the changes of each kind that are given, not those that are
    counted. Raises SulhError as a replay, and where the rules are others than those of the report.
    """
    rules = fingerprint(settings)
    if only_if and only_if != rules:
        raise SulhError(
            f"the rules changed since the report: they were {only_if} and are {rules}; the store is as it was: read a"
            " new report, by `sulh recompare`"
        )
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        found: Recomparison | None = None
        try:
            with rebuilt(settings, store, (), now=now) as (fresh, report):
                if fingerprint(settings) != rules:
                    raise SulhError("the rules changed while the archive was judged; the store is as it was: try again")
                documents = report.counts.get("indexed", 0)
                found = _compared(settings, store, fresh, documents, rules, switch, now, most)
                if not switch:
                    raise _NotSwitched
        except _NotSwitched:
            pass
        assert found is not None
        return found


def _compared(
    settings: Settings,
    old: Store,
    new: Store,
    documents: int,
    rules: str,
    switch: bool,
    now: datetime,
    most: int | None,
) -> Recomparison:
    counts: dict[Kind, Counter[Sort]] = {kind: Counter(dict.fromkeys(sorts, 0)) for kind, sorts in SORTS.items()}
    claims: defaultdict[str, Counter[Sort]] = defaultdict(Counter)
    shown: dict[Kind, list[Change]] = {kind: [] for kind in SORTS}
    place = _places(old, new)
    for change in (*_alerts(settings, old, new, now, place), *_comparisons(old, new, place)):
        counts[change.kind][change.sort] += 1
        if change.kind == "comparison":
            claims[change.about][change.sort] += 1
        if most is None or len(shown[change.kind]) < most:
            shown[change.kind].append(change)
    shown["alert"].sort(key=lambda one: (SORTS["alert"].index(one.sort), one.about, one.id))
    shown["comparison"].sort(key=lambda one: (one.about, SORTS["comparison"].index(one.sort), one.source, one.id))
    return Recomparison(
        changes=(*shown["alert"], *shown["comparison"]),
        counts=counts,
        claims=dict(sorted(claims.items())),
        statements=_statements(settings, claims),
        documents=documents,
        rules=rules,
        switched=switch,
    )


def _statements(settings: Settings, claims: Iterable[str]) -> dict[str, str]:
    claimed = registers_of(settings.register_folder).claims()
    named = {f"{register.article.id}/{one.id}": one for register, one in claimed}
    return {claim: named[claim].statement for claim in sorted(claims) if claim in named}


Place = Callable[[str], tuple[str, str]]
"""Gives a document's source and address."""


def _places(old: Store, new: Store) -> Place:
    known: dict[str, tuple[str, str]] = {}

    def place(document: str) -> tuple[str, str]:
        if document not in known:
            found = new.document(document) or old.document(document)
            known[document] = (found.source, found.url) if found else ("", "")
        return known[document]

    return place


def _comparisons(old: Store, new: Store, place: Place) -> Iterator[Change]:
    for before, after in _pairs(old, new, "comparisons"):
        row = after or before
        assert row is not None
        shown = [f"{each['bearing']} ({each['score']:.2f})" if each else "" for each in (before, after)]
        was = before["sentence"] if before and after and before["sentence"] != after["sentence"] else ""
        if shown[0] != shown[1] or was:
            source, url = place(row["document"])
            yield Change(
                kind="comparison",
                sort=_sort(before, after),
                id=row["id"],
                about=f"{row['register']}/{row['claim']}",
                document=row["document"],
                source=source,
                url=url,
                before=shown[0],
                after=shown[1],
                sentence=row["sentence"],
                was=was,
            )


def _alerts(settings: Settings, old: Store, new: Store, now: datetime, place: Place) -> Iterator[Change]:
    verdicts = old.verdicts()
    channels = _channels(settings)
    told = {(one.alert, one.channel) for one in old.deliveries()}
    for before, after in _pairs(old, new, "alerts"):
        row = after or before
        assert row is not None
        if before == after:
            continue
        verdict: tuple[Verdict, str] = verdicts.get(row["id"], ("open", ""))
        document = row["members"][0]["document"] if row["members"] else ""
        source, url = place(document)
        standing = [_standing(each) for each in (before, after)]
        if standing[0] == standing[1]:
            # The same in numbers: what differs are the texts behind it.
            standing[1] += f"; other {_differing(before or {}, after or {})}"
        yield Change(
            kind="alert",
            sort="withdrawn" if after and after["state"] == "withdrawn" else _sort(before, after),
            id=row["id"],
            about=f"{row['kind']}: {', '.join(row['parties'])}",
            document=document,
            source=source,
            url=url,
            before=standing[0],
            after=standing[1],
            sentence=row["sentence"],
            was=before["sentence"] if before and after and before["sentence"] != after["sentence"] else "",
            verdict=": ".join(part for part in verdict if part) if verdict[0] != "open" else "",
            sends=after is not None
            and to_be_told(Alert.from_json(after), verdict[0], now=now, max_age_days=settings.max_age_days)
            and any((row["id"], channel) not in told for channel in channels),
        )


def _channels(settings: Settings) -> list[str]:
    try:
        return [channel.id for channel in channels_of(settings)]
    except SulhError:
        # An address that cannot be used is another command's business.
        return ["any"]


def _sort(before: object, after: object) -> Sort:
    return "new" if before is None else "gone" if after is None else "changed"


def _standing(alert: Mapping[str, Any] | None) -> str:
    if alert is None:
        return ""
    caution = ", ".join(signal["name"] for signal in alert["caution"] if signal["shown"])
    why = f" ({WITHDRAWN.get(alert['withdrawn'], alert['withdrawn'])})" if alert["withdrawn"] else ""
    held = f", kept back: {HELD.get(alert['held'], alert['held'])}" if alert["held"] else ""
    return (
        f"{alert['kind']}, {alert['state']}{why}, documents: {len(alert['members'])}, origins: {len(alert['origins'])},"
        f" caution: {caution or 'none'}{held}"
    )


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    return ", ".join(name for name in after if before.get(name) != after[name])


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


# In words


def lines(found: Recomparison) -> Iterator[str]:
    """Say the changes in words: the alerts first, then the comparisons claim by claim."""
    for kind in SORTS:
        yield f"{kind}s: {_counted(kind, found.counts[kind])}"
        of_kind = [change for change in found.changes if change.kind == kind]
        about = ""
        for change in of_kind:
            if kind == "comparison" and change.about != about:
                about = change.about
                yield f"  {about}: {_counted(kind, found.claims[about])}"
                if statement := found.statements.get(about):
                    yield f"    {statement}"
            yield from _said(change)
        if left := sum(found.counts[kind].values()) - len(of_kind):
            yield f"  … and {left} more: --most N shows more, --json gives all"
            shown = {change.about for change in of_kind}
            for claim, counts in found.claims.items() if kind == "comparison" else ():
                if claim not in shown:
                    yield f"  {claim}: {_counted(kind, counts)}"


def _counted(kind: Kind, counts: Mapping[Sort, int]) -> str:
    return ", ".join(f"{counts.get(sort, 0)} {sort}" for sort in SORTS[kind])


def _said(change: Change) -> Iterator[str]:
    turn = " -> ".join(part for part in (change.before, change.after) if part)
    if change.kind == "alert":
        yield f"  {change.sort} {change.id}  {change.about}"
        if change.before and change.after:
            yield f"    was: {change.before}"
            yield f"    is:  {change.after}"
        else:
            yield f"    {turn}"
        if change.verdict:
            yield f"    {change.verdict} (stays so)"
        if change.sends:
            yield "    analysts will be notified of it"
    else:
        yield f"    {change.sort}: {turn}  {change.source}"
    indent = " " * (4 if change.kind == "alert" else 6)
    if change.was:
        yield f"{indent}was “{change.was}”"
    yield f"{indent}“{change.sentence}”"
    yield f"{indent}{change.url}"


def summary(found: Recomparison, program: Sequence[str] = ("sulh", "recompare", "--switch")) -> str:
    """Say in one line what was done, and what to do next."""
    if found.switched:
        return f"{found.documents} documents judged anew; the new results hold now"
    if not found.total:
        return f"{found.documents} documents judged anew: nothing changes"
    switch = " ".join([*program, "--only-if", found.rules])
    return f"{found.documents} documents judged anew; the store is as it was: `{switch}` lets it hold"
