from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulator.adobe_caller import AdobeCaller
from tests.support.simulator import SIMULATOR, Simulator, running_simulator


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SIMULATOR), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_the_first_line_is_the_url_and_a_taken_port_gives_way_to_the_next() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--port", str(port), "--until-stdin-closes")
    assert done.stdout.startswith("Privacy Service simulator on http://127.0.0.1:")
    assert f"port {port} is taken; using " in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--switch", "no_such=1"], "switch no_such"),
        (["--switch", "page_base=7"], "switch page_base"),
        (["--switch", "page_base"], "--switch page_base"),
        (["--scenario", "/no/such/file.json"], "/no/such/file.json"),
        (["--scenario-json", '{"rules": [{"code": "9999"}]}'], "scenario rules.0.code"),
        (["--scenario-json", "{"], "scenario"),
    ],
)
def test_a_wrong_option_gives_one_line_that_names_it(arguments: list[str], named: str) -> None:
    done = run("--port", "0", *arguments)
    assert done.returncode != 0
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_scenario_switches_and_clock_are_as_started_and_return_with_a_reset(tmp_path: Path) -> None:
    scenario = {"default_delay_seconds": 50, "switches": {"page_base": 1}, "rules": [{"code": "6052-200"}]}
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps(scenario))
    start = "2026-03-01T00:00:00Z"
    options = {"total_records": "total", "permissions": ["read", "write"], "delete_delay_seconds": (5, 9)}
    with running_simulator(clock_rate=0, scenario=file, switches=options, start_time=start) as simulator:
        for _ in range(2):
            switches = simulator.switches()
            assert (switches["page_base"], switches["total_records"]) == (1, "total")
            assert switches["permissions"] == ["read", "write"]
            assert (switches["access_delay_seconds"], switches["delete_delay_seconds"]) == ([50, 50], [5, 9])
            assert simulator.now() == "2026-03-01T00:00:00.000Z"
            AdobeCaller(simulator).create("DSR-1")
            (job,) = simulator.jobs()
            assert job["products"]["analytics"] == "6052-200"
            simulator.switch(page_base=0)
            simulator.advance(500)
            simulator.reset()
            assert simulator.jobs() == []


def test_the_log_shows_no_path_and_no_query() -> None:
    with started("--access-log") as (url, finish):
        httpx.get(f"{url}/data/core/privacy/jobs/needle", params={"q": "needle"})
        httpx.get(f"{url}/needle")
        log = finish()
    assert log.splitlines() == ["GET /data/core/privacy/jobs/{job_id} 403", "GET - 404"]


def test_nothing_is_logged_without_being_asked_for() -> None:
    with started() as (url, finish):
        caller = AdobeCaller(Simulator(url))
        assert caller.content(caller.complete_job()).status_code == 200
        assert caller.post({"users": "needle@example.com"}).status_code == 400
        log = finish()
    assert log == ""


@contextmanager
def started(*arguments: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """The URL of a simulator, and a call that ends it and gives what it wrote to stderr."""
    command = [sys.executable, str(SIMULATOR), "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish() -> str:
        process.terminate()
        return process.communicate(timeout=10)[1]

    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1], finish
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_what_was_created_outlives_a_kill(tmp_path: Path) -> None:
    state = str(tmp_path / "state")

    def created(number: int) -> list[dict[str, Any]]:
        with started("--state", state) as (url, _), Simulator(url) as simulator:
            AdobeCaller(simulator).create(f"DSR-{number}")
            simulator.create_jobs(count=2)
            return simulator.jobs()

    first = created(1)
    # `started` kills it.
    second = created(2)
    assert len(second) == 2 * len(first) == 6
    assert [(job["jobId"], job["key"]) for job in second[:3]] == [(job["jobId"], job["key"]) for job in first]


def test_the_connection_is_one_that_airflow_reads(simulator: Simulator) -> None:
    connection = json.loads(simulator.connection_json(products=["analytics"]))
    assert connection["conn_type"] == "adobe_privacy"
    assert connection["host"] == simulator.url + "/data/core/privacy"
    assert connection["extra"]["token_url"] == simulator.url + "/ims/token/v3"
    assert connection["extra"]["products"] == ["analytics"]


def test_the_readme_holds_the_tables_made_from_the_code() -> None:
    tables = run("--print-reference").stdout.strip()
    assert "daily_job_limit" in tables
    assert "delayed_creation" in tables
    assert tables in (SIMULATOR / "README.md").read_text(encoding="utf-8")


def test_the_simulator_never_imports_the_package() -> None:
    for module in SIMULATOR.glob("*.py"):
        assert "adobe_privacy" not in module.read_text(encoding="utf-8"), module.name
