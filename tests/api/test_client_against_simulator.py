from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from adobe_privacy.api import errors
from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.models import (
    Action,
    CompanyContext,
    ConsentEntity,
    ConsentRequest,
    CreateJobsRequest,
    Identity,
    JobStatus,
    User,
)
from adobe_privacy.api.names import Verdict
from adobe_privacy.results.verdicts import judge
from tests.support.simulator import Simulator, running_simulator


@pytest.fixture(scope="module")
def shared_simulator() -> Iterator[Simulator]:
    with running_simulator(start_time="2026-11-20T12:00:00+00:00") as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Simulator:
    shared_simulator.reset()
    return shared_simulator


def client_of(simulator: Simulator, **settings: Any) -> PrivacyServiceClient:
    defaults = {"timeout": 10.0, "retry_base_delay": 0.01, "retry_after_cap": 0.05}
    return PrivacyServiceClient(simulator.client_config(**defaults | settings))


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[PrivacyServiceClient]:
    async with client_of(simulator) as client:
        yield client


def a_request(
    simulator: Simulator, *keys: str, actions: tuple[Action, ...] = (Action.ACCESS,)
) -> CreateJobsRequest:
    return CreateJobsRequest(
        regulation="gdpr",
        users=tuple(
            User(
                key=key,
                actions=actions,
                identities=(Identity(namespace="ECID", value=f"{sum(key.encode()):038}"),),
            )
            for key in keys
        ),
        include=("analytics", "audienceManager", "profileService"),
        company_contexts=(CompanyContext.organisation(simulator.org_id),),
    )


async def listed(client: PrivacyServiceClient, **filters: Any) -> list[str]:
    span = {"from_date": date(2026, 11, 1), "to_date": date(2026, 11, 20)} | filters
    return [job.job_id async for job in client.list_jobs("gdpr", **span)]


async def fetched(client: PrivacyServiceClient, job_id: str, url: str | None = None) -> bytes:
    async with client.download(job_id, url) as download:
        return b"".join([chunk async for chunk in download.chunks()])


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"create_style": "old", "create_array": "jobDetails", "create_status": 200},
        {"download_url_field": "downloadURL", "list_array": "jobs"},
        {"download_url_host": "blob", "odd_job_id_every": 1},
        {"expires_in_unit": "milliseconds", "page_base": 1, "page_zero": "first_page"},
        {"content_length": False, "error_envelope": "flat", "child_jobs": True},
    ],
)
async def test_a_request_goes_from_submission_to_result(
    simulator: Simulator, client: PrivacyServiceClient, switches: dict[str, Any]
) -> None:
    simulator.switch(**switches)
    request = a_request(simulator, "DSR-1", "DSR-2", actions=(Action.ACCESS, Action.DELETE))
    created = await client.create_jobs(request)
    jobs = {(job.key, job.action): job.job_id for job in created.jobs}
    assert set(jobs) == {(key, action) for key in ("DSR-1", "DSR-2") for action in Action}

    assert (await client.get_job(jobs["DSR-1", "access"])).status is JobStatus.SUBMITTED
    simulator.advance(60)
    assert set(jobs.values()) <= set(await listed(client, status=JobStatus.COMPLETE))

    access = await client.get_job(jobs["DSR-1", "access"])
    assert (access.status, access.key, access.regulation) == (JobStatus.COMPLETE, "DSR-1", "gdpr")
    assert {product.product for product in access.products} == {
        "analytics",
        "audienceManager",
        "profileService",
    }
    assert judge(access).verdict is Verdict.DONE
    assert len(access.child_jobs) == (1 if switches.get("child_jobs") else 0)
    assert access.download_url is not None
    result = await fetched(client, access.job_id, access.download_url)
    assert zipfile.ZipFile(io.BytesIO(result)).testzip() is None
    assert (await client.get_job(jobs["DSR-2", "delete"])).download_url is None
    assert simulator.counters()["calls"]["token"] == 1


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"page_size_max": 25, "page_base": 1, "page_zero": "refuse"},
        {"page_size_max": 100, "page_base": 1, "page_zero": "empty"},
        {"page_size_max": 100, "page_base": 1, "page_zero": "first_page"},
        {"page_size_max": 25, "total_records": "total", "empty_list": "200"},
        {"page_size_max": 25, "list_order": "oldest_first", "list_array": "jobs"},
        {"page_size_max": 25, "jobs_added_per_list_call": 3},
        {"page_size_max": 100, "jobs_added_per_list_call": 7, "page_base": 1, "page_zero": "first_page"},
    ],
)
async def test_every_job_is_listed_once_however_the_service_pages(
    simulator: Simulator, client: PrivacyServiceClient, switches: dict[str, Any]
) -> None:
    simulator.switch(**switches)
    made = simulator.create_jobs(count=230, regulation="gdpr", action="access")
    found = await listed(client)
    assert set(made) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("empty", ["404", "200"])
