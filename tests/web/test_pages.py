"""What the page and its API say."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import event, text

from adobe_privacy.api.names import Verdict
from adobe_privacy.command_line import main
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.overview import Filters
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.opt_outs.receipts import receipt_of
from adobe_privacy.results.verdicts import Answer
from adobe_privacy.web.source import Source
from tests.support.ledgers import DAY, received
from tests.web.conftest import LogIn

RUN = "privacy_requests/scheduled__2026-11-20T00:00:00+00:00"


def today() -> date:
    """Asked for anew: the tests before this one may have run past midnight."""
    return datetime.now(UTC).date()


@pytest.fixture
def reader(ledger: Ledger, log_in: LogIn) -> TestClient:
    return log_in("reader")


def submit(ledger: Ledger) -> list[Job]:
    batch = ledger.claims.claim_batch(run_id=RUN, inbox_date=DAY, daily_limit=20_000)
    assert batch is not None
    ledger.unit.actor = f"{RUN}/batch.submit[3]"
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=20_000
    )
    ledger.intents.record_submitted(
        [(job, f"adobe-{job.id}") for job in jobs], adobe_request_id=None, reason=""
    )
    return ledger.claims.batch_jobs(batch.id)


def archive(ledger: Ledger, job: Job, folder: Path, **manifest: Any) -> None:
    place = f"jobs/gdpr/2026/11/20/{job.adobe_job_id}/manifest.json"
    answers = (
        Answer("audienceManager", "AudienceManager", Verdict.IN_PART, status="complete", code="6054-200"),
        Answer("analytics", "<b>Analytics</b>", Verdict.DONE, status="complete", code="6000-200"),
        Answer("target", "target", Verdict.NO_ANSWER, asked=True),
    )
    ledger.results.record_complete([FinishedJob(job, None, "in part", "6054-200", answers)])
    ledger.results.record_archived({job.id: place})
    path = folder / "archive" / place
    path.parent.mkdir(parents=True)
    products = [
        {"name": "AudienceManager", "status": "complete", "code": "6054-200"},
        {"name": "<b>Analytics</b>", "status": "complete", "code": "6000-200"},
    ]
    path.write_text(json.dumps({"request_id": job.request_id, "products": products} | manifest))


@pytest.fixture
def archived(ledger: Ledger, tmp_path: Path) -> Job:
    """The one job of DSR-1, with its manifest in the archive."""
    ledger.intake.receive([received(1)])
    (job,) = submit(ledger)
    archive(ledger, job, tmp_path)
    return job


class TestOverview:
    def test_it_counts_states_attention_and_days(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received(n, due=today() - timedelta(days=1)) for n in range(3)])
        ledger.people.hold("DSR-1", "lawsuit")
        told = reader.get("/privacy/api/overview").json()
        assert told["states"] == {state.value: 0 for state in JobState} | {"received": 3}
        assert {name for name, count in told["attention"].items() if count} == {"overdue", "held"}
        assert (told["attention"]["overdue"], told["attention"]["held"]) == (2, 1)
        assert told["attention_requests"]["overdue"] == 2
        assert (told["days"][-1]["day"], told["days"][-1]["arrived"]) == (str(today()), 3)
        assert len(told["days"]) == 60

    def test_a_list_that_is_cut_says_so(self, ledger: Ledger, reader: TestClient) -> None:
        cut = "These are the first 20. Each figure above leads to all of its kind."
        ledger.intake.receive([received(n, due=today() - timedelta(days=1)) for n in range(20)])
        assert cut not in reader.get("/privacy/").text
        ledger.intake.receive([received(20, due=today() - timedelta(days=1))])
        assert cut in reader.get("/privacy/").text

    def test_the_quota_stands_beside_the_limit_of_the_connection(
        self, ledger: Ledger, reader: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        extra = {"org_id": "X@AdobeOrg", "daily_job_limit": 500}
        connection = {"conn_type": "adobe_privacy", "login": "id", "password": "secret-value", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(connection))
        ledger.intake.receive([received(n) for n in range(3)])
        submit(ledger)
        ledger.quotas.record_refusal(ledger.now().date())
        quota = reader.get("/privacy/api/overview").json()["quota"]
        assert quota == {
            "day": str(today()), "used": 3, "planned": 0, "limit": 500, "refused": True, "problem": None
        }  # fmt: skip
        text = reader.get("/privacy/").text
        assert "of 500 jobs a day" in text
        assert "Adobe takes no more today" in text

    @pytest.mark.parametrize("connection", [None, {"conn_type": "adobe_privacy", "login": "id"}])
    def test_a_connection_that_is_missing_or_wrong_hides_nothing_else(
        self,
        ledger: Ledger,
        reader: TestClient,
        monkeypatch: pytest.MonkeyPatch,
        connection: dict[str, str] | None,
    ) -> None:
        if connection is not None:
            monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(connection))
        ledger.intake.receive([received(1)])
        assert "adobe_privacy_default" in reader.get("/privacy/api/overview").json()["quota"]["problem"]
        page = reader.get("/privacy/")
        assert page.status_code == 200
        assert "DSR-1" in page.text

    def test_an_empty_ledger_is_said_to_be_one(self, ledger: Ledger, reader: TestClient) -> None:
        text = reader.get("/privacy/").text
        assert "Nothing waits" in text
        assert "Nothing has arrived yet." in text


class TestJobs:
    def test_pages_are_linked(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received(n, due=today() + timedelta(days=n)) for n in range(5)])
        seen: list[str] = []
        url: str | None = "?limit=2"
        for _ in range(3):
            page = reader.get(f"/privacy/api/jobs{url}").json()
            seen += [job["request_id"] for job in page["jobs"]]
            url = page["next"] and page["next"] + "&limit=2"
        assert (seen, url) == ([f"DSR-{n}" for n in range(5)], None)

    def test_a_job_is_told_in_plain_values(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received(1, due=today() + timedelta(days=2))])
        (told,) = reader.get("/privacy/api/jobs?request=DSR-1").json()["jobs"]
        assert told["days_left"] == 2
        assert told["products"] == ["analytics"]
        assert told["received_at"] == "2026-11-20T09:30:00Z"
        assert not {"fingerprint", "source", "key"} & set(told)

    @pytest.mark.parametrize(
        "query",
        [
            "state=nothing",
            "attention=x",
            "from=yesterday",
            "after=1",
            "after=2026-01-01.x",
            "request=" + "x" * 200,
        ],
    )
    def test_a_filter_that_cannot_be_read_is_named(
        self, ledger: Ledger, reader: TestClient, query: str
    ) -> None:
        answer = reader.get(f"/privacy/api/jobs?{query}")
        assert answer.status_code == 400
        assert answer.json()["detail"]
        page = reader.get(f"/privacy/?{query}")
        assert page.status_code == 400
        assert "<h1>" in page.text

    def test_fields_that_were_left_empty_filter_nothing(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received(1)])
        query = "?request=&state=&attention=&regulation=&action=&product=&from=&to=&batch=+"
        assert len(reader.get(f"/privacy/api/jobs{query}").json()["jobs"]) == 1

    @pytest.mark.parametrize(
        ("query", "state"),
        [("", ""), ("?request=DSR-1", "all"), ("?batch=b", "all"), ("?attention=held", "all"),
         ("?attention=overdue", ""), ("?state=error", "error")],
    )  # fmt: skip
    def test_the_form_shows_which_states_are_meant(
        self, ledger: Ledger, reader: TestClient, query: str, state: str
    ) -> None:
        text = reader.get(f"/privacy/{query}").text
        states = text[text.index('<select name="state">') :].split("</select>")[0]
        assert states.count(" selected") == 1
        assert f'<option value="{state}" selected>' in states

    def test_what_comes_with_the_address_is_shown_as_text(self, ledger: Ledger, reader: TestClient) -> None:
        text = reader.get('/privacy/?request="><script>alert(1)</script>').text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text

    @pytest.mark.parametrize("request_id", ["A/B#1", "A:B.C_D-1", "../admin"])
    def test_every_id_that_a_request_may_have_has_an_address(
        self, ledger: Ledger, reader: TestClient, request_id: str
    ) -> None:
        jobs = received("x", due=today() + timedelta(days=30)).jobs
        ledger.intake.receive([received("x", request_id=request_id, jobs=jobs)])
        text = reader.get("/privacy/").text
        (link,) = [part.split('"')[0] for part in text.split('href="') if part.startswith("request?id=")]
        assert f"<h1>{request_id} " in reader.get(f"/privacy/{link}").text


class TestWarnings:
    def test_they_are_on_the_page_of_the_request(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received(1, warnings="<i>analytics</i> will look for nobody\nand so on")])
        text = reader.get("/privacy/request?id=DSR-1").text
        assert "<li>&lt;i&gt;analytics&lt;/i&gt; will look for nobody</li><li>and so on</li>" in text


class TestReportPresets:
    def test_a_period_is_a_link(self, ledger: Ledger, reader: TestClient) -> None:
        first = today().replace(day=1)
        text = reader.get("/privacy/report").text
        assert f'href="report?from={first}&amp;to=' in text
        assert "Last quarter" in text


class TestVerdicts:
    def test_jobs_are_found_by_verdict_product_and_code(
        self, archived: Job, ledger: Ledger, reader: TestClient
    ) -> None:
        ledger.intake.receive([received(2)])

        def found(query: str) -> list[str]:
            return [job["request_id"] for job in reader.get(f"/privacy/api/jobs?{query}").json()["jobs"]]

        assert found("verdict=in+part&product=audienceManager") == ["DSR-1"]
        assert found("verdict=in+part&product=analytics") == []
        assert found("verdict=no+answer") == ["DSR-1"]
        assert found("code=6054") == ["DSR-1"]
        page = reader.get("/privacy/?code=PRVCY-6054-200&verdict=in+part").text
        assert '<option value="6054-200" selected>6054-200 Partially completed</option>' in page
        assert '<option value="in part" selected>in part</option>' in page
        assert reader.get("/privacy/api/jobs?verdict=perfect").status_code == 400
        assert reader.get("/privacy/api/jobs?code=perfect").status_code == 400

    def test_what_is_shown_can_be_exported(self, archived: Job, reader: TestClient) -> None:
        page = reader.get("/privacy/?verdict=in+part&code=6054").text
        (link,) = [part.split('"')[0] for part in page.split('href="') if part.startswith("api/export.csv")]
        answer = reader.get(f"/privacy/{unescape(link)}")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert [line.split(",")[0] for line in answer.text.splitlines()] == ["request_id", "DSR-1"]
        assert len(reader.get("/privacy/api/export.csv").text.splitlines()) == 1


class TestOneRequest:
    def test_it_links_to_airflow(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received(1)])
        (job,) = submit(ledger)
        text = reader.get("/privacy/request?id=DSR-1").text
        run = "../dags/privacy_requests/runs/scheduled__2026-11-20T00%3A00%3A00%2B00%3A00"
        assert f'href="{run}"' in text
        assert f'href="{run}/tasks/batch.submit/mapped/3"' in text
        assert f'href="./?batch={job.batch_id}"' in text

    def test_the_manifest_tells_what_products_answered(
        self, ledger: Ledger, reader: TestClient, tmp_path: Path
    ) -> None:
        ledger.intake.receive([received(1, "access", "delete")])
        jobs = submit(ledger)
        archive(
            ledger, jobs[0], tmp_path, completeness={"products_missing": ["target"]}, size=1234, members=2
        )
        text = reader.get("/privacy/request?id=DSR-1").text
        assert (
            "6054-200 “Partially completed”: done in part: AudienceManager did not find some identities"
            in text
        )
        assert "6054 at AudienceManager: done in part" in text
        assert "no answer from target: target was asked and did not answer; ask Adobe" in text
        assert "&lt;b&gt;Analytics&lt;/b&gt;" in text
        assert "<b>target</b>: no answer" in text
        assert "1,234 bytes, 2 files" in text
        assert "<pre" in reader.get(f"/privacy/manifest?job={jobs[0].id}").text
        assert reader.get(f"/privacy/api/manifest?job={jobs[0].id}").json()["members"] == 2
        assert reader.get(f"/privacy/api/manifest?job={jobs[1].id}").status_code == 404

    def test_an_archive_that_cannot_be_read_hides_nothing_else(
        self, archived: Job, reader: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI")
        page = reader.get("/privacy/request?id=DSR-1")
        assert page.status_code == 200
        assert "privacy_archive_uri is not set" in page.text
        answer = reader.get(f"/privacy/api/manifest?job={archived.id}")
        assert (answer.status_code, "privacy_archive_uri" in answer.text) == (503, True)

    def test_a_manifest_that_is_gone_is_said_to_be(
        self, archived: Job, reader: TestClient, tmp_path: Path
    ) -> None:
        (tmp_path / "archive" / f"jobs/gdpr/2026/11/20/{archived.adobe_job_id}/manifest.json").unlink()
        assert "The archive has no jobs/gdpr/" in reader.get("/privacy/request?id=DSR-1").text

    def test_an_unknown_request_is_said_to_be(self, ledger: Ledger, reader: TestClient) -> None:
        page = reader.get("/privacy/request?id=DSR-9")
        assert (page.status_code, "The ledger has no request DSR-9." in page.text) == (404, True)


class TestReport:
    def test_it_is_not_made_before_a_period_is_named(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received(1)])
        text = reader.get("/privacy/report").text
        assert f'name="from" value="{today().year - 1}-01-01"' in text
        assert "<table" not in text
        assert 'href="report"' in reader.get("/privacy/").text

    def test_page_document_and_json_have_the_figures_of_the_period(
        self, ledger: Ledger, reader: TestClient
    ) -> None:
        ledger.intake.receive([received(1), received(2, "delete", regulation="ccpa")])
        query = "?from=2026-11-20&to=2026-11-20&regulation=gdpr"
        told = reader.get(f"/privacy/api/report{query}").json()
        (row,) = told["figures"]
        assert (row["regulation"], row["requests_to"], row["received"], row["open"]) == ("gdpr", "know", 1, 1)
        for place, day in (("report", "20 Nov 2026"), ("report.html", "2026-11-20")):
            page = reader.get(f"/privacy/{place}{query}")
            assert f"Requests received {day} to {day}".lower() in page.text.lower()
            # The law and the total, in the figures and in what was answered in time.
            assert page.text.count('<th scope="row">') == 4
            assert "11 CCR § 7102(a)(1)" in page.text
        assert (
            f'href="report.html{query.replace("&", "&amp;")}"' in reader.get(f"/privacy/report{query}").text
        )
        assert reader.get("/privacy/api/report?from=2026-11-21&to=2026-11-21").json()["figures"] == []

    def test_the_json_is_what_the_command_prints(
        self, ledger: Ledger, reader: TestClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ledger.intake.receive([received(1)])
        asked = ["--from", "2026-11-01", "--to", "2026-11-30", "--json", "--ledger"]
        assert main(["report", *asked, str(ledger.unit.engine.url)]) == 0
        printed = json.loads(capsys.readouterr().out)
        told = reader.get("/privacy/api/report?from=2026-11-01&to=2026-11-30").json()
        assert told | {"made_at": None} == printed | {"made_at": None}

    @pytest.mark.parametrize(
        "query", ["from=yesterday", "from=2026-02-01&to=2026-01-01", "regulation=nothing"]
    )
    def test_a_period_that_cannot_be_read_is_refused(
        self, ledger: Ledger, reader: TestClient, query: str
    ) -> None:
        for place in ("api/report", "report", "report.html"):
            answer = reader.get(f"/privacy/{place}?{query}")
            assert answer.status_code == 400
            assert query[:4] in answer.text

    def test_the_longest_period_there_is_can_be_asked_for(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received(1)])
        told = reader.get("/privacy/api/report?from=0001-01-01&to=9999-12-31").json()
        assert told["figures"][0]["received"] == 1


class TestEvidence:
    def test_it_is_linked_from_the_request(self, ledger: Ledger, reader: TestClient) -> None:
        ledger.intake.receive([received("x", request_id="A/B#1", jobs=received("x").jobs)])
        text = reader.get("/privacy/request?id=A%2FB%231").text
        for place in ("evidence.html", "api/evidence"):
            assert f'href="{place}?id=A%2FB%231"' in text
            assert "A/B#1" in reader.get(f"/privacy/{place}?id=A%2FB%231").text

    def test_it_has_the_history_and_the_manifests(
        self, ledger: Ledger, reader: TestClient, tmp_path: Path
    ) -> None:
        ledger.intake.receive([received(1, "access", "delete")])
        jobs = submit(ledger)
        for job in jobs:
            archive(ledger, job, tmp_path)
        missing = f"jobs/gdpr/2026/11/20/{jobs[1].adobe_job_id}/manifest.json"
        (tmp_path / "archive" / missing).unlink()
        pack = reader.get("/privacy/api/evidence?id=DSR-1").json()
        assert [step["to"] for step in pack["history"] if step["action"] == "access"][-2:] == [
            "complete",
            "archived",
        ]
        there, gone = pack["manifests"].values()
        assert there["products"][0]["code"] == "6054-200"
        assert gone == {"problem": f"The archive has no {missing}."}
        text = reader.get("/privacy/evidence.html?id=DSR-1").text
        assert "&lt;b&gt;Analytics&lt;/b&gt;" in text
        assert missing in text

    def test_it_has_the_receipt_of_an_opt_out_that_the_ledger_forgot(
        self, ledger: Ledger, reader: TestClient, tmp_path: Path
    ) -> None:
        ledger.intake.receive([received(1, "opt_out_of_sale", regulation="ccpa")])
        opt_outs = ledger.opt_outs
        [job] = opt_outs.record_accepted(opt_outs.intend(DAY, limit=1, abandoned_before=ledger.now()))
        receipt = receipt_of(job)
        opt_outs.record_receipts([(job, receipt.place)], {})
        path = tmp_path / "archive" / receipt.place
        path.parent.mkdir(parents=True)
        path.write_bytes(receipt.to_json())
        assert sum(ledger.forgetting.forget(ledger.now() + timedelta(days=1))) == 1
        pack = reader.get("/privacy/api/evidence?id=DSR-1").json()
        assert pack["manifests"][receipt.place]["answer"] == "accepted"
        assert receipt.place in reader.get("/privacy/evidence.html?id=DSR-1").text

    def test_an_archive_that_cannot_be_opened_hides_nothing_else(
        self, archived: Job, reader: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI")
        page = reader.get("/privacy/evidence.html?id=DSR-1")
        assert page.status_code == 200
        assert "privacy_archive_uri is not set" in page.text

    def test_an_unknown_request_has_none(self, ledger: Ledger, reader: TestClient) -> None:
        for place in ("evidence.html", "api/evidence"):
            answer = reader.get(f"/privacy/{place}?id=DSR-9")
            assert (answer.status_code, "The ledger has no request DSR-9." in answer.text) == (404, True)


def test_documents_may_have_a_style_of_their_own_and_nothing_else(ledger: Ledger, reader: TestClient) -> None:
    ledger.intake.receive([received(1)])
    for url in ("/privacy/evidence.html?id=DSR-1", "/privacy/report.html"):
        answer = reader.get(url)
        rules = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "style-src 'unsafe-inline'", "frame-ancestors 'self'"} <= set(rules)
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "<script" not in answer.text


def test_a_slow_archive_keeps_nobody_else_waiting(page: FastAPI) -> None:
    """What reads ledger or archive is no coroutine: the web server runs it in a thread, not in its event loop."""
    for route in page.routes:
        assert isinstance(route, APIRoute)
        assert not iscoroutinefunction(route.endpoint), route.path


class TestLedgerThatCannotBeRead:
    def test_there_is_none_yet_and_none_is_made(
        self, log_in: LogIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "elsewhere" / "ledger.db"
        monkeypatch.setenv(
            "AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps({"conn_type": "sqlite", "host": str(path)})
        )
        reader = log_in("reader")
        for url in ("/privacy/", "/privacy/api/overview", "/privacy/request?id=DSR-1"):
            answer = reader.get(url)
            assert answer.status_code == 503
            assert f"There is no ledger yet: {path} does not exist." in answer.text
        assert not path.parent.exists()
        # As soon as there is one, it is shown.
        Ledger(f"sqlite:///{path}", actor="test").close()
        assert reader.get("/privacy/").status_code == 200

    def test_a_database_that_does_not_answer_is_named_without_its_password(
        self, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = {
            "conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "u", "password": "very-secret"
        }  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps(connection))
        for url in ("/privacy/", "/privacy/api/jobs"):
            answer = log_in("reader").get(url)
            assert answer.status_code == 503
            assert "privacy_ledger" in answer.text
            assert "very-secret" not in answer.text

    def test_a_connection_of_another_type_is_named(
        self, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps({"conn_type": "mysql"}))
        assert (
            "use sqlite (host: a path) or postgres"
            in log_in("reader").get("/privacy/api/jobs").json()["detail"]
        )

    def test_another_ledger_is_taken_up(
        self, page: FastAPI, ledger: Ledger, log_in: LogIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader = log_in("reader")
        ledger.intake.receive([received(1)])
        assert len(reader.get("/privacy/api/jobs").json()["jobs"]) == 1
        path = tmp_path / "other.db"
        Ledger(f"sqlite:///{path}", actor="test").close()
        monkeypatch.setenv(
            "AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps({"conn_type": "sqlite", "host": str(path)})
        )
        source: Source = page.state.sources.setdefault("default", Source())
        source.ledger.forget()  # type: ignore[attr-defined]
        assert reader.get("/privacy/api/jobs").json()["jobs"] == []


class TypedIntoAddresses(HTMLParser):
    """The fields of text in forms that are sent as a query; what a script sends has no `action`."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: set[tuple[str, str]] = set()
        self._form: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            asked = "action" in given and (given.get("method") or "get") == "get"
            self._form = given.get("aria-label") if asked else None
            return
        typed = tag in ("input", "textarea") and (given.get("type") or "text") in ("text", "search")
        if self._form and typed and "readonly" not in given:
            self.fields.add((self._form, given.get("name") or ""))


