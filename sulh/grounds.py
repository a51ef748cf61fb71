"""Says why an alert was raised, how it came to stand as it does, and what would have changed it, by deciding anew.

Nothing here is a set phrase: each state of the history is what the alert step decides on the reports that had come out
by then, and each "without" or "with" is what it decides on the reports without, or with, what is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path

from processors.alert import COLLAPSE, RECENT_FIGHT, WINDOW, Settled, alert
from processors.annotate.actors import ACTORS, Actor, rival
from processors.annotate.lexicon import FOLDER
from processors.knowledge import row_of
from processors.records import Alert, Document, Event, Kind, Party, Record, State, digest, utc
from sulh.stores import Report, Store

MOST = 12
"""Documents that are left out one by one; the desk lists all that an alert has."""

AROUND = max(WINDOW, COLLAPSE, RECENT_FIGHT)
"""Reports this long before the first and after the last of an alert can still bear on it."""

NEXT = timedelta(days=1)
"""When the reports come that are only supposed: the day after the last, well within every window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised(Record):
    """What raised an alert: the sentence, how it was read, and what it goes back to."""

    sentence: str
    document: str
    source: str
    title: str
    url: str
    published_at: datetime
    kind: Kind
    parties: tuple[str, ...]
    polarity: str
    modality: str
    speaker: str
    """Who says so; empty for the outlet itself."""
    rule: str
    """The frame that found it, with file and line; empty where the document reports it no more."""
    story: str
    reprints: int
    """Further documents of the alert that retell the same story."""
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Record):
    """One change of an alert's state, and the document that brought it."""

    at: datetime
    """When the document came out."""
    state: State
    origins: int
    role: str
    document: str
    source: str
    title: str
    url: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise(Record):
    """What is decided where one thing is otherwise."""

    given: str
    """In words, what is left out or added."""
    said: str
    """In words, what is decided then."""
    state: str
    """The state then; empty where there is no alert."""
    origins: int
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds(Record):
    """All of it, for one alert."""

    raised: Raised
    turns: tuple[Turn, ...]
    otherwise: tuple[Otherwise, ...]
    now: str
    """The state as decided anew; empty where nothing raises the alert now."""


def grounds_of(store: Store, one: Alert, *, now: datetime, max_age_days: int | None) -> Grounds | None:
    """Give the grounds of an alert from what the store holds; None where its first document has gone."""
    found = {member.document: store.document(member.document) for member in one.members}
    members = {id: document for id, document in found.items() if document is not None}
    if one.members[0].document not in members:
        return None
    return grounds(one, members, store.reports(actors=_kin(one.parties)), now=now, max_age_days=max_age_days)


def grounds(
    one: Alert,
    members: Mapping[str, Document],
    reports: Iterable[Report],
    *,
    now: datetime,
    max_age_days: int | None,
) -> Grounds:
    """Give the grounds of an alert with these documents, the first of which must be there."""
    known = _near(one, members, reports)
    bench = _Bench(one, now, max_age_days)
    base = bench.decide(known)
    return Grounds(
        raised=_raised(one, members[one.members[0].document], known),
        turns=tuple(_turns(base or one, known, bench)),
        otherwise=tuple(_otherwise(base, known, bench)) if base is not None else (),
        now=base.state if base is not None else "",
    )


def _kin(parties: Iterable[str]) -> set[str]:
    """Give the groups whose reports may be of these parties' deals: themselves, their branches, wholes and names."""
    wanted = set(parties)

    def above(id: str) -> Iterator[str]:
        seen: set[str] = set()
        waiting = [id]
        while waiting:
            actor: Actor | None = ACTORS.get(waiting.pop())
            for up in (actor.parent, actor.predecessor) if actor else ():
                if up and up not in seen:
                    seen.add(up)
                    waiting.append(up)
                    yield up

    higher = {up for id in wanted for up in above(id)}
    lower = {id for id in ACTORS if wanted & set(above(id))}
    return wanted | higher | lower


def _at(document: Document) -> datetime:
    return document.published_at or document.fetched_at


def _order(report: Report) -> tuple[datetime, str]:
    """Give the order in which reports came out, which is also that of a story's life where they were fetched late."""
    return _at(report.document), report.document.id


