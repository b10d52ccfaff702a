"""How long the fuzzing goes on: a hundred examples of each test, or the minutes of each target that
`ADOBE_PRIVACY_FUZZ_MINUTES` says, shared by the target's tests."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import HealthCheck, settings

SECONDS = float(os.environ.get("ADOBE_PRIVACY_FUZZ_MINUTES", "0")) * 60
GROWTH = 300 * 1024  # KiB that a test may need beyond what its first examples did
TARGETS = ("inbox readers", "answers", "manifests", "ZIP check", "page parameters")
# The tests of each target that are run; a conftest counts them.
shares: Counter[str] = Counter()

Test = Callable[..., None]


def fuzzed(target: str) -> Callable[[Test], Test]:
    assert target in TARGETS

    def decorate(test: Test) -> Test:
        # Not the same examples again, which is what hypothesis does in CI.
        some = settings(
            max_examples=100, deadline=None, derandomize=False, suppress_health_check=list(HealthCheck)
        )(test)

        @wraps(some)
        def for_its_time(*given: Any, **named: Any) -> None:
            begun, before, rounds = time.monotonic(), 0, 0
            while not rounds or time.monotonic() - begun < seconds_of(target):
                some(*given, **named)
                rounds += 1
                before = before or peak()
            assert peak() - before < GROWTH, "memory grows with what is read"

        for_its_time.fuzz_target = target  # type: ignore[attr-defined]
        return for_its_time

    return decorate


def seconds_of(target: str) -> float:
    """For one test of it."""
    return SECONDS / max(1, shares[target])


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
