"""Waits for a batch's jobs without holding a worker."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import PrivacyServiceError, TemporarilyUnavailable
from adobe_privacy.hooks.adobe_privacy import AdobePrivacyHook, ConnectionProblem
from adobe_privacy.hooks.ledger import aopen_ledger
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.tables import JobState
from adobe_privacy.requests.waiting import JobWatch

# Looks that may fail in a row for a reason that does not pass by itself, such as a revoked credential.
TOLERATED_FAILURES = 10
LONGEST_PAUSE = 3600.0


class PrivacyJobsTrigger(BaseTrigger):
    """Fires when Adobe's lists no longer show any job of a batch as open, or at the deadline.

    Asks with list calls only, one per thousand open jobs of the regulation. An outage or a full rate limit slows
    it down and ends nothing. Its arguments and its event hold ids and counts, no identity and no secret.

    :param deadline: seconds since the epoch; a restart of the triggerer does not move it.
    :param first_look_after: seconds before the first look.
    """

    def __init__(
        self,
        *,
        batch_id: str,
        adobe_privacy_conn_id: str,
        ledger_conn_id: str,
        poll_interval: float,
        deadline: float,
        first_look_after: float = 0.0,
    ) -> None:
        super().__init__()
        self.batch_id = batch_id
        self.adobe_privacy_conn_id = adobe_privacy_conn_id
        self.ledger_conn_id = ledger_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.first_look_after = first_look_after

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "adobe_privacy.triggers.privacy_jobs.PrivacyJobsTrigger",
            {
                "batch_id": self.batch_id,
                "adobe_privacy_conn_id": self.adobe_privacy_conn_id,
                "ledger_conn_id": self.ledger_conn_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "first_look_after": self.first_look_after,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(self.first_look_after)
        try:
            settings = await AdobePrivacyHook(self.adobe_privacy_conn_id).asettings()
            ledger = await aopen_ledger(f"trigger {self.batch_id}", self.ledger_conn_id)
        except ConnectionProblem as problem:
            yield self._event("error", message=str(problem))
            return
        try:
            async with PrivacyServiceClient(settings.client) as client:
                yield await self._wait(client, ledger, settings.list_lag)
        finally:
            await asyncio.to_thread(ledger.close)

    async def _wait(self, client: PrivacyServiceClient, ledger: Ledger, list_lag: float) -> TriggerEvent:
        batch = await asyncio.to_thread(ledger.batch, self.batch_id)
        watch = JobWatch(batch.regulation, list_lag)
        failures = 0
        while True:
            pause = self.poll_interval
            try:
                progress = await watch.look(client, await self._open_jobs(ledger), datetime.now(UTC))
                failures = 0
                if not progress.open:
                    return self._event("finished", finished=progress.finished)
            except TemporarilyUnavailable as error:
                failures += 1
                pause = min(LONGEST_PAUSE, pause * 2**failures)
                pause = max(pause, min(LONGEST_PAUSE, error.retry_after or 0))
                self.log.warning("Batch %s: %s; looking again in %.0f s", self.batch_id, error, pause)
            except PrivacyServiceError as error:
                failures += 1
                self.log.warning("Batch %s: %s", self.batch_id, error)
                if failures >= TOLERATED_FAILURES:
                    return self._event("error", message=str(error))
            if time.time() >= self.deadline:
                return self._event("timeout")
            pause *= random.uniform(0.9, 1.1)
            await asyncio.sleep(max(0.0, min(pause, self.deadline - time.time())))

    async def _open_jobs(self, ledger: Ledger) -> list[tuple[str, datetime]]:
        jobs = await asyncio.to_thread(ledger.batch_jobs, self.batch_id, JobState.SUBMITTED)
        return [(job.adobe_job_id, job.submitted_at) for job in jobs if job.adobe_job_id and job.submitted_at]

    def _event(self, status: str, **details: Any) -> TriggerEvent:
        return TriggerEvent({"status": status, "batch_id": self.batch_id, **details})


def finished_jobs(event: dict[str, Any]) -> int:
    """How many jobs an event reports as finished. Raises AirflowException for any other event."""
    status = event.get("status")
    if status == "finished":
        return int(event.get("finished", 0))
    if status == "timeout":
        raise AirflowException(
            f"batch {event.get('batch_id')}: Adobe did not finish every job in time; those still open are named "
            "by settle, and `python -m adobe_privacy due` lists what is late"
        )
    raise AirflowException(
        f"batch {event.get('batch_id')}: waiting failed: {event.get('message', 'no reason given')}"
    )
