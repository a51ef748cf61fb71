"""What is brought into Kibana is whole: it refers to nothing that lacks, and asks only for fields that there are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mappings import KINDS
from processors.errors import KnowledgeError
from sulh.kibana.asks import asks
from sulh.kibana.described import FOLDER, Times, described, field_of, type_of
from sulh.kibana.kql import asked, fields_in, parse
from sulh.kibana.saved import build, ndjson
from sulh.pipeline import registers_of
from tests.sample_store import registers

NOW = datetime(2014, 12, 1, tzinfo=UTC)
REGISTERS = registers_of(None)

LOWEST = {
    # Each is a version that the plugin of Kibana 9.0 knows. Those with a "10." are model versions: 9.0 has 1 to 5 of
    # `search` and 1 to 2 of `dashboard`; the others have had no change since.
    "index-pattern": "8.0.0",
    "search": "10.1.0",
    "visualization": "8.5.0",
    "dashboard": "10.2.0",
}

ATTRIBUTES = {
    # What Kibana 9's schemas allow at these versions; another is refused by the import.
    "visualization": {
        "title", "description", "version", "kibanaSavedObjectMeta", "uiStateJSON", "visState", "savedSearchRefName",
    },
    "search": {
        "title", "description", "columns", "sort", "grid", "rowHeight", "rowsPerPage", "hideChart", "breakdownField",
        "kibanaSavedObjectMeta", "isTextBasedQuery", "usesAdHocDataView", "timeRestore", "timeRange", "refreshInterval",
        "viewMode", "hideAggregatedPreview", "hits", "version", "sampleSize",
    },
    "dashboard": {
        "title", "description", "kibanaSavedObjectMeta", "timeRestore", "timeFrom", "timeTo", "refreshInterval",
        "controlGroupInput", "panelsJSON", "optionsJSON", "hits", "version",
    },
    "index-pattern": {
        "title", "name", "timeFieldName", "fieldFormatMap", "fieldAttrs", "fields", "runtimeFieldMap", "sourceFilters",
        "typeMeta", "type", "allowNoIndex", "allowHidden",
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=["sulh", "press"])
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def objects(prefix: str) -> list[dict[str, Any]]:
    return build(described(), REGISTERS, prefix=prefix)


def inner(value: Any) -> Iterator[Any]:
    """Give all that lies inside, JSON in texts read."""
    if isinstance(value, dict):
        for name, each in value.items():
            if isinstance(each, str) and name.endswith(("JSON", "State", "Map", "Attrs", "fields", "Filters", "Meta")):
                each = json.loads(each)
            yield from inner(each)
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from inner(each)


def test_it_is_one_json_object_a_line_and_the_same_every_time(prefix: str, objects: list[dict[str, Any]]) -> None:
    text = ndjson(objects)
    assert [json.loads(line) for line in text.splitlines()] == objects
    assert text == ndjson(build(described(), registers_of(None), prefix=prefix))


def test_ids_are_unique_and_begin_with_the_prefix(prefix: str, objects: list[dict[str, Any]]) -> None:
    ids = [each["id"] for each in objects]
    assert len(set(ids)) == len(ids)
    assert all(id.startswith(f"{prefix}-") for id in ids)
    titles = [(each["type"], each["attributes"].get("name") or each["attributes"]["title"]) for each in objects]
    dashboards = {title for kind, title in titles if kind == "dashboard"}
    names = {"Claim board", "Infighting timeline", "Alert queue", "Sources and coverage"}
    assert dashboards == (names if prefix == "sulh" else {f"{name} ({prefix})" for name in names})


def test_every_reference_resolves(objects: list[dict[str, Any]]) -> None:
    there: set[tuple[str, str]] = set()
    for each in objects:
        # Also in order: what is referred to comes first.
        assert {(one["type"], one["id"]) for one in each["references"]} <= there, each["id"]
        there.add((each["type"], each["id"]))
        names = {one["name"] for one in each["references"]}
        used = set()
        for part in inner(each["attributes"]):
            if "indexRefName" in part:
                used.add(part["indexRefName"])
            if "panelRefName" in part:
                used.add(f"{part['panelIndex']}:{part['panelRefName']}")
        assert names == used, each["id"]


def test_versions_are_the_lowest_and_attributes_known(objects: list[dict[str, Any]]) -> None:
    for each in objects:
        assert each["coreMigrationVersion"] == "8.8.0"
        assert each["typeMigrationVersion"] == LOWEST[each["type"]]
        assert set(each["attributes"]) <= ATTRIBUTES[each["type"]], each["id"]
        assert each["managed"] is True


def test_data_views_are_the_aliases_for_readers(prefix: str, objects: list[dict[str, Any]]) -> None:
    titles = {each["attributes"]["title"] for each in objects if each["type"] == "index-pattern"}
    assert titles <= {f"{prefix}-{kind}" for kind in KINDS}


def test_a_click_on_an_id_opens_a_saved_search_that_is_there(prefix: str, objects: list[dict[str, Any]]) -> None:
    searches = {each["id"] for each in objects if each["type"] == "search"}
    opened = {}
    for each in objects:
        for field, about in json.loads(each["attributes"].get("fieldFormatMap", "{}")).items():
            if url := about["params"]["urlTemplate"]:
                opened[each["id"], field] = url.split("?")[0].removeprefix("../app/discover#/view/")
                assert url.endswith("&_a=(query:(language:kuery,query:'id:{{value}}'))")
    assert opened[f"{prefix}-view-alerts", "members.document"] == f"{prefix}-search-documents"
    assert set(opened.values()) <= searches


def kind_of(each: dict[str, Any], objects: list[dict[str, Any]]) -> str:
    """Give the kind of row that an object reads."""
    (view,) = (one["id"] for one in each["references"] if one["type"] == "index-pattern")
    (found,) = (one for one in objects if one["type"] == "index-pattern" and one["id"] == view)
    return str(found["attributes"]["title"]).split("-", 1)[1]


TAKES = {
    "terms": {"keyword", "boolean", "integer", "long", "float", "date"},
    "cardinality": {"keyword", "boolean", "integer", "long", "float", "date"},
    "date_histogram": {"date"},
    "sum": {"integer", "long", "float"},
    "max": {"date", "integer", "long", "float"},
    "min": {"date", "integer", "long", "float"},
}


def test_every_field_is_in_the_mapping_with_a_type_that_its_aggregation_takes(objects: list[dict[str, Any]]) -> None:
    checked = 0
    for each in objects:
        if each["type"] not in ("visualization", "search") or not each["references"]:
            continue
        kind = kind_of(each, objects)
        attributes = each["attributes"]
        for name in (*attributes.get("columns", ()), *(field for field, _ in attributes.get("sort", ()))):
            assert field_of(kind, name) is not None, (each["id"], name)
            checked += 1
        for part in inner(attributes):
            if "query" in part and part.get("language") == "kuery" and part["query"]:
                for name in fields_in(parse(part["query"])):
                    assert field_of(kind, name) is not None, (each["id"], name)
                    checked += 1
            if part.get("type") in TAKES and "params" in part:
                name = part["params"]["field"]
                assert type_of(kind, name) in TAKES[part["type"]], (each["id"], name)
                checked += 1
    assert checked > 100
    for each in objects:
        if each["type"] == "index-pattern":
            kind = each["attributes"]["title"].split("-", 1)[1]
            for text in ("fieldFormatMap", "fieldAttrs"):
                for name in json.loads(each["attributes"][text]):
                    assert field_of(kind, name) is not None, (each["id"], name)
            if time := each["attributes"].get("timeFieldName"):
                assert type_of(kind, time) == "date"


def test_all_claims_are_told(objects: list[dict[str, Any]]) -> None:
    texts = [
        json.loads(each["attributes"]["visState"])["params"].get("markdown", "")
        for each in objects
        if each["type"] == "visualization"
    ]
    claims = [claim.id for _, claim in REGISTERS.claims()]
    assert {"C01", "C34", "S01"} <= set(claims)
    assert all(any(f"**{claim}**" in text for text in texts) for claim in claims)


# ------------------------------------------------------------------------------------------------ mistakes


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the description, to spoil."""
    return Path(shutil.copytree(FOLDER, tmp_path / "kibana"))


