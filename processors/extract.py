"""Reads one captured page into a document, or declines it by name; the same capture always gives the same answer."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from htmldate import find_date
from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring
from trafilatura import bare_extraction
from trafilatura.metadata import extract_author, extract_title
from trafilatura.settings import Extractor
from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom

from processors.knowledge import Knowledge, load
from processors.records import Capture, DateOrigin, Document, Rejection, digest, utc

MAX_BYTES = 16 * 1024 * 1024
"""What the crawlers cut off at; a body from elsewhere (an imported WARC) is held to the same."""

MAX_ELEMENTS = 60_000
"""Ten times what we take a large article page to have; a guess on the safe side: a page has its time limit too."""

MAX_CHILDREN = 5_000
"""trafilatura is quadratic in the children of a node: measured 0.6 s at 4,000 `<b>` in a `<p>`, 2.9 s at 8,000, 26 s at
20,000; 1.2 s at 2,000 blocks beside each other, 7.8 s at 8,000."""

MAX_DEPTH = 250
"""libxml2 silently drops what lies deeper than 255 elements: a page that comes near it is not read whole."""

MAX_LINKS = 300
"""More than an article plausibly links to: beyond it the page is a directory, and would swell the store. A choice."""

SHORT = 1_000
"""Characters. A choice: block pages are a few sentences, and a longer text that quotes a wall's words is an article."""

STUB = 1_200
"""Characters of a teaser in front of a paywall: two to four paragraphs. A choice, not measured on live pages."""

TEASER = 600
"""Characters; a choice. Wall phrases outside the markup count only beside less text: one or two paragraphs."""

EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
"""htmldate's own lower bound: before it there was no news on the web, and a broken clock says 1970."""

_PARSER = HTMLParser(collect_ids=False, remove_comments=True, remove_pis=True, encoding="utf-8")
# One options object for all pages: building it reads ten settings from a ConfigParser, 0.25 ms each time. Without
# metadata, which is read below more cheaply; deduplicate keeps state between pages, so it stays off.
_OPTIONS = Extractor(output_format="python", comments=True, tables=True, dedup=False, with_metadata=False)
# Under this many characters trafilatura takes all the words of a page for its text, menus included. Its 250 would do
# that to every statement of one or two sentences; 25 is about the shortest that says who did what.
_OPTIONS.min_extracted_size = 25

_log = logging.getLogger(__name__)


def _xpath(expression: str) -> Callable[[HtmlElement], Any]:
    """Compile a path; what it gives depends on it (elements, strings, a number), which the stubs cannot say."""
    return etree.XPath(expression)


class Wall(Knowledge):
    """The words that tell one sort of page that is no article."""

    titles: tuple[str, ...]
    phrases: tuple[str, ...]
    markup: tuple[str, ...]


class Walls(Knowledge):
    """All sorts of wall, as `cues/walls.yml` has them."""

    bot_wall: Wall
    soft_404: Wall
    paywall_stub: Wall
    login_wall: Wall
    related: frozenset[str]

    model_config = Knowledge.model_config | {"alias_generator": lambda name: name.replace("_", "-")}


@cache
def walls() -> Walls:
    """Give the words of walls; read once a process. Raises KnowledgeError on a wrong file."""
    return load(Path(__file__).parent / "cues" / "walls.yml", Walls)


def extract(capture: Capture) -> Document | Rejection:
    """Read the page of a capture, or decline it by name. Pure: no clock, no network, nothing kept between calls."""
    try:
        return _read(capture)
    except _Declined as declined:
        return Rejection(
            step="extract",
            reason=declined.reason,
            source=capture.source,
            url=capture.url,
            capture=capture.id,
            detail=declined.detail,
            at=capture.fetched_at,
        )


class _Declined(Exception):
    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class _Markup:
    """What the page says of itself in JSON-LD and meta elements."""

    items: tuple[dict[str, Any], ...]
    """JSON-LD objects, graphs unfolded."""
    meta: dict[str, list[str]]
    """Contents of meta elements by lower-case name, property or itemprop."""

    def first(self, *names: str) -> str:
        return next((self.meta[name][0] for name in names if name in self.meta), "")


