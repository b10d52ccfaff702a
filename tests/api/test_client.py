from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from adobe_privacy import __version__
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
from tests.api.fake_service import NO_JOB_DATA, ORG, FakeService, config, job_row, page, unread

REQUEST = CreateJobsRequest(
    regulation="gdpr",
    users=(
        User(
            key="DSR-1",
            actions=(Action.ACCESS,),
            identities=(Identity(namespace="email", value="a@example.com"),),
        ),
    ),
    include=("analytics",),
    company_contexts=(CompanyContext.organisation(ORG),),
)
CONSENT = ConsentRequest(entities=(ConsentEntity(namespace="email", values=("a@example.com",)),))
CREATED = httpx.Response(
    202,
    json={
        "requestId": "1RX-1",
        "jobs": [{"jobId": "j", "customer": {"user": {"key": "DSR-1", "action": ["access"]}}}],
    },
)
DETAIL = httpx.Response(200, json={"jobId": "j", "status": "complete", "productResponses": []})
UNAUTHORISED = httpx.Response(401, json={"error_code": "401013", "message": "Oauth token is not valid"})

Operation = Callable[[PrivacyServiceClient], Awaitable[Any]]
CREATIONS: list[Operation] = [lambda c: c.create_jobs(REQUEST), lambda c: c.send_consent(CONSENT)]


async def list_everything(client: PrivacyServiceClient, **arguments: Any) -> list[str]:
    span = {"from_date": date(2026, 11, 1), "to_date": date(2026, 11, 20)} | arguments
    return [job.job_id async for job in client.list_jobs("gdpr", **span)]


async def test_a_request_carries_what_adobe_asks_for() -> None:
    service = FakeService([CREATED])
    async with service.client() as client:
        created = await client.create_jobs(REQUEST)
    assert (created.request_id, created.jobs[0].job_id, created.jobs[0].key) == ("1RX-1", "j", "DSR-1")
    sent = service.calls[0]
    assert (sent.method, str(sent.url)) == ("POST", "https://api.example.com/p/jobs")
    assert sent.headers["authorization"] == "Bearer token-1"
    assert sent.headers["x-api-key"] == "an-id"
    assert sent.headers["x-gw-ims-org-id"] == ORG
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["user-agent"] == f"airflow-adobe-privacy/{__version__}"


async def test_a_listing_asks_for_every_filter() -> None:
    service = FakeService([page([job_row(1)]), httpx.Response(404, json=NO_JOB_DATA)])
    async with service.client() as client:
        found = await list_everything(client, status=JobStatus.COMPLETE, filter_date=date(2026, 11, 3))
    assert found == ["job-1"]
    assert dict(service.calls[0].url.params) == {
        "regulation": "gdpr", "fromDate": "2026-11-01", "toDate": "2026-11-20", "status": "complete",
        "filterDate": "2026-11-03", "page": "0", "size": "1000",
    }  # fmt: skip


async def test_a_long_span_is_cut_and_a_job_in_two_windows_is_given_once() -> None:
    service = FakeService([page([job_row(1)]), httpx.Response(404, json=NO_JOB_DATA)] * 2)
    async with service.client() as client:
        assert await list_everything(client, from_date=date(2026, 10, 6)) == ["job-1"]
    spans = [(call.url.params["fromDate"], call.url.params["toDate"]) for call in service.calls]
    assert spans[::2] == [("2026-10-06", "2026-11-04"), ("2026-11-04", "2026-11-20")]


@pytest.mark.parametrize(
    "empty",
    [
        httpx.Response(404, json=NO_JOB_DATA),
        httpx.Response(200, json={"jobDetails": [], "totalRecords": 0}),
        httpx.Response(200, json={"jobs": None, "totalRecords": 0}),
    ],
)
async def test_an_empty_listing_is_empty_in_every_form(empty: httpx.Response) -> None:
    async with FakeService([empty]).client() as client:
        assert await list_everything(client) == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="<html>404</html>"),
        httpx.Response(404, json={"error_code": "404000", "message": "Resource not found"}),
        httpx.Response(200, text="<html>maintenance</html>"),
        httpx.Response(200, json={}),
        httpx.Response(200),
    ],
)
async def test_what_is_not_clearly_empty_is_an_error(answer: httpx.Response) -> None:
    async with FakeService([answer]).client() as client:
        with pytest.raises((errors.NotFound, errors.UnreadableAnswer)):
            await list_everything(client)


