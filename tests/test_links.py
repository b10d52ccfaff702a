"""The links on tasks, as a task computes them."""

from __future__ import annotations

from typing import Any

import pytest

from adobe_privacy.links import AdobePrivacyLink, PrivacyArchiveLink, PrivacyPageLink, console_url, page_url
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.provider import get_provider_info

NO_KEY: Any = None


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/team/")


def test_the_page_is_filtered_to_the_tasks_batch() -> None:
    archive = ArchivePrivacyResultsOperator(task_id="archive", batch_id="1d7e-4f")
    link = PrivacyPageLink().get_link(archive, ti_key=NO_KEY)
    assert link == "https://airflow.example.com/team/privacy/?batch=1d7e-4f"
    plan = PlanPrivacyRequestsOperator(task_id="plan")
    assert PrivacyPageLink().get_link(plan, ti_key=NO_KEY) == "https://airflow.example.com/team/privacy/"


def test_a_filter_is_escaped() -> None:
    assert page_url(request="A/1 #2&x=1").endswith("/privacy/?request=A%2F1%20%232%26x%3D1")


def test_without_an_address_the_page_is_relative_to_the_uis_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")
    assert page_url(batch="b") == "/privacy/?batch=b"


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        (
            "s3://aws@bucket/team a",
            "https://console.aws.amazon.com/s3/buckets/bucket?prefix=team%20a/jobs/",
        ),
        ("s3://minio@bucket", None),
        ("gs://bucket", "https://console.cloud.google.com/storage/browser/bucket/jobs/"),
        ("file:///data/archive", None),
        ("abfss://container@account.dfs.core.windows.net/x", None),
        ("nonsense", None),
    ],
)
def test_the_archive_is_shown_where_a_browser_can(
    monkeypatch: pytest.MonkeyPatch, uri: str, url: str | None
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS", '{"conn_type": "aws"}')
    minio = '{"conn_type": "aws", "extra": {"endpoint_url": "https://minio.example.com"}}'
    monkeypatch.setenv("AIRFLOW_CONN_MINIO", minio)
    assert console_url(uri) == url


def test_an_archive_that_no_browser_opens_is_shown_by_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = ArchivePrivacyResultsOperator(task_id="archive", batch_id="b1")
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", "file:///data/archive")
    assert PrivacyArchiveLink().get_link(archive, ti_key=NO_KEY).endswith("/privacy/?batch=b1")
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", "gs://bucket/a")
    assert (
        PrivacyArchiveLink().get_link(archive, ti_key=NO_KEY).startswith("https://console.cloud.google.com/")
    )


def test_airflow_knows_every_link_of_ours() -> None:
    assert get_provider_info()["extra-links"] == [
        f"adobe_privacy.links.{link.__name__}"
        for link in (PrivacyPageLink, PrivacyArchiveLink, AdobePrivacyLink)
    ]