@pytest.mark.parametrize("address", ["", "?request=DSR-1&batch=b", "decisions", "report"])
def test_what_a_person_types_about_a_request_never_gets_into_an_address(
    ledger: Ledger, reader: TestClient, address: str
) -> None:
    """Addresses are in access logs, and people type identities where an id is asked for."""
    ledger.intake.receive([received(1)])
    typed = TypedIntoAddresses()
    typed.feed(reader.get(f"/privacy/{address}").text)
    assert not typed.fields


@pytest.mark.parametrize(
    "address",
    [
        f"manifest?job={2**70}",
        f"jobs?after=2026-11-20.{2**70}",
        "decisions?before=0001-01-01T00:00:00%2B14:00",
        "decisions?before=9999-12-31T23:59:59-12:00",
    ],
)
def test_a_value_that_no_ledger_holds_is_the_callers_error(
    ledger: Ledger, reader: TestClient, address: str
) -> None:
    for where in (f"/privacy/api/{address}", f"/privacy/{address.replace('jobs', '')}"):
        answer = reader.get(where)
        assert answer.status_code in (400, 404), where
        assert "cannot be looked for" in answer.text or answer.status_code == 404


def test_day_names_are_those_of_the_calendar(ledger: Ledger, reader: TestClient) -> None:
    days = reader.get("/privacy/api/overview").json()["days"]
    assert [date.fromisoformat(day["day"]) for day in days] == [
        today() - timedelta(days=ago) for ago in reversed(range(60))
    ]


