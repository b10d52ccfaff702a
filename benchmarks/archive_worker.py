"""Archives jobs from a server into a store, as a task does, and prints what it took as JSON.

    python benchmarks/archive_worker.py --ledger URL --prepare JOB...
    python benchmarks/archive_worker.py --ledger URL --service URL --archive URI [--endpoint URL] [--encrypt] JOB...

The first makes a ledger that knows the jobs, as it is before the task begins. The second is the task: it reads
each job's detail, fetches, checks and stores its result, and writes the ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from pyrage import x25519

from adobe_privacy.api.client import ClientConfig, PrivacyServiceClient
from adobe_privacy.archive import AgeKeys, ArchiveSettings, Encryption
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.others import OthersJob
from adobe_privacy.ledger.states import JobState
from adobe_privacy.results.completion import Completion, complete_jobs
from adobe_privacy.storage import FileOptions, S3Options, StoreOptions, open_store


def memory(field: str) -> int:
    """A line of /proc/self/status, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise LookupError(field)


def prepare(ledger: Ledger, job_ids: list[str]) -> None:
    now = datetime.now(UTC)
    ledger.others.register([OthersJob(job_id, "gdpr", "access", now, now.date(), None) for job_id in job_ids])


async def run(arguments: argparse.Namespace, ledger: Ledger) -> dict[str, float]:
    options: StoreOptions = FileOptions(create=True)
    if arguments.endpoint:
        # As at Amazon; the aws command sends checksums too.
        options = S3Options(
            "testing",
            "testing",
            endpoint=arguments.endpoint,
            region="us-east-1",
            checksum_algorithm="SHA256",
        )
    store = open_store(arguments.archive, options)
    settings = ArchiveSettings()
    if arguments.encrypt:
        key = str(x25519.Identity.generate().to_public())
        settings = ArchiveSettings(encryption=Encryption(AgeKeys(recipients=(key,))))
    jobs = ledger.others.jobs_at_adobe(arguments.jobs, JobState.SUBMITTED)
    config = ClientConfig(
        "id", "secret", "org", base_url=arguments.service, token_url=f"{arguments.service}/token"
    )
    async with PrivacyServiceClient(config) as client:
        moments: list[float] = []
        before, start, cpu = memory("VmRSS:"), time.perf_counter(), time.process_time()
        completion: Completion = await complete_jobs(
            jobs,
            ledger=ledger,
            archive=store,
            client=client,
            settings=settings,
            on_progress=lambda _: moments.append(time.perf_counter()),
        )
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    if completion.archived != len(arguments.jobs):
        raise SystemExit(
            f"{completion.archived} of {len(arguments.jobs)} archived: {completion.failures[:3]}"
        )
    return {
        "seconds": seconds,
        # From the first result that was archived to the last: without the details, which are read before.
        "fetching_seconds": moments[-1] - moments[0],
        "bytes": completion.bytes,
        "cpu_seconds": cpu_seconds,
        "memory_growth_mib": (memory("VmHWM:") - before) / 1024,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--service")
    parser.add_argument("--archive")
    parser.add_argument("--endpoint")
    parser.add_argument("--encrypt", action="store_true")
    parser.add_argument("jobs", nargs="+")
    given = parser.parse_args()
    with Ledger(given.ledger, actor="benchmark") as opened:
        if given.prepare:
            prepare(opened, given.jobs)
        else:
            print(json.dumps(asyncio.run(run(given, opened))))
