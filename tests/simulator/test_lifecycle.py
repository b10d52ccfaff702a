from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.simulator.adobe_caller import AdobeCaller, ecid_of
from tests.support.simulator import Simulator

DAY = 86_400


@pytest.fixture(autouse=True)
def stopped_clock(simulator: Simulator) -> None:
    simulator.set_clock(now="2026-11-20T00:21:00Z", rate=0)


def responses(adobe: AdobeCaller, job_id: str) -> dict[str, dict[str, Any]]:
    products = adobe.detail(job_id).json()["productResponses"]
    return {each["product"]: each["productStatusResponse"] for each in products}


def test_a_job_is_submitted_then_processing_then_complete(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario(
        {
            "rules": [
                {"product": "analytics", "delay_seconds": 120},
                {"product": "profileService", "delay_seconds": 300},
            ]
        }
    )
    (job_id,) = adobe.created_ids("DSR-1")
    seen = []
    for _ in range(4):
        detail = adobe.detail(job_id).json()
        products = [each["productStatusResponse"]["status"] for each in detail["productResponses"]]
        seen.append((detail["status"], *products, detail["lastModifiedDate"]))
        simulator.advance(120)
    assert seen == [
        ("submitted", "submitted", "submitted", "11/20/2026 12:21 AM GMT"),
        ("processing", "complete", "processing", "11/20/2026 12:23 AM GMT"),
        ("processing", "complete", "processing", "11/20/2026 12:23 AM GMT"),
        ("complete", "complete", "complete", "11/20/2026 12:26 AM GMT"),
    ]


def test_the_detail_names_products_as_adobe_displays_them(adobe: AdobeCaller) -> None:
    job_id = adobe.complete_job(
        include=["analytics", "profileService", "audienceManager", "primetimeAuthentication"]
    )
    assert list(responses(adobe, job_id)) == [
        "Analytics",
        "Profile",
        "AudienceManager",
        "Adobe Pass Authentication",
    ]
    detail = adobe.detail(job_id).json()
    assert detail["regulation"] == "gdpr"
    assert detail["userIds"][0]["namespaceId"] == 4


@pytest.mark.parametrize("code", ["6000-200", "6051-200", "6052-200", "6053-200", "6054-200"])
def test_a_caveat_still_ends_in_complete(adobe: AdobeCaller, simulator: Simulator, code: str) -> None:
    simulator.scenario({"rules": [{"product": "audienceManager", "code": code}]})
    job_id = adobe.complete_job(include=["audienceManager"])
    answer = responses(adobe, job_id)["AudienceManager"]
    assert adobe.detail(job_id).json()["status"] == answer["status"] == "complete"
    assert answer["responseMsgCode"] == f"PRVCY-{code}"
    assert answer["message"] == "Success"


@pytest.mark.parametrize(
    "code",
    ["1000", "1001", "1010", "1020", "1021", "1022", "1023", "1024", "1030", "1040"],
)
def test_a_failed_product_makes_the_job_end_in_error(
    adobe: AdobeCaller, simulator: Simulator, code: str
) -> None:
    simulator.scenario({"rules": [{"product": "analytics", "code": f"{code}-400"}]})
    job_id = adobe.complete_job()
    detail = adobe.detail(job_id).json()
    assert detail["status"] == "error"
    assert "downloadUrl" not in detail
    assert responses(adobe, job_id)["Analytics"]["status"] == "error"
    assert responses(adobe, job_id)["Profile"]["status"] == "complete"
    assert adobe.content(job_id).status_code == 404


def test_a_partial_result_names_processed_and_ignored_identities(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.scenario({"rules": [{"code": "6054-200", "ignored": 1, "retry_count": 2}]})
    body = adobe.body("DSR-1", include=["audienceManager"])
    body["users"][0]["userIDs"].append({"namespace": "CORE", "value": "1" * 38, "type": "standard"})
    (job,) = adobe.post(body).json()["jobs"]
    simulator.advance(60)
    (product,) = adobe.detail(job["jobId"]).json()["productResponses"]
    assert product["retryCount"] == 2
    answer = product["productStatusResponse"]
    assert answer["results"] == {"processed": [ecid_of("DSR-1")], "ignored": ["1" * 38]}
    assert answer["responseMsgDetail"].startswith("PARTIALLY COMPLETED")


def test_a_success_may_hide_failed_datasets_in_its_text(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"product": "Profile", "failed_datasets": ["d1", "d2"]}]})
    text = responses(adobe, adobe.complete_job())["Profile"]["responseMsgDetail"]
    assert text.endswith("Failed dataSetIds = [d1, d2]")


