"""Lets everybody in one process who waits use one ledger, so that a thousand waits cost a handful of connections.

Nothing here has to survive the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from adobe_privacy.ledger.ledger import Ledger


@dataclass(eq=False)
class _Opened:
    ledger: asyncio.Task[Ledger]
    users: int = 0


# Each event loop has its own; a triggerer has one loop.
_opened: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Opened]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_ledger(place: Hashable, opening: Callable[[], Ledger]) -> AsyncIterator[Ledger]:
    """The ledger that everybody in this event loop shares who names the same `place`. The first to come opens
    it in a thread, the last to leave closes it. The ledger's own calls block: make them in a thread.

    Raises what `opening` raises, to each who waited for it; whoever comes afterwards opens anew.
    """
    known = _opened.setdefault(asyncio.get_running_loop(), {})
    opened = known.get(place)
    if opened is None:
        opened = known[place] = _Opened(asyncio.create_task(asyncio.to_thread(opening)))
    opened.users += 1
    try:
        # Shielded: one wait that is cancelled does not end the opening for the others.
        yield await asyncio.shield(opened.ledger)
    finally:
        opened.users -= 1
        failed = opened.ledger.done() and opened.ledger.exception() is not None
        if (failed or not opened.users) and known.get(place) is opened:
            # Taken out before anything is awaited: whoever comes meanwhile opens anew.
            del known[place]
        if not opened.users and not failed:
            await asyncio.to_thread((await opened.ledger).close)
