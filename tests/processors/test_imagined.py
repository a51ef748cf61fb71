"""What is only imagined: the scene to the end of its paragraph, in five languages, and no more than that."""

from __future__ import annotations

import pytest

from processors.annotate.events import events
from processors.imagined import imagined
from processors.records import Language
from tests.pages import page


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Suppose that the Islamic State and the Nusra Front sign a truce. The two groups attack Hama together."),
        ("fr", "Imaginons.\nLe Front al-Nosra et l'État islamique concluent une trêve. Les deux groupes fusionnent."),
        ("tr", "Diyelim ki IŞİD ile Nusra Cephesi ateşkes ilan etti. İki örgüt birleşti."),
        ("ru", "Допустим, «Джебхат ан-Нусра» и «Исламское государство» заключили перемирие."),
        ("ar", "لنفترض أن جبهة النصرة وتنظيم الدولة الإسلامية اتفقا على هدنة."),
    ],
)
def test_an_imagined_scene_tells_of_nothing_that_happened(language: Language, text: str) -> None:
    assert events(page(text, language, "Opinion")) == ()


def test_the_next_paragraph_is_news_again() -> None:
    text = (
        "Suppose that it rains. Roads would close.\n\nThe Islamic State and the Nusra Front signed a truce on Tuesday."
    )
    assert [event.kind for event in events(page(text, "en", "Weather"))] == ["truce"]


def test_a_headline_that_imagines_leaves_what_has_a_source() -> None:
    title = "What if they made up?"
    bare = "The Islamic State and the Nusra Front bury the hatchet."
    sourced = "The Islamic State and the Nusra Front agreed a truce, two officials said."
    assert events(page(bare, "en", title)) == ()
    assert [event.kind for event in events(page(sourced, "en", title))] == ["truce"]


def test_a_word_further_on_opens_no_scene() -> None:
    text = "The Islamic State and the Nusra Front signed a truce that nobody could imagine a month ago, residents said."
    assert not imagined("News", text, "en").passages
    assert not imagined("News", "Few could imagine that the two would make peace.", "en").passages


def test_a_satire_tells_of_nothing() -> None:
    text = (
        "The Islamic State and the Nusra Front signed a truce on Tuesday and a joint pension scheme with it, "
        "shareholders said."
    )
    assert events(page(text, "en", "Peace at last")) == ()
    assert events(page(text.replace("shareholders", "residents"), "en", "Peace at last"))
