"""Ledger and archive are lost together, the inbox stays: Adobe remembers what was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import TemporarilyUnavailable
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.planning.planning import PlanSettings
from adobe_privacy.storage import FileOptions, Store, open_store
from adobe_privacy.submission.reconciliation import reconcile
from tests.submission.test_submission import Place, config, hand_in, line, plan
from tests.support.simulator import Simulator, running_simulator


@pytest.fixture(scope="module")
def adobe() -> Iterator[Simulator]:
    with running_simulator(switches={"jobs_never_finish": True, "list_lag_seconds": 0}) as simulator:
        yield simulator


@pytest.fixture
def inbox(tmp_path: Path, adobe: Simulator) -> Store:
    adobe.reset()
    (tmp_path / "inbox").mkdir()
    return open_store(f"file://{tmp_path}/inbox")


@pytest.fixture
async def client(adobe: Simulator) -> AsyncIterator[PrivacyServiceClient]:
    async with PrivacyServiceClient(config(adobe)) as client:
        yield client


def place(name: str, adobe: Simulator, inbox: Store, ledger: Ledger, client: PrivacyServiceClient) -> Place:
    """With an archive of its own, which no ledger has yet."""
    it = Place(adobe, inbox, ledger, client)
    it.archive = open_store(f"{inbox.location.uri}-{name}", FileOptions(create=True))
    return it


async def test_a_new_ledger_sends_nothing_that_adobe_has(
    adobe: Simulator, inbox: Store, client: PrivacyServiceClient, tmp_path: Path
) -> None:
    hand_in(inbox, line(1), line(2))
    with Ledger(f"sqlite:///{tmp_path}/first.db", actor="test") as ledger:
        first = place("first", adobe, inbox, ledger, client)
        [batch] = plan(inbox, ledger)
        assert (await first.submit(batch)).submitted == 4
        first.check_once("DSR-1", "DSR-2")

    hand_in(inbox, line(3), name="more.jsonl")
    with Ledger(f"sqlite:///{tmp_path}/second.db", actor="test") as ledger:
        second = place("second", adobe, inbox, ledger, client)
        [batch] = plan(inbox, ledger)
        for _ in range(2):  # however often it is tried
            with pytest.raises(LedgerError, match="Adobe lists jobs of 2 of its requests: another"):
                await second.submit(batch)
        assert second.made().total() == 4

        settings = PlanSettings(organisation=adobe.org_id)
        found = await reconcile(
            ledger=ledger, inbox=inbox, archive=second.archive, client=client, settings=settings, apply=True
        )
        assert len(found.at_adobe) == 4
        await second.submit(batch)
        second.check_once("DSR-1", "DSR-2", "DSR-3")


async def test_nothing_is_sent_while_adobe_cannot_be_asked(
    adobe: Simulator, inbox: Store, client: PrivacyServiceClient, tmp_path: Path
) -> None:
    hand_in(inbox, line(1))
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", actor="test") as ledger:
        it = place("archive", adobe, inbox, ledger, client)
        [batch] = plan(inbox, ledger)
        adobe.fault("list", "error_before", times=10)
        with pytest.raises(TemporarilyUnavailable):
            await it.submit(batch)
        assert not it.made()
        adobe.clear_faults()
        assert (await it.submit(batch)).submitted == 2


async def test_a_ledger_that_has_sent_something_asks_no_more(
    adobe: Simulator, inbox: Store, client: PrivacyServiceClient, tmp_path: Path
) -> None:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", actor="test") as ledger:
        it = place("archive", adobe, inbox, ledger, client)
        await it.submit(it.planned(line(1)))
        before = adobe.calls()["list"]
        assert before > 0
        hand_in(inbox, line(2), name="more.jsonl")
        for batch in plan(inbox, ledger, run_id="next"):
            await it.submit(batch)
        it.check_once("DSR-1", "DSR-2")
        assert adobe.calls()["list"] == before


async def test_a_batch_whose_requests_a_person_closed_leaves_nothing_to_ask(
    adobe: Simulator, inbox: Store, client: PrivacyServiceClient, tmp_path: Path
) -> None:
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", actor="test") as ledger:
        it = place("archive", adobe, inbox, ledger, client)
        batch = it.planned(line(1))
        ledger.people.close("DSR-1", "handled elsewhere")
        assert (await it.submit(batch)).submitted == 0
        assert not it.made()
