"""One odd row, list or detail of Adobe's costs a sweep itself only, and is never taken for more than it says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.api.errors import PermissionDenied, RateLimited, TemporarilyUnavailable
from adobe_privacy.archive import iter_manifests
from adobe_privacy.ledger.attention import Level
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import Results
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.reporting.attention import read_attention
from adobe_privacy.reporting.run_report import settle
from adobe_privacy.results.judged_again import judgement_of
from adobe_privacy.results.sweep import Sweep, sweep
from adobe_privacy.storage import FileOptions, Store, open_store
from tests.api.fake_service import NO_JOB_DATA
from tests.api.raw_server import http
from tests.archive.zips import Members, make_zip
from tests.results.odd_adobe import OddAdobe, adobe_date, answered, odd_adobe
from tests.support.ledgers import DAY, received

CODES = ["gdpr", "lgpd_bra", "ucpa_ut_usa"]
END_OF_TIME, BEGINNING = "12/31/9999 11:59 PM GMT", "01/01/0001 12:00 AM GMT"


@pytest.fixture
async def adobe() -> AsyncIterator[OddAdobe]:
    async with odd_adobe() as adobe:
        adobe.add("good")
        adobe.add("good-too", regulation="ucpa_ut_usa")
        yield adobe


@pytest.fixture
def archive(tmp_path: Path) -> Store:
    return open_store(f"file://{tmp_path}/archive", FileOptions(create=True))


async def swept_with(
    adobe: OddAdobe, ledger_url: str, archive: Store, *, later: timedelta = timedelta(0)
) -> tuple[Sweep, dict[str, Job]]:
    """With `later`, the ledger's clock is so much ahead."""
    today = datetime.now(UTC).date()
    with Ledger(ledger_url, actor="dag/run/task", now=lambda: datetime.now(UTC) + later) as ledger:
        async with adobe.client() as client:
            result = await sweep(
                first=today - timedelta(days=3),
                last=today,
                ledger=ledger,
                archive=archive,
                client=client,
                regulations=CODES,
            )
        ids = {*adobe.details, "twice"}
        return result, {job.adobe_job_id or "": job for job in ledger.others.jobs_at_adobe(ids, *JobState)}


@pytest.fixture
def swept(ledger_url: str, archive: Store, adobe: OddAdobe) -> Callable[[], Any]:
    async def sweeping() -> tuple[Sweep, dict[str, Job]]:
        result, jobs = await swept_with(adobe, ledger_url, archive)
        assert jobs["good"].state == jobs["good-too"].state == JobState.ARCHIVED
        return result, jobs

    return sweeping


@pytest.mark.parametrize(
    "fields",
    [
        {"createdDate": END_OF_TIME, "lastModifiedDate": END_OF_TIME},
        {"createdDate": END_OF_TIME},
        {"createdDate": BEGINNING},
        {"lastModifiedDate": "01/01/1970 12:00 AM GMT"},
        {"createdDate": 1732000000000, "lastModifiedDate": 1732000000000},
        {"createdDate": None, "lastModifiedDate": None},
        {"action": "y" * 200},
    ],
    ids=lambda fields: ",".join(f"{name}={str(value)[:10]}" for name, value in fields.items()),
)
async def test_a_row_with_an_odd_value_is_archived_like_any_other(
    adobe: OddAdobe, swept: Any, fields: dict[str, Any]
) -> None:
    adobe.add("odd", **fields)
    result, jobs = await swept()
    assert (result.archived, result.failures, result.gone) == (3, [], [])
    assert jobs["odd"].state is JobState.ARCHIVED


async def test_a_job_id_that_no_ledger_holds_is_left_out(adobe: OddAdobe, swept: Any) -> None:
    adobe.add("x" * 300)
    result, jobs = await swept()
    assert (result.archived, len(jobs)) == (2, 2)


@pytest.mark.parametrize("listed", [None, "access"])
async def test_what_another_s_job_is_for_its_detail_says(
    adobe: OddAdobe, swept: Any, listed: str | None
) -> None:
    adobe.add("odd", action=listed)
    adobe.details["odd"]["action"] = "delete"
    del adobe.contents["odd"]
    result, jobs = await swept()
    assert (result.archived, result.failures) == (3, [])
    assert jobs["odd"].action == "delete"


