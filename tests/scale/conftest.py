from __future__ import annotations

from tests.support.ledgers import postgres  # noqa: F401
