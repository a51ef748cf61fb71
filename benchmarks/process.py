"""Measures pages a second of all that sulh does with a page against bare trafilatura: same pages, processes and run.

    python -m benchmarks.process [--pages 320] [--workers 2] [--rounds 3]

The two take turns of some pages each, so that a busy machine slows both alike; the middle round's ratio counts.
Exit status 1 where it is below `FLOOR`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from processors.archive import CaptureRef
from processors.pool import Died, Overdue, Pool
from processors.records import Capture, Document, Rejection, digest
from sulh.demo.serve import Outlets, Page
from sulh.pipeline import Fault, Judge, Judged, process
from sulh.stores.sqlite import SqliteStore

FLOOR = 0.85
"""The whole chain may cost at most this much of the library's speed: what the design promises."""

TURN = 60
"""Pages a turn: about half a second, in which two other programs on the machine hardly change what they do."""

WORDS = {
    "en": (
        "fighters front group commander truce statement prisoners talks town north week said after rival agreed over"
        " with from checkpoints road village exchange mediators elders court province brigade spokesman weapons the of"
        " and in to that was were has been its their between two under late early reports sources local"
    ),
    "ru": (
        "боевики группировка командир перемирие заявление пленные переговоры город север неделя сообщил после"
        " соперники согласились дорога деревня обмен посредники старейшины суд провинция бригада оружие и в на что"
        " был были между две под поздно источники местные"
    ),
    "ar": (
        "مقاتلو الجبهة الفصيل القائد الهدنة البيان الأسرى المفاوضات البلدة الشمال الأسبوع قال بعد اتفق على مع من"
        " الحواجز الطريق القرية التبادل الوسطاء المحكمة المحافظة اللواء السلاح في إلى أن كان بين مصادر محلية"
    ),
    "fr": (
        "combattants front groupe commandant trêve communiqué prisonniers pourparlers ville nord semaine selon après"
        " rivaux accord avec route village échange médiateurs tribunal province brigade armes le la les de et à que"
        " était entre deux sous sources locales"
    ),
    "tr": (
        "savaşçılar cephe örgüt komutan ateşkes açıklama esirler görüşmeler kasaba kuzey hafta sonra rakip anlaştı"
        " ile yol köy takas arabulucular mahkeme il tugay silah ve bir bu için olan arasında iki yerel kaynaklar"
    ),
}

SCRIPT = (
    "(function(w,d){var q=w.q=w.q||[];q.push({t:Date.now(),u:d.URL});"
    "for(var i=0;i<q.length;i++){w.n=i}})(window,document);"
)
STYLE = ".a{margin:0 auto;padding:0 1em}.b>li{display:inline-block}.c::after{content:'';clear:both}"


