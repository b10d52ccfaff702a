"""What a person would write without Airflow: the same client, one loop, no ledger, no checks.

python benchmarks/bare_script.py BASE_URL TOKEN_URL INBOX ARCHIVE
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "plugins")]

from adobe_privacy.api.client import PrivacyServiceClient  # noqa: E402
from adobe_privacy.api.config import ClientConfig  # noqa: E402
from adobe_privacy.api.models import (  # noqa: E402
    Action,
    CompanyContext,
    CreateJobsRequest,
    Identity,
    JobStatus,
    User,
)

ORG = "0123456789ABCDEF01234567@AdobeOrg"
AT_ONCE = 16


def lines_of(inbox: Path) -> list[str]:
    return [line for path in sorted(inbox.glob("*/*.jsonl")) for line in path.read_text().splitlines()]


async def main(url: str, token_url: str, lines: list[str], archive: Path) -> None:
    config = ClientConfig(
        client_id="simulator-client",
        client_secret="simulator-secret",
        org_id=ORG,
        base_url=url,
        token_url=token_url,
    )
    async with PrivacyServiceClient(config) as client:
        job_ids = []
        for start in range(0, len(lines), 1000):
            requests = [json.loads(line) for line in lines[start : start + 1000]]
            created = await client.create_jobs(
                CreateJobsRequest(
                    regulation=requests[0]["regulation"],
                    users=tuple(
                        User(
                            key=request["request_id"],
                            actions=tuple(map(Action, request["actions"])),
                            identities=tuple(Identity(**identity) for identity in request["identities"]),
                        )
                        for request in requests
                    ),
                    include=tuple(requests[0]["products"]),
                    company_contexts=(CompanyContext.organisation(ORG),),
                )
            )
            job_ids += [job.job_id for job in created.jobs]
        today = datetime.now(UTC).date()
        while True:
            listing = client.list_jobs(
                "gdpr", from_date=today - timedelta(days=1), to_date=today, status=JobStatus.COMPLETE
            )
            # A job that is in no list of open ones may not be in any list yet.
            if {job.job_id async for job in listing} >= set(job_ids):
                break
            await asyncio.sleep(5)
        slots = asyncio.Semaphore(AT_ONCE)

        async def fetch(job_id: str) -> None:
            async with slots, client.download(job_id) as result:
                with (archive / f"{job_id}.zip").open("wb") as file:
                    async for chunk in result.chunks():
                        file.write(chunk)

        await asyncio.gather(*map(fetch, job_ids))


if __name__ == "__main__":
    base_url, token_address, inbox, archive = sys.argv[1:]
    asyncio.run(main(base_url, token_address, lines_of(Path(inbox)), Path(archive)))