def spoil(folder: Path, name: str, old: str, new: str) -> tuple[Path, int]:
    """Replace the first of a text in a file; gives the file, and the line on which the new text begins."""
    file = folder / name
    text = file.read_text(encoding="utf-8")
    assert old in text, old
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file, text[: text.index(old)].count("\n") + 1


BOARD = "dashboards/claim-board.yml"


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("views.yml", "index: comparisons", "index: comparison", "there is no index of 'comparison'; expected one of"),
        ("views.yml", "time: opened_at", "time: opened", "there is no field 'opened' in alerts"),
        ("views.yml", "time: opened_at", "time: title.keyword", "which a time range does not take: date"),
        ("views.yml", "bearing: bearing", "bering: bearing", "there is no field 'bering' in comparisons"),
        ("views.yml", "{alert: alerts}", "{alert: alert}", "there is no saved search 'alert'; expected one of alerts"),
        ("views.yml", "{alert: alerts}", "{alert: declined}", "saved search declined have no id to be found by"),
        ("views.yml", "{alert: alerts}", "{error: alerts}", "error is of type text, which a link does not take"),
        ("views.yml", "title: Alerts", "titel: Alerts", "unknown key; expected one of index, title, time"),
        ("searches.yml", "view: events", "view: event", "there is no data view 'event'; expected one of alerts"),
        ("searches.yml", "newest: opened_at", "newest: sentence", "which a sort does not take"),
        ("searches.yml", "kinds, actors,", "kinds, actor,", "there is no field 'actor' in documents"),
        ("searches.yml", "claim: 70", "claims: 70", "there is no column 'claims'"),
        ("searches.yml", '"not state: sent"', '"not stat: sent"', "there is no field 'stat' in deliveries"),
        ("searches.yml", '"not state: sent"', '"state: sent*"', "'*' is not expected here"),
        (BOARD, "type: rows-of-bars", "type: pie", "input should be 'table', 'bars'"),
        (BOARD, "of: distinct, field: origin", "of: sum, field: origin", "which a metric of sum does not take"),
        (BOARD, "field: claim, most", "field: sentence, most", "sentence.keyword is one"),
        (BOARD, "by: time, field: day", "by: time, field: claim", "a bucket by time does not take: date"),
        (BOARD, "{of: rows,", "{of: rows, field: claim,", "rows are counted without a field"),
        (BOARD, "row: 26, width: 16", "row: 20, width: 16", "totals lies over origins"),
        (BOARD, "column: 26, row: 0", "column: 27, row: 0", "claims reaches beyond the 48 columns"),
        (BOARD, "id: totals", "id: origins", "'origins' is the id of another panel"),
        (BOARD, "search: claim-sentences", "search: sentences", "there is no saved search 'sentences'"),
        (BOARD, "from: 2014-01-01", "from: last year", "string should match pattern"),
        (BOARD, 'supports: "#54b399"', "supports: green", "string should match pattern"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_file_and_line(copy: Path, name: str, old: str, new: str, said: str) -> None:
    file, line = spoil(copy, name, old, new)
    with pytest.raises(KnowledgeError) as error:
        described(copy)
    assert str(error.value).startswith(f"{file}:"), error.value
    assert said in str(error.value), error.value
    assert abs(int(str(error.value).removeprefix(f"{file}:").split(":")[0]) - line) <= 2, (line, error.value)


def test_what_a_panel_lacks_or_has_too_much_is_named(copy: Path) -> None:
    spoil(copy, BOARD, "    text: |", "    markdown: |")
    with pytest.raises(KnowledgeError, match="unknown key; expected one of id, title, answers, type"):
        described(copy)
    spoil(copy, BOARD, "    markdown: |", "    search: alerts\n    text: |")
    with pytest.raises(KnowledgeError, match=r"panels\.1\.search: a panel of type text has no search"):
        described(copy)
    spoil(copy, BOARD, "    search: alerts\n", "")
    spoil(copy, BOARD, "    metrics: [{of: distinct, field: origin, label: independent origins}]\n", "")
    with pytest.raises(KnowledgeError, match="origins: a panel of type rows-of-bars needs metrics"):
        described(copy)


def test_a_folder_without_dashboards_is_named(copy: Path) -> None:
    shutil.rmtree(copy / "dashboards")
    with pytest.raises(KnowledgeError, match="there is no dashboard here"):
        described(copy)


def test_a_person_can_add_a_panel(copy: Path) -> None:
    panel = """
  - id: by-filter
    title: From the border
    answers: How many stories tell of the border, and how many of the rest.
    type: table
    place: {column: 0, row: 90, width: 48, height: 10}
    view: comparisons
    filter: "score >= 0.5 and not language: (ru or tr)"
    metrics: [{of: distinct, field: story, label: stories}]
    buckets: [{by: filters, label: where, filters: {border: 'sentence: "the border"', all: ""}}]
"""
    with (copy / BOARD).open("a", encoding="utf-8") as file:
        file.write(panel)
    what = described(copy)
    (made,) = (each for each in build(what, REGISTERS) if each["id"] == "sulh-claim-board-by-filter")
    state = json.loads(made["attributes"]["visState"])
    assert [agg["type"] for agg in state["aggs"]] == ["cardinality", "filters"]
    board = what.dashboards["claim-board"]
    asked = asks(what, board, board.panels[-1], now=NOW)
    assert asked is not None
    border = {"bool": {"should": [{"match_phrase": {"sentence": "the border"}}], "minimum_should_match": 1}}
    assert asked.body["aggs"] == {
        "2": {
            "filters": {"filters": {"border": border, "all": {"match_all": {}}}},
            "aggs": {"1": {"cardinality": {"field": "story"}}},
        }
    }


# --------------------------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    ("text", "asked_for"),
    [
        ("a: b", {"match": {"a": "b"}}),
        ('a.b: "c d"', {"match_phrase": {"a.b": "c d"}}),
        ("a: *", {"exists": {"field": "a"}}),
        ("a >= 3", {"range": {"a": {"gte": "3"}}}),
        ("a < 2014-11-01", {"range": {"a": {"lt": "2014-11-01"}}}),
    ],
)
def test_a_filter_asks_what_kibana_asks(text: str, asked_for: dict[str, Any]) -> None:
    one = {"bool": {"should": [asked_for], "minimum_should_match": 1}}
    assert asked(parse(text)) == one
    assert asked(parse(f"not {text}")) == {"bool": {"must_not": one}}
    assert asked(parse(f"({text}) AND {text}")) == {"bool": {"filter": [one, one]}}


