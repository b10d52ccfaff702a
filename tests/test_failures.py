"""Which of our errors fail a task at once, and which are tried again."""

from __future__ import annotations

import logging

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.failures import plain_failures
from adobe_privacy.operators.privacy_requests import PlanPrivacyRequestsOperator
from adobe_privacy.storage import AccessDenied, LocationNotFound, StorageError, StorageUnavailable, StoreUnfit
from adobe_privacy.storage.location import Location
from adobe_privacy.storage.translate import translated
from tests.support.inbox import deny
from tests.support.privacy import DAY, World, context, request


@pytest.mark.parametrize("kind", [AccessDenied, LocationNotFound, StoreUnfit, StorageUnavailable])
def test_what_only_a_person_can_mend_at_a_store_fails_at_once(kind: type[StorageError]) -> None:
    with pytest.raises(AirflowException) as failed, plain_failures(logging.getLogger("task")):
        raise kind("s3://bucket/archive: it failed", uri="s3://bucket/archive")
    assert isinstance(failed.value, AirflowFailException) == (kind is not StorageUnavailable)


@pytest.mark.parametrize("kind", [AccessDenied, StorageUnavailable])
def test_an_inbox_that_may_not_be_read_fails_its_plan_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type[StorageError]
) -> None:
    world.put(request(1))
    deny(monkeypatch, f"{DAY}/requests.jsonl", kind=kind)
    with pytest.raises(AirflowException) as failed:
        PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert isinstance(failed.value, AirflowFailException) == (kind is AccessDenied)


def test_credentials_that_the_machine_does_not_tell_at_this_moment_are_asked_for_again() -> None:
    """Its metadata service may be away."""
    error = OSError("error sending request for url (http://169.254.169.254/latest/api/token)")
    found = translated(error, Location("s3", "bucket", "archive", None), "ledger.json")
    assert isinstance(found, StorageUnavailable)
    assert "no credentials found" in str(found)
