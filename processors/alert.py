"""The step alert: clusters reports of one reconciliation and answers the caution checklist from their texts.

A report counts when a document tells as its news, as fact or as told by others, that two groups on rival sides of the
jihadist split made, sought, or are making a truce, pact, merger, pledge, joint operation or prisoner swap. What may or
could be, what is recalled, and what a text retells only to deny it or beside the fighting that belies it is no report.
The first such document opens an alert; what tells the same again joins it, as reprint, follow-up or corroboration;
what denies it, or shows the two fighting soon after, joins it and sets its state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, Protocol

from processors.knowledge import Knowledge, load
from processors.records import (
    RECONCILING,
    Alert,
    Attribution,
    Document,
    Event,
    Kind,
    Member,
    MemberRole,
    Signal,
    State,
    digest,
    learned,
)
from processors.sentences import sentences
from processors.terms import TermLanguage, Terms
from processors.voices import Heard, heard

WINDOW = timedelta(days=21)
"""A report joins an alert up to three weeks after the last that affirmed it: the article takes up a week of reports of
a meeting a fortnight old, and weeklies come a week after that. What comes later, undated, is news of its own."""

SAME_DEAL = timedelta(days=3)
"""Reports date one meeting a day or two apart: within three days of the alert's own date it is the same deal, however
late it is told."""

OTHER_DEAL = timedelta(days=21)
"""Two dated deals further apart than the window are two."""

STALE = timedelta(days=30)
"""What a document dates a month or more before its publication is looked back on, and no news of a reconciliation."""

COLLAPSE = timedelta(days=30)
"""Fighting of the parties within a month of the last report shows that the deal did not hold; later fighting is a new
turn, and reports of it stand for themselves."""

ECHO = timedelta(days=7)
"""For a week after a collapse others still repeat the old report, as the outlets of P5 to P16 did: nothing new."""

RECENT_FIGHT = timedelta(days=90)
"""How far back a fight of the parties counts as what the deal would undo: the article names attacks of the two months
before (P15, P17), and analysts who labelled reports went back about three."""

HOSTILE_ACTS: frozenset[Kind] = frozenset({"clash", "split"})
"""What ends a deal. A refusal or an ultimatum counters the report instead."""

FAMILIES: tuple[frozenset[Kind], ...] = (
    frozenset({"truce", "pact", "cooperation", "merger", "negotiation"}),
    frozenset({"merger", "pledge", "pact", "negotiation"}),
    frozenset({"swap", "truce", "negotiation"}),
)
"""Kinds that reports of one deal use for it: a pledge is no truce, nor a prisoner swap a pact."""

TALKS: frozenset[Kind] = frozenset({"negotiation"})
"""Kinds of what is still sought."""

CONCLUDED: frozenset[Kind] = frozenset({"truce", "pact", "merger", "pledge", "swap"})
"""Kinds of what has been agreed."""

CALM: frozenset[Kind] = frozenset({"truce", "pact", "cooperation", "negotiation"})
"""Kinds of which a headline that tells of fighting between the same two tells the opposite."""

HEAD = 400
"""Characters of a text in which a fact check says that what it checks is old: the first paragraph."""

LEAD = 4
"""Sentences at the head of a text in which wires name their source: the first two paragraphs."""

EXPERTS = 2
"""Sentences before a doubt in which who doubts it is named; one after it does as well."""

GAINING_CAMPS = frozenset({"rebel", "regime", "kurdish", "shia-militia", "coalition", "state"})
"""Camps at war with both sides of the split: they gain when the two pass for one (C28)."""


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

    @property
    def parent(self) -> str:
        """Id of the group that it is a branch of; empty where it is of none."""

    @property
    def predecessor(self) -> str:
        """Id of the group that took this name; empty where it had no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An alert that was delivered or decided: a cluster that holds its anchor keeps its id."""

    anchor: str
    """Id of the document that raised it."""
    parties: tuple[str, ...]
    members: tuple[str, ...] = ()
    """Ids of its other documents: they keep the id where the anchor no longer reports anything."""
    alert: Alert | None = None
    """The alert as it was decided last: what is left of it where no document reports it any more."""
    judged: bool = False
    """Whether an analyst confirmed or dismissed it: then it stays in sight, whatever becomes of its reports."""
    sent: bool = False
    """Whether a channel may have got it."""

    @classmethod
    def of(cls, alert: Alert, *, judged: bool = False, sent: bool = False) -> Settled:
        """Take what counts from an alert as it was decided."""
        anchor, *others = (member.document for member in alert.members)
        return cls(anchor=anchor, parties=alert.parties, members=tuple(others), alert=alert, judged=judged, sent=sent)


def alert(
    reports: Iterable[ReportLike],
    *,
    now: datetime,
    settled: Mapping[str, Settled],
    max_age_days: int | None,
    actors: Mapping[str, ActorLike],
    rival: Callable[[str, str], bool],
    document: Callable[[str], Document | None] = lambda id: None,
) -> tuple[Alert, ...]:
    """Fold all reports into alerts, oldest first: the same reports give the same alerts, however they came in.

    ``document`` gives a document as it stands now, also one that reports nothing any more; what is not given has gone.
    """
    groups = _Groups(actors, rival)
    pages = sorted((page for report in reports if (page := _read(report, groups, now))), key=lambda page: page.arrival)
    clusters = _clusters(pages, groups)
    ids = _ids(clusters, settled, groups)
    fights = _by_line(pages)
    withdrawn = list(
        _withdrawn(clusters, [settled[id] for id in sorted(settled) if id not in ids.values()], groups, document)
    )
    retold = _retold(clusters, ids, settled, withdrawn, groups)
    alerts = [
        _alert(cluster, (ids[n], settled[ids[n]]) if n in ids else None, fights, groups, max_age_days, n in retold)
        for n, cluster in enumerate(clusters)
    ]
    return tuple(sorted([*alerts, *withdrawn], key=lambda alert: (alert.opened_at, alert.id)))


def _withdrawn(
    clusters: Sequence[_Cluster],
    left: Iterable[Settled],
    groups: _Groups,
    document: Callable[[str], Document | None],
) -> Iterator[Alert]:
    """Give the alerts that analysts may have seen and that no document reports any more, each with why.

    Where a document reports it still, the alert has become part of another one, and leaves nothing behind unless an
    analyst judged it. The answer hangs on the alert as decided before and on what the documents say now, so that it is
    the same in a run and in a replay.
    """
    for old in left:
        one = old.alert
        if one is None or (one.held and not old.judged):
            continue
        told = [member for member in one.members if member.role not in ("denial", "fighting")]
        if any(_tells(cluster, told, old.parties, groups) for cluster in clusters):
            if old.judged:
                yield replace(one, state="withdrawn", withdrawn="joined")
            continue
        stands = all(_stands(member, document(member.document)) for member in told)
        yield replace(one, state="withdrawn", withdrawn="reading" if stands else "text")


def _tells(cluster: _Cluster, told: Sequence[Member], parties: Sequence[str], groups: _Groups) -> bool:
    """Tell whether one of the documents reports in a cluster what it reported of these parties."""
    documents = {member.document for member in told}
    return any(
        joined.page.document.id in documents and groups.about(joined.bid, parties) for joined in cluster.affirmed
    )


def _stands(member: Member, document: Document | None) -> bool:
    """Tell whether the sentence by which a document reported still stands there."""
    return document is not None and (member.sentence in document.title or member.sentence in document.text)


def _retold(
    clusters: Sequence[_Cluster],
    ids: Mapping[int, str],
    settled: Mapping[str, Settled],
    withdrawn: Sequence[Alert],
    groups: _Groups,
) -> set[int]:
    """Give the new clusters whose texts analysts know from another alert: after a change of rules nobody is told twice.

    Such an alert fell apart and another part kept its id, or the rules read the same texts as another deal now. A text
    that says something else than before is news.
    """
    known = {id for id, old in settled.items() if old.sent or old.judged}
    reread = {one.id for one in withdrawn if one.withdrawn == "reading"} & known
    apart = set(ids.values()) & known
    found = set()
    for number, cluster in enumerate(clusters):
        if number in ids:
            continue
        telling = {joined.page.document.id for joined in cluster.affirmed}
        for id in sorted(reread | apart):
            old = settled[id]
            if telling & {old.anchor, *old.members} and (id in reread or groups.about(cluster.bid, old.parties)):
                found.add(number)
    return found


Pair = tuple[str, str]


class _Groups:
    """What the actors' data say of groups, by line: a group and its later names are one."""

    def __init__(self, actors: Mapping[str, ActorLike], rival: Callable[[str, str], bool]) -> None:
        self.actors = actors
        self.rival = rival
        self._lines: dict[str, str] = {}

    def line(self, id: str) -> str:
        if id not in self._lines:
            first, seen = id, {id}
            while first in self.actors and (before := self.actors[first].predecessor) and before not in seen:
                first = before
                seen.add(first)
            self._lines[id] = first
        return self._lines[id]

    def pair(self, a: str, b: str) -> Pair:
        one, other = sorted((self.line(a), self.line(b)))
        return one, other

    def within(self, id: str, whole: str) -> bool:
        """Tell whether a line is a branch of another."""
        seen: set[str] = set()
        while id in self.actors and id not in seen:
            seen.add(id)
            id = self.line(self.actors[id].parent) if self.actors[id].parent else ""
            if id == whole:
                return True
        return False

    def family(self, one: str, other: str) -> bool:
        """Tell whether one of two lines is a branch of the other."""
        return self.within(one, other) or self.within(other, one)

    def akin(self, one: Pair, other: Pair) -> bool:
        """Tell whether reports of two pairs may be of one deal: the same, or on one side the whole for its branch."""
        for a, b in (one, one[::-1]):
            same = (a == other[0], b == other[1])
            if all(same) or (same[0] and self.family(b, other[1])) or (same[1] and self.family(a, other[0])):
                return True
        return False

    def about(self, bid: _Bid, parties: Iterable[str]) -> bool:
        """Tell whether a bid may be of a deal of these parties."""
        lines = {self.line(party) for party in parties}
        return any(lines.issuperset(pair) for pair in bid.pairs) or any(
            self.akin((one, other), pair) for one, other in combinations(sorted(lines), 2) for pair in bid.pairs
        )

    def name(self, id: str) -> str:
        return self.actors[id].name if id in self.actors else id

    def camp(self, id: str) -> str:
        return self.actors[id].camp if id in self.actors else ""

    def known(self, id: str) -> bool:
        return id in self.actors


