from __future__ import annotations

import contextlib
import io
import stat
import time
import zipfile
import zlib
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.simulator.adobe_caller import AdobeCaller
from tests.support.simulator import Simulator

DISCONNECTED = (httpx.RemoteProtocolError, httpx.ReadError)
CONSENT = {"optOutOfSale": True, "entities": [{"nameSpace": "email", "values": ["a@example.com"]}]}


def call(adobe: AdobeCaller, operation: str, job_id: str) -> httpx.Response:
    calls: dict[str, Callable[[], httpx.Response]] = {
        "token": adobe.token_answer,
        "list": adobe.list_jobs,
        "create": lambda: adobe.create("DSR-2"),
        "detail": lambda: adobe.detail(job_id),
        "content": lambda: adobe.content(job_id),
        "consent": lambda: adobe.consent(CONSENT),
    }
    return calls[operation]()


OPERATIONS = ["token", "list", "create", "detail", "content", "consent"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_dropped_call_gives_no_answer_and_the_next_one_works(
    adobe: AdobeCaller, simulator: Simulator, operation: str, kind: str
) -> None:
    job_id = adobe.complete_job()
    simulator.fault(operation, kind)
    with pytest.raises(DISCONNECTED):
        call(adobe, operation, job_id)
    assert call(adobe, operation, job_id).status_code < 300
    assert simulator.counters()["faults_played"] == {kind: 1}
    assert simulator.faults() == []


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("status", "body"), [(500, "json"), (502, "html"), (503, "gateway"), (504, "empty")])
def test_an_error_comes_with_its_status_and_body(
    adobe: AdobeCaller, simulator: Simulator, operation: str, status: int, body: str
) -> None:
    job_id = adobe.complete_job()
    simulator.fault(operation, "error_before", status=status, body=body)
    answer = call(adobe, operation, job_id)
    assert answer.status_code == status
    match body:
        case "json":
            assert answer.json()["errors"]["errorCode"] == status
        case "html":
            assert answer.text.startswith("<html>")
        case "gateway":
            assert answer.json()["error_code"] == f"{status}000"
        case "empty":
            assert answer.content == b""


@pytest.mark.parametrize(
    ("kind", "jobs"),
    [
        ("drop_before", 0),
        ("error_before", 0),
        ("rate_limited", 0),
        ("token_revoked", 0),
        ("spurious_401", 0),
        ("refusal", 0),
        ("quota_refusal", 0),
        ("drop_after", 3),
        ("error_after", 3),
        ("hang_after", 3),
        ("hang_before", 3),
        ("not_json", 3),
        ("closed_early", 3),
        ("reset", 3),
        ("chunk_broken", 3),
        ("slow_body", 3),
        ("partial_response", 3),
        ("extra_fields", 3),
        ("missing_fields", 3),
        ("null_arrays", 3),
    ],
)
def test_a_fault_on_create_leaves_all_jobs_or_none(
    adobe: AdobeCaller, simulator: Simulator, kind: str, jobs: int
) -> None:
    simulator.fault("create", kind, seconds=0.05)
    with contextlib.suppress(httpx.TransportError):
        adobe.create("DSR-1", "DSR-2", "DSR-3")
    assert len(simulator.jobs()) == simulator.counters()["jobs_created"] == jobs


def test_jobs_may_come_into_being_after_the_connection_was_cut(
    adobe: AdobeCaller, simulator: Simulator
) -> None:
    simulator.fault("create", "delayed_creation", seconds=0.4)
    with pytest.raises(DISCONNECTED):
        adobe.create("DSR-1")
    assert simulator.jobs() == []
    time.sleep(0.6)
    assert [job["key"] for job in simulator.jobs()] == ["DSR-1"]


