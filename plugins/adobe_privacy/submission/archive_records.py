"""What the archive knows and a restored ledger does not: results with their verdicts, and receipts of opt-outs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime

from adobe_privacy.api.models import JobStatus
from adobe_privacy.api.names import Verdict
from adobe_privacy.archive import Manifest, UnreadableManifest
from adobe_privacy.archive.manifest import manifest_keys, read_manifest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.opt_outs import FoundReceipt
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import OPEN_AT_ADOBE, Move
from adobe_privacy.ledger.unit import chunks
from adobe_privacy.opt_outs.receipts import receipts_of
from adobe_privacy.results.judged_again import judgement_of
from adobe_privacy.storage import Store

CHUNK = 1000
REASON = "found in the archive: reconcile"


def unrecorded(ledger: Ledger, archive: Store, notes: list[str]) -> Iterator[tuple[Manifest, str]]:
    """What the archive has and the ledger does not have as archived: each manifest with its key."""
    for keys in chunks(list(manifest_keys(archive)), CHUNK):
        by_job = {key.split("/")[-2]: key for key in keys}
        for job_id in by_job.keys() - ledger.others.settled(by_job):
            key = by_job[job_id]
            try:
                yield read_manifest(archive, key.rpartition("/")[0]), key
            except UnreadableManifest as error:
                notes.append(str(error))


def record_archived(
    ledger: Ledger, archive: Store, created: Mapping[str, datetime], notes: list[str]
) -> list[str]:
    """Records what is archived; returns the user keys with their actions. `created` says when Adobe made its jobs."""
    # Of several attempts, the one that is complete is the request's; the others come beside it.
    found = sorted(unrecorded(ledger, archive, notes), key=lambda each: each[0].status != JobStatus.COMPLETE)
    wanted = ledger.doubts.candidates()
    recorded = []
    for manifest, key in found:
        place = manifest.request_key, manifest.action
        if place in wanted and not ledger.intents.known_adobe_jobs([manifest.job_id]):
            made = [(job, manifest.job_id) for job in ledger.doubts.jobs([wanted[place]])]
            ledger.intents.record_submitted(made, adobe_request_id=None, reason=REASON, created=created)
        for job in ledger.others.jobs_at_adobe([manifest.job_id], *OPEN_AT_ADOBE):
            _record(ledger, job, manifest, key)
            recorded.append(f"{manifest.request_key} ({manifest.action})")
    return recorded


def _record(ledger: Ledger, job: Job, manifest: Manifest, key: str) -> None:
    judgement = judgement_of(json.loads(manifest.to_json()), manifest.action)
    outcome = Verdict.AS_BEFORE if judgement is None else judgement.verdict
    code, answers = (None, ()) if judgement is None else (judgement.code, judgement.answers)
    if manifest.status == JobStatus.COMPLETE:
        finished = FinishedJob(job, manifest.completed_at, outcome.value, code, answers)
        ledger.results.record_complete([finished])
        ledger.results.record_archived({job.id: key}, {job.id: manifest.written_sha256})
        return
    ledger.results.record_error(
        job,
        completed_at=manifest.completed_at,
        outcome_code=code,
        reason=REASON,
        try_again=False,
        outcome=outcome.value,
        answers=answers,
        manifest=key,
        manifest_sha256=manifest.written_sha256,
    )


def receipts_found(archive: Store, opt_outs: Collection[Job], notes: list[str]) -> dict[str, FoundReceipt]:
    """The receipts of these opt-outs, by request id: the first acceptance of each. A receipt of other identities, or by
    another fingerprint key, proves nothing for the request."""
    by_id = {job.request_id: job for job in opt_outs}
    found: dict[str, FoundReceipt] = {}
    for receipt, place, content in receipts_of(archive, by_id):
        if receipt is None:
            notes.append(f"{place} is no receipt of this project")
            continue
        job = by_id.get(receipt.request_id)
        if job is None or receipt.regulation != job.regulation or receipt.answer != Verdict.ACCEPTED:
            continue
        if receipt.fingerprint != job.fingerprint:
            notes.append(
                f"{place} is of other identities than the inbox has, or of another fingerprint key: the opt-out "
                "is sent again"
            )
            continue
        known = found.get(receipt.request_id)
        if known is None or receipt.accepted_at < known.accepted_at:
            digest = hashlib.sha256(content).hexdigest()
            found[receipt.request_id] = FoundReceipt(
                job, place, digest, receipt.accepted_at, receipt.attempts
            )
    return found


def open_opt_outs(ledger: Ledger) -> list[Job]:
    """The opt-outs that the ledger does not know to be accepted."""
    return ledger.opt_outs.jobs(date.max, *(state for state in Move.ACCEPT.origins if state is not None))
