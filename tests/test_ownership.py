"""One ledger owns an archive, on every kind of store and database."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ownership import MARK, accept, check_owner, claim, ownership, read_mark
from adobe_privacy.storage import FileOptions, Store, StoreUnfit, open_store
from tests.storage.conftest import azure, gcs, s3, store
from tests.storage.servers import S3Server, ignore_conditions
from tests.support.ledgers import DAY, FakeClock, OpenLedger, received

__all__ = ["azure", "gcs", "s3", "store"]

ORGANISATION = {"organisation": "A@AdobeOrg"}


def intend(ledger: Ledger, *numbers: int) -> None:
    ledger.intake.receive([received(number) for number in numbers])
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=100)
    if batch is None:
        return  # another process has taken them into its batch
    jobs = ledger.claims.batch_jobs(batch.id)
    assert ledger.intents.intend(batch.id, [job.id for job in jobs], daily_limit=100)


def another(tmp_path: Path, name: str = "another.db") -> Ledger:
    ledger = Ledger(f"sqlite:///{tmp_path / name}", actor="another")
    ledger.protection.check(ORGANISATION)
    return ledger


def test_the_mark_says_who_owns_the_archive_and_follows_the_ledger(
    ledger: Ledger, store: Store, clock: FakeClock
) -> None:
    ledger.protection.check(ORGANISATION)
    check_owner(ledger, store, "A@AdobeOrg")
    assert read_mark(store) is None
    claim(ledger, store)
    for counter in (1, 2):
        intend(ledger, counter)
        claim(ledger, store)
        mark = json.loads(store.read(MARK))
        assert mark.pop("ledger_id") == ledger.identity.own().id
        at = clock().isoformat().replace("+00:00", "Z")
        assert mark == {"format": 1, "organisation": "A@AdobeOrg", "counter": counter, "at": at}
    check_owner(ledger, store, "A@AdobeOrg")


def test_two_ledgers_cannot_own_one_archive(ledger: Ledger, store: Store, tmp_path: Path) -> None:
    ledger.protection.check(ORGANISATION)
    with another(tmp_path) as second:
        claim(ledger, store)
        with pytest.raises(LedgerError, match=r"belongs to the ledger .*: nothing was done.*reconcile"):
            check_owner(second, store, "A@AdobeOrg")
        with pytest.raises(LedgerError, match="belongs to the ledger"):
            claim(second, store)
    claim(ledger, store)


def test_of_ledgers_that_claim_an_archive_at_once_one_gets_it(store: Store, tmp_path: Path) -> None:
    ledgers = [another(tmp_path, f"{number}.db") for number in range(6)]

    def try_to_claim(ledger: Ledger) -> bool:
        try:
            claim(ledger, store)
        except LedgerError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(try_to_claim, ledgers))
    assert got.count(True) == 1
    found = read_mark(store)
    assert found is not None
    assert found[0].ledger_id == ledgers[got.index(True)].identity.own().id
    for each in ledgers:
        each.close()


def test_processes_of_one_ledger_raise_the_mark_together(open_ledger: OpenLedger, store: Store) -> None:
    ledgers = [open_ledger(f"task {number}") for number in range(4)]
    ledgers[0].protection.check(ORGANISATION)

    def send(number: int) -> None:
        for step in range(4):
            intend(ledgers[number], 10 * number + step)
            claim(ledgers[number], store)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    found = read_mark(store)
    assert found is not None
    assert found[0].counter == ledgers[0].identity.own().counter > 0


def test_a_store_that_ignores_conditions_is_refused_before_anything_is_sent(
    ledger: Ledger, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ledgers that claim it at once would both get it. One that has claimed it already goes on."""
    claimed, other = s3.store(), s3.store()
    claim(ledger, claimed)
    ignore_conditions(monkeypatch)
    claim(ledger, claimed)
    with pytest.raises(StoreUnfit, match="If-Match"):
        claim(ledger, other)
    assert list(other.objects()) == []


