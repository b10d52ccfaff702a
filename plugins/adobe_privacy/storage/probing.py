"""Whether a store does what the archive relies on."""

from __future__ import annotations

import contextlib
import uuid

from adobe_privacy.storage.errors import ObjectExists, StorageError
from adobe_privacy.storage.store import Store
from adobe_privacy.storage.translate import no_conditions


def check_replaces(store: Store) -> None:
    """Replace a probe that was changed meanwhile. StoreUnfit where the store takes that: it ignores what was seen."""
    if store.location.scheme == "file":
        return
    probe = f".write-check-{uuid.uuid4().hex}"
    seen = store.write(probe, b"1")
    try:
        store.write(probe, b"2")
        with contextlib.suppress(ObjectExists):
            store.replace(probe, b"3", seen)
            raise no_conditions(store.location, condition="If-Match")
    finally:
        with contextlib.suppress(StorageError):
            store.delete(probe)
