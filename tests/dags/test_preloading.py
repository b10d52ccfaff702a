"""What the dag-processor makes ready before it starts its processes, in a process of its own as it is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

DAG_FILES = sorted(path.name for path in (ROOT / "dags").glob("*.py"))
EMPTY = "from airflow.sdk import DAG\n\nwith DAG('empty', schedule=None):\n    pass\n"
# Beside a DAG: what its process has imported when it ends, which is after the DAGs have been handed over.
REPORT = """
import atexit, json, pathlib, sys

def report():
    pathlib.Path(__file__ + ".imported").write_text(json.dumps(sorted(sys.modules)))

atexit.register(report)
"""
START = """
import argparse, json, sys
from airflow.cli.commands import dag_processor_command
arguments = argparse.Namespace(bundle_name=None, num_runs=-1)
runner = dag_processor_command._create_dag_processor_job_runner(arguments)
"""
START_WITHOUT = f"""
from airflow.listeners.listener import get_listener_manager
from adobe_privacy import preloading
get_listener_manager().pm.unregister(preloading)
{START}"""
PARSE = (
    START
    + """
import pathlib
from airflow.dag_processing.manager import DagFileInfo
manager = runner.processor
manager.prepare_process_context()
manager.load_dag_bundles()
(bundle,) = manager._dag_bundles
for path in sorted(bundle.path.glob("*.py")):
    file = DagFileInfo(rel_path=pathlib.Path(path.name), bundle_name=bundle.name, bundle_path=bundle.path)
    process = manager._create_process(file)
    while not process.is_ready:
        manager._service_processor_sockets(timeout=0.1)
    result = process.parsing_result
    assert result.serialized_dags and not result.import_errors, (path.name, result)
    process.close()
    path.with_suffix(".dags").write_text(json.dumps([dag.data["dag"] for dag in result.serialized_dags], default=str))
"""
)
HELD = """
import json, sys, threading
import psutil
me = psutil.Process()

def held():
    return {
        "connections": [str(each) for each in me.net_connections("all")],
        "files": [each.path for each in me.open_files()],
        "descriptors": me.num_fds(),
        "threads": [each.name for each in threading.enumerate()],
        "threads of the system": me.num_threads(),
        "processes": [each.name() for each in me.children(recursive=True)],
    }

from airflow.cli.commands import dag_processor_command
from airflow.jobs.job import Job
from airflow.listeners.listener import get_listener_manager
get_listener_manager()
import asyncio, socket, sqlalchemy
from sqlalchemy import event
opened = []
event.listen(sqlalchemy.pool.Pool, "connect", lambda *_: opened.append("a database"))
asyncio.new_event_loop = asyncio.get_event_loop = asyncio.run = lambda *_, **__: opened.append("an event loop")
socket.socket.connect = socket.socket.bind = lambda *_: opened.append("a socket")
before = held()
Job()
assert "adobe_privacy.dags._privacy_requests" in sys.modules
after, opened_by_then = held(), list(opened)
import asked
asked_by_then = list(asked.names)
from airflow.models import Variable
Variable.get("the test asks itself", None)
print(json.dumps([before, after, opened_by_then, asked_by_then, asked.names]))
"""
# The secrets backend of that process.
ASKED = """
from airflow.secrets import BaseSecretsBackend

names = []

class Asked(BaseSecretsBackend):
    def get_conn_value(self, conn_id, *_, **__):
        names.append(conn_id)

    def get_variable(self, key, *_, **__):
        names.append(key)
"""
OURS = 'print(json.dumps([name for name in sys.modules if name.startswith("adobe_privacy")]))'


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "dags").mkdir(exist_ok=True)
    own = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | own, capture_output=True, text=True, check=False
    )


def last_line(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_parse_of_our_files_imports_no_more_than_one_of_an_empty_dag(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    for name in DAG_FILES:
        (dags / name).write_text((ROOT / "dags" / name).read_text() + REPORT)
    (dags / "empty.py").write_text(EMPTY + REPORT)
    done = run(PARSE, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    def imported(name: str) -> set[str]:
        modules = json.loads((dags / f"{name}.imported").read_text())
        return {module for module in modules if not module.startswith("unusual_prefix_")}

    for name in DAG_FILES:
        assert imported(name) - imported("empty.py") == set(), name
        assert json.loads((dags / name).with_suffix(".dags").read_text())[0]["dag_id"] == name.removesuffix(
            ".py"
        )


def test_each_parse_uses_the_timetable_that_was_made_before(tmp_path: Path) -> None:
    used = """
