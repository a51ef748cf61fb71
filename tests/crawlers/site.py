"""A small site on the loopback whose every answer a test decides, and the crawl as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from processors.archive import Archive

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Reply:
    """One answer. ``declared``: a Content-Length other than the body's; ``endless``: goes on until the client goes."""

    body: bytes = b""
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    declared: int | None = None
    endless: bool = False


@dataclass(frozen=True)
class Asked:
    path: str
    conditional: bool
    agent: str
    at: float = field(default_factory=time.monotonic)


class Site:
    """Serves what `pages` holds: a reply, or a function from the count of requests for the path to a reply."""

    def __init__(self) -> None:
        self.pages: dict[str, Reply | Callable[[int], Reply]] = {}
        self.asked: list[Asked] = []
        self.counts: Counter[str] = Counter()
        self.watch: Callable[[int], None] = lambda total: None
        """Called with the number of requests so far, before each is answered."""
        self._lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def handle(self) -> None:
                with suppress(ConnectionError):
                    super().handle()

            def do_GET(self) -> None:
                reply = site.answer(self.path, self.headers)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.kind)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.endless:
                    self.end_headers()
                    while True:
                        self.wfile.write(bytes(2**16))
                length = len(reply.body) if reply.declared is None else reply.declared
                if reply.status != 304:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(reply.body)
                if length > len(reply.body):
                    self.close_connection = True

            def log_message(self, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, headers: Any) -> Reply:
        conditional = "If-None-Match" in headers or "If-Modified-Since" in headers
        with self._lock:
            self.asked.append(Asked(path, conditional, headers["User-Agent"]))
            self.counts[path] += 1
            count, total = self.counts[path], len(self.asked)
        self.watch(total)
        page = self.pages.get(path, Reply(b"nothing here", 404))
        reply = page(count) if callable(page) else page
        if reply.headers.get("ETag") and headers["If-None-Match"] == reply.headers["ETag"]:
            return Reply(status=304, headers=reply.headers)
        return reply

    def paths(self, beginning: str = "/") -> list[str]:
        return [asked.path for asked in self.asked if asked.path.startswith(beginning)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Crawled:
    """What a crawl's process left behind."""

    code: int
    done: dict[str, dict[str, Any]]
    """The last line of each source."""
    stderr: str


class Crawls:
    """Runs crawls of sources that a test writes, into one archive."""

    def __init__(self, folder: Path) -> None:
        self.home, self.sources = folder / "home", folder / "sources"
        self.sources.mkdir()
        self.archive = Archive(self.home)

    def source(self, id: str, kind: str, url: str, more: str = "delay: 0\n") -> None:
        text = f'name: "{id}"\ncountry: "SY"\nlanguage: en\nkind: {kind}\nurl: "{url}"\n{more}'
        (self.sources / f"{id}.yml").write_text(text)

    def command(self, *more: str, loopback: bool = True) -> list[str]:
        command = [sys.executable, "-m", "crawlers", "--home", str(self.home), "--sources-dir", str(self.sources)]
        command += ["--only-sources-dir", "--contact", "mailto:desk@example.org", "--lock-wait", "0"]
        return [*command, *(["--allow-loopback"] if loopback else []), *more]

    def start(self, *more: str, **options: Any) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(self.command(*more), env=environment, text=True, **options)

    def run(self, *more: str, loopback: bool = True) -> Crawled:
        answer = subprocess.run(
            self.command(*more, loopback=loopback),
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        lines = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
        done = {line["source"]: line for line in lines if line.get("event") == "done"}
        return Crawled(answer.returncode, done, answer.stderr + ("" if lines else answer.stdout))

    def dispositions(self, source: str) -> dict[str, int]:
        """Count the items by ``disposition`` or ``disposition/reason``, all crawls together."""
        counts: Counter[str] = Counter()
        for row in self.archive.tallies(source):
            counts["/".join(filter(None, (row.disposition, row.reason)))] += row.count
        return dict(counts)

    def pages(self, source: str) -> list[str]:
        return [ref.url for ref in self.archive.captures(source)]


def rss(*items: str) -> Reply:
    """Make a feed of ready items."""
    body = f'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'
    return Reply(body.encode(), kind="application/rss+xml", headers={"ETag": f'"{hash(body)}"'})


def item(link: str, guid: str = "") -> str:
    return f"<item><title>About {link}</title><link>{link}</link><guid isPermaLink='false'>{guid or link}</guid></item>"


def article(text: str, head: str = "") -> Reply:
    body = f"<html><head>{head}</head><body><p>{text}</p></body></html>".encode()
    return Reply(body, headers={"ETag": f'"{hash(body)}"'})
