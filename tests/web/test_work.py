"""Finding, deciding on many, and the list of people's decisions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from adobe_privacy.ledger.inbox import FileName, Problem
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job, ProblemKind
from adobe_privacy.ledger.states import JobState, Move
from tests.support.ledgers import DAY, received
from tests.web.conftest import LogIn

API = "/privacy/api"
PERSON = {"namespace": "email", "value": "DSmith@example.com"}
HOLD = {"decision": "hold", "request_ids": ["DSR-1", "DSR-2", "DSR-1", "DSR-77"], "reason": "a lawsuit"}


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    print_ = ledger.intake.person_print("email", "dsmith@example.com")
    ledger.intake.receive(
        [received(1, "access", "delete"), replace(received(2), prints=[print_]), received(3)]
    )
    return ledger


def test_a_line_of_the_inbox_is_closed_on_the_page(ledger: Ledger, log_in: LogIn) -> None:
    problem = Problem(ProblemKind.LINE, "regulation: no such code", 3)
    ledger.inbox.record(FileName(DAY, "0" * 64, "a.jsonl"), [problem], size=1, mark="m", run_id="run")
    officer = log_in("officer")
    page = officer.get("/privacy/?attention=rejected").text
    assert f'data-folder="{DAY}" data-file="a.jsonl" data-line="3" data-seen="1"' in page
    assert "close-line" not in log_in("reader").get("/privacy/?attention=rejected").text
    line = {"folder": str(DAY), "file": "a.jsonl", "line": 3, "reason": "a heading"}
    assert log_in("reader").post(f"{API}/close-line", json=line).status_code == 403
    assert officer.post(f"{API}/close-line", json=line).json() == {"changed": 1}
    assert ledger.attention.counts()["rejected"] == 0
    assert officer.post(f"{API}/close-line", json=line).status_code == 404


class TestWhatHasChanged:
    """A page may be hours old when somebody decides by it."""

    def test_a_request_that_was_sent_again_meanwhile_is_not_closed(
        self, filled: Ledger, log_in: LogIn
    ) -> None:
        _refuse(filled, "DSR-2")
        officer = log_in("officer")
        page = officer.get("/privacy/request?id=DSR-2").text
        seen = officer.get(f"{API}/request?id=DSR-2").json()["seen"]
        assert f'data-seen="{seen}"' in page
        filled.people.resend("DSR-2", "corrected")
        close = {"request_id": "DSR-2", "reason": "not needed", "seen": seen}
        answer = officer.post(f"{API}/close", json=close)
        assert answer.status_code == 409
        assert answer.json()["detail"] == "DSR-2 has changed since this page was loaded: load it again."
        (job,) = filled.people.request_jobs("DSR-2")
        assert job.state is JobState.RECEIVED
        again = officer.get(f"{API}/request?id=DSR-2").json()["seen"]
        assert officer.post(f"{API}/close", json=close | {"seen": again}).json()["changed"] == 1

    @pytest.mark.parametrize(
        ("decision", "refused"), [("hold", False), ("release", True), ("resend", True), ("close", True)]
    )
    @pytest.mark.parametrize("many", [False, True])
    def test_each_decision_but_a_hold_is_on_what_was_seen(
        self, filled: Ledger, log_in: LogIn, decision: str, refused: bool, many: bool
    ) -> None:
        """A hold protects, and may be ended: it is never too late for it because something went on meanwhile."""
        officer = log_in("officer")
        seen = officer.get(f"{API}/jobs").json()["seen"]
        assert f'data-seen="{seen}"' in officer.get("/privacy/").text
        filled.people.hold("DSR-2", "a lawsuit")
        filled.people.release("DSR-2", "settled")
        if decision == "release":
            filled.people.hold("DSR-2", "another lawsuit")
        history = filled.people.history("DSR-2")
        if many:
            body = {
                "decision": decision,
                "request_ids": ["DSR-2", "DSR-3"],
                "reason": "as seen",
                "seen": seen,
            }
            told = officer.post(f"{API}/decide", json=body).json()
            assert told.get("stale", []) == (["DSR-2"] if refused else [])
            assert "DSR-3" in told["requests"]
        else:
            body = {"request_id": "DSR-2", "reason": "as seen", "seen": seen}
            answer = officer.post(f"{API}/{decision}", json=body)
            assert answer.status_code == (409 if refused else 200)
        assert (len(filled.people.history("DSR-2")) == len(history)) is refused

    def test_who_names_nothing_that_was_seen_decides_on_what_there_is(
        self, filled: Ledger, log_in: LogIn
    ) -> None:
        close = {"request_id": "DSR-2", "reason": "not needed"}
        assert log_in("officer").post(f"{API}/close", json=close).json()["changed"] == 1

    @pytest.mark.parametrize("line", [3, None])
    def test_a_line_that_another_file_of_that_name_has_now_is_not_closed(
        self, ledger: Ledger, log_in: LogIn, line: int | None
    ) -> None:
        kind = ProblemKind.FILE if line is None else ProblemKind.LINE
        file = FileName(DAY, "0" * 64, "a.jsonl")
        ledger.inbox.record(file, [Problem(kind, "a heading", line)], size=1, mark="m", run_id="run")
        officer = log_in("officer")
        (need,) = officer.get(f"{API}/attention").json()
        other = Problem(kind, "regulation: no such code", line)
        ledger.inbox.record(file, [other], size=2, mark="n", run_id="run")
        body = {
            "folder": str(DAY),
            "file": "a.jsonl",
            "line": line,
            "reason": "a heading",
            "seen": need["seen"],
        }
        answer = officer.post(f"{API}/close-line", json=body)
        assert answer.status_code == 409
        place = f"{DAY}/a.jsonl" + (" line 3" if line else "")
        assert answer.json()["detail"] == f"{place} has changed since this page was loaded: load it again."
        assert len(officer.get(f"{API}/attention").json()) == 1


def _refuse(ledger: Ledger, request_id: str) -> None:
    """The request of one job is planned, and refused."""
    with ledger.unit.write() as session:
        rows = list(session.scalars(select(Job).where(Job.request_id == request_id)))
        ledger.unit.move(session, rows, Move.CLAIM, "")
        ledger.unit.move(session, rows, Move.NOT_SENT, "no such code")


def test_a_tile_counts_requests_and_names_jobs(ledger: Ledger, log_in: LogIn) -> None:
    ledger.intake.receive([received(1, "access", "delete", due=DAY - timedelta(days=400))])
    page = log_in("reader").get("/privacy/").text
    tile = page.partition('href="./?attention=overdue#rows"')[2].partition("</a>")[0]
    assert " ".join(tile.split()) == "><b>1</b> request overdue <small>2 jobs</small>"


class TestFind:
    def test_by_a_part_of_an_id(self, filled: Ledger, log_in: LogIn) -> None:
        reader = log_in("reader")
        assert reader.post(f"{API}/find", json={"text": "sr-3"}).json() == {"request_ids": ["DSR-3"]}
        assert len(reader.post(f"{API}/find", json={"text": "DSR"}).json()["request_ids"]) == 3

    def test_by_person_which_is_noted_without_the_value(self, filled: Ledger, log_in: LogIn) -> None:
        found = log_in("reader").post(f"{API}/find-person", json=PERSON)
        assert found.json() == {"request_ids": ["DSR-2"]}
        (deed,) = filled.accesses.deeds()
        assert (deed.actor, deed.what) == ("user/reader", "searched")
        assert deed.why == "for a person, by email: 1 requests found"
        own = PERSON | {"namespace": "dsmith@example.com"}
        assert log_in("reader").post(f"{API}/find-person", json=own).json() == {"request_ids": []}
        assert not any("dsmith" in deed.why.lower() for deed in filled.accesses.deeds())

    def test_what_finds_more_than_it_shows_says_so(self, ledger: Ledger, log_in: LogIn) -> None:
        print_ = ledger.intake.person_print("email", PERSON["value"])
        ledger.intake.receive([replace(received(number), prints=[print_]) for number in range(100, 151)])
        reader = log_in("reader")
        for path, body in (("find", {"text": "DSR"}), ("find-person", PERSON)):
            told = reader.post(f"{API}/{path}", json=body).json()
            assert (len(told["request_ids"]), told["more"]) == (50, True), path
        (deed,) = ledger.accesses.deeds()
        assert deed.why == "for a person, by email: more than 50 requests found"

    def test_what_is_handed_in_and_not_taken_in_says_so(self, filled: Ledger, log_in: LogIn) -> None:
        filled.unit.actor = "user/officer"
        filled.handing_in.record({"PR-1": "x"}, "2026-11-20/page-1.json")
        text = log_in("reader").get("/privacy/request?id=PR-1").text
        assert "officer handed in PR-1" in text
        assert "the next run of privacy_requests takes it in" in text


class TestMany:
    def test_one_decision_for_one_reason(self, filled: Ledger, log_in: LogIn) -> None:
        told = log_in("officer").post(f"{API}/decide", json=HOLD).json()
        assert told == {"changed": 3, "requests": {"DSR-1": 2, "DSR-2": 1}, "unknown": ["DSR-77"]}
        assert [job.on_hold for job in filled.people.request_jobs("DSR-1")] == [True, True]
        assert [job.on_hold for job in filled.people.request_jobs("DSR-3")] == [False]
        released = HOLD | {"decision": "release", "reason": "settled"}
        assert log_in("officer").post(f"{API}/decide", json=released).json()["changed"] == 3
        closed = HOLD | {"decision": "close", "reason": "withdrawn"}
        assert log_in("officer").post(f"{API}/decide", json=closed).json()["changed"] == 3

    @pytest.mark.parametrize(
        "wrong",
        [
            {"decision": "erase"},
            {"request_ids": []},
            {"request_ids": [f"DSR-{n}" for n in range(501)]},
            {"reason": "ab"},
        ],
    )
    def test_what_cannot_be_meant_changes_nothing(
        self, filled: Ledger, log_in: LogIn, wrong: dict[str, Any]
    ) -> None:
        assert log_in("officer").post(f"{API}/decide", json=HOLD | wrong).status_code == 422
        assert [job.on_hold for job in filled.people.request_jobs("DSR-1")] == [False, False]


class TestDecisions:
    def test_who_what_when_and_why(self, filled: Ledger, log_in: LogIn) -> None:
        officer = log_in("officer")
        officer.post(f"{API}/decide", json=HOLD)
        officer.post(f"{API}/find-person", json=PERSON)
        told = officer.get(f"{API}/decisions").json()
        rows = [(each["who"], each["what"], each["request_id"], each["why"]) for each in told["decisions"]]
        assert rows[0] == ("officer", "searched", None, "for a person, by email: 1 requests found")
        assert set(rows[1:]) == {
            ("officer", "put on hold", "DSR-1", "a lawsuit"),
            ("officer", "put on hold", "DSR-2", "a lawsuit"),
        }
        assert told["next"] is None

    def test_it_can_be_filtered(self, filled: Ledger, log_in: LogIn) -> None:
        officer = log_in("officer")
        officer.post(f"{API}/decide", json=HOLD)
        officer.post(f"{API}/find-person", json=PERSON)

        def found(query: str) -> int:
            return len(officer.get(f"{API}/decisions?{query}").json()["decisions"])

        assert found("what=put on hold") == 2
        assert found("what=searched") == 1
        assert found("what=closed") == 0
        people = officer.get(f"{API}/decisions").json()["people"]
        assert list(people.values()) == ["officer"]
        assert found(f"who={next(iter(people))}") == 3
        assert found("before=2020-01-01T00:00:00Z") == 0
        assert officer.get(f"{API}/decisions?before=never").status_code == 422
        text = officer.get("/privacy/decisions?what=put+on+hold").text
        assert "DSR-1" in text
        assert "a lawsuit" in text

    def test_who_is_chosen_by_a_key_and_never_by_a_name(self, filled: Ledger, log_in: LogIn) -> None:
        """A name in an address is in every access log."""
        log_in("officer").post(f"{API}/decide", json=HOLD)
        filled.unit.actor = "user privacy officer"
        filled.people.hold("DSR-3", "another lawsuit")
        officer = log_in("officer")
        people = officer.get(f"{API}/decisions").json()["people"]
        assert sorted(people.values()) == ["officer", "privacy officer"]
        for key, name in people.items():
            assert re.fullmatch("[0-9a-f]{16}", key)
            found = officer.get(f"{API}/decisions?who={key}").json()["decisions"]
            assert {each["who"] for each in found} == {name}
            page = officer.get(f"/privacy/decisions?who={key}").text
            assert f'<option value="{key}" selected>{name}</option>' in page
        for typed in ("officer", "dsmith@example.com"):
            answer = officer.get(f"{API}/decisions?who={typed}")
            assert answer.status_code == 400
            assert typed not in answer.text


class TestOddText:
    """Half a character, and a number that is none, cannot even be told in an answer."""

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("find", '{"text": "\\ud800"}'),
            ("find-person", '{"namespace": "email", "value": "\\ud800"}'),
            ("decide", '{"decision": "hold", "request_ids": ["\\ud800"], "reason": "a lawsuit"}'),
            ("decide", '{"decision": "\\ud800", "request_ids": ["DSR-1"], "reason": "a lawsuit"}'),
            ("close-line", '{"folder": "2026-11-20", "file": "r.csv", "line": NaN, "reason": "none"}'),
            ("close-line", '{"folder": "2026-11-20", "file": "r.csv", "line": 1e400, "reason": "none"}'),
            ("close-line", f'{{"folder": "2026-11-20", "file": "r.csv", "line": {2**70}, "reason": "none"}}'),
            ("hold", '{"request_id": "\\ud800", "reason": "a lawsuit"}'),
        ],
    )
    def test_it_is_refused(self, filled: Ledger, log_in: LogIn, path: str, body: str) -> None:
        answer = log_in("officer").post(
            f"{API}/{path}", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 404, 422)
        assert answer.json()["detail"]


class TestWho:
    @pytest.mark.parametrize("path", ["find", "find-person", "decide"])
    def test_each_route_by_each_caller(self, filled: Ledger, log_in: LogIn, path: str) -> None:
        bodies: dict[str, dict[str, Any]]
        bodies = {"find": {"text": "DSR-1"}, "find-person": {**PERSON}, "decide": HOLD}
        body = bodies[path]
        assert log_in(None).post(f"{API}/{path}", json=body).status_code == 401
        reader = log_in("reader")
        assert reader.post(f"{API}/{path}", json=body).status_code == (403 if path == "decide" else 200)
        officer = log_in("officer")
        assert officer.get(f"{API}/{path}").status_code == 405
        assert officer.post(f"{API}/{path}", data=body).status_code == 415
        other = {"Sec-Fetch-Site": "cross-site"}
        assert officer.post(f"{API}/{path}", json=body, headers=other).status_code == 403
        long = officer.post(
            f"{API}/{path}", content=b" " * 300_000, headers={"Content-Type": "application/json"}
        )
        assert long.status_code == 413
        assert officer.post(f"{API}/{path}", json=body).status_code == 200

    def test_the_pages_offer_what_one_may(self, filled: Ledger, log_in: LogIn) -> None:
        officer, reader = log_in("officer"), log_in("reader")
        assert 'id="open-many"' in officer.get("/privacy/").text
        assert 'href="new"' in officer.get("/privacy/").text
        assert 'id="open-many"' not in reader.get("/privacy/").text
        assert 'id="send-now"' in officer.get("/privacy/new").text
        assert "You need the right to edit" in reader.get("/privacy/new").text
