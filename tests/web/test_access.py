"""Every route, with Airflow's real logins: a new one without a permission fails here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from adobe_privacy.archive import ArchiveSettings
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.web.access import RESULTS
from tests.archive.zips import make_zip
from tests.support.ledgers import DAY, received
from tests.web.conftest import LogIn
from tests.web.test_result import archived

BOTH = pytest.mark.parametrize("airflow", ["simple_airflow", "fab_airflow"], indirect=True)
QUERIES = {
    "/request": "?id=DSR-1",
    "/api/request": "?id=DSR-1",
    "/manifest": "?job=1",
    "/api/manifest": "?job=1",
    "/api/result": "?job=1",
    "/report": "?from=2026-01-01&to=2026-12-31",
    "/evidence.html": "?id=DSR-1",
    "/api/evidence": "?id=DSR-1",
}
HOLD = {"request_id": "DSR-1", "reason": "a lawsuit"}


def calls(page: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and address of every route."""
    for route in page.routes:
        assert isinstance(route, APIRoute), f"{route} is not guarded by the application's dependencies"
        path = route.path.replace("{name}", "page.css").replace("{organisation}", "eu")
        query = QUERIES.get(path.removeprefix("/organisations/eu"), "")
        for method in route.methods:
            yield method, f"/privacy{path}{query}"


@BOTH
def test_there_are_routes_to_be_tested(page: FastAPI) -> None:
    assert {("GET", "/privacy/"), ("GET", "/privacy/api/jobs"), ("POST", "/privacy/api/hold")} <= set(
        calls(page)
    )


@BOTH
def test_nothing_is_told_to_anonymous_callers(page: FastAPI, ledger: Ledger, log_in: LogIn) -> None:
    ledger.intake.receive([received(1)])
    client = log_in(None)
    for method, url in calls(page):
        answer = client.request(method, url, json=HOLD if method == "POST" else None)
        assert "DSR-1" not in answer.text
        if "/api/" in url:
            assert answer.status_code == 401, url
        else:
            assert answer.status_code == 303, url
            login = urljoin(url, answer.headers["location"])
            assert login.startswith("/api/v2/auth/login?next=%2Fprivacy%2F"), url
    assert [job.on_hold for job in ledger.people.request_jobs("DSR-1")] == [False]


@BOTH
def test_a_reader_reads_everything_and_changes_nothing(page: FastAPI, ledger: Ledger, log_in: LogIn) -> None:
    ledger.intake.receive([received(1)])
    client = log_in("reader")
    for method, url in calls(page):
        answer = client.request(method, url, json=HOLD if method == "POST" else None)
        if "/api/result" in url:
            assert answer.status_code == 403, url
        elif method == "GET":
            assert answer.status_code == (404 if "manifest" in url else 200), url
        elif url.endswith(("/find", "/find-person")):
            assert answer.status_code == 422, url  # asked with a body of another route
        else:
            assert answer.status_code == 403, url
    assert [job.on_hold for job in ledger.people.request_jobs("DSR-1")] == [False]


@pytest.mark.parametrize("airflow", ["fab_airflow"], indirect=True)
def test_a_login_without_the_right_to_read_the_dag_is_told_so(
    page: FastAPI, ledger: Ledger, log_in: LogIn
) -> None:
    client = log_in("stranger")
    for method, url in calls(page):
        assert client.request(method, url, json=HOLD if method == "POST" else None).status_code == 403, url
    assert "You need the right to read the DAG privacy_requests." in client.get("/privacy/").text


@BOTH
def test_routes_that_change_something_are_posts(page: FastAPI) -> None:
    assert {method for method, _ in calls(page)} == {"GET", "POST"}


@BOTH
def test_a_forged_login_is_none(page: FastAPI, ledger: Ledger, log_in: LogIn) -> None:
    client = log_in(None)
    client.cookies.set("_token", "e30.e30.e30")
    for method, url in calls(page):
        answer = client.request(method, url, json=HOLD if method == "POST" else None)
        assert answer.status_code in (303, 401, 403), url


