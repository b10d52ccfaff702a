"""The archive: results checked on their way, and proven by a manifest."""

from __future__ import annotations

from adobe_privacy.archive.archiver import CompletedJob, archive_job
from adobe_privacy.archive.completeness import Completeness, ProductOutcome
from adobe_privacy.archive.errors import ArchiveError, DownloadIncomplete, InvalidArchive, UnreadableManifest
from adobe_privacy.archive.manifest import Erasure, Manifest, find_manifest, iter_manifests
from adobe_privacy.archive.retention import (
    LegalHold,
    RetentionAction,
    erase_expired,
    sweep_attempts,
    verify_sample,
)
from adobe_privacy.archive.settings import ArchiveSettings
from adobe_privacy.archive.transfer import Download, OpenDownload
from adobe_privacy.archive.verification import Finding, Verification, VerificationSummary, verify_archive
from adobe_privacy.archive.zip_check import Fault, ZipCheck, ZipLimits, ZipSummary

__all__ = [
    "ArchiveError",
    "ArchiveSettings",
    "CompletedJob",
    "Completeness",
    "Download",
    "DownloadIncomplete",
    "Erasure",
    "Fault",
    "Finding",
    "InvalidArchive",
    "LegalHold",
    "Manifest",
    "OpenDownload",
    "ProductOutcome",
    "RetentionAction",
    "UnreadableManifest",
    "Verification",
    "VerificationSummary",
    "ZipCheck",
    "ZipLimits",
    "ZipSummary",
    "archive_job",
    "erase_expired",
    "find_manifest",
    "iter_manifests",
    "sweep_attempts",
    "verify_archive",
    "verify_sample",
]
