"""The program `sulh`: one command a thing a person, or a scheduler, wants done.

Exit status: 0, done and every item is accounted for; 1, not done, or the ledger does not balance; 2, wrong usage, or a
source to fill in that is not configured; 143 or 130, stopped by SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

import click

from processors.errors import SulhError, UnknownSourceError
from processors.records import Kind, Verdict
from sulh import __version__
from sulh.config import Settings, load_settings

if TYPE_CHECKING:
    # The commands import what they need themselves: `sulh --help` must not wait for trafilatura.
    from crawlers.sources import Source
    from sulh.evaluate import Evaluation
    from sulh.freshness import Freshness
    from sulh.pipeline import Fault, ProcessReport
    from sulh.watch import WatchReport

LEDGER_SECONDS = 5
"""How long a person who asks for the ledger waits for who processes right now; an hour's news takes about so long."""

WHOLE = 100_000
"""Characters: a terminal shows an alert whole, where a channel may cut it."""

MOST_SAID = 8_000
"""Characters that are kept of what a finding says, the last: more than any channel takes."""

DAY = click.DateTime(formats=["%Y-%m-%d"])


ORDER = (
    "demo",
    "run",
    "crawl",
    "process",
    "alert",
    "deliver",
    "alerts",
    "claims",
    "search",
    "ledger",
    "desk",
    "watch",
    "doctor",
)
"""What a newcomer looks for first; the other commands follow by name."""


class Program(click.Group):
    """Shows a SulhError as one sentence on stderr and exits with 1; anything else is a fault and keeps its trace."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        rest = [name for name in super().list_commands(ctx) if name not in ORDER]
        return [*ORDER, *rest]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with ended_by_sigterm():
                return super().invoke(ctx)
        except SulhError as error:
            click.echo(f"sulh: {error}", err=True)
            # A scheduler that sees 2 does not try again.
            ctx.exit(2 if isinstance(error, UnknownSourceError) else 1)
        except (Ended, KeyboardInterrupt) as ended:
            number = ended.number if isinstance(ended, Ended) else signal.SIGINT
            with suppress(OSError):
                click.echo(f"sulh: stopped by {number.name}: nothing is lost, call it again for the rest", err=True)
            ctx.exit(128 + number)
        except BrokenPipeError:
            # The reader of a pipe went away (`sulh export documents | head`): nothing is wrong.
            sys.stderr.close()
            ctx.exit(0)


class Ended(BaseException):
    """A signal told the command to end. Not an Exception: code that handles errors must not take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = signal.Signals(number)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, so that it ends what it started and lets go of what it holds."""
    default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not default or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        # Once is enough: what is being tidied up must not be interrupted in turn.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Ended(number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def command(name: str, **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a command of the program."""
    return main.command(name, **options)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
sources_argument = click.argument("sources", nargs=-1, metavar="[SOURCE]…")
day_option = click.option("--day", type=DAY, help="Only this day (YYYY-MM-DD).")


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="sulh")
@click.option("--home", type=click.Path(path_type=Path), help="Where archive and store live (SULH_HOME).")
@click.pass_context
def main(ctx: click.Context, home: Path | None) -> None:
    """Watch news on infighting among jihadist groups, and alert when a reconciliation is reported.

    \b
    A first look:    sulh demo
    Every day:       sulh run          (crawl, process, alert, deliver)
    What came of it: sulh alerts, sulh claims, sulh ledger, sulh desk
    When in doubt:   sulh doctor

    Settings stand in sulh.toml or in SULH_* variables, e.g. SULH_HOME, SULH_NOTIFY, SULH_CONTACT.
    """
    ctx.obj = lambda **given: load_settings(**({"home": home} | given))


def settings_of(ctx: click.Context) -> Settings:
    """Give the settings that hold for this call."""
    made: Settings = ctx.find_root().obj()
    return made


def emit(rows: Iterable[dict[str, Any]]) -> None:
    """Print JSON lines, as they come."""
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))


def aside(as_json: bool) -> AbstractContextManager[object]:
    """Let the alerts that are printed where nobody is notified go to stderr, where standard output holds JSON."""
    return redirect_stdout(sys.stderr) if as_json else nullcontext()


def program() -> str:
    """Give the words by which this program was called, for a command that a person can copy."""
    path = Path(sys.argv[0])
    if path.name == "__main__.py":
        return f"{Path(sys.executable).name} -m sulh"
    return path.name if shutil.which(path.name) else os.path.relpath(path)


def known_source(settings: Settings, source: str) -> None:
    """Raise SulhError for a source that is neither configured nor in archive or store: a reader would find nothing."""
    from processors.archive import Archive
    from sulh.crawling import known_sources
    from sulh.stores import open_store

    held = Archive(settings.home).sources()
    if source in held or source in known_sources(settings)[0]:
        return
    # A team's store may have been filled from another machine.
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        there = bool(store.ledger(source=source))
    if not there:
        what = f"the archive holds {', '.join(held)}" if held else "`sulh sources` lists them"
        raise SulhError(f"there is no source {source}; {what}")


def configured(settings: Settings, source: str) -> Source:
    """Give a source. Raises UnknownSourceError where none is called so, KnowledgeError where its file is wrong."""
    from sulh.crawling import known_sources

    sources, broken = known_sources(settings)
    if source in sources:
        return sources[source]
    for error in broken:
        if f"{source}.y" in str(error):
            raise error
    raise UnknownSourceError(f"there is no source {source}; `sulh sources` lists them")


def in_order(since: datetime | None, until: datetime | None) -> None:
    """Refuse a span of days that ends before it begins."""
    if since and until and until < since:
        raise click.UsageError("--to lies before --from")


def now() -> datetime:
    """Read the clock: here and nowhere deeper."""
    return datetime.now(UTC)


def day_of(moment: datetime | None) -> date | None:
    """Give the day of an option, which click gives as a time."""
    return moment.date() if moment else None


# The daily job


@command("crawl")
@sources_argument
@click.option("--due", "only_due", is_flag=True, help="Leave out those that are not due: see `sulh sources due`.")
@json_option
@click.pass_context
def crawl_command(ctx: click.Context, sources: tuple[str, ...], only_due: bool, as_json: bool) -> None:
    """Fetch what is new from the sources into the archive.

    Without a SOURCE, all sources. Failing pages are tried again, in this crawl and in later ones.
    """
    from sulh.crawling import CrawlReport, crawl, due_sources
    from sulh.daily import make_home

    settings = settings_of(ctx)
    make_home(settings)
    echo = partial(click.echo, err=True)
    chosen: Sequence[str] = sources
    if only_due:
        chosen = [source.id for source in due_sources(settings, sources, now=now(), echo=echo)]
    report = CrawlReport(results=(), failed=()) if only_due and not chosen else crawl(settings, chosen, echo=echo)
    if only_due and not sources:
        report = replace(report, asked=())
    if as_json:
        emit(dict(result) for result in report.results)
    else:
        click.echo(report.summary())
    if not report.ok:
        ctx.exit(1)


