"""One result and its data key, held against their manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adobe_privacy.archive.encryption import DataKey, KeyWrapper
from adobe_privacy.archive.errors import CannotOpen, InvalidArchive
from adobe_privacy.archive.findings import Finding, wrong
from adobe_privacy.archive.manifest import Manifest, Sealed, key_store
from adobe_privacy.archive.zip_check import ZipCheck
from adobe_privacy.storage import ObjectNotFound, Store


@dataclass(frozen=True)
class Opener:
    """What opens encrypted results. `keys` is where their wrapped data keys lie if not beside the manifests."""

    wrapper: KeyWrapper
    keys: Store | None = None

    def data_key(self, store: Store, manifest: Manifest) -> DataKey:
        """Raises `CannotOpen`."""
        assert manifest.sealed is not None
        assert manifest.data_key is not None
        keys = key_store(store, self.keys, manifest)
        if keys is None:
            raise CannotOpen(f"its data key lies in {manifest.sealed.keys}: say how to get there")
        try:
            wrapped = keys.read(manifest.data_key)
        except ObjectNotFound:
            raise CannotOpen("its data key is not there any more") from None
        if not _as_written(manifest.sealed, wrapped):
            raise CannotOpen("its data key is damaged, or another result's: restore it from a backup")
        try:
            return self.wrapper.unwrap(wrapped)
        except CannotOpen as error:
            unknown = manifest.sealed.key_sha256 is None
            raise CannotOpen(f"{error}{', or it is damaged' if unknown else ''}") from None


def _as_written(sealed: Sealed, wrapped: bytes) -> bool:
    """Whether a wrapped data key is the one that was written, as far as its manifest tells."""
    if sealed.key_sha256 is None:
        return bool(wrapped)
    return hashlib.sha256(wrapped).hexdigest() == sealed.key_sha256


def key_findings(store: Store, keys: Store | None, manifest: Manifest) -> list[Finding]:
    """What is wrong with a result's wrapped data key. Needs no secret.

    Nothing is said of a key that lies in a place which is not `keys`.
    """
    place = key_store(store, keys, manifest)
    if manifest.sealed is None or place is None:
        return []
    assert manifest.data_key is not None
    try:
        if _as_written(manifest.sealed, place.read(manifest.data_key)):
            return []
    except ObjectNotFound:
        return [wrong("missing-key", manifest.data_key, "without its data key nobody can open the result")]
    detail = (
        "the data key is not the one that was written; nobody can open the result: restore it from a backup"
    )
    return [wrong("damaged-key", manifest.data_key, detail)]


def check_result(
    store: Store,
    manifest: Manifest,
    opener: Opener | None = None,
    write: Callable[[bytes], object] | None = None,
) -> tuple[list[Finding], int]:
    """Re-read one result: what is wrong with it, and how many bytes were read.

    An encrypted one is checked as it lies there; with `opener` it is opened, and what is inside is checked as
    well. `write` is given the result piece by piece, which is to be believed only where nothing is wrong.
    """
    key, sealed = manifest.object_key, manifest.sealed
    assert key is not None
    outside, inside = _Passing(), _Contents(manifest, write)
    chunks = outside.watched(store.chunks(key))
    findings: list[Finding] = []
    try:
        if sealed is None:
            for chunk in chunks:
                inside.take(chunk)
            return inside.findings(key), outside.size
        if opener is not None:
            try:
                opener.data_key(store, manifest).open(chunks, inside.take)
                findings = inside.findings(key)
            except CannotOpen as error:
                findings = [wrong("cannot-open", key, f"it cannot be opened: {error}")]
        for _ in chunks:
            pass
    except ObjectNotFound:
        return [wrong("missing-object", key, "the manifest names it and it is not there")], outside.size
    return outside.findings(key, sealed.size, sealed.sha256) + findings, outside.size


class _Passing:
    """Size and hash of what passes by."""

    def __init__(self) -> None:
        self.size = 0
        self._digest = hashlib.sha256()

    def take(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size += len(chunk)

    def watched(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.take(chunk)
            yield chunk

    def findings(self, key: str, size: int | None, sha256: str | None) -> list[Finding]:
        found = []
        if self.size != size:
            found.append(wrong("wrong-size", key, f"{self.size} bytes, and the manifest says {size}"))
        if self._digest.hexdigest() != sha256:
            found.append(wrong("wrong-sha256", key, "its bytes are not those that were archived"))
        return found


class _Contents:
    """A result's own bytes, held against its manifest."""

    def __init__(self, manifest: Manifest, write: Callable[[bytes], object] | None) -> None:
        self._manifest = manifest
        self._write = write
        self._passing = _Passing()
        self._check = ZipCheck(manifest.limits)
        self._invalid: InvalidArchive | None = None

    def take(self, chunk: bytes) -> None:
        self._passing.take(chunk)
        if self._write is not None:
            self._write(chunk)
        if self._invalid is None:
            try:
                self._check.feed(chunk)
            except InvalidArchive as error:
                self._invalid = error

    def findings(self, key: str) -> list[Finding]:
        found = self._passing.findings(key, self._manifest.size, self._manifest.sha256)
        try:
            if self._invalid is not None:
                raise self._invalid
            members = self._check.finish().members
        except InvalidArchive as error:
            return [*found, wrong("invalid-zip", key, str(error))]
        if members != self._manifest.members:
            detail = f"{members} members, and the manifest says {self._manifest.members}"
            found.append(wrong("wrong-members", key, detail))
        return found
