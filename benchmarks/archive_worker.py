"""Archives results from a server into a store, as a task does, and prints what it took as JSON.

python benchmarks/archive_worker.py ARCHIVE_URI [--endpoint URL] [--concurrency N] URL...
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from adobe_privacy.archive import CompletedJob, Download, OpenDownload, archive_many
from adobe_privacy.storage import FileOptions, S3Options, StoreOptions, open_store


class HttpDownload:
    """The real way of a result: httpx's raw bytes."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.content_length = int(response.headers["Content-Length"])

    def chunks(self) -> AsyncIterator[bytes]:
        return self.response.aiter_raw()


def memory(field: str) -> int:
    """A line of /proc/self/status, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise LookupError(field)


async def run(arguments: argparse.Namespace) -> dict[str, float]:
    options: StoreOptions = FileOptions(create=True)
    if arguments.endpoint:
        options = S3Options("testing", "testing", endpoint=arguments.endpoint, region="us-east-1")
    store = open_store(arguments.archive, options)
    async with httpx.AsyncClient(timeout=60) as client:

        def download(url: str) -> OpenDownload:
            @asynccontextmanager
            async def opened() -> AsyncIterator[Download]:
                async with client.stream("GET", url) as response:
                    yield HttpDownload(response)

            return opened

        now = datetime.now(UTC)
        jobs: list[tuple[CompletedJob, OpenDownload | None]] = [
            (
                CompletedJob(f"job-{n}", f"DSR-{n}", f"DSR-{n}", "gdpr", "access", "complete", now),
                download(url),
            )
            for n, url in enumerate(arguments.urls)
        ]
        before, start = memory("VmRSS:"), time.perf_counter()
        archived = await archive_many(store, jobs, concurrency=arguments.concurrency)
        seconds = time.perf_counter() - start
    for each in archived:
        if each.error is not None:
            raise each.error
    return {
        "seconds": seconds,
        "bytes": sum(each.manifest.size or 0 for each in archived if each.manifest),
        "cpu_seconds": time.process_time(),
        "memory_growth_mib": (memory("VmHWM:") - before) / 1024,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("archive")
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--endpoint")
    parser.add_argument("--concurrency", type=int, default=16)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))