@BOTH
class TestDecisions:
    def test_an_officer_holds_and_releases_under_their_name(self, ledger: Ledger, log_in: LogIn) -> None:
        ledger.intake.receive([received(1, "access", "delete")])
        client = log_in("officer")
        assert client.post("/privacy/api/hold", json=HOLD).json() == {"changed": 2}
        assert [job.on_hold for job in ledger.people.request_jobs("DSR-1")] == [True, True]
        assert client.post("/privacy/api/hold", json=HOLD).json() == {"changed": 0}
        released = client.post("/privacy/api/release", json=HOLD | {"reason": "settled"})
        assert released.json() == {"changed": 2}
        steps = [(step.actor, step.reason) for step in ledger.people.history("DSR-1")[2:]]
        assert (
            steps
            == [("user/officer", "on hold: a lawsuit")] * 2 + [("user/officer", "hold ended: settled")] * 2
        )

    def test_a_hold_that_comes_too_late_says_so(self, ledger: Ledger, log_in: LogIn) -> None:
        ledger.intake.receive([received(1)])
        assert ledger.erasures.begin("adobe-1", "DSR-1", "jobs/gdpr/2026/11/20/adobe-1")
        client = log_in("officer")
        assert client.post("/privacy/api/hold", json=HOLD).json() == {
            "changed": 1,
            "too_late": ["the result of Adobe's job adobe-1 is being erased already"],
        }
        ledger.erasures.done("adobe-1")
        many = {"decision": "hold", "request_ids": ["DSR-1"], "reason": "a lawsuit"}
        told = client.post("/privacy/api/decide", json=many).json()
        assert told["too_late"] == {"DSR-1": ["the result of Adobe's job adobe-1 is erased already"]}

    def test_each_decision_has_a_button_and_does_one_thing(self, ledger: Ledger, log_in: LogIn) -> None:
        ledger.intake.receive([received(1)])
        batch = ledger.claims.claim_batch(run_id="r", inbox_date=DAY, daily_limit=10)
        assert batch is not None
        ledger.claims.refuse([job.id for job in ledger.claims.batch_jobs(batch.id)], "gone")
        client = log_in("officer")

        def after(decision: str) -> tuple[str, bool, int]:
            page = client.get("/privacy/request?id=DSR-1").text
            assert f'<button type="button" data-decision="{decision}">' in page
            assert client.post(f"/privacy/api/{decision}", json=HOLD).json() == {"changed": 1}
            (job,) = ledger.people.request_jobs("DSR-1")
            return job.state.value, job.on_hold, job.attempt

        assert after("hold") == ("refused", True, 1)
        assert after("release") == ("refused", False, 1)
        assert after("resend") == ("received", False, 2)
        assert after("close") == ("closed", False, 2)
        page = client.get("/privacy/request?id=DSR-1").text
        assert 'data-decision="resend"' not in page
        assert 'data-decision="close"' not in page

    def test_a_hold_says_that_adobe_is_not_stopped(self, ledger: Ledger, log_in: LogIn) -> None:
        ledger.intake.receive([received(1)])
        batch = ledger.claims.claim_batch(run_id="r", inbox_date=DAY, daily_limit=10)
        assert batch is not None
        client = log_in("officer")
        assert "Adobe is not stopped" not in client.get("/privacy/request?id=DSR-1").text
        jobs = ledger.claims.batch_jobs(batch.id)
        ledger.intents.intend(batch.id, [job.id for job in jobs], daily_limit=10)
        assert "Adobe is not stopped" in client.get("/privacy/request?id=DSR-1").text

    @pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 401, None])
    def test_a_reason_must_be_given(self, ledger: Ledger, log_in: LogIn, reason: str | None) -> None:
        ledger.intake.receive([received(1)])
        answer = log_in("officer").post("/privacy/api/hold", json=HOLD | {"reason": reason})
        assert answer.status_code == 422
        assert not ledger.people.request_jobs("DSR-1")[0].on_hold

    def test_a_request_that_is_unknown_cannot_be_held(self, ledger: Ledger, log_in: LogIn) -> None:
        answer = log_in("officer").post("/privacy/api/hold", json=HOLD)
        assert (answer.status_code, answer.json()) == (404, {"detail": "The ledger has no request DSR-1."})

    def test_the_buttons_are_there_for_those_who_may(self, ledger: Ledger, log_in: LogIn) -> None:
        ledger.intake.receive([received(1)])
        assert "Put on hold" in log_in("officer").get("/privacy/request?id=DSR-1").text
        assert "Put on hold" not in log_in("reader").get("/privacy/request?id=DSR-1").text


