"""Comparing: at most one comparison a claim, in the right direction, with its sentence and reason."""

from datetime import UTC, datetime

from processors.compare import compare
from processors.records import Document, Event, Party
from processors.register import load_registers

NOW = datetime(2014, 11, 14, 9, tzinfo=UTC)
SENTENCE = "The Islamic State and the Nusra Front made a truce in Syria."


def test_a_truce_of_the_two_supports_the_claim_of_a_truce() -> None:
    document = Document(
        id="d", source="s", url="https://a.example/1", title="T", text=SENTENCE, fetched_at=NOW, capture="c"
    )
    event = Event(
        id="e",
        document="d",
        kind="truce",
        parties=(Party(actor="islamic-state"), Party(actor="nusra")),
        start=0,
        end=len(SENTENCE),
        sentence=SENTENCE,
        rule="test",
    )
    (found,) = (c for c in compare(document, [event], load_registers()) if c.claim == "C01")
    assert (found.bearing, found.sentence) == ("supports", SENTENCE)
