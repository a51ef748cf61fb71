"""Says what Kibana asks Elasticsearch for a panel, and reads the answer as the rows that the panel shows.

It works from the aggregations that stand in the saved object, not from the description, so that a slip in making the
object shows in the answer. Kibana's own ways that matter here: the time range is a filter on the view's time field;
metrics stand in the innermost bucket; a terms bucket that is ordered by a metric carries that metric too; and bars over
the view's own time field grow to the longest unit that lies a hundred times in the range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sulh.kibana.described import Dashboard, Described, Panel, Times
from sulh.kibana.kql import asked, parse
from sulh.kibana.saved import aggregations

BARS: Final = 100
"""Kibana's setting histogram:maxBars, as it comes."""

ROWS: Final = 500
"""Kibana's setting discover:sampleSize, as it comes."""

_LENGTHS: Final = (
    ("1y", timedelta(days=365)),
    ("1M", timedelta(days=30)),
    ("1w", timedelta(days=7)),
    ("1d", timedelta(days=1)),
)
"""Lengths that bars grow to: Kibana's own list, down to the shortest that the description knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One search: the kind of row it is of, and its body."""

    index: str
    body: dict[str, Any]
    labels: tuple[str, ...]
    """Of the columns in the answer: the buckets, then the metrics; of a saved search its fields."""


def asks(what: Described, dashboard: Dashboard, panel: Panel, *, now: datetime, zone: str = "UTC") -> Asked | None:
    """Give the search behind a panel at a moment, for a reader in a time zone; None for a panel of text."""
    time = panel.time or dashboard.time
    if panel.type == "text":
        return None
    if panel.type == "search":
        search = what.searches[panel.search]
        view = what.views[search.view]
        body = {
            "size": ROWS,
            "track_total_hits": True,
            "sort": [{search.newest: {"order": "desc", "unmapped_type": "boolean"}}],
            "_source": False,
            "fields": [{"field": name} for name in search.columns],
            "query": _query(search.filter, view.time, time, now),
        }
        return Asked(index=view.index, body=body, labels=search.columns)
    view = what.views[panel.view]
    made = aggregations(panel)
    metrics = [each for each in made if each["schema"] == "metric"]
    buckets = [each for each in made if each["schema"] != "metric"]
    body = {
        "size": 0,
        "track_total_hits": True,
        "aggs": _nested(buckets, metrics, _Bars(view.time, _span(time, now), zone)),
        "query": _query(panel.filter, view.time, time, now),
    }
    labels = tuple(each["params"]["customLabel"] for each in (*buckets, *metrics))
    return Asked(index=view.index, body=body, labels=labels)


