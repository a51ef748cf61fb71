"""Fills in the past of one source, month by month."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Asset, AssetAlias, ExceptionRetryPolicy, Param, RetryAction, RetryRule, dag, task

from sulh.scheduled import pages, tell_operators

DOCUMENTS = AssetAlias("sulh-documents")

ABOUT = f"""
**Trigger** it with a source, the first and the last day, and by what to ask: the source's own kind, its sitemap or
WordPress interface, WARC files that lie on the machine that runs the task, Common Crawl or the Wayback Machine. What
comes lands in the same archive and goes the same path; a page that is held already is not fetched again.

It goes month by month, one at a time (pool `sulh_backfill`), oldest first. Of all backfills over one archive one at a
time asks Common Crawl or the Wayback Machine, however many slots there are. **Interrupted or red?** Clear the months
that failed, with what follows them (*Downstream*), or trigger the same again: it goes on where it was. While a month is
fetched, the daily crawl leaves the source out and comes back to it between two months.

What it is asked for is checked first: a source that is not configured, days in the wrong order or a mistyped parameter
end it at once. **Gaps** stand in the log of *Say what is missing*, of all months together: months that failed, days
without an item, lists that could not be read, pages that could not be had.

Came out of it: {pages("ledger")}. Old reports come into the queue of alerts, and are not sent when they are older
than `alert_max_age_days`.
"""


@dag(
    dag_id="sulh_backfill",
    dag_display_name="sulh: fill in the past of a source",
    description="Fetch a source's past into the archive, month by month, and judge it",
    doc_md=ABOUT,
    schedule=None,
    catchup=False,
    max_active_runs=4,
    is_paused_upon_creation=False,
    tags=["sulh", "crawl", "by hand"],
    params={
        "source": Param(
            type="string",
            pattern="^[a-z][a-z0-9]*(_[a-z0-9]+)*$",
            title="Source",
            description="Its id, as `sulh sources` lists it.",
        ),
        "from": Param(type="string", format="date", title="First day"),
        "to": Param(type="string", format="date", title="Last day", description="Included."),
        "via": Param(
            "own kind",
            type="string",
            enum=["own kind", "sitemap", "wordpress", "warc", "commoncrawl", "wayback"],
            title="By what",
            description="The source's own kind, or another way to its past.",
        ),
        "files": Param(
            [],
            type="array",
            items={"type": "string"},
            title="WARC files",
            description="With warc only: paths on the machine that runs the task, one a line.",
        ),
    },
    default_args={
        "owner": "sulh",
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(hours=1),
        "retry_policy": ExceptionRetryPolicy(
            rules=[RetryRule(exception="sulh.scheduled.WrongUsageError", action=RetryAction.FAIL)]
        ),
        "on_failure_callback": tell_operators,
    },
)
def sulh_backfill() -> None:
    @task(task_display_name="Check what is asked for, and cut its days into months", retries=0)
    def cut(*, params: dict[str, Any]) -> list[dict[str, str]]:
        """Each month is a task of its own, so that an interrupted backfill goes on with the month it was at."""
        from sulh.scheduled import months

        return months(params)

    @task(
        task_display_name="Fetch a month",
        map_index_template="{{ task.op_kwargs['span']['from'] }} to {{ task.op_kwargs['span']['to'] }}",
        pool="sulh_backfill",
        max_active_tis_per_dagrun=1,
        execution_timeout=timedelta(hours=12),
    )
    def fetch(span: dict[str, str], *, params: dict[str, Any]) -> list[dict[str, Any]]:
        """`sulh backfill`: the pages of these days into the archive."""
        from sulh.scheduled import sulh

        via = [] if params["via"] == "own kind" else ["--via", params["via"]]
        reports = sulh(
            "backfill", params["source"], "--from", span["from"], "--to", span["to"], *via, "--", *params["files"]
        )
        return [report | span for report in reports]

    @task(
        task_display_name="Judge what came in",
        pool="sulh_turn",
        # What the other months brought is judged though one could not be fetched; the one success may be `cut`'s, so
        # that nothing is judged where there was nothing to fetch.
        trigger_rule="all_done_min_one_success",
        execution_timeout=timedelta(hours=12),
        outlets=[DOCUMENTS],
        # It comes once, and would never where the turns of the daily crawl follow each other without a pause.
        priority_weight=3,
    )
    def process(*, params: dict[str, Any], outlet_events: Any = None) -> list[dict[str, Any]]:
        """`sulh process`: all pages of the source that the archive holds and the store lacks."""
        from sulh.scheduled import arrived, sulh

        reports = sulh("process", params["source"])
        for source, counts in arrived(reports).items():
            asset = Asset(name=f"sulh-documents-{source}", uri=f"x-sulh://documents/{source}")
            outlet_events[DOCUMENTS].add(asset, extra=counts)
        return reports

    @task(
        task_display_name="Say what is missing",
        trigger_rule="all_done_min_one_success",
        retries=0,
    )
    def missing(cut: list[dict[str, str]], fetched: Any) -> list[str]:
        """Of all months together: months that failed, days without an item, lists and pages that could not be had."""
        from sulh.scheduled import missing_in_words

        # Nothing at all comes where no month could be fetched.
        lines = missing_in_words(cut, list(fetched or ()))
        print("\n".join(lines or ["nothing is missing"]))
        return lines

    spans = cut()
    fetched = fetch.expand(span=spans)
    judged = process()
    said = missing(spans, fetched)
    all_is_done = EmptyOperator(
        task_id="all_is_done", task_display_name="Every month was fetched and judged", trigger_rule="none_failed"
    )
    [spans, fetched] >> judged
    [fetched, judged, said] >> all_is_done


sulh_backfill()