@command("process")
@sources_argument
@day_option
@json_option
@click.pass_context
def process_command(ctx: click.Context, sources: tuple[str, ...], day: datetime | None, as_json: bool) -> None:
    """Read, judge and index what the archive holds and the store lacks."""
    from sulh.daily import process_archive, turn
    from sulh.stores import open_store

    settings = settings_of(ctx)
    with turn(settings), closing(open_store(settings.store_address, access=settings.access)) as store:
        report = process_archive(settings, store, sources, day=day_of(day), now=now)
    say_processed(ctx, report, as_json)


@command("alert")
@json_option
@click.pass_context
def alert_command(ctx: click.Context, as_json: bool) -> None:
    """Decide on alerts over all that the store holds, and queue what must be sent."""
    from sulh.daily import decide_alerts, nothing_yet, turn
    from sulh.stores import open_store

    settings = settings_of(ctx)
    if settings.home.is_dir() and nothing_yet(settings):
        click.echo(f"nothing to decide yet: nothing was judged in {settings.home}", err=True)
        return
    # Before the turn, which makes the home: a mistyped one must not come into being.
    open_store(settings.store_address, create=False, access=settings.access).close()
    with turn(settings), closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        decision = decide_alerts(settings, store, now=now())
        if as_json:
            emit(one.to_json() for one in decision.fresh)
        else:
            click.echo(decision.summary())


@command("deliver")
@click.option("--resend-unsure", is_flag=True, help="Send again what a crash left in doubt.")
@json_option
@click.pass_context
def deliver_command(ctx: click.Context, resend_unsure: bool, as_json: bool) -> None:
    """Send what the outbox holds to the addresses of SULH_NOTIFY, and write the Atom file."""
    from sulh.daily import deliver_alerts, make_home, nothing_yet
    from sulh.stores import open_store

    settings = settings_of(ctx)
    if settings.home.is_dir() and nothing_yet(settings):
        click.echo(f"nothing to deliver yet: nothing was judged in {settings.home}", err=True)
        return
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        make_home(settings)
        with aside(as_json):
            report = deliver_alerts(settings, store, now=now(), resend=resend_unsure)
    if as_json:
        emit([report.to_json()])
    else:
        click.echo(report.summary())
    if report.failed:
        ctx.exit(1)


@command("run")
@sources_argument
@json_option
@click.pass_context
def run_command(ctx: click.Context, sources: tuple[str, ...], as_json: bool) -> None:
    """Do the daily job: crawl, process, alert and deliver.

    Put it into cron, or let a scheduler call it; a second run at once changes nothing.
    """
    from sulh.daily import run

    settings = settings_of(ctx)
    with aside(as_json):
        report = run(settings, sources, now=now, echo=lambda line: click.echo(line, err=True))
    if as_json:
        emit([report.to_json()])
    else:
        click.echo(report.summary())
    fail_on(ctx, report.process.faults)
    if not report.ok:
        ctx.exit(1)


# The past, and dry runs


@command("replay")
@sources_argument
@json_option
@click.pass_context
def replay_command(ctx: click.Context, sources: tuple[str, ...], as_json: bool) -> None:
    """Rebuild the store from the archive, without the network, with the same ids.

    What was delivered and what analysts decided is kept. The store in place is replaced only when the new one is whole.
    """
    from sulh.daily import replay

    settings = settings_of(ctx)
    report = replay(settings, sources, now=now())
    say_processed(ctx, report, as_json)


@command("recompare")
@click.option("--switch", is_flag=True, help="Let the new results take the place of the old ones.")
@click.option(
    "--only-if",
    metavar="FINGERPRINT",
    default="",
    help="With --switch: only by the rules of the report that says this.",
)
@click.option(
    "--most", type=click.IntRange(0), help="Changes of each kind to show; all are counted.  [20; with --json all]"
)
@json_option
@click.pass_context
def recompare_command(ctx: click.Context, switch: bool, only_if: str, most: int | None, as_json: bool) -> None:
    """Say what changed registers, cues or readers change: judge the archive anew beside the store that serves.

    \b
    sulh recompare            what would change, with the sentence that shows it; the store stays as it was
    sulh recompare --switch   the same, and the new results hold from then on

    A report names the rules by a fingerprint; with --only-if nothing is switched in by any other rules.

    What was delivered and what analysts decided is kept: a dismissed alert stays dismissed, one that no text raises any
    more stays as "withdrawn", and nobody is notified again of texts that were notified of before.
    """
    from sulh.recompare import lines, recompare, summary

    if only_if and not switch:
        raise click.UsageError("--only-if needs --switch")
    settings = settings_of(ctx)
    most = 20 if most is None and not as_json else most
    found = recompare(settings, now=now(), switch=switch, only_if=only_if, most=most)
    if as_json:
        emit([found.to_json()])
        return
    for line in lines(found):
        click.echo(line)
    click.echo(summary(found, (program(), "recompare", "--switch")))


@command("evaluate")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option(
    "--floors", "floors_file", type=click.Path(path_type=Path), help="Exit 1 where an F1 is below this file's."
)
@click.option("--pin", is_flag=True, help="Write the figures into the file of --floors, where they are higher.")
@click.option("--lower", default="", metavar="WHY", help="With --pin: let floors fall, for this reason.")
@click.option("--worst", "most", default=10, show_default=True, help="How many items to show; 0 shows all.")
@click.option("--task", "tasks", multiple=True, help="Show mistakes of this task only; may be repeated.")
@click.option("--rules", is_flag=True, help="Show instead which cues no item exercises, and which only hurt.")
@click.option("--figures-only", is_flag=True, help="Show no item: for a set that nobody is to look at.")
@click.option(
    "--with-labelled-events", is_flag=True, help="Compare and alert on the labelled events: which step is at fault?"
)
@json_option
@click.pass_context
def evaluate_command(
    ctx: click.Context,
    files: tuple[Path, ...],
    floors_file: Path | None,
    pin: bool,
    lower: str,
    most: int,
    tasks: tuple[str, ...],
    rules: bool,
    figures_only: bool,
    with_labelled_events: bool,
    as_json: bool,
) -> None:
    """Measure what sulh judges against labelled items: per language and task, with the worst items and why.

    FILE is YAML as in tests/quality/, or JSON lines of the same items, such as `sulh export labels` gives. An event is
    right when kind, parties and polarity are; a comparison when its bearing is. Intervals come from drawing the items
    anew, and span 95 %.
    """
    from sulh import evaluate
    from sulh.pipeline import registers_of
    from sulh.progress import progress

    if (pin or lower) and floors_file is None:
        raise click.UsageError("--pin and --lower need --floors FILE")
    for name in tasks:
        if name not in evaluate.TASKS:
            raise click.UsageError(f"--task {name}: expected one of {', '.join(evaluate.TASKS)}")
    items = [item for file in files for item in evaluate.labelled(file)]
    if rules:
        from sulh import exercise

        cues = exercise.exercise(items)
        if as_json:
            emit([exercise.to_json(cues)])
        else:
            for line in exercise.lines(cues):
                click.echo(line)
        return
    with progress("judging", len(items)) as advance:
        registers = registers_of(settings_of(ctx).register_folder)
        found = evaluate.evaluate(items, registers, advance=advance, labelled_events=with_labelled_events)
    if as_json:
        click.echo(evaluate.dumps(found))
    else:
        for line in evaluate.table(found):
            click.echo(line)
        if not figures_only:
            say_mistakes(found, most, tasks)
    if floors_file is None:
        return
    known = evaluate.Floors(floors={})
    if floors_file.exists() or not pin:
        known = evaluate.floors_in(floors_file)
    if pin:
        floors_file.write_text(evaluate.pinned(found, known, lower=lower), encoding="utf-8")
    elif down := evaluate.falls(found, known):
        raise SulhError("\n".join(down))


