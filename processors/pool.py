"""Runs a function over items in processes that can be killed, so that one poison item costs itself and nothing else."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import multiprocessing
import os
import pickle
import reprlib
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

RECYCLE_AFTER = 5_000
"""Items a worker takes before a fresh one replaces it. lxml and the caches of trafilatura and htmldate may grow with
what they meet; a start costs about 1 s of imports and warming, so renewal is cheap at this distance. A choice: the
peak of a worker did not rise over 50,000 texts (`benchmarks.memory`)."""

LOOK_AHEAD = 64
"""Results a worker may be ahead of the one that is waited for: it keeps the others busy while one item runs into its
limit, and holds at most some hundred documents."""

START_SECONDS = 120.0
"""A worker that is not ready by then (imports, initializer) never will be; on a busy machine a start takes seconds."""

_PIPE = 1 << 20
_ROOM = _PIPE - 4_096 if sys.platform == "linux" else 0
"""Bytes that the pipe to a worker holds: Linux gives no user more. A next item that fits waits there, so that the
worker need not; a larger one is sent only to a worker that reads, or the parent would block and miss the clock."""


@dataclass(frozen=True, slots=True)
class Overdue(Generic[T]):
    """An item whose work was killed because it took longer than it may."""

    item: T
    seconds: float


@dataclass(frozen=True, slots=True)
class Died(Generic[T]):
    """An item whose worker ended in the midst of it: a crash in C code, `os._exit`, or the kernel short of memory."""

    item: T
    exitcode: int
    """Negative: the signal that ended it."""


class PoolError(RuntimeError):
    """Workers cannot be started, which no item is to blame for."""


@dataclass(slots=True)
class _Task(Generic[T]):
    number: int
    item: T
    payload: bytes


@dataclass(slots=True)
class _Raised:
    error: BaseException


class _Run(Generic[T, R]):
    """One pass over the items: what was taken, what waits, what is done but not yet given."""

    def __init__(self, source: Iterator[T], ahead: int) -> None:
        self._source, self._ahead, self._taken = source, ahead, 0
        self._exhausted = False
        self.waiting: deque[_Task[T]] = deque()
        """Taken, and to be handed out before anything new: what a killed worker had in its pipe."""
        self.done: dict[int, R | Overdue[T] | Died[T] | _Raised] = {}
        self.given = 0

    @property
    def over(self) -> bool:
        return self._exhausted and self.given == self._taken

    def next(self) -> _Task[T] | None:
        """Give the next task, or None where there is none or the results are far enough ahead."""
        if self.waiting:
            return self.waiting.popleft()
        if self._exhausted or self._taken >= self.given + self._ahead:
            return None
        try:
            item = next(self._source)
        except StopIteration:
            self._exhausted = True
            return None
        except Exception as error:
            self._exhausted = True
            self.done[self._taken] = _Raised(error)
            self._taken += 1
            return None
        task = _Task(self._taken, item, pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL))
        self._taken += 1
        return task


@dataclass(slots=True)
class _Worker(Generic[T]):
    process: BaseProcess
    requests: Connection
    replies: Connection
    lifeline: Connection
    """Its other end tells the worker that this process is gone."""
    deadline: float
    """On the monotonic clock, for what it does now: start, or its first task."""
    ready: bool = False
    taken: int = 0
    tasks: deque[_Task[T]] = field(default_factory=deque)
    """At most two: the one it works on, and one that waits in the pipe."""


class Pool(Generic[T, R]):
    """Worker processes for one function; `map` gives its results in order and names the items that were given up.

    `work` is a function that pickle can name, or its dotted name. `initializer`, likewise, is called once in each
    worker before its first item; neither it nor the start counts against an item. `preload` names modules to import
    once for all workers. Workers come from a fork server, so that threads of this process do no harm. They end with
    this process, also when it is killed.
    """

    def __init__(
        self,
        work: Callable[[T], R] | str,
        *,
        workers: int,
        wall_seconds: float,
        initializer: Callable[[], object] | str | None = None,
        preload: Iterable[str] = (),
        recycle_after: int = RECYCLE_AFTER,
    ) -> None:
        if workers < 1 or wall_seconds <= 0 or recycle_after < 1:
            raise ValueError("workers, wall_seconds and recycle_after must be positive")
        self._work, self._initializer = work, initializer
        self._count, self._wall, self._recycle_after = workers, wall_seconds, recycle_after
        self._context = multiprocessing.get_context("forkserver")
        self._preload = [*preload, *(_module(each) for each in (work, initializer) if each is not None)]
        self._workers: list[_Worker[T]] = []
        self._open = False

    def __enter__(self) -> Self:
        self._open = True
        self._context.set_forkserver_preload(["__main__", __name__, *self._preload])
        while len(self._workers) < self._count:
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._workers:
            self._end(self._workers[-1])
        self._open = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The worker processes of this moment; others take their places in time."""
        return tuple(worker.process.pid for worker in self._workers if worker.process.pid is not None)

    def map(self, items: Iterable[T]) -> Iterator[R | Overdue[T] | Died[T]]:
        """Give the result for each item, in the order of the items, which are taken as they are needed.

        What `work` raises is raised here in its turn, after the results of the items before it, with the item named in
        its notes; so is what `items` raises. Raises PoolError when workers cannot be started.
        """
        if not self._open:
            raise PoolError("the pool is not open: use it as a context manager")
        run = _Run[T, R](iter(items), LOOK_AHEAD * self._count)
        try:
            while not run.over:
                self._hand_out(run)
                while run.given in run.done:
                    outcome = run.done.pop(run.given)
                    run.given += 1
                    if isinstance(outcome, _Raised):
                        raise outcome.error
                    yield outcome
                if not run.over:
                    self._collect(run)
        finally:
            # After an error or an abandoned loop: what they still work on belongs to nobody.
            for worker in [each for each in self._workers if each.tasks]:
                self._replace(worker)

    def _hand_out(self, run: _Run[T, R]) -> None:
        """Give every free worker an item, then put a second one in the pipe of each where it fits."""
        for worker in [each for each in self._workers if each.ready and not each.tasks]:
            if (task := run.next()) is None:
                return
            worker.deadline = time.monotonic() + self._wall
            self._send(worker, task)
        for worker in self._workers:
            if worker.ready and len(worker.tasks) == 1 and worker.taken < self._recycle_after:
                if (task := run.next()) is None:
                    return
                if len(task.payload) + len(worker.tasks[0].payload) > _ROOM:
                    run.waiting.appendleft(task)
                    return
                self._send(worker, task)

    def _send(self, worker: _Worker[T], task: _Task[T]) -> None:
        worker.tasks.append(task)
        worker.taken += 1
        # A broken pipe is a worker that died: collecting finds that out, and during which task.
        with contextlib.suppress(OSError):
            worker.requests.send_bytes(task.payload)

    def _collect(self, run: _Run[T, R]) -> None:
        """Wait for what happens first (a result, a death, the end of a limit) and take it in."""
        now = time.monotonic()
        ends = [each.deadline for each in self._workers if each.tasks or not each.ready]
        ready = wait([each.replies for each in self._workers], max(0.0, min(ends) - now) if ends else None)
        for worker in list(self._workers):
            if worker.replies in ready:
                self._receive(worker, run)
            elif (
                (worker.tasks or not worker.ready) and time.monotonic() >= worker.deadline and not worker.replies.poll()
            ):
                if not worker.ready:
                    raise PoolError(f"a worker was not ready after {START_SECONDS:.0f} s")
                task = worker.tasks.popleft()
                run.done[task.number] = Overdue(task.item, self._wall)
                run.waiting.extendleft(reversed(worker.tasks))
                self._replace(worker)

    def _receive(self, worker: _Worker[T], run: _Run[T, R]) -> None:
        try:
            kind, value = pickle.loads(worker.replies.recv_bytes())
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode or 0
            if not worker.ready:
                raise PoolError(f"a worker ended with exit code {code} before it was ready") from None
            if worker.tasks:
                task = worker.tasks.popleft()
                run.done[task.number] = Died(task.item, code)
                run.waiting.extendleft(reversed(worker.tasks))
            self._replace(worker)
            return
        if kind == "ready":
            worker.ready = True
            return
        if kind == "broken":
            raise PoolError(f"a worker could not start: {value}")
        task = worker.tasks.popleft()
        worker.deadline = time.monotonic() + self._wall
        if kind == "raised":
            error, story = value
            error.add_note(f"while working on {_named(task.item)}")
            error.add_note(story)
            run.done[task.number] = _Raised(error)
        else:
            run.done[task.number] = value
        if worker.taken >= self._recycle_after and not worker.tasks:
            self._replace(worker)

    def _replace(self, worker: _Worker[T]) -> None:
        self._end(worker)
        self._start()

    def _start(self) -> None:
        theirs, requests = self._context.Pipe(duplex=False)
        replies, back = self._context.Pipe(duplex=False)
        # One each: workers that shared it would overwrite each other's claim to its signal.
        watched, lifeline = self._context.Pipe(duplex=False)
        if sys.platform == "linux":
            fcntl.fcntl(requests.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        process = self._context.Process(
            target=_serve,
            args=(theirs, back, watched, self._work, self._initializer),
            daemon=True,
            name="sulh-worker",
        )
        process.start()
        for end in (theirs, back, watched):
            end.close()
        self._workers.append(_Worker(process, requests, replies, lifeline, time.monotonic() + START_SECONDS))

    def _end(self, worker: _Worker[T]) -> None:
        worker.process.kill()
        worker.process.join()
        worker.requests.close()
        worker.replies.close()
        worker.lifeline.close()
        worker.process.close()
        self._workers.remove(worker)


def _module(function: Callable[..., object] | str) -> str:
    return function.rpartition(".")[0] if isinstance(function, str) else function.__module__


def _named(item: object) -> str:
    """Name an item in a message: by its address where it has one, never with megabytes of body."""
    return str(getattr(item, "url", None) or reprlib.repr(item))


def _function(function: Callable[..., Any] | str) -> Callable[..., Any]:
    if not isinstance(function, str):
        return function
    module, _, name = function.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _serve(
    requests: Connection,
    replies: Connection,
    lifeline: Connection,
    work: Callable[[Any], Any] | str,
    initializer: Callable[[], object] | str | None,
) -> None:
    """Do what the parent asks until it closes the pipe; the body of a worker process."""
    # Ctrl-C goes to every process of the terminal; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nothing is ever written to the lifeline: only the end of the parent, however it comes, makes the kernel send
    # SIGIO, whose default is to end the process, so that a worker that hangs in C code goes too. The parent-death
    # signal would not do: the parent of a worker is the fork server, which lives as long as any worker does.
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline.fileno(), fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline.fileno(), fcntl.F_SETFL, fcntl.fcntl(lifeline.fileno(), fcntl.F_GETFL) | os.O_ASYNC)
    if lifeline.poll():
        return
    try:
        do = _function(work)
        if initializer is not None:
            _function(initializer)()
    except Exception as error:
        replies.send_bytes(pickle.dumps(("broken", f"{type(error).__name__}: {error}")))
        return
    replies.send_bytes(pickle.dumps(("ready", None)))
    while True:
        try:
            item = pickle.loads(requests.recv_bytes())
        except EOFError:
            return
        try:
            reply = pickle.dumps(("done", do(item)), protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            reply = pickle.dumps(("raised", (_portable(error), "".join(traceback.format_exception(error)))))
        try:
            replies.send_bytes(reply)
        except OSError:
            return


def _portable(error: Exception) -> Exception:
    """Give the error, or one that says the same where pickle cannot take it there and back."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error if type(copy) is type(error) else RuntimeError(f"{type(error).__name__}: {error}")
