from __future__ import annotations

import io
import zipfile

import httpx
import pytest

from tests.simulator.adobe_caller import AdobeCaller, ecid_of
from tests.support.simulator import Simulator

DAY = 86_400


def archive(answer: httpx.Response) -> zipfile.ZipFile:
    assert answer.status_code == 200
    return zipfile.ZipFile(io.BytesIO(answer.content))


def test_a_result_has_a_folder_for_each_product_some_of_them_empty(adobe: AdobeCaller) -> None:
    job_id = adobe.complete_job(include=["analytics", "profileService", "target"])
    answer = adobe.content(job_id)
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    opened = archive(answer)
    assert opened.testzip() is None
    assert opened.namelist() == [
        f"analytics/{job_id}_person.csv",
        f"analytics/{job_id}_person_summary.html",
        f"profileService/{job_id}_profileService.json",
        "target/",
    ]
    assert ecid_of("DSR-1").encode() in opened.read(f"analytics/{job_id}_person.csv")
    assert b'"userKey": "DSR-1"' in opened.read(f"profileService/{job_id}_profileService.json")


def test_the_same_job_gives_the_same_bytes(adobe: AdobeCaller) -> None:
    job_id = adobe.complete_job()
    assert adobe.content(job_id).content == adobe.content(job_id).content


def test_the_download_url_leads_to_the_result_and_needs_credentials(adobe: AdobeCaller) -> None:
    url = adobe.detail(adobe.complete_job()).json()["downloadUrl"]
    assert httpx.get(url, headers=adobe.headers).status_code == 200
    assert httpx.get(url).status_code == 403


def test_unfinished_failed_and_delete_jobs_have_no_result(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.scenario({"rules": [{"key": "failed", "code": "1024-400"}]})
    failed = adobe.complete_job("failed")
    (deleted,) = adobe.created_ids("DSR-1", actions=("delete",))
    simulator.advance(60)
    (unfinished,) = adobe.created_ids("DSR-2")
    for job_id in (failed, deleted, unfinished, "unknown"):
        assert adobe.content(job_id).status_code == 404
    assert "downloadUrl" not in adobe.detail(deleted).json()
    simulator.switch(content_not_ready_status=400)
    assert adobe.content(unfinished).status_code == 400


def test_a_delete_job_may_carry_a_receipt_and_the_url_another_spelling(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.switch(download_url_on_deletes=True, download_url_field="downloadURL")
    (job_id,) = adobe.created_ids("DSR-1", actions=("delete",))
    simulator.advance(60)
    assert (
        archive(httpx.get(adobe.detail(job_id).json()["downloadURL"], headers=adobe.headers)).testzip()
        is None
    )


@pytest.mark.parametrize("status", [404, 410])
def test_a_result_is_gone_60_days_after_completion(
    adobe: AdobeCaller, simulator: Simulator, status: int
) -> None:
    simulator.switch(content_expired_status=status)
    job_id = adobe.complete_job()
    simulator.advance(59 * DAY)
    assert adobe.content(job_id).status_code == 200
    simulator.advance(DAY)
    assert adobe.content(job_id).status_code == status


def test_a_blob_url_needs_no_credentials_and_tells_who_sends_them(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.switch(download_url_host="blob")
    url = adobe.detail(adobe.complete_job()).json()["downloadUrl"]
    assert httpx.URL(url).port != httpx.URL(simulator.url).port
    assert archive(httpx.get(url)).testzip() is None
    assert simulator.counters()["credentials_seen_by_blob_host"] == 0
    httpx.get(url, headers={"x-api-key": "k"})
    counters = simulator.counters()
    assert counters["credentials_seen_by_blob_host"] == 1
    assert counters["credential_headers_seen_by_blob_host"] == ["x-api-key"]
    assert counters["calls"]["blob"] == 2
    assert counters["calls"]["content"] == 0


@pytest.mark.parametrize("variant", ["plain", "empty", "data_descriptors", "zip64"])
@pytest.mark.parametrize("top_folder", [False, True])
def test_legitimate_forms_of_the_archive_are_whole(
    adobe: AdobeCaller, simulator: Simulator, variant: str, top_folder: bool
) -> None:
    simulator.switch(archive_variant=variant, archive_top_folder=top_folder)
    job_id = adobe.complete_job()
    opened = archive(adobe.content(job_id))
    assert opened.testzip() is None
    assert len(opened.namelist()) == (0 if variant == "empty" else 3)
    assert all(name.startswith(f"{job_id}/") for name in opened.namelist()) or not top_folder


@pytest.mark.parametrize("compression", ["stored", "deflated"])
@pytest.mark.parametrize("size", [1, 65_536, 5_000_000, 20_000_000])
def test_a_result_is_about_as_large_as_asked_for(
    adobe: AdobeCaller, simulator: Simulator, size: int, compression: str
) -> None:
    simulator.switch(result_bytes=size, result_compression=compression)
    answer = adobe.content(adobe.complete_job())
    assert archive(answer).testzip() is None
    assert abs(len(answer.content) - size) < 4096 + size * 0.02
    assert simulator.counters()["content_bytes"] == len(answer.content)


def test_a_result_may_come_without_a_content_length(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.switch(content_length=False)
    answer = adobe.content(adobe.complete_job())
    assert "content-length" not in answer.headers
    assert archive(answer).testzip() is None


def test_calls_for_each_job_are_counted(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = adobe.complete_job()
    adobe.content(job_id)
    adobe.detail(job_id)
    adobe.detail(job_id)
    (job,) = simulator.jobs()
    assert (job["detailCalls"], job["contentCalls"]) == (2, 1)