def say_mistakes(found: Evaluation, most: int, tasks: Sequence[str]) -> None:
    """Show which kinds were taken for which, and the items with the most mistakes."""
    from sulh import evaluate

    if not tasks or "events" in tasks:
        click.echo("\nkinds taken for others (- for none):")
        for line in list(evaluate.confusion(found))[:20]:
            click.echo(line)
    click.echo("\nworst items:")
    for line in evaluate.worst(found, most, tasks):
        click.echo(line)


@command("judge")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--explain", is_flag=True, help="Say for a person by which clause, cue, names and line of YAML.")
@json_option
@click.pass_context
def judge_command(ctx: click.Context, files: tuple[str, ...], explain: bool, as_json: bool) -> None:
    """Judge pages or texts without storing anything: one JSON object an item, in the order given.

    FILE is an HTML page, a WARC file, or JSON lines of {"id", "url", "title", "text", "published"}; - reads JSON lines
    from standard input. The batch is read as if its items had come in on their days; an alert stands as it does at the
    end of the batch. Exit 1 when nothing could be judged, or a file breaks off.

    With --explain a text for a person instead; --explain --json has the same under the key "explain".
    """
    from sulh.daily import judge_files
    from sulh.explain import lines
    from sulh.intake import CUT_SHORT

    judged = broken = 0
    for row in judge_files(settings_of(ctx), list(files), now=now(), explain=explain):
        if explain and not as_json:
            for line in lines(row):
                click.echo(line)
        else:
            emit([row])
        if "rejected" in row:
            why = row["rejected"]
            broken += why["reason"] == CUT_SHORT
            click.echo(f"sulh: refused: {row['id']}: {why['reason']}: {why['detail']}", err=True)
        else:
            judged += 1
    if broken or not judged:
        ctx.exit(1)


# Reading what came of it