# Reading one document


class _Bid(NamedTuple):
    """What one document tells of one set of groups."""

    pairs: frozenset[Pair]
    parties: tuple[str, ...]
    kinds: frozenset[Kind]
    events: tuple[Event, ...]
    """In order of the title, then the text."""
    day: date | None
    """When the deal was, where a sentence says so."""
    local: str
    """The front where fighters stand alone (Qalamoun with Arsal, Yarmouk), if what is told first is about it: such a
    deal is one of its own, and says nothing of the leaders (C24)."""


@dataclass(slots=True)
class _Page:
    arrival: tuple[str, datetime, str]
    document: Document
    at: datetime
    """Publication, else capture; capture also where the page claims to be from the future."""
    bids: tuple[_Bid, ...]
    denials: tuple[_Bid, ...]
    fights: tuple[_Bid, ...]
    ultimatums: tuple[_Bid, ...]


def _read(report: ReportLike, groups: _Groups, now: datetime) -> _Page | None:
    document = report.document
    events = sorted(report.events, key=lambda event: (event.field != "title", event.start, event.id))
    at = document.published_at or document.fetched_at
    if at > min(now, document.fetched_at) + timedelta(days=1):
        at = document.fetched_at
    affirmed: list[Event] = []
    denied: list[Event] = []
    fights: list[Event] = []
    ultimatums: list[Event] = []
    for event in events:
        if event.kind in RECONCILING:
            if event.polarity == "denied":
                # What did not come about in former years denies no report of today.
                if event.modality != "looking-back" and not _dated_back(event, at):
                    denied.append(event)
            elif _news(event, document):
                affirmed.append(event)
        elif event.polarity == "denied" or (
            event.kind in ("refusal", "ultimatum") and (event.modality == "looking-back" or _dated_back(event, at))
        ):
            # What was refused in former years counters no report of today.
            continue
        elif event.kind == "refusal":
            denied.append(event)
        elif event.kind == "ultimatum":
            ultimatums.append(event)
        elif event.kind in HOSTILE_ACTS and event.modality in ("stated", "attributed"):
            fights.append(event)
    fought = {pair for event in events if event.kind == "clash" for pair in _pairs(event, groups, fought=None)}
    bids = _bids(affirmed, groups, fought, document.language)
    against = _bids(denied, groups, fought, document.language)
    headline = _headline(document)
    if headline == "recycled":
        bids = ()
    contrary = _bids([*denied, *fights], groups, fought, document.language)
    bids = tuple(
        bid
        for bid in bids
        if not any(_touch(bid, no) and _outweighs(no, bid) for no in contrary)
        and not (headline == "denial" and bid.events[0].field == "text")
    )
    page = _Page(
        arrival=(document.fetched_at.astimezone(UTC).date().isoformat(), at, document.id),
        document=document,
        at=at,
        bids=bids,
        denials=against,
        fights=_bids(fights, groups, fought, document.language),
        ultimatums=_bids(ultimatums, groups, fought, document.language),
    )
    if not (page.bids or page.denials or page.fights or page.ultimatums):
        return None
    if not (page.bids or page.denials):
        # Only its sentences are needed: texts of mere fighting would fill the memory.
        page.document = replace(document, text="", comments="", links=(), sketch=())
    return page


