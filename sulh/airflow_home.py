"""Runs Airflow on one machine, for one person: its settings, its pools, its login, and the end of all it started.

`make airflow` calls it. Airflow itself is never imported: it is a program beside this one, as for every task.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from processors.errors import SettingsError, SulhError
from sulh.scheduled import INPUT_CLOSED, watched

DAGS = Path(__file__).parent.parent / "dags"

PORT = 18080
"""Of the pages and of the interface by which tasks report; 8080 is everybody's."""

POOLS: Mapping[str, tuple[int, str]] = {
    "sulh_crawl": (3, "Crawls at once; each is of one host, or of several where many are due"),
    "sulh_turn": (1, "Judging and deciding, which is for one at a time"),
    "sulh_backfill": (1, "Months of the past at once"),
}
"""The pools that the DAGs ask for, with their slots here; a team gives `sulh_crawl` more."""

WORKERS = POOLS["sulh_crawl"][0] + POOLS["sulh_backfill"][0] + 1
"""Tasks at once: crawls and backfills may take hours, all at a time, and an alert, judging and the watch must find a
worker beside them. Each takes 130 MB for Airflow's part and as much again for its command."""

START_SECONDS = 300.0
"""How long Airflow may take until it answers: 24 s were measured, and ten times that on a machine that is busy."""

END_SECONDS = 60.0
"""How long what is at work may take to end: a command is given 45 s."""

PAUSE_SECONDS = 5
"""Before a part that died is started again: one that always dies at once must not keep a processor busy."""

MEMORY = "status 137 says that it was killed, mostly since memory ran out: the machine's own log says so"
"""What operators are told to do about a part that died."""


