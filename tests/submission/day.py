"""A day of submissions against the real simulator, on a clock that a test moves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Batch
from adobe_privacy.storage import FileOptions, Store, open_store
from adobe_privacy.submission.submission import Submission, submit_batch
from tests.submission.test_submission import hand_in, plan, settings
from tests.support.ledgers import FakeClock
from tests.support.simulator import Simulator

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Day:
    """A day of submissions, whose clock is moved by hand: ours and Adobe's together."""

    def __init__(
        self,
        simulator: Simulator,
        inbox: Store,
        ledger: Ledger,
        client: PrivacyServiceClient,
        clock: FakeClock,
    ) -> None:
        self.simulator, self.inbox, self.ledger, self.client = simulator, inbox, ledger, client
        archive = f"{inbox.location.uri}-archive"
        self.archive = open_store(archive, FileOptions(create=True))
        self.clock = clock

    def planned(self, *lines: dict[str, Any]) -> Batch:
        hand_in(self.inbox, *lines)
        [batch] = plan(self.inbox, self.ledger)
        return batch

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(seconds=by.total_seconds())
        self.simulator.advance(by.total_seconds())

    async def submit(self, batch: Batch, **options: Any) -> Submission:
        return await submit_batch(
            batch=batch,
            inbox=self.inbox,
            archive=self.archive,
            ledger=self.ledger,
            client=self.client,
            settings=settings(self.simulator, **options),
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.pass_time(timedelta(seconds=seconds))

    async def submit_through(self, batch: Batch, *, pauses: int = 50) -> list[Submission]:
        """As the operator does: again after each pause."""
        results = [await self.submit(batch)]
        while (until := results[-1].not_before) is not None and len(results) <= pauses:
            self.pass_time(until - self.clock())
            results.append(await self.submit(batch))
        return results

    def made(self) -> Counter[str]:
        return Counter(job["key"] for job in self.simulator.jobs())

    def creates(self) -> int:
        return self.simulator.calls().get("create", 0)
