"""The manifest of one job: what was archived, and the only thing that makes it count as archived.

`jobs/<regulation>/<YYYY>/<MM>/<DD>/<jobId>/manifest.json`, the date being the job's completion date in UTC.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from adobe_privacy.api.moments import Told
from adobe_privacy.archive.completeness import Completeness, ProductOutcome
from adobe_privacy.archive.encryption import FORMAT
from adobe_privacy.archive.errors import ArchiveError, UnreadableManifest
from adobe_privacy.archive.zip_rules import ZipLimits
from adobe_privacy.storage import AccessDenied, ObjectInfo, ObjectNotFound, Store

JOBS = "jobs"
REJECTED = "rejected"
MANIFEST = "manifest.json"

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Erasure(BaseModel):
    """Why and when a result was erased. `erased_at` is absent while the erasure is not confirmed.

    `versions_remain` says that the store kept versions, so that the bytes are gone only once it expires them;
    of an encrypted result, versions of its data key: without the key, what else remains cannot be opened.
    """

    model_config = ConfigDict(frozen=True)

    reason: str
    started_at: AwareDatetime
    erased_at: AwareDatetime | None = None
    versions_remain: bool = False


class Sealed(BaseModel):
    """How an encrypted result is opened.

    The object is a stream of `format`, `size` bytes with the hash `sha256`; the manifest's own size and hash are
    those of what is inside. Its data key is the object `key`, wrapped by `wrapped_by`: beside the manifest, or in
    the job's folder below `keys` where that is given; `key_size` and `key_sha256` are those of the wrapped key, absent
    in manifests written before 2026-12. `key_version_id` is the store's.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["age-encryption.org/v1"] = FORMAT
    size: int
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    key_size: int | None = None
    key_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    keys: str | None = None
    wrapped_by: str
    key_version_id: str | None = None


class Manifest(BaseModel):
    """What is known of one archived job. It holds no identity.

    `object` is the result's path relative to the manifest, `size` its bytes, `sha256` its hash in hex,
    `members` the number of entries in the ZIP; all absent where the archive is the manifest alone (delete
    jobs, jobs without a result). `limits` are the caps it was checked with, absent where they are the usual.
    `etag` and `version_id` are the store's, absent where it has none; `sealed` is there where the object is
    encrypted. Once `erasure` is there, the fields stay, and the object and its data key are gone.

    `completed_at` and the products' `processed_at` are as Adobe told them, in minutes. One that would lie before the
    job was sent, or after `archived_at`, is that moment, in minutes: Adobe has a clock of its own. `filed_under` is
    the day of the folder where it is not that of `completed_at`.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    job_id: str
    request_id: str
    request_key: str
    regulation: str
    action: str
    status: str
    completed_at: Told
    archived_at: AwareDatetime
    products: list[ProductOutcome]
    completeness: Completeness
    object: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = None
    size: int | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    members: int | None = None
    inflated_size: int | None = None
    limits: ZipLimits | None = None
    etag: str | None = None
    version_id: str | None = None
    sealed: Sealed | None = None
    filed_under: date | None = None
    erasure: Erasure | None = None
    _read_as: str | None = PrivateAttr(default=None)

    @property
    def written_sha256(self) -> str:
        """The SHA-256 of the bytes of `manifest.json`: as it was read, or as it would be written."""
        return self._read_as or hashlib.sha256(self.to_json()).hexdigest()

    @property
    def holds_no_data(self) -> bool:
        return holds_no_data(self.members, self.inflated_size)

    @property
    def folder(self) -> str:
        """The job's folder within the archive."""
        return job_folder(self.regulation, self.filed_under or self.completed_at, self.job_id)

    @property
    def object_key(self) -> str | None:
        """The result's key within the archive."""
        return None if self.object is None else f"{self.folder}/{self.object}"

    @property
    def data_key(self) -> str | None:
        """The key of the wrapped data key: within the archive, or within `sealed.keys` where that is given."""
        return None if self.sealed is None else f"{self.folder}/{self.sealed.key}"

    def to_json(self) -> bytes:
        """The text of `manifest.json`."""
        return self.model_dump_json(indent=2, exclude_none=True).encode() + b"\n"


def holds_no_data(members: int | None, inflated_size: int | None) -> bool:
    """Whether there was a result, and nothing in it: no member, or only folders and empty files. Of a job without a
    result neither number is known; an older manifest has only the first."""
    return 0 in (members, inflated_size)


