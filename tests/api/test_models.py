from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adobe_privacy.api.bodies import parse
from adobe_privacy.api.lenient import parse_date
from adobe_privacy.api.models import (
    Action,
    CompanyContext,
    ConsentEntity,
    ConsentRequest,
    CreatedJobs,
    CreateJobsRequest,
    Identity,
    JobDetail,
    JobStatus,
    JobSummary,
    ListPage,
    User,
)
from adobe_privacy.api.names import Verdict
from adobe_privacy.results.verdicts import judge

ORG = "ABCDEF0123456789ABCDEF01@AdobeOrg"
SECRET_VALUE = "canary-identity@example.com"


def a_user(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "key": f"DSR-{number}",
        "actions": ["access"],
        "identities": [{"namespace": "email", "value": SECRET_VALUE}],
    } | fields


def a_request(**fields: Any) -> dict[str, Any]:
    return {
        "regulation": "gdpr",
        "users": [a_user()],
        "include": ["analytics", "profileService"],
        "company_contexts": [{"namespace": "imsOrgID", "value": ORG}],
    } | fields


def test_a_request_takes_the_shape_of_the_wire() -> None:
    request = CreateJobsRequest(
        regulation="ccpa",
        users=(
            User(
                key="DSR-1",
                actions=(Action.ACCESS, Action.DELETE),
                identities=(
                    Identity(namespace="email", value="ajones@example.com"),
                    Identity(namespace="ECID", value="4436", namespace_id=4),
                    Identity(namespace="loyaltyAccount", value="12AD45FE30R29", type="integrationCode"),
                ),
            ),
        ),
        include=("analytics", "profileService"),
        company_contexts=(
            CompanyContext.organisation(ORG),
            CompanyContext(namespace="Campaign", value="example-stg"),
        ),
        merge_policy_id=124,
    )
    assert request.to_wire() == {
        "companyContexts": [
            {"namespace": "imsOrgID", "value": ORG},
            {"namespace": "Campaign", "value": "example-stg"},
        ],
        "users": [
            {
                "key": "DSR-1",
                "action": ["access", "delete"],
                "userIDs": [
                    {"namespace": "email", "value": "ajones@example.com", "type": "standard"},
                    {"namespace": "ECID", "value": "4436", "type": "standard", "namespaceId": 4},
                    {"namespace": "loyaltyAccount", "value": "12AD45FE30R29", "type": "integrationCode"},
                ],
            }
        ],
        "include": ["analytics", "profileService"],
        "expandIds": False,
        "priority": "normal",
        "mergePolicyId": 124,
        "regulation": "ccpa",
    }


