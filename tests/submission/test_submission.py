"""Submission against the real simulator: each way in which a call can end, and what Adobe has afterwards."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.api.client import ClientConfig, PrivacyServiceClient
from adobe_privacy.api.errors import (
    AuthenticationFailed,
    PermissionDenied,
    RequestRefused,
    TemporarilyUnavailable,
)
from adobe_privacy.api.models import CompanyContext, CreateJobsRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Batch, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ownership import MARK
from adobe_privacy.planning.planning import PlanSettings, plan_day
from adobe_privacy.storage import (
    AccessDenied,
    FileOptions,
    StorageError,
    StorageUnavailable,
    Store,
    open_store,
)
from adobe_privacy.submission import refusals, unknown
from adobe_privacy.submission.submission import Submission, SubmissionSettings, submit_batch
from tests.support.inbox import deny
from tests.support.ledgers import DAY
from tests.support.simulator import Simulator, running_simulator

LIST_LAG = 0.4


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with running_simulator(switches={"jobs_never_finish": True}) as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    """Adobe, that has a job of somebody else's which never ends."""
    shared.reset()
    shared.create_jobs(count=1, regulation="gdpr", key="somebody-else")
    return shared


@pytest.fixture
def inbox(tmp_path: Path) -> Store:
    (tmp_path / "inbox").mkdir()
    return open_store(f"file://{tmp_path}/inbox")


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    with Ledger(sqlite_url, actor="privacy_requests/run/submit") as ledger:
        yield ledger


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[PrivacyServiceClient]:
    async with PrivacyServiceClient(config(simulator)) as client:
        yield client


LATER = DAY + timedelta(days=1)


def repeated_by_a_later_file(place: Place) -> str:
    """A request that is planned, and that the ledger reads from a later file since; returns this file's name."""
    hand_in(place.inbox, line(1), name="first.jsonl")
    assert plan(place.inbox, place.ledger) != []
    place.inbox.write(f"{LATER}/later.jsonl", f"{json.dumps(line(1))}\n".encode())
    planned = plan_day(
        place.inbox, place.ledger, day=LATER, run_id="later", settings=PlanSettings(late_days=0)
    )
    assert (planned.intake.duplicates, planned.batches) == (1, [])
    [source] = {job.source for job in place.rows("DSR-1")}
    assert source == f"{LATER}/later.jsonl"
    return source


def config(simulator: Simulator) -> ClientConfig:
    return simulator.client_config(
        timeout=2.0,
        retry_attempts=2,
        retry_base_delay=0.01,
        retry_after_cap=0.1,
    )


def settings(simulator: Simulator, **options: Any) -> SubmissionSettings:
    contexts = (CompanyContext.organisation(simulator.org_id),)
    given: dict[str, Any] = {"timeout": 1.2, "list_lag": 0.0, "company_contexts": contexts}
    return SubmissionSettings(**given | options)


def line(number: int, *actions: str, **fields: Any) -> dict[str, Any]:
    return {
        "request_id": f"DSR-{number}",
        "regulation": "gdpr",
        "actions": list(actions or ("access", "delete")),
        "identities": [{"namespace": "email", "value": f"subject{number}@example.com"}],
        "products": ["profileService"],
    } | fields


def hand_in(inbox: Store, *lines: dict[str, Any], name: str = "requests.jsonl") -> None:
    inbox.write(f"{DAY}/{name}", "".join(json.dumps(row) + "\n" for row in lines).encode())


def plan(inbox: Store, ledger: Ledger, *, run_id: str = "run", **options: Any) -> list[Batch]:
    planned = plan_day(inbox, ledger, day=DAY, run_id=run_id, settings=PlanSettings(**options))
    assert planned.intake.rejected == 0
    return [found.batch for found in planned.batches]