def _place_of(event: Event) -> tuple[bool, int]:
    return event.field != "title", event.start


def _dated_back(event: Event, at: datetime) -> bool:
    """Tell whether the sentence itself dates the event a month or more before its document."""
    return event.date is not None and at.date() - event.date >= STALE


def _first(bid: _Bid) -> tuple[bool, int]:
    return _place_of(bid.events[0])


def _outweighs(no: _Bid, bid: _Bid) -> bool:
    """Tell whether a document's news is the denial, the refusal or the fight, and the deal only what it retells.

    What is told first is the news: whoever begins with the denial repeats what is denied. Fighting comes first in many
    a report of how it ended, so it counts only in a headline that says nothing of a deal; and pledges and swaps are
    news beside any fight. That two fight or part is read from the words of many a sentence on how they made it up: it
    counts where a frame found it.
    """
    for event in no.events:
        if event.kind in HOSTILE_ACTS and learned(event.rule):
            continue
        if event.kind == "clash":
            if event.field == "title" and bid.events[0].field == "text" and bid.kinds <= CALM:
                return True
        elif _place_of(event) <= _first(bid):
            return True
    return False


def _headline(document: Document) -> str:
    """Tell what a headline says of the report that the text retells: a denial, or old news found out; else nothing.

    That news is old is also said at the head of a text, or of a short one that corrects itself.
    """
    found = {hit.concept for hit in _terms().find(document.title, document.language)}
    head = {hit.concept for hit in _terms().find(document.text[:HEAD], document.language)}
    if "recycled" in found | head:
        return "recycled"
    return "denial" if "denials" in found and "denied_denials" not in found else ""


def _touch(one: _Bid, other: _Bid) -> bool:
    return not one.pairs.isdisjoint(other.pairs)


def _news(event: Event, document: Document) -> bool:
    """Tell whether an affirmed event is reported: neither recalled, nor a maybe, nor asked for."""
    if event.modality in ("looking-back", "speculated"):
        return False
    words = {hit.concept for hit in _terms().find(event.sentence, document.language)}
    # "Until it swears allegiance" demands one.
    return not (event.kind in ("pledge", "merger") and "until" in words)


def _pairs(event: Event, groups: _Groups, *, fought: set[Pair] | None) -> Iterator[Pair]:
    """Give the rival pairs of an event, by line; with ``fought`` None any two groups that are no states."""
    sides = [party for party in event.parties if party.role != "mediator" and groups.known(party.actor)]
    if event.kind in RECONCILING and any(groups.actors[party.actor].state for party in sides):
        return
    has_agents = any(party.role == "agent" for party in sides)
    for one, other in combinations(sides, 2):
        if groups.line(one.actor) == groups.line(other.actor):
            continue
        if one.role == other.role == "target" or (
            has_agents
            and one.role == other.role == "agent"
            and event.kind in ("pledge", "clash", "refusal", "ultimatum")
        ):
            # Those who swear or fight side by side do it with a third.
            continue
        pair = groups.pair(one.actor, other.actor)
        both = groups.actors[one.actor], groups.actors[other.actor]
        if any(actor.state for actor in both):
            continue
        if (
            fought is None
            or groups.rival(one.actor, other.actor)
            or (pair in fought and all(actor.jihadist for actor in both) and not groups.family(*pair))
        ):
            yield pair


def _bids(events: Sequence[Event], groups: _Groups, fought: set[Pair], language: str) -> tuple[_Bid, ...]:
    """Join a document's events that share a group: one deal of many parties is one bid."""
    parts: list[tuple[set[Pair], list[Event]]] = []
    for event in events:
        pairs = set(_pairs(event, groups, fought=fought))
        if not pairs:
            continue
        members = {id for pair in pairs for id in pair}
        mine, others = (pairs, [event]), []
        for part in parts:
            if members & {id for pair in part[0] for id in pair}:
                mine = (mine[0] | part[0], [*part[1], *mine[1]])
            else:
                others.append(part)
        parts = [*others, mine]
    bids = []
    for pairs, told in parts:
        told.sort(key=lambda event: (event.field != "title", event.start, event.id))
        lines = {id for pair in pairs for id in pair}
        bids.append(
            _Bid(
                pairs=frozenset(pairs),
                parties=tuple(
                    sorted(
                        {party.actor for event in told for party in event.parties if groups.line(party.actor) in lines}
                    )
                ),
                kinds=frozenset(event.kind for event in told),
                events=tuple(told),
                day=next((event.date for event in told if event.date), None),
                local=_front(told, language),
            )
        )
    return tuple(sorted(bids, key=lambda bid: (_first(bid), bid.parties)))


FRONTS = ("qalamoun", "yarmouk")
"""The concepts of `caution.yml` that name them."""


def _front(told: Sequence[Event], language: str) -> str:
    """Give the front that the first event, or the first of the text, names in its sentence or as its place."""
    firsts = [told[0], *[event for event in told if event.field == "text"][:1]]
    for event in firsts:
        named = {hit.concept for hit in _terms().find(f"{event.sentence} {event.place}", language)}
        for front in FRONTS:
            if front in named and "namesakes" not in named:
                return front
    return ""


# Clustering


@dataclass(slots=True)
class _Joined:
    page: _Page
    bid: _Bid
    role: MemberRole


