"""An event loop whose time leaps to the next timer whenever nothing is going on.

What waits for weeks is run as it is, in minutes: only sleeping takes no time. While a call is under way, time stands
still.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
# Real seconds between two looks at calls that are under way.
GLANCE = 0.005


class VirtualClock:
    """`on_leap` is called after each leap, from within the loop."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.seconds = 0.0
        self.under_way = 0
        self.on_leap: Callable[[datetime], None] = lambda _now: None

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def leap(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_leap(self.now())

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def during(self, function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        """The coroutine function, during whose calls time stands still."""

        @functools.wraps(function)
        async def call(*arguments: Any, **options: Any) -> T:
            with self.standing_still():
                return await function(*arguments, **options)

        return call


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return list(super().select(timeout))
        if timeout is None or self._clock.under_way:
            return list(super().select(GLANCE))
        events = list(super().select(0))
        if not events:
            self._clock.leap(timeout)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_Selector(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        self._virtual.under_way += 1
        future = super().run_in_executor(executor, func, *args)

        def done(_future: object) -> None:
            self._virtual.under_way -= 1

        future.add_done_callback(done)
        return future


def run(main: Callable[[VirtualClock], Awaitable[T]], clock: VirtualClock | None = None) -> T:
    """Runs `main(clock)` in virtual time; it begins in 2026 where no clock is given."""
    clock = clock or VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:

        async def entry() -> T:
            return await main(clock)

        return runner.run(entry())
