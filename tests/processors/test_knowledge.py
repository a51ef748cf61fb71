"""A wrong YAML file is refused with file, line, key and what was expected."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from processors.errors import KnowledgeError
from processors.knowledge import Knowledge, load, parse


class Part(Knowledge):
    name: str
    weight: int = 1


class Other(Knowledge):
    label: str


class Whole(Knowledge):
    title: str
    parts: tuple[Part, ...] = ()
    by_name: Mapping[str, Annotated[Part, Field()] | None] = {}
    either: Part | Other | None = None


def test_reads_nested_values() -> None:
    whole = parse("title: x\nparts:\n  - name: a\n  - {name: b, weight: 2}\n", Whole, name="w.yml")
    assert whole == Whole(title="x", parts=(Part(name="a"), Part(name="b", weight=2)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "title: x\nparts:\n  - name: a\n    wieght: 2\n",
            ("w.yml:4", "parts.0.wieght", "expected one of name, weight"),
        ),
        ("title: x\ntilte: y\n", ("w.yml:2", "tilte", "expected one of title, parts, by_name, either")),
        ("title: x\nby_name:\n  a: {nmae: b}\n", ("w.yml:3", "by_name.a.nmae", "expected one of name, weight")),
        ("title: x\neither: {lable: b}\n", ("w.yml:2", "unknown key; expected one of label")),
        ("parts: []\n", ("w.yml:1", "title", "missing")),
        ("title: x\nparts:\n  - name: no\n", ("w.yml:3", "parts.0.name", "string", "quotes")),
        ("title: x\nparts:\n  - name: a\n    weight: two\n", ("w.yml:4", "parts.0.weight", "integer", '"two"')),
        ("title: x\ntitle: y\n", ("w.yml:2", "twice")),
        ("title: [x\n", ("w.yml:", "not valid YAML")),
        ("- a\n", ("w.yml:1", "expected a mapping")),
        ("", ("w.yml:1", "expected a mapping")),
    ],
)
def test_refuses_with_line_and_reason(text: str, said: tuple[str, ...]) -> None:
    with pytest.raises(KnowledgeError) as caught:
        parse(text, Whole, name="w.yml")
    for part in said:
        assert part in str(caught.value)


def test_many_problems_are_counted_rather_than_listed() -> None:
    text = "title: x\n" + "".join(f"key{number}: 1\n" for number in range(8))
    with pytest.raises(KnowledgeError) as caught:
        parse(text, Whole, name="w.yml")
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[-1]) == (6, "w.yml: … and 3 more")


def test_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="there is no such file"):
        load(tmp_path / "none.yml", Whole)
