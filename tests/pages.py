"""A page as it comes out of extraction, for tests that judge texts."""

from __future__ import annotations

from datetime import UTC, datetime

from processors.records import Document, digest

PUBLISHED = datetime(2014, 11, 15, 12, tzinfo=UTC)


def page(
    text: str, language: str = "en", title: str = "", *, at: datetime | None = PUBLISHED, credit: str = ""
) -> Document:
    """Give a page of one outlet, fetched when it came out, or on `PUBLISHED` where that is not known."""
    return Document(
        id=digest(title, text),
        source="outlet_xx",
        url="https://outlet.example/1",
        title=title,
        text=text,
        published_at=at,
        fetched_at=at or PUBLISHED,
        language=language,  # type: ignore[arg-type]
        capture="c1",
        credit=credit,
    )