@command("search")
@click.argument("words", nargs=-1, metavar="QUERY…")
@click.option("--lang", type=click.Choice(["ar", "en", "ru", "fr", "tr", "und"]), help="Language of the document.")
@click.option("--source", default="", help="Source id.")
@click.option("--from", "since", type=DAY, help="Published on or after this day.")
@click.option("--to", "until", type=DAY, help="Published on or before this day.")
@click.option("--claim", default="", help="Bears on this claim, e.g. C09.")
@click.option("--kind", type=click.Choice(get_args(Kind)), help="Has an event of this kind, e.g. truce.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many at most.")
@json_option
@click.pass_context
def search_command(
    ctx: click.Context,
    words: tuple[str, ...],
    lang: str | None,
    source: str,
    since: datetime | None,
    until: datetime | None,
    claim: str,
    kind: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Search the documents, in any inflected form of the words.

    \b
    sulh search truce Nusra --from 2014-11-01
    sulh search هدنة --lang ar
    sulh search --claim C09
    """
    from sulh.stores import Query, open_store

    in_order(since, until)
    settings = settings_of(ctx)
    query = Query(
        words=" ".join(words),
        language=lang or "",
        source=source,
        since=day_of(since),
        until=day_of(until),
        claim=claim.upper(),
        kind=kind or "",
        limit=limit,
    )
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        hits = store.search(query)
    if not hits:
        # Nothing found is an answer only where there was something to look for.
        if source:
            known_source(settings, source)
        if claim:
            known_claim(settings, claim)
    if as_json:
        emit(hit.to_json() for hit in hits)
        return
    for hit in hits:
        when = f"{hit.published_at:%Y-%m-%d}" if hit.published_at else "no date   "
        click.echo(f"{when}  {hit.source:<16} {hit.language:<3} {hit.title}\n    {hit.url}")
        if hit.snippet:
            click.echo(f"    {hit.snippet}")
    if not hits:
        click.echo("nothing found", err=True)


@command("export")
@click.argument(
    "kind",
    type=click.Choice(["documents", "events", "comparisons", "stories", "alerts", "rejections", "ledger", "labels"]),
)
@click.pass_context
def export_command(ctx: click.Context, kind: Any) -> None:
    """Print all records of a KIND as JSON lines, in a fixed order, the same from every store.

    labels: the documents of alerts that analysts confirmed or dismissed, as labelled items for `sulh evaluate`:

    \b
    sulh export labels > labels.jsonl
    sulh evaluate labels.jsonl
    """
    from sulh.labels import labels
    from sulh.stores import open_store

    settings = settings_of(ctx)
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        emit(labels(store) if kind == "labels" else store.export(kind))


def say_processed(ctx: click.Context, report: ProcessReport, as_json: bool) -> None:
    """Print what became of the captures; a page that could not be judged fails the command."""
    if as_json:
        emit([report.to_json()])
    else:
        click.echo(report.summary())
    fail_on(ctx, report.faults)


def fail_on(ctx: click.Context, faults: Sequence[Fault]) -> None:
    """Say on stderr which pages were left waiting and why, and exit with 1 where there are any."""
    for fault in faults:
        click.echo(f"sulh: left waiting: {fault.url}: {fault.said}", err=True)
    if faults:
        ctx.exit(1)


def known_claim(settings: Settings, claim: str) -> None:
    """Raise SulhError for a claim that stands in no register."""
    from sulh.pipeline import registers_of

    registers = registers_of(settings.register_folder)
    if claim.upper() not in (one.id.upper() for _, one in registers.claims()):
        spans = [f"{one.claims[0].id} to {one.claims[-1].id} of {one.article.id}" for one in registers if one.claims]
        raise SulhError(f"there is no claim {claim}; there are {', '.join(spans)}: `sulh claims` lists them")


@command("claims")
@click.argument("claim", required=False, metavar="[ID]")
@click.option("--register", default="", help="Only claims of this register.")
@click.option("--limit", type=click.IntRange(1), help="With an ID: how many of a claim at most; default: all.")
@json_option
@click.pass_context
def claims_command(ctx: click.Context, claim: str | None, register: str, limit: int | None, as_json: bool) -> None:
    """Show the claims and how many independent origins support, report or contradict each.

    With an ID, everything that bears on that claim, newest first, with the sentence and the reason.
    """
    from sulh import board
    from sulh.pipeline import registers_of

    settings = settings_of(ctx)
    registers = registers_of(settings.register_folder)
    known = [one.article.id for one in registers]
    if register and register not in known:
        raise SulhError(f"there is no register {register}; there is {', '.join(known)}")
    ids = {
        one.id: one
        for article, one in registers.claims()
        if claim is not None and one.id.lower() == claim.lower() and register in ("", article.article.id)
    }
    with board.open_board(settings.store_address, access=settings.access) as asked:
        if claim is None:
            rows = [row for row in asked.claim_board(registers) if register in ("", row.register)]
            if as_json:
                emit(row.to_json() for row in rows)
            else:
                click.echo("supports  reports  contradicts  claim")
                for row in rows:
                    counts = f"{row.supports:>8}  {row.reports:>7}  {row.contradicts:>11}"
                    click.echo(f"{counts}  {row.claim}  {row.statement}")
            return
        if not ids:
            raise SulhError(f"there is no claim {claim}; `sulh claims` lists them")
        found = [row for id in ids for row in asked.claim_board(registers, claim=id) if register in ("", row.register)]
        evidence = (piece for row in found for piece in asked.evidence(row.register, row.claim, limit=limit))
        if as_json:
            emit(piece.to_json() for piece in evidence)
            return
        for row in found:
            click.echo(f"{row.claim} ({row.register}, {row.voice}): {row.statement}")
            click.echo(
                f"independent origins: {row.supports} support, {row.reports} report, {row.contradicts} contradict"
            )
        for piece in evidence:
            click.echo(
                f"\n{piece.dated_at:%Y-%m-%d}  {piece.bearing}  {piece.score:.2f}  {piece.source}: {piece.title}"
            )
            click.echo(f"    {piece.sentence}\n    why: {piece.why}\n    {piece.url}")


@command("alerts")
@click.argument("alert", required=False, metavar="[ID]")
@click.option("--confirm", is_flag=True, help="Keep that an analyst holds the report to be true.")
@click.option("--dismiss", metavar='"WHY"', help="Keep that an analyst dismisses it, and why.")
@json_option
@click.pass_context
def alerts_command(ctx: click.Context, alert: str | None, confirm: bool, dismiss: str | None, as_json: bool) -> None:
    """Show the alert queue, or one alert: why, its caution checklist and history; keep an analyst's verdict.

    With an ID also what would have changed it, decided anew without each sentence, and with one report more.

    \b
    sulh alerts
    sulh alerts 3f2a…
    sulh alerts 3f2a… --dismiss "a government truce"
    The beginning of an id is enough where it is the only one.
    """
    from sulh import board
    from sulh.counts import count
    from sulh.deliver import HELD, render
    from sulh.stores import open_store

    if (confirm or dismiss is not None) and (alert is None or (confirm and dismiss is not None)):
        raise click.UsageError('give one ID, and either --confirm or --dismiss "why"')
    if dismiss is not None and not dismiss.strip():
        raise click.UsageError("--dismiss needs the reason in words")
    settings = settings_of(ctx)
    with board.open_board(settings.store_address, access=settings.access) as asked:
        rows = asked.alert_queue(beginning=alert or "")
        if alert is not None and len(rows) != 1:
            what = "no alert has" if not rows else "several alerts have"
            raise SulhError(f"{what} an id that begins with {alert}; `sulh alerts` lists them")
        documents = {
            member.document: asked.document(member.document)
            for row in rows
            for member in row.alert.members
            if alert is not None
        }
    if confirm or dismiss is not None:
        verdict: Verdict = "confirmed" if confirm else "dismissed"
        with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
            store.judge(rows[0].alert.id, verdict, dismiss or "", at=now())
        if as_json:
            emit([{"alert": rows[0].alert.id, "verdict": verdict, "why": dismiss or ""}])
        else:
            click.echo(f"{rows[0].alert.id}: {verdict}")
    elif as_json and alert is None:
        emit(row.to_json() for row in rows)
    elif alert is not None:
        from sulh import grounds

        with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
            found = grounds.grounds_of(store, rows[0].alert, now=now(), max_age_days=settings.max_age_days)
        if as_json:
            emit([{**rows[0].to_json(), "grounds": found.to_json() if found is not None else None}])
            return
        texts = {id: document for id, document in documents.items() if document is not None}
        message = render(rows[0].alert, texts, limit=WHOLE)
        click.echo(f"{rows[0].alert.id}\n{message.title}\n\n{message.body}\n")
        why = rows[0].why or (HELD.get(rows[0].alert.held, "") if rows[0].queue == "held" else "")
        click.echo(f"queue: {rows[0].queue}{': ' + why if why else ''}")
        if found is not None:
            click.echo("")
            for line in grounds.lines(rows[0].alert, found):
                click.echo(line)
    else:
        for row in rows:
            one = row.alert
            parties = ", ".join(one.parties)
            click.echo(f"{one.id}  {one.opened_at:%Y-%m-%d}  {row.queue:<9} {one.state:<12} {one.kind}: {parties}")
            click.echo(f"    {one.title}\n    {one.sentence}")
            click.echo(
                f"    {count(len(one.members), 'document')}, {count(len(one.origins), 'independent origin')},"
                f" {row.shown} of {len(one.caution)} caution signals shown"
            )
        if not rows:
            click.echo("no alerts", err=True)


@command("ledger")
@click.option("--source", default="", help="Only this source.")
@day_option
@json_option
@click.pass_context
def ledger_command(ctx: click.Context, source: str, day: datetime | None, as_json: bool) -> None:
    """Show what became of every item, per source and day; an imbalance is an error (exit 1).

    \b
    discovered = fetched + known + refused + failed
    fetched    = indexed + duplicate + rejected + waiting (archived, not yet processed)

    While a source is being crawled, what its crawl is still at stands nowhere yet: its rows say so, and are no error.
    """
    from sulh.doctor import balances_now

    settings = settings_of(ctx)
    balances, moving = balances_now(settings, source=source, day=day_of(day), seconds=LEDGER_SECONDS)
    if source and not balances:
        known_source(settings, source)
    if as_json:
        emit({**row.to_json(), "under_way": (row.source, row.day) in moving} for row in balances)
    else:
        names = ("discovered", "fetched", "known", "refused", "failed", "indexed", "duplicate", "rejected", "waiting")
        width = max([6, *(len(row.source) for row in balances)])
        click.echo(f"{'day':<10}  {'source':<{width}}  " + "  ".join(names))
        for row in balances:
            counts = "  ".join(f"{getattr(row, name):>{len(name)}}" for name in names)
            flag = "" if row.balanced else f"  OUT OF BALANCE by {row.crawl_gap or row.process_gap}"
            if (row.source, row.day) in moving:
                flag = f"  being crawled or processed: {abs(row.crawl_gap or row.process_gap)} under way"
            click.echo(f"{row.day}  {row.source:<{width}}  {counts}{flag}")
            for disposition, reason, count in row.reasons:
                if disposition not in ("known", "duplicate", "fetched"):
                    click.echo(f"{'':<{width + 14}}{count} {disposition}: {reason}")
    wrong = [row for row in balances if not row.balanced and (row.source, row.day) not in moving]
    if wrong:
        click.echo(
            f"sulh: the ledger does not balance for {', '.join(sorted({row.source for row in wrong}))}", err=True
        )
        ctx.exit(1)


@command("desk")
@click.option("--port", type=click.IntRange(1, 65535), help="Port on loopback (SULH_DESK_PORT; 8020).")
@click.pass_context
def desk_command(ctx: click.Context, port: int | None) -> None:
    """Serve the pages to browse the embedded store, on this machine only; Ctrl-C ends it."""
    from sulh import desk
    from sulh.pipeline import registers_of

    settings = settings_of(ctx)
    if settings.on_server:
        raise SulhError(
            f"the store is {settings.store_address}, and the desk reads a file: use Kibana, which `sulh kibana import`"
            " brings the dashboards to (docs/kibana.md)"
        )
    desk.serve(
        Path(settings.store_address),
        home=settings.home,
        sources=settings.source_folder,
        registers=registers_of(settings.register_folder),
        port=port or settings.desk_port,
        ready=lambda address: click.echo(f"The desk is open at {address} - Ctrl-C closes it."),
    )
    click.echo("The desk is closed.")


@command("doctor")
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Say what is configured, reachable, stale or out of balance, and what to do; exit 1 when something is wrong."""
    from sulh.doctor import examine

    marks = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}
    wrong = False
    for finding in examine(settings_of(ctx), now=now()):
        if finding.level == "ok" and not finding.decided:
            # Of use to `sulh watch` only.
            continue
        wrong |= finding.level == "wrong"
        if as_json:
            emit([finding.to_json()])
        else:
            todo = f"  -> {finding.todo}" if finding.todo else ""
            click.echo(f"{marks[finding.level]}  {finding.about}: {finding.said}{todo}")
    if wrong:
        ctx.exit(1)


