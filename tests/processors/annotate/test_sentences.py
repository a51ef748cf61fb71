"""Sentences stand at their offsets, and stops that end none are passed over."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.annotate.sentences import sentences


def cut(text: str, language: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text, language)]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Mr. Haddad met Gen. Idris of the U.S. Army.", "They talked."]),
        ("en", ["He lives in the U.S.", "She does not."]),
        ("en", ["“We agreed to stop.”", "The other side was silent."]),
        ("en", ["“Why now?” he asked.", "J. K. Salim had no answer…", "Some 3.5 million fled!"]),
        ("ar", ["هل اتفق الطرفان؟", "لم يتفقا.", "نفى المتحدث ذلك؛", "ثم عاد القتال!"]),
        ("ru", ["В 2014 г. отряды им. Шамиля и т.д. ушли.", "Генерал А. Иванов остался."]),
        ("ru", ["«Когда?» — спросил он.", "Ответа не было."]),
        ("fr", ["M. Durand a dit : « Nous avons signé. »", "Le front s'est tu.", "Pourquoi ?"]),
        ("tr", ["Dr. Kaya 5. Kolordu'da konuştu.", "Ateşkes 2014'te bitti."]),
    ],
)
def test_a_text_is_cut_where_its_sentences_end(language: str, expected: list[str]) -> None:
    assert cut(" ".join(expected), language) == expected


def test_a_line_break_ends_a_headline_that_has_no_stop() -> None:
    assert cut("Rivals agree to a truce\nThe two groups met.\n\nNo more was said", "en") == [
        "Rivals agree to a truce",
        "The two groups met.",
        "No more was said",
    ]


@settings(deadline=None)
@given(st.text(alphabet="aA1.؟!?\n «»\"'عгİ", max_size=60))
def test_sentences_are_in_order_and_hold_every_letter(text: str) -> None:
    spans = sentences(text)
    assert all(a < b for a, b in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
