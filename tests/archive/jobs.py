"""Finished jobs for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from adobe_privacy.archive import CompletedJob


def access_job(job_id: str = "6e1f0f7a-0001", **changes: object) -> CompletedJob:
    values: dict[str, object] = {
        "job_id": job_id,
        "request_id": "DSR-2026-000123",
        "request_key": "DSR-2026-000123",
        "regulation": "gdpr",
        "action": "access",
        "status": "complete",
        "completed_at": datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
        "products": [
            ("Analytics", "complete", "PRVCY-6000-200"),
            ("Profile", "complete", "PRVCY-6000-200"),
        ],
        "products_requested": ["analytics", "profileService"],
        "processed_count": 2,
        "ignored_count": 0,
    }
    return CompletedJob(**(values | changes))  # type: ignore[arg-type]
