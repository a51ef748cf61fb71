"""Reads the part of Kibana's query language that the description uses, and says what Kibana asks of it.

Known are ``field: value``, ``field: "a phrase"``, ``field: *``, ``field: (a or b)``, ``field >= value`` (and >, <=, <),
``not``, ``and``, ``or`` and parentheses. Anything else is refused rather than guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Is:
    """A field that holds a value; None: any value."""

    field: str
    value: str | None
    phrase: bool = False


@dataclass(frozen=True, slots=True)
class Ranges:
    """A field that lies on one side of a value."""

    field: str
    operator: Literal["gt", "gte", "lt", "lte"]
    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    part: Query


@dataclass(frozen=True, slots=True)
class All:
    """Parts that all hold."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Any_:
    """Parts of which one holds."""

    parts: tuple[Query, ...]


Query = Is | Ranges | Not | All | Any_

_TOKEN = re.compile(r'\s*(?:(?P<mark>[():]|>=|<=|>|<)|"(?P<phrase>[^"\\]*)"|(?P<word>[^\s():<>"*\\{}]+|\*))')
_OPERATORS: dict[str, Literal["gt", "gte", "lt", "lte"]] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


def parse(text: str) -> Query:
    """Read a query. Raises ValueError that says what was expected where."""
    reader = _Reader(text)
    found = reader.either()
    if reader.kind:
        raise ValueError(f"{text!r}: {reader.value!r} is not expected here")
    return found


def fields_in(query: Query) -> tuple[str, ...]:
    """Give the fields that a query names."""
    match query:
        case Is() | Ranges():
            return (query.field,)
        case Not():
            return fields_in(query.part)
        case All() | Any_():
            return tuple(field for part in query.parts for field in fields_in(part))


def asked(query: Query) -> dict[str, Any]:
    """Give what Kibana asks Elasticsearch for a query."""
    match query:
        case Is(field=field, value=None):
            return _one({"exists": {"field": field}})
        case Is():
            return _one({"match_phrase" if query.phrase else "match": {query.field: query.value}})
        case Ranges():
            return _one({"range": {query.field: {query.operator: query.value}}})
        case Not():
            return {"bool": {"must_not": asked(query.part)}}
        case All():
            return {"bool": {"filter": [asked(part) for part in query.parts]}}
        case Any_():
            return {"bool": {"should": [asked(part) for part in query.parts], "minimum_should_match": 1}}


def _one(clause: dict[str, Any]) -> dict[str, Any]:
    return {"bool": {"should": [clause], "minimum_should_match": 1}}


class _Reader:
    """Takes a query apart, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.kind = ""
        self.value = ""
        self._next()

    def _next(self) -> None:
        rest = self._text[self._at :]
        match = _TOKEN.match(rest)
        if match is None:
            if rest.strip():
                raise ValueError(f"{self._text!r}: {rest.strip()[:20]!r} is not expected here")
            self.kind = self.value = ""
            return
        self.kind = match.lastgroup or ""
        self.value = match[self.kind]
        self._at += match.end()

    def _keyword(self, *words: str) -> bool:
        if self.kind == "word" and self.value.lower() in words:
            self._next()
            return True
        return False

    def _mark(self, *marks: str) -> str:
        if self.kind == "mark" and self.value in marks:
            mark = self.value
            self._next()
            return mark
        return ""

    def _expect(self, mark: str) -> None:
        if not self._mark(mark):
            raise ValueError(f"{self._text!r}: expected {mark!r}, got {self.value or 'the end'!r}")

    def either(self) -> Query:
        parts = [self._both()]
        while self._keyword("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Any_(tuple(parts))

    def _both(self) -> Query:
        parts = [self._plain()]
        while self._keyword("and"):
            parts.append(self._plain())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _plain(self) -> Query:
        if self._keyword("not"):
            return Not(self._plain())
        if self._mark("("):
            inner = self.either()
            self._expect(")")
            return inner
        if self.kind != "word" or self.value in ("*", "or", "and"):
            raise ValueError(f"{self._text!r}: expected a field, got {self.value or 'the end'!r}")
        field = self.value
        self._next()
        if operator := self._mark(*_OPERATORS):
            return Ranges(field, _OPERATORS[operator], self._value(field).value or "*")
        self._expect(":")
        if not self._mark("("):
            return self._value(field)
        values = [self._value(field)]
        while self._keyword("or"):
            values.append(self._value(field))
        self._expect(")")
        return values[0] if len(values) == 1 else Any_(tuple(values))

    def _value(self, field: str) -> Is:
        kind, value = self.kind, self.value
        if kind not in ("word", "phrase"):
            raise ValueError(f"{self._text!r}: expected a value of {field}, got {value or 'the end'!r}")
        self._next()
        return Is(field, None if kind == "word" and value == "*" else value, phrase=kind == "phrase")
