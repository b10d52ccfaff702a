"""docs/own_dag.py, the DAG of one's own, is run as it is, by Airflow's own `dag.test()` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.stack import ROOT
from tests.support.simulator import running_simulator

pytestmark = pytest.mark.timeout(1200)

FILE = ROOT / "docs" / "own_dag.py"
DAY = datetime.now(UTC).date() - timedelta(days=2)
RUN = """
import runpy, sys
import pendulum
from airflow.sdk import DAG
(dag,) = [each for each in runpy.run_path(sys.argv[1]).values() if isinstance(each, DAG)]
run = dag.test(logical_date=pendulum.parse(sys.argv[2]), run_conf={"at_most": 2})
sys.exit(run.state != "success")
"""


def test_the_dag_of_docs_runs_with_its_own_inbox_and_limit(tmp_path: Path) -> None:
    folder = tmp_path / "inbox" / "legal" / str(DAY)
    folder.mkdir(parents=True)
    (folder / "requests.jsonl").write_text(
        "".join(
            json.dumps(
                {
                    "request_id": f"DSR-{number}",
                    "regulation": "gdpr",
                    "actions": ["access"],
                    "identities": [{"namespace": "email", "value": f"subject-{number}@example.com"}],
                    "products": ["profileService"],
                }
            )
            + "\n"
            for number in range(3)
        )
    )
    with running_simulator() as simulator:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(FILE.parent),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
            "AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT": simulator.connection_json(list_lag=0),
            "AIRFLOW_VAR_PRIVACY_INBOX_URI": f"file://{tmp_path}/inbox",
            "AIRFLOW_VAR_PRIVACY_ARCHIVE_URI": f"file://{tmp_path}/archive",
            "AIRFLOW_VAR_PRIVACY_POLL_INTERVAL": "1",
        }
        for command in (
            ["-m", "airflow", "db", "migrate"],
            # A run belongs to a DAG that Airflow's database knows.
            ["-m", "airflow", "dags", "reserialize"],
            # As every run of a day, it comes when the day is over.
            ["-c", RUN, str(FILE), f"{DAY + timedelta(days=1)}T05:30:00Z"],
        ):
            ended = subprocess.run(
                [sys.executable, *command], env=environment, capture_output=True, text=True, cwd=tmp_path
            )
            assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-4000:]
        made = [job["key"] for job in simulator.jobs()]
    assert made == ["DSR-0", "DSR-1"], "the limit of the DAG's parameter was not heeded"
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "archive").rglob("manifest.json")]
    assert sorted(manifest["request_id"] for manifest in manifests) == made
