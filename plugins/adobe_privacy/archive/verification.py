"""Re-reading an archive: does it still hold what its manifests say?"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adobe_privacy.archive.checking import Opener, check_result, key_findings
from adobe_privacy.archive.errors import ArchiveError, UnreadableManifest
from adobe_privacy.archive.findings import Finding, VerificationSummary, remark, wrong
from adobe_privacy.archive.manifest import (
    JOBS,
    MANIFEST,
    REJECTED,
    Manifest,
    days_of,
    folders_of_day,
    parse_manifest,
    read_manifest,
)
from adobe_privacy.archive.signing import unproven
from adobe_privacy.storage import (
    AccessDenied,
    Failures,
    ObjectNotFound,
    StorageError,
    StorageUnavailable,
    Store,
)

FAILURES_IN_A_ROW = 5
"""A store that fails for so many jobs in a row is down."""


# Seconds; a result is erased by four calls of the store.
ERASURE_TAKES = 3.0


class Witness(Protocol):
    """What a ledger knows of an archive."""

    def filed(self, job_ids: Collection[str]) -> Mapping[str, Filed]:
        """Of these jobs of Adobe's those that were archived, and the hashes of their manifests."""
        ...

    def manifests(self) -> Iterable[tuple[str, str]]:
        """Adobe's id and the manifest's place of every job that should be in the archive."""
        ...

    def earlier(self) -> Collection[str]:
        """Adobe's ids of attempts before the last that should be there too, at places that nobody knows."""
        ...

    def receipts(self) -> Iterable[tuple[str, str]]:
        """The place and the SHA-256 of every receipt of an opt-out that should be in the archive."""
        ...


class Filed(Protocol):
    """`sha256` is None where nobody noted it. While a result is `erasing`, its manifest is being replaced."""

    @property
    def sha256(self) -> str | None: ...

    @property
    def erasing(self) -> bool: ...