def test_and_binds_closer_than_or() -> None:
    query = asked(parse("a: 1 or b: (2 or 3) and not c: 4"))
    (left, right) = query["bool"]["should"]
    assert left == asked(parse("a: 1"))
    assert right["bool"]["filter"][1] == asked(parse("not c: 4"))
    assert fields_in(parse("a: 1 or b: (2 or 3) and not c: 4")) == ("a", "b", "b", "c")


@pytest.mark.parametrize(
    "text", ["a", "a:", "a: b c: d", "a: (b", "a: b)", "a: b*", "and a: b", "not", 'a: "b', "a: {b: c}"]
)
def test_a_filter_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected"):
        parse(text)


@pytest.mark.parametrize(
    ("since", "until", "interval"),
    [
        ("2014-11-01", "2014-11-30", "1d"),
        ("2014-01-01", "2014-12-31", "1d"),
        ("2010-01-01", "now", "1w"),
        ("2000-01-01", "now", "1M"),
    ],
)
def test_bars_grow_as_kibana_lets_them_grow(since: str, until: str, interval: str) -> None:
    what = described()
    board = what.dashboards["sources-and-coverage"].model_copy(update={"time": Times(**{"from": since, "to": until})})
    (panel,) = (each for each in board.panels if each.id == "by-day")
    asked_for = asks(what, board, panel, now=NOW)
    assert asked_for is not None
    assert asked_for.body["aggs"]["2"]["date_histogram"]["calendar_interval"] == interval
    # Over another field than the one of the time range, they stay what they are.
    claims = what.dashboards["claim-board"].model_copy(update={"time": board.time})
    (over_time,) = (each for each in claims.panels if each.id == "over-time")
    asked_for = asks(what, claims, over_time, now=NOW)
    assert asked_for is not None
    assert asked_for.body["aggs"]["2"]["date_histogram"]["calendar_interval"] == "1d"


def test_marks_of_markdown_in_a_claim_show_as_they_are() -> None:
    texts = [
        json.loads(each["attributes"]["visState"])["params"]["markdown"]
        for each in build(described(), registers())
        if each["id"] == "sulh-claim-board-claims"
    ]
    assert "| **C01** | Claim C01 says that the two made a truce & \\<b\\>more\\</b\\>. |" in texts[0]
