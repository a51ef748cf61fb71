"""The registers: all claims of the article load, and a wrong register is refused with file, line and key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from processors.annotate.actors import ACTORS
from processors.errors import KnowledgeError
from processors.register import FOLDER, load_registers
from processors.terms import Terms, problems

GOOD = """\
article: {id: some-article, title: T, author: A, date: 2015-01-01, outlet: O, url: "https://example.org/"}
places:
  syria: {names: {en: [syria]}}
  idlib: {names: {any: [idlib]}, within: syria}
concepts:
  nusra: {any: [nusra]}
  strong: {en: [strong*]}
claims:
  - id: C1
    statement: Nusra is strong.
    voice: author
    kind: character
    parties: [{actor: nusra}]
    place: idlib
    since: 2014-01-01
    until: 2014-02-01
    locator: P1
    events:
      - kinds: [clash]
        sides: [{actors: [nusra], role: agent}]
    statements:
      - all: [nusra, strong]
"""


def write(folder: Path, text: str, name: str = "a.yml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_all_claims_of_the_article_load_with_known_actors() -> None:
    register, _ = load_registers(actors=ACTORS)
    assert register.article.date == date(2014, 11, 15)
    assert [claim.id for claim in register.claims] == [f"C{n:02}" for n in range(1, 35)]
    # The paragraphs of the article's claims, from first to last.
    assert [int(claim.locator[1:]) for claim in register.claims] == sorted(
        int(claim.locator[1:]) for claim in register.claims
    )


def test_every_concept_speaks_five_languages_and_is_used() -> None:
    register, _ = load_registers()
    used = {
        name
        for claim in register.claims
        for statement in claim.statements
        for name in (*statement.all, *statement.about, *statement.unless)
    } | {name for claim in register.claims for event in claim.events for name in (*event.words, *event.unless)}
    for key, words in register.concepts.items():
        assert key in used, key
        assert "any" in words or words.keys() >= {"en", "ar", "ru", "fr", "tr"}, key


def test_several_registers_stand_side_by_side(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("some-article", "another"), "b.yml")
    assert [(register.article.id, claim.id) for register, claim in load_registers(tmp_path).claims()] == [
        ("some-article", "C1"),
        ("another", "C1"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("kinds: [clash]", "kinds: [crash]", 19, "claims.0.events.0.kinds.0"),
        ("kind: character", "kind: charm", 12, "claims.0.kind"),
        ("voice: author", "voices: author", 11, "unknown key"),
        ("actors: [nusra]", "actors: [nusrah]", 20, "unknown actor 'nusrah'"),
        ("parties: [{actor: nusra}]", "parties: [{actor: nusrah}]", 13, "unknown actor 'nusrah'"),
        ("place: idlib", "place: idleb", 14, "unknown place 'idleb'"),
        ("within: syria", "within: iraq", 4, "unknown place 'iraq'"),
        ("within: syria", "within: idlib", 4, "within itself"),
        ("all: [nusra, strong]", "all: [nusra, weak]", 22, "unknown concept 'weak'"),
        ("all: [nusra, strong]", 'all: [nusra, "place:aleppo"]', 22, "unknown concept"),
        ("until: 2014-02-01", "until: 2013-02-01", 16, "lies before since"),
        ("locator: P1", "locator: page 1", 17, "claims.0.locator"),
        ("en: [strong*]", 'en: ["s*"]', 7, "two letters"),
        ("en: [strong*]", "de: [stark]", 7, "concepts.strong.de"),
    ],
)
def test_a_wrong_register_is_refused_with_line_and_key(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in GOOD
    write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(KnowledgeError) as caught:
        load_registers(tmp_path, actors={"nusra"})
    assert f"a.yml:{line}:" in str(caught.value)
    assert said in str(caught.value)


def test_ids_given_twice_are_refused(tmp_path: Path) -> None:
    write(tmp_path, GOOD + GOOD.split("claims:\n")[1])
    with pytest.raises(KnowledgeError, match="given twice"):
        load_registers(tmp_path)
    write(tmp_path, GOOD)
    write(tmp_path, GOOD, "b.yml")
    with pytest.raises(KnowledgeError, match="another register"):
        load_registers(tmp_path)


def test_a_missing_or_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="no register"):
        load_registers(tmp_path)
    with pytest.raises(KnowledgeError, match="no such folder"):
        load_registers(tmp_path / "none")
    assert FOLDER.is_dir()


@pytest.mark.parametrize(
    ("term", "language", "text", "found"),
    [
        ("rival*", "en", "The Rivals met.", True),
        ("rival", "en", "The rivals met.", False),
        ("seek* ~ truce", "en", "They are seeking at last a truce.", True),
        ("seek* ~ truce", "en", "They seek in every one of these many towns a truce.", False),
        ("IS", "en", "This is so.", False),
        ("IS", "en", "An IS man.", True),
        ("هدنة", "ar", "وبالهدنة", True),
        ("هدنة", "ar", "مهدنة", False),
        ("перемири*", "ru", "о Перемирии", True),
        ("trêve", "fr", "la TREVE d'hier", True),
        ("accord", "fr", "l’accord", True),
        ("ateşkes*", "tr", "ATEŞKESİ bozdu", True),
        ("ateşkes*", "und", "ateşkesi bozdu", True),
        ("ateşkes*", "en", "ateşkesi bozdu", False),
    ],
)
def test_terms_match_inflected_words_and_no_others(term: str, language: str, text: str, found: bool) -> None:
    own = "tr" if "ş" in term else "en" if language == "und" else language
    terms = Terms({"it": {own: (term,)}})  # type: ignore[dict-item]
    assert bool(terms.find(text, language)) == found
    assert not problems([term])