class Verification:
    """Iterate to run it; `summary` fills up meanwhile. Works through the archive day by day."""

    def __init__(
        self,
        store: Store,
        opener: Opener | None,
        keys: Store | None,
        selected: Callable[[str], bool] | None,
        workers: int,
        witness: Witness | None = None,
        signers: Sequence[Ed25519PublicKey] = (),
    ) -> None:
        self._witness = witness
        self._signers = signers
        self.summary = VerificationSummary()
        self._store = store
        self._opener = opener
        self._keys = keys if opener is None or opener.keys is None else opener.keys
        self._selected = selected
        self._workers = workers
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._failures_in_a_row = 0
        # Folders that may not be listed, and what is to be said of them.
        self._closed: dict[str, str] = {}

    def __iter__(self) -> Iterator[Finding]:
        # Before anything is looked at: what is archived meanwhile may be passed over.
        earlier = self._witness.earlier() if self._witness else ()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="verify") as pool:
            for day in days_of(self._store, self._deny):
                try:
                    jobs = folders_of_day(self._store, day)
                except AccessDenied as error:
                    self._deny(day, error)
                    continue
                chosen = [job for job in jobs if self._selected is None or self._selected(_job_id(job))]
                filed = self._witness.filed([_job_id(job) for job in chosen]) if self._witness else {}
                looked_at = pool.map(
                    lambda folder, keys=jobs, filed=filed: self._any_job(folder, set(keys[folder]), filed),
                    chosen,
                )
                for findings, counts in looked_at:
                    self._add(counts)
                    yield from map(self._note, findings)
                self._seen |= {folder for folder in chosen if f"{folder}/{MANIFEST}" in jobs[folder]}
        for folder, problem in self._closed.items():
            yield self._note(wrong("cannot-check", folder, f"it cannot be listed: {problem}"))
        yield from map(self._note, self._missing())
        yield from map(self._note, self._missing_before(earlier))
        yield from map(self._note, self._receipts())
        if self._selected is None:
            for name in self._store.odd_names(JOBS):
                yield self._note(remark("odd-name", name, "no file that an archive has; it is passed over"))
            try:
                for info in self._store.objects(REJECTED):
                    yield self._note(remark("rejected", info.key, "a download that failed its check"))
            except AccessDenied as error:
                yield self._note(wrong("cannot-check", REJECTED, f"it cannot be listed: {error}"))

    def _missing(self) -> Iterator[Finding]:
        """What the ledger has as archived and nobody has seen. What was archived meanwhile is looked for."""
        for job_id, key in self._witness.manifests() if self._witness else ():
            if not key.startswith(f"{JOBS}/") or (self._selected is not None and not self._selected(job_id)):
                continue
            if key.removesuffix(f"/{MANIFEST}") in self._seen or self._is_closed(key):
                continue
            try:
                self._store.info(key)
            except ObjectNotFound:
                yield wrong("missing-manifest", key, "the ledger has it as archived, and it is not there")
            except AccessDenied as error:
                yield wrong("cannot-check", key, f"it cannot be checked: {error}")

    def _missing_before(self, earlier: Collection[str]) -> Iterator[Finding]:
        """Of the attempts before the last. What lies in a folder that cannot be listed may be there."""
        if self._closed:
            return
        seen = {_job_id(folder) for folder in self._seen}
        for job_id in earlier:
            if job_id not in seen and (self._selected is None or self._selected(job_id)):
                detail = (
                    "the ledger has it as archived, of an earlier attempt of its job, and it is not there"
                )
                yield wrong("missing-manifest", f"{JOBS}/*/{job_id}/{MANIFEST}", detail)

    def _receipts(self) -> Iterator[Finding]:
        """Of opt-outs, whose receipt is all there is: those that are gone, or not what was archived."""
        failures = Failures()
        for place, sha256 in self._witness.receipts() if self._witness else ():
            if self._selected is not None and not self._selected(place):
                continue
            try:
                found = hashlib.sha256(self._store.read(place)).hexdigest()
            except ObjectNotFound:
                yield wrong("missing-receipt", place, "the ledger has it as archived, and it is not there")
            except StorageError as error:
                failures.note(error)
                yield wrong("cannot-check", place, f"it cannot be checked: {error}")
            else:
                failures.over()
                if found != sha256:
                    yield wrong("changed-receipt", place, "it is not the receipt that was archived")

    def _deny(self, folder: str, error: AccessDenied) -> None:
        self._closed[folder] = str(error)

    def _is_closed(self, key: str) -> bool:
        return any(key.startswith(f"{folder}/") for folder in self._closed)

    def _add(self, counts: VerificationSummary) -> None:
        for name in ("manifests", "results", "bytes", "erased"):
            setattr(self.summary, name, getattr(self.summary, name) + getattr(counts, name))

    def _note(self, finding: Finding) -> Finding:
        if finding.severity == "error":
            self.summary.errors += 1
        else:
            self.summary.notes += 1
        return finding

    def _any_job(
        self, folder: str, keys: set[str], filed: Mapping[str, Filed]
    ) -> tuple[list[Finding], VerificationSummary]:
        """As `_job`; whatever is odd about one job is a finding about that job alone."""
        try:
            found = self._job(folder, keys, filed)
            if any(finding.severity == "error" for finding in found[0]):
                found = self._once_more(folder, found)
        except Exception as error:
            with self._lock:
                self._failures_in_a_row += 1
                down = isinstance(error, StorageUnavailable) and self._failures_in_a_row >= FAILURES_IN_A_ROW
            if down:
                raise
            what = str(error) if isinstance(error, StorageError | ArchiveError) else type(error).__name__
            return [wrong("cannot-check", f"{folder}/{MANIFEST}", f"it cannot be checked: {what}")], (
                VerificationSummary(manifests=1)
            )
        self._failures_in_a_row = 0
        return found

    def _once_more(
        self, folder: str, found: tuple[list[Finding], VerificationSummary]
    ) -> tuple[list[Finding], VerificationSummary]:
        """What is wrong with a job whose result was erased while it was looked at; else as `found`: what a disk or a
        network damages now and then is damage, whatever a second look finds."""
        for _ in range(2):
            filed = self._witness.filed([_job_id(folder)]) if self._witness else {}
            under_way = any(known.erasing for known in filed.values())
            if not (under_way or self._has_tombstone(folder)):
                break
            found = self._job(folder, {info.key for info in self._store.objects(folder)}, filed)
            if not (under_way and any(finding.problem == "erasure-unfinished" for finding in found[0])):
                break
            time.sleep(ERASURE_TAKES)
        return found

    def _has_tombstone(self, folder: str) -> bool:
        """Where nobody can tell, the damage that was found is not explained."""
        try:
            return read_manifest(self._store, folder).erasure is not None
        except (StorageError, UnreadableManifest):
            return False

    def _job(
        self, folder: str, keys: set[str], filed: Mapping[str, Filed]
    ) -> tuple[list[Finding], VerificationSummary]:
        """Check one job's folder; runs on a thread and shares nothing."""
        counts = VerificationSummary()
        manifest_key = f"{folder}/{MANIFEST}"
        if manifest_key not in keys:
            return [remark("no-manifest", key, "an attempt that was never completed") for key in keys], counts
        counts.manifests = 1
        try:
            text = self._store.read(manifest_key)
            manifest = parse_manifest(manifest_key, text)
        except UnreadableManifest as error:
            return [wrong("unreadable-manifest", manifest_key, str(error))], counts
        findings = self._compared(manifest, manifest_key, filed)
        if self._signers and (problem := unproven(text, self._signers)) is not None:
            findings.append(wrong("not-signed", manifest_key, problem))
        findings += [
            remark("no-manifest", key, "an attempt that the job's manifest does not name")
            for key in sorted(keys - {manifest_key, manifest.object_key, manifest.data_key})
        ]
        if manifest.erasure is not None:
            counts.erased = 1
            findings += _erasure_findings(manifest, manifest_key, keys)
        elif manifest.object_key is not None:
            counts.results = 1
            problems, counts.bytes = check_result(self._store, manifest, self._opener)
            findings += problems
            findings += key_findings(self._store, self._keys, manifest)
        return findings, counts

    def _compared(self, manifest: Manifest, key: str, filed: Mapping[str, Filed]) -> list[Finding]:
        """The manifest against what the ledger noted when it was written."""
        if self._witness is None:
            return []
        known = filed.get(manifest.job_id)
        if known is None:
            return [wrong("unknown-manifest", key, "the ledger knows no such job")]
        # An erasure that the store refuses leaves the manifest as it was.
        being_replaced = known.erasing and manifest.erasure is not None
        if known.sha256 is None or being_replaced or known.sha256 == manifest.written_sha256:
            return []
        detail = "it is not the manifest that was archived"
        if manifest.erasure is not None:
            detail = (
                "it says that the result was erased, and the ledger does not know of it: after a restore of the "
                "ledger, run `airflow privacy reconcile`"
            )
        return [wrong("changed-manifest", key, detail)]


