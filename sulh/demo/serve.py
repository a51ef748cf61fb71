"""Serves the five sample outlets of the package on loopback, each on a port and with an interface of its own."""

from __future__ import annotations

import argparse
import errno
import gzip
import json
import re
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property
from hashlib import blake2b
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, quote, urlsplit

from processors.errors import KnowledgeError, SulhError
from processors.knowledge import Knowledge, load
from processors.records import utc

FOLDER = Path(__file__).parent / "outlets"
PORT = 18700
"""First of the five ports. Fixed, since document ids derive from addresses: two demo runs give the same ids."""
FEED_SIZE = 15
"""Items a page of the RSS feeds: few enough for the wire's archive to have a second page."""
NEWS_SIZE = 10
"""Entries of the news sitemap, which lists only what is new; the archive's lists everything."""
LISTING_SIZE = 6
"""Teasers a page of the HTML list: small enough for a next page, and a next one after that."""
MODIFIED = "%Y-%m-%dT%H:%M:%S"

Answer = Literal["article", "soft-404", "bot-wall", "paywall", "empty"]
Kind = Literal["feed", "wordpress", "sitemap", "listing"]


class Revision(Knowledge):
    """The text that replaces a page's own once the outlet has corrected it."""

    at: datetime
    text: str


class Comment(Knowledge):
    """A reader's remark under an article."""

    by: str
    text: str


class Page(Knowledge):
    """One page of an outlet, as its file has it: paragraphs are parted by blank lines."""

    title: str
    published: datetime
    section: str
    author: str = ""
    text: str
    language: str = ""
    """Of a page that is in another language than its outlet."""
    slug: str = ""
    """As the address has it, where that is not the file's name."""
    answer: Answer = "article"
    notice: str = ""
    """What a paywall says under the opening."""
    disallowed: bool = False
    """The page lies under the folder that robots.txt closes."""
    second: bool = False
    """The page is listed under a second address too; its canonical link names the first."""
    comments: tuple[Comment, ...] = ()
    revised: Revision | None = None


