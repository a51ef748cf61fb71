"""The `sulh` command lines that a text holds, and whether the program takes them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from sulh.cli import main

PROGRAM = re.compile(r"(?:\S*/)?sulh$")
COMPOSE_RUN = ("docker", "compose", "run", "--rm")
PROGRAM_SERVICES = ("sulh", "admin")
"""Services of docker-compose.yml whose entry point is the program."""


def arguments(line: str) -> list[str] | None:
    """Give what a line of a shell hands to the program, None where it calls another."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    for at, word in enumerate(words):
        if word in ("|", "||", "&&", ">", ">>", ";"):
            words = words[:at]
            break
    if tuple(words[:4]) == COMPOSE_RUN:
        words = words[4:]
        while words and words[0].startswith("-"):
            option = words.pop(0)
            if option == "--entrypoint":
                return None
            if option in ("--env", "--volume"):
                words.pop(0)
        return words[1:] if words and words[0] in PROGRAM_SERVICES else None
    return words[1:] if words and PROGRAM.match(words[0]) else None


def refusal(words: list[str]) -> str:
    """Say why the program would refuse the words; empty where it takes them. Nothing is run."""
    command: click.Command = main
    context: click.Context | None = None
    name = "sulh"
    try:
        while True:
            context = command.make_context(name, list(words), parent=context)
            if not isinstance(command, click.Group):
                return ""
            rest = [*context._protected_args, *context.args]
            if not rest:
                return "" if command.invoke_without_command else f"{context.command_path} wants a command"
            found, inner, words = command.resolve_command(context, rest)
            assert found is not None and inner is not None
            name, command = found, inner
    except click.exceptions.Exit:
        return ""  # --help and --version
    except click.UsageError as error:
        return error.format_message()


def fenced(text: str) -> Iterator[str]:
    """Give the lines of the fenced blocks of a Markdown text, a prompt taken off, those that go on put together."""
    for block in re.findall(r"^```(?:console|sh)?\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        joined = block.replace("\\\n", " ")
        for line in joined.splitlines():
            yield line.removeprefix("$ ")