def pools() -> str:
    """Give the pools as `airflow pools import` reads them."""
    made = {
        name: {"slots": slots, "description": said, "include_deferred": False} for name, (slots, said) in POOLS.items()
    }
    return json.dumps(made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where one Airflow keeps what it knows, and how it is reached."""

    folder: Path
    port: int = PORT
    dags: Path = DAGS
    program: Path = field(default_factory=lambda: Path(sys.executable).with_name("airflow"))

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def passwords(self) -> Path:
        """The file with the login, which only its owner may read."""
        return self.folder / "passwords.json"

    @property
    def log(self) -> Path:
        """What Airflow's parts say."""
        return self.folder / "standalone.log"

    def environment(self) -> dict[str, str]:
        """Give the environment in which every command of this Airflow runs."""
        return {
            **os.environ,
            # Before anything else of that name: see `_only_here`.
            "PATH": os.pathsep.join([str(self.folder / "bin"), str(self.program.parent), os.environ.get("PATH", "")]),
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": os.environ.get("AIRFLOW__CORE__PARALLELISM") or str(WORKERS),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.folder / 'airflow.db'}",
            # What a scheduler that died had begun is begun again half a minute after it is back, instead of five.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            # A changed DAG shows within seconds, at the cost of one parse of five small files.
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            # Nothing here calls home.
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def prepare(self) -> None:
        """Make folder, login, database and pools; what is there stays. Raises SulhError where Airflow is not there."""
        if not self.program.exists():
            raise SettingsError(f"{self.program}: there is no Airflow; `make airflow` installs it")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.passwords.exists():
            descriptor = os.open(self.passwords, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(json.dumps({"admin": secrets.token_urlsafe(12)}) + "\n")
        self._only_here()
        self._run("db", "migrate")
        made = self.folder / "pools.json"
        # Slots that a person changed stay: they are written once.
        if not made.exists():
            wanted = made.with_suffix(".new.json")
            wanted.write_text(pools(), encoding="utf-8")
            self._run("pools", "import", str(wanted))
            wanted.replace(made)

    def _only_here(self) -> None:
        """Have the parts of Airflow kept at work, and the log servers of scheduler and triggerer shut.

        Those listen on every interface, whatever is set; the pages read the logs as files. `airflow standalone` finds
        its parts by PATH, gives them no option, and takes no notice when one of them dies.
        """
        path = self.folder / "bin" / "airflow"
        path.parent.mkdir(exist_ok=True)
        program = shlex.quote(str(self.program))
        kept = f"exec {shlex.quote(sys.executable)} -m sulh.airflow_home --part {program}"
        path.write_text(
            "#!/bin/sh\n"
            'case "$1" in\n'
            f'scheduler|triggerer) {kept} "$@" --skip-serve-logs ;;\n'
            f'api-server|dag-processor) {kept} "$@" ;;\n'
            f'*) exec {program} "$@" ;;\n'
            "esac\n",
            encoding="utf-8",
        )
        path.chmod(0o755)

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [str(self.program), *words], env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise SulhError(f"`airflow {shlex.join(words)}` ended with status {done.returncode}:\n{last}")

    def start(self) -> Standalone:
        """Start Airflow, prepared before; gives the running one, which ends when this process does.

        Raises SulhError where something listens on its port already, such as an Airflow that was started before.
        """
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            raise SulhError(
                f"port {self.port} of 127.0.0.1 is in use: does an Airflow run already? End it, or choose another with"
                " AIRFLOW_PORT"
            )
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(self.program), "standalone"],
                env=self.environment(),
                # Its parts inherit it, and end when it closes, also where this process was killed.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C comes to this process, which ends that one and what it started in order.
                start_new_session=True,
            )
        return Standalone(home=self, process=process)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standalone:
    """An Airflow that runs."""

    home: Home
    process: subprocess.Popen[bytes]

    def wait_until_ready(self) -> None:
        """Wait until scheduler and pages are at work. Raises SulhError, with what was said last, where they are not."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(OSError, ValueError, KeyError):
                with urllib.request.urlopen(f"{self.home.address}/api/v2/monitor/health", timeout=5) as answer:
                    health = json.load(answer)
                if all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor", "metadatabase")):
                    return
            time.sleep(0.5)
        last = "\n".join(self.home.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise SulhError(f"Airflow did not start; {self.home.log} ends with:\n{last}")

    def stop(self) -> None:
        """End it and all that it started: asked first, killed where it does not."""
        left = descendants(self.process.pid)
        # As Ctrl-C would: the one signal on which it ends its parts.
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + (10 if number is signal.SIGTERM else END_SECONDS)
            while time.monotonic() < end and (self.process.poll() is None or left):
                # Tasks have groups of their own and outlive their scheduler.
                left = {pid for pid in left | descendants(self.process.pid) if alive(pid)}
                time.sleep(0.2)
            for pid in left | ({self.process.pid} if self.process.poll() is None else set()):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def keep_part(program: str, words: Sequence[str]) -> int:
    """Keep a part of Airflow at work until this is told to end: one that dies is started again, and operators told.

    What a dead one leaves is killed: a scheduler's workers would wait for ever, and their tasks are begun again.
    """
    parent = os.getppid()
    while True:
        status, asked = watched([program, *words], grace=END_SECONDS)
        if not asked:
            said = f"Airflow's {words[0]} ended with status {status} and is started again"
            print(said, flush=True)
            for meanwhile in (
                ["-m", "sulh", "watch", "tell", "airflow", words[0], "--said", said, "--todo", MEMORY],
                ["-c", f"import time; time.sleep({PAUSE_SECONDS})"],
            ):
                asked = asked or watched([sys.executable, *meanwhile])[1]
        if asked:
            # Who started Airflow is gone, and its own process would stay without parts.
            if INPUT_CLOSED in asked and os.getppid() == parent:
                os.kill(parent, signal.SIGINT)
            return status


def descendants(pid: int) -> set[int]:
    """Give the processes that a process started, and those that these did; of its session also the orphans."""
    said = subprocess.run(["ps", "-Ao", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    orphans = []
    for line in said.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
        with suppress(ProcessLookupError, PermissionError):
            if child != pid and os.getsid(child) == pid:
                orphans.append(child)
    found = set(orphans)
    asked = [pid, *orphans]
    while asked:
        for child in children.get(asked.pop(), ()):
            found.add(child)
            asked.append(child)
    return found


def alive(pid: int) -> bool:
    """Say whether a process still runs; one that has ended and was not asked for its status does not."""
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(said.strip()) and not said.startswith("Z")


def main(arguments: Sequence[str], *, echo: Callable[[str], None] = print) -> int:
    """Run Airflow in the folder that the arguments name until Ctrl-C, and say where it is and how to sign in.

    With `--pools` print the pools, and that is all; with `--part` keep one of its parts at work.
    """
    if list(arguments) == ["--pools"]:
        echo(pools())
        return 0
    if arguments and arguments[0] == "--part":
        return keep_part(arguments[1], arguments[2:])
    folder = Path(arguments[0] if arguments else "airflow-home").absolute()
    home = Home(folder=folder, port=int(os.environ.get("AIRFLOW_PORT", PORT)))
    try:
        echo("preparing Airflow, which takes half a minute …")
        home.prepare()
        running = home.start()
    except (SulhError, OSError) as error:
        print(f"airflow: {error}", file=sys.stderr)
        return 1

    def stopped(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stopped)
    try:
        running.wait_until_ready()
        password = json.loads(home.passwords.read_text(encoding="ascii"))["admin"]
        echo(f"Airflow runs at {home.address}: sign in as admin with the password {password}")
        echo(f"It says what it does in {home.log}; Ctrl-C ends it.")
        status = running.process.wait()
        print(f"airflow: it ended with status {status}; {home.log} says more", file=sys.stderr)
        return 1
    except SulhError as error:
        print(f"airflow: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        echo("ending Airflow and its tasks …")
        return 0
    finally:
        running.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