class Place:
    """What a submission needs, in one hand."""

    def __init__(
        self, simulator: Simulator, inbox: Store, ledger: Ledger, client: PrivacyServiceClient
    ) -> None:
        self.simulator, self.inbox, self.ledger, self.client = simulator, inbox, ledger, client
        archive = f"{inbox.location.uri}-archive"
        self.archive = open_store(archive, FileOptions(create=True))

    async def submit(self, batch: Batch, **options: Any) -> Submission:
        return await submit_batch(
            batch=batch,
            inbox=self.inbox,
            archive=self.archive,
            ledger=self.ledger,
            client=self.client,
            settings=settings(self.simulator, **options),
        )

    def planned(self, *lines: dict[str, Any]) -> Batch:
        hand_in(self.inbox, *lines)
        [batch] = plan(self.inbox, self.ledger)
        return batch

    def made(self) -> Counter[tuple[str, str]]:
        """Our jobs at Adobe."""
        ours = (job for job in self.simulator.jobs() if job["key"].lower().startswith("dsr"))
        return Counter((job["key"], job["action"]) for job in ours)

    def rows(self, *request_ids: str) -> list[Job]:
        return [job for request_id in request_ids for job in self.ledger.people.request_jobs(request_id)]

    def check_once(self, *keys: str, actions: tuple[str, ...] = ("access", "delete")) -> None:
        """Adobe has each job once, and the ledger has its id."""
        assert self.made() == {(key, action): 1 for key in keys for action in actions}
        ids = {(job["key"], job["action"]): job["jobId"] for job in self.simulator.jobs()}
        for job in self.rows(*dict.fromkeys(key.partition("~")[0] for key in keys)):
            assert job.state is JobState.SUBMITTED
            assert job.adobe_job_id == ids[job.key, job.action]


@pytest.fixture
def place(simulator: Simulator, inbox: Store, ledger: Ledger, client: PrivacyServiceClient) -> Place:
    return Place(simulator, inbox, ledger, client)


# -- going well -----------------------------------------------------------------------------------------------


async def test_a_batch_is_one_call_and_each_job_gets_its_own_id(place: Place) -> None:
    batch = place.planned(line(1), line(2))
    result = await place.submit(batch)
    assert (result.submitted, result.recognised, result.notes) == (4, 0, [])
    assert place.simulator.calls()["create"] == 1
    place.check_once("DSR-1", "DSR-2")


