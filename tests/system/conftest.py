from __future__ import annotations

import pytest

from tests.support.ledgers import postgres  # noqa: F401


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backfill-days", help="how many days of privacy_requests are backfilled")
