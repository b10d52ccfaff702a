"""The organisation's clocks, from the variable into the ledger's due dates."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from adobe_privacy.hooks.settings import read_settings
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_optouts import SendPrivacyOptOutsOperator
from adobe_privacy.operators.privacy_requests import PlanPrivacyRequestsOperator
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from adobe_privacy.regulations.clocks import DEFAULT
from adobe_privacy.settings import SettingsError
from tests.support.privacy import DAY, World, context, request

TEN_DAYS = {"answer": {"amount": 10, "unit": "calendar days"}}


def set_clocks(patch: pytest.MonkeyPatch, value: str) -> None:
    patch.setenv("AIRFLOW_VAR_PRIVACY_LEGAL_CLOCKS", value)


def due(world: World, request_id: str) -> dict[str, date]:
    with Ledger(world.ledger_url, actor="test") as ledger:
        return {job.action: job.due_on for job in ledger.people.request_jobs(request_id)}


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_file_or_json_overrides_the_built_in_clocks(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    assert read_settings().variables.legal_clocks is DEFAULT
    path = tmp_path / "clocks.toml"
    path.write_text('version = "ours"\n[ccpa]\nanswer = { amount = 10, unit = "calendar days" }\n')
    set_clocks(monkeypatch, f"{scheme}{path}")
    assert read_settings().variables.legal_clocks.clock("ccpa", DAY).answer.amount == 10
    assert read_settings().variables.legal_clocks.version == f"{DEFAULT.version}+ours"
    set_clocks(monkeypatch, json.dumps({"cpra_ca_usa": TEN_DAYS}))
    assert read_settings().variables.legal_clocks.clock("cpra_ca_usa", DAY).answer.amount == 10


def test_requests_opt_outs_and_jobs_of_others_get_their_dates_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clocks(
        monkeypatch, json.dumps({"ccpa": TEN_DAYS | {"opt_out": {"amount": 3, "unit": "calendar days"}}})
    )
    world.put(request(1, regulation="ccpa"))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert due(world, "DSR-1") == {"access": date(2026, 11, 30)}
    world.put(request(2, "opt_out_of_sale", regulation="ccpa"))
    SendPrivacyOptOutsOperator(task_id="send").execute(context())
    assert due(world, "DSR-2") == {"opt_out_of_sale": date(2026, 11, 23)}
    world.simulator.set_clock(now="2026-11-20T12:00:00Z")
    (job_id,) = world.simulator.create_jobs(
        count=1,
        regulation="ccpa",
        action="access",
        products=["profileService"],
        created_at="2026-11-20T08:00:00Z",
        completed_at="2026-11-20T09:00:00Z",
    )
    SweepPrivacyJobsOperator(task_id="sweep").execute(context())
    assert due(world, f"adobe:{job_id}") == {"access": date(2026, 11, 30)}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{", "cannot be used"),
        ("/not/there.toml", "No such file"),
        ('{"gdprr": {}}', "gdprr"),
        ('{"ccpa": {"holidays": {"country": "XX"}}}', "'XX'"),
    ],
)
def test_what_cannot_be_used_fails_the_plan_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, value: str, text: str
) -> None:
    set_clocks(monkeypatch, value)
    with pytest.raises(SettingsError, match=text):
        read_settings()
    world.put(request(1))
    with pytest.raises(AirflowFailException, match="privacy_legal_clocks"):
        PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert due(world, "DSR-1") == {}
