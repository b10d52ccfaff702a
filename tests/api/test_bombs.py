"""Answers that are made to do harm: bombs, bodies without an end, bodies that drip in, addresses inside."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from adobe_privacy.api import addresses, errors
from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.config import ClientConfig
from tests.api.fake_service import NO_JOB_DATA, Clock, config
from tests.api.raw_server import TOKEN, Answer, Received, http, raw_server
from tests.api.test_client import REQUEST
from tests.api.test_client_on_the_wire import answering, client_of, download

MIB = 1024**2
BOMB = gzip.compress(gzip.compress(b"\0" * (256 * MIB)))
COMPACT = gzip.compress(b"[" + b"0," * (64 * MIB) + b"0]")
Use = Callable[[PrivacyServiceClient], Awaitable[Any]]


async def listing(client: PrivacyServiceClient) -> Any:
    today = client.server_time().date()
    return [job async for job in client.list_jobs("gdpr", from_date=today, to_date=today)]


USES: dict[str, Use] = {
    "token": lambda client: client.fetch_token(),
    "list": listing,
    "detail": lambda client: client.get_job("j"),
    "create": lambda client: client.create_jobs(REQUEST),
    "content": download,
}


BLOCKED = 0.2
"""Seconds for which nothing may hold up the event loop."""


@dataclass
class Watched:
    """The longest time for which the event loop did not come round, and the most memory that Python took."""

    longest: float
    most: int


async def watched(attempt: Callable[[], Awaitable[None]]) -> Watched:
    """The best of three attempts in time: what our code does in one go, it does so each time.

    The time is this thread's own, and old objects are kept from the garbage collector: other programs on the machine
    and a collection of all that thousands of tests before have left are no fault of the attempt.
    """
    gc.collect()
    gc.freeze()
    try:
        for _ in range(3):
            if (last := await _watched_once(attempt)).longest < BLOCKED:
                break
        return last
    finally:
        gc.unfreeze()


async def _watched_once(attempt: Callable[[], Awaitable[None]]) -> Watched:
    longest = 0.0

    async def look() -> None:
        nonlocal longest
        before = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            longest = max(longest, now - before)
            before = now

    looking = asyncio.create_task(look())
    tracemalloc.start()
    try:
        await attempt()
        return Watched(longest, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
        looking.cancel()


def harmful(body: bytes, use: str, **headers: str) -> Answer:
    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        if request.path.startswith("/ims/") and use != "token":
            writer.write(http(200, TOKEN))
        else:
            writer.write(
                http(200, body, headers={name.replace("_", "-"): it for name, it in headers.items()})
            )

    return answer


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (BOMB, "gzip, gzip"),
        (gzip.compress(BOMB), "gzip"),
        (COMPACT, "gzip"),
        (zlib.compress(BOMB), "deflate"),
    ],
    ids=["twice", "thrice", "once", "deflate"],
)
async def test_a_compressed_bomb_costs_neither_memory_nor_time(use: str, body: bytes, coding: str) -> None:
    """256 MiB in a few hundred bytes took 2 GiB and stopped the event loop for seconds."""

    async def attempt() -> None:
        async with (
            raw_server(harmful(body, use, Content_Encoding=coding)) as server,
            client_of(server.url) as client,
        ):
            with pytest.raises((errors.UnreadableAnswer, errors.OutcomeUnknown)) as refused:
                await USES[use](client)
        assert isinstance(refused.value, errors.OutcomeUnknown) == (use == "create")

    cost = await watched(attempt)
    assert cost.most < 40 * MIB
    assert cost.longest < BLOCKED


@pytest.mark.parametrize("use", ["token", "list", "detail", "create"])
async def test_an_answer_without_an_end_is_given_up(use: str) -> None:
    sent = 0

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        if request.path.startswith("/ims/") and use != "token":
            writer.write(http(200, TOKEN))
            return
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < 200 * MIB:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()
            sent += 0x10000

    async def attempt() -> None:
        nonlocal sent
        sent = 0
        async with raw_server(answer) as server, client_of(server.url, timeout=60) as client:
            with pytest.raises((errors.UnreadableAnswer, errors.OutcomeUnknown), match="larger than"):
                await USES[use](client)
        assert sent < 30 * MIB

    cost = await watched(attempt)
    assert cost.most < 60 * MIB
    assert cost.longest < BLOCKED


async def test_an_error_without_an_end_says_what_its_status_says() -> None:
    body = b'{"errors":{"detail":"' + b"x" * 5 * MIB + b'"}}'
    async with raw_server(answering(http(403, body))) as server, client_of(server.url) as client:

        async def attempt() -> None:
            with pytest.raises(errors.PermissionDenied):
                await client.get_job("j")

        assert (await watched(attempt)).most < 5 * MIB


@pytest.mark.parametrize("value", ["{}", "[]", "0", '"a"', '{"jobId":"j"}'])
@pytest.mark.parametrize("use", ["token", "list", "detail"])
async def test_a_large_answer_of_small_values_does_not_stop_the_event_loop(use: str, value: str) -> None:
    rows = b"[" + b",".join([value.encode()] * (7 * MIB // (len(value) + 1))) + b"]"
    body = b'{"jobDetails":' + rows + b',"productStatusResponse":' + b"[]}"
    async with raw_server(harmful(body, use)) as server, client_of(server.url) as client:

        async def attempt() -> None:
            with pytest.raises(errors.UnreadableAnswer):
                await USES[use](client)

        assert (await watched(attempt)).longest < BLOCKED


async def test_an_honest_listing_of_a_full_page_is_read_compressed() -> None:
    rows = [
        {"jobId": f"job-{number}", "userKey": f"DSR-{number}", "action": "access", "status": "processing"}
        for number in range(1000)
    ]
    body = json.dumps({"jobDetails": rows, "totalRecords": 1000}).encode()
    answer = http(200, gzip.compress(body), headers={"Content-Encoding": "gzip"})
    nothing = http(404, json.dumps(NO_JOB_DATA).encode())

    async def attempt() -> None:
        async with raw_server(answering(answer, nothing)) as server, client_of(server.url) as client:
            assert len(await listing(client)) == 1000
            assert server.requests[-1].headers["accept-encoding"] == "gzip"

    assert (await watched(attempt)).longest < BLOCKED


# Bodies that drip in


def dripping(clock: Clock, seconds: float, *, pieces: int = 200, size: int = 100) -> Answer:
    """A piece of the result, and the clock goes on, until the next."""

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        if request.path.startswith("/ims/"):
            writer.write(http(200, TOKEN))
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * size))
        for _ in range(pieces):
            clock.time += timedelta(seconds=seconds)
            writer.write(b"x" * size)
            await writer.drain()
            await asyncio.sleep(0.005)

    return answer


async def test_a_result_that_drips_in_is_given_up() -> None:
    clock = Clock()
    async with raw_server(dripping(clock, 50)) as server, client_of(server.url, clock=clock) as client:
        with pytest.raises(errors.TemporarilyUnavailable, match="too slowly"):
            await download(client)
    assert len(clock.sleeps) == 0


async def test_a_result_that_never_ends_is_given_up_in_the_end() -> None:
    clock = Clock()
    answer = dripping(clock, 10, size=20_000)
    async with (
        raw_server(answer) as server,
        client_of(server.url, clock=clock, longest_download=600) as client,
    ):
        with pytest.raises(errors.TemporarilyUnavailable, match="too slowly"):
            await download(client)


async def test_a_slow_reader_makes_no_download_slow() -> None:
    clock = Clock()
    body = b"x" * MIB
    received = 0
    async with (
        raw_server(answering(http(200, body))) as server,
        client_of(server.url, clock=clock) as client,
        client.download("j") as result,
    ):
        async for chunk in result.chunks():
            received += len(chunk)
            clock.time += timedelta(hours=5)
    assert received == len(body)


# Addresses


@pytest.mark.parametrize("field", ["base_url", "token_url"])
@pytest.mark.parametrize("host", ["platform.adobe.io", "10.0.0.1", "127.0.0.1.example.com", "0.0.0.0"])
def test_nothing_is_sent_in_the_clear(field: str, host: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must begin with https"):
        config(**{field: f"http://{host}/x"})
    assert config(**{field: f"http://{host}/x", "insecure": True}).insecure


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_this_machine_may_be_asked_in_the_clear(host: str) -> None:
    assert config(base_url=f"http://{host}:8000/x")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/j.zip",
        "https://platform.adobe.io.evil.example.com/j.zip",
        "https://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "https://10.1.2.3/j.zip",
        "https://[fe80::1]/j.zip",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://localhost/j.zip",
        "https://other.blob.core.windows.net/j.zip",
    ],
)
async def test_a_result_is_fetched_from_no_other_host(url: str) -> None:
    settings = ClientConfig(client_id="a", client_secret="b", org_id="c")
    async with PrivacyServiceClient(settings) as client:
        with pytest.raises(errors.RequestRefused, match="not listed"):
            await download(client, url)


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "169.254.169.254", "10.0.0.8", "::ffff:192.168.0.1", "fd00::1"]
)
async def test_a_listed_host_that_leads_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """A name of Adobe's whose address somebody has changed."""

    async def lookup(*_: Any, **__: Any) -> list[Any]:
        return [(None, None, None, "", (inside, 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    settings = ClientConfig(client_id="a", client_secret="b", org_id="c")
    async with PrivacyServiceClient(settings) as client:
        with pytest.raises(errors.RequestRefused, match="private network"):
            await download(client, "https://va7gdprprodblob.blob.core.windows.net/x/j.zip")


async def test_a_redirect_to_another_host_is_refused_as_well() -> None:
    redirect = http(302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
    async with raw_server(answering(redirect)) as server, client_of(server.url) as client:
        with pytest.raises(errors.RequestRefused, match="not listed"):
            await download(client)


def test_hosts_of_adobe_are_listed() -> None:
    for host in (
        "platform.adobe.io",
        "va7gdprprodblob.blob.core.windows.net",
        "VA7GDPRPRODBLOB.blob.core.windows.net",
    ):
        assert addresses.is_listed(host, addresses.DOWNLOAD_HOSTS)
