"""Judges the archive anew after a change of registers, cues or readers; the result holds once a person agrees."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseNotifier, Context, ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

from sulh.scheduled import over_server, pages, tell_operators, tell_waiting

QUEUE = os.environ.get("SULH_AIRFLOW_ADMIN_QUEUE", "")
"""Of the worker that has the admin's key, which a store on Elasticsearch wants for this."""

ABOUT = f"""
**Trigger** it after a change of a register, of the cues or of the extractor. It judges the whole archive anew beside
the store that serves, asks nobody on the network, and says which comparisons and alerts would change. Then it waits:
operators are told, and under *Required Actions* a person reads the report and **approves** or **rejects**. Approved,
all is judged anew once more and takes the store's place in one step, by the very rules of the report: where they
changed since, *Let it hold* fails, and a new run shows what they change. **Rejected**, the store stays as it is; put
the changed file back too, since what comes in from now on is judged by it.

What was delivered and what analysts decided is kept: a dismissed alert stays dismissed. An alert that no text raises
any more stays in sight as *withdrawn*. Nobody is notified again of texts that were notified of; a new alert that
`sulh alert` will send is marked in the report.

**Red?** The log names the page that cannot be judged, or the store. Nothing was switched: mend it and clear the task.
On Elasticsearch this takes the key of the role admin, which a worker of its own has (`SULH_AIRFLOW_ADMIN_QUEUE`).
Without such a worker this DAG is not there, and a team types `docker compose run --rm admin recompare`.

By hand it is `sulh recompare`, and `sulh recompare --switch`. Came out of it: {pages("claims", "alerts")}.
"""


class TellThatItWaits(BaseNotifier):
    """Tells the operators that a report waits to be read."""

    def notify(self, context: Context) -> None:
        """Tell them, by `sulh watch tell`."""
        tell_waiting(context, "the archive was judged anew; a person is to read what changes, and to agree or not")


@dag(
    dag_id="sulh_recompare",
    dag_display_name="sulh: judge the archive anew",
    description="Say what changed rules change, and let it hold once a person agrees",
    doc_md=ABOUT,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["sulh", "by hand"],
    default_args={
        "owner": "sulh",
        "queue": QUEUE or "default",
        # 50 pages a second: a million of them take six hours.
        "execution_timeout": timedelta(hours=24),
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "retry_policy": ExceptionRetryPolicy(
            rules=[
                RetryRule(exception="sulh.scheduled.KilledError", action=RetryAction.RETRY),
                RetryRule(exception="sulh.scheduled.CommandError", action=RetryAction.FAIL),
            ]
        ),
        "on_failure_callback": tell_operators,
    },
)
def sulh_recompare() -> None:
    @task(task_display_name="Say what would change", pool="sulh_turn")
    def report() -> dict[str, str]:
        """`sulh recompare`: the store stays as it is."""
        from sulh.scheduled import changes_in_words, sulh

        reports = sulh("recompare", "--most", "100")
        return {"words": changes_in_words(reports), "rules": reports[0]["rules"]}

    agree = ApprovalOperator(
        task_id="agree",
        task_display_name="Wait until a person agrees",
        subject="Shall what was judged anew take the place of what serves?",
        body="{{ ti.xcom_pull(task_ids='report')['words'] }}",
        execution_timeout=None,
        retries=0,
        # An answer after weeks would be to another archive.
        response_timeout=timedelta(days=7),
        notifiers=[TellThatItWaits()],
    )

    @task(task_display_name="Let it hold", pool="sulh_turn")
    def switch(approved: dict[str, Any]) -> str:
        """`sulh recompare --switch`: the result takes the store's place, by the rules that were approved."""
        from sulh.scheduled import changes_in_words, sulh

        return changes_in_words(sulh("recompare", "--switch", "--only-if", approved["rules"], "--most", "100"))

    said = report()
    said >> agree >> switch(said)


if QUEUE or not over_server():
    sulh_recompare()
