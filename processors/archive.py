"""Keeps every response as it came, in WARC files with one index a source, and reads it back without the network.

A folder ``archive/<source>/`` holds finished ``*.warc.gz`` files, at most one being written, ``*.warc.gz.open``,
the index and a lock. A record is on disk before the index names it, and what the index does not name is cut off at the
next start: so a crawl that is killed at any moment leaves files that every WARC tool reads and an index that agrees.
"""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import queue
import re
import sqlite3
import threading
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import blake2b
from html import unescape
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar
from urllib.parse import urljoin, urlsplit

from filelock import BaseFileLock, FileLock, Timeout
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from processors.addresses import canonical_url, same_site
from processors.errors import ArchiveError, LockedError
from processors.records import Capture, LedgerRow, Record, digest, utc

Headers = tuple[tuple[str, str], ...]
Kind = Literal["page", "list", "robots"]
Outcome = Literal["ok", "failed", "interrupted"]
Result = TypeVar("Result")

MAX_BODY = 16 * 2**20
"""Bytes of one body, decompressed; the issue's limit. The longest pages of news sites are near 5 MiB."""

_MAX_FILE = 512 * 2**20
"""A WARC file is finished beyond this size; half of the 1 GiB that the WARC standard recommends."""

_HEAD = 256 * 2**10
"""Where in a page rel=canonical is looked for: its head, which on the longest pages known ends before this."""

_REVISITS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 72, 168, 720))
"""Ages at which a page is fetched again. Corrections come within hours, rarely after a week."""

_FIRST_RETRY, _LAST_RETRY = timedelta(minutes=30), timedelta(days=7)
"""A failing address is tried again after half an hour, doubling up to a week: never forgotten, at little cost."""

_BEATS = 200
"""Arrivals that tell a source's habits: some weeks of a wire's, a year of a weekly's."""

