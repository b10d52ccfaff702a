"""What can go wrong with an archive.

ArchiveError
├── DownloadIncomplete   the body is shorter or longer than announced
├── InvalidArchive       the body is no archive, or not a whole and harmless one
├── CannotOpen           an encrypted result cannot be opened: no key, another's key, or other bytes
└── UnreadableManifest   a manifest that cannot be understood

Errors of the store itself are `adobe_privacy.storage.StorageError`. No message holds a member's name.
"""

from __future__ import annotations


class ArchiveError(Exception):
    """A result could not be archived, or an archive not be read."""


class DownloadIncomplete(ArchiveError):
    """The body's length is not the one announced. Downloading again may help.

    Sizes are in bytes.
    """

    def __init__(self, expected: int, received: int) -> None:
        super().__init__(f"the download announced {expected} bytes and brought {received}; download it again")
        self.expected = expected
        self.received = received

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.expected, self.received))


class InvalidArchive(ArchiveError):
    """A body that is not a whole, consistent and harmless ZIP.

    `reason` is one of `zip_check.Fault`, `member` the index of the member concerned counted from 0, `offset`
    the place in the body, in bytes, where it was noticed.
    """

    def __init__(self, reason: str, *, member: int | None = None, offset: int | None = None) -> None:
        where = "" if member is None else f" in member {member}"
        place = "" if offset is None else f" at byte {offset}"
        super().__init__(f"the result is not a valid archive: {reason}{where}{place}")
        self.reason = reason
        self.member = member
        self.offset = offset

    def __reduce__(self) -> tuple[object, ...]:
        return (_invalid_archive, (self.reason, self.member, self.offset))


class CannotOpen(ArchiveError):
    """An encrypted result cannot be opened with what there is."""


class UnreadableManifest(ArchiveError):
    """A `manifest.json` that is not of the form this project writes."""


def _invalid_archive(reason: str, member: int | None, offset: int | None) -> InvalidArchive:
    return InvalidArchive(reason, member=member, offset=offset)