def test_a_reset_forgets_jobs_that_were_still_to_come(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.fault("create", "delayed_creation", seconds=0.2)
    with pytest.raises(DISCONNECTED):
        adobe.create("DSR-1")
    simulator.reset()
    time.sleep(0.4)
    assert simulator.jobs() == []


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
def test_jobs_exist_even_if_the_client_gave_up_waiting(
    adobe: AdobeCaller, simulator: Simulator, kind: str
) -> None:
    simulator.fault("create", kind, seconds=0.5)
    adobe.sign_in()
    with pytest.raises(httpx.ReadTimeout):
        adobe.http.post("/jobs", json=adobe.body("DSR-1"), headers=adobe.headers, timeout=0.2)
    assert len(simulator.jobs()) == (1 if kind == "hang_after" else 0)
    time.sleep(0.6)
    assert len(simulator.jobs()) == 1


def test_a_partial_response_lacks_some_of_the_created_jobs(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.fault("create", "partial_response", amount=2)
    answer = adobe.create("DSR-1", "DSR-2", "DSR-3")
    assert (answer.status_code, len(answer.json()["jobs"])) == (202, 1)


@pytest.mark.parametrize("status", [400, 429])
def test_a_quota_refusal_looks_like_the_real_limit(
    adobe: AdobeCaller, simulator: Simulator, status: int
) -> None:
    simulator.fault("create", "quota_refusal", status=status)
    injected = adobe.create("DSR-1")
    simulator.switch(daily_job_limit=0, daily_limit_status=status)
    real = adobe.create("DSR-1")
    assert (injected.status_code, injected.json()) == (real.status_code, real.json())
    assert injected.status_code == status


def test_a_rate_limit_tells_when_to_come_back(adobe: AdobeCaller, simulator: Simulator) -> None:
    for retry_after in ("7", "date:120", "2400", None):
        simulator.fault("list", "rate_limited", retry_after=retry_after)
    answers = [adobe.list_jobs() for _ in range(4)]
    assert {answer.status_code for answer in answers} == {429}
    assert answers[0].json()["error_code"] == "429050"
    headers = [answer.headers.get("retry-after") for answer in answers]
    assert (headers[0], headers[2], headers[3]) == ("7", "2400", None)
    assert headers[1] is not None
    wait = parsedate_to_datetime(headers[1]).timestamp() - time.time()
    assert 115 < wait <= 120


def test_a_revoked_token_needs_a_new_one(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.fault("list", "token_revoked")
    assert [adobe.list_jobs().status_code for _ in range(2)] == [401, 401]
    adobe.forget_token()
    assert adobe.list_jobs().status_code == 404


def test_a_body_may_be_no_json(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = adobe.complete_job()
    simulator.fault("detail", "not_json")
    answer = adobe.detail(job_id)
    assert answer.status_code == 200
    assert answer.text.startswith("<html>")


def test_answers_may_have_unknown_missing_and_null_fields(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = adobe.complete_job()
    simulator.fault("detail", "extra_fields")
    detail = adobe.detail(job_id).json()
    assert "addedLater" in detail
    assert "addedLater" in detail["productResponses"][0]["productStatusResponse"]
    simulator.fault("detail", "missing_fields")
    detail = adobe.detail(job_id).json()
    assert "requestId" not in detail
    assert list(detail["productResponses"][0]["productStatusResponse"]) == ["status"]
    simulator.fault("detail", "null_arrays")
    detail = adobe.detail(job_id).json()
    assert detail["userIds"] is None
    assert detail["productResponses"] is None
    simulator.fault("create", "null_arrays")
    (job,) = adobe.create("DSR-2").json()["jobs"]
    assert job["customer"]["user"]["userIDs"] is None


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("closed_early", httpx.RemoteProtocolError),
        ("chunk_broken", httpx.RemoteProtocolError),
        ("reset", httpx.ReadError),
    ],
)
@pytest.mark.parametrize("size", [0, 3_000_000])
def test_a_download_breaks_off_after_some_bytes(
    adobe: AdobeCaller, simulator: Simulator, kind: str, error: type[Exception], size: int
) -> None:
    simulator.switch(result_bytes=size)
    job_id = adobe.complete_job()
    simulator.fault("content", kind)
    received: list[int] = []
    with pytest.raises(error):
        download(adobe, job_id, received)
    assert sum(received) > 0
    assert zipfile.is_zipfile(io.BytesIO(adobe.content(job_id).content))


def download(adobe: AdobeCaller, job_id: str, received: list[int]) -> None:
    with adobe.http.stream("GET", f"/jobs/{job_id}/content", headers=adobe.headers) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            received.append(len(piece))


def test_a_slow_body_takes_its_time_and_is_whole(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = adobe.complete_job()
    whole = adobe.content(job_id).content
    simulator.fault("content", "slow_body", seconds=0.4)
    start = time.monotonic()
    assert adobe.content(job_id).content == whole
    assert time.monotonic() - start >= 0.4


def test_bad_bytes_come_in_flawless_answers(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = adobe.complete_job()
    whole = adobe.content(job_id).content

    def spoilt(kind: str, **options: Any) -> bytes:
        simulator.fault("content", kind, **options)
        answer = adobe.content(job_id)
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) == len(answer.content)
        return answer.content

    assert spoilt("cut_body") == whole[: len(whole) // 2]
    assert spoilt("cut_body", amount=100) == whole[:100]
    assert spoilt("cut_body", amount=0) == b""
    assert spoilt("zero_bytes") == b""
    padded = spoilt("padded_body", amount=10)
    assert padded.startswith(whole)
    assert len(padded) == len(whole) + 10
    assert spoilt("json_error_200").startswith(b'{"errors"')


@pytest.mark.parametrize("kind", ["wrong_crc", "bit_flip"])
def test_a_member_may_be_corrupt(adobe: AdobeCaller, simulator: Simulator, kind: str) -> None:
    simulator.switch(result_bytes=2_000_000)
    job_id = adobe.complete_job()
    simulator.fault("content", kind)
    opened = zipfile.ZipFile(io.BytesIO(adobe.content(job_id).content))
    with pytest.raises((zipfile.BadZipFile, zlib.error)):
        opened.read(opened.infolist()[0])


def hostile(adobe: AdobeCaller, kind: str, **options: Any) -> zipfile.ZipFile:
    job_id = adobe.complete_job()
    adobe.simulator.fault("content", kind, **options)
    return zipfile.ZipFile(io.BytesIO(adobe.content(job_id).content))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("zip_slip", "../../outside.txt"),
        ("absolute_name", "/tmp/outside.txt"),
        ("backslash_name", "..\\..\\outside.txt"),
        ("long_name", "n" * 60_000),
    ],
)
def test_a_member_may_have_a_hostile_name(adobe: AdobeCaller, kind: str, name: str) -> None:
    assert hostile(adobe, kind).infolist()[-1].orig_filename == name


def test_a_member_may_be_a_symbolic_link_or_named_twice(adobe: AdobeCaller) -> None:
    link = hostile(adobe, "symlink").infolist()[-1]
    assert stat.S_ISLNK(link.external_attr >> 16)
    names = hostile(adobe, "duplicate_member").namelist()
    assert len(names) == len(set(names)) + 1


def test_a_member_may_be_a_bomb(adobe: AdobeCaller) -> None:
    opened = hostile(adobe, "oversize_member", amount=50_000_001)
    bomb = opened.infolist()[-1]
    assert opened.testzip() is None
    assert bomb.file_size == 50_000_001
    assert bomb.file_size / bomb.compress_size > 500


def test_a_member_may_claim_less_than_it_inflates_to(adobe: AdobeCaller) -> None:
    liar = hostile(adobe, "understated_size", amount=1_000_000).infolist()[-1]
    assert liar.file_size == 100
    assert liar.compress_size > 500


def test_an_archive_may_have_more_members_than_16_bits_count(adobe: AdobeCaller) -> None:
    assert len(hostile(adobe, "many_members", amount=70_000).namelist()) == 70_003


def test_archives_may_be_nested(adobe: AdobeCaller) -> None:
    opened = hostile(adobe, "nested_archive", amount=2)
    depth = 0
    while any(name.endswith(".zip") for name in opened.namelist()):
        opened = zipfile.ZipFile(io.BytesIO(opened.read(opened.namelist()[-1])))
        depth += 1
    assert depth == 3
    assert opened.namelist() == ["inner.txt"]


def test_a_fault_waits_for_its_call_and_its_key(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.fault("create", "error_before", after=1, times=2, key="DSR-2*")
    keys = ["DSR-1", "DSR-20", "DSR-1", "DSR-21", "DSR-22", "DSR-23"]
    assert [adobe.create(key).status_code for key in keys] == [202, 202, 202, 500, 500, 202]


def test_a_fault_may_last_until_it_is_cleared(adobe: AdobeCaller, simulator: Simulator) -> None:
    adobe.sign_in()
    simulator.fault("any", "error_before", times=None, status=503)
    assert {adobe.list_jobs().status_code for _ in range(5)} == {503}
    assert adobe.token_answer().status_code == 503
    simulator.clear_faults()
    assert adobe.list_jobs().status_code == 404


@pytest.mark.parametrize(
    "fault",
    [
        {"on": "list", "kind": "zip_slip"},
        {"on": "create", "kind": "unheard_of"},
        {"on": "everything", "kind": "reset"},
        {"on": "list", "kind": "reset", "times": 0},
        {"on": "list", "kind": "reset", "colour": "red"},
    ],
    ids=str,
)
def test_a_fault_that_cannot_be_is_refused(simulator: Simulator, fault: dict[str, Any]) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        simulator.fault(**fault)
    assert simulator.faults() == []
