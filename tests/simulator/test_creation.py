from __future__ import annotations

import json
import re
import uuid
from typing import Any

import httpx
import pytest

from tests.simulator.adobe_caller import AdobeCaller
from tests.support.simulator import Simulator


def test_each_user_and_action_becomes_a_job(adobe: AdobeCaller, simulator: Simulator) -> None:
    answer = adobe.create("DSR-1", "DSR-2", actions=("access", "delete"))
    assert answer.status_code == 202
    body = answer.json()
    assert body["totalRecords"] == 4
    assert re.fullmatch(r"\d{13}\d{4}RX-\d{3}", body["requestId"])
    made = {(job["customer"]["user"]["key"], *job["customer"]["user"]["action"]) for job in body["jobs"]}
    assert made == {(key, action) for key in ("DSR-1", "DSR-2") for action in ("access", "delete")}
    truth = {(job["key"], job["action"], job["requestId"]) for job in simulator.jobs()}
    assert truth == {(*pair, body["requestId"]) for pair in made}
    assert simulator.counters()["jobs_created"] == 4


def test_the_answer_shows_identities_with_their_namespace_ids(adobe: AdobeCaller) -> None:
    identities = [
        {"namespace": "email", "value": "a@example.com", "type": "standard"},
        {"namespace": "ECID", "value": "1" * 38, "type": "standard", "isDeletedClientSide": True},
        {"namespace": "visitorId", "value": "v1", "type": "analytics"},
        {"namespace": "thirdPartyId", "value": "t1", "type": "target"},
        {"namespace": "label", "value": "u1", "type": "unregistered"},
        {"namespace": "4", "value": "n1", "type": "namespaceId"},
    ]
    body = adobe.body("DSR-1")
    body["users"][0]["userIDs"] = identities
    (job,) = adobe.post(body).json()["jobs"]
    shown = job["customer"]["user"]["userIDs"]
    assert [each.get("namespaceId") for each in shown] == [6, 4, None, None, None, 4]
    assert [each["isDeletedClientSide"] for each in shown] == [False, True, False, False, False, False]


def test_the_order_of_the_answer_is_not_that_of_the_request(adobe: AdobeCaller, simulator: Simulator) -> None:
    keys = [f"DSR-{number}" for number in range(30)]

    def answered() -> list[str]:
        return [job["customer"]["user"]["key"] for job in adobe.create(*keys).json()["jobs"]]

    assert answered() != keys
    simulator.switch(create_order="request")
    assert answered() == keys


