"""Re-reading an archive: does it still hold what its manifests say?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pydantic import BaseModel, ConfigDict

from adobe_privacy.archive.errors import InvalidArchive, UnreadableManifest
from adobe_privacy.archive.manifest import JOBS, MANIFEST, REJECTED, Manifest, parse_manifest
from adobe_privacy.archive.zip_check import ZipCheck
from adobe_privacy.storage import ObjectNotFound, Store

Problem = Literal[
    "unreadable-manifest",
    "missing-object",
    "wrong-size",
    "wrong-sha256",
    "invalid-zip",
    "wrong-members",
    "erased-but-present",
    "erasure-unfinished",
    "no-manifest",
    "rejected",
]


class Finding(BaseModel):
    """One thing noticed. An `error` means the archive is not what it says; a `note` is worth knowing.

    `key` is relative to the archive's URI.
    """

    model_config = ConfigDict(frozen=True)

    severity: Literal["error", "note"]
    problem: Problem
    key: str
    detail: str


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


class Verification:
    """Iterate to run it; `summary` fills up meanwhile. Works through the archive day by day."""

    def __init__(self, store: Store, selected: Callable[[str], bool] | None, workers: int) -> None:
        self.summary = VerificationSummary()
        self._store = store
        self._selected = selected
        self._workers = workers

    def __iter__(self) -> Iterator[Finding]:
        with ThreadPoolExecutor(self._workers, thread_name_prefix="verify") as pool:
            for day in _days(self._store):
                jobs = _jobs_of_day(self._store, day)
                chosen = [job for job in jobs if self._selected is None or self._selected(_job_id(job))]
                looked_at = pool.map(lambda folder, keys=jobs: self._job(folder, keys[folder]), chosen)
                for findings, counts in looked_at:
                    self._add(counts)
                    yield from map(self._note, findings)
        if self._selected is None:
            for info in self._store.objects(REJECTED):
                yield self._note(_note("rejected", info.key, "a download that failed its check"))

    def _add(self, counts: VerificationSummary) -> None:
        for name in ("manifests", "results", "bytes", "erased"):
            setattr(self.summary, name, getattr(self.summary, name) + getattr(counts, name))

    def _note(self, finding: Finding) -> Finding:
        if finding.severity == "error":
            self.summary.errors += 1
        else:
            self.summary.notes += 1
        return finding

    def _job(self, folder: str, keys: set[str]) -> tuple[list[Finding], VerificationSummary]:
        """Check one job's folder; runs on a thread and shares nothing."""
        counts = VerificationSummary()
        manifest_key = f"{folder}/{MANIFEST}"
        if manifest_key not in keys:
            return [_note("no-manifest", key, "an attempt that was never completed") for key in keys], counts
        counts.manifests = 1
        try:
            manifest = parse_manifest(manifest_key, self._store.read(manifest_key))
        except UnreadableManifest as error:
            return [_error("unreadable-manifest", manifest_key, str(error))], counts
        findings = [
            _note("no-manifest", key, "an attempt that the job's manifest does not name")
            for key in sorted(keys - {manifest_key, manifest.object_key})
        ]
        if manifest.erasure is not None:
            counts.erased = 1
            findings += _erasure_findings(manifest, manifest_key, keys)
        elif manifest.object_key is not None:
            counts.results = 1
            problems, counts.bytes = self._result(manifest, manifest.object_key)
            findings += problems
        return findings, counts

    def _result(self, manifest: Manifest, key: str) -> tuple[list[Finding], int]:
        digest, size, invalid = hashlib.sha256(), 0, None
        check = ZipCheck(manifest.limits)
        try:
            for chunk in self._store.chunks(key):
                digest.update(chunk)
                size += len(chunk)
                if invalid is None:
                    try:
                        check.feed(chunk)
                    except InvalidArchive as error:
                        invalid = error
        except ObjectNotFound:
            return [_error("missing-object", key, "the manifest names it and it is not there")], size
        findings = []
        if size != manifest.size:
            findings.append(_error("wrong-size", key, f"{size} bytes, and the manifest says {manifest.size}"))
        if digest.hexdigest() != manifest.sha256:
            findings.append(_error("wrong-sha256", key, "its bytes are not those that were archived"))
        try:
            if invalid is not None:
                raise invalid
            members = check.finish().members
        except InvalidArchive as error:
            findings.append(_error("invalid-zip", key, str(error)))
        else:
            if members != manifest.members:
                detail = f"{members} members, and the manifest says {manifest.members}"
                findings.append(_error("wrong-members", key, detail))
        return findings, size


def verify_archive(
    store: Store,
    *,
    selected: Callable[[str], bool] | None = None,
    workers: int = 2,
) -> Verification:
    """Re-read every result that a manifest names: size, SHA-256 and ZIP structure with all CRCs.

    Iterate over the answer for the findings, then ask its `summary`. `selected` narrows it to the job ids
    that it accepts. `workers` results are read at once. Needs nothing but the archive.

    Raises `StorageError` where the store itself fails. Not promised: to notice a job whose whole folder is
    gone; only the ledger knows what should be there.
    """
    return Verification(store, selected, workers)


def _days(store: Store) -> Iterator[str]:
    for regulation in store.folders(JOBS):
        for year in store.folders(f"{JOBS}/{regulation}"):
            for month in store.folders(f"{JOBS}/{regulation}/{year}"):
                for day in store.folders(f"{JOBS}/{regulation}/{year}/{month}"):
                    yield f"{JOBS}/{regulation}/{year}/{month}/{day}"


def _jobs_of_day(store: Store, day: str) -> dict[str, set[str]]:
    jobs: dict[str, set[str]] = {}
    for info in store.objects(day):
        jobs.setdefault(info.key.rpartition("/")[0], set()).add(info.key)
    return dict(sorted(jobs.items()))


def _job_id(folder: str) -> str:
    return folder.rpartition("/")[2]


def _erasure_findings(manifest: Manifest, manifest_key: str, keys: set[str]) -> list[Finding]:
    assert manifest.erasure is not None
    if manifest.erasure.erased_at is None:
        return [
            _error("erasure-unfinished", manifest_key, "begun and not confirmed; run the retention again")
        ]
    if manifest.object_key in keys:
        return [_error("erased-but-present", manifest.object_key, "its manifest says that it was erased")]
    return []


def _error(problem: Problem, key: str, detail: str) -> Finding:
    return Finding(severity="error", problem=problem, key=key, detail=detail)


def _note(problem: Problem, key: str, detail: str) -> Finding:
    return Finding(severity="note", problem=problem, key=key, detail=detail)
