"""One job at its end: its final detail is read and judged, its result archived, the ledger written."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from adobe_privacy import metrics
from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import (
    AddressDenied,
    AuthenticationFailed,
    NotFound,
    PermissionDenied,
    PrivacyServiceError,
    RateLimited,
    RequestRefused,
)
from adobe_privacy.api.facts import DETAIL_KEPT
from adobe_privacy.api.models import JobDetail, JobStatus
from adobe_privacy.api.names import IN_WHOLE, Verdict, retry_can_help
from adobe_privacy.archive import (
    ArchiveError,
    ArchiveSettings,
    CompletedJob,
    InvalidArchive,
    Manifest,
    OpenDownload,
    archive_job,
)
from adobe_privacy.archive.zip_rules import MAY_PASS
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.states import JobState
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.regulations.clocks import Clocks, due_dates
from adobe_privacy.regulations.codes import RegulationError, canonical_regulation
from adobe_privacy.results.asked_products import AskedProducts
from adobe_privacy.results.completed_job import completed_job, end_of
from adobe_privacy.results.permission import JobPermission, ReadPermission
from adobe_privacy.results.verdicts import (
    Judgement,
    judge,
    kept_answer,
    missed,
    nothing_to_fetch,
    of_empty_result,
)
from adobe_privacy.storage import StorageError, Store

log = plain_logger(__name__)

# A result that Adobe does not have so long after the job's completion does not come any more.
RESULT_AWAITED = timedelta(days=7)
# Seconds that a job may be archived before the ledger says so.
RECORD_EVERY = 1.0
# How long a product may have its answer outstanding in a job that Adobe calls complete. Adobe keeps the job's data for
# 30 days; this leaves some to fetch the result in.
PATIENCE = timedelta(days=25)
# What one job shows of all: there is no use in going on, or not now.
NOBODY_CAN = (AuthenticationFailed, PermissionDenied, RateLimited)
# Of any other word nobody knows what it means for a job.
_ACTIONS = ("access", "delete")


@dataclass
class Completion:
    """What became of the jobs so far. `open` ones are not final at Adobe yet; `late` ones are complete there, and some
    product has yet to answer: the next sweep asks again. Of the `archived` ones, `partial` are those that are not done
    in whole, and `missed` names those in which some product should have done what was asked and did not; `bytes` is
    the size of their results. `gone` names what Adobe has no more. Of the `failures`, so many are for a result that is
    `damaged`, and most likely comes so again."""

    jobs: int = 0
    archived: int = 0
    elsewhere: int = 0  # archived by another task meanwhile
    partial: int = 0
    bytes: int = 0
    open: int = 0
    late: int = 0
    missed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    damaged: int = 0

    @property
    def dealt_with(self) -> int:
        return (
            self.archived
            + self.elsewhere
            + self.open
            + self.late
            + len(self.errors)
            + len(self.gone)
            + len(self.failures)
        )


@dataclass(frozen=True)
class Ready:
    """A job that is final at Adobe. `url` is where its result lies, for an access job."""

    job: Job
    judgement: Judgement
    completed: CompletedJob
    url: str | None


@dataclass
class Finishing:
    """One call of `complete_jobs`: what it needs, and what it has found and not written down yet."""

    ledger: Ledger
    store: Store
    client: PrivacyServiceClient
    settings: ArchiveSettings
    clocks: Clocks
    max_attempts: int
    asked: AskedProducts
    result: Completion
    permission: ReadPermission = field(default_factory=ReadPermission)
    jobs: JobPermission = field(default_factory=JobPermission)
    _without_detail: set[int] = field(default_factory=set)
    _found: list[tuple[Job, JobDetail, Judgement]] = field(default_factory=list)
    _manifests: dict[int, str] = field(default_factory=dict)
    _hashes: dict[int, str] = field(default_factory=dict)
    _counted: dict[int, tuple[bool, int]] = field(default_factory=dict)
    _recorded_at: float = 0.0

    async def look(self, job: Job) -> bool:
        """Reads a job's detail. False where there is nothing to archive."""
        if job.adobe_job_id is None:
            raise ValueError(f"job {job.id} of the ledger is {job.state}: it is not at Adobe yet")
        try:
            detail = await self.client.get_job(job.adobe_job_id)
        except RateLimited:
            raise
        except (AuthenticationFailed, PermissionDenied) as error:
            self.jobs.denied(job, error)
            return False
        except PrivacyServiceError as error:
            if isinstance(error, NotFound) and error.job_data and self._may_be_gone(job):
                return self._look_without_detail(job)
            unknown = "Adobe no longer knows the job; it keeps job data for 30 days after completion"
            self._fail(job, unknown if isinstance(error, NotFound) and error.by_service else error)
            return False
        self.jobs.read()
        self._correct(job, detail)
        if detail.action in _ACTIONS and detail.action != job.action:
            self._fail(
                job,
                f"Adobe's job is of another kind: {detail.action}. Nobody knows what became of this request",
            )
            return False
        if detail.status is JobStatus.UNKNOWN:
            log.warning(
                "job %s: its status is in no document of Adobe's: it counts as open", job.adobe_job_id
            )
        if not detail.status.is_terminal:
            self.result.open += 1
            return False
        since = detail.last_modified_at or job.submitted_at
        # What is in the ledger as complete was judged to have no answer outstanding.
        last_look = (
            job.state is JobState.COMPLETE or since is None or self.client.server_time() - since > PATIENCE
        )
        self._found.append((job, detail, judge(detail, self.asked.of(job), last_look=last_look)))
        return True

    @property
    def answered(self) -> bool:
        """Whether Adobe has said something of any job."""
        return bool(self._found) or self.result.dealt_with > len(self.result.failures)

    def limited(self, job: Job, error: RateLimited) -> None:
        """Adobe has too many requests for this job, and answers those for others."""
        self._fail(job, error)

    def judge_denied(self) -> None:
        """What may not be read while others may is that job's failure. Raises the denial where it is everybody's."""
        for job, error in self.jobs.of_single_jobs():
            self._fail(job, error)

    def _may_be_gone(self, job: Job) -> bool:
        """Whether Adobe, if it does not know the job, has forgotten it: not before its windows are over."""
        since = job.completed_at or job.submitted_at
        return since is not None and self.ledger.now() - since > DETAIL_KEPT

    def _look_without_detail(self, job: Job) -> bool:
        """Adobe keeps a result longer than the job's data. Of a finished delete the ledger knows all that counts."""
        if job.action != "access" and job.state is not JobState.COMPLETE:
            self._lose(job, "Adobe has no job data any more, and nobody saw how it ended")
            return False
        detail = JobDetail.model_validate({"jobId": job.adobe_job_id, "status": JobStatus.COMPLETE.value})
        judgement = judge(detail, self.asked.of(job), last_look=True)
        if job.state is JobState.COMPLETE:
            # Judged when its detail could be read.
            kept = self.ledger.results.answers([job.id]).get(job.id, [])
            verdict = Verdict(job.outcome) if job.outcome else judgement.verdict
            judgement = Judgement(verdict, job.outcome_code, tuple(map(kept_answer, kept)))
        self._without_detail.add(job.id)
        self._found.append((job, detail, judgement))
        return True

    def _lose(self, job: Job, reason: str) -> None:
        log.error("job %s: %s", job.adobe_job_id, reason)
        self.ledger.results.record_gone(job, reason)
        self.result.gone.append(f"{job.key} ({job.action}, Adobe job {job.adobe_job_id}): {reason}")

    def _correct(self, job: Job, detail: JobDetail) -> None:
        """Of a job that is not ours, only the detail says for certain what was asked for, and under which law."""
        if job.origin is not Origin.ADOBE:
            return
        if detail.action in _ACTIONS:
            job.action = detail.action
        if not detail.regulation:
            return
        try:
            regulation = canonical_regulation(detail.regulation)
        except RegulationError as error:
            log.warning("job %s stays under %s: %s", job.adobe_job_id, job.regulation, error)
            return
        if regulation != job.regulation:
            job.regulation = regulation
            job.due_on = due_dates(regulation, job.received_at, clocks=self.clocks).answer_by

    def ready(self) -> list[Ready]:
        """The final jobs found since it was last asked, in the order of their completion; the complete ones in the
        ledger. Those with an answer outstanding are noted and left."""
        found, self._found = self._found, []
        late = [each for each in found if each[2].verdict is Verdict.PENDING]
        self.ledger.results.record_answers([_finished(*each) for each in late])
        self.result.late += len(late)
        final = [each for each in found if each[2].verdict is not Verdict.PENDING]
        complete = [each for each in final if each[1].status is JobStatus.COMPLETE]
        times = self.ledger.results.record_complete([_finished(*each) for each in complete])
        ready = [
            Ready(
                job,
                judgement,
                completed_job(
                    job, detail, judgement, times.get(job.id) or end_of(job, detail), self.asked.of(job)
                ),
                detail.download_url,
            )
            for job, detail, judgement in final
        ]
        return sorted(ready, key=lambda each: each.completed.completed_at)

    async def archive(self, ready: Ready) -> None:
        try:
            try:
                with metrics.timed(metrics.ARCHIVE_TIME):
                    manifest = await self._store(ready, ready.url)
            except AddressDenied:
                # An address that was read a while ago may have expired since.
                detail = await self.client.get_job(ready.completed.job_id)
                manifest = await self._store(ready, detail.download_url)
        except RateLimited:
            raise
        except (PrivacyServiceError, ArchiveError, StorageError) as error:
            if error is self.permission.missing:
                return
            if isinstance(error, NotFound) and error.by_service and self._has_no_result(ready):
                self._lose(ready.job, "Adobe has no result of it")
                return
            # Whatever it is, the others are not to wait for this one.
            self._fail(ready.job, error)
            return
        if manifest.holds_no_data and ready.completed.status == JobStatus.COMPLETE:
            ready = self._without_data(ready)
        metrics.count(metrics.VERDICTS, action=ready.job.action, verdict=ready.judgement.verdict.value)
        metrics.count(metrics.ARCHIVE_BYTES, manifest.size or 0)
        place = f"{manifest.folder}/manifest.json"
        if ready.completed.status != JobStatus.COMPLETE:
            self._record_error(ready, place, manifest.written_sha256)
            return
        self._manifests[ready.job.id] = place
        self._hashes[ready.job.id] = manifest.written_sha256
        in_part = ready.judgement.verdict not in IN_WHOLE
        self._counted[ready.job.id] = (in_part, manifest.size or 0)
        self.result.archived += 1
        self.result.partial += in_part
        self.result.bytes += manifest.size or 0
        if undone := missed(ready.job.action, ready.judgement.answers):
            self.result.missed.append(f"{ready.job.key} ({ready.job.action}): {', '.join(undone)}")
        # A commit for each would take longer than the archiving of a small result. What a crash leaves out is
        # recorded by the next try, which finds the manifest.
        if time.monotonic() - self._recorded_at > RECORD_EVERY:
            self.record_archived()

    def _without_data(self, ready: Ready) -> Ready:
        """The result was fetched, and there is nothing in it."""
        judgement = of_empty_result(ready.judgement)
        job_id = ready.completed.job_id
        if judgement is ready.judgement:
            log.info("job %s: its result holds no data, as its products say", job_id)
            return ready
        log.warning("job %s: its result holds no data, though a product says that it did its part", job_id)
        # Before it is archived: a crash in between leaves it to the next try.
        found = FinishedJob(ready.job, None, judgement.verdict.value, judgement.code, judgement.answers)
        self.ledger.results.record_complete([found])
        return replace(ready, judgement=judgement)

    def _has_no_result(self, ready: Ready) -> bool:
        return self.ledger.now() - ready.completed.completed_at > RESULT_AWAITED or self._may_be_gone(
            ready.job
        )

    def surprised(self, job: Job, error: Exception) -> None:
        """One job's surprise is that job's failure. Its text may quote what no log may hold."""
        where = traceback.extract_tb(error.__traceback__)[-1]
        self._fail(job, f"{type(error).__name__} in {where.name}, line {where.lineno}")

    def record_archived(self) -> None:
        manifests, self._manifests = self._manifests, {}
        hashes, self._hashes = self._hashes, {}
        recorded = self.ledger.results.record_archived(manifests, hashes)
        counted, self._counted = self._counted, {}
        for job_id, (in_part, size) in counted.items():
            if job_id not in recorded:
                # A run and the sweep may archive the same job at once: of its two counts one is right.
                self.result.archived -= 1
                self.result.elsewhere += 1
                self.result.partial -= in_part
                self.result.bytes -= size
        self._recorded_at = time.monotonic()

    async def _store(self, ready: Ready, url: str | None) -> Manifest:
        complete = ready.completed.status == JobStatus.COMPLETE
        if ready.job.action == "access" and (complete or url is not None):
            job_id = ready.completed.job_id
            # Adobe shows no address to a credential without the permission. Else a second job is asked: what is
            # denied may be the one result that is too old.
            witnesses = 1 if url is None and ready.job.id not in self._without_detail else 2
            download = partial(self.permission.download, self.client, job_id, url, witnesses=witnesses)
            try:
                return await self._archive(ready, download)
            except (NotFound, RequestRefused, InvalidArchive) as error:
                # A page of somebody between us and Adobe says nothing of the result.
                if isinstance(error, NotFound) and not error.by_service:
                    raise
                # Of a job whose detail nobody could read, nobody knows what its products did.
                known = isinstance(error, NotFound) and ready.job.id not in self._without_detail
                if complete and not (known and nothing_to_fetch(ready.judgement.answers)):
                    raise
                # Adobe promises a result of complete jobs only, and where no product did anything there may be none.
                # The evidence of what it answered is kept without.
                log.warning("job %s: %s, without a result: %s", job_id, ready.completed.status, error)
        return await self._archive(ready, None)

    async def _archive(self, ready: Ready, download: OpenDownload | None) -> Manifest:
        return await archive_job(
            self.store, ready.completed, download, settings=self.settings, clock=self.ledger.now
        )

    def _fail(self, job: Job, reason: Exception | str) -> None:
        log.warning("job %s: %s", job.adobe_job_id, reason)
        self.result.failures.append(f"{job.key} ({job.action}, Adobe job {job.adobe_job_id}): {reason}")
        self.result.damaged += isinstance(reason, InvalidArchive) and reason.reason not in MAY_PASS

    def _record_error(self, ready: Ready, manifest: str, sha256: str) -> None:
        job, judgement = ready.job, ready.judgement
        failed = [answer for answer in judgement.answers if answer.verdict is Verdict.NOT_DONE]
        named = ", ".join(dict.fromkeys(answer.name for answer in failed)) or "no product named"
        reason = f"Adobe: {ready.completed.status}, {judgement.code or 'no code'}, {named}"
        ours = job.origin is Origin.INBOX
        try_again = ours and retry_can_help(judgement.code) and job.attempt < self.max_attempts
        recorded = self.ledger.results.record_error(
            job,
            completed_at=ready.completed.completed_at,
            outcome=judgement.verdict.value,
            outcome_code=judgement.code,
            answers=judgement.answers,
            manifest=manifest,
            manifest_sha256=sha256,
            reason=reason,
            try_again=try_again,
        )
        self.result.errors.append(
            f"{job.key} ({job.action}): {reason}" + ("; sent again" if recorded and try_again else "")
        )


def _finished(job: Job, detail: JobDetail, judgement: Judgement) -> FinishedJob:
    return FinishedJob(
        job, detail.last_modified_at, judgement.verdict.value, judgement.code, judgement.answers
    )
