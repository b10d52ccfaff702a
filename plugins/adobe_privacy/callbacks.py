"""What Airflow's deadline alerts call. They run in the triggerer, whatever the executor, and in a thread there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

# A day is submitted within minutes. What is not after this has failed, or waits for something that is out.
SUBMITTED_WITHIN = timedelta(hours=3)
ENDED_WITHIN = timedelta(hours=12)


async def tell_of_unsubmitted(context: Mapping[str, Any]) -> None:
    """Tells of a run of privacy_requests that has not submitted everything. It may wait for results for weeks:
    that alone is no reason. Nor is a run that has ended, whose `settle` has told."""
    await asyncio.to_thread(_tell_of_unsubmitted, context)


async def tell_of_unfinished(context: Mapping[str, Any]) -> None:
    """Tells of a run that has not succeeded in time."""
    await asyncio.to_thread(_tell_of_unfinished, context)


def _tell_of_unsubmitted(context: Mapping[str, Any]) -> None:
    from adobe_privacy.hooks.ledger import open_ledger

    run = context["dag_run"]
    if run["state"] in ("success", "failed"):
        return
    run_id = f"{run['dag_id']}/{run['dag_run_id']}"
    with open_ledger(f"{run_id}/deadline") as ledger:
        batches = ledger.claims.open_batches(run_id=run_id, inbox_date=_inbox_day(run))
        contents = ledger.claims.batch_contents([batch.id for batch in batches]).values()
    unsent = sum(content.unsent for content in contents)
    if unsent:
        what = f"{unsent} jobs are not known to be at Adobe"
    elif not batches:
        what = "the day is not planned"
    else:
        return
    _tell(context, f"{what}, see the logs of plan and submit")


def _tell_of_unfinished(context: Mapping[str, Any]) -> None:
    _tell(context, f"the run is {context['dag_run']['state']}")


def _tell(context: Mapping[str, Any], what: str) -> None:
    from adobe_privacy.notifications import configured_notifiers, notify

    run, since = context["dag_run"], context["deadline"]["deadline_time"]
    notify(
        configured_notifiers(),
        context,
        subject=f"Privacy requests: {run['dag_id']} is late",
        message=f"{run['dag_id']}, run {run['dag_run_id']}: {what}. It should have been done by {since}.",
    )


def _inbox_day(run: Mapping[str, Any]) -> Any:
    """As `inbox_day` of the operators, from what a deadline's context has of its run."""
    start = run.get("data_interval_start")
    if start:
        return datetime.fromisoformat(start).date()
    return (datetime.fromisoformat(run["run_after"]) - timedelta(days=1)).date()
