"""Whatever crashes, and wherever: each job is made at Adobe exactly once, and the ledger knows it."""

from __future__ import annotations

import itertools

import pytest

from tests.faults.boundaries import BOUNDARIES, boundary
from tests.faults.conftest import Suite
from tests.faults.trial import Case

EVERY_CASE = [
    Case(place, lag, runs, database)
    for place, lag, runs, database in itertools.product(
        BOUNDARIES, (False, True), (1, 2), ("sqlite", "postgres")
    )
]
# Of each kind one; the combinations take turns.
A_FEW = [
    Case(boundary("plan: killed after the claim"), False, 2, "sqlite"),
    Case(boundary("killed before the intent"), False, 1, "sqlite"),
    Case(boundary("killed after the intent"), True, 1, "sqlite"),
    Case(boundary("suspended after the intent, woken when others have sent"), False, 1, "sqlite"),
    Case(boundary("killed with half of the request sent"), False, 2, "sqlite"),
    Case(boundary("killed, request received, made 2 s later"), True, 2, "sqlite"),
    Case(boundary("cut, made 2 s later"), True, 1, "sqlite"),
    Case(boundary("killed, made, no answer"), True, 2, "sqlite"),
    Case(boundary("killed, made, no answer"), True, 1, "postgres"),
    Case(boundary("cut in the midst of the answer"), False, 1, "sqlite"),
    Case(boundary("killed after the answer"), False, 2, "sqlite"),
    Case(boundary("killed at the commit of the answer"), True, 1, "sqlite"),
    Case(boundary("killed after the commit"), False, 1, "sqlite"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full-faults", default=False)
        metafunc.parametrize("case", EVERY_CASE if full else A_FEW, ids=lambda case: case.name)


def test_each_job_is_made_once_and_none_is_lost(suite: Suite, case: Case) -> None:
    outcome = suite.outcome(case)
    assert (outcome.twice, outcome.lost) == (0, 0)
    assert outcome.made == outcome.wanted > 0
    assert outcome.problems == []
