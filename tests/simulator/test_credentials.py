from __future__ import annotations

import httpx
import pytest

from tests.simulator.adobe_caller import AdobeCaller
from tests.support.simulator import Simulator


def test_a_token_is_issued_for_the_right_secret(adobe: AdobeCaller) -> None:
    answer = adobe.token_answer()
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["expires_in"] == 86_399


def test_the_token_fields_may_come_in_the_query_string(adobe: AdobeCaller, simulator: Simulator) -> None:
    query = {
        "grant_type": "client_credentials",
        "client_id": adobe.client_id,
        "client_secret": adobe.client_secret,
    }
    assert httpx.post(simulator.token_url, params=query).status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client"),
        ({"scope": "openid,everything"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_token_request_is_refused(adobe: AdobeCaller, change: dict[str, str], error: str) -> None:
    answer = adobe.token_answer(**change)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert "error_description" in answer.json()


def test_invalid_client_may_be_401_and_expires_in_milliseconds(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.switch(invalid_client_status=401, expires_in_unit="milliseconds")
    assert adobe.token_answer(client_secret="wrong").status_code == 401
    assert adobe.token_answer().json()["expires_in"] == 86_399_000


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("Authorization", None, "403010"),
        ("Authorization", "Bearer stale", "401013"),
        ("x-api-key", None, "403000"),
        ("x-api-key", "another-client", "403003"),
        ("x-gw-ims-org-id", None, "400003"),
        ("x-gw-ims-org-id", "FEDCBA9876543210FEDCBA98@AdobeOrg", "403025"),
    ],
)
def test_the_gateway_refuses_a_bad_header(
    adobe: AdobeCaller, header: str, value: str | None, code: str
) -> None:
    headers = adobe.headers
    headers.pop(header)
    if value is not None:
        headers[header] = value
    answer = adobe.http.get("/jobs", params={"regulation": "gdpr"}, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (int(code[:3]), code)


def test_a_token_ends_after_its_lifetime_in_real_time(adobe: AdobeCaller, simulator: Simulator) -> None:
    assert adobe.list_jobs().status_code == 404
    simulator.advance(30 * 86_400)
    assert adobe.list_jobs().status_code == 404
    # Less than any call takes.
    simulator.switch(token_lifetime_seconds=1e-6)
    adobe.forget_token()
    assert adobe.list_jobs().json()["error_code"] == "401013"


def test_a_revoked_token_is_refused_until_a_new_one_is_fetched(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    assert adobe.list_jobs().status_code == 404
    simulator.revoke_tokens()
    assert adobe.list_jobs().status_code == 401
    adobe.forget_token()
    assert adobe.list_jobs().status_code == 404


@pytest.mark.parametrize("missing", ["read", "write", "content", "optout_write"])
def test_a_missing_permission_refuses_its_calls_only(
    adobe: AdobeCaller, simulator: Simulator, missing: str
) -> None:
    job_id = adobe.complete_job()
    granted = {"read", "write", "content", "optout_write"} - {missing}
    simulator.switch(permissions=sorted(granted))
    consent = {"optOutOfSale": True, "entities": [{"nameSpace": "email", "values": ["a@example.com"]}]}
    statuses = {
        "read": adobe.detail(job_id).status_code,
        "write": adobe.create("DSR-2").status_code,
        "content": adobe.content(job_id).status_code,
        "optout_write": adobe.consent(consent).status_code,
    }
    assert statuses.pop(missing) == 403
    assert max(statuses.values()) < 300


def test_a_missing_permission_may_be_a_400_with_code_1010(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(permissions="write", permission_refusal="1010-400")
    answer = adobe.list_jobs()
    assert (answer.status_code, answer.json()["errors"]["errorCode"]) == (400, "1010-400")


def test_without_the_content_permission_a_detail_has_no_download_url(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    job_id = adobe.complete_job()
    assert "downloadUrl" in adobe.detail(job_id).json()
    simulator.switch(permissions="read,write")
    assert "downloadUrl" not in adobe.detail(job_id).json()


def test_a_disabled_account_is_refused_everywhere(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = adobe.complete_job()
    simulator.switch(account_disabled=True)
    answers = [adobe.list_jobs(), adobe.create(), adobe.detail(job_id), adobe.content(job_id)]
    assert {answer.status_code for answer in answers} == {403}


def test_a_token_carries_the_prefix_that_a_test_searches_for(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.switch(token_prefix="marker-")
    assert adobe.token_answer().json()["access_token"].startswith("marker-")
