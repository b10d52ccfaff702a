"""Lines of request files, and files of an inbox."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from adobe_privacy.storage import Store
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