async def test_a_batch_writes_one_small_object_into_the_archive(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far the ledger has written: once for a batch, however many jobs are in it."""
    await place.submit(place.planned(line(0)))
    written: list[str] = []

    def counted(name: str) -> None:
        write = getattr(Store, name)

        def counting(store: Store, key: str, *arguments: Any) -> Any:
            written.append(key)
            return write(store, key, *arguments)

        monkeypatch.setattr(Store, name, counting)

    for name in ("create", "replace"):
        counted(name)
    hand_in(place.inbox, *(line(number) for number in range(1, 101)), name="more.jsonl")
    written.clear()
    for batch in plan(place.inbox, place.ledger):
        await place.submit(batch)
    assert len(place.made()) == 202
    assert written == [MARK]
    assert len(place.archive.read(MARK)) < 500


async def test_the_history_has_the_intent_before_the_answer(place: Place) -> None:
    await place.submit(place.planned(line(1, "access")))
    reasons = [step.reason for step in place.ledger.people.history("DSR-1")]
    assert reasons == ["arrived in the inbox", "claimed", "intent committed", "Adobe's answer"]


async def test_more_than_nine_identities_are_split_among_users_with_keys_of_their_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    identities = [{"namespace": "email", "value": f"s{n:02}@example.com"} for n in range(20)]
    sent: dict[str, list[str]] = {}
    create_jobs = place.client.create_jobs

    async def note(request: Any) -> Any:
        sent.update({user.key: [identity.value for identity in user.identities] for user in request.users})
        return await create_jobs(request)

    monkeypatch.setattr(place.client, "create_jobs", note)
    await place.submit(place.planned(line(1, identities=identities)))
    place.check_once("DSR-1", "DSR-1~2", "DSR-1~3")
    assert [len(values) for values in sent.values()] == [9, 9, 2]
    assert sorted(value for values in sent.values() for value in values) == [
        identity["value"] for identity in identities
    ]


async def test_submitting_again_makes_no_call(place: Place) -> None:
    batch = place.planned(line(1))
    await place.submit(batch)
    again = await place.submit(batch)
    assert (again.submitted, place.simulator.calls()["create"]) == (0, 1)


# -- an unknown outcome ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "adopted"),
    [
        ({"kind": "drop_before"}, 0),
        ({"kind": "drop_after"}, 4),
        ({"kind": "hang_after", "seconds": 2.6}, 4),
        ({"kind": "hang_before", "seconds": 0.3}, 0),
        ({"kind": "error_before", "status": 503}, 0),
        ({"kind": "error_after", "status": 504, "body": "gateway", "seconds": 0.1}, 4),
        ({"kind": "error_after", "status": 500, "body": "html"}, 4),
        ({"kind": "partial_response", "amount": 3}, 3),
        ({"kind": "not_json"}, 4),
        ({"kind": "missing_fields"}, 0),
        ({"kind": "null_arrays"}, None),
        ({"kind": "closed_early"}, 4),
        ({"kind": "reset"}, 4),
        ({"kind": "delayed_creation", "seconds": 0.3}, 4),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("lag", [0.0, LIST_LAG])
async def test_each_job_is_made_once_however_the_call_ends(
    place: Place, fault: dict[str, Any], adopted: int | None, lag: float
) -> None:
    place.simulator.switch(list_lag_seconds=lag)
    place.simulator.fault("create", **fault)
    result = await place.submit(place.planned(line(1), line(2)), list_lag=lag)
    place.check_once("DSR-1", "DSR-2")
    if adopted is not None:
        assert (result.recognised, result.submitted) == (adopted, 4 - adopted)


@pytest.mark.parametrize(
    "switches",
    [
        {"page_base": 1},
        {"page_base": 1, "page_zero": "first_page"},
        {"page_base": 1, "page_zero": "empty"},
        {"page_base": 1, "page_size_default": 25, "page_size_max": 3, "list_order": "oldest_first"},
        {"page_size_max": 3, "list_order": "unstable"},
        {"list_array": "jobs", "total_records": "total"},
        {"empty_list": "200"},
        {"list_dates": "modified", "to_date_inclusive": False},
        {"clock_skew_seconds": 3 * 86400},
        {"clock_skew_seconds": -3 * 86400},
        {"jobs_added_per_list_call": 2, "page_size_max": 20},
        {"create_style": "old"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
async def test_jobs_are_found_whatever_the_list_is_like(
    place: Place, switches: dict[str, Any], kind: str
) -> None:
    place.simulator.switch(**switches)
    place.simulator.create_jobs(count=5, regulation="gdpr", key="elsewhere-{n}")
    place.simulator.fault("create", kind)
    await place.submit(place.planned(line(1), line(2)))
    assert place.made() == {(f"DSR-{n}", action): 1 for n in (1, 2) for action in ("access", "delete")}


async def test_a_retired_code_that_adobe_refuses_does_not_stop_the_search(place: Place) -> None:
    place.simulator.switch(retired_regulations="refuse")
    place.simulator.fault("create", "drop_after")
    await place.submit(place.planned(line(1, regulation="ucpa_ut_usa")))
    place.check_once("DSR-1")


async def test_a_job_of_an_earlier_attempt_is_never_adopted(place: Place) -> None:
    await place.submit(place.planned(line(1, "access")))
    [first] = place.rows("DSR-1")
    place.ledger.results.record_error(
        first, completed_at=None, outcome_code="1020-400", reason="Adobe", try_again=True
    )
    place.simulator.fault("create", "drop_before")
    [batch] = plan(place.inbox, place.ledger)
    result = await place.submit(batch)
    assert (result.recognised, result.submitted) == (0, 1)
    [second] = place.rows("DSR-1")
    assert second.attempt == 2
    assert second.adobe_job_id != first.adobe_job_id
    assert place.made() == {("DSR-1", "access"): 2}


async def test_a_job_that_somebody_else_made_twice_is_told(place: Place) -> None:
    await place.submit(place.planned(line(2)))
    hand_in(place.inbox, line(1, "access"), name="more.jsonl")
    batch = plan(place.inbox, place.ledger, run_id="next")[-1]
    place.simulator.create_jobs(count=1, regulation="gdpr", action="access", key="DSR-1")
    place.simulator.fault("create", "drop_after")
    result = await place.submit(batch)
    assert result.recognised == 1
    assert "DSR-1 (access): Adobe has 2 jobs" in result.notes[0]
    kept = [job.origin.value for job in place.rows("DSR-1") if job.action == "access"]
    assert kept == ["inbox", "second"]


async def test_an_outage_that_takes_every_call_ends_the_submission_after_a_few(place: Place) -> None:
    place.simulator.fault("create", "drop_before", times=None)
    with pytest.raises(TemporarilyUnavailable, match="Nothing is lost"):
        await place.submit(place.planned(line(1)), timeout=0.3)
    assert place.simulator.calls()["create"] == unknown.MAX_LOST_CALLS
    assert {job.state for job in place.rows("DSR-1")} == {JobState.PLANNED}


async def test_an_intent_older_than_the_list_reaches_back_waits_for_a_person(
    place: Place, simulator: Simulator, sqlite_url: str
) -> None:
    batch = place.planned(line(1))
    place.ledger.unit.now = lambda: datetime.now(UTC) - timedelta(days=44)
    place.ledger.intents.intend(batch.id, [job.id for job in place.rows("DSR-1")], daily_limit=9)
    place.ledger.unit.now = lambda: datetime.now(UTC)
    result = await place.submit(batch)
    assert result.refused == 2
    assert {job.state for job in place.rows("DSR-1")} == {JobState.GONE}
    assert place.ledger.people.history("DSR-1")[-1].reason.endswith("ask Adobe")
    assert place.ledger.people.resend("DSR-1", "Adobe may have it") == 0
    assert place.ledger.people.close("DSR-1", "Adobe says that it has nothing") == 2
    assert simulator.calls().get("create", 0) == 0


async def test_a_process_that_dies_after_its_intent_is_taken_over(place: Place) -> None:
    batch = place.planned(line(1))
    place.ledger.intents.intend(batch.id, [job.id for job in place.rows("DSR-1")], daily_limit=9)
    result = await place.submit(batch)
    assert (result.submitted, result.recognised) == (2, 0)
    place.check_once("DSR-1")


async def test_a_process_that_dies_before_it_wrote_the_answer_down_is_taken_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = place.planned(line(1))

    def die(*_: object, **__: object) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place.ledger.intents, "record_submitted", die)
        with pytest.raises(Killed):
            await place.submit(batch)
    result = await place.submit(batch)
    assert (result.submitted, result.recognised) == (0, 2)
    place.check_once("DSR-1")


class Killed(BaseException):
    """No `except Exception` holds it up; asyncio would pass a KeyboardInterrupt on to pytest itself."""


async def test_two_submissions_of_one_batch_at_once_make_each_job_once(
    place: Place, simulator: Simulator, sqlite_url: str
) -> None:
    batch = place.planned(*(line(n) for n in range(20)))
    simulator.fault("create", "error_after", seconds=0.2)
    with Ledger(sqlite_url, actor="another process") as other:
        async with PrivacyServiceClient(config(simulator)) as client:
            await asyncio.gather(
                place.submit(batch), Place(simulator, place.inbox, other, client).submit(batch)
            )
    place.check_once(*(f"DSR-{n}" for n in range(20)))


# -- refusals -------------------------------------------------------------------------------------------------


async def test_what_is_over_the_days_limit_waits_for_the_next_plan(place: Place) -> None:
    batch = place.planned(line(1), line(2))
    result = await place.submit(batch, daily_limit=3)
    assert result.carried_over == 4
    assert "4 jobs wait for the next run" in result.notes[0]
    assert {job.state for job in place.rows("DSR-1", "DSR-2")} == {JobState.RECEIVED}
    assert place.simulator.calls().get("create", 0) == 0


async def test_one_bad_user_costs_no_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = place.planned(*(line(n, "access") for n in range(8)))
    _refuse_users(monkeypatch, place.client, {"DSR-3", "DSR-6"})
    result = await place.submit(batch)
    assert (result.submitted, result.refused) == (6, 2)
    assert {note.partition(":")[0] for note in result.notes} == {"DSR-3", "DSR-6"}
    assert [job.state for job in place.rows("DSR-3", "DSR-6")] == [JobState.REFUSED] * 2
    assert place.ledger.quotas.today().used == 6
    good = [f"DSR-{n}" for n in range(8) if n not in (3, 6)]
    assert place.made() == {(key, "access"): 1 for key in good}


async def test_many_bad_users_cost_no_other_either(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = place.planned(*(line(n, "access") for n in range(40)))
    bad = {f"DSR-{n}" for n in range(1, 40)}
    _refuse_users(monkeypatch, place.client, bad)
    monkeypatch.setattr(refusals, "MAX_REFUSALS", 8)
    result = await place.submit(batch)
    assert (result.submitted, result.refused) == (1, 39)


async def test_bad_users_are_told_from_a_bad_batch_after_a_crash_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The good ones were taken before the crash: what is left is refused whole."""
    batch = place.planned(*(line(n, "access") for n in range(3)))
    [good, *_] = place.rows("DSR-0")
    intended = place.ledger.intents.intend(batch.id, [good.id], daily_limit=9)
    place.ledger.intents.record_submitted(
        [(intended[0], "adobe-1")], adobe_request_id=None, reason="Adobe's answer"
    )
    _refuse_users(monkeypatch, place.client, {"DSR-1", "DSR-2"})
    result = await place.submit(batch)
    assert result.refused == 2


async def test_a_batch_of_which_adobe_takes_nobody_waits_to_be_mended(place: Place) -> None:
    place.simulator.switch(unprovisioned_products="profileService", unprovisioned_mode="400")
    batch = place.planned(line(1), line(2))
    with pytest.raises(RequestRefused):
        await place.submit(batch)
    assert {job.state for job in place.rows("DSR-1", "DSR-2")} == {JobState.RECEIVED}
    assert place.ledger.quotas.today().used == 0
    place.simulator.switch(unprovisioned_products="")
    [batch] = plan(place.inbox, place.ledger, products=("target",))
    await place.submit(batch)
    place.check_once("DSR-1", "DSR-2")


async def test_a_batch_that_cannot_be_written_down_is_never_intended(place: Place) -> None:
    batch = place.planned(line(1))
    with pytest.raises(RequestRefused, match="nothing was sent: company_contexts"):
        await place.submit(batch, company_contexts=())
    assert {job.state for job in place.rows("DSR-1")} == {JobState.RECEIVED}
    assert "intent committed" not in [step.reason for step in place.ledger.people.history("DSR-1")]


async def test_a_delete_that_would_hang_is_refused_and_the_access_goes(place: Place) -> None:
    hand_in(place.inbox, line(1))
    plan(place.inbox, place.ledger, max_jobs=0, run_id="taken in with good products")
    [batch] = plan(place.inbox, place.ledger, run_id="run", default_products=("cjm",))
    result = await place.submit(replace_products(batch, "cjm"))
    assert (result.submitted, result.refused) == (1, 1)
    assert "never finishes without profileService" in result.notes[0]
    assert place.made() == {("DSR-1", "access"): 1}


async def test_whatever_a_product_is_called_adobe_is_sent_its_include_code(place: Place) -> None:
    products = ["AJO", "Profile", "identity", "AdobeCloudPlatform"]
    batch = place.planned(line(1, products=products))
    assert batch.products == "aepDataLake,cjm,identity,profileService"
    # A batch that an older version planned holds what the request says.
    result = await place.submit(replace_products(batch, ",".join(products)))
    assert (result.submitted, result.refused) == (2, 0)
    assert place.made() == {("DSR-1", "access"): 1, ("DSR-1", "delete"): 1}


async def test_requests_that_differ_in_their_options_go_in_calls_of_their_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, dict[str, Any]] = {}
    create = place.client.create_jobs

    async def kept(request: CreateJobsRequest) -> Any:
        wire = request.to_wire()
        sent.update({user["key"]: wire for user in wire["users"]})
        return await create(request)

    monkeypatch.setattr(place.client, "create_jobs", kept)
    contexts = [
        {"namespace": "campaign", "value": "acme-stg"},
        {"namespace": "imsOrgID", "value": place.simulator.org_id},
    ]
    seen = {"namespace": "ECID", "value": "12", "type": "standard", "isDeletedClientSide": True}
    hand_in(
        place.inbox,
        line(1),
        line(2, expand_ids=True, merge_policy_id="mp-1", company_contexts=contexts),
        line(3, priority="normal", identities=[seen]),
        line(4, analytics_delete_method="purge"),
    )
    batches = plan(place.inbox, place.ledger, organisation=place.simulator.org_id)
    assert len(batches) == 4
    of_connection = (
        CompanyContext.organisation(place.simulator.org_id),
        CompanyContext(namespace="Campaign", value="other-stg"),
    )
    for batch in batches:
        await place.submit(batch, options={"priority": "low"}, company_contexts=of_connection)
    options = ("expandIds", "priority", "mergePolicyId", "analyticsDeleteMethod")
    told = {key: [wire.get(name) for name in options] for key, wire in sent.items()}
    assert told == {
        "DSR-1": [False, "low", None, None],
        "DSR-2": [True, "low", "mp-1", None],
        "DSR-3": [False, "normal", None, None],
        "DSR-4": [False, "low", None, "purge"],
    }
    contexts_of = {key: [each["value"] for each in wire["companyContexts"]] for key, wire in sent.items()}
    # Whichever way it is spelt, the request's tenant stands in the place of the connection's.
    assert contexts_of["DSR-1"] == [place.simulator.org_id, "other-stg"]
    assert contexts_of["DSR-2"] == [place.simulator.org_id, "acme-stg"]
    assert sent["DSR-3"]["users"][0]["userIDs"] == [seen]
    assert len(place.made()) == 8


