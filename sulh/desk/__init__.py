"""The desk: pages to browse the embedded store, read-only, on this machine."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from datasette.app import Datasette
from datasette.database import Database
from datasette.plugins import pm

from processors.errors import SulhError
from processors.register import Registers
from sulh import board
from sulh.desk import pages, words
from sulh.pipeline import registers_of

_HERE = Path(__file__).parent
_T = TypeVar("_T")

# Every Datasette of a process shares one list of plugins; `pages` answers for a Desk only.
if not pm.is_registered(pages):
    pm.register(pages, name="sulh.desk.pages")


class Desk(Datasette):  # type: ignore[misc]
    """A Datasette that shows the desk's pages over one store and nothing else: no tables, no SQL, no writes."""

    def __init__(
        self,
        store: Path,
        *,
        home: Path | None,
        sources: Path | None,
        registers: Registers,
        now: Callable[[], datetime],
        hosts: frozenset[str],
    ) -> None:
        """Take where store, archive and sources are, the claims, the clock, and the host names answered to."""
        # Before the rest: Datasette asks the plugins for routes while it is being made.
        self.store = store
        self.home = home
        self.sources = sources
        self.claims = registers
        self.now = now
        self.hosts = hosts
        super().__init__(
            template_dir=str(_HERE / "templates"),
            static_mounts=[("assets", str(_HERE / "static"))],
            settings={
                "default_allow_sql": False,
                "allow_download": False,
                "allow_facet": False,
                "suggest_facets": False,
                # Pages of a live store: a reader's click must show what is there now.
                "default_cache_ttl": 0,
                "num_sql_threads": 3,
            },
        )
        self.remove_database("_memory")
        self.add_database(_Live(self, store), name="store")
        for name, function in vars(words).items():
            if callable(function) and getattr(function, "__module__", "") == words.__name__:
                self.jinja_env.filters[name] = function
        self.jinja_env.globals["words"] = words
        self.jinja_env.trim_blocks = self.jinja_env.lstrip_blocks = True


class _Live(Database):  # type: ignore[misc]
    """The store, opened anew for each page: a store that was rebuilt in its place is seen at the next click."""

    def __init__(self, desk: Desk, path: Path) -> None:
        super().__init__(desk, path=str(path), is_mutable=True)

    def connect(self, write: bool = False) -> sqlite3.Connection:
        assert not write, "the desk only reads"
        return board.connect(Path(self.path))

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], _T]) -> _T:
        def run() -> _T:
            with board.reading(Path(self.path)) as connection:
                return fn(connection)

        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, run)


def app(
    store: Path,
    *,
    home: Path | None = None,
    sources: Path | None = None,
    registers: Registers | None = None,
    now: Callable[[], datetime] | None = None,
    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "[::1]"}),
) -> Desk:
    """Give the desk over a store as an application. Raises StoreError where there is no store that it can read.

    With ``home`` the archive there is asked for the health of the sources and for what waits to be processed;
    ``sources`` is the folder of the person's own sources, which need not exist.
    Only requests for ``hosts`` are answered: a page elsewhere must not reach the desk by pointing its own name here.
    """
    board.connect(store).close()
    return Desk(
        store,
        home=home,
        sources=sources,
        registers=registers if registers is not None else registers_of(None),
        now=now or (lambda: datetime.now(UTC)),
        hosts=hosts,
    )


def serve(
    store: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8020,
    home: Path | None = None,
    sources: Path | None = None,
    registers: Registers | None = None,
    now: Callable[[], datetime] | None = None,
    ready: Callable[[str], Any] | None = None,
) -> None:
    """Serve the desk until interrupted; ``ready`` is called with its address once it listens. Port 0 takes a free one.

    Raises StoreError, or DeskError where the port is taken.
    """
    names = {host, f"[{host}]", "localhost", "127.0.0.1", "[::1]"}
    desk = app(store, home=home, sources=sources, registers=registers, now=now, hosts=frozenset(names))
    with _listening(host, port) as listener:
        address = listener.getsockname()
        name = f"[{address[0]}]" if ":" in address[0] else address[0]
        # Without uvicorn's access log: what an analyst reads is nobody's business, not even the terminal's.
        server = uvicorn.Server(uvicorn.Config(desk.app(), log_level="warning", access_log=False, server_header=False))
        with _closed_by_signals(server):
            if ready is not None:
                ready(f"http://{name}:{address[1]}/")
            server.run(sockets=[listener])


class DeskError(SulhError):
    """The desk cannot be served."""


@contextmanager
def _closed_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM close the desk in good order, from before it says that it is open.

    uvicorn does so itself while it serves, and then raises the signal again, for which there is nothing left to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, server.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise DeskError(
            f"{host}:{port}: the desk cannot listen here: {error.strerror}; is a desk open already?"
            " Choose another port with --port or SULH_DESK_PORT"
        ) from error
    return listener
