"""When a job's absence from Adobe's lists is believed, and what happens where it is not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from adobe_privacy.api import bodies
from adobe_privacy.api import client as client_module
from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import RequestRefused
from adobe_privacy.api.models import CreatedJobs, CreateJobsRequest, JobStatus, JobSummary, ListPage
from adobe_privacy.ledger.schema import Batch
from adobe_privacy.ledger.states import JobState
from tests.submission.day import Day
from tests.submission.test_submission import hand_in, line, plan

# What is made of two jobs, and whether the answer tells of one of them.
LOST = [
    ("drop_after", {}),
    ("drop_before", {}),
    ("partial_response", {"amount": 1}),
    ("not_json", {}),
    ("error_after", {"status": 504}),
    ("error_before", {"status": 503}),
    ("null_arrays", {}),
]


def unsent(day: Day) -> Batch:
    """The one batch of the next plan of which nothing was sent."""
    batches = plan(day.inbox, day.ledger, run_id="again")
    [batch] = [found for found in batches if day.ledger.claims.batch_jobs(found.id, JobState.PLANNED)]
    return batch


def states(day: Day, *request_ids: str) -> set[JobState]:
    return {job.state for name in request_ids for job in day.ledger.people.request_jobs(name)}


@pytest.mark.parametrize(("kind", "options"), LOST, ids=[kind for kind, _ in LOST])
@pytest.mark.parametrize("finished", [False, True], ids=["open", "finished"])
@pytest.mark.parametrize("shows", ["created", "modified", "completed"])
async def test_a_lost_answer_is_resolved_or_told_and_never_sent_twice(
    day: Day, shows: str, finished: bool, kind: str, options: dict[str, Any]
) -> None:
    day.simulator.switch(list_dates=shows, jobs_never_finish=not finished, processing_delay_seconds="0")
    day.simulator.switch(access_delay_seconds="0", delete_delay_seconds="0")
    # Somebody else's job, which ends only where all do.
    day.simulator.create_jobs(count=1, regulation="gdpr", key="elsewhere")
    day.simulator.fault("create", kind, **options)
    result = await day.submit(day.planned(line(1, "access", "delete")))
    made = day.made()["DSR-1"]
    if kind.endswith("_before"):
        # Nothing was made: sent again only where a list shows that open jobs are in lists.
        believed = shows != "completed" and not finished
        assert (made, result.submitted, result.unknown) == ((2, 2, 0) if believed else (0, 0, 2))
    else:
        hidden = shows == "completed" and not finished
        assert made == 2
        lost = 1 if kind == "partial_response" else 2
        assert (result.recognised, result.unknown) == ((0, lost) if hidden else (lost, 0))
    if result.unknown:
        assert "outcome unknown, not sent again" in result.notes[-1]
        assert JobState.SUBMITTING in states(day, "DSR-1")
    else:
        assert states(day, "DSR-1") == {JobState.SUBMITTED}


def list_saying(patch: pytest.MonkeyPatch, key: str | None = None, **what: object) -> None:
    """Lists say `what` of each job, or of those of a key, in the place of what is so."""
    real = PrivacyServiceClient.list_jobs

    async def list_jobs(client: PrivacyServiceClient, *codes: str, **days: Any) -> AsyncIterator[JobSummary]:
        async for row in real(client, *codes, **days):
            yield row.model_copy(update=what) if key in (None, row.key) else row

    patch.setattr(PrivacyServiceClient, "list_jobs", list_jobs)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_a_listed_job_that_does_not_say_its_action_may_be_ours(
    day: Day, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    day.simulator.create_jobs(count=1, regulation="gdpr", key="elsewhere")
    day.simulator.fault("create", kind)
    batch = day.planned(line(1, "access"))
    list_saying(monkeypatch, "DSR-1", action=None)
    result = await day.submit(batch)
    assert day.made()["DSR-1"] == 1
    if kind == "drop_after":
        assert (result.unknown, result.submitted) == (1, 0)
        assert "same user key without its id or action" in result.notes[-1]
    else:
        assert (result.unknown, result.submitted) == (0, 1)


@pytest.mark.parametrize("job_id", [None, "", "x" * 121, [1]])
async def test_a_listed_job_without_a_usable_id_may_be_ours(
    day: Day, job_id: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(model: type[BaseModel], body: bytes, *defaults: Any) -> BaseModel | None:
        if model is not ListPage:
            return bodies.parse(model, body, *defaults)
        data = json.loads(body)
        for row in data["jobDetails"]:
            row["jobId"] = job_id if row["userKey"] == "DSR-1" else row["jobId"]
        return bodies.parse(model, json.dumps(data).encode())

    day.simulator.create_jobs(count=1, regulation="gdpr", key="elsewhere")
    day.simulator.fault("create", "drop_after")
    batch = day.planned(line(1, "access"))
    monkeypatch.setattr(client_module, "parse", parse)
    result = await day.submit(batch)
    assert day.made()["DSR-1"] == 1
    assert (result.unknown, result.submitted) == (1, 0)
    assert "same user key without its id or action" in result.notes[-1]


@pytest.mark.parametrize("denied", ["DSR-1", "DSR-2"])
async def test_a_job_that_cannot_be_asked_for_is_no_witness_and_stops_nothing(
    day: Day, denied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await day.submit(day.planned(line(1, "access"), line(2, "access")))
    list_saying(monkeypatch, status=JobStatus.UNKNOWN)
    hand_in(day.inbox, line(3, "access"), name="more.jsonl")
    day.simulator.fault("detail", "error_before", status=403, body="html", key=denied, times=100)
    day.simulator.fault("create", "drop_before")
    result = await day.submit(unsent(day))
    assert (result.unknown, result.submitted) == (0, 1)
    assert day.made() == {"DSR-1": 1, "DSR-2": 1, "DSR-3": 1}


async def test_what_is_unknown_is_resolved_as_soon_as_a_list_shows_it(day: Day) -> None:
    day.simulator.switch(list_dates="completed", access_delay_seconds="7200", jobs_never_finish=False)
    day.simulator.fault("create", "drop_after")
    batch = day.planned(line(1, "access"))
    assert (await day.submit(batch)).unknown == 1
    day.pass_time(timedelta(hours=3))
    [again] = plan(day.inbox, day.ledger, run_id="the next day")
    assert again.id == batch.id
    assert (await day.submit(again)).recognised == 1
    assert day.made() == {"DSR-1": 1}


async def test_a_witness_once_seen_is_kept(day: Day) -> None:
    day.simulator.switch(list_dates="created")
    day.simulator.create_jobs(count=1, regulation="gdpr", key="elsewhere")
    day.simulator.fault("create", "drop_before")
    await day.submit(day.planned(line(1, "access")))
    assert day.ledger.limits.lists_show_open_jobs()
    # Nothing open is listed any more: other people's jobs are all finished.
    day.simulator.switch(jobs_never_finish=False, access_delay_seconds="0")
    hand_in(day.inbox, line(2, "access", regulation="ccpa"), name="more.jsonl")
    day.simulator.fault("create", "drop_before")
    batch = unsent(day)
    assert (await day.submit(batch)).unknown == 0
    assert day.made()["DSR-2"] == 1


async def test_an_open_job_of_long_ago_is_witness_enough(day: Day) -> None:
    day.simulator.create_jobs(count=1, regulation="gdpr", created_at="2026-10-25T08:00:00+00:00")
    day.simulator.fault("create", "drop_before")
    assert (await day.submit(day.planned(line(1, "access")))).unknown == 0
    assert day.made()["DSR-1"] == 1


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_lists_that_may_end_before_today_prove_nothing_about_today(
    day: Day, kind: str, inclusive: bool
) -> None:
    day.simulator.switch(future_to_date="refuse", to_date_inclusive=inclusive)
    day.simulator.create_jobs(count=1, regulation="gdpr", created_at="2026-11-15T08:00:00+00:00")
    day.simulator.fault("create", kind)
    batch = day.planned(line(1, "access"))
    result = await day.submit(batch)
    recognised = kind == "drop_after" and inclusive
    assert (result.recognised, result.unknown) == ((1, 0) if recognised else (0, 1))
    day.pass_time(timedelta(days=1))
    for again in plan(day.inbox, day.ledger, run_id="the next day"):
        await day.submit(again)
    assert day.made()["DSR-1"] == 1
    assert states(day, "DSR-1") == {JobState.SUBMITTED}


def loses_the_answer_of(day: Day, key: str, patch: pytest.MonkeyPatch, kind: str, **options: Any) -> None:
    """Where the user is sent alone."""
    create_jobs = day.client.create_jobs

    async def losing(request: CreateJobsRequest) -> CreatedJobs:
        assert day.creates() < 20, "it sends the same for ever"
        if [user.key for user in request.users] == [key]:
            day.simulator.fault("create", kind, **options)
        return await create_jobs(request)

    patch.setattr(day.client, "create_jobs", losing)


def one_bad_user(day: Day) -> Batch:
    """The first of two; whether the second is there, no list shows."""
    day.simulator.switch(list_dates="completed", refused_namespaces="bad")
    bad = line(1) | {"identities": [{"namespace": "bad", "value": "x", "type": "custom"}]}
    return day.planned(bad, line(2))


async def test_a_bad_user_beside_a_job_that_stays_unknown_is_refused_once(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = one_bad_user(day)
    loses_the_answer_of(day, "DSR-2", monkeypatch, "partial_response", amount=1)
    result = await day.submit(batch)
    assert (result.submitted, result.refused, result.unknown) == (1, 2, 1)
    assert states(day, "DSR-1") == {JobState.REFUSED}, "Adobe took another of the batch"
    assert (day.creates(), day.made()) == (4, {"DSR-2": 2}), "once more after it was looked for"


async def test_a_bad_user_waits_where_it_stays_unknown_whether_anybody_was_taken(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = one_bad_user(day)
    loses_the_answer_of(day, "DSR-2", monkeypatch, "drop_after")
    with pytest.raises(RequestRefused):
        await day.submit(batch)
    assert states(day, "DSR-1") == {JobState.RECEIVED}
    assert states(day, "DSR-2") == {JobState.SUBMITTING}
    assert (day.creates(), day.made()) == (4, {"DSR-2": 2}), "once more after it was looked for"


# -- keys ------------------------------------------------------------------------------------------------------


def answers_with(day: Day, key_echo: str) -> None:
    day.simulator.scenario({"rules": [{"key": "*", "key_echo": key_echo}]})


@pytest.mark.parametrize("echo", ["lower_case", "upper_case"])
@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_where_keys_come_back_changed_nothing_is_sent_again_by_key(
    day: Day, echo: str, kind: str
) -> None:
    answers_with(day, echo)
    day.simulator.create_jobs(count=1, regulation="gdpr", key="elsewhere")
    first = await day.submit(day.planned(line("a1", "access")))  # type: ignore[arg-type]
    assert first.submitted == 1
    assert day.ledger.limits.keys_come_back() is False or echo == "upper_case"
    hand_in(day.inbox, line("b2", "access"), name="more.jsonl")  # type: ignore[arg-type]
    day.simulator.fault("create", kind)
    batch = unsent(day)
    second = await day.submit(batch)
    assert sum(day.made().values()) == (3 if kind == "drop_after" else 2)
    assert (second.recognised, second.unknown) == ((1, 0) if kind == "drop_after" else (0, 1))


async def test_a_first_answer_that_is_lost_is_recognised_by_a_key_that_came_back_changed(day: Day) -> None:
    answers_with(day, "lower_case")
    day.simulator.create_jobs(count=1, regulation="gdpr", key="elsewhere")
    day.simulator.fault("create", "drop_after")
    assert (await day.submit(day.planned(line(1, "access")))).recognised == 1
    assert day.ledger.limits.keys_come_back() is False
    assert sum(day.made().values()) == 2