def test_the_old_style_has_no_request_id_and_no_identities(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(create_style="old", create_array="jobDetails", create_status=200)
    answer = adobe.create("DSR-1")
    assert answer.status_code == 200
    body = answer.json()
    assert body["requestStatus"] == 1
    assert "requestId" not in body
    assert body["jobDetails"][0]["customer"]["user"] == {"key": "DSR-1", "action": ["access"]}


def test_a_user_without_a_key_is_accepted(adobe: AdobeCaller) -> None:
    body = adobe.body("DSR-1")
    del body["users"][0]["key"]
    (job,) = adobe.post(body).json()["jobs"]
    assert "key" not in job["customer"]["user"]
    assert "userKey" not in adobe.detail(job["jobId"]).json()


def identity(**changes: Any) -> dict[str, Any]:
    return {"namespace": "email", "value": "a@example.com", "type": "standard"} | changes


def user(**changes: Any) -> dict[str, Any]:
    return {"key": "DSR-1", "action": ["access"], "userIDs": [identity()]} | changes


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"users": [user() for _ in range(1001)]}, "1000"),
        ({"users": []}, "users"),
        ({"users": [user(userIDs=[identity() for _ in range(10)])]}, "9"),
        ({"users": [user(userIDs=[])]}, "userIDs"),
        ({"users": [{"key": "DSR-1", "action": ["access"], "userIds": [identity()]}]}, "userIDs"),
        ({"users": [user(), user(action=["forget"])]}, "action"),
        ({"users": [user(action=["access", "access"])]}, "action"),
        ({"users": [user(action="access")]}, "action"),
        ({"users": [user(userIDs=[identity(type="personal")])]}, "type"),
        ({"users": [user(userIDs=[identity(type={})])]}, "type"),
        ({"users": [user(userIDs=[identity(value="")])]}, "value"),
        ({"users": [user(userIDs=[{"value": "a", "type": "standard"}])]}, "namespace"),
        ({"include": []}, "include"),
        ({"include": None}, "include"),
        ({"include": ["analytics", "fax"]}, "include"),
        ({"include": ["analytics", "Analytics"]}, "include"),
        ({"companyContexts": []}, "companyContexts"),
        ({"companyContexts": [{"namespace": "Campaign", "value": "x"}]}, "imsOrgID"),
        ({"companyContexts": [{"namespace": "imsOrgID", "value": "another"}]}, "imsOrgID"),
        ({"regulation": None}, "regulation"),
        ({"regulation": "dpdpa"}, "regulation"),
        ({"regulation": "ql25"}, "regulation"),
        ({"priority": "high"}, "priority"),
        ({"expandIds": "maybe"}, "expandIds"),
        ({"mergePolicyId": [1]}, "mergePolicyId"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_against_the_rules_is_refused_as_a_whole(
    adobe: AdobeCaller, simulator: Simulator, change: dict[str, Any], named: str
) -> None:
    answer = adobe.post(adobe.body("DSR-1") | change)
    assert answer.status_code == 400
    assert named in answer.json()["errors"]["detail"]
    assert "example.com" not in answer.text
    assert simulator.jobs() == []


@pytest.mark.parametrize(
    "change",
    [
        {"expandIds": "true"},
        {"expandIds": False},
        {"mergePolicyId": 124},
        {"priority": "low"},
        {"include": ["ANALYTICS", "AdobeCloudPlatform"]},
        {"unknownField": 1},
        {"regulation": "ucpa_usa"},
    ],
    ids=str,
)
def test_documented_variants_are_accepted(adobe: AdobeCaller, change: dict[str, Any]) -> None:
    assert adobe.post(adobe.body("DSR-1") | change).status_code == 202


def test_the_organisations_namespace_is_read_in_any_case(adobe: AdobeCaller) -> None:
    contexts = [{"namespace": "imsOrgId", "value": adobe.org_id}]
    assert adobe.post(adobe.body("DSR-1", companyContexts=contexts)).status_code == 202


def test_retired_regulations_are_refused_by_switch(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(retired_regulations="refuse")
    assert adobe.create("DSR-1", regulation="ucpa_usa").status_code == 400
    assert adobe.create("DSR-1", regulation="ucpa_ut_usa").status_code == 202


@pytest.mark.parametrize(
    ("content_type", "status"), [("text/plain", 400), ("application/json; charset=utf-8", 202)]
)
def test_the_content_type_must_be_json(adobe: AdobeCaller, content_type: str, status: int) -> None:

    content = json.dumps(adobe.body("DSR-1"))
    answer = adobe.http.post("/jobs", content=content, headers=adobe.headers | {"content-type": content_type})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["title"] == "BadRequestError"


def test_a_body_that_is_no_json_is_refused(adobe: AdobeCaller) -> None:
    headers = adobe.headers | {"content-type": "application/json"}
    assert adobe.http.post("/jobs", content="{", headers=headers).status_code == 400


@pytest.mark.parametrize("status", [400, 429])
def test_the_daily_limit_counts_jobs_and_starts_anew_at_midnight(
    adobe: AdobeCaller, simulator: Simulator, status: int
) -> None:
    simulator.set_clock(now="2026-11-20T12:00:00Z", rate=0)
    simulator.switch(daily_job_limit=3, daily_limit_status=status)
    assert adobe.create("DSR-1", actions=("access", "delete")).status_code == 202
    assert adobe.create("DSR-2", actions=("access", "delete")).status_code == status
    assert len(simulator.jobs()) == 2
    assert adobe.create("DSR-2").status_code == 202
    simulator.advance(12 * 3600 - 1)
    assert adobe.create("DSR-3").status_code == status
    simulator.advance(1)
    assert adobe.create("DSR-3").status_code == 202


def test_an_unprovisioned_product_is_answered_ignored_or_refused(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.switch(unprovisioned_products="profileService")
    answered = adobe.detail(adobe.complete_job("DSR-1")).json()["productResponses"]
    assert answered[1]["productStatusResponse"]["responseMsgCode"] == "PRVCY-6051-200"
    simulator.switch(unprovisioned_mode="ignore")
    answered = adobe.detail(adobe.complete_job("DSR-2")).json()["productResponses"]
    assert [each["product"] for each in answered] == ["Analytics"]
    simulator.switch(unprovisioned_mode="400")
    assert adobe.create("DSR-3").status_code == 400


def test_job_ids_are_time_based_or_random_uuids_and_by_switch_no_uuids(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    (job_id,) = adobe.created_ids("DSR-1")
    assert uuid.UUID(job_id).version == 1
    simulator.switch(job_ids="v4", odd_job_id_every=2)
    first, second = adobe.created_ids("DSR-1", "DSR-2")
    odd, even = sorted((first, second), key=lambda each: each.endswith("j"))
    assert uuid.UUID(odd).version == 4
    assert even.endswith("j")
    assert adobe.detail(even).status_code == 200


CONSENT = {
    "optOutOfSale": True,
    "entities": [{"nameSpace": "email", "values": ["a@example.com", "b@example.com"]}],
}


def test_an_opt_out_is_accepted_without_a_body_and_only_hashes_are_shown(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    answer = adobe.consent(CONSENT)
    assert (answer.status_code, answer.content) == (202, b"")
    kept = simulator.consents()
    assert kept["count"] == 1
    assert len(kept["hashes"]) == 2
    assert all(re.fullmatch(r"[0-9a-f]{64}", each) for each in kept["hashes"])


@pytest.mark.parametrize(
    "body",
    [
        {"entities": CONSENT["entities"]},
        {"optOutOfSale": True},
        {"optOutOfSale": True, "entities": []},
        {"optOutOfSale": True, "entities": [{"namespace": "email", "values": ["a@example.com"]}]},
        {"optOutOfSale": True, "entities": [{"nameSpace": "loyalty", "values": ["a"]}]},
        {"optOutOfSale": True, "entities": [{"nameSpace": "email", "values": []}]},
        {"optOutOfSale": True, "entities": [{"nameSpace": "email", "values": ["a", "a"]}]},
    ],
    ids=str,
)
def test_a_bad_opt_out_is_refused(adobe: AdobeCaller, simulator: Simulator, body: dict[str, Any]) -> None:
    assert adobe.consent(body).status_code == 400
    assert simulator.consents()["count"] == 0


def test_the_control_api_shows_no_identity(adobe: AdobeCaller, simulator: Simulator) -> None:
    body = adobe.body("DSR-1")
    body["users"][0]["userIDs"][0]["value"] = "needle@example.com"
    adobe.post(body)
    adobe.consent(
        {"optOutOfSale": True, "entities": [{"nameSpace": "email", "values": ["needle@example.com"]}]}
    )
    for path in (
        "/",
        "/_simulator/jobs",
        "/_simulator/counters",
        "/_simulator/consents",
        "/_simulator/faults",
    ):
        answer = httpx.get(simulator.url + path)
        assert answer.status_code == 200
        assert "needle" not in answer.text
