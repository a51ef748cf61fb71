"""Reprints join one story, other reports do not, in whatever order they come; credits are read, pictures' are not."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.annotate.story import SKETCH_SIZE, assign, credit, same_story, sketch

PLACES = [
    "farm",
    "bridge",
    "mill",
    "quarry",
    "orchard",
    "school",
    "depot",
    "silo",
    "chapel",
    "market",
    "station",
    "harbour",
    "garden",
    "tower",
    "well",
]
VERBS = ["took", "left", "shelled", "guarded", "emptied", "searched", "mined", "repaired", "crossed", "watched"]


def story(seed: int, sentences: int) -> str:
    """Give a made-up report whose wording is its own."""
    draw = random.Random(seed)
    lines = [
        f"On day {draw.randrange(900)} some {draw.randrange(900)} men {draw.choice(VERBS)} the {draw.choice(PLACES)} "
        f"beside the {draw.choice(PLACES)} and {draw.choice(VERBS)} {draw.randrange(900)} houses."
        for _ in range(sentences)
    ]
    return "\n".join(lines)


LONG = story(1, 40)


@pytest.mark.parametrize("kept", [38, 20, 10, 5])
def test_a_reprint_cut_short_under_another_opening_is_the_same_story(kept: int) -> None:
    reprint = "(Agency) – " + "\n".join(LONG.split("\n")[:kept])
    assert same_story(sketch(LONG), sketch(reprint))
    assert same_story(sketch(reprint), sketch(LONG))


def test_a_short_item_and_its_reprint_are_the_same_story() -> None:
    text = "The two groups agreed on Friday to stop fighting in the camp, an elder told the radio."
    assert same_story(sketch(text), sketch("RADIO – " + text))


def test_an_arabic_reprint_with_vowel_signs_is_the_same_story() -> None:
    plain = "اتفق الفصيلان يوم الجمعة على وقف القتال في المخيم وتبادل الأسرى بحسب أحد الوجهاء الذي شارك في اللقاء"
    assert same_story(sketch(plain), sketch(plain.replace("القتال", "القِتَال").replace("وقف", "وقـــف")))


def test_different_reports_are_different_stories() -> None:
    sketches = [sketch(story(seed, 30)) for seed in range(30)]
    assert not any(same_story(a, b) for i, a in enumerate(sketches) for b in sketches[:i])


def test_two_reports_with_the_same_standing_background_are_different_stories() -> None:
    background = story(99, 10)
    assert not same_story(sketch(story(2, 14) + "\n" + background), sketch(story(3, 14) + "\n" + background))


def test_a_text_without_words_has_no_story_mates() -> None:
    assert sketch("") == sketch("… !") == ()
    assert not same_story((), ())


@settings(deadline=None)
@given(st.text(max_size=400))
def test_a_sketch_is_a_few_small_sorted_numbers_of_63_bits(text: str) -> None:
    found = sketch(text)
    assert found == sketch(text)
    assert list(found) == sorted(set(found))
    assert len(found) <= SKETCH_SIZE
    assert all(0 <= term < 2**63 for term in found)


def test_a_sketch_is_the_same_on_every_machine() -> None:
    # An index holds these numbers: other ones after a change of code would part every reprint from its story.
    assert sketch("one two three four five") == (858926197397121034, 9195292933105094522)


@dataclass(frozen=True)
class Row:
    document: str
    sketch: tuple[int, ...]
    published_at: datetime | None
    fetched_at: datetime
    story: str = ""


START = datetime(2014, 11, 1, tzinfo=UTC)


def shelf(rows: list[Row]) -> dict[str, str]:
    """Store the rows in this order, as a store would, and give the story of each document."""
    held: dict[str, Row] = {}
    for row in rows:
        shared = [other for other in held.values() if set(other.sketch) & set(row.sketch)]
        given = assign(row.document, row, row.sketch, shared, held.get)
        held[row.document] = Row(**{**vars(row), "story": given.story})
        for id, other in held.items():
            if other.story in given.relabels:
                held[id] = Row(**{**vars(other), "story": given.relabels[other.story]})
    return {id: row.story for id, row in held.items()}


parts = st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True)
rows = st.lists(st.tuples(parts, st.integers(0, 3), st.booleans()), min_size=1, max_size=7)


@settings(max_examples=150, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_story_is_its_first_document_whatever_the_order_of_arrival(
    drawn: list[tuple[list[int], int, bool]], shuffler: random.Random
) -> None:
    texts = [story(seed, 4) for seed in range(6)]
    documents = [
        Row(
            document=f"d{number}",
            sketch=sketch("\n".join(texts[part] for part in chosen)),
            published_at=START + timedelta(days=day) if dated else None,
            fetched_at=START + timedelta(days=day, hours=number % 2),
        )
        for number, (chosen, day, dated) in enumerate(drawn)
    ]
    expected = shelf(documents)
    shuffler.shuffle(documents)
    assert shelf(documents) == expected
    by_id = {row.document: row for row in documents}
    for document, story_id in expected.items():
        assert expected[story_id] == story_id
        first, mine = by_id[story_id], by_id[document]
        assert (first.published_at or first.fetched_at, story_id) <= (mine.published_at or mine.fetched_at, document)


def test_a_document_seen_again_keeps_its_story() -> None:
    terms = sketch(LONG)
    first = Row("a", terms, START, START, "a")
    second = Row("b", terms, START + timedelta(days=1), START, "a")
    again = assign("b", second, terms, [first, second], {"a": first, "b": second}.get)
    assert (again.story, again.relabels) == ("a", {})


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("ap", "BEIRUT (AP) — Two rival groups met on Friday."),
        ("reuters", "AMMAN, Nov 13 (Reuters) - Two rival groups met."),
        ("ap", "Two rival groups met, according to the Associated Press."),
        ("guardian", "The groups hold joint meetings, the Guardian reported on Sunday."),
        ("reuters", "A commander told Reuters that nothing was signed."),
        ("afp", "Les deux groupes se sont rencontrés, a rapporté l'AFP."),
        ("afp", "Selon l’Agence France-Presse, les deux groupes se sont rencontrés."),
        ("reuters", "وذكرت وكالة رويترز أن الفصيلين اتفقا."),
        ("afp", "اتفق الفصيلان، نقلاً عن وكالة فرانس برس."),
        ("anadolu", "وبحسب وكالة الأناضول فإن الطرفين التقيا."),
        ("reuters", "Группировки договорились, передает ТАСС со ссылкой на Рейтер."),
        ("interfax", "Об этом сообщает «Интерфакс»."),
        ("reuters", "Reuters'a göre iki örgüt anlaştı."),
        ("anadolu", "Anadolu Ajansı'nın haberine göre iki örgüt anlaştı."),
        ("sohr", "The groups met, the Syrian Observatory for Human Rights said."),
        ("afp", "The groups met, the Syrian Observatory for Human Rights said, AFP reported."),
        ("tass", "БЕЙРУТ, 27 октября. /ТАСС/. Группировки договорились."),
        ("ap", "AP'nin muhalif bir yetkiliye dayandırdığı habere göre iki örgüt anlaştı."),
        ("anadolu", "İki örgüt anlaştı. AA'nın haberinde muhalif bir yetkilinin sözlerine yer verildi."),
        ("reuters", "اتفق الفصيلان على وقف القتال. (رويترز)"),
        ("afp", "Les deux groupes se sont rencontrés, selon l’OSDH.\n\nAvec AFP"),
        ("ap", "İki örgüt anlaştı.\n\nKaynak: AP"),
        ("", "The groups met. Photo: AP"),
        ("", "Photo: AFP. The groups met on Friday."),
        ("", "A fighter near the wall (AP Photo/Somebody). The groups met."),
        ("", "صورة: رويترز. التقى الفصيلان."),
        ("", "The Guardian of the shrine prayed, and a former Reuters driver watched."),
        ("ap", "By the Associated Press\nThe groups met."),
        ("", "The road is watched by the Guardian Council's men and by AP-class cars."),
        ("", "The groups met on Friday, elders said."),
        ("", ""),
    ],
)
def test_whom_a_report_credits(expected: str, text: str) -> None:
    assert credit(text) == expected
