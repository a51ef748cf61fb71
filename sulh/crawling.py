"""Runs crawls in processes of their own: a crawl cannot be started twice in one, and may be killed without harm."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from crawlers.gaps import empty_days
from crawlers.sources import ID, Source, collect_sources, load_source
from processors.archive import Archive, import_warc
from processors.errors import KnowledgeError, SulhError
from sulh.config import Settings
from sulh.counts import count
from sulh.due import due, groups
from sulh.progress import progress

PROCESSES = 2
"""Crawls wait for the network far more than they compute; one process crawls many sources side by side, and a second
keeps a fault in one from stopping more than half of them."""


SHOWN = 5
"""Gaps of a kind that are told one by one; the JSON has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlReport:
    """What each source's crawl gave, as its process said it."""

    results: tuple[Mapping[str, Any], ...]
    failed: tuple[str, ...]
    """Processes that ended without accounting for their sources, with what they said last."""
    asked: tuple[str, ...] = ()
    """The sources that were named, if any were."""

    @property
    def ok(self) -> bool:
        """Whether the crawl was done: one dead source among all is the ledger's and the doctor's business, but not one
        that was asked for by name, nor all of them.
        """
        dead = {str(result["source"]) for result in self.results if result.get("outcome") != "ok"}
        none = bool(self.results) and len(dead) == len(self.results)
        return not self.failed and not none and not dead & set(self.asked)

    def summary(self) -> str:
        """Say in a few lines what came in, and which sources did not answer."""
        totals: Counter[str] = Counter()
        lines = []
        for result in self.results:
            totals.update({name: number for name, number in result.items() if isinstance(number, int)})
            if result.get("outcome") != "ok":
                lines.append(f"  {result['source']}: {result.get('outcome')}: {result.get('reason')}")
            lines += [f"  {result['source']}: {line}" for line in _gaps(result.get("gaps"))]
        counts = ", ".join(f"{totals[name]} {name}" for name in ("discovered", "fetched", "known", "refused", "failed"))
        return "\n".join([f"crawled {count(len(self.results), 'source')}: {counts}", *lines, *self.failed])


def _gaps(gaps: Mapping[str, Any] | None) -> Iterator[str]:
    """Say in a few lines what a backfill lacks."""
    if gaps is None:
        return
    runs = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in gaps["days"]]
    if runs:
        days = sum((last - first).days + 1 for first, last in runs)
        longest = sorted(sorted(runs, key=lambda run: run[0] - run[1])[:SHOWN])
        spans = ", ".join(f"{first} to {last}" if first != last else f"{first}" for first, last in longest)
        yield f"nothing of {count(days, 'day')}{', the longest runs' if len(runs) > SHOWN else ''}: {spans}"
    for unread in gaps["lists"]:
        yield f"could not be read: {unread['list']}: {unread['reason']}"
    for item in gaps["items"][:SHOWN]:
        yield f"could not be had: {item['url']}: {item['reason']}"
    if len(gaps["items"]) > SHOWN:
        yield f"and {count(len(gaps['items']) - SHOWN, 'more page')}; --json has them all"


def known_sources(settings: Settings) -> tuple[dict[str, Source], tuple[KnowledgeError, ...]]:
    """Give the package's sources and the person's own, and the files among them that are broken."""
    folder = settings.source_folder
    return collect_sources(
        folder if settings.sources or folder.is_dir() else None, packaged=not settings.only_own_sources
    )


def due_sources(
    settings: Settings, named: Sequence[str] = (), *, now: datetime, echo: Callable[[str], None] = lambda line: None
) -> list[Source]:
    """Give the sources, or those of the named ones, that are to be crawled now. Raises SulhError for an unknown one."""
    known, broken = known_sources(settings)
    for error in broken:
        echo(f"left out: {error}")
    _all_known(named, known)
    names, wrong = due(Archive(settings.home), {name: known[name] for name in named or known}, now=now)
    for said in wrong:
        echo(f"left out: {said}")
    return [known[name] for name in names]


def _all_known(names: Sequence[str], known: Mapping[str, Source]) -> None:
    missing = [source for source in names if source not in known]
    if missing:
        raise SulhError(f"there is no source {', '.join(missing)}; `sulh sources` lists them")