@main.group("watch", invoke_without_command=True)
@json_option
@click.pass_context
def watch_group(ctx: click.Context, as_json: bool) -> None:
    """Look for what goes wrong unseen, tell operators each finding once; say how fresh things are.

    \b
    Looked at: sources that are silent or fail, feeds that became something else, the ledger's balance, what the
    store refuses, deliveries, the disk, and how long items take from publication to store and channel.
    Findings go to the addresses of SULH_OPERATORS, and are printed where none is set.
    Exit 0 when it could look, whatever it found.
    """
    from sulh.daily import nothing_yet
    from sulh.watch import watch

    if ctx.invoked_subcommand is not None:
        return
    settings = settings_of(ctx)
    if nothing_yet(settings):
        click.echo(f"nothing to watch yet: nothing was judged in {settings.home}", err=True)
        return
    with aside(as_json):
        report = watch(settings, now=now())
    say_watched(report, as_json)


def say_watched(report: WatchReport, as_json: bool) -> None:
    """Print how fresh things are, which findings stand, and how the telling went."""
    from sulh.counts import count

    if as_json:
        emit([report.to_json()])
        return
    say_freshness(report.freshness)
    fresh = {finding.id for finding in report.new}
    for finding in report.standing:
        mark = "NEW" if finding.id in fresh else f"since {finding.first_at:%Y-%m-%d %H:%M}"
        todo = f"  -> {finding.todo}" if finding.todo else ""
        click.echo(f"{finding.kind}, {finding.about} ({mark}): {finding.said}{todo}")
    for finding in report.gone:
        click.echo(f"{finding.kind}, {finding.about}: gone")
    standing = count(len(report.standing), "finding stands", "findings stand")
    click.echo(f"{standing}, {len(report.new)} new, {len(report.gone)} gone")
    click.echo(report.delivery.summary())


def say_freshness(rows: Sequence[Freshness]) -> None:
    """Print a table of how long items took."""
    from sulh.freshness import in_words

    if not rows:
        return
    width = max([6, *(len(row.source) for row in rows)])
    click.echo("the last 7 days: published to indexed, indexed to delivered")
    click.echo(f"{'source':<{width}}  documents         p50         p95  messages         p50         p95")
    for row in rows:
        one, two, three, four = (
            f"{in_words(seconds):>10}"
            for seconds in (row.indexed_p50, row.indexed_p95, row.delivered_p50, row.delivered_p95)
        )
        click.echo(f"{row.source:<{width}}  {row.documents:>9}  {one}  {two}  {row.messages:>8}  {three}  {four}")


@watch_group.command("tell")
@click.argument("kind")
@click.argument("about")
@click.option("--said", default="", metavar="TEXT|-", help="What there is to say, such as the last lines of a log.")
@click.option("--todo", default="", metavar="TEXT", help="What to do about it.")
@json_option
@click.pass_context
def watch_tell(ctx: click.Context, kind: str, about: str, said: str, todo: str, as_json: bool) -> None:
    """Tell operators one finding from outside, such as a failed task; once while it keeps coming.

    \b
    sulh watch tell task-failed sulh_daily.crawl --said - < log
    It is told again when it comes after a day of silence. KIND is a word of lower-case letters and hyphens.
    """
    from sulh.watch import tell

    if not re.fullmatch("[a-z][a-z0-9-]{0,40}", kind):
        raise click.BadParameter("expected a word of lower-case letters, digits and hyphens", param_hint="KIND")
    if not about.strip():
        raise click.BadParameter("expected what it is about", param_hint="ABOUT")
    text = sys.stdin.read() if said == "-" else said
    with aside(as_json):
        report = tell(settings_of(ctx), kind, about.strip(), said=text.strip()[-MOST_SAID:], todo=todo, now=now())
    say_watched(report, as_json)


