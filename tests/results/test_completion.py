"""Finished jobs against the real simulator: archived, in error, sent again; and what one bad job may cost."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import AddressDenied, AuthenticationFailed, PermissionDenied
from adobe_privacy.api.models import CompanyContext, CreateJobsRequest, Identity, User
from adobe_privacy.archive import iter_manifests, verify_archive
from adobe_privacy.archive.manifest import parse_manifest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import Results
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.reporting.run_report import Settlement, settle
from adobe_privacy.results.completion import Completion, complete_jobs
from adobe_privacy.storage import FileOptions, StorageError, Store, open_store
from tests.support.ledgers import DAY, FakeClock, received
from tests.support.simulator import Simulator, running_simulator


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    switches = {"processing_delay_seconds": 0, "access_delay_seconds": 0, "delete_delay_seconds": 0}
    with running_simulator(switches=switches) as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    shared.reset()
    return shared


@pytest.fixture
def archive(tmp_path: Path) -> Store:
    return open_store(f"file://{tmp_path}/archive", FileOptions(create=True))


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    with Ledger(sqlite_url, actor="privacy_requests/run/archive") as ledger:
        yield ledger


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[PrivacyServiceClient]:
    config = simulator.client_config(
        timeout=5,
        retry_attempts=1,
    )
    async with PrivacyServiceClient(config) as client:
        yield client


@pytest.fixture
def complete(
    simulator: Simulator, ledger: Ledger, archive: Store, client: PrivacyServiceClient
) -> Callable[..., Any]:
    async def completing(**options: Any) -> Completion:
        jobs = ledger.overview.run_jobs(run_id="run", inbox_date=DAY)
        at_adobe = [job for job in jobs if job.state in (JobState.SUBMITTED, JobState.COMPLETE)]
        given: dict[str, Any] = {"ledger": ledger, "archive": archive, "client": client} | options
        return await complete_jobs(at_adobe, **given)

    return completing


async def submitted(
    ledger: Ledger,
    client: PrivacyServiceClient,
    simulator: Simulator,
    count: int = 3,
    *,
    asked: str = "profileService",
) -> list[Job]:
    """Access jobs at Adobe, as a submission leaves them in the ledger. Profile alone will answer."""
    ledger.intake.receive([received(number, products=asked) for number in range(count)])
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=100)
    assert batch is not None
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=100
    )
    created = await client.create_jobs(
        CreateJobsRequest(
            users=tuple(
                User(
                    key=job.key,
                    actions=("access",),  # type: ignore[arg-type]
                    identities=(Identity(namespace="email", value=f"{job.id}@example.com"),),
                )
                for job in jobs
            ),
            include=("profileService",),
            regulation="gdpr",
            company_contexts=(CompanyContext.organisation(simulator.org_id),),
        )
    )
    ids = {row.key: row.job_id for row in created.jobs}
    ledger.intents.record_submitted(
        [(job, ids[job.key]) for job in jobs], adobe_request_id=None, reason="Adobe's answer"
    )
    return ledger.claims.batch_jobs(batch.id)


def settled(ledger: Ledger) -> Settlement:
    return settle(ledger, run_id="run", inbox_date=DAY)


def states(ledger: Ledger) -> dict[str, str]:
    return {job.key: job.state.value for job in ledger.overview.run_jobs(run_id="run", inbox_date=DAY)}


async def test_finished_jobs_are_archived_and_open_ones_counted(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    simulator.scenario({"rules": [{"key": "DSR-1", "never": True}]})
    await submitted(ledger, client, simulator)
    result = await complete()
    assert (result.archived, result.open, result.errors, result.failures) == (2, 1, [], [])
    assert states(ledger) == {"DSR-0": "archived", "DSR-1": "submitted", "DSR-2": "archived"}


async def test_an_error_that_may_pass_is_sent_again_and_another_waits_for_a_person(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    simulator.scenario(
        {"rules": [{"key": "DSR-0", "code": "1020-400"}, {"key": "DSR-1", "code": "1000-400"}]}
    )
    await submitted(ledger, client, simulator)
    result = await complete()
    assert result.archived == 1
    assert sorted(error.rpartition("; ")[2] == "sent again" for error in result.errors) == [False, True]
    assert states(ledger) == {"DSR-0": "received", "DSR-1": "error", "DSR-2": "archived"}


async def test_a_job_is_sent_again_so_many_times_and_no_more(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    simulator.scenario({"rules": [{"code": "1020-400"}]})
    for attempt in (1, 2, 3):
        [job] = await submitted(ledger, client, simulator, count=1)
        assert job.attempt == attempt
        await complete()
    assert states(ledger) == {"DSR-0": "error"}


@pytest.mark.parametrize("fault", ["zero_bytes", "cut_body", "error_before"])
async def test_a_result_that_cannot_be_archived_costs_no_other(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any, fault: str
) -> None:
    simulator.fault("content", fault, key="DSR-1", times=None)
    await submitted(ledger, client, simulator)
    result = await complete()
    assert result.archived == 2
    assert len(result.failures) == 1
    assert result.failures[0].startswith("DSR-1 (access")
    assert states(ledger)["DSR-1"] == "complete"
    simulator.clear_faults()
    assert (await complete()).archived == 1


async def test_a_download_that_is_not_permitted_costs_no_other(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    simulator.fault("content", "error_before", status=403, key="DSR-1", times=None)
    await submitted(ledger, client, simulator)
    result = await complete()
    assert (result.archived, len(result.failures)) == (2, 1)


async def test_without_the_permission_to_read_results_the_first_denial_ends_the_step(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    await submitted(ledger, client, simulator, count=100)
    simulator.switch(permissions="read, write")
    simulator.reset_counters()
    with pytest.raises(PermissionDenied, match="Content Delivery"):
        await complete()
    assert (simulator.calls()["detail"], simulator.calls()["content"]) == (100, 1)
    assert set(states(ledger).values()) == {"complete"}
    simulator.switch(permissions="read, write, content")
    assert (await complete()).archived == 100


async def test_where_adobe_names_addresses_and_denies_them_one_more_is_asked_and_none_anew(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    await submitted(ledger, client, simulator, count=100)
    simulator.fault("content", "error_before", status=403, times=None)
    simulator.reset_counters()
    with pytest.raises(PermissionDenied, match="Content Delivery"):
        await complete()
    assert (simulator.calls()["detail"], simulator.calls()["content"]) == (100, 2)
    assert set(states(ledger).values()) == {"complete"}
    simulator.clear_faults()
    assert (await complete()).archived == 100


async def test_what_needs_no_result_is_archived_without_the_permission(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    # Those in error come without a result.
    simulator.scenario({"rules": [{"key": f"DSR-{number}", "code": "1000-400"} for number in range(40, 60)]})
    await submitted(ledger, client, simulator, count=60)
    simulator.switch(permissions="read, write")
    with pytest.raises(PermissionDenied):
        await complete()
    assert sorted(states(ledger).values()).count("error") == 20


async def test_one_result_that_nobody_may_read_costs_no_other_wherever_it_stands(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    simulator.scenario({"rules": [{"key": "DSR-0", "delay_seconds": 1}, {"delay_seconds": 100}]})
    await submitted(ledger, client, simulator, count=30)
    simulator.advance(200)
    simulator.fault("content", "error_before", status=403, key="DSR-0", times=None)
    result = await complete()
    assert (result.archived, len(result.failures)) == (29, 1)
    assert "Content Delivery" in result.failures[0]


@pytest.mark.parametrize(
    ("switches", "error"),
    [({"permissions": "write"}, PermissionDenied), ({"client_secret": "another"}, AuthenticationFailed)],
)
async def test_where_no_job_can_be_read_the_error_comes_as_itself(
    ledger: Ledger,
    client: PrivacyServiceClient,
    simulator: Simulator,
    complete: Any,
    switches: dict[str, str],
    error: type[Exception],
) -> None:
    await submitted(ledger, client, simulator)
    simulator.switch(**switches)
    simulator.revoke_tokens()
    with pytest.raises(error):
        await complete()


async def test_a_product_that_was_asked_and_is_not_mentioned_gave_no_answer(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, archive: Store, complete: Any
) -> None:
    await submitted(ledger, client, simulator, count=1, asked="profileService,target")
    result = await complete()
    assert (result.archived, result.partial) == (1, 1)
    assert result.missed == ["DSR-0 (access): no answer from target"]
    [job] = ledger.people.request_jobs("DSR-0")
    assert (job.state, job.outcome) == (JobState.ARCHIVED, "in part")
    [(_, manifest)] = iter_manifests(archive)
    assert (manifest.completeness.verdict, manifest.completeness.products_missing) == ("in part", ["target"])
    settlement = settled(ledger)
    assert settlement.problems == 1
    assert "in part: no answer from target" in settlement.named[0]


async def test_a_job_that_adobe_no_longer_knows_is_named(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    jobs = await submitted(ledger, client, simulator, count=1)
    simulator.reset()
    result = await complete()
    [failure] = result.failures
    assert f"DSR-0 (access, Adobe job {jobs[0].adobe_job_id}): Adobe no longer knows the job" in failure
    assert states(ledger) == {"DSR-0": "submitted"}


async def test_what_expires_first_is_fetched_first(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, archive: Store, complete: Any
) -> None:
    delays = {"DSR-0": 3000, "DSR-1": 1000, "DSR-2": 2000}
    rules = [{"key": key, "delay_seconds": delay} for key, delay in delays.items()]
    simulator.scenario({"rules": rules})
    await submitted(ledger, client, simulator)
    simulator.advance(6000)
    await complete(concurrency=1)
    archived = sorted((manifest.archived_at, manifest.request_key) for _, manifest in iter_manifests(archive))
    assert [key for _, key in archived] == ["DSR-1", "DSR-2", "DSR-0"]


async def test_no_more_are_fetched_at_once_than_allowed(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    running = most = 0

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        @asynccontextmanager
        async def download(self, job_id: str, url: str | None) -> AsyncIterator[Any]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            async with client.download(job_id, url) as download:
                await asyncio.sleep(0.02)
                yield download
            running -= 1

    await submitted(ledger, client, simulator, count=12)
    assert (await complete(client=Counting(), concurrency=3)).archived == 12
    assert most == 3


async def test_progress_counts_up_to_the_end(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, archive: Store, complete: Any
) -> None:
    simulator.scenario({"rules": [{"key": "DSR-1", "never": True}, {"key": "DSR-2", "code": "1000-400"}]})
    simulator.fault("content", "zero_bytes", key="DSR-3", times=None)
    await submitted(ledger, client, simulator, count=6)
    seen = []
    await complete(on_progress=lambda so_far: seen.append((so_far.dealt_with, so_far.archived)))
    assert [dealt_with for dealt_with, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1] == (6, 3)
    result = await complete()
    assert (result.jobs, result.dealt_with, result.open, len(result.failures)) == (2, 2, 1, 1)


async def test_a_batch_that_was_stopped_is_resumed_and_nothing_is_fetched_twice(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, archive: Store, complete: Any
) -> None:
    await submitted(ledger, client, simulator, count=10)

    def stop(so_far: Completion) -> None:
        if so_far.archived == 4:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await complete(on_progress=stop, concurrency=1)
    assert list(states(ledger).values()).count("archived") == 4
    assert (await complete()).archived == 6
    assert simulator.calls()["content"] == 10
    verification = verify_archive(archive)
    assert list(verification) == []
    assert verification.summary.results == 10


async def test_a_manifest_whose_writing_the_ledger_missed_is_found_and_not_fetched_again(
    ledger: Ledger,
    client: PrivacyServiceClient,
    simulator: Simulator,
    complete: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await submitted(ledger, client, simulator, count=2)
    with monkeypatch.context() as patch:
        patch.setattr(Results, "record_archived", lambda *_: 0)
        await complete()
    assert set(states(ledger).values()) == {"complete"}
    assert (await complete()).archived == 2
    assert simulator.calls()["content"] == 2


async def test_an_archive_that_cannot_be_written_is_told_before_anything_is_fetched(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any, tmp_path: Path
) -> None:
    await submitted(ledger, client, simulator)
    gone = open_store(f"file://{tmp_path}/gone", FileOptions(create=True))
    (tmp_path / "gone").rmdir()
    (tmp_path / "gone").write_text("a file")
    with pytest.raises(StorageError, match="a file, not a folder"):
        await complete(archive=gone)
    assert (simulator.calls()["detail"], simulator.calls()["content"]) == (0, 0)


async def test_an_address_that_has_expired_meanwhile_is_asked_for_anew(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    expired = {"first"}

    class Elsewhere:
        """As where results lie on another host, and the first address has expired."""

        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        @asynccontextmanager
        async def download(self, job_id: str, url: str | None) -> AsyncIterator[Any]:
            if expired:
                expired.clear()
                raise AddressDenied("it may have expired", status=403)
            async with client.download(job_id, url) as download:
                yield download

    await submitted(ledger, client, simulator)
    assert (await complete(client=Elsewhere())).archived == 3
    assert simulator.calls()["detail"] == 4


def later(ledger: Ledger, simulator: Simulator, days: float) -> None:
    simulator.advance(days * 86400)
    ledger.unit.now = lambda: datetime.fromisoformat(simulator.now())


class TestWhatAdobeHasNoMore:
    async def test_a_job_that_ended_unseen_and_is_forgotten_is_gone_and_told_once(
        self, ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
    ) -> None:
        simulator.scenario({"rules": [{"key": "DSR-0"}]})
        await submitted(ledger, client, simulator, 1)
        later(ledger, simulator, 62)
        result = await complete()
        assert (result.archived, result.failures, len(result.gone)) == (0, [], 1)
        assert states(ledger) == {"DSR-0": "gone"}
        assert (await complete()).gone == []
        assert ledger.people.resend("DSR-0", "lost at Adobe") == 1
        assert states(ledger) == {"DSR-0": "received"}

    async def test_a_result_that_outlives_its_detail_is_archived(
        self,
        ledger: Ledger,
        client: PrivacyServiceClient,
        simulator: Simulator,
        complete: Any,
        archive: Store,
    ) -> None:
        await submitted(ledger, client, simulator, 1)
        later(ledger, simulator, 0.1)
        simulator.fault("content", "error_before", status=503, times=None)
        assert len((await complete()).failures) == 1
        simulator.clear_faults()
        later(ledger, simulator, 31)
        result = await complete()
        assert (result.archived, result.gone, result.failures) == (1, [], [])
        [(_, manifest)] = [*iter_manifests(archive)]
        assert (manifest.request_id, manifest.status) == ("DSR-0", "complete")

    async def test_a_result_that_never_comes_ends(
        self, ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
    ) -> None:
        await submitted(ledger, client, simulator, 1)
        later(ledger, simulator, 0.1)
        simulator.fault("content", "error_before", status=404, times=None)
        assert len((await complete()).failures) == 1
        assert states(ledger) == {"DSR-0": "complete"}
        later(ledger, simulator, 8)
        result = await complete()
        assert (result.failures, len(result.gone)) == ([], 1)
        assert states(ledger) == {"DSR-0": "gone"}


async def test_of_archivers_that_race_each_counts_what_it_archived(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    await submitted(ledger, client, simulator, 6)
    results = await asyncio.gather(*(complete() for _ in range(3)))
    assert sum(result.archived for result in results) == 6
    assert all(result.dealt_with == 6 for result in results)
    assert set(states(ledger).values()) == {"archived"}


@pytest.mark.parametrize(
    "ahead", [timedelta(minutes=-40), timedelta(), timedelta(minutes=40), timedelta(days=1)]
)
@pytest.mark.parametrize("outcome", ["complete", "error"])
async def test_no_manifest_tells_an_end_before_its_beginning(
    sqlite_url: str,
    client: PrivacyServiceClient,
    simulator: Simulator,
    archive: Store,
    ahead: timedelta,
    outcome: str,
) -> None:
    """Adobe's clock is its own: what it says in minutes is told so, between the sending and the archiving."""
    clock = FakeClock()
    if outcome == "error":
        simulator.scenario({"rules": [{"key": "DSR-0", "code": "1000-400"}]})
    simulator.set_clock(now=(clock.moment + ahead).isoformat(), rate=0)
    with Ledger(sqlite_url, actor="privacy_requests/run/archive", now=clock) as ledger:
        clock.moment += timedelta(seconds=17, microseconds=5)
        [job] = await submitted(ledger, client, simulator, count=1)
        assert job.submitted_at == clock.moment
        clock.moment += timedelta(seconds=70)
        simulator.advance(70)
        await complete_jobs([job], ledger=ledger, archive=archive, client=client)
        [job] = ledger.people.request_jobs("DSR-0")
        [(key, manifest)] = iter_manifests(archive)
        assert job.manifest == key
        written = json.loads(archive.read(key))
        times = [written["completed_at"], *(product["processed_at"] for product in written["products"])]
        for text in times:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", text), "Adobe tells minutes"
        sent = clock.moment - timedelta(seconds=70 + 17)
        for moment in map(datetime.fromisoformat, times):
            assert sent.replace(second=0, microsecond=0) <= moment <= manifest.archived_at
        assert manifest.archived_at == clock.moment
        assert not list(verify_archive(archive))
        assert parse_manifest(key, manifest.to_json()) == manifest


async def test_a_green_run_says_plainly_what_a_person_closed(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    """It is no error any more, and nobody is to take it for done."""
    await submitted(ledger, client, simulator)
    ledger.people.close("DSR-1", "handed in twice")
    await complete()
    settlement = settled(ledger)
    assert settlement.problems == 0
    assert settlement.figures.endswith("2 archived, 1 closed by a person and not shown to be done")


async def test_a_green_run_says_what_was_not_done_although_a_person_closed_it(
    ledger: Ledger, client: PrivacyServiceClient, simulator: Simulator, complete: Any
) -> None:
    await submitted(ledger, client, simulator, count=1, asked="profileService,target")
    await complete()
    assert settled(ledger).problems == 1
    ledger.people.close("DSR-0", "answered by mail")
    settlement = settled(ledger)
    assert settlement.problems == 0
    assert settlement.figures.endswith("1 of 1 accesses not done: 1 no answer from target")
