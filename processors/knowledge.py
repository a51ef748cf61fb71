"""Loads YAML into strict models; a wrong file is refused with file, line, key and what was expected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from processors.errors import KnowledgeError


class Knowledge(BaseModel):
    """A model for YAML: frozen, strict about types, and without unknown keys. Sequences are tuples."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Model = TypeVar("Model", bound=Knowledge)

SHOWN = 5
"""Problems of one file that a message names: one slip often gives many, and a screen should hold them."""


def load(path: Path, model: type[Model]) -> Model:
    """Read one YAML file into the model. Raises KnowledgeError that names file, line, key and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KnowledgeError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    return parse(text, model, name=str(path))


def parse(text: str, model: type[Model], *, name: str) -> Model:
    """Read YAML text into the model; ``name`` stands for the file in messages. Raises KnowledgeError."""
    try:
        # A loader instance rather than two passes: the tree gives the lines, its construction the values.
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise KnowledgeError(f"{name}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise KnowledgeError(f"{name}:1: not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise KnowledgeError(f"{name}:1: expected a mapping of keys to values, got {_named(data)}")
    try:
        # By way of JSON, where strict models still take a list for a tuple and an ISO string for a date.
        return model.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [_problem(name, node, problem, model) for problem in found[:SHOWN]]
        if len(found) > SHOWN:
            problems.append(f"{name}: … and {len(found) - SHOWN} more")
        raise KnowledgeError("\n".join(problems)) from error


def wrong(path: Path, location: Sequence[str | int], said: str) -> KnowledgeError:
    """Give the error for a value that has the right form and a wrong meaning, with its file, line and key."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    key = ".".join(str(part) for part in location) or "the file"
    return KnowledgeError(f"{path}:{_line(node, location)}: {key}: {said}")


@cache
def _tree(path: Path) -> yaml.Node | None:
    return yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)


def line_of(path: Path, *location: str | int) -> int:
    """Give the line, from 1, at which a file of knowledge holds this key or row, or the nearest above it."""
    return _line(_tree(path), location)


def row_of(path: Path, key: str, id: str) -> int:
    """Give the line at which the row of this id stands in the file's list of this key; 1 where there is none."""
    tree = _tree(path)
    rows = next((value for name, value in tree.value if name.value == key), None) if tree is not None else None
    for row in rows.value if isinstance(rows, yaml.SequenceNode) else ():
        if any(name.value == "id" and value.value == id for name, value in row.value):
            return int(row.start_mark.line) + 1
    return 1


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    # The one in C, where PyYAML has it, takes a quarter of the time: each command reads actors, registers and sources.
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):
    """SafeLoader that refuses a key given twice, which YAML would let the later silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _problem(name: str, node: yaml.Node | None, problem: Any, model: type[BaseModel]) -> str:
    location: Sequence[str | int] = problem["loc"]
    line = _line(node, location)
    key = ".".join(str(part) for part in location) or "the file"
    if problem["type"] == "extra_forbidden":
        keys = _keys_at(model, location[:-1])
        expected = f"one of {', '.join(keys)}" if keys else "one of the keys that the documentation lists"
        return f"{name}:{line}: {key}: unknown key; expected {expected}"
    if problem["type"] == "missing":
        return f"{name}:{line}: {key}: missing; expected a value"
    hint = ""
    if isinstance(problem["input"], bool) and problem["type"].startswith(("string", "literal")):
        hint = " (YAML reads a bare yes, no, on or off as true or false: put it in quotes)"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{name}:{line}: {key}: {message}, got {_named(problem['input'])}{hint}"


def _keys_at(model: type[BaseModel], location: Sequence[str | int]) -> tuple[str, ...]:
    """Give the keys of the model at a place below this one; none where the types leave it open."""
    places: list[Any] = [model]
    for part in location:
        places = [inner for place in places for inner in _inside(place, part)]
    models = [each for place in places for each in _plain(place) if _is_model(each)]
    return tuple(field.alias or name for name, field in models[0].model_fields.items()) if len(models) == 1 else ()


def _inside(place: Any, part: str | int) -> list[Any]:
    found: list[Any] = []
    for each in _plain(place):
        inner = get_args(each)
        if _is_model(each):
            fields = {field.alias or name: field for name, field in each.model_fields.items()}
            found += [fields[part].annotation] if part in fields else [each] if part == each.__name__ else []
        elif isinstance(part, str):
            found += inner[1:2]  # a mapping's values
        else:
            found += inner[:1] if inner[1:2] in ((), (...,)) else inner[part : part + 1]
    return found


def _plain(place: Any) -> list[Any]:
    """Give the types that a place may hold, without what says only how it may be absent or is checked."""
    if get_origin(place) is Annotated:
        return _plain(get_args(place)[0])
    if get_origin(place) in (Union, UnionType):
        return [each for part in get_args(place) if part is not type(None) for each in _plain(part)]
    return [place]


def _is_model(place: Any) -> bool:
    return isinstance(place, type) and issubclass(place, BaseModel)


def _named(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _line(node: yaml.Node | None, location: Sequence[str | int]) -> int:
    """Give the line, from 1, of the deepest part of the location that the file has."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
