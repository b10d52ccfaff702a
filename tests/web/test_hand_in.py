"""Handing in by the page's API: judged as intake would, kept as one file of today's folder, under somebody's name."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, update

from adobe_privacy.intake import hand_in
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import HandedIn as Handed
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.planning.taking_in import PlanSettings, take_in_day
from adobe_privacy.storage import open_store
from tests.web.conftest import LogIn

PERSON = "dsmith@example.com"
REQUEST: dict[str, Any] = {
    "request_id": "DSR-2026-000123",
    "regulation": "gdpr",
    "actions": ["access", "delete"],
    "identities": [{"namespace": "email", "value": PERSON}],
    "products": ["profileService"],
}
CSV = (
    b"request_id,regulation,actions,email,products\n"
    b"DSR-1,gdpr,access,one@example.com,marketo\n"
    b"DSR-2,gdpr,access,not an address,marketo\n"
)
FILE = {"Content-Type": "application/octet-stream", "X-File-Kind": "csv"}
API = "/privacy/api"


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", f"file://{folder}")
    connection = {
        "conn_type": "adobe_privacy",
        "login": "id",
        "password": "secret-value",
        "extra": {"org_id": "X@AdobeOrg", "products": ["analytics"]},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(connection))
    return folder


@pytest.fixture
def officer(ledger: Ledger, inbox: Path, log_in: LogIn) -> TestClient:
    return log_in("officer")


def take_in(inbox: Path, ledger: Ledger, day: date) -> None:
    store = open_store(f"file://{inbox}")
    take_in_day(store, ledger, day=day, run_id="r", settings=PlanSettings(daily_limit=10))


def files(inbox: Path) -> list[str]:
    return sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*") if path.is_file())


class TestOneRequest:
    def test_it_lies_in_todays_folder_as_it_was_sent(self, officer: TestClient, inbox: Path) -> None:
        answer = officer.post(f"{API}/requests", json=REQUEST)
        told = answer.json()
        assert answer.status_code == 201
        assert told["file"].startswith(f"{today()}/page-")
        assert files(inbox) == [told["file"]]
        assert json.loads((inbox / told["file"]).read_text()) == REQUEST
        (row,) = told["requests"]
        assert (row["request_id"], row["answer"]) == ("DSR-2026-000123", "new")
        assert row["identities"] == [{"namespace": "email", "type": "standard"}]
        assert "leaves the data" in row["warnings"][0]

    def test_a_run_takes_in_what_was_handed_in(
        self, officer: TestClient, inbox: Path, ledger: Ledger
    ) -> None:
        officer.post(f"{API}/requests", json=REQUEST)
        day = datetime.now(UTC).date()
        taken = take_in_day(
            open_store(f"file://{inbox}"),
            ledger,
            day=day,
            run_id="r",
            settings=PlanSettings(daily_limit=10),
            report=True,
        )
        assert (taken.new, taken.rejected) == (1, 0)
        assert officer.post(f"{API}/requests", json=REQUEST).json()["requests"][0]["answer"] == "known"
        print_ = ledger.intake.person_print("email", PERSON.upper())
        assert ledger.search.by_prints([print_]) == ["DSR-2026-000123"]

    def test_it_is_known_who_handed_it_in(self, officer: TestClient, ledger: Ledger) -> None:
        officer.post(f"{API}/requests", json=REQUEST)
        kept = ledger.handing_in.of_request("DSR-2026-000123")
        assert kept is not None
        assert kept.actor == "user/officer"
        (access,) = ledger.accesses.of_request("DSR-2026-000123")
        assert (access.actor, access.kind) == ("user/officer", "handed in")

    def test_the_same_again_changes_nothing(self, officer: TestClient, inbox: Path) -> None:
        first = officer.post(f"{API}/requests", json=REQUEST).json()
        # Neither the order of fields nor the spelling of the document is content.
        again = officer.post(f"{API}/requests", json=[dict(reversed(REQUEST.items()))])
        assert (again.status_code, again.json()["file"]) == (200, None)
        assert again.json()["requests"][0]["answer"] == "known"
        assert files(inbox) == [first["file"]]

    @pytest.mark.parametrize("taken_in", [False, True])
    def test_the_same_with_an_earlier_date_of_receipt_is_kept_and_counts(
        self, officer: TestClient, inbox: Path, ledger: Ledger, taken_in: bool
    ) -> None:
        day = datetime.now(UTC).date()

        officer.post(f"{API}/requests", json=REQUEST)
        if taken_in:
            take_in(inbox, ledger, day)
        earlier = REQUEST | {"received_at": f"{day - timedelta(days=9)}"}
        answer = officer.post(f"{API}/requests", json=earlier)
        assert (answer.status_code, answer.json()["requests"][0]["answer"]) == (201, "new")
        assert "earlier date" in answer.json()["requests"][0]["reason"]
        assert officer.post(f"{API}/requests", json=earlier).json()["file"] in (None, answer.json()["file"])
        assert len(files(inbox)) == 2
        take_in(inbox, ledger, day)
        jobs = ledger.people.request_jobs("DSR-2026-000123")
        assert {job.received_at.date() for job in jobs} == {day - timedelta(days=9)}
        again = officer.post(f"{API}/requests", json=earlier)
        assert (again.status_code, again.json()["requests"][0]["answer"]) == (200, "known")

    def test_other_content_under_the_same_id_is_a_conflict(self, officer: TestClient, inbox: Path) -> None:
        officer.post(f"{API}/requests", json=REQUEST)
        answer = officer.post(f"{API}/requests", json=REQUEST | {"actions": ["access"]})
        assert answer.status_code == 409
        assert "other content" in answer.json()["requests"][0]["reason"]
        assert len(files(inbox)) == 1

    def test_a_file_that_could_not_be_written_is_written_by_the_next_call(
        self, officer: TestClient, inbox: Path
    ) -> None:
        first = officer.post(f"{API}/requests", json=REQUEST).json()["file"]
        (inbox / first).unlink()
        again = officer.post(f"{API}/requests", json=REQUEST)
        assert (again.status_code, again.json()["file"]) == (201, first)
        assert files(inbox) == [first]

    def test_two_calls_at_once_with_other_content_are_a_conflict(
        self, officer: TestClient, inbox: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both were judged before either was kept."""
        other, answers = REQUEST | {"actions": ["access"]}, []
        judged = hand_in.examine

        def examine(*given: Any) -> Any:
            monkeypatch.setattr(hand_in, "examine", judged)
            told = judged(*given)
            answers.append(officer.post(f"{API}/requests", json=other).status_code)
            return told

        monkeypatch.setattr(hand_in, "examine", examine)
        answers.append(officer.post(f"{API}/requests", json=REQUEST).status_code)
        assert answers == [201, 409]
        assert len(files(inbox)) == 1

    def test_what_was_erased_comes_back_with_the_same_content_only(
        self, officer: TestClient, inbox: Path, ledger: Ledger
    ) -> None:
        """Other content would be handed in, and refused by the run."""
        first = officer.post(f"{API}/requests", json=REQUEST).json()["file"]
        day = datetime.now(UTC).date()
        store = open_store(f"file://{inbox}")
        take_in_day(store, ledger, day=day, run_id="r", settings=PlanSettings(daily_limit=10), report=True)
        (inbox / first).unlink()
        with ledger.unit.write() as session:
            session.execute(update(Job).values(inbox_erased_at=ledger.now()))
            session.execute(delete(Handed))
        other = officer.post(f"{API}/requests", json=REQUEST | {"actions": ["access"]})
        assert other.status_code == 409
        assert officer.post(f"{API}/requests", json=REQUEST).status_code == 201

    def test_today_is_not_earlier_than_a_time_of_today(
        self, officer: TestClient, inbox: Path, ledger: Ledger
    ) -> None:
        day = datetime.now(UTC).date()
        officer.post(f"{API}/requests", json=REQUEST | {"received_at": f"{day}T14:00:00Z"})
        take_in(inbox, ledger, day)
        again = officer.post(f"{API}/requests", json=REQUEST)
        assert (again.status_code, again.json()["requests"][0]["answer"]) == (200, "known")
        assert len(files(inbox)) == 1

    def test_a_known_request_in_a_file_whose_name_is_not_shown_is_known(
        self, officer: TestClient, inbox: Path, ledger: Ledger
    ) -> None:
        day = datetime.now(UTC).date()
        (inbox / f"{day}").mkdir()
        (inbox / f"{day}" / f"{PERSON}.jsonl").write_text(json.dumps(REQUEST) + "\n")
        take_in(inbox, ledger, day)
        again = officer.post(f"{API}/requests", json=REQUEST)
        assert (again.status_code, again.json()["requests"][0]["answer"]) == (200, "known")
        assert len(files(inbox)) == 1

    @pytest.mark.parametrize("state", [JobState.RECEIVED, JobState.REFUSED, JobState.ARCHIVED])
    def test_what_was_taken_in_is_kept_again_where_its_file_is_not_there(
        self, officer: TestClient, inbox: Path, ledger: Ledger, state: JobState
    ) -> None:
        first = officer.post(f"{API}/requests", json=REQUEST).json()["file"]
        day = datetime.now(UTC).date()
        take_in(inbox, ledger, day)
        (inbox / first).unlink()
        with ledger.unit.write() as session:
            session.execute(update(Job).values(state=state))
        assert officer.post(f"{API}/requests", json=REQUEST).status_code == 201
        assert files(inbox) == [first]
        assert officer.post(f"{API}/requests", json=REQUEST).status_code == 200

    def test_what_intake_refuses_is_refused_and_nothing_is_kept(
        self, officer: TestClient, inbox: Path, ledger: Ledger
    ) -> None:
        wrong = REQUEST | {"identities": [{"namespace": "emial", "value": PERSON}]}
        answer = officer.post(f"{API}/requests", json=[REQUEST | {"request_id": "DSR-9"}, wrong])
        assert answer.status_code == 422
        first, second = answer.json()["requests"]
        assert (first["answer"], second["answer"]) == ("refused", "new")
        assert "perhaps email" in first["reason"]
        assert PERSON not in answer.text
        assert files(inbox) == []
        assert ledger.handing_in.of_request("DSR-9") is None

    def test_adobes_own_body_is_understood(self, officer: TestClient) -> None:
        body = {
            "companyContexts": [{"namespace": "imsOrgID", "value": "X@AdobeOrg"}],
            "users": [
                {
                    "key": "DSR-77",
                    "action": ["access"],
                    "userIDs": [{"namespace": "email", "value": PERSON, "type": "standard"}],
                }
            ],
            "include": ["profileService"],
            "regulation": "ccpa",
        }
        assert officer.post(f"{API}/requests", json=body).json()["requests"][0]["request_id"] == "DSR-77"
        body["companyContexts"] = [{"namespace": "imsOrgID", "value": "OTHER@AdobeOrg"}]
        body["users"][0]["key"] = "DSR-78"  # type: ignore[index]
        answer = officer.post(f"{API}/requests", json=body)
        assert "another organisation" in answer.json()["requests"][0]["reason"]

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"7", b"\x00", b'{"request_id": "DSR-1"}'])
    def test_a_body_that_is_no_request_keeps_nothing(
        self, officer: TestClient, inbox: Path, body: bytes
    ) -> None:
        answer = officer.post(f"{API}/requests", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert files(inbox) == []

    def test_a_check_keeps_nothing(self, officer: TestClient, inbox: Path, ledger: Ledger) -> None:
        told = officer.post(f"{API}/requests/check", json=REQUEST).json()
        assert (told["file"], told["counts"]["new"]) == (None, 1)
        assert files(inbox) == []
        assert ledger.handing_in.of_request("DSR-2026-000123") is None

    def test_the_next_id_is_nobodys(self, officer: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        year = datetime.now(UTC).year
        assert officer.post(f"{API}/requests/next-id", json={}).json() == {"request_id": f"PR-{year}-000001"}
        assert officer.post(f"{API}/requests/next-id", json={}).json() == {"request_id": f"PR-{year}-000002"}
        monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_REQUEST_ID_SCHEME", "no number")
        answer = officer.post(f"{API}/requests/next-id", json={})
        assert answer.status_code == 503
        assert "privacy_request_id_scheme" in answer.json()["detail"]

    def test_without_an_inbox_it_is_said_what_to_set(
        self, officer: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_INBOX_URI")
        answer = officer.post(f"{API}/requests", json=REQUEST)
        assert answer.status_code == 503
        assert "privacy_inbox_uri" in answer.json()["detail"]


class TestUpload:
    def test_a_preview_tells_every_line_and_keeps_nothing(self, officer: TestClient, inbox: Path) -> None:
        told = officer.post(f"{API}/upload/check", content=CSV, headers=FILE).json()
        assert "CSV" in told["taken_for"] or "separ" in told["taken_for"].lower()
        assert told["counts"] == {"new": 1, "known": 0, "conflict": 0, "refused": 1}
        assert [row["line"] for row in told["requests"]] == [3, 2]
        assert files(inbox) == []

    def test_refused_lines_are_accepted_only_by_name(self, officer: TestClient, inbox: Path) -> None:
        assert officer.post(f"{API}/upload", content=CSV, headers=FILE).status_code == 422
        assert files(inbox) == []
        answer = officer.post(f"{API}/upload", content=CSV, headers=FILE | {"X-Accept-Refused": "true"})
        assert answer.status_code == 201
        (name,) = files(inbox)
        assert name.endswith(".csv")
        assert (inbox / name).read_bytes() == CSV
        again = officer.post(f"{API}/upload", content=CSV, headers=FILE | {"X-Accept-Refused": "true"})
        assert again.json()["file"] is None
        assert files(inbox) == [name]

    @pytest.mark.parametrize("kind", ["exe", "../x.csv", "", "jsonl/../../x"])
    def test_only_formats_of_the_inbox(self, officer: TestClient, inbox: Path, kind: str) -> None:
        answer = officer.post(f"{API}/upload", content=CSV, headers=FILE | {"X-File-Kind": kind})
        assert answer.status_code == 422
        assert files(inbox) == []


class TestWho:
    @pytest.fixture(params=["requests", "requests/check", "requests/next-id", "upload", "upload/check"])
    def call(self, request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
        if "upload" in request.param:
            return f"{API}/{request.param}", {"content": CSV, "headers": dict(FILE)}
        return f"{API}/{request.param}", {"json": REQUEST}

    @pytest.mark.parametrize(("user", "code"), [(None, 401), ("reader", 403)])
    def test_others_hand_nothing_in(
        self,
        ledger: Ledger,
        inbox: Path,
        log_in: LogIn,
        call: tuple[str, dict[str, Any]],
        user: str | None,
        code: int,
    ) -> None:
        url, given = call
        assert log_in(user).post(url, **given).status_code == code
        assert log_in(user).get(url).status_code in (401, 405)
        assert files(inbox) == []

    def test_another_sites_page_hands_nothing_in(
        self, officer: TestClient, inbox: Path, call: tuple[str, dict[str, Any]]
    ) -> None:
        url, given = call
        content = given.get("content") or json.dumps(given["json"]).encode()
        headers = given.get("headers", {"Content-Type": "application/json"})
        for site in ("cross-site", "same-site", "none"):
            answer = officer.post(url, content=content, headers=headers | {"Sec-Fetch-Site": site})
            assert answer.status_code == 403
        for kind in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded"):
            answer = officer.post(url, content=content, headers=headers | {"Content-Type": kind})
            assert answer.status_code == 415
        assert files(inbox) == []

    def test_a_longer_body_is_refused(
        self, officer: TestClient, inbox: Path, call: tuple[str, dict[str, Any]]
    ) -> None:
        url, given = call
        headers = given.get("headers", {"Content-Type": "application/json"})
        most = 16 * 1024 * 1024 if "upload" in url else 64 * 1024 if "next" in url else 1024 * 1024
        answer = officer.post(url, content=b" " * (most + 1), headers=headers)
        assert answer.status_code == 413
        assert "inbox" in answer.json()["detail"]

        def pieces() -> Iterator[bytes]:
            for _ in range(most // 65536 + 1):
                yield b" " * 65536

        assert officer.post(url, content=pieces(), headers=headers).status_code == 413 or "next-id" in url
        assert files(inbox) == []

    def test_a_program_hands_in_with_airflows_token(self, ledger: Ledger, inbox: Path, log_in: LogIn) -> None:
        client = log_in(None)
        login = {"username": "officer", "password": "officer-password"}
        token = client.post("/auth/token", json=login).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert client.post(f"{API}/requests", json=REQUEST, headers=headers).status_code == 201

    def test_the_description_is_for_those_who_may_read(self, ledger: Ledger, log_in: LogIn) -> None:
        assert log_in(None).get(f"{API}/openapi.json").status_code == 401
        described = log_in("reader").get(f"{API}/openapi.json").json()
        assert described["paths"]["/api/requests"]["post"]["requestBody"]["content"]["application/json"]


def test_no_identity_is_in_the_ledger_or_a_log(
    officer: TestClient, inbox: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    officer.post(f"{API}/requests", json=REQUEST)
    officer.post(f"{API}/requests", json=REQUEST | {"request_id": PERSON})
    officer.post(f"{API}/upload", content=CSV, headers=FILE | {"X-Accept-Refused": "true"})
    officer.post(f"{API}/upload/check", content=CSV.replace(b"request_id", PERSON.encode()), headers=FILE)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    for value in (PERSON, "one@example.com"):
        assert value.encode() not in kept
        assert value not in caplog.text
        assert not any(value in name for name in files(inbox))
