"""Lets all batches that wait in one process share their looks at Adobe's lists, and one client.

Per connection and regulation there is one look at a time, whose answer serves every batch: its price is that of
one look, however many batches wait. A full rate limit or an outage slows all of them down together and ends
nothing. Nothing here has to survive the process: after a restart the first look finds everything again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakKeyDictionary

from adobe_privacy import metrics
from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.config import ClientConfig
from adobe_privacy.api.errors import PrivacyServiceError, RateLimited, TemporarilyUnavailable
from adobe_privacy.ledger.limits import Limits
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.waiting.looks import PASSING, OpenJobs, OpenJobsList

log = plain_logger(__name__)

LONGEST_PAUSE = 3600.0
JITTER = 0.1


@dataclass(eq=False)
class _Wish:
    """What one batch wants of the next look."""

    interval: float
    since: datetime
    new_since: datetime | None
    limits: Limits
    answer: asyncio.Future[OpenJobs]


class SharedLooks:
    """The looks at one regulation's lists through one connection; got from `shared_looks`."""

    def __init__(self, client: PrivacyServiceClient, regulation: str) -> None:
        self.client = client
        self.regulation = regulation
        self.users = 0
        self._list = OpenJobsList(regulation)
        self._wishes: list[_Wish] = []
        self._wish_came = asyncio.Event()
        self._asker: asyncio.Task[None] | None = None
        self._looked_at: float | None = None
        self._failures = 0
        self._not_before = 0.0

    async def next(
        self, *, interval: float, since: datetime, new_since: datetime | None, limits: Limits
    ) -> OpenJobs:
        """The next look that begins after this call, for the jobs made since `since`, not yet in process ones
        since `new_since`. It begins `interval` seconds after the last one, sooner where another batch wants it
        sooner, later during an outage, and not in a pause that the ledger's `limits` know of; a pause that Adobe asks
        for is kept there. May be cancelled.

        Raises a PrivacyServiceError that does not pass by itself.
        """
        wish = _Wish(interval, since, new_since, limits, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        self._wish_came.set()
        if self._asker is None:
            self._asker = asyncio.create_task(self._ask_for_ever())
        try:
            return await wish.answer
        finally:
            if wish in self._wishes:
                self._wishes.remove(wish)

    def slow_down(self, error: PrivacyServiceError) -> None:
        """A call of one batch failed for a reason that passes by itself: the looks of all come later."""
        self._failures += 1
        usual = min((wish.interval for wish in self._wishes), default=1.0)
        pause = min(LONGEST_PAUSE, max(1.0, usual) * 2 ** min(self._failures, 12))
        asked_for = error.retry_after if isinstance(error, TemporarilyUnavailable) else None
        pause = max(pause, min(LONGEST_PAUSE, asked_for or 0.0)) * _jitter()
        self._not_before = asyncio.get_running_loop().time() + pause
        log.warning("%s; the next look at the jobs of %s is in %.0f s", error, self.regulation, pause)

    async def stop(self) -> None:
        if self._asker is not None:
            self._asker.cancel()
            with suppress(asyncio.CancelledError):
                await self._asker

    async def _ask_for_ever(self) -> None:
        while True:
            await self._until_due()
            wishes, self._wishes = self._wishes, []
            limits = wishes[0].limits
            try:
                if (until := await asyncio.to_thread(limits.not_before)) is not None:
                    self._wishes += wishes
                    self._pause(until, limits)
                    continue
                self._looked_at = asyncio.get_running_loop().time()
                listed = await self._look(wishes)
            except RateLimited as error:
                self._wishes += wishes
                log.warning("%s", error)
                self._pause(await asyncio.to_thread(limits.pause, error.retry_after), limits)
            except PASSING as error:
                self._wishes += wishes
                self.slow_down(error)
            except Exception as error:
                for wish in wishes:
                    if not wish.answer.done():
                        wish.answer.set_exception(error)
            else:
                self._failures = 0
                for wish in wishes:
                    if not wish.answer.done():
                        wish.answer.set_result(listed)

    def _pause(self, until: datetime, limits: Limits) -> None:
        seconds = (until - limits.unit.now()).total_seconds()
        self._not_before = asyncio.get_running_loop().time() + seconds
        log.info("Adobe asked for a pause: no look at the jobs of %s for %.0f s", self.regulation, seconds)

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        jitter = _jitter()
        while True:
            self._wishes = [wish for wish in self._wishes if not wish.answer.done()]
            self._wish_came.clear()
            left: float | None = None
            if self._wishes:
                interval = min(wish.interval for wish in self._wishes) * jitter
                due = 0.0 if self._looked_at is None else self._looked_at + interval
                left = max(due, self._not_before) - loop.time()
                if left <= 0:
                    return
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wish_came.wait()

    async def _look(self, wishes: list[_Wish]) -> OpenJobs:
        new = [wish.new_since for wish in wishes if wish.new_since is not None]
        with metrics.timed(metrics.LOOK_TIME):
            listed = await self._list.look(
                self.client, since=min(wish.since for wish in wishes), new_since=min(new, default=None)
            )
        metrics.gauge(metrics.API_CONNECTIONS, self.client.connections())
        return listed


def _jitter() -> float:
    return random.uniform(1 - JITTER, 1 + JITTER)


@dataclass
class _Registry:
    clients: dict[ClientConfig, PrivacyServiceClient] = field(default_factory=dict)
    looks: dict[tuple[ClientConfig, str], SharedLooks] = field(default_factory=dict)


# A client belongs to the event loop that it was first used in; a triggerer has one.
_registries: WeakKeyDictionary[asyncio.AbstractEventLoop, _Registry] = WeakKeyDictionary()


@asynccontextmanager
async def shared_looks(config: ClientConfig, regulation: str) -> AsyncIterator[SharedLooks]:
    """The looks that everybody in this event loop shares who asks with the same settings for the same
    regulation. The last to leave ends them and closes the client."""
    registry = _registries.setdefault(asyncio.get_running_loop(), _Registry())
    place = (config, regulation)
    if place not in registry.looks:
        if config not in registry.clients:
            registry.clients[config] = PrivacyServiceClient(config)
        registry.looks[place] = SharedLooks(registry.clients[config], regulation)
    looks = registry.looks[place]
    looks.users += 1
    try:
        yield looks
    finally:
        looks.users -= 1
        if not looks.users:
            # Taken out before anything is awaited: whoever comes meanwhile starts afresh.
            del registry.looks[place]
            last = all(used != config for used, _ in registry.looks)
            client = registry.clients.pop(config) if last else None
            await looks.stop()
            if client is not None:
                await client.aclose()
