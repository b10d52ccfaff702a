from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.simulator.adobe_caller import AdobeCaller
from tests.support.simulator import Simulator

NOW = "2026-11-20T12:00:00Z"


def days_ago(days: float) -> str:
    moment = datetime.fromisoformat(NOW) - timedelta(days=days)
    return moment.isoformat().replace("+00:00", "Z")


def day(days_before: float) -> str:
    return days_ago(days_before)[:10]


@pytest.fixture(autouse=True)
def at_noon(simulator: Simulator) -> None:
    simulator.set_clock(now=NOW, rate=0)


@pytest.mark.parametrize("regulation", [None, "unknown", "dpdpa", "ql25"])
def test_an_unknown_regulation_is_refused_with_the_47_known_ones(
    adobe: AdobeCaller, regulation: str | None
) -> None:
    answer = adobe.list_jobs(regulation)
    detail = answer.json()["errors"]["detail"]
    assert answer.status_code == 400
    assert detail.startswith(
        "The `regulation` parameter is mandatory. Supported values: [vcdpa_usa, gdpr, ccpa, "
    )
    assert detail.count(",") == 46


def test_an_empty_list_is_a_404_or_by_switch_a_200(adobe: AdobeCaller, simulator: Simulator) -> None:
    answer = adobe.list_jobs()
    assert answer.status_code == 404
    assert answer.json()["errors"]["detail"] == "Not able to find job data."
    assert answer.json()["totalRecords"] == 0
    simulator.switch(empty_list="200")
    assert adobe.list_jobs().json() == {"totalRecords": 0, "jobDetails": []}


def test_a_row_has_eight_fields_and_no_identity(adobe: AdobeCaller) -> None:
    adobe.create("DSR-1")
    (row,) = adobe.list_jobs().json()["jobDetails"]
    assert list(row) == [
        "jobId", "requestId", "userKey", "action", "status", "submittedBy", "createdDate", "lastModifiedDate",
    ]  # fmt: skip
    assert row["createdDate"] == "11/20/2026 12:00 PM GMT"