@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(408), httpx.Response(425), httpx.Response(429), httpx.Response(500), httpx.Response(503),
        httpx.Response(504, text="<html>"), httpx.Response(200, text="<html>"), httpx.ConnectError("x"),
        httpx.ConnectTimeout("x"), httpx.ReadTimeout("x"), httpx.ReadError("x"), httpx.RemoteProtocolError("x"),
    ],
)  # fmt: skip
async def test_a_get_is_repeated_after_a_passing_fault(fault: httpx.Response | Exception) -> None:
    service = FakeService([fault, fault, DETAIL])
    async with service.client() as client:
        assert (await client.get_job("j")).status is JobStatus.COMPLETE
    assert len(service.calls) == 3
    assert len(service.clock.sleeps) == 2
    assert 0 <= service.clock.sleeps[0] <= 1
    assert 0 <= service.clock.sleeps[1] <= 2


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_a_get_is_not_repeated_where_that_cannot_help(status: int) -> None:
    service = FakeService([httpx.Response(status)])
    async with service.client() as client:
        with pytest.raises(errors.PrivacyServiceError):
            await client.get_job("j")
    assert len(service.calls) == 1


async def test_a_get_gives_up_after_the_configured_attempts() -> None:
    service = FakeService([httpx.Response(503)])
    async with service.client(retry_attempts=3) as client:
        with pytest.raises(errors.TemporarilyUnavailable) as given_up:
            await client.get_job("j")
    assert len(service.calls) == 3
    assert given_up.value.given_up


@pytest.mark.parametrize(
    ("asked", "slept"),
    [("7", 7.0), ("Fri, 20 Nov 2026 22:30:09 GMT", 9.0), ("60", 60.0), ("0", 0.0)],
)
async def test_a_get_waits_as_long_as_it_is_asked_to(asked: str, slept: float) -> None:
    service = FakeService([httpx.Response(429, headers={"Retry-After": asked}), DETAIL])
    async with service.client() as client:
        await client.get_job("j")
    assert service.clock.sleeps == [slept]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["61", "2400", "86400", "Fri, 20 Nov 2026 23:30:00 GMT"])
async def test_a_get_that_would_have_to_wait_longer_than_the_cap_is_not_sent_again(
    status: int, asked: str
) -> None:
    service = FakeService([httpx.Response(status, headers={"Retry-After": asked}), DETAIL])
    async with service.client() as client:
        with pytest.raises(errors.TemporarilyUnavailable) as asked_to_wait:
            await client.get_job("j")
    assert asked_to_wait.value.retry_after is not None
    assert asked_to_wait.value.retry_after > 60
    assert (len(service.calls), service.clock.sleeps) == (1, [])


async def test_no_wait_goes_beyond_the_budget() -> None:
    service = FakeService([httpx.Response(429, headers={"Retry-After": "50"})])
    async with service.client(retry_budget=120, retry_attempts=100) as client:
        with pytest.raises(errors.RateLimited) as limited:
            await client.get_job("j")
    assert limited.value.retry_after == 50.0
    assert service.clock.sleeps == [50.0, 50.0]


@pytest.mark.parametrize("create", CREATIONS)
@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(500), httpx.Response(502), httpx.Response(503, headers={"Retry-After": "1"}),
        httpx.Response(504, text="<html>"), httpx.Response(408), httpx.ReadTimeout("x"), httpx.WriteTimeout("x"),
        httpx.ReadError("x"), httpx.WriteError("x"), httpx.RemoteProtocolError("x"), httpx.LocalProtocolError("x"),
    ],
)  # fmt: skip
async def test_a_creation_that_may_have_happened_is_never_sent_again(
    create: Operation, fault: httpx.Response | Exception
) -> None:
    service = FakeService([fault])
    async with service.client() as client:
        with pytest.raises(errors.OutcomeUnknown):
            await create(client)
    assert len(service.calls) == 1
    assert service.clock.sleeps == []


@pytest.mark.parametrize("create", CREATIONS)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (httpx.ConnectError("x"), errors.ConnectionFailed),
        (httpx.ConnectTimeout("x"), errors.ConnectionFailed),
        (httpx.ProxyError("x"), errors.ConnectionFailed),
        (httpx.PoolTimeout("x"), errors.ConnectionFailed),
        (httpx.Response(429), errors.RateLimited),
        (httpx.Response(400, json={"detail": "Daily limit exceeded"}), errors.QuotaReached),
        (httpx.Response(400), errors.RequestRefused),
        (httpx.Response(403), errors.PermissionDenied),
        (httpx.Response(404, text="<html>"), errors.NotFound),
        (httpx.Response(307, headers={"Location": "http://other.example.com/"}), errors.RequestRefused),
    ],
)
async def test_a_creation_that_did_not_happen_says_so_and_is_not_sent_again(
    create: Operation, fault: httpx.Response | Exception, kind: type[Exception]
) -> None:
    service = FakeService([fault])
    async with service.client() as client:
        with pytest.raises(kind):
            await create(client)
    assert len(service.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(202),
        httpx.Response(202, json={}),
        httpx.Response(202, json={"jobs": []}),
        httpx.Response(202, json={"jobs": [{"customer": {}}]}),
    ],
)
async def test_an_accepted_creation_that_names_no_jobs_leaves_the_outcome_open(
    answer: httpx.Response,
) -> None:
    service = FakeService([answer])
    async with service.client() as client:
        with pytest.raises(errors.OutcomeUnknown):
            await client.create_jobs(REQUEST)
    assert len(service.calls) == 1


