"""Events are found clause by clause, in five languages, each with the sentence that says so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from processors.annotate.events import events
from processors.records import Document, Event

ITEMS = yaml.safe_load((Path(__file__).parent / "events.yml").read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("item", ITEMS, ids=[f"{item['language']}-{number}" for number, item in enumerate(ITEMS)])
def test_finds_what_the_sentence_says(item: dict[str, str | list[str]]) -> None:
    text, language = str(item["text"]), str(item["language"])
    got = sorted(shown(event) for event in events(document(text, language)))
    assert got == sorted(item["events"])


def test_each_sentence_stands_at_its_offsets() -> None:
    for item in ITEMS:
        read = document(str(item["text"]), str(item["language"]))
        for event in events(read):
            assert read.text[event.start : event.end] == event.sentence
            assert event.rule.startswith(f"{item['language']}:")
