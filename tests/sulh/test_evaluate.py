"""`sulh evaluate` counts rightly, says what went wrong and by which rule, and refuses a fall."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sulh.cli import main
from sulh.evaluate import Count, told

TRUCE = (
    "The Islamic State and the Nusra Front have agreed a truce near Atareb, two opposition commanders said on Thursday."
    " Under the agreement they stop attacks on each other around Aleppo and open the roads between their towns."
)
ITEMS = f"""
language: en
items:
  - id: told
    title: Islamic State and Nusra Front agree truce
    published: 2014-11-13
    text: {TRUCE}
    events: [truce islamic-state+nusra affirmed attributed]
    alert: true
    claims: {{C09: reports}}
    caution: [anonymous_source, single_origin]
  - id: fought
    title: Eleven dead at a checkpoint near Albukamal
    published: 2014-11-02T08:00:00Z
    text: Fighters of the Islamic State attacked a checkpoint of the Nusra Front near Albukamal on Sunday.
    events: [truce islamic-state+nusra affirmed stated]
    alert: true
  - id: again
    title: Jihadists make peace
    published: 2014-11-14
    text: {TRUCE} Nothing more was known of it on Friday evening in the towns around the city of Aleppo.
    story: told
    events: [truce islamic-state+nusra affirmed attributed]
