"""The desk's pages, as a plugin of Datasette: what each shows, and the rules that hold for all of them.

A page is a function of one state of the store: it gives a template with its context, and the rows of its table, which
the same address with ``.csv`` or ``.json`` gives plain. No page writes, and no page holds a script.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import unquote, urlencode

from datasette import Response, hookimpl

from crawlers.sources import collect_sources
from processors.archive import Archive, Health
from processors.errors import ArchiveError, SulhError
from processors.records import SIGNALS, Comparison, Event, Kind, Record
from processors.register import Registers
from sulh import board
from sulh.desk import plots, tables, words
from sulh.pairs import SIDES, side
from sulh.periods import between, fitting, start
from sulh.stores import Finding, Hit, Query
from sulh.stores.sqlite import search as find

if TYPE_CHECKING:
    from sulh.desk import Desk

_log = logging.getLogger(__name__)

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'none'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page is asked, and of which desk."""

    registers: Registers
    now: datetime
    archive: Archive | None
    sources: Path | None
    """Folder of the person's own sources, which need not exist."""
    path: Mapping[str, str]
    query: Mapping[str, str]

    def day(self, name: str = "day") -> date | None:
        """Give a day of the query. Raises Wrong where it is none."""
        text = self.query.get(name, "")
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise Wrong(f"{name}={text}: not a day; write it as 2014-11-15") from None

    def number(self, name: str) -> int | None:
        """Give a whole number of the query. Raises Wrong where it is none."""
        text = self.query.get(name, "")
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Wrong(f"{name}={text}: not a number")
        return int(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows."""

    template: str
    title: str
    context: dict[str, Any] = field(default_factory=dict)
    kind: type[Record] | None = None
    rows: Sequence[Record] = ()
    """The page's table; ``kind`` is set on every page that has one."""


class Wrong(Exception):
    """The request itself is wrong; its message says how."""


class Missing(Exception):
    """There is no such thing in the store."""


class Moved(Exception):
    """The thing is shown at another address of the desk."""


# The pages


def today(connection: sqlite3.Connection, asked: Asked) -> Page:
    """What came in on the latest day, what waits for a verdict, and what is out of balance."""
    latest = board.latest_day(connection)
    day = asked.day() or latest
    rows = board.intake(connection, day) if day else []
    languages: Counter[str] = Counter()
    for row in rows:
        languages.update(dict(row.languages))
    queue = board.alert_queue(connection)
    balances = board.balances(board.ledger(connection, archive=asked.archive))
    moving = _moving(asked, (row.source for row in balances if not row.balanced))
    return Page(
        template="today.html",
        title="Today" if day == latest or day is None else words.day(day),
        context={
            "day": day,
            "latest": latest,
            "days": sorted({row.day for row in balances}, reverse=True),
            "intake": rows,
            "languages": sorted(languages.items(), key=lambda pair: (-pair[1], words.LANGUAGES.get(pair[0], pair[0]))),
            "most": max((row.documents for row in rows), default=1) or 1,
            "alerts": [row for row in queue if row.queue == "open"],
            "queues": Counter(row.queue for row in queue),
            "unbalanced": [row for row in balances if not row.balanced and row.source not in moving],
            "waiting": [row for row in balances if row.waiting],
            "failing": [row for row in balances if row.day == latest and row.failed],
            "undelivered": [
                (row, delivery)
                for row in queue
                for delivery in row.deliveries
                if delivery.state == "unsure"
                or (delivery.state == "waiting" and delivery.error and row.queue not in ("withdrawn", "dismissed"))
            ],
            "totals": board.totals(connection),
        },
        kind=board.Intake,
        rows=rows,
    )


_BEARING_SERIES = (
    (plots.Series(style="supports", name="support"), plots.Series(style="reports", name="report")),
    (plots.Series(style="contradicts", name="contradict"),),
)


def _bearing_columns(row: board.ClaimRow) -> list[plots.Column]:
    return [
        plots.Column(start=period.start, above=(period.supports, period.reports), below=(period.contradicts,))
        for period in row.periods
    ]


def _in_words(row: board.ClaimRow) -> str:
    return (
        f"{row.claim}: independent origins over time: {row.supports} support, {row.reports} report,"
        f" {row.contradicts} contradict"
    )


def claims(connection: sqlite3.Connection, asked: Asked) -> Page:
    """The claim board."""
    rows = board.claim_board(connection, asked.registers)
    voice = asked.query.get("voice", "")
    found = asked.query.get("found", "") == "1"
    shown = [row for row in rows if (not voice or row.voice == voice) and (not found or row.documents)]
    order = asked.query.get("sort", "")
    if order in ("supports", "reports", "contradicts", "documents"):
        shown.sort(key=lambda row: -getattr(row, order))
    elif order == "latest":
        shown.sort(key=lambda row: -(row.latest_at.timestamp() if row.latest_at else float("-inf")))
    return Page(
        template="claims.html",
        title="Claims",
        context={
            "rows": [
                (row, plots.sparkline(_bearing_columns(row), *_BEARING_SERIES, words=_in_words(row))) for row in shown
            ],
            "all": rows,
            "registers": [register.article for register in asked.registers],
            "voice": voice,
            "found": found,
            "order": order,
            "step": rows[0].step if rows else "day",
            "span": (rows[0].periods[0].start, rows[0].periods[-1].start) if rows and rows[0].periods else None,
        },
        kind=board.ClaimRow,
        rows=shown,
    )


def claim(connection: sqlite3.Connection, asked: Asked) -> Page:
    """One claim, with all that bears on it, grouped by bearing and origin."""
    register, id = asked.path["register"], asked.path["id"]
    row = next(
        (row for row in board.claim_board(connection, asked.registers) if (row.register, row.claim) == (register, id)),
        None,
    )
    known = next(
        (claim for found, claim in asked.registers.claims() if (found.article.id, claim.id) == (register, id)), None
    )
    if row is None or known is None:
        raise Missing(f"No register here has a claim {register}/{id}.")
    rows = board.evidence(connection, register, id)
    groups: dict[str, dict[str, list[board.Evidence]]] = {bearing: defaultdict(list) for bearing in board.BEARINGS}
    for one in rows:
        groups[one.bearing][one.origin].append(one)
    home = next(found for found in asked.registers if found.article.id == register)
    ids = [claim.id for claim in home.claims]
    at = ids.index(id)
    return Page(
        template="claim.html",
        title=f"{id}: {known.statement}",
        context={
            "row": row,
            "claim": known,
            "article": home.article,
            # Within an origin the earliest telling stands for the rest.
            "groups": {
                bearing: [tellings[::-1] for tellings in origins.values()] for bearing, origins in groups.items()
            },
            "plot": plots.plot(_bearing_columns(row), *_BEARING_SERIES, step=row.step, words=_in_words(row))
            if rows
            else "",
            "before": ids[at - 1] if at else "",
            "after": ids[at + 1] if at + 1 < len(ids) else "",
        },
        kind=board.Evidence,
        rows=rows,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What one mark in a text means."""

    number: int
    start: int
    end: int
    field: str
    sentence: str
    side: str
    event: Event | None
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text under the same marks, and the notes whose sentence ends with it."""

    text: str
    sides: tuple[str, ...] = ()
    ends: tuple[int, ...] = ()


def notes(events: Sequence[Event], comparisons: Sequence[Comparison]) -> list[Note]:
    """Number what stands out in a text, in reading order: events, and statements that bear on a claim by themselves."""
    bearing: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        bearing[comparison.event].append(comparison)
    found: list[tuple[str, int, int, str, str, Event | None, tuple[Comparison, ...]]] = [
        (
            event.field,
            event.start,
            event.end,
            event.sentence,
            side(event.kind, event.polarity),
            event,
            tuple(bearing[event.id]),
        )
        for event in events
    ]
    known = {event.id for event in events}
    alone: dict[tuple[str, int, int, str], list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        if comparison.event not in known:
            alone[comparison.field, comparison.start, comparison.end, comparison.sentence].append(comparison)
    found += [(*place, "claim", None, tuple(each)) for place, each in alone.items()]
    # The title is read before the text.
    found.sort(key=lambda note: (note[0] != "title", note[1], note[2], note[4]))
    return [
        Note(
            number=number, field=name, start=begin, end=end, sentence=sentence, side=side, event=event, comparisons=each
        )
        for number, (name, begin, end, sentence, side, event, each) in enumerate(found, 1)
    ]


def marked(text: str, notes: Sequence[Note]) -> list[list[Piece]]:
    """Cut a text into paragraphs of pieces, such that each piece lies wholly within or outside every mark."""
    cuts = {0, len(text)}
    for note in notes:
        cuts |= {min(max(note.start, 0), len(text)), min(max(note.end, 0), len(text))}
    paragraphs: list[list[Piece]] = [[]]
    ordered = sorted(cuts)
    for begin, end in pairwise(ordered):
        over = [note for note in notes if note.start <= begin and end <= note.end]
        sides = tuple(dict.fromkeys(note.side for note in over))
        ends = tuple(note.number for note in over if min(note.end, len(text)) == end)
        lines = text[begin:end].split("\n")
        for index, line in enumerate(lines):
            if index:
                paragraphs.append([])
            last = index == len(lines) - 1
            if line or (last and ends):
                paragraphs[-1].append(Piece(text=line, sides=sides, ends=ends if last else ()))
    return [paragraph for paragraph in paragraphs if any(piece.text.strip() or piece.ends for piece in paragraph)]


def story(connection: sqlite3.Connection, asked: Asked) -> Page:
    """A story: who had it first, its reprints and revisions, and one text with its events marked in place."""
    id = asked.path["id"]
    heads = board.story(connection, id)
    if not heads:
        # A story takes the name of its first document; an older link may name one that has since joined another.
        moved = board.story_of(connection, id)
        if moved and moved != id:
            raise Moved(f"/stories/{moved}?{urlencode({'document': id})}")
        raise Missing(f"The store has no story {id}.")
    wanted = asked.query.get("document", "") or heads[0].document
    head = next((head for head in heads if head.document == wanted), None)
    revision = asked.number("revision")
    text = board.document(connection, wanted, revision=revision)
    if head is None or text is None:
        raise Missing("This story has no such document or revision.")
    current = text.revision == head.revision
    found = notes(board.events(connection, wanted), board.comparisons(connection, wanted)) if current else []
    return Page(
        template="story.html",
        title=heads[0].title or heads[0].url,
        context={
            "heads": heads,
            "first": heads[0],
            "head": head,
            "text": text,
            "current": current,
            "revisions": board.revisions(connection, wanted),
            "notes": found,
            "key": [
                (side, name)
                for side, name in (*words.SIDES.items(), ("claim", "statement that bears on a claim"))
                if any(note.side == side for note in found)
            ],
            "title_pieces": [
                piece
                for line in marked(text.title, [note for note in found if note.field == "title"])
                for piece in line
            ],
            "paragraphs": marked(text.text, [note for note in found if note.field == "text"]),
            "comments": [line for line in text.comments.split("\n") if line.strip()],
            "alerts": board.alerts_of(connection, [head.document for head in heads]),
            "sources": len({head.source for head in heads}),
        },
        kind=board.Head,
        rows=heads,
    )


def document(connection: sqlite3.Connection, asked: Asked) -> Page:
    """Where a document is shown: in its story."""
    id = asked.path["id"]
    found = board.story_of(connection, id)
    if not found:
        raise Missing(f"The store has no document {id}.")
    raise Moved(f"/stories/{found}?{urlencode({'document': id})}")


def alerts(connection: sqlite3.Connection, asked: Asked) -> Page:
    """The alert queue."""
    rows = board.alert_queue(connection)
    queue = asked.query.get("queue", "open")
    if queue not in (*board.QUEUES, "all"):
        raise Wrong(f"queue={queue}: expected one of {', '.join((*board.QUEUES, 'all'))}")
    shown = [row for row in rows if queue in (row.queue, "all")]
    return Page(
        template="alerts.html",
        title="Alerts",
        context={"rows": shown, "queue": queue, "counts": Counter(row.queue for row in rows), "total": len(rows)},
        kind=board.AlertRow,
        rows=shown,
    )


def alert(connection: sqlite3.Connection, asked: Asked) -> Page:
    """One alert: what was reported, the caution checklist with its evidence, members, origins, deliveries."""
    id = asked.path["id"]
    rows = board.alert_queue(connection, alert=id)
    if not rows:
        raise Missing(f"The store has no alert {id}.")
    row = rows[0]
    by_name = {signal.name: signal for signal in row.alert.caution}
    heads = board.heads(
        connection,
        [member.document for member in row.alert.members] + [signal.document for signal in row.alert.caution],
    )
    origins = [
        (origin, len(found) if (found := board.story(connection, origin)) else 0, found[0] if found else None)
        for origin in row.alert.origins
    ]
    first = heads.get(row.alert.members[0].document) if row.alert.members else None
    return Page(
        template="alert.html",
        title=words.groups(row.alert.parties) + ": " + row.alert.kind,
        context={
            "row": row,
            "alert": row.alert,
            "signals": [(name, by_name.get(name)) for name in SIGNALS],
            "heads": heads,
            "first": first,
            "origins": origins,
        },
        kind=board.AlertRow,
        rows=rows,
    )


_SIDE_SERIES = (
    (plots.Series(style="contact", name="contact"), plots.Series(style="denied", name="contact denied")),
    (plots.Series(style="clash", name="clash"), plots.Series(style="other", name="other")),
)


def timeline(connection: sqlite3.Connection, asked: Asked) -> Page:
    """What is told of two groups over time: contacts above the line, clashes below it."""
    pairs = board.pairs(connection)
    chosen = asked.query.get("pair", "")
    if not chosen and pairs:
        # The pair that the article is about, where the store has it; else the one most told of.
        chosen = f"{pairs[0].first}~{pairs[0].second}"
        if any((pair.first, pair.second) == ("islamic-state", "nusra") for pair in pairs):
            chosen = "islamic-state~nusra"
    first, _, second = chosen.partition("~")
    dated = asked.query.get("dated", "published")
    if dated not in ("published", "happened"):
        raise Wrong(f"dated={dated}: expected published or happened")
    rows = board.timeline(connection, first, second, happened=dated == "happened") if second else []
    # A look back at last year's split would squeeze this week's events into one column.
    fresh = [row for row in rows if row.modality != "looking-back"]
    step = fitting(row.at for row in fresh)
    counts = Counter((start(row.at, step), row.side) for row in fresh)
    starts = between(min(row.at for row in fresh), max(row.at for row in fresh), step) if fresh else ()
    columns = [
        plots.Column(
            start=begin,
            above=(counts[begin, "contact"], counts[begin, "denied"]),
            below=(counts[begin, "clash"], counts[begin, "other"]),
        )
        for begin in starts
    ]
    sides = Counter(row.side for row in fresh)
    return Page(
        template="timeline.html",
        title="Timeline",
        context={
            "pairs": pairs,
            "chosen": chosen,
            "first": first,
            "second": second,
            "rows": rows,
            "dated": dated,
            "step": step,
            "sides": [(name, sides[name]) for name in SIDES],
            "plot": plots.plot(
                columns,
                *_SIDE_SERIES,
                step=step,
                words=f"{words.groups((first, second))} over time: "
                + ", ".join(f"{sides[name]} {words.SIDES[name]}" for name in SIDES),
            )
            if fresh
            else "",
        },
        kind=board.Happening,
        rows=rows,
    )


def sources(connection: sqlite3.Connection, asked: Asked) -> Page:
    """Every source: what it brought, when it last answered, and how it fares."""
    rows = {row.source: row for row in board.source_rows(connection, archive=asked.archive)}
    folder = asked.sources if asked.sources is not None and asked.sources.is_dir() else None
    known, broken = collect_sources(folder) if asked.archive is not None else ({}, ())
    moving = _moving(asked, (row.source for row in rows.values() if row.gap))
    moods: dict[str, tuple[str, str]] = {}
    for name in asked.archive.sources() if asked.archive is not None else ():
        rows.setdefault(name, board.SourceRow(source=name))
    for name, row in rows.items():
        health: Health | None = None
        if asked.archive is not None and name in asked.archive.sources():
            try:
                # A source whose file is gone is judged as one that is looked at daily.
                interval = known[name].interval if name in known else timedelta(days=1)
                health = asked.archive.health(name, now=asked.now, interval=interval)
            except ArchiveError as error:
                # One damaged index must not hide the other sources.
                moods[name] = ("bad", "archive unreadable")
                rows[name] = replace(row, health=str(error))
                continue
        moods[name] = _mood(row, health, moving=name in moving)
        rows[name] = replace(row, health="; ".join([moods[name][1], *_health(health)]))
    fresh = board.freshness(connection, archive=asked.archive, now=asked.now)
    for one in fresh:
        rows[one.source] = replace(
            rows.get(one.source) or board.SourceRow(source=one.source),
            indexed_p50=one.indexed_p50,
            indexed_p95=one.indexed_p95,
            delivered_p50=one.delivered_p50,
            delivered_p95=one.delivered_p95,
        )
    return Page(
        template="sources.html",
        title="Sources",
        context={
            "rows": [rows[name] for name in sorted(rows)],
            "moods": moods,
            "known": known,
            "never": sorted(known.keys() - rows.keys()),
            "fresh": fresh,
            "moving": moving,
            "broken": [str(error) for error in broken],
        },
        kind=board.SourceRow,
        rows=[rows[name] for name in sorted(rows)],
    )


def _mood(row: board.SourceRow, health: Health | None, *, moving: bool) -> tuple[str, str]:
    """Sum a source up in two words, the worst first."""
    if (row.gap and not moving) or (health and health.unbalanced):
        return ("bad", "out of balance")
    if health and health.failures:
        return ("bad", "failing")
    if not row.fetched and row.failed:
        return ("bad", "only failures")
    if moving:
        return ("good", "being crawled")
    if health and health.stale:
        return ("warn", "stale")
    if health and health.failing:
        return ("warn", "pages fail")
    return ("good", "in order")


def _health(health: Health | None) -> list[str]:
    if health is None:
        return []
    said = []
    if health.failures:
        said.append(f"last crawl {health.outcome}" + (f": {health.reason}" if health.reason else ""))
    if health.failures > 1:
        said.append(f"{health.failures} crawls in a row")
    if health.unbalanced:
        said.append(f"{words.count(health.unbalanced, 'item')} without a disposition")
    if health.stale:
        said.append(f"last read {words.clock(health.last_ok)}" if health.last_ok else "never read to the end")
    if health.failing:
        said.append(words.count(health.failing, "address keeps failing", "addresses keep failing"))
    if health.fresh_a_day is not None:
        said.append(f"{health.fresh_a_day:.3g} new items a day")
    return said


def search(connection: sqlite3.Connection, asked: Asked) -> Page:
    """Documents by words and filters; without words, the newest first."""
    ask = asked.query.get
    query = Query(
        words=ask("q", "")[:500],
        language=ask("language", ""),
        source=ask("source", ""),
        since=asked.day("since"),
        until=asked.day("until"),
        claim=ask("claim", ""),
        kind=ask("kind", ""),
        limit=min(max(asked.number("limit") or 50, 1), 500),
    )
    hits = find(connection, query)
    return Page(
        template="search.html",
        title=f"Search: {query.words}" if query.words else "Search",
        context={
            "query": query,
            "hits": [(hit, _snippet(hit.snippet)) for hit in hits],
            "languages": words.LANGUAGES,
            "sources": board.source_names(connection),
            "claims": [claim for _, claim in asked.registers.claims()],
            "kinds": get_args(Kind),
        },
        kind=Hit,
        rows=hits,
    )


def _snippet(text: str) -> list[tuple[str, bool]]:
    """Cut a snippet at the brackets round its matches; a bracket of the text itself at worst makes a word bold."""
    parts: list[tuple[str, bool]] = []
    for index, part in enumerate(re.split(r"\[([^\[\]]{1,80})\]", text)):
        if part:
            parts.append((part, index % 2 == 1))
    return parts


def ledger(connection: sqlite3.Connection, asked: Asked) -> Page:
    """What became of every item, a source and day at a time, with the two equations that must hold."""
    source, day = asked.query.get("source", ""), asked.day()
    every = board.balances(board.ledger(connection, archive=asked.archive))
    rows = [row for row in every if (not source or row.source == source) and (day is None or row.day == day)]
    reason = asked.query.get("reason", "")
    declined = board.rejections(connection, source=source, day=day, reason=reason, limit=200)
    moving = _moving(asked, (row.source for row in rows if not row.balanced))
    reasons: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for disposition, why, count in row.reasons:
            reasons[disposition, why] += count
    return Page(
        template="ledger.html",
        title="Ledger",
        context={
            "rows": rows,
            "source": source,
            "day": day,
            "reason": reason,
            "sources": sorted({row.source for row in every}),
            "days": sorted({row.day for row in every}, reverse=True),
            "reasons": reasons.most_common(),
            "declined": declined,
            "gaps": sum(1 for row in rows if not row.balanced and row.source not in moving),
            "moving": moving,
        },
        kind=board.Balance,
        rows=rows,
    )


def _moving(asked: Asked, sources: Iterable[str]) -> set[str]:
    """Give those of the sources that are being crawled: what their crawls are still at stands nowhere yet."""
    return {name for name in set(sources) if asked.archive is not None and asked.archive.held(name)}


def findings(connection: sqlite3.Connection, asked: Asked) -> Page:
    """What `sulh watch` found, or was told, of what goes wrong unseen: what stands, and what is gone."""
    rows = board.findings(connection)
    return Page(
        template="findings.html",
        title="Findings",
        context={
            "standing": [row for row in rows if row.gone_at is None],
            "gone": [row for row in rows if row.gone_at is not None][:200],
        },
        kind=Finding,
        rows=rows,
    )


# What holds for all pages

View = Callable[[sqlite3.Connection, Asked], Page]

_ID = r"[0-9a-zA-Z_.~%-]{1,200}?"
_PAGES: tuple[tuple[str, View], ...] = (
    (r"/", today),
    (r"/claims", claims),
    (rf"/claims/(?P<register>{_ID})/(?P<id>{_ID})", claim),
    (rf"/stories/(?P<id>{_ID})", story),
    (rf"/documents/(?P<id>{_ID})", document),
    (r"/alerts", alerts),
    (rf"/alerts/(?P<id>{_ID})", alert),
    (r"/timeline", timeline),
    (r"/search", search),
    (r"/sources", sources),
    (r"/ledger", ledger),
    (r"/findings", findings),
)


@hookimpl  # type: ignore[untyped-decorator]
def register_routes(datasette: Desk) -> list[tuple[str, Callable[..., Awaitable[Response]]]]:
    """Give the desk's routes, and one behind them that hides every page of Datasette's own."""
    if not _is_desk(datasette):
        return []
    routes = [(rf"^{path}(?:\.(?P<format>csv|json))?$", _answer(view)) for path, view in _PAGES]
    return [*routes, (r"^(?!/assets/)", _answer(_nowhere))]


def _nowhere(connection: sqlite3.Connection, asked: Asked) -> Page:
    raise Missing("The desk has no such page.")


@hookimpl  # type: ignore[untyped-decorator]
def permission_allowed(datasette: Desk) -> bool | None:
    """Deny all that Datasette's own pages ask leave for, so that they stay shut even if a route to one were open."""
    return False if _is_desk(datasette) else None


@hookimpl  # type: ignore[untyped-decorator]
def asgi_wrapper(datasette: Desk) -> Callable[[Any], Any]:
    """Answer only reading requests for the desk's own name, and put the page policy on every answer."""
    if not _is_desk(datasette):
        return lambda app: app

    def wrap(app: Any) -> Any:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return

            async def guarded(message: Any) -> None:
                if message["type"] == "http.response.start":
                    ours = {name for name, _ in _HEADERS}
                    headers = [pair for pair in message.get("headers", []) if pair[0].lower() not in ours]
                    message = {**message, "headers": [*headers, *_HEADERS]}
                await send(message)

            host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
            if re.sub(r":\d+$", "", host) not in datasette.hosts:
                await Response.text("The desk answers to its own address only.", status=421).asgi_send(guarded)
            elif scope["method"] not in ("GET", "HEAD"):
                await Response.text("The desk only shows.", status=405, headers={"allow": "GET, HEAD"}).asgi_send(
                    guarded
                )
            else:
                await app(scope, receive, guarded)

        return answer

    return wrap


def _is_desk(datasette: Any) -> bool:
    # By its mark rather than its class, which imports this module.
    return hasattr(datasette, "claims") and hasattr(datasette, "store")


def _answer(view: View) -> Callable[..., Awaitable[Response]]:
    async def answer(request: Any, datasette: Any) -> Response:
        try:
            return await _shown(view, request, datasette)
        except Moved as moved:
            return Response.redirect(str(moved))
        except Wrong as wrong:
            return await _problem(datasette, request, 400, "That request cannot be read", str(wrong))
        except Missing as missing:
            return await _problem(datasette, request, 404, "Not here", str(missing))
        except SulhError as error:
            return await _problem(datasette, request, 503, "The store cannot be read", str(error))
        except Exception:
            # Datasette's own answer would print the store's content, and show a page with a script.
            _log.exception("the desk's page %s failed", request.path)
            message = "The terminal that runs the desk says why; other pages may work."
            return await _problem(datasette, request, 500, "This page failed", message)

    return answer


async def _shown(view: View, request: Any, datasette: Any) -> Response:
    path = {name: unquote(value) for name, value in request.url_vars.items() if value is not None}
    form = path.pop("format", "") or request.args.get("_format", "")
    if form not in ("", "csv", "json"):
        raise Wrong(f"_format={form}: expected csv or json")
    asked = Asked(
        registers=datasette.claims,
        now=datasette.now(),
        archive=Archive(datasette.home) if datasette.home is not None else None,
        sources=datasette.sources,
        path=path,
        query={name: request.args[name] for name in request.args},
    )
    page = await datasette.get_database().execute_fn(lambda connection: view(connection, asked))
    if not form:
        return await _html(datasette, request, page)
    if page.kind is None:
        raise Missing("This page has no table.")
    if form == "json":
        return Response(tables.as_json(page.rows), content_type="application/json; charset=utf-8")
    name = re.sub(r"[^a-z0-9]+", "-", request.path.removesuffix(".csv").lower()).strip("-") or "today"
    return Response(
        tables.as_csv(page.kind, page.rows),
        headers={"content-disposition": f'attachment; filename="sulh-{name}.csv"'},
        content_type="text/csv; charset=utf-8",
    )


async def _html(datasette: Any, request: Any, page: Page, status: int = 200) -> Response:
    kept = [(name, value) for name in request.args for value in request.args.getlist(name) if name != "_format"]

    def plain(form: str) -> str:
        return "?" + urlencode([*kept, ("_format", form)])

    context = {**page.context, "title": page.title, "plain": plain if page.kind else None, "here": request.path}
    return Response.html(await datasette.render_template(page.template, context, request=request), status=status)


async def _problem(datasette: Any, request: Any, status: int, title: str, message: str) -> Response:
    page = Page(template="problem.html", title=title, context={"message": message, "status": status})
    return await _html(datasette, request, page, status)
