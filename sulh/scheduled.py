"""Runs one `sulh` command for a scheduler's task: in a process of its own, which ends when the task does.

Only the standard library is used, and nothing of the scheduler: what runs here is what a person would type. Between
the task and the command stands a keeper, this module run as a program. Whatever becomes of the task, also when it is
killed at once, the keeper's standard input closes: then it asks the command to end, waits, and kills its group.
"""

from __future__ import annotations

import json
import os
import queue
import re
import selectors
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import IO, Any

GRACE_SECONDS = 45.0
"""How long a command may take to end when it is asked to: a crawl gives its own processes 30 s."""

LOOK_SECONDS = 1.0
"""How often a task looks whether what started it is still there."""

LAST_LINES = 20
"""Lines of what a command said last that go into its error, and to the operators: a trace and what led to it."""


SHOWN_ROWS, SHOWN_CHARACTERS = 100, 2_000
"""How much of what a command printed stands in the log: a person reads no more, and the program has it all."""


class CommandError(Exception):
    """A command that was not done: `status` is its exit status, `said` what it said last, `rows` what it printed."""

    def __init__(self, words: Sequence[str], status: int, said: str, rows: Sequence[Any] = ()) -> None:
        self.status, self.said, self.rows = status, said, list(rows)
        ended = f"was killed by {_name(status - 128)}" if status > 128 else f"ended with status {status}"
        super().__init__(f"`{shlex.join(words)}` {ended}" + (f":\n{said}" if said else ""))


class WrongUsageError(CommandError):
    """A command line that the program refuses: the same one is refused again, so nothing is gained by a second try."""


class KilledError(CommandError):
    """A command that a signal ended, such as the kernel's when memory ran out: a second try may well succeed."""


class StoppedError(BaseException):
    """The task was told to end. Not an Exception: code that handles errors must not take it for one and go on."""


def words_of(arguments: Sequence[str]) -> list[str]:
    """Give the whole command line; what stands behind ``--`` stays names, not options."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return ["sulh", *arguments[:at], "--json", *arguments[at:]]


def sulh(*arguments: str, given: str | None = None, say: Callable[[str], None] = print) -> list[Any]:
    """Run `sulh ARGUMENTS… --json` to its end and give the JSON values that it printed, one a line.

    What the command says on stderr is said line by line as it comes; `given` is its standard input. When this is left
    by an exception or a signal, or the process that started this one ends, the command is asked to end and, where it
    does not, killed with all that it started.
    Raises WrongUsageError for status 2, KilledError where a signal ended it, and CommandError for any other but 0.
    """
    words = words_of(arguments)
    parent = os.getppid()
    say(f"$ {shlex.join(words)}")
    last: deque[str] = deque(maxlen=LAST_LINES)
    printed: list[str] = []
    with _sigterm_stops(), _kept(words[1:], given) as (keeper, end):
        said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        # In threads, so that neither stream fills up while the other is read.
        reading = threading.Thread(target=lambda: printed.extend(_lines(keeper.stdout)), daemon=True)
        telling = threading.Thread(target=_hand_over, args=(keeper.stderr, said), daemon=True)
        for thread in (reading, telling):
            thread.start()
        try:
            while (line := _next(said, parent)) is not None:
                last.append(line)
                say(line)
        except BaseException:
            end()
            # How it ends belongs into the log too; and a full pipe would keep it from ending.
            while (line := said.get()) is not None:
                # Where the log has gone away, that is not the error to tell of.
                with suppress(OSError):
                    say(line)
            raise
        for thread in (reading, telling):
            thread.join()
        status = keeper.wait()
    rows: list[Any] = []
    for number, line in enumerate(printed):
        if number < SHOWN_ROWS:
            say(line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…")
        try:
            rows.append(json.loads(line))
        except ValueError:
            if status == 0:
                raise
    if status == 0:
        return rows
    kind = WrongUsageError if status == 2 else KilledError if status > 128 else CommandError
    raise kind(words, status, "\n".join(last), rows)


@contextmanager
def _kept(arguments: Sequence[str], given: str | None) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """Start the keeper in a session of its own, where no signal to the task's group reaches it; end with it.

    Gives it, and what asks it to end.
    """
    text = (given or "").encode()
    keeper = subprocess.Popen(
        [sys.executable, "-m", "sulh.scheduled", str(len(text)), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stdin is not None and keeper.stdout is not None and keeper.stderr is not None
    try:
        with suppress(BrokenPipeError):
            keeper.stdin.write(text)
            keeper.stdin.flush()
        yield keeper, keeper.stdin.close
    finally:
        keeper.stdin.close()
        # It has waited for the command, and for no longer than the command may take.
        keeper.wait(timeout=GRACE_SECONDS + 15)
        keeper.stdout.close()
        keeper.stderr.close()


@contextmanager
def _sigterm_stops() -> Iterator[None]:
    """Turn SIGTERM into StoppedError: a scheduler's own handler may do no more than take note of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        # The scheduler may send it twice, to the task and to its group.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise StoppedError(f"stopped by {_name(number)}")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _next(said: queue.SimpleQueue[str | None], parent: int) -> str | None:
    """Give the next line, None after the last. Raises StoppedError where the process that started this one is gone.

    Nobody would take note of what this one does: the task is begun again, and must not find itself at work already.
    """
    while True:
        with suppress(queue.Empty):
            return said.get(timeout=LOOK_SECONDS)
        if os.getppid() != parent:
            raise StoppedError("the process that started the task has ended")


