"""Names are found in five languages, as whole words, and only where they name the group."""

import pytest

from processors.annotate.actors import ACTORS, mentions, rival


def named(text: str, language: str, **more: str) -> list[tuple[str, str]]:
    return [(m.actor, text[m.start : m.end]) for m in mentions(text, language, **more)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Nusra’s men met Da'ish envoys.", [("nusra", "Nusra"), ("islamic-state", "Da'ish")]),
        ("en", "Islamic State in Khorasan spoke.", [("iskp", "Islamic State in Khorasan")]),
        ("ar", "وجبهة النُّصرة وداعش", [("nusra", "جبهة النُّصرة"), ("islamic-state", "داعش")]),
        ("ru", "«Джебхат ан-Нусрой» и ИГИЛ", [("nusra", "Джебхат ан-Нусрой"), ("islamic-state", "ИГИЛ")]),
        ("fr", "d'Al-Qaïda et de l'État islamique", [("al-qaeda", "Al-Qaïda"), ("islamic-state", "État islamique")]),
        ("tr", "IŞİD’in Nusra Cephesine", [("islamic-state", "IŞİD"), ("nusra", "Nusra Cephesi")]),
    ],
)
def test_a_name_is_found_at_its_place(language: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert named(text, language) == expected


def test_an_adjective_is_told_from_a_party() -> None:
    found = mentions("The al-Qaeda-linked Nusra Front spoke.", "en")
    assert [(m.actor, m.adjectival) for m in found] == [("al-qaeda", True), ("nusra", False)]


def test_every_camp_is_loaded() -> None:
    assert ACTORS["islamic-state"].jihadist
    assert rival("islamic-state", "nusra")
    assert not rival("nusra", "fsa")
