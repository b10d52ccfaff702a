"""Waits until Adobe is done with a batch."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from adobe_privacy.airflow_organisations import organisation_of
from adobe_privacy.failures import plain_failures
from adobe_privacy.links import AdobePrivacyLink, PrivacyPageLink
from adobe_privacy.operators.privacy_requests import (
    DEFAULT_TIMEOUT,
    LONGEST_TRY,
    actor_of,
    doc_of,
    is_backfill,
)
from adobe_privacy.organisations import DEFAULT
from adobe_privacy.plain_text import plain_logger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from adobe_privacy.ledger.ledger import Ledger
    from adobe_privacy.settings import Settings
    from adobe_privacy.waiting.looks import JobWatch, Progress

log = plain_logger(__name__)


class PrivacyJobsSensor(BaseSensorOperator):
    """Succeeds when Adobe's lists show no job of the batch as open any more, however each ended. A job that cannot be
    asked for, by a proxy's answer for example, stops no other: the archive step asks for it again, and fails for it.

    Deferrable by default: while it waits, no worker slot is held. With `deferrable=False` it pokes or
    reschedules as every sensor does, and needs no triggerer. The timeout counts from the batch's creation, so
    that neither a retry nor a restart moves it. In a backfill it succeeds after `backfill_patience` as well: a
    range is submitted at once, and privacy_sweep archives what comes later.

    :param batch_id: a batch of the ledger.
    :param poll_interval: seconds between two looks; the variable `privacy_poll_interval` where not given.
    """

    template_fields: Sequence[str] = ("batch_id", "adobe_privacy_conn_id", "ledger_conn_id")
    operator_extra_links = (PrivacyPageLink(), AdobePrivacyLink())
    ui_color = "#e8f1fa"

    def __init__(
        self,
        *,
        batch_id: str,
        organisation: str = DEFAULT,
        adobe_privacy_conn_id: str | None = None,
        ledger_conn_id: str | None = None,
        poll_interval: float | None = None,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("doc_md", doc_of(type(self)))
        kwargs.setdefault("timeout", DEFAULT_TIMEOUT.total_seconds())
        if deferrable:
            # On the worker it only reads the ledger. A sensor that pokes may do so until its `timeout`.
            kwargs.setdefault("execution_timeout", LONGEST_TRY)
        super().__init__(**kwargs)
        self.batch_id = batch_id
        own = organisation_of(organisation)
        self.organisation = organisation
        self.adobe_privacy_conn_id = (
            own.connection if adobe_privacy_conn_id is None else adobe_privacy_conn_id
        )
        self.ledger_conn_id = own.ledger if ledger_conn_id is None else ledger_conn_id
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self._watch: JobWatch | None = None

    @cached_property
    def _settings(self) -> Settings:
        from adobe_privacy.hooks.settings import read_settings
        from adobe_privacy.observing import start

        start()
        return read_settings(self.adobe_privacy_conn_id, self.ledger_conn_id, organisation=self.organisation)

    def _ledger(self, context: Context) -> Ledger:
        from adobe_privacy.hooks.ledger import open_to_wait

        return open_to_wait(self._settings.ledger, actor_of(context))

    def _interval(self) -> float:
        from adobe_privacy.settings import check_poll_interval

        if self.poll_interval is None:
            return self._settings.variables.poll_interval
        check_poll_interval(self.poll_interval, self._settings.service.client.base_url)
        return self.poll_interval

    def execute(self, context: Context) -> Any:
        from adobe_privacy.ledger.states import JobState
        from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger

        if not self.deferrable:
            return super().execute(context)
        with plain_failures(self.log), self._ledger(context) as ledger:
            created_at = ledger.claims.batch(self.batch_id).created_at
            waiting = ledger.claims.batch_jobs(self.batch_id, JobState.SUBMITTED)
        if not waiting:
            log.info("Batch %s has no job at Adobe to wait for", self.batch_id)
            return None
        log.info("Waiting for %d jobs of batch %s", len(waiting), self.batch_id)
        with plain_failures(self.log):
            interval = self._interval()
        deadline = created_at.timestamp() + self.timeout
        if is_backfill(context):
            patience = self._settings.variables.backfill_patience
            interval = min(interval, max(1.0, patience / 4))
            deadline = min(deadline, time.time() + patience)
        self.defer(
            trigger=PrivacyJobsTrigger(
                batch_id=self.batch_id,
                adobe_privacy_conn_id=self.adobe_privacy_conn_id,
                ledger_conn_id=self.ledger_conn_id,
                poll_interval=interval,
                deadline=deadline,
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        from adobe_privacy.triggers.privacy_jobs import finished_jobs

        if is_backfill(context) and event.get("status") == "timeout":
            self._leave_to_sweep()
            return
        log.info("Adobe is done with %d jobs of batch %s", finished_jobs(event), self.batch_id)
        self._tell_denied(event.get("denied", ()))

    def poke(self, context: Context) -> bool:
        with plain_failures(self.log):
            progress = asyncio.run(self._look(context))
        log.info("Batch %s: %d jobs open, %d finished", self.batch_id, progress.open, progress.finished)
        if progress.open and is_backfill(context) and self._patience_is_over(context):
            self._leave_to_sweep()
            return True
        if progress.open == 0:
            self._tell_denied(progress.denied)
        return progress.open == 0

    def _tell_denied(self, job_ids: Sequence[str]) -> None:
        if job_ids:
            log.warning(
                "%d jobs of batch %s could not be asked for and are waited for no longer; archive and privacy_sweep "
                "ask for them again: %s",
                len(job_ids),
                self.batch_id,
                ", ".join(job_ids[:10]),
            )

    def _leave_to_sweep(self) -> None:
        log.info(
            "A backfill does not wait any longer: privacy_sweep archives what Adobe finishes of batch %s later",
            self.batch_id,
        )

    def _patience_is_over(self, context: Context) -> bool:
        # Not from the first poke: a sensor that reschedules forgets when that was.
        with self._ledger(context) as ledger:
            age = datetime.now(UTC) - ledger.claims.batch(self.batch_id).created_at
        return age.total_seconds() > self._settings.variables.backfill_patience

    async def _look(self, context: Context) -> Progress:
        from adobe_privacy.api.client import PrivacyServiceClient
        from adobe_privacy.api.errors import RateLimited
        from adobe_privacy.waiting.looks import JobWatch, OpenJobsList, Progress, waiting_jobs

        service = self._settings.service
        self._watch = watch = self._watch or JobWatch(service.list_lag)
        with self._ledger(context) as ledger:
            batch = ledger.claims.batch(self.batch_id)
            jobs = waiting_jobs(ledger, self.batch_id)
            if not jobs:
                return Progress(0, 0)
            if ledger.limits.not_before() is not None:
                return Progress(len(jobs), 0)
            try:
                async with PrivacyServiceClient(service.client) as client:
                    listed = await OpenJobsList(batch.regulation).look(
                        client, since=min(job.submitted_at for job in jobs), new_since=watch.new_since(jobs)
                    )
                    # A sensor that reschedules has another process for each look.
                    within = timedelta(seconds=max(3600.0, 3 * self.poke_interval))
                    before = ledger.waiting.in_vain([job.job_id for job in jobs], within)
                    watch.in_vain = Counter(before)
                    progress = await watch.judge(jobs, listed, client, datetime.now(UTC))
                    ledger.waiting.note_in_vain(before, watch.in_vain if progress.open else {})
                    return progress
            except RateLimited as error:
                log.warning("%s", error)
                ledger.limits.pause(error.retry_after)
                return Progress(len(jobs), 0)
