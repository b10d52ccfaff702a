"""### Opt-outs of sale

One run sends **one day's `opt_out_of_sale` requests** of the inbox to Adobe, and writes a receipt of each into the
archive: `optouts/<regulation>/<YYYY>/<MM>/<DD>/<request_id>.json`.

Adobe answers "accepted" and gives nothing to follow up. What it has accepted is never sent again; a call that ended
without an answer is repeated, which does no harm: opting out twice is opting out. Adobe takes opt-outs for standard
namespaces only; a line with another is rejected with its reason.

A request may ask for access or deletion too: that part is `privacy_requests`' work.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, AsyncCallback, CronDataIntervalTimetable, DeadlineAlert, DeadlineReference

from adobe_privacy.callbacks import ENDED_WITHIN, tell_of_unfinished
from adobe_privacy.links import owner_links
from adobe_privacy.operators.privacy_optouts import SendPrivacyOptOutsOperator

with DAG(
    dag_id="privacy_optouts",
    description="One day of opt-outs of sale, sent to Adobe, with a receipt of each",
    doc_md=__doc__,
    # A bare "@daily" would have an empty data interval in Airflow 3.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=ENDED_WITHIN,
        callback=AsyncCallback(tell_of_unfinished),
        name="ended in time",
    ),
    default_args={"owner": "privacy", "retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["privacy", "adobe"],
    owner_links=owner_links(),
):
    SendPrivacyOptOutsOperator(task_id="send")
