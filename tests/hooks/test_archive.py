"""The variable `privacy_archive_options`."""

from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import AirflowException

from adobe_privacy.archive import ArchiveSettings, ZipLimits
from adobe_privacy.hooks.adobe_privacy import ConnectionProblem
from adobe_privacy.hooks.archive import archive_settings
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from tests.support.privacy import World, context, request

VARIABLE = "AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS"


def test_without_the_variable_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert archive_settings() == ArchiveSettings()


def test_caps_and_keeping_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps({"keep_rejected": True, "max_nesting": 5, "max_ratio": 1000}))
    settings = archive_settings()
    assert settings.keep_rejected
    assert settings.limits == ZipLimits(max_nesting=5, max_ratio=1000)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[]", "must be a JSON object"),
        ('{"max_entrys": 5}', "max_entrys is not known; known are keep_rejected"),
        ('{"max_entries": "5"}', "max_entries must be a whole number"),
        ('{"max_entries": -1}', "max_entries must be a whole number"),
        ('{"max_entries": true}', "max_entries must be a whole number"),
        ('{"keep_rejected": 1}', "keep_rejected must be true or false"),
    ],
)
def test_an_option_that_is_not_understood_is_named(
    value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ConnectionProblem, match=f"privacy_archive_options: {said}"):
        archive_settings()


def test_the_task_goes_by_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps({"keep_rejected": True, "max_nesting": 5}))
    world.simulator.fault("content", "wrong_crc", key="DSR-1", times=None)
    world.put(request(1), request(2))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    world.simulator.advance(60)
    with pytest.raises(AirflowException, match="1 jobs of batch"):
        ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    (kept,) = (world.archive / "rejected").rglob("*.zip")
    assert kept.stat().st_size > 0
    (manifest,) = world.manifests()
    assert manifest["limits"]["max_nesting"] == 5
