"""Reads what `sulh judge` is given: JSON lines, HTML pages or WARC files, in the order given."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from processors.addresses import canonical_url
from processors.archive import cut_at
from processors.errors import SulhError
from processors.records import Capture, Document, Rejection, digest, utc

STEP = "intake"
CUT_SHORT = "cut-short"
LINE_KEYS = {"id", "url", "title", "text", "published", "lang"}
"""What `judge` reads of a line; other keys are somebody's own and are left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to judge: the id under which its result is printed, and what to judge or why it can't be."""

    id: str
    work: Document | Capture | Rejection


def intake(files: list[str], *, now: datetime) -> Iterator[Item]:
    """Give the items of all files in order; ``-`` is standard input, read as JSON lines.

    A file is told by its first bytes: WARC (plain or gzip), JSON lines, else a page. Raises SulhError for a file that
    cannot be read; a single bad line is a rejected item.
    """
    order = 0
    for name in files:
        for item in _items(name, now):
            yield _in_order(item, order)
            order += 1


def _in_order(item: Item, order: int) -> Item:
    """Let documents of one moment keep the order given, which later steps tell by their times."""
    work = item.work
    if isinstance(work, Document):
        moment = (work.published_at or work.fetched_at) + timedelta(microseconds=order)
        changed = work.to_json() | {"fetched_at": moment.isoformat()}
        changed["published_at"] = moment.isoformat() if work.published_at else None
        return Item(id=item.id, work=Document.from_json(changed))
    return item


def _items(name: str, now: datetime) -> Iterator[Item]:
    if name == "-":
        yield from _lines(name, sys.stdin.buffer.read(), now)
        return
    path = Path(name)
    try:
        with path.open("rb") as file:
            head = file.read(512)
        if head.startswith((b"\x1f\x8b", b"WARC/")):
            yield from _records(path, now)
        elif path.suffix in (".jsonl", ".ndjson", ".json") or head.lstrip().startswith(b"{"):
            yield from _lines(name, path.read_bytes(), now)
        else:
            yield Item(id=name, work=_page(path, now))
    except OSError as error:
        raise SulhError(f"{name}: cannot be read: {error.strerror or error}") from error


def _records(path: Path, now: datetime) -> Iterator[Item]:
    cut = cut_at(path)
    try:
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                if record.rec_type == "response" and record.http_headers is not None:
                    capture = _capture(record)
                    if record.raw_stream.limit > 0:
                        break
                    yield Item(id=capture.url, work=capture)
    except ArchiveLoadFailed as error:
        raise SulhError(f"{path}: not a WARC file: {error}") from error
    if cut is not None:
        place = f"{path}:{cut}"
        said = f"the file breaks off in the record at byte {cut}"
        yield Item(
            id=place, work=Rejection(step=STEP, reason=CUT_SHORT, source="judge", url=place, detail=said, at=now)
        )


def _capture(record: Any) -> Capture:
    url = canonical_url(record.rec_headers.get_header("WARC-Target-URI"))
    fetched_at = utc(datetime.fromisoformat(record.rec_headers.get_header("WARC-Date")))
    headers = tuple((str(name), str(value)) for name, value in record.http_headers.headers)
    return Capture(
        id=digest("judge", url, fetched_at.isoformat()),
        source="judge",
        url=url,
        fetched_at=fetched_at,
        status=int(record.http_headers.get_statuscode()),
        headers=headers,
        content_type=record.http_headers.get_header("Content-Type") or "",
        body=record.content_stream().read(),
        locator="",
    )


def _page(path: Path, now: datetime) -> Capture:
    url = path.resolve().as_uri()
    return Capture(
        id=digest("judge", url),
        source="judge",
        url=url,
        fetched_at=now,
        status=200,
        headers=(),
        content_type="",
        body=path.read_bytes(),
        locator="",
    )


def _lines(name: str, data: bytes, now: datetime) -> Iterator[Item]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            place = f"{name}:{number}"
            try:
                yield _line(json.loads(line), place, now)
            except (ValueError, TypeError, KeyError) as error:
                said = f"no key {error}" if isinstance(error, KeyError) else str(error)
                rejection = Rejection(step=STEP, reason="bad-line", source="judge", url=place, detail=said, at=now)
                yield Item(id=place, work=rejection)


def _line(line: Any, place: str, now: datetime) -> Item:
    if not isinstance(line, dict):
        raise TypeError(f"expected a JSON object, got {type(line).__name__}")
    values = {key: _text(line, key) for key in LINE_KEYS}
    if not (values["title"] or values["text"]):
        raise ValueError("expected a title or a text")
    id = values["id"] or values["url"] or place
    published = _moment(values["published"]) if values["published"] else None
    document = Document(
        # The texts are part of it: the same id with another text is another item.
        id=digest("judge", id, values["title"], values["text"]),
        source="judge",
        url=values["url"] or id,
        title=values["title"],
        text=values["text"],
        published_at=published,
        published_from="listing" if published else "none",
        fetched_at=published or now,
        declared=values["lang"],
        capture="",
    )
    return Item(id=id, work=document)


def _text(line: dict[str, Any], key: str) -> str:
    value = line.get(key)
    if value is None:
        return ""
    if key == "id" and isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise TypeError(f"{key}: expected text, got {type(value).__name__}")
    return value


def _moment(text: str) -> datetime:
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC)
    return utc(datetime.fromisoformat(text))
