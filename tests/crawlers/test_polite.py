"""A host is asked with its delay between any two requests, whatever sources and commands they are for."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.crawlers.site import ROOT, Crawls, Site, article, item, rss

DELAY = 0.5
LEAST = 0.4
"""What is left of it where the machine delivers one request late and the next in time."""
TOGETHER = ["sulh", "crawl", "one", "two", "three"]
APART = [["sulh", "crawl", "one"], ["sulh", "crawl", "two"], ["sulh", "crawl", "three"]]
PATIENCE = 60


@pytest.fixture
def host() -> Iterator[Site]:
    """One host with three feeds of a page each."""
    site = Site()
    for name in ("one", "two", "three"):
        site.pages[f"/{name}.xml"] = rss(item(f"{site.url}/{name}"))
        site.pages[f"/{name}"] = article(name)
    yield site
    site.close()


@pytest.fixture
def crawls(tmp_path: Path, host: Site) -> Crawls:
    crawls = Crawls(tmp_path)
    for name in ("one", "two", "three"):
        crawls.source(name, "feed", f"{host.url}/{name}.xml", f"delay: {DELAY}\n")
    return crawls


def start(crawls: Crawls, *command: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SULH_")}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "SULH_HOME": str(crawls.home),
        "SULH_SOURCES": str(crawls.sources),
        "SULH_ALLOW_LOOPBACK": "true",
    }
    return subprocess.Popen([sys.executable, "-m", *command], env=environment, text=True, stderr=subprocess.PIPE)


def gaps(site: Site) -> list[float]:
    moments = sorted(asked.at for asked in site.asked)
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


@pytest.mark.parametrize("commands", [[TOGETHER], APART], ids=["one command", "commands side by side"])
def test_sources_of_one_host_keep_its_delay(commands: list[list[str]], host: Site, crawls: Crawls) -> None:
    for command in [start(crawls, *command) for command in commands]:
        with command:
            assert command.wait(PATIENCE) == 0, command.stderr and command.stderr.read()
    # The two before a feed's page: robots.txt, and the feed itself.
    assert len(host.asked) == 9
    assert min(gaps(host)) >= LEAST
    assert [len(crawls.pages(name)) for name in ("one", "two", "three")] == [1, 1, 1]


def test_a_crawl_that_follows_another_waits_for_what_is_left_of_the_delay(host: Site, crawls: Crawls) -> None:
    turn = crawls.archive.turn(host.url.removeprefix("http://"))
    assert turn is not None
    with start(crawls, "sulh", "crawl", "one") as started:
        assert started.stderr is not None
        assert any("one: another crawl is asking 127.0.0.1:" in line for line in started.stderr)
        assert host.asked == []
        turn.asked(datetime.now(UTC))
        ended = time.monotonic()
        turn.release()
        assert started.wait(PATIENCE) == 0
    assert host.asked[0].at - ended >= LEAST


def test_a_source_that_another_command_crawls_is_not_waited_for(host: Site, crawls: Crawls) -> None:
    asked, go = threading.Event(), threading.Event()

    def hold(total: int) -> None:
        asked.set()
        go.wait(PATIENCE)

    host.watch = hold
    first = start(crawls, "sulh", "crawl", "one")
    with first:
        assert asked.wait(PATIENCE)
        second = crawls.run("--source", "one")
        assert (second.code, second.done["one"]["outcome"]) == (1, "not-begun")
        assert "one is being crawled by another process" in second.stderr
        go.set()
        assert first.wait(PATIENCE) == 0
