"""Crawls what is due, host by host, and judges what came in."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    Asset,
    AssetAlias,
    DeltaTriggerTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    dag,
    task,
    task_group,
)

from sulh.scheduled import in_words, interval, pages, tell_operators

EVERY = interval(os.environ.get("SULH_AIRFLOW_EVERY", "15m"))
GROUPS = os.environ.get("SULH_AIRFLOW_GROUPS", "50")
"""At most so many crawls, and turns of judging, in a run: each task costs seconds of Airflow's own, and turns are taken
one after the other: one that brought documents and the decision on alerts after it take 16 s, so that 55 fit into a
quarter of an hour."""
DOCUMENTS = AssetAlias("sulh-documents")

ABOUT = f"""
Every {in_words(EVERY)} the sources that are due, each by the `every:` in its file, are crawled into the archive, and
what came in is judged and put into the store. Sources of one host are crawled by one process, which keeps the host's
delay; at most as many hosts at once as the pool `sulh_crawl` has slots. Judging is for one at a time: pool `sulh_turn`.

**Red?** *Crawl* failed: the outlet did not answer, or answered with something else. Nothing is lost, the other hosts
went on, and it is asked again after half an hour, then ever less often, down to once a day. The log's last lines say
why; on the machine itself `sulh sources check SOURCE` shows what a crawl would get now. *Process* failed: the log
names the page or the store; what was left waits for the next run. `sulh doctor` says what else is amiss.

**Clear** a task to run it again: it does what is left and nothing twice. **Mark as failed** ends a crawl cleanly.
**Pause** this DAG and nothing is crawled any more.

Came out of it: {pages("ledger", "sources")}. Each source that brought documents gives an event
of the asset alias `sulh-documents`, with its counts, on which `sulh_alert` runs.
"""


@dag(
    dag_id="sulh_daily",
    dag_display_name="sulh: crawl what is due and judge it",
    description="Crawl the sources that are due, host by host, and judge what came in",
    doc_md=ABOUT,
    schedule=DeltaTriggerTimetable(EVERY),
    catchup=False,
    # A first crawl may take hours: the other sources keep their cadence in the runs beside it.
    max_active_runs=3,
    is_paused_upon_creation=False,
    tags=["sulh", "crawl"],
    default_args={
        "owner": "sulh",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": ExceptionRetryPolicy(
            rules=[RetryRule(exception="sulh.scheduled.WrongUsageError", action=RetryAction.FAIL)]
        ),
        "on_failure_callback": tell_operators,
    },
)
def sulh_daily() -> None:
    @task(task_display_name="Say which sources are due", execution_timeout=timedelta(minutes=10))
    def list_due() -> list[dict[str, Any]]:
        """`sulh sources due`: groups of sources of one host, several hosts in a group beyond `GROUPS`."""
        from sulh.scheduled import sulh

        return sulh("sources", "due", "--groups", GROUPS)

    @task(
        task_display_name="Crawl a host",
        map_index_template="{{ task.op_kwargs['group']['about'] }}",
        pool="sulh_crawl",
        execution_timeout=timedelta(hours=3),
        # Only one that was killed is tried again: there is nothing to wait for.
        retry_delay=timedelta(seconds=30),
        retry_policy=ExceptionRetryPolicy(
            rules=[
                RetryRule(exception="sulh.scheduled.KilledError", action=RetryAction.RETRY),
                RetryRule(
                    exception="sulh.scheduled.CommandError",
                    action=RetryAction.FAIL,
                    reason="the crawl tried again itself, and the next runs will, ever less often",
                ),
            ]
        ),
    )
    def crawl(group: dict[str, Any]) -> list[dict[str, Any]]:
        """`sulh crawl --due`: what is new at one host into the archive; nothing where another run was quicker."""
        from sulh.scheduled import sulh

        return sulh("crawl", "--due", *group["sources"])

    @task(
        task_display_name="Judge what came in",
        map_index_template="{{ task.op_kwargs['group']['about'] }}",
        pool="sulh_turn",
        # A crawl that failed may have brought pages before it did.
        trigger_rule="all_done",
        execution_timeout=timedelta(hours=3),
        outlets=[DOCUMENTS],
        priority_weight=2,
    )
    def process(group: dict[str, Any], *, outlet_events: Any = None) -> list[dict[str, Any]]:
        """`sulh process`: all pages of these sources that the archive holds and the store lacks."""
        from sulh.scheduled import arrived, sulh

        reports = sulh("process", *group["sources"])
        for source, counts in arrived(reports).items():
            asset = Asset(name=f"sulh-documents-{source}", uri=f"x-sulh://documents/{source}")
            outlet_events[DOCUMENTS].add(asset, extra=counts)
        return reports

    @task_group(group_id="host", group_display_name="Host by host")
    def one_host(group: dict[str, Any]) -> None:
        crawl(group=group) >> process(group=group)

    hosts = one_host.expand(group=list_due())
    # A run in which one crawl failed has failed, though its processing went on.
    all_is_done = EmptyOperator(
        task_id="all_is_done", task_display_name="Every host was crawled and judged", trigger_rule="none_failed"
    )
    [hosts.get_child_by_label("crawl"), hosts.get_child_by_label("process")] >> all_is_done


sulh_daily()
