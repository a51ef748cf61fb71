"""Forms of one word meet in a term, in the text and in the question, whatever the keyboard."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.fold import fold, needles, snippet, terms, words


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("ar", "مصالحة المصالحة والمصالحة بالمصالحة للمصالحة مصالحات المصالحات وبالمصالحة ومصالحة مُصَالَحَةٌ المصالحه"),
        ("ar", "هدنة الهدنة والهدنة بهدنة هدنتهم وبهدنة الهدنـــة فالهدنة"),
        ("ar", "اتفاق الاتفاق واتفاق اتفاقات إتفاق الإتفاق اتفاقهم لاتفاق"),
        ("ar", "داعش وداعش لداعش بداعش"),
        ("ar", "القاعدة قاعدة والقاعدة كالقاعدة قاعده"),
        ("ar", "مقاتلون المقاتلين مقاتلي"),
        ("ar", "الظواهري الظواهرى الظواهری"),
        ("en", "truce truces truce's Truce’s TRUCES"),
        ("en", "Da'ish Daish DA’ISH Daʿish"),
        ("fr", "trêve trêves treve"),
        ("fr", "négocié négociés négocier negocier negocie"),
        ("fr", "État l'État l’Etat d'état"),
        ("tr", "ateşkes ateşkesi ateşkesin ateşkesten ATEŞKES ateskes"),
        ("tr", "anlaşma anlaşması anlaşmayı anlaşmanın ANLAŞMASI"),
        ("tr", "IŞİD IŞİD'in IŞİD’le ışid ISID"),
        ("tr", "Nusra Nusra'nın Nusra'dan nusra"),
        ("ru", "перемирие перемирия перемирием Перемирии"),
        ("ru", "Фёдоров Федоров Фёдорова"),
    ],
)
def test_forms_of_one_word_share_a_term(language: str, forms: str) -> None:
    found = {form: set(terms(form, language)) for form in forms.split()}
    assert [(a, b) for a, b in combinations(found, 2) if found[a].isdisjoint(found[b])] == []


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("ar", "هدنة", "قتال"),
        ("ar", "وقف", "قف"),
        ("en", "truce", "trust"),
        ("en", "Da'ish", "da"),
        ("tr", "Da'ish", "da"),
        ("tr", "ateşkes", "ateş"),
        ("fr", "aujourd'hui", "hui"),
        ("ru", "мир", "перемирие"),
        ("ru", "йод", "иод"),
    ],
)
def test_different_words_stay_apart(language: str, one: str, other: str) -> None:
    assert set(terms(one, language)).isdisjoint(terms(other, language))


def test_a_word_in_another_script_is_read_in_its_own_language() -> None:
    assert terms("ceasefires", "ar") == terms("ceasefire", "en")
    assert set(terms("بالهدنة", "en")) & set(terms("هدنة", "ar"))
    assert terms("перемирием", "und") == terms("перемирие", "ru")
    assert terms("停戦 שלום २०१४", "en") == ["停戦", "שלום", "2014"]


def test_hyphens_join_and_part() -> None:
    assert terms("cease-fire", "en") == ["ceas", "fire", "ceasefir"]
    assert [(word.start, word.end) for word in words("a cease-fire", "en")] == [(0, 1), (2, 7), (8, 12), (2, 12)]
    (needle,) = needles("cease-fire", "en")
    assert needle.readings == ((("ceas",), ("fire",)), (("ceasefir",),))


def test_a_query_without_a_language_is_read_in_each_that_writes_so() -> None:
    (needle,) = needles("trêves")
    ((asked,),) = needle.readings
    assert set(asked) >= {*terms("trêves", "fr"), *terms("trêves", "en"), *terms("trêves", "tr")}
    assert needles("trêves", "fr")[0].readings == ((tuple(terms("trêves", "fr")),),)
    assert needles(" !? — ") == ()


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("İSTANBUL Işık ışık", "istanbul isik isik"),
        ("Ёлка й Й", "елка й й"),
        ("الدَّوْلَة الإسلاميّة", "الدوله الاسلاميه"),
        ("آمن مؤتمر هيئة علی", "امن موتمر هييه علي"),
        ("Da’ish al-Qāʿida", "daish al qaida"),
        ("cœur ﬁn ＡＢＣ ²", "coeur fin abc 2"),
        ("١٢ ۳", "12 3"),
        ("soft\u00adhyphen تـــم", "softhyphen تم"),
    ],
)
def test_folding_leaves_what_readers_take_for_the_same(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(max_size=60), st.sampled_from(["ar", "en", "fr", "ru", "tr", "und"]))
def test_a_text_is_found_by_its_own_words(text: str, language: str) -> None:
    found = terms(text, language)
    assert all(term.isalnum() for term in found)
    for needle in needles(text, language):
        assert any(all(set(word) & set(found) for word in reading) for reading in needle.readings)
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=200), st.text(max_size=20))
def test_words_stand_where_they_say(text: str, query: str) -> None:
    for word in words(text, "en"):
        assert set(word.terms) <= set(terms(text[word.start : word.end], "en"))
    assert len(snippet(text, needles(query), "en", size=40)) <= 40 + 40 + 2 * len(text)


def test_a_snippet_shows_the_stretch_with_most_of_what_was_asked() -> None:
    filler = "Nothing of note happened on that day in the whole region. " * 20
    text = f"A truce, some said. {filler}The cease-fire and the truces with al-Nusra held.\n\n{filler}"
    shown = snippet(text, needles("truce ceasefire nusra", "en"), "en")
    assert "The [cease-fire] and the [truces] with al-[Nusra] held. Nothing" in shown
    assert shown.startswith("…") and shown.endswith("…")
    assert len(shown) < 300
    assert snippet(text, needles("merger", "en"), "en").startswith("A truce, some said. Nothing")
    assert snippet("Short truce.", needles("truce"), "en") == "Short [truce]."
    assert snippet("", needles("truce"), "en") == ""


def test_an_endless_word_costs_neither_time_nor_space() -> None:
    endless = "a" * 200_000
    assert [len(term) for term in terms(endless, "en")] == [64]
    assert len(snippet(endless, needles("b"), "en")) <= 281
