"""The step annotate: language, sketch, credit and events of a document."""

from __future__ import annotations

from dataclasses import replace

from processors.annotate import events, language, retold, story
from processors.records import Document, Event


def annotate(document: Document) -> tuple[Document, tuple[Event, ...]]:
    """Give the document with language, sketch and credit set, and the events that its sentences tell.

    The story is not set here: it depends on what the store holds (`story.assign`).
    """
    document = replace(
        document,
        language=language.language(document.text, document.title, document.declared),
        credit=story.credit(document.text),
    )
    told = events.events(document)
    return replace(document, sketch=story.sketch(document.text) + retold.marks(document, told)), told
