"""The DAG files: they load without a network, quickly, and keep the house rules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG, Param
from airflow.sdk.definitions.param import ParamsDict, process_params
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from adobe_privacy import dags
from adobe_privacy.operators.privacy_requests import BATCH_LABEL
from tests.conftest import ROOT

WITHOUT_NETWORK = """
import socket
def refuse(*_args, **_kwargs):
    raise AssertionError("a DAG file used the network while it was loaded")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
import importlib.util, sys
for name in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location("dag_under_test", name)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""
HEAVY = (
    "httpx",
    "obstore",
    "alembic",
    "holidays",
    "isal",
    "adobe_privacy.api.client",
    "adobe_privacy.ledger.schema",
)


@pytest.fixture(scope="module")
def bag() -> Iterator[DagBag]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
        yield DagBag(dag_folder=str(ROOT / "dags"))


def test_every_dag_loads(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert "privacy_requests" in bag.dags


def test_every_dag_says_what_it_is(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert dag.tags, dag.dag_id
        assert dag.doc_md, dag.dag_id
        assert dag.description, dag.dag_id
        assert all(task.owner != "airflow" for task in dag.tasks), dag.dag_id


def test_every_task_says_what_it_does_and_links_to_the_page(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert dag.owner_links == {"privacy": "https://airflow.example.com/privacy/"}, dag.dag_id
        for task in dag.tasks:
            assert task.doc_md, task.task_id
            assert ":param" not in task.doc_md, task.task_id
            assert task.owner == "privacy", task.task_id
            assert "Privacy requests" in [link.name for link in task.operator_extra_links], task.task_id


def test_no_try_of_a_task_lasts_for_ever(bag: DagBag) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert task.execution_timeout == timedelta(hours=12), task.task_id


def test_every_parameter_is_a_form_field_with_a_title_and_a_description(bag: DagBag) -> None:
    for dag in bag.dags.values():
        for name in dag.params:
            schema = dag.params.get_param(name)
            assert schema.schema.get("title"), f"{dag.dag_id}: {name}"
            assert schema.description, f"{dag.dag_id}: {name}"
            assert schema.schema.get("type"), f"{dag.dag_id}: {name}"


def test_every_mapped_task_is_named_by_its_batch(bag: DagBag) -> None:
    tasks = [task for task in bag.dags["privacy_requests"].tasks if task.task_id.startswith("batch.")]
    assert tasks
    for task in tasks:
        assert task.map_index_template == BATCH_LABEL


def test_what_archives_is_an_event_of_the_archives_asset(bag: DagBag) -> None:
    outlets = {
        f"{dag.dag_id}.{task.task_id}": [asset.name for asset in task.outlets]
        for dag in bag.dags.values()
        for task in dag.tasks
        if task.outlets
    }
    assert outlets == {
        "privacy_requests.batch.archive": ["privacy_archive"],
        "privacy_sweep.sweep": ["privacy_archive"],
    }


def test_runs_that_wait_for_weeks_do_not_keep_each_other_out(bag: DagBag) -> None:
    assert bag.dags["privacy_requests"].max_active_runs > 45, "a run may wait for 45 days, one begins a day"


def waits_between_tries(task: Any) -> list[timedelta]:
    """By Airflow's own reckoning, of one run. What it adds to a delay depends on the names of DAG and task."""
    instance: Any = TaskInstance(task, dag_version_id=uuid4(), run_id="one")
    waits = []
    for tries in range(1, task.retries + 1):
        instance.try_number, instance.end_date = tries, datetime(2026, 11, 27, tzinfo=UTC)
        waits.append(instance.next_retry_datetime() - instance.end_date)
    return waits


def test_every_step_that_can_fail_for_a_while_is_retried(bag: DagBag) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            waits = waits_between_tries(task)
            assert len(waits) >= 2, task.task_id
            if dag.dag_id == "privacy_requests":
                assert sum(waits, timedelta()) >= timedelta(minutes=30), task.task_id
                assert max(waits) <= timedelta(minutes=5), task.task_id


def test_a_delay_of_ones_own_is_neither_cut_nor_made_longer() -> None:
    own = timedelta(minutes=20)
    dag = dags.privacy_requests(default_args={"retry_delay": own, "retries": 3})
    assert waits_between_tries(dag.get_task("plan")) == [own] * 3
    dag = dags.privacy_requests(default_args={"retries": 3})
    assert max(waits_between_tries(dag.get_task("plan"))) <= timedelta(minutes=4)


def test_one_task_instance_per_batch_and_step_never_per_job(bag: DagBag) -> None:
    dag = bag.dags["privacy_requests"]
    assert sorted(dag.task_ids) == [
        "batch.approve",
        "batch.archive",
        "batch.submit",
        "batch.wait",
        "plan",
        "settle",
    ]


def test_no_template_field_could_carry_an_identity(bag: DagBag) -> None:
    allowed = {
        *("adobe_privacy_conn_id", "ledger_conn_id", "inbox_uri", "archive_uri"),
        *("batch_id", "batch_ids", "summary", "sweep_dag_id", "products", "max_jobs", "regulations"),
        *("overlap_days", "older_than_days", "every_days"),
    }
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert set(task.template_fields) <= allowed, task.task_id


def test_no_dag_has_a_deadline(bag: DagBag) -> None:
    """Airflow answers 500 where a run with one is to be cleared, and `dags test` ends in a traceback (3.3.2)."""
    assert [dag.dag_id for dag in bag.dags.values() if dag.deadline] == []


def test_loading_a_dag_file_uses_no_network() -> None:
    files = [str(path) for path in (ROOT / "dags").glob("*.py")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK, *files],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_loading_our_operators_loads_nothing_heavy() -> None:
    check = (
        "import sys\n"
        "import airflow.sdk, airflow.triggers.base\n"
        "before = set(sys.modules)\n"
        "import adobe_privacy.operators.privacy_requests, adobe_privacy.sensors.privacy_jobs\n"
        "import adobe_privacy.operators.privacy_approval\n"
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before])"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("[]"), done.stdout


def params_of_a_run(dag: DAG, task_id: str, conf: dict[str, Any]) -> dict[str, Any]:
    """As Airflow's task runner makes them for a task. It writes what it is given into the DAG's own params, so each
    call needs a DAG of its own, as each task has."""
    return process_params(dag, dag.get_task(task_id), conf, suppress_exception=False)


@pytest.mark.parametrize(
    ("dag_id", "conf"),
    [
        (
            "privacy_requests",
            {"dry_run": True, "inbox_day": "2026-11-25", "products": ["analytics"], "max_jobs": 7},
        ),
        ("privacy_retention", {"dry_run": True}),
        ("privacy_sweep", {"regulations": ["gdpr"]}),
    ],
)
def test_params_reach_every_task_of_a_run_and_the_form(dag_id: str, conf: dict[str, Any]) -> None:
    """Though no task has a copy of them: Airflow would check each copy each time a DAG file is parsed."""
    builder = getattr(dags, dag_id)
    unasked = {name: False if name == "dry_run" else None for name in conf}
    for task in builder().tasks:
        assert params_of_a_run(builder(), task.task_id, {}) == unasked, task.task_id
        assert params_of_a_run(builder(), task.task_id, conf) == conf, task.task_id
        assert not task.params, task.task_id
    form = DagSerialization.from_dict(DagSerialization.to_dict(builder())).params
    assert list(form) == list(conf)
    assert form.deep_merge(conf).validate() == conf


def test_the_params_of_a_user_are_taken_and_checked_when_the_file_is_parsed() -> None:
    assert dict(dags.privacy_sweep(params={"mine": Param("a", type="string")}).params) == {"mine": "a"}
    with pytest.raises(ValueError, match="default values"):
        dags.privacy_sweep(params={"mine": Param(1, type="string")})


def test_a_param_is_checked_as_its_field_says() -> None:
    for refused in (
        {"max_jobs": 0},
        {"inbox_day": "yesterday"},
        {"products": "analytics"},
        {"dry_run": "yes"},
    ):
        with pytest.raises(ParamValidationError):
            params_of_a_run(dags.privacy_requests(), "plan", refused)


def test_a_users_own_params_are_those_of_his_dag() -> None:
    dag = dags.privacy_requests(
        schedule=None,
        params=ParamsDict({"dry_run": Param(True, type="boolean"), "team": "legal"}),
        default_args={"params": {"team": "support"}},
    )
    assert params_of_a_run(dag, "plan", {}) == {"dry_run": True, "team": "support"}
    with pytest.raises(ParamValidationError):
        params_of_a_run(dag, "plan", {"dry_run": "yes"})
    with pytest.raises(ValueError, match="not allowed to define a Schedule"):
        dags.privacy_requests(params={"team": Param(type="string")})
