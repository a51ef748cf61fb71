"""What every test may use."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest

with warnings.catch_warnings():
    # Datasette leaves a connection open while it is imported, which Python 3.13 and later complain about.
    warnings.simplefilter("ignore", ResourceWarning)
    import datasette.app  # noqa: F401

from tests.elastic.node import Lacking, Node, Running


def absent(part: str, why: str) -> NoReturn:
    """Skip a test whose part of the machine is absent; fail instead where `REQUIRED_PARTS` lists the part.

    A skipped test looks much like a passed one: where a part must be there, such as in the full run, say so with
    ``REQUIRED_PARTS=browser,…``.
    """
    if part in os.environ.get("REQUIRED_PARTS", "").replace(",", " ").split():
        pytest.fail(f"REQUIRED_PARTS lists {part}, but {why}", pytrace=False)
    pytest.skip(f"needs {part}: {why}")


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run without the settings of the person who runs the tests, in a folder of its own."""
    for name in list(os.environ):
        if name.startswith("SULH_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _node(**options: Any) -> Node:
    try:
        return Node(**{"quick": True, **options})
    except Lacking as lacking:
        absent("elasticsearch", str(lacking))


@pytest.fixture(scope="session")
def node() -> Iterator[Running]:
    """A real Elasticsearch without security, shared by the whole session: keep to names with your own `prefix`.

    With ``SULH_TEST_NODE=http://127.0.0.1:PORT`` it is the one that runs there already
    (``python -m tests.elastic.node`` starts one), which saves its start.
    """
    if address := os.environ.get("SULH_TEST_NODE"):
        yield Running(url=address)
        return
    with _node() as started:
        yield started


@pytest.fixture(scope="session")
def secure_node() -> Iterator[Running]:
    """A real Elasticsearch with TLS, users, roles and API keys, shared by the whole session.

    ``SULH_TEST_SECURE_NODE`` may name a file with what ``python -m tests.elastic.node --secure`` printed.
    """
    if said := os.environ.get("SULH_TEST_SECURE_NODE"):
        yield Running.read(said)
        return
    with _node(secure=True) as started:
        yield started


@pytest.fixture
def own_node() -> Iterator[Callable[..., Node]]:
    """Makes nodes that a test may kill, not started yet; they end with the test."""
    with ExitStack() as nodes:

        def make(**options: Any) -> Node:
            made = _node(**options)
            nodes.callback(made.close)
            return made

        yield make


@pytest.fixture
def prefix(node: Running) -> Iterator[str]:
    """A prefix of this test's own for names in the shared node; what bears it is removed after the test."""
    name = f"t{uuid4().hex[:12]}"
    yield name
    node.clear(name)


@pytest.fixture
def secure_prefix(secure_node: Running) -> Iterator[str]:
    """The same for the shared secure node; roles, users and keys are the test's own to name and leave."""
    name = f"t{uuid4().hex[:12]}"
    yield name
    secure_node.clear(name)
