"""What a library could do instead of code of ours, tried beside that code in one run.

    python benchmarks/libraries.py [--runs 5] [--mib 256] [--only connections,reads,retries,token,pass]

Prints a markdown table. A ratio above 1 means that ours is faster. Ours and theirs take turns, and the medians are
compared. docs/decisions.md says what follows from each.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import hashlib
import importlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "plugins")]

import httpcore  # noqa: E402
import httpx  # noqa: E402
import obstore  # noqa: E402
import pyrage  # noqa: E402
import tenacity  # noqa: E402

from adobe_privacy.api.access_token import AccessToken  # noqa: E402
from adobe_privacy.api.client import ClientConfig  # noqa: E402
from adobe_privacy.api.downloads import Download  # noqa: E402
from adobe_privacy.api.errors import (  # noqa: E402
    ConnectionFailed,
    PrivacyServiceError,
    TemporarilyUnavailable,
    UnreadableAnswer,
)
from adobe_privacy.api.transport import Call, Transport, content_length  # noqa: E402
from adobe_privacy.archive.encryption import DataKey  # noqa: E402
from adobe_privacy.archive.transfer import BLOCK_SIZE, transfer  # noqa: E402
from adobe_privacy.archive.zip_check import ZipCheck  # noqa: E402
from adobe_privacy.archive.zip_rules import ZipLimits  # noqa: E402
from adobe_privacy.storage import FileOptions, Store, open_store  # noqa: E402
from adobe_privacy.storage.store import PART_SIZE, PARTS_IN_FLIGHT  # noqa: E402
from benchmarks.archive import BLOCK, MIB, file_server, noise, text, write_zip  # noqa: E402

AT_ONCE = 16
SMALL = 1000
AUTHLIB = "authlib>=1.3,<2"


def config(server: str, **changes: Any) -> ClientConfig:
    given = {"base_url": server, "token_url": f"{server}/token"} | changes
    return ClientConfig("id", "secret", "org", **given)


@asynccontextmanager
async def transport_to(server: str) -> Any:
    opened = Transport(
        config(server),
        transport=None,
        sleep=asyncio.sleep,
        now=lambda: datetime.now(UTC),
        clock=time.monotonic,
    )
    try:
        yield opened
    finally:
        await opened.aclose()


class Bench:
    def __init__(self, folder: Path, runs: int, size: int) -> None:
        self.folder, self.runs, self.size = folder, runs, size
        self.rows: list[tuple[str, str, str, str, str]] = []
        self._numbers = iter(range(10**6))

    def row(self, *cells: str) -> None:
        assert len(cells) == 5
        self.rows.append(cells)
        print(" | ".join(cells), file=sys.stderr)

    def compare(
        self,
        case: str,
        other: str,
        ours: Callable[[], object],
        theirs: Callable[[], object],
        *,
        cpu: bool = False,
    ) -> None:
        clock = time.process_time if cpu else time.perf_counter
        took: dict[Callable[[], object], list[float]] = {ours: [], theirs: []}
        for each in took:
            each()  # what is made once
        for number in range(self.runs):
            for each in (ours, theirs) if number % 2 else (theirs, ours):
                start = clock()
                each()
                took[each].append(clock() - start)
        mine, their = statistics.median(took[ours]), statistics.median(took[theirs])
        unit = "s of CPU" if cpu else "s"
        self.row(case, f"{mine:.2f} {unit}", other, f"{their:.2f} {unit}", f"{their / mine:.2f}")

    def store(self) -> Store:
        return open_store(f"file://{self.folder}/out-{next(self._numbers)}", FileOptions(create=True))

    # -- connections ------------------------------------------------------------------------------------------

    def small_files(self) -> Path:
        inputs = self.folder / "small"
        if not inputs.exists():
            inputs.mkdir()
            dice, rows = random.Random(3), text(256 * 1024)
            for number in range(SMALL):
                start = dice.randrange(128 * 1024)
                content = dice.randbytes(48 * 1024) + rows[start : start + 48 * 1024]
                write_zip(inputs / f"{number}.zip", content, 1)
        return inputs

    def connections(self) -> None:
        with file_server(self.small_files()) as server:

            async def ours() -> None:
                async with transport_to(server) as transport:

                    async def get(number: int) -> None:
                        call = Call("GET", "x", httpx.URL(f"{server}/{number}.zip"))
                        response = await transport.open(call)
                        async for _ in transport.chunks(response, call):
                            pass

                    await at_once(get)

            async def theirs() -> None:
                limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
                async with httpx.AsyncClient(limits=limits) as client:

                    async def get(number: int) -> None:
                        async with client.stream("GET", f"{server}/{number}.zip") as response:
                            async for _ in response.aiter_raw():
                                pass

                    await at_once(get)

            self.compare(
                f"{SMALL:,} small results, {AT_ONCE} at once",
                "one httpx client with `httpx.Limits`",
                lambda: asyncio.run(ours()),
                lambda: asyncio.run(theirs()),
            )

    # -- reads of 64 KiB or more --------------------------------------------------------------------------------

    def reads(self) -> None:
        path = self.folder / "large.zip"
        write_zip(path, noise(BLOCK), self.size)
        as_it_is = httpcore.AsyncHTTP11Connection.READ_NUM_BYTES
        with file_server(self.folder) as server:

            def reading(size: int) -> Callable[[], None]:
                async def download() -> None:
                    store = self.store()
                    await asyncio.to_thread(lambda: None)
                    async with transport_to(server) as transport:
                        await transfer(
                            store, "large.zip", opening(transport, f"{server}/large.zip"), limits=ZipLimits()
                        )
                    remove(store)

                def run() -> None:
                    httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = size
                    asyncio.run(download())

                return run

            for cpu in (False, True):
                self.compare(
                    f"one result of {self.size // MIB} MiB, archived with reads of 64 KiB",
                    "a patched httpcore that reads 256 KiB",
                    reading(64 * 1024),
                    reading(256 * 1024),
                    cpu=cpu,
                )
        httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = as_it_is
        path.unlink()

    # -- retries ------------------------------------------------------------------------------------------------

    def retries(self) -> None:
        self._retries_after(0)
        self._retries_after(3)

    def _retries_after(self, failures: int) -> None:
        settings = config("http://127.0.0.1")
        waited: dict[str, list[float]] = {"ours": [], "theirs": []}

        def sleeping(whose: str) -> Callable[[float], Awaitable[None]]:
            async def sleep(seconds: float) -> None:
                waited[whose].append(seconds)

            return sleep

        transport = Transport(
            settings,
            transport=None,
            sleep=sleeping("ours"),
            now=lambda: datetime.now(UTC),
            clock=time.monotonic,
        )

        def calls() -> Callable[[], Awaitable[str]]:
            left = [failures]

            async def attempt() -> str:
                if left[0]:
                    left[0] -= 1
                    raise TemporarilyUnavailable("busy", method="GET", route="x", retry_after=1.0)
                return "done"

            return attempt

        async def ours() -> None:
            for _ in range(10_000):
                assert await transport.repeating(calls()) == "done"

        async def theirs() -> None:
            for _ in range(10_000):
                assert await repeating_by_tenacity(settings, sleeping("theirs"), calls()) == "done"

        self.compare(
            f"10,000 calls, each after {failures} failures",
            "tenacity, with waits and limits of ours",
            lambda: asyncio.run(ours()),
            lambda: asyncio.run(theirs()),
        )
        assert waited["ours"] == waited["theirs"]

    # -- the token ----------------------------------------------------------------------------------------------

    def token(self) -> None:
        asked: list[int] = []

        class Tokens(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                asked.append(1)
                time.sleep(0.05)
                body = json.dumps({"access_token": "t", "token_type": "bearer", "expires_in": 86399}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        with Server(("127.0.0.1", 0), Tokens) as http:
            threading.Thread(target=http.serve_forever, daemon=True).start()
            server = f"http://127.0.0.1:{http.server_address[1]}"
            client_of_authlib = authlib_client()

            async def ours() -> None:
                async with transport_to(server) as transport:
                    token = AccessToken(config(server), transport)
                    await asyncio.gather(*(token.get() for _ in range(50)))
                    for _ in range(20_000):
                        await token.get()
                    await token.aclose()

            async def theirs(locked: bool = True) -> None:
                async with client_of_authlib(
                    "id",
                    "secret",
                    token_endpoint_auth_method="client_secret_post",
                    token_endpoint=f"{server}/token",
                    grant_type="client_credentials",
                ) as client:
                    lock = asyncio.Lock()

                    async def get() -> None:
                        if client.token is None:
                            await client.fetch_token(f"{server}/token", grant_type="client_credentials")
                        else:
                            await client.ensure_active_token(client.token)

                    async def one_by_one() -> None:
                        async with lock:
                            await get()

                    await asyncio.gather(*((one_by_one if locked else get)() for _ in range(50)))
                    for _ in range(20_000):
                        await (one_by_one if locked else get)()

            counts = []
            for each in (ours, functools.partial(theirs, locked=False)):
                asked.clear()
                asyncio.run(each())
                counts.append(len(asked))
            self.compare(
                "50 callers at once, then 20,000 one by one",
                "authlib's AsyncOAuth2Client behind a lock",
                lambda: asyncio.run(ours()),
                lambda: asyncio.run(theirs()),
            )
            self.row(
                "token requests for the 50",
                str(counts[0]),
                "authlib, without a lock of ours",
                str(counts[1]),
                "",
            )
            http.shutdown()

    # -- one pass on one thread ---------------------------------------------------------------------------------

    def one_pass(self) -> None:
        path = self.folder / "large.zip"
        for kind, block in (("incompressible", noise(BLOCK)), ("text", text(BLOCK))):
            write_zip(path, block, self.size)
            with file_server(self.folder) as server:
                for encrypted in (False, True) if kind == "incompressible" else (False,):
                    self.compare(
                        f"one result of {self.size // MIB} MiB, {kind}{', encrypted' if encrypted else ''}",
                        "plain iterators on one thread",
                        functools.partial(self._run_ours, server, ["large"], encrypted),
                        functools.partial(self._theirs, server, ["large"], encrypted),
                    )
            path.unlink()
        names = [str(number) for number in range(SMALL)]
        with file_server(self.small_files()) as server:
            self.compare(
                f"{SMALL:,} results of 64 KiB, {AT_ONCE} at once",
                f"the same on {AT_ONCE} threads",
                functools.partial(self._run_ours, server, names, False),
                functools.partial(self._theirs, server, names, False),
            )

    def _run_ours(self, server: str, names: list[str], encrypted: bool) -> None:
        asyncio.run(self._ours(server, names, encrypted))

    async def _ours(self, server: str, names: list[str], encrypted: bool) -> None:
        store = self.store()
        async with transport_to(server) as transport:

            async def archive(number: int) -> None:
                name = names[number]
                key = DataKey.generate() if encrypted else None
                await transfer(
                    store,
                    f"{name}.zip",
                    opening(transport, f"{server}/{name}.zip"),
                    limits=ZipLimits(),
                    data_key=key,
                )

            await at_once(archive, len(names))
        remove(store)

    def _theirs(self, server: str, names: list[str], encrypted: bool) -> None:
        store = self.store()
        clients = threading.local()

        def archive(name: str) -> None:
            if not hasattr(clients, "client"):
                clients.client = httpx.Client()
            in_one_pass(clients.client, f"{server}/{name}.zip", store, f"{name}.zip", encrypted=encrypted)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(archive, names))
        remove(store)


async def at_once(work: Callable[[int], Awaitable[None]], count: int = SMALL) -> None:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(min(AT_ONCE, count))))


def opening(transport: Transport, url: str) -> Any:
    @asynccontextmanager
    async def opened() -> Any:
        call = Call("GET", "content", httpx.URL(url))
        response = await transport.open(call)
        try:
            yield Download(content_length(response), None, response, call, transport)
        finally:
            await transport.close(response)

    return opened


def remove(store: Store) -> None:
    for info in store.objects():
        store.delete(info.key)


class _Pieces:
    """The pieces as a file that pyrage reads."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            self._left = next(self._pieces, b"")
        taken, self._left = self._left[:size], self._left[size:]
        return taken


