"""A register may be a file of sentences: what bears on its claims is read from them, or it is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from processors.annotate import annotate
from processors.annotate.actors import ACTORS, mentions
from processors.claims import read
from processors.compare import compare
from processors.errors import KnowledgeError
from processors.records import Comparison, Document
from processors.register import Claim, Registers, load_registers

HEAD = "article: {id: notes, title: T, author: A, date: 2020-08-31}\nclaims:\n"


def registers(folder: Path, *claims: str) -> Registers:
    (folder / "notes.yml").write_text(HEAD + "".join(claims), encoding="utf-8")
    return read(load_registers(folder, actors=ACTORS))


def claim(folder: Path, statement: str, more: str = "") -> Claim:
    (register,) = registers(folder, f"  - id: N1\n    statement: {statement}\n{more}")
    return register.claims[0]


def bearings(known: Registers, text: str, at: datetime, language: str = "en") -> dict[str, Comparison]:
    document = Document(
        id="d", source="s", url="u", title="", text=text, published_at=at, fetched_at=at, declared=language, capture=""
    )
    document, events = annotate(document)
    named = {"title": (), "text": mentions(text, document.language)}
    return {one.claim: one for one in compare(document, events, known, named=named)}  # type: ignore[arg-type]


def test_kind_parties_time_and_place_are_read_from_the_sentence(tmp_path: Path) -> None:
    one = claim(tmp_path, "JNIM and ISGS clashed in central Mali in July 2019.")
    assert one.kind == "clash"
    assert {party.actor for party in one.parties} == {"jnim", "isgs"}
    assert (one.place, one.since, one.until) == ("mali", date(2019, 7, 1), date(2019, 7, 31))
    sworn = claim(tmp_path, "Boko Haram pledged allegiance to the Islamic State in March 2015.")
    assert [(party.actor, party.role) for party in sworn.parties] == [
        ("boko-haram", "agent"),
        ("islamic-state", "target"),
    ]


def test_what_the_file_says_itself_stands(tmp_path: Path) -> None:
    more = "    voice: doubted\n    since: 2020-01-01\n    until: 2020-04-30\n    kind: pact\n"
    one = claim(tmp_path, "JNIM and ISGS agreed a truce in 2019.", more)
    assert (one.voice, one.kind, one.since, one.until) == ("doubted", "pact", date(2020, 1, 1), date(2020, 4, 30))


def test_texts_in_other_languages_bear_on_it(tmp_path: Path) -> None:
    known = registers(tmp_path, "  - id: N1\n    statement: JNIM and ISGS agreed a truce in 2020.\n")
    at = datetime(2020, 5, 2, tzinfo=UTC)
    assert bearings(known, "JNIM and ISGS agreed a truce on Friday.", at)["N1"].bearing == "supports"
    assert bearings(known, "Le JNIM et l'EIGS ont conclu une trêve vendredi.", at, "fr")["N1"].bearing == "supports"
    assert bearings(known, "Fighters of JNIM attacked ISGS on Friday.", at)["N1"].bearing == "contradicts"
    assert bearings(known, "JNIM and ISGS agreed a truce on Friday.", datetime(2023, 5, 2, tzinfo=UTC)) == {}


def test_a_sentence_without_an_event_is_read_by_its_words(tmp_path: Path) -> None:
    words = "    words: {en: [grazing, pasture*], fr: [paturage*]}\n"
    known = registers(
        tmp_path,
        f"  - id: N1\n    statement: Grazing matters to JNIM and to ISGS along the river.\n{words}",
        "  - id: N2\n    statement: JNIM has the better administrators and accountants.\n",
    )
    at = datetime(2021, 1, 5, tzinfo=UTC)
    text = "JNIM and ISGS compete for pastures along the river."
    assert "N1" in bearings(known, text, at)
    assert "N1" not in bearings(known, "JNIM and ISGS compete for recruits along the river.", at)
    assert "N2" in bearings(known, "JNIM sent its administrators, and its accountants with them.", at)


def test_the_same_words_mean_the_same_in_every_register(tmp_path: Path) -> None:
    bundled = load_registers(actors=ACTORS)
    (tmp_path / "notes.yml").write_text(
        HEAD + "  - id: N1\n    statement: The feud of JNIM and ISGS is past repair.\n    kind: rivalry\n",
        encoding="utf-8",
    )
    own = load_registers(tmp_path, actors=ACTORS)
    known = read(Registers([*bundled, *own], {**bundled.files, **own.files}))
    text = "JNIM and ISGS clashed again on Friday. JNIM and ISGS will fight to the finish, beyond repair."
    assert bearings(known, text, datetime(2021, 1, 5, tzinfo=UTC))["N1"].bearing == "supports"


def test_a_claim_of_two_facts_is_borne_on_in_part(tmp_path: Path) -> None:
    known = registers(
        tmp_path,
        "  - id: N1\n    statement: JNIM and ISGS agreed a truce in 2020. Boko Haram and ISWAP clashed in 2020.\n",
    )
    at = datetime(2020, 5, 2, tzinfo=UTC)
    one = "JNIM and ISGS agreed a truce on Friday."
    part = bearings(known, one, at)["N1"]
    whole = bearings(known, f"{one} Boko Haram and ISWAP clashed on Friday.", at)["N1"]
    assert "1 of the 2 facts" in part.why
    assert "facts" not in whole.why
    assert part.score < whole.score


def test_a_sentence_that_says_too_little_is_refused_with_file_line_and_reason(tmp_path: Path) -> None:
    good = "  - id: N1\n    statement: JNIM and ISGS agreed a truce in 2020.\n"
    with pytest.raises(KnowledgeError, match=r"notes\.yml:6: .*nothing can be read from the statement"):
        registers(tmp_path, good, "  - id: N2\n    statement: It rained.\n")


def test_the_second_register_is_sentences_and_bears() -> None:
    known = read(load_registers(actors=ACTORS))
    sahel = next(one for one in known if one.article.id == "sahel-2020-07-31")
    assert all(one.events or one.statements for one in sahel.claims)
    at = datetime(2020, 4, 20, tzinfo=UTC)
    found = bearings(known, "JNIM fighters clashed with ISGS near Boulikessi in Mali on Friday.", at)
    assert found["S03"].bearing == "supports"
    truce = bearings(known, "JNIM and ISGS agreed a truce in Mali on Friday.", at)
    assert {claim: truce[claim].bearing for claim in ("S03", "S06")} == {"S03": "contradicts", "S06": "contradicts"}