def test_a_store_that_ignores_conditions_is_not_accepted_after_a_restore_either(
    ledger: Ledger, s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = s3.store()
    with another(tmp_path) as lost:
        claim(lost, store)
    before = store.read(MARK)
    ignore_conditions(monkeypatch)
    ledger.protection.check(ORGANISATION)
    with pytest.raises(StoreUnfit, match="If-Match"):
        accept(ledger, store)
    assert store.read(MARK) == before


def test_a_first_mark_that_another_process_writes_meanwhile_is_there(
    ledger: Ledger, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.protection.check(ORGANISATION)

    def read_before_another_claims(archive: Store) -> Any:
        monkeypatch.setattr("adobe_privacy.ownership.read_mark", read_mark)
        found = read_mark(archive)
        claim(ledger, archive)
        return found

    monkeypatch.setattr("adobe_privacy.ownership.read_mark", read_before_another_claims)
    claim(ledger, store)
    assert read_mark(store) is not None


def test_a_ledger_that_has_lost_what_it_had_written_is_refused(
    ledger: Ledger, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "lost.db"
    with another(tmp_path, "lost.db") as before:
        intend(before, 1)
        claim(before, store)
    backup = path.read_bytes()
    with another(tmp_path, "lost.db") as before:
        intend(before, 2)
        claim(before, store)
    path.write_bytes(backup)
    with another(tmp_path, "lost.db") as restored:
        with pytest.raises(LedgerError, match=r"older than the archive .* 1 submissions, the archive of 2"):
            check_owner(restored, store, "A@AdobeOrg")
        with pytest.raises(LedgerError, match="older than the archive"):
            claim(restored, store)


def test_an_archive_whose_mark_is_gone_is_not_taken_for_a_new_one(
    ledger: Ledger, store: Store, tmp_path: Path
) -> None:
    """The bucket was emptied, the disk is not mounted, or the ledger and the mark were lost together."""
    ledger.protection.check(ORGANISATION)
    claim(ledger, store)
    store.delete(MARK)
    missing = pytest.raises(
        LedgerError, match=r"ledger\.json is not there, and this ledger has written it: nothing"
    )
    with missing:
        check_owner(ledger, store, "A@AdobeOrg")
    with missing:
        claim(ledger, store)
    assert read_mark(store) is None
    elsewhere = open_store(f"file://{tmp_path}/elsewhere", FileOptions(create=True))
    claim(ledger, elsewhere)
    assert ownership(ledger, store, "A@AdobeOrg").differs
    accept(ledger, store)
    claim(ledger, store)


@pytest.mark.parametrize("ahead", [1, 2])
def test_a_copy_of_the_ledger_that_is_in_use_beside_it_sends_nothing(
    store: Store, tmp_path: Path, ahead: int
) -> None:
    with another(tmp_path, "a.db") as ledger:
        claim(ledger, store)
    shutil.copy(tmp_path / "a.db", tmp_path / "b.db")
    with another(tmp_path, "a.db") as ledger, another(tmp_path, "b.db") as copy:
        # Both Airflows begin the same day, and neither knows of the other's submission yet.
        check_owner(ledger, store, "A@AdobeOrg")
        check_owner(copy, store, "A@AdobeOrg")
        intend(ledger, 1)
        for number in range(ahead):
            intend(copy, 1 + number)
        claim(ledger, store)
        mark = store.read(MARK)
        for _ in range(2):
            with pytest.raises(LedgerError, match=r"is a copy of the other: nothing was done.*reconcile"):
                claim(copy, store)
        assert store.read(MARK) == mark
        for number in range(20):
            intend(ledger, 10 + number)
        claim(ledger, store)


def test_a_copy_takes_the_archive_over_by_a_person_s_word(store: Store, tmp_path: Path) -> None:
    with another(tmp_path, "a.db") as ledger:
        claim(ledger, store)
    shutil.copy(tmp_path / "a.db", tmp_path / "b.db")
    with another(tmp_path, "a.db") as ledger, another(tmp_path, "b.db") as copy:
        intend(ledger, 1)
        intend(copy, 1)
        claim(ledger, store)
        assert ownership(copy, store, "A@AdobeOrg").differs
        accept(copy, store)
        intend(copy, 2)
        claim(copy, store)
        with pytest.raises(LedgerError, match="belongs to the ledger"):
            check_owner(ledger, store, "A@AdobeOrg")


def test_an_archive_belongs_to_one_organisation(ledger: Ledger, store: Store) -> None:
    ledger.protection.check(ORGANISATION)
    claim(ledger, store)
    with pytest.raises(LedgerError, match=r"belongs to the organisation A@AdobeOrg, .* that of B@AdobeOrg"):
        check_owner(ledger, store, "B@AdobeOrg")


def test_an_empty_ledger_gets_no_archive_that_holds_results(ledger: Ledger, store: Store) -> None:
    store.write("jobs/gdpr/2026/11/20/a/manifest.json", b"{}")
    with pytest.raises(
        LedgerError, match=r"holds results, and the ledger is empty: nothing was done.*reconcile"
    ):
        claim(ledger, store)
    # That of a version which wrote no mark is no empty one.
    ledger.intake.receive([received(1)])
    claim(ledger, store)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"format": 2}', b'{"counter": -1}'])
def test_a_mark_that_is_something_else_is_named(ledger: Ledger, store: Store, content: bytes) -> None:
    store.write(MARK, content)
    with pytest.raises(
        LedgerError, match=r"ledger\.json does not say which ledger owns the archive"
    ) as refused:
        claim(ledger, store)
    assert "\n" not in str(refused.value)
    assert store.read(MARK) == content
