"""Which settings protect people, each as a short text that the ledger can keep and a person can read."""

from __future__ import annotations

import hashlib
import json

from adobe_privacy.settings import Settings

# The ledger keeps short texts only.
LONGEST = 120


def protective(settings: Settings) -> dict[str, str]:
    """By the names of `ledger.protection.SETTINGS`. Holds no secret."""
    key = settings.key
    return {
        "organisation": settings.service.client.org_id,
        "approve_deletes": "on" if settings.variables.approve_deletes else "",
        "encryption": "" if key is None else _short(key.fingerprint),
        # Another key is no less: both sign.
        "signing": "" if settings.signing_key is None else "on",
        "legal_clocks": settings.clocks_digest,
        "retention_days": _short(json.dumps(settings.variables.retention_days, sort_keys=True))
        if settings.variables.retention_days
        else "",
        **{
            name: str(getattr(settings.variables, name))
            if name in settings.variables.model_fields_set
            else ""
            for name in ("inbox_retention_days", "ledger_retention_months")
        },
        "daily_job_limit": str(settings.service.daily_job_limit),
    }


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"
