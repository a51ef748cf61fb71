"""What is brought into Kibana is whole: it refers to nothing that lacks, and asks only for fields that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mappings import KINDS
from sulh.kibana.described import described, field_of, type_of
from sulh.kibana.kql import fields_in, parse
from sulh.kibana.saved import build, ndjson
from sulh.pipeline import registers_of

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
    assert len(claims) == 34
    assert all(any(f"**{claim}**" in text for text in texts) for claim in claims)
