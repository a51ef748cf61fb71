"""Names are found in five languages, as whole words, and only where they name the group."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.annotate.actors import ACTORS, FOLDER, _index, mentions, rival
from processors.errors import KnowledgeError


def named(text: str, language: str, context: str = "") -> list[tuple[str, str]]:
    return [(m.actor, text[m.start : m.end]) for m in mentions(text, language, context=context)]


def parties(text: str, language: str) -> list[str]:
    return [m.actor for m in mentions(text, language) if not m.adjectival]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Nusra’s men met Da'ish envoys.", [("nusra", "Nusra"), ("islamic-state", "Da'ish")]),
        ("en", "al Qa‘ida, Al-Qaeda, AL-QAIDA", [("al-qaeda", w) for w in ("al Qa‘ida", "Al-Qaeda", "AL-QAIDA")]),
        ("en", "Jabhet an-Nusrah and ISIL’s foes", [("nusra", "Jabhet an-Nusrah"), ("islamic-state", "ISIL")]),
        ("en", "the Muhajireen Army (JMA)", [("jma", "Muhajireen Army"), ("jma", "JMA")]),
        ("ar", "وجبهة النُّصرة وداعش", [("nusra", "جبهة النُّصرة"), ("islamic-state", "داعش")]),
        ("ar", "للنصرة ولجبهة النصره", [("nusra", "للنصرة"), ("nusra", "جبهة النصره")]),
        ("ar", "بـداعش وللدولة الإسلامية", [("islamic-state", "داعش"), ("islamic-state", "للدولة الإسلامية")]),
        ("ar", "أحرار الشام وجند الأقصى", [("ahrar-al-sham", "أحرار الشام"), ("jund-al-aqsa", "جند الأقصى")]),
        ("ru", "«Джебхат ан-Нусрой» и ИГИЛ", [("nusra", "Джебхат ан-Нусрой"), ("islamic-state", "ИГИЛ")]),
        ("ru", "с Исламским государством", [("islamic-state", "Исламским государством")]),
        ("ru", "Фронт «ан-Нусра» и «Аль-Каиду»", [("nusra", "Фронт «ан-Нусра"), ("al-qaeda", "Аль-Каиду")]),
        ("ru", "движения «Талибан», талибов", [("taliban", "Талибан"), ("taliban", "талибов")]),
        ("fr", "d'Al-Qaïda et de l'État islamique", [("al-qaeda", "Al-Qaïda"), ("islamic-state", "État islamique")]),
        ("fr", "le Front al-Nosra et Ahrar al-Cham", [("nusra", "Front al-Nosra"), ("ahrar-al-sham", "Ahrar al-Cham")]),
        ("tr", "IŞİD’in Nusra Cephesine", [("islamic-state", "IŞİD"), ("nusra", "Nusra Cephesi")]),
        ("tr", "Ahrar'uş-Şam'ın HTŞ'yle", [("ahrar-al-sham", "Ahrar'uş-Şam"), ("hts", "HTŞ")]),
        ("tr", "El Kaideyle Talibanın", [("al-qaeda", "El Kaide"), ("taliban", "Taliban")]),
    ],
)
def test_a_name_is_found_at_its_place(language: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert named(text, language) == expected


@pytest.mark.parametrize(
    ("expected", "language", "text"),
    [
        ("iskp", "en", "Islamic State in Khorasan"),
        ("aqap", "en", "al-Qaeda in the Arabian Peninsula"),
        ("isgs", "fr", "l'État islamique dans le Grand Sahara"),
        ("iswap", "ar", "تنظيم الدولة الإسلامية في غرب إفريقيا"),
        ("aqim", "ru", "«Аль-Каидой исламского Магриба»"),
        ("aqap", "tr", "Arap Yarımadası El Kaidesi"),
        ("nusra", "en", "al-Qaeda's Syrian branch"),
        ("us-coalition", "en", "the anti-IS coalition"),
        ("fsa", "en", "the Free Syrian Army"),
        ("ttp", "en", "the Pakistani Taliban"),
    ],
)
def test_the_longest_name_wins(expected: str, language: str, text: str) -> None:
    assert [m.actor for m in mentions(text, language)] == [expected]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "What is this? It was founded as an Islamic state, he said; a hazm of hayat."),
        ("en", "Isis, goddess of fertility, had a temple on the Nile. Boats lay on the Isis at Oxford."),
        ("en", "Nusra Begum, 45, teaches chemistry in Leeds."),
        ("en", "Nusra Begum, 45, fled the militants near Aleppo."),
        ("en", "The state said that the front and the caliphate were themes of the novel by Khorasan's poets."),
        ("en", "Guisis and Daeshawn played; the Kaidan and the Talibanter lost."),
        ("en", "WHAT IS NEXT FOR SYRIAN REBELS"),
        ("ar", "قالت الدولة الراعية إن الشباب في خراسان يدرسون، وإن القاعدة القانونية واضحة."),
        ("ar", "في القاعدة الجوية مسلحون، وعاصفة الحزم بدأت، وقتل طالبان في كلية الطب."),
        ("ru", "Это исламское государство на Ближнем Востоке, в игилах и фронте нет смысла."),
        ("fr", "Selon l'Ei, un état islamique serait né ; le front est calme."),
        ("tr", "Devlet hastanesi ve cephe sessiz; bir islam devleti kuruldu."),
    ],
)
def test_other_things_of_the_same_name_are_left_alone(language: str, text: str) -> None:
    assert named(text, language) == []


def test_an_ambiguous_name_counts_where_the_text_or_its_context_bears_it_out() -> None:
    assert named("IS talks", "en") == []
    assert named("IS talks with the militants", "en") == [("islamic-state", "IS")]
    assert named("IS talks with Jund al-Aqsa", "en")[0] == ("islamic-state", "IS")
    assert named("IS and JN agree", "en") == [("islamic-state", "IS"), ("nusra", "JN")]
    assert named("IS talks", "en", context="Jihadist rivals met on Friday.") == [("islamic-state", "IS")]
    assert named("Les combats de l'EI contre les rebelles", "fr") == [("islamic-state", "EI")]
    assert named("EI and the rebels", "en") == []
    assert named("Бои ИГ с повстанцами", "ru") == [("islamic-state", "ИГ")]


def test_a_very_ambiguous_name_needs_a_clear_name_of_its_own_group_and_of_no_other() -> None:
    assert named("Khorasan met the militants.", "en") == []
    assert named("The Khorasan group met them; Khorasan agreed.", "en")[1] == ("khorasan-group", "Khorasan")
    assert named("The Nusra Front met them. The Front agreed.", "en")[1] == ("nusra", "The Front")
    assert named("Khorasan, Jund al-Aqsa and others sent men.", "en")[0] == ("khorasan-group", "Khorasan")
    assert ("srf", "the Front") not in named("The Nusra Front and the SRF met, and the Front agreed.", "en")


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("tr", "Ahrar ile Heyet esirleri bıraktı", ["ahrar-al-sham", "hts"]),
        ("tr", "Nusra sözcüsü, Heyet'in çağrısını reddetti", ["nusra", "hts"]),
        ("en", "Tahrir al-Sham and the National Army cease fire", ["hts", "sna"]),
        ("en", "Taliban commanders fight Khorasan in the east", ["taliban", "iskp"]),
        ("ar", "اتفاق بين جبهة النصرة والدولة", ["nusra", "islamic-state"]),
        ("ru", "Вожаки «Нусры» пишут «Государству»", ["nusra", "islamic-state"]),
        ("tr", "Heyet son kez uyardı: Hurras çekilsin", ["hts", "hurras-al-din"]),
        ("ar", "قصف جيش الإسلام مواقع الفيلق", ["jaysh-al-islam", "faylaq-al-rahman"]),
    ],
)
def test_a_short_name_counts_as_a_name_beside_a_group_of_its_theatre(
    language: str, text: str, expected: list[str]
) -> None:
    assert [m.actor for m in mentions(text, language)] == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("tr", "Heyet dün geldi ve IŞİD'i konuştu.", ["islamic-state"]),
        ("tr", "İdlib'e bir heyet geldi. Heyet Hurras ile görüştü.", ["hurras-al-din"]),
        ("en", "He told the State News Agency of the Nusra Front's losses.", ["nusra"]),
        ("en", "The Taliban spoke of the National Army.", ["taliban"]),
        ("ar", "صلح بين الدولة ونقابات التعليم، وجبهة النصرة ترحب", ["nusra"]),
    ],
)
def test_a_short_name_that_means_another_thing_is_left_alone(language: str, text: str, expected: list[str]) -> None:
    assert [m.actor for m in mentions(text, language)] == expected


def test_a_place_of_its_theatre_bears_out_an_ambiguous_name() -> None:
    assert named("Soldiers home at last in swap with Nusra", "en") == []
    assert named("Arsal soldiers home at last in swap with Nusra", "en")[0] == ("nusra", "Nusra")
    assert named("Sahrawi families in Algeria", "en") == []


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Damascus denied that the truce was over, and Islamabad shrugged.", ["syrian-regime", "pakistan"]),
        ("en", "Rockets fell on Damascus and near Abuja; Damascus suburbs were shelled.", []),
        ("en", "BEIRUT (AP) Rockets fell. BAMAKO Rockets fell.", []),
        ("ru", "Переговоры с Исламабадом; взрыв под Дамаском", ["pakistan"]),
        ("ar", "نفت دمشق الخبر، وانفجار بدمشق", ["syrian-regime"]),
        (
            "tr",
            "Anlaşmayı Hizbullah, Şam ve Tahran onayladı; Şam kırsalı sakin.",
            ["hezbollah", "syrian-regime", "iran"],
        ),
    ],
)
def test_a_capital_is_its_government_only_where_the_words_beside_it_say_so(
    language: str, text: str, expected: list[str]
) -> None:
    assert [m.actor for m in mentions(text, language)] == expected


def test_turkish_names_its_people_by_endings_without_an_apostrophe() -> None:
    assert named("Şekaucularla Barnavicilerden gelenler", "tr") == [("boko-haram", "Şekau"), ("iswap", "Barnavi")]


@pytest.mark.parametrize(
    ("expected", "language", "text"),
    [
        (["nusra"], "en", "The al-Qaeda-linked Nusra Front spoke."),
        (["nusra"], "en", "Nusra, affiliated with al-Qaeda, spoke to the militants."),
        (
            [],
            "en",
            "An ISIS-held town of rebels, pro-ISIS accounts, a Nusra stronghold, men loyal to the Taliban.",
        ),
        (["nusra", "islamic-state"], "en", "Nusra held talks with Daesh."),
        (["nusra"], "ar", "جبهة النصرة المرتبطة بتنظيم القاعدة"),
        ([], "ar", "المدينة الخاضعة لسيطرة داعش، وجماعة موالية لداعش"),
        (["nusra"], "ru", "Связанная с «Аль-Каидой» «Джебхат ан-Нусра»"),
        ([], "ru", "подконтрольный ИГИЛ город"),
        (["nusra"], "fr", "Le front al-Nosra, lié à Al-Qaïda"),
        ([], "fr", "une zone tenue par l'État islamique, la ville aux mains de Daech"),
        (["nusra"], "tr", "El Kaide bağlantılı Nusra Cephesi"),
        (["nusra"], "tr", "El Kaide'ye bağlı Nusra Cephesi"),
        (["islamic-state"], "tr", "IŞİD'e bağlı militanlar"),
        (["nusra"], "ar", "جبهة النصرة التابعة لتنظيم القاعدة"),
        (["islamic-state"], "ar", "عناصر تابعة لتنظيم الدولة الإسلامية"),
        ([], "tr", "IŞİD kontrolündeki kasaba, El Kaide'ye bağlı grup"),
    ],
)
def test_a_name_that_describes_another_is_no_party(expected: list[str], language: str, text: str) -> None:
    assert parties(text, language) == expected


def test_a_group_named_beside_a_person_shows_the_time_where_no_day_is_given() -> None:
    assert [m.actor for m in mentions("Al-Jolani warned Hurras al-Din.", "en")] == ["hts", "hurras-al-din"]


def test_a_person_stands_for_the_group_that_the_text_names_most() -> None:
    (alone,) = mentions("Al-Jolani spoke.", "en")
    assert (alone.actor, alone.person) == ("nusra", True)
    assert mentions("HTS met. Al-Jolani spoke.", "en")[1].actor == "hts"
    assert [m.actor for m in mentions("الظواهري والبغدادي", "ar")] == ["al-qaeda", "islamic-state"]
    assert [m.actor for m in mentions("Салахуддин Шишани и Абу Омар аш-Шишани", "ru")] == ["jma", "islamic-state"]
    assert [m.actor for m in mentions("Jamal Maarouf", "en")] == ["srf"]


@pytest.mark.parametrize(
    ("expected", "language", "day", "text"),
    [
        (["taliban", "iskp"], "en", date(2016, 8, 1), "The Taliban and Daesh stopped shooting in Nangarhar."),
        (["aqap", "is-yemen"], "ar", date(2018, 7, 1), "اشتباكات بين القاعدة وداعش في اليمن"),
        (["jnim", "isgs"], "en", date(2023, 8, 1), "Al-Qaeda and IS branches in Mali swapped militants."),
        (["aqim", "islamic-state"], "en", date(2015, 8, 1), "Al-Qaeda and ISIS met in Mali."),
        (["al-shabaab", "is-somalia"], "tr", date(2016, 10, 1), "Eş Şebab, IŞİD'in Somali koluyla çatıştı."),
        (["is-sinai"], "ru", date(2017, 5, 1), "Боевики синайского крыла ИГ и террористы"),
        (["isgs"], "fr", date(2024, 4, 1), "La branche sahélienne de l'État islamique a attaqué Ménaka."),
        (["islamic-state", "nusra"], "en", date(2014, 11, 1), "Daesh and Nusra met near Aleppo."),
        (["al-qaeda", "islamic-state"], "en", date(2014, 2, 1), "Al-Qaeda cut its ties with ISIS in Syria."),
        (["nusra", "islamic-state"], "en", date(2014, 6, 1), "Al-Qaeda's men in Albu Kamal went over to ISIS."),
        (["hurras-al-din", "hts"], "en", date(2020, 6, 1), "Al-Qaeda loyalists and HTS fought in Idlib."),
        (["boko-haram", "islamic-state"], "en", date(2016, 3, 1), "Nigeria's Boko Haram pledged allegiance to ISIS."),
    ],
)
def test_a_parents_name_means_the_branch_that_the_text_is_about(
    expected: list[str], language: str, day: date, text: str
) -> None:
    assert [m.actor for m in mentions(text, language, day=day) if not m.adjectival] == expected


@pytest.mark.parametrize(
    ("expected", "language", "text"),
    [
        (["nusra", "islamic-state"], "ru", "Нусровцы перебежали к игиловцам."),
        (["hts", "hurras-al-din"], "tr", "HTŞ'liler ile Hurrasuddin uzlaştı."),
        (["islamic-state", "nusra"], "ar", "أمراء الدولة وجبهة النصرة"),
        (["nusra", "islamic-state"], "ar", "عرضت النصرة هدنة على «الدولة»."),
        (["is-libya"], "ar", "مقاتلو تنظيم الدولة في درنة. ثم انسحب التنظيم."),
        (["nusra", "islamic-state"], "fr", "Les nosristes et les hommes de Baghdadi se sont parlé."),
        (["boko-haram", "iswap"], "en", "Bakura's faction and Barnawi's men met."),
        (["jnim", "isgs"], "fr", "la katiba Macina et l'EIGS"),
        (["al-shabaab"], "en", "Al-Qaeda-linked militants attacked in Puntland."),
        (["jnim"], "en", "Al-Qaeda-linked JNIM militants attacked in Mali."),
        (["is-sinai", "jund-al-islam"], "en", "Islamic State's Sinai Province fought Jund al-Islam."),
    ],
)
def test_people_nicknames_and_second_mentions_stand_for_the_group(
    expected: list[str], language: str, text: str
) -> None:
    assert list(dict.fromkeys(m.actor for m in mentions(text, language) if not m.adjectival)) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ar", "قالت الدولة وحزب الله إن التنظيم الإداري جيد."),
        ("en", "The council voted, the organisation agreed, and the Russian State organizations paid."),
        ("tr", "Meclis toplandı, heyet Ankara'ya gitti."),
        ("ru", "Режим прекращения огня и совет министров."),
    ],
)
def test_common_words_are_no_second_mention_of_a_group_that_the_text_has_not_named(language: str, text: str) -> None:
    assert [m.actor for m in mentions(text, language) if ACTORS[m.actor].jihadist] == []


def test_a_title_is_placed_by_its_text() -> None:
    text = "In the hills of Puntland the militants fought for a week, elders in Bosaso said."
    assert named("Shabaab hunts ISIS", "en", context=text)[-1] == ("is-somalia", "ISIS")


def test_a_country_counts_as_its_government_and_not_as_a_place() -> None:
    assert named("Turkey and Russia agreed in Turkey, near the border with Turkey.", "en") == [
        ("turkey", "Turkey"),
        ("russia", "Russia"),
    ]
    assert named("Türkiye ve Rusya, Türkiye'de anlaştı.", "tr") == [("turkey", "Türkiye"), ("russia", "Rusya")]
    assert named("اتفقت روسيا في تركيا", "ar") == [("russia", "روسيا")]


PIECES = ["Nusra Front", "النُّصرة", "IŞİD'in", "«Аль-Каида»", " ", "İ", "-", "\u200f", "x", "ﬃ"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES)))
def test_mentions_stand_in_order_at_places_that_hold_their_names(parts: list[str]) -> None:
    text = "".join(parts)
    found = mentions(text)
    assert all(0 <= m.start < m.end <= len(text) for m in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    names = ("Nusra", "النُّصرة", "IŞİD", "Аль-Каида")
    assert all(any(name in text[m.start : m.end] for name in names) for m in found)


# The ids that other parts of the program, its registers and its users' saved searches name.
PROMISED = """
    islamic-state nusra jabhat-fath-al-sham hts al-qaeda khorasan-group ahrar-al-sham jund-al-aqsa jma
    ansar-al-din-front caucasus-emirate srf hazm fsa jaysh-al-islam hurras-al-din iskp iswap boko-haram isgs jnim aqap
    aqim al-shabaab taliban hezbollah ypg sdf syrian-regime us-coalition katibat-al-khadra harakat-sham-al-islam
    harakat-fajr-al-sham is-somalia is-sinai iscap aqis ansar-al-islam islamic-front
