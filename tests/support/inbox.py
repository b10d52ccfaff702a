"""Lines of request files, and files of an inbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from adobe_privacy.storage import AccessDenied, StorageError, Store
from tests.support.ledgers import DAY


def line(number: int, **fields: Any) -> str:
    """An access request as a line of JSON."""
    given = {
        "request_id": f"DSR-{number}",
        "regulation": "gdpr",
        "actions": ["access"],
        "identities": [{"namespace": "email", "value": f"subject{number}@example.com"}],
        "products": ["analytics"],
    }
    return json.dumps(given | fields)


def put(inbox: Store, *lines: str, name: str = "r.jsonl", day: date = DAY) -> None:
    inbox.write(f"{day}/{name}", "".join(f"{text}\n" for text in lines).encode())


def deny(patch: pytest.MonkeyPatch, *keys: str, kind: type[StorageError] = AccessDenied) -> None:
    """These objects cannot be read, until the patch is undone. Root may read whatever the operating system says."""
    chunks = Store.chunks

    def denying(store: Store, key: str, *arguments: Any) -> Iterator[bytes]:
        if key in keys:
            uri = store.location.object_uri(key)
            raise kind(f"{uri}: permission denied", uri=uri)
        return chunks(store, key, *arguments)

    patch.setattr(Store, "chunks", denying)
