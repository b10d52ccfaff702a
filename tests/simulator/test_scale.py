from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulator.adobe_caller import AdobeCaller
from tests.support.simulator import Simulator


def test_twenty_thousand_jobs_are_created_and_listed(adobe: AdobeCaller, simulator: Simulator) -> None:
    simulator.set_clock(rate=0)
    for batch in range(10):
        keys = [f"DSR-{batch}-{number}" for number in range(1000)]
        assert adobe.create(*keys, actions=("access", "delete")).status_code == 202
    assert adobe.create("one-too-many").status_code == 400

    pages = [adobe.listed_ids(size=1000, page=page) for page in range(20)]
    assert len({job_id for page in pages for job_id in page}) == 20_000
    assert adobe.list_jobs(size=1000, page=20).status_code == 404


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_large_result_is_streamed_in_bounded_memory(adobe: AdobeCaller, simulator: Simulator) -> None:
    job_id = adobe.complete_job()
    adobe.content(job_id)
    before = peak_memory_kib(simulator)
    simulator.switch(result_bytes=1 << 28)
    received = 0
    with adobe.http.stream("GET", f"/jobs/{job_id}/content", headers=adobe.headers) as answer:
        promised = int(answer.headers["content-length"])
        for piece in answer.iter_raw():
            received += len(piece)
    assert received == promised
    assert abs(received - (1 << 28)) < 10_000
    assert peak_memory_kib(simulator) - before < 32 * 1024


def peak_memory_kib(simulator: Simulator) -> int:
    status = Path(f"/proc/{simulator.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
