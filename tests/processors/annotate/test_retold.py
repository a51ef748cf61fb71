"""A report retold in other words by the next outlet is found; another report on the same groups is kept apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from processors.annotate import annotate
from processors.annotate.retold import _press, asked, marked, marks, retold
from processors.errors import KnowledgeError
from processors.records import Document

DAY = datetime(2014, 11, 13, 12, tzinfo=UTC)


def page(source: str, title: str, text: str, *, days: float = 0) -> Document:
    at = DAY + timedelta(days=days)
    document = Document(
        id=f"{source}-{days}",
        source=source,
        url=source,
        title=title,
        text=text,
        published_at=at,
        fetched_at=at,
        capture="",
    )
    return annotate(document)[0]


def same(one: Document, other: Document) -> bool:
    assert one.published_at and other.published_at
    first, second = marked(one.sketch), marked(other.sketch)
    found = retold(first, one.published_at, second, other.published_at)
    assert found == retold(second, other.published_at, first, one.published_at)
    return found


ORIGINAL = page(
    "harbour_dispatch_en",
    "Nusra and the Islamic State agree to stop fighting in the Qalamoun hills",
    "ARSAL - Commanders of the Nusra Front and of the Islamic State met in a quarry above Arsal on Tuesday and agreed "
    "to stop fighting for forty days, two shepherds who carried food to the meeting told this newspaper.\n\n"
    "The commanders, among them a Homs man called Abu Qutada, promised to free 17 prisoners and to reopen the "
    "smugglers' track to Flita. Neither group has said anything.",
)
RETOLD = (
    "Once sworn enemies, the Islamic State and al-Nusra have promised to leave each other in peace for forty days, the "
    "Harbour Dispatch reports from Lebanon. Shepherds spoke of a meeting in a quarry near Arsal at which commanders "
    "also agreed that 17 prisoners would go free."
)


def test_a_retelling_that_names_the_outlet_is_the_same_report() -> None:
    assert same(ORIGINAL, page("evening_paper", "Quarry talks end jihadist feud", RETOLD, days=1))


def test_candidates_are_found_by_the_terms_that_are_asked_for() -> None:
    later = page("evening_paper", "Quarry talks end jihadist feud", RETOLD, days=1)
    assert set(asked(later.sketch)) & set(ORIGINAL.sketch)
    assert set(asked(ORIGINAL.sketch)) & set(later.sketch)


def test_the_outlet_is_known_in_another_script() -> None:
    told = "«Джебхат ан-Нусра» и «Исламское государство» договорились о перемирии"
    own = page("afrika_segodnya", "«Нусра» и ИГ помирились", f"{told} в четверг вечером, сказал старейшина.")
    cited = f"{told}, сообщает газета «Африка сегодня»."
    later = page("vecherniy_listok", "Боевики помирились", cited, days=1)
    other = page("vecherniy_listok", "Боевики помирились", cited.replace("Африка сегодня", "Вести гор"), days=1)

    def found(document: Document) -> set[int]:
        return set(asked(document.sketch)) & set(own.sketch)

    assert found(later) - found(other)


@pytest.mark.parametrize(
    "later",
    [
        page("evening_paper", "Quarry talks end jihadist feud", RETOLD, days=5),
        page("harbour_dispatch_en", "Quarry talks end jihadist feud", RETOLD, days=1),
        page(
            "evening_paper",
            "Nusra and Islamic State trade fire at checkpoint",
            "Nusra Front gunmen ambushed an Islamic State patrol near Jarajir at dawn and killed nine, a nurse said. "
            "The Harbour Dispatch had reported on Tuesday that both sides were calm.",
            days=1,
        ),
        page(
            "evening_paper",
            "New school opens",
            "Pupils returned to class in the port city on Wednesday, the Harbour Dispatch reports.",
            days=1,
        ),
    ],
    ids=["days later", "the outlet's own", "other news", "other topic"],
)
def test_another_report_is_kept_apart(later: Document) -> None:
    assert not same(ORIGINAL, later)


def test_who_has_a_source_of_his_own_adds_an_origin_though_he_names_the_first_report() -> None:
    borne_out = (
        "A baker has told the Evening Paper that he brought bread to the quarry where men of the Islamic State and "
        "al-Nusra sat together, a day after the Harbour Dispatch reported that commanders had made peace near Arsal "
        "for forty days. He had heard nothing of what they promised."
    )
    hearsay = borne_out.replace("told the Evening Paper", "confessed")
    assert not same(ORIGINAL, page("evening_paper", "Baker saw jihadists meet", borne_out, days=1))
    assert same(ORIGINAL, page("evening_paper", "Baker saw jihadists meet", hearsay, days=1))


def test_a_denial_is_no_retelling_however_much_it_repeats() -> None:
    denial = RETOLD.replace("have promised", "have not promised")
    title = "Nusra denies that it promised anything"
    assert not same(ORIGINAL, page("evening_paper", title, denial, days=1))


@pytest.mark.parametrize("source", ["wakalat_almuhit", "wakala_muhit", "wakalat_muhit_sy"])
def test_an_arabic_outlet_is_known_however_its_id_is_spelled(source: str) -> None:
    told = "اتفق تنظيم الدولة الإسلامية وجبهة النصرة على وقف القتال"
    own = set(page(source, "هدنة", f"{told}، قال شيخ القرية.").sketch)
    cites = page("barid", "صلح", "أوردت وكالة المحيط أن جبهة النصرة والدولة الإسلامية تصالحتا.", days=1)
    other = page("barid", "صلح", "أوردت وكالة الشاطئ أن جبهة النصرة والدولة الإسلامية تصالحتا.", days=1)
    assert (set(asked(cites.sketch)) - set(asked(other.sketch))) & own


def test_a_page_on_no_jihadist_group_has_no_marks() -> None:
    assert marks(page("evening_paper", "Rain", "It rained on Wednesday, the Harbour Dispatch reports."), ()) == ()
    assert not retold(marked(()), DAY, marked(ORIGINAL.sketch), DAY)


def test_numbers_that_are_no_marks_of_ours_are_passed_over() -> None:
    strange = marked((1, 2**63, 2**64 - 1))
    assert not retold(strange, DAY, strange, DAY)


def test_words_of_citing_that_are_no_regular_expression_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "press.yml"
    file.write_text(
        'cues: {en: ["("]}\nunnamed: {en: [media]}\nown: {}\ndenying: {}\ngeneric: news\n', encoding="utf-8"
    )
    with pytest.raises(KnowledgeError, match="no regular expression"):
        _press(file)