class Writer:
    """Writes pages as outlets have them: menus, sidebars, teasers, scripts, comments around an article."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def capture(self, number: int, article: Page | None = None) -> Capture:
        """Give page number `number` in one of four layouts, with an article's text or words of one language."""
        lang = article.language if article is not None else list(WORDS)[number % 5]
        when = datetime(2014, 11, 1, 6, tzinfo=UTC) + timedelta(minutes=37 * number)
        url = f"https://outlet{number % 15}.example/{when:%Y/%m/%d}/story-{number}"
        return Capture(
            id=digest("bench", url),
            source="bench",
            url=url,
            fetched_at=when + timedelta(hours=5),
            status=200,
            headers=(),
            content_type="text/html; charset=utf-8",
            body=self.page(lang, number, when, article).encode(),
            locator="bench.warc.gz:0",
        )

    def page(self, lang: str, number: int, when: datetime, article: Page | None) -> str:
        """Give the page as HTML."""
        if article is None:
            title = self.sentence(lang, 7, 11).rstrip(".")
            text = "\n".join(
                f"<p>{self.paragraph(lang)} {self.link(lang, n)} {self.sentence(lang, 8, 16)}</p>"
                for n in range(self._random.randint(6, 24))
            )
        else:
            # A closing paragraph of its own makes each copy another document, and a reprint of the others.
            title = article.title
            text = "\n".join(f"<p>{part}</p>" for part in [*article.text.split("\n\n"), self.paragraph(lang)])
        author = self.sentence(lang, 2, 2).rstrip(".").title()
        stamp = when.isoformat()
        layout = number % 4
        linked = json.dumps(
            {"@context": "https://schema.org", "@type": "NewsArticle", "headline": title, "datePublished": stamp}
            | {"author": [{"@type": "Person", "name": author}]},
            ensure_ascii=False,
        )
        head = (
            f'<script type="application/ld+json">{linked}</script>',
            f'<meta property="article:published_time" content="{stamp}"><meta name="author" content="{author}">',
            f'<meta name="date" content="{when:%Y-%m-%d %H:%M}">',
            "",
        )[layout]
        meta = "".join(f'<meta property="og:{key}" content="{title}">' for key in ("title", "description", "site_name"))
        scripts = "".join(f"<script>{SCRIPT * 6}</script>" for _ in range(6))
        day = f"{when:%d.%m.%Y}"
        if layout == 3:
            top = f'<h1>{title}</h1><div class="date">{day}</div>'
            article = f'<div id="story">{top}<div class="body">{text}</div></div>'
        else:
            top = f'<h1>{title}</h1><p class="byline">{author}, <time>{day}</time></p>'
            article = f'<article class="post">{top}{text}</article>'
        comments = "".join(f"<li><p>{self.sentence(lang, 8, 30)}</p></li>" for _ in range(8)) if layout == 1 else ""
        related = f'<section class="related"><h3>Related</h3>{self.teasers(lang, 8)}</section>'
        below = f'<section id="comments"><ol class="comment-list">{comments}</ol></section>'
        menu, foot = self.links(lang, 30, "nav"), self.links(lang, 40, "div")
        return (
            f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{title} | Outlet</title>'
            f"{meta}{head}<style>{STYLE * 20}</style>{scripts}</head><body><header>{menu}</header>"
            f'<div class="page"><main>{article}{related}{below}</main><aside>{self.teasers(lang, 15)}</aside></div>'
            f"<footer>{foot}</footer>{scripts}</body></html>"
        )

    def link(self, lang: str, number: int) -> str:
        """Give a link in the text."""
        return f'<a href="/topic/{number}">{self.sentence(lang, 2, 3)}</a>'

    def links(self, lang: str, count: int, tag: str) -> str:
        """Give a menu."""
        items = "".join(f'<li><a href="/s/{n}">{self.sentence(lang, 1, 2)}</a></li>' for n in range(count))
        return f'<{tag}><ul class="menu">{items}</ul></{tag}>'

    def teasers(self, lang: str, count: int) -> str:
        """Give a list of other articles."""
        items = (
            f'<li><a href="/x/{n}"><img src="/i/{n}.jpg" alt=""><h4>{self.sentence(lang, 6, 9)}</h4></a>'
            f"<p>{self.sentence(lang, 8, 16)}</p></li>"
            for n in range(count)
        )
        return f"<ul>{''.join(items)}</ul>"

    def paragraph(self, lang: str) -> str:
        """Give some sentences."""
        return " ".join(self.sentence(lang, 8, 26) for _ in range(self._random.randint(2, 5)))

    def sentence(self, lang: str, least: int, most: int) -> str:
        """Give words of the language with a full stop."""
        words = self._random.choices(WORDS[lang].split(), k=self._random.randint(least, most))
        return " ".join(words).capitalize() + "."


def bare(capture: Capture) -> tuple[str, str, str, str]:
    """Do what a user of the library alone would: one call, with metadata, from the bytes."""
    from trafilatura import bare_extraction

    found: Any = bare_extraction(capture.body, url=capture.url, with_metadata=True)
    return (found.title, found.text, found.date, found.comments) if found is not None else ("", "", "", "")


def warm_up() -> None:
    """Load what the first page would otherwise wait for."""
    from processors.extract import extract

    for number in range(10):
        page = Writer(number).capture(number)
        bare(page)
        extract(page)


def sample_captures(copies: int) -> Iterator[Capture]:
    """Give the articles of the demo's outlets, which tell of groups and their dealings, in pages of real size."""
    writer = Writer(seed=1)
    articles = [
        page if page.language else page.model_copy(update={"language": outlet.about.language})
        for outlet in Outlets().outlets.values()
        for page in outlet.pages.values()
        if page.answer == "article"
    ]
    articles = [page for page in articles if page.language in WORDS]
    for number in range(copies * len(articles)):
        # Beyond the numbers of the generated pages, whose addresses come from theirs.
        yield writer.capture(1_000_000 + number, articles[number % len(articles)])


