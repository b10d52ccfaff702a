"""The archive: results checked on their way, and proven by a manifest."""

from __future__ import annotations

from adobe_privacy.archive.archiver import CompletedJob, archive_job
from adobe_privacy.archive.completeness import Completeness, ProductOutcome
from adobe_privacy.archive.errors import ArchiveError, DownloadIncomplete, InvalidArchive, UnreadableManifest
from adobe_privacy.archive.manifest import Erasure, Manifest, find_manifest, iter_manifests
from adobe_privacy.archive.transfer import Download, OpenDownload
from adobe_privacy.archive.zip_check import Fault, ZipCheck, ZipLimits, ZipSummary

__all__ = [
    "ArchiveError",
    "CompletedJob",
    "Completeness",
    "Download",
    "DownloadIncomplete",
    "Erasure",
    "Fault",
    "InvalidArchive",
    "Manifest",
    "OpenDownload",
    "ProductOutcome",
    "UnreadableManifest",
    "ZipCheck",
    "ZipLimits",
    "ZipSummary",
    "archive_job",
    "find_manifest",
    "iter_manifests",
]
