"""What texts in five languages bear on by their words, and how words and events agree where both speak to a claim."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
import yaml

from processors.compare import compare
from processors.records import Event, Kind, Party
from processors.register import load_registers
from tests.pages import page

REGISTERS = load_registers()
ITEMS = yaml.safe_load((Path(__file__).parent / "bearings.yml").read_text(encoding="utf-8"))["items"]


def told(kind: Kind, sentence: str, text: str, title: str = "", **more: Any) -> Event:
    """Give an event of IS and Nusra that the sentence tells."""
    field = "text" if sentence in text else "title"
    start = (text if field == "text" else title).index(sentence)
    parties = (Party(actor="islamic-state", role="party"), Party(actor="nusra", role="party"))
    return Event(
        id=f"{kind}-{field}-{start}",
        document="d",
        kind=kind,
        parties=parties,
        field=field,  # type: ignore[arg-type]
        start=start,
        end=start + len(sentence),
        sentence=sentence,
        rule="test",
        **more,
    )


def bearings(text: str, *events: Event, title: str = "", language: str = "en") -> dict[str, str]:
    """Give the claims that the text bears on, and how."""
    return {one.claim: one.bearing for one in compare(page(text, language, title), events, REGISTERS)}


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item['language']}: {item['text'][:40]}")
def test_a_text_bears_by_its_words_on_these_claims_and_no_others(item: dict[str, Any]) -> None:
    at = datetime.combine(item["day"], time(12), tzinfo=UTC)
    document = page(item["text"], item["language"], at=at)
    assert {one.claim: one.bearing for one in compare(document, (), REGISTERS)} == item["claims"]


def test_a_truce_that_is_told_stays_told_though_somebody_doubts_it() -> None:
    truce, doubt = "IS and Nusra made a truce.", "Their deal is hard to believe, one rebel thinks."
    text = f"{truce} {doubt}"
    assert bearings(text, told("truce", truce, text))["C01"] == "supports"
    assert bearings(doubt, told("truce", doubt, doubt), title="IS and Nusra")["C01"] == "contradicts"


def test_a_denial_denies_what_the_same_text_quotes() -> None:
    quoted, denied = "Reporters wrote that IS and Nusra had buried the hatchet.", "Nusra spoke of a bad dream."
    text = f"{quoted} {denied}"
    assert bearings(text)["C01"] == "reports"
    assert bearings(text, told("truce", denied, text, polarity="denied"))["C01"] == "contradicts"


def test_a_fight_that_a_truce_ends_does_not_belie_it_but_one_in_the_headline_does() -> None:
    text = "IS and Nusra fought for a year and have now made a truce."
    truce, fight = told("truce", text, text), told("clash", text, text)
    assert bearings(text, truce, fight)["C01"] == "supports"
    title = "IS and Nusra fight again"
    assert bearings(text, truce, fight, told("clash", title, text, title), title=title)["C01"] == "contradicts"


def test_a_fight_anywhere_in_syria_belies_the_truce() -> None:
    text = "IS and Nusra fought all day."
    assert bearings(text, told("clash", text, text, place="Homs")) == {"C01": "contradicts"}
    assert bearings(text, told("clash", text, text, place="Yemen")) == {}


def test_whoever_names_a_source_once_relays_what_happened_but_not_what_groups_are_like() -> None:
    source = "An activist said so."
    happened, like = "IS and Nusra met in Atareb.", "Nusra's judges cannot be bought."
    assert bearings(happened)["C09"] == "supports"
    assert bearings(f"{happened} {source}")["C09"] == "reports"
    assert bearings(f"{like} Prices rose. {source}")["C31"] == "supports"


def test_who_met_may_be_named_in_the_next_sentence() -> None:
    assert bearings("They met near Atareb. Isis and Nusra sent their emirs.")["C09"] == "supports"
    assert "C09" not in bearings("They met near Atareb. Prices rose. Isis and Nusra sent their emirs.")
