"""Stores from Airflow connections, written through a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from airflow.sdk import Connection

from adobe_privacy.hooks import settings
from adobe_privacy.hooks.storage import open_archive, s3_options
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.settings import SettingsError
from adobe_privacy.storage import open_store
from tests.storage.servers import azure_server, gcs_server, s3_server
from tests.support.privacy import DAY, World, context, request


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as server:
        yield server.endpoint


def test_a_day_is_read_from_and_archived_to_s3_through_a_connection(
    world: World, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=s3_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    s3.create_bucket(Bucket="privacy")
    s3.put_object(
        Bucket="privacy",
        Key=f"inbox/{DAY}/requests.jsonl",
        Body="".join(json.dumps(request(number, "access", "delete")) + "\n" for number in range(2)).encode(),
    )
    monkeypatch.setenv(
        "AIRFLOW_CONN_MY_S3",
        json.dumps(
            {
                "conn_type": "aws",
                "login": "test",
                "password": "test",
                "extra": {
                    "endpoint_url": s3_url,
                    "region_name": "us-east-1",
                    "checksum_algorithm": "SHA256",
                },
            }
        ),
    )
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", "s3://my_s3@privacy/inbox")
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", "s3://my_s3@privacy/archive")
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    world.simulator.advance(60)
    done = ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    assert done == {"archived": 4, "errors": 0}
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="privacy", Prefix="archive/")["Contents"]]
    assert sum(key.endswith("/manifest.json") for key in keys) == 4
    assert sum(key.endswith(".zip") for key in keys) == 2


def test_how_s3_is_to_keep_what_it_gets_is_read_from_the_connection() -> None:
    extra = {
        "sse_kms_key_id": "alias/results",
        "bucket_key_enabled": True,
        "storage_class": "STANDARD_IA",
        "checksum_algorithm": "SHA256",
    }
    options = s3_options(
        Connection(conn_id="s3", conn_type="aws", login="a", password="b", extra=json.dumps(extra))
    )
    assert {name: getattr(options, name) for name in extra} == extra


def test_an_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", raising=False)
    with pytest.raises(SettingsError, match="variable privacy_inbox_uri is not set"):
        settings.location("inbox")


def test_the_archive_folder_is_made_where_it_is_missing(world: World) -> None:
    assert not world.archive.exists()
    open_archive(settings.location("archive")).check_writable()
    assert world.archive.is_dir()


def test_an_archive_on_google_cloud_storage_is_reached_through_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with gcs_server() as server:
        location = server.store().location
        key = json.loads(str(server.options.service_account_key))
        extra = {"keyfile_dict": key, "endpoint_url": server.endpoint}
        connection = {"conn_type": "google_cloud_platform", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_MY_GCS", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", f"gs://my_gcs@{location.bucket}/archive")
        archive = open_archive(settings.location("archive"))
        archive.check_writable()
        archive.create("a", b"x")
        assert server.store(location.bucket).read("a") == b"x"


def test_an_archive_on_azure_is_reached_through_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with azure_server() as server:
        container = server.new_container()
        connection = {
            "conn_type": "wasb",
            "login": server.options.account_name,
            "password": server.options.account_key,
            "extra": {"endpoint_url": server.endpoint},
        }
        monkeypatch.setenv("AIRFLOW_CONN_MY_AZURE", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", f"abfss://my_azure@{container}/archive")
        archive = open_archive(settings.location("archive"))
        archive.check_writable()
        archive.create("a", b"x")
        assert open_store(f"abfss://{container}/archive", server.options).read("a") == b"x"