def _near(one: Alert, members: Mapping[str, Document], reports: Iterable[Report]) -> list[Report]:
    """Give the reports that can bear on an alert, in order: of two of its parties, or their kin, and of about its time.

    Of all others nothing is kept: they may be very many.
    """
    kin = {party: _kin([party]) for party in one.parties}
    days = [_at(document) for document in members.values()]
    since, until = min(days) - AROUND, max(days) + AROUND
    kept = [
        report
        for report in reports
        if report.document.id in members
        or (since <= _at(report.document) <= until and any(_between(event, kin) for event in report.events))
    ]
    return sorted(kept, key=_order)


def _between(event: Event, kin: Mapping[str, set[str]]) -> bool:
    actors = {party.actor for party in event.parties}
    return any(
        mine != other and mine in kin[a] and other in kin[b]
        for a, b in combinations(kin, 2)
        for mine in actors
        for other in actors
    )


class _Bench:
    """Decides anew on some of the reports, and finds the alert among what comes out."""

    def __init__(self, one: Alert, now: datetime, max_age_days: int | None) -> None:
        first, *others = (member.document for member in one.members)
        self.id, self.now, self.max_age_days = one.id, now, max_age_days
        self.telling = _telling(one)
        self.settled = {one.id: Settled(anchor=first, parties=one.parties, members=tuple(others))}

    def decide(self, reports: Sequence[Report]) -> Alert | None:
        known = {report.document.id: report.document for report in reports}
        found = alert(
            reports,
            now=max([self.now, *(document.fetched_at for document in known.values())]),
            settled=self.settled,
            max_age_days=self.max_age_days,
            actors=ACTORS,
            rival=rival,
            document=known.get,
        )
        # One that only a denial of this ties to it is another alert, whatever id it took over.
        mine = [one for one in found if _telling(one) & self.telling]
        return max(mine, key=lambda one: (one.id == self.id, len(_telling(one) & self.telling)), default=None)


def _raised(one: Alert, first: Document, known: Sequence[Report]) -> Raised:
    member = one.members[0]
    event = next(
        (
            event
            for report in known
            if report.document.id == member.document
            for event in report.events
            if event.id == member.event
        ),
        None,
    )
    stories = {report.document.id: report.document.story for report in known}
    speaker = event.attribution.speaker if event is not None and event.attribution is not None else ""
    return Raised(
        sentence=one.sentence,
        document=first.id,
        source=first.source,
        title=first.title,
        url=first.url,
        published_at=_at(first),
        kind=event.kind if event is not None else one.kind,
        parties=tuple(party.actor for party in event.parties) if event is not None else one.parties,
        polarity=event.polarity if event is not None else "",
        modality=event.modality if event is not None else "",
        speaker=speaker,
        rule=_rule(event.rule) if event is not None else "",
        story=first.story,
        reprints=sum(stories.get(each.document) == first.story for each in one.members[1:]),
        origins=one.origins,
    )


def _rule(rule: str) -> str:
    """Give the frame with the file and line that say it, where a file says it."""
    language, _, frame = rule.partition(":")
    path = FOLDER / f"{language}.yml"
    line = row_of(path, "frames", frame) if path.is_file() else 1
    shown = path.relative_to(Path(path).parents[2])
    return f"{rule} ({shown}:{line})" if line > 1 else rule


def _turns(one: Alert, known: Sequence[Report], bench: _Bench) -> Iterator[Turn]:
    """Give each change of state, decided on what had come out up to each of the alert's documents."""
    before: tuple[State, int] | None = None
    members = {member.document for member in one.members}
    for number, report in enumerate(known, 1):
        document = report.document
        if document.id not in members:
            continue
        then = bench.decide(known[:number])
        if then is None or (then.state, len(then.origins)) == before:
            continue
        before = (then.state, len(then.origins))
        member = next((each for each in then.members if each.document == document.id), None)
        yield Turn(
            at=_at(document),
            state=then.state,
            origins=len(then.origins),
            role=member.role if member is not None else "",
            document=document.id,
            source=document.source,
            title=document.title,
            url=document.url,
            sentence=member.sentence if member is not None else "",
        )


# What would have changed it


