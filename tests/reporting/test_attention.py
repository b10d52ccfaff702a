"""The one list of what needs a person: the same in settle, alarms, page and command."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.command_line import main
from adobe_privacy.ledger.attention import KINDS, Level
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.planning.planning import PlanSettings, plan_day
from adobe_privacy.reporting.alarms import Alarms, due_alarms, record
from adobe_privacy.reporting.attention import read_attention
from adobe_privacy.reporting.run_report import Settlement, settle
from adobe_privacy.storage import Store, open_store
from tests.support.inbox import line, put
from tests.support.ledgers import DAY, FakeClock

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def inbox(tmp_path: Path) -> Store:
    (tmp_path / "inbox").mkdir()
    return open_store(f"file://{tmp_path}/inbox")


@pytest.fixture
def run(inbox: Store, ledger: Ledger) -> Callable[..., Settlement]:
    """Plans and settles a day whose jobs all wait for the next run."""

    def running(day: Any = DAY, run_id: str = "run") -> Settlement:
        plan_day(inbox, ledger, day=day, run_id=run_id, settings=PlanSettings(daily_limit=0))
        return settle(ledger, run_id=run_id, inbox_date=day)

    return running


Run = Callable[..., Settlement]


def told(alarms: Alarms) -> dict[str, str]:
    return {group.headline: group.to_do for group in alarms.groups if group.to_do}


def test_each_kind_says_what_to_do() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.to_do.endswith(("…", ".")), kind.name
        assert bool(kind.states) != bool(kind.problems), kind.name


def test_a_rejected_line_is_no_green_day_and_everybody_tells(
    inbox: Store, ledger: Ledger, run: Run, ledger_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(inbox, line(1), line(2, regulation="gdrp"), "{no json")
    settlement = run()
    assert settlement.problems == 2
    assert settlement.figures.startswith(
        "1 jobs (1 access): 1 for the next run, 2 lines rejected; 1 taken with"
    )
    assert settlement.named[0].startswith(f"{DAY}/r.jsonl line 2 (DSR-2): rejected: regulation")
    alarms = due_alarms(ledger, daily_limit=100)
    assert list(told(alarms)) == ["2 lines rejected"]
    assert f"{DAY}/r.jsonl line 3: rejected: not JSON" in alarms.message
    assert main(["attention", "--ledger", ledger_url]) == 1
    assert "2 lines rejected" in capsys.readouterr().out
    assert main(["attention", "--json", "--ledger", ledger_url]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["rejected"] == 2
    lines = [item for item in found["items"] if item["kind"] == "rejected"]
    assert [(item["folder"], item["file"], item["line"], item["request_id"]) for item in lines] == [
        (str(DAY), "r.jsonl", 2, "DSR-2"),
        (str(DAY), "r.jsonl", 3, None),
    ]


def test_warnings_and_what_a_law_does_not_give_are_good_to_know(
    inbox: Store, ledger: Ledger, run: Run, ledger_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ecid = [{"namespace": "ECID", "value": "44363657679975868102109072127600000042"}]
    put(inbox, line(1), line(2, regulation="hipaa_usa", actions=["delete"], identities=ecid))
    assert run().problems == 0
    assert ledger.attention.counts()["warned"] == 2
    says = {item.request_id: item.says for item in read_attention(ledger).of(Level.NOTE)}
    assert "analytics can use none of the identities" in says["DSR-1"]
    assert says["DSR-2"].startswith("hipaa_usa knows no right of deletion")
    assert main(["show", "DSR-2", "--ledger", ledger_url]) == 0
    assert "warning: hipaa_usa knows no right of deletion" in capsys.readouterr().out
    ledger.people.close("DSR-2", "no right of deletion")
    assert ledger.attention.counts()["warned"] == 1


def test_a_file_of_which_nothing_was_read_is_no_green_day(inbox: Store, ledger: Ledger, run: Run) -> None:
    put(inbox, "Antrag;Gesetz", "1;gdpr", name="excel.csv")
    inbox.write(f"{DAY}/Jane Doe.xlsx", b"PK")
    inbox.write(f"{DAY}/_SUCCESS", b"")
    settlement = run()
    assert settlement.figures == "0 jobs: 2 files not read"
    assert settlement.problems == 2
    assert not any("Jane" in text for text in settlement.named)
    assert any(text.startswith(f"{DAY}/excel.csv: nothing of it was read") for text in settlement.named)
    inbox.delete(f"{DAY}/Jane Doe.xlsx")
    assert run().figures == "0 jobs: 1 file not read"


def test_a_corrected_file_leaves_the_list(inbox: Store, ledger: Ledger, run: Run) -> None:
    put(inbox, line(1), "junk")
    assert run().problems == 1
    put(inbox, line(1), line(2))
    assert run().problems == 0
    put(inbox, line(1), "junk")
    assert run().problems == 1, "a correction that was undone is a problem again"


def test_the_same_request_id_accepted_later_leaves_the_list(
    inbox: Store, ledger: Ledger, run: Run, clock: FakeClock
) -> None:
    put(inbox, line(1), line(2, regulation="gdrp"))
    assert run().problems == 1
    clock.advance(days=1)
    put(inbox, line(2), day=NEXT)
    run(NEXT, "next")
    assert settle(ledger, run_id="run", inbox_date=DAY).problems == 0
    assert run().problems == 0, "nor does the next reading of the file bring it back"


def test_a_line_stays_where_the_same_request_id_was_accepted_for_something_else(
    inbox: Store, ledger: Ledger, run: Run, clock: FakeClock
) -> None:
    nobody = [{"namespace": "email", "value": "nobody"}]
    put(inbox, line(1, actions=["access"], identities=nobody), line(2, actions=["Delete"], identities=nobody))
    assert run().problems == 2
    clock.advance(days=1)
    put(inbox, line(1, actions=["delete"]), line(2, actions=["access", "delete"]), day=NEXT)
    run(NEXT, "next")
    [told] = settle(ledger, run_id="run", inbox_date=DAY).named[:1]
    assert "(DSR-1): rejected" in told
    assert run().problems == 1


def test_a_line_that_contradicts_a_known_request_stays(inbox: Store, ledger: Ledger, run: Run) -> None:
    put(inbox, line(1), line(1, actions=["delete"]))
    assert run().problems == 1
    put(inbox, line(1), line(1, actions=["delete"]), line(3))
    assert run().problems == 1


def test_a_person_closes_a_line(inbox: Store, ledger: Ledger, run: Run) -> None:
    put(inbox, line(1), "# exported by hand")
    assert run().problems == 1
    assert ledger.inbox.close(DAY, "r.jsonl", "a comment", line=2) == 1
    assert run().problems == 0
    assert ledger.inbox.close(DAY, "r.jsonl", "a comment", line=2) == 0


@pytest.mark.parametrize("name", ["requests.xlsx", "r.csv"])
def test_a_file_that_was_taken_away_and_comes_again_is_told_again(
    inbox: Store, ledger: Ledger, run: Run, name: str
) -> None:
    content = b"request_id,regulation,actions,emial\nDSR-1,gdpr,delete,a@example.com\n"
    inbox.write(f"{DAY}/{name}", content)
    assert run().problems == 1
    inbox.delete(f"{DAY}/{name}")
    assert run().problems == 0
    inbox.write(f"{DAY}/{name}", content + b"\n")
    assert run().problems == 1


@pytest.mark.parametrize(
    ("name", "bad", "worse"),
    [
        ("r.jsonl", "# exported by hand", "# DSR-3, delete"),
        ("r.jsonl", line(1, actions=["delete"]), line(1, regulation="ccpa")),
        ("requests.xlsx", "one", "other"),
    ],
)
def test_what_a_person_closed_is_told_again_when_it_may_be_another_request(
    inbox: Store, ledger: Ledger, run: Run, name: str, bad: str, worse: str
) -> None:
    put(inbox, line(1), bad, name=name)
    assert run().problems == 1
    assert ledger.inbox.close(DAY, ledger_name(ledger), "no request") == 1
    assert run().problems == 0
    put(inbox, line(1), worse, line(2), name=name)
    assert run().problems == 1
    assert run().problems == 1, "also when it is read once more"
    assert ledger.inbox.close(DAY, ledger_name(ledger), "no request either") == 1
    assert run().problems == 0


def test_a_line_that_a_person_closed_stays_closed_by_its_request_id(
    inbox: Store, ledger: Ledger, run: Run
) -> None:
    put(inbox, line(1), line(2, regulation="gdrp"))
    assert run().problems == 1
    ledger.inbox.close(DAY, "r.jsonl", "a test", line=2)
    put(inbox, line(1), line(2, regulation="gdrp"), line(3))
    assert run().problems == 0


def ledger_name(ledger: Ledger) -> str:
    """The name by which the one problem's file is shown."""
    return {problem.file for kind in KINDS for problem in ledger.attention.problems(kind, limit=9)}.pop()


