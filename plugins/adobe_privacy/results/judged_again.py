"""Jobs that an older version judged, by rules of its own: judged again by what their manifests say."""

from __future__ import annotations

import json
from typing import Any

from adobe_privacy.api.models import JobDetail
from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.results.verdicts import Judgement, judge
from adobe_privacy.storage import ObjectNotFound, Store

AT_ONCE = 500


def judge_again(ledger: Ledger, archive: Store, *, limit: int = AT_ONCE) -> int:
    """Judges the next `limit` of them, and returns how many have a verdict now. Each is looked at once, over all calls:
    where its manifest does not say enough, it stays as it was judged before.

    Raises StorageError where the archive cannot be read; the next call begins with the same jobs.
    """
    jobs = ledger.results.judged_before(limit)
    found = []
    for job in jobs:
        judgement = _judgement(archive, job)
        if judgement is not None:
            verdict = judgement.verdict
            found.append(FinishedJob(job, None, verdict.value, judgement.code, judgement.answers))
    if jobs:
        ledger.results.record_judged_again(found, jobs[-1].id if len(jobs) == limit else None)
    return len(found)


def _judgement(archive: Store, job: Job) -> Judgement | None:
    try:
        manifest = json.loads(archive.read(job.manifest or ""))
        detail, asked = _detail(manifest), manifest["completeness"]["products_requested"]
        left_out = manifest["completeness"].get("ignored") or 0
        no_result = job.action == "access" and "object" not in manifest
    except (ObjectNotFound, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not detail.products:
        return None
    judgement = judge(detail, asked, last_look=True)
    # What was in the way of `done` then, a manifest tells in part only.
    return None if judgement.verdict is Verdict.DONE and (left_out or no_result) else judgement


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
