"""What the mappings hold is what the records are: no field without a place, no place without a field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import pytest

from mappings import COMPONENTS, KINDS, SCHEMA, component_templates, fingerprint, index_templates, properties, resolved
from processors.records import (
    SIGNALS,
    Alert,
    Attribution,
    Comparison,
    Document,
    Event,
    LedgerRow,
    Member,
    Party,
    Record,
    Rejection,
    Signal,
    digest,
)
from sulh.stores import Delivery, Finding, Outcome, Refusal
from sulh.stores import elastic_rows as rows

NOON = datetime(2014, 11, 15, 12, tzinfo=UTC)
EVENT = Event(
    id="e1",
    document="d1",
    kind="truce",
    parties=(Party(actor="islamic-state"), Party(actor="nusra")),
    attribution=Attribution(speaker="a commander", named=False, actor="nusra", camp="aq"),
    date=date(2014, 11, 13),
    start=0,
    end=5,
    sentence="Truce",
    rule="en:truce",
)
COMPARISON = Comparison(
    id="c1",
    document="d1",
    register="orton",
    claim="C01",
    bearing="reports",
    score=0.5,
    start=0,
    end=5,
    sentence="Truce",
    why="same kind",
)


def document(language: str) -> Document:
    return Document(
        id="d1",
        source="outlet_uk",
        url="https://outlet.example/1",
        title="Truce",
        text="Truce agreed.",
        language=language,  # type: ignore[arg-type]
        fetched_at=NOON,
        capture="x1",
        story="d1",
    )


WORDS = ("truce", "truce agre")


def made(kind: str) -> tuple[tuple[type[Record], ...], list[dict[str, Any]]]:
    """Give the records that a kind of row holds, and rows of it with every field."""
    one = rows.Placed.of(document("en"), [EVENT], [COMPARISON], WORDS)
    carried = rows.told(one.document, "ap")
    if kind == "documents":
        spoken = [rows.Placed.of(document(language), [EVENT], [COMPARISON], WORDS) for language in rows.LANGUAGES]
        return (Document,), [rows.document_row(placed, origin="ap") for placed in spoken]
    if kind == "revisions":
        return (Document,), [rows.revision_row(one.document)]
    if kind == "events":
        return (Event,), [rows.event_row(EVENT, carried)]
    if kind == "comparisons":
        return (Comparison,), [rows.comparison_row(COMPARISON, carried)]
    if kind == "stories":
        return (), [rows.story_row("d1", {"d1": rows.member(one.document)})]
    if kind == "alerts":
        alert = Alert(
            id="a1",
            parties=("islamic-state", "nusra"),
            kind="truce",
            opened_at=NOON,
            title="Truce",
            sentence="Truce",
            members=(Member(document="d1", role="first"),),
            origins=("d1",),
            caution=tuple(Signal(name=name, shown=True) for name in SIGNALS),
        )
        return (Alert,), [rows.alert_row(alert, language="en", verdict=("confirmed", "seen", NOON.isoformat()))]
    if kind == "ledger":
        outcome = Outcome(
            capture="x1", source="s", url="u", fetched_at=NOON, disposition="rejected", reason="r", document="d1"
        )
        rejection = Rejection(step="extract", reason="no-text", source="s", url="u", at=NOON)
        tally = LedgerRow(source="s", day=NOON.date(), step="crawl", disposition="fetched", count=3)
        refusal = Refusal(capture="x1", source="s", url="u", fetched_at=NOON, detail="too long")
        found = [rows.outcome_row(outcome, rejection), rows.tally_row(tally), rows.refusal_row(refusal)]
        return (LedgerRow, Outcome), found
    if kind == "deliveries":
        sent = Delivery(id="1", alert="a1", channel="c", state="sent", attempts=1, next_attempt=NOON)
        return (Delivery,), [rows.fields_of(sent)]
    if kind == "findings":
        found = Finding(id="f1", kind="silent", about="s", said="no news", todo="look", first_at=NOON, last_at=NOON)
        return (Finding,), [rows.fields_of(found)]
    assert kind == "verdicts"
    return (), [{"alert": "a1", "verdict": "confirmed", "why": "seen", "at": NOON.isoformat()}]


def paths(values: Mapping[str, Any]) -> set[str]:
    """Give the paths of all values in a row."""
    found = set()
    for name, value in values.items():
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        found |= {f"{name}.{path}" for path in paths(inner)} if isinstance(inner, dict) else {name}
    return found


def mapped(fields: Mapping[str, Any]) -> set[str]:
    """Give the paths of all fields of a mapping."""
    found = set()
    for name, about in fields.items():
        inner = about.get("properties")
        found |= {f"{name}.{path}" for path in mapped(inner)} if inner else {name}
    return found


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "state"])
def test_each_index_has_the_fields_of_its_rows_and_no_other(kind: str) -> None:
    records, written = made(kind)
    fields = properties(kind)
    for record in records:
        assert record.__dataclass_fields__.keys() <= fields.keys(), record  # type: ignore[attr-defined]
    if kind == "stories":
        # By document id: kept, and not looked into.
        assert fields["members"] == {"type": "object", "enabled": False}
        written = [{**row, "members": "kept"} for row in written]
    found = set().union(*(paths(row) for row in written)) | {"written", "retired"}
    assert found == mapped(fields)


def test_a_field_that_no_one_mapped_is_refused_everywhere() -> None:
    for kind in KINDS:
        assert resolved(kind)["mappings"]["dynamic"] == "strict", kind


def test_every_template_is_read_and_every_file_is_a_template() -> None:
    folder = files("mappings").joinpath("elasticsearch")
    named = {path.name.removesuffix(".json") for path in folder.iterdir() if path.name.endswith(".json")}
    parts = {path.name.removesuffix(".json") for path in folder.joinpath("components").iterdir()}
    assert (named, parts) == (set(KINDS), set(COMPONENTS))
    for name, template in index_templates("desk2").items():
        assert name.startswith("desk2-")
        assert all(pattern.startswith("desk2-") for pattern in template["index_patterns"])
        assert set(template["composed_of"]) <= set(component_templates("desk2"))


def test_each_language_has_its_own_analyzer_and_the_rest_a_plain_field() -> None:
    fields = properties("documents")
    analyzers = {"ar": "arabic", "en": "english", "fr": "french", "ru": "russian", "tr": "turkish"}
    for name in ("title_l", "text_l"):
        assert {key: about["analyzer"] for key, about in fields[name]["properties"].items()} == analyzers
    abstained = rows.document_row(rows.Placed.of(document("und"), [], [], WORDS), origin="d1")
    assert "text_l" not in abstained
    assert fields["text"] == {"type": "text"}
    assert rows.document_row(rows.Placed.of(document("ru"), [], [], WORDS), origin="d1")["text_l"].keys() == {"ru"}


def test_a_changed_mapping_has_another_schema() -> None:
    # Raise SCHEMA with every change of a file after a release, and note here what it stands for: an older sulh knows
    # the indices of a newer one by that number alone.
    made_of = digest(*(fingerprint(kind) for kind in KINDS))
    assert {SCHEMA: made_of} == {3: "78572af0d6e6297076e7"}