class About(Knowledge):
    """What an outlet's own file says of it."""

    title: str
    tagline: str
    language: str
    country: str
    kind: Kind
    charset: str = "utf-8"
    port: int
    """Counted from the first outlet's."""
    path: str
    """Of an article: ``{slug}``, ``{number}``, ``{year}``, ``{month}`` and ``{day}`` stand for its own."""
    second_path: str = ""
    closed: str = "/private/"
    """The folder that robots.txt closes."""
    tracking: str = ""
    """What the outlet's own lists add to the links."""
    months: tuple[str, ...]
    source: str
    """The source's YAML, with ``{base}`` where its address belongs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as an outlet's log has it."""

    outlet: str
    method: str
    path: str
    status: int
    conditional: bool
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What an outlet answers."""

    status: int
    content_type: str
    body: bytes
    modified: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Outlet:
    """One site: its pages, newest first, and what it answers at each address."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.about = load(folder / "outlet.yml", About)
        self.frame, self.article = (Template(_read(folder / name)) for name in ("frame.html", "article.html"))
        pages = {path.stem: load(path, Page) for path in sorted((folder / "pages").glob("*.yml"))}
        if not pages:
            raise KnowledgeError(f"{folder / 'pages'}: there is no page of this outlet")
        self.pages = dict(sorted(pages.items(), key=lambda item: (item[1].published, item[0]), reverse=True))
        self.base = ""
        self.revised = False

    @cached_property
    def routes(self) -> dict[str, str]:
        """Page names by the path that leads to each."""
        first = {self.path(name): name for name in self.pages}
        return first | {self.second(name): name for name, page in self.pages.items() if page.second}

    def path(self, name: str) -> str:
        """Give the canonical path of a page."""
        page = self.pages[name]
        path = self._address(self.about.path, name)
        return self.about.closed.rstrip("/") + path if page.disallowed else path

    def second(self, name: str) -> str:
        """Give the other path of a page that has two."""
        return self._address(self.about.second_path, name)

    def _address(self, pattern: str, name: str) -> str:
        page = self.pages[name]
        # A number that stays when pages are added: real content systems never renumber either.
        number = 10_000 + zlib.crc32(name.encode()) % 90_000
        day = page.published
        slug = quote(page.slug or name)
        return pattern.format(slug=slug, number=number, year=day.year, month=f"{day.month:02}", day=f"{day.day:02}")

    def text(self, name: str) -> str:
        """Give the text of a page as it stands now."""
        page = self.pages[name]
        return page.revised.text if page.revised and self.revised else page.text

    def modified(self, name: str) -> datetime:
        """Give when a page was last changed, in UTC."""
        page = self.pages[name]
        return utc(page.revised.at if page.revised and self.revised else page.published)

    @property
    def newest(self) -> datetime:
        """When the outlet last published or changed anything, in UTC."""
        return max(self.modified(name) for name in self.pages)

    def answer(self, target: str) -> Response:
        """Answer a GET of a path with its query."""
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/robots.txt":
            lines = ["User-agent: *", f"Disallow: {self.about.closed}", "Allow: /"]
            if self.about.kind == "sitemap":
                lines.append(f"Sitemap: {self.base}/sitemap.xml")
            return Response(status=200, content_type="text/plain; charset=utf-8", body="\n".join((*lines, "")).encode())
        if parts.path == "/":
            return self._html(200, self.about.title, self._teasers(list(self.pages)[:12]), modified=self.newest)
        if parts.path in self.routes:
            return self._page(self.routes[parts.path])
        lists = {
            "feed": {"/feed/": self._rss, "/atom.xml": self._atom},
            "wordpress": {"/wp-json/wp/v2/posts": self._posts, "/feed/": self._rss},
            "sitemap": {"/sitemap.xml": self._index, "/sitemap-news.xml": self._news, "/sitemap-all.xml.gz": self._all},
            "listing": {"/actualite/": self._listing},
        }[self.about.kind]
        if parts.path in lists:
            return lists[parts.path](query)
        return self._html(404, "404", "<h1>404</h1>")

    def _page(self, name: str) -> Response:
        page = self.pages[name]
        modified = self.modified(name)
        paragraphs = [" ".join(part.split()) for part in self.text(name).split("\n\n") if part.strip()]
        if page.answer == "bot-wall":
            body = "".join(f"<p>{escape(part)}</p>" for part in paragraphs)
            html = (
                f"<!doctype html><html><head><title>{escape(page.title)}</title>"
                '<meta name="robots" content="noindex,nofollow"><meta http-equiv="refresh" content="390"></head>'
                f'<body><div class="cf-wrapper"><h1>{escape(page.title)}</h1><noscript>{body}</noscript>'
                f'<div id="challenge-running">{body}</div><div class="ray-id">Ray ID: <code>7c1f0a2b9d3e4f50</code>'
                "</div></div></body></html>"
            )
            return self._encoded(200, html)
        if page.answer == "soft-404":
            body = "".join(f"<p>{escape(part)}</p>" for part in paragraphs)
            return self._html(200, page.title, f'<div class="error-page"><h1>{escape(page.title)}</h1>{body}</div>')
        if page.answer == "empty":
            # A shell that a script would fill: all that a client without one ever sees.
            html = (
                f"<!doctype html><html><head><title>{escape(page.title)}</title></head>"
                '<body><div id="app"></div><script src="/app.js"></script></body></html>'
            )
            return self._encoded(200, html, modified)
        html = "\n".join(f"<p>{escape(part, quote=False)}</p>" for part in paragraphs)
        if page.notice:
            html += f'<div class="paywall"><p>{escape(page.notice)}</p></div>'
        others = [other for other in self.pages if other != name and self.pages[other].answer == "article"]
        start = others.index(next((o for o in others if self.pages[o].published <= page.published), others[0]))
        related = "\n".join(self._link(other) for other in (others[start:] + others[:start])[:4])
        remarks = "".join(
            f'<li class="comment"><cite>{escape(c.by)}</cite><p>{escape(c.text)}</p></li>' for c in page.comments
        )
        url = self.base + self.path(name)
        ld = {
            "@context": "https://schema.org",
            "@type": "NewsArticle",
            "headline": page.title,
            "datePublished": page.published.isoformat(),
            "dateModified": modified.isoformat(),
            "mainEntityOfPage": url,
            "inLanguage": page.language or self.about.language,
            "isAccessibleForFree": page.answer != "paywall",
            "author": {"@type": "Person", "name": page.author or self.about.title},
            "publisher": {"@type": "Organization", "name": self.about.title},
        }
        main = self.article.substitute(
            title=escape(page.title),
            author=escape(page.author or self.about.title),
            section=escape(page.section),
            shown=self._shown(page.published),
            published=page.published.isoformat(),
            modified=modified.isoformat(),
            url=escape(url),
            html=html,
            summary=escape(_summary(page.text)),
            related=related,
            comments=remarks,
            site=escape(self.about.title),
            jsonld=json.dumps(ld, ensure_ascii=False).replace("</", "<\\/"),
        )
        # The part above the mark belongs into the head: each outlet's file has its own metadata, or none.
        head, _, main = main.rpartition("<!-- main -->\n")
        head += f'<link rel="canonical" href="{escape(url)}">'
        return self._html(200, page.title, main, head=head, language=page.language, modified=modified)

    def _html(
        self,
        status: int,
        title: str,
        main: str,
        *,
        head: str = "",
        language: str = "",
        modified: datetime | None = None,
    ) -> Response:
        html = self.frame.substitute(
            title=escape(title),
            site=escape(self.about.title),
            tagline=escape(self.about.tagline),
            language=language or self.about.language,
            head=head,
            main=main,
        )
        return self._encoded(status, html, modified)

    def _encoded(self, status: int, html: str, modified: datetime | None = None) -> Response:
        # Letters that an old charset lacks go out as references, as content systems do.
        body = html.encode(self.about.charset, "xmlcharrefreplace")
        return Response(
            status=status, content_type=f"text/html; charset={self.about.charset}", body=body, modified=modified
        )

    def _shown(self, moment: datetime) -> str:
        return f"{moment.day} {self.about.months[moment.month - 1]} {moment.year}, {moment:%H:%M}"

    def _link(self, name: str) -> str:
        return f'<li><a href="{escape(self.path(name))}">{escape(self.pages[name].title)}</a></li>'

    def _listed(self, name: str) -> str:
        return self.base + self.path(name) + self.about.tracking

    def _teasers(self, names: list[str]) -> str:
        rows = []
        for name in names:
            page = self.pages[name]
            for path in (self.path(name), *((self.second(name),) if page.second else ())):
                rows.append(
                    f'<div class="teaser"><h2><a href="{escape(path + self.about.tracking)}">{escape(page.title)}</a>'
                    f'</h2><span class="date">{self._shown(page.published)}</span>'
                    f"<p>{escape(_summary(page.text))}</p></div>"
                )
        return "\n".join(rows)

    def _window(self, number: str, size: int) -> tuple[list[str], bool] | None:
        """Give the names on a page of a list and whether another page follows; None where there is no such page."""
        names = list(self.pages)
        start = (int(number) - 1) * size if number.isdigit() else -1
        return (names[start : start + size], start + size < len(names)) if 0 <= start < len(names) else None

    def _listing(self, query: dict[str, str]) -> Response:
        number = query.get("page", "1")
        window = self._window(number, LISTING_SIZE)
        if window is None:
            return self._html(404, "404", "<h1>404</h1>")
        names, more = window
        following = f'<a rel="next" class="suivant" href="/actualite/?page={int(number) + 1}">»</a>' if more else ""
        main = f'<div class="liste">{self._teasers(names)}</div><div class="pagination">{following}</div>'
        return self._html(200, self.about.title, main, modified=self.newest)

    def _rss(self, query: dict[str, str]) -> Response:
        number = query.get("paged", "1")
        window = self._window(number, FEED_SIZE)
        if window is None:
            return self._html(404, "404", "<h1>404</h1>")
        names, more = window
        items = "".join(
            f"<item><title>{escape(page.title)}</title><link>{escape(self._listed(name))}</link>"
            f'<guid isPermaLink="false">{self.name}-{name}</guid><pubDate>{format_datetime(page.published)}</pubDate>'
            f"<dc:creator>{escape(page.author)}</dc:creator><category>{escape(page.section)}</category>"
            f"<atom:updated>{self.modified(name).isoformat()}</atom:updated>"
            f"<description>{escape(_summary(page.text))}</description></item>\n"
            for name, page in ((name, self.pages[name]) for name in names)
        )
        following = f'<atom:link rel="next" href="{self.base}/feed/?paged={int(number) + 1}"/>' if more else ""
        return self._xml(
            "application/rss+xml",
            '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<channel><title>{escape(self.about.title)}</title><link>{self.base}/</link>"
            f"<description>{escape(self.about.tagline)}</description><language>{self.about.language}</language>{following}\n"
            f"{items}</channel></rss>",
        )

    def _atom(self, query: dict[str, str]) -> Response:
        items = "".join(
            f'<entry><title>{escape(page.title)}</title><link href="{escape(self._listed(name))}"/>'
            f"<id>tag:{self.name},2014:{name}</id><published>{page.published.isoformat()}</published>"
            f"<updated>{self.modified(name).isoformat()}</updated><author><name>{escape(page.author)}</name></author>"
            f"<summary>{escape(_summary(page.text))}</summary></entry>\n"
            for name, page in self.pages.items()
        )
        return self._xml(
            "application/atom+xml",
            f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{self.about.language}">'
            f"<title>{escape(self.about.title)}</title><id>{self.base}/</id>"
            f'<link rel="self" href="{self.base}/atom.xml"/><updated>{self.newest.isoformat()}</updated>\n'
            f"{items}</feed>",
        )

    def _index(self, query: dict[str, str]) -> Response:
        maps = "".join(
            f"<sitemap><loc>{self.base}/{name}</loc><lastmod>{self.newest.isoformat()}</lastmod></sitemap>\n"
            for name in ("sitemap-news.xml", "sitemap-all.xml.gz")
        )
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        return self._xml("application/xml", f'<sitemapindex xmlns="{space}">\n{maps}</sitemapindex>')

    def _news(self, query: dict[str, str]) -> Response:
        return self._urls(list(self.pages)[:NEWS_SIZE], news=True)

    def _all(self, query: dict[str, str]) -> Response:
        plain = self._urls(list(self.pages), news=False)
        # A fixed time in the gzip header: the same list must give the same bytes, or its ETag would lie.
        return Response(
            status=200,
            content_type="application/gzip",
            body=gzip.compress(plain.body, mtime=0),
            modified=plain.modified,
        )

    def _urls(self, names: list[str], *, news: bool) -> Response:
        rows = []
        for name in names:
            page = self.pages[name]
            extra = (
                f"<news:news><news:publication><news:name>{escape(self.about.title)}</news:name>"
                f"<news:language>{self.about.language}</news:language></news:publication>"
                f"<news:publication_date>{page.published.isoformat()}</news:publication_date>"
                f"<news:title>{escape(page.title)}</news:title></news:news>"
            )
            rows.append(
                f"<url><loc>{escape(self._listed(name))}</loc><lastmod>{self.modified(name).isoformat()}</lastmod>"
                f"{extra if news else ''}</url>\n"
            )
        spaces = (
            'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
            'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'
        )
        return self._xml("application/xml", f"<urlset {spaces}>\n{''.join(rows)}</urlset>")

    def _xml(self, content_type: str, xml: str) -> Response:
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}\n'.encode()
        return Response(status=200, content_type=f"{content_type}; charset=utf-8", body=body, modified=self.newest)

    def _posts(self, query: dict[str, str]) -> Response:
        try:
            size, number = int(query.get("per_page", "10")), int(query.get("page", "1"))
            limits = {key: _moment(value) for key, value in query.items() if key in _WINDOWS}
        except ValueError:
            return self._json(400, {"code": "rest_invalid_param", "data": {"status": 400}})
        if not 1 <= size <= 100 or number < 1:
            return self._json(400, {"code": "rest_invalid_param", "data": {"status": 400}})
        names = [
            name
            for name, page in self.pages.items()
            if all(_WINDOWS[key](utc(page.published), self.modified(name), limit) for key, limit in limits.items())
        ]
        if query.get("orderby") == "modified":
            names.sort(key=lambda name: (self.modified(name), name), reverse=True)
        if query.get("order") == "asc":
            names.reverse()
        pages = -(-len(names) // size)
        if number > max(pages, 1):
            return self._json(400, {"code": "rest_post_invalid_page_number", "data": {"status": 400}})
        posts = [self._post(name) for name in names[(number - 1) * size : number * size]]
        if fields := query.get("_fields"):
            posts = [{key: value for key, value in post.items() if key in fields.split(",")} for post in posts]
        return self._json(200, posts, total=len(names), pages=pages)

    def _post(self, name: str) -> dict[str, Any]:
        page = self.pages[name]
        published, modified = utc(page.published).strftime(MODIFIED), self.modified(name).strftime(MODIFIED)
        parts = [] if page.answer == "empty" else self.text(name).split("\n\n")
        html = "".join(f"<p>{escape(part.strip())}</p>\n" for part in parts if part.strip())
        return {
            "id": 10_000 + zlib.crc32(name.encode()) % 90_000,
            "date": published,
            "date_gmt": published,
            "modified": modified,
            "modified_gmt": modified,
            "slug": quote(page.slug or name),
            "status": "publish",
            "type": "post",
            "link": self._listed(name),
            "title": {"rendered": escape(page.title)},
            "content": {"rendered": html, "protected": False},
            "excerpt": {"rendered": f"<p>{escape(_summary(page.text))}</p>\n", "protected": False},
            "author": 1,
        }

    def _json(self, status: int, value: Any, *, total: int = 0, pages: int = 0) -> Response:
        counts = (("X-WP-Total", str(total)), ("X-WP-TotalPages", str(pages))) if status == 200 else ()
        return Response(
            status=status,
            content_type="application/json; charset=UTF-8",
            body=json.dumps(value, ensure_ascii=False).encode(),
            headers=counts,
        )


_WINDOWS: dict[str, Callable[[datetime, datetime, datetime], bool]] = {
    "after": lambda published, modified, limit: published > limit,
    "before": lambda published, modified, limit: published < limit,
    "modified_after": lambda published, modified, limit: modified > limit,
    "modified_before": lambda published, modified, limit: modified < limit,
}


def _moment(value: str) -> datetime:
    return utc(datetime.fromisoformat(value))


def _summary(text: str) -> str:
    """Give the first paragraph, cut at a word to the length that feeds show."""
    first = " ".join(text.strip().split("\n\n")[0].split())
    return first if len(first) <= 180 else re.sub(r"\s+\S*$", "", first[:180]) + " […]"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise KnowledgeError(f"{path}: cannot be read: {error}") from error


class _Server(ThreadingHTTPServer):
    """The server of one outlet; closing it also hangs up on clients that keep their connection."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, outlet: Outlet, port: int, log: list[Request]) -> None:
        self.outlet, self.log = outlet, log
        self.open: set[socket.socket] = set()
        self.guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        outlet.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def server_bind(self) -> None:
        # HTTPServer looks its own name up, which without a network may take seconds.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.guard:
            self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.guard:
            self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client hangs up in the middle; anything else is a fault of ours and shows."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.shutdown()
        self.thread.join()
        with self.guard:
            lingering = tuple(self.open)
        for connection in lingering:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "outlet", ""
    server: _Server

    def do_GET(self) -> None:
        self._reply(body=True)

    def do_HEAD(self) -> None:
        self._reply(body=False)

    def _reply(self, *, body: bool) -> None:
        response = self.server.outlet.answer(self.path)
        tag = f'"{blake2b(response.body, digest_size=8).hexdigest()}"'
        status = response.status
        if status == 200 and self._unchanged(tag, response.modified):
            status = 304
        self.send_response(status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("ETag", tag)
        if response.modified:
            self.send_header("Last-Modified", format_datetime(response.modified, usegmt=True))
        for name, value in response.headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(response.body)))
        # Counted before the answer leaves: who has read it finds it in the log.
        self.server.log.append(
            Request(
                outlet=self.server.outlet.name,
                method=self.command,
                path=self.path,
                status=status,
                conditional="If-None-Match" in self.headers or "If-Modified-Since" in self.headers,
                user_agent=self.headers.get("User-Agent", ""),
            )
        )
        self.end_headers()
        if body and status != 304:
            self.wfile.write(response.body)

    def _unchanged(self, tag: str, modified: datetime | None) -> bool:
        # RFC 9110, 13.1.3: a date counts only where no tag is given.
        if tags := self.headers.get("If-None-Match"):
            return tag in (part.strip().removeprefix("W/") for part in tags.split(","))
        if (since := self.headers.get("If-Modified-Since")) and modified:
            with suppress(ValueError):
                return modified.replace(microsecond=0) <= utc(parsedate_to_datetime(since))
        return False

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the log is a list that tests read."""


class Outlets:
    """The sample outlets and their servers; a context manager that starts them unless they run already."""

    def __init__(self, *, folder: Path = FOLDER) -> None:
        """Read every outlet's files. Raises KnowledgeError on a wrong one."""
        outlets = [Outlet(path.parent) for path in sorted(folder.glob("*/outlet.yml"))]
        if not outlets:
            raise KnowledgeError(f"{folder}: holds no sample outlets; install the package with its data")
        self.outlets = {outlet.name: outlet for outlet in sorted(outlets, key=lambda outlet: outlet.about.port)}
        self.log: list[Request] = []
        self._servers: list[_Server] = []

    def start(self, port: int = PORT) -> Self:
        """Listen on 127.0.0.1, from ``port`` on, or on any free ports where it is 0. Raises SulhError on one in use."""
        if self._servers:
            raise SulhError("The sample outlets are being served already: stop them first.")
        for outlet in self.outlets.values():
            wanted = port + outlet.about.port if port else 0
            try:
                self._servers.append(_Server(outlet, wanted, self.log))
            except (OSError, OverflowError) as error:
                self.stop()
                if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                    raise SulhError(
                        f"Port {wanted} of 127.0.0.1, for the sample outlet {outlet.name}, is in use: "
                        f"end what listens there, or choose other ports with --port, or `make demo DEMO_PORT=18800`."
                    ) from error
                raise SulhError(f"The sample outlet {outlet.name} cannot listen on port {wanted}: {error}") from error
        return self

    def stop(self) -> None:
        """Stop listening and hang up; does nothing where nothing runs."""
        while self._servers:
            self._servers.pop().stop()

    def __enter__(self) -> Self:
        return self if self._servers else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def sources(self) -> dict[str, str]:
        """Give each outlet's source YAML, by the source's name, with the addresses at which they are served."""
        return {name: outlet.about.source.replace("{base}", outlet.base) for name, outlet in self.outlets.items()}

    def pages(self) -> Iterator[tuple[str, Page]]:
        """Give every page by its id, ``<outlet>/<file stem>``, outlet by outlet, newest first."""
        for outlet in self.outlets.values():
            for name, page in outlet.pages.items():
                yield f"{outlet.name}/{name}", page

    def addresses(self) -> dict[str, str]:
        """Give the canonical address of every page, by its id, as served now."""
        return {
            f"{outlet.name}/{name}": outlet.base + outlet.path(name)
            for outlet in self.outlets.values()
            for name in outlet.pages
        }

    def revise(self) -> tuple[str, ...]:
        """Publish the corrections that the files hold, and give the addresses of the pages that changed."""
        changed = []
        for outlet in self.outlets.values():
            outlet.revised = True
            changed += [outlet.base + outlet.path(name) for name, page in outlet.pages.items() if page.revised]
        return tuple(changed)


def main(arguments: list[str] | None = None) -> None:
    """Serve the sample outlets until interrupted, after printing where each listens."""
    parser = argparse.ArgumentParser(prog="python -m sulh.demo.serve", description="Serve the sample outlets.")
    parser.add_argument("--port", type=int, default=PORT, help=f"first of the ports (default {PORT}; 0: any free ones)")
    parser.add_argument("--revise", action="store_true", help="begin with the corrections published")
    options = parser.parse_args(arguments)
    try:
        with Outlets().start(options.port) as outlets:
            if options.revise:
                outlets.revise()
            for outlet in outlets.outlets.values():
                print(f"{outlet.base}  {outlet.name:16} {outlet.about.kind:10} {len(outlet.pages)} pages", flush=True)
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    except SulhError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