def _hand_over(stream: IO[bytes] | None, lines: queue.SimpleQueue[str | None]) -> None:
    try:
        for line in _lines(stream):
            lines.put(line)
    finally:
        lines.put(None)


def _lines(stream: IO[bytes] | None) -> Iterator[str]:
    for line in stream or ():
        yield line.decode("utf-8", "replace").rstrip()


def _name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


# What a task needs beside the command


def tell_operators(context: Mapping[str, Any]) -> None:
    """Tell the operators of a failed task, by what its command said last; never fails itself.

    A scheduler calls this with its own context of the task. The same failure is told once while it keeps coming; the
    months of one backfill are one failure, which an outlet that is down would else repeat for each of them.
    """
    task, error = context["ti"], context.get("exception")
    which = str(getattr(task, "rendered_map_index", None) or "")
    said = error.said if isinstance(error, CommandError) and error.said else str(error or "it was killed")
    given = context.get("params") or {}
    if given.get("source"):
        said = f"{which}:\n{said}" if which else said
        which = f"{given['source']}, {given.get('from', '')} to {given.get('to', '')}"
    about = ": ".join(part for part in (task.dag_id, task.task_id, which) if part)
    try:
        log = getattr(task, "log_url", "")
        todo = ["--todo", f"read its log: {log}"] if log else []
        sulh("watch", "tell", "task-failed", about, "--said", "-", *todo, given=said)
    except CommandError as untold:
        print(f"the operators could not be told of {about}: {untold}", file=sys.stderr)


def tell_waiting(context: Mapping[str, Any], what: str) -> None:
    """Tell the operators that a run waits for a person; never fails itself."""
    task = context["ti"]
    about = f"{task.dag_id}: {task.run_id}"
    try:
        sulh("watch", "tell", "approval-waits", about, "--said", what, "--todo", "Airflow: Browse, Required Actions")
    except CommandError as untold:
        print(f"the operators could not be told of {about}: {untold}", file=sys.stderr)


