"""Reads what the indexes of Common Crawl and of the Wayback Machine list; pure, and names what it cannot read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from crawlers.lists import ListError, day_of_text

_AROUND = timedelta(days=28)
"""How far captures lie from the week that names a collection of Common Crawl: a crawl takes two weeks, rarely three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One crawl of Common Crawl, with the span of its captures as far as it is known."""

    id: str
    index: str
    """Address of its index."""
    first: date = date.min
    last: date = date.max


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One capture as an index lists it."""

    url: str
    captured_at: datetime
    mime: str
    """Lower case; empty where the index does not know, as for a page that had not changed since an earlier capture."""
    status: str
    """Three digits; empty where the index does not know."""
    digest: str
    file: str = ""
    offset: int = 0
    length: int = 0
    broken: bool = False
    """Whether the index names a time that there is not; only the year is right."""


def read_collections(body: bytes, url: str) -> tuple[Collection, ...]:
    """Read Common Crawl's list of collections, newest first. Raises ListError for anything else."""
    try:
        listed = json.loads(body)
        named = [(str(entry["id"]), str(entry["cdx-api"]), entry) for entry in listed]
    except (ValueError, TypeError, KeyError) as error:
        raise ListError("not-a-list-of-collections", url) from error
    if not named:
        # It is empty while the service's storage is out of order.
        raise ListError("no-collections", url)
    found = []
    for id, index, entry in named:
        first, last = day_of_text(entry.get("from", "")), day_of_text(entry.get("to", ""))
        if first is None or last is None:
            first, last = _span(id)
        found.append(Collection(id=id, index=urljoin(url, index), first=first, last=last))
    return tuple(found)


def _span(id: str) -> tuple[date, date]:
    """Give a span that holds a collection, as its name tells: by week, or by years for the oldest."""
    week = re.fullmatch(r"CC-MAIN-(\d{4})-(\d{2})", id)
    if week:
        try:
            day = date.fromisocalendar(int(week[1]), int(week[2]), 1)
        except ValueError:
            return date.min, date.max
        return day - _AROUND, day + _AROUND
    years = re.fullmatch(r"CC-MAIN-(20\d\d)(?:-(20\d\d))?", id)
    if years:
        return date(int(years[1]), 1, 1), date(int(years[2] or years[1]), 12, 31)
    return date.min, date.max


def read_page_count(body: bytes, url: str) -> int:
    """Read how many pages an index of Common Crawl has for a query. Raises ListError for anything else."""
    try:
        said = json.loads(body)
        return int(said["pages"] if isinstance(said, dict) else said)
    except (ValueError, TypeError, KeyError) as error:
        raise ListError("not-an-index", f"{url} does not say how many pages it has") from error


def says_nothing_found(body: bytes) -> bool:
    """Say whether a 404 of an index means that it has nothing, rather than that it is not there."""
    try:
        said = json.loads(body)
    except ValueError:
        return False
    return isinstance(said, dict) and bool({"error", "message"} & said.keys())


def read_json_lines(body: bytes, url: str) -> tuple[Row, ...]:
    """Read a page of an index of Common Crawl. Raises ListError for anything else."""
    try:
        return tuple(_row(json.loads(line)) for line in body.splitlines() if line.strip())
    except (ValueError, TypeError, KeyError) as error:
        raise ListError("not-an-index", f"{url}: {error}") from error


def read_rows(body: bytes, url: str) -> tuple[tuple[Row, ...], str]:
    """Read a portion of the Wayback Machine's index and the key to the next one, if any. Raises ListError."""
    if not body.strip():
        return (), ""
    try:
        rows = json.loads(body)
        key = ""
        if len(rows) > 1 and rows[-2] == []:
            key = str(rows[-1][0])
            rows = rows[:-2]
        names = {"original": "url", "mimetype": "mime", "statuscode": "status"}
        heads = [names.get(name, name) for name in rows[0]] if rows else []
        return tuple(_row(dict(zip(heads, row, strict=True))) for row in rows[1:]), key
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ListError("not-an-index", f"{url}: {error}") from error


def _row(fields: Any) -> Row:
    if not isinstance(fields, dict):
        raise TypeError("a row is no object")
    mime = str(fields.get("mime-detected") or fields.get("mime") or "").partition(";")[0].strip().lower()
    status, digest = str(fields.get("status") or ""), str(fields.get("digest") or "")
    stamp, broken = str(fields["timestamp"]), False
    try:
        moment = datetime.strptime(stamp, "%Y%m%d%H%M%S")
    except ValueError:
        # A day like 20140230 stands in old indexes: one row, not the whole list, is wrong.
        moment, broken = datetime.strptime(stamp[:4], "%Y"), True
    return Row(
        url=str(fields["url"]),
        captured_at=moment.replace(tzinfo=UTC),
        broken=broken,
        mime="" if mime in ("-", "unk", "warc/revisit") else mime,
        status=status if re.fullmatch(r"[1-5]\d\d", status) else "",
        digest=digest.removeprefix("sha1:") if digest != "-" else "",
        file=str(fields.get("filename") or ""),
        offset=int(fields.get("offset") or 0),
        length=int(fields.get("length") or 0) if fields.get("filename") else 0,
    )
