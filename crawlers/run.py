"""Runs spiders on Scrapy's reactor, behind the guard; a process has one reactor, once."""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.utils.reactor import install_reactor

from crawlers.guard import GuardedResolver
from crawlers.settings import settings
from crawlers.sources import Source
from crawlers.spiders import Report, SourceSpider
from processors.archive import Writer
from processors.errors import SulhError


def run(work: Callable[[], Awaitable[int]], *, loopback: bool) -> int:
    """Run a coroutine function to the exit code that it gives; SIGTERM and SIGINT cancel it, which gives 1."""
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    reactor: Any = importlib.import_module("twisted.internet.reactor")
    reactor.installNameResolver(GuardedResolver(reactor.nameResolver, loopback=loopback))
    loop = asyncio.get_event_loop()
    code = 1

    async def to_end() -> None:
        nonlocal code
        try:
            code = await work()
        except SulhError as error:
            say(f"sulh: {error}")
        except asyncio.CancelledError:
            pass
        except Exception:
            logging.exception("the crawl crashed")
        finally:
            reactor.callLater(0, reactor.stop)

    def begin() -> None:
        task = loop.create_task(to_end())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    return code


def say(line: str) -> None:
    """Say a line to a person in one piece, which print() does not: other processes write to the same place."""
    sys.stderr.write(f"{line}\n")


async def run_spider(
    spider: type[SourceSpider],
    source: Source,
    writer: Writer,
    report: Report,
    *,
    contact: str,
    loopback: bool,
    **more: Any,
) -> None:
    """Run one spider to its end; how it went stands in the report."""
    settled = settings(source, contact=contact, loopback=loopback)
    crawler = Crawler(spider, settled)
    await AsyncCrawlerRunner(settled).crawl(crawler, source=source, writer=writer, report=report, **more)
