"""Makes Kibana's saved objects from the description: the same input gives the same bytes.

Formats are the lowest that Kibana 9 migrates up from, so that every 9.x takes them. Panels are "visualization" objects,
whose aggregations are what `asks.py` asks too. All are marked as managed: a person changes a copy, and an import never
overwrites anybody's work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import mappings
from processors.register import Registers
from sulh.kibana.described import Bucket, Dashboard, Described, Metric, Panel, Search, Times, View

CORE: Final = "8.8.0"
"""The last change of what all objects share."""

VERSIONS: Final = {"index-pattern": "8.0.0", "search": "10.1.0", "visualization": "8.5.0", "dashboard": "10.2.0"}
"""The format of each type that is written here. Kibana 9.0 knows all of them, later ones migrate them."""

_INDEX: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"
_NO_QUERY: Final = {"query": {"query": "", "language": "kuery"}, "filter": []}

Saved = dict[str, Any]


def build(
    what: Described, registers: Registers, *, prefix: str = mappings.PREFIX, time: Times | None = None
) -> list[Saved]:
    """Give all saved objects, those first that others refer to; ``time`` takes the place of all dashboards' ranges."""
    name = _Names(prefix)
    made = [_view(name, id, view) for id, view in what.views.items()]
    made += [_search(name, id, search) for id, search in what.searches.items()]
    claims = _claims(registers)
    made += [
        _visualization(name, dashboard, panel, claims) for dashboard, panel in what.panels() if panel.type != "search"
    ]
    made += [_dashboard(name, id, dashboard, time or dashboard.time) for id, dashboard in what.dashboards.items()]
    return made


def ndjson(objects: Iterable[Saved]) -> str:
    """Give saved objects as Kibana imports them: one JSON object a line."""
    return "".join(json.dumps(each, ensure_ascii=False, sort_keys=True) + "\n" for each in objects)


