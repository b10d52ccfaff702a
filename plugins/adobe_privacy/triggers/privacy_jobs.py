"""Waits for a batch's jobs without holding a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from sqlalchemy.exc import SQLAlchemyError

from adobe_privacy import observing
from adobe_privacy.api.errors import PrivacyServiceError, RateLimited
from adobe_privacy.hooks.adobe_privacy import AdobePrivacyHook
from adobe_privacy.hooks.ledger import shared_ledger
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.settings import SettingsError
from adobe_privacy.waiting.looks import PASSING, JobWatch, Progress, WaitingJob, look_interval, waiting_jobs
from adobe_privacy.waiting.shared_looks import SharedLooks, shared_looks

log = plain_logger(__name__)

# Looks that may fail in a row for a reason that does not pass by itself, such as a revoked credential.
TOLERATED_FAILURES = 10
# Seconds that the first look may take at least.
FIRST_LOOK = 60.0


class PrivacyJobsTrigger(BaseTrigger):
    """Fires when Adobe's lists no longer show any job of a batch as open, or at the deadline.

    All triggers of a process share their looks: one list call per thousand open jobs of a regulation, however
    many batches wait. An outage or a full rate limit slows them down together and ends nothing; a restart or a
    move to another triggerer loses nothing. Its arguments and its event hold ids and counts, no identity and no
    secret. Ending the wait does not reach Adobe, whose API cannot cancel a job.

    :param poll_interval: seconds between two looks at young jobs; with their age it grows, up to an hour.
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
        self._until = deadline
        self._failures = 0

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
        observing.start()
        await asyncio.sleep(self.first_look_after)
        yield await self._observed()

    async def on_kill(self) -> None:
        # Airflow up to 3.3.2 also calls it when a trigger moves to another host (apache/airflow#73454).
        log.info(
            "Batch %s is not waited for here any more. Adobe's API cannot cancel: its jobs go on there, and "
            "running the date again, or the DAG privacy_sweep, archives their results",
            self.batch_id,
        )

    async def _observed(self) -> TriggerEvent:
        # Not around a yield: what runs between two steps of a generator is another's.
        with observing.span("wait", batch_id=self.batch_id):
            return await self._wait()

    async def _wait(self) -> TriggerEvent:
        # After a restart past the deadline, too, what has finished meanwhile is seen.
        self._until = max(self.deadline, time.time() + FIRST_LOOK)
        self._failures = 0
        watch: JobWatch | None = None
        while True:
            try:
                # Read anew after a failure: the connection may have been mended meanwhile.
                settings = await AdobePrivacyHook(self.adobe_privacy_conn_id).asettings()
                async with shared_ledger(self.ledger_conn_id) as ledger:
                    batch = await asyncio.to_thread(ledger.claims.batch, self.batch_id)
                    watch = watch or JobWatch(settings.list_lag)
                    async with shared_looks(settings.client, batch.regulation) as looks:
                        return await self._look_until_finished(looks, watch, ledger)
            except TimeoutError:
                return self._event("timeout")
            except (SettingsError, LedgerError, PrivacyServiceError, SQLAlchemyError) as error:
                # A database's own text may quote more than belongs into a log.
                reason = type(error).__name__ if isinstance(error, SQLAlchemyError) else str(error)
                self._failures += 1
                log.warning("Batch %s: %s", self.batch_id, reason)
                if self._failures >= TOLERATED_FAILURES:
                    return self._event("error", message=reason)
                await asyncio.sleep(max(0.0, min(self.poll_interval, self._until - time.time())))

    async def _look_until_finished(self, looks: SharedLooks, watch: JobWatch, ledger: Ledger) -> TriggerEvent:
        """Raises TimeoutError at the deadline."""
        while True:
            try:
                async with asyncio.timeout(self._until - time.time()):
                    progress = await self._look(looks, watch, ledger)
            except RateLimited as error:
                log.warning("Batch %s: %s", self.batch_id, error)
                await asyncio.to_thread(ledger.limits.pause, error.retry_after)
                continue
            except PASSING as error:
                looks.slow_down(error)
                continue
            if not progress.open:
                denied = {"denied": list(progress.denied)} if progress.denied else {}
                return self._event("finished", finished=progress.finished, **denied)
            self._failures = 0
            self._until = self.deadline

    async def _look(self, looks: SharedLooks, watch: JobWatch, ledger: Ledger) -> Progress:
        jobs = await self._open_jobs(ledger)
        if not jobs:
            return Progress(0, 0)
        listed = await looks.next(
            # The first look comes soon: after a restart nobody knows what happened meanwhile.
            interval=look_interval(jobs, datetime.now(UTC), self.poll_interval)
            if watch.looked
            else self.poll_interval,
            since=min(job.submitted_at for job in jobs),
            new_since=watch.new_since(jobs),
            limits=ledger.limits,
        )
        ledger.tell_connections("triggerer")
        return await watch.judge(jobs, listed, looks.client, datetime.now(UTC))

    async def _open_jobs(self, ledger: Ledger) -> list[WaitingJob]:
        return await asyncio.to_thread(waiting_jobs, ledger, self.batch_id)

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