def _read(capture: Capture) -> Document:
    if not 200 <= capture.status < 300:
        _decline_status(capture)
    if len(capture.body) > MAX_BYTES:
        raise _Declined("too-large", f"{len(capture.body)} bytes; the limit is {MAX_BYTES}")
    _check_type(capture)
    tree = _parse(capture)
    _check_cost(tree)
    markup = _markup(tree)
    headline = _headline(tree)
    title = _title(tree, markup, capture)
    _check_kind(tree, markup, capture)
    links = _links(tree, capture.url)
    published_at, published_from = _published(tree, markup, capture)
    free = _free(markup)
    declared = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or tree.get("xml:lang") or ""
    for element in _UNREAD(tree):
        element.drop_tree()
    # A signature may stand in an aside or a footer.
    authors = _authors(tree, markup)
    for element in _SURROUNDINGS(tree):
        element.drop_tree()
    for heading in _HEADINGS(tree):
        if " ".join(heading.itertext()).strip(" :\t\r\n").casefold() in walls().related:
            beside = heading.getnext()
            if beside is not None and _is_list_of_links(beside):
                beside.drop_tree()
                heading.drop_tree()
    for table in _LAYOUTS(tree):
        for element in (table, *_CELLS(table)):
            element.tag = "div"
    # trafilatura takes the tree as it is and copies it, so that the page is parsed once.
    found: Any = bare_extraction(tree, options=_OPTIONS)
    text = _paragraphs(found.text, title) if found is not None else ""
    comments = _paragraphs(found.comments) if found is not None else ""
    _check_walls(tree, capture, text, title, headline, free)
    if not text:
        raise _Declined("no-text")
    return Document(
        id=digest(capture.url),
        source=capture.source,
        url=capture.url,
        title=title,
        text=text,
        authors=authors,
        published_at=published_at,
        published_from=published_from,
        fetched_at=capture.fetched_at,
        declared=declared.strip(),
        comments=comments,
        links=links,
        capture=capture.id,
    )


# What is declined before the page is read


def _decline_status(capture: Capture) -> None:
    # A refusal says more when it comes from a wall: 403 and 503 are what challenge pages are sent with.
    source = capture.body[:100_000].decode("utf-8", "replace").casefold()
    wall = walls().bot_wall
    if any(mark in source for mark in wall.markup) or any(phrase in source for phrase in wall.phrases):
        raise _Declined("bot-wall", f"status {capture.status}")
    raise _Declined(f"http-{capture.status}")


