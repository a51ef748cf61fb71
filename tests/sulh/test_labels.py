"""What analysts confirm or dismiss comes out as labelled items, and `sulh evaluate` takes the file."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from processors.records import Alert, Document
from sulh.cli import main
from sulh.evaluate import labelled
from sulh.stores import Outcome, Processed, open_store
from tests.sulh.test_grounds import DENIAL, NOW, OTHER, TRUCE, fill

SWAP = (
    "east_sy",
    "2014-09-02",
    "Captives change hands",
    "The Islamic State and Ahrar al-Sham exchanged prisoners near Akhtarin on Tuesday, both groups said. Nine men went"
    " home, and a tribal elder had carried the lists between them for a week.",
)


pytestmark = pytest.mark.usefixtures("no_settings")


def sulh(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [str(part) for part in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def exported(home: Path) -> dict[str, dict[str, Any]]:
    """Export the labels, see that they can be read as they are and as YAML, and give them by source."""
    text = sulh("--home", home, "export", "labels")
    lines = home / "labels.jsonl"
    lines.write_text(text, encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    if rows:
        as_yaml = home / "labels.yml"
        as_yaml.write_text(yaml.safe_dump({"items": rows}, allow_unicode=True), encoding="utf-8")
        assert labelled(lines) == labelled(as_yaml)
    return {row["source"]: row for row in rows}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def alerts(home: Path) -> dict[str, Alert]:
    """A truce, told twice and denied, and a swap of prisoners."""
    return {one.kind: one for one in fill(home, SWAP, TRUCE, OTHER, DENIAL)}


def test_nothing_is_labelled_that_nobody_judged(home: Path, alerts: dict[str, Alert]) -> None:
    assert set(alerts) == {"truce", "swap"}
    assert exported(home) == {}


def test_a_verdict_labels_each_document_by_its_part(home: Path, alerts: dict[str, Alert]) -> None:
    sulh("--home", home, "alerts", alerts["truce"].id, "--confirm")
    sulh("--home", home, "alerts", alerts["swap"].id, "--dismiss", "a film scene")
    rows = exported(home)
    assert {source: row["alert"] for source, row in rows.items()} == {
        "levant_gb": True,
        "north_sy": True,
        "gazette_uk": False,
        "east_sy": False,
    }
    assert {rows[source]["scene"] for source in ("levant_gb", "north_sy", "gazette_uk")} == {alerts["truce"].id}
    assert (rows["east_sy"]["text"], rows["east_sy"]["note"]) == (SWAP[3], "dismissed: a film scene; first")
    assert datetime.fromisoformat(rows["levant_gb"]["published"]).date().isoformat() == TRUCE[1]
    assert not {"events", "claims", "caution"} & set().union(*rows.values())


def test_evaluate_takes_the_file_and_counts_the_dismissed_as_a_mistake(home: Path, alerts: dict[str, Alert]) -> None:
    sulh("--home", home, "alerts", alerts["truce"].id, "--confirm")
    sulh("--home", home, "alerts", alerts["swap"].id, "--dismiss", "a film scene")
    exported(home)
    figures = json.loads(sulh("evaluate", home / "labels.jsonl", "--json"))["en"]
    assert [figures["alerts"][key] for key in ("right", "found", "wanted")] == [2, 3, 2]
    assert "events" not in figures and "comparisons" not in figures
    said = sulh("evaluate", home / "labels.jsonl", "--task", "alerts")
    assert "extra swap" in said and "exchanged prisoners" in said


def test_a_reprint_names_the_story_that_it_retells(home: Path) -> None:
    reprint = ("daily_gb", "2014-11-14", TRUCE[2], f"{TRUCE[3]} (Agencies)")
    (one,) = fill(home, TRUCE, reprint)
    sulh("--home", home, "alerts", one.id, "--confirm")
    rows = exported(home)
    assert rows["daily_gb"]["story"] == rows["levant_gb"]["id"] and "story" not in rows["levant_gb"]
    assert rows["daily_gb"]["alert"] is True


def test_a_document_of_another_alert_that_stands_is_not_called_quiet(home: Path) -> None:
    text = (
        "JNIM and ISGS agreed a truce near Gao on Sunday, a herders' leader said. In Afghanistan the Taliban and the"
        " Islamic State Khorasan Province exchanged prisoners in Kunar on the same day, villagers said by telephone."
    )
    alerts = {one.kind: one for one in fill(home, ("digest_gb", "2020-04-20", "Around the world", text))}
    assert set(alerts) == {"truce", "swap"}
    sulh("--home", home, "alerts", alerts["swap"].id, "--dismiss", "a film scene")
    assert exported(home) == {}
    sulh("--home", home, "alerts", alerts["truce"].id, "--confirm")
    assert exported(home)["digest_gb"]["alert"] is True
    sulh("--home", home, "alerts", alerts["truce"].id, "--dismiss", "that too")
    assert exported(home)["digest_gb"]["alert"] is False


def test_a_text_that_says_something_else_now_is_left_out(home: Path) -> None:
    (one,) = fill(home, TRUCE)
    sulh("--home", home, "alerts", one.id, "--confirm")
    assert set(exported(home)) == {"levant_gb"}
    with closing(open_store(home / "sulh.sqlite")) as store:
        old = store.document(one.members[0].document)
        assert old is not None
        new = Document.from_json(
            {**old.to_json(), "title": "Sorry", "text": "It was wrong.", "revision": 2, "capture": "n"}
        )
        outcome = Outcome(
            capture="n", source=new.source, url=new.url, fetched_at=NOW, disposition="indexed", document=new.id
        )
        store.write([Processed(outcome=outcome, document=new)])
    assert exported(home) == {}