async def test_an_empty_day_is_empty(simulator: Simulator, client: PrivacyServiceClient, empty: str) -> None:
    simulator.switch(empty_list=empty)
    assert await listed(client) == []


async def test_jobs_of_the_whole_look_back_are_listed(
    simulator: Simulator, client: PrivacyServiceClient
) -> None:
    today = date(2026, 11, 20)
    made = [
        simulator.create_jobs(
            count=1, regulation="gdpr", created_at=f"{today - timedelta(days=age)}T08:00:00+00:00"
        )[0]
        for age in (0, 1, 15, 16, 28, 29, 30, 31, 44, 45)
    ]
    for inclusive in (True, False):
        simulator.switch(to_date_inclusive=inclusive)
        found = await listed(client, from_date=today - timedelta(days=45), to_date=today)
        assert set(found) == set(made if inclusive else made[1:])


async def test_an_unknown_regulation_is_refused_by_field(client: PrivacyServiceClient) -> None:
    with pytest.raises(errors.RequestRefused) as refused:
        _ = [
            job
            async for job in client.list_jobs("gpdr", from_date=date(2026, 11, 1), to_date=date(2026, 11, 2))
        ]
    assert refused.value.field == "regulation"


@pytest.mark.parametrize(
    "kind",
    ["drop_before", "error_before", "rate_limited", "token_revoked", "not_json", "closed_early", "reset"],
)
async def test_reading_survives_a_passing_fault(
    simulator: Simulator, client: PrivacyServiceClient, kind: str
) -> None:
    job = (await client.create_jobs(a_request(simulator, "DSR-1"))).jobs[0].job_id
    for operation in ("list", "detail"):
        simulator.fault(operation, kind, retry_after="0")
    assert await listed(client) == [job]
    assert (await client.get_job(job)).job_id == job
    assert simulator.faults() == []


@pytest.mark.parametrize("kind", ["extra_fields", "missing_fields", "null_arrays", "chunk_broken"])
async def test_odd_answers_are_read(simulator: Simulator, client: PrivacyServiceClient, kind: str) -> None:
    job = (await client.create_jobs(a_request(simulator, "DSR-1"))).jobs[0].job_id
    for operation in ("list", "detail"):
        simulator.fault(operation, kind)
    assert await listed(client) == [job]
    assert (await client.get_job(job)).job_id == job


