"""Finished jobs for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from adobe_privacy.archive import CompletedJob, Manifest, ProductOutcome
from adobe_privacy.archive.completeness import compare


def access_job(job_id: str = "6e1f0f7a-0001", **changes: object) -> CompletedJob:
    values: dict[str, object] = {
        "job_id": job_id,
        "request_id": "DSR-2026-000123",
        "request_key": "DSR-2026-000123",
        "regulation": "gdpr",
        "action": "access",
        "status": "complete",
        "verdict": "done",
        "completed_at": datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
        "products": [
            ProductOutcome(name="Analytics", status="complete", code="6000-200", verdict="done"),
            ProductOutcome(name="Profile", status="complete", code="6000-200", verdict="done"),
        ],
        "products_requested": ["analytics", "profileService"],
        "processed_count": 2,
        "ignored_count": 0,
    }
    return CompletedJob(**(values | changes))  # type: ignore[arg-type]


def empty_manifest(job_id: str, completed_at: datetime) -> Manifest:
    """Of an access job whose result `a.zip` has no bytes."""
    return Manifest(
        job_id=job_id,
        request_id="DSR-1",
        request_key="DSR-1",
        regulation="gdpr",
        action="access",
        status="complete",
        completed_at=completed_at,
        archived_at=completed_at,
        products=[],
        completeness=compare(verdict="done", requested=(), outcomes=(), processed=None, ignored=None),
        object="a.zip",
        size=0,
        sha256="0" * 64,
        members=1,
    )
