"""A stand-in for Common Crawl and the Wayback Machine on the loopback, over records that warcio writes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from tests.crawlers.site import Asked, Reply, Site


@dataclass(frozen=True)
class Held:
    """One capture that the archives hold."""

    url: str
    stamp: str
    """When it was captured, as 14 digits."""
    body: bytes = b""
    status: int = 200
    mime: str = "text/html"
    headers: tuple[tuple[str, str], ...] = ()
    revisit: bool = False
    """Whether the index only says that it was as before."""
    collection: str = "CC-MAIN-2014-49"
    quirk: str = ""
    """cut: it breaks off; gone: it is not there; busy: 503 with Retry-After at first; down: 503 for a day; robots: not
    shown; moved: the replay leads to another capture; truncated: the archive kept only the beginning."""

    @property
    def digest(self) -> str:
        return base64.b32encode(hashlib.sha1(self.body).digest()).decode()

    @property
    def moment(self) -> datetime:
        return datetime.strptime(self.stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)

    @property
    def sort(self) -> tuple[str, str]:
        return (re.sub(r"^https?://(www\.)?", "", self.url), self.stamp)


def record(held: Held) -> bytes:
    """Write a capture as one gzipped WARC record."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True)
    fields = [("Content-Type", held.mime), *held.headers, ("Content-Length", str(len(held.body)))]
    more = {"WARC-Date": f"{held.moment:%Y-%m-%dT%H:%M:%SZ}"}
    if held.quirk == "truncated":
        more["WARC-Truncated"] = "length"
    http = StatusAndHeaders(f"{held.status} As It Was", fields, protocol="HTTP/1.1")
    made = writer.create_warc_record(
        *(held.url, "response", io.BytesIO(held.body)), length=len(held.body), http_headers=http, warc_headers_dict=more
    )
    writer.write_record(made)
    return buffer.getvalue()


