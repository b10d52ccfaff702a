"""What the products answer: by the identities that they can use, and as rules and faults ask for."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.simulator.adobe_caller import AdobeCaller, ecid_of
from tests.support.simulator import Simulator

DAY = 86_400
EMAIL = {"namespace": "email", "value": "ann@example.com", "type": "standard"}
PHONE = {"namespace": "phone", "value": "+390612345678", "type": "standard"}
ECID = {"namespace": "ECID", "value": "1" * 38, "type": "standard"}
AAID = {"namespace": "AAID", "value": "2CCEEAE88503384F-1188000089CA", "type": "standard"}
LABEL = {"namespace": "crmId", "value": "CRM-1", "type": "analytics"}
LOYALTY = {"namespace": "loyaltyAccount", "value": "L-1", "type": "integrationCode"}
SYMBOL = {"namespace": "crmid", "value": "CRM-2", "type": "custom"}
UNREGISTERED = {"namespace": "crm", "value": "CRM-3", "type": "unregistered"}
THIRD_PARTY = {"namespace": "thirdPartyId", "value": "T-1", "type": "target"}
NOT_STANDARD = {"namespace": "crmid", "value": "CRM-4", "type": "standard"}
ADVERTISING = {"namespace": "411", "value": "A-1", "type": "namespaceId"}
PASS = {
    "namespace": "http://www.adobe.com/primetimeAuthentication/Dish",
    "value": "P-1",
    "type": "unregistered",
}


@pytest.fixture(autouse=True)
def stopped_clock(simulator: Simulator) -> None:
    simulator.set_clock(now="2026-11-20T00:21:00Z", rate=0)


def ask(adobe: AdobeCaller, *identities: dict[str, Any], key: str = "DSR-1", **changes: Any) -> str:
    """The id of a job about these identities, a minute after it was made."""
    body = adobe.body(key, **changes)
    body["users"][0]["userIDs"] = list(identities) or [ECID]
    (job, *_) = adobe.post(body).json()["jobs"]
    adobe.simulator.advance(60)
    return str(job["jobId"])


def answers(adobe: AdobeCaller, job_id: str) -> dict[str, dict[str, Any]]:
    detail = adobe.detail(job_id).json()
    return {each["product"]: each["productStatusResponse"] for each in detail["productResponses"]}


def code(adobe: AdobeCaller, *identities: dict[str, Any], product: str) -> str:
    (answer,) = answers(adobe, ask(adobe, *identities, include=[product])).values()
    return str(answer["responseMsgCode"]).removeprefix("PRVCY-")


@pytest.mark.parametrize(
    ("product", "usable", "unusable"),
    [
        ("analytics", [ECID, AAID, LABEL], [EMAIL, LOYALTY, SYMBOL]),
        ("target", [ECID, THIRD_PARTY], [EMAIL, LABEL]),
        ("audienceManager", [ECID, LOYALTY], [EMAIL, SYMBOL]),
        ("adCloud", [ADVERTISING], [EMAIL, ECID]),
        ("CRS", [LOYALTY], [EMAIL, ECID]),
        ("profileService", [EMAIL, ECID, UNREGISTERED], [LABEL, NOT_STANDARD]),
        ("aepDataLake", [UNREGISTERED], [EMAIL, ECID]),
        ("identity", [EMAIL, SYMBOL], [UNREGISTERED, NOT_STANDARD]),
        ("commerceMarketingData", [EMAIL], [LABEL]),
        ("marketo", [EMAIL], [ECID]),
        ("marketomeasure", [EMAIL], [ECID]),
        ("campaign", [EMAIL], [ECID]),
        ("primetimeAuthentication", [PASS], [UNREGISTERED]),
    ],
)
def test_a_product_answers_by_the_identities_that_it_can_use(
    adobe: AdobeCaller, product: str, usable: list[dict[str, Any]], unusable: list[dict[str, Any]]
) -> None:
    assert code(adobe, *usable, product=product) == "6000-200"
    assert code(adobe, *unusable, product=product) == "6053-200"
    assert code(adobe, *usable, *unusable, product=product) == "6054-200"
    for identity in unusable:
        assert code(adobe, identity, product=product) == "6053-200"


def test_what_was_of_no_use_is_named_as_ignored(adobe: AdobeCaller) -> None:
    job_id = ask(adobe, EMAIL, ECID, include=["analytics", "profileService", "marketo"])
    found = answers(adobe, job_id)
    assert found["Analytics"]["results"] == {"processed": [ECID["value"]], "ignored": [EMAIL["value"]]}
    assert found["Marketo"]["results"] == {"processed": [EMAIL["value"]], "ignored": [ECID["value"]]}
    assert "results" not in found["Profile"]
    assert {answer["status"] for answer in found.values()} == {"complete"}


def test_a_standard_namespace_may_be_given_by_its_number(adobe: AdobeCaller) -> None:
    number = {"namespaceId": 4, "value": "1" * 38, "type": "standard"}
    assert code(adobe, number, product="analytics") == "6000-200"
    assert code(adobe, number, product="marketo") == "6053-200"


def test_campaign_takes_one_namespace_a_request(adobe: AdobeCaller, simulator: Simulator) -> None:
    second = EMAIL | {"value": "ann.work@example.com"}
    (answer,) = answers(adobe, ask(adobe, EMAIL, PHONE, second, include=["campaign"])).values()
    assert answer["results"]["ignored"] == [PHONE["value"]]
    simulator.switch(campaign_namespaces=["loyaltyAccount"])
    assert code(adobe, LOYALTY, product="campaign") == "6000-200"


def test_campaign_answers_under_the_name_of_its_tenant(adobe: AdobeCaller, simulator: Simulator) -> None:
    def name(**changes: Any) -> str:
        (product,) = answers(adobe, ask(adobe, EMAIL, include=["campaign"], **changes))
        return product

    organisation = {"namespace": "imsOrgID", "value": adobe.org_id}
    assert name() == "campaign-acme-stg-us1"
    assert name(companyContexts=[organisation, {"namespace": "Campaign", "value": "x-prod"}]) == (
        "campaign-x-prod"
    )
    simulator.switch(campaign_tenant="")
    assert name() == "Campaign"


def test_a_product_may_have_no_record_of_an_identity(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"not_found": "ann*"}]})
    assert code(adobe, EMAIL, product="profileService") == "6052-200"
    assert code(adobe, EMAIL, ECID, product="profileService") == "6054-200"
    assert code(adobe, EMAIL, product="analytics") == "6053-200"


def test_a_product_that_looked_for_nobody_may_say_that_all_is_done(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.switch(unusable_identities="6000-200")
    assert code(adobe, EMAIL, product="analytics") == "6000-200"


def test_a_rule_s_code_and_name_win(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"product": "cjm", "code": "6051-200", "name": "Adobe Journey Optimizer"}]})
    found = answers(adobe, ask(adobe, EMAIL, include=["cjm"]))
    assert found["Adobe Journey Optimizer"]["responseMsgCode"] == "PRVCY-6051-200"


def test_the_words_of_an_answer_may_hold_identities(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario(
        {"rules": [{"code": "1000-400", "detail": "{identities} is bad", "message": "{key}: {IDENTITIES}"}]}
    )
    (answer,) = answers(adobe, ask(adobe, EMAIL, ECID, include=["identity"])).values()
    assert answer["responseMsgDetail"] == f"ann@example.com, {'1' * 38} is bad"
    assert answer["message"] == f"DSR-1: ANN@EXAMPLE.COM, {'1' * 38}"


def test_a_child_job_may_end_in_error_inside_a_complete_job(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"key": "DSR-1", "child_code": "1021-400"}]})
    detail = adobe.detail(ask(adobe)).json()
    (child,) = detail["childJobs"]
    assert (detail["status"], child["status"]) == ("complete", "error")
    assert child["productResponses"][0]["productStatusResponse"]["responseMsgCode"] == "PRVCY-1021-400"
    assert "childJobs" not in adobe.detail(ask(adobe, key="DSR-2")).json()


def test_a_complete_job_may_hold_a_failed_product(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"product": "Profile", "code": "1000-400", "job_status": "complete"}]})
    job_id = ask(adobe)
    assert adobe.detail(job_id).json()["status"] == "complete"
    assert answers(adobe, job_id)["Profile"]["status"] == "error"
    assert adobe.content(job_id).status_code == 200


def test_a_job_may_be_in_error_although_every_product_is_done(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.scenario({"rules": [{"job_status": "error"}]})
    job_id = ask(adobe)
    assert adobe.detail(job_id).json()["status"] == "error"
    assert {answer["status"] for answer in answers(adobe, job_id).values()} == {"complete"}
    assert adobe.content(job_id).status_code == 404


def test_a_job_in_error_may_have_a_result(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"product": "Profile", "code": "1024-400", "result_in_error": True}]})
    job_id = ask(adobe)
    detail = adobe.detail(job_id).json()
    assert detail["status"] == "error"
    assert adobe.http.get(detail["downloadUrl"], headers=adobe.headers).status_code == 200


def test_a_product_may_be_missing_in_the_answer(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"product": "Profile", "silent": True}]})
    job_id = ask(adobe)
    assert adobe.detail(job_id).json()["status"] == "complete"
    assert list(answers(adobe, job_id)) == ["Analytics"]


def test_a_product_may_answer_after_its_job_is_complete(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"product": "Profile", "waited_for": False, "delay_seconds": 3 * DAY}]})
    job_id = ask(adobe)
    before = adobe.detail(job_id).json()
    assert before["status"] == "complete"
    assert answers(adobe, job_id)["Profile"] == {"status": "processing", "message": "processing"}
    simulator.advance(3 * DAY)
    after = adobe.detail(job_id).json()
    assert answers(adobe, job_id)["Profile"]["responseMsgCode"] == "PRVCY-6000-200"
    assert after["lastModifiedDate"] > before["lastModifiedDate"]
    assert after["status"] == "complete"


def test_one_call_may_make_two_jobs_of_a_user_and_action(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"key": "DSR-2", "action": "delete", "twice": True}]})
    made = adobe.create("DSR-1", "DSR-2", actions=("access", "delete")).json()["jobs"]
    named = sorted((job["customer"]["user"]["key"], job["customer"]["user"]["action"][0]) for job in made)
    assert named.count(("DSR-2", "delete")) == 2
    assert len(named) == 5
    assert {job["jobId"] for job in made} == {job["jobId"] for job in simulator.jobs()}


def test_a_user_s_action_may_be_one_job_for_each_product(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(jobs_per="product")
    ids = adobe.created_ids("DSR-1")
    simulator.advance(60)
    assert sorted(name for job_id in ids for name in answers(adobe, job_id)) == ["Analytics", "Profile"]


@pytest.mark.parametrize(
    ("how", "shown"), [("trimmed", "Dsr-1"), ("lower_case", " dsr-1 "), ("upper_case", " DSR-1 ")]
)
def test_a_user_s_key_may_come_back_changed(
    adobe: AdobeCaller, simulator: Simulator, how: str, shown: str
) -> None:
    simulator.scenario({"rules": [{"key": " Dsr-1 ", "key_echo": how}]})
    (job,) = adobe.create(" Dsr-1 ").json()["jobs"]
    assert job["customer"]["user"]["key"] == shown
    assert adobe.detail(job["jobId"]).json()["userKey"] == shown
    (row,) = adobe.list_jobs().json()["jobDetails"]
    assert row["userKey"] == shown
    assert simulator.jobs()[0]["key"] == " Dsr-1 "


def test_a_good_token_may_be_refused_twice(adobe: AdobeCaller, simulator: Simulator) -> None:
    adobe.sign_in()
    simulator.fault("any", "spurious_401", times=2)
    seen = [adobe.list_jobs() for _ in range(3)]
    assert [answer.status_code for answer in seen] == [401, 401, 404]
    assert seen[0].json()["error_code"] == "401013"
    assert simulator.counters()["tokens_issued"] == 1


@pytest.mark.parametrize("retry_after", [None, "7", "date:7"])
def test_a_rate_limit_may_say_when_to_come_back_or_not(
    adobe: AdobeCaller, simulator: Simulator, retry_after: str | None
) -> None:
    simulator.fault("create", "rate_limited", retry_after=retry_after)
    answer = adobe.create()
    assert (answer.status_code, answer.json()["error_code"]) == (429, "429050")
    told = answer.headers.get("retry-after")
    if retry_after == "date:7":
        assert parsedate_to_datetime(told).tzinfo is not None
    else:
        assert told == retry_after


@pytest.mark.parametrize(
    "text", ["Too many jobs per day", "You have reached your quota", "Limit of 20000 jobs a day exceeded."]
)
def test_the_daily_limit_has_words_that_nobody_documents(
    adobe: AdobeCaller, simulator: Simulator, text: str
) -> None:
    simulator.fault("create", "quota_refusal", text=text)
    assert adobe.create().json()["errors"]["detail"] == text
    simulator.switch(daily_job_limit=0, daily_limit_text=text)
    assert adobe.create().json()["errors"]["detail"] == text


def test_a_refusal_may_quote_the_call(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.fault("create", "refusal", key="DSR-2", text="{keys} {namespaces} {identities} {products}")
    assert adobe.create("DSR-1").status_code == 202
    answer = adobe.create("DSR-2")
    assert answer.status_code == 400
    assert answer.json()["errors"]["detail"] == f"DSR-2 ECID {ecid_of('DSR-2')} analytics, profileService"
    assert len(simulator.jobs()) == 1


def test_a_to_date_in_the_future_may_be_refused(adobe: AdobeCaller, simulator: Simulator) -> None:
    adobe.create()
    window = {"fromDate": "2026-11-20", "toDate": "2026-11-21"}
    assert adobe.list_jobs(**window).status_code == 200
    simulator.switch(future_to_date="refuse")
    assert adobe.list_jobs(**window).status_code == 400
    assert adobe.list_jobs(**window | {"toDate": "2026-11-20"}).status_code == 200


def test_a_result_outlives_its_job_s_detail(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = ask(adobe)
    simulator.advance(31 * DAY)
    assert adobe.detail(job_id).status_code == 404
    assert adobe.content(job_id).status_code == 200
    simulator.advance(30 * DAY)
    assert adobe.content(job_id).status_code == 404


@pytest.mark.parametrize("operation", ["detail", "content"])
def test_a_job_may_be_gone_before_its_time(adobe: AdobeCaller, simulator: Simulator, operation: str) -> None:
    gone, kept = ask(adobe, key="gone"), ask(adobe, key="kept")
    simulator.fault(operation, "gone", key="gone", times=None)
    call = getattr(adobe, operation)
    assert (call(gone).status_code, call(kept).status_code) == (404, 200)
    assert call(gone).json()["errors"]["detail"] == "Not able to find job data."
