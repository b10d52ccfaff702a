"""Taking one result out of the archive, checked, to where somebody needs it."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path

from adobe_privacy.archive.checking import Opener, check_result
from adobe_privacy.archive.errors import ArchiveError, CannotOpen
from adobe_privacy.archive.findings import Finding
from adobe_privacy.archive.manifest import MANIFEST, Manifest, read_manifest
from adobe_privacy.storage import InvalidLocation, Location, Store, parse_location

_JOB = re.compile(r"(?P<archive>.*?)/?(?P<folder>jobs/[^/]+/\d{4}/\d{2}/\d{2}/[^/]+)")


def job_place(uri: str) -> tuple[Location, str]:
    """Of the URI of a job's folder or manifest, the archive and the folder in it. Raises `InvalidLocation`."""
    location = parse_location(uri)
    match = _JOB.fullmatch(location.prefix.removesuffix(f"/{MANIFEST}"))
    if match is None:
        raise InvalidLocation(
            f"{uri} is no job's: give …/jobs/<regulation>/<YYYY>/<MM>/<DD>/<jobId>, or the manifest in it",
            uri=uri,
        )
    return replace(location, prefix=match["archive"] or ("/" if location.scheme == "file" else "")), match[
        "folder"
    ]


def result_manifest(store: Store, folder: str) -> Manifest:
    """The manifest of a job that has a result. Raises `ArchiveError`, saying why there is none, or `StorageError`."""
    manifest = read_manifest(store, folder)
    if manifest.erasure is not None:
        raise ArchiveError(
            f"the result was erased on {manifest.erasure.started_at:%Y-%m-%d}: {manifest.erasure.reason}"
        )
    if manifest.object is None:
        raise ArchiveError(f"the {manifest.action} job has no result: its manifest is all there is")
    return manifest


def open_result(
    store: Store, manifest: Manifest, output: Path, opener: Opener | None = None
) -> list[Finding]:
    """Write a result to a file, decrypted; says what is wrong with it, and then there is no file.

    The file appears only once everything was checked, and is readable for its owner alone. Raises `CannotOpen`
    where the result is encrypted and there is no key, `StorageError` or `OSError`.
    """
    if manifest.sealed is not None and opener is None:
        raise CannotOpen(f"the result is encrypted; its data key is wrapped by {manifest.sealed.wrapped_by}")
    descriptor, name = tempfile.mkstemp(dir=output.parent, prefix=".opening-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            findings, _ = check_result(store, manifest, opener, file.write)
            file.flush()
            os.fsync(file.fileno())
        if not findings:
            os.replace(name, output)
        return findings
    finally:
        Path(name).unlink(missing_ok=True)