@BOTH
class TestOtherSites:
    """What a page of another site can make an officer's browser send."""

    @pytest.fixture
    def officer(self, ledger: Ledger, log_in: LogIn) -> Iterator[TestClient]:
        ledger.intake.receive([received(1)])
        yield log_in("officer")
        assert not ledger.people.request_jobs("DSR-1")[0].on_hold

    def test_a_form_is_refused(self, officer: TestClient) -> None:
        assert officer.post("/privacy/api/hold", data=HOLD).status_code == 415
        text = '{"request_id": "DSR-1", "reason": "a lawsuit"}'
        for kind in ("text/plain", "text/plain; charset=application/json", "multipart/form-data", ""):
            answer = officer.post("/privacy/api/hold", content=text, headers={"Content-Type": kind})
            assert answer.status_code == 415, kind

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
    def test_json_from_elsewhere_is_refused(self, officer: TestClient, site: str) -> None:
        answer = officer.post("/privacy/api/hold", json=HOLD, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403

    def test_a_link_changes_nothing(self, officer: TestClient) -> None:
        assert officer.get("/privacy/api/hold", params=HOLD).status_code == 405


@BOTH
def test_answers_may_be_framed_by_airflow_alone_and_are_kept_nowhere(ledger: Ledger, log_in: LogIn) -> None:
    client = log_in("reader")
    for url in ("/privacy/", "/privacy/api/overview", "/privacy/nothing"):
        headers = client.get(url).headers
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


@BOTH
def test_after_the_login_one_is_where_one_wanted_to_be(log_in: LogIn) -> None:
    client = log_in(None)
    answer = client.get("/privacy/?state=error&batch=b%261")
    assert answer.headers["location"] == (
        "../api/v2/auth/login?next=%2Fprivacy%2F%3Fstate%3Derror%26batch%3Db%25261"
    )
    to_login = client.get("/api/v2/auth/login?next=%2Fprivacy%2F%3Fstate%3Derror")
    login, _, query = to_login.headers["location"].partition("?")
    assert (login.rstrip("/"), query) == ("/auth/login", "next=%2Fprivacy%2F%3Fstate%3Derror")


def test_airflow_may_be_served_below_a_path(airflow: FastAPI, log_in: LogIn) -> None:
    log_in(None)
    client = TestClient(airflow, root_path="/airflow", follow_redirects=False)
    answer = client.get("/airflow/privacy/request?id=DSR-1")
    assert answer.headers["location"] == (
        "../api/v2/auth/login?next=%2Fairflow%2Fprivacy%2Frequest%3Fid%3DDSR-1"
    )
    assert client.get("/airflow/privacy/api/request?id=DSR-1").status_code == 401


class TestOrganisations:
    """`eu` besides the default one."""

    @pytest.fixture
    def eu(self, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
        """Its own ledger."""
        connection = {"conn_type": "sqlite", "host": str(tmp_path / "eu.db")}
        monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER_EU", json.dumps(connection))
        with Ledger(f"sqlite:///{tmp_path / 'eu.db'}", actor="test") as eu:
            yield eu

    @BOTH
    def test_each_page_shows_and_changes_its_own(self, ledger: Ledger, eu: Ledger, log_in: LogIn) -> None:
        ledger.intake.receive([received(1)])
        eu.intake.receive([received(2)])
        client = log_in("officer")
        default, other = (client.get(f"/privacy/{at}").text for at in ("", "organisations/eu/"))
        assert "DSR-1" in default
        assert "DSR-2" not in default
        assert "DSR-2" in other
        assert "DSR-1" not in other
        assert 'href="./organisations/eu/"' in default
        assert 'href="../../"' in other
        there = HOLD | {"request_id": "DSR-2"}
        assert client.post("/privacy/api/hold", json=there).status_code == 404
        assert client.post("/privacy/organisations/eu/api/hold", json=there).json() == {"changed": 1}
        assert [job.on_hold for job in eu.people.request_jobs("DSR-2")] == [True]

    @BOTH
    def test_what_there_is_not_is_refused_as_what_may_not_be_read(self, eu: Ledger, log_in: LogIn) -> None:
        answer = log_in("reader").get("/privacy/organisations/apac/")
        assert answer.status_code == 403
        assert "You need the right to read the DAG privacy_requests_apac." in answer.text

    @pytest.mark.parametrize("airflow", ["fab_airflow"], indirect=True)
    def test_who_may_read_one_dag_sees_one_organisation(
        self, ledger: Ledger, eu: Ledger, log_in: LogIn, airflow: FastAPI
    ) -> None:
        from airflow.api_fastapi.app import get_auth_manager

        manager: Any = get_auth_manager()
        with manager.flask_app.app_context():
            users = manager.security_manager
            role = users.add_role("eu")
            for action, resource in (("can_read", "DAG:privacy_requests_eu"), ("can_read", "Website")):
                users.add_permission_to_role(role, users.create_permission(action, resource))
            email = "europe@example.com"
            assert users.add_user("europe", "europe", "europe", email, role, "europe-password")
        client = log_in("europe")
        moved = client.get("/privacy/")
        assert (moved.status_code, moved.headers["location"]) == (303, "organisations/eu/")
        page = client.get("/privacy/organisations/eu/")
        assert page.status_code == 200
        assert 'aria-label="Organisation"' not in page.text, "there is nothing to choose"
        assert client.get("/privacy/api/jobs").status_code == 403


@pytest.mark.parametrize("airflow", ["fab_airflow"], indirect=True)
def test_with_fab_the_permission_is_one_of_its_own(ledger: Ledger, log_in: LogIn, tmp_path: Path) -> None:
    job, _ = archived(ledger, tmp_path, ArchiveSettings())
    officer = log_in("officer")
    url = f"/privacy/api/result?job={job.id}"
    refused = officer.get(url)
    assert refused.status_code == 403
    assert RESULTS in refused.json()["detail"]
    from airflow.api_fastapi.app import get_auth_manager

    manager = get_auth_manager()
    with manager.flask_app.app_context():  # type: ignore[attr-defined]
        security = manager.security_manager  # type: ignore[attr-defined]
        permission = security.create_permission("can_read", RESULTS)
        security.add_permission_to_role(security.find_role("User"), permission)
    manager.cache.clear()  # type: ignore[attr-defined]
    assert log_in("officer").get(url).content == make_zip()