def shows(panel: Panel, columns: tuple[str, ...], answer: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Give the rows that a panel shows of an answer: bucket keys first, then metrics; of a saved search its fields."""
    if panel.type == "search":
        return [
            tuple(_joined(hit.get("fields", {}).get(name, [])) for name in columns) for hit in answer["hits"]["hits"]
        ]
    made = aggregations(panel)
    metrics = [each for each in made if each["schema"] == "metric"]
    buckets = [each for each in made if each["schema"] != "metric"]
    total = {**answer.get("aggregations", {}), "doc_count": answer["hits"]["total"]["value"]}
    return list(_rows(total, buckets, metrics))


def _joined(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else ", ".join(str(value) for value in values)


def moment(words: str, now: datetime, *, end: bool = False) -> datetime:
    """Give the moment that a bound of a time range stands for."""
    if words == "now":
        return now
    if words.startswith("now-"):
        number, unit = int(words[4:-1]), words[-1]
        return now - number * timedelta(days={"d": 1, "w": 7, "M": 30, "y": 365}[unit])
    day = datetime.fromisoformat(words).replace(tzinfo=UTC)
    return day + timedelta(days=1, milliseconds=-1) if end else day


def _span(time: Times, now: datetime) -> timedelta:
    return moment(time.until, now, end=True) - moment(time.since, now)


def _query(filter: str, field: str, time: Times, now: datetime) -> dict[str, Any]:
    filters = [asked(parse(filter))] if filter else []
    if field:
        bounds = {
            "format": "strict_date_optional_time",
            "gte": moment(time.since, now).isoformat(),
            "lte": moment(time.until, now, end=True).isoformat(),
        }
        filters.append({"range": {field: bounds}})
    return {"bool": {"must": [], "filter": filters, "should": [], "must_not": []}}


@dataclass(frozen=True, slots=True)
class _Bars:
    """What the length of bars over time depends on."""

    time_field: str
    span: timedelta
    zone: str


def _nested(buckets: list[dict[str, Any]], metrics: list[dict[str, Any]], bars: _Bars) -> dict[str, Any]:
    if not buckets:
        return {
            each["id"]: {each["type"]: {"field": each["params"]["field"]}}
            for each in metrics
            if each["type"] != "count"
        }
    bucket, *rest = buckets
    inside = _nested(rest, metrics, bars)
    if bucket["type"] == "terms" and bucket["params"]["orderBy"] == "1":
        inside = {**_nested([], metrics[:1], bars), **inside}
    made: dict[str, Any] = {bucket["type"]: _bucket(bucket, metrics, bars)}
    if inside:
        made["aggs"] = inside
    return {bucket["id"]: made}


def _bucket(bucket: dict[str, Any], metrics: list[dict[str, Any]], bars: _Bars) -> dict[str, Any]:
    params = bucket["params"]
    if bucket["type"] == "terms":
        by = params["orderBy"]
        if by == "1" and metrics[0]["type"] == "count":
            by = "_count"
        made = {"field": params["field"], "order": {by: params["order"]}, "size": params["size"]}
        return made | ({"shard_size": 25} if params["size"] <= 10 else {})
    if bucket["type"] == "date_histogram":
        every = f"1{params['interval']}"
        if params["field"] == bars.time_field:
            every = _grown(every, bars.span)
        return {
            "field": params["field"],
            "calendar_interval": every,
            "time_zone": bars.zone,
            "min_doc_count": params["min_doc_count"],
        }
    return {
        "filters": {
            # A filter without words is everything, as in Kibana.
            each["label"]: asked(parse(each["input"]["query"])) if each["input"]["query"] else {"match_all": {}}
            for each in params["filters"]
        }
    }


def _grown(every: str, span: timedelta) -> str:
    """Give the length of a bar as Kibana draws it: at least the longest unit that lies `BARS` times in the range."""
    lengths = dict(_LENGTHS)
    least = next((name for name, length in _LENGTHS if length <= span / BARS), every)
    return least if lengths[every] < lengths[least] else every


def _rows(
    inside: Mapping[str, Any], buckets: list[dict[str, Any]], metrics: list[dict[str, Any]]
) -> Iterator[tuple[Any, ...]]:
    if not buckets:
        yield tuple(_value(inside, each) for each in metrics)
        return
    bucket, *rest = buckets
    found = inside[bucket["id"]]["buckets"]
    pairs = found.items() if isinstance(found, dict) else ((_key(bucket, each), each) for each in found)
    for key, each in pairs:
        for row in _rows(each, rest, metrics):
            yield (key, *row)


def _key(bucket: Mapping[str, Any], each: Mapping[str, Any]) -> Any:
    if bucket["type"] == "date_histogram":
        return date.fromisoformat(each["key_as_string"][:10])
    return each["key"]


def _value(inside: Mapping[str, Any], metric: Mapping[str, Any]) -> Any:
    if metric["type"] == "count":
        return inside["doc_count"]
    value = inside[metric["id"]]["value"]
    if value is None:
        return None
    if metric["type"] in ("max", "min"):
        return datetime.fromtimestamp(value / 1000, UTC)
    return int(value) if float(value).is_integer() else value
