"""Gives Scrapy's settings for one source: polite, bounded, and with nothing listening."""

from __future__ import annotations

from typing import Any

from scrapy.settings import Settings

from crawlers.sources import Source
from processors.archive import MAX_BODY

AGENT = "sulh"
"""The name that robots.txt rules address."""


def user_agent(contact: str) -> str:
    """Say who crawls and why, and whom to write to."""
    about = "+" + contact if contact.startswith(("http://", "https://")) else contact
    return f"{AGENT}/0.1 (research on news of armed conflict; {about or 'no contact given'})"


def settings(source: Source, *, contact: str = "", loopback: bool = False) -> Settings:
    """Give the settings of one source's crawl; ``loopback`` lets it fetch from this machine, for the demo and tests."""
    values: dict[str, Any] = {
        "USER_AGENT": user_agent(contact),
        "ROBOTSTXT_OBEY": True,
        "ROBOTSTXT_USER_AGENT": AGENT,
        "DEFAULT_REQUEST_HEADERS": {
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language": f"{source.language},en;q=0.5",
            # What the archive can undo without further libraries.
            "Accept-Encoding": "gzip, deflate",
        },
        # One at a time unless the source asks for no delay at all, which only servers of one's own do.
        "CONCURRENT_REQUESTS": 0,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 16 if source.delay == 0 else 1,
        "DOWNLOAD_DELAY": source.delay,
        "DOWNLOAD_DELAY_JITTER": 0,
        "DOWNLOAD_TIMEOUT": source.timeout,
        "DOWNLOAD_MAXSIZE": MAX_BODY,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_HANDLERS": {
            "data": None,
            "file": None,
            "ftp": None,
            "s3": None,
            "http": "crawlers.downloads.GuardedHandler",
            "https": "crawlers.downloads.GuardedHandler",
        },
        "DOWNLOADER_MIDDLEWARES": {
            "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
            "crawlers.downloads.RobotsMiddleware": 100,
            # The archive keeps bodies as they came; retries need Retry-After; the rest has no use here.
            "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None,
            "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
            "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
            "scrapy.downloadermiddlewares.httpauth.HttpAuthMiddleware": None,
            "scrapy.downloadermiddlewares.redirect.MetaRefreshMiddleware": None,
            "scrapy.downloadermiddlewares.cookies.CookiesMiddleware": None,
            "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": None,
            "scrapy.downloadermiddlewares.stats.DownloaderStats": None,
        },
        "REDIRECT_MAX_TIMES": 8,
        "COOKIES_ENABLED": False,
        "METAREFRESH_ENABLED": False,
        "RETRY_ENABLED": False,
        "HTTPPROXY_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "MEMDEBUG_ENABLED": False,
        "EXTENSIONS": {
            f"scrapy.extensions.{name}": None
            for name in (
                "corestats.CoreStats",
                "logcount.LogCount",
                "telnet.TelnetConsole",
                "memusage.MemoryUsage",
                "closespider.CloseSpider",
                "feedexport.FeedExporter",
                "logstats.LogStats",
                "spiderstate.SpiderState",
                "throttle.AutoThrottle",
                "remote_control.RemoteControl",
            )
        },
        "STATS_DUMP": False,
        "LOG_ENABLED": False,
        "SULH_LOOPBACK": loopback,
    }
    return Settings(values, priority="project")
