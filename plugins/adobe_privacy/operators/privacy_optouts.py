"""The step of a day's opt-outs of sale."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException

from adobe_privacy.failures import plain_failures
from adobe_privacy.operators.privacy_requests import PrivacyOperator, inbox_day, is_tried_again, run_of
from adobe_privacy.plain_text import plain_logger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from adobe_privacy.ledger.ledger import Ledger
    from adobe_privacy.opt_outs.opt_outs import OptOuts
    from adobe_privacy.storage import Store

log = plain_logger(__name__)


class SendPrivacyOptOutsOperator(PrivacyOperator):
    """Takes the day's inbox in as `plan` does, sends its opt-outs of sale, and writes a receipt of each.

    What Adobe has accepted is never sent again. What was sent without an answer is, since Adobe gives nothing by
    which to find out. Fails, naming them, where opt-outs were refused, have no receipt or could not be read, and where
    lines of the inbox were rejected or a file was not read, until they are corrected or closed.
    """

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.ledger.attention import Level
        from adobe_privacy.ledger.attention_reader import RunScope
        from adobe_privacy.ledger.states import JobState
        from adobe_privacy.planning.taking_in import PlanSettings, take_in_day
        from adobe_privacy.reporting.attention import attention_of_run

        day = inbox_day(context)
        with plain_failures(self.log), self.ledger(context) as ledger:
            settings = self.settings
            inbox = self.inbox()
            intake = take_in_day(
                inbox,
                ledger,
                day=day,
                run_id=run_of(context),
                settings=PlanSettings(
                    default_products=settings.service.products,
                    clocks=settings.variables.legal_clocks,
                    strict_identities=settings.service.strict_identities,
                    organisation=settings.service.client.org_id,
                    contexts=settings.service.company_contexts,
                    late_days=0,
                    tried_again=is_tried_again(context),
                ),
            )
            log.info(
                "Inbox: %d files, %d new requests, %d of them opt-outs, %d lines rejected",
                len(intake.files),
                intake.new,
                intake.opt_outs,
                intake.rejected,
            )
            counts, with_reservation = {"accepted": 0, "sent_again": 0, "receipts": 0}, 0
            failures: list[str] = []
            unreadable: list[str] = []
            unfinished = (JobState.RECEIVED, JobState.SUBMITTING, JobState.COMPLETE)
            if any(not job.on_hold for job in ledger.opt_outs.jobs(day, *unfinished)):
                result = asyncio.run(self._send(inbox, ledger, day))
                counts = {
                    "accepted": result.accepted,
                    "sent_again": result.sent_again,
                    "receipts": result.receipts,
                }
                with_reservation = result.with_reservation
                failures, unreadable = list(result.failures.values()), list(result.unreadable.values())
                if result.not_before is not None:
                    self.wait_until(result.not_before)
            left = attention_of_run(ledger, RunScope(run_of(context), day, opt_outs=True))
        self.tell(
            context,
            ", ".join(
                [
                    f"Opt-outs of sale: {counts['accepted']} accepted"
                    + (f" ({with_reservation} not for all that was asked)" if with_reservation else ""),
                    f"{counts['sent_again']} sent again",
                    f"{counts['receipts']} receipts",
                    *([f"{len(failures)} receipts could not be written"] if failures else []),
                    *([f"{len(unreadable)} not sent: a file could not be read"] if unreadable else []),
                    *left.figures(Level.PERSON),
                    *(["Adobe says that it accepted, and not what it did"] if counts["receipts"] else []),
                ]
            ),
        )
        for failure in failures:
            log.error("No receipt: %s", failure)
        for text in unreadable:
            log.error("Not sent: %s", text)
        if failures:
            raise AirflowException(f"{len(failures)} receipts could not be written: see the log")
        if unreadable:
            were = "opt-out was" if len(unreadable) == 1 else "opt-outs were"
            raise AirflowException(f"{len(unreadable)} {were} not sent: {'; '.join(unreadable[:10])}")
        self.fail_for_a_person(left.count(Level.PERSON), [item.text for item in left.items])
        return counts

    async def _send(self, inbox: Store, ledger: Ledger, day: date) -> OptOuts:
        from adobe_privacy.opt_outs.opt_outs import OptOutSettings, send_opt_outs

        async with self.client() as client:
            return await send_opt_outs(
                day=day,
                inbox=inbox,
                ledger=ledger,
                archive=self.own_archive(ledger),
                client=client,
                settings=OptOutSettings(call_timeout=self.settings.service.client.timeout + 30),
            )