def test_pass_answers_with_a_receipt_of_counts_as_text(adobe: AdobeCaller) -> None:
    job_id = adobe.complete_job(include=["primetimeAuthentication"])
    results = responses(adobe, job_id)["Adobe Pass Authentication"]["results"]
    assert results["receiptData"]["numberOfAuthenticationSessions"] == "2"
    assert results["userContexts"][0]["namespace"] == "ECID"


def test_the_first_rule_that_matches_wins(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario(
        {
            "rules": [
                {"key": "DSR-2*", "action": "delete", "code": "1024-400"},
                {"key": "DSR-*", "attempt": 1, "code": "1020-400"},
                {"regulation": "ccpa", "code": "6052-200"},
            ]
        }
    )
    adobe.create("DSR-2", actions=("delete", "access"))
    adobe.create("DSR-2")
    adobe.create("OTHER", regulation="ccpa")
    codes = [(job["key"], job["action"], job["products"]["analytics"]) for job in simulator.jobs()]
    assert codes == [
        ("DSR-2", "delete", "1024-400"),
        ("DSR-2", "access", "1020-400"),
        ("DSR-2", "access", "6000-200"),
        ("OTHER", "access", "6052-200"),
    ]


def test_a_range_of_delays_is_drawn_by_the_seed(adobe: AdobeCaller, simulator: Simulator) -> None:
    def completion_dates(seed: int) -> list[str]:
        simulator.reset()
        simulator.set_clock(now="2026-11-20T00:21:00Z", rate=0)
        simulator.scenario(
            {"seed": seed, "rules": [{"action": "delete", "delay_seconds": "1296000..3888000"}]}
        )
        adobe.forget_token()
        adobe.create(*(f"DSR-{number}" for number in range(20)), actions=("delete",))
        return [job["completedDate"] for job in simulator.jobs()]

    first = completion_dates(seed=1)
    assert first == completion_dates(seed=1)
    assert first != completion_dates(seed=2)
    assert min(first) >= "2026-12-05"
    assert max(first) <= "2027-01-05"


def test_a_cjm_delete_waits_for_its_upstream_deletes(adobe: AdobeCaller, simulator: Simulator) -> None:
    (cjm,) = adobe.created_ids("DSR-1", actions=("delete",), include=["cjm"])
    (other,) = adobe.created_ids(
        "DSR-2", actions=("delete",), include=["profileService", "identity", "aepDataLake"]
    )
    simulator.advance(10 * DAY)
    assert adobe.detail(cjm).json()["status"] == "processing"
    assert adobe.detail(other).json()["status"] == "complete"
    adobe.create("DSR-1", actions=("delete",), include=["profileService", "identity"])
    adobe.create("DSR-1", actions=("delete",), include=["AdobeCloudPlatform"])
    assert adobe.detail(cjm).json()["status"] == "processing"
    simulator.advance(60)
    assert adobe.detail(cjm).json()["status"] == "complete"


def test_a_child_job_keeps_its_parent_processing(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(child_jobs=True, child_delay_seconds=100)
    (job_id,) = adobe.created_ids("DSR-1")
    simulator.advance(50)
    detail = adobe.detail(job_id).json()
    assert detail["status"] == "processing"
    assert {each["productStatusResponse"]["status"] for each in detail["productResponses"]} == {"complete"}
    assert detail["childJobs"][0]["requestId"] == detail["requestId"]
    assert detail["childJobs"][0]["jobId"] != job_id
    simulator.advance(50)
    assert adobe.detail(job_id).json()["status"] == "complete"


@pytest.mark.parametrize(
    ("mode", "status", "products", "has_url"),
    [
        ("complete_with_submitted_product", "complete", ["complete", "submitted"], True),
        ("error_with_download_url", "error", ["submitted", "submitted"], True),
    ],
)
def test_job_and_product_may_contradict_each_other(
    adobe: AdobeCaller, simulator: Simulator, mode: str, status: str, products: list[str], has_url: bool
) -> None:
    simulator.switch(incoherent_detail=mode)
    job_id = adobe.complete_job()
    detail = adobe.detail(job_id).json()
    assert detail["status"] == status
    assert [each["status"] for each in responses(adobe, job_id).values()] == products
    assert ("downloadUrl" in detail) is has_url


def test_an_unanswered_job_expires(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"key": "never", "never": True}]})
    (job_id,) = adobe.created_ids("never")
    simulator.advance(59 * DAY)
    assert adobe.detail(job_id).json()["status"] == "processing"
    simulator.advance(DAY)
    assert adobe.detail(job_id).json()["status"] == "expired"