@dataclass(slots=True)
class _Cluster:
    anchor: _Page
    bid: _Bid
    affirmed: list[_Joined] = field(default_factory=list)
    denials: list[_Joined] = field(default_factory=list)
    fights: list[_Joined] = field(default_factory=list)
    first: datetime = field(init=False)
    last: datetime = field(init=False)
    days: set[date] = field(default_factory=set)
    stories: set[str] = field(default_factory=set)
    kinds: set[Kind] = field(default_factory=set)

    def add(self, page: _Page, bid: _Bid, role: MemberRole) -> None:
        self.affirmed.append(_Joined(page, bid, role))
        # Reprints and late retellings keep no report in the news.
        times = [joined.page.at for joined in self.affirmed if joined.role in ("first", "corroboration")]
        self.first, self.last = min(times), max(times)
        self.stories.add(_story(page))
        self.kinds |= bid.kinds
        if bid.day:
            self.days.add(bid.day)

    def may_hold(self, bid: _Bid) -> bool:
        """Tell whether a report may be of this deal by what it calls it, and by where it was."""
        if not any(bid.kinds & family and self.bid.kinds & family for family in FAMILIES):
            return False
        return bid.local == self.bid.local or (not bid.local and bid.events[0].kind == self.bid.events[0].kind)

    def outgrown(self, page: _Page, bid: _Bid) -> bool:
        """Tell whether talks have become a deal since: who was told of talks last week must be told of it."""
        return self.kinds <= TALKS and bid.events[0].kind in CONCLUDED and page.at > self.last + SAME_DEAL

    def near(self, page: _Page) -> bool:
        return self.first - WINDOW <= page.at <= self.last + WINDOW

    def akin(self, bid: _Bid, groups: _Groups) -> bool:
        return any(groups.akin(one, other) for one in self.bid.pairs for other in bid.pairs)

    def documents(self) -> set[str]:
        return {joined.page.document.id for joined in (*self.affirmed, *self.denials, *self.fights)}


def _story(page: _Page) -> str:
    return page.document.story or page.document.id


def _clusters(pages: Sequence[_Page], groups: _Groups) -> list[_Cluster]:
    """Go through the reports in order of arrival; then let denials and fights find what they counter."""
    clusters: list[_Cluster] = []
    by_line: dict[str, list[_Cluster]] = defaultdict(list)
    fights = _by_line(pages)
    stories: dict[str, list[_Cluster]] = defaultdict(list)
    for page in pages:
        for bid in page.bids:
            lines = sorted({id for pair in bid.pairs for id in pair})
            near = list({id(cluster): cluster for line in lines for cluster in by_line[line]}.values())
            near = [cluster for cluster in near if cluster.akin(bid, groups)]
            # By pages before this one: its own other bids are no reprints.
            told = [cluster for cluster in stories[_story(page)] if cluster.affirmed[-1].page is not page]
            if told:
                # The text is known, whatever became of its names when it was cut short.
                cluster = next((cluster for cluster in told if any(cluster is one for one in near)), told[-1])
                cluster.add(page, bid, "reprint")
                continue
            joined = _joins(page, bid, near, fights, groups)
            if joined is None and _stale(page, bid):
                continue
            cluster = joined or _Cluster(anchor=page, bid=bid)
            if joined is None:
                clusters.append(cluster)
                for line in lines:
                    by_line[line].append(cluster)
            # Told again long after, it is no evidence of its own.
            late = joined is not None and not joined.near(page)
            cluster.add(page, bid, "follow-up" if late else "corroboration" if cluster.affirmed else "first")
            stories[_story(page)].append(cluster)
    for page in pages:
        for bid in page.denials:
            lines = sorted({id for pair in bid.pairs for id in pair})
            near = list({id(cluster): cluster for line in lines for cluster in by_line[line]}.values())
            _counters(page, bid, [cluster for cluster in near if cluster.akin(bid, groups)])
    for cluster in clusters:
        ended = _collapse(cluster, fights, groups)
        # A fight ends the deal told last, and says nothing of one before it.
        if ended is not None and not any(
            cluster.first < other.first <= ended[0].at
            and other.bid.local == ended[1].local
            and other.akin(ended[1], groups)
            for line in {id for pair in cluster.bid.pairs for id in pair}
            for other in by_line[line]
        ):
            cluster.fights.append(_Joined(*ended, "fighting"))
    return clusters


Fights = Mapping[str, Sequence[tuple[_Page, _Bid]]]


def _by_line(pages: Iterable[_Page]) -> Fights:
    """Give the reports of fighting by the groups that fought."""
    fights: dict[str, list[tuple[_Page, _Bid]]] = defaultdict(list)
    for page in pages:
        for bid in page.fights:
            for line in sorted({id for pair in bid.pairs for id in pair}):
                fights[line].append((page, bid))
    return fights


def _joins(page: _Page, bid: _Bid, near: Sequence[_Cluster], fights: Fights, groups: _Groups) -> _Cluster | None:
    """Give the alert that a report belongs to: the latest of those that it may tell of."""
    for cluster in sorted(near, key=lambda cluster: (cluster.last, cluster.anchor.arrival), reverse=True):
        if not cluster.may_hold(bid) or cluster.outgrown(page, bid):
            continue
        apart = [abs(bid.day - day) for day in cluster.days] if bid.day else []
        if any(days <= SAME_DEAL for days in apart):
            return cluster
        if _stale(page, bid) or (apart and min(apart) > OTHER_DEAL):
            continue
        if not cluster.near(page):
            continue
        ended = _collapse(cluster, fights, groups, before=page.at)
        if ended is not None:
            at = ended[0].at
            if page.at > at + ECHO or (bid.day is not None and bid.day > at.date()):
                continue
        return cluster
    return None


def _stale(page: _Page, bid: _Bid) -> bool:
    return bid.day is not None and bid.day < (page.at - STALE).date()


def _collapse(
    cluster: _Cluster, fights: Fights, groups: _Groups, *, before: datetime | None = None
) -> tuple[_Page, _Bid] | None:
    """Give the first report of the parties fighting on a later day than the alert's first and than the deal."""
    latest = max((day for day in cluster.days if day <= cluster.last.date()), default=None)
    found: list[tuple[_Page, _Bid]] = []
    for line in sorted({id for pair in cluster.bid.pairs for id in pair}):
        for page, bid in fights.get(line, ()):
            day = bid.day or page.at.date()
            if (
                day <= cluster.first.date()
                or (latest and day <= latest)
                or page.at <= cluster.first
                or page.at > min(cluster.last + COLLAPSE, before or datetime.max.replace(tzinfo=UTC))
                or _story(page) in cluster.stories
                or not cluster.akin(bid, groups)
                or any(cluster.akin(own, groups) for own in (*page.bids, *page.denials))
                # A front where fighters stand alone and the rest say nothing of each other (C24).
                or bid.local != cluster.bid.local
            ):
                continue
            found.append((page, bid))
    return min(found, key=lambda one: (one[0].at, one[0].arrival), default=None)


