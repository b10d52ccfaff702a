"""The inbox is forgotten: what may be erased, what stays, and what is said. On both databases, on disk and on S3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from adobe_privacy.intake.forgetting import InboxAction, erase_inbox
from adobe_privacy.intake.found_again import requests_of
from adobe_privacy.intake.inbox import file_key, shown_name
from adobe_privacy.ledger.inbox_erasures import InboxErasures
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.people import erased_file, may_be_resent
from adobe_privacy.ledger.schema import InboxErasure, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.planning.taking_in import Intake, PlanSettings, take_in_day
from adobe_privacy.storage import AccessDenied, ObjectNotFound, StorageUnavailable, Store, open_store
from tests.storage.servers import S3Server, s3_server
from tests.support.inbox import line, put
from tests.support.ledgers import DAY, FakeClock, OpenLedger

NAME = "r.jsonl"
SOURCE = f"{DAY}/{NAME}"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["file", "s3"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        return server.store(prefix="inbox")
    (tmp_path / "inbox").mkdir()
    return open_store(f"file://{tmp_path}/inbox")


@pytest.fixture(autouse=True)
def nobody_is_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adobe_privacy.intake.files.SETTLED_AFTER", timedelta())


def take_in(inbox: Store, ledger: Ledger, day: date = DAY) -> Intake:
    return take_in_day(inbox, ledger, day=day, run_id=f"run {day}", settings=PlanSettings())


def end(ledger: Ledger, *request_ids: str, state: JobState = JobState.CLOSED) -> None:
    """Closes requests; another state is put in the place of the closed one."""
    for request_id in request_ids:
        assert ledger.people.close(request_id, "answered by hand")
        with ledger.unit.write() as session:
            session.execute(update(Job).where(Job.request_id == request_id).values(state=state))


def erase(inbox: Store, ledger: Ledger, days: int = 30, *, dry_run: bool = False) -> list[tuple[str, str]]:
    actions: list[InboxAction] = list(erase_inbox(inbox, ledger, days=days, dry_run=dry_run))
    return [(action.action, action.key) for action in actions]


def is_there(inbox: Store, key: str = SOURCE) -> bool:
    try:
        inbox.info(key)
    except ObjectNotFound:
        return False
    return True


def erasures(ledger: Ledger) -> list[InboxErasure]:
    with ledger.unit.read() as session:
        return list(session.scalars(select(InboxErasure).order_by(InboxErasure.id)))


def test_a_file_goes_once_all_its_requests_have_been_at_an_end_for_so_long(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    put(inbox, line(1), line(2))
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    clock.advance(days=31)
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    end(ledger, "DSR-2", state=JobState.ERROR)
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    clock.advance(days=29)
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    clock.advance(days=1)
    assert erase(inbox, ledger, dry_run=True) == [("erased", SOURCE)]
    assert is_there(inbox)
    assert erasures(ledger) == []
    assert erase(inbox, ledger) == [("erased", SOURCE)]
    assert not is_there(inbox)
    assert erase(inbox, ledger) == []


def test_the_ledger_keeps_a_line_and_no_name(inbox: Store, ledger: Ledger, clock: FakeClock) -> None:
    put(inbox, line(1), line(2), "junk", name="jane.doe.jsonl")
    take_in(inbox, ledger)
    assert is_there(inbox, f"{DAY}/rejected/jane.doe.jsonl")
    end(ledger, "DSR-1", "DSR-2")
    source = f"{DAY}/jane.doe.jsonl"
    ledger.inbox.close(DAY, shown_name(source, file_key(source, ledger)), "no request")
    size = inbox.info(f"{DAY}/jane.doe.jsonl").size
    clock.advance(days=30)
    assert [action for action, _ in erase(inbox, ledger)] == ["erased"]
    assert not is_there(inbox, f"{DAY}/rejected/jane.doe.jsonl")
    [row] = erasures(ledger)
    assert (row.inbox_date, row.size, row.requests, row.rejected) == (DAY, size, 2, 1)
    assert row.begun_at == row.done_at == clock()
    assert row.file_key == ledger.intake.fingerprint(f"{DAY}/jane.doe.jsonl".encode())
    expected = "".join(f"{text}\n" for text in (line(1), line(2), "junk")).encode()
    assert row.content == ledger.intake.fingerprint(expected)
    assert row.actor == "dag/run/task"


def test_what_is_on_hold_stays_until_it_is_released(inbox: Store, ledger: Ledger, clock: FakeClock) -> None:
    put(inbox, line(1), line(2))
    take_in(inbox, ledger)
    end(ledger, "DSR-1", "DSR-2")
    ledger.people.hold("DSR-2", "lawsuit")
    clock.advance(days=400)
    assert erase(inbox, ledger) == [("held", SOURCE)]
    ledger.people.release("DSR-2", "settled")
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    clock.advance(days=30)
    assert erase(inbox, ledger) == [("erased", SOURCE)]


def test_a_held_request_keeps_every_file_that_it_lies_in(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    put(inbox, line(1), name="a.jsonl")
    take_in(inbox, ledger)
    put(inbox, line(1), name="b.jsonl")
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    ledger.people.hold("DSR-1", "lawsuit")
    clock.advance(days=31)
    assert [action for action, _ in erase(inbox, ledger)] == ["held", "held"]
    assert is_there(inbox, f"{DAY}/a.jsonl")
    assert is_there(inbox, f"{DAY}/b.jsonl")


def test_lines_that_nobody_mended_keep_the_file(inbox: Store, ledger: Ledger, clock: FakeClock) -> None:
    put(inbox, line(1), "junk")
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    clock.advance(days=31)
    assert ledger.attention.counts()["rejected"] == 1
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    ledger.inbox.close(DAY, NAME, "no request", line=2)
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    clock.advance(days=30)
    assert erase(inbox, ledger) == [("erased", SOURCE)]


def test_a_conflicting_line_that_was_closed_waits_for_the_request_it_names(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    put(inbox, line(1), name="a.jsonl")
    take_in(inbox, ledger)
    put(inbox, line(1, products=["profileService"]), name="b.jsonl")
    take_in(inbox, ledger)
    ledger.inbox.close(DAY, "b.jsonl", "a mistake")
    clock.advance(days=31)
    assert [action for action, _ in erase(inbox, ledger)] == ["kept", "kept"]
    end(ledger, "DSR-1")
    clock.advance(days=30)
    assert [action for action, _ in erase(inbox, ledger)] == ["erased", "erased"]


def test_a_line_that_was_refused_and_closed_keeps_nothing(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    put(inbox, line(1), line(2, products=["no such product"]), line(3, actions=["access"], products=[]))
    take_in(inbox, ledger)
    ledger.inbox.close(DAY, NAME, "wrong products")
    end(ledger, "DSR-1")
    clock.advance(days=31)
    assert erase(inbox, ledger) == [("erased", SOURCE)]


@pytest.mark.parametrize("name", ["table.xlsx", "broken.csv"])
def test_a_file_that_nobody_could_read_is_never_erased(
    inbox: Store, ledger: Ledger, clock: FakeClock, name: str
) -> None:
    inbox.write(f"{DAY}/{name}", b"what;is;this\n1;2;3\n")
    take_in(inbox, ledger)
    [problem] = ledger.attention.problems(_kind("unread"), limit=10)
    ledger.inbox.close(DAY, problem.file, "holds no request")
    clock.advance(days=31)
    assert [action for action, _ in erase(inbox, ledger)] == ["kept"]
    assert is_there(inbox, f"{DAY}/{name}")


def _kind(name: str) -> Any:
    from adobe_privacy.ledger.attention import BY_NAME

    return BY_NAME[name]


def test_a_file_that_nobody_has_read_is_never_erased(inbox: Store, ledger: Ledger, clock: FakeClock) -> None:
    put(inbox, line(1))
    clock.advance(days=400)
    assert erase(inbox, ledger) == []
    assert is_there(inbox)


def test_a_file_that_changed_since_it_was_read_stays_and_is_read(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    put(inbox, line(1), line(2))
    clock.advance(days=31)
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    assert take_in(inbox, ledger).new == 1
    assert erase(inbox, ledger) == []


def test_a_late_file_of_the_same_name_is_read(inbox: Store, ledger: Ledger, clock: FakeClock) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    clock.advance(days=31)
    assert erase(inbox, ledger) == [("erased", SOURCE)]
    put(inbox, line(2))
    assert take_in(inbox, ledger, DAY + timedelta(days=20)).new == 1
    assert erase(inbox, ledger) == []
    assert is_there(inbox)


def test_a_killed_erasure_is_finished_and_its_file_not_read_again(
    inbox: Store, ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    clock.advance(days=31)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(inbox, ledger)
    assert is_there(inbox)
    assert take_in(inbox, ledger).files == []
    assert erase(inbox, ledger, dry_run=True) == [("erased", SOURCE)]
    assert erase(inbox, ledger) == [("erased", SOURCE)]
    assert not is_there(inbox)
    assert [row.done_at for row in erasures(ledger)] == [clock()]


def test_a_file_that_came_in_the_place_of_a_half_erased_one_stays(
    inbox: Store, ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    clock.advance(days=31)

    def denied(*_: Any) -> None:
        raise AccessDenied("denied", uri="file:///inbox")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete", denied)
        assert erase(inbox, ledger) == [("failed", SOURCE)]
    put(inbox, line(2), line(3))
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    assert [row.done_at for row in erasures(ledger)] == [clock()]
    assert take_in(inbox, ledger).new == 2


def test_one_file_that_cannot_be_erased_costs_itself_only(
    inbox: Store, ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        put(inbox, line(number), name=f"{number}.jsonl")
    take_in(inbox, ledger)
    end(ledger, "DSR-1", "DSR-2", "DSR-3")
    clock.advance(days=31)
    delete = Store.delete

    def but_one(self: Store, key: str) -> None:
        if key.endswith("/2.jsonl"):
            raise AccessDenied("denied", uri="file:///inbox")
        delete(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete", but_one)
        assert sorted(action for action, _ in erase(inbox, ledger)) == ["erased", "erased", "failed"]
    assert erase(inbox, ledger) == [("erased", f"{DAY}/2.jsonl")]


def test_a_store_that_is_down_ends_it(
    inbox: Store, ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 9):
        put(inbox, line(number), name=f"{number}.jsonl")
    take_in(inbox, ledger)
    end(ledger, *(f"DSR-{number}" for number in range(1, 9)))
    clock.advance(days=31)

    def down(*_: Any) -> None:
        raise StorageUnavailable("down", uri="file:///inbox")

    monkeypatch.setattr(Store, "chunks", down)
    with pytest.raises(StorageUnavailable):
        erase(inbox, ledger)


def test_another_inbox_than_the_ledgers_costs_nothing(
    inbox: Store, ledger: Ledger, clock: FakeClock, tmp_path: Path
) -> None:
    """A wrong mount, an empty folder: what is not there was not erased."""
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    clock.advance(days=31)
    (tmp_path / "empty").mkdir()
    assert erase(open_store(f"file://{tmp_path}/empty"), ledger) == []
    assert take_in(inbox, ledger).files == []
    assert erase(inbox, ledger) == [("erased", SOURCE)]


def test_a_hold_at_any_moment_wins_or_is_told_that_it_comes_too_late(
    inbox: Store, ledger: Ledger, open_ledger: OpenLedger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold before each step of an erasure: each question to the ledger, each look at the store, each delete."""
    steps = [(InboxErasures, name) for name in ("candidates", "unfinished", "standing", "begin", "done")] + [
        (Store, name) for name in ("objects_directly_in", "chunks", "info", "delete")
    ]
    for number, (owner, name) in enumerate(steps, 1):
        ids = (f"DSR-{2 * number}", f"DSR-{2 * number + 1}")
        day = DAY + timedelta(days=number)
        put(inbox, line(2 * number), line(2 * number + 1), day=day)
        take_in(inbox, ledger, day)
        end(ledger, *ids)
        clock.advance(days=31)
        original, placed, held = getattr(owner, name), list[str](), ids[1]

        def before(
            *args: Any, _original: Any = original, _placed: Any = placed, _held: str = held, **rest: Any
        ) -> Any:
            if not _placed:
                _placed.append(_held)
                with open_ledger("user counsel") as other:
                    other.people.hold(_held, "lawsuit")
            return _original(*args, **rest)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, before)
            erase(inbox, ledger)
        assert placed, name
        too_late = erased_file(ledger.people.request_jobs(ids[1])) is not None
        assert is_there(inbox, f"{day}/{NAME}") is not too_late, name


