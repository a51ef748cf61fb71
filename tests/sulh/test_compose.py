"""The team's servers: docker-compose.yml, the image and the secrets fit each other and the program.

No container engine runs here: what a file says is held against the compose schema, the program's own commands and
settings, and the versions that the code supports.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from sulh import __version__
from sulh.airflow_home import POOLS
from sulh.compose import compose_env, required
from sulh.config import Settings
from tests.command_lines import arguments, refusal
from tests.conftest import absent

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "docker-compose.yml"
TEXT = COMPOSE.read_text(encoding="utf-8")
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LONG_RUNNING = {"elasticsearch", "kibana"} | {
    name for name in SERVICES if name.startswith("airflow-") and name not in ("airflow-init", "airflow-admin-key")
}


def environment(service: str) -> dict[str, str]:
    return {name: str(value) for name, value in SERVICES[service].get("environment", {}).items()}


def of_the_program() -> list[str]:
    return [name for name, service in SERVICES.items() if service["image"].startswith("sulh:")]


def mounts(service: str) -> list[list[str]]:
    return [volume.split(":") for volume in SERVICES[service].get("volumes", [])]


def scripts() -> Iterator[tuple[str, str]]:
    """Give the lines that the services run, as the shell in the container reads them."""
    for name, service in SERVICES.items():
        command = service.get("command", [])
        for line in command[-1].replace("$$", "$").replace("\\\n", " ").splitlines() if command else ():
            yield name, line.strip()


# The file


def test_the_compose_schema_takes_it() -> None:
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
            *map(str, sorted(ROOT.glob("docker-compose*.yml"))),
        ],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_docker_compose_takes_it(tmp_path: Path) -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        absent("compose", "the docker command has no compose plugin here")
    compose_env(COMPOSE, tmp_path / ".env")
    command = ["docker", "compose", "--env-file", str(tmp_path / ".env"), "--file", str(COMPOSE), "config", "--quiet"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_services_wait_for_what_can_come_true() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            left_out = set(SERVICES[other].get("profiles", ())) - set(service.get("profiles", ()))
            assert not left_out, f"{name} waits for {other}, which a profile leaves out"
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for {other}"
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "no", f"{other} never completes"


def test_every_volume_is_named_and_used() -> None:
    used = {mount[0] for name in SERVICES for mount in mounts(name)}
    assert used == set(FILE["volumes"])


def test_every_service_is_bounded() -> None:
    for name, service in SERVICES.items():
        assert "mem_limit" in service, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == ("unless-stopped" if name in LONG_RUNNING else "no"), name
        assert not service.get("privileged")
        if name in LONG_RUNNING:
            assert "healthcheck" in service
    assert all(SERVICES[name]["read_only"] and "user" not in SERVICES[name] for name in of_the_program())


def test_ports_are_open_on_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_has_a_default_or_stands_in_the_file() -> None:
    secret = re.compile(r"PASSWORD$|API_KEY$|ENCRYPTIONKEY$|TOKEN$")
    found = [value for name in SERVICES for key, value in environment(name).items() if secret.search(key)]
    assert found
    assert all(re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value) for value in found), found


def test_the_daily_job_holds_no_password_of_the_servers() -> None:
    # A page that takes over the program while it is read must find no more than the writer's key.
    assert "PASSWORD" not in str(SERVICES["sulh"])
    ((_, path, mode),) = [mount for mount in mounts("sulh") if mount[0] == "keys"]
    assert mode == "ro"
    assert environment("sulh")["SULH_STORE_API_KEY_FILE"] == f"{path}/writer"
    assert f"index key writer --out {path}/writer" in SERVICES["setup"]["command"][-1]


def test_the_key_that_signs_certificates_stays_with_the_service_that_makes_them() -> None:
    assert [name for name in SERVICES if any(mount[0] == "authority" for mount in mounts(name))] == ["prepare"]
    assert SERVICES["prepare"]["network_mode"] == "none"


@pytest.mark.parametrize("server", ["elasticsearch", "kibana"])
def test_the_servers_use_the_certificates_that_are_made_for_them(server: str) -> None:
    ((_, folder, mode),) = [mount for mount in mounts(server) if mount[0] == f"{server}-tls"]
    assert mode == "ro"
    inside = folder.removeprefix(f"/usr/share/{server}/config/")
    told = " ".join(environment(server).values())
    for kind in ("key", "crt"):
        assert f"{inside}/{server}.{kind}" in told
    assert f"/sulh/{server}" in [mount[1] for mount in mounts("prepare")]
    assert f"--cacert config/{inside}/ca.crt https://localhost:" in SERVICES[server]["healthcheck"]["test"][-1]


# The program


def test_it_calls_commands_that_the_program_has() -> None:
    parts = [(name, part) for name, line in scripts() for part in line.split("||")]
    called = [(name, words) for name, part in parts for words in [arguments(part)] if words]
    assert {name for name, _ in called} == {"setup", "airflow-admin-key"}
    assert [words[:3] for name, words in called if name != "setup"] == [["index", "status"], ["index", "key", "admin"]]
    assert [words[:2] for name, words in called if name == "setup"] == [
        ["index", "create"],
        ["index", "status"],
        ["index", "key"],
        ["kibana", "import"],
    ]
    assert [(words, refusal(words)) for _, words in called if refusal(words)] == []


def test_what_the_comments_tell_to_type_works() -> None:
    told = re.findall(r"docker compose run --rm[^`#\n]*", TEXT)
    assert len(told) >= 3
    for line in told:
        words = arguments(line)
        assert words is not None, line
        assert not refusal(words), f"{line}: {refusal(words)}"


def test_it_sets_what_the_program_reads() -> None:
    known = {f"SULH_{name.upper()}" for name in Settings.model_fields}
    told = {variable for name in of_the_program() for variable in environment(name)}
    told |= set(re.findall(r"\b(SULH_[A-Z_]+)=", DOCKERFILE))
    assert told <= known


def test_the_images_are_of_versions_that_the_code_supports() -> None:
    images = {service["image"] for service in SERVICES.values()}
    stack = {image.partition(":")[2] for image in images if image.startswith(("elasticsearch:", "kibana:"))}
    assert len(stack) == 1, "Elasticsearch and Kibana must be of one version"
    pinned = re.fullmatch(r"\$\{STACK_VERSION:-(\d+)\.\d+\.\d+\}", stack.pop())
    assert pinned
    assert pinned[1] == version("elasticsearch").partition(".")[0]
    ours = {image for image in images if image.startswith("sulh")}
    assert ours == {f"sulh:{__version__}", f"sulh-airflow:{__version__}"}


# Airflow


def test_each_task_has_what_the_program_has_and_no_more() -> None:
    for name in SERVICES:
        if not SERVICES[name]["image"].startswith("sulh-airflow:"):
            continue
        ours = {key: value for key, value in environment(name).items() if key in environment("sulh")}
        theirs = environment("sulh")
        if name == "airflow-admin-worker":
            # With the admin's key instead, and nothing but what is sent to its own queue.
            theirs |= {"SULH_STORE_API_KEY_FILE": "/var/lib/sulh-admin/admin"}
            assert SERVICES[name]["command"][2:4] == ["--queues", "admin"]
        else:
            assert [mount for mount in mounts(name) if mount[0] != "airflow"] == mounts("sulh"), name
        assert ours == theirs, name
        assert SERVICES[name]["read_only"] and SERVICES[name]["build"]["target"] == "airflow"
        # The user elastic's password opens everything; a task has the writer's key.
        assert "ELASTIC_PASSWORD" not in str(SERVICES[name])
        assert "STANDALONE" not in str(SERVICES[name]).upper()


def test_only_the_worker_that_judges_the_archive_anew_has_the_admins_key() -> None:
    holders = {name for name in SERVICES if any(mount[0] == "admin-key" for mount in mounts(name))}
    assert holders == {"airflow-admin-key", "airflow-admin-worker"}
    made = SERVICES["airflow-admin-key"]["command"][-1]
    assert f"index key admin --out {environment('airflow-admin-worker')['SULH_STORE_API_KEY_FILE']}" in made


def test_settings_of_the_env_file_reach_the_program() -> None:
    set_here = {name for name, value in environment("sulh").items() if value != "None"}
    image = set(re.findall(r"\b(SULH_[A-Z_]+)=", DOCKERFILE))
    # Of the embedded store, of signing in as a person, of this machine's browser and of tests.
    others = {"REGISTERS", "SOURCES", "STORE_API_KEY", "STORE_USER", "STORE_PASSWORD", "KIBANA", "KIBANA_CA"}
    others |= {"DESK_PORT", "ALLOW_LOOPBACK"}
    known = {f"SULH_{name.upper()}" for name in Settings.model_fields}
    passed = known - set_here - image - {f"SULH_{name}" for name in others}
    for service in ("sulh", "admin", "setup", "airflow-scheduler", "airflow-worker", "airflow-admin-worker"):
        told = SERVICES[service]["environment"]
        # Without a value: Compose takes it from .env, and leaves out what is not set there, so that its default holds.
        assert {name for name in told if told[name] is None} == passed, service


# More machines

SHARED: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.shared.yml").read_text(encoding="utf-8"))
WORKER: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.worker.yml").read_text(encoding="utf-8"))


def test_a_worker_on_another_machine_reaches_what_its_settings_name() -> None:
    told = " ".join(environment("airflow-worker").values())
    asked = {
        (host, port or {"airflow-database": "5432"}[host])
        for host in SERVICES
        for port in re.findall(rf"(?:@|//){host}(?::(\d+))?/?", told)
    }
    assert asked == {
        ("airflow-api", "8080"),
        ("airflow-broker", "6379"),
        ("airflow-database", "5432"),
        ("elasticsearch", "9200"),
    }
    main = "${SULH_MAIN:?the first machine's address in the private network}"
    opened = {name: service["ports"] for name, service in SHARED["services"].items()}
    # On the private address alone, by the same numbers, which the settings name.
    assert opened == {host: [f"{main}:{port}:{port}"] for host, port in asked}
    assert set(WORKER["services"]) == {"airflow-worker"}
    assert {tuple(one.split("=")) for one in WORKER["services"]["airflow-worker"]["extra_hosts"]} == {
        (host, main) for host, _ in asked
    }


def test_a_worker_on_another_machine_shares_archive_and_logs_and_brings_the_key() -> None:
    brought = dict(mount.split(":")[1::-1] for mount in WORKER["services"]["airflow-worker"]["volumes"])
    for volume, path, *_ in mounts("airflow-worker"):
        assert (volume in SHARED["volumes"]) != (path in brought), volume
        # As the archive that is brought unfolds there.
        assert brought.get(path, f"./worker{path}") == f"./worker{path}"
    for volume in SHARED["volumes"].values():
        assert volume["driver_opts"]["type"] == "nfs" and "nfsvers=4" in volume["driver_opts"]["o"]
        assert volume["name"].startswith("sulh_shared_")
    page = (ROOT / "docs" / "airflow.md").read_text(encoding="utf-8")
    packed = re.search(r"--create --directory / (.+) > worker.tar", page)
    assert packed
    assert {f"/{path}" for path in packed[1].split()} == {
        environment("airflow-worker")["SULH_STORE_API_KEY_FILE"],
        environment("airflow-worker")["SULH_STORE_CA"],
    }
    assert "docker compose up --detach --no-deps airflow-worker" in page


def test_airflow_gets_its_tables_and_pools_once() -> None:
    script = SERVICES["airflow-init"]["command"][-1]
    assert "airflow db migrate" in script
    assert set(re.findall(r"pools get (\w+)", script)) <= set(POOLS)
    said = subprocess.run(
        [sys.executable, "-m", "sulh.airflow_home", "--pools"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(said.stdout).keys() == POOLS.keys()


def test_its_locked_packages_agree() -> None:
    pins: dict[str, set[tuple[str, ...]]] = {}
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-airflow.lock", "requirements-team.lock"):
        found: dict[str, list[str]] = {}
        for package, pin in re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE):
            found.setdefault(package, []).append(pin)
        for package, versions in found.items():
            pins.setdefault(package, set()).add(tuple(versions))
    assert {package: versions for package, versions in pins.items() if len(versions) > 1} == {}


# The image


def test_the_image_is_of_a_python_that_the_program_runs_on() -> None:
    tags = re.findall(r"^FROM python:(\d+)\.(\d+)-slim", DOCKERFILE, flags=re.MULTILINE)
    assert len(tags) == 3
    assert len(set(tags)) == 1
    lowest = re.search(r'^requires-python = ">=(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert lowest
    assert tuple(map(int, tags[0])) >= tuple(map(int, lowest.groups()))


def test_the_image_gets_all_that_it_needs_and_no_secret() -> None:
    wanted = re.findall(r"^COPY (?!--from)(.+) /(?:src|opt/dags)\S*$", DOCKERFILE, flags=re.MULTILINE)
    copied = [name for line in wanted for name in line.split()]
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule.removeprefix("!").rstrip("/") for rule in rules if rule.startswith("!")}
    assert let_in == set(copied)
    assert all((ROOT / name).exists() for name in copied)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = re.search(r"^packages = \[(.*?)^\]", project, flags=re.MULTILINE | re.DOTALL)
    assert packages
    assert {name.partition(".")[0] for name in re.findall(r'"([\w.]+)"', packages[1])} <= let_in
    assert not any(fnmatch.fnmatch(secret, name) for secret in (".env", "sulh.toml") for name in let_in)


def test_the_image_runs_as_nobody_special() -> None:
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, flags=re.MULTILINE)
    made = re.search(r"install --directory --owner \S+ --group \S+ --mode 0750 (/.+)$", last, flags=re.MULTILINE)
    assert made
    # A volume takes the owner of the folder that it covers, so each that is written to must be one of the image's.
    for name in of_the_program():
        assert {mount[1] for mount in mounts(name) if mount[2:] != ["ro"]} <= set(made[1].split())


# The secrets


def test_the_secrets_are_fresh_private_and_just_those_that_are_asked_for(tmp_path: Path) -> None:
    names = compose_env(COMPOSE, tmp_path / "one")
    compose_env(COMPOSE, tmp_path / "two")
    one, two = (
        dict(line.split("=", 1) for line in (tmp_path / name).read_text().splitlines()) for name in ("one", "two")
    )
    variables = re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", TEXT)
    assert set(one) == set(names) == {name for name, rest in variables if not rest.startswith(":-")}
    assert all(one[name] != two[name] for name in names)
    assert len({*one.values(), *two.values()}) == 2 * len(names)
    assert all(len(value) >= 32 and value.isalnum() for value in one.values())
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600


def test_a_variable_counts_once_and_a_comment_not() -> None:
    assert required("# ${NOT:?x}\na: ${ONE:?x} ${ONE:?y}\nb: ${TWO?z} ${THREE:-3} $${FOUR:?shell}") == ("ONE", "TWO")


def compose_env_by_hand(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sulh.compose"]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


def test_secrets_in_use_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(TEXT, encoding="utf-8")
    first = compose_env_by_hand(tmp_path)
    assert first.returncode == 0, first.stderr
    held = (tmp_path / ".env").read_text()
    assert not any(line.partition("=")[2] in first.stdout for line in held.splitlines())
    again = compose_env_by_hand(tmp_path)
    assert again.returncode == 1
    assert "stays as it is" in again.stderr
    assert (tmp_path / ".env").read_text() == held


def test_secrets_of_an_older_file_are_told_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(TEXT, encoding="utf-8")
    (tmp_path / ".env").write_text("ELASTIC_PASSWORD=old\n")
    refused = compose_env_by_hand(tmp_path)
    assert refused.returncode == 1
    assert re.search(r"lacks (\w+, )*KIBANA_PASSWORD", refused.stderr)
    assert "old" not in refused.stderr


def test_the_secrets_stay_out_of_the_repository() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^compose-env:.*\n\t@\$\(PYTHON\) -m sulh\.compose$", makefile, flags=re.MULTILINE)