def test_the_page_shows_the_protective_settings_in_force(ledger: Ledger, reader: TestClient) -> None:
    assert "Protective settings" not in reader.get("/privacy/").text
    ledger.unit.actor = f"{RUN}/plan"
    ledger.protection.check(
        {"approve_deletes": "on", "encryption": "age1<b>", "retention_days": "", "daily_job_limit": "20000"}
    )
    with Ledger(str(ledger.unit.engine.url), actor="user privacy officer") as officer:
        officer.protection.accept({"daily_job_limit": "30000"})
    html = reader.get("/privacy/").text
    (day,) = {f"{each.since:%Y-%m-%d}" for each in ledger.protection.in_force().values()}
    for setting, value, by in (
        ("approval of deletes", "on", f"{RUN}/plan"),
        ("encryption of results", "age1&lt;b&gt;", f"{RUN}/plan"),
        ("retention", "off", f"{RUN}/plan"),
        ("the daily limit of jobs", "30000", "user privacy officer"),
    ):
        row = html.partition(f'<th scope="row">{setting}</th>')[2].partition("</tr>")[0]
        assert f"<td>{value}</td>" in row
        assert day in row
        assert f"<td>{by}</td>" in row
    shown = reader.get("/privacy/api/overview").json()["in_force"]
    assert {each["setting"]: each["value"] for each in shown}["the daily limit of jobs"] == "30000"


