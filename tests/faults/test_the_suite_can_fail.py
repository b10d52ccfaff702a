"""What the crash suite counts: it finds a job made twice, a lost one, and a blow that hit nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.boundaries import Boundary, Strike, boundary
from tests.faults.conftest import sqlite_ledger
from tests.faults.task_process import Patience
from tests.faults.trial import Case, Outcome, Trial
from tests.support.simulator import Simulator, running_simulator


@pytest.fixture(scope="module")
def slow_to_list(task_server: None) -> Iterator[Simulator]:
    """Adobe, that shows a job far later than the product is told."""
    with running_simulator(switches={"list_lag_seconds": 60, "jobs_never_finish": True}) as simulator:
        simulator.create_jobs(count=1, regulation="gdpr", key="elsewhere")
        yield simulator


def outcome(simulator: Simulator, folder: Path, place: Boundary, *, tries: int = 4) -> Outcome:
    # No two may share request ids at the simulator.
    prefix = f"CONTROL-{len(simulator.jobs())}"
    return Trial(
        Case(place, lag=True, runs=1, database="sqlite"),
        prefix=prefix,
        folder=folder,
        simulator=simulator,
        ledger=sqlite_ledger(folder),
        patience=Patience(list_lag=0.0),
        tries=tries,
    ).run()


def test_a_list_lag_that_is_understated_shows_as_jobs_made_twice(
    slow_to_list: Simulator, tmp_path: Path
) -> None:
    result = outcome(slow_to_list, tmp_path, boundary("killed, made, no answer"))
    assert (result.wanted, result.made, result.twice, result.lost) == (3, 6, 3, 0)


def test_a_task_that_is_never_tried_again_shows_as_lost_jobs(slow_to_list: Simulator, tmp_path: Path) -> None:
    result = outcome(slow_to_list, tmp_path, boundary("killed before the intent"), tries=1)
    assert (result.wanted, result.made, result.twice, result.lost) == (3, 0, 0, 3)
    assert "scheduled submit did not succeed in 1 tries" in result.problems


def test_a_blow_that_hits_nothing_shows_as_a_problem(slow_to_list: Simulator, tmp_path: Path) -> None:
    result = outcome(
        slow_to_list, tmp_path, Boundary("nowhere", (Strike("after a call that is never made"),))
    )
    assert (result.wanted, result.made, result.twice, result.lost) == (3, 3, 0, 0)
    assert result.problems == ["a blow was not dealt: nothing ever came to its place"]
