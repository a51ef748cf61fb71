"""What sulh judges of the labelled items does not fall below what it once did."""

from __future__ import annotations

from pathlib import Path

import pytest

from sulh.evaluate import evaluate, falls, floors_in, labelled
from sulh.exercise import exercise
from sulh.pipeline import registers_of

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("folder", "floors", "reconciled"),
    # Clashes, refusals and splits that raise an alert: none should. Six of the 380 texts kept apart still do.
    [("items", "floors.yml", 0), ("held", "floors-held.yml", 6)],
)
def test_no_figure_falls_below_its_floor(folder: str, floors: str, reconciled: int) -> None:
    items = [item for path in sorted((HERE / folder).glob("*.yml")) for item in labelled(path)]
    found = evaluate(items, registers_of(None), advance=lambda steps=1: None)
    assert falls(found, floors_in(HERE / floors)) == []
    assert len(found.wrongly_reconciled()) <= reconciled


def test_each_cue_is_exercised_by_an_item() -> None:
    # A phrase that is written so that no sentence can match it is found here, not by an analyst.
    items = [item for folder in ("items", "cues") for path in (HERE / folder).glob("*.yml") for item in labelled(path)]
    found = exercise(items)
    assert len(found) == 5
    assert {cue for one in found for cue in one.silent} == set()


def test_the_set_is_as_large_and_as_hard_as_it_claims() -> None:
    for language in ("ar", "en", "fr", "ru", "tr"):
        items = [item for folder in ("items", "held") for item in labelled(HERE / folder / f"{language}.yml")]
        assert len(items) >= 80
        quiet = sum(item.alert is False for item in items)
        assert 0.45 <= quiet / len(items) <= 0.6
        assert len(labelled(HERE / "held" / f"{language}.yml")) >= len(items) / 3
