"""What became of a job by its manifest: where an older version judged it, by rules of its own, and where a restored
ledger does not know it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adobe_privacy.api.models import JobDetail, JobStatus
from adobe_privacy.api.names import Verdict, product_code
from adobe_privacy.archive.manifest import holds_no_data
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.results.verdicts import Answer, Judgement, judge, kept_judgement, of_empty_result
from adobe_privacy.storage import Failures, ObjectNotFound, StorageError, Store

AT_ONCE = 500


@dataclass
class JudgedAgain:
    """So many have a verdict now; `failures` names the manifests that could not be read."""

    judged: int = 0
    failures: list[str] = field(default_factory=list)


def judge_again(ledger: Ledger, archive: Store, *, limit: int = AT_ONCE) -> JudgedAgain:
    """Judges the next `limit` of them. Each is looked at once, over all calls: where its manifest does not say enough,
    it stays as it was judged before. Where its manifest cannot be read it costs no other, and is looked at again.

    Raises StorageUnavailable where the store fails for several in a row; the next call begins with the same jobs.
    """
    jobs = ledger.results.judged_before(limit)
    result, down = JudgedAgain(), Failures()
    found = []
    for job in jobs:
        try:
            judgement = _judgement(archive, job)
        except StorageError as error:
            down.note(error)
            result.failures.append(f"the manifest of {job.key} ({job.action}): {error}")
            continue
        down.over()
        if judgement is not None:
            verdict = judgement.verdict
            found.append(FinishedJob(job, None, verdict.value, judgement.code, judgement.answers))
    if jobs:
        last = jobs[-1].id if len(jobs) == limit else None
        ledger.results.record_judged_again(found, last, some_left=bool(result.failures))
    result.judged = len(found)
    return result


def _judgement(archive: Store, job: Job) -> Judgement | None:
    try:
        return judgement_of(json.loads(archive.read(job.manifest or "")), job.action)
    except (ObjectNotFound, ValueError, RecursionError):
        return None


def judgement_of(manifest: Any, action: str) -> Judgement | None:
    """The judgement that a manifest holds, or, where an older version wrote it, today's by what it repeats of Adobe's
    answer. None where it does not say enough: then nobody knows whether all was done."""
    try:
        detail, completeness = _detail(manifest), manifest["completeness"]
        asked, left_out = completeness["products_requested"], completeness.get("ignored") or 0
        kept = _kept(manifest, asked)
        no_result = action == "access" and "object" not in manifest
        judgement = kept or judge(detail, asked, last_look=True)
        if (
            action == "access"
            and detail.status is JobStatus.COMPLETE
            and holds_no_data(manifest.get("members"), manifest.get("inflated_size"))
        ):
            judgement = of_empty_result(judgement)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if kept is not None:
        return judgement
    if not detail.products:
        return None
    # What was in the way of `done` then, a manifest tells in part only.
    return None if judgement.verdict is Verdict.DONE and (left_out or no_result) else judgement


def _kept(manifest: dict[str, Any], asked: list[str]) -> Judgement | None:
    """What was decided when the job was archived, and more was known. None where an older version wrote it, whose
    products have no verdicts. Raises ValueError for words that nobody knows: they may be graver than today's."""
    try:
        answers = [
            Answer(
                product=product_code(product["name"]),
                name=product["name"],
                verdict=Verdict(product["verdict"]),
                status=product["status"],
                code=product.get("code"),
                processed_at=datetime.fromisoformat(at) if (at := product.get("processed_at")) else None,
                retry_count=product.get("retry_count"),
            )
            for product in manifest["products"]
        ]
    except KeyError:
        return None
    return kept_judgement(Verdict(manifest["completeness"]["verdict"]), answers, asked)


def _detail(manifest: dict[str, Any]) -> JobDetail:
    """Adobe's answer, as far as a manifest repeats it."""
    responses = [
        {
            "product": product["name"],
            "productStatusResponse": {"status": product["status"], "responseMsgCode": product.get("code")},
        }
        for product in manifest["products"]
    ]
    wire = {"jobId": manifest["job_id"], "status": manifest["status"], "productResponses": responses}
    return JobDetail.model_validate(wire)