def _elsewhere(cluster: _Cluster, bid: _Bid) -> bool:
    """Tell whether fighters fight in one place while a deal that is local to another may hold."""
    return bool(cluster.bid.local) and bid.local != cluster.bid.local


def _counters(page: _Page, bid: _Bid, near: Sequence[_Cluster]) -> None:
    """Let a denial or refusal join the one alert that it counters: of the same front if it names one, the latest."""
    may = [
        cluster
        for cluster in near
        if cluster.first - SAME_DEAL <= page.at <= cluster.last + WINDOW
        and not _elsewhere(cluster, bid)
        and page.document.id not in cluster.documents()
    ]
    if may:
        chosen = max(
            may,
            key=lambda cluster: (cluster.bid.local == bid.local, cluster.first <= page.at, cluster.first),
        )
        chosen.denials.append(_Joined(page, bid, "denial"))


# Ids


def _ids(clusters: Sequence[_Cluster], settled: Mapping[str, Settled], groups: _Groups) -> dict[int, str]:
    """Give a cluster that holds a settled alert its id: by its anchor, or failing that by another of its documents."""
    given: dict[int, str] = {}
    tests: tuple[Callable[[_Cluster, Settled], bool], ...] = (
        lambda cluster, old: cluster.anchor.document.id == old.anchor,
        lambda cluster, old: any(joined.page.document.id == old.anchor for joined in cluster.affirmed),
        lambda cluster, old: old.anchor in cluster.documents(),
        lambda cluster, old: not cluster.documents().isdisjoint(old.members),
    )
    for test in tests:
        for id in sorted(settled):
            if id in given.values():
                continue
            for number, cluster in enumerate(clusters):
                if (
                    number not in given
                    and groups.about(cluster.bid, settled[id].parties)
                    and test(cluster, settled[id])
                ):
                    given[number] = id
                    break
    return given


# The alert


def _alert(
    cluster: _Cluster,
    settled: tuple[str, Settled] | None,
    fights: Fights,
    groups: _Groups,
    max_age_days: int | None,
    retold: bool,
) -> Alert:
    first = cluster.affirmed[0]
    parties = cluster.bid.parties
    id = digest(first.page.document.id, *parties)
    if settled is not None:
        id, parties = settled[0], settled[1].parties
        # For good: what is added to it is a follow-up of what analysts know.
        retold = settled[1].alert is not None and settled[1].alert.held == "told"
        first = next((one for one in cluster.affirmed if one.page.document.id == settled[1].anchor), first)
    cluster.affirmed.sort(key=lambda joined: (joined is not first, joined.page.arrival))
    origins = _origins(cluster.affirmed)
    told = _told(first.bid)
    document = first.page.document
    state: State = "new"
    denied = min((joined.page.at for joined in cluster.denials), default=None)
    fought = min((joined.page.at for joined in cluster.fights), default=None)
    if fought and (denied is None or fought < denied):
        state = "collapsed"
    elif denied:
        # What was denied before the fighting never was: nothing collapsed.
        state = "denied"
    elif len(set(origins)) > 1:
        state = "corroborated"
    return Alert(
        id=id,
        parties=parties,
        kind=told.kind,
        place=_place(cluster),
        opened_at=document.published_at or document.fetched_at,
        title=document.title,
        sentence=told.sentence,
        state=state,
        members=_members(cluster, origins),
        origins=tuple(dict.fromkeys(origins)),
        caution=_caution(cluster, origins, fights, groups),
        held="told" if retold else "old" if _old(cluster, max_age_days) else "",
    )


def _place(cluster: _Cluster) -> str:
    """Give the smallest place that the first report tells of, in its events or beside them; else that of another."""
    terms, sizes = _places()

    def smallest(names: Iterable[str]) -> str:
        return min(names, key=lambda name: sizes.get(name, 0), default="")

    first = cluster.affirmed[0]
    own = smallest(event.place for event in first.bid.events if event.place)
    if own and not sizes.get(own, 0):
        return own
    language = first.page.document.language
    beside = [hit.concept for line in _lines(first) if line.told for hit in terms.find(line.text, language)]
    others = [event.place for joined in cluster.affirmed for event in joined.bid.events if event.place]
    return smallest(name for name in (own, smallest(beside), smallest(others)) if name)


def _old(cluster: _Cluster, max_age_days: int | None) -> bool:
    """Tell whether every report of it was fetched long after publication: while somebody still tells it, it is news."""
    ages = [
        joined.page.document.fetched_at - joined.page.document.published_at
        for joined in cluster.affirmed
        if joined.page.document.published_at
    ]
    if max_age_days is None or len(ages) < len(cluster.affirmed):
        return False
    return min(ages) > timedelta(days=max_age_days)


def _told(bid: _Bid) -> Event:
    """Give the event that shows what is reported: the headline's kind, in the sentence of the text with its source."""
    head = bid.events[0]
    return next((event for event in bid.events if event.field == "text" and event.kind == head.kind), head)


def _origins(affirmed: Sequence[_Joined]) -> list[str]:
    """Give each report the name of where it goes back to: the credited outlet, else the story that first told it.

    One origin are the reprints of a story, all that credit one outlet together with that outlet's own stories, the
    further stories of an outlet that credits nobody, reports that lean on other reports only, and late retellings.
    """
    credits = {joined.page.document.credit for joined in affirmed} - {""}
    credited = {_plain(credit): credit for credit in sorted(credits)}
    roots: dict[str, str] = {}

    def root(node: str) -> str:
        while roots.setdefault(node, node) != node:
            node = roots[node]
        return node

    for number, joined in enumerate(affirmed):
        document = joined.page.document
        own = _outlet(document)
        node = f"story:{_story(joined.page)}"
        if document.credit:
            other = f"credit:{document.credit}"
        elif own in credited:
            other = f"credit:{credited[own]}"
        elif number and (joined.role == "follow-up" or _leans(joined)):
            other = f"story:{_story(affirmed[0].page)}"
        else:
            other = f"source:{document.source}"
        roots[root(node)] = root(other)
    names: dict[str, str] = {}
    for joined in affirmed:
        names.setdefault(root(f"story:{_story(joined.page)}"), _story(joined.page))
    for credit in sorted(credits, reverse=True):
        names[root(f"credit:{credit}")] = credit
    return [names[root(f"story:{_story(joined.page)}")] for joined in affirmed]