@pytest.mark.parametrize(
    ("fault", "created"),
    [
        ({"kind": "drop_before"}, 0),
        ({"kind": "drop_after"}, 1),
        ({"kind": "error_before", "status": 503}, 0),
        ({"kind": "error_after", "status": 504, "body": "html"}, 1),
        ({"kind": "not_json"}, 1),
        ({"kind": "closed_early"}, 1),
        ({"kind": "reset"}, 1),
        ({"kind": "chunk_broken"}, 1),
        ({"kind": "hang_after", "seconds": 3}, 1),
        ({"kind": "partial_response"}, 1),
    ],
)
async def test_a_creation_with_an_unclear_end_is_told_so_and_sent_once(
    simulator: Simulator, fault: dict[str, Any], created: int
) -> None:
    simulator.fault("create", **fault)
    async with client_of(simulator, timeout=0.5) as client:
        with pytest.raises(errors.OutcomeUnknown):
            await client.create_jobs(a_request(simulator, "DSR-1"))
    assert len(simulator.jobs()) == created
    assert simulator.calls()["create"] == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "rate_limited", "retry_after": "2400"}, errors.RateLimited),
        ({"kind": "rate_limited", "retry_after": "date:90"}, errors.RateLimited),
        ({"kind": "rate_limited", "retry_after": None}, errors.RateLimited),
        ({"kind": "quota_refusal"}, errors.QuotaReached),
        ({"kind": "quota_refusal", "status": 429}, errors.RateLimited),
    ],
)
async def test_a_creation_that_did_not_happen_is_told_so_and_sent_once(
    simulator: Simulator, client: PrivacyServiceClient, fault: dict[str, Any], kind: type[Exception]
) -> None:
    simulator.fault("create", **fault)
    with pytest.raises(kind):
        await client.create_jobs(a_request(simulator, "DSR-1"))
    assert simulator.jobs() == []
    assert simulator.calls()["create"] == 1


async def test_the_daily_limit_is_told_as_the_quota(
    simulator: Simulator, client: PrivacyServiceClient
) -> None:
    simulator.switch(daily_job_limit=1)
    await client.create_jobs(a_request(simulator, "DSR-1"))
    with pytest.raises(errors.QuotaReached):
        await client.create_jobs(a_request(simulator, "DSR-2"))


async def test_a_token_revoked_before_a_creation_costs_one_repetition(
    simulator: Simulator, client: PrivacyServiceClient
) -> None:
    await client.fetch_token()
    simulator.revoke_tokens()
    assert len((await client.create_jobs(a_request(simulator, "DSR-1"))).jobs) == 1
    assert len(simulator.jobs()) == 1
    assert simulator.calls()["token"] == 2


@pytest.mark.parametrize("refusal", ["403", "1010-400"])
async def test_a_missing_permission_is_named(
    simulator: Simulator, client: PrivacyServiceClient, refusal: str
) -> None:
    simulator.switch(permissions=["optout_read"], permission_refusal=refusal)
    with pytest.raises(errors.PermissionDenied, match="Privacy Write"):
        await client.create_jobs(a_request(simulator, "DSR-1"))
    with pytest.raises(errors.PermissionDenied, match="Privacy Read"):
        await listed(client)
    with pytest.raises(errors.PermissionDenied, match="Opt-out Write"):
        await client.send_consent(
            ConsentRequest(entities=(ConsentEntity(namespace="email", values=("a@example.com",)),))
        )


@pytest.mark.parametrize(
    ("settings", "step"),
    [
        ({"client_secret": "wrong"}, "token"),
        ({"client_id": "wrong"}, "token"),
        ({"scopes": ("openid", "unheard_of")}, "token"),
    ],
)
@pytest.mark.parametrize("status", [400, 401])
async def test_a_wrong_credential_is_told_by_step(
    simulator: Simulator, settings: dict[str, Any], step: str, status: int
) -> None:
    simulator.switch(invalid_client_status=status)
    async with client_of(simulator, **settings) as client:
        with pytest.raises(errors.AuthenticationFailed) as failed:
            await client.fetch_token()
    assert failed.value.step == step
    assert simulator.calls()["token"] == 1


async def test_another_organisation_is_refused(simulator: Simulator) -> None:
    async with client_of(simulator, org_id="other@AdobeOrg") as client:
        with pytest.raises(errors.PermissionDenied, match="organisation"):
            await listed(client)


async def test_a_wrong_base_url_is_told_as_such(simulator: Simulator) -> None:
    async with client_of(simulator, base_url=f"{simulator.url}/nowhere") as client:
        with pytest.raises(errors.NotFound):
            await listed(client)