@pytest.mark.parametrize("create", CREATIONS)
@pytest.mark.parametrize(
    ("token_fault", "kind"),
    [
        (httpx.Response(500), errors.TemporarilyUnavailable),
        (httpx.ReadTimeout("x"), errors.TemporarilyUnavailable),
        (httpx.Response(200, text="<html>"), errors.UnreadableAnswer),
        (httpx.Response(400, json={"error": "invalid_client"}), errors.AuthenticationFailed),
    ],
)
async def test_a_creation_without_a_token_did_not_happen(
    create: Operation, token_fault: httpx.Response | Exception, kind: type[Exception]
) -> None:
    service = FakeService([CREATED])
    service.token_answers = [token_fault] * 9
    async with service.client() as client:
        with pytest.raises(kind):
            await create(client)
    assert service.calls == []


@pytest.mark.parametrize("create", CREATIONS)
async def test_a_creation_whose_token_is_refused_is_sent_once_more_with_a_new_one(create: Operation) -> None:
    service = FakeService([UNAUTHORISED, CREATED])
    async with service.client() as client:
        await create(client)
    assert [call.headers["authorization"] for call in service.calls] == ["Bearer token-1", "Bearer token-2"]


async def test_a_request_for_another_organisation_is_not_sent() -> None:
    other = REQUEST.model_copy(update={"company_contexts": (CompanyContext.organisation("other@AdobeOrg"),)})
    service = FakeService([CREATED])
    async with service.client() as client:
        with pytest.raises(errors.RequestRefused) as refused:
            await client.create_jobs(other)
    assert refused.value.field == "companyContexts"
    assert service.calls == []


async def test_a_refused_token_is_renewed_once_tried_after_pauses_and_then_given_up() -> None:
    service = FakeService([UNAUTHORISED])
    async with service.client() as client:
        with pytest.raises(errors.AuthenticationFailed) as failed:
            await client.get_job("j")
    assert failed.value.step == "api"
    assert (service.tokens, len(service.calls)) == (2, 4)
    assert service.clock.sleeps == [1.0, 5.0]


@pytest.mark.parametrize("operation", [*CREATIONS, lambda c: c.get_job("j")])
async def test_a_new_token_that_is_refused_twice_and_then_taken_fails_nothing(operation: Operation) -> None:
    """Adobe answers 401013 now and then right after a token was given out."""
    service = FakeService(
        [UNAUTHORISED, UNAUTHORISED, UNAUTHORISED, CREATED if operation in CREATIONS else DETAIL]
    )
    async with service.client() as client:
        await operation(client)
    assert (service.tokens, len(service.calls)) == (2, 4)


async def test_a_bad_credential_is_told_as_the_token_step_and_not_tried_again() -> None:
    service = FakeService([DETAIL])
    service.token_answers = [
        httpx.Response(400, json={"error": "invalid_client", "error_description": "x"})
    ] * 5
    async with service.client() as client:
        with pytest.raises(errors.AuthenticationFailed, match="invalid_client") as failed:
            await client.fetch_token()
    assert failed.value.step == "token"
    assert service.tokens == 1


async def test_a_token_service_that_is_down_is_not_asked_more_often_than_configured() -> None:
    service = FakeService([DETAIL])
    service.token_answers = [httpx.Response(503)] * 99
    async with service.client(retry_attempts=3) as client:
        with pytest.raises(errors.TemporarilyUnavailable):
            await client.get_job("j")
    assert service.tokens == 3


async def test_many_callers_share_one_token_request() -> None:
    service = FakeService([DETAIL])
    async with service.client() as client:
        await asyncio.gather(*(client.get_job("j") for _ in range(30)))
    assert service.tokens == 1


async def test_many_callers_with_a_refused_token_share_one_renewal() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return UNAUTHORISED if request.headers["authorization"] == "Bearer token-1" else DETAIL

    service = FakeService([answer])
    async with service.client() as client:
        await asyncio.gather(*(client.get_job("j") for _ in range(30)))
    assert service.tokens == 2


async def test_one_cancelled_caller_does_not_take_the_token_from_the_others() -> None:
    service = FakeService([DETAIL])
    async with service.client() as client:
        first = asyncio.create_task(client.get_job("j"))
        second = asyncio.create_task(client.get_job("j"))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).job_id == "j"
    assert service.tokens == 1


