"""A page becomes a document with its text, title, date, authors and links, or is declined by name."""

from __future__ import annotations

from datetime import UTC, datetime

from processors.extract import extract
from processors.records import Capture, Document, Rejection, digest

NOW = datetime(2014, 11, 20, 12, tzinfo=UTC)


def capture(
    body: str | bytes,
    *,
    url: str = "https://outlet.example/news/truce",
    status: int = 200,
    content_type: str = "text/html",
    listed: datetime | None = None,
) -> Capture:
    """A capture of the body, fetched on 20 November 2014."""
    return Capture(
        id=digest("outlet_xx", url, NOW.isoformat()),
        source="outlet_xx",
        url=url,
        fetched_at=NOW,
        status=status,
        headers=(),
        content_type=content_type,
        body=body.encode() if isinstance(body, str) else body,
        locator="outlet.warc.gz:0",
        listed_published=listed,
    )


def page(body: str, head: str = "", title: str = "Two groups agree a truce", lang: str = "en") -> str:
    """An article page with menus around the body."""
    return f"""<!doctype html><html lang="{lang}"><head><title>{title} | The Outlet</title>{head}</head><body>
<header><nav><a href="/">Home</a> <a href="/world">World</a></nav></header>
<main><article><h1>{title}</h1>{body}</article></main>
<aside><h2>Most read</h2><ul><li><a href="/other">Another story</a></li></ul></aside>
<footer><a href="/about">About</a> All rights reserved.</footer></body></html>"""


FIRST = "Fighters of two rival groups north of the town agreed on Saturday to stop shooting at each other for a month."
SECOND = (
    "A commander said that prisoners would be exchanged within a week and that checkpoints would stay where they are."
)
BODY = f"<p>{FIRST}</p><p>{SECOND}</p>"


def read(body: str | bytes, **more: object) -> Document:
    """The document of the page; a rejection fails the test with its reason."""
    found = extract(capture(body, **more))  # type: ignore[arg-type]
    assert isinstance(found, Document), found
    return found


def declined(body: str | bytes, **more: object) -> str:
    """The reason for which the page is declined."""
    found = extract(capture(body, **more))  # type: ignore[arg-type]
    assert isinstance(found, Rejection), found
    assert (found.step, found.source, found.at) == ("extract", "outlet_xx", NOW)
    assert found.capture == digest("outlet_xx", found.url, NOW.isoformat())
    return found.reason


def test_an_article_gives_its_paragraphs_and_none_of_what_stands_around_them() -> None:
    found = read(page(BODY))
    assert found.text == f"{FIRST}\n{SECOND}"
    assert found.title == "Two groups agree a truce"
    assert found.id == digest("https://outlet.example/news/truce")