def _leans(joined: _Joined) -> bool:
    """Tell whether a report only mentions other reports or comments on them: it has no source of its own for the deal.

    Its own are a statement as plain fact, and a source that was asked; neither are words for news of others, doubts,
    a maybe that nobody is named for, and what those say who study the groups.
    """
    for event in joined.bid.events:
        language = joined.page.document.language
        words = {hit.concept for hit in _terms().find(event.sentence, language)}
        if "doubts" in words:
            continue
        source = event.attribution
        if source is None:
            if event.modality != "speculated" and "hearsay" not in words:
                return False
            continue
        speaker = {hit.concept for hit in _terms().find(source.speaker, language)}
        if speaker & {"press", "commentators", "hearsay"}:
            continue
        # "Sources confirmed reports of a truce" adds a source; whoever else speaks beside such words may only comment.
        if "hearsay" not in words or source.actor or ("anonymous" in speaker and not source.named):
            return False
    return True


def _translates(document: Document, language: str) -> bool:
    """Tell whether the text gives, in its own language, what another outlet told in that one, and credits it.

    In one language a reprint is known by its words; what credits and shares no words with it tells more.
    """
    credited = bool(document.credit) and _plain(document.credit) != _outlet(document)
    return credited and language not in ("", document.language)


def _outlet(document: Document) -> str:
    """Give the outlet as credits are compared: `levantwire_lb` is credited as `levant-wire`."""
    return _plain(document.source.rsplit("_", 1)[0])


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "")


def _members(cluster: _Cluster, origins: Sequence[str]) -> tuple[Member, ...]:
    """Give the documents in order of arrival after the one that raised the alert, each with what it adds."""
    members: list[tuple[tuple[bool, tuple[str, datetime, str]], Member]] = []
    stories: set[str] = set()
    known: dict[str, str] = {}
    """Origin to the language in which it was first told."""
    for joined, origin in zip(cluster.affirmed, origins, strict=True):
        role: MemberRole
        if not members:
            role = "first"
        elif (
            joined.role == "reprint"
            or _story(joined.page) in stories
            or (joined.role == "corroboration" and _translates(joined.page.document, known.get(origin, "")))
        ):
            role = "reprint"
        else:
            role = "follow-up" if origin in known else "corroboration"
        stories.add(_story(joined.page))
        known.setdefault(origin, joined.page.document.language)
        members.append(((bool(members), joined.page.arrival), _member(joined, role)))
    members += [
        ((True, joined.page.arrival), _member(joined, joined.role)) for joined in (*cluster.denials, *cluster.fights)
    ]
    members.sort(key=lambda member: member[0])
    return tuple(member for _, member in members)


def _member(joined: _Joined, role: MemberRole) -> Member:
    told = _told(joined.bid)
    return Member(document=joined.page.document.id, role=role, event=told.id, sentence=told.sentence)


# Caution


class _Places(Knowledge):
    provinces: tuple[str, ...]
    countries: tuple[str, ...]
    places: Mapping[str, Mapping[TermLanguage, tuple[str, ...]]]


@cache
def _places() -> tuple[Terms, Mapping[str, int]]:
    """Give the words for places, and how large those are that are larger than a town or a front."""
    known = load(Path(__file__).parent / "cues" / "places.yml", _Places)
    words = {
        name: {language: tuple(one for term in terms for one in _spelled(term)) for language, terms in spelled.items()}
        for name, spelled in known.places.items()
    }
    return Terms(words), {**dict.fromkeys(known.provinces, 1), **dict.fromkeys(known.countries, 2)}


def _spelled(term: str) -> tuple[str, ...]:
    """Give each spelling of a term that names several apart by a bar."""
    return tuple(term.split("|")) if " " not in term else (term,)


class _Words(Knowledge):
    anonymous: Mapping[TermLanguage, tuple[str, ...]]
    role: Mapping[TermLanguage, tuple[str, ...]]
    press: Mapping[TermLanguage, tuple[str, ...]]
    hearsay: Mapping[TermLanguage, tuple[str, ...]]
    interested: Mapping[TermLanguage, tuple[str, ...]]
    local: Mapping[TermLanguage, tuple[str, ...]]
    qalamoun: Mapping[TermLanguage, tuple[str, ...]]
    yarmouk: Mapping[TermLanguage, tuple[str, ...]]
    until: Mapping[TermLanguage, tuple[str, ...]]
    against_interest: Mapping[TermLanguage, tuple[str, ...]]
    experts: Mapping[TermLanguage, tuple[str, ...]]
    doubts: Mapping[TermLanguage, tuple[str, ...]]
    demands: Mapping[TermLanguage, tuple[str, ...]]
    unbearable: Mapping[TermLanguage, tuple[str, ...]]
    namesakes: Mapping[TermLanguage, tuple[str, ...]]
    units: Mapping[TermLanguage, tuple[str, ...]]
    fought_lately: Mapping[TermLanguage, tuple[str, ...]]
    fights: Mapping[TermLanguage, tuple[str, ...]]
    own_doubts: Mapping[TermLanguage, tuple[str, ...]]
    recycled: Mapping[TermLanguage, tuple[str, ...]]
    no_deal: Mapping[TermLanguage, tuple[str, ...]]
    own_voices: Mapping[TermLanguage, tuple[str, ...]]
    denied_denials: Mapping[TermLanguage, tuple[str, ...]]
    denials: Mapping[TermLanguage, tuple[str, ...]]
    commentators: Mapping[TermLanguage, tuple[str, ...]]
    deals: Mapping[TermLanguage, tuple[str, ...]]


@cache
def _terms() -> Terms:
    words = load(Path(__file__).parent / "cues" / "caution.yml", _Words)
    return Terms({name: getattr(words, name) for name in _Words.model_fields})


class _Line(NamedTuple):
    """A sentence of a member, with the words of caution in it."""

    joined: _Joined
    text: str
    words: frozenset[str]
    told: bool
    """Whether it tells of the deal itself, or stands beside a sentence that does."""
    lead: bool
    """Whether it stands in the headline or at the head of the text, where reports give their source."""
    by: Heard
    comment: bool
    """Whether its text only comments on the report of another: whoever speaks there does not stand behind it."""

    @property
    def vouches(self) -> bool:
        """Whether who speaks there speaks for the report, not against it."""
        return not self.words & {"doubts", "denials"} and "silent" not in self.by.words


