"""Loads YAML into strict models; a wrong file is refused with file, line, key and what was expected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from processors.errors import KnowledgeError


class Knowledge(BaseModel):
    """A model for YAML: frozen, strict about types, and without unknown keys. Sequences are tuples."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Model = TypeVar("Model", bound=Knowledge)


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
        problems = [_problem(name, node, problem) for problem in error.errors(include_url=False)]
        raise KnowledgeError("\n".join(problems)) from error


def wrong(path: Path, location: Sequence[str | int], said: str) -> KnowledgeError:
    """Give the error for a value that has the right form and a wrong meaning, with its file, line and key."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    key = ".".join(str(part) for part in location) or "the file"
    return KnowledgeError(f"{path}:{_line(node, location)}: {key}: {said}")


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, which YAML would let the later silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _problem(name: str, node: yaml.Node | None, problem: Any) -> str:
    location: Sequence[str | int] = problem["loc"]
    line = _line(node, location)
    key = ".".join(str(part) for part in location) or "the file"
    if problem["type"] == "extra_forbidden":
        return f"{name}:{line}: {key}: unknown key; expected one of the keys that the documentation lists"
    if problem["type"] == "missing":
        return f"{name}:{line}: {key}: missing; expected a value"
    hint = ""
    if isinstance(problem["input"], bool) and problem["type"].startswith(("string", "literal")):
        hint = " (YAML reads a bare yes, no, on or off as true or false: put it in quotes)"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{name}:{line}: {key}: {message}, got {_named(problem['input'])}{hint}"


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
