"""Settings: defaults, then `sulh.toml`, then `SULH_*` variables; an unknown key is an error."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from crawlers.services import PUBLIC
from processors.errors import SettingsError
from sulh.stores import Access

PREFIX = "SULH_"
FILE_VARIABLE = "SULH_CONFIG"
OF_AIRFLOW = "SULH_AIRFLOW_"
"""How the variables begin that the DAG files read; the program's own settings they are not."""


def _default_home() -> Path:
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data else Path.home() / ".local" / "share") / "sulh"


class Settings(BaseModel):
    """What a person can set. Each field is a key of `sulh.toml`, and `SULH_<FIELD>` in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=_default_home)
    """Where the archive and the embedded store live."""
    store: str = ""
    """Path of the SQLite store, or the address of an Elasticsearch 9; empty: `sulh.sqlite` in the home."""
    store_api_key: SecretStr = SecretStr("")
    """API key for Elasticsearch and Kibana, as `sulh index key` prints it."""
    store_api_key_file: Path | None = None
    """File that holds the API key, for machines that hand secrets over as files."""
    store_user: str = ""
    """User name for Elasticsearch and Kibana, where no API key is given."""
    store_password: SecretStr = SecretStr("")
    """Password of that user."""
    store_ca: Path | None = None
    """PEM file of the authority that signed the certificate of Elasticsearch; empty: those that the system trusts."""
    store_prefix: str = Field(default="sulh", pattern="^[a-z][a-z0-9]{0,30}$")
    """First part of the names of all indices and roles: two installations on one cluster take two."""
    kibana: str = ""
    """Address of Kibana, for `sulh kibana import`."""
    kibana_ca: Path | None = None
    """PEM file of the authority that signed Kibana's certificate; empty: that of `store_ca`."""
    notify: tuple[str, ...] = ()
    """Apprise addresses that alerts go to, separated by white space or commas in the variable; with `digest=daily`
    among what follows the question mark, an address gets one message a day."""
    digest_hour: int = Field(default=6, ge=0, le=23)
    """Hour (UTC) at which such a message goes out."""
    operators: tuple[str, ...] = ()
    """Apprise addresses that findings of `sulh watch` go to; empty: they are printed."""
    contact: str = ""
    """Address or URL that the user agent gives, so that a site's owner can write to you."""
    commoncrawl: str = Field(default=PUBLIC.commoncrawl, pattern="^https?://")
    """Common Crawl's index, for `sulh backfill --via commoncrawl`; a mirror may take its place."""
    commoncrawl_data: str = Field(default=PUBLIC.commoncrawl_data, pattern="^https?://")
    """Where Common Crawl keeps its WARC files."""
    wayback: str = Field(default=PUBLIC.wayback, pattern="^https?://")
    """The Wayback Machine, for `sulh backfill --via wayback`, or another archive with its interface."""
    sources: Path | None = None
    """Folder of further source files; empty: `sources` in the home."""
    only_own_sources: bool = False
    """Whether the sources that come with sulh are left out, and only those of that folder are crawled."""
    registers: Path | None = None
    """Folder of further registers of claims; empty: `registers` in the home."""
    allow_loopback: bool = False
    """Whether addresses on this machine may be fetched: for the demo and for tests only."""
    workers: int = Field(default_factory=lambda: min(4, os.cpu_count() or 1), ge=1, le=64)
    """Processes that read pages."""
    page_seconds: float = Field(default=10.0, gt=0)
    """Wall time that one page gets before it is declined by name."""
    alert_max_age_days: int = Field(default=30, ge=0)
    """A report published longer than this before it was fetched is kept in the queue and not sent; 0: no limit."""
    desk_port: int = Field(default=8020, ge=1, le=65535)
    """Port of the desk, on loopback."""

    @field_validator("home", "store", "sources", "registers", "store_api_key_file", "store_ca", "kibana_ca")
    @classmethod
    def _from_the_home_folder(cls, value: Path | str | None) -> Path | str | None:
        # No shell has seen what stands in a file, or after an equals sign.
        if value is None or not str(value).startswith("~"):
            return value
        try:
            path = Path(value).expanduser()
        except RuntimeError:
            raise ValueError(f"no home folder is known for {Path(value).parts[0]}: write the path out") from None
        return str(path) if isinstance(value, str) else path

    @property
    def store_address(self) -> str:
        """The store's path or address, with the default filled in."""
        return self.store or str(self.home / "sulh.sqlite")

    @property
    def on_server(self) -> bool:
        """Whether the store is a server rather than a file."""
        return "://" in self.store

    @property
    def access(self) -> Access:
        """What opens the store's server. Raises SettingsError for a key file that cannot be read."""
        key = self.store_api_key.get_secret_value()
        if self.store_api_key_file is not None and not key:
            try:
                key = self.store_api_key_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(
                    f"{self.store_api_key_file}: the API key cannot be read from this file, which"
                    f" SULH_STORE_API_KEY_FILE names: {getattr(error, 'strerror', None) or error}"
                ) from None
        return Access(
            api_key=SecretStr(key),
            user=self.store_user,
            password=self.store_password,
            ca=self.store_ca,
            prefix=self.store_prefix,
        )

    @property
    def source_folder(self) -> Path:
        """The folder of the user's own source files, which need not exist."""
        return self.sources or self.home / "sources"

    @property
    def register_folder(self) -> Path | None:
        """The folder of the user's own registers; None where none is set and the home has none."""
        own = self.home / "registers"
        return self.registers or (own if own.is_dir() else None)

    @property
    def desk_address(self) -> str:
        """Where the desk is when it is served."""
        return f"http://127.0.0.1:{self.desk_port}/"

    @property
    def max_age_days(self) -> int | None:
        """`alert_max_age_days`, with None for no limit."""
        return self.alert_max_age_days or None


def load_settings(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Give the settings from files, environment and the given values, the later over the former.

    The files are `sulh.toml` in the home, and over it the one that `SULH_CONFIG` names, else `sulh.toml` in the working
    folder, where they are there. Raises SettingsError that names file or variable, key and what was expected.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(FILE_VARIABLE, "")
    file = Path(named or "sulh.toml").expanduser()
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    if named or file.exists():
        for key, value in _read(file).items():
            values[key], origin[key] = value, f"{file}: {key}"
    for variable, text in environment.items():
        if variable.startswith(PREFIX) and variable != FILE_VARIABLE and not variable.startswith(OF_AIRFLOW):
            key = variable.removeprefix(PREFIX).lower()
            values[key] = text.replace(",", " ").split() if key in ("notify", "operators") else text
            origin[key] = f"the variable {variable}"
    for key, value in given.items():
        if value is not None:
            values[key], origin[key] = value, f"--{key.replace('_', '-')}"
    beside = None
    if isinstance(values.get("home"), str | Path):
        with suppress(RuntimeError):  # a ~name of nobody, which the check of the settings names
            beside = Path(values["home"]).expanduser() / "sulh.toml"
    if beside is not None and beside.is_file() and beside.resolve() != file.resolve():
        for key, value in _read(beside).items():
            if key not in values:
                values[key], origin[key] = value, f"{beside}: {key}"
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError("\n".join(_problem(problem, origin) for problem in error.errors())) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file; {FILE_VARIABLE} names it") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from error


def _problem(problem: Any, origin: Mapping[str, str]) -> str:
    key = str(problem["loc"][0])
    where = origin.get(key, key)
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown setting; expected one of {', '.join(sorted(Settings.model_fields))}"
    # The value itself is not shown: an Apprise address may hold a password.
    message = problem["msg"]
    return f"{where}: {message[0].lower()}{message[1:]}"
