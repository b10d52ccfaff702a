"""What a missed deadline tells, and what it does not. That Airflow calls it is shown in tests/system."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.callbacks import tell_of_unfinished, tell_of_unsubmitted
from adobe_privacy.operators.privacy_requests import CreatePrivacyJobsOperator, PlanPrivacyRequestsOperator
from tests.support.notifiers import told
from tests.support.privacy import DAY, World, context, request


@pytest.fixture
def path(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "told"
    notifier = {"class": "tests.support.notifiers.FileNotifier", "kwargs": {"path": str(path)}}
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ALARM_NOTIFIER", json.dumps(notifier))
    return path


def deadline(state: str = "running", **fields: Any) -> dict[str, Any]:
    """As much of what Airflow hands over as is read."""
    return {
        "dag_run": {
            "dag_id": "privacy_requests",
            "dag_run_id": f"scheduled__{DAY}",
            "state": state,
            "data_interval_start": f"{DAY}T00:00:00Z",
            "run_after": f"{DAY + timedelta(days=1)}T00:00:00Z",
        }
        | fields,
        "deadline": {"id": "1", "deadline_time": "2026-11-21T03:00:00+00:00"},
    }


async def test_a_run_whose_jobs_are_not_all_at_adobe_is_told(world: World, path: Path) -> None:
    world.put(request(1, "access", "delete"), request(2))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    await tell_of_unsubmitted(deadline())
    (message,) = told(path)
    assert message["subject"] == "Privacy requests: privacy_requests is late"
    assert "3 jobs are not known to be at Adobe" in message["message"]
    assert batch_id not in message["message"]


async def test_a_run_that_only_waits_is_not(world: World, path: Path) -> None:
    world.simulator.switch(access_delay_seconds="1000")
    world.put(request(1))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    # Not in the test's own loop: an operator runs one of its own.
    await asyncio.to_thread(CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute, context())
    await tell_of_unsubmitted(deadline())
    assert told(path) == []


@pytest.mark.parametrize("start", [f"{DAY}T00:00:00Z", None])
async def test_a_run_that_is_not_even_planned_is_told(world: World, path: Path, start: str | None) -> None:
    world.put(request(1))
    await tell_of_unsubmitted(deadline("queued", data_interval_start=start))
    assert "the day is not planned" in told(path)[0]["message"]


@pytest.mark.parametrize("state", ["success", "failed"])
async def test_a_run_that_has_ended_has_told_by_itself(world: World, path: Path, state: str) -> None:
    await tell_of_unsubmitted(deadline(state))
    assert told(path) == []


async def test_a_run_that_is_to_end_is_told_with_its_state(world: World, path: Path) -> None:
    await tell_of_unfinished(deadline("failed", dag_id="privacy_sweep"))
    message = told(path)[0]["message"]
    assert f"privacy_sweep, run scheduled__{DAY}: the run is failed" in message


def test_they_can_be_imported_in_a_bare_process() -> None:
    """The triggerer loads no DAG file."""
    check = "from adobe_privacy.callbacks import tell_of_unfinished, tell_of_unsubmitted"
    plugins = Path(__file__).parents[1] / "plugins"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.append({str(plugins)!r}); {check}"],
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    assert done.returncode == 0
