"""The model of the protocol, checked by Spin; and its traces, played against the real code: the two stay one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import JobState
from tests.model.check import MODEL, RUNS, Run, check
from tests.model.replay import Event, Unplayable, replay

pytestmark = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("gcc")), reason="spin and gcc are not installed"
)
TRACES = 15


@pytest.mark.parametrize("run", [run for run in RUNS if run.quick], ids=lambda run: run.name)
def test_the_model_holds_where_it_is_promised_and_fails_where_it_is_not(run: Run, tmp_path: Path) -> None:
    assert check(run, tmp_path).violated is run.violated


def trace_of(seed: int) -> list[Event]:
    options = ["-DTRACES", "-DHOLDS=0", "-DDELAYS=0", "-DDAYS=0", "-DDAILY_LIMIT=20"]
    told = subprocess.run(
        ["spin", "-T", f"-n{seed}", *options, str(MODEL)], capture_output=True, text=True, check=True
    ).stdout
    events: list[Event] = []
    for line in told.splitlines():
        if line.startswith("EVENT "):
            what, _, (state, attempt, live) = (
                *line[6:].partition(" = ")[:2],
                line.partition(" = ")[2].split(),
            )
            events.append((what.split(), JobState(state.lower()), int(attempt), int(live)))
    return events


@pytest.fixture(scope="module")
def memory_ledger() -> Iterator[Ledger]:
    with Ledger("sqlite:///:memory:", actor="test") as ledger:
        yield ledger


def test_the_real_code_goes_the_way_of_every_trace(memory_ledger: Ledger) -> None:
    played = 0
    for seed in range(TRACES):
        trace = trace_of(seed)
        assert len(trace) > 3
        try:
            replay(trace, memory_ledger)
        except Unplayable:
            continue
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        played += 1
    assert played > TRACES / 2