def crawl(
    settings: Settings,
    sources: Sequence[str] = (),
    *,
    echo: Callable[[str], None] = lambda line: None,
    options: Sequence[str] = (),
) -> CrawlReport:
    """Crawl the named sources, or all; gives what each brought. Raises SulhError for a source that is not known."""
    known, broken = known_sources(settings)
    for error in broken:
        echo(f"left out: {error}")
    _all_known(sources, known)
    names = list(dict.fromkeys(sources or known))
    # All of one host to one process: who asks a host keeps its delay.
    shares = [group.sources for group in groups([known[name] for name in names], most=PROCESSES)]
    lock = threading.Lock()
    results: list[Mapping[str, Any]] = []
    failed: list[str] = []

    def follow(process: subprocess.Popen[str], group: Sequence[str]) -> None:
        for line in _lines(process.stdout):
            with lock:
                said = json.loads(line)
                if said.pop("event") == "done":
                    # A crawl that failed says so, and once more when its process ends.
                    if said["source"] not in {result["source"] for result in results}:
                        results.append(said)
                        advance()
                else:
                    echo(f"{said['source']}: {said['settled']} of {said['discovered']}")
        status = process.wait()
        if status != 0:
            with lock:
                failed.append(f"the crawl of {', '.join(group)} ended with status {status}; see above")

    processes = [subprocess_of(settings, [*options, *named(group)]) for group in shares]
    threads = [
        threading.Thread(target=follow, args=(process, group)) for process, group in zip(processes, shares, strict=True)
    ]
    try:
        with progress("crawling sources", len(names)) as advance:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    except BaseException:
        # Ctrl-C, or a scheduler that stops us: let each crawl end cleanly, then make sure that it has.
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
        raise
    finally:
        for process in processes:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
    results.sort(key=lambda result: str(result["source"]))
    return CrawlReport(results=tuple(results), failed=tuple(failed), asked=tuple(sources))


def named(sources: Sequence[str]) -> list[str]:
    """Give the options that name some sources."""
    return [part for source in sources for part in ("--source", source)]


def subprocess_of(settings: Settings, options: Sequence[str]) -> subprocess.Popen[str]:
    """Start a process of the crawlers. It ends by itself when this one does: its standard input closes."""
    call = [sys.executable, "-m", "crawlers", "--with-parent", "--home", str(settings.home)]
    if settings.source_folder.is_dir():
        call += ["--sources-dir", str(settings.source_folder)]
    if settings.only_own_sources:
        call.append("--only-sources-dir")
    if settings.allow_loopback:
        call.append("--allow-loopback")
    if settings.contact:
        call += ["--contact", settings.contact]
    return subprocess.Popen(
        [*call, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", bufsize=1
    )


def ask(settings: Settings, options: Sequence[str]) -> tuple[int, str]:
    """Let a process of the crawlers answer a question (`--check`, `--discover`); gives its status and what it said."""
    with subprocess_of(settings, options) as process:
        answer = process.stdout.read() if process.stdout is not None else ""
        return process.wait(), answer


def _lines(stream: IO[str] | None) -> list[str] | map[str]:
    return [] if stream is None else map(str.rstrip, stream)


def backfill(
    settings: Settings,
    source: str,
    *,
    since: date,
    until: date,
    via: str | None,
    echo: Callable[[str], None],
) -> CrawlReport:
    """Crawl the past of one source, by its own kind or by another interface of its site."""
    options = ["--since", since.isoformat(), "--until", until.isoformat(), *(["--via", via] if via else [])]
    if via == "commoncrawl":
        options += ["--commoncrawl", settings.commoncrawl, "--commoncrawl-data", settings.commoncrawl_data]
    if via == "wayback":
        options += ["--wayback", settings.wayback]
    return crawl(settings, [source], echo=echo, options=options)


def import_files(
    settings: Settings, source: str, files: Sequence[Path], *, since: date, until: date, now: datetime
) -> CrawlReport:
    """Take a source's pages out of WARC files into its archive; gives how many were taken and left."""
    known, _ = known_sources(settings)
    if source not in known:
        raise SulhError(f"there is no source {source}; `sulh sources` lists them")
    archive = Archive(settings.home)
    counts = import_warc(archive, files, source, site=known[source].front, now=now, since=since, until=until)
    days = [[first.isoformat(), last.isoformat()] for first, last in empty_days(archive.days(source), since, until)]
    gaps = {"days": days, "lists": [], "items": []}
    return CrawlReport(results=({"source": source, "outcome": "ok", **counts, "gaps": gaps},), failed=())


def save_source(settings: Settings, name: str, text: str) -> Path:
    """Write a source's YAML into the person's own folder, checked first. Raises SulhError where one is there."""
    if not ID.fullmatch(name):
        raise SulhError(f"--id {name}: expected a name of lower-case letters, digits and _ such as outlet_cc")
    folder = settings.source_folder
    path = folder / f"{name}.yml"
    if path.exists():
        raise SulhError(f"{path}: is there already; choose another --id")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    try:
        load_source(path)
    except KnowledgeError:
        path.unlink()
        raise
    return path


def mark_checked(settings: Settings, source: str, day: date) -> Path | None:
    """Note in a source's own file that it answered; gives the file, or None for one that came with the package."""
    path = settings.source_folder / f"{source}.yml"
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    line = f"checked: {day.isoformat()}"
    marked, found = re.subn(r"(?m)^checked:.*$", line, text)
    path.write_text(marked if found else f"{text.rstrip()}\n{line}\n", encoding="utf-8")
    return path
