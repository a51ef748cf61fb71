"""Settings come from file and environment, and a wrong one is named."""

from pathlib import Path

import pytest

from processors.errors import SettingsError
from sulh.config import load_settings


def test_variable_wins_over_file_and_option_over_both(tmp_path: Path) -> None:
    file = tmp_path / "sulh.toml"
    file.write_text('contact = "a@example.org"\nworkers = 3\ndesk_port = 9000\n', encoding="utf-8")
    settings = load_settings({"SULH_CONFIG": str(file), "SULH_WORKERS": "2"}, desk_port=9001)
    assert (settings.contact, settings.workers, settings.desk_port) == ("a@example.org", 2, 9001)


def test_store_lies_in_the_home_unless_set(tmp_path: Path) -> None:
    assert load_settings({"SULH_HOME": str(tmp_path)}).store_address == str(tmp_path / "sulh.sqlite")
    assert load_settings({"SULH_STORE": "/elsewhere.db"}).store_address == "/elsewhere.db"


def test_notify_takes_several_addresses() -> None:
    assert load_settings({"SULH_NOTIFY": "json://127.0.0.1/a, json://127.0.0.1/b"}).notify == (
        "json://127.0.0.1/a",
        "json://127.0.0.1/b",
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SULH_HOEM": "x"}, "the variable SULH_HOEM: unknown setting; expected one of"),
        ({"SULH_WORKERS": "many"}, "the variable SULH_WORKERS: input should be a valid integer"),
        ({"SULH_WORKERS": "0"}, "the variable SULH_WORKERS: input should be greater than or equal to 1"),
        ({"SULH_CONFIG": "/no/such.toml"}, "/no/such.toml: there is no such file"),
    ],
)
def test_refuses_what_it_does_not_know(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(environment)


def test_refuses_an_unknown_key_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "sulh.toml"
    file.write_text("wrkers = 3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"sulh\.toml: wrkers: unknown setting"):
        load_settings({"SULH_CONFIG": str(file)})


def test_a_tilde_is_the_home_folder_wherever_a_path_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "sulh.toml"
    file.write_text('sources = "~/s"\nregisters = "~/r"\n', encoding="utf-8")
    settings = load_settings({"SULH_CONFIG": "~/sulh.toml", "SULH_HOME": "~/h", "SULH_STORE": "~/x.db"})
    assert (settings.home, settings.store) == (tmp_path / "h", str(tmp_path / "x.db"))
    assert (settings.sources, settings.registers) == (tmp_path / "s", tmp_path / "r")
    with pytest.raises(
        SettingsError, match=r"the variable SULH_HOME: .*no home folder is known for ~nobody-of-that-name"
    ):
        load_settings({"SULH_HOME": "~nobody-of-that-name/h"})
