"""What example sentences teach: they are read strictly, learned whole, and judge what nobody wrote a cue for."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from processors.annotate.events import events, explain, reader_of
from processors.annotate.learn import learn
from processors.annotate.lexicon import LANGUAGES
from processors.annotate.likeness import EXAMPLES, Likeness, digest_of, examples, features, files_of, likeness_of
from processors.errors import KnowledgeError
from processors.records import Language, learned
from tests.pages import page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_weights_were_learned_from_the_sentences_as_they_are(language: str) -> None:
    # Whoever changes a sentence runs `make learn`, or what it teaches is not judged by.
    assert likeness_of(language).learned_from == digest_of(files_of(language))
    frames = {feature.removeprefix("frame:") for feature in likeness_of(language).features() if "frame:" in feature}
    assert frames <= set(reader_of(language).frames), "weights of frames that are gone"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_has_examples_enough_to_be_told(language: str) -> None:
    told = [one.kind for example in examples(EXAMPLES / f"{language}.txt") for one in example.told]
    kinds = set(likeness_of(language).columns[: likeness_of(language).kinds]) - {"none"}
    assert len(kinds) == 14
    assert min(told.count(kind) for kind in kinds) >= 20


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("ru", "Бойцы ИГИЛ и «Нусры» под Атарибом больше не стреляют друг в друга, говорит пекарь.", True),
        (
            "fr",
            "Al-Nosra et l'EI se sont serré la main et ne se tireront plus dessus dans le Qalamoun, dit un notable.",
            True,
        ),
        ("en", "Army units killed fighters of ISIS and of Nusra in the desert east of Hama, state media said.", False),
        ("ru", "Авиация нанесла удары по позициям ИГИЛ и «Джебхат ан-Нусры» в провинции Идлиб.", False),
    ],
)
def test_what_no_frame_finds_is_told_by_its_words(language: Language, text: str, expected: bool) -> None:
    found = [event for event in events(page(text, language)) if event.kind in ("truce", "cooperation", "pact")]
    assert bool(found) is expected
    for event in found:
        assert {party.actor for party in event.parties} == {"islamic-state", "nusra"}
        assert event.sentence == text


def test_the_nearest_example_is_shown_for_what_was_told_by_words() -> None:
    text = "Dans le Qalamoun, Al-Nosra et l'EI ont décidé de se ficher la paix jusqu'au printemps, dit un notable."
    (why,) = [one for one in explain(page(text, "fr")) if learned(one.event.rule)]
    line = (EXAMPLES / "fr.txt").read_text(encoding="utf-8").splitlines()[why.frame - 1]
    assert why.file == EXAMPLES / "fr.txt"
    assert line.startswith(why.event.kind) and why.words


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("truce islamic-state+nusra ISIS and Nusra agreed.", "expected what is told, a tab, and the sentence"),
        ("peace islamic-state+nusra\tISIS and Nusra agreed.", "expected kind, parties joined by +"),
        ("truce islamic-state+nobody\tISIS and Nobody agreed.", "nobody is no id of an actor"),
        ("none\t{ISIS|isis} rules the town.", "expected {name as written|id of an actor}"),
    ],
)
def test_a_broken_example_is_refused_with_file_line_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "en.txt"
    path.write_text(f"none\tA line that is right.\n{line}\n", encoding="utf-8")
    with pytest.raises(KnowledgeError) as error:
        examples(path)
    assert str(error.value).startswith(f"{path}:2: ") and reason in str(error.value)


def test_a_sentence_that_an_analyst_adds_teaches_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    taught = [
        "none\t{ISIS|islamic-state} and {Nusra|nusra} both lost men to the cold.",
        "none\t{Nusra|nusra} is smaller than {ISIS|islamic-state}.",
        "clash islamic-state+nusra denied\tNo shot was fired between {ISIS|islamic-state} and {Nusra|nusra}.",
        "clash islamic-state+nusra speculated\t{ISIS|islamic-state} may storm the posts of {Nusra|nusra}.",
        "clash islamic-state+nusra looking-back\tIn 2013 {ISIS|islamic-state} stormed a post of {Nusra|nusra}.",
        "truce islamic-state+nusra\t{ISIS|islamic-state} and {Nusra|nusra} smoked the pipe of peace.",
        "truce boko-haram+iswap\t{ISWAP|iswap} smoked the pipe of peace with {Boko Haram|boko-haram}.",
    ]
    path.write_text("\n".join(taught) + "\n", encoding="utf-8")
    reader, likeness = reader_of("en"), Likeness(learn([path], "en", least=0))
    (last,) = examples(path)[-1:]
    seen, marks = reader.seen(last.text.replace("pipe", "long pipe"), last.names)
    (rank, guess), *_ = likeness.weigh(seen, [*marks, "named"]).guesses(frozenset({"boko-haram", "iswap"}), 0)
    assert rank == 0 and guess.kind == "truce" and not guess.turns


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_weighs_what_was_learned_of_its_features(language: Language) -> None:
    # Learning goes by `features`, judging by sums that are kept by the word: they must not part ways.
    likeness = likeness_of(language)
    guess, given = next(
        (guess, features(seen, marks, one.told[0].parties))
        for one in examples(EXAMPLES / f"{language}.txt")
        if one.told and len(one.names) > 1
        for seen, marks in [reader_of(language).seen(one.text, one.names)]
        for _, guess in likeness.weigh(seen, marks).guesses(one.told[0].parties, 0)
    )
    sums = list(likeness.bias)
    for feature, value in given.items():
        likeness.put(sums, feature, value)
    kinds = sums[: likeness.kinds]
    share = 1 / sum(math.exp(other - kinds[likeness.columns.index(guess.kind)]) for other in kinds)
    assert guess.share == pytest.approx(share)


def test_letters_in_braces_stand_for_whoever_acts(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_text(
        "truce denied\t{A} never shook hands with {B}, said {S}.\n"
        "government-truce\t{A} let the buses of {S} through.\n"
        "about none\tIt rained.\n",
        encoding="utf-8",
    )
    truce, buses, rain = examples(path)
    assert [(one.kind, len(one.parties), set(one.turns)) for one in truce.told] == [("truce", 2, {"denied"})]
    assert truce.text == "A never shook hands with B, said S." and len(truce.names) == 3
    assert buses.told[0].parties == {mention.actor for mention in buses.names}
    assert rain.about and not rain.told
    path.write_text("truce\t{A} shook hands with {X}.\n", encoding="utf-8")
    with pytest.raises(KnowledgeError, match=r"en.txt:1: {X}: expected .* or one of A, B, C, S"):
        examples(path)