"""


def test_the_promised_ids_exist_with_names_in_every_script() -> None:
    for id in PROMISED.split():
        actor = ACTORS[id]
        assert actor.aliases.ar, id
        assert id in ("iscap", "aqis") or actor.aliases.ru, id


def test_every_alias_is_found_as_the_actor_that_it_names() -> None:
    for actor in ACTORS.values():
        for language in ("en", "ar", "ru", "fr", "tr"):
            for alias in getattr(actor.aliases, language):
                if "(" in alias or "{" in alias:
                    continue
                found = {m.actor for m in mentions(f"« {alias} ».", language)}
                assert found == {actor.id}, (actor.id, alias)


def test_camps_and_kinds_agree() -> None:
    for actor in ACTORS.values():
        assert not (actor.jihadist and actor.state), actor.id
        assert not actor.jihadist or actor.camp in ("is", "aq", "independent", "taliban"), actor.id
        assert actor.state == (actor.camp in ("state", "regime", "coalition")) or actor.id == "peshmerga", actor.id


RIVALS = [
    ("islamic-state", "nusra"),
    ("islamic-state", "al-qaeda"),
    ("islamic-state", "hts"),
    ("islamic-state", "ahrar-al-sham"),
    ("islamic-state", "fsa"),
    ("jaysh-khalid-ibn-al-walid", "southern-front"),
    ("islamic-state", "jma"),
    ("islamic-state", "jund-al-aqsa"),
    ("islamic-state", "caucasus-emirate"),
    ("islamic-state", "boko-haram"),
    ("iskp", "taliban"),
    ("iswap", "boko-haram"),
    ("isgs", "jnim"),
    ("is-somalia", "al-shabaab"),
    ("is-yemen", "aqap"),
    ("hts", "ahrar-al-sham"),
    ("nusra", "ahrar-al-sham"),
    ("hts", "hurras-al-din"),
    ("hts", "zinki"),
    ("jund-al-aqsa", "ahrar-al-sham"),
    ("nusra", "jaysh-al-islam"),
]
NO_RIVALS = [
    ("islamic-state", "iskp"),
    ("islamic-state", "syrian-regime"),
    ("islamic-state", "ypg"),
    ("islamic-state", "hezbollah"),
    ("nusra", "al-qaeda"),
    ("nusra", "hts"),
    ("nusra", "hazm"),
    ("nusra", "khorasan-group"),
    ("nusra", "syrian-regime"),
    ("nusra", "fsa"),
    ("taliban", "al-qaeda"),
    ("taliban", "usa"),
    ("jma", "ansar-al-din-front"),
    ("aqap", "al-shabaab"),
    ("ahrar-al-sham", "islamic-front"),
    ("ahrar-al-sham", "syrian-regime"),
    ("nusra", "nusra"),
]


def test_who_could_be_reconciled() -> None:
    assert [pair for pair in RIVALS if not rival(*pair) or not rival(*reversed(pair))] == []
    assert [pair for pair in NO_RIVALS if rival(*pair) or rival(*reversed(pair))] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("camp: aq\n", "camp: aqq\n"), r"a\.yml:4: actors\.0\.camp: .*'aq'"),
        (("name: One\n", "name: One\n    nickname: Uno\n"), r"a\.yml:4: actors\.0\.nickname: unknown key"),
        (("id: two", "id: one"), r"a\.yml:\d+: actors\.1\.id: the id one is taken"),
        (("parent: one", "parent: none"), r"a\.yml:\d+: actors\.1\.parent: there is no actor none"),
        (("en: [Two]", "en: [One]"), r"a\.yml:\d+: actors\.1\.aliases: 'One' names one too"),
        (("en: [Two]", 'en: ["Two{xx}"]'), r"a\.yml:\d+: actors\.1\.aliases: .*no endings called 'xx'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    right = (
        "actors:\n  - id: one\n    name: One\n    camp: aq\n    aliases:\n      en: [One]\n"
        "  - id: two\n    name: Two\n    camp: is\n    parent: one\n    aliases:\n      en: [Two]\n"
    )
    assert change[0] in right
    for name, text in (("right", right), ("wrong", right.replace(*change))):
        (tmp_path / name).mkdir()
        for shared in ("forms.yml", "theatres.yml"):
            (tmp_path / name / shared).write_bytes((FOLDER / shared).read_bytes())
        (tmp_path / name / "a.yml").write_text(text, encoding="utf-8")
    assert set(_index(tmp_path / "right").actors) == {"one", "two"}
    with pytest.raises(KnowledgeError, match=message):
        _index(tmp_path / "wrong")
