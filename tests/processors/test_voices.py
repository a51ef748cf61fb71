"""Who stands behind a report: a person with a role, a body, a paper or nobody, in five languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors import voices
from processors.knowledge import load
from processors.terms import problems
from processors.voices import heard

CUES = Path(voices.__file__).parent / "cues" / "voices.yml"

PERSONS = [
    ("en", "“It holds,” said Karim Daher, a member of the town council.", "Karim Daher"),
    ("en", "The group's spokesman Abu Firas al-Souri said so on Friday.", "Abu Firas al-Souri"),
    ("en", "A rebel commander said that the Nusra Front had agreed to it.", ""),
    ("en", "A commander calling himself Abu Walid said it held.", ""),
    ("fr", "C'est ce qu'affirme Karim Daher, adjoint au maire du bourg.", "Karim Daher"),
    ("fr", "Un commandant rebelle affirme que le Front al-Nosra a accepté.", ""),
    ("ru", "Об этом сообщил директор местной больницы и глава совета Карим Дахер.", "Карим Дахер"),
    ("ru", "Командир повстанцев сообщил, что «Джебхат ан-Нусра» согласилась.", ""),
    ("tr", "Belediye meclisi üyesi Kerim Dahir anlaşmanın sürdüğünü söyledi.", "Kerim Dahir"),
    ("tr", "Muhalif bir komutan, Nusra Cephesi'nin kabul ettiğini söyledi.", ""),
    ("ar", "وقال عضو المجلس المحلي خالد الداهر إن الاتفاق قائم.", "خالد الداهر"),
    ("ar", "وقال الناطق باسمها أبو فراس إن الهدنة قائمة.", "أبو فراس"),
    ("ar", "وقال مصدر إن جبهة النصرة وافقت.", ""),
]


@pytest.mark.parametrize(("language", "sentence", "person"), PERSONS)
def test_a_person_is_a_name_with_a_role_beside_it(language: str, sentence: str, person: str) -> None:
    found = heard(sentence, language)
    assert found.person == person
    assert found.answers == bool(person)


@pytest.mark.parametrize(
    ("language", "sentence", "side"),
    [
        ("en", "They agreed to stop, a security source said.", "side"),
        ("en", "They agreed to stop, two opposition figures said.", "opposition"),
        ("en", "They fight side by side against the army, residents said.", ""),
        ("fr", "Ils se battent côte à côte contre l'armée, racontent des habitants.", ""),
        (
            "tr",
            "Ordu sözcüsü, iki örgütün aylardır birlikte hareket ettiğini ve siperleri paylaştığını söyledi.",
            "side",
        ),
        ("ru", "Об этом сообщил полковник полиции.", "side"),
        ("ar", "وقال مصدر أمني إنهما اتفقا.", "side"),
    ],
)
def test_a_side_counts_where_it_speaks(language: str, sentence: str, side: str) -> None:
    assert heard(sentence, language).side == side


def test_silence_is_no_speech() -> None:
    assert not heard("The spokesman Abu Firas al-Souri declined to comment, residents said.", "en").speaks
    assert heard("“Nobody told us.”", "en").speaks


def test_its_words_can_be_matched() -> None:
    words = load(CUES, voices._Words)
    for name in voices._HEARD:
        for language, terms in getattr(words, name).items():
            assert not problems(terms), (name, language)