def test_an_opt_out_takes_the_shape_of_the_wire() -> None:
    request = ConsentRequest(entities=(ConsentEntity(namespace="email", values=("ajones@example.com",)),))
    assert request.to_wire() == {
        "optOutOfSale": True,
        "entities": [{"nameSpace": "email", "values": ["ajones@example.com"]}],
    }


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"users": [a_user(n) for n in range(1001)]}, "users"),
        ({"users": []}, "users"),
        ({"users": [a_user(1), a_user(1)]}, "users"),
        ({"users": [a_user(key="")]}, "users.0.key"),
        ({"users": [a_user(actions=[])]}, "users.0.actions"),
        ({"users": [a_user(actions=["access", "access"])]}, "users.0.actions"),
        ({"users": [a_user(actions=["opt-out-of-sale"])]}, "users.0.actions.0"),
        ({"users": [a_user(identities=[])]}, "users.0.identities"),
        (
            {"users": [a_user(identities=[{"namespace": "email", "value": SECRET_VALUE}] * 10)]},
            "users.0.identities",
        ),
        (
            {"users": [a_user(identities=[{"namespace": "email", "value": SECRET_VALUE, "type": "other"}])]},
            "users.0.identities.0.type",
        ),
        ({"users": [a_user(identities=[{"namespace": "email", "value": ""}])]}, "users.0.identities.0.value"),
        (
            {"users": [a_user(identities=[{"namespace": "", "value": SECRET_VALUE}])]},
            "users.0.identities.0.namespace",
        ),
        ({"include": []}, "include"),
        ({"include": ["profileService", "ProfileService"]}, "include"),
        ({"regulation": "gpdr"}, "regulation"),
        ({"company_contexts": []}, "company_contexts"),
        ({"company_contexts": [{"namespace": "Campaign", "value": "x"}]}, "company_contexts"),
        ({"company_contexts": [{"namespace": "imsOrgID", "value": ORG}] * 2}, "company_contexts"),
        ({"priority": "urgent"}, "priority"),
    ],
)
def test_a_bad_request_is_refused_by_field_and_without_its_value(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CreateJobsRequest.model_validate(a_request(**fields))
    assert f"\n{named}\n" in str(refused.value)
    assert SECRET_VALUE not in str(refused.value)
    assert SECRET_VALUE not in repr(refused.value)


def test_the_largest_documented_request_is_accepted() -> None:
    identities = [{"namespace": "email", "value": f"user{n}@example.com"} for n in range(9)]
    users = [a_user(n, identities=identities) for n in range(1000)]
    assert len(CreateJobsRequest.model_validate(a_request(users=users)).users) == 1000


@pytest.mark.parametrize("regulation", ["ucpa_ut_usa", "ucpa_usa", "dpdpa", "ql25", "dpdpa_ind", "pipa_kor"])
def test_current_and_retired_regulation_codes_are_accepted_as_they_are(regulation: str) -> None:
    request = CreateJobsRequest.model_validate(a_request(regulation=regulation))
    assert request.to_wire()["regulation"] == regulation


def test_no_repr_shows_an_identity() -> None:
    request = CreateJobsRequest.model_validate(a_request())
    consent = ConsentRequest(entities=(ConsentEntity(namespace="email", values=(SECRET_VALUE,)),))
    for shown in (request, request.users[0], request.users[0].identities[0], consent):
        assert SECRET_VALUE not in f"{shown!r} {shown}"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("04/29/2021 09:53 PM GMT", datetime(2021, 4, 29, 21, 53, tzinfo=UTC)),
        ("04/29/2021 12:21 AM GMT", datetime(2021, 4, 29, 0, 21, tzinfo=UTC)),
        ("04/29/2021 12:21 PM GMT", datetime(2021, 4, 29, 12, 21, tzinfo=UTC)),
        ("5/9/2018 4:05 PM", datetime(2018, 5, 9, 16, 5, tzinfo=UTC)),
        ("05/09/2018 16:05", datetime(2018, 5, 9, 16, 5, tzinfo=UTC)),
        ("2021-04-29T21:53:07Z", datetime(2021, 4, 29, 21, 53, 7, tzinfo=UTC)),
        ("2021-04-29T23:53:07+02:00", datetime(2021, 4, 29, 21, 53, 7, tzinfo=UTC)),
        ("2021-04-29T21:53:07", datetime(2021, 4, 29, 21, 53, 7, tzinfo=UTC)),
        ("13/40/2021 09:53 PM GMT", None),
        ("04/29/2021 13:53 PM GMT", None),
        ("soon", None),
        ("", None),
        (None, None),
        (1619733180, None),
    ],
)
def test_a_date_is_read_in_every_known_form(text: object, date: datetime | None) -> None:
    assert parse_date(text) == date


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_us_date_survives_writing_and_reading(moment: datetime) -> None:
    moment = moment.replace(second=0, microsecond=0)
    assert parse_date(f"{moment:%m/%d}/{moment.year:04d} {moment:%I:%M %p} GMT") == moment


OLD_CREATED = {
    "jobs": [
        {
            "jobId": "6fc09b53-c24f-4a6c-9ca2-c6076bd023j1",
            "customer": {"user": {"key": "k", "action": ["access"]}},
        }
    ],
    "requestStatus": 1,
    "totalRecords": 3,
}
NEW_CREATED = {
    "requestId": "17284033173196154RX-223",
    "totalRecords": 1,
    "jobDetails": [
        {
            "jobId": "a52ca032-858e-11ef-bbb4-27391388a0a6",
            "customer": {
                "user": {
                    "key": "k",
                    "action": ["delete"],
                    "userIDs": [{"namespace": "email", "value": SECRET_VALUE}],
                }
            },
        }
    ],
    "jobs": None,
}


def test_both_answers_to_a_creation_are_read() -> None:
    old = CreatedJobs.model_validate(OLD_CREATED)
    assert (old.request_id, old.jobs[0].key, old.jobs[0].action) == (None, "k", "access")
    new = CreatedJobs.model_validate(NEW_CREATED)
    assert (new.request_id, new.jobs[0].key, new.jobs[0].action) == (
        "17284033173196154RX-223",
        "k",
        Action.DELETE,
    )
    assert SECRET_VALUE not in repr(new) + new.model_dump_json()


