"""Batches of one process share their looks: what that saves, and what happens when Adobe is out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from adobe_privacy.api.config import ClientConfig
from adobe_privacy.api.errors import PermissionDenied
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.waiting.looks import OpenJobs
from adobe_privacy.waiting.shared_looks import SharedLooks, shared_looks
from tests.support.simulator import Simulator

SINCE = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def config(simulator: Simulator) -> ClientConfig:
    return simulator.client_config(
        retry_attempts=1,
    )


Wish = Callable[..., asyncio.Task[OpenJobs]]


@pytest.fixture
def real_ledger(sqlite_url: str) -> Iterator[Ledger]:
    """One that goes by the real time, as the looks do."""
    with Ledger(sqlite_url, actor="test") as ledger:
        yield ledger


@pytest.fixture
def wish(real_ledger: Ledger) -> Wish:
    def wishing(looks: SharedLooks, interval: float = 0.3) -> asyncio.Task[OpenJobs]:
        return asyncio.create_task(
            looks.next(interval=interval, since=SINCE, new_since=None, limits=real_ledger.limits)
        )

    return wishing


async def test_those_who_wait_together_get_one_look(
    simulator: Simulator, config: ClientConfig, wish: Wish
) -> None:
    job_ids = simulator.create_jobs(count=3, completed_at="2099-01-01T00:00:00Z")
    simulator.advance(5)
    async with shared_looks(config, "gdpr") as one, shared_looks(config, "gdpr") as other:
        assert one is other
        await wish(one)
        calls = simulator.calls()["list"]
        answers = await asyncio.gather(*(wish(one) for _ in range(20)))
    assert {answer.processing for answer in answers} == {frozenset(job_ids)}
    assert simulator.calls()["list"] - calls <= 2
    assert simulator.counters()["tokens_issued"] == 1


async def test_whoever_comes_while_it_sleeps_for_long_is_not_kept_waiting(
    simulator: Simulator, config: ClientConfig, wish: Wish
) -> None:
    async with shared_looks(config, "gdpr") as looks:
        await wish(looks)
        patient = wish(looks, interval=3600)
        await asyncio.sleep(0.05)
        assert not patient.done()
        async with asyncio.timeout(10):
            await wish(looks, interval=0.1)
            await patient


async def test_an_outage_slows_all_of_them_down_together_and_ends_nothing(
    simulator: Simulator, config: ClientConfig, wish: Wish
) -> None:
    simulator.fault("list", "error_before", status=503, times=2)
    async with shared_looks(config, "gdpr") as looks:
        waiting = [wish(looks) for _ in range(20)]
        await asyncio.sleep(1)
        assert simulator.calls()["list"] == 1, "one call in vain for all twenty"
        async with asyncio.timeout(30):
            await asyncio.gather(*waiting)
    assert simulator.calls()["list"] <= 5


@pytest.mark.parametrize("retry_after", ["5000", None])
async def test_a_rate_limit_holds_for_all_and_is_kept_in_the_ledger(
    simulator: Simulator, config: ClientConfig, real_ledger: Ledger, wish: Wish, retry_after: str | None
) -> None:
    simulator.fault("list", "rate_limited", retry_after=retry_after)
    async with shared_looks(config, "gdpr") as looks:
        waiting = [wish(looks, interval=0.01) for _ in range(5)]
        await asyncio.sleep(2)
        assert simulator.calls()["list"] == 1
        for task in waiting:
            task.cancel()
    until = real_ledger.limits.not_before()
    assert until is not None
    assert until > datetime.now(UTC) + timedelta(seconds=4000 if retry_after else 200)


async def test_a_pause_that_somebody_else_was_told_holds_for_the_looks(
    simulator: Simulator, config: ClientConfig, real_ledger: Ledger, wish: Wish
) -> None:
    real_ledger.limits.pause(2.0)
    async with shared_looks(config, "gdpr") as looks:
        looking = wish(looks, interval=0.01)
        await asyncio.sleep(0.5)
        assert simulator.calls()["list"] == 0
        async with asyncio.timeout(30):
            await looking
    assert simulator.calls()["list"] > 0


async def test_what_only_a_person_can_mend_is_told_to_everybody(
    simulator: Simulator, config: ClientConfig, wish: Wish
) -> None:
    simulator.switch(permissions="write")
    async with shared_looks(config, "gdpr") as looks:
        answers = await asyncio.gather(*(wish(looks) for _ in range(5)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {PermissionDenied}


async def test_a_cancelled_wait_harms_no_other_and_the_last_one_closes_the_client(
    simulator: Simulator, config: ClientConfig, wish: Wish
) -> None:
    async with shared_looks(config, "gdpr") as looks:
        first, second = wish(looks), wish(looks)
        first.cancel()
        assert isinstance(await second, OpenJobs)
        async with shared_looks(config, "ccpa") as others:
            assert others is not looks
            assert others.client is looks.client, "one token for all regulations"
        await wish(looks)
    async with shared_looks(config, "gdpr") as again:
        assert again is not looks
        await wish(again)
