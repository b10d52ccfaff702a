"""The archive: results checked on their way, and proven by a manifest."""

from __future__ import annotations

from adobe_privacy.archive.archiver import CompletedJob, archive_job
from adobe_privacy.archive.checking import Opener, check_result
from adobe_privacy.archive.cleaning import IsArchived, LegalHold, clean_up
from adobe_privacy.archive.completeness import Completeness, ProductOutcome
from adobe_privacy.archive.encryption import AgeKeys, Encryption, KeyWrapper, KmsKey
from adobe_privacy.archive.errors import (
    ArchiveError,
    CannotOpen,
    DownloadIncomplete,
    InvalidArchive,
    UnreadableManifest,
)
from adobe_privacy.archive.findings import Finding, VerificationSummary, changed_history
from adobe_privacy.archive.manifest import (
    Erasure,
    Manifest,
    Sealed,
    find_manifest,
    iter_manifests,
)
from adobe_privacy.archive.opening import job_place, open_result, result_manifest
from adobe_privacy.archive.retention import (
    Erasures,
    RetentionAction,
    erase_expired,
    verify_sample,
)
from adobe_privacy.archive.settings import ArchiveSettings
from adobe_privacy.archive.transfer import Download, OpenDownload
from adobe_privacy.archive.verification import Verification, Witness, verify_archive
from adobe_privacy.archive.zip_check import ZipCheck
from adobe_privacy.archive.zip_rules import Fault, ZipLimits, ZipSummary

__all__ = [
    "AgeKeys",
    "ArchiveError",
    "ArchiveSettings",
    "CannotOpen",
    "CompletedJob",
    "Completeness",
    "Download",
    "DownloadIncomplete",
    "Encryption",
    "Erasure",
    "Erasures",
    "Fault",
    "Finding",
    "InvalidArchive",
    "IsArchived",
    "KeyWrapper",
    "KmsKey",
    "LegalHold",
    "Manifest",
    "OpenDownload",
    "Opener",
    "ProductOutcome",
    "RetentionAction",
    "Sealed",
    "UnreadableManifest",
    "Verification",
    "VerificationSummary",
    "Witness",
    "ZipCheck",
    "ZipLimits",
    "ZipSummary",
    "archive_job",
    "changed_history",
    "check_result",
    "clean_up",
    "erase_expired",
    "find_manifest",
    "iter_manifests",
    "job_place",
    "open_result",
    "result_manifest",
    "verify_archive",
    "verify_sample",
]