@dataclass
class WebArchive(Site):
    """Both services at one address, holding what a test says."""

    held: list[Held] = field(default_factory=list)
    dead: tuple[str, ...] = ()
    """Collections that are listed and have no index."""
    portion: int = 3
    """Rows of an index that it gives at once."""

    def __post_init__(self) -> None:
        super().__init__()
        self.files: dict[str, tuple[bytes, dict[Held, tuple[int, int]]]] = {}
        self.tries: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self._busy = threading.RLock()

    @property
    def options(self) -> list[str]:
        """What tells a crawl to ask here."""
        options = ["--commoncrawl", f"{self.url}/", "--commoncrawl-data", f"{self.url}/data/"]
        return [*options, "--wayback", f"{self.url}/"]

    @property
    def fetched(self) -> list[str]:
        """The captures that were asked for, in order, with repetitions."""
        return [asked.path for asked in self.asked if asked.path.startswith(("/web/", "/data/"))]

    def answer(self, path: str, headers: Any) -> Reply:
        ranged = headers["Range"] or ""
        with self._busy:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.asked.append(Asked(f"{path}#{ranged}" if ranged else path, False, headers["User-Agent"]))
        self.watch(len(self.asked))
        try:
            parts = urlsplit(path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path == "/collinfo.json":
                return self._collections()
            if parts.path.endswith("-index"):
                with self._busy:
                    return self._index(parts.path[1:].removesuffix("-index"), query)
            if parts.path == "/cdx/search/cdx":
                return self._cdx(query)
            if parts.path.startswith("/data/"):
                with self._busy:
                    return self._data(parts.path.removeprefix("/data/"), ranged)
            if parts.path.startswith("/web/"):
                return self._replay(path)
            return Reply(b"nothing here", 404)
        finally:
            with self._busy:
                self.at_once -= 1

    def _listed(self, query: dict[str, str]) -> list[Held]:
        first, last = query.get("from", "0").ljust(14, "0"), query.get("to", "9").ljust(14, "9")
        return sorted((held for held in self.held if first <= held.stamp <= last), key=lambda held: held.sort)

    # Common Crawl

    def _collections(self) -> Reply:
        names = sorted({held.collection for held in self.held} | set(self.dead), reverse=True)
        said = [{"id": name, "name": name, "cdx-api": f"{self.url}/{name}-index"} for name in names]
        return Reply(json.dumps(said).encode(), kind="application/json")

    def file(self, collection: str) -> tuple[bytes, dict[Held, tuple[int, int]]]:
        """Give a collection's WARC file, and where each capture lies in it."""
        if collection not in self.files:
            file, places = b"", {}
            for held in self.held:
                if held.collection == collection:
                    made = record(held)
                    places[held] = (len(file), len(made))
                    file += made
            self.files[collection] = (file, places)
        return self.files[collection]

    def _index(self, collection: str, query: dict[str, str]) -> Reply:
        if collection in self.dead:
            return Reply(b"<h1>Not Found</h1>", 404)
        held = [held for held in self._listed(query) if held.collection == collection]
        if not held:
            return Reply(b'{"message": "No Captures found for: it"}', 404, kind="application/json")
        # A page between with nothing in it: its block has only captures of other days.
        pages: list[Sequence[Held]] = [held[at : at + self.portion] for at in range(0, len(held), self.portion)]
        pages.insert(1, ())
        if "showNumPages" in query:
            return Reply(json.dumps({"pages": len(pages), "pageSize": 1, "blocks": len(pages)}).encode())
        number = int(query["page"])
        if number >= len(pages):
            return Reply(b"page too large", 400)
        if not pages[number]:
            return Reply(b'{"message": "No Captures found for: it"}', 404, kind="application/json")
        _, places = self.file(collection)
        return Reply("".join(json.dumps(self._line(held, *places[held])) + "\n" for held in pages[number]).encode())

    @staticmethod
    def _line(held: Held, offset: int, length: int) -> dict[str, str]:
        line = {"urlkey": held.sort[0], "timestamp": held.stamp, "url": held.url, "mime": held.mime}
        line |= {"mime-detected": held.mime, "status": str(held.status), "digest": held.digest, "length": str(length)}
        return line | {"offset": str(offset), "filename": f"crawl-data/{held.collection}/one.warc.gz"}

    def _data(self, name: str, ranged: str) -> Reply:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", ranged)
        assert found, f"{name} was asked for as a whole"
        file, places = self.file(name.split("/")[1])
        offset, last = int(found[1]), int(found[2])
        held = next(held for held, place in places.items() if place[0] == offset)
        if held.quirk == "gone":
            return Reply(b"NoSuchKey", 404)
        if (busy := self._busy_at_first(held)) is not None:
            return busy
        if held.quirk == "cut":
            last = (offset + last) // 2
        return Reply(file[offset : last + 1], 206, kind="application/octet-stream")

    def _busy_at_first(self, held: Held) -> Reply | None:
        self.tries[held.url] += 1
        if held.quirk == "busy" and self.tries[held.url] == 1:
            return Reply(b"slow down", 503, headers={"Retry-After": "1"})
        if held.quirk == "down":
            return Reply(b"out of order", 503, headers={"Retry-After": "86400"})
        return None

    # The Wayback Machine

    def _cdx(self, query: dict[str, str]) -> Reply:
        aside = re.compile(query["filter"].removeprefix("!mimetype:"))
        listed = [held for held in self._listed(query) if not aside.fullmatch(held.mime)]
        begin = int(query.get("resumeKey", "key 0").split(" ")[1])
        rows: list[list[str]] = [query["fl"].split(",")]
        for held in listed[begin : begin + self.portion]:
            kind = ["warc/revisit", "-"] if held.revisit else [held.mime, str(held.status)]
            rows.append([held.stamp, held.url, *kind, held.digest])
        if begin + self.portion < len(listed):
            rows += [[], [f"key {begin + self.portion}"]]
        body = gzip.compress(json.dumps(rows if listed else []).encode())
        return Reply(body, kind="application/json", headers={"Content-Encoding": "gzip"})

    def _replay(self, path: str) -> Reply:
        found = re.fullmatch(r"/web/(\d{14})id_/(.*)", path)
        assert found, path
        held = next(held for held in self.held if (held.stamp, held.url) == found.groups())
        if (busy := self._busy_at_first(held)) is not None:
            return busy
        if held.quirk == "gone":
            return Reply(b"The Wayback Machine has not archived that URL.", 404)
        if held.quirk == "robots":
            error = "RobotAccessControlException: Blocked By Robots"
            return Reply(b"closed", 403, headers={"X-Archive-Wayback-Runtime-Error": error})
        if held.quirk == "moved":
            return Reply(status=302, headers={"Location": f"{self.url}/web/20140101000000id_/{held.url}"})
        told = {f"X-Archive-Orig-{name}": value for name, value in held.headers}
        told |= {"Memento-Datetime": format_datetime(held.moment, usegmt=True), "X-App-Server": "wwwb-app"}
        if held.quirk == "cut":
            return Reply(gzip.compress(held.body)[:-100], headers=told | {"Content-Encoding": "gzip"})
        return Reply(held.body, held.status, kind=held.mime, headers=told)
