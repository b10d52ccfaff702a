"""The result of a job, for those who have a permission of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from adobe_privacy.archive import AgeKeys, ArchiveSettings, Encryption, Manifest, archive_job
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.storage import FileOptions, open_store
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory
from tests.archive.test_encryption import SECRET
from tests.archive.zips import make_zip
from tests.support.ledgers import received
from tests.web.conftest import LogIn
from tests.web.test_pages import submit

BODY = make_zip()
PUBLIC = AgeKeys(recipients=(str(SECRET.to_public()),))


def archived(ledger: Ledger, folder: Path, settings: ArchiveSettings) -> tuple[Job, Manifest]:
    ledger.intake.receive([received(1)])
    (job,) = submit(ledger)
    store = open_store(f"file://{folder / 'archive'}", FileOptions(create=True))
    finished = access_job(f"{job.adobe_job_id}", request_id=job.request_id, request_key=job.key)
    manifest = asyncio.run(archive_job(store, finished, FromMemory(BODY).open, settings=settings))
    ledger.results.record_complete([FinishedJob(job, None, "done", "6000-200", ())])
    ledger.results.record_archived({job.id: f"{manifest.folder}/manifest.json"})
    return job, manifest


@pytest.fixture(params=["plain", "encrypted"])
def job(
    request: pytest.FixtureRequest, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Job:
    if request.param == "plain":
        return archived(ledger, tmp_path, ArchiveSettings())[0]
    key = {"conn_type": "generic", "password": str(SECRET), "extra": {"recipients": str(SECRET.to_public())}}
    monkeypatch.setenv("AIRFLOW_CONN_RESULTS_KEY", json.dumps(key))
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS", '{"key_conn_id": "results_key"}')
    service = {
        "conn_type": "adobe_privacy",
        "login": "id",
        "password": "x",
        "extra": {"org_id": "X@AdobeOrg"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(service))
    return archived(ledger, tmp_path, ArchiveSettings(encryption=Encryption(PUBLIC)))[0]


def test_it_is_checked_decrypted_and_noted(job: Job, ledger: Ledger, log_in: LogIn) -> None:
    officer = log_in("officer")
    assert "Download the result" in officer.get("/privacy/request?id=DSR-1").text
    answer = officer.get(f"/privacy/api/result?job={job.id}")
    assert (answer.status_code, answer.content) == (200, BODY)
    assert "DSR-1-access-1.zip" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    (access,) = ledger.accesses.of_request("DSR-1")
    assert (access.actor, access.kind) == ("user/officer", "downloaded")


def test_a_further_organisations_result_is_opened_by_its_own_key(
    ledger: Ledger, tmp_path: Path, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "eu"
    monkeypatch.setenv("AIRFLOW__ADOBE_PRIVACY__EU_ARCHIVE_URI", f"file://{folder}/archive")
    monkeypatch.setenv("AIRFLOW__ADOBE_PRIVACY__EU_INBOX_URI", f"file://{folder}/inbox")
    key = {"conn_type": "generic", "password": str(SECRET), "extra": {"recipients": str(SECRET.to_public())}}
    monkeypatch.setenv("AIRFLOW_CONN_EU_KEY", json.dumps(key))
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS_EU", '{"key_conn_id": "eu_key"}')
    for name in ("ADOBE_PRIVACY_DEFAULT", "ADOBE_PRIVACY_EU"):
        extra = {"org_id": f"{name}@AdobeOrg"}
        service = {"conn_type": "adobe_privacy", "login": "id", "password": "x", "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(service))
    job = archived(ledger, folder, ArchiveSettings(encryption=Encryption(PUBLIC)))[0]
    answer = log_in("officer").get(f"/privacy/organisations/eu/api/result?job={job.id}")
    assert (answer.status_code, answer.content) == (200, BODY)


def test_others_get_nothing(job: Job, ledger: Ledger, log_in: LogIn) -> None:
    url = f"/privacy/api/result?job={job.id}"
    assert log_in(None).get(url).status_code == 401
    assert log_in("reader").get(url).status_code == 403
    assert "Download the result" not in log_in("reader").get("/privacy/request?id=DSR-1").text
    assert log_in("officer").post(url, json={}).status_code == 405
    assert log_in("officer").get(url, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert ledger.accesses.of_request("DSR-1") == []


def test_what_is_damaged_or_cannot_be_opened_is_not_sent(
    ledger: Ledger, log_in: LogIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = {
        "conn_type": "adobe_privacy",
        "login": "id",
        "password": "x",
        "extra": {"org_id": "X@AdobeOrg"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(service))
    job, manifest = archived(ledger, tmp_path, ArchiveSettings(encryption=Encryption(PUBLIC)))
    officer = log_in("officer")
    answer = officer.get(f"/privacy/api/result?job={job.id}")
    assert answer.status_code == 409
    assert "encrypted" in answer.json()["detail"]
    assert manifest.object_key is not None
    (tmp_path / "archive" / manifest.object_key).unlink()
    assert officer.get(f"/privacy/api/result?job={job.id}").status_code in (404, 409, 503)
    assert officer.get("/privacy/api/result?job=77").status_code == 404
    assert ledger.accesses.of_request("DSR-1") == []


def test_the_list_is_exported_as_json(ledger: Ledger, log_in: LogIn) -> None:
    assert log_in("reader").get("/privacy/api/export.json").json() == []
    ledger.intake.receive([received(1), received(2)])
    rows = log_in("reader").get("/privacy/api/export.json").json()
    assert [row["request_id"] for row in rows] == ["DSR-1", "DSR-2"]
    assert rows[0]["received_at"] == "2026-11-20T09:30:00+00:00"


def test_who_exported_is_in_the_history(ledger: Ledger, log_in: LogIn) -> None:
    for kind in ("csv", "json"):
        assert log_in("reader").get(f"/privacy/api/export.{kind}").status_code == 200
    deeds = ledger.accesses.deeds(what="exported")
    assert [(deed.actor, deed.why) for deed in deeds] == [
        ("user/reader", "the list of jobs, as JSON"),
        ("user/reader", "the list of jobs, as CSV"),
    ]
