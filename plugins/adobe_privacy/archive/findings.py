"""What a verification finds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from adobe_privacy.plain_text import PlainText

Problem = Literal[
    "unreadable-manifest",
    "missing-object",
    "missing-key",
    "damaged-key",
    "cannot-open",
    "wrong-size",
    "wrong-sha256",
    "invalid-zip",
    "wrong-members",
    "erased-but-present",
    "erasure-unfinished",
    "no-manifest",
    "rejected",
    "cannot-check",
    "odd-name",
    "not-signed",
    "changed-manifest",
    "unknown-manifest",
    "missing-manifest",
    "missing-receipt",
    "changed-receipt",
    "changed-history",
]


class Finding(BaseModel):
    """One thing noticed. An `error` means the archive is not what it says; a `note` is worth knowing.

    `key` is relative to the archive's URI.
    """

    model_config = ConfigDict(frozen=True)

    severity: Literal["error", "note"]
    problem: Problem
    key: PlainText
    detail: PlainText


class VerificationSummary(BaseModel):
    """What was looked at; `bytes` were read and hashed, `erased` are tombstones."""

    manifests: int = 0
    results: int = 0
    bytes: int = 0
    erased: int = 0
    errors: int = 0
    notes: int = 0

    @property
    def ok(self) -> bool:
        """Whether there was no error."""
        return self.errors == 0


def changed_history(detail: str) -> Finding:
    """What of the ledger's history is not as it was sealed."""
    return wrong("changed-history", "ledger", detail)


def wrong(problem: Problem, key: str, detail: str) -> Finding:
    return Finding(severity="error", problem=problem, key=key, detail=detail)


def remark(problem: Problem, key: str, detail: str) -> Finding:
    return Finding(severity="note", problem=problem, key=key, detail=detail)