class Library:
    """Bare trafilatura in a pool."""

    def __init__(self, workers: int) -> None:
        self.pool: Pool[Capture, object] = Pool(
            f"{__name__}.bare", workers=workers, wall_seconds=60, initializer=warm_up
        )

    def run(self, captures: list[Capture]) -> float:
        """Give the seconds that the captures took."""
        start = time.perf_counter()
        for result in self.pool.map(captures):
            if isinstance(result, Overdue | Died):
                raise SystemExit(f"a page was given up: {result.item.url}")
        return time.perf_counter() - start


class Whole:
    """All that sulh does with a page: extract, annotate, compare, find its story, write it into a store."""

    def __init__(self, workers: int, folder: Path) -> None:
        judge = Judge(folder, None)
        self.pool: Pool[Capture, Judged | Rejection | Fault] = Pool(
            judge, workers=workers, wall_seconds=60, initializer=judge.warm_up
        )
        self.store = SqliteStore(folder / "bench.sqlite")

    def run(self, captures: list[Capture]) -> float:
        """Give the seconds that the captures took."""
        start = time.perf_counter()
        results = self.pool.map(captures)
        report = process(
            self.store,
            ((reference_of(capture), kept(result)) for capture, result in zip(captures, results, strict=True)),
        )
        if report.faults:
            raise SystemExit(report.faults[0].said)
        return time.perf_counter() - start


def reference_of(item: Capture | Document) -> CaptureRef:
    """Give what the archive would know the capture by."""
    id = item.capture if isinstance(item, Document) else item.id
    return CaptureRef(id=id, source=item.source, url=item.url, fetched_at=item.fetched_at, locator="")


def kept(result: Judged | Rejection | Fault | Overdue[Capture] | Died[Capture]) -> Judged | Rejection | Fault:
    """Give the result of a page; these pages are never given up."""
    if isinstance(result, Overdue | Died):
        raise SystemExit(f"a page was given up: {result.item.url}")
    return result


def rounds(pages: list[Capture], workers: int, count: int) -> Iterator[tuple[float, float]]:
    """Give, for each round, our pages a second and the library's."""
    with TemporaryDirectory(prefix="sulh-bench-") as folder:
        ours, library = Whole(workers, Path(folder)), Library(workers)
        with ours.pool, library.pool:
            # Starting is not measured: every worker has done some pages before the clock runs.
            ours.run([replace(page, id=f"warm-{page.id}", url=f"{page.url}?warm") for page in pages[: 20 * workers]])
            library.run(pages[: 20 * workers])
            for number in range(count):
                # Other addresses in each round: a page that is known already would cost us next to nothing.
                fresh = [replace(page, id=f"{number}-{page.id}", url=f"{page.url}?round={number}") for page in pages]
                seconds = [0.0, 0.0]
                for start in range(0, len(pages), TURN):
                    turn = fresh[start : start + TURN]
                    seconds[0] += ours.run(turn)
                    seconds[1] += library.run(turn)
                yield len(pages) / seconds[0], len(pages) / seconds[1]
        ours.store.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the rounds and print pages a second and their ratio."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pages", type=int, default=320, help="generated pages, beside four copies of the samples")
    options.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args(arguments)
    writer = Writer(seed=20141115)
    captures = [writer.capture(number) for number in range(chosen.pages)] + list(sample_captures(4))
    random.Random(1).shuffle(captures)
    size = sum(len(each.body) for each in captures) / len(captures) / 1024
    print(f"{len(captures)} pages of {size:.0f} KiB, {chosen.workers} processes")
    found = []
    for mine, theirs in rounds(captures, chosen.workers, chosen.rounds):
        found.append(mine / theirs)
        print(f"  ours {mine:7.1f} pages/s   trafilatura {theirs:7.1f} pages/s   ratio {found[-1]:.2f}")
    ratio = statistics.median(found)
    print(f"ratio {ratio:.2f} (floor {FLOOR})")
    return 0 if ratio >= FLOOR else 1


if __name__ == "__main__":
    raise SystemExit(main())