"""


def evaluate(*arguments: str | Path, status: int = 0) -> Result:
    """Run the command, and expect its exit status and no trace."""
    result = CliRunner().invoke(main, ["evaluate", *(str(part) for part in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def items(tmp_path: Path) -> Path:
    path = tmp_path / "items.yml"
    path.write_text(ITEMS, encoding="utf-8")
    return path


def test_counts_what_is_right_found_and_wanted(items: Path) -> None:
    figures = json.loads(evaluate(items, "--json").stdout)["en"]
    assert [figures["events"][key] for key in ("right", "found", "wanted")] == [2, 3, 3]
    assert figures["events"]["precision"] == figures["events"]["recall"] == pytest.approx(2 / 3, abs=1e-4)
    # The clash that is labelled as a truce raises no alert; the reprint's alert is not labelled, so not measured.
    assert [figures["alerts"][key] for key in ("right", "found", "wanted")] == [1, 1, 2]
    assert [figures["stories"][key] for key in ("right", "found", "wanted")] == [1, 1, 1]
    assert figures["caution"]["wanted"] == 2
    assert figures["comparisons"]["wanted"] == 1
    low, high = figures["events"]["low"], figures["events"]["high"]
    assert 0 <= low <= figures["events"]["f1"] <= high <= 1 and low < high


def test_shows_the_sentence_and_the_rule_of_a_mistake(items: Path) -> None:
    said = evaluate(items, "--task", "events").stdout
    assert "fought  Eleven dead at a checkpoint near Albukamal" in said
    assert "missed truce islamic-state+nusra affirmed" in said
    assert "extra clash islamic-state+nusra affirmed [en:" in said
    assert "1  truce → clash" in said
    assert "worst items" not in evaluate(items, "--figures-only").stdout


def test_reads_json_lines_of_several_languages(tmp_path: Path) -> None:
    lines = tmp_path / "labels.jsonl"
    rows = [
        {"id": "a", "language": "en", "published": "2014-11-13", "title": "Truce", "text": TRUCE, "alert": True},
        {"id": "b", "language": "fr", "published": "2014-11-13", "title": "Pluie sur Alep et froid vers le nord"},
    ]
    lines.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    figures = json.loads(evaluate(lines, "--json").stdout)
    assert set(figures) == {"en", "fr"}
    assert figures["en"]["alerts"]["right"] == 1
    # What is not labelled is not measured.
    assert "alerts" not in figures["fr"] and "events" not in figures["en"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("events: [treaty islamic-state+nusra affirmed stated]", "'treaty': expected one of truce"),
        ("events: [truce islamic-state+nusri affirmed stated]", "nusri: no actor of this id"),
        ("events: [truce islamic-state+nusra]", "expected kind, parties joined by +"),
        ("caution: [doubtful]", "'doubtful': expected one of anonymous_source"),
        ("claims: {C09: mentions}", "items.0.claims.C09"),
        ("alarm: true", "items.0.alarm: unknown key"),
        ("story: nowhere", "there is no item nowhere"),
    ],
)
def test_a_wrong_label_is_refused_with_file_and_reason(tmp_path: Path, wrong: str, said: str) -> None:
    path = tmp_path / "items.yml"
    head = "language: en\nitems:\n  - id: a\n    title: Truce\n    published: 2014-11-13\n"
    path.write_text(f"{head}    {wrong}\n", encoding="utf-8")
    error = evaluate(path, status=1).stderr
    assert error.startswith(f"sulh: {path}") and said in error


def test_an_id_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    row = json.dumps({"id": "a", "language": "en", "published": "2014-11-13", "title": "Truce"})
    path.write_text(f"{row}\n{row}\n", encoding="utf-8")
    assert "the id a is given twice" in evaluate(path, status=1).stderr


def test_a_fall_is_refused_and_a_lower_floor_needs_a_reason(items: Path, tmp_path: Path) -> None:
    floors = tmp_path / "floors.yml"
    evaluate(items, "--floors", floors, "--pin")
    assert "events: 0.66" in floors.read_text(encoding="utf-8")
    evaluate(items, "--floors", floors)
    better = floors.read_text(encoding="utf-8").replace("events: 0.66", "events: 0.90")
    floors.write_text(better, encoding="utf-8")
    assert "en events: F1 0.67 is below its floor of 0.90" in evaluate(items, "--floors", floors, status=1).stderr
    # Pinning does not lower by itself.
    assert (
        'a lower floor needs a reason: --lower "why"' in evaluate(items, "--floors", floors, "--pin", status=1).stderr
    )
    assert floors.read_text(encoding="utf-8") == better
    evaluate(items, "--floors", floors, "--pin", "--lower", "the labels of one item were wrong")
    text = floors.read_text(encoding="utf-8")
    assert "events: 0.66" in text and "the labels of one item were wrong" in text


def test_a_task_that_is_no_longer_measured_has_fallen(items: Path, tmp_path: Path) -> None:
    floors = tmp_path / "floors.yml"
    floors.write_text("floors:\n  tr:\n    events: 0.5\n", encoding="utf-8")
    assert "tr events: not measured" in evaluate(items, "--floors", floors, status=1).stderr


def test_says_which_cues_no_item_exercises_and_which_only_hurt(items: Path) -> None:
    found = json.loads(evaluate(items, "--rules", "--json").stdout)["en"]
    silent = {tuple(cue) for cue in found["silent"]}
    assert len(silent) < found["phrases"]
    assert ("frame truce", "@truce") not in silent
    assert any(place == "frame swap" for place, _ in silent)
    # The clash that is labelled as a truce.
    assert [place for place, _, count in found["hurting"]] != [] and all(count for *_, count in found["hurting"])
    text = evaluate(items, "--rules").stdout
    assert "only hurts, 1 times: frame " in text and "(en.yml:" in text and "never matched: " in text


def test_labels_of_events_read_as_written() -> None:
    one = told("clash islamic-state+nusra denied speculated")
    assert (one.kind, one.parties, one.polarity, one.modality) == (
        "clash",
        frozenset({"islamic-state", "nusra"}),
        "denied",
        "speculated",
    )
    assert told("government-truce unnamed affirmed stated").parties == frozenset()


def test_nothing_found_and_nothing_wanted_is_no_mistake() -> None:
    assert (Count().precision, Count().recall, Count().f1) == (1.0, 1.0, 1.0)
    assert Count(right=1, found=2, wanted=4).f1 == pytest.approx(1 / 3)