def replace_products(batch: Batch, products: str) -> Batch:
    batch.products = products
    return batch


@pytest.mark.parametrize(
    ("switches", "error"),
    [
        ({"permissions": "read"}, PermissionDenied),
        ({"client_secret": "another"}, AuthenticationFailed),
    ],
    ids=["no permission", "bad credential"],
)
async def test_where_certainly_nothing_was_made_the_batch_is_as_before(
    place: Place, switches: dict[str, Any], error: type[Exception]
) -> None:
    batch = place.planned(line(1))
    place.simulator.switch(**switches)
    with pytest.raises(error):
        await place.submit(batch)
    assert {job.state for job in place.rows("DSR-1")} == {JobState.PLANNED}
    assert place.ledger.quotas.today().used == 0
    place.simulator.reset()
    await place.submit(batch)
    place.check_once("DSR-1")


# -- what changed between plan and call -----------------------------------------------------------------------


@pytest.mark.parametrize("change", ["line gone", "file gone", "other content", "now unusable"])
async def test_a_request_that_the_inbox_no_longer_holds_is_refused_and_the_others_go(
    place: Place, change: str
) -> None:
    batch = place.planned(line(1), line(2))
    changed = {
        "line gone": [line(2)],
        "other content": [line(1, "access"), line(2)],
        "now unusable": [line(1, identities=[]), line(2)],
    }
    if change == "file gone":
        place.inbox.delete(f"{DAY}/requests.jsonl")
    else:
        hand_in(place.inbox, *changed[change])
    result = await place.submit(batch)
    gone = ["DSR-1", "DSR-2"] if change == "file gone" else ["DSR-1"]
    assert result.refused == 2 * len(gone)
    assert result.notes == [f"{key}: no longer in {DAY}/requests.jsonl" for key in gone]
    assert {job.state for job in place.rows(*gone)} == {JobState.REFUSED}
    assert {key for key, _ in place.made()} == {"DSR-1", "DSR-2"} - set(gone)


