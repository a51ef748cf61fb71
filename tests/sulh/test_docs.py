"""What the documents tell a reader to type, to set, to click and to expect is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from mappings import KINDS
from sulh.airflow_home import POOLS
from sulh.cli import main
from sulh.config import Settings
from sulh.kibana.described import described
from sulh.kibana.saved import build
from sulh.kibana.server import label
from sulh.pipeline import registers_of
from tests.command_lines import COMPOSE_RUN, arguments, fenced, refusal

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def inline(text: str) -> Iterator[str]:
    """Give the code that stands within sentences, but for patterns such as `sulh alerts [ID]` and `export KIND`."""
    for code in re.findall(r"`([^`]+)`", prose(text).replace("\n", " ")):
        if not re.search(r"[\[\]…]|(^| )[A-Z]+( |$)", code):
            yield code


def sections(text: str) -> set[str]:
    """Give the anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_is_a_page_for_the_team_and_its_work() -> None:
    assert {"team-setup.md", "kibana.md", "operations.md"} <= {page.name for page in PAGES}
    readme = PAGES[0].read_text(encoding="utf-8")
    assert all(f"(docs/{page.name})" in readme for page in PAGES[1:])


@every_page
def test_its_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name) if name else page
        assert other.is_file(), target
        if anchor:
            assert anchor in sections(other.read_text(encoding="utf-8")), target


@every_page
def test_the_program_takes_what_it_tells_to_type(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wrong = {}
    for line in [*fenced(text), *inline(text)]:
        if not re.match(r"\$? ?([A-Z_]+=\S+ )*(\S*/)?(sulh|docker) ", line):
            continue
        words = arguments(line)
        if words and (why := refusal(words)):
            wrong[line] = why
    assert wrong == {}


@every_page
def test_what_it_tells_docker_compose_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in [*fenced(text), *inline(text)]:
        words = line.split()
        if tuple(words[:4]) == COMPOSE_RUN:
            called = [word for word in words[4:] if word in COMPOSE["services"]]
            assert called, line
        if words[:3] == ["docker", "compose", "cp"]:
            assert any(word.partition(":")[0] in COMPOSE["services"] for word in words[3:]), line
    volumes = {f"sulh_{name}" for name in COMPOSE["volumes"]}
    scheduled = {path.stem for path in (ROOT / "dags").glob("*.py")} | POOLS.keys()
    assert {code for code in inline(text) if code.startswith("sulh_")} <= volumes | scheduled | {"sulh_"}


@every_page
def test_the_targets_and_settings_that_it_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE)
    assert all(f"\n{target}:" in makefile for target in targets)
    known = {f"SULH_{name.upper()}" for name in Settings.model_fields} | {"SULH_CONFIG"}
    scheduled = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "dags").glob("*.py"))
    known |= set(re.findall(r"\bSULH_AIRFLOW_[A-Z_]+\b", scheduled))
    compose = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("docker-compose*.yml"))
    known |= set(re.findall(r"\$\{(SULH_\w+)", compose))
    assert set(re.findall(r"\bSULH_[A-Z_]+\b", text)) <= known
    for variable in re.findall(r"\b(?:ELASTIC|KIBANA|STACK)_[A-Z]+\b", text):
        assert variable in compose, variable


@every_page
def test_the_indices_and_roles_that_it_names_are_there(page: Path) -> None:
    roles = {path.stem for path in (ROOT / "mappings" / "roles").glob("*.json")}
    for name in re.findall(r"`sulh-([a-z]+)(?:-write|-\d{6})?`", page.read_text(encoding="utf-8")):
        assert name in {*KINDS, *roles}, name


@cache
def said_by_the_program() -> str:
    """Give all texts in the program's source, put together as Python puts them together."""
    texts = []
    for path in sorted((ROOT / "sulh").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_the_sentences_that_it_explains_are_the_programs() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("| sulh says |") :].split("\n\n", 1)[0]
    sentences = re.findall(r"^\| “([^”]+)”", table, flags=re.MULTILINE)
    assert len(sentences) >= 12
    for sentence in sentences:
        for part in sentence.split("…"):
            assert part.strip() in said_by_the_program(), part


def test_the_dashboards_and_panels_that_it_explains_are_those_that_are_made() -> None:
    text = (ROOT / "docs" / "kibana.md").read_text(encoding="utf-8")
    folder = ROOT / "mappings" / "kibana"
    dashboards = [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((folder / "dashboards").glob("*.yml"))
    ]
    assert len(dashboards) == 4
    for dashboard in dashboards:
        section = text.split(f"## {dashboard['title']}\n", 1)[1].split("\n## ", 1)[0]
        told = re.findall(r"^\| [^|]+\? \| ([^|]+) \|", section, flags=re.MULTILINE)
        assert set(told) == {panel["title"] for panel in dashboard["panels"]}, dashboard["title"]
    views = yaml.safe_load((folder / "views.yml").read_text(encoding="utf-8"))["views"].values()
    search = text.split("## Search\n", 1)[1].split("\n\n", 2)[1].replace("\n", " ")
    titles = {view["title"] for view in views}
    assert set(re.findall(r"\*([^*]+)\*", search)) - {"Discover", "Save"} <= titles


def test_the_import_that_it_shows_is_that_of_the_dashboards() -> None:
    objects = build(described(), registers_of(None), prefix="sulh", time=None)
    text = (ROOT / "docs" / "team-setup.md").read_text(encoding="utf-8")
    shown = re.findall(r"^new +(.+)$", text, flags=re.MULTILINE)
    assert shown
    assert set(shown) <= {label(each) for each in objects}
    assert re.findall(r"^Kibana \S+: (\d+) new, 0 replaced, 0 unchanged$", text, re.MULTILINE) == [str(len(objects))]


def test_every_command_that_a_team_needs_is_explained() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in ("index", "kibana"):
        group = main.commands[name]
        for inner in getattr(group, "commands", {}):
            assert re.search(rf"\b{name} {inner}\b", text), f"{name} {inner}"
