"""Judges the archive anew after a change of registers, cues or readers; the result holds once a person agrees."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, dag, task

from sulh.scheduled import pages, tell_operators

ABOUT = f"""
**Trigger** it after a change of a register, of the cues or of the extractor. It judges the whole archive anew beside
the store that serves, asks nobody on the network, and says which comparisons and alerts would change. Then it waits:
under *Required Actions* a person reads the report and **approves** or **rejects**. Approved, all is judged anew once
more and takes the store's place in one step; rejected, the store stays as it is.

What was delivered and what analysts decided is kept: a dismissed alert stays dismissed. An alert that no text raises
any more stays in sight as *withdrawn*. Nobody is notified again of texts that were notified of; a new alert that
`sulh alert` will send is marked in the report.

**Red?** The log names the page that cannot be judged, or the store. Nothing was switched: mend it and clear the task.
On Elasticsearch this takes the key of the role admin; with that of the pipeline it ends red at once. A team types
`docker compose run --rm admin recompare` instead, then the same with `--switch`.

By hand it is `sulh recompare`, and `sulh recompare --switch`. Came out of it: {pages("claims", "alerts")}.
"""


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
    def report() -> str:
        """`sulh recompare`: the store stays as it is."""
        from sulh.scheduled import changes_in_words, sulh

        return changes_in_words(sulh("recompare", "--most", "100"))

    agree = ApprovalOperator(
        task_id="agree",
        task_display_name="Wait until a person agrees",
        subject="Shall what was judged anew take the place of what serves?",
        body="{{ ti.xcom_pull(task_ids='report') }}",
        execution_timeout=None,
        retries=0,
        # An answer after weeks would be to another archive.
        response_timeout=timedelta(days=7),
    )

    @task(task_display_name="Let it hold", pool="sulh_turn")
    def switch() -> str:
        """`sulh recompare --switch`: the result takes the store's place in one step."""
        from sulh.scheduled import changes_in_words, sulh

        return changes_in_words(sulh("recompare", "--switch", "--most", "100"))

    report() >> agree >> switch()


sulh_recompare()