_MAGIC = (
    (b"%PDF-", "PDF"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"RIFF", "WebP, WAV or AVI"),
    (b"PK\x03\x04", "ZIP or Office file"),
    (b"\x1f\x8b", "gzip file"),
    (b"\xd0\xcf\x11\xe0", "old Office file"),
    (b"{\\rtf", "RTF file"),
    (b"ID3", "MP3 sound"),
    (b"\x00\x00\x00\x18ftyp", "MP4 video"),
    (b"\x00\x00\x00\x20ftyp", "MP4 video"),
)
_JSON = re.compile(rb'\{\s*(?:"|\})|\[\s*(?:[\[{"\]]|-?\d)')
_FEED = re.compile(rb"(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(rss|feed|rdf:RDF|urlset|sitemapindex)\b", re.DOTALL)
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|meta|div|p|article|h1)\b", re.IGNORECASE)
_HTML_TYPES = frozenset({"", "text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})


def _check_type(capture: Capture) -> None:
    body = capture.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body:
        raise _Declined("no-text", "the body is empty")
    start = body[:2048]
    if name := next((name for magic, name in _MAGIC if start.startswith(magic)), ""):
        raise _Declined("not-html", name)
    if _JSON.match(start):
        raise _Declined("not-html", "JSON")
    if feed := _FEED.match(start):
        raise _Declined("not-html", f"XML of {feed[1].decode()}")
    kind = capture.content_type.partition(";")[0].strip().lower()
    # A wrong header on an honest page is common, so that the first bytes overrule it.
    if kind not in _HTML_TYPES and not _HTML.search(start):
        raise _Declined("not-html", kind)


def _parse(capture: Capture) -> HtmlElement:
    text = _decode(capture)
    # Each tag counted before the parse, which is where a bomb would already cost memory.
    if text.count("<") > 4 * MAX_ELEMENTS:
        raise _Declined("too-complex", f"{text.count('<')} tags")
    # As bytes of known charset: lxml refuses a str that carries an encoding declaration of its own.
    body = _CONTROL.sub("", text).encode("utf-8", "replace")
    try:
        tree = document_fromstring(body, parser=_PARSER)
    except etree.ParserError:
        raise _Declined("no-text", "there is no element in it") from None
    return tree


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_LANG = re.compile(rb"""<html[^>]*?\slang\s*=\s*["']?([a-z]{2})\b""", re.IGNORECASE)


def _decode(capture: Capture) -> str:
    """Give the page as text: by its byte order mark, else as UTF-8 if it is, else as declared, else by a guess."""
    body = capture.body
    mark, prefix = read_bom(body)
    if mark:
        return body[len(prefix or b"") :].decode(mark, "replace")
    http = http_content_type_encoding(capture.content_type)
    if http is None or not http.startswith("utf-16"):
        # Text in any of the old charsets is never valid UTF-8 by chance, whereas a server's default header is often
        # wrong about it.
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            pass
    declared = [name for name in (http, html_body_declared_encoding(body)) if name and _is_charset(name)]
    for name in declared:
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            continue
    # A page cut off in the middle of a character, or with one bad byte in it, is still in the charset it declares.
    for name in declared:
        text = body.decode(name, "replace")
        if text.count("\ufffd") * 100 < len(text):
            return text
    return body.decode(_guess(body), "replace")


def _is_charset(name: str) -> bool:
    """Tell a charset from what else Python calls a codec (base64, idna, unicode_escape), which a header may name."""
    if name.replace("-", "_") in ("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"):
        return False
    try:
        "".encode(name)
    except LookupError:
        return False
    return True


# Letters by which a wrong charset betrays itself: common ones of each language, in text that was decoded with it.
_COMMON = {
    "cp1251": re.compile("[оеаинтсрвл]"),
    "koi8-r": re.compile("[оеаинтсрвл]"),
    "iso8859-5": re.compile("[оеаинтсрвл]"),
    "cp1256": re.compile("[اليمونرتبة]"),
    "iso8859-6": re.compile("[اليمونرتبة]"),
    # It differs from windows-1252 in the six letters that Icelandic has and Turkish needs, so that it reads English and
    # French as well.
    "cp1254": re.compile("[ığşİçöüéèàêâôîû’“”«»]"),
}
_BY_LANG = {b"ru": ("cp1251", "koi8-r", "iso8859-5"), b"ar": ("cp1256", "iso8859-6")}


def _guess(body: bytes) -> str:
    """Give the charset, of those that the five languages were written in, whose common letters the bytes are."""
    sample = bytes(byte for byte in body[:200_000] if byte > 127)[:5_000]
    found = _LANG.search(body[:2_000])
    names = _BY_LANG.get(found[1].lower(), ("cp1254",)) if found else tuple(_COMMON)
    if found and found[1].lower() not in (b"ru", b"ar", b"tr", b"fr", b"en"):
        names = tuple(_COMMON)
    return max(names, key=lambda name: len(_COMMON[name].findall(sample.decode(name, "replace"))))


_WIDE = _xpath(f"boolean(//*[count(*) > {MAX_CHILDREN}]) or boolean(//p[count(.//*) > {MAX_CHILDREN}])")
_DEEP = _xpath(f"boolean(//*[count(ancestor::*) > {MAX_DEPTH}])")
_COUNT = _xpath("count(//*)")


def _check_cost(tree: HtmlElement) -> None:
    if (elements := int(_COUNT(tree))) > MAX_ELEMENTS:
        raise _Declined("too-complex", f"{elements} elements; the limit is {MAX_ELEMENTS}")
    if elements > MAX_CHILDREN and _WIDE(tree):
        raise _Declined("too-complex", f"more than {MAX_CHILDREN} elements in one")
    if elements > MAX_DEPTH and _DEEP(tree):
        raise _Declined("too-complex", f"elements nested more than {MAX_DEPTH} deep")


# What the page says of itself

_SCRIPTS = _xpath('//script[@type="application/ld+json"]')
_METAS = _xpath("//meta[@content]")


def _markup(tree: HtmlElement) -> _Markup:
    items: list[dict[str, Any]] = []
    for script in _SCRIPTS(tree):
        try:
            # strict=False: raw line breaks in strings are common, and harmless here.
            items.extend(_unfold(json.loads(script.text or "", strict=False)))
        except (ValueError, RecursionError):
            _log.debug("JSON-LD that is no JSON")
    meta: dict[str, list[str]] = {}
    for element in _METAS(tree):
        name = element.get("property") or element.get("name") or element.get("itemprop")
        content = element.get("content").strip()
        if name and content:
            meta.setdefault(name.strip().lower(), []).append(content)
    return _Markup(tuple(items), meta)


def _unfold(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _unfold(item)
    elif isinstance(value, dict):
        yield value
        for key in ("@graph", "mainEntity", "mainEntityOfPage"):
            yield from _unfold(value.get(key))


def _types(item: dict[str, Any]) -> tuple[str, ...]:
    kind = item.get("@type")
    return tuple(str(name) for name in (kind if isinstance(kind, list) else [kind]) if name)


def _articles(markup: _Markup) -> Iterator[dict[str, Any]]:
    """Give the JSON-LD objects that are an article: NewsArticle, Article, BlogPosting, Report and their like."""
    for item in markup.items:
        if any(name.endswith(("Article", "Posting", "Report", "Opinion")) for name in _types(item)):
            yield item


def _free(markup: _Markup) -> bool:
    """Tell whether the page is open to all by its own schema.org markup; yes where it says nothing."""
    return not any(
        str(item.get("isAccessibleForFree")).strip().lower() in ("false", "no") for item in _articles(markup)
    )


def _clean(text: object) -> str:
    return " ".join(unescape(text).split()) if isinstance(text, str) else ""


_H1 = _xpath("//h1")
_TITLE = _xpath("string(//head/title)")
_SEGMENT = re.compile(r"\s+[|–—·»•:-]\s+|\s*[|»]\s*|:\s+")


def _headline(tree: HtmlElement) -> str:
    return _clean(_TITLE(tree))


def _title(tree: HtmlElement, markup: _Markup, capture: Capture) -> str:
    """Give the headline: as the page's markup has it, without the name of the site, else as it shows it."""
    headings = [text for element in _H1(tree) if (text := _clean(" ".join(element.itertext())))]
    named = _clean(markup.first("og:title"))
    named = named or next((text for item in _articles(markup) if (text := _clean(item.get("headline")))), "")
    named = named or _clean(markup.first("twitter:title", "dc.title", "title", "headline"))
    # "Headline | Outlet" in the markup, "Headline" on the page.
    for heading in headings:
        if heading.casefold() in named.casefold():
            return heading
    if named:
        site = _clean(markup.first("og:site_name"))
        cut = re.sub(rf"\s*[|–—·»-]\s*{re.escape(site)}$", "", named, flags=re.IGNORECASE) if site else named
        return cut or named
    return (headings[0] if len(headings) == 1 else "") or _clean(extract_title(tree)) or _clean(capture.listed_title)


_BYLINE = re.compile(r"\s*(?:;|\||,?\s+(?:and|et|ve)\s+|,?\s+и\s+|,)\s*", re.IGNORECASE)
_BY = re.compile(r"^(?:by|par|yazan|автор|بقلم)\b[\s:]*", re.IGNORECASE)
_NOBODY = frozenset({"admin", "administrator", "editor", "editors", "webmaster", "root", "user", "author", "staff"})
_META_AUTHORS = (
    "author",
    "article:author",
    "dc.creator",
    "dcterms.creator",
    "byl",
    "parsely-author",
    "sailthru.author",
    "citation_author",
)


def _authors(tree: HtmlElement, markup: _Markup) -> tuple[str, ...]:
    """Give who signed the page, each once, in its order; accounts such as "admin" are nobody."""
    names = list(_persons(item.get("author") for item in _articles(markup)))
    names = names or [name for key in _META_AUTHORS for name in markup.meta.get(key, ())]
    # Costly (it copies the tree), so only where the page's markup is silent.
    names = names or [extract_author(tree) or ""]
    kept: dict[str, None] = {}
    for name in names:
        for part in _BYLINE.split(_clean(name)):
            person = _BY.sub("", part).strip(" .,")
            if 1 < len(person) <= 80 and "/" not in person and "@" not in person and person.lower() not in _NOBODY:
                kept.setdefault(person)
    return tuple(kept)[:20]


def _persons(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _persons(value)
        elif isinstance(value, dict) and isinstance(value.get("name"), (str, list)):
            yield from _persons([value["name"]])


# When it was published

_META_DATES = (
    "article:published_time",
    "og:article:published_time",
    "og:published_time",
    "article:published",
    "datepublished",
    "parsely-pub-date",
    "sailthru.date",
    "cxenseparse:recs:publishtime",
    "citation_publication_date",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date",
    "dcterms.date",
    "dcterms.created",
    "originalpublicationdate",
    "publication_date",
    "publish-date",
    "publishdate",
    "publish_date",
    "pub_date",
    "pubdate",
    "published",
    "date",
    "bt:pubdate",
)
_DATED = _xpath(
    '//*[@itemprop="datePublished" or @pubdate or (self::abbr and contains(@class, "published"))'
    ' or (self::time and @datetime and (contains(@class, "published") or contains(@class, "entry-date")'
    ' or (ancestor::article and not(contains(@class, "updated"))'
    " and not(ancestor::aside or ancestor::footer or ancestor::li)))"
    ")]"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_URL_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([/_-]?)(0[1-9]|1[0-2]|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)"
    r"\2(0[1-9]|[12]\d|3[01])(?!\d)",
    re.IGNORECASE,
)


def _published(tree: HtmlElement, markup: _Markup, capture: Capture) -> tuple[datetime | None, DateOrigin]:
    """Tell when the page was published and who says so: its markup, its listing, its address, last its visible text."""
    listed = capture.listed_published
    listed = _plausible(utc(listed), capture) if listed is not None else None
    for value in _dates(tree, markup):
        moment, exact = _moment(value)
        if moment is None or (moment := _plausible(moment, capture)) is None:
            continue
        # A listing that agrees on the day and knows the hour is the better witness of the two.
        if not exact and listed is not None and abs(listed - moment) < timedelta(days=1, hours=14):
            return listed, "listing"
        return moment, "page"
    if listed is not None:
        return listed, "listing"
    if (moment := _url_date(capture.url)) is not None and _plausible(moment, capture):
        return moment, "url"
    if (moment := _visible(tree, capture)) is not None and _plausible(moment, capture):
        return moment, "page"
    return None, "none"


def _plausible(moment: datetime, capture: Capture) -> datetime | None:
    return moment if EARLIEST <= moment <= utc(capture.fetched_at) + timedelta(days=1) else None


def _dates(tree: HtmlElement, markup: _Markup) -> Iterator[str]:
    for key in ("datePublished", "dateCreated"):
        for item in _articles(markup):
            if isinstance(value := item.get(key), str):
                yield value
    for name in _META_DATES:
        yield from markup.meta.get(name, ())
    for element in _DATED(tree):
        yield element.get("content") or element.get("datetime") or element.get("title") or element.text_content()


_DAY = re.compile(r"\d{4}-?\d\d-?\d\d")
_STAMP = re.compile(
    r"(\d{4})[-/.](\d\d?)[-/.](\d\d?)(?:[T ,]+(\d\d?):(\d\d)(?::(\d\d))?(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?)?"
)


def _moment(value: str) -> tuple[datetime | None, bool]:
    """Read a date as markup writes it; the second value tells whether it has an hour."""
    value = value.strip()
    exact = _DAY.fullmatch(value) is None
    try:
        return utc(datetime.fromisoformat(value)), exact
    except (ValueError, OverflowError):
        pass
    try:
        if found := _STAMP.match(value):
            year, month, day, hour, minute, second, zone = found.groups()
            iso = f"{year}-{month:0>2}-{day:0>2}T{hour or 0:0>2}:{minute or 0:0>2}:{second or 0:0>2}"
            return utc(datetime.fromisoformat(iso + (zone or ""))), hour is not None
        if value.isdecimal() and len(value) in (10, 13):
            return datetime.fromtimestamp(int(value[:10]), UTC), True
        return utc(parsedate_to_datetime(value)), True
    except (ValueError, OverflowError, IndexError, TypeError):
        return None, False


def _url_date(url: str) -> datetime | None:
    for year, _, month, day in _URL_DATE.findall(urlsplit(url).path):
        number = int(month) if month.isdecimal() else _MONTHS.index(month[:3].lower()) + 1
        try:
            return datetime(int(year), number, int(day), tzinfo=UTC)
        except ValueError:
            continue
    return None


def _visible(tree: HtmlElement, capture: Capture) -> datetime | None:
    """Find the date in the text that a reader sees, by htmldate, where it has a day."""
    # Only the body: what the head says was read above, and htmldate makes a month of a date there that cannot be.
    body = tree.find("body")
    if body is None:
        return None
    value = find_date(
        body,
        extensive_search=True,
        original_date=True,
        outputformat="%Y-%m-%dT%H:%M:%S%z",
        url="",
        min_date=EARLIEST,
        # By the day, since htmldate's caches take the limit for a part of their keys.
        max_date=utc(capture.fetched_at).replace(hour=23, minute=59, second=59, microsecond=0) + timedelta(days=1),
    )
    moment = _moment(value)[0] if value else None
    # Its last resort is a bare year or month, often of the copyright line, which it gives as the first day of it.
    if moment is not None and moment.day == 1:
        first = rf"\b0?1\D{{1,15}}{moment.year}|\b0?1[/.-]\d\d?[/.-]{moment.year}|{moment.year}[/.-]\d\d?[/.-]0?1\b"
        if not re.search(first, body.text_content()):
            return None
    return moment


# Its links and its text

# trafilatura drops them too, but only after it has copied them five times, and not from what it takes of short pages.
_HEADINGS = _xpath("//h2 | //h3 | //h4 | //h5 | //h6")
# A table of data has neither a headline nor a table inside; trafilatura would make one line of the page.
_LAYOUTS = _xpath("//table[.//h1 or .//table]")
_CELLS = _xpath("./tr | ./tr/td | ./tbody | ./tbody/tr | ./tbody/tr/td")
_UNREAD = _xpath('//nav | //style | //svg | //script[not(@type="application/ld+json")]')
_SURROUNDINGS = _xpath(
    '//aside | //footer | //*[contains(@class, "breadcrumb")][self::ol or self::ul or self::div or self::p]'
)

_LINKS = _xpath("//a[@href][not(ancestor::nav or ancestor::footer or ancestor::aside)]/@href")
_BASE = _xpath("string(//head/base/@href)")


def _links(tree: HtmlElement, url: str) -> tuple[str, ...]:
    """Give where the page leads, outside its menus: absolute, without fragment, each once, in its order."""
    base = _joined(url, _BASE(tree)) or url
    found: dict[str, None] = {}
    for href in _LINKS(tree):
        href = href.strip().partition("#")[0]
        if not href:
            continue
        whole = href.startswith(("http://", "https://")) and "[" not in href
        target = href if whole else _joined(base, href)
        if target and len(target) <= 2_000 and target.startswith(("http://", "https://")):
            found.setdefault(target)
            if len(found) == MAX_LINKS:
                break
    found.pop(url, None)
    return tuple(found)


def _is_list_of_links(element: HtmlElement) -> bool:
    """Tell a list of other articles from an article under a section's name ("Latest news")."""
    if element.tag in ("ul", "ol"):
        return element.find(".//a") is not None
    # Teasers have a link each and some 300 characters at most; a text has fewer links.
    links = len(element.findall(".//a"))
    return element.tag in ("div", "section") and links > 1 and len(element.text_content()) < 300 * links


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href)
    except ValueError:
        return ""


def _paragraphs(text: str | None, title: str = "") -> str:
    """Give the paragraphs, one a line, without the headline if it stands before them."""
    lines = [line for raw in (text or "").split("\n") if (line := " ".join(raw.split()))]
    if title and lines and _bare(lines[0]) == _bare(title):
        del lines[0]
    return "\n".join(lines)


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


# What is declined after the page was read

_BODY_CLASS = _xpath("string(//body/@class)")
_LISTING_CLASSES = frozenset({"home", "archive", "category", "tag", "search", "search-results", "error404"})
_FRONT = re.compile(r"/?(?:[a-z]{2}(?:-[a-z]{2})?/?)?(?:index\.\w+|home|default\.aspx)?/?", re.IGNORECASE)


def _check_kind(tree: HtmlElement, markup: _Markup, capture: Capture) -> None:
    """Decline a page that says itself that it is no article: by body class, schema.org type, the address of a front."""
    classes = frozenset(_BODY_CLASS(tree).lower().split())
    if "error404" in classes and "single" not in classes:
        raise _Declined("soft-404", "body class error404")
    if any(_articles(markup)) or "single" in classes or markup.first("og:type").lower() == "article":
        return
    address = urlsplit(capture.url)
    if not address.query and _FRONT.fullmatch(address.path):
        raise _Declined("not-an-article", "the address of a front page")
    # WordPress writes "wp-" or "post-type-" classes beside them; a bare "home" or "tag" of another system says little.
    if classes & _LISTING_CLASSES and any(name.startswith(("wp-", "category-", "tag-", "term-")) for name in classes):
        raise _Declined("not-an-article", f"body class {' '.join(sorted(classes & _LISTING_CLASSES))}")
    kinds = {name for item in markup.items for name in _types(item)}
    if kind := kinds & {"CollectionPage", "SearchResultsPage", "ProfilePage", "ContactPage", "AboutPage"}:
        raise _Declined("not-an-article", f"schema.org {' '.join(sorted(kind))}")


_VISIBLE = _xpath(
    "//body//text()[not(ancestor::script or ancestor::style or ancestor::a or ancestor::nav or ancestor::aside"
    " or ancestor::footer or ancestor::template)]"
)

Reason = Literal["bot-wall", "soft-404", "login-wall", "paywall-stub"]


def _check_walls(tree: HtmlElement, capture: Capture, text: str, title: str, headline: str, free: bool) -> None:
    """Decline a page that stands in the article's place; asked only where there is little text."""
    if len(text) >= STUB:
        return
    if not free:
        raise _Declined("paywall-stub", f"isAccessibleForFree is false and {len(text)} characters are shown")
    if len(text) >= SHORT:
        return
    known = walls()
    names = {part.strip().casefold() for line in (title, headline) for part in (line, *_SEGMENT.split(line))}
    seen = " ".join(" ".join(_VISIBLE(tree)).split()).casefold()
    own = " ".join(text.split()).casefold()
    reasons: tuple[tuple[Reason, Wall], ...] = (
        ("bot-wall", known.bot_wall),
        ("soft-404", known.soft_404),
        ("login-wall", known.login_wall),
        ("paywall-stub", known.paywall_stub),
    )
    for reason, wall in reasons:
        if name := next((name for name in wall.titles if name in names), ""):
            raise _Declined(reason, f"titled {name!r}")
        # Without a text of its own the whole page speaks, noscript included; with one, only what a wall puts in its
        # place, and for paywalls what stands beside it.
        words = own if text and reason != "paywall-stub" else seen
        phrase = next((phrase for phrase in wall.phrases if phrase in words), "")
        if phrase and (len(text) < TEASER or reason == "bot-wall"):
            raise _Declined(reason, f"it says {phrase!r}")
    if len(text) < TEASER:
        source = capture.body[:200_000].decode("utf-8", "replace").casefold()
        if mark := next((mark for mark in known.bot_wall.markup if mark in source), ""):
            raise _Declined("bot-wall", f"its source has {mark!r}")