def _otherwise(base: Alert, known: Sequence[Report], bench: _Bench) -> Iterator[Otherwise]:
    reports = {report.document.id: report for report in known}

    def tried(given: str, changed: Sequence[Report]) -> Otherwise:
        return _said(given, base, bench.decide(changed), reports)

    same = 0
    members = [member for member in base.members if member.document in reports and member.role != "reprint"]
    for member in members[:MOST]:
        document = reports[member.document].document
        events = reports[member.document].events
        others = tuple(event for event in events if event.sentence != member.sentence)
        found = tried(
            f"without the sentence “{_short(member.sentence)}” ({document.source})",
            [replace(r, events=others) if r.document.id == document.id else r for r in known],
        )
        if not found.differs and others:
            # The headline or another sentence says so too.
            found = tried(
                f"without all that “{_short(document.title or member.sentence)}” tells ({document.source})",
                [report for report in known if report.document.id != document.id],
            )
        if found.differs:
            yield found
        else:
            same += 1
    if same:
        yield Otherwise(
            given=f"without any one of {same} other documents" if same > 1 else "without one other document",
            said="the same",
            state=base.state,
            origins=len(base.origins),
            differs=False,
        )
    for story in dict.fromkeys(reports[member.document].document.story for member in members):
        told = [m for m in base.members if m.document in reports and reports[m.document].document.story == story]
        if len(told) > 1:
            gone = {member.document for member in told}
            found = tried(
                f"without the {len(told)} documents that retell"
                f" “{_short(reports[told[0].document].document.title or told[0].sentence)}”",
                [report for report in known if report.document.id not in gone],
            )
            if found.differs:
                yield found
    against = {member.document for member in base.members if member.role in ("denial", "fighting")} & reports.keys()
    if len(against) > 1:
        yield tried(
            f"without the {len(against)} documents that deny it or tell of fighting since",
            [report for report in known if report.document.id not in against],
        )
    yield from _read_otherwise(base, reports, known, tried)
    yield from _added(base, reports, known, tried)


Tried = Callable[[str, Sequence[Report]], Otherwise]


def _read_otherwise(
    base: Alert, reports: Mapping[str, Report], known: Sequence[Report], tried: Tried
) -> Iterator[Otherwise]:
    """Give what the raising sentence would have done in another mood, where that changes anything."""
    first = base.members[0]
    ways: tuple[tuple[str, Callable[[Event], Event]], ...] = (
        ("were it told there only as what may be", lambda event: replace(event, modality="speculated")),
        ("were it told there as long past", lambda event: replace(event, modality="looking-back")),
        ("were it denied there", lambda event: replace(event, polarity="denied")),
    )
    document = reports[first.document].document
    for words, change in ways:
        changed = [
            replace(report, events=tuple(change(e) if e.kind == base.kind else e for e in report.events))
            if report.document.id == first.document
            else report
            for report in known
        ]
        found = tried(f"{words} ({document.source}), in each sentence of the {base.kind}", changed)
        if found.differs:
            yield found


def _added(base: Alert, reports: Mapping[str, Report], known: Sequence[Report], tried: Tried) -> Iterator[Otherwise]:
    """Give what one more report would do: told by another outlet, reprinted, denied, or belied by a fight."""
    first = reports[base.members[0].document]
    raising = next((event for event in first.events if event.id == base.members[0].event), None)
    if raising is None:
        return
    among = {party.actor for party in raising.parties}
    telling = [e for e in first.events if e.kind == raising.kind and among & {party.actor for party in e.parties}]
    at = max(_at(reports[id].document) for id in _telling(base) if id in reports) + NEXT
    fetched = max(reports[id].document.fetched_at for id in _telling(base) if id in reports)

    def supposed(words: str, story: str, change: Callable[[Event], Event]) -> Otherwise:
        id = digest("supposed", words)
        document = replace(
            first.document,
            id=id,
            source=f"supposed_{id[:6]}",
            credit="",
            published_at=at,
            fetched_at=max(at, fetched),
            story=story or id,
        )
        events = tuple(
            replace(change(event), id=f"{number}{id}"[: len(id)], document=id, date=None)
            for number, event in enumerate(telling)
        )
        return tried(words, sorted([*known, Report(document=document, events=events)], key=_order))

    def stated(event: Event) -> Event:
        return replace(event, modality="stated", attribution=None, polarity="affirmed")

    def denied(event: Event) -> Event:
        return replace(event, modality="attributed", polarity="denied")

    def fought(event: Event) -> Event:
        parties = tuple(Party(actor=party.actor) for party in event.parties)
        return replace(stated(event), kind="clash", parties=parties)

    yield supposed("with one more reprint of the same story", first.document.story, stated)
    yield supposed("with one more outlet that reports it on its own", "", stated)
    for words, change in (
        ("with one denial by a party", denied),
        ("with one report, a day later, that the parties fight", fought),
    ):
        found = supposed(words, "", change)
        if found.differs:
            yield found