def test_what_cannot_be_sent_again_says_so_until_it_is_handed_in_again(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1", state=JobState.ERROR)
    [job] = ledger.people.request_jobs("DSR-1")
    assert may_be_resent(job)
    clock.advance(days=31)
    erase(inbox, ledger)
    [job] = ledger.people.request_jobs("DSR-1")
    assert not may_be_resent(job)
    assert erased_file([job]) == "its inbox file was erased on 2026-12-22: hand the request in again"
    assert ledger.people.resend("DSR-1", "try again") == 0
    put(inbox, line(1), day=date(2026, 12, 22))
    assert take_in(inbox, ledger, date(2026, 12, 22)).duplicates == 1
    assert ledger.people.resend("DSR-1", "try again") == 1
    assert erase(inbox, ledger) == []


def test_an_erased_file_takes_nothing_from_a_request_that_a_later_file_repeated(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1", state=JobState.ERROR)
    clock.advance(days=20)
    again = DAY + timedelta(days=20)
    put(inbox, line(1), day=again)
    assert take_in(inbox, ledger, again).duplicates == 1
    clock.advance(days=11)
    assert erase(inbox, ledger) == [("erased", SOURCE)]
    [job] = ledger.people.request_jobs("DSR-1")
    assert erased_file([job]) is None
    assert list(requests_of([job], inbox, ledger).requests) == ["DSR-1"]
    assert ledger.people.resend("DSR-1", "try again") == 1
    clock.advance(days=60)
    assert erase(inbox, ledger) == [("kept", f"{again}/{NAME}")]
    end(ledger, "DSR-1")
    clock.advance(days=31)
    assert erase(inbox, ledger) == [("erased", f"{again}/{NAME}")]
    [job] = ledger.people.request_jobs("DSR-1")
    assert erased_file([job]) is not None


def test_no_file_is_erased_while_a_request_that_several_repeat_is_not_at_an_end(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    days = [DAY + timedelta(days=number) for number in range(3)]
    for day in days:
        put(inbox, line(1), day=day)
        take_in(inbox, ledger, day)
    clock.advance(days=100)
    assert erase(inbox, ledger) == [("kept", f"{day}/{NAME}") for day in days]
    end(ledger, "DSR-1")
    clock.advance(days=31)
    assert erase(inbox, ledger) == [("erased", f"{day}/{NAME}") for day in days]


def test_a_file_handed_in_again_under_its_old_name_serves_a_resend_too(
    inbox: Store, ledger: Ledger, clock: FakeClock
) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1", state=JobState.ERROR)
    clock.advance(days=31)
    erase(inbox, ledger)
    put(inbox, line(1))
    assert take_in(inbox, ledger).duplicates == 1
    assert ledger.people.resend("DSR-1", "try again") == 1


def test_a_resend_and_an_erasure_never_both_win(
    inbox: Store, ledger: Ledger, open_ledger: OpenLedger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1", state=JobState.ERROR)
    clock.advance(days=31)
    begin = InboxErasures.begin

    def resent(self: InboxErasures, *args: Any, **options: Any) -> Any:
        with open_ledger("user") as other:
            assert other.people.resend("DSR-1", "now") == 1
        return begin(self, *args, **options)

    monkeypatch.setattr(InboxErasures, "begin", resent)
    assert erase(inbox, ledger) == [("kept", SOURCE)]
    assert is_there(inbox)


def test_no_days_are_refused(inbox: Store, ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="at least 1 day"):
        erase(inbox, ledger, 0)


def test_the_moment_counts_not_the_day(inbox: Store, ledger: Ledger, clock: FakeClock) -> None:
    put(inbox, line(1))
    take_in(inbox, ledger)
    end(ledger, "DSR-1")
    clock.moment = datetime(2026, 12, 21, 11, 59, tzinfo=UTC)
    assert erase(inbox, ledger) == []
    clock.advance(minutes=1)
    assert erase(inbox, ledger) == [("erased", SOURCE)]