@command("demo")
@click.option(
    "--home",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder; default: the --home before the command, else demo-data.",
)
@click.option("--store", default="", metavar="URL", help="Into this Elasticsearch (or file) instead of the folder.")
@click.option("--port", type=click.IntRange(1, 65000), help="First of the five ports on loopback.")
@json_option
@click.pass_context
def demo_command(ctx: click.Context, folder: Path | None, store: str, port: int | None, as_json: bool) -> None:
    """Show the whole product: crawl five sample outlets on this machine, judge them, raise alerts.

    The outlets tell the two weeks around 15 November 2014 in five languages. A second call changes nothing.

    With --store URL it all goes into an Elasticsearch, whose indices are made where they lack; SULH_STORE_API_KEY and
    the like open it, and SULH_STORE_PREFIX=demo keeps it apart from what is there.
    """
    from sulh.demo.serve import PORT
    from sulh.showing import demo

    # Only a home that was typed: the demo must not write into the one of SULH_HOME.
    folder = (folder or ctx.find_root().params["home"] or Path("demo-data")).expanduser()
    access = settings_of(ctx) if "://" in store else None
    with aside(as_json):
        report = demo(
            folder,
            now=now,
            echo=lambda line: click.echo(line, err=True),
            port=port or PORT,
            store=store,
            access=access,
        )
    if as_json:
        emit([report.run.to_json()])
    else:
        click.echo(report.run.summary())
        if not report.run.changed:
            click.echo("nothing has changed since the last demo in this folder")
        call = f"{program()} --home {folder}"
        if report.settings.on_server:
            click.echo("\nTo look at it, with the same credentials:")
            for words in ("claims", "claims C09", "alerts", "search truce Nusra", "ledger"):
                click.echo(f"    {call} {words}")
            click.echo("and in Kibana, after `sulh kibana import` with the same SULH_STORE_PREFIX.")
        else:
            port = report.settings.desk_port
            click.echo(f"\nTo browse it all: {call} desk, then open http://127.0.0.1:{port}/")
    if not report.run.ok:
        ctx.exit(1)


# Sources


@main.group("sources", invoke_without_command=True)
@click.pass_context
def sources_group(ctx: click.Context) -> None:
    """List the sources; `due` says which to crawl now, `freshness` how soon their items come in; `show`, `check` and
    `new` look at one or make one.

    Your own stand in sources/ in the home, one YAML file each, and win over those that come with sulh.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(sources_list)


@sources_group.command("list")
@json_option
@click.pass_context
def sources_list(ctx: click.Context, as_json: bool = False) -> None:
    """List all sources with language, kind, cadence and when each was last seen live."""
    from sulh.crawling import known_sources

    sources, broken = known_sources(settings_of(ctx))
    if as_json:
        emit({"id": name} | source.model_dump(mode="json", exclude={"id"}) for name, source in sources.items())
    else:
        for name, source in sources.items():
            click.echo(
                f"{name:<28} {source.language:<3} {source.kind:<10} every {source.every:<4} checked {source.checked}"
                f"  {source.name}"
            )
    for error in broken:
        click.echo(f"sulh: {error}", err=True)
    if broken:
        ctx.exit(1)


@sources_group.command("freshness")
@json_option
@click.pass_context
def sources_freshness(ctx: click.Context, as_json: bool) -> None:
    """Say how long each source's items of the last week took: published to indexed, and indexed to delivered.

    p50 and p95: so long took half of them at most, and nineteen of twenty; in JSON in seconds. Not counted are pages
    that tell no time of day, and what came out before the source was first crawled.
    """
    from processors.archive import Archive
    from sulh.freshness import freshness
    from sulh.stores import open_store

    settings = settings_of(ctx)
    with closing(open_store(settings.store_address, create=False, access=settings.access)) as store:
        rows = freshness(store, Archive(settings.home), now=now())
    if as_json:
        emit(row.to_json() for row in rows)
        return
    say_freshness(rows)
    if not rows:
        click.echo("no item of the last 7 days says to the minute when it came out", err=True)


@sources_group.command("due")
@click.option(
    "--groups", "most", type=click.IntRange(1), help="Put hosts together where there are more than so many groups."
)
@json_option
@click.pass_context
def sources_due(ctx: click.Context, most: int | None, as_json: bool) -> None:
    """List the sources that are to be crawled now, each by its `every:`, in groups of one host.

    One crawl takes a group: a host is asked by one process at a time. A source that failed rests longer with each
    failure, up to a day; one that is being crawled is left out, and so is one of a host that is being asked.
    """
    from sulh.crawling import due_sources
    from sulh.due import groups

    settings = settings_of(ctx)
    found = groups(due_sources(settings, now=now(), echo=partial(click.echo, err=True)), most=most)
    if as_json:
        emit(group.to_json() for group in found)
    else:
        for group in found:
            click.echo(f"{group.about}: {' '.join(group.sources)}")


@sources_group.command("show")
@click.argument("source")
@json_option
@click.pass_context
def sources_show(ctx: click.Context, source: str, as_json: bool) -> None:
    """Show one source as YAML, with its defaults filled in, and how its last crawls went."""
    import yaml

    from processors.archive import Archive

    settings = settings_of(ctx)
    known = configured(settings, source)
    values = known.model_dump(mode="json", exclude={"id"}, exclude_none=True)
    health = Archive(settings.home).health(source, now=now(), interval=known.interval)
    if as_json:
        emit([{"id": source} | values | {"last_crawl": {"outcome": health.outcome, "reason": health.reason}}])
        return
    click.echo(yaml.safe_dump(values, allow_unicode=True, sort_keys=False).rstrip())
    click.echo(f"# last crawl: {health.outcome}{': ' + health.reason if health.reason else ''}")


@sources_group.command("check")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
@json_option
@click.pass_context
def sources_check(ctx: click.Context, sources: tuple[str, ...], as_json: bool) -> None:
    """Fetch the entry and one page of a source live, and say what a crawl would get; nothing is kept.

    A source of your own that answers is marked with today's date in its file.
    """
    from sulh.crawling import ask, mark_checked

    settings = settings_of(ctx)
    wrong = False
    for source in sources:
        status, answer = ask(settings, ["--check", source])
        if not answer:
            # What is the matter stands on stderr already.
            ctx.exit(1)
        facts = json.loads(answer)
        wrong |= status != 0
        if as_json:
            emit([facts])
        elif status != 0:
            click.echo(f"{source}: would bring nothing: {facts['reason']}")
        else:
            page = facts["page"]
            click.echo(f"{source}: lists {facts['listed']} items, {facts['dated']} of them dated; the first is")
            click.echo(f"    {page['url']} ({page['content_type']}, {page['bytes']} bytes)")
        if status == 0 and (marked := mark_checked(settings, source, now().date())):
            click.echo(f"    marked as checked in {marked}", err=as_json)
    if wrong:
        ctx.exit(1)


@sources_group.command("new")
@click.argument("url")
@click.option("--id", "name", help="Also save it under this id, e.g. example_gb, in sources/ in the home.")
@click.pass_context
def sources_new(ctx: click.Context, url: str, name: str | None) -> None:
    """Find a site's WordPress API, feed or sitemap, and print the YAML of a source that reads it.

    \b
    sulh sources new https://monitor.example/ --id monitor_gb
    """
    from sulh.crawling import ask, save_source

    settings = settings_of(ctx)
    status, text = ask(settings, ["--discover", url])
    if not text:
        ctx.exit(1)
    click.echo(text.rstrip())
    if name:
        click.echo(f"saved as {save_source(settings, name, text)}; try it: sulh sources check {name}", err=True)
    if status != 0:
        click.echo("sulh: the site offers no feed, sitemap or API: fill in the selectors", err=True)
        ctx.exit(1)


@command("backfill")
@click.argument("source")
@click.option("--from", "since", type=DAY, required=True, help="First day (YYYY-MM-DD).")
@click.option("--to", "until", type=DAY, required=True, help="Last day, included.")
@click.option(
    "--via",
    type=click.Choice(["sitemap", "wordpress", "warc", "commoncrawl", "wayback"]),
    help="By what; default: the source's own kind.",
)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[FILE]…")
@json_option
@click.pass_context
def backfill_command(
    ctx: click.Context,
    source: str,
    since: datetime,
    until: datetime,
    via: str | None,
    files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Fetch a source's past into the archive, through the same path; `sulh process` then reads it.

    \b
    sulh backfill example_gb --from 2014-11-01 --to 2014-11-30 --via sitemap
    sulh backfill example_gb --from 2014-11-01 --to 2014-11-30 --via warc old.warc.gz

    sulh backfill example_gb --from 2014-11-01 --to 2014-11-30 --via wayback

    The days are those on which the pages came out; with --via warc, commoncrawl and wayback, those on which they were
    captured. A call that was interrupted goes on where it was when it is repeated. Calls for one span after the other
    read the site's lists once a day. What is missing is told: days with nothing, lists that could not be read, pages
    that could not be had.
    """
    from sulh.crawling import backfill, import_files
    from sulh.daily import make_home

    if (via == "warc") != bool(files):
        raise click.UsageError("--via warc takes WARC files, and only it does")
    in_order(since, until)
    settings = settings_of(ctx)
    known = configured(settings, source)
    make_home(settings)
    if via == "warc":
        report = import_files(settings, source, files, since=since.date(), until=until.date(), now=now())
        if not report.results[0]["discovered"]:
            host = urlsplit(known.front).hostname
            days = f"between {since.date()} and {until.date()}"
            raise SulhError(f"no page of {host}, captured {days}, is in the files; --from and --to say when")
    else:
        echo = partial(click.echo, err=True)
        report = backfill(settings, source, since=since.date(), until=until.date(), via=via, echo=echo)
    if as_json:
        emit(dict(result) for result in report.results)
    else:
        click.echo(report.summary())
    if not report.ok:
        ctx.exit(1)


