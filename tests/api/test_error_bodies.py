from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adobe_privacy.api import errors
from adobe_privacy.api.error_bodies import error_for, retry_after, speaks_of_an_error

NOW = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
CANARY = "canary@example.com"


def envelope(status: int, title: str, detail: str) -> dict[str, Any]:
    return {"errors": {"errorType": "uri=/jobs", "errorCode": status, "title": title, "detail": detail}}


def error(
    status: int,
    body: object = b"",
    *,
    method: str = "GET",
    route: str = "/jobs",
    headers: dict[str, str] | None = None,
) -> errors.PrivacyServiceError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_for(method, route, status, headers or {}, content, creates=method == "POST", now=NOW)


GET_ANSWERS = [
    (400, envelope(400, "Invalid Request", f"bad {CANARY}"), errors.RequestRefused),
    (
        400,
        {"status": 400, "title": "BadRequestError", "detail": "A valid content-type"},
        errors.RequestRefused,
    ),
    (400, {"error_code": "400003", "message": "Missing header"}, errors.RequestRefused),
    (400, envelope(400, "Invalid Request", "Daily upload limit exceeded"), errors.QuotaReached),
    (
        400,
        envelope(400, "Invalid Request", "The daily upload limit of jobs has been exceeded."),
        errors.QuotaReached,
    ),
    # A 429 is the rate limit, whatever its text says.
    (429, {"error_code": "429050", "message": "Your daily quota is used up"}, errors.RateLimited),
    (429, {"error_code": "429050", "message": "Too many requests"}, errors.RateLimited),
    (400, {"errorCode": "PRVCY-1030-400", "detail": "workload"}, errors.RateLimited),
    (
        400,
        envelope(400, "Invalid Request", "The workload was exceeded for the current document rate limit."),
        errors.RateLimited,
    ),
    (400, {"errorCode": "1010-400", "detail": "missing"}, errors.PermissionDenied),
    (401, {"error_code": "401013", "message": "Oauth token is not valid"}, errors.AuthenticationFailed),
    (403, {"error_code": "403003", "message": "Api Key is invalid"}, errors.AuthenticationFailed),
    (403, {"error_code": "403010", "message": "Oauth token is missing."}, errors.AuthenticationFailed),
    (403, {"error_code": "403025", "message": "Profile is not valid"}, errors.PermissionDenied),
    (403, b"<html>Forbidden</html>", errors.PermissionDenied),
    (404, envelope(404, "Resource not found", "Not able to find job data."), errors.NotFound),
    (404, b"<html>no such page</html>", errors.NotFound),
    (410, b"", errors.NotFound),
    (408, b"", errors.TemporarilyUnavailable),
    (425, b"", errors.TemporarilyUnavailable),
    (500, b"<html>", errors.TemporarilyUnavailable),
    (503, {"error_code": "503000"}, errors.TemporarilyUnavailable),
    (504, b"", errors.TemporarilyUnavailable),
    (302, b"", errors.RequestRefused),
    (418, b"[]", errors.RequestRefused),
]


@pytest.mark.parametrize(("status", "body", "kind"), GET_ANSWERS)
def test_an_answer_to_a_get_becomes_the_error_that_says_what_to_do(
    status: int, body: object, kind: type[errors.PrivacyServiceError]
) -> None:
    failure = error(status, body)
    assert type(failure) is kind
    assert str(failure).startswith(f"GET /jobs answered HTTP {status}")


@pytest.mark.parametrize("status", [303, 408, 460, 499, 500, 501, 502, 503, 504, 520])
def test_a_post_may_have_happened_where_the_status_does_not_exclude_it(status: int) -> None:
    assert type(error(status, method="POST")) is errors.OutcomeUnknown


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 413, 415, 422, 425, 429])
def test_a_post_did_not_happen_where_the_status_says_so(status: int) -> None:
    assert not isinstance(error(status, method="POST"), errors.OutcomeUnknown)


@pytest.mark.parametrize("body", [envelope(404, "Resource not found", "Not able to find job data."),
                                  {"errorCode": 404, "detail": "Not able to find job data."}])  # fmt: skip
def test_missing_job_data_is_told_from_a_missing_route(body: object) -> None:
    found = error(404, body)
    assert isinstance(found, errors.NotFound)
    assert found.job_data
    for other in (b"<html>404</html>", {"error_code": "404000", "message": "Resource not found"}, b""):
        missing = error(404, other)
        assert isinstance(missing, errors.NotFound)
        assert not missing.job_data


def test_a_refused_page_size_names_the_supported_one() -> None:
    body = envelope(400, "Invalid Request", "Page size exceeded,Maximum page size supported is 100")
    refused = error(400, body)
    assert isinstance(refused, errors.RequestRefused)
    assert (refused.field, refused.limit, refused.code) == ("size", 100, "400")


def test_a_refused_field_is_named() -> None:
    body = envelope(
        400, "Invalid Request", "The `regulation` parameter is mandatory. Supported values: [gdpr]"
    )
    refused = error(400, body)
    assert isinstance(refused, errors.RequestRefused)
    assert refused.field == "regulation"
    assert "Field: regulation." in str(refused)


# Adobe may repeat a value of the request in its text. No word of such a text decides anything.
QUOTING = (
    "Invalid namespace: daily-newsletter",
    "The namespace 'daily offers' is not valid",
    "Value for key DSR-quota-7 is not valid",
    "userIDs: value 'the daily limit has been exceeded' is not valid",
    "merge policy not found for quota",
    "Invalid namespace: rate limit",
    "The value too many requests is not valid",
    "page size exceeded by the value 17",
)


