"""What Airflow's own OpenLineage provider gets from our tasks. It is installed beside the locked tree, by
`make test-conformance`: in it, it would start in every process of Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from adobe_privacy.lineage import name_of
from adobe_privacy.storage.location import parse_location
from tests.conftest import ROOT
from tests.support.privacy import DAY, World, request

PLACE = ROOT / ".venv-conformance" / "openlineage"

A_DAY = """
import json
from types import SimpleNamespace
from airflow.providers.openlineage.extractors import ExtractorManager
from airflow.utils.state import TaskInstanceState
from adobe_privacy.operators.privacy_requests import *
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from tests.support.privacy import context

def told(task):
    found = ExtractorManager().extract_metadata(
        SimpleNamespace(run_id="run"), task, TaskInstanceState.SUCCESS, SimpleNamespace()
    )
    return [[each.namespace + " " + each.name for each in some] for some in (found.inputs, found.outputs)]

plan = PlanPrivacyRequestsOperator(task_id="plan")
(batch_id,) = plan.execute(context())
submit = CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id)
submit.execute(context())
archive = ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id)
archive.settings
sweep = SweepPrivacyJobsOperator(task_id="sweep")
print("TOLD", json.dumps({task.task_id: told(task) for task in (plan, submit, archive, sweep)}))
"""


@pytest.mark.skipif(not PLACE.exists(), reason="make test-conformance installs it")
def test_the_provider_is_told_folders_and_no_file_or_job(world: World) -> None:
    world.put(request(1), name="jane-doe.jsonl")
    done = subprocess.run(
        [sys.executable, "-c", A_DAY],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "plugins", ROOT, PLACE)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert json.loads(line.removeprefix("TOLD ")) == {
        "plan": [[f"file {world.inbox}/{DAY}"], []],
        "submit": [[], []],
        "archive": [[], [f"file {world.archive}"]],
        "sweep": [[], [f"file {world.archive}"]],
    }


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("file:///srv/privacy/archive", ("file", "/srv/privacy/archive")),
        ("s3://aws_default@cases/archive", ("s3://cases", "archive")),
        ("s3://cases", ("s3://cases", "/")),
        ("gs://google_default@cases/inbox/2026-11-20", ("gs://cases", "inbox/2026-11-20")),
        (
            "abfss://azure_default@cases@example.dfs.core.windows.net/archive",
            ("abfss://cases@example.dfs.core.windows.net", "archive"),
        ),
        ("abfss://azure_default@cases/archive", ("abfss://cases", "archive")),
    ],
)
def test_a_place_has_openlineages_name_and_no_connection(uri: str, name: tuple[str, str]) -> None:
    assert name_of(parse_location(uri)) == name
