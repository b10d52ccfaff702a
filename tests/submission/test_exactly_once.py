"""Never twice, never lost, never over quota, and nothing deleted that nobody approved: in many orders in which things
can happen and go wrong.

`ADOBE_PRIVACY_INTERLEAVINGS=100000` tries more of them than the usual suite does; a failure names its seed and tells
what had happened.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import traceback
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial
from random import Random
from random import seed as seed_all
from typing import Any

import pytest

from adobe_privacy.ledger import approvals, intents
from adobe_privacy.ledger.doubts import Doubts
from adobe_privacy.ledger.intents import Intents
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.unit import Unit
from adobe_privacy.submission import first_submission, unknown
from adobe_privacy.submission.submission import SubmissionSettings
from tests.submission.interleavings import DAY, World
from tests.submission.restored_world import RestoredWorld

INTERLEAVINGS = int(os.environ.get("ADOBE_PRIVACY_INTERLEAVINGS", "500"))
SKEWS = (timedelta(), timedelta(seconds=90), timedelta(seconds=-90), timedelta(days=3), timedelta(days=-3))


def play(seed: int, ledger: Ledger, kind: type[World] = World) -> World:
    """One interleaving: some requests, some steps with everything that can go wrong, then peace."""
    random = Random(seed)
    seed_all(seed)  # the submission chooses by chance, too
    # Batches are taken in the order of their ids.
    ids = Random(seed)
    patch = pytest.MonkeyPatch()
    patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=ids.getrandbits(128), version=4))
    if seed % 10 != 9:
        # Nine of ten ledgers have sent something in an earlier life; the tenth asks Adobe before its first call.
        patch.setattr(first_submission, "_has_sent", lambda _ledger: True)
    loop = asyncio.new_event_loop()
    limit = random.choice((2, 4, 12, 50))
    world = kind(
        random,
        ledger,
        loop,
        daily_limit=random.choice((4, 8, 50)),
        adobes_limit=limit,
        # They leave room for one user of each day, though perhaps less than a batch needs.
        taken_by_others=tuple(random.randint(0, limit - 2) for _ in range(random.randint(1, 4))),
        ahead=random.choice(SKEWS),
        approve_deletes=kind is World and seed % 2 == 1,
        shows_open_jobs=seed % 5 != 4,
    )
    try:
        world.hand_in(random.randint(1, 3))
        world.plan(DAY)
        for _ in range(random.randint(5, 30)):
            world.act()
        world.come_to_rest()
        world.check_nothing_is_lost()
    except BaseException as error:
        error.add_note(f"seed {seed}:\n  " + "\n  ".join(world.log))
        raise
    finally:
        world.close()
        loop.close()
        patch.undo()
    return world


def play_all(seeds: range, kind: type[World] = World) -> str | None:
    """What went wrong at the first of `seeds` that went wrong."""
    logging.disable(logging.CRITICAL)
    with Ledger("sqlite:///:memory:", actor="test") as ledger:
        for seed in seeds:
            try:
                play(seed, ledger, kind)
            except Exception:
                return traceback.format_exc(limit=-8)
    return None


@pytest.mark.timeout(0)
@pytest.mark.parametrize(("kind", "count"), [(World, INTERLEAVINGS), (RestoredWorld, INTERLEAVINGS // 8)])
def test_no_interleaving_submits_twice_loses_a_request_or_exceeds_the_quota(
    kind: type[World], count: int
) -> None:
    processes = os.cpu_count() or 1
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        shares = [range(first, count, processes) for first in range(processes)]
        failures = [failure for failure in pool.map(partial(play_all, kind=kind), shares) if failure]
    assert not failures, failures[0]


# What the submission must not do without. Each of these faults has to show.


def _believes_an_absence_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SubmissionSettings, "settle_after", timedelta())


def _forgets_the_list_lag(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SubmissionSettings, "settle_after", SubmissionSettings(list_lag=0).settle_after)


def _adopts_jobs_of_earlier_attempts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Intents, "known_adobe_jobs", lambda _topic, _ids: set())


def _takes_adobes_clock_for_its_own(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(unknown, "CLOCK_TOLERANCE", timedelta())


def _charges_nothing(patch: pytest.MonkeyPatch) -> None:
    intend = Intents.intend

    def unlimited(topic: Intents, *args: Any, **kwargs: Any) -> Any:
        return intend(topic, *args, **kwargs | {"daily_limit": 1000})

    patch.setattr(Intents, "intend", unlimited)


def _asks_nobody(patch: pytest.MonkeyPatch) -> None:
    # The submission asks before the intent, and the intent asks again.
    for module in (approvals, intents):
        patch.setattr(module, "approved_in", lambda _session, _batch, jobs: {job.id for job in jobs})


def _takes_an_approval_for_the_next_attempt_too(patch: pytest.MonkeyPatch) -> None:
    new_attempt = Unit.new_attempt

    def keeping(unit: Unit, session: Any, rows: Any, move: Any, reason: str) -> None:
        approvals = {row.id: row.approval_id for row in rows}
        new_attempt(unit, session, rows, move, reason)
        for row in rows:
            row.approval_id = approvals[row.id]

    patch.setattr(Unit, "new_attempt", keeping)


def _doubts_nothing_after_a_restore(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Doubts, "begin", lambda _topic, *_lost: 0)


# Each with a seed that shows it today. Where it does not any more, the search goes on from there: note the new one.
@pytest.mark.parametrize(
    ("fault", "first"),
    [
        (_believes_an_absence_at_once, 0),
        (_forgets_the_list_lag, 476),
        (_adopts_jobs_of_earlier_attempts, 0),
        (_takes_adobes_clock_for_its_own, 0),
        (_charges_nothing, 0),
        (_asks_nobody, 0),
        (_takes_an_approval_for_the_next_attempt_too, 0),
        (_doubts_nothing_after_a_restore, 24),
    ],
)
@pytest.mark.timeout(0)
def test_the_interleavings_show_a_submission_that(
    fault: Callable[[pytest.MonkeyPatch], None],
    first: int,
    monkeypatch: pytest.MonkeyPatch,
    memory_ledger: Ledger,
) -> None:
    fault(monkeypatch)
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    kind = RestoredWorld if fault is _doubts_nothing_after_a_restore else World

    def play_many() -> None:
        for seed in range(first, first + 1500):
            play(seed, memory_ledger, kind)

    with pytest.raises(AssertionError):
        play_many()


@pytest.fixture(scope="module")
def memory_ledger() -> Iterator[Ledger]:
    with Ledger("sqlite:///:memory:", actor="test") as ledger:
        yield ledger
