from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import open_store
from tests.submission.day import START, Day
from tests.submission.test_submission import config
from tests.support.ledgers import FakeClock
from tests.support.simulator import Simulator, running_simulator


@pytest.fixture(scope="module")
def adobe() -> Iterator[Simulator]:
    with running_simulator(start_time=START.isoformat(), switches={"jobs_never_finish": True}) as simulator:
        yield simulator


@pytest.fixture
async def day(adobe: Simulator, tmp_path: Path, sqlite_url: str) -> AsyncIterator[Day]:
    adobe.reset()
    (tmp_path / "inbox").mkdir()
    clock = FakeClock(START)
    with Ledger(sqlite_url, actor="test", now=clock) as ledger:
        async with PrivacyServiceClient(config(adobe)) as client:
            yield Day(adobe, open_store(f"file://{tmp_path}/inbox"), ledger, client, clock)
