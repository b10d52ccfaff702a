"""Sends opt-outs of sale and keeps a receipt of each.

Adobe answers an opt-out with "accepted" and nothing else: no id, nothing to list or to ask about later. So

- what Adobe has accepted is never sent again, once that is in the ledger;
- an opt-out whose call ended without an answer, or whose process was killed before the answer could be written
  down, is sent again: *at least once*, since nobody could find out. It does no harm, for opting out twice is
  opting out;
- the receipt is all the proof there will be. It is written from the ledger, so a crash before it loses nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import (
    OutcomeUnknown,
    PrivacyServiceError,
    QuotaReached,
    RateLimited,
    RequestRefused,
    TemporarilyUnavailable,
)
from adobe_privacy.api.models import ConsentEntity, ConsentRequest
from adobe_privacy.intake.catalogue import opt_out_reservations, standard_namespace
from adobe_privacy.intake.found_again import requests_of
from adobe_privacy.intake.request import PrivacyRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.limits import Paused
from adobe_privacy.ledger.schema import UNREADABLE, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.opt_outs.receipts import receipt_in, receipt_of
from adobe_privacy.ownership import claim
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.storage import ObjectExists, StorageError, Store
from adobe_privacy.submission.refusals import Refusals, halves
from adobe_privacy.submission.sending import by_reason

log = plain_logger(__name__)

# No limit is documented. A call that is refused or lost concerns all requests in it.
REQUESTS_PER_CALL = 100
WRITES_AT_ONCE = 16
# After this many calls without an answer, going on at once is of no use.
MAX_LOST_CALLS = 3


@dataclass(frozen=True)
class OptOutSettings:
    """`call_timeout`: seconds after which a call is given up. For a minute more, a call of another process may
    be under way."""

    call_timeout: float = 90.0

    @property
    def abandoned_after(self) -> timedelta:
        return timedelta(seconds=self.call_timeout + 60)


@dataclass
class OptOuts:
    """What became of the opt-outs. Of the accepted ones, `with_reservation` do not reach everything that was asked.
    `sent_again` counts those whose earlier call ended without an answer. With `not_before`, the rest waits: Adobe asked
    for a pause until then. `failures` says, by job, why one has no receipt. `unreadable` ones were not
    sent, since a file could not be read: by job, why."""

    accepted: int = 0
    with_reservation: int = 0
    sent_again: int = 0
    refused: list[str] = field(default_factory=list)
    receipts: int = 0
    failures: dict[int, str] = field(default_factory=dict)
    unreadable: dict[int, str] = field(default_factory=dict)
    not_before: datetime | None = None


async def send_opt_outs(
    *,
    day: date,
    inbox: Store,
    ledger: Ledger,
    archive: Store,
    client: PrivacyServiceClient,
    settings: OptOutSettings,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> OptOuts:
    """Sends what waits of the inbox's `day` and before, and writes the receipts. May be called again after any
    failure, and beside another call.

    Raises PrivacyServiceError where Adobe cannot be used as it is; what was not accepted then waits for the next
    call. Raises StorageError where the archive cannot; one receipt that cannot be written is in `failures`, an
    opt-out whose file cannot be read in `unreadable`.
    """
    work = _Work(day, inbox, ledger, archive, client, settings)
    work.leave_what_is_still_unreadable()
    try:
        while True:
            await work.write_receipts()
            jobs = work.intend()
            if jobs:
                await work.send(jobs)
            elif (seconds := work.under_way_elsewhere()) is not None:
                log.info("Other opt-outs may be under way at the moment: looking again in %.0f s", seconds)
                await sleep(seconds)
            else:
                break
    except Paused as pause:
        work.result.not_before = pause.until
        work.put_suspects_back()
        return work.result
    except BaseException:
        work.put_suspects_back()
        raise
    work.judge_suspects()
    return work.result


@dataclass
class _Work:
    day: date
    inbox: Store
    ledger: Ledger
    archive: Store
    client: PrivacyServiceClient
    settings: OptOutSettings
    result: OptOuts = field(default_factory=OptOuts)
    # Jobs of calls that ended without an answer.
    lost: set[int] = field(default_factory=set)
    lost_calls: int = 0
    refusals: Refusals[int] = field(default_factory=Refusals)
    # Requests that Adobe refused alone.
    suspects: dict[int, Job] = field(default_factory=dict)

    def leave_what_is_still_unreadable(self) -> None:
        """What was told before, and is as it was, is not told again: each try would write an intent and its end."""
        told = self.ledger.opt_outs.told_unreadable(self.day)
        unreadable = requests_of([job for job, _ in told], self.inbox, self.ledger).unreadable
        self.result.unreadable |= {
            job.id: f"{job.request_id}: {why}"
            for job, before in told
            if (why := unreadable.get(job.request_id)) is not None and _noted(why) == before
        }

    def intend(self) -> list[Job]:
        jobs = self.ledger.opt_outs.intend(
            self.day,
            limit=REQUESTS_PER_CALL,
            abandoned_before=self.ledger.now() - self.settings.abandoned_after,
            lost=self.lost,
            left_out=self.suspects.keys() | self.result.unreadable.keys(),
        )
        self.lost -= {job.id for job in jobs}
        if jobs:
            try:
                claim(self.ledger, self.archive)
            except Exception as error:
                self.ledger.intents.withdraw(jobs, JobState.RECEIVED, f"not sent: {type(error).__name__}")
                raise
        self.result.sent_again += sum(job.attempt > 1 for job in jobs)
        return jobs

    def under_way_elsewhere(self) -> float | None:
        """Seconds until the first call of another process can be taken to be lost; None without any."""
        intents = [
            job.intent_at
            for job in self.ledger.opt_outs.jobs(self.day, JobState.SUBMITTING)
            if job.intent_at is not None and job.id not in self.suspects and not job.on_hold
        ]
        if not intents:
            return None
        left = min(intents) + self.settings.abandoned_after - self.ledger.now()
        return max(1.0, left.total_seconds())

    async def send(self, jobs: Sequence[Job]) -> None:
        found = requests_of(jobs, self.inbox, self.ledger)
        requests, unreadable = found.requests, found.unreadable
        if left := found.left(jobs):
            whys = {job.id: _noted(unreadable[job.request_id]) for job in left}
            self.ledger.intents.withdraw(left, JobState.RECEIVED, whys)
            self.result.unreadable |= {
                job.id: f"{job.request_id}: {unreadable[job.request_id]}" for job in left
            }
        if gone := found.gone(jobs):
            for reason, rows in by_reason(gone).items():
                self.ledger.intents.withdraw(rows, JobState.REFUSED, reason)
                self.result.refused += [f"{job.request_id}: {reason}" for job in rows]
        await self._send([(job, requests[job.request_id]) for job in jobs if job.request_id in requests])

    async def _send(self, some: Sequence[tuple[Job, PrivacyRequest]]) -> None:
        if not some:
            return
        jobs = [job for job, _ in some]
        try:
            async with asyncio.timeout(self.settings.call_timeout):
                await self.client.send_consent(_consent([request for _, request in some]))
        except (TimeoutError, OutcomeUnknown):
            self.lost |= {job.id for job in jobs}
            self.lost_calls += 1
            log.warning("A call with %d opt-outs ended without an answer: they are sent again", len(jobs))
            if self.lost_calls == MAX_LOST_CALLS:
                raise TemporarilyUnavailable(
                    f"{MAX_LOST_CALLS} calls ended without a usable answer. Nothing is lost; try again later.",
                    method="POST",
                    route="/consent",
                ) from None
        except (RequestRefused, QuotaReached) as error:
            await self._after_refusal(error, some)
        except RateLimited as error:
            self.ledger.intents.withdraw(jobs, JobState.RECEIVED, "not accepted: Adobe has too many requests")
            raise Paused(self.ledger.limits.pause(error.retry_after)) from None
        except PrivacyServiceError as error:
            self.ledger.intents.withdraw(jobs, JobState.RECEIVED, f"not accepted: {type(error).__name__}")
            raise
        else:
            self.refusals.taken()
            accepted = self.ledger.opt_outs.record_accepted(jobs)
            self.result.accepted += len(accepted)
            self.result.with_reservation += sum(bool(opt_out_reservations(job.warnings)) for job in accepted)

    async def _after_refusal(
        self, error: PrivacyServiceError, some: Sequence[tuple[Job, PrivacyRequest]]
    ) -> None:
        """Adobe refuses a call whole for one bad request: halves find that one, so that the others go."""
        self.refusals.refused([job.id for job, _ in some], error)
        if self.refusals.too_many:
            self.ledger.intents.withdraw(
                [job for job, _ in some], JobState.RECEIVED, f"not accepted: {error}"
            )
            raise error
        if len(some) == 1:
            self.suspects[some[0][0].id] = some[0][0]
            return
        first, rest = halves(some)
        try:
            await self._send(first)
        except BaseException:
            self.ledger.intents.withdraw([job for job, _ in rest], JobState.RECEIVED, "not sent")
            raise
        await self._send(rest)

    def judge_suspects(self) -> None:
        """Requests that Adobe refused alone are refused for good, unless it took none of several: then the fault
        is not theirs, and they wait for it to be mended."""
        if len(self.suspects) > 1 and not self.result.accepted:
            error = next(iter(self.refusals.suspects.values()))
            self.put_suspects_back()
            raise error
        for job in self.suspects.values():
            error = self.refusals.suspects[job.id]
            self.ledger.intents.withdraw([job], JobState.REFUSED, f"Adobe refuses it: {error}")
            self.result.refused.append(f"{job.request_id}: {error}")

    def put_suspects_back(self) -> None:
        for job in self.suspects.values():
            self.ledger.intents.withdraw([job], JobState.RECEIVED, "not accepted: refused alone")
        self.suspects = {}

    async def write_receipts(self) -> None:
        """For every accepted opt-out without one, an earlier call's too. One that cannot be written costs no other."""
        gate = asyncio.Semaphore(WRITES_AT_ONCE)
        hashes: dict[int, str] = {}
        written: list[tuple[Job, str]] = []

        async def write(job: Job) -> None:
            receipt = receipt_of(job)
            content = receipt.to_json()
            try:
                async with gate:
                    try:
                        await self.archive.create_async(receipt.place, content)
                    except ObjectExists:
                        # Written by a call that was killed before it could say so, perhaps by another version.
                        content = await self.archive.read_async(receipt.place)
            except StorageError as error:
                self.result.failures[job.id] = f"{job.request_id}: {error}"
                return
            found = receipt_in(content, receipt.place)
            if found is None or found.fingerprint != receipt.fingerprint:
                self.result.failures[job.id] = f"{job.request_id}: {receipt.place} is no receipt of it"
                return
            hashes[job.id] = hashlib.sha256(content).hexdigest()
            written.append((job, receipt.place))

        accepted = self.ledger.opt_outs.jobs(self.day, JobState.COMPLETE)
        await asyncio.gather(*(write(job) for job in accepted if job.id not in self.result.failures))
        if written:
            self.result.receipts += self.ledger.opt_outs.record_receipts(written, hashes)


def _noted(unreadable: StorageError) -> str:
    """As the history has it."""
    return f"{UNREADABLE}{unreadable}"[:512]


def _consent(requests: Sequence[PrivacyRequest]) -> ConsentRequest:
    """The identities of all `requests` in standard namespaces, each once, by namespace: Adobe takes no others."""
    values: dict[str, dict[str, None]] = {}
    spelling: dict[str, str] = {}
    for request in requests:
        for identity in request.identities:
            namespace = standard_namespace(identity.namespace, identity.type)
            if namespace is None:
                continue
            # Adobe's own samples write `email` where its table says `Email`: both spellings are one namespace.
            spelling.setdefault(namespace, identity.namespace if identity.type == "standard" else namespace)
            values.setdefault(namespace, {})[identity.value] = None
    return ConsentRequest(
        entities=tuple(
            ConsentEntity(namespace=spelling[namespace], values=tuple(some))
            for namespace, some in values.items()
        )
    )
