"""What is taken from Adobe's lists, and how often they are looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import PermissionDenied
from adobe_privacy.waiting.looks import JobWatch, OpenJobsList, Progress, WaitingJob, look_interval
from tests.support.simulator import Simulator

NOW = datetime.now(UTC)


def client_of(simulator: Simulator) -> PrivacyServiceClient:
    return PrivacyServiceClient(simulator.client_config())


def jobs_of(job_ids: list[str], age: timedelta = timedelta(hours=1)) -> list[WaitingJob]:
    return [WaitingJob(job_id, NOW - age) for job_id in job_ids]


async def look(
    simulator: Simulator, watch: JobWatch, jobs: list[WaitingJob], regulation: str = "gdpr"
) -> Progress:
    async with client_of(simulator) as client:
        listed = await OpenJobsList(regulation).look(
            client, since=min(job.submitted_at for job in jobs), new_since=watch.new_since(jobs)
        )
        return await watch.judge(jobs, listed, client, NOW)


@pytest.mark.parametrize(
    ("age", "interval"),
    [
        (timedelta(minutes=1), 300),
        (timedelta(hours=8), 300),
        (timedelta(days=1), 864),
        (timedelta(days=3), 2592),
        (timedelta(days=40), 3600),
    ],
)
def test_the_interval_grows_with_the_youngest_jobs_age_up_to_an_hour(age: timedelta, interval: float) -> None:
    jobs = [*jobs_of(["young"], age), *jobs_of(["old"], timedelta(days=44))]
    assert look_interval(jobs, NOW, 300) == interval


def test_a_longer_interval_of_the_users_is_kept() -> None:
    assert look_interval(jobs_of(["job"]), NOW, 7200) == 7200
    assert look_interval([], NOW, 7200) == 7200


async def test_a_job_goes_from_submitted_to_finished_without_a_detail(simulator: Simulator) -> None:
    simulator.switch(processing_delay_seconds="100", access_delay_seconds="1000")
    jobs = jobs_of(simulator.create_jobs())
    watch = JobWatch(list_lag=0)
    assert await look(simulator, watch, jobs) == Progress(1, 0), "submitted"
    assert watch.new_since(jobs) is not None
    simulator.advance(200)
    assert await look(simulator, watch, jobs) == Progress(1, 0), "processing"
    assert watch.new_since(jobs) is None, "the list of submitted jobs is of no more use"
    simulator.advance(2000)
    assert await look(simulator, watch, jobs) == Progress(0, 1)
    assert simulator.calls()["detail"] == 0


async def test_a_job_that_the_lists_do_not_show_yet_counts_as_open(simulator: Simulator) -> None:
    jobs = jobs_of(["not-listed-yet"], timedelta(seconds=30))
    assert await look(simulator, JobWatch(list_lag=300), jobs) == Progress(1, 0)
    assert simulator.calls()["detail"] == 0


async def test_a_job_that_was_sent_by_a_clock_ahead_of_ours_is_asked_for_singly(simulator: Simulator) -> None:
    """Else it would be waited for until our clock has come there."""
    simulator.switch(access_delay_seconds="1000")
    jobs = jobs_of(simulator.create_jobs(), timedelta(hours=-1))
    assert await look(simulator, JobWatch(list_lag=300), jobs) == Progress(1, 0)
    simulator.advance(2000)
    assert await look(simulator, JobWatch(list_lag=300), jobs) == Progress(0, 1)


async def test_a_job_under_a_renamed_code_is_asked_for_singly(simulator: Simulator) -> None:
    simulator.switch(access_delay_seconds="1000")
    jobs = jobs_of(simulator.create_jobs(regulation="ucpa_usa", count=8))
    simulator.advance(10)
    watch = JobWatch(list_lag=0)
    assert (await look(simulator, watch, jobs, "ucpa_ut_usa")).open > 0
    assert simulator.calls()["detail"] == 5, "a few of them"
    simulator.advance(2000)
    assert await look(simulator, watch, jobs, "ucpa_ut_usa") == Progress(0, 8)


async def test_a_job_older_than_the_lists_reach_is_asked_for_singly_even_if_once_seen(
    simulator: Simulator,
) -> None:
    created = (NOW - timedelta(days=46)).isoformat()
    jobs = jobs_of(
        simulator.create_jobs(created_at=created, completed_at=(NOW + timedelta(days=2)).isoformat()),
        timedelta(days=46),
    )
    watch = JobWatch(list_lag=0, seen={jobs[0].job_id})
    assert await look(simulator, watch, jobs) == Progress(1, 0)
    simulator.advance(3 * 86400)
    assert await look(simulator, watch, jobs) == Progress(0, 1)
    assert simulator.calls()["detail"] == 2


async def test_a_job_whose_data_is_gone_is_not_waited_for(simulator: Simulator) -> None:
    jobs = jobs_of(["00000000-0000-11ef-8001-000000000000"])
    assert await look(simulator, JobWatch(list_lag=0), jobs) == Progress(0, 1)


async def test_a_job_that_alone_is_asked_for_and_denied_is_told_from_a_service_that_denies_all(
    simulator: Simulator,
) -> None:
    jobs = jobs_of(simulator.create_jobs(count=6, key="DSR"))
    hidden = jobs_of(simulator.create_jobs(key="hidden"))
    simulator.advance(2000)
    simulator.fault("detail", "error_before", key="hidden", status=403, body="html", times=None)
    watch = JobWatch(list_lag=0, seen={job.job_id for job in jobs})
    for _ in range(2):
        assert await look(simulator, watch, jobs + hidden) == Progress(0, 6, (hidden[0].job_id,))
    with pytest.raises(PermissionDenied):
        await look(simulator, JobWatch(list_lag=0), hidden)


@pytest.mark.parametrize("kind", ["not_json", "error_before"])
async def test_an_error_that_passes_denies_no_job(simulator: Simulator, kind: str) -> None:
    simulator.switch(access_delay_seconds="1000")
    finished, failing = (jobs_of(simulator.create_jobs(key=key)) for key in ("DSR-0", "DSR-1"))
    simulator.advance(2000)
    status = {"status": 401} if kind == "error_before" else {}
    simulator.fault("detail", kind, key="DSR-1", times=None, **status)
    watch = JobWatch(list_lag=0)
    assert await look(simulator, watch, finished + failing) == Progress(1, 1), "it may be open"
    simulator.clear_faults()
    assert await look(simulator, watch, finished + failing) == Progress(0, 2)


async def test_a_job_that_was_denied_and_is_listed_as_open_is_waited_for(simulator: Simulator) -> None:
    simulator.switch(access_delay_seconds="1000")
    jobs = jobs_of(simulator.create_jobs(count=2))
    simulator.advance(10)
    denied = {jobs[0].job_id}
    assert await look(simulator, JobWatch(list_lag=0, denied=denied), jobs) == Progress(2, 0)


async def test_a_refused_filter_is_not_asked_for_again(simulator: Simulator) -> None:
    simulator.switch(refuse_submitted_filter=True, access_delay_seconds="1000")
    jobs = jobs_of(simulator.create_jobs())
    simulator.advance(10)
    lists = OpenJobsList("gdpr")
    async with client_of(simulator) as client:
        for _ in range(2):
            listed = await lists.look(client, since=NOW, new_since=NOW)
            assert listed.processing == {jobs[0].job_id}
    assert simulator.counters()["statuses"]["list 400"] == 1