@pytest.mark.parametrize("change", ["line gone", "file gone", "now unusable"])
async def test_a_request_that_a_later_file_repeated_is_sent_from_the_first_one_where_that_is_all_there_is(
    place: Place, change: str
) -> None:
    source = repeated_by_a_later_file(place)
    if change == "file gone":
        place.inbox.delete(source)
    else:
        rows = {"line gone": line(2), "now unusable": line(1, identities=[])}
        place.inbox.write(source, f"{json.dumps(rows[change])}\n".encode())
    [batch] = place.ledger.claims.open_batches(run_id="run", inbox_date=DAY)
    result = await place.submit(batch)
    assert (result.submitted, result.refused) == (2, 0)
    place.check_once("DSR-1")


async def test_a_file_that_may_not_be_read_stops_no_other_request_while_one_is_looked_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.inbox.delete(repeated_by_a_later_file(place))
    place.inbox.write(f"{DAY}/a.jsonl", b"{}\n")
    deny(monkeypatch, f"{DAY}/a.jsonl")
    [batch] = place.ledger.claims.open_batches(run_id="run", inbox_date=DAY)
    result = await place.submit(batch)
    assert (result.submitted, result.refused) == (2, 0)
    place.check_once("DSR-1")


@pytest.mark.parametrize("kind", [AccessDenied, StorageUnavailable])
async def test_a_file_that_cannot_be_read_any_more_costs_its_own_requests_only(
    place: Place, kind: type[StorageError]
) -> None:
    hand_in(place.inbox, line(1), line(2), name="first.jsonl")
    hand_in(place.inbox, line(3), name="Zzmarker Smith.jsonl")
    [batch] = plan(place.inbox, place.ledger)
    [source] = {job.source for job in place.rows("DSR-3")}
    with pytest.MonkeyPatch.context() as patch:
        deny(patch, f"{DAY}/Zzmarker Smith.jsonl", kind=kind)
        result = await place.submit(batch)
        with pytest.raises(kind, match=source):
            await place.submit(batch)
    assert (result.submitted, result.refused, result.carried_over, result.unreadable) == (4, 0, 0, 2)
    [note] = result.notes
    assert note.startswith("2 jobs are not sent before the next run: file://")
    assert source in note
    assert "Zzmarker" not in note
    for job in place.rows("DSR-3"):
        assert (job.state, job.batch_id) == (JobState.PLANNED, batch.id)
    told = [change.reason for change in place.ledger.people.history("DSR-3") if source in change.reason]
    assert len(told) == 2, "one for each job, however often it was tried"
    place.ledger.people.extend("DSR-3", DAY + timedelta(days=90), "told")
    assert place.ledger.attention.counts()["unreadable"] == 2, "a later date makes no file readable"
    assert (await place.submit(batch)).submitted == 2
    place.check_once("DSR-1", "DSR-2", "DSR-3")