class _Names:
    """Ids and titles: two installations in one Kibana differ in both."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def id(self, *parts: str) -> str:
        return "-".join((self.prefix, *parts))

    def title(self, title: str) -> str:
        return title if self.prefix == mappings.PREFIX else f"{title} ({self.prefix})"


def _saved(type: str, id: str, attributes: Mapping[str, Any], references: Iterable[tuple[str, str, str]] = ()) -> Saved:
    return {
        "type": type,
        "id": id,
        "attributes": dict(attributes),
        "references": [{"name": name, "type": kind, "id": to} for name, kind, to in references],
        "coreMigrationVersion": CORE,
        "typeMigrationVersion": VERSIONS[type],
        "managed": True,
    }


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


_ALWAYS: Final = "time:(from:now-50y,to:now)"
_BY_ID: Final = "query:(language:kuery,query:'id:{{value}}')"


def _link(url: str, label: str) -> dict[str, Any]:
    """Give the format of a field whose values are shown as links; without a template each is an address itself."""
    return {
        "id": "url",
        "params": {"type": "a", "openLinkInCurrentTab": False, "labelTemplate": label, "urlTemplate": url},
    }


def _view(name: _Names, id: str, view: View) -> Saved:
    formats = {field: _link("", "") for field in view.links}
    for field, search in view.opens.items():
        row = f"../app/discover#/view/{name.id('search', search)}?_g=({_ALWAYS})&_a=({_BY_ID})"
        formats[field] = _link(row, "{{value}}")
    attributes: dict[str, Any] = {
        "title": f"{name.prefix}-{view.index}",
        "name": name.title(view.title),
        "fieldFormatMap": _text(formats),
        "fieldAttrs": _text({field: {"customLabel": words} for field, words in view.names.items()}),
        "fields": "[]",
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
        "typeMeta": "{}",
    }
    if view.time:
        attributes["timeFieldName"] = view.time
    return _saved("index-pattern", name.id("view", id), attributes)


def _source(filter: str) -> dict[str, Any]:
    return {"query": {"query": filter, "language": "kuery"}, "filter": [], "indexRefName": _INDEX}


def _search(name: _Names, id: str, search: Search) -> Saved:
    attributes = {
        "title": name.title(search.title),
        "description": search.answers,
        "columns": list(search.columns),
        "sort": [[search.newest, "desc"]],
        "grid": {"columns": {column: {"width": width} for column, width in search.widths.items()}},
        "hideChart": True,
        "isTextBasedQuery": False,
        # As high as what they hold: a sentence is there to be read.
        "rowHeight": -1,
        "timeRestore": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(_source(search.filter))},
    }
    return _saved(
        "search", name.id("search", id), attributes, [(_INDEX, "index-pattern", name.id("view", search.view))]
    )


def _visualization(name: _Names, dashboard: str, panel: Panel, claims: str) -> Saved:
    state = {
        "title": name.title(panel.title),
        "type": _TYPES[panel.type],
        "aggs": aggregations(panel),
        "params": _params(panel, claims),
    }
    ui = {"vis": {"colors": dict(panel.colors)}} if panel.colors else {}
    source = _source(panel.filter) if panel.view else _NO_QUERY
    attributes = {
        "title": name.title(panel.title),
        "description": panel.answers,
        "version": 1,
        "uiStateJSON": _text(ui),
        "visState": _text(state),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
    }
    references = [(_INDEX, "index-pattern", name.id("view", panel.view))] if panel.view else []
    return _saved("visualization", name.id(dashboard, panel.id), attributes, references)


def _dashboard(name: _Names, id: str, dashboard: Dashboard, time: Times) -> Saved:
    panels, references = [], []
    for panel in dashboard.panels:
        kind = "search" if panel.type == "search" else "visualization"
        target = name.id("search", panel.search) if panel.search else name.id(id, panel.id)
        config: dict[str, Any] = {"enhancements": {}, "title": panel.title, "description": panel.answers}
        if panel.time:
            config["timeRange"] = {"from": _moment(panel.time.since), "to": _moment(panel.time.until, end=True)}
        place = panel.place
        panels.append(
            {
                "type": kind,
                "panelIndex": panel.id,
                "gridData": {"x": place.column, "y": place.row, "w": place.width, "h": place.height, "i": panel.id},
                "embeddableConfig": config,
                "panelRefName": f"panel_{panel.id}",
            }
        )
        references.append((f"{panel.id}:panel_{panel.id}", kind, target))
    options = {
        "useMargins": True,
        "syncColors": True,
        "syncCursor": True,
        "syncTooltips": False,
        "hidePanelTitles": False,
    }
    attributes = {
        "title": name.title(dashboard.title),
        "description": dashboard.answers,
        "version": 1,
        "timeRestore": True,
        "timeFrom": _moment(time.since),
        "timeTo": _moment(time.until, end=True),
        "refreshInterval": {"pause": True, "value": 60000},
        "optionsJSON": _text(options),
        "panelsJSON": _text(panels),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(_NO_QUERY)},
    }
    return _saved("dashboard", name.id(id), attributes, references)


def _moment(words: str, *, end: bool = False) -> str:
    """Give a day as Kibana's time picker keeps it; its own words stay."""
    if words.startswith("now"):
        return words
    return f"{words}T23:59:59.999Z" if end else f"{words}T00:00:00.000Z"


# ------------------------------------------------------------------------------------------------ panels

_TYPES: Final = {
    "table": "table",
    "bars": "histogram",
    "rows-of-bars": "horizontal_bar",
    "numbers": "metric",
    "text": "markdown",
}

_METRICS: Final = {"rows": "count", "distinct": "cardinality", "sum": "sum", "newest": "max", "oldest": "min"}
_EVERY: Final = {"day": "d", "week": "w", "month": "M"}


def aggregations(panel: Panel) -> list[dict[str, Any]]:
    """Give the panel's aggregations as Kibana keeps them: the metrics first, numbered from 1."""
    made: list[dict[str, Any]] = [
        {
            "id": str(number),
            "enabled": True,
            "type": _METRICS[metric.of],
            "schema": "metric",
            "params": {"customLabel": metric.label} | ({"field": metric.field} if metric.field else {}),
        }
        for number, metric in enumerate(panel.metrics, 1)
    ]
    for place, bucket in enumerate(panel.buckets):
        made.append(
            {
                "id": str(len(panel.metrics) + 1 + place),
                "enabled": True,
                "type": {"values": "terms", "time": "date_histogram", "filters": "filters"}[bucket.by],
                "schema": _schema(panel.type, place),
                "params": {"customLabel": bucket.label} | _bucket(bucket),
            }
        )
    return made


