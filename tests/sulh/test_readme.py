"""What the README tells a newcomer to do works."""

import re
from pathlib import Path

from click.testing import CliRunner

from crawlers.sources import load_source
from sulh.cli import main
from sulh.config import Settings

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_commands_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^make ([\w-]+)", README, flags=re.MULTILINE)
    assert commands == ["demo", "test", "airflow", "compose-env"]
    assert all(f"\n{command}:" in makefile for command in commands)


def test_its_source_loads(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "example_gb.yml"
    path.write_text(text, encoding="utf-8")
    assert load_source(path).kind == "feed"


def test_it_names_every_command_and_no_other() -> None:
    table = README[README.index("| command |") : README.index("`sulh COMMAND --help`")]
    told = set(re.findall(r"`sulh ([a-z]+)", table))
    assert told == set(main.commands)


def test_it_names_every_setting_and_no_other() -> None:
    table = README[README.index("| key | default |") : README.index("With no `notify`")]
    told = {
        name
        for row in re.findall(r"^\| (`[^|]+) \|", table, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert told == set(Settings.model_fields)


def test_every_command_teaches() -> None:
    for name in main.commands:
        shown = CliRunner().invoke(main, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert len(shown.output.splitlines()) > 5, name
