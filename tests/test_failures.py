"""Which of our errors fail a task at once, and which are tried again."""

from __future__ import annotations

import logging

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.execution_time.context import set_current_context

from adobe_privacy.dags._privacy_requests import ASKED_AGAIN_SOON
from adobe_privacy.failures import plain_failures
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.operators.privacy_requests import PlanPrivacyRequestsOperator, is_tried_again
from adobe_privacy.settings import NotThere
from adobe_privacy.storage import AccessDenied, LocationNotFound, StorageError, StorageUnavailable, StoreUnfit
from adobe_privacy.storage.location import Location
from adobe_privacy.storage.translate import translated
from tests.support.inbox import deny
from tests.support.privacy import DAY, World, context, request

log = logging.getLogger("task")


@pytest.mark.parametrize("kind", [AccessDenied, LocationNotFound, StoreUnfit, StorageUnavailable])
def test_what_only_a_person_can_mend_at_a_store_fails_at_once(kind: type[StorageError]) -> None:
    with pytest.raises(AirflowException) as failed, plain_failures(log):
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


@pytest.mark.parametrize(
    "error", [NotThere("no variable privacy_inbox_uri"), LedgerError("another organisation's")]
)
@pytest.mark.parametrize(
    ("cleared_at", "try_number", "at_once"),
    [
        (0, 1, False),
        (0, 3, False),
        (0, 4, True),
        (4, 5, False),
        (4, 8, True),
        # Made while the DAG granted three tries more, of an older version.
        (-9, 1, False),
        (-9, 3, False),
    ],
)
def test_what_is_not_there_is_tried_a_few_times_after_each_clear(
    error: Exception, cleared_at: int, try_number: int, at_once: bool
) -> None:
    """Airflow counts the tries on through a clear, and grants all of them anew."""
    of_task = context(retries=12)
    of_task["ti"].try_number = try_number
    of_task["ti"].max_tries = cleared_at + 12
    with set_current_context(of_task), pytest.raises(AirflowException) as failed, plain_failures(log):
        raise error
    assert isinstance(failed.value, AirflowFailException) == at_once


@pytest.mark.parametrize(("try_number", "at_once"), [(4, False), (10, False), (11, True)])
def test_what_is_not_there_is_waited_for_as_long_where_tries_follow_each_other_sooner(
    try_number: int, at_once: bool
) -> None:
    """Airflow says that a connection is not there while its database is away: four tries of `approve` are over within a
    minute or so."""
    of_task = context(retries=ASKED_AGAIN_SOON["retries"])
    of_task["ti"].try_number = try_number
    with set_current_context(of_task), pytest.raises(AirflowException) as failed, plain_failures(log):
        raise NotThere("no connection privacy_ledger")
    assert isinstance(failed.value, AirflowFailException) == at_once


@pytest.mark.parametrize(("try_number", "waited_for"), [(1, True), (3, True), (4, False)])
def test_a_file_that_may_be_read_soon_holds_up_the_days_others_for_a_few_tries(
    try_number: int, waited_for: bool
) -> None:
    of_task = context(retries=12)
    of_task["ti"].try_number = try_number
    assert is_tried_again(of_task) == waited_for


def test_credentials_that_the_machine_does_not_tell_at_this_moment_are_asked_for_again() -> None:
    """Its metadata service may be away."""
    error = OSError("error sending request for url (http://169.254.169.254/latest/api/token)")
    found = translated(error, Location("s3", "bucket", "archive", None), "ledger.json")
    assert isinstance(found, StorageUnavailable)
    assert "no credentials found" in str(found)