# The store of a team


def server_of(settings: Settings) -> str:
    """Give the address of the store's server. Raises SulhError where the store is a file, which has no indices."""
    if not settings.on_server:
        raise SulhError(
            f"the store is a file ({settings.store_address}), which needs no indices: set SULH_STORE to the address of"
            " an Elasticsearch"
        )
    return settings.store


@main.group("index")
def index_group() -> None:
    """Make and look after the indices of a store on Elasticsearch.

    \b
    sulh index create --roles      templates, indices and aliases; and the roles writer, reader and admin
    sulh index key writer          an API key for the pipeline
    sulh index status              what there is, and whether something is to be moved
    """


@index_group.command("create")
@click.option("--roles", "with_roles", is_flag=True, help="Also write the roles writer, reader and admin.")
@json_option
@click.pass_context
def index_create(ctx: click.Context, with_roles: bool, as_json: bool) -> None:
    """Make templates, first indices and aliases, as far as they are not there; what is there stays as it is.

    With --roles also the roles, for the people who sign in to Kibana; a role that is there is brought up to date. That
    takes a user who may manage security, such as elastic.
    """
    from mappings import roles
    from sulh.stores.elastic_indices import create_indices
    from sulh.stores.elastic_roles import create_roles

    settings = settings_of(ctx)
    address = server_of(settings)
    made, found = create_indices(address, settings.access)
    outdated = [index.name for index in found if index.serves and index.outdated]
    said = []
    if with_roles:
        fresh = create_roles(address, settings.access)
        said = [{"role": name, "new": name in fresh} for name in roles(settings.store_prefix)]
    if as_json:
        emit({"index": index.name, "new": index.name in made} for index in found)
        emit({"alias": name, "new": True} for name in made if name not in {index.name for index in found})
        emit(said)
    else:
        for name in made:
            click.echo(f"made {name}")
        there = sum(index.name not in made for index in found if index.read and index.write)
        if there:
            click.echo(f"{there} indices were there already")
        for row in said:
            click.echo(f"{'made the' if row['new'] else 'brought up to date the'} role {row['role']}")
    if outdated:
        click.echo(f"of an older mapping: {', '.join(outdated)}: run `sulh index migrate`", err=True)
    empty = [index.name for index in found if index.name in made]
    if empty and len(empty) < len(found):
        click.echo(
            f"made new and empty beside others that were there: {', '.join(empty)}. If they were lost rather than new"
            " to this version, `sulh replay` fills them from the archive; verdicts and deliveries come back from a"
            " snapshot only (docs/operations.md)",
            err=True,
        )


@index_group.command("status")
@json_option
@click.pass_context
def index_status(ctx: click.Context, as_json: bool) -> None:
    """Show each index with its rows, size and aliases, and what is to be moved."""
    from dataclasses import asdict

    from sulh.stores.elastic_indices import status

    settings = settings_of(ctx)
    states = status(server_of(settings), settings.access)
    if as_json:
        emit(asdict(state) for state in states)
        return
    click.echo(f"{'index':<28} {'schema':>6} {'rows':>9} {'retired':>8} {'size':>9}  aliases")
    for state in states:
        size = "-" if state.size is None else f"{state.size / 1024 / 1024:.1f} MB"
        aliases = ", ".join(state.aliases) or "none"
        click.echo(
            f"{state.index:<28} {state.schema:>6} {state.rows:>9} {state.retired:>8} {size:>9}  {aliases}"
            + (f"  ({state.pending})" if state.pending else "")
        )


