"""`sulh alerts ID` says why, how it came so, and what would have changed it: each answer is what is really decided."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from processors.archive import CaptureRef
from processors.records import Alert, Document, digest
from sulh.cli import main
from sulh.pipeline import decide, judge_document, process, registers_of
from sulh.stores import open_store

NOW = datetime(2014, 12, 1, tzinfo=UTC)
REGISTERS = registers_of(None)
TRUCE = (
    "levant_gb",
    "2014-11-13",
    "Rivals stop fighting near Aleppo",
    "The Islamic State and the Nusra Front have agreed a truce near Atareb, two opposition commanders said on Thursday."
    " The road to the town was quiet, and traders were seen on it again for the first time since spring.",
)
OTHER = (
    "north_sy",
    "2014-11-14",
    "Fighters of both sides share checkpoints",
    "Nusra and the Islamic State concluded a truce in the country west of Aleppo, a teacher in Atareb told us by"
    " telephone. He had seen men of both groups drink tea at one barrier, which nobody would have believed in summer.",
)
DENIAL = (
    "gazette_uk",
    "2014-11-16",
    "Nusra: nothing was agreed",
    "The Nusra Front denied that it had agreed a truce with the Islamic State. Its spokesman called the reports lies"
    " in a statement on Sunday, and said that its men held their lines.",
)
FIGHT = (
    "meridian_tr",
    "2014-11-17",
    "Dead at a barrier",
    "Fighters of the Islamic State attacked a checkpoint of the Nusra Front near Aleppo on Monday. Eleven men were"
    " killed, residents said, and the road was closed.",
)
Page = tuple[str, str, str, str]


@pytest.fixture(autouse=True)
def _settings(no_settings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SULH_ALERT_MAX_AGE_DAYS", "0")


def fill(home: Path, *pages: Page) -> tuple[Alert, ...]:
    """Judge the pages as the pipeline does, into the home's store, and decide."""

    def judged() -> Iterable[Any]:
        for source, day, title, text in pages:
            at = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(hours=12)
            url = f"https://{source}.test/{digest(title)[:6]}"
            document = Document(
                id=digest(url), source=source, url=url, title=title, text=text, published_at=at, fetched_at=at,
                declared="en", capture=digest(url, "capture"),
            )  # fmt: skip
            ref = CaptureRef(id=document.capture, source=source, url=url, fetched_at=at, locator="")
            yield ref, judge_document(document, REGISTERS)

    home.mkdir(exist_ok=True)
    with closing(open_store(home / "sulh.sqlite")) as store:
        assert not process(store, judged()).faults
        return decide(store, now=NOW, max_age_days=None).alerts


def shown(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["--home", str(home), "alerts", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def grounds(home: Path, id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown(home, id, "--json"))["grounds"]
    return found


def then(found: dict[str, Any], beginning: str) -> dict[str, Any]:
    (row,) = [row for row in found["otherwise"] if row["given"].startswith(beginning)]
    return dict(row)


def test_it_says_by_which_sentence_and_rule_it_was_raised(tmp_path: Path) -> None:
    (alert,) = fill(tmp_path / "home", TRUCE)
    raised = grounds(tmp_path / "home", alert.id)["raised"]
    assert raised["sentence"] == alert.sentence and raised["sentence"] in TRUCE[3]
    assert (raised["kind"], sorted(raised["parties"])) == ("truce", ["islamic-state", "nusra"])
    assert (raised["polarity"], raised["modality"]) == ("affirmed", "attributed")
    assert "commanders" in raised["speaker"]
    rule, _, place = raised["rule"].partition(" (")
    file, line = place.rstrip(")").split(":")
    written = (Path(__file__).parents[2] / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert f"id: {rule.partition(':')[2]}" in written
    said = shown(tmp_path / "home", alert.id)
    assert alert.sentence in said and rule in said and raised["story"] in said


def test_its_history_is_told_with_days_and_documents(tmp_path: Path) -> None:
    # Fetched in another order than published.
    (alert,) = fill(tmp_path / "home", DENIAL, OTHER, TRUCE)
    turns = grounds(tmp_path / "home", alert.id)["turns"]
    assert [(turn["at"][:10], turn["state"], turn["origins"], turn["source"]) for turn in turns] == [
        ("2014-11-13", "new", 1, "levant_gb"),
        ("2014-11-14", "corroborated", 2, "north_sy"),
        ("2014-11-16", "denied", 2, "gazette_uk"),
    ]
    assert turns[2]["sentence"] in DENIAL[3]
    said = shown(tmp_path / "home", alert.id)
    for line in (
        "2014-11-13 12:00  claimed: levant_gb",
        "corroborated by 2 independent origins: north_sy",
        "denied: gazette",
    ):
        assert line in said


def test_what_would_change_it_is_what_does(tmp_path: Path) -> None:
    (alert,) = fill(tmp_path / "home", TRUCE)
    found = grounds(tmp_path / "home", alert.id)
    for beginning, page in (
        ("with one more outlet", OTHER),
        ("with one denial", DENIAL),
        ("with one report, a day later, that the parties fight", FIGHT),
    ):
        (changed,) = fill(tmp_path / page[0], TRUCE, page)
        predicted = then(found, beginning)
        assert (predicted["state"], predicted["origins"]) == (changed.state, len(changed.origins)), beginning
        assert changed.state != alert.state
    assert then(found, "with one more reprint")["said"] == "the same"
    without = [row for row in found["otherwise"] if row["given"].startswith("without")]
    assert [(row["said"], row["state"]) for row in without] == [("no alert", "")]
    assert then(found, "were it told there only as what may be")["said"] == "no alert"


def test_what_is_left_out_is_decided_without_it(tmp_path: Path) -> None:
    (alert,) = fill(tmp_path / "home", TRUCE, OTHER, DENIAL)
    found = grounds(tmp_path / "home", alert.id)
    left_out = {
        page[0]: row
        for page in (TRUCE, OTHER, DENIAL)
        for row in found["otherwise"]
        if row["given"].startswith("without") and f"({page[0]})" in row["given"]
    }
    for page in (TRUCE, OTHER, DENIAL):
        (remaining,) = fill(tmp_path / page[0], *(other for other in (TRUCE, OTHER, DENIAL) if other is not page))
        row = left_out[page[0]]
        assert (row["state"], row["origins"]) == (remaining.state, len(remaining.origins)), row
    assert "raised by “Fighters of both sides" in left_out["levant_gb"]["said"]
    assert left_out["gazette_uk"]["said"] == "corroborated"


def test_an_alert_that_nothing_raises_any_more_says_so(tmp_path: Path) -> None:
    (alert,) = fill(tmp_path / "home", TRUCE)
    corrected = (
        *TRUCE[:3],
        "Nothing happened near Aleppo on Thursday, this outlet now says; what stood here was wrong.",
    )
    with closing(open_store(tmp_path / "home" / "sulh.sqlite")) as store:
        document = store.document(alert.members[0].document)
        assert document is not None
        ref = CaptureRef(id="again", source=document.source, url=document.url, fetched_at=NOW, locator="")
        new = Document.from_json(
            {**document.to_json(), "text": corrected[3], "title": "Correction", "capture": "again"}
        )
        process(store, [(ref, judge_document(new, REGISTERS))])
        (withdrawn,) = decide(store, now=NOW, max_age_days=None).alerts
    assert withdrawn.state == "withdrawn"
    found = grounds(tmp_path / "home", alert.id)
    assert (found["now"], found["otherwise"], found["raised"]["rule"]) == ("", [], "")
    assert "withdrawn since" in shown(tmp_path / "home", alert.id)
