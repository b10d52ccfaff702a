"""What a ZIP archive must keep to: names that stay in their folder, and limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Why an archive was refused; stable, for machines."""

    EMPTY_BODY = "empty-body"
    JSON_BODY = "json-body"
    NOT_A_ZIP = "not-a-zip"
    TRUNCATED = "truncated"
    STRAY_BYTES = "stray-bytes"
    TRAILING_BYTES = "trailing-bytes"
    BAD_DEFLATE = "bad-deflate"
    CRC_MISMATCH = "crc-mismatch"
    SIZE_MISMATCH = "size-mismatch"
    BAD_DESCRIPTOR = "bad-descriptor"
    CENTRAL_MISMATCH = "central-directory-mismatch"
    BAD_END = "bad-end-record"
    ENCRYPTED = "encrypted-member"
    UNSUPPORTED = "unsupported-feature"
    NAME_ABSOLUTE = "absolute-name"
    NAME_TRAVERSAL = "traversal-name"
    NAME_BACKSLASH = "backslash-in-name"
    NAME_NUL = "nul-in-name"
    NAME_BAD = "bad-name"
    DUPLICATE = "duplicate-name"
    SYMLINK = "symlink"
    TOO_MANY_ENTRIES = "too-many-entries"
    TOO_LARGE = "inflates-too-large"
    RATIO = "compression-ratio"
    NESTED = "nested-too-deep"


# What came is no result, or a part of one: the next answer may be the result.
MAY_PASS = frozenset({Fault.EMPTY_BODY, Fault.JSON_BODY, Fault.NOT_A_ZIP, Fault.TRUNCATED})
LIMITS_EXCEEDED = {Fault.TOO_MANY_ENTRIES, Fault.TOO_LARGE, Fault.RATIO, Fault.NESTED}


@dataclass(frozen=True)
class ZipLimits:
    """What an archive may cost whoever unpacks it.

    An archive and those in it share one budget of entries and bytes. `max_ratio` is inflated to compressed bytes,
    asked only above `ratio_free_bytes` since small repetitive files compress well. `max_nesting` counts archives in
    archives: 0 refuses any member that is a ZIP itself (which includes office documents), 2 allows two levels; more
    than 16 is taken for 16.
    """

    max_entries: int = 100_000
    max_inflated_bytes: int = 256 * 1024**3
    max_ratio: int = 250
    ratio_free_bytes: int = 64 * 1024**2
    max_nesting: int = 2


@dataclass(frozen=True)
class ZipSummary:
    """What was found in a good archive.

    `folders` are the folder names of the first two levels, at most a thousand. They come from the archive
    and may hold anything: match them against known names, never publish them.
    """

    members: int
    inflated_bytes: int
    folders: frozenset[str]


def read_name(name: bytes, unicode_path: bytes | None, *, utf8: bool) -> tuple[Fault | None, list[str], bool]:
    """What is wrong with a member's name; else its parts, and whether it is a folder's."""
    for candidate in [name] if unicode_path is None else [name, unicode_path[5:]]:
        if fault := _fault(candidate):
            return fault, [], False
    try:
        text = name.decode("utf-8" if utf8 else "cp437")
    except UnicodeDecodeError:
        return Fault.NAME_BAD, [], False
    parts = [part for part in text.split("/") if part not in ("", ".")]
    return (None if parts else Fault.NAME_BAD), parts, text.endswith("/")


def _fault(name: bytes) -> Fault | None:
    if not name:
        return Fault.NAME_BAD
    if b"\0" in name:
        return Fault.NAME_NUL
    if b"\\" in name:
        return Fault.NAME_BACKSLASH
    if name.startswith(b"/") or re.match(rb"[A-Za-z]:", name):
        return Fault.NAME_ABSOLUTE
    return Fault.NAME_TRAVERSAL if b".." in name.split(b"/") else None