def _lines(joined: _Joined) -> list[_Line]:
    document = joined.page.document
    # A text that only comments on the report is about it in all that it says.
    comment = joined.role == "corroboration" and _leans(joined)
    lines: list[_Line] = []
    for name, text in (("title", document.title), ("text", document.text)):
        spans = sentences(text, document.language)
        told = [
            comment or any(e.field == name and e.start < end and start < e.end for e in joined.bid.events)
            for start, end in spans
        ]
        for number, (start, end) in enumerate(spans):
            hits = _terms().find(text[start:end], document.language)
            beside = any(told[max(0, number - 1) : number + 2])
            words = frozenset(hit.concept for hit in hits)
            lead = name == "title" or number < LEAD
            by = heard(text[start:end], document.language)
            lines.append(_Line(joined, text[start:end], words, beside, lead, by, comment))
    return lines


def _caution(cluster: _Cluster, origins: Sequence[str], fights: Fights, groups: _Groups) -> tuple[Signal, ...]:
    """Answer the checklist, in the order of `SIGNALS`, each with the sentence that shows it or what was looked for."""
    seen: set[str] = set()
    lines: list[_Line] = []
    for joined in cluster.affirmed:
        # A reprint says nothing that its story has not said.
        if _story(joined.page) not in seen:
            seen.add(_story(joined.page))
            lines += _lines(joined)
    return (
        _anonymous_source(cluster, origins, lines),
        _interested_source(cluster, origins, lines, groups),
        _single_origin(cluster, origins),
        _local_exception(cluster, lines),
        _against_interest(cluster, lines, fights, groups),
        _counter_report(cluster, lines),
        _expert_doubt(lines),
        _incompatible_terms(cluster, lines),
    )


def _shown(name: str, joined: _Joined, sentence: str, note: str) -> Signal:
    return Signal(name=name, shown=True, sentence=sentence, document=joined.page.document.id, note=note)


def _speakers(cluster: _Cluster, origins: Sequence[str]) -> Iterator[tuple[_Joined, Event, Attribution]]:
    """Give who tells of the deal, in the reports that first told it, each in its own right."""
    for number, joined in enumerate(cluster.affirmed):
        if origins[number] in origins[:number]:
            continue
        for event in joined.bid.events:
            if event.attribution is not None:
                yield joined, event, event.attribution


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def _anonymous_source(cluster: _Cluster, origins: Sequence[str], lines: Sequence[_Line]) -> Signal:
    name = "anonymous_source"
    bare = None
    for joined, event, attribution in _speakers(cluster, origins):
        language = joined.page.document.language
        # "An opposition official" is nobody's name, and an agency was not there.
        spoken = {hit.concept for hit in _terms().find(attribution.speaker, language)}
        by = heard(event.sentence, language)
        if not attribution.named or spoken & {"press", "anonymous"} or "nameless" in by.words:
            continue
        if attribution.actor or by.person:
            return _answered(name, joined, event.sentence, f"{attribution.speaker} is named, with a role or group")
        bare = bare or (joined, event, attribution)
    for line in (line for line in lines if not line.comment):
        if line.vouches and line.by.answers and (line.by.person or line.told or line.lead):
            who = f"{line.by.person} is named, with a role" if line.by.person else "a body with a name says so"
            return _answered(name, line.joined, line.text, who)
        # Who studies statements has signed none.
        signed = "signed" in line.by.words and line.words.isdisjoint({"experts", "commentators"})
        if line.vouches and signed and "nameless" not in line.by.words and (line.told or line.lead):
            return _answered(name, line.joined, line.text, "it stands in a statement, a paper or a recording of theirs")
    if bare is not None:
        return _shown(
            name, bare[0], bare[1].sentence, f"only “{bare[2].speaker}” is given, with neither role nor group"
        )
    for joined, event, attribution in _speakers(cluster, origins):
        if not attribution.named:
            return _shown(name, joined, event.sentence, f"said by “{attribution.speaker}”, and nobody is named")
    for line in lines:
        if line.told and "anonymous" in line.words:
            return _shown(name, line.joined, line.text, "told by sources without a name")
    first = cluster.affirmed[0]
    return _shown(name, first, _told(first.bid).sentence, "no speaker is given for the report at all")


def _answered(name: str, joined: _Joined, sentence: str, note: str) -> Signal:
    """Give the sentence that answers the question of a signal, so that it is not shown."""
    document = joined.page.document.id
    return Signal(name=name, shown=False, sentence=sentence, document=document, note=f"not shown: {note}")


def _interested_source(cluster: _Cluster, origins: Sequence[str], lines: Sequence[_Line], groups: _Groups) -> Signal:
    name = "interested_source"
    own = {groups.camp(party) for party in cluster.bid.parties}
    for joined, event, attribution in _speakers(cluster, origins):
        camp = groups.camp(attribution.actor) or attribution.camp
        if camp in GAINING_CAMPS and camp not in own:
            note = f"{attribution.speaker} speaks for a side ({camp}) that gains if the two pass for one"
            return _shown(name, joined, event.sentence, note)
        line = groups.line(attribution.actor) if attribution.actor else ""
        sworn_to = {groups.line(party.actor) for party in event.parties if party.role == "target"}
        if event.kind in ("pledge", "merger") and line and line in sworn_to:
            return _shown(
                name, joined, event.sentence, f"{attribution.speaker} speaks for the side that would be joined"
            )
    joins = not cluster.kinds.isdisjoint({"pledge", "merger"})
    for one in lines:
        if not one.vouches or not (one.told or one.lead):
            continue
        gains = one.by.side == "side" or (one.by.side == "opposition" and "rebel" not in own)
        if "interested" in one.words or gains:
            note = "the source's own side fights both, and gains if they pass for one"
            return _shown(name, one.joined, one.text, note)
        if joins and "mouthpiece" in one.by.words:
            return _shown(name, one.joined, one.text, "the media of the side that would be joined tell it")
    note = "not shown: no source of the opposition, a government or another enemy of both was found beside the report"
    return Signal(name=name, shown=False, note=note)


def _single_origin(cluster: _Cluster, origins: Sequence[str]) -> Signal:
    name = "single_origin"
    different = list(dict.fromkeys(origins))
    if len(different) > 1:
        names = ", ".join(dict.fromkeys(_named(cluster, origin) for origin in different))
        note = f"not shown: {len(different)} origins that do not lean on each other: {names}"
        return Signal(name=name, shown=False, note=note)
    first = cluster.affirmed[0]
    many = len(cluster.affirmed)
    note = "one document tells it" if many == 1 else f"all {many} documents go back to {_named(cluster, different[0])}"
    return _shown(name, first, _told(first.bid).sentence, note)