@pytest.mark.parametrize(
    ("expires_in", "kept_for"),
    [
        (86399, 86399 - 300),
        (86399992, 86399 - 300),
        (100, 50),
        ("600", 300),
        (None, 3300),
        ("soon", 3300),
        (0, 0),
    ],
)
async def test_a_token_is_kept_until_shortly_before_it_ends(expires_in: Any, kept_for: int) -> None:
    service = FakeService([DETAIL])
    service.token_answers = [httpx.Response(200, json={"access_token": "t", "expires_in": expires_in})]
    async with service.client() as client:
        await client.fetch_token()
        await service.clock.sleep(max(kept_for - 1, 0))
        await client.fetch_token()
        assert service.tokens == (1 if kept_for else 2)
        await service.clock.sleep(2)
        await client.fetch_token()
        assert service.tokens >= 2


async def test_the_token_request_has_the_form_that_ims_asks_for() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return unread(httpx.Response(200, json={"access_token": "t", "expires_in": 86399}))

    async with PrivacyServiceClient(
        config(scopes=("openid", "AdobeID")), transport=httpx.MockTransport(answer)
    ) as c:
        await c.fetch_token()
    assert sent[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(httpx.QueryParams(sent[0].content.decode())) == {
        "grant_type": "client_credentials", "client_id": "an-id", "client_secret": "a-secret",
        "scope": "openid,AdobeID",
    }  # fmt: skip


@pytest.mark.parametrize("token", ["", None, "two\nlines", 3, "ümlaut"])
async def test_an_unusable_token_is_refused_and_not_shown(token: Any) -> None:
    service = FakeService([DETAIL])
    service.token_answers = [httpx.Response(200, json={"access_token": token})] * 9
    async with service.client() as client:
        with pytest.raises(errors.UnreadableAnswer) as refused:
            await client.fetch_token()
    assert not isinstance(token, str) or not token or token not in str(refused.value)


@pytest.mark.parametrize("job_id", ["", ".", ".."])
async def test_a_job_id_that_is_none_is_refused(job_id: str) -> None:
    service = FakeService([DETAIL])
    async with service.client() as client:
        with pytest.raises(errors.RequestRefused):
            await client.get_job(job_id)
    assert service.calls == []


async def test_a_job_id_cannot_lead_to_another_address() -> None:
    service = FakeService([httpx.Response(404)])
    async with service.client() as client:
        with pytest.raises(errors.NotFound):
            await client.get_job("../consent?x=1")
    assert service.calls[0].url.raw_path == b"/p/jobs/..%2Fconsent%3Fx%3D1"


async def test_the_detail_of_another_job_is_refused() -> None:
    service = FakeService([httpx.Response(200, json={"jobId": "other", "status": "complete"})])
    async with service.client(retry_attempts=1) as client:
        with pytest.raises(errors.UnreadableAnswer):
            await client.get_job("j")


async def test_every_error_of_a_call_is_free_of_the_error_below() -> None:
    for fault in (
        httpx.ReadError("canary"),
        httpx.ConnectError("canary"),
        httpx.LocalProtocolError("canary"),
    ):
        async with FakeService([fault]).client(retry_attempts=1) as client:
            for call in (client.get_job("j"), client.create_jobs(REQUEST)):
                with pytest.raises(errors.PrivacyServiceError) as raised:
                    await call
                assert raised.value.__context__ is None
                assert raised.value.__cause__ is None
                assert "canary" not in str(raised.value)


async def test_the_time_is_the_api_s_own_once_an_answer_has_told_it() -> None:
    service = FakeService(
        [httpx.Response(200, json={"jobId": "j"}, headers={"Date": "Sat, 21 Nov 2026 00:10:00 GMT"})]
    )
    async with service.client() as client:
        assert client.server_time() == service.clock.now()
        await client.get_job("j")
        await service.clock.sleep(60)
        assert client.server_time() == datetime(2026, 11, 21, 0, 11, tzinfo=UTC)


@pytest.mark.parametrize("told", ["", "yesterday", "Sat, 99 Nov 2026 00:10:00 GMT"])
async def test_an_unreadable_time_of_the_api_is_ignored(told: str) -> None:
    service = FakeService([httpx.Response(200, json={"jobId": "j"}, headers={"Date": told})])
    async with service.client() as client:
        await client.get_job("j")
        assert client.server_time() == service.clock.now()


async def test_a_body_shorter_than_promised_is_refused_even_if_the_transport_lets_it_pass() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": "10"}, content=b"123456789")

    async with FakeService([answer]).client() as client, client.download("j") as result:
        with pytest.raises(errors.TemporarilyUnavailable):
            assert [chunk async for chunk in result.chunks()]