def job_folder(regulation: str, completed: date, job_id: str) -> str:
    """Where a job is archived. Raises `ArchiveError` for ids that cannot be part of a path."""
    for what, value in (("regulation", regulation), ("job id", job_id)):
        if not _SEGMENT.fullmatch(value):
            raise ArchiveError(
                f"this {what} cannot name a folder: only letters, digits and . _ - are allowed"
            )
    if isinstance(completed, datetime):
        if completed.tzinfo is None:
            raise ArchiveError("the completion time needs a time zone")
        completed = completed.astimezone(UTC)
    return f"{JOBS}/{regulation}/{completed:%Y/%m/%d}/{job_id}"


async def find_manifest(
    store: Store, *, regulation: str, completed_at: datetime, job_id: str
) -> Manifest | None:
    """The manifest of a job, or `None` if it is not archived. Raises `UnreadableManifest`."""
    key = f"{job_folder(regulation, completed_at, job_id)}/{MANIFEST}"
    try:
        return parse_manifest(key, await store.read_async(key))
    except ObjectNotFound:
        return None


def read_manifest(store: Store, folder: str) -> Manifest:
    """The manifest in a job's folder. Raises `ObjectNotFound` or `UnreadableManifest`."""
    key = f"{folder}/{MANIFEST}"
    return parse_manifest(key, store.read(key))


def key_store(store: Store, keys: Store | None, manifest: Manifest) -> Store | None:
    """Where the data key of an encrypted result lies: in the archive, or in `keys` if that is the place which
    the manifest names; None where it is another."""
    place = None if manifest.sealed is None else manifest.sealed.keys
    if place is None:
        return store
    return keys if keys is not None and keys.location.public_uri == place else None


def iter_manifests(store: Store, regulation: str | None = None) -> Iterator[tuple[str, Manifest]]:
    """Every manifest with its key, in no promised order. Raises `UnreadableManifest` at the first bad one."""
    for info in store.objects(f"{JOBS}/{regulation}" if regulation else JOBS):
        if info.key.endswith(f"/{MANIFEST}"):
            yield info.key, parse_manifest(info.key, store.read(info.key))


Denied: TypeAlias = Callable[[str, AccessDenied], None]
"""Told of each folder that may not be listed. It costs itself only."""


def folders_below(store: Store, top: str, levels: int, denied: Denied | None) -> Iterator[str]:
    """The folders so many levels below one, sorted. Without `denied`, one that may not be listed ends it."""
    if levels == 0:
        yield top
        return
    try:
        names = store.folders(top)
    except AccessDenied as error:
        if denied is None:
            raise
        denied(top, error)
        return
    for name in names:
        yield from folders_below(store, f"{top}/{name}", levels - 1, denied)


def days_of(store: Store, denied: Denied | None = None) -> Iterator[str]:
    """The archive's folders of one day each."""
    # By regulation, year, month and day.
    return folders_below(store, JOBS, 4, denied)


def folders_of_day(store: Store, day: str) -> dict[str, dict[str, ObjectInfo]]:
    """The jobs' folders of a day, each with what lies in it, by key."""
    folders: dict[str, dict[str, ObjectInfo]] = {}
    for info in store.objects(day):
        folders.setdefault(info.key.rpartition("/")[0], {})[info.key] = info
    return dict(sorted(folders.items()))


def parse_manifest(key: str, data: bytes) -> Manifest:
    """Read a manifest. Raises `UnreadableManifest` naming the key, also where it lies in the wrong folder."""
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, each["loc"])) or "JSON" for each in error.errors()}))
        raise UnreadableManifest(f"{key} is not a manifest of this project: look at {fields}") from None
    try:
        place = f"{manifest.folder}/{MANIFEST}"
    except (ArchiveError, OverflowError):
        # A date at the end of time has no day in UTC, and an id may be no name of a folder.
        raise UnreadableManifest(
            f"{key} is not a manifest of this project: look at completed_at, job_id"
        ) from None
    if place != key:
        raise UnreadableManifest(f"{key} describes another job than the one whose folder it lies in")
    if (read := hashlib.sha256(data).hexdigest()) != manifest.written_sha256:
        manifest._read_as = read
    return manifest
