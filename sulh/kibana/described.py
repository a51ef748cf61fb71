"""Reads the description of what Kibana shows: data views, saved searches and dashboards, as YAML in `mappings/kibana`.

A mistake is refused with file, line, key and what was expected, down to a field that the mapping does not have or that
an aggregation does not take: Kibana itself would import it and show an empty panel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

import mappings
from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load, wrong
from sulh.kibana.kql import fields_in, parse

FOLDER: Final = Path(mappings.__file__).parent / "kibana"
"""The description that comes with sulh."""

COLUMNS: Final = 48
"""Kibana's grid: a dashboard is 48 columns wide."""

NUMBERS: Final = frozenset({"byte", "short", "integer", "long", "float", "double", "half_float"})
VALUES: Final = NUMBERS | {"keyword", "boolean", "date", "ip"}
"""Types of field that have values to group by or to count; text has not."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
Line = Annotated[str, Field(min_length=3, max_length=200, pattern=r"^\S.*\S$")]


class View(Knowledge):
    """One data view: what Kibana knows of an index."""

    index: str
    """The kind of row, as in `mappings/elasticsearch`."""
    title: Line
    time: str = ""
    """The field that the time range applies to; without one it applies to nothing, and all rows show."""
    links: tuple[str, ...] = ()
    """Fields that hold web addresses: shown as links."""
    opens: Mapping[str, str] = Field(default_factory=dict)
    """Fields that hold the id of a row elsewhere: a click on one opens that row in this saved search."""
    names: Mapping[str, Line] = Field(default_factory=dict)
    """Field names in plain words."""


class Search(Knowledge):
    """One saved search: rows as a table, newest first."""

    title: Line
    answers: Line
    view: str
    filter: str = ""
    columns: tuple[str, ...] = Field(min_length=1)
    widths: Mapping[str, Annotated[int, Field(ge=40, le=1200)]] = Field(default_factory=dict)
    """Of columns, in pixels; the others share what is left."""
    newest: str
    """The field that the rows are sorted by."""


class Metric(Knowledge):
    """One number that a panel shows."""

    of: Literal["rows", "distinct", "sum", "newest", "oldest"]
    field: str = ""
    label: Line


class Bucket(Knowledge):
    """What a panel counts by: the values of a field, days, or named filters."""

    by: Literal["values", "time", "filters"]
    label: Line
    field: str = ""
    most: Annotated[int, Field(ge=1, le=1000)] = 10
    """values: how many at most."""
    order: Literal["most", "least", "name"] = "most"
    """values: by the first metric, or alphabetically."""
    every: Literal["day", "week", "month"] = "day"
    """time: how long one bar is. Over the view's own time field Kibana draws weeks for days from two years on, and
    months from eight; over another field bars stay what they are."""
    filters: Mapping[str, str] = Field(default_factory=dict)
    """filters: label to KQL."""


class Place(Knowledge):
    """Where a panel lies on the dashboard's grid of 48 columns; a row is some 20 pixels high."""

    column: Annotated[int, Field(ge=0, lt=COLUMNS)]
    row: Annotated[int, Field(ge=0)]
    width: Annotated[int, Field(ge=4, le=COLUMNS)]
    height: Annotated[int, Field(ge=3, le=60)]


class Times(Knowledge):
    """A time range: days (2014-01-01) or Kibana's own words (now, now-90d)."""

    since: Annotated[str, Field(alias="from", pattern=r"^(\d{4}-\d\d-\d\d|now(-\d+[dwMy])?)$")]
    until: Annotated[str, Field(alias="to", pattern=r"^(\d{4}-\d\d-\d\d|now)$")] = "now"


class Panel(Knowledge):
    """One panel of a dashboard."""

    id: Name
    title: Line
    answers: Line
    """What it answers, in one line: shown behind the panel's (i)."""
    type: Literal["table", "bars", "rows-of-bars", "numbers", "text", "search"]
    place: Place
    view: str = ""
    filter: str = ""
    metrics: tuple[Metric, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    colors: Mapping[str, Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]] = Field(default_factory=dict)
    """By the value that a bar stands for."""
    time: Times | None = None
    """A range of its own, in place of the dashboard's."""
    search: str = ""
    """search: the saved search."""
    text: str = ""
    """text: Markdown; {claims} stands for the claims of all registers with their statements."""


class Dashboard(Knowledge):
    """One dashboard."""

    title: Line
    answers: Line
    time: Times
    panels: tuple[Panel, ...] = Field(min_length=1)


class Views(Knowledge):
    """The file of data views."""

    views: Mapping[Name, View]