async def test_where_no_file_can_be_read_nothing_is_sent_and_the_store_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = place.planned(line(1), line(2))
    deny(monkeypatch, f"{DAY}/requests.jsonl")
    with pytest.raises(AccessDenied, match=r"requests\.jsonl"):
        await place.submit(batch)
    assert {job.state for job in place.rows("DSR-1", "DSR-2")} == {JobState.PLANNED}
    assert place.made() == Counter()


async def test_a_request_of_a_file_that_cannot_be_read_is_not_told_to_be_refused_with_the_others(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(place.inbox, line(1), name="first.jsonl")
    hand_in(place.inbox, line(2), name="second.jsonl")
    [batch] = plan(place.inbox, place.ledger)
    deny(monkeypatch, f"{DAY}/second.jsonl")
    place.simulator.fault("create", "refusal", text="Invalid value for `regulation`", times=None)
    with pytest.raises(RequestRefused):
        await place.submit(batch)
    assert {job.state for job in place.rows("DSR-1")} == {JobState.RECEIVED}
    assert {job.state for job in place.rows("DSR-2")} == {JobState.PLANNED}


async def test_a_request_that_came_back_is_sent_again_by_a_person(place: Place) -> None:
    batch = place.planned(line(1))
    place.inbox.delete(f"{DAY}/requests.jsonl")
    await place.submit(batch)
    hand_in(place.inbox, line(1), name="again.jsonl")
    assert plan(place.inbox, place.ledger) == []
    place.ledger.people.resend("DSR-1", "the file is there again")
    [batch] = plan(place.inbox, place.ledger, run_id="again")
    await place.submit(batch)
    place.check_once("DSR-1")


async def test_a_request_put_on_hold_before_the_call_is_not_sent(place: Place) -> None:
    batch = place.planned(line(1), line(2))
    place.ledger.people.hold("DSR-1", "litigation")
    result = await place.submit(batch)
    assert result.submitted == 2
    assert {job.state for job in place.rows("DSR-1")} == {JobState.RECEIVED}
    assert plan(place.inbox, place.ledger, run_id="later") != []  # the batch of the other request
    place.ledger.people.release("DSR-1", "settled")
    [_, batch] = plan(place.inbox, place.ledger, run_id="later")
    await place.submit(batch)
    place.check_once("DSR-1", "DSR-2")


async def test_a_hold_at_the_last_moment_keeps_the_request_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = place.planned(line(1), line(2))
    fetch_token = place.client.fetch_token

    async def hold_first() -> None:
        place.ledger.people.hold("DSR-1", "litigation")
        await fetch_token()

    monkeypatch.setattr(place.client, "fetch_token", hold_first)
    await place.submit(batch)
    place_made = place.made()
    assert set(place_made) == {("DSR-2", "access"), ("DSR-2", "delete")}
    assert place.ledger.quotas.today().used == 2


async def test_an_intent_that_grew_old_is_not_sent_but_made_anew(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = place.planned(line(1))
    intend = place.ledger.intents.intend
    delays = iter([1.0, 0.0])

    def slow(*args: Any, **kwargs: Any) -> list[Job]:
        jobs = intend(*args, **kwargs)
        late = timedelta(seconds=next(delays))
        monkeypatch.setattr(place.ledger.unit, "now", lambda: datetime.now(UTC) + late)
        return jobs

    monkeypatch.setattr(place.ledger.intents, "intend", slow)
    await place.submit(batch)
    assert place.simulator.calls()["create"] == 1
    assert "not sent: the intent was too old" in [
        step.reason for step in place.ledger.people.history("DSR-1")
    ]
    place.check_once("DSR-1")


async def test_no_identity_is_in_the_ledger_or_the_log(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    place.simulator.fault("create", "drop_after")
    await place.submit(place.planned(line(1), line(2)))
    place.ledger.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))
    for canary in ("subject1", "example.com"):
        assert canary.encode() not in stored
        assert canary not in caplog.text
    assert b"DSR-1" in stored


def _refuse_users(monkeypatch: pytest.MonkeyPatch, client: PrivacyServiceClient, keys: set[str]) -> None:
    """The simulator has no rule by which one user of a request is bad; the answer would be Adobe's."""
    create_jobs = client.create_jobs

    async def picky(request: Any) -> Any:
        if {user.key for user in request.users} & keys:
            raise RequestRefused("the service refuses the request as it is.", method="POST", route="/jobs")
        return await create_jobs(request)

    monkeypatch.setattr(client, "create_jobs", picky)


def test_an_absence_is_believed_only_after_the_call_and_the_list_lag() -> None:
    patience = SubmissionSettings(timeout=60, list_lag=300)
    assert patience.settle_after == timedelta(seconds=30 + 90 + 300)