def over_server(environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether the store is a server rather than a file."""
    return environ.get("SULH_STORE", "").lower().startswith(("http://", "https://"))


def pages(*names: str, environ: Mapping[str, str] = os.environ) -> str:
    """Give links in Markdown to pages of the desk; over a server, which has no desk, what shows the same there."""
    if over_server(environ):
        said = "Kibana's dashboards (docs/kibana.md), or in a shell " + ", ".join(f"`sulh {name}`" for name in names)
        return said
    desk = f"http://127.0.0.1:{environ.get('SULH_DESK_PORT', '8020')}"
    return ", ".join(f"[{name}]({desk}/{name})" for name in names) + " (on the machine where `sulh desk` runs)"


def spans(first: str, last: str, *, most: int = 1000) -> list[dict[str, str]]:
    """Cut the days from `first` to `last` into months, or longer spans where there were more than `most`."""
    since, until = date.fromisoformat(first), date.fromisoformat(last)
    if until < since:
        raise ValueError(f"the last day, {last}, lies before the first, {first}")
    months = (until.year - since.year) * 12 + until.month - since.month + 1
    step = -(-months // most)
    cut, begin = [], since
    while begin <= until:
        month = begin.year * 12 + begin.month - 1 + step
        following = date(month // 12, month % 12 + 1, 1)
        cut.append({"from": begin.isoformat(), "to": min(until, following - timedelta(days=1)).isoformat()})
        begin = following
    return cut


BACKFILL = ("source", "from", "to", "via", "files")
"""What a backfill is given."""


def months(params: Mapping[str, Any]) -> list[dict[str, str]]:
    """Cut what a backfill is to fetch into months, checked before any is fetched.

    Raises ValueError with one sentence for what can't be fetched, WrongUsageError for a source that is not configured.
    """
    if unknown := sorted(set(params) - set(BACKFILL)):
        raise ValueError(f"unknown: {', '.join(unknown)}; expected some of {', '.join(BACKFILL)}")
    warc, files = params["via"] == "warc", params["files"]
    if warc != bool(files):
        raise ValueError("via warc takes files, and none were given" if warc else "only via warc takes files")
    # Files are read from their beginning each time: once is enough.
    cut = spans(params["from"], params["to"], most=1 if warc else 1000)
    sulh("sources", "show", params["source"])
    return cut


def missing_in_words(cut: Sequence[Mapping[str, str]], fetched: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Say what the past of a source lacks after all months: months, days in runs across them, lists and pages."""
    rows = [row for month in fetched for row in month]
    had = {(row["from"], row["to"]) for row in rows}
    lines = [f"not fetched: {one['from']} to {one['to']}" for one in cut if (one["from"], one["to"]) not in had]
    gaps = [row["gaps"] for row in rows if row.get("gaps")]
    runs: list[tuple[date, date]] = []
    for first, last in sorted(
        (date.fromisoformat(one[0]), date.fromisoformat(one[1])) for of in gaps for one in of["days"]
    ):
        if runs and first - runs[-1][1] <= timedelta(days=1):
            runs[-1] = runs[-1][0], max(last, runs[-1][1])
        else:
            runs.append((first, last))
    lines += [f"nothing of {first} to {last}" if first != last else f"nothing of {first}" for first, last in runs]
    # A list that covers many months is read, and missed, in each of them.
    lines += dict.fromkeys(f"could not be read: {one['list']}: {one['reason']}" for of in gaps for one in of["lists"])
    lines += dict.fromkeys(f"could not be had: {one['url']}: {one['reason']}" for of in gaps for one in of["items"])
    return lines


def arrived(reports: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Give the counts of each source that brought documents, out of what `sulh process --json` printed."""
    counts: dict[str, dict[str, int]] = {}
    for report in reports:
        for source, of in report.get("sources", {}).items():
            if of.get("indexed"):
                counts[source] = dict(of)
    return counts


def changes_in_words(reports: Sequence[Mapping[str, Any]]) -> str:
    """Say in Markdown what `sulh recompare --json` printed, the alerts first: for the person who has to agree."""
    lines = []
    for report in reports:
        counts: Mapping[str, Mapping[str, int]] = report["counts"]
        counted = ", ".join(
            f"{n} {sort} {kind}{'s' * (n != 1)}" for kind, of in counts.items() for sort, n in of.items() if n
        )
        documents = report["documents"]
        lines.append(f"{documents} document{'s' * (documents != 1)} judged anew: {counted or 'nothing changes'}.\n")
        for kind, heading in (("alert", "Alerts"), ("comparison", "Comparisons")):
            changes = [one for one in report["changes"] if one["kind"] == kind]
            if changes:
                lines.append(f"\n**{heading}**\n")
            lines += [_change_in_words(one) for one in changes]
            if left := sum(counts.get(kind, {}).values()) - len(changes):
                lines.append(f"- and {left} more: `sulh recompare --json` prints them all")
    return "\n".join(lines)


def _change_in_words(one: Mapping[str, Any]) -> str:
    turn = " → ".join(_plain(one[name]) for name in ("before", "after") if one[name])
    verdict = f" An analyst decided “{_plain(one['verdict'])}”, which stays." if one["verdict"] else ""
    sends = " **Analysts will be notified of it.**" if one["sends"] else ""
    about = f"{one['about']} {one['id']}" if one["kind"] == "alert" else one["about"]
    said = f"“{_plain(one['sentence'])}” {_plain(one['source'])}: <{re.sub('[<> ]', '', one['url'])}>"
    return f"- **{one['sort']}** {_plain(about)}: {turn}.{verdict}{sends} {said}"


def _plain(text: str) -> str:
    """Give text from the web so that Markdown shows it as it is, and makes no link, picture or heading of it."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~])", r"\\\1", " ".join(text.split()))


def interval(text: str) -> timedelta:
    """Read how often to look, as in a source's file: ``15m``, ``30s``, ``1h``; a bare number counts seconds."""
    found = re.fullmatch(r"([1-9][0-9]*)([smhd]?)", text)
    if not found:
        raise ValueError(f"{text!r}: expected a number and one of s, m, h, d, such as 15m")
    units = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    return timedelta(**{units[found[2]]: int(found[1])})


def in_words(every: timedelta) -> str:
    """Say an interval as a person would, in the largest unit in which it is a whole number."""
    seconds = int(every.total_seconds())
    size, unit = next((size, unit) for size, unit in UNITS if seconds % size == 0)
    return f"{seconds // size} {unit}s" if seconds != size else unit


UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


# The keeper


def keep(call: Sequence[str], *, given: int = 0, grace: float = GRACE_SECONDS) -> int:
    """Run a program, and end it when standard input closes or a signal comes; gives its status.

    So many bytes of standard input as are `given` are the program's.

    A command that a signal ended gives 128 and its number, as a shell does. Nothing that it started is left.
    """
    return watched(call, given=given, grace=grace)[0]


INPUT_CLOSED = 0
"""Beside the numbers of signals, what made a program end."""


def watched(call: Sequence[str], *, given: int = 0, grace: float = GRACE_SECONDS) -> tuple[int, list[int]]:
    """Do what `keep` does; gives also the signals that asked for the end, or INPUT_CLOSED, none where none did."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    asked: list[int] = []

    def note(number: int, frame: object) -> None:
        if number != signal.SIGCHLD:
            asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, note)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    text = _read(given)
    # A group of its own: what the command leaves behind is found and ended by it.
    command = subprocess.Popen(
        call,
        stdin=subprocess.PIPE if given else subprocess.DEVNULL,
        process_group=0,
    )
    try:
        if command.stdin is not None:
            with suppress(BrokenPipeError):
                command.stdin.write(text)
                command.stdin.close()
        deadline: float | None = None
        with selectors.DefaultSelector() as events:
            events.register(0, selectors.EVENT_READ)
            events.register(woken, selectors.EVENT_READ)
            while command.poll() is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                for event, _ in events.select(left):
                    if not os.read(event.fd, 1024) and event.fd == 0:
                        events.unregister(0)
                        asked.append(INPUT_CLOSED)
                if asked and deadline is None:
                    # The command alone, not its group: it ends its own processes, and one of them that died beside
                    # it could pass for a page that kills its reader.
                    command.send_signal(signal.SIGTERM)
                    deadline = time.monotonic() + grace
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(command.pid, signal.SIGKILL)
        status = command.wait()
        signal.set_wakeup_fd(-1)
        os.close(woken)
        os.close(wake)
    return (status if status >= 0 else 128 - status), asked


def _read(count: int) -> bytes:
    text = b""
    while len(text) < count and (part := os.read(0, count - len(text))):
        text += part
    return text


if __name__ == "__main__":
    sys.exit(keep([sys.executable, "-m", "sulh", *sys.argv[2:]], given=int(sys.argv[1])))