def _schema(type: str, place: int) -> str:
    if type == "table":
        return "bucket"
    return "group" if type == "numbers" or place else "segment"


def _bucket(bucket: Bucket) -> dict[str, Any]:
    if bucket.by == "values":
        return {
            "field": bucket.field,
            "orderBy": "_key" if bucket.order == "name" else "1",
            "order": "desc" if bucket.order == "most" else "asc",
            "size": bucket.most,
            "otherBucket": False,
            "missingBucket": False,
        }
    if bucket.by == "time":
        return {
            "field": bucket.field,
            "interval": _EVERY[bucket.every],
            "useNormalizedEsInterval": True,
            "scaleMetricValues": False,
            "drop_partials": False,
            "min_doc_count": 1,
            "extended_bounds": {},
        }
    return {
        "filters": [
            {"label": label, "input": {"query": text, "language": "kuery"}} for label, text in bucket.filters.items()
        ]
    }


def _params(panel: Panel, claims: str) -> dict[str, Any]:
    if panel.type == "text":
        return {"fontSize": 12, "openLinksInNewTab": True, "markdown": panel.text.replace("{claims}", claims)}
    if panel.type == "table":
        return {
            "perPage": 50,
            "showPartialRows": False,
            "showMetricsAtAllLevels": False,
            "showTotal": False,
            "showToolbar": True,
            "totalFunc": "sum",
            "percentageCol": "",
            "autoFitRowToContent": True,
        }
    if panel.type == "numbers":
        return {
            "type": "metric",
            "addTooltip": True,
            "addLegend": False,
            "metric": {
                "percentageMode": False,
                "useRanges": False,
                "colorSchema": "Green to Red",
                "metricColorMode": "None",
                "colorsRange": [{"from": 0, "to": 10000}],
                "labels": {"show": True},
                "invertColors": False,
                "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 36},
            },
        }
    return _bars(panel.metrics, sideways=panel.type == "rows-of-bars")


def _bars(metrics: Iterable[Metric], *, sideways: bool) -> dict[str, Any]:
    shown = list(metrics)
    return {
        "type": "histogram",
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": "left" if sideways else "bottom",
                "show": True,
                "scale": {"type": "linear"},
                "labels": {"show": True, "filter": not sideways, "rotate": 0, "truncate": 200},
                "title": {},
                "style": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "BottomAxis-1" if sideways else "LeftAxis-1",
                "type": "value",
                "position": "bottom" if sideways else "left",
                "show": True,
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "filter": True, "rotate": 0, "truncate": 100},
                "title": {"text": shown[0].label},
                "style": {},
            }
        ],
        "seriesParams": [
            {
                "show": True,
                "type": "histogram",
                "mode": "stacked",
                "data": {"id": str(number), "label": metric.label},
                "valueAxis": "ValueAxis-1",
                "drawLinesBetweenPoints": True,
                "lineWidth": 2,
                "showCircles": True,
                "circlesRadius": 1,
                "interpolate": "linear",
            }
            for number, metric in enumerate(shown, 1)
        ],
        "palette": {"type": "palette", "name": "default"},
        "addTooltip": True,
        "detailedTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "truncateLegend": True,
        "maxLegendLines": 1,
        "radiusRatio": 0,
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }


def _claims(registers: Registers) -> str:
    """Give the claims with their statements as Markdown, one table a register."""
    parts = []
    for register in registers:
        article = register.article
        lines = [
            f"**{_plain(article.title)}** ({_plain(article.author)}, {article.date})",
            "",
            "| Claim | What it says |",
            "|---|---|",
        ]
        lines += [f"| **{claim.id}** | {_plain(claim.statement)} |" for claim in register.claims]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _plain(text: str) -> str:
    """Give text such that Markdown shows it as it is, also in a table."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
