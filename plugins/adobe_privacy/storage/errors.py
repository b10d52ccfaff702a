"""What can go wrong with a store.

StorageError
├── InvalidLocation      the URI itself is wrong
├── LocationNotFound     the folder, bucket or container is not there
├── ObjectNotFound       the object is not there
├── ObjectExists         a conditional create lost against an earlier one
├── AccessDenied         the credentials or the file permissions do not allow it
├── StoreUnfit           the store, its region or a name in it is not one that can be used
└── StorageUnavailable   anything else: network, a full disk, an error of the server; trying again may help

Messages name the URI and what to do. They never hold what the server answered, since that may quote keys and
signatures; only its error code is taken over.
"""

from __future__ import annotations


class StorageError(Exception):
    """A store could not do what it was asked. `uri` says where."""

    def __init__(self, message: str, *, uri: str) -> None:
        super().__init__(message)
        self.uri = uri

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), str(self), self.uri))


class InvalidLocation(StorageError, ValueError):
    """The URI is not of a form this project understands."""


class LocationNotFound(StorageError):
    """The folder, bucket or container named by the URI does not exist."""


class ObjectNotFound(StorageError):
    """There is no object under this key."""


class ObjectExists(StorageError):
    """An object is there already and a conditional create left it untouched."""


class AccessDenied(StorageError):
    """The store refused: wrong credentials, or missing permissions."""


class StoreUnfit(StorageError):
    """The store, or the region that is set for it, cannot do what is needed, or a name in it is in the way: a person
    must change something."""


class StorageUnavailable(StorageError):
    """The store failed for a reason that may pass: network, server error, full disk."""


def _rebuild(kind: type[StorageError], message: str, uri: str) -> StorageError:
    return kind(message, uri=uri)
