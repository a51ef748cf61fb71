"""Measures crawling: pages a second into the archive, beside an empty Scrapy spider on the same loopback site.

``python benchmarks/crawl.py`` runs both in turn, each in a process of its own, with politeness off, and prints one JSON
line. The clock is the server's: from the first page that was asked for to the end of the last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent
TARGET = 0.8
"""Of the empty spider's pages a second."""

EMPTY = """
import re, sys
import scrapy
from scrapy.crawler import AsyncCrawlerProcess

class Empty(scrapy.Spider):
    name = "empty"
    start_urls = [sys.argv[1] + "/sitemap.xml"]
    def parse(self, response):
        for link in re.findall("<loc>(.*?)</loc>", response.text):
            yield response.follow(link, callback=self.page)
    def page(self, response):
        return None

process = AsyncCrawlerProcess({"CONCURRENT_REQUESTS": 16, "CONCURRENT_REQUESTS_PER_DOMAIN": 16, "DOWNLOAD_DELAY": 0,
    "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False})
process.crawl(Empty)
process.start()
"""


def page(number: int) -> bytes:
    """Give an article page of some 15 KB, the size of a news site's HTML without its scripts."""
    words = random.Random(number).choices([f"word{n}" for n in range(5000)], k=1500)
    text = "".join(f"<p>{' '.join(words[at : at + 60])}.</p>\n" for at in range(0, len(words), 60))
    head = f'<title>Item {number}</title><link rel="canonical" href="/news/{number}.html">'
    return f"<!doctype html><html><head>{head}</head><body><h1>Item {number}</h1>{text}</body></html>".encode()


class Site:
    """A site on the loopback that answers as fast as one process can."""

    def __init__(self, pages: int) -> None:
        self.pages = [page(number) for number in range(pages)]
        self.first = self.last = 0.0
        self.served = 0

    async def serve(self) -> None:
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        async with server:
            await server.serve_forever()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                writer.write(self.answer(line.split()[1].decode()))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def answer(self, path: str) -> bytes:
        kind, body = "text/html; charset=utf-8", b""
        if found := re.fullmatch(r"/news/(\d+)\.html", path):
            if not self.served:
                self.first = time.perf_counter()
            self.served += 1
            self.last = time.perf_counter()
            body = self.pages[int(found[1])]
        elif path == "/sitemap.xml":
            kind = "application/xml"
            links = "".join(f"<url><loc>/news/{number}.html</loc></url>" for number in range(len(self.pages)))
            body = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{links}</urlset>'.encode()
        elif path == "/robots.txt":
            kind, body = "text/plain", b"User-agent: *\nDisallow:\n"
        elif path == "/took":
            kind, body = "application/json", json.dumps([self.served, self.last - self.first]).encode()
            self.served = 0
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


def rate(site: str, command: list[str], pages: int) -> float:
    """Run a crawl and give its pages a second; fails unless each page was asked for once."""
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
    with urlopen(f"{site}/took") as answer:
        served, seconds = json.load(answer)
    if served != pages:
        raise SystemExit(f"{served} pages were fetched, not {pages}")
    return float(pages / seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        # Ends with the benchmark, however that ends: its standard input closes then.
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        asyncio.run(Site(options.pages).serve())
        return
    command = [sys.executable, __file__, "--serve", "--pages", str(options.pages)]
    rates: dict[str, list[float]] = {"empty": [], "sulh": []}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        site = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                (home / "bench.yml").write_text(
                    f'name: bench\ncountry: "XX"\nlanguage: en\nkind: sitemap\nurl: "{site}/sitemap.xml"\ndelay: 0\n'
                )
                sulh = [sys.executable, "-m", "crawlers", "--home", folder, "--sources-dir", folder]
                sulh += ["--only-sources-dir", "--allow-loopback"]
                rates["empty"].append(
                    rate(site, [sys.executable, "-c", EMPTY, site, str(options.pages)], options.pages)
                )
                rates["sulh"].append(rate(site, sulh, options.pages))
        server.terminate()
    bare, own = statistics.median(rates["empty"]), statistics.median(rates["sulh"])
    ratio = own / bare
    facts = {"benchmark": "crawl", "empty": round(bare, 1), "sulh": round(own, 1), "ratio": round(ratio, 3)}
    print(json.dumps(facts | {"target": TARGET, "ok": ratio >= TARGET}))
    sys.exit(0 if ratio >= TARGET else 1)


if __name__ == "__main__":
    main()
