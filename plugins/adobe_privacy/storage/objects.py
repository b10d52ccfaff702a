"""What a store tells of its objects."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple


class ObjectInfo(NamedTuple):
    """What a store knows about an object: `size` in bytes, `modified` with a time zone."""

    key: str
    size: int
    modified: datetime
    etag: str | None
    version: str | None


class Written(NamedTuple):
    """What a store answered to a write; `None` where it keeps no such thing."""

    etag: str | None
    version: str | None


def info_of(meta: Any) -> ObjectInfo:
    return ObjectInfo(
        meta["path"], meta["size"], meta["last_modified"], meta.get("e_tag"), _version(meta.get("version"))
    )


def written_of(result: Any) -> Written:
    return Written(result.get("e_tag"), _version(result.get("version")))


def _version(version: str | None) -> str | None:
    # S3 says "null" for an object written while its bucket keeps no versions.
    return None if version == "null" else version
