"""Events are found clause by clause, in five languages, each with the sentence that says so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from processors.annotate.events import events
from processors.records import Document, Event

LABELLED = yaml.safe_load((Path(__file__).parent / "events.yml").read_text(encoding="utf-8"))
ITEMS = [(language, item["text"], item["events"]) for language, items in LABELLED.items() for item in items]
PUBLISHED = datetime(2014, 11, 15, 12, tzinfo=UTC)


def document(text: str, language: str, title: str = "") -> Document:
    return Document(
        id="d1",
        source="outlet",
        url="https://outlet.example/1",
        title=title,
        text=text,
        published_at=PUBLISHED,
        fetched_at=PUBLISHED,
        language=language,  # type: ignore[arg-type]
        capture="c1",
    )


def shown(event: Event) -> str:
    parties = "+".join(sorted(party.actor for party in event.parties))
    return f"{event.kind} {parties} {event.polarity} {event.modality}"


@pytest.mark.parametrize(("language", "text", "expected"), ITEMS)
def test_finds_what_the_sentence_says(language: str, text: str, expected: list[str]) -> None:
    got = sorted(shown(event) for event in events(document(text, language)))
    assert got == sorted(expected)


@pytest.mark.parametrize("language", LABELLED)
def test_each_sentence_stands_at_its_offsets(language: str) -> None:
    text = "\n".join(item["text"] for item in LABELLED[language])
    read = document(text, language, title=LABELLED[language][0]["text"])
    found = events(read)
    assert len(found) > 15
    assert len({event.id for event in found}) == len(found)
    assert {event.field for event in found} == {"title", "text"}
    for event in found:
        assert (read.title if event.field == "title" else read.text)[event.start : event.end] == event.sentence
        assert event.rule.startswith(f"{language}:")
