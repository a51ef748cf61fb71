"""Tables as CSV and JSON: safe to open in a spreadsheet, whatever the web put into a title."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from processors.records import Record

# What spreadsheets take for the start of a formula; OWASP, "CSV Injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(rows: Sequence[Record]) -> str:
    """Give the records as one JSON array."""
    return json.dumps([row.to_json() for row in rows], ensure_ascii=False, indent=1) + "\n"


def as_csv(kind: type[Record], rows: Sequence[Record]) -> str:
    """Give the records as CSV, a column a field; a record within a record adds its fields, deeper ones are JSON."""
    out = io.StringIO()
    writer = csv.writer(out)
    flat = [_flat(row.to_json()) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row)) or [f.name for f in fields(kind)]  # type: ignore[arg-type]
    writer.writerow(columns)
    writer.writerows([cell(row.get(name)) for name in columns] for row in flat)
    # Spreadsheets read UTF-8 as such only behind a byte order mark.
    return "\ufeff" + out.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{inner}": deeper for inner, deeper in value.items()}
        else:
            flat[name] = value
    return flat


def cell(value: Any) -> str | int | float:
    """Give one cell: numbers as they are, text such that no spreadsheet takes it for a formula."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = "; ".join(value)
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
    return "'" + text if text.startswith(_FORMULA) else text
