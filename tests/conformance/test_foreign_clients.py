"""The simulator, driven by clients that are not ours: aepp, Adobe's own for Python, and schemathesis.

They live in an environment of their own, `.venv-conformance`, which `make test-conformance` makes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.support.simulator import Simulator, running_simulator

HERE = Path(__file__).parent
BIN = ROOT / ".venv-conformance" / "bin"
EXAMPLES = 20

pytestmark = pytest.mark.skipif(
    not (BIN / "schemathesis").exists(), reason="make test-conformance installs it"
)


@pytest.fixture
def quick() -> Iterator[Simulator]:
    with running_simulator(switches={"access_delay_seconds": "0", "delete_delay_seconds": "0"}) as simulator:
        yield simulator


def test_aepp_makes_jobs_and_follows_them_to_their_end(quick: Simulator) -> None:
    done = subprocess.run(
        [BIN / "python", HERE / "aepp_driver.py", quick.url, quick.token_url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    made = {
        (job["customer"]["user"]["key"], job["customer"]["user"]["action"][0]): job["jobId"]
        for job in found["created"]["jobs"]
    }
    assert set(made) == {("DSR-1", "access"), ("DSR-1", "delete")}
    assert found["created"]["totalRecords"] == 2
    details = {detail["jobId"]: detail for detail in found["details"]}
    assert set(details) == set(made.values()) == {row["jobId"] for row in found["listed"]["jobDetails"]}
    access, delete = details[made["DSR-1", "access"]], details[made["DSR-1", "delete"]]
    assert access["status"] == delete["status"] == "complete"
    assert access["downloadUrl"].endswith(f"/jobs/{access['jobId']}/content")
    assert "downloadUrl" not in delete
    assert {answer["product"] for answer in access["productResponses"]} == {"Profile", "AudienceManager"}
    # Nothing of another regulation, and no such job: the one answer that was seen for both.
    assert (
        found["empty"]["errors"]["detail"]
        == found["unknown"]["errors"]["detail"]
        == "Not able to find job data."
    )
    assert quick.counters()["jobs_created"] == 2


def test_schemathesis_finds_no_answer_that_the_openapi_file_does_not_have(
    quick: Simulator, tmp_path: Path
) -> None:
    token = httpx.post(
        quick.token_url,
        data={
            "grant_type": "client_credentials",
            "client_id": quick.client_id,
            "client_secret": quick.client_secret,
        },
        trust_env=False,
    ).json()["access_token"]
    done = subprocess.run(
        [
            BIN / "schemathesis",
            "run",
            HERE / "openapi.yaml",
            f"--url={quick.api_url}",
            f"--header=Authorization: Bearer {token}",
            f"--header=x-api-key: {quick.client_id}",
            f"--header=x-gw-ims-org-id: {quick.org_id}",
            f"--max-examples={EXAMPLES}",
            # The same calls in every run.
            "--generation-deterministic",
            # The edge's answer to a method that no route has is a guess, and a client of jobs never gets it.
            "--exclude-checks=unsupported_method",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert sum(quick.calls().values()) > 100, "it did ask"
