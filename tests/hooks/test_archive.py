"""The variable `privacy_archive_options`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from pyrage import x25519

from adobe_privacy.archive import ArchiveSettings, ZipLimits
from adobe_privacy.hooks.archive import archive_opener, archive_settings, key_place
from adobe_privacy.hooks.settings import read_settings
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_retention import (
    ErasePrivacyResultsOperator,
    VerifyPrivacyArchiveOperator,
)
from adobe_privacy.settings import SettingsError
from tests.support.privacy import World, context, long_ago, request

pytestmark = pytest.mark.usefixtures("world")

VARIABLE = "AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS"


def test_without_the_variable_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert archive_settings(read_settings()) == ArchiveSettings()


def test_caps_and_keeping_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps({"keep_rejected": True, "max_nesting": 5, "max_ratio": 1000}))
    settings = archive_settings(read_settings())
    assert settings.keep_rejected
    assert settings.limits == ZipLimits(max_nesting=5, max_ratio=1000)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[]", "must be a valid dictionary"),
        ('{"max_entries": 5', "is not JSON"),
        ('{"max_entrys": 5}', "max_entrys is not known; known are keep_rejected"),
        ('{"max_entries": "5"}', "max_entries must be a whole number"),
        ('{"max_entries": -1}', "max_entries must be greater than or equal to 0"),
        ('{"max_entries": true}', "max_entries must be a whole number"),
        ('{"key_conn_id": ""}', "key_conn_id must not be empty"),
        ('{"key_conn_id": "none_such"}', "key_conn_id names the connection none_such, which does not exist"),
        ('{"keep_rejected": 1}', "keep_rejected must be a valid boolean"),
    ],
)
def test_an_option_that_is_not_understood_is_named(
    value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(SettingsError, match=f"privacy_archive_options: {said}"):
        archive_settings(read_settings())


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


KEY = x25519.Identity.generate()


def with_key(patch: pytest.MonkeyPatch, **fields: Any) -> None:
    patch.setenv(VARIABLE, '{"key_conn_id": "the_key"}')
    patch.setenv("AIRFLOW_CONN_THE_KEY", json.dumps({"conn_type": "generic"} | fields))


def test_a_public_key_encrypts_and_opens_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_key(monkeypatch, extra={"recipients": [str(KEY.to_public())], "keys_uri": f"file://{tmp_path}/keys"})
    encryption = archive_settings(read_settings()).encryption
    assert encryption is not None
    assert encryption.wrapper.name == str(KEY.to_public())
    assert str(key_place(read_settings())) == str(encryption.keys) == f"Store('file://{tmp_path}/keys')"
    assert archive_opener(read_settings()) is None


def test_a_secret_key_does_both(monkeypatch: pytest.MonkeyPatch) -> None:
    with_key(monkeypatch, password=str(KEY))
    assert key_place(read_settings()) is None
    opener = archive_opener(read_settings())
    assert opener is not None
    assert opener.wrapper.name == str(KEY.to_public())


def test_a_key_of_kms_is_reached_through_an_aws_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = {"conn_type": "aws", "login": "test", "password": "test", "extra": {"region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_MY_AWS", json.dumps(aws))
    with_key(monkeypatch, extra={"kms_key_id": "alias/results", "aws_conn_id": "my_aws"})
    encryption = archive_settings(read_settings()).encryption
    assert encryption is not None
    assert encryption.wrapper.name == "aws-kms:alias/results"
    assert archive_opener(read_settings()) is None


def test_a_key_of_the_wrong_form_is_named_by_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with_key(monkeypatch, extra={"recipients": "age1nonsense"})
    with pytest.raises(SettingsError, match="connection the_key: a recipient must be like age1"):
        archive_settings(read_settings())


def test_retention_destroys_the_keys_of_what_a_task_has_encrypted(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_key(monkeypatch, password=str(KEY), extra={"keys_uri": f"file://{tmp_path}/keys"})
    with long_ago(world):
        world.put(request(1))
        (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
        CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
        world.simulator.advance(60)
        ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    assert VerifyPrivacyArchiveOperator(task_id="verify", every_days=1).execute(context())["results"] == 1
    assert len(list((tmp_path / "keys").rglob("*.key"))) == 1
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_RETENTION_DAYS", '{"gdpr": 30}')
    assert ErasePrivacyResultsOperator(task_id="erase").execute(context()) == {"erased": 1}
    assert list((tmp_path / "keys").rglob("*.key")) == []
    assert list(world.archive.rglob("*.age")) == []
