"""Answers that name no object, and are believed only where they are the store's: the library takes any page of a proxy
or gateway for an empty list, and any 404 for "not there"."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import obstore
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from adobe_privacy.storage.errors import ObjectNotFound, StorageUnavailable
from adobe_privacy.storage.location import Location
from adobe_privacy.storage.translate import STRANGE_ANSWER, translated


def head(backend: Any, location: Location, key: str) -> Any:
    """What a store knows of an object. Raises the library's errors."""
    try:
        return obstore.head(backend, key)
    except FileNotFoundError:
        if location.scheme == "file":
            raise
        # It has no body, and only that of the answer to a GET says whose it is.
        return obstore.get(backend, key).meta


def delete(backend: Any, location: Location, key: str) -> None:
    """Deletes an object. Raises the library's errors, and StorageUnavailable where it is there afterwards."""
    obstore.delete(backend, key)
    if location.scheme == "gs":
        # All that the library looks at in this answer is whether its status is that of an error.
        _confirm_gone(backend, location, key)


def every_object(backend: Any, location: Location, prefix: str) -> Iterator[Any]:
    """The objects below a prefix. Raises the library's errors, and StorageUnavailable."""
    empty = True
    stream = iter(obstore.list(backend, prefix or None, chunk_size=1000))
    while (batch := next(stream, None)) is not None:
        for meta in batch:
            empty = False
            yield meta
    if empty:
        _confirm_empty(backend, location, prefix)


def one_level(backend: Any, location: Location, prefix: str) -> Any:
    """The objects and folders directly below a prefix. Raises the library's errors, and StorageUnavailable."""
    found = obstore.list_with_delimiter(backend, prefix or None)
    if not found["objects"] and not found["common_prefixes"]:
        _confirm_empty(backend, location, prefix)
    return found


def _confirm_empty(backend: Any, location: Location, prefix: str) -> None:
    """Asks for what cannot be there: who has it is not the store."""
    if location.scheme != "file":
        key = "/".join(filter(None, (prefix, f".no-such-object-{uuid.uuid4().hex}")))
        _confirm_gone(backend, location, key, prefix)


def _confirm_gone(backend: Any, location: Location, key: str, named: str | None = None) -> None:
    named = key if named is None else named
    try:
        obstore.get(backend, key)
    except (PermissionDeniedError, UnauthenticatedError):
        return  # so some stores tell what is not there, unless the whole bucket may be listed
    except FileNotFoundError as error:
        with contextlib.suppress(ObjectNotFound):
            raise translated(error, location, named) from None
        return
    uri = location.object_uri(named)
    raise StorageUnavailable(f"{uri}: {STRANGE_ANSWER.format(200)}", uri=uri)