_SCHEMA_VERSION = 3
_PAST = """
CREATE TABLE IF NOT EXISTS past (
    captured_at TEXT NOT NULL, url TEXT NOT NULL, digest TEXT NOT NULL, disposition TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (captured_at, url, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS past_digest ON past (digest);
CREATE TABLE IF NOT EXISTS readings (address TEXT PRIMARY KEY, read_at TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS captures_lists ON captures (address, fetched_at) WHERE kind <> 'page';
"""
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (name TEXT PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE crawls (
    id INTEGER PRIMARY KEY, started_at TEXT NOT NULL, ended_at TEXT, outcome TEXT NOT NULL DEFAULT 'running',
    reason TEXT NOT NULL DEFAULT '', discovered INTEGER NOT NULL DEFAULT 0, fresh INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE urls (
    address TEXT PRIMARY KEY, fetch TEXT NOT NULL, canonical TEXT NOT NULL DEFAULT '', state TEXT NOT NULL,
    first_seen TEXT NOT NULL, first_crawl INTEGER NOT NULL, next_attempt TEXT, attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', etag TEXT NOT NULL DEFAULT '', last_modified TEXT NOT NULL DEFAULT '',
    body_hash TEXT NOT NULL DEFAULT '', fetched_at TEXT, listed_title TEXT NOT NULL DEFAULT '',
    listed_published TEXT, listed_modified TEXT
) WITHOUT ROWID;
CREATE INDEX urls_due ON urls (next_attempt) WHERE next_attempt IS NOT NULL;
CREATE TABLE captures (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, address TEXT NOT NULL, url TEXT NOT NULL, fetched_at TEXT NOT NULL,
    status INTEGER NOT NULL, file TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    listed_title TEXT NOT NULL DEFAULT '', listed_published TEXT, crawl INTEGER NOT NULL
);
CREATE INDEX captures_arrival ON captures (kind, fetched_at, id);
CREATE TABLE items (
    crawl INTEGER NOT NULL, address TEXT NOT NULL, day TEXT NOT NULL, disposition TEXT, reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (crawl, address)
) WITHOUT ROWID;
CREATE TABLE tallies (
    crawl INTEGER NOT NULL, day TEXT NOT NULL, disposition TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (crawl, day, disposition, reason)
) WITHOUT ROWID;
CREATE TABLE lists (
    address TEXT PRIMARY KEY, parent TEXT NOT NULL, etag TEXT NOT NULL, last_modified TEXT NOT NULL, hint TEXT NOT NULL,
    seen_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE bodies (address TEXT PRIMARY KEY, hash TEXT NOT NULL) WITHOUT ROWID;
{_PAST}"""


_NEWS = "id NOT IN (SELECT CAST(substr(key, 10) AS INTEGER) FROM meta WHERE key GLOB 'backfill:*')"
"""Of the table `crawls`: those for news. One of the past tells nothing of how the source is today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRef(Record):
    """Where one archived page lies."""

    id: str
    source: str
    url: str
    fetched_at: datetime
    locator: str
    """``<WARC file name>:<offset of the response record>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One item as a feed, sitemap, listing or interface names it."""

    address: str
    """Canonical form of its link, under which it is known."""
    url: str
    """The link to fetch."""
    title: str = ""
    published: datetime | None = None
    modified: datetime | None = None
    """When the list says that it was changed; a later one than before has the page fetched again."""
    refused: str = ""
    """Why it is not to be fetched; empty for an item to fetch."""
    old: bool = False
    """Whether it is listed as older than its source wants; refused as ``old`` unless it is known already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One item to fetch now."""

    address: str
    url: str
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What discovering a list of items gave."""

    due: tuple[Due, ...]
    fresh: int
    """How many were never listed before."""
    repeated: int
    """How many this very crawl had listed already."""
    met: bool
    """Whether one was there when a listing was last read to its end: what is older is known then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its whole response, as on the wire but for the transfer encoding."""

    requested: str
    url: str
    """The last address, after ``redirects``."""
    redirects: tuple[str, ...] = ()
    request_headers: Headers | None = ()
    """None where the request is not known: an imported response."""
    status: int
    headers: Headers
    body: bytes
    fetched_at: datetime
    protocol: str = "HTTP/1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One capture of a page as the index of a web archive lists it; the same one in two archives is the same."""

    url: str
    captured_at: datetime
    digest: str = ""
    """Of its body, as the archive says; empty where it does not."""
    refused: str = ""
    """Why it is not to be fetched; empty for one to fetch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Which captures of a web archive are to be fetched; the others are settled."""

    due: tuple[Past, ...]
    waiting: tuple[Past, ...]
    """The same bytes as one that is due: to be weighed again when that has been settled."""
    held: tuple[Past, ...]
    """Known: fetched before, or the same bytes as one that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of one response."""

    disposition: str
    """``fetched``, or ``known`` for the same bytes as before."""
    reason: str
    canonical: str
    body: bytes
    """Decompressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a list's last complete reading left behind, for asking whether it has changed."""

    address: str
    parent: str = ""
    etag: str = ""
    last_modified: str = ""
    hint: str = ""
    """The time of change that its parent named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A list or robots.txt as it lies in the archive."""

    url: str
    """The last address, after redirects."""
    headers: Headers
    body: bytes
    """Decompressed."""
    read_at: datetime | None
    """When a crawl of the past last found the site to give this, and could read it; None where none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing(Record):
    """An address that keeps failing: kept, tried again at ``next_attempt``, and shown."""

    source: str
    address: str
    reason: str
    attempts: int
    next_attempt: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Record):
    """How a source's last crawls for news went; crawls of the past are none, but their items are counted too."""

    source: str
    last_crawl: datetime | None = None
    last_ok: datetime | None = None
    """When a crawl last read the whole list; an unchanged list counts, a failed one does not."""
    outcome: str = "never"
    """Of the last crawl: ok, failed, interrupted, running; never before the first."""
    reason: str = ""
    """Why it failed."""
    failures: int = 0
    """Crawls in a row that failed."""
    stale: bool = True
    """Whether the last good crawl is longer ago than three of the source's intervals."""
    fresh_a_day: float | None = None
    """New items a day over the last week; None where the source is not a day old yet."""
    failing: int = 0
    """Addresses that keep failing."""
    unbalanced: int = 0
    """Items of finished crawls that have no disposition: anything but 0 is an error in the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How often a source brought something new so far, for telling whether it has gone silent."""

    last_new: datetime | None = None
    """When the last crawl began that met an address never listed before; the first crawl meets nothing else."""
    gaps: tuple[timedelta, ...] = ()
    """Between one such crawl and the next, the latest `_BEATS` of them."""
    emptied_at: datetime | None = None
    """When the lists, read anew, held no item at all though they once did; None where they hold some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent(Record):
    """How a source's last crawl for news went, as far as its next one depends on it; crawls of the past are none."""

    started_at: datetime | None = None
    """None where there was none."""
    outcome: str = "never"
    """As in `Health`."""
    failures: int = 0
    """Crawls in a row that failed, to the last one."""
    held: bool = False
    """Whether a crawl is at it right now, for news or for the past."""


class Turn:
    """The right to ask a host, which one process on an archive has at a time; it remembers when the last one ended."""

    def __init__(self, lock: BaseFileLock, stamp: Path) -> None:
        self._lock, self._stamp = lock, stamp

    def rest(self, delay: float, now: datetime) -> float:
        """Give the seconds to wait before the first request, so that the last of who had the turn before counts too."""
        try:
            since = utc(now).timestamp() - self._stamp.stat().st_mtime
        except OSError:
            return 0.0
        # A clock that was set back must not make anybody wait for longer than the delay.
        return min(delay, max(0.0, delay - since))

    def asked(self, now: datetime) -> None:
        """Remember when the host was asked last, for who asks it next."""
        # Without that it may be asked a moment early: no reason to fail.
        with suppress(OSError):
            self._stamp.touch()
            os.utime(self._stamp, (utc(now).timestamp(),) * 2)

    def release(self) -> None:
        """Let another process ask."""
        self._lock.release()


class BodyError(Exception):
    """A body that cannot be taken as it is; ``reason`` names why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode_body(headers: Iterable[tuple[str, str]], body: bytes, *, limit: int = MAX_BODY) -> bytes:
    """Undo the body's Content-Encoding. Raises BodyError: ``too-large`` beyond the limit, ``encoding`` if wrong."""
    encodings = [
        part.strip().lower()
        for name, value in headers
        if name.lower() == "content-encoding"
        for part in value.split(",")
    ]
    for encoding in reversed([part for part in encodings if part not in ("", "identity")]):
        if encoding in ("gzip", "x-gzip"):
            body = _inflate(body, limit, zlib.MAX_WBITS | 16)
        elif encoding == "deflate":
            # Some servers send a raw stream where the standard wants a zlib header, which begins with 0x?8.
            body = _inflate(body, limit, zlib.MAX_WBITS if body[:1] and body[0] & 15 == 8 else -zlib.MAX_WBITS)
        else:
            raise BodyError("encoding")
    if len(body) > limit:
        raise BodyError("too-large")
    return body


def gunzip(body: bytes, *, limit: int = MAX_BODY) -> bytes:
    """Decompress a gzip file such as a sitemap. Raises BodyError like `decode_body`."""
    return _inflate(body, limit, zlib.MAX_WBITS | 16)


def _inflate(body: bytes, limit: int, bits: int) -> bytes:
    whole = bytearray()
    while body:
        stream = zlib.decompressobj(bits)
        try:
            whole += stream.decompress(body, limit + 1 - len(whole))
        except zlib.error as error:
            if whole and bits > 16:
                break  # bytes after the last gzip member are padding, which browsers ignore too
            raise BodyError("encoding") from error
        if len(whole) > limit or stream.unconsumed_tail:
            raise BodyError("too-large")
        if not stream.eof:
            raise BodyError("encoding")
        body = stream.unused_data if bits > 16 else b""
    return bytes(whole)


_LINK = re.compile(rb"<!--.*?-->|<(?:link)\b([^>]*)>|<body\b", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE = re.compile(r"([a-z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)


def declared_canonical(page: bytes, url: str) -> str:
    """Give the canonical address of a page: its rel=canonical where that is of the same site, else its own."""
    own = canonical_url(url)
    for found in _LINK.finditer(page[:_HEAD]):
        if found.group(0)[:5].lower() == b"<body":
            break
        if found.group(1) is None:
            continue
        pairs = _ATTRIBUTE.findall(found.group(1).decode("utf-8", "ignore"))
        values = {name.lower(): unescape(a or b or c).strip() for name, a, b, c in pairs}
        if "canonical" not in values.get("rel", "").lower().split() or not values.get("href"):
            continue
        try:
            declared = canonical_url(urljoin(url, values["href"]))
            parts = urlsplit(declared)
            same = parts.scheme in ("http", "https") and same_site(declared, own)
        except ValueError:
            return own
        # A site that names its front page as the canonical address of every page would become one document.
        return declared if same and (len(parts.path) > 1 or parts.query or len(urlsplit(own).path) <= 1) else own
    return own


class Archive:
    """All archived responses below one folder; reading needs no lock and may go on beside a crawl."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "archive"

    def sources(self) -> list[str]:
        """Give the sources that have been crawled, by name."""
        if not self.folder.is_dir():
            return []
        return sorted(path.parent.name for path in self.folder.glob("*/index.sqlite"))

    def captures(self, source: str, *, day: date | None = None) -> Iterator[CaptureRef]:
        """Give the archived pages of a source in order of arrival: by (fetched_at, id)."""
        first, last = (f"{day}", f"{day}~") if day else ("", "~")
        after = (first, "")
        while True:
            # In portions, so that a slow reader never holds the index against the crawl that writes it.
            with closing(self._index(source)) as index:
                rows = index.execute(
                    "SELECT id, url, fetched_at, file, offset FROM captures WHERE kind = 'page'"
                    " AND (fetched_at, id) > (?, ?) AND fetched_at < ? ORDER BY fetched_at, id LIMIT 1000",
                    (*after, last),
                ).fetchall()
            if not rows:
                return
            for id, url, fetched_at, file, offset in rows:
                yield CaptureRef(
                    id=id,
                    source=source,
                    url=url,
                    fetched_at=datetime.fromisoformat(fetched_at),
                    locator=f"{file}:{offset}",
                )
            after = (rows[-1][2], rows[-1][0])

    def read(self, ref: CaptureRef) -> Capture:
        """Read one capture back. Raises ArchiveError that names file and capture when its bytes are not all there."""
        with closing(self._index(ref.source)) as index:
            row = index.execute(
                "SELECT file, offset, length, status, listed_title, listed_published FROM captures WHERE id = ?",
                (ref.id,),
            ).fetchone()
        if row is None:
            raise ArchiveError(f"{self.folder / ref.source}: the index has no capture {ref.id}")
        file, offset, length, status, title, published = row
        path = self.folder / ref.source / file
        raw = _slice(path, offset, length, ref.id)
        try:
            headers, body = _response(raw)
            body = decode_body(headers, body)
        except (ArchiveLoadFailed, BodyError, zlib.error, ValueError, EOFError) as error:
            raise ArchiveError(f"{path}: capture {ref.id} at offset {offset} is damaged: {error}") from error
        return Capture(
            id=ref.id,
            source=ref.source,
            url=ref.url,
            fetched_at=ref.fetched_at,
            status=status,
            headers=headers,
            content_type=next((value for name, value in headers if name.lower() == "content-type"), ""),
            body=body,
            locator=ref.locator,
            listed_title=title,
            listed_published=_moment(published),
        )

    def tallies(self, source: str) -> Iterator[LedgerRow]:
        """Give the crawl rows of the ledger: discovered, fetched, known, refused and failed items a day."""
        counts: dict[tuple[str, str, str], int] = {}
        with closing(self._index(source)) as index:
            rows = index.execute(
                "SELECT crawl, day, disposition, reason, count FROM tallies UNION ALL SELECT crawl, day,"
                " coalesce(disposition, ''), reason, count(*) FROM items GROUP BY 1, 2, 3, 4"
            ).fetchall()
            crawls = index.execute("SELECT id, substr(started_at, 1, 10), discovered FROM crawls").fetchall()
        began = {crawl: day for crawl, day, _ in crawls}
        for crawl, day, disposition, reason, count in rows:
            if disposition:
                counts[day, disposition, reason] = counts.get((day, disposition, reason), 0) + count
            if day != began[crawl]:
                # A crawl that went on past midnight: what was settled then was discovered then, as far as a day tells.
                for place, change in ((day, count), (began[crawl], -count)):
                    counts[place, "discovered", ""] = counts.get((place, "discovered", ""), 0) + change
        for _, day, discovered in crawls:
            counts[day, "discovered", ""] = counts.get((day, "discovered", ""), 0) + discovered
        for (day, disposition, reason), count in sorted(counts.items()):
            if count:
                yield LedgerRow(
                    source=source,
                    day=date.fromisoformat(day),
                    step="crawl",
                    disposition=disposition,
                    reason=reason,
                    count=count,
                )

    def failing(self, source: str) -> Iterator[Failing]:
        """Give the addresses that keep failing, those tried most first."""
        with closing(self._index(source)) as index:
            rows = index.execute(
                "SELECT address, reason, attempts, next_attempt FROM urls WHERE state = 'failing'"
                " ORDER BY attempts DESC, address"
            ).fetchall()
        for address, reason, attempts, next_attempt in rows:
            yield Failing(
                source=source, address=address, reason=reason, attempts=attempts, next_attempt=_moment(next_attempt)
            )

    def days(self, source: str) -> set[date]:
        """Give the days of which there are pages of a source, as of when they were captured."""
        with closing(self._index(source)) as index:
            rows = index.execute(
                "SELECT DISTINCT substr(fetched_at, 1, 10) FROM captures WHERE kind = 'page'"
            ).fetchall()
        return {date.fromisoformat(day) for (day,) in rows}

    def health(self, source: str, *, now: datetime, interval: timedelta = timedelta(hours=1)) -> Health:
        """Say how the source's last crawls went; a source that was never crawled is stale, not an error."""
        if source not in self.sources():
            return Health(source=source)
        with closing(self._index(source)) as index:
            crawls = index.execute(
                f"SELECT started_at, outcome, reason FROM crawls WHERE {_NEWS} ORDER BY id DESC"
            ).fetchall()
            ok = index.execute(f"SELECT max(ended_at) FROM crawls WHERE outcome = 'ok' AND {_NEWS}").fetchone()[0]
            failing = index.execute("SELECT count(*) FROM urls WHERE state = 'failing'").fetchone()[0]
            fresh, since = index.execute(
                f"SELECT sum(fresh), min(started_at) FROM crawls WHERE started_at >= ? AND {_NEWS} AND id >"
                f" (SELECT min(id) FROM crawls WHERE {_NEWS})",
                (_iso(now - timedelta(days=7)),),
            ).fetchone()
            unbalanced = index.execute(
                "SELECT coalesce(sum(abs(discovered - (SELECT coalesce(sum(count), 0) FROM tallies WHERE crawl = id))),"
                " 0) FROM crawls WHERE ended_at IS NOT NULL"
            ).fetchone()[0]
        last_ok = _moment(ok)
        days = (utc(now) - datetime.fromisoformat(since)) / timedelta(days=1) if since else 0.0
        return Health(
            source=source,
            last_crawl=_moment(crawls[0][0]) if crawls else None,
            last_ok=last_ok,
            outcome=crawls[0][1] if crawls else "never",
            reason=crawls[0][2] if crawls else "",
            failures=next((n for n, row in enumerate(crawls) if row[1] in ("ok", "running")), len(crawls)),
            stale=last_ok is None or utc(now) - last_ok > 3 * interval,
            fresh_a_day=fresh / days if days >= 1 else None,
            failing=failing,
            unbalanced=unbalanced,
        )

    def recent(self, source: str) -> Recent:
        """Say how the source's last crawl for news went; cheap enough to ask of every source every few minutes."""
        folder = self.folder / source
        if not (folder / "index.sqlite").is_file():
            return Recent()
        with closing(self._index(source)) as index:
            last = (
                "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'news'),"
                f" (SELECT max(id) FROM crawls WHERE {_NEWS}))"
            )
            row = index.execute(f"SELECT id, started_at, outcome FROM crawls WHERE id = {last}").fetchone()
            under_way = index.execute("SELECT 1 FROM crawls WHERE ended_at IS NULL").fetchone() is not None
            if row is None:
                return Recent(held=under_way and _held(folder))
            outcomes = index.execute(
                f"SELECT outcome FROM crawls WHERE id <= ? AND {_NEWS} ORDER BY id DESC", (row[0],)
            )
            failures = sum(1 for _ in itertools.takewhile(lambda one: one[0] == "failed", outcomes))
        return Recent(started_at=_moment(row[1]), outcome=row[2], failures=failures, held=under_way and _held(folder))

    def began(self, source: str) -> datetime | None:
        """Say when the source was first crawled for news, or last at all where it never was; None where not here."""
        if not (self.folder / source / "index.sqlite").is_file():
            return None
        with closing(self._index(source)) as index:
            first = f"(SELECT min(started_at) FROM crawls WHERE {_NEWS})"
            return _moment(index.execute(f"SELECT coalesce({first}, max(started_at)) FROM crawls").fetchone()[0])

    def pulse(self, source: str) -> Pulse:
        """Say when the source brought something new, and whether its lists have become empty."""
        with closing(self._index(source)) as index:
            rows = index.execute(
                f"SELECT started_at FROM crawls WHERE fresh > 0 AND {_NEWS} ORDER BY id DESC LIMIT ?", (_BEATS + 1,)
            ).fetchall()
            emptied = index.execute(
                "SELECT started_at FROM crawls WHERE outcome = 'ok' AND id = (SELECT max(crawl) FROM captures WHERE"
                f" kind = 'list' AND crawl IN (SELECT id FROM crawls WHERE {_NEWS}))"
                " AND id > (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'listed')"
            ).fetchone()
        beats = [datetime.fromisoformat(row[0]) for row in reversed(rows)]
        return Pulse(
            last_new=beats[-1] if beats else None,
            gaps=tuple(later - earlier for earlier, later in itertools.pairwise(beats)),
            emptied_at=_moment(emptied[0]) if emptied else None,
        )

    def broken(self, source: str) -> Iterator[str]:
        """Say which of a source's files are missing, or shorter than the index knows them to be."""
        with closing(self._index(source)) as index:
            files = index.execute(
                "SELECT file, max(offset + length) FROM captures GROUP BY file ORDER BY file"
            ).fetchall()
        for file, end in files:
            path = self.folder / source / file
            # A crawl that is under way, or was killed, has not finished its last file yet.
            path = path if path.exists() else path.with_name(f"{file}.open")
            if not path.exists():
                yield f"{file} is missing"
            elif path.stat().st_size < end:
                yield f"{file} is cut short: {path.stat().st_size} bytes of at least {end}"

    def writer(self, source: str) -> Writer:
        """Open a source for writing. Raises LockedError when another process has it, ArchiveError when unusable."""
        return Writer(self.folder / source, source)

    def turn(self, host: str) -> Turn | None:
        """Take the turn at asking a host; None while another process has it. It is to be released.

        Raises ArchiveError where the archive cannot be written.
        """
        path = self._turn_file(host)
        lock = FileLock(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            return None
        except OSError as error:
            raise ArchiveError(f"{path.parent}: cannot be written: {error.strerror}") from error
        return Turn(lock, path.with_suffix(".asked"))

    def asked(self, host: str) -> bool:
        """Say whether a process has the turn at asking a host right now."""
        path = self._turn_file(host)
        return path.exists() and _taken(path)

    def held(self, source: str) -> bool:
        """Say whether a process has a source right now, for news or for the past."""
        return (self.folder / source / "index.sqlite").is_file() and _held(self.folder / source)

    def _turn_file(self, host: str) -> Path:
        # No source has a dot in its name.
        return self.folder / ".hosts" / f"{host.replace(':', '_')}.lock"

    def rebuild_index(self, source: str, *, now: datetime) -> int:
        """Make the index anew from the WARC files alone, and give the number of pages; the old one is kept beside it.

        What only the index knew is lost: failing addresses, and how far lists were read.
        """
        folder = self.folder / source
        if not folder.is_dir():
            raise ArchiveError(f"{folder}: there is no such folder to rebuild an index from")
        with _locked(folder, source):
            fresh = folder / "index.sqlite.new"
            fresh.unlink(missing_ok=True)
            try:
                with closing(_connect(fresh)) as index:
                    index.execute("BEGIN IMMEDIATE")
                    pages = _rebuild(index, folder)
                    index.execute("COMMIT")
                old = folder / "index.sqlite"
                if old.exists():
                    old.replace(folder / f"index.sqlite.before-{utc(now):%Y%m%dT%H%M%S}")
                fresh.replace(old)
            except (OSError, sqlite3.Error) as error:
                raise ArchiveError(f"{folder}: the index cannot be rebuilt: {error}") from error
        return pages

    def _index(self, source: str) -> sqlite3.Connection:
        path = self.folder / source / "index.sqlite"
        if not path.is_file():
            raise ArchiveError(f"{path}: no such index; crawl {source} first, or rebuild it from its WARC files")
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        index = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise ArchiveError(f"{path}: cannot be opened: {error}") from error
    try:
        version = index.execute("PRAGMA user_version").fetchone()[0]
        if version > _SCHEMA_VERSION:
            raise ArchiveError(
                f"{path}: written by a newer sulh (version {version}, this one reads {_SCHEMA_VERSION}): update sulh"
            )
        if version == 0:
            # Full and rolled back, not a write-ahead log: readers on other machines may share the folder.
            index.execute("PRAGMA journal_mode = TRUNCATE")
            index.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
    except sqlite3.Error as error:
        index.close()
        raise ArchiveError(f"{path}: damaged, or no index: {error}; move it away and rebuild") from error
    except ArchiveError:
        index.close()
        raise
    return index


def _locked(folder: Path, source: str) -> BaseFileLock:
    lock = FileLock(folder / "lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(f"{source} is being crawled by another process; wait for it, or end it") from None
    except OSError as error:
        raise ArchiveError(f"{folder}: cannot be written: {error.strerror}") from error
    return lock


def _held(folder: Path) -> bool:
    """Say whether a process has the source; one that was killed has let go of it."""
    return _taken(folder / "lock")


def _taken(path: Path) -> bool:
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def retry_after(failures: int) -> timedelta:
    """Say how long to leave alone what has failed this often in a row."""
    doublings = min(max(failures - 1, 0), 20)
    return min(_FIRST_RETRY * (1 << doublings), _LAST_RETRY)


def _slice(path: Path, offset: int, length: int, id: str) -> bytes:
    # The crawl may finish (rename) the file between two looks, hence the name itself once more at the end.
    for candidate in (path, path.with_name(path.name + ".open"), path):
        try:
            with candidate.open("rb") as file:
                file.seek(offset)
                raw = file.read(length)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ArchiveError(f"{candidate}: cannot be read: {error.strerror}") from error
        if len(raw) < length:
            raise ArchiveError(f"{candidate}: is cut short: capture {id} at offset {offset} is not all there")
        return raw
    raise ArchiveError(f"{path}: is missing; capture {id} lay in it at offset {offset}")


def _response(raw: bytes) -> tuple[Headers, bytes]:
    for record in ArchiveIterator(io.BytesIO(raw), check_digests="raise"):
        if record.rec_type != "response" or record.http_headers is None:
            break
        return tuple(record.http_headers.headers), record.raw_stream.read()
    raise ValueError("no response record there")


def _hash(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()


def _iso(moment: datetime) -> str:
    return utc(moment).isoformat(timespec="microseconds")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(slots=True)
class _Job:
    work: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """Writes one source's archive from one thread, and answers when what was written is on disk.

    Calls return futures. What came in while the disk was busy is written together, so that the wait for the disk is
    shared. A context manager: leaving it settles what is open and finishes the file.
    """

    def __init__(self, folder: Path, source: str) -> None:
        self.folder, self.source = folder, source
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArchiveError(f"{folder}: cannot be made: {error.strerror}") from error
        self._lock = _locked(folder, source)
        try:
            self._index = _connect(folder / "index.sqlite")
            self._index.execute("PRAGMA synchronous = FULL")
            if self._index.execute("PRAGMA user_version").fetchone()[0] < _SCHEMA_VERSION:
                # Version 1 lacks what is kept of web archives, version 2 when lists were read; readers do without.
                self._index.executescript(f"BEGIN IMMEDIATE; {_PAST} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
            self._file: io.FileIO | None = None
            self._name, self._length = "", 0
            self._recover()
        except sqlite3.Error as error:
            self._lock.release()
            raise ArchiveError(f"{folder / 'index.sqlite'}: cannot be written: {error}") from error
        except BaseException:
            self._lock.release()
            raise
        self._crawl = 0
        self._past = False
        self._day = ""
        self._complete = -1
        self._listed: set[str] = set()
        self._broken: ArchiveError | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"archive-{source}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is waiting, finish the file and let go of the source."""
        if not self._thread.is_alive():
            return
        self._jobs.put(None)
        self._thread.join()
        try:
            if self._broken is None:
                self._finish_file()
        finally:
            if self._file is not None:
                self._file.close()
            self._index.close()
            self._lock.release()

    # What a crawl says. Each runs in the writer's thread, in the order of the calls.

    def begin(self, now: datetime, *, past: bool = False) -> Future[int]:
        """Begin a crawl; items that an earlier one left open become failed as ``interrupted``, and due at once.

        One of the past says nothing of when to look for news again.
        """
        return self._do(lambda: self._begin(now, past))

    def discover(self, items: Sequence[Listed], now: datetime) -> Future[Discovered]:
        """Count listed items as discovered, settle those that are known, and give those to fetch."""
        return self._do(lambda: self._discover(items, now))

    def due(self, now: datetime) -> Future[tuple[Due, ...]]:
        """Give the pages whose time has come though no list names them any more: revisits and failed ones."""
        return self._do(lambda: self._due(now))

    def store(self, item: Due, exchange: Exchange) -> Future[Stored]:
        """Archive a page. Its future raises BodyError when the body cannot be taken; then call `fail`."""
        return self._do(lambda: self._store_page(item, exchange))

    def store_list(self, exchange: Exchange, *, kind: Kind = "list") -> Future[bytes]:
        """Archive a feed, sitemap, listing or robots.txt, and give its body, decompressed."""
        return self._do(lambda: self._store_list(exchange, kind))

    def kept(self, address: str, kind: Kind = "list") -> Future[Kept | None]:
        """Give a list as it was last archived; None where it never was, or its file is damaged."""
        return self._do(lambda: self._kept(address, kind))

    def note_readings(self, readings: Mapping[str, datetime]) -> Future[None]:
        """Keep when lists were last found to be as they lie in the archive."""
        rows = [(address, _iso(at)) for address, at in readings.items()]
        return self._do(lambda: self._note_readings(rows))

    def unchanged(self, item: Due, now: datetime) -> Future[None]:
        """Settle an item as known: the server says that it has not been modified."""
        return self._do(lambda: self._known(item.address, "not-modified", now))

    def refuse(self, item: Due, reason: str, now: datetime) -> Future[None]:
        """Settle an item as refused by a rule of ours or of the site; it is looked at again when it is listed again."""
        return self._do(lambda: self._decline(item.address, "refused", reason, now))

    def fail(self, item: Due, reason: str, now: datetime) -> Future[None]:
        """Settle an item as failed for now; it is kept and tried again later."""
        return self._do(lambda: self._decline(item.address, "failed", reason, now))

    def lists(self) -> Future[dict[str, Known]]:
        """Give the lists as they were when each was last read to its end."""
        return self._do(self._lists)

    def notes(self) -> Future[dict[str, str]]:
        """Give what the last complete reading noted, such as how far it came."""
        return self._do(lambda: dict(self._index.execute("SELECT substr(key, 6), value FROM meta WHERE key > 'note:'")))

    def settle_lists(
        self, lists: Iterable[Known], notes: Mapping[str, str], now: datetime, *, complete: bool
    ) -> Future[None]:
        """Keep the lists that were read to their end; if all were, later crawls may stop at what is known."""
        return self._do(lambda: self._settle_lists(list(lists), dict(notes) if complete else None, now))

    def take(self, exchange: Exchange, past: Past | None = None) -> Future[Stored]:
        """Archive a page of another archive, as of when it was fetched; one that is here already is known."""
        return self._do(lambda: self._take(exchange, past))

    def weigh(self, listed: Sequence[Past], now: datetime) -> Future[Weighed]:
        """Settle what a web archive lists and need not be fetched, and give the rest; only what is settled counts."""
        return self._do(lambda: self._weigh(listed, now))

    def pass_over(self, past: Past, disposition: Literal["refused", "failed"], reason: str) -> Future[None]:
        """Settle a web archive's capture that was asked for: refused for good, or failed and asked for next time."""
        return self._do(lambda: self._pass_over(past, disposition, reason))

    def end(self, outcome: Outcome, reason: str, now: datetime) -> Future[dict[str, int]]:
        """End the crawl and give its counts by disposition; ``unsettled`` counts items without one, an error."""
        return self._do(lambda: self._end(outcome, reason, now))

    # The thread.

    def _do(self, work: Callable[[], Result]) -> Future[Result]:
        job = _Job(work)
        self._jobs.put(job)
        return job.future

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            batch: list[_Job] = []
            while job is not None:
                batch.append(job)
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._write(batch)
            if job is None:
                return

    def _write(self, batch: Sequence[_Job]) -> None:
        """Do the batch's work, bring it to disk, then answer: each future holds only when all of it is safe."""
        answers: list[tuple[_Job, Any, BaseException | None]] = []
        if self._broken is None:
            try:
                self._index.execute("BEGIN IMMEDIATE")
                for job in batch:
                    self._index.execute("SAVEPOINT job")
                    length = self._length
                    try:
                        answers.append((job, job.work(), None))
                    except (OSError, sqlite3.OperationalError):
                        raise
                    except Exception as error:
                        self._index.execute("ROLLBACK TO job")
                        self._cut(length)
                        answers.append((job, None, error))
                    self._index.execute("RELEASE job")
                self._sync()
                self._index.execute("COMMIT")
            except (OSError, sqlite3.Error) as error:
                self._broken = self._break(error)
        for job in batch if self._broken is not None else ():
            job.future.set_exception(self._broken)
        for job, result, failure in answers if self._broken is None else ():
            if failure is not None:
                job.future.set_exception(failure)
            else:
                job.future.set_result(result)

    def _break(self, error: Exception) -> ArchiveError:
        """Undo the batch in file and index, so that nothing is half there."""
        with suppress(sqlite3.Error):
            self._index.execute("ROLLBACK")
        with suppress(OSError, sqlite3.Error):
            row = self._index.execute("SELECT length FROM files WHERE name = ?", (self._name,)).fetchone()
            self._cut(row[0] if row else 0)
        what = getattr(error, "strerror", None) or str(error)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "full" in what
        advice = "free some space and crawl again" if full else "nothing of the last records was kept"
        return ArchiveError(f"{self.folder}: cannot be written: {what}; {advice}")

    # Files.

    def _cut(self, length: int) -> None:
        """Take back what was appended since the file had this length."""
        if self._file is not None and length < self._length:
            self._file.truncate(length)
            self._file.seek(length)
            self._length = length

    def _recover(self) -> None:
        """Cut off what the index does not know, and finish the file, whatever moment the last crawl ended at."""
        for path in sorted(self.folder.glob("*.warc.gz.open")):
            name = path.name.removesuffix(".open")
            row = self._index.execute("SELECT length FROM files WHERE name = ?", (name,)).fetchone()
            try:
                if row is None:
                    path.unlink()
                    continue
                with path.open("r+b") as file:
                    if file.seek(0, os.SEEK_END) > row[0]:
                        file.truncate(row[0])
                        os.fsync(file.fileno())
                path.rename(self.folder / name)
            except OSError as error:
                raise ArchiveError(f"{path}: cannot be finished: {error.strerror}") from error

    def _open_file(self, moment: datetime) -> io.FileIO:
        stamp = f"{self.source}-{utc(moment):%Y%m%dT%H%M%S}"
        taken = {row[0] for row in self._index.execute("SELECT name FROM files")}
        taken |= {path.name.removesuffix(".open") for path in self.folder.glob("*.warc.gz*")}
        number = next(n for n in range(1, 10**6) if f"{stamp}-{n:04}.warc.gz" not in taken)
        self._name, self._length = f"{stamp}-{number:04}.warc.gz", 0
        self._file = (self.folder / f"{self._name}.open").open("xb", buffering=0)
        _sync_folder(self.folder)
        info = {"software": "sulh", "format": "WARC File Format 1.1", "isPartOf": self.source}
        buffer = io.BytesIO()
        writer = WARCWriter(buffer, gzip=False, warc_version="WARC/1.1")
        writer.write_record(writer.create_warcinfo_record(self._name, info))
        self._append(_member(buffer.getvalue()))
        return self._file

    def _append(self, data: bytes) -> int:
        assert self._file is not None
        offset, view = self._length, memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._length += len(data)
        return offset

    def _sync(self) -> None:
        if self._file is None:
            return
        known = self._index.execute("SELECT length FROM files WHERE name = ?", (self._name,)).fetchone()
        if known is None or known[0] != self._length:
            os.fsync(self._file.fileno())
            self._index.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (self._name, self._length))
            if self._length > _MAX_FILE:
                # Finished by the next start at the latest: the file is whole, only its name says otherwise.
                self._file.close()
                self._file = None
                self._finish(self._name)

    def _finish_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._finish(self._name)

    def _finish(self, name: str) -> None:
        try:
            (self.folder / f"{name}.open").rename(self.folder / name)
            _sync_folder(self.folder)
        except OSError as error:
            raise ArchiveError(f"{self.folder / name}: cannot be finished: {error.strerror}") from error

    def _record(
        self,
        kind: Kind,
        address: str,
        canonical: str,
        exchange: Exchange,
        title: str = "",
        published: str | None = None,
        past: Past | None = None,
    ) -> None:
        """Append request, response and what we know of them, and name them in the index."""
        if self._file is None:
            self._file = self._open_file(exchange.fetched_at)
        moment = _iso(exchange.fetched_at)
        id = digest(self.source, canonical, moment)
        response, others = _records(
            exchange,
            {
                "id": id,
                "source": self.source,
                "kind": kind,
                "address": address,
                "url": canonical,
                "requested": exchange.requested,
                "redirects": list(exchange.redirects),
                "fetched_at": moment,
                "listed_title": title,
                "listed_published": published,
            }
            | ({"past": [past.url, past.digest]} if past else {}),
        )
        offset = self._append(response)
        self._append(others)
        self._index.execute(
            "INSERT INTO captures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(id, kind, address, canonical, moment, exchange.status),
                *(self._name, offset, len(response), title, published, self._crawl),
            ),
        )

    # The work of the calls above, within a transaction.

    def _begin(self, now: datetime, past: bool) -> int:
        for (crawl,) in self._index.execute("SELECT id FROM crawls WHERE ended_at IS NULL").fetchall():
            self._crawl = crawl
            self._end("interrupted", "the process ended before the crawl did", now, open_reason="interrupted")
        row = self._index.execute("SELECT value FROM meta WHERE key = 'complete'").fetchone()
        self._complete = int(row[0]) if row else -1
        self._listed.clear()
        self._day = _iso(now)[:10]
        self._crawl = self._index.execute("INSERT INTO crawls (started_at) VALUES (?)", (_iso(now),)).lastrowid or 0
        self._past = past
        # One of the past is marked in `meta`, so that indexes of earlier versions can be read as they are.
        mark = (f"backfill:{self._crawl}", "") if past else ("news", str(self._crawl))
        self._index.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", mark)
        return self._crawl

    def _discover(self, items: Sequence[Listed], now: datetime) -> Discovered:
        due: list[Due] = []
        tally: dict[tuple[str, str], int] = {}
        fresh = repeated = discovered = 0
        met = False
        for item in items:
            if item.address in self._listed:
                repeated += 1
                continue
            self._listed.add(item.address)
            discovered += 1
            if item.refused:
                tally["refused", item.refused] = tally.get(("refused", item.refused), 0) + 1
                continue
            row = self._index.execute(
                "SELECT state, first_crawl, next_attempt, listed_modified, fetch, etag, last_modified, fetched_at"
                " FROM urls WHERE address = ?",
                (item.address,),
            ).fetchone()
            published = _iso(item.published) if item.published else None
            modified = _iso(item.modified) if item.modified else None
            if row is None and item.old:
                tally["refused", "old"] = tally.get(("refused", "old"), 0) + 1
                continue
            if row is None:
                fresh += 1
                self._index.execute(
                    "INSERT INTO urls (address, fetch, state, first_seen, first_crawl, next_attempt, listed_title,"
                    " listed_published, listed_modified) VALUES (?, ?, 'new', ?, ?, ?, ?, ?, ?)",
                    (item.address, item.url, _iso(now), self._crawl, _iso(now), item.title, published, modified),
                )
                due.append(Due(address=item.address, url=item.url))
                continue
            state, first_crawl, next_attempt, before, fetch, etag, last_modified, fetched_at = row
            met = met or first_crawl <= self._complete
            # Without an earlier word on its changes, only one after our own look is news.
            changed = modified is not None and modified > (before or fetched_at or "")
            if (before or "") < (modified or ""):
                self._index.execute(
                    "UPDATE urls SET listed_modified = ?, listed_title = ?, next_attempt = ? WHERE address = ?",
                    (modified, item.title, _iso(now) if changed else next_attempt, item.address),
                )
            if state in ("new", "refused") or changed or (next_attempt and next_attempt <= _iso(now)):
                due.append(Due(address=item.address, url=fetch, etag=etag, last_modified=last_modified))
            else:
                reason = "failing" if state == "failing" else "seen"
                tally["known", reason] = tally.get(("known", reason), 0) + 1
        if items and not self._past:
            self._index.execute("INSERT OR REPLACE INTO meta VALUES ('listed', ?)", (str(self._crawl),))
        self._open_items(due)
        self._index.execute(
            "UPDATE crawls SET discovered = discovered + ?, fresh = fresh + ? WHERE id = ?",
            (discovered, fresh, self._crawl),
        )
        for (disposition, reason), count in tally.items():
            self._tally(self._day, disposition, reason, count)
        return Discovered(due=tuple(due), fresh=fresh, repeated=repeated, met=met)

    def _due(self, now: datetime) -> tuple[Due, ...]:
        rows = self._index.execute(
            "SELECT address, fetch, etag, last_modified FROM urls WHERE next_attempt <= ?"
            " ORDER BY next_attempt, address",
            (_iso(now),),
        ).fetchall()
        due = tuple(
            Due(address=address, url=fetch, etag=etag, last_modified=last_modified)
            for address, fetch, etag, last_modified in rows
            if address not in self._listed
        )
        self._listed.update(item.address for item in due)
        self._open_items(due)
        self._index.execute("UPDATE crawls SET discovered = discovered + ? WHERE id = ?", (len(due), self._crawl))
        return due

    def _store_page(self, item: Due, exchange: Exchange) -> Stored:
        body = decode_body(exchange.headers, exchange.body)
        seen = _hash(body)
        before, title, published, first_seen = self._index.execute(
            "SELECT body_hash, listed_title, listed_published, first_seen FROM urls WHERE address = ?", (item.address,)
        ).fetchone()
        if seen == before:
            self._known(item.address, "unchanged", exchange.fetched_at)
            return Stored(disposition="known", reason="unchanged", canonical="", body=body)
        canonical = declared_canonical(body, exchange.url)
        self._record("page", item.address, canonical, exchange, title, published)
        headers = {name.lower(): value for name, value in exchange.headers}
        self._index.execute(
            "UPDATE urls SET state = 'archived', canonical = ?, fetch = ?, etag = ?, last_modified = ?, body_hash = ?,"
            " fetched_at = ?, next_attempt = ?, attempts = 0, reason = '' WHERE address = ?",
            (
                canonical,
                exchange.url,
                headers.get("etag", ""),
                headers.get("last-modified", ""),
                seen,
                _iso(exchange.fetched_at),
                _next_revisit(published or first_seen, first_seen, exchange.fetched_at),
                item.address,
            ),
        )
        self._settle(item.address, "fetched", "", exchange.fetched_at)
        return Stored(disposition="fetched", reason="", canonical=canonical, body=body)

    def _weigh(self, listed: Sequence[Past], now: datetime) -> Weighed:
        due: list[Past] = []
        waiting: list[Past] = []
        held: list[Past] = []
        tally: Counter[tuple[str, str, str]] = Counter()
        digests: set[str] = set()
        for past in listed:
            settled = ("refused", past.refused) if past.refused else self._settled(past)
            if settled is not None:
                tally[_iso(past.captured_at)[:10], *settled] += 1
                if settled[0] == "known":
                    held.append(past)
            elif past.digest and past.digest in digests:
                waiting.append(past)
            else:
                due.append(past)
                digests.add(past.digest)
        for (day, disposition, reason), count in tally.items():
            self._tally(day, disposition, reason, count)
        self._count(tally.total())
        return Weighed(due=tuple(due), waiting=tuple(waiting), held=tuple(held))

    def _settled(self, past: Past) -> tuple[str, str] | None:
        """Say what is known of a capture; None for one to fetch."""
        moment = _iso(past.captured_at)
        row = self._index.execute(
            "SELECT disposition, reason FROM past WHERE captured_at = ? AND url = ? AND digest = ?",
            (moment, past.url, past.digest),
        ).fetchone()
        if row is None and past.digest:
            row = self._index.execute(
                "SELECT disposition, 'same-digest' FROM past WHERE digest = ? AND disposition = 'fetched'"
                " UNION ALL SELECT disposition, reason FROM past WHERE digest = ? LIMIT 1",
                (past.digest, past.digest),
            ).fetchone()
        if row is not None:
            return ("known", row[1] or "seen") if row[0] == "fetched" else row
        here = self._index.execute(
            "SELECT 1 FROM captures WHERE kind = 'page' AND fetched_at = ? AND address = ?",
            (moment, canonical_url(past.url)),
        ).fetchone()
        return ("known", "seen") if here else None

    def _pass_over(self, past: Past, disposition: Literal["refused", "failed"], reason: str) -> None:
        self._count(1)
        self._tally(_iso(past.captured_at)[:10], disposition, reason, 1)
        if disposition == "refused":
            _keep_past(self._index, past, disposition, reason)

    def _count(self, discovered: int) -> None:
        self._index.execute("UPDATE crawls SET discovered = discovered + ? WHERE id = ?", (discovered, self._crawl))

    def _take(self, exchange: Exchange, past: Past | None) -> Stored:
        address, moment = canonical_url(exchange.url), _iso(exchange.fetched_at)
        self._count(1)
        try:
            body = decode_body(exchange.headers, exchange.body)
        except BodyError as error:
            self._tally(moment[:10], "failed", error.reason, 1)
            return Stored(disposition="failed", reason=error.reason, canonical=address, body=b"")
        canonical = declared_canonical(body, exchange.url)
        id = digest(self.source, canonical, moment)
        if past is not None:
            _keep_past(self._index, past, "fetched", "")
        if self._index.execute("SELECT 1 FROM captures WHERE id = ?", (id,)).fetchone():
            self._tally(moment[:10], "known", "seen", 1)
            return Stored(disposition="known", reason="seen", canonical=canonical, body=body)
        self._record("page", address, canonical, exchange, past=past)
        facts = {"address": address, "url": canonical, "fetch": exchange.url, "fetched_at": moment}
        _remember(self._index, facts, exchange.headers, body, self._crawl)
        self._tally(moment[:10], "fetched", "", 1)
        return Stored(disposition="fetched", reason="", canonical=canonical, body=body)

    def _store_list(self, exchange: Exchange, kind: Kind) -> bytes:
        body = decode_body(exchange.headers, exchange.body)
        address, seen = canonical_url(exchange.requested), _hash(body)
        before = self._index.execute("SELECT hash FROM bodies WHERE address = ?", (address,)).fetchone()
        if before is None or before[0] != seen:
            # The same bytes as last time are archived already: an hourly look must not fill the disk.
            self._record(kind, address, address, exchange)
            self._index.execute("INSERT OR REPLACE INTO bodies VALUES (?, ?)", (address, seen))
        return body

    def _kept(self, address: str, kind: Kind) -> Kept | None:
        row = self._index.execute(
            "SELECT id, file, offset, length, fetched_at, (SELECT read_at FROM readings WHERE address = ?1)"
            " FROM captures WHERE kind <> 'page' AND kind = ?2 AND address = ?1 ORDER BY fetched_at DESC LIMIT 1",
            (address, kind),
        ).fetchone()
        if row is None:
            return None
        id, file, offset, length, fetched_at, read_at = row
        try:
            raw = _slice(self.folder / file, offset, length, id)
            record = next(iter(ArchiveIterator(io.BytesIO(raw), check_digests="raise")))
            url = record.rec_headers.get_header("WARC-Target-URI")
            headers, body = _response(raw)
            body = decode_body(headers, body)
        except (ArchiveError, ArchiveLoadFailed, BodyError, zlib.error, ValueError, EOFError, StopIteration):
            return None
        current = read_at if read_at and read_at >= fetched_at else None
        return Kept(url=url, headers=headers, body=body, read_at=_moment(current))

    def _note_readings(self, rows: Sequence[tuple[str, str]]) -> None:
        self._index.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?)", rows)

    def _known(self, address: str, reason: str, now: datetime) -> None:
        published, first_seen = self._index.execute(
            "SELECT listed_published, first_seen FROM urls WHERE address = ?", (address,)
        ).fetchone()
        self._index.execute(
            "UPDATE urls SET state = 'archived', next_attempt = ?, attempts = 0, reason = '' WHERE address = ?",
            (_next_revisit(published or first_seen, first_seen, now), address),
        )
        self._settle(address, "known", reason, now)

    def _decline(self, address: str, disposition: Literal["refused", "failed"], reason: str, now: datetime) -> None:
        (attempts,) = self._index.execute("SELECT attempts FROM urls WHERE address = ?", (address,)).fetchone()
        wait = retry_after(attempts + 1)
        failed = disposition == "failed"
        self._index.execute(
            "UPDATE urls SET state = ?, reason = ?, attempts = attempts + 1, next_attempt = ? WHERE address = ?",
            ("failing" if failed else "refused", reason, _iso(now + wait) if failed else None, address),
        )
        self._settle(address, disposition, reason, now)

    def _lists(self) -> dict[str, Known]:
        rows = self._index.execute("SELECT address, parent, etag, last_modified, hint FROM lists")
        return {
            row[0]: Known(address=row[0], parent=row[1], etag=row[2], last_modified=row[3], hint=row[4]) for row in rows
        }

    def _settle_lists(self, lists: Sequence[Known], notes: Mapping[str, str] | None, now: datetime) -> None:
        self._index.executemany(
            "INSERT OR REPLACE INTO lists VALUES (?, ?, ?, ?, ?, ?)",
            [(known.address, known.parent, known.etag, known.last_modified, known.hint, _iso(now)) for known in lists],
        )
        if notes is None:
            return
        rows = [("complete", str(self._crawl)), *((f"note:{key}", value) for key, value in notes.items())]
        self._index.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def _end(self, outcome: str, reason: str, now: datetime, *, open_reason: str = "unsettled") -> dict[str, int]:
        left = self._index.execute(
            "SELECT address FROM items WHERE crawl = ? AND disposition IS NULL", (self._crawl,)
        ).fetchall()
        if outcome == "interrupted":
            open_reason = "interrupted"
        for (address,) in left:
            self._settle(address, "failed", open_reason, now)
            self._index.execute("UPDATE urls SET next_attempt = ? WHERE address = ?", (_iso(now), address))
        rows = self._index.execute(
            "SELECT day, disposition, reason, count(*) FROM items WHERE crawl = ? GROUP BY 1, 2, 3", (self._crawl,)
        ).fetchall()
        for row in rows:
            self._tally(*row)
        self._index.execute("DELETE FROM items WHERE crawl = ?", (self._crawl,))
        self._index.execute(
            "UPDATE crawls SET ended_at = ?, outcome = ?, reason = ? WHERE id = ?",
            (_iso(now), outcome, reason, self._crawl),
        )
        counts = dict.fromkeys(("fetched", "known", "refused", "failed"), 0)
        counts |= dict(
            self._index.execute(
                "SELECT disposition, sum(count) FROM tallies WHERE crawl = ? GROUP BY 1", (self._crawl,)
            ).fetchall()
        )
        (discovered,) = self._index.execute("SELECT discovered FROM crawls WHERE id = ?", (self._crawl,)).fetchone()
        unsettled = len(left) if open_reason == "unsettled" else 0
        return {"discovered": discovered, **counts, "unsettled": unsettled}

    def _open_items(self, due: Iterable[Due]) -> None:
        self._index.executemany(
            "INSERT INTO items (crawl, address, day) VALUES (?, ?, ?)",
            [(self._crawl, item.address, self._day) for item in due],
        )

    def _settle(self, address: str, disposition: str, reason: str, now: datetime) -> None:
        """Give an item its one disposition; a second one is an error of the program, never a silent overwrite."""
        done = self._index.execute(
            "UPDATE items SET disposition = ?, reason = ?, day = ? WHERE crawl = ? AND address = ?"
            " AND disposition IS NULL",
            (disposition, reason, _iso(now)[:10], self._crawl, address),
        ).rowcount
        if done != 1:
            raise RuntimeError(f"{self.source}: {address} was settled twice, or never discovered, as {disposition}")

    def _tally(self, day: str, disposition: str, reason: str, count: int) -> None:
        self._index.execute(
            "INSERT INTO tallies VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (crawl, day, disposition, reason) DO UPDATE SET count = count + excluded.count",
            (self._crawl, day, disposition, reason, count),
        )


def _remember(index: sqlite3.Connection, facts: Mapping[str, Any], headers: Headers, body: bytes, crawl: int) -> None:
    """Put an archived page's address into the index, unless that knows of a later capture; revisits are not planned."""
    named = {name.lower(): value for name, value in headers}
    index.execute(
        "INSERT INTO urls (address, fetch, canonical, state, first_seen, first_crawl, etag, last_modified, body_hash,"
        " fetched_at, listed_title, listed_published) VALUES (?, ?, ?, 'archived', ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (address) DO UPDATE SET fetch = excluded.fetch, canonical = excluded.canonical,"
        " state = 'archived', etag = excluded.etag, last_modified = excluded.last_modified,"
        " body_hash = excluded.body_hash, fetched_at = excluded.fetched_at"
        " WHERE coalesce(fetched_at, '') < excluded.fetched_at",
        (
            *(facts["address"], facts["fetch"], facts["url"], facts["fetched_at"], crawl),
            *(named.get("etag", ""), named.get("last-modified", ""), _hash(body), facts["fetched_at"]),
            *(facts.get("listed_title", ""), facts.get("listed_published")),
        ),
    )


def _keep_past(index: sqlite3.Connection, past: Past, disposition: str, reason: str) -> None:
    """Remember a web archive's capture, so that no later call asks for it, or for the same bytes, again."""
    index.execute(
        "INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?, ?)",
        (_iso(past.captured_at), past.url, past.digest, disposition, reason),
    )


def _rebuild(index: sqlite3.Connection, folder: Path) -> int:
    """Read all WARC files into an empty index; whole records only, so a file that was cut short gives what it has."""
    moments: list[str] = []
    for path in sorted([*folder.glob("*.warc.gz"), *folder.glob("*.warc.gz.open")]):
        name, length = path.name.removesuffix(".open"), 0
        responses: dict[str, _Found] = {}
        with path.open("rb") as file, suppress(ArchiveLoadFailed, zlib.error, EOFError):
            records = ArchiveIterator(file)
            for record in records:
                content = record.raw_stream.read()
                offset, size = records.get_record_offset(), records.get_record_length()
                about = record.rec_headers.get_header
                if record.rec_type == "response" and record.http_headers is not None:
                    responses[about("WARC-Record-ID")] = _Found(
                        offset=offset,
                        length=size,
                        status=int(record.http_headers.get_statuscode()),
                        url=about("WARC-Target-URI"),
                        headers=tuple(record.http_headers.headers),
                        content=content,
                    )
                elif record.rec_type == "metadata" and about("WARC-Concurrent-To") in responses:
                    facts = json.loads(content)
                    _reindex(index, name, facts, responses.pop(about("WARC-Concurrent-To")))
                    if facts["kind"] == "page":
                        moments.append(facts["fetched_at"])
                    length = offset + size
        index.execute("INSERT INTO files VALUES (?, ?)", (name, length))
    if moments:
        index.execute(
            "INSERT INTO crawls (id, started_at, ended_at, outcome, reason, discovered) VALUES (0, ?, ?, 'rebuilt',"
            " 'from the WARC files', ?)",
            (min(moments), max(moments), len(moments)),
        )
        for day in sorted({moment[:10] for moment in moments}):
            count = sum(moment[:10] == day for moment in moments)
            index.execute("INSERT INTO tallies VALUES (0, ?, 'fetched', '', ?)", (day, count))
    return len(moments)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One response record of a WARC file, and where it lies."""

    offset: int
    length: int
    status: int
    url: str
    headers: Headers
    content: bytes


def _reindex(index: sqlite3.Connection, name: str, facts: Mapping[str, Any], found: _Found) -> None:
    body = decode_body(found.headers, found.content)
    index.execute(
        "INSERT INTO captures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (
            *(facts["id"], facts["kind"], facts["address"], facts["url"], facts["fetched_at"], found.status, name),
            *(found.offset, found.length, facts["listed_title"], facts["listed_published"]),
        ),
    )
    if past := facts.get("past"):
        moment = datetime.fromisoformat(facts["fetched_at"])
        _keep_past(index, Past(url=past[0], digest=past[1], captured_at=moment), "fetched", "")
    if facts["kind"] == "page":
        _remember(index, dict(facts) | {"fetch": found.url}, found.headers, body, 0)
    else:
        index.execute("INSERT OR REPLACE INTO bodies VALUES (?, ?)", (facts["address"], _hash(body)))


def import_warc(
    archive: Archive,
    files: Iterable[Path],
    source: str,
    *,
    site: str,
    now: datetime,
    since: date | None = None,
    until: date | None = None,
) -> dict[str, int]:
    """Copy a site's pages from WARC files into the source's archive, and give the crawl's counts.

    Pages are those that were answered with 200 and HTML, on the days asked for. Importing again changes nothing. Raises
    ArchiveError that names a file which is missing or no WARC file, before anything is written.
    """
    paths = list(files)
    for path in paths:
        _first_record(path)
    with archive.writer(source) as writer:
        writer.begin(now, past=True).result()
        waiting: deque[Future[Stored]] = deque()
        problem = ""
        for path in paths:
            try:
                for exchange in _pages_of(path, site):
                    if (since or date.min) <= exchange.fetched_at.date() <= (until or date.max):
                        waiting.append(writer.take(exchange))
                        if len(waiting) > 64:  # so that a large file is not read into memory ahead of the disk
                            waiting.popleft().result()
                if (cut := cut_at(path)) is not None:
                    problem = problem or f"{path}: breaks off at byte {cut}; the pages before that were taken"
            except (ArchiveLoadFailed, zlib.error, EOFError, OSError, ValueError) as error:
                problem = problem or f"{path}: is damaged: {error}; the pages before the damage were taken"
        counts = writer.end("failed" if problem else "ok", problem, now).result()
    if problem:
        raise ArchiveError(problem)
    return counts


def cut_at(path: Path) -> int | None:
    """Give the offset of the record in which a WARC file breaks off, or None for a whole one.

    warcio reads a broken-off record as a shorter one, or as none at all, and says nothing.
    """
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            file.seek(0)
            return _cut_plain(file)
        file.seek(0)
        member, start, read = zlib.decompressobj(wbits=31), 0, 0
        while chunk := file.read(1 << 20):
            while chunk:
                try:
                    member.decompress(chunk)
                except zlib.error:
                    return start
                read += len(chunk) - len(member.unused_data)
                chunk = member.unused_data
                if member.eof:
                    member, start = zlib.decompressobj(wbits=31), read
        return start if read > start else None


def _cut_plain(file: BinaryIO) -> int | None:
    records = ArchiveIterator(file)
    for record in records:
        start = records.get_record_offset()
        record.raw_stream.read()
        if record.raw_stream.limit > 0:
            return int(start)
    return None


def _first_record(path: Path) -> None:
    try:
        with path.open("rb") as file:
            next(iter(ArchiveIterator(file)))
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
    except (ArchiveLoadFailed, StopIteration, zlib.error, EOFError) as error:
        raise ArchiveError(f"{path}: is no WARC file") from error


def _pages_of(path: Path, site: str) -> Iterator[Exchange]:
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            page = _page(record)
            if page is not None and same_site(page.url, site):
                yield page


_ENCODINGS = ("content-encoding", "transfer-encoding", "content-length")
"""Headers that speak of the body as it was sent: other archives keep it so, and it is no part of the page."""


def _page(record: Any) -> Exchange | None:
    """Give the page that a WARC record holds; None for any other record."""
    url, http = record.rec_headers.get_header("WARC-Target-URI") or "", record.http_headers
    if record.rec_type != "response" or http is None or not url:
        return None
    kind = (http.get_header("Content-Type") or "html").lower()
    if http.get_statuscode() != "200" or "html" not in kind:
        return None
    return Exchange(
        requested=url,
        url=url,
        request_headers=None,
        status=200,
        headers=tuple((name, value) for name, value in http.headers if name.lower() not in _ENCODINGS),
        body=record.content_stream().read(MAX_BODY + 1),
        fetched_at=utc(datetime.fromisoformat(record.rec_headers.get_header("WARC-Date"))),
    )


def page_of_record(raw: bytes) -> Exchange | None:
    """Read one gzipped WARC record, as cut out of its file: its page, or None where it holds none.

    Raises BodyError that names why the record cannot be had from these bytes.
    """
    member = zlib.decompressobj(wbits=31)
    try:
        member.decompress(raw)
    except zlib.error as error:
        raise BodyError("damaged") from error
    if not member.eof:
        raise BodyError("cut-short")
    try:
        for record in ArchiveIterator(io.BytesIO(raw)):
            if record.rec_headers.get_header("WARC-Truncated"):
                raise BodyError("cut-in-archive")
            return _page(record)
    except (ArchiveLoadFailed, zlib.error, EOFError, ValueError) as error:
        raise BodyError("damaged") from error
    raise BodyError("damaged")


def _next_revisit(published: str, first_seen: str, now: datetime) -> str | None:
    born = datetime.fromisoformat(published)
    if born > utc(now):
        born = datetime.fromisoformat(first_seen)  # a date in the future says nothing about the page's age
    return next((_iso(born + age) for age in _REVISITS if born + age > utc(now)), None)


def _records(exchange: Exchange, facts: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Give the response as one gzip member, and request and metadata as two more, as warcio writes them."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=False, warc_version="WARC/1.1")
    moment = {"WARC-Date": utc(exchange.fetched_at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    kept = [
        (name, value)
        for name, value in exchange.headers
        if name.lower() not in ("content-length", "transfer-encoding", "connection")
    ]
    kept.append(("Content-Length", str(len(exchange.body))))
    try:
        phrase = HTTPStatus(exchange.status).phrase
    except ValueError:
        phrase = "Unknown"
    heads = StatusAndHeaders(f"{exchange.status} {phrase}", kept, protocol=exchange.protocol)
    response = writer.create_warc_record(
        exchange.url,
        "response",
        payload=io.BytesIO(exchange.body),
        length=len(exchange.body),
        http_headers=heads,
        warc_headers_dict=dict(moment),
    )
    writer.write_record(response)
    first = buffer.getvalue()
    beside = moment | {"WARC-Concurrent-To": response.rec_headers.get_header("WARC-Record-ID")}
    parts = urlsplit(exchange.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    said = json.dumps(facts, ensure_ascii=False).encode()
    records = [
        writer.create_warc_record(
            exchange.url,
            "metadata",
            payload=io.BytesIO(said),
            length=len(said),
            warc_content_type="application/json",
            warc_headers_dict=dict(beside),
        )
    ]
    if exchange.request_headers is not None:
        line, fields = f"GET {target} {exchange.protocol}", [("Host", parts.netloc), *exchange.request_headers]
        asked = StatusAndHeaders(line, fields, is_http_request=True)
        request = writer.create_warc_record(exchange.url, "request", http_headers=asked, warc_headers_dict=dict(beside))
        records.insert(0, request)
    others = []
    for record in records:
        buffer.seek(0)
        buffer.truncate()
        writer.write_record(record)
        others.append(_member(buffer.getvalue()))
    return _member(first), b"".join(others)


def _member(data: bytes) -> bytes:
    # Level 4: near the size of level 9, at a third of its time; the archive is written once and read a few times.
    return zlib.compress(data, 4, wbits=zlib.MAX_WBITS | 16)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
