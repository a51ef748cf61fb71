"""Reads what an analyst would say of each sample page, for the demo and the tests to compare with what sulh says."""

from __future__ import annotations

from pathlib import Path

from processors.knowledge import Knowledge, load
from processors.records import Kind, Language, MemberRole, State
from sulh.demo.serve import FOLDER


class ExpectedMember(Knowledge):
    """That a page belongs to an alert, and what it adds to it."""

    name: str
    role: MemberRole


class ExpectedPage(Knowledge):
    """What an analyst would say of one page."""

    language: Language | None = None
    """None for a page that is declined."""
    story: str = ""
    """Id of the page of which this is a reprint; empty for one that tells its own."""
    credit: str = ""
    """Whom the text credits, by the name that it prints."""
    alerts: tuple[ExpectedMember, ...] = ()
    carries: tuple[str, ...] = ()
    """Claims that the page supports or reports."""
    contradicts: tuple[str, ...] = ()
    rejection: str = ""
    """Why the page is declined: by the crawl (``robots``) or on reading."""
    arguable: str = ""
    """Where two analysts could differ, and about what."""


class ExpectedAlert(Knowledge):
    """One reconciliation that the pages report, and how an analyst would file it."""

    parties: tuple[str, ...]
    kinds: tuple[Kind, ...]
    """Any of these is right."""
    place: str
    state: State
    """With all pages read."""
    origins: tuple[str, ...]
    """Pages of the independent reports that it goes back to."""
    caution: tuple[str, ...]
    """Signals of the checklist for which a page of the alert has a sentence."""
    arguable: str = ""


class Expected(Knowledge):
    """All labels: alerts by a name that only this file uses, and pages by ``<outlet>/<file stem>``."""

    alerts: dict[str, ExpectedAlert]
    pages: dict[str, ExpectedPage]


def expected(path: Path = FOLDER / "expected.yml") -> Expected:
    """Read the labels of the sample pages. Raises KnowledgeError for a wrong file."""
    return load(path, Expected)