class _Sink:
    """An upload that pyrage writes to, hashed on the way."""

    def __init__(self, upload: Any) -> None:
        self.upload, self.digest = upload, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.upload.write(data)
        return len(data)

    def flush(self) -> None: ...


def in_one_pass(client: httpx.Client, url: str, store: Store, key: str, *, encrypted: bool) -> str:
    """Download, hash, check, seal and store, one block after the other. Without what a failure needs: what is limited,
    kept, moved or taken back."""
    digest, check = hashlib.sha256(), ZipCheck(ZipLimits())

    def blocks(response: httpx.Response) -> Iterator[bytes]:
        for block in response.iter_raw(BLOCK_SIZE):
            digest.update(block)
            check.feed(block)
            yield block
        check.finish()

    with client.stream("GET", url) as response:
        passing = blocks(response)
        if encrypted:
            recipient = pyrage.x25519.Identity.generate().to_public()
            with obstore.open_writer(store._backend, key, buffer_size=PART_SIZE) as upload:
                pyrage.encrypt_io(_Pieces(passing), _Sink(upload), [recipient])
        else:
            obstore.put(
                store._backend,
                key,
                passing,
                use_multipart=True,
                chunk_size=PART_SIZE,
                max_concurrency=PARTS_IN_FLIGHT,
            )
    store._settle(key)
    return digest.hexdigest()


