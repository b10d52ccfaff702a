from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backfill-days", help="how many days of privacy_requests are backfilled")