class Searches(Knowledge):
    """The file of saved searches."""

    searches: Mapping[Name, Search]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """All that Kibana is to show, by id."""

    views: Mapping[str, View]
    searches: Mapping[str, Search]
    dashboards: Mapping[str, Dashboard]

    def panels(self) -> Iterator[tuple[str, Panel]]:
        """Give all panels, each with its dashboard's id."""
        for id, dashboard in self.dashboards.items():
            for panel in dashboard.panels:
                yield id, panel


def described(folder: Path = FOLDER) -> Described:
    """Read the description, checked against the mappings. Raises KnowledgeError."""
    views_file, searches_file = folder / "views.yml", folder / "searches.yml"
    views = load(views_file, Views).views
    for id, view in views.items():
        _check_view(views_file, id, view)
    searches = load(searches_file, Searches).searches
    for id, search in searches.items():
        _check_search(searches_file, id, search, views)
    for id, view in views.items():
        _check_opened(views_file, id, view, views, searches)
    files = sorted((folder / "dashboards").glob("*.yml"))
    if not files:
        raise KnowledgeError(f"{folder / 'dashboards'}: there is no dashboard here; expected one *.yml file each")
    dashboards = {}
    for file in files:
        dashboards[file.stem] = dashboard = load(file, Dashboard)
        _check_dashboard(file, dashboard, views, searches)
    return Described(views=views, searches=searches, dashboards=dashboards)


# ------------------------------------------------------------------------------------------------ fields


def field_of(kind: str, name: str) -> Mapping[str, Any] | None:
    """Give the mapping of a field, also of one inside an object or beside a text; None where there is none."""
    found: Mapping[str, Any] | None = None
    inside: Mapping[str, Any] = mappings.properties(kind)
    for part in name.split("."):
        found = inside.get(part)
        if found is None:
            return None
        inside = {**found.get("properties", {}), **found.get("fields", {})}
    return found


def type_of(kind: str, name: str) -> str:
    """Give the type of a field that is there."""
    found = field_of(kind, name)
    assert found is not None, name
    return str(found.get("type", "object"))


Where = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class _Checks:
    """Raises for the first thing that is wrong in a file, at its line."""

    file: Path
    kind: str = ""

    def field(self, where: Where, name: str, types: frozenset[str] | None = None, what: str = "") -> None:
        """Hold a field to be in the mapping, and to be of one of the types."""
        found = field_of(self.kind, name) if name else None
        if found is None:
            said = f"there is no field {name!r} in {self.kind}" if name else "a field is needed here"
            raise wrong(self.file, where, f"{said}; expected one of mappings/elasticsearch/{self.kind}.json")
        kind = str(found.get("type", "object"))
        if types is not None and (kind not in types or found.get("doc_values") is False):
            beside = f"; {name}.keyword is one" if field_of(self.kind, f"{name}.keyword") else ""
            expected = ", ".join(sorted(types))
            raise wrong(self.file, where, f"{name} is of type {kind}, which {what} does not take: {expected}{beside}")

    def filter(self, where: Where, text: str) -> None:
        """Hold a filter to be KQL that we know, over fields that can be searched."""
        if not text:
            return
        try:
            named = fields_in(parse(text))
        except ValueError as error:
            raise wrong(self.file, where, f"{error}") from None
        for name in named:
            self.field(where, name)
            found = field_of(self.kind, name) or {}
            if found.get("index") is False or found.get("enabled") is False or "properties" in found:
                raise wrong(self.file, where, f"{name} cannot be searched")

    def one_of(self, where: Where, name: str, known: Mapping[str, Any], what: str) -> None:
        """Hold a name to be known."""
        if name not in known:
            raise wrong(self.file, where, f"there is no {what} {name!r}; expected one of {', '.join(sorted(known))}")


def _check_view(file: Path, id: str, view: View) -> None:
    check = _Checks(file, view.index)
    check.one_of(("views", id, "index"), view.index, dict.fromkeys(mappings.KINDS), "index of")
    if view.time:
        check.field(("views", id, "time"), view.time, frozenset({"date"}), "a time range")
    for number, name in enumerate(view.links):
        check.field(("views", id, "links", number), name, frozenset({"keyword"}), "a link")
    for name in view.names:
        check.field(("views", id, "names", name), name)


def _check_opened(file: Path, id: str, view: View, views: Mapping[str, View], searches: Mapping[str, Search]) -> None:
    check = _Checks(file, view.index)
    for name, search in view.opens.items():
        where: Where = ("views", id, "opens", name)
        check.field(where, name, frozenset({"keyword"}), "a link")
        check.one_of(where, search, searches, "saved search")
        if field_of(views[searches[search].view].index, "id") is None:
            raise wrong(file, where, f"the rows of the saved search {search} have no id to be found by")


