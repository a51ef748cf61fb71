"""A document leaves the step with its language, sketch and credit."""

from datetime import UTC, datetime

from processors.annotate import annotate
from processors.records import Document


def test_a_document_is_annotated() -> None:
    document = Document(
        id="d",
        source="s",
        url="http://example.org/",
        title="Rivals meet",
        text="BEIRUT (AP) — The two groups agreed to stop the fighting in the camp for a week, said one of the elders.",
        fetched_at=datetime(2014, 11, 15, tzinfo=UTC),
        capture="c",
        declared="fr",
    )
    annotated, _ = annotate(document)
    assert (annotated.language, annotated.credit) == ("en", "ap")
    assert annotated.sketch
    assert annotate(document)[0] == annotated