def test_pages_are_zero_based_and_the_page_past_the_end_is_a_404(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    ids = simulator.create_jobs(count=250, created_at=days_ago(1), spread_seconds=3600)
    pages = [adobe.listed_ids(page=page) for page in range(3)]
    assert [len(page) for page in pages] == [100, 100, 50]
    assert [job_id for page in pages for job_id in page] == ids[::-1]
    assert adobe.list_jobs(page=3).status_code == 404


def test_pages_as_in_the_openapi_file(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(page_base=1, page_size_default=25, page_size_max=100)
    ids = simulator.create_jobs(count=30, created_at=days_ago(1), spread_seconds=3600)
    assert adobe.listed_ids() == adobe.listed_ids(page=1) == ids[:4:-1]
    assert adobe.listed_ids(page=2) == ids[4::-1]
    assert adobe.list_jobs(page=0).status_code == 400
    simulator.switch(page_zero="first_page")
    assert adobe.listed_ids(page=0) == ids[:4:-1]
    simulator.switch(page_zero="empty")
    assert adobe.list_jobs(page=0).status_code == 404
    assert "Maximum page size supported is 100" in adobe.list_jobs(size=101).json()["errors"]["detail"]


def test_a_page_larger_than_allowed_is_refused(adobe: AdobeCaller) -> None:
    answer = adobe.list_jobs(size=1001)
    assert answer.status_code == 400
    assert answer.json()["errors"]["detail"] == "Page size exceeded,Maximum page size supported is 1000"


@pytest.mark.parametrize(("mode", "count"), [("page", 2), ("total", 5)])
def test_total_records_has_two_meanings(
    adobe: AdobeCaller, simulator: Simulator, mode: str, count: int
) -> None:
    simulator.switch(total_records=mode)
    simulator.create_jobs(count=5)
    assert adobe.list_jobs(size=2).json()["totalRecords"] == count


def test_the_array_may_be_called_jobs(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(list_array="jobs")
    simulator.create_jobs()
    assert len(adobe.list_jobs().json()["jobs"]) == 1


def test_the_order_follows_the_switch(adobe: AdobeCaller, simulator: Simulator) -> None:
    ids = simulator.create_jobs(count=50, created_at=days_ago(1), spread_seconds=3600)
    simulator.switch(list_order="oldest_first")
    assert adobe.listed_ids() == ids
    simulator.switch(list_order="unstable")
    first, second = adobe.listed_ids(), adobe.listed_ids()
    assert first != second
    assert sorted(first) == sorted(second) == sorted(ids)


def test_rows_shift_between_pages_while_jobs_are_added(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.create_jobs(count=4, created_at=days_ago(1), spread_seconds=60)
    simulator.switch(jobs_added_per_list_call=1)
    first, second = adobe.listed_ids(size=2, page=0), adobe.listed_ids(size=2, page=1)
    assert first[1] == second[0]


def test_the_last_seven_days_are_listed_by_default(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.create_jobs(created_at=days_ago(8))
    recent = simulator.create_jobs(created_at=days_ago(6))
    assert adobe.listed_ids() == recent


def test_both_days_of_a_window_are_included_unless_switched_off(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    by_age = {age: simulator.create_jobs(created_at=days_ago(age))[0] for age in (4, 3, 2, 1)}
    assert adobe.listed_ids(fromDate=day(3), toDate=day(2)) == [by_age[2], by_age[3]]
    simulator.switch(to_date_inclusive=False)
    assert adobe.listed_ids(fromDate=day(3), toDate=day(2)) == [by_age[3]]
    assert adobe.listed_ids(filterDate=day(2)) == [by_age[2]]


@pytest.mark.parametrize(
    "window",
    [
        {"fromDate": day(3)},
        {"toDate": day(3)},
        {"fromDate": day(2), "toDate": day(3)},
        {"fromDate": day(40), "toDate": day(9)},
        {"fromDate": day(46), "toDate": day(30)},
        {"filterDate": day(46)},
        {"fromDate": "11/20/2026", "toDate": "11/20/2026"},
        {"status": "finished"},
        {"page": "-1"},
        {"size": "0"},
    ],
    ids=str,
)
def test_a_bad_parameter_is_refused(adobe: AdobeCaller, window: dict[str, str]) -> None:
    answer = adobe.list_jobs(**window)
    assert answer.status_code == 400
    assert answer.json()["errors"]["errorCode"] == 400


def test_the_look_back_follows_the_switch(adobe: AdobeCaller, simulator: Simulator) -> None:
    old = simulator.create_jobs(created_at=days_ago(59))
    simulator.switch(lookback_days=60)
    assert adobe.listed_ids(fromDate=day(60), toDate=day(50)) == old


@pytest.mark.parametrize(
    ("meaning", "found_at"), [("created", "created"), ("completed", "completed"), ("modified", "completed")]
)
def test_the_dates_mean_what_the_switch_says(
    adobe: AdobeCaller, simulator: Simulator, meaning: str, found_at: str
) -> None:
    (job_id,) = simulator.create_jobs(created_at=days_ago(20), completed_at=days_ago(5))
    simulator.switch(list_dates=meaning)
    found = {
        "created": adobe.listed_ids(filterDate=day(20)),
        "completed": adobe.listed_ids(filterDate=day(5)),
    }
    assert found.pop(found_at) == [job_id]
    assert list(found.values()) == [[]]


def test_the_status_filter_knows_four_words_and_may_refuse_submitted(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.scenario(
        {
            "rules": [
                {"key": "slow", "delay_seconds": 1000},
                {"key": "failed", "code": "1000-400"},
            ]
        }
    )
    ids = {key: adobe.created_ids(key) for key in ("slow", "failed", "fine")}
    simulator.advance(60)
    ids["new"] = adobe.created_ids("new")
    by_status = {"processing": "slow", "error": "failed", "complete": "fine", "submitted": "new"}
    for status, key in by_status.items():
        assert adobe.listed_ids(status=status) == ids[key]
    simulator.switch(refuse_submitted_filter=True)
    assert adobe.list_jobs(status="submitted").status_code == 400


def test_jobs_of_another_regulation_are_not_listed(adobe: AdobeCaller, simulator: Simulator) -> None:
    ccpa = simulator.create_jobs(regulation="ccpa")
    gdpr = simulator.create_jobs(regulation="gdpr")
    assert (adobe.listed_ids("ccpa"), adobe.listed_ids("gdpr")) == (ccpa, gdpr)
    simulator.switch(gdpr_lists_ccpa=True)
    assert adobe.listed_ids("gdpr") == gdpr + ccpa


def test_a_new_job_stays_out_of_lists_for_the_real_seconds_of_the_lag(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.switch(list_lag_seconds=60)
    (job_id,) = adobe.created_ids("DSR-1")
    simulator.advance(3600)
    assert adobe.listed_ids() == []
    assert adobe.detail(job_id).status_code == 200
    simulator.switch(list_lag_seconds=0)
    assert adobe.listed_ids() == [job_id]


def test_list_calls_are_counted_by_regulation(adobe: AdobeCaller, simulator: Simulator) -> None:
    adobe.list_jobs("gdpr")
    adobe.list_jobs("gdpr")
    adobe.list_jobs("ccpa")
    assert simulator.counters()["list_calls_by_regulation"] == {"gdpr": 2, "ccpa": 1}
    simulator.reset_counters()
    assert simulator.calls()["list"] == 0


def test_a_skewed_clock_shows_in_the_dates_of_jobs(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(clock_skew_seconds=-7200)
    adobe.create("DSR-1")
    (row,) = adobe.list_jobs().json()["jobDetails"]
    assert row["createdDate"] == "11/20/2026 10:00 AM GMT"


def test_errors_may_come_without_an_envelope(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(error_envelope="flat")
    assert adobe.list_jobs().json()["detail"] == "Not able to find job data."


def test_an_unknown_route_gives_the_edges_html(adobe: AdobeCaller) -> None:
    answer = adobe.http.get("/nothing-here", headers=adobe.headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