@pytest.mark.parametrize("detail", QUOTING)
@pytest.mark.parametrize("field", ["title", "detail", "message"])
def test_a_text_that_may_quote_the_request_decides_nothing(detail: str, field: str) -> None:
    for body in ({"errors": {"errorCode": 400, field: detail}}, {"error_code": "400000", field: detail}):
        refused = error(400, body, method="POST")
        assert type(refused) is errors.RequestRefused
        assert refused.limit is None


@pytest.mark.parametrize(
    "detail",
    [
        "Job not found: you have no entitlement",
        "No job data of the product 'x' was found",
        "Resource not found",
    ],
)
def test_only_adobes_own_sentence_says_that_there_is_no_such_job(detail: str) -> None:
    missing = error(404, envelope(404, "Resource not found", detail))
    assert isinstance(missing, errors.NotFound)
    assert not missing.job_data


def test_a_missing_permission_is_named() -> None:
    assert "Privacy Write" in str(error(403, method="POST"))
    assert "Content Delivery" in str(error(403, route="/jobs/{id}/content"))


@pytest.mark.parametrize(
    "body",
    [
        envelope(400, CANARY, CANARY),
        {"error_code": CANARY, "message": CANARY},
        {"errors": [{"errorCode": CANARY, "detail": f"`{CANARY}`"}]},
        {CANARY: CANARY},
        CANARY.encode(),
        {"error": "canary_example", "error_description": CANARY},
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_no_error_repeats_what_adobe_wrote(status: int, body: object) -> None:
    failure = error(status, body, method="POST")
    assert "canary" not in f"{failure} {failure!r} {vars(failure)}"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "172800"}, 172800.0),
        ({"retry-after": "99999999"}, 31 * 86400.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Fri, 20 Nov 2026 22:31:00 GMT"}, 60.0),
        ({"retry-after": "Fri, 20 Nov 2026 22:29:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 99 Foo 2026 99:99:99 GMT"}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.binary(max_size=200), st.integers(300, 599), st.text(max_size=30))
def test_no_error_answer_crashes_the_reading(body: bytes, status: int, pause: str) -> None:
    assert isinstance(error(status, body, headers={"retry-after": pause}), errors.PrivacyServiceError)


@pytest.mark.parametrize(("status", "body", "kind"), GET_ANSWERS)
def test_an_error_survives_pickling(
    status: int, body: object, kind: type[errors.PrivacyServiceError]
) -> None:
    failure = error(status, body, headers={"retry-after": "3"})
    copy = pickle.loads(pickle.dumps(failure))
    assert type(copy) is kind
    assert vars(copy) == vars(failure)
    assert str(copy) == str(failure)


@pytest.mark.parametrize(
    "body",
    [
        {"status": 400},
        {"status": "400"},
        {"status": "error"},
        {"status": "Failed", "message": "see below"},
        {"statusCode": 422, "message": "see below"},
        {"code": "400"},
        {"success": False},
        {"errors": [{"code": 1}]},
        {"title": "Bad Request", "detail": "see below"},
        [{"status": 400}],
        {"results": [{"status": 202}, {"status": 400}]},
        {"report": {"errors": ["one"]}},
        "error",
        False,
        {"success": "false"},
        {"success": 0},
        {"status": "partially failed"},
        {"status": "PARTIAL_SUCCESS"},
        {"status": "400 Bad Request"},
        {"code": "ValidationError"},
        {"code": "notFound"},
        {"code": "PRVCY-1000-400"},
        {"code": 599},
        {"failed": "1"},
        {"failed": {"count": 2}},
        {"rejected": "one"},
        {"errors": [{}]},
        {"title": "Not accepted", "detail": "see below"},
        {"title": "Accepted in part", "detail": "see below"},
        {"type": "about:blank", "title": "Conflict", "detail": "see below"},
    ],
)
def test_a_success_whose_body_tells_of_an_error_is_none(body: object) -> None:
    assert speaks_of_an_error(json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"status": 202},
        {"status": "accepted"},
        {"requestId": "17", "errors": []},
        "ok",
        {"code": "x"},
        {"code": 1000},
        {"code": "PRVCY-6000-200"},
        {"statusCode": 202, "code": 202000},
        {"failed": "0"},
        {"failed": 0, "rejected": []},
        {"failed": {"count": 0}},
        {"failed": ["none"]},
        {"rejected": "none"},
        {"error": "No error"},
        {"errors": {"code": "0", "message": ""}},
        {"code": "NO_ERROR"},
        {"status": "processed without errors"},
        {"status": "0 failed"},
        {"success": "true"},
        {"title": "Accepted", "detail": "The opt-out was accepted."},
        {"title": "Your request was received.", "detail": "It takes a day."},
        {"status": 202, "title": "Opt-out", "detail": "It takes a day."},
    ],
)
def test_a_success_whose_body_tells_of_none_is_one(body: object) -> None:
    assert not speaks_of_an_error(json.dumps(body).encode())


@pytest.mark.parametrize("depth", [200, 900, 100_000])
def test_a_success_whose_body_is_too_deep_to_read_is_none(depth: int) -> None:
    body = b"[" * depth + b'{"status": 400}' + b"]" * depth
    assert speaks_of_an_error(body)
