"""A day of the main job as tasks and trigger do it, in one process. Sets nothing: the environment is the caller's."""

from __future__ import annotations

import asyncio
import time

from adobe_privacy.operators.privacy_alarms import PrivacyAlarmsOperator
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger
from tests.support.privacy import context


async def finished(batch_id: str) -> None:
    """Returns when the project's trigger says that Adobe is done with a batch."""
    trigger = PrivacyJobsTrigger(
        batch_id=batch_id,
        adobe_privacy_conn_id="adobe_privacy_default",
        ledger_conn_id="privacy_ledger",
        poll_interval=0.05,
        deadline=time.time() + 120,
    )
    async for event in trigger.run():
        assert event.payload["status"] == "finished"


def main_job() -> str:
    """Plan to settle, and the alarms; returns the id of the one batch."""
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    asyncio.run(finished(batch_id))
    ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id]).execute(context())
    PrivacyAlarmsOperator(task_id="alarms").execute(context())
    return str(batch_id)