@pytest.mark.parametrize("first", ["processing", "complete"])
async def test_a_job_that_is_listed_as_open_and_as_ended_has_ended(
    adobe: OddAdobe, swept: Any, first: str
) -> None:
    rows = [{"jobId": "twice", "action": "access", "status": status} for status in ("processing", "complete")]
    adobe.add("twice", listed=False)
    adobe.lists["gdpr"] += rows if first == "processing" else rows[::-1]  # type: ignore[operator]
    result, jobs = await swept()
    assert (result.archived, result.adopted, jobs["twice"].state) == (3, 3, JobState.ARCHIVED)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_job_that_may_not_be_read_costs_no_other(adobe: OddAdobe, swept: Any, status: int) -> None:
    adobe.add("odd")
    adobe.details["odd"] = http(status, b'{"error_code": "403025"}')
    result, jobs = await swept()
    assert (result.archived, len(result.failures)) == (2, 1)
    assert "adobe:odd" in result.failures[0]
    assert jobs["odd"].state is JobState.SUBMITTED


async def test_where_no_job_may_be_read_the_denial_comes_as_itself(adobe: OddAdobe, swept: Any) -> None:
    adobe.details = dict.fromkeys(adobe.details, http(403))
    with pytest.raises(PermissionDenied):
        await swept()


@pytest.mark.parametrize(
    "answer",
    [http(500), http(200, b"<html>"), http(403), http(404, b"<html>")],
    ids=["500", "html", "403", "404"],
)
async def test_a_list_that_cannot_be_read_costs_no_other(adobe: OddAdobe, swept: Any, answer: bytes) -> None:
    adobe.lists["lgpd_bra"] = answer
    result, _ = await swept()
    assert result.archived == 2
    [problem] = result.not_listed
    assert "the list of lgpd_bra" in problem


async def test_a_current_code_that_adobe_refuses_is_told(adobe: OddAdobe, swept: Any) -> None:
    adobe.lists["lgpd_bra"] = http(400, b'{"errorCode": 400, "title": "Invalid Request"}')
    adobe.lists["ucpa_usa"] = http(400, b'{"errorCode": 400, "title": "Invalid Request"}')  # retired
    result, _ = await swept()
    assert result.archived == 2
    [problem] = result.not_listed
    assert "the list of lgpd_bra" in problem


TOO_MANY = http(429, b'{"error_code": "429050", "message": "Too many requests"}')


async def test_one_list_with_too_many_requests_costs_no_other(adobe: OddAdobe, swept: Any) -> None:
    adobe.lists["lgpd_bra"] = TOO_MANY
    result, _ = await swept()
    assert result.archived == 2
    assert "too many requests" in result.not_listed[0]


@pytest.mark.parametrize("place", ["details", "contents"])
async def test_too_many_requests_for_one_job_cost_no_other(adobe: OddAdobe, swept: Any, place: str) -> None:
    for number in range(30):
        adobe.add(f"more-{number}")
    # Found first: it is the oldest.
    adobe.add("odd", lastModifiedDate=adobe_date(timedelta(days=2)))
    getattr(adobe, place)["odd"] = TOO_MANY
    result, jobs = await swept()
    assert result.archived == 32
    [failure] = result.failures
    assert "adobe:odd" in failure
    assert "too many requests" in failure
    assert jobs["odd"].state in (JobState.SUBMITTED, JobState.COMPLETE)


@pytest.mark.parametrize("place", ["details", "contents"])
async def test_where_adobe_has_too_many_requests_for_all_it_is_left_in_peace(
    adobe: OddAdobe, ledger_url: str, archive: Store, place: str
) -> None:
    for number in range(60):
        adobe.add(f"more-{number}")
    setattr(adobe, place, dict.fromkeys(getattr(adobe, place), TOO_MANY))
    with pytest.raises(RateLimited):
        await swept_with(adobe, ledger_url, archive)
    calls = [
        call for call in adobe.asked if "more-" in call and call.endswith("content") == (place == "contents")
    ]
    assert len(calls) <= 16


