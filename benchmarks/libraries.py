"""What a library would do instead of code of ours, side by side, on this machine.

    python benchmarks/libraries.py [--results 400] [--mib 256] [--runs 3]

*pipeline*: one result through a thread and plain iterators against `archive.transfer`. *pooling*: many GETs over one
client of httpx with limits against one client for each request under way. *retries*: tenacity against
`Transport.repeating`, where nothing fails, as nearly always. Both sides take turns; the medians are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "plugins")]

import httpx  # noqa: E402
import obstore  # noqa: E402
import tenacity  # noqa: E402
from obstore.store import LocalStore  # noqa: E402

from adobe_privacy.api.errors import ConnectionFailed  # noqa: E402
from adobe_privacy.api.transport import Transport  # noqa: E402
from adobe_privacy.archive.transfer import transfer  # noqa: E402
from adobe_privacy.archive.zip_check import ZipCheck  # noqa: E402
from adobe_privacy.archive.zip_rules import ZipLimits  # noqa: E402
from adobe_privacy.storage import FileOptions, open_store  # noqa: E402
from tests.archive.zips import RESULT, make_zip  # noqa: E402

AT_ONCE = 16
MIB = 1024 * 1024


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, str(HERE / "file_server.py"), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


async def ours(base: str, names: list[str], target: Path) -> None:
    store = open_store(f"file://{target}", FileOptions(create=True, durable=True))
    gate = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(timeout=60) as client:

        @asynccontextmanager
        async def opened(name: str) -> AsyncIterator[Any]:
            async with client.stream("GET", f"{base}/{name}.zip") as response:
                length = int(response.headers["content-length"])
                yield SimpleNamespace(content_length=length, chunks=lambda: response.aiter_raw())

        async def one(name: str) -> None:
            async with gate:
                await transfer(store, f"{name}.zip", lambda: opened(name), limits=ZipLimits())

        await asyncio.gather(*map(one, names))


def plain(base: str, names: list[str], target: Path) -> None:
    """Download, hash, check, store, each an iterator over the one before, in one thread a result."""
    target.mkdir(parents=True)
    store = LocalStore(target)

    def one(name: str) -> None:
        check, digest = ZipCheck(ZipLimits()), hashlib.sha256()
        with httpx.Client(timeout=60) as client, client.stream("GET", f"{base}/{name}.zip") as response:

            def passing() -> Iterator[bytes]:
                for block in response.iter_raw(MIB):
                    digest.update(block)
                    check.feed(block)
                    yield block
                check.finish()

            obstore.put(store, f"{name}.zip", passing(), chunk_size=8 * MIB)
        for path in (target / f"{name}.zip", target):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, names))


async def get_all(base: str, requests: int, *, shared: bool) -> None:
    idle: list[httpx.AsyncClient] = []
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    one_for_all = httpx.AsyncClient(limits=limits, timeout=60)
    gate = asyncio.Semaphore(AT_ONCE)

    async def get() -> None:
        async with gate:
            client = one_for_all if shared else idle.pop() if idle else httpx.AsyncClient(timeout=60)
            (await client.get(f"{base}/jobs/a")).raise_for_status()
            if not shared:
                idle.append(client)

    await asyncio.gather(*(get() for _ in range(requests)))
    for client in [one_for_all, *idle]:
        await client.aclose()


async def attempts(count: int, *, library: bool) -> None:
    async def attempt() -> int:
        return 1

    from adobe_privacy.api.config import ClientConfig

    config = ClientConfig("id", "secret", "0" * 24 + "@AdobeOrg")
    own = Transport(
        config, transport=None, sleep=asyncio.sleep, now=lambda: datetime.now(UTC), clock=time.monotonic
    )
    theirs = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(5) | tenacity.stop_after_delay(120),
        wait=tenacity.wait_random_exponential(1, max=60),
        retry=tenacity.retry_if_exception_type(ConnectionFailed),
        reraise=True,
    )
    repeat: Callable[[Callable[[], Awaitable[int]]], Awaitable[int]] = theirs if library else own.repeating
    for _ in range(count):
        await repeat(attempt)
    await own.aclose()


def timed(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("results", 400), ("mib", 256), ("runs", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "served").mkdir()
        small = [f"s{number}" for number in range(options.results)]
        for name in small:
            (root / "served" / f"{name}.zip").write_bytes(make_zip(RESULT))
        (root / "served/large.zip").write_bytes(make_zip([("a.bin", os.urandom(options.mib * MIB))]))
        places = (root / f"out{number}" for number in range(1000))
        with serving(root / "served") as base:
            sides: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
                f"pipeline, {options.results} small results": (
                    lambda: asyncio.run(ours(base, small, next(places))),
                    lambda: plain(base, small, next(places)),
                ),
                f"pipeline, one of {options.mib} MiB": (
                    lambda: asyncio.run(ours(base, ["large"], next(places))),
                    lambda: plain(base, ["large"], next(places)),
                ),
                "pooling, 2,000 GETs": (
                    lambda: asyncio.run(get_all(base, 2000, shared=False)),
                    lambda: asyncio.run(get_all(base, 2000, shared=True)),
                ),
                "retries, 20,000 calls that succeed": (
                    lambda: asyncio.run(attempts(20_000, library=False)),
                    lambda: asyncio.run(attempts(20_000, library=True)),
                ),
            }
            print("| what | ours, s | instead, s |\n|---|---|---|")
            for what, (own, theirs) in sides.items():
                rounds = [(timed(own), timed(theirs)) for _ in range(options.runs)]
                medians = [statistics.median(side) for side in zip(*rounds, strict=True)]
                print(f"| {what} | {medians[0]:.2f} | {medians[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
