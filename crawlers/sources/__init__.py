"""Reads what to crawl: one YAML file a source, its id the file's name; a wrong file is refused by key and line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cssselect import SelectorError
from parsel.csstranslator import HTMLTranslator
from pydantic import AfterValidator, Field, model_validator

from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load

Kind = Literal["feed", "sitemap", "wordpress", "listing"]

FOLDER = Path(__file__).parent
"""The sources that come with the package."""

ID = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
"""How a source may be called: its id is the stem of its file, and names its folder in the archive."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address that begins with http:// or https://")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"expected a regular expression: {error}") from error
    return text


def _selector(text: str) -> str:
    try:
        HTMLTranslator().css_to_xpath(text)
    except SelectorError as error:
        raise ValueError(f"expected a CSS selector: {error}") from error
    return text


Address = Annotated[str, AfterValidator(_web_address)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Selector = Annotated[str, AfterValidator(_selector)]


class Selectors(Knowledge):
    """Where a listing page keeps its links."""

    item: Selector
    """CSS selector of the links to articles, or of elements that each hold one."""
    next: Selector = ""
    """CSS selector of the link to the next (older) page; none means a single page."""


class Expect(Knowledge):
    """How many new items a day an outlet brings: fewer is a failure to look into, more a warning."""

    min: Annotated[float, Field(ge=0)] = 0
    max: Annotated[float, Field(gt=0)] | None = None


class SourceFile(Knowledge):
    """The keys of a source's YAML."""

    name: str
    """What readers call it."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    """ISO 3166-1 code, upper case and in quotes (a bare NO is no string in YAML)."""
    language: Literal["ar", "en", "ru", "fr", "tr"]
    kind: Kind
    url: Address | None = None
    """Entry: the feed, the sitemap, ``…/wp-json/wp/v2/posts``, or the first listing page."""
    urls: Annotated[tuple[Address, ...], Field(min_length=1)] | None = None
    """Several entries in place of one."""
    home: Address | None = None
    """Front page; from the entry's host where not given."""
    selectors: Selectors | None = None
    """Kind ``listing`` only, and needed there."""
    pages: str = ""
    """Kind ``feed`` only: the query name under which the feed has older pages (``paged`` in WordPress)."""
    include: tuple[Pattern, ...] = ()
    """Only addresses in which one of these is found are items."""
    exclude: tuple[Pattern, ...] = ()
    """Addresses in which one of these is found are refused, by name."""
    every: Annotated[str, Field(pattern=r"^[1-9][0-9]*[smhd]$")] = "1h"
    """How often to look: ``15m``, ``1h``, ``1d``; ``30s`` for a site of your own."""
    max_age: Annotated[str, Field(pattern=r"^[1-9][0-9]*[mhd]$")] | None = None
    """Items listed as older are refused as ``old`` (a sitemap may list decades); ``sulh backfill`` takes them."""
    expect: Expect = Expect()
    delay: Annotated[float, Field(ge=0, le=120)] = 1.0
    """Seconds between two requests to one host; a longer Crawl-delay in robots.txt wins."""
    timeout: Annotated[float, Field(ge=1, le=300)] = 30.0
    """Seconds that one response may take, its body included."""
    camp: str = ""
    """Whose voice it is: a camp as in the actors' files (``is``, ``aq``, ``rebel``, ``regime``), or ``independent``."""
    about: str = ""
    """One line: why an analyst of this subject reads it."""
    tags: tuple[str, ...] = ()
    checked: date | Literal["never"] = "never"
    """Day on which ``sulh sources check`` last saw it live."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> SourceFile:
        if (self.url is None) == (self.urls is None):
            raise ValueError("expected either url or urls")
        if (self.kind == "listing") != (self.selectors is not None):
            raise ValueError("expected selectors for kind listing, and for no other kind")
        if self.pages and self.kind != "feed":
            raise ValueError("expected pages for kind feed only")
        return self


class Source(SourceFile):
    """One outlet and how to crawl it."""

    id: str
    """Stem of its file; also its folder in the archive and the name of its test page."""

    @property
    def entries(self) -> tuple[str, ...]:
        """The addresses where a crawl begins."""
        return (self.url,) if self.url else self.urls or ()

    @property
    def front(self) -> str:
        """The site's front page, with a slash at its end."""
        parts = urlsplit(self.entries[0])
        return self.home or f"{parts.scheme}://{parts.netloc}/"

    @property
    def interval(self) -> timedelta:
        """How often to look."""
        return _duration(self.every)

    @property
    def oldest(self) -> timedelta | None:
        """How old an item may be when it is first listed."""
        return _duration(self.max_age) if self.max_age else None


def load_source(path: Path) -> Source:
    """Read one source. Raises KnowledgeError with file, line and key."""
    if not ID.fullmatch(path.stem):
        raise KnowledgeError(f"{path}: expected a name of lower-case letters, digits and _ such as outlet_cc.yml")
    return named(path.stem, load(path, SourceFile))


def named(id: str, file: SourceFile) -> Source:
    """Give the source that a file's content and its name make."""
    return Source.model_construct(id=id, **{key: getattr(file, key) for key in SourceFile.model_fields})


def load_sources(folder: Path | None = None, *, packaged: bool = True) -> dict[str, Source]:
    """Read the package's sources and those of one more folder, which win over the package's of the same name.

    Raises KnowledgeError that names each broken file, or a folder that is missing.
    """
    sources, broken = collect_sources(folder, packaged=packaged)
    if broken:
        raise KnowledgeError("\n".join(str(error) for error in broken))
    return sources


def collect_sources(
    folder: Path | None = None, *, packaged: bool = True
) -> tuple[dict[str, Source], tuple[KnowledgeError, ...]]:
    """Read like `load_sources`, but give the errors beside the sources that are right, so that one stops no other."""
    sources: dict[str, Source] = {}
    broken: list[KnowledgeError] = []
    for path in _files([FOLDER] * packaged + ([folder] if folder is not None else [])):
        try:
            sources[path.stem] = load_source(path)
        except KnowledgeError as error:
            # What the package has under this name must not pass for what the person wrote.
            sources.pop(path.stem, None)
            broken.append(error)
    if folder is not None and not folder.is_dir():
        broken.append(KnowledgeError(f"{folder}: there is no such folder of sources"))
    return dict(sorted(sources.items())), tuple(broken)


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        yield from sorted(folder.glob("*.yml"))
        yield from sorted(folder.glob("*.yaml"))


def _duration(text: str) -> timedelta:
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
