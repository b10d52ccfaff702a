"""Whatever crashes, and wherever: each job is made at Adobe exactly once, and the ledger knows it."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from tests.faults.boundaries import BOUNDARIES, boundary
from tests.faults.conftest import Suite
from tests.faults.trial import Case, Database, Dates, Jobs, Lists

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

LOST_ANSWERS = [place for place in BOUNDARIES if place.fault is not None]
DATES: tuple[Dates, ...] = get_args(Dates)
JOBS: tuple[Jobs, ...] = get_args(Jobs)
DATABASES: tuple[Database, ...] = get_args(Database)
SHOWN = [
    Lists(dates, jobs)
    for dates in DATES
    for jobs in JOBS
    # The one is in no list.
    if (dates, jobs) != ("completed", "finished but one")
]
EVERY_LIST = [
    Case(place, False, runs, database, shown)
    for shown in SHOWN
    for place in LOST_ANSWERS
    for runs in (1, 2)
    for database in DATABASES
]
A_FEW_LISTS = [
    Case(boundary("cut, made, no answer"), False, 1, "sqlite", Lists("completed", "open")),
    Case(boundary("cut, never made"), False, 2, "sqlite", Lists("completed", "open")),
    Case(boundary("cut, never made"), False, 1, "sqlite", Lists("created", "finished")),
    Case(boundary("the answer lacks a job that was made"), False, 2, "sqlite", Lists("modified", "finished")),
    Case(boundary("killed, made, no answer"), False, 1, "postgres", Lists("modified", "finished but one")),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        of_lists = metafunc.function is test_whatever_a_list_shows_none_is_made_twice_or_lost_untold
        cases = (EVERY_LIST, A_FEW_LISTS) if of_lists else (EVERY_CASE, A_FEW)
        full = metafunc.config.getoption("--full-faults", default=False)
        metafunc.parametrize("case", cases[not full], ids=lambda case: case.name)


def test_each_job_is_made_once_and_none_is_lost(suite: Suite, case: Case) -> None:
    outcome = suite.outcome(case)
    assert (outcome.twice, outcome.lost) == (0, 0)
    assert outcome.made == outcome.wanted > 0
    assert outcome.problems == []


def test_whatever_a_list_shows_none_is_made_twice_or_lost_untold(suite: Suite, case: Case) -> None:
    outcome = suite.outcome(case)
    assert (outcome.twice, outcome.lost) == (0, 0)
    assert outcome.made + outcome.told >= outcome.wanted > 0
    assert outcome.problems == []
