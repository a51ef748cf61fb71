"""Decides on alerts when documents have come in, and once an hour besides, and delivers them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import (
    AssetAlias,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    dag,
    task,
)

from sulh.scheduled import pages, tell_operators

ABOUT = f"""
Runs when a source brought documents (asset alias `sulh-documents`), and seven minutes past every hour, so that what
waits for a channel that was down goes out too. One run at a time: all documents are looked at together, and an alert
goes to each channel once, however often this runs.

**Red?** *Decide*: the log names the store, or who has held it for ten minutes. *Deliver*: a channel did not take a
message; it is sent again by itself, at growing intervals, at the next runs. After a crash a delivery may stand as
*unsure*: look whether it arrived, and if not, type `sulh deliver --resend-unsure`.

Came out of it: {pages("alerts")}; `sulh alerts` in the shell. To stop sending, pause this DAG.
"""


@dag(
    dag_id="sulh_alert",
    dag_display_name="sulh: decide on alerts and deliver them",
    description="Decide on alerts over all that the store holds, and send what is to be sent",
    doc_md=ABOUT,
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("7 * * * *", timezone="UTC"), assets=AssetAlias("sulh-documents")
    ),
    catchup=False,
    # Events that come while it runs are put together into the next run.
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["sulh", "alert"],
    default_args={
        "owner": "sulh",
        "execution_timeout": timedelta(minutes=30),
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
        "on_failure_callback": tell_operators,
        # Before the crawls that wait: an alert is what all the rest is for.
        "priority_weight": 10,
    },
)
def sulh_alert() -> None:
    @task(
        task_display_name="Decide on alerts",
        pool="sulh_turn",
        retry_policy=ExceptionRetryPolicy(
            rules=[RetryRule(exception="sulh.scheduled.WrongUsageError", action=RetryAction.FAIL)]
        ),
    )
    def decide() -> list[str]:
        """`sulh alert`: gives the ids of the alerts that are new."""
        from sulh.scheduled import sulh

        return [one["id"] for one in sulh("alert")]

    @task(
        task_display_name="Deliver what is to be sent",
        retry_policy=ExceptionRetryPolicy(
            rules=[
                RetryRule(exception="sulh.scheduled.KilledError", action=RetryAction.RETRY),
                RetryRule(
                    exception="sulh.scheduled.CommandError",
                    action=RetryAction.FAIL,
                    reason="the outbox sends again by itself, and a second try at once would find nothing due",
                ),
            ]
        ),
    )
    def deliver() -> list[dict[str, Any]]:
        """`sulh deliver`: empties the outbox and writes the Atom file."""
        from sulh.scheduled import sulh

        return sulh("deliver")

    decide() >> deliver()


sulh_alert()