def test_a_created_job_without_a_key_is_read() -> None:
    created = CreatedJobs.model_validate(
        {"jobs": [{"jobId": "1", "customer": {"user": {"action": ["access"]}}}]}
    )
    assert created.jobs[0].key is None


@pytest.mark.parametrize(
    "body",
    [{}, {"jobs": []}, {"jobs": None}, {"jobs": [{"customer": {}}]}, {"jobs": [{"jobId": ""}]}, [], "x", 1],
)
def test_a_creation_without_job_ids_is_no_answer(body: object) -> None:
    assert parse(CreatedJobs, json.dumps(body).encode()) is None


DETAIL = {
    "jobId": "527ef92d-6cd9-45cc-9bf1-477cfa1e2ca2",
    "requestId": "15700479082313109RX-899",
    "userKey": "David Smith",
    "action": "access",
    "status": "complete",
    "submittedBy": SECRET_VALUE,
    "createdDate": "10/02/2019 08:25 PM GMT",
    "lastModifiedDate": "10/02/2019 08:26 PM GMT",
    "userIds": [{"namespace": "email", "value": SECRET_VALUE, "type": "standard", "namespaceId": 6}],
    "productResponses": [
        {
            "product": "Analytics",
            "retryCount": "2",
            "processedDate": "10/02/2019 08:25 PM GMT",
            "productStatusResponse": {
                "status": "complete",
                "message": "Success",
                "responseMsgCode": "PRVCY-6000-200",
                "responseMsgDetail": "Finished successfully.",
            },
        },
        {
            "product": "AudienceManager",
            "retryCount": 0,
            "productStatusResponse": {
                "status": "complete",
                "message": "Success",
                "responseMsgCode": "PRVCY-6054-200",
                "responseMsgDetail": f"PARTIALLY COMPLETED {SECRET_VALUE}",
                "results": {"processed": ["1123A4D5690B32A"], "ignored": [SECRET_VALUE, SECRET_VALUE]},
            },
        },
        {
            "product": "Profile",
            "productStatusResponse": {
                "status": "complete",
                "responseMsgCode": "PRVCY-6000-200",
                "responseMsgDetail": "Success dataSetIds = [a, b], Failed dataSetIds = [c]",
                "results": {"receiptData": {"numberOfAuthenticationSessions": "3"}},
            },
        },
        {"product": "Identity", "productStatusResponse": {"status": "submitted"}},
        {"product": "Adobe Pass Authentication", "productStatusResponse": None},
        {"product": "CRS", "productStatusResponse": {"status": "error", "responseMsgCode": "PRVCY-1022-400"}},
    ],
    "downloadURL": "https://results.example.com/one",
    "regulation": "ccpa",
    "qualifiedCount": 3,
    "childJobs": [
        {"jobId": "child-1", "status": "processing", "productResponses": None},
        {"status": "lost"},
        None,
    ],
}


def test_a_detail_is_read_without_its_identities() -> None:
    detail = JobDetail.model_validate(DETAIL)
    assert detail.status is JobStatus.COMPLETE
    assert detail.created_at == datetime(2019, 10, 2, 20, 25, tzinfo=UTC)
    assert detail.download_url == "https://results.example.com/one"
    assert [p.product for p in detail.products] == [
        "analytics", "audienceManager", "profileService", "identity", "primetimeAuthentication", "CRS",
    ]  # fmt: skip
    assert [p.status for p in detail.products] == [
        JobStatus.COMPLETE, JobStatus.COMPLETE, JobStatus.COMPLETE, JobStatus.SUBMITTED, JobStatus.UNKNOWN,
        JobStatus.ERROR,
    ]  # fmt: skip
    assert detail.products[0].retry_count == 2
    assert (detail.products[1].processed_count, detail.products[1].ignored_count) == (1, 2)
    assert detail.products[1].code == "6054-200"
    assert [child.job_id for child in detail.child_jobs] == ["child-1", "unnamed"]
    assert SECRET_VALUE in str([each.value for each in detail.user_ids])
    assert SECRET_VALUE not in repr(detail)
    assert SECRET_VALUE not in detail.model_dump_json()
    assert "results.example.com" not in repr(detail)
    assert "David Smith" not in repr(detail)


@pytest.mark.parametrize("spelling", ["downloadUrl", "downloadURL"])
def test_both_spellings_of_the_download_are_read(spelling: str) -> None:
    detail = JobDetail.model_validate(
        {"jobId": "1", "downloadUrl": None, spelling: "https://results.example.com/"}
    )
    assert detail.download_url == "https://results.example.com/"