PAGE = http(404, b"<html><body>Not Found</body></html>")


@pytest.mark.parametrize("answer", [PAGE, http(404), http(404, b'{"error_code": "404000", "message": "no"}')])
@pytest.mark.parametrize("code", ["PRVCY-6000-200", "PRVCY-6051-200"])
async def test_a_result_that_somebody_else_has_not_is_not_gone(
    adobe: OddAdobe, ledger_url: str, archive: Store, answer: bytes, code: str
) -> None:
    """Ten days after its completion, Adobe's own word would end it."""
    adobe.add(
        "odd",
        createdDate=adobe_date(timedelta(days=12)),
        lastModifiedDate=adobe_date(timedelta(days=10)),
        productResponses=[answered(code=code)],
    )
    adobe.contents["odd"] = answer
    result, jobs = await swept_with(adobe, ledger_url, archive)
    assert (result.archived, result.gone) == (2, [])
    assert "adobe:odd" in result.failures[0]
    assert jobs["odd"].state is JobState.COMPLETE
    adobe.contents["odd"] = http(404, json.dumps(NO_JOB_DATA).encode())
    result, jobs = await swept_with(adobe, ledger_url, archive)
    assert (len(result.gone), result.archived) == ((1, 0) if code == "PRVCY-6000-200" else (0, 1))


async def test_a_result_that_the_store_says_it_has_not_is_gone(
    adobe: OddAdobe, ledger_url: str, archive: Store
) -> None:
    adobe.add(
        "odd", createdDate=adobe_date(timedelta(days=12)), lastModifiedDate=adobe_date(timedelta(days=10))
    )
    adobe.contents["odd"] = http(
        404, b'<?xml version="1.0"?><Error><Code>BlobNotFound</Code><Message>gone</Message></Error>'
    )
    result, _ = await swept_with(adobe, ledger_url, archive)
    assert (result.archived, len(result.gone)) == (2, 1)


async def test_a_job_that_somebody_else_does_not_know_is_not_gone(
    adobe: OddAdobe, swept: Any, ledger_url: str
) -> None:
    submitted(ledger_url, "odd", "access")
    adobe.add("odd")
    adobe.details["odd"] = PAGE
    result, jobs = await swept()
    assert (result.gone, len(result.failures)) == ([], 1)
    assert jobs["odd"].state is JobState.SUBMITTED


FORBIDDEN = http(403, b"<html><body>Access to this address is blocked</body></html>")


@pytest.mark.parametrize("pages", [1, 2, 5])
async def test_a_result_that_somebody_else_denies_costs_no_other(
    adobe: OddAdobe, swept: Any, pages: int
) -> None:
    odd = [f"odd-{number}" for number in range(pages)]
    for job_id in odd:
        # Fetched first: it is the oldest.
        adobe.add(job_id, lastModifiedDate=adobe_date(timedelta(days=2)))
        adobe.contents[job_id] = FORBIDDEN
    result, jobs = await swept()
    assert (result.archived, len(result.failures)) == (2, pages)
    assert "the answer is not Adobe's. Check the proxy" in result.failures[0]
    assert {jobs[job_id].state for job_id in odd} == {JobState.COMPLETE}
    for job_id in odd:
        adobe.contents[job_id] = adobe.contents["good"]
    result, jobs = await swept()
    assert (result.archived, result.failures) == (pages, [])


async def test_where_somebody_denies_every_result_the_fetching_ends(
    adobe: OddAdobe, ledger_url: str, archive: Store
) -> None:
    for number in range(60):
        adobe.add(f"more-{number}")
    adobe.contents = dict.fromkeys(adobe.contents, FORBIDDEN)
    with pytest.raises(PermissionDenied, match="proxy"):
        await swept_with(adobe, ledger_url, archive)
    assert sum(call.endswith("content") for call in adobe.asked) == 20