def test_reads_that_go_together_share_one_transaction(ledger: Ledger) -> None:
    ledger.intake.receive([received(1)])
    begun: list[object] = []
    event.listen(ledger.unit.engine, "begin", lambda connection: begun.append(connection))
    with ledger.unit.read_together():
        ledger.overview.counts()
        with ledger.unit.read_together():
            assert ledger.quotas.today().used == 0
        assert len(ledger.overview.page(Filters()).jobs) == 1
    assert len(begun) == 1
    ledger.overview.counts()
    assert len(begun) == 2


def test_the_page_reads_a_ledger_of_another_version_and_changes_nothing(
    ledger: Ledger, log_in: LogIn
) -> None:
    ledger.intake.receive([received(1)])
    with ledger.unit.engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_privacy_jobs_warned"))
        connection.execute(text("ALTER TABLE privacy_jobs DROP COLUMN warnings"))
        connection.execute(text("UPDATE privacy_ledger_version SET version_num = '0013'"))
    officer = log_in("officer")
    assert "DSR-1" in officer.get("/privacy/").text
    assert "DSR-1" in officer.get("/privacy/request?id=DSR-1").text
    answer = officer.post("/privacy/api/hold", json={"request_id": "DSR-1", "reason": "litigation"})
    assert (answer.status_code, "older version" in answer.json()["detail"]) == (503, True)
    with ledger.unit.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM privacy_ledger_version")) == "0013"
