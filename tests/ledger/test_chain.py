"""The chain over the history: what it notices. On SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import delete, text, update

from adobe_privacy.ledger.forgetting import months_before
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import with_hash
from adobe_privacy.ledger.schema import Job, Seal, Transition
from adobe_privacy.ledger.states import JobState
from tests.support.ledgers import FakeClock, OpenLedger, received

HASH = "ab" * 32


def problems(ledger: Ledger, **heads: str) -> list[str]:
    return list(ledger.chain.problems({int(name[1:]): hash_ for name, hash_ in heads.items()}))


@pytest.fixture
def sealed(ledger: Ledger, clock: FakeClock) -> Ledger:
    """Three seals over the lives of three requests."""
    for number in range(1, 4):
        ledger.intake.receive([received(number, "access", "delete")])
        ledger.people.close(f"DSR-{number}", "answered by hand")
        clock.advance(days=1)
        ledger.chain.seal()
    return ledger


def test_a_history_that_nobody_touched_has_no_problem(sealed: Ledger) -> None:
    seals = sealed.chain.seals()
    assert [(seal.number, seal.changes) for seal in seals] == [(1, 4), (2, 4), (3, 4)]
    assert len({seal.hash for seal in seals}) == 3
    assert problems(sealed, **{f"n{seal.number}": seal.hash for seal in seals}) == []
    assert list(sealed.chain.odd_jobs()) == []


def test_nothing_is_sealed_where_nothing_happened(ledger: Ledger) -> None:
    assert ledger.chain.seal() is None
    ledger.intake.receive([received(1)])
    head = ledger.chain.seal()
    assert head is not None
    again = ledger.chain.seal()
    assert again is not None
    assert (again.number, again.hash) == (1, head.hash)


def _changed_reason(ledger: Ledger) -> None:
    with ledger.unit.write() as session:
        session.execute(update(Transition).where(Transition.id == 6).values(reason="nothing happened"))


def _changed_time(ledger: Ledger) -> None:
    with ledger.unit.write() as session:
        session.execute(update(Transition).where(Transition.id == 6).values(at=ledger.now()))


def _removed(ledger: Ledger) -> None:
    with ledger.unit.write() as session:
        session.execute(delete(Transition).where(Transition.id == 6))


def _given_to_another_job(ledger: Ledger) -> None:
    with ledger.unit.write() as session:
        session.execute(update(Transition).where(Transition.id == 6).values(job_id=1))


@pytest.mark.parametrize("change", [_changed_reason, _changed_time, _removed, _given_to_another_job])
def test_one_change_of_the_history_is_found_in_its_seal(
    sealed: Ledger, change: Callable[[Ledger], None]
) -> None:
    change(sealed)
    [problem] = problems(sealed)
    assert problem.startswith("seal 2 of 2026-11-23 12:00 UTC: the changes 5 to 8 are not those")


def test_a_history_that_was_rewritten_with_all_its_seals_contradicts_the_heads(sealed: Ledger) -> None:
    heads = {f"n{seal.number}": seal.hash for seal in sealed.chain.seals()}
    _changed_reason(sealed)
    with sealed.unit.write() as session:
        session.execute(delete(Seal))
    for _ in range(3):
        sealed.chain.seal()
    assert problems(sealed) == [], "by itself it is without fault"
    assert problems(sealed, **heads) == [
        "seal 2 is in the archive, and not in the ledger: the ledger is older, or was cut off",
        "seal 3 is in the archive, and not in the ledger: the ledger is older, or was cut off",
        "seal 1: its hash is not the one that the archive holds",
    ]


def test_a_seal_that_was_taken_out_is_missed(sealed: Ledger) -> None:
    with sealed.unit.write() as session:
        session.execute(delete(Seal).where(Seal.number == 2))
    assert problems(sealed) == ["seal 3: the seal before it is missing"]


def test_a_share_of_the_seals_is_computed_anew(sealed: Ledger) -> None:
    _changed_reason(sealed)
    assert [bool(list(sealed.chain.problems({}, every=3, turn=turn))) for turn in range(3)] == [
        False,
        False,
        True,
    ]


def test_a_state_that_no_history_explains_is_named(sealed: Ledger) -> None:
    with sealed.unit.write() as session:
        session.execute(update(Job).where(Job.id == 1).values(state=JobState.ARCHIVED))
        session.execute(update(Job).where(Job.id == 2).values(manifest_sha256=HASH))
    assert list(sealed.chain.odd_jobs()) == [
        "DSR-1 (job 1): its state is not the one that its history ends with",
        "DSR-1 (job 2): the hash of its manifest is not in its history",
    ]


def test_the_chain_holds_when_the_ledger_forgets(sealed: Ledger, clock: FakeClock) -> None:
    heads = {f"n{seal.number}": seal.hash for seal in sealed.chain.seals()}
    clock.advance(days=800)
    assert sum(sealed.forgetting.forget(months_before(clock(), 24))) == 3
    sealed.chain.seal()
    assert problems(sealed, **heads) == []
    assert list(sealed.chain.odd_jobs()) == []


def test_of_many_at_once_one_makes_each_seal(
    ledger: Ledger, open_ledger: OpenLedger, clock: FakeClock
) -> None:
    def work(name: str) -> None:
        with open_ledger(name) as other:
            for number in range(10):
                other.intake.receive([received(f"{name}-{number}")])
                other.chain.seal()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.chain.seal()
    seals = ledger.chain.seals()
    assert [seal.number for seal in seals] == list(range(1, len(seals) + 1))
    assert sum(seal.changes for seal in seals) == 30
    assert problems(ledger) == []


def test_the_hash_is_the_same_on_every_database(ledger: Ledger, clock: FakeClock) -> None:
    ledger.intake.receive([received(1)])
    seal = ledger.chain.seal()
    assert seal is not None
    assert (seal.hash[:12], seal.hash[-12:]) == ("f632106b9a85", "fe1bbf5ff32e")


def test_what_was_filed_is_read_from_the_history(ledger: Ledger, clock: FakeClock) -> None:
    ledger.intake.receive([received(1, "access", parts=3)])
    with ledger.unit.write() as session:
        session.execute(update(Job).values(state=JobState.COMPLETE, adobe_job_id=text("'adobe-' || id")))
    ledger.results.record_archived({1: "jobs/1", 2: "jobs/2"}, {1: HASH})
    ledger.erasures.begin("adobe-2", "DSR-1", "jobs/2")
    filed = ledger.chain.filed(["adobe-1", "adobe-2", "adobe-9"])
    assert (filed["adobe-1"].sha256, filed["adobe-1"].erasing) == (HASH, False)
    assert (filed["adobe-2"].sha256, filed["adobe-2"].erasing) == (None, True)
    assert "adobe-9" not in filed
    ledger.erasures.done("adobe-2", "cd" * 32)
    assert ledger.chain.filed(["adobe-2"])["adobe-2"].sha256 == "cd" * 32
    assert ledger.people.request_jobs("DSR-1")[1].manifest_sha256 == "cd" * 32
    assert list(ledger.chain.odd_jobs()) != [], "the states above were set by hand"


def test_a_hash_that_a_person_types_is_no_manifests(ledger: Ledger, clock: FakeClock) -> None:
    ledger.intake.receive([received(1), received(2)])
    with ledger.unit.write() as session:
        session.execute(update(Job).values(state=JobState.COMPLETE, adobe_job_id=text("'adobe-' || id")))
    ledger.results.record_archived({1: "jobs/1"}, {1: HASH})
    forged = "cd" * 32
    for decide in (ledger.people.hold, ledger.people.release):
        for number in (1, 2):
            assert decide(f"DSR-{number}", f"court order; SHA-256 {forged}")
    ledger.people.extend("DSR-2", date(2099, 1, 1), f"SHA-256 {forged}")
    ledger.people.close("DSR-2", f"SHA-256 {forged}")
    filed = ledger.chain.filed(["adobe-1", "adobe-2"])
    assert (filed["adobe-1"].sha256, filed["adobe-2"].sha256) == (HASH, None)
    with ledger.unit.write() as session:
        session.execute(update(Job).values(manifest_sha256=forged))
    named = [problem for problem in ledger.chain.odd_jobs() if "hash of its manifest" in problem]
    assert len(named) == 2
    with ledger.unit.write() as session:
        session.execute(update(Job).values(attempt=2))
    assert ledger.chain.earlier() == ["adobe-1"]


def test_a_long_reason_never_cuts_a_hash_off() -> None:
    assert with_hash("x" * 600, HASH).endswith(HASH)
    assert len(with_hash("x" * 600, HASH)) <= 512
