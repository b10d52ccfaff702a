"""A ledger and a home of version 0.1.0 go on with this version: a run waits, and another was about to submit.

`home_0_1_0` was made by that version's own operators: one delete is archived, one access waits at Adobe, a third
request is planned. Its dates are moved to today; the jobs' ids become those that the simulator gives.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.sensors.privacy_jobs import PrivacyJobsSensor
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger
from tests.support.privacy import World, context

HOME = Path(__file__).parent / "home_0_1_0"
MADE = date(2026, 11, 26)
# Up to yesterday: what was made in an afternoon would lie in the future on any morning, and be waited for.
LATER = (datetime.now(UTC).date() - MADE).days - 1
ARCHIVED, WAITS, PLANNED = (date(2026, 11, day) + timedelta(LATER) for day in (20, 21, 22))
WAITING_JOB = "5b6e8a02-e9a8-11f1-8001-c2ce7ed4d57b"
PLANNED_BATCH = "1e4006af-2bcf-4ad8-ad52-9ea5ebf66ca6"


def moved(text: str) -> str:
    return re.sub(
        r"\b20\d\d-\d\d-\d\d\b", lambda day: str(date.fromisoformat(day[0]) + timedelta(LATER)), text
    )


@pytest.fixture
def trigger(world: World) -> PrivacyJobsTrigger:
    """The home of 0.1.0 lies in the world; the trigger is as Airflow's database has it from that version."""
    world.inbox.rmdir()
    shutil.copytree(HOME / "archive", world.archive)
    for path in (HOME / "inbox").glob("*/*"):
        folder = world.inbox / moved(path.parent.name)
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
    (job,) = world.simulator.create_jobs(
        count=1, regulation="gdpr", action="access", products=["analytics"], key="DSR-2"
    )
    with sqlite3.connect(world.folder / "ledger.db") as ledger:
        ledger.executescript(moved((HOME / "ledger.sql").read_text()).replace(WAITING_JOB, job))
    (world.folder / "ledger.db").chmod(0o600)
    stored = json.loads((HOME / "trigger.json").read_text())
    assert stored["classpath"] == f"{PrivacyJobsTrigger.__module__}.{PrivacyJobsTrigger.__name__}"
    stored["kwargs"]["deadline"] += LATER * 86_400
    return PrivacyJobsTrigger(**stored["kwargs"])


def schema(world: World) -> str:
    with sqlite3.connect(world.folder / "ledger.db") as ledger:
        return str(ledger.execute("SELECT version_num FROM privacy_ledger_version").fetchone()[0])


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adobe_privacy", *arguments], capture_output=True, text=True, check=False
    )


async def end_of_wait(trigger: PrivacyJobsTrigger) -> Any:
    async for event in trigger.run():
        return event
    raise AssertionError("the wait ended without an event")


async def test_a_wait_of_the_old_version_goes_on_once_the_ledger_is_upgraded(
    world: World, trigger: PrivacyJobsTrigger
) -> None:
    assert schema(world) == "0006"
    # As docs/production.md says of this version: before the triggerer is started again.
    upgraded = await asyncio.to_thread(command, "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    event = await end_of_wait(trigger)
    assert event.payload["status"] == "finished"
    stored = json.loads((HOME / "trigger.json").read_text())
    sensor = PrivacyJobsSensor(task_id="wait", batch_id=trigger.batch_id)
    getattr(sensor, stored["method"])(context(WAITS), event.payload)
    assert schema(world) > "0006"


def test_several_workers_upgrade_at_once_and_the_days_go_on(
    world: World, trigger: PrivacyJobsTrigger
) -> None:
    with ThreadPoolExecutor(4) as workers:
        ended = list(workers.map(command, ["upgrade"] * 4))
    assert [(each.returncode, each.stderr) for each in ended] == [(0, "")] * 4
    # The run that was about to submit, then the one that waited.
    CreatePrivacyJobsOperator(task_id="submit", batch_id=PLANNED_BATCH).execute(context(PLANNED))
    world.simulator.advance(120)
    for batch, day in ((PLANNED_BATCH, PLANNED), (trigger.batch_id, WAITS)):
        ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch).execute(context(day))
    # All days once more: nothing is submitted or archived twice.
    for day in (ARCHIVED, WAITS, PLANNED):
        for batch in PlanPrivacyRequestsOperator(task_id="plan").execute(context(day)):
            CreatePrivacyJobsOperator(task_id="submit", batch_id=batch).execute(context(day))
    made = sorted((job["key"], job["action"]) for job in world.simulator.jobs())
    assert made == [("DSR-2", "access"), ("DSR-3", "access"), ("DSR-3", "delete")]
    found = sorted((manifest["request_id"], manifest["action"]) for manifest in world.manifests())
    assert found == [("DSR-1", "delete"), *made]
    verified = command("verify", f"file://{world.archive}")
    assert verified.returncode == 0, verified.stdout + verified.stderr
