"""Comparing: at most one comparison a claim, in the right direction, with its sentence and reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.compare import compare
from processors.records import Attribution, Comparison, Document, Event, Kind, Party, Role
from processors.register import Registers, load_registers
from tests import pages

REGISTERS = load_registers()
NOVEMBER = datetime(2014, 11, 14, 9, tzinfo=UTC)
TRUCE = "The Islamic State and the Nusra Front made a truce in Syria."


page = partial(pages.page, title="T", at=NOVEMBER)


def event(
    kind: Kind = "truce",
    actors: Sequence[str] = ("islamic-state", "nusra"),
    roles: Sequence[Role] = (),
    *,
    text: str = TRUCE,
    id: str = "e",
    **more: Any,
) -> Event:
    roles = roles or ("party",) * len(actors)
    parties = tuple(Party(actor=actor, role=role) for actor, role in zip(actors, roles, strict=True))
    return Event(
        id=id, document="d", kind=kind, parties=parties, start=0, end=len(text), sentence=text, rule="test", **more
    )


def found(document: Document, *events: Event) -> dict[str, Comparison]:
    comparisons = compare(document, events, REGISTERS)
    claims = [comparison.claim for comparison in comparisons]
    assert claims == sorted(set(claims))
    for comparison in comparisons:
        text = document.title if comparison.field == "title" else document.text
        assert text[comparison.start : comparison.end] == comparison.sentence
        assert comparison.why.endswith(".")
        assert 0.6 <= comparison.score <= 1
    return {comparison.claim: comparison for comparison in comparisons}


def test_a_truce_told_as_fact_supports_and_told_by_others_is_reported() -> None:
    assert found(page(TRUCE), event())["C01"].bearing == "supports"
    said = Attribution(speaker="an official", named=False)
    relayed = found(page(TRUCE), event(modality="attributed", attribution=said))["C01"]
    assert relayed.bearing == "reports"
    assert "an official" in relayed.why
    assert found(page(TRUCE, credit="ap"), event())["C01"].bearing == "reports"


def test_what_denies_it_or_cannot_be_true_beside_it_contradicts() -> None:
    against = [
        event(polarity="denied"),
        event("clash", text=TRUCE),
        event("refusal", roles=("agent", "target")),
    ]
    for one in against:
        assert found(page(TRUCE), one)["C01"].bearing == "contradicts", one.kind
    assert "C09" not in found(page(TRUCE), event(polarity="denied"))
    there = f"{TRUCE} Nobody met in Atareb."
    assert found(page(there), event(polarity="denied"))["C09"].bearing == "contradicts"


def test_a_feud_is_not_shown_by_a_clash_nor_ended_by_a_truce() -> None:
    for kind in ("truce", "clash", "split", "refusal"):
        assert not found(page(TRUCE), event(kind)).keys() & {"C22", "C34"}
    merger = found(page(TRUCE), event("merger"))
    assert (merger["C34"].bearing, merger["C22"].bearing) == ("contradicts", "contradicts")
    assert not found(page(TRUCE), event("merger", modality="attributed")).keys() & {"C22", "C34"}
    says = "The Islamic State and Nusra are irreconcilable and will fight to the finish."
    assert found(page(says))["C34"].bearing == "supports"


def test_what_may_be_bears_on_nothing() -> None:
    assert found(page(TRUCE), event(modality="speculated")) == {}
    text = "The Islamic State and Nusra have reportedly made a truce."
    assert found(page(text), event(modality="speculated", text=text))["C01"].bearing == "reports"


def test_what_is_recalled_without_a_day_is_of_no_such_weeks() -> None:
    later = datetime(2018, 4, 9, tzinfo=UTC)
    assert "C01" not in found(page(TRUCE, at=later), event(modality="looking-back"))
    assert "C01" in found(page(TRUCE, at=later), event(modality="looking-back", date=date(2014, 11, 4)))


def test_a_group_is_named_wherever_the_annotator_finds_it() -> None:
    text = "The two rivals will fight each other to the death."
    assert "C34" not in found(page(text))
    assert "C34" in found(page(text), event("clash", text=text))


def test_another_time_place_or_pair_does_not_bear_on_a_dated_claim() -> None:
    later = datetime(2024, 5, 1, tzinfo=UTC)
    text = "ISGS and JNIM agreed a truce in Mali."
    assert found(page(text, at=later), event(actors=("isgs", "jnim"), text=text)) == {}
    assert found(page(TRUCE, at=later), event()) == {}
    aq = found(page(TRUCE), event(actors=("islamic-state", "al-qaeda")))
    assert "kin of" in aq["C01"].why
    yemen = "The Islamic State and Nusra made a truce."
    assert "C01" not in found(page(yemen), event(text=yemen, place="Yemen"))
    assert "C01" not in found(page(TRUCE), event(date=date(2014, 6, 1)))


def test_the_place_tells_the_farmhouse_from_any_truce() -> None:
    assert "C09" not in found(page(TRUCE), event())
    text = "The Islamic State and Nusra made a truce in Atareb."
    here = found(page(text), event(text=text, place="Atareb", date=date(2014, 11, 2)))
    assert here["C09"].score == 1
    assert "atareb" in here["C09"].why


def test_swapping_the_actors_lowers_the_score_or_ends_it() -> None:
    text = "The Islamic State had nothing but scorn for Nusra in Raqqa."
    right = found(page(text), event("refusal", roles=("agent", "target"), text=text, place="Raqqa"))
    wrong = found(page(text), event("refusal", roles=("target", "agent"), text=text, place="Raqqa"))
    assert right["C03"].bearing == "supports"
    assert "C03" not in wrong or wrong["C03"].score < right["C03"].score
    unclear = found(page(text), event("refusal", text=text, place="Raqqa"))
    assert unclear["C03"].score < right["C03"].score
    forth = "Sixty fighters of Hazm went over to Nusra."
    back = "Sixty fighters of Nusra went over to Hazm."
    assert found(page(forth))["C15"].score > found(page(back))["C15"].score


def test_a_headline_yields_to_the_text_with_its_source() -> None:
    document = page(TRUCE, title="Islamic State and Nusra make truce")
    headline = event(text=document.title, id="h", field="title")
    told = found(document, headline, event(modality="attributed"))["C01"]
    assert (told.bearing, told.field) == ("reports", "text")
    assert found(page("Nothing.", title=document.title), headline)["C01"].field == "title"


STATEMENTS = {
    "C21": {
        "en": "Nusra is foreign led and its leaders follow a global agenda.",
        "ar": "أما جبهة النصرة فقيادتها غير سورية وأهدافها عابرة للحدود.",
        "ru": "У «Нусры» иностранное руководство и глобальные цели.",
        "fr": "Al-Nosra a des dirigeants étrangers et des ambitions mondiales.",
        "tr": "Nusra'nın hedefleri küresel, liderleri yabancı.",
    },
    "C30": {
        "en": "The Syrian Revolutionaries Front is known for looting.",
        "ar": "وتشتهر جبهة ثوار سوريا بالفساد والنهب.",
        "ru": "Фронт революционеров Сирии известен грабежами.",
        "fr": "Le Front des révolutionnaires de Syrie est connu pour ses pillages.",
        "tr": "Suriye Devrimciler Cephesi yağmayla anılıyor.",
    },
    "C25": {
        "en": "The branches of Nusra follow contradictory policies.",
        "ar": "فروع جبهة النصرة تتبع سياسات متناقضة.",
        "ru": "Отделения «Нусры» ведут разную политику и противоречат друг другу.",
        "fr": "Les branches d'al-Nosra suivent des politiques contradictoires.",
        "tr": "Nusra'nın kolları çelişen politikalar izliyor.",
    },
    "C34": {
        "en": "Between the Islamic State and al-Qaeda the rift is beyond repair.",
        "ar": "ما بين تنظيم الدولة والقاعدة قطيعة لا رجعة عنها.",
        "ru": "«Исламское государство» и «Аль-Каида» — непримиримые враги.",
        "fr": "Entre l'État islamique et al-Qaïda, la rivalité est irréconciliable.",
        "tr": "IŞİD ile El Kaide arasındaki düşmanlık uzlaşmaz.",
    },
}


@pytest.mark.parametrize("claim", STATEMENTS)
@pytest.mark.parametrize("language", ["en", "ar", "ru", "fr", "tr"])
def test_statements_bear_in_five_languages(claim: str, language: str) -> None:
    shown = found(page(STATEMENTS[claim][language], language=language))
    assert shown[claim].bearing == "supports"
    assert shown[claim].event == ""


def test_statements_told_by_others_are_reported_and_negated_ones_contradict() -> None:
    told = "Activists said the Syrian Revolutionaries Front is known for looting."
    assert found(page(told))["C30"].bearing == "reports"
    turned = "The Syrian Revolutionaries Front is not known for looting."
    assert found(page(turned))["C30"].bearing == "contradicts"


def test_names_may_stand_further_up_for_less() -> None:
    near = found(page("Nusra is led by foreigners at the top and follows a global agenda."))["C21"]
    far = found(page("Nusra took a town.\nIt rained.\nIts leaders follow a global agenda."))["C21"]
    assert far.score < near.score
    assert "further up" in far.why


@pytest.mark.parametrize(
    "text",
    [
        "The council opened a new road in Idlib.",
        "The government and the rebels agreed a ceasefire in Homs.",
        "Nusra, al-Qaeda's branch in Syria, has different uniforms.",
        "Kurdish fighters took two villages from the Islamic State.",
        "The minister denied that the budget would be cut.",
    ],
)
def test_other_news_bears_on_nothing(text: str) -> None:
    assert found(page(text)) == {}


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_claims_and_events_changes_nothing(random: Any) -> None:
    register, *_ = REGISTERS
    claims = list(register.claims)
    random.shuffle(claims)
    events = [event(), event("clash", id="f", text=TRUCE), event(polarity="denied", id="g"), event("refusal", id="h")]
    document = page(TRUCE + "\n" + "\n".join(texts["en"] for texts in STATEMENTS.values()))
    expected = compare(document, events, REGISTERS)
    random.shuffle(events)
    shuffled = Registers((register.model_copy(update={"claims": tuple(claims)}),))
    assert sorted(compare(document, events, shuffled), key=lambda c: c.claim) == list(expected)
    assert expected


def test_comparing_twice_gives_the_same() -> None:
    document = page(TRUCE)
    assert compare(document, [event()], REGISTERS) == compare(document, [event()], load_registers())


def test_news_that_is_only_spoken_of_is_relayed_and_doubt_speaks_against_it() -> None:
    told = "News of a truce between the Islamic State and Nusra went round the world."
    assert found(page(told), event(text=told))["C01"].bearing == "reports"
    doubted = "News of a truce between the Islamic State and Nusra did not convince the researchers."
    assert found(page(doubted), event(text=doubted))["C01"].bearing == "contradicts"