async def test_where_no_list_can_be_read_the_error_comes_as_itself(adobe: OddAdobe, swept: Any) -> None:
    adobe.lists = dict.fromkeys([*CODES, "ucpa_usa"], http(500))
    with pytest.raises(TemporarilyUnavailable):
        await swept()


def submitted(
    ledger_url: str, adobe_job_id: str, action: str, *, number: int = 1, back: timedelta = timedelta(0)
) -> None:
    with Ledger(ledger_url, actor="dag/run/task", now=lambda: datetime.now(UTC) - back) as ledger:
        ledger.intake.receive([received(number, action, products="profileService")])
        batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=100)
        assert batch is not None
        jobs = ledger.intents.intend(
            batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=100
        )
        ledger.intents.record_submitted(
            [(jobs[0], adobe_job_id)], adobe_request_id=None, reason="Adobe's answer"
        )


async def test_a_job_of_ours_that_is_another_kind_at_adobe_is_never_done(
    adobe: OddAdobe, swept: Any, ledger_url: str
) -> None:
    submitted(ledger_url, "ours", "delete")
    adobe.add("ours")
    result, found = await swept()
    [failure] = result.failures
    assert "Adobe's job is of another kind: access" in failure
    assert (found["ours"].state, found["ours"].outcome) == (JobState.SUBMITTED, None)


@pytest.mark.parametrize("path", ["/p/jobs/good/content", "/p/jobs/go%6Fd/content/?v=1"])
async def test_the_result_of_another_job_is_never_archived_as_this_one_s(
    adobe: OddAdobe, swept: Any, ledger_url: str, archive: Store, path: str
) -> None:
    """It would be given to the wrong person."""
    submitted(ledger_url, "ours", "access")
    adobe.add("ours")
    adobe.details["ours"]["downloadURL"] = f"{adobe.url}{path}"
    result, found = await swept()
    [failure] = result.failures
    assert "the download address is another job's" in failure
    assert found["ours"].state is JobState.COMPLETE
    adobe.details["ours"]["downloadURL"] = f"{adobe.url}/p/jobs/OURS/content"
    adobe.contents["OURS"] = adobe.contents["ours"]
    _, found = await swept()
    assert found["ours"].state is JobState.ARCHIVED


async def test_a_job_that_adobe_called_complete_may_still_end_in_error(
    adobe: OddAdobe, swept: Any, ledger_url: str
) -> None:
    submitted(ledger_url, "ours", "access")
    adobe.add("ours")
    del adobe.contents["ours"]
    result, found = await swept()
    assert (len(result.failures), found["ours"].state) == (1, JobState.COMPLETE)
    adobe.details["ours"] |= {
        "status": "error",
        "productResponses": [answered(code="PRVCY-1000-400", status="error")],
    }
    result, found = await swept()
    assert (found["ours"].state, found["ours"].outcome_code) == (JobState.ERROR, "1000-400")


@pytest.mark.parametrize("code", ["6051-200", "6052-200"])
async def test_an_access_of_which_there_can_be_no_result_is_archived_without(
    adobe: OddAdobe, swept: Any, archive: Store, code: str
) -> None:
    adobe.add("odd")
    adobe.details["odd"]["productResponses"] = [answered(code=f"PRVCY-{code}")]
    del adobe.contents["odd"]
    result, jobs = await swept()
    assert (result.archived, result.failures, jobs["odd"].outcome_code) == (3, [], code)
    assert [manifest.object for _, manifest in iter_manifests(archive) if manifest.job_id == "odd"] == [None]


async def test_no_letter_of_an_identity_in_a_product_s_name_is_kept(
    adobe: OddAdobe, swept: Any, ledger_url: str
) -> None:
    adobe.add("odd")
    adobe.details["odd"] |= {
        "userIds": [{"namespace": "crm", "value": "Jane Elizabeth Doe"}],
        "productResponses": [answered("Store of jdoe@example.com"), answered("Jane Elizabeth Doe (CRM)")],
    }
    _, jobs = await swept()
    with Ledger(ledger_url, actor="test") as ledger:
        kept = [(row.product, row.name) for row in ledger.results.answers([jobs["odd"].id])[jobs["odd"].id]]
    assert kept == [("storeofidentity", "Store of [identity]"), ("identitycrm", "[identity] (CRM)")]