from adobe_privacy import dags
from adobe_privacy.dags._dag import READY_TIMETABLES
daily = (dags.privacy_requests, dags.privacy_sweep, dags.privacy_optouts, dags.privacy_retention)
print(json.dumps([builder().timetable is READY_TIMETABLES["@daily"] for builder in daily]))
"""
    assert last_line(run(START + used, tmp_path)) == [True] * 4


def test_what_is_handed_over_is_the_same_without_preloading(tmp_path: Path) -> None:
    found = []
    for name in ("with", "without"):
        folder = tmp_path / name
        shutil.copytree(ROOT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        parse = PARSE if name == "with" else PARSE.replace(START, START_WITHOUT)
        done = run(parse, folder, PYTHONHASHSEED="0")
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("Preloaded the DAGs" in done.stdout + done.stderr) == (name == "with")
        texts = [(folder / "dags" / file).with_suffix(".dags").read_text() for file in DAG_FILES]
        found.append([json.loads(text.replace(str(folder), "")) for text in texts])
    assert found[0] == found[1]


def test_it_opens_starts_and_looks_up_nothing(tmp_path: Path) -> None:
    """What the parent holds at a fork, all children have: a lock that a thread holds stays locked there for ever."""
    (tmp_path / "asked.py").write_text(ASKED)
    asked = {"AIRFLOW__SECRETS__BACKEND": "asked.Asked", "PYTHONPATH": str(tmp_path)}
    before, after, opened, asked_by_then, asked_then = last_line(run(HELD, tmp_path, **asked))
    assert after == before
    assert opened == []
    assert asked_by_then == []
    assert asked_then == ["the test asks itself"]


def test_a_failure_is_told_in_one_line_and_the_dag_processor_goes_on(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "empty.py").write_text(EMPTY)
    done = run(PARSE, tmp_path, AIRFLOW__ADOBE_PRIVACY__ORGANISATIONS="eu\n  default")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((dags / "empty.dags").read_text())[0]["dag_id"] == "empty"
    lines = (done.stdout + done.stderr).splitlines()
    (told,) = [line for line in lines if "preload" in line.lower()]
    assert "are not preloaded, so that their files take longer to parse: OrganisationError:" in told
    assert "use lower-case letters" in told
    assert not [line for line in lines if "Traceback" in line]


@pytest.mark.parametrize(
    "start",
    [
        "from airflow.cli.commands import scheduler_command\nfrom airflow.jobs.job import Job\nJob()\n",
        "from airflow.cli.commands import triggerer_command\nfrom airflow.jobs.job import Job\nJob()\n",
        # As `airflow.sdk.execution_time.task_runner.main` tells its listeners that a task starts.
        "from airflow.sdk.execution_time.task_runner import TaskRunnerMarker, get_listener_manager\n"
        "get_listener_manager().hook.on_starting(component=TaskRunnerMarker())\n",
        # A callback of a DAG is run in the dag-processor's child.
        "from airflow.cli.commands import dag_processor_command\n"
        "from airflow.sdk.execution_time.task_runner import TaskRunnerMarker, get_listener_manager\n"
        "get_listener_manager().hook.on_starting(component=TaskRunnerMarker())\n",
    ],
    ids=["scheduler", "triggerer", "task", "task in a dag-processor"],
)
def test_nothing_else_preloads(tmp_path: Path, start: str) -> None:
    ours = last_line(run(f"import json, sys\n{start}{OURS}", tmp_path))
    assert "adobe_privacy.preloading" in ours
    assert not [name for name in ours if name.startswith("adobe_privacy.dags")]


def test_the_dag_processor_preloads(tmp_path: Path) -> None:
    done = run(START + OURS, tmp_path)
    assert "adobe_privacy.dags._privacy_requests" in last_line(done)
    assert "Preloaded the DAGs" in done.stdout + done.stderr