def verify_archive(
    store: Store,
    *,
    opener: Opener | None = None,
    keys: Store | None = None,
    selected: Callable[[str], bool] | None = None,
    workers: int = 2,
    witness: Witness | None = None,
    signers: Sequence[Ed25519PublicKey] = (),
) -> Verification:
    """Re-read every result that a manifest names: size, SHA-256 and ZIP structure with all CRCs.

    Iterate over the answer for the findings, then ask its `summary`. `selected` narrows it to the job ids
    that it accepts. `workers` results are read at once. Needs nothing but the archive; of encrypted results it
    checks the ciphertext and the wrapped data key, and with `opener` what is inside as well. `keys` is where data
    keys lie if not beside the manifests. With a `witness`, the ledger, each manifest is compared with the hash that was
    noted when it was written, and a job whose folder is gone is missed, of each of its attempts. So are the receipts of
    opt-outs. With `signers` one of these keys must have signed each manifest.

    Raises `StorageError` where the store itself fails. Not promised: to notice, without a witness, a manifest that was
    replaced together with its result, or a job whose whole folder is gone. Nor anything about a data key in a place
    that is not `keys`.
    """
    return Verification(store, opener, keys, selected, workers, witness, signers)


def _job_id(folder: str) -> str:
    return folder.rpartition("/")[2]


def _erasure_findings(manifest: Manifest, manifest_key: str, keys: set[str]) -> list[Finding]:
    assert manifest.erasure is not None
    if manifest.erasure.erased_at is None:
        return [wrong("erasure-unfinished", manifest_key, "begun and not confirmed; run the retention again")]
    return [
        wrong("erased-but-present", key, "its manifest says that it was erased")
        for key in sorted(keys & {manifest.object_key, manifest.data_key})
    ]
