"""Events are found clause by clause, in five languages, each with the sentence that says so."""

from pathlib import Path

import pytest
import yaml

from processors.annotate.events import Reader, events
from processors.annotate.lexicon import FOLDER, places
from processors.errors import KnowledgeError
from processors.records import Event
from tests.pages import page

LABELLED = yaml.safe_load((Path(__file__).parent / "events.yml").read_text(encoding="utf-8"))
ITEMS = [(language, item["text"], item["events"]) for language, items in LABELLED.items() for item in items]


def shown(event: Event) -> str:
    parties = "+".join(sorted(party.actor for party in event.parties))
    return f"{event.kind} {parties or 'unnamed'} {event.polarity} {event.modality}"


@pytest.mark.parametrize(("language", "text", "expected"), ITEMS)
def test_finds_what_the_sentence_says(language: str, text: str, expected: list[str]) -> None:
    got = sorted(shown(event) for event in events(page(text, language)))
    assert got == sorted(expected)


@pytest.mark.parametrize("language", LABELLED)
def test_each_sentence_stands_at_its_offsets(language: str) -> None:
    text = "\n".join(item["text"] for item in LABELLED[language])
    read = page(text, language, title=LABELLED[language][0]["text"])
    found = events(read)
    assert len(found) > 15
    assert len({event.id for event in found}) == len(found)
    assert {event.field for event in found} == {"title", "text"}
    for event in found:
        assert (read.title if event.field == "title" else read.text)[event.start : event.end] == event.sentence
        assert event.rule.startswith(f"{language}:")


def found(text: str, title: str = "", language: str = "en") -> list[Event]:
    return list(events(page(text, language, title)))


def test_agents_and_targets_have_their_roles() -> None:
    (event,) = found("The Islamic State rejected the Nusra Front's offer of a truce.")
    assert [(party.actor, party.role) for party in event.parties] == [("islamic-state", "agent"), ("nusra", "target")]
    (event,) = found("Ahrar al-Sham was attacked by the Nusra Front.")
    assert {party.actor: party.role for party in event.parties} == {"nusra": "agent", "ahrar-al-sham": "target"}


def test_a_source_without_a_name_is_not_named() -> None:
    text = "The Islamic State and the Nusra Front agreed a truce, {}."
    unnamed, group = (
        found(text.format(said))[0].attribution for said in ("an opposition source said", "the Nusra Front said")
    )
    assert unnamed is not None and unnamed.speaker == "an opposition source" and not unnamed.named
    assert group is not None and (group.actor, group.camp, group.named) == ("nusra", "aq", True)
    (event,) = found("The Islamic State and the Nusra Front agreed a truce.")
    assert event.attribution is None and event.modality == "stated"


@pytest.mark.parametrize(
    ("text", "language", "day"),
    [
        ("The Islamic State and the Nusra Front agreed a truce on 2 November.", "en", "2014-11-02"),
        ("The Islamic State and the Nusra Front agreed a truce yesterday.", "en", "2014-11-14"),
        ("The Islamic State and the Nusra Front agreed a truce on Sunday.", "en", "2014-11-09"),
        ("The Islamic State and the Nusra Front agreed a truce two weeks ago.", "en", "2014-11-01"),
        ("Le front al-Nosra et l'État islamique ont conclu une trêve le 2 novembre.", "fr", "2014-11-02"),
        ("ИГИЛ и «Джебхат ан-Нусра» заключили перемирие 2 ноября.", "ru", "2014-11-02"),
        ("IŞİD ile Nusra Cephesi arasında dün ateşkes sağlandı.", "tr", "2014-11-14"),
        ("اتفقت جبهة النصرة وتنظيم الدولة الإسلامية على هدنة في 2 نوفمبر.", "ar", "2014-11-02"),
    ],
)
def test_dates_are_told_against_the_day_of_publication(text: str, language: str, day: str) -> None:
    assert [str(event.date) for event in found(text, language=language)] == [day]


@pytest.mark.parametrize(
    ("text", "language", "place"),
    [
        ("The Islamic State and the Nusra Front agreed a truce in Atareb.", "en", "Atareb"),
        ("ИГИЛ и «Джебхат ан-Нусра» заключили перемирие в Ракке.", "ru", "Raqqa"),
        ("Le front al-Nosra et l'État islamique ont conclu une trêve à Alep.", "fr", "Aleppo"),
        ("IŞİD ile Nusra Cephesi Halep'te ateşkes yaptı.", "tr", "Aleppo"),
        ("اندلعت اشتباكات بين جبهة النصرة وتنظيم الدولة الإسلامية في إدلب.", "ar", "Idlib"),
    ],
)
def test_places_have_one_name_in_all_languages(text: str, language: str, place: str) -> None:
    assert [event.place for event in found(text, language=language)] == [place]


def test_a_language_not_read_gives_nothing() -> None:
    text = "The Islamic State and the Nusra Front agreed a truce."
    assert events(page(text, "und")) == ()


def test_a_text_without_groups_gives_nothing() -> None:
    assert found("A truce was agreed between the two villages on Monday. They had fought over water.") == []


def test_the_two_groups_are_those_of_the_sentence_before() -> None:
    (event,) = found("Fighters of Boko Haram and ISWAP sat down in the forest. The two groups agreed on a ceasefire.")
    assert shown(event) == "truce boko-haram+iswap affirmed stated"
    assert found("Boko Haram, ISWAP and the Taliban are old names. The two groups agreed on a ceasefire.") == []


@pytest.mark.parametrize(
    ("line", "wrong", "said"),
    [
        ("language: en", "language: fr", "language: expected 'en', the name of the file"),
        ("  - id: truce\n", "  - id: pledge\n", "is taken; expected one frame an id"),
        ('"A CUE with T"', '"A CUE mit T"', "holds 'mit'"),
        ('"A CUE with T"', '"A with CUE T"', "has 'with' in front of 'CUE'"),
        ('"cease fire|fires"', '"cease fire|@fires"', "uses @fires"),
        ('"cease fire|fires"', '"cease? fire"', "must begin with a word that is not optional"),
        ('"cease fire|fires"', '"cease-fire"', "'cease-fire' in the phrase 'cease-fire' is not one word"),
        ("kind: truce", "kind: armistice", "frames."),
        ("joins:", "joints:", "joints: unknown key"),
    ],
)
def test_a_wrong_file_of_cues_is_refused(tmp_path: Path, line: str, wrong: str, said: str) -> None:
    text = (FOLDER / "en.yml").read_text(encoding="utf-8")
    assert line in text
    broken = tmp_path / "en.yml"
    broken.write_text(text.replace(line, wrong, 1), encoding="utf-8")
    with pytest.raises(KnowledgeError) as caught:
        Reader(broken, places())
    assert f"{broken}:" in str(caught.value) and said in str(caught.value)
