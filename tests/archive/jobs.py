"""Finished jobs for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from adobe_privacy.archive import CompletedJob, ProductOutcome


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
