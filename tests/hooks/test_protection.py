"""A setting that was deleted, or that a secrets backend denies, is absent: nothing is sent, stored or erased then, and
no ledger is made. What happens where a look-up fails is in test_look_ups.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from pyrage import x25519

from adobe_privacy.hooks.ledger import open_for_run
from adobe_privacy.hooks.settings import read_settings
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_retention import ErasePrivacyResultsOperator
from adobe_privacy.protective import protective
from tests.support.privacy import World, context, long_ago, request

CONNECTIONS = ("adobe_privacy_default", "privacy_ledger", "the_key")
VARIABLES = {
    "privacy_inbox_uri": None,
    "privacy_archive_uri": None,
    "privacy_approve_deletes": "true",
    "privacy_archive_options": '{"key_conn_id": "the_key"}',
    "privacy_legal_clocks": json.dumps({"ccpa": {"answer": {"amount": 5, "unit": "calendar days"}}}),
    "privacy_retention_days": '{"gdpr": 1}',
}
NAMES = (*CONNECTIONS, *VARIABLES)


@pytest.fixture
def protected(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """One access request is archived and on hold, one delete waits; every protective setting is in force."""
    for name, value in VARIABLES.items():
        if value is not None:
            monkeypatch.setenv(f"AIRFLOW_VAR_{name.upper()}", value)
    recipient = str(x25519.Identity.generate().to_public())
    monkeypatch.setenv(
        "AIRFLOW_CONN_THE_KEY", json.dumps({"conn_type": "generic", "extra": {"recipients": recipient}})
    )
    monkeypatch.setenv("AIRFLOW_HOME", str(world.folder / "home"))
    with long_ago(world):
        world.put(request(1), request(2, "delete"))
        plan = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
        for batch_id in plan:
            CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
            world.simulator.advance(60)
            ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    with Ledger(world.ledger_url, actor="user counsel") as ledger:
        ledger.people.hold("DSR-1", "litigation")
    return world


def fail(patch: pytest.MonkeyPatch, name: str) -> None:
    kind = "CONN" if name in CONNECTIONS else "VAR"
    patch.delenv(f"AIRFLOW_{kind}_{name.upper()}")


def seen(world: World) -> dict[str, Any]:
    return {
        "jobs at Adobe": sorted((job["key"], job["action"]) for job in world.simulator.jobs()),
        "archive": sorted(path.name for path in world.archive.rglob("*") if path.is_file()),
        "ledgers": sorted(path.name for path in world.folder.rglob("*.db")),
    }


def steps(batch_id: str) -> dict[str, Callable[[], Any]]:
    return {
        "plan": lambda: PlanPrivacyRequestsOperator(task_id="plan").execute(context()),
        "submit": lambda: CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context()),
        "archive": lambda: ArchivePrivacyResultsOperator(task_id="a", batch_id=batch_id).execute(context()),
        "erase": lambda: ErasePrivacyResultsOperator(task_id="erase").execute(context()),
    }


@pytest.mark.parametrize("failing", [*((name,) for name in NAMES), NAMES], ids=[*NAMES, "all at once"])
def test_no_absent_setting_leads_to_less_protection(
    protected: World, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...]
) -> None:
    before = seen(protected)
    assert [kind for kind in before["archive"] if kind.endswith(".zip")] == [], "results are encrypted"
    with Ledger(protected.ledger_url, actor="test") as ledger:
        (job,) = ledger.people.request_jobs("DSR-1")
    protected.put(request(3), request(4, "delete"))
    for name in failing:
        fail(monkeypatch, name)
    print(f"\n{', '.join(failing)}")
    for step, run in steps(str(job.batch_id)).items():
        if failing == ("privacy_inbox_uri",) and step in ("archive", "erase"):
            # Needs no inbox. That nothing is erased which is on hold shows below.
            print(f"  {step}: {run()}")
            continue
        with pytest.raises(AirflowException) as stopped:
            run()
        print(f"  {step}: {stopped.value}")
        assert "\n" not in str(stopped.value)
    assert seen(protected) == before


def test_what_is_new_or_stricter_is_taken_and_what_is_less_waits_for_a_person(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_for_run(read_settings(), "first").close()
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "true")
    open_for_run(read_settings(), "second").close()
    monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES")
    with pytest.raises(LedgerError, match=r"approval of deletes was on since .*, set by second; .*accept"):
        open_for_run(read_settings(), "third")
    with Ledger(world.ledger_url, actor="user privacy officer") as ledger:
        assert ledger.protection.accept(protective(read_settings())) == ["approve_deletes"]
    with open_for_run(read_settings(), "fourth") as ledger:
        assert ledger.protection.in_force()["approve_deletes"].by == "user privacy officer"


def test_a_ledger_belongs_to_one_organisation_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    open_for_run(read_settings(), "first").close()
    other = json.loads(world.simulator.connection_json(org_id="FFFFFFFFFFFFFFFFFFFFFFFF@AdobeOrg"))
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(other))
    with pytest.raises(LedgerError, match="the ledger belongs to the organisation"):
        open_for_run(read_settings(), "second")
    with Ledger(world.ledger_url, actor="user") as ledger, pytest.raises(LedgerError, match="belongs to"):
        ledger.protection.accept(protective(read_settings()))


def test_a_ledger_is_made_only_where_the_archive_is_empty(world: World, tmp_path: Path) -> None:
    (world.archive / "jobs/gdpr").mkdir(parents=True)
    (world.archive / "jobs/gdpr/manifest.json").write_text("{}")
    with pytest.raises(LedgerError, match="the archive holds results, and there is no ledger"):
        open_for_run(read_settings(), "run")
    assert list(tmp_path.rglob("*.db")) == []


def test_signing_that_was_on_and_is_absent_stops_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    options = '{"signing_conn_id": "the_signing_key"}'
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS", options)
    for key in ("one", "another"):
        connection = {"conn_type": "generic", "password": key}
        monkeypatch.setenv("AIRFLOW_CONN_THE_SIGNING_KEY", json.dumps(connection))
        open_for_run(read_settings(), "run").close()
    monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS")
    with pytest.raises(LedgerError, match=r"signing of manifests was on since .*nothing was done"):
        open_for_run(read_settings(), "run")
