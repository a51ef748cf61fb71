"""The pool gives up an item that hangs or crashes, and nothing beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.pool import Died, Overdue, Pool, PoolError

ROOT = Path(__file__).parents[2]
WALL = 1.0


def work(order: str) -> str:
    """What the worker does: as the order says."""
    verb, _, rest = order.partition(" ")
    match verb:
        case "hang":
            threading.Event().wait()
        case "spin":
            while True:
                pass
        case "exit":
            os._exit(7)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "raise":
            raise ValueError(rest)
        case "odd":
            raise Unportable("one", "two")
        case "size":
            return str(len(rest))
        case "pid":
            return str(os.getpid())
    return order.upper()


class Unportable(Exception):
    """An error that pickle cannot make again, as many libraries have."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def slow_start() -> None:
    """An initializer that takes longer than an item may."""
    time.sleep(WALL * 1.2)


def failing_start() -> None:
    """An initializer that cannot do its work."""
    raise OSError("no such profile")


def leaving_start() -> None:
    """An initializer that takes its process with it."""
    os._exit(3)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool[str, str]]:
    with Pool(work, workers=2, wall_seconds=WALL) as opened:
        yield opened


def test_results_come_in_the_order_of_the_items(pool: Pool[str, str]) -> None:
    assert list(pool.map(f"item {n}" for n in range(500))) == [f"ITEM {n}" for n in range(500)]


def test_no_items_give_no_results(pool: Pool[str, str]) -> None:
    assert list(pool.map([])) == []


def test_only_the_item_that_hangs_is_overdue(pool: Pool[str, str]) -> None:
    orders = ["a", "spin", "b", "c", "hang", "d", "e"]
    assert list(pool.map(orders)) == ["A", Overdue("spin", WALL), "B", "C", Overdue("hang", WALL), "D", "E"]


def test_only_the_item_that_ends_its_worker_died(pool: Pool[str, str]) -> None:
    orders = ["a", "exit", "b", "crash", "exit", "c", "d"]
    expected = ["A", Died("exit", 7), "B", Died("crash", -signal.SIGSEGV), Died("exit", 7), "C", "D"]
    assert list(pool.map(orders)) == expected


def test_an_error_is_raised_in_its_turn_with_the_item_named(pool: Pool[str, str]) -> None:
    results = pool.map(["a", "b", "raise the roof", "c"])
    assert [next(results), next(results)] == ["A", "B"]
    with pytest.raises(ValueError, match="the roof") as caught:
        next(results)
    notes = "\n".join(caught.value.__notes__)
    assert "'raise the roof'" in notes and "in work" in notes


def test_an_error_that_cannot_travel_still_says_what_it_was(pool: Pool[str, str]) -> None:
    with pytest.raises(RuntimeError, match="Unportable: onetwo"):
        list(pool.map(["odd"]))


def test_the_pool_works_on_after_an_error_and_after_an_abandoned_loop(pool: Pool[str, str]) -> None:
    abandoned = pool.map(["a", "hang", "b"])
    assert next(abandoned) == "A"
    abandoned.close()  # type: ignore[attr-defined]
    with pytest.raises(ValueError):
        list(pool.map(["raise it", "hang"]))
    assert list(pool.map(["c", "d"])) == ["C", "D"]


def test_items_are_taken_as_they_are_needed(pool: Pool[str, str]) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "x"

    results = pool.map(endless())
    assert [next(results) for _ in range(10)] == ["X"] * 10
    assert taken < 500
    results.close()  # type: ignore[attr-defined]


def test_an_error_of_the_items_comes_after_the_results_before_it(pool: Pool[str, str]) -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise KeyError("torn archive")

    results = pool.map(broken())
    assert next(results) == "A"
    with pytest.raises(KeyError, match="torn archive"):
        next(results)


def test_large_items_pass_beside_one_that_hangs(pool: Pool[str, str]) -> None:
    big = "size " + "x" * (4 << 20)
    assert list(pool.map(["hang", big, big, "a"])) == [Overdue("hang", WALL), str(4 << 20), str(4 << 20), "A"]


def test_a_worker_is_replaced_after_its_share() -> None:
    with Pool(work, workers=1, wall_seconds=WALL, recycle_after=3) as pool:
        pids = list(pool.map(["pid"] * 9))
    assert [len(set(pids[n : n + 3])) for n in (0, 3, 6)] == [1, 1, 1]
    assert len(set(pids)) == 3


def test_the_start_of_a_worker_does_not_count_against_its_first_item() -> None:
    with Pool(f"{__name__}.work", workers=1, wall_seconds=WALL, initializer=slow_start) as pool:
        assert list(pool.map(["a", "b"])) == ["A", "B"]


@pytest.mark.parametrize(("start", "reason"), [(failing_start, "no such profile"), (leaving_start, "exit code 3")])
def test_a_start_that_fails_is_no_items_fault(start: object, reason: str) -> None:
    with Pool(work, workers=1, wall_seconds=WALL, initializer=start) as pool, pytest.raises(PoolError, match=reason):  # type: ignore[arg-type]
        list(pool.map(["a"]))


def test_a_pool_that_is_not_open_says_so() -> None:
    with pytest.raises(PoolError, match="context manager"):
        next(Pool(work, workers=1, wall_seconds=WALL).map(["a"]))


def test_no_worker_outlives_a_parent_that_is_killed() -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from processors.pool import Pool
if __name__ == "__main__":
    with Pool("tests.processors.test_pool.work", workers=3, wall_seconds=600) as pool:
        results = pool.map(["pid", "pid", *["spin"] * 6])
        print(next(results), next(results), *(each.process.pid for each in pool._workers), flush=True)
        next(results)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pids = {int(word) for word in parent.stdout.readline().split()}
        parent.kill()
        parent.wait()
        # The workers hold the pipe of the parent's output as long as one of them lives: its end is theirs.
        parent.stdout.read()
    assert pids
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists() and _state(pid) != "Z"]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
