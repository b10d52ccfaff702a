"""The simulator's own time, which may run faster than real time and may be moved."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

DAY = 86_400.0


class SimulatedClock:
    """Seconds since 1970-01-01 UTC that pass `rate` times as fast as real seconds.

    Nothing runs in the background: whoever wants to know the state of a job compares its times with `now()`.
    """

    def __init__(self, start: float | None = None, rate: float = 1.0) -> None:
        self._rate = rate
        self._simulated = time.time() if start is None else start
        self._real = time.monotonic()

    @property
    def rate(self) -> float:
        return self._rate

    def now(self) -> float:
        return self._simulated + (time.monotonic() - self._real) * self._rate

    def set(self, *, now: float | None = None, rate: float | None = None) -> None:
        """Move the clock to `now` (seconds since 1970) and/or change its rate from this moment on."""
        self._simulated = self.now() if now is None else now
        self._real = time.monotonic()
        self._rate = self._rate if rate is None else rate

    def advance(self, seconds: float) -> None:
        self.set(now=self.now() + seconds)


def iso(moment: float) -> str | None:
    """`2026-11-22T10:00:00.000Z`; None for a moment that never comes."""
    if moment == float("inf"):
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> float:
    """Seconds since 1970; a text without an offset is taken as UTC. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def us_date(moment: float) -> str:
    """`10/02/2019 08:25 PM GMT`, the form of every date in the Privacy Service's answers."""
    return _us_date_of_minute(int(moment // 60))


@lru_cache(maxsize=65_536)
def _us_date_of_minute(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%m/%d/%Y %I:%M %p GMT")
