from __future__ import annotations

from tests.support.ledgers import (  # noqa: F401
    clock,
    ledger,
    ledger_url,
    open_ledger,
    postgres,
    sqlite_template,
    sqlite_url,
)