def _named(cluster: _Cluster, origin: str) -> str:
    """Give an origin as a reader knows it: the credited outlet, else source and headline of the first of its story."""
    first = next((joined.page.document for joined in cluster.affirmed if _story(joined.page) == origin), None)
    return f"{first.source} (“{first.title}”)" if first is not None else origin


def _local_exception(cluster: _Cluster, lines: Sequence[_Line]) -> Signal:
    name = "local_exception"
    joins = not cluster.kinds.isdisjoint({"pledge", "merger"})
    for joined in cluster.affirmed:
        for event in joined.bid.events:
            if front := _front([event], joined.page.document.language):
                return _shown(name, joined, event.sentence, f"it is about {front.title()}, where fighters stand alone")
    for line in lines:
        if "namesakes" in line.words or not (line.told or "deals" in line.words):
            continue
        if "local" in line.words or (joins and line.told and "units" in line.words):
            return _shown(name, line.joined, line.text, "it is about local or cut-off fighters")
    note = "not shown: neither Qalamoun, Arsal nor Yarmouk, nor words for local or cut-off fighters, beside the report"
    return Signal(name=name, shown=False, note=note)


def _against_interest(cluster: _Cluster, lines: Sequence[_Line], fights: Fights, groups: _Groups) -> Signal:
    name = "against_interest"
    for line in lines:
        if "against_interest" in line.words and line.told:
            return _shown(name, line.joined, line.text, "the text itself says what the deal would give away")
    for joined in cluster.affirmed:
        deals, language = {event.sentence for event in joined.bid.events}, joined.page.document.language
        for bid in joined.page.fights:
            event = next((one for one in bid.events if one.kind == "clash" and _fought(one, deals, language)), None)
            if event is not None and cluster.akin(bid, groups) and _lately(event, joined.page):
                note = "the parties fought each other shortly before, says the report itself"
                return _shown(name, joined, event.sentence, note)
    for line in lines:
        if "fought_lately" in line.words and line.told:
            note = "the parties fought each other shortly before, says the report itself"
            return _shown(name, line.joined, line.text, note)
    found: list[tuple[datetime, tuple[str, datetime, str], Event]] = []
    for id in sorted({id for pair in cluster.bid.pairs for id in pair}):
        for page, bid in fights.get(id, ()):
            if cluster.akin(bid, groups) and cluster.first - RECENT_FIGHT <= page.at < cluster.first:
                found.append((page.at, page.arrival, bid.events[0]))
    if found:
        at, _, event = max(found, key=lambda one: one[:2])
        days = max(1, (cluster.first - at).days)
        note = f"the parties fought each other {_days(days)} before, and the deal would undo what was fought for"
        return Signal(name=name, shown=True, sentence=event.sentence, document=event.document, note=note)
    note = f"not shown: no fight of the parties in the {RECENT_FIGHT.days} days before, and no such words in the texts"
    return Signal(name=name, shown=False, note=note)


def _fought(event: Event, deals: Collection[str], language: str) -> bool:
    """Tell whether a sentence tells of a fight for itself: what ends there is named beside the deal that ends it.

    Where no frame says who fights whom, the sentence needs a word of fighting: "met on a farm" reminds of raids too.
    """
    if event.sentence in deals:
        return False
    return not learned(event.rule) or any(hit.concept == "fights" for hit in _terms().find(event.sentence, language))


def _lately(event: Event, page: _Page) -> bool:
    return event.date is None or event.date >= (page.at - RECENT_FIGHT).date()


def _counter_report(cluster: _Cluster, lines: Sequence[_Line]) -> Signal:
    name = "counter_report"
    for joined in sorted(cluster.denials, key=lambda joined: joined.page.arrival):
        days = (joined.page.at - cluster.first).days
        when = "at once" if days <= 0 else f"{_days(days)} later"
        return _shown(name, joined, _told(joined.bid).sentence, f"denied or refused {when}")
    for joined in cluster.affirmed:
        for bid in joined.page.denials:
            event = _told(bid)
            # "It has nothing to do with a truce", of captives that were exchanged, counters no exchange.
            other = cluster.kinds <= {"swap"} and event.kind not in ("swap", "refusal")
            if _touch(bid, cluster.bid) and not other:
                return _shown(name, joined, event.sentence, "denied or refused in the same text")
    for line in lines:
        if _denies(line):
            return _shown(name, line.joined, line.text, "one who speaks for a party denies it in the same text")
    note = f"not shown: no denial or refusal in the {WINDOW.days} days after the last report"
    return Signal(name=name, shown=False, note=note)


def _denies(line: _Line) -> bool:
    """Tell whether one of theirs denies or refuses the deal there: no enemy of both, nor who studies them.

    What is denied is said there, or in the sentence before or after it.
    """
    words = line.words
    if words.isdisjoint({"denials", "no_deal"}) or "denied_denials" in words or not line.by.speaks or line.by.side:
        return False
    theirs = "own_voices" in words
    if "commentators" in words or ("experts" in words and not theirs):
        return False
    return line.told or "deals" in words or ("no_deal" in words and theirs)


def _expert_doubt(lines: Sequence[_Line]) -> Signal:
    name = "expert_doubt"
    for number, line in enumerate(lines):
        if "own_doubts" in line.words:
            return _shown(name, line.joined, line.text, "who writes doubts it")
        if "doubts" not in line.words:
            continue
        if "experts" in line.words:
            return _shown(name, line.joined, line.text, "officials or experts doubt it in the same text")
        near = [one for one in lines[max(0, number - EXPERTS) : number + 2] if one.joined is line.joined]
        if line.by.speaks or any("experts" in one.words for one in near):
            return _shown(name, line.joined, line.text, "somebody who speaks there, or is named beside, doubts it")
    return Signal(name=name, shown=False, note="not shown: no official or expert who doubts it in the texts")


def _incompatible_terms(cluster: _Cluster, lines: Sequence[_Line]) -> Signal:
    name = "incompatible_terms"
    for joined in (*cluster.affirmed, *cluster.denials):
        for bid in joined.page.ultimatums:
            if _touch(bid, cluster.bid):
                return _shown(name, joined, _told(bid).sentence, "one side sets the other an ultimatum")
    for joined in cluster.denials:
        lines = [*lines, *_lines(joined)]
    for line in lines:
        if {"demands", "unbearable"} <= line.words:
            return _shown(name, line.joined, line.text, "one side asks for a pledge, surrender or disbandment")
    note = "not shown: no demand of a pledge, surrender or disbandment in the texts"
    return Signal(name=name, shown=False, note=note)
