"""Never twice, never lost, never over quota: in thousands of orders in which things can happen and go wrong.

`ADOBE_PRIVACY_INTERLEAVINGS=100000` tries more of them than the usual suite does.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest

from adobe_privacy.ledger.ledger import Ledger
from tests.requests.interleavings import World

INTERLEAVINGS = int(os.environ.get("ADOBE_PRIVACY_INTERLEAVINGS", "2000"))
SKEWS = (timedelta(), timedelta(seconds=90), timedelta(seconds=-90), timedelta(days=3), timedelta(days=-3))


@pytest.fixture(scope="module")
def memory_ledger() -> Iterator[Ledger]:
    with Ledger("sqlite:///:memory:", actor="test") as ledger:
        yield ledger


def play(seed: int, ledger: Ledger) -> World:
    """One interleaving: some requests, some steps with everything that can go wrong, then peace."""
    random = Random(seed)
    loop = asyncio.new_event_loop()
    world = World(
        random,
        ledger,
        loop,
        daily_limit=random.choice((4, 8, 50)),
        adobes_limit=random.choice((8, 50)),
        ahead=random.choice(SKEWS),
    )
    try:
        world.hand_in(random.randint(1, 4))
        world.plan()
        for _ in range(random.randint(5, 40)):
            world.act()
        world.come_to_rest()
        world.check_nothing_is_lost()
    except BaseException as error:
        error.add_note(f"seed {seed}:\n  " + "\n  ".join(world.log))
        raise
    finally:
        for process in world.processes:
            if process.gate is not None:
                process.gate.cancel()
            if process.task is not None:
                loop.run_until_complete(asyncio.gather(process.task, return_exceptions=True))
        loop.close()
    return world


@pytest.mark.timeout(0)
def test_no_interleaving_submits_twice_loses_a_request_or_exceeds_the_quota(memory_ledger: Ledger) -> None:
    for seed in range(INTERLEAVINGS):
        play(seed, memory_ledger)
