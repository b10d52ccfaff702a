"""What the archive knows and a restored ledger does not: results with their verdicts, tombstones, receipts of
opt-outs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from adobe_privacy.api.models import JobStatus
from adobe_privacy.api.names import Verdict
from adobe_privacy.archive import Manifest, UnreadableManifest
from adobe_privacy.archive.manifest import MANIFEST, days_of, folders_of_day, read_manifest
from adobe_privacy.ledger.erasures import FoundErasure
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.opt_outs import FoundReceipt
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import OPEN_AT_ADOBE, Move
from adobe_privacy.opt_outs.receipts import receipts_of
from adobe_privacy.results.judged_again import judgement_of
from adobe_privacy.storage import Store

REASON = "found in the archive: reconcile"
# A manifest that was written so long after its job was archived is another by now: the ledger's clock and the store's
# differ by less.
CLOCKS_DIFFER = timedelta(hours=12)


@dataclass
class ArchiveFound:
    """`unrecorded` is what the ledger does not have as archived, each manifest with its key; `erased` are the
    tombstones of results of which the ledger does not know that they were erased."""

    unrecorded: list[tuple[Manifest, str]] = field(default_factory=list)
    erased: list[Manifest] = field(default_factory=list)


def compare_archive(ledger: Ledger, archive: Store, notes: list[str]) -> ArchiveFound:
    """Reads what the ledger does not know, and nothing else: no manifest of a result that lies as it was archived."""
    found = ArchiveFound()

    def read(key: str) -> Manifest | None:
        try:
            return read_manifest(archive, key.rpartition("/")[0])
        except UnreadableManifest as error:
            notes.append(str(error))
            return None

    for day in days_of(archive):
        folders = folders_of_day(archive, day)
        keys = {folder.rpartition("/")[2]: f"{folder}/{MANIFEST}" for folder in folders}
        keys = {job_id: key for job_id, key in keys.items() if key in folders[key.rpartition("/")[0]]}
        unrecorded = keys.keys() - ledger.others.settled(keys)
        for job_id in sorted(unrecorded):
            if (manifest := read(keys[job_id])) is not None:
                found.unrecorded.append((manifest, keys[job_id]))
                if manifest.erasure is not None:
                    found.erased.append(manifest)
        for job_id, since in ledger.erasures.results_not_erased(keys.keys() - unrecorded).items():
            objects = folders[keys[job_id].rpartition("/")[0]]
            # Of a result whose erasure was not brought to its end, something may still lie there.
            if len(objects) == 1 or objects[keys[job_id]].modified > since + CLOCKS_DIFFER:
                manifest = read(keys[job_id])
                if manifest is not None and manifest.erasure is not None:
                    found.erased.append(manifest)
    return found


def record_archived(
    ledger: Ledger, archive_found: ArchiveFound, created: Mapping[str, datetime]
) -> list[str]:
    """Records what is archived; returns the user keys with their actions. `created` says when Adobe made its jobs."""
    # Of several attempts, the one that is complete is the request's; the others come beside it.
    found = sorted(archive_found.unrecorded, key=lambda each: each[0].status != JobStatus.COMPLETE)
    wanted = ledger.doubts.candidates()
    recorded = []
    for manifest, key in found:
        place = manifest.request_key, manifest.action
        if place in wanted and not ledger.intents.known_adobe_jobs([manifest.job_id]):
            made = [(job, manifest.job_id) for job in ledger.doubts.jobs([wanted[place]])]
            ledger.intents.record_submitted(made, adobe_request_id=None, reason=REASON, created=created)
        for job in ledger.others.jobs_at_adobe([manifest.job_id], *OPEN_AT_ADOBE):
            _record(ledger, job, manifest, key)
            recorded.append(named(manifest))
    return recorded


def named(manifest: Manifest) -> str:
    return f"{manifest.request_key} ({manifest.action})"


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


def record_erased(ledger: Ledger, manifests: Collection[Manifest]) -> None:
    """What a tombstone says: so nobody takes the result for one that can be had, put on hold, or was lost."""
    ledger.erasures.record_found(
        [
            FoundErasure(
                adobe_job_id=each.job_id,
                request_id=each.request_id,
                folder=each.folder,
                begun_at=each.erasure.started_at,
                done_at=each.erasure.erased_at,
                sha256=each.written_sha256,
            )
            for each in manifests
            if each.erasure is not None
        ]
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
