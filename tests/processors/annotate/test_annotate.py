"""A document leaves the step with its language, sketch and credit, and with the events of its sentences."""

from datetime import UTC, datetime

from processors.annotate import annotate
from processors.records import Document


def test_a_document_is_annotated() -> None:
    document = Document(
        id="d",
        source="s",
        url="http://example.org/",
        title="Rivals meet",
        text="BEIRUT (AP) — Jabhat al-Nusra and the Islamic State agreed to a truce in the camp, said one of "
        "the elders who had brought them to the table on Friday.",
        fetched_at=datetime(2014, 11, 15, tzinfo=UTC),
        capture="c",
        declared="fr",
    )
    annotated, found = annotate(document)
    assert (annotated.language, annotated.credit) == ("en", "ap")
    assert annotated.sketch
    assert {(e.kind, frozenset(p.actor for p in e.parties)) for e in found} >= {
        ("truce", frozenset({"nusra", "islamic-state"}))
    }
    assert all(annotated.text[event.start : event.end] == event.sentence for event in found)
    assert annotate(document) == (annotated, found)
