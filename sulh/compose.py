"""The secrets of the team's servers: `make compose-env` writes those that docker-compose.yml asks for into `.env`.

Only the standard library is used: a machine that has Docker and Python needs nothing else for it.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from processors.errors import SettingsError, SulhError

REQUIRED = re.compile(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*):?\?")
"""A variable that Compose refuses to do without: `${NAME:?…}` or `${NAME?…}`; `$$` is a plain dollar sign."""

BYTES = 32
"""Of randomness in a secret: 256 bits, written as 64 hexadecimal digits. Kibana asks for keys of 32 characters or more,
and digits alone mean the same to Compose, to a shell and in JSON."""


def required(compose: str) -> tuple[str, ...]:
    """Give the names of the variables without a default, each once, in the order in which they are first named."""
    lines = (line for line in compose.splitlines() if not line.lstrip().startswith("#"))
    return tuple(dict.fromkeys(REQUIRED.findall("\n".join(lines))))


def compose_env(compose: Path, env: Path) -> tuple[str, ...]:
    """Write a fresh secret for each required variable of the compose file into a new file that only its owner reads.

    Gives the names. Raises SettingsError where the file is there already: it holds the passwords of running servers.
    """
    names = required(compose.read_text(encoding="utf-8"))
    try:
        # Made with its mode, never for a moment readable by others.
        descriptor = os.open(env, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SettingsError(already(env, names)) from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{name}={secrets.token_hex(BYTES)}\n" for name in names)
    except OSError:
        with suppress(OSError):
            env.unlink()
        raise
    return names


def already(env: Path, names: tuple[str, ...]) -> str:
    """Say that the file stays as it is, and which variables a newer compose file would have in it."""
    held = {line.partition("=")[0].strip() for line in env.read_text(encoding="utf-8").splitlines()}
    lacking = [name for name in names if name not in held]
    if lacking:
        return (
            f"{env} is there already and lacks {', '.join(lacking)}: add a line NAME=SECRET for each, "
            f'a secret is printed by: python3 -c "import secrets; print(secrets.token_hex({BYTES}))"'
        )
    return (
        f"{env} is there already and stays as it is, for it holds the passwords of your servers; to begin anew "
        f"and lose what the servers hold: docker compose down --volumes, then remove {env}"
    )


def main() -> int:
    """Write `.env` beside the `docker-compose.yml` of the working folder, and say what to do next."""
    env = Path(".env")
    try:
        names = compose_env(Path("docker-compose.yml"), env)
    except (SulhError, OSError) as error:
        print(f"compose-env: {error}", file=sys.stderr)
        return 1
    print(f"{env}: {len(names)} fresh secrets, readable by you alone: {', '.join(names)}")
    print("next: docker compose up --detach")
    return 0


if __name__ == "__main__":
    sys.exit(main())