@pytest.mark.parametrize(
    ("word", "status", "terminal"),
    [
        ("submitted", JobStatus.SUBMITTED, False),
        ("Complete", JobStatus.COMPLETE, True),
        ("error", JobStatus.ERROR, True),
        ("expired", JobStatus.EXPIRED, True),
        (2, JobStatus.PROCESSING, False),
        ("5", JobStatus.EXPIRED, True),
        ("cancelled", JobStatus.UNKNOWN, False),
        ("unknown", JobStatus.UNKNOWN, False),
        (None, JobStatus.UNKNOWN, False),
        ({}, JobStatus.UNKNOWN, False),
    ],
)
def test_a_status_is_read_and_an_unknown_one_never_ends_a_job(
    word: object, status: JobStatus, terminal: bool
) -> None:
    read = JobDetail.model_validate({"jobId": "1", "status": word}).status
    assert read is status
    assert read.is_terminal is terminal


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"jobDetails": [{"jobId": "1"}], "totalRecords": "75"}, ["1"]),
        ({"jobs": [{"jobId": "1"}], "jobDetails": None}, ["1"]),
        ({"jobDetails": [], "jobs": [{"jobId": "1"}]}, ["1"]),
        ({"jobs": [{"jobId": 17}]}, ["17"]),
        ({"jobDetails": None, "totalRecords": 0}, []),
        ({"jobDetails": []}, []),
        ({"totalRecords": 0}, []),
        ({"jobDetails": [{"jobId": "1"}, None, {"status": "error"}, 3]}, ["1"]),
    ],
)
def test_a_page_is_read_in_every_known_form(body: dict[str, Any], ids: list[str]) -> None:
    page = parse(ListPage, json.dumps(body).encode())
    assert page is not None
    assert [job.job_id for job in page.jobs] == ids


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"totalRecords":3}', b'{"jobs":"none"}', b"\xff"]
)
def test_what_is_no_listing_is_never_taken_for_an_empty_one(body: bytes) -> None:
    assert parse(ListPage, body) is None


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """`value` with parts of it, at any depth, replaced, removed or added to."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ANY_JSON)
    if isinstance(value, dict):
        kept = {k: draw(damaged(v)) for k, v in value.items() if draw(st.integers(0, 9))}
        return kept | draw(st.dictionaries(st.text(max_size=5), ANY_JSON, max_size=1))
    if isinstance(value, list):
        return [draw(damaged(item)) for item in value if draw(st.integers(0, 9))]
    return value


@settings(max_examples=150, deadline=None)
@given(damaged(DETAIL) | ANY_JSON)
def test_no_damaged_detail_crashes_the_reading(body: Any) -> None:
    detail = parse(JobDetail, json.dumps(body).encode(), {"jobId": "1"})
    if detail is not None:
        assert isinstance(judge(detail).verdict, Verdict)
        assert all(isinstance(product.product, str) for product in detail.products)
        assert SECRET_VALUE not in repr(detail)


@settings(max_examples=100, deadline=None)
@given(damaged({"jobDetails": [DETAIL, DETAIL], "totalRecords": 2}) | damaged(NEW_CREATED) | ANY_JSON)
def test_no_damaged_listing_or_creation_crashes_the_reading(body: Any) -> None:
    models: tuple[type[ListPage | CreatedJobs], ...] = (ListPage, CreatedJobs)
    for model in models:
        parsed = parse(model, json.dumps(body).encode())
        if parsed is not None:
            assert all(job.job_id for job in parsed.jobs)


@pytest.mark.parametrize(
    ("date", "believed"),
    [
        ("12/31/9999 11:59 PM GMT", False),
        ("01/01/1970 12:00 AM GMT", False),
        ("12/31/2017 11:59 PM GMT", False),
        ("05/25/2018 12:00 AM GMT", True),
        ("11/21/2026 12:00 PM GMT", True),
        ("11/22/2026 11:59 PM GMT", True),
        ("11/24/2026 12:00 PM GMT", False),
    ],
)
def test_a_date_that_cannot_be_is_taken_for_unknown(date: str, believed: bool) -> None:
    row = JobSummary.model_validate({"jobId": "j", "createdDate": date, "lastModifiedDate": date})
    assert row.last_modified_at is not None
    kept = row.plausible(datetime(2026, 11, 21, 12, 0, tzinfo=UTC))
    assert (kept.created_at is not None, kept.last_modified_at is not None) == (believed, believed)