async def test_a_status_that_no_document_knows_is_told_and_counts_as_open(
    adobe: OddAdobe, swept: Any, caplog: pytest.LogCaptureFixture
) -> None:
    adobe.add("odd")
    adobe.details["odd"]["status"] = "completed"
    _, jobs = await swept()
    assert jobs["odd"].state is JobState.SUBMITTED
    assert "job odd: its status is in no document" in caplog.text


@pytest.mark.parametrize("forged", [{"status": "error"}, {"action": "delete"}])
async def test_a_manifest_of_something_else_in_the_job_s_place_is_not_taken_for_its_own(
    adobe: OddAdobe, swept: Any, archive: Store, forged: dict[str, str]
) -> None:
    await swept()
    [manifest] = [manifest for _, manifest in iter_manifests(archive) if manifest.job_id == "good"]
    adobe.add("odd")
    other = manifest.model_copy(update={"job_id": "odd", "object": None, "sha256": None} | forged)
    archive.create(f"{other.folder}/manifest.json", other.to_json())
    result, jobs = await swept()
    [failure] = result.failures
    assert "has a manifest already" in failure
    assert jobs["odd"].state is JobState.COMPLETE


def listed_open(adobe: OddAdobe, ledger_url: str, job_id: str, days: float, *, number: int = 1) -> None:
    """A job of ours that Adobe's list shows as open, and its detail as complete."""
    submitted(ledger_url, job_id, "access", number=number, back=timedelta(days=days))
    adobe.add(job_id, status="processing")
    adobe.details[job_id]["status"] = "complete"


def asked_for(adobe: OddAdobe, job_id: str) -> int:
    return adobe.asked.count(f"GET /p/jobs/{job_id}")


@pytest.mark.parametrize(("days", "state"), [(2.9, JobState.SUBMITTED), (3.1, JobState.ARCHIVED)])
async def test_a_job_that_is_listed_as_open_for_days_is_asked_for_and_archived_if_it_is_complete(
    adobe: OddAdobe, swept: Any, ledger_url: str, days: float, state: JobState
) -> None:
    listed_open(adobe, ledger_url, "ours", days)
    _, jobs = await swept()
    assert jobs["ours"].state is state


async def test_a_job_that_stays_open_is_asked_for_four_times(
    adobe: OddAdobe, ledger_url: str, archive: Store
) -> None:
    listed_open(adobe, ledger_url, "ours", 0)
    adobe.details["ours"]["status"] = "processing"
    days = []
    for day in range(44):
        before = asked_for(adobe, "ours")
        await swept_with(adobe, ledger_url, archive, later=timedelta(days=day, hours=1))
        days += [day] * (asked_for(adobe, "ours") - before)
    assert days == [3, 7, 14, 28]