def test_a_file_full_of_bad_lines_is_counted_whole(inbox: Store, ledger: Ledger, run: Run) -> None:
    put(inbox, *["junk"] * 2500)
    assert run().figures == "0 jobs: 2500 lines rejected"
    assert len(read_attention(ledger).items) == 1000


def test_alarms_tell_once_a_day_and_at_once_of_what_is_new(
    inbox: Store, ledger: Ledger, run: Run, clock: FakeClock
) -> None:
    def tell() -> list[str]:
        alarms = due_alarms(ledger, daily_limit=100)
        record(ledger, alarms)
        return list(told(alarms))

    put(inbox, line(1), "junk")
    run()
    assert tell() == ["1 line rejected"]
    clock.advance(hours=1)
    assert tell() == []
    put(inbox, line(1), "junk", "junk, too")
    run()
    assert tell() == ["2 lines rejected"]
    clock.advance(days=1)
    assert tell() == ["2 lines rejected"]
    put(inbox, line(1))
    run()
    clock.advance(days=1)
    assert tell() == []


def test_a_job_of_a_run_is_counted_once(inbox: Store, ledger: Ledger) -> None:
    """Planned and never sent, and overdue as well."""
    put(inbox, line(1, received_at="2026-01-01T00:00:00Z"))
    plan_day(inbox, ledger, day=DAY, run_id="run", settings=PlanSettings())
    settlement = settle(ledger, run_id="run", inbox_date=DAY)
    assert settlement.problems == 1
    assert "not archived yet (planned)" in settlement.named[0]
    assert read_attention(ledger).count(Level.PERSON) == 1