def _telling(one: Alert) -> set[str]:
    """Give the documents of an alert that report it."""
    return {member.document for member in one.members if member.role not in ("denial", "fighting")}


def _said(given: str, base: Alert, then: Alert | None, reports: Mapping[str, Report]) -> Otherwise:
    if then is None:
        return Otherwise(given=given, said="no alert", state="", origins=0, differs=True)
    parts: list[str] = []
    if then.state != base.state:
        parts.append(then.state)
    if len(then.origins) != len(base.origins):
        parts.append(f"{len(then.origins)} independent origin{'' if len(then.origins) == 1 else 's'}")
    if then.members[0].document != base.members[0].document:
        other = reports[then.members[0].document].document
        what = f"raised by “{_short(other.title or then.sentence, 60)}” ({other.source})"
        own = other.id in {member.document for member in base.members}
        parts.append(f"{what} instead" if own else f"part of the alert {what}")
    return Otherwise(
        given=given,
        said=", ".join(parts) or "the same",
        state=then.state,
        origins=len(then.origins),
        differs=bool(parts),
    )


def _short(text: str, limit: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


# For a person

STATES: Mapping[str, str] = {
    "new": "claimed",
    "corroborated": "corroborated",
    "denied": "denied",
    "collapsed": "collapsed",
    "withdrawn": "withdrawn",
}
"""How the history calls the states."""


def lines(one: Alert, found: Grounds) -> Iterator[str]:
    """Give what `sulh alerts ID` prints of the grounds."""
    raised = found.raised
    yield "Why it was raised:"
    yield f"  “\u2068{' '.join(raised.sentence.split())}\u2069”"
    parties = " + ".join(_name(id) for id in raised.parties)
    said = f", said by {raised.speaker}" if raised.speaker else ""
    how = ", ".join(part for part in (raised.polarity, raised.modality) if part)
    yield f"  read as: {raised.kind.replace('-', ' ')}, {parties}{f' ({how})' if how else ''}{said}"
    yield f"  by the rule: {raised.rule or 'none: its text does not say so any more'}"
    retold = f", retold by {raised.reprints} more" if raised.reprints else ""
    yield f"  story: {raised.story}{retold}; independent origins: {len(raised.origins)}"
    yield f"  {raised.source}, {utc(raised.published_at):%Y-%m-%d %H:%M} UTC: {raised.url}"
    yield ""
    yield "How it came to stand so:"
    for before, turn in pairwise((None, *found.turns)):
        assert turn is not None
        moved = before is None or before.state != turn.state
        many = f" by {turn.origins} independent origins" if turn.state == "corroborated" else ""
        state = f"{STATES[turn.state]}{many}" if moved else f"{turn.origins} independent origins"
        yield f"  {utc(turn.at):%Y-%m-%d %H:%M}  {state}: {turn.source}, {_short(turn.title or turn.url)}"
        if turn.sentence and before is not None:
            yield f"      “\u2068{_short(turn.sentence, 300)}\u2069”"
    if one.state == "withdrawn":
        yield "  withdrawn since: no text reports it any more"
    elif found.now != one.state:
        again = found.now or "no alert"
        yield f"  decided anew, what the store holds gives: {again}; `sulh alert` decides"
    if found.otherwise:
        yield ""
        yield "What would have changed it (decided anew each time):"
        for each in found.otherwise:
            yield f"  {each.given}: {each.said}"


def _name(id: str) -> str:
    return ACTORS[id].name if id in ACTORS else id
