"""Looks for what goes wrong unseen, and tells operators of each finding once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

from sulh.scheduled import pages, tell_operators

ABOUT = f"""
Twice an hour: sources that bring less than they used to, or nothing; feeds that became something else; whether each
item is accounted for; what the store refuses; deliveries that failed or are in doubt; the disk; and how long it takes
from publication to the store and to the channel. Each finding goes to the addresses of `SULH_OPERATORS` once.

**Red?** It could not look: the log names the archive or the store. A run that found something is green; what it found
stands in its log, and `sulh watch` says it again at any time.

Look further: {pages("sources", "ledger")}, `sulh doctor`.
"""


@dag(
    dag_id="sulh_watch",
    dag_display_name="sulh: look for what goes wrong unseen",
    description="Find silent sources, broken balances and failed deliveries, and tell operators of each once",
    doc_md=ABOUT,
    # Between two decisions on alerts, when least is going on.
    schedule=CronTriggerTimetable("22,52 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["sulh", "watch"],
    default_args={
        "owner": "sulh",
        "execution_timeout": timedelta(minutes=30),
        "retries": 2,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": 2,
        "retry_policy": ExceptionRetryPolicy(
            rules=[RetryRule(exception="sulh.scheduled.WrongUsageError", action=RetryAction.FAIL)]
        ),
        "on_failure_callback": tell_operators,
        "priority_weight": 10,
    },
)
def sulh_watch() -> None:
    @task(task_display_name="Look for what goes wrong")
    def look() -> list[dict[str, Any]]:
        """`sulh watch`: what stands, what is new, what is gone."""
        from sulh.scheduled import sulh

        return sulh("watch")

    look()


sulh_watch()
