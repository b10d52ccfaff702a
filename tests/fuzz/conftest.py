"""Shares the time of a target among its tests; the page is that of the tests of the page."""

from __future__ import annotations

import pytest

from tests.fuzz.settings import seconds_of, shares
from tests.web.conftest import (  # noqa: F401
    airflow,
    ledger,
    log_in,
    page,
    simple_airflow,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    found = [
        (item, target)
        for item in items
        if (target := getattr(getattr(item, "obj", None), "fuzz_target", None))
    ]
    shares.clear()
    shares.update(target for _, target in found)
    for item, target in found:
        item.add_marker(pytest.mark.timeout(300 + 2 * seconds_of(target)))
