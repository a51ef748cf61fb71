"""What a text tells is decided by all its sentences: headline, other kinds and frames count, as whole reports teach."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.annotate.events import candidates, events
from processors.annotate.learn import learn_reading, taught_by, told_by
from processors.annotate.lexicon import LANGUAGES
from processors.annotate.likeness import Guess, digest_of, files_of, likeness_of, reports
from processors.annotate.reading import Candidate, Text, reading
from processors.records import Kind
from tests.pages import page

PAIR = frozenset({"islamic-state", "nusra"})


def test_the_weights_were_learned_from_the_examples_as_they_are() -> None:
    assert reading().learned_from == digest_of(path for language in LANGUAGES for path in files_of(language))


def text(*sentences: tuple[Kind, float, bool]) -> Candidate[int]:
    """Give the candidate of the first sentence's kind in a text of sentences, each with kind, share, if headline."""
    gathered: Text[int] = Text()
    for number, (kind, share, title) in enumerate(sentences):
        gathered.sentences += 1
        guess = Guess(kind, share, frozenset(), PAIR)
        gathered.of(PAIR, kind).add(guess, 0, number, here=True, title=title, cue=False, fired=share > 0.5)
    return next(one for one in gathered.candidates((), frozenset()) if one.kind == sentences[0][0])


def test_what_the_headline_has_too_is_likelier_than_what_is_said_once() -> None:
    once = reading().chance(text(("truce", 0.6, False)).features)
    twice = reading().chance(text(("truce", 0.6, False), ("truce", 0.7, True)).features)
    hardly = reading().chance(text(("truce", 0.1, False)).features)
    assert hardly < once < twice


def test_the_sentence_that_is_shown_is_the_one_that_says_it_most() -> None:
    assert text(("truce", 0.4, False), ("truce", 0.9, False), ("truce", 0.6, False)).place == 1


def test_what_a_frame_has_told_is_no_candidate() -> None:
    gathered: Text[int] = Text()
    guess = Guess("truce", 0.9, frozenset(), PAIR)
    gathered.of(PAIR, "truce").add(guess, 0, 0, here=True, title=False, cue=True, fired=True)
    assert not list(gathered.candidates({(PAIR, "truce")}, PAIR))
    assert [one.kind for one in gathered.candidates({(PAIR, "clash")}, PAIR)] == ["truce"]


def test_a_second_thing_told_of_two_groups_is_found() -> None:
    report = page(
        "Nusra and ISIS trade captives outside Arsal\n\n"
        "Eleven fighters of Nusra and nine of ISIS were handed back to their own at a quarry outside Arsal on Friday. "
        "The lull that made it possible began on Monday, when men of ISIS and of Nusra put away their rifles along the "
        "ridge, and no shot has been heard between them since.",
        "en",
    )
    assert {"swap", "truce"} <= {event.kind for event in events(report)}


REPORT = (
    "truce\t{A} and {B} lay down arms at the well\n"
    "truce; clash looking-back\tMen of {A} and of {B}, who fought here in 2013, smoked together, said {C}.\n"
    "about none\tIt rained.\n"
)


def test_a_report_is_read_as_a_document_whose_groups_and_events_are_known(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_text(f"{REPORT}\n# the next\n\nnone\tA headline\nnone\t{{A}} and {{B}} are names.\n", encoding="utf-8")
    first, second = reports(path)
    document, named, told = told_by(first, "en")
    assert told == {(PAIR, "truce"), (PAIR, "clash")} and not told_by(second, "en")[2]
    assert document.title == "A and B lay down arms at the well"
    assert [document.text[name.start : name.end] for name in named["text"]] == ["A", "B", "C"]


def test_reports_teach_which_candidates_are_told(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    _, whole = files_of("en")
    path.write_text("\n".join(whole.read_text(encoding="utf-8").split("\n")[:60]) + "\n", encoding="utf-8")
    taught = list(taught_by(path, "en", likeness_of("en")))
    assert {right for _, right in taught} == {True, False}
    learned = learn_reading(taught)
    assert learned["weights"] and set(learned["weights"]) <= {name for features, _ in taught for name in features}


@pytest.mark.parametrize("language", LANGUAGES)
def test_reports_hold_sentences_that_tell_nothing_as_well(language: str) -> None:
    # From reports that told something in every line a reader would learn to take the next one at its word.
    _, whole = files_of(language)
    sentences = [sentence for report in reports(whole) for sentence in report]
    assert len(reports(whole)) >= 300
    assert sum(not sentence.told for sentence in sentences) > 0.2 * len(sentences)


def test_candidates_are_judged_by_the_weights_that_are_given() -> None:
    document = page("Nusra and ISIS have made up. They shake hands.", "en")
    named = {"title": (), "text": ()}
    ours = candidates(document, named=named, likeness=likeness_of("en"))
    theirs = candidates(document, named=named, likeness=likeness_of("fr"))
    assert [one.features for one in ours] != [one.features for one in theirs]