async def repeating_by_tenacity(
    settings: ClientConfig, sleep: Callable[[float], Awaitable[None]], attempt: Callable[[], Awaitable[str]]
) -> str:
    """`Transport.repeating` in tenacity's words. What is left is ours: how long to wait, and what is too long."""

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TemporarilyUnavailable) and error.retry_after is not None:
            return error.retry_after
        longest = min(settings.retry_base_delay * 2 ** (state.attempt_number - 1), settings.retry_after_cap)
        return random.uniform(0, longest)

    def stop(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        last = (
            state.attempt_number == settings.retry_attempts
            or (state.seconds_since_start or 0) + state.upcoming_sleep > settings.retry_budget
            or state.upcoming_sleep > settings.retry_after_cap
        )
        if isinstance(error, PrivacyServiceError) and (last or error.given_up):
            error.given_up = True
            return True
        return False

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type((ConnectionFailed, TemporarilyUnavailable, UnreadableAnswer)),
        wait=wait,
        stop=stop,
        sleep=sleep,
        reraise=True,
    )
    return await retrying(attempt)


def authlib_client() -> Any:
    """Authlib is no dependency of the project; it is installed under data/ for this."""
    folder = HERE.parent / "data" / "bench-tools" / "authlib"
    if not folder.exists():
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--target", folder, "--no-deps", AUTHLIB, "joserfc"], check=True
        )
    sys.path.append(str(folder))
    return importlib.import_module("authlib.integrations.httpx_client").AsyncOAuth2Client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mib", type=int, default=256, help="size of the one large result")
    parser.add_argument("--only", default="connections,reads,retries,token,pass")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="libraries-bench-") as folder:
        bench = Bench(Path(folder), arguments.runs, arguments.mib * MIB)
        for name in arguments.only.split(","):
            getattr(bench, "one_pass" if name == "pass" else name)()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"## Libraries beside our code\n\nMedians of {arguments.runs} rounds; load at the end {load}.\n")
    for row in [("case", "ours", "compared with", "theirs", "ratio"), ("---",) * 5, *bench.rows]:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