def _check_search(file: Path, id: str, search: Search, views: Mapping[str, View]) -> None:
    where = ("searches", id)
    _Checks(file).one_of((*where, "view"), search.view, views, "data view")
    check = _Checks(file, views[search.view].index)
    check.filter((*where, "filter"), search.filter)
    check.field((*where, "newest"), search.newest, frozenset(VALUES), "a sort")
    for number, name in enumerate(search.columns):
        check.field((*where, "columns", number), name)
    for name in search.widths:
        check.one_of((*where, "widths", name), name, dict.fromkeys(search.columns), "column")


_SHAPES: Final[Mapping[str, tuple[str, ...]]] = {
    "table": ("view", "metrics", "buckets"),
    "bars": ("view", "metrics", "buckets"),
    "rows-of-bars": ("view", "metrics", "buckets"),
    "numbers": ("view", "metrics"),
    "search": ("search",),
    "text": ("text",),
}
"""What each type of panel needs."""

_ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "table": ("filter", "time"),
    "bars": ("filter", "time", "colors"),
    "rows-of-bars": ("filter", "time", "colors"),
    "numbers": ("filter", "time", "buckets"),
    "search": ("time",),
    "text": (),
}
"""What each may have beside that."""


def _check_dashboard(
    file: Path, dashboard: Dashboard, views: Mapping[str, View], searches: Mapping[str, Search]
) -> None:
    seen: dict[str, int] = {}
    for number, panel in enumerate(dashboard.panels):
        where: Where = ("panels", number)
        if panel.id in seen:
            raise wrong(file, (*where, "id"), f"{panel.id!r} is the id of another panel of this dashboard")
        seen[panel.id] = number
        for key in ("view", "filter", "metrics", "buckets", "colors", "time", "search", "text"):
            given, needed = bool(getattr(panel, key)), key in _SHAPES[panel.type]
            if needed and not given:
                raise wrong(file, where, f"{panel.id}: a panel of type {panel.type} needs {key}")
            if given and not needed and key not in _ALLOWED[panel.type]:
                raise wrong(file, (*where, key), f"a panel of type {panel.type} has no {key}")
        if panel.place.column + panel.place.width > COLUMNS:
            raise wrong(file, (*where, "place"), f"{panel.id} reaches beyond the {COLUMNS} columns of a dashboard")
        for other in dashboard.panels[:number]:
            if _overlap(panel.place, other.place):
                raise wrong(file, (*where, "place"), f"{panel.id} lies over {other.id}")
        if panel.search:
            _Checks(file).one_of((*where, "search"), panel.search, searches, "saved search")
        if panel.view:
            _Checks(file).one_of((*where, "view"), panel.view, views, "data view")
            _check_numbers(_Checks(file, views[panel.view].index), where, panel)


def _check_numbers(check: _Checks, where: Where, panel: Panel) -> None:
    check.filter((*where, "filter"), panel.filter)
    for number, metric in enumerate(panel.metrics):
        at = (*where, "metrics", number)
        if metric.of == "rows":
            if metric.field:
                raise wrong(check.file, (*at, "field"), "rows are counted without a field")
            continue
        types = {"distinct": VALUES, "sum": NUMBERS}.get(metric.of, frozenset({"date"}))
        check.field((*at, "field"), metric.field, frozenset(types), f"a metric of {metric.of}")
    for number, bucket in enumerate(panel.buckets):
        at = (*where, "buckets", number)
        if (bucket.by == "filters") != bool(bucket.filters):
            raise wrong(check.file, at, "filters go with `by: filters`, and with nothing else")
        if bucket.by == "filters":
            if bucket.field:
                raise wrong(check.file, (*at, "field"), "a bucket by filters has no field")
            for label, text in bucket.filters.items():
                check.filter((*at, "filters", label), text)
        elif bucket.by == "values":
            check.field((*at, "field"), bucket.field, frozenset(VALUES), "a bucket by values")
        else:
            check.field((*at, "field"), bucket.field, frozenset({"date"}), "a bucket by time")
    most = {"bars": 2, "rows-of-bars": 2, "numbers": 1}.get(panel.type, 5)
    if len(panel.buckets) > most:
        raise wrong(check.file, (*where, "buckets"), f"a panel of type {panel.type} counts by {most} at most")


def _overlap(one: Place, other: Place) -> bool:
    return (
        one.column < other.column + other.width
        and other.column < one.column + one.width
        and one.row < other.row + other.height
        and other.row < one.row + one.height
    )