def test_jobs_made_while_the_switch_is_on_never_finish(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(jobs_never_finish=True)
    adobe.create("DSR-1")
    simulator.switch(jobs_never_finish=False)
    simulator.advance(40 * DAY)
    (job,) = simulator.jobs()
    assert job["status"] == "processing"


def test_analytics_refuses_malformed_cookie_ids_by_switch(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(check_identity_formats=True)
    values = {
        "2CCEEAE88503384F-1188000089CA": "AAID",
        "0CCEEAE8-11": "AAID",
        "1" * 38: "ECID",
        "1" * 30: "ECID",
    }
    for number, (value, namespace) in enumerate(values.items()):
        body = adobe.body(f"DSR-{number}", include=["analytics"])
        body["users"][0]["userIDs"] = [{"namespace": namespace, "value": value, "type": "standard"}]
        adobe.post(body)
    outcomes = [job["products"]["analytics"] for job in simulator.jobs()]
    assert outcomes == ["6000-200", "1000-400", "6000-200", "1000-400"]


def test_a_detail_is_gone_30_days_after_completion(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = adobe.complete_job()
    simulator.advance(30 * DAY - 120)
    assert adobe.detail(job_id).status_code == 200
    simulator.advance(120)
    answer = adobe.detail(job_id)
    assert answer.status_code == 404
    assert answer.json()["errors"]["detail"] == "Not able to find job data."
    window = {"fromDate": "2026-11-20", "toDate": "2026-11-20"}
    assert adobe.listed_ids(**window) == [job_id]
    simulator.switch(list_forgets_with_detail=True)
    assert adobe.listed_ids(**window) == []


def test_an_unknown_job_is_not_found(adobe: AdobeCaller) -> None:
    assert adobe.detail("a52ca032-858e-11ef-bbb4-27391388a0a6").status_code == 404


def test_jobs_made_elsewhere_have_the_dates_and_outcome_asked_for(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    (job_id,) = simulator.create_jobs(
        created_at="2026-11-01T10:00:00Z",
        completed_at="2026-11-05T10:00:00Z",
        regulation="ccpa",
        key="ticket-{n}",
        code="6054-200",
    )
    (job,) = simulator.jobs()
    assert (job["status"], job["key"], job["completedDate"]) == (
        "complete",
        "ticket-1",
        "2026-11-05T10:00:00.000Z",
    )
    detail = adobe.detail(job_id).json()
    assert detail["createdDate"] == "11/01/2026 10:00 AM GMT"
    assert detail["submittedBy"] == "privacy.officer@example.com"
    assert adobe.content(job_id).status_code == 200
    assert simulator.counters()["jobs_created"] == 0
    assert simulator.counters()["jobs_made_elsewhere"] == 1


def test_the_status_page_counts_jobs_and_names_what_is_set(adobe: AdobeCaller, simulator: Simulator) -> None:
    adobe.create("<DSR-1>", actions=("delete",))
    simulator.switch(list_lag_seconds=7)
    simulator.fault("content", "reset")
    page = httpx.get(simulator.url).text
    assert "<td>gdpr</td><td>delete</td><td>submitted</td><td>1</td>" in page
    assert "<td>list_lag_seconds</td><td>7.0</td>" in page
    assert "<td>content</td><td>reset</td>" in page
    assert "&lt;DSR-1&gt;" in page


def test_a_fast_clock_passes_a_fortnight_in_a_second(adobe: AdobeCaller, simulator: Simulator) -> None:

    simulator.scenario({"rules": [{"delay_seconds": 14 * DAY}]})
    (job_id,) = adobe.created_ids("DSR-1")
    simulator.set_clock(rate=14 * DAY / 0.5)
    time.sleep(0.6)
    simulator.set_clock(rate=0)
    assert adobe.detail(job_id).json()["status"] == "complete"