async def test_a_job_that_is_gone_is_not_found(simulator: Simulator, client: PrivacyServiceClient) -> None:
    job = (await client.create_jobs(a_request(simulator, "DSR-1"))).jobs[0].job_id
    simulator.advance(31 * 86400)
    with pytest.raises(errors.NotFound) as gone:
        await client.get_job(job)
    assert gone.value.job_data


@pytest.mark.parametrize("status", [404, 400])
async def test_a_result_that_is_not_ready_is_refused_before_its_body(
    simulator: Simulator, client: PrivacyServiceClient, status: int
) -> None:
    simulator.switch(content_not_ready_status=status)
    job = (await client.create_jobs(a_request(simulator, "DSR-1"))).jobs[0].job_id
    with pytest.raises(errors.NotFound if status == 404 else errors.RequestRefused):
        await fetched(client, job)


@pytest.mark.parametrize("kind", ["closed_early", "reset", "chunk_broken"])
async def test_a_result_that_breaks_off_is_refused(
    simulator: Simulator, client: PrivacyServiceClient, kind: str
) -> None:
    job = (await client.create_jobs(a_request(simulator, "DSR-1"))).jobs[0].job_id
    simulator.advance(60)
    simulator.fault("content", kind)
    with pytest.raises(errors.TemporarilyUnavailable):
        await fetched(client, job)


async def test_products_that_fail_in_part_or_wholly_are_told_apart(
    simulator: Simulator, client: PrivacyServiceClient
) -> None:
    simulator.scenario(
        {
            "rules": [
                {"product": "analytics", "code": "1024-400", "retry_count": 2},
                {"product": "audienceManager", "code": "6054-200", "ignored": 1},
                {"product": "profileService", "code": "6000-200", "failed_datasets": ["one"]},
            ]
        }
    )
    job = (await client.create_jobs(a_request(simulator, "DSR-1"))).jobs[0].job_id
    simulator.advance(60)
    detail = await client.get_job(job)
    products = {product.product: product for product in detail.products}
    assert detail.status is JobStatus.ERROR
    assert products["analytics"].retry_count == 2
    assert [(answer.product, answer.verdict) for answer in judge(detail).answers] == [
        ("analytics", Verdict.NOT_DONE),
        ("audienceManager", Verdict.NOBODY_FOUND),
        ("profileService", Verdict.DATA_LEFT),
    ]


async def test_an_opt_out_arrives(simulator: Simulator, client: PrivacyServiceClient) -> None:
    values = ("a@example.com", "b@example.com")
    await client.send_consent(ConsentRequest(entities=(ConsentEntity(namespace="email", values=values),)))
    assert simulator.calls()["consent"] == 1
    assert simulator.consents()


@pytest.mark.parametrize("skew", [0, 3 * 86400, -3 * 86400])
@pytest.mark.parametrize("status", [None, JobStatus.COMPLETE])
async def test_a_to_date_in_the_future_that_is_refused_is_asked_with_today(
    simulator: Simulator, skew: int, status: JobStatus | None
) -> None:
    simulator.switch(future_to_date="refuse", clock_skew_seconds=skew)
    today = datetime.fromisoformat(simulator.now()).date()
    job = simulator.create_jobs(count=1, regulation="gdpr", action="access")[0]
    simulator.advance(60)
    span = {"from_date": today - timedelta(days=10), "to_date": today + timedelta(days=4), "status": status}
    async with client_of(simulator) as client:
        assert await listed(client, **span) == [job]
        learning = simulator.calls()["list"]
        assert await listed(client, **span) == [job]
    # Once known, it costs nothing any more.
    assert simulator.calls()["list"] - learning < learning


async def test_a_refusal_for_another_reason_is_not_blamed_on_the_date(simulator: Simulator) -> None:
    today = datetime.fromisoformat(simulator.now()).date()
    async with client_of(simulator) as client:
        with pytest.raises(errors.RequestRefused) as refused:
            _ = [
                job
                async for job in client.list_jobs("gpdr", from_date=today, to_date=today + timedelta(days=1))
            ]
    assert refused.value.field == "regulation"
