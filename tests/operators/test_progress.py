"""How far an archiving task is, as its log and the UI show it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.operators.progress import KEY, ArchiveProgress
from adobe_privacy.results.completion import Completion
from tests.support.privacy import World, context, request

log = logging.getLogger(__name__)


class StateStore:
    """What Airflow gives a task as `task_state_store`, as far as it is used."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def set(self, key: str, value: Any) -> None:
        assert key == KEY
        self.values.append(value)


def test_a_task_leaves_its_counts_and_no_names(world: World) -> None:
    world.put(request(1), request(2, "delete"))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    world.simulator.advance(60)
    store = StateStore()
    with_store = context() | {"task_state_store": store}
    ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(with_store)
    before, counts = store.values
    assert before == {}, "nothing of an earlier try stays"
    assert counts.pop("bytes") > 0
    assert counts == {"jobs": 2, "archived": 2, "not_final": 0, "in_error": 0, "failed": 0}


def test_it_is_told_as_it_goes_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    store = StateStore()
    caplog.set_level(logging.INFO)
    progress = ArchiveProgress(log, {"task_state_store": store}, every=0)
    for archived in (1, 2, 3):
        progress(Completion(jobs=3, archived=archived))
    assert [value.get("archived") for value in store.values] == [None, 1, 2, 3]
    assert "1 of 3 jobs dealt with: 1 archived" in caplog.text
    seldom = ArchiveProgress(log, {"task_state_store": store}, every=3600)
    for archived in (1, 2, 3):
        seldom(Completion(jobs=3, archived=archived))
    assert [value.get("archived") for value in store.values[4:]] == [None, 3]


def test_a_state_store_that_fails_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Away:
        def set(self, key: str, value: Any) -> None:
            raise ConnectionError("secret-address")

    ArchiveProgress(log, {"task_state_store": Away()})(Completion(jobs=1, archived=1))
    assert "could not be stored for the UI: ConnectionError" in caplog.text
    assert "secret-address" not in caplog.text
