"""Runs every benchmark, one after the other: ``make bench``; exit status 1 where one misses its figure."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("process", "crawl", "compare", "index", "memory", "freshness")


def main() -> int:
    """Run the benchmarks, each in a process of its own, and say which missed."""
    missed = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode != 0:
            missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "every figure is met")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