async def test_of_what_is_listed_as_open_the_oldest_is_asked_for_and_what_no_list_shows_goes_first(
    adobe: OddAdobe, swept: Any, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adobe_privacy.results.sweep.ASKED_SINGLY", 2)
    for number, days in enumerate([4, 20, 10]):
        listed_open(adobe, ledger_url, f"open-{days}", days, number=number)
    submitted(ledger_url, "unlisted", "access", number=9, back=timedelta(days=2))
    adobe.add("unlisted", listed=False)
    result, jobs = await swept()
    archived = {job_id for job_id, job in jobs.items() if job.state is JobState.ARCHIVED}
    assert archived == {"good", "good-too", "unlisted", "open-20"}
    assert (result.asked, result.asked_though_open, result.not_asked) == (1, 1, 0)


async def test_what_was_seen_complete_is_tried_again_in_each_sweep_though_it_is_listed_as_open(
    adobe: OddAdobe, swept: Any, ledger_url: str
) -> None:
    listed_open(adobe, ledger_url, "ours", 4)
    result_of_adobe, adobe.contents["ours"] = adobe.contents["ours"], http(500)
    result, jobs = await swept()
    assert (len(result.failures), jobs["ours"].state) == (1, JobState.COMPLETE)
    adobe.contents["ours"] = result_of_adobe
    result, jobs = await swept()
    assert (result.failures, jobs["ours"].state) == ([], JobState.ARCHIVED)


NO_DATA: dict[str, Members] = {
    "no members": [],
    "folders": [("result/", b""), ("result/Profile/", b"")],
    "empty files": [("result/Profile/profile.json", b""), ("result/Analytics/hits.csv", b"")],
}


@pytest.mark.parametrize("members", NO_DATA.values(), ids=list(NO_DATA))
@pytest.mark.parametrize("again", [False, True])
async def test_a_result_without_data_is_never_taken_for_all_that_was_asked(
    adobe: OddAdobe,
    swept: Any,
    ledger_url: str,
    archive: Store,
    monkeypatch: pytest.MonkeyPatch,
    members: Members,
    again: bool,
) -> None:
    submitted(ledger_url, "ours", "access")
    adobe.add("ours")
    adobe.contents["ours"] = http(200, make_zip(members))
    if again:  # The first try was killed after the manifest was written.
        with monkeypatch.context() as patch:
            patch.setattr(Results, "record_archived", lambda *_: set())
            await swept_with(adobe, ledger_url, archive)
    _, jobs = await swept()
    ours = jobs["ours"]
    assert (ours.state, ours.outcome, ours.outcome_code) == (JobState.ARCHIVED, "in part", "6000-200")
    [manifest] = [each for _, each in iter_manifests(archive) if each.job_id == "ours"]
    assert (manifest.completeness.verdict, manifest.inflated_size) == ("in part", 0)
    kept = judgement_of(json.loads(manifest.to_json()), "access")
    assert kept is not None
    with Ledger(ledger_url, actor="user jdoe") as ledger:
        answers = ledger.results.answers([ours.id])[ours.id]
        assert [answer.verdict for answer in answers] == ["done", "no data"]
        assert [answer.verdict for answer in kept.answers] == ["done", "no data"]
        assert kept.verdict == ours.outcome
        [item] = read_attention(ledger).of(Level.PERSON)
        assert "DSR-1 (access" in item.text
        assert "in part: no data in the result" in item.text
        told = settle(ledger, run_id="run", inbox_date=DAY)
        assert told.problems == 1
        assert "1 of 1 accesses not done: 1 no data in the result" in told.figures
        assert ledger.people.close("DSR-1", "Adobe has nothing of this person") == 1
        assert read_attention(ledger).count(Level.PERSON) == 0


@pytest.mark.parametrize(("code", "outcome"), [("6051-200", "nothing to do"), ("6052-200", "not done")])
async def test_a_result_without_data_is_as_it_should_be_where_no_product_has_any(
    adobe: OddAdobe,
    swept: Any,
    ledger_url: str,
    caplog: pytest.LogCaptureFixture,
    code: str,
    outcome: str,
) -> None:
    submitted(ledger_url, "ours", "access")
    adobe.add("ours", productResponses=[answered(code=f"PRVCY-{code}")])
    adobe.contents["ours"] = http(200, make_zip([]))
    _, jobs = await swept()
    assert (jobs["ours"].state, jobs["ours"].outcome) == (JobState.ARCHIVED, outcome)
    assert "job ours: its result holds no data, as its products say" in caplog.text
    with Ledger(ledger_url, actor="test") as ledger:
        assert read_attention(ledger).count(Level.PERSON) == 0


async def test_a_result_with_data_is_all_that_was_asked(
    adobe: OddAdobe, swept: Any, ledger_url: str, archive: Store
) -> None:
    submitted(ledger_url, "ours", "access")
    adobe.add("ours")
    adobe.contents["ours"] = http(200, make_zip([("result/", b""), ("result/Profile/p.json", b"{}")]))
    _, jobs = await swept()
    assert (jobs["ours"].state, jobs["ours"].outcome) == (JobState.ARCHIVED, "done")