@index_group.command("key")
@click.argument("role", type=click.Choice(["writer", "reader", "admin"]))
@click.option("--days", type=click.IntRange(1), help="How long it holds; default: until it is made void.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file, which only you may read."
)
@click.option("--force", is_flag=True, help="Let --out take the place of a file that is there.")
@json_option
@click.pass_context
def index_key(ctx: click.Context, role: str, days: int | None, out: Path | None, force: bool, as_json: bool) -> None:
    """Make an API key that may do what a ROLE may: writer for the pipeline, reader for analysts, admin for this.

    It is shown once and kept nowhere. Only a user can make one (SULH_STORE_USER, SULH_STORE_PASSWORD), not a key.

    \b
    sulh index key writer --out writer.key
    SULH_STORE_API_KEY_FILE=writer.key sulh run
    """
    from sulh.stores.elastic_roles import create_key, forget_key, keep_key

    settings = settings_of(ctx)
    address = server_of(settings)
    if out is not None and out.exists() and not force:
        raise SulhError(f"{out}: there is a file already: take another name, or --force to replace it")
    key = create_key(address, settings.access, role, days=days)
    if out is not None:
        try:
            keep_key(key, out, force=force)
        except BaseException:
            forget_key(address, settings.access, key)
            raise
    ends = f"until {key.expires:%Y-%m-%d}" if key.expires else "until it is made void"
    if as_json:
        told = {"id": key.id, "name": key.name, "role": role, "expires": key.expires and key.expires.isoformat()}
        emit([told | ({"file": str(out)} if out else {"api_key": key.encoded.get_secret_value()})])
        return
    if out is None:
        click.echo(key.encoded.get_secret_value())
        click.echo(f"The key {key.id} of the role {key.name} holds {ends}; it is not shown again.", err=True)
    else:
        click.echo(f"wrote the key {key.id} of the role {key.name} to {out}; it holds {ends}")


@index_group.command("migrate")
@click.option("--drop-old", is_flag=True, help="Afterwards remove the indices whose place others have taken.")
@click.option("--from", "source", metavar="ADDRESS", help="Move this whole store: a file, or a server's address.")
@click.option("--to", "target", metavar="ADDRESS", help="Where to, with --from: a file, or a server's address.")
@json_option
@click.pass_context
def index_migrate(ctx: click.Context, drop_old: bool, source: str | None, target: str | None, as_json: bool) -> None:
    """Move the store to the mappings of this sulh, while writes go on; what has the right mapping stays.

    A new index is filled, compared by counts and checksums, and takes the old one's place; the old one stays, closed to
    writes, until --drop-old. Broken off, the same command goes on. It takes the key of the role admin.

    With --from and --to a whole store moves into an empty one, from a file to a server or back; the first stays as it
    is. What was sent counts as sent.

    \b
    sulh index migrate --from ~/.local/share/sulh/sulh.sqlite --to https://search.example:9200
    """
    from dataclasses import asdict

    from sulh.stores import elastic_migrate
    from sulh.stores.moving import move

    if (source is None) != (target is None) or (source and drop_old):
        raise click.UsageError("--from and --to go together, and without --drop-old")
    settings = settings_of(ctx)
    if source and target:
        counted = move(source, target, settings.access, echo=lambda line: click.echo(line, err=True))
        if as_json:
            emit(one.to_json() for one in counted)
        else:
            for one in counted:
                click.echo(f"{one.table:<12} {one.rows:>9} rows, checksum {one.checksum}")
            click.echo(f"all of {source} is in {target}; to work there from now on, set SULH_STORE to it")
        return
    address = server_of(settings)
    moved = elastic_migrate.migrate(address, settings.access, echo=lambda line: click.echo(line, err=True))
    dropped = elastic_migrate.drop_old(address, settings.access) if drop_old else []
    if as_json:
        emit(asdict(one) for one in moved)
        emit({"dropped": name} for name in dropped)
        return
    for shown in moved:
        click.echo(f"{shown.kind:<12} {shown.old} -> {shown.new}  {shown.rows} rows, checksum {shown.checksum}")
    for name in dropped:
        click.echo(f"removed {name}")
    if not moved:
        click.echo("nothing to move: every index has the mapping of this sulh")
    elif not drop_old:
        click.echo("the old indices are kept; when all is well: sulh index migrate --drop-old")


# Kibana


@main.group("kibana")
def kibana_group() -> None:
    """Print or import what Kibana shows: data views, saved searches and four dashboards.

    \b
    sulh kibana import                       # into the Kibana of SULH_KIBANA
    sulh kibana import --from 2014-11-01     # dashboards that open on these days
    sulh kibana build > sulh.ndjson          # for Stack Management, Saved Objects, Import

    They are described in mappings/kibana, which a person can change without knowing Kibana's own format.
    """


def _saved_objects(settings: Settings, since: datetime | None, until: datetime | None) -> list[dict[str, Any]]:
    from sulh.kibana.described import Times, described
    from sulh.kibana.saved import build
    from sulh.pipeline import registers_of

    in_order(since, until)
    if until and not since:
        raise click.UsageError("--to needs --from")
    time = None
    if since:
        time = Times(**{"from": f"{since:%Y-%m-%d}", "to": f"{until:%Y-%m-%d}" if until else "now"})
    return build(described(), registers_of(settings.register_folder), prefix=settings.store_prefix, time=time)


since_option = click.option("--from", "since", type=DAY, help="First day that the dashboards open on (YYYY-MM-DD).")
until_option = click.option("--to", "until", type=DAY, help="Last day; default: now.")


@kibana_group.command("build")
@since_option
@until_option
@click.pass_context
def kibana_build(ctx: click.Context, since: datetime | None, until: datetime | None) -> None:
    """Print the saved objects, one JSON object a line, as Kibana imports them."""
    from sulh.kibana.saved import ndjson

    click.echo(ndjson(_saved_objects(settings_of(ctx), since, until)), nl=False)


@kibana_group.command("import")
@since_option
@until_option
@json_option
@click.pass_context
def kibana_import(ctx: click.Context, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Bring the saved objects into the Kibana of SULH_KIBANA; what is there already and the same stays untouched.

    Credentials are those of the store. Nobody's work is overwritten: what is imported can be changed in a copy only.
    """
    from sulh.kibana.server import Kibana

    settings = settings_of(ctx)
    if not settings.kibana:
        raise SulhError("no Kibana is set: set SULH_KIBANA to its address, e.g. https://localhost:5601")
    kibana = Kibana(settings.kibana, settings.access, ca=settings.kibana_ca)
    version = kibana.version()
    done = kibana.put(_saved_objects(settings, since, until))
    if as_json:
        emit([{"kibana": version, "new": done.new, "replaced": done.replaced, "unchanged": done.unchanged}])
        return
    for what, names in (("new", done.new), ("replaced", done.replaced)):
        for name in names:
            click.echo(f"{what:<8}  {name}")
    click.echo(f"Kibana {version}: {len(done.new)} new, {len(done.replaced)} replaced, {done.unchanged} unchanged")
