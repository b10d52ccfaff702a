"""Submits one batch so that every job of it is made at Adobe exactly once, whatever happens on the way.

Adobe has no idempotency key, so the order of steps is the promise:

1. The intent is committed to the ledger before the call.
2. An intent whose outcome is unknown (the call timed out, the process was killed, the ledger could not be
   written) is resolved by listing: jobs at Adobe with our user key and action, made since the intent and
   belonging to nothing else in the ledger, are recognised.
3. A job's absence from the lists is believed only under the conditions of `unknown`. Only then is it sent again.
   Where it cannot be believed, the outcome stays unknown: nothing is sent, and a person is told.

What it does not promise: a process that is suspended in the moment between the last look at its intent's age
and the call, for longer than `settle_after`, could send what another process has sent meanwhile. The clocks of
the machines that submit are taken to agree to within a minute or so; Adobe's is not. A call under way at midnight
UTC is charged to the day of its intent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import RateLimited
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.limits import Paused
from adobe_privacy.ledger.schema import Batch
from adobe_privacy.ledger.states import UNSENT_STATES, JobState
from adobe_privacy.storage import Store
from adobe_privacy.submission.batch_work import BatchWork, Submission, SubmissionSettings
from adobe_privacy.submission.first_submission import refuse_what_adobe_has
from adobe_privacy.submission.sending import Sending
from adobe_privacy.submission.unknown import UnknownOutcomes

__all__ = ["Submission", "SubmissionSettings", "submit_batch"]


async def submit_batch(
    *,
    batch: Batch,
    inbox: Store,
    archive: Store,
    ledger: Ledger,
    client: PrivacyServiceClient,
    settings: SubmissionSettings,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Submission:
    """Returns when each job of `batch` is at Adobe, refused, left to a later plan, of an outcome that stays unknown, or
    `PLANNED` because its file cannot be read.
    Returns earlier where Adobe asked for a pause: the rest of the batch stays `PLANNED`, and the result says until
    when. May be called again after any failure or pause, and beside another call for the same batch.

    Before anything is sent, the archive says how far the ledger has written. Raises LedgerError where the archive
    belongs to another ledger, or knows more than this one, or where Adobe has jobs of requests of a ledger that has
    never sent anything, and StorageError where the archive cannot be written.

    Raises PrivacyServiceError where Adobe cannot be used as it is (credentials, permission, outage), and
    RequestRefused where the fault is the whole batch's: its jobs wait for the next plan then.
    """
    work = BatchWork(batch, inbox, archive, ledger, client, settings, sleep)
    try:
        await refuse_what_adobe_has(ledger, client)
        await _submit(work)
    except Paused as pause:
        work.result.not_before = pause.until
    except RateLimited as error:
        # Of a list, or of the token.
        work.result.not_before = ledger.limits.pause(error.retry_after)
    if work.result.not_before is not None:
        until = work.result.not_before
        work.result.notes.append(
            f"Adobe asked for a pause: nothing is sent before {until:%Y-%m-%d %H:%M:%S} UTC"
        )
    return work.result


async def _submit(work: BatchWork) -> None:
    unknown, sending = UnknownOutcomes(work), Sending(work)
    ledger, batch = work.ledger, work.batch
    while True:
        if (until := ledger.limits.not_before()) is not None:
            raise Paused(until)
        unsent = ledger.claims.batch_jobs(batch.id, *UNSENT_STATES)
        unresolved = [
            job for job in unsent if job.state is JobState.SUBMITTING and job.id not in unknown.left
        ]
        planned = [job for job in unsent if job.state is JobState.PLANNED and job.id not in work.unreadable]
        held = {job.id for job in planned if job.on_hold}
        doubtful = [job.id for job in planned if job.doubt_until is not None]
        if unresolved:
            await unknown.resolve(unresolved)
        elif held:
            ledger.claims.unclaim(batch.id, "on hold", job_ids=held)
        elif doubtful:
            ledger.doubts.look_up(batch.id, doubtful)
        elif unapproved := ledger.approvals.unapproved_deletes(
            batch.id, approve_deletes=work.settings.approve_deletes
        ):
            # What was not approved as it stands goes back to the next plan, and so before a person.
            work.carry_over(unapproved, "not approved as a part of this batch")
        elif planned:
            await sending.send(planned)
            # What stays unknown tells no more whether anybody was taken: waiting for it, they would be sent for ever.
            under_way = {job.id for job in ledger.claims.batch_jobs(batch.id, JobState.SUBMITTING)}
            sending.judge_suspects(unresolved=bool(under_way - unknown.left))
        else:
            return
