from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from typing import Any

import pytest

from adobe_privacy.api import errors
from adobe_privacy.api.client import PrivacyServiceClient
from tests.api.fake_service import Clock, config
from tests.api.raw_server import TOKEN, Answer, Received, http, raw_server
from tests.api.test_client import REQUEST

ARCHIVE = b"PK\x03\x04" + bytes(range(256)) * 2000
DETAIL = b'{"jobId":"j","status":"complete"}'


def client_of(
    url: str, *, timeout: float = 5, attempts: int = 1, clock: Clock | None = None, **settings: Any
) -> PrivacyServiceClient:
    ticking = clock or Clock()
    settings = {"timeout": timeout, "retry_attempts": attempts} | settings
    seconds: dict[str, Any] = {} if clock is None else {"clock": lambda: ticking.time.timestamp()}
    return PrivacyServiceClient(
        config(base_url=f"{url}/p", token_url=f"{url}/ims/token/v3", **settings),
        sleep=ticking.sleep,
        now=ticking.now,
        **seconds,
    )


def answering(*answers: bytes) -> Answer:
    """Tokens for who asks for one; else the answers one after the other, the last for ever."""
    left = list(answers)

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        if request.path.startswith("/ims/"):
            writer.write(http(200, TOKEN))
        else:
            writer.write(left[0] if len(left) == 1 else left.pop(0))

    return answer


async def download(client: PrivacyServiceClient, url: str | None = None) -> bytes:
    async with client.download("j", url) as result:
        return b"".join([chunk async for chunk in result.chunks()])


def unused_url() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_result_arrives_byte_for_byte() -> None:
    async with raw_server(
        answering(http(200, ARCHIVE, headers={"Content-Type": "application/zip"}))
    ) as server:
        async with client_of(server.url) as client, client.download("j") as result:
            assert (result.content_length, result.content_type) == (len(ARCHIVE), "application/zip")
            assert b"".join([chunk async for chunk in result.chunks()]) == ARCHIVE
        sent = server.requests[-1]
        assert sent.path == "/p/jobs/j/content"
        assert sent.headers["accept-encoding"] == "identity"
        assert sent.headers["authorization"] == "Bearer raw-token"


@pytest.mark.parametrize(
    "answer",
    [
        http(200, ARCHIVE[:-1], length=len(ARCHIVE)),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nPK\x03\x04x\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nPK\x03\x04x\r\nzz\r\n",
    ],
)
async def test_a_truncated_or_broken_body_is_refused(answer: bytes) -> None:
    async with raw_server(answering(answer)) as server, client_of(server.url) as client:
        with pytest.raises(errors.TemporarilyUnavailable) as broken:
            await download(client)
        assert broken.value.__context__ is None


async def test_a_download_is_asked_for_again_before_its_first_byte_but_not_after() -> None:
    async with raw_server(answering(http(503), http(200, ARCHIVE[:9], length=99))) as server:
        async with client_of(server.url, attempts=5) as client:
            with pytest.raises(errors.TemporarilyUnavailable):
                await download(client)
        assert [request.path for request in server.requests[1:]] == ["/p/jobs/j/content"] * 2


def assert_nothing_of_ours(request: Received) -> None:
    assert not {"authorization", "x-api-key", "x-gw-ims-org-id", "cookie", "referer"} & request.headers.keys()
    assert "adobe" not in str(request.headers).lower()


async def test_a_result_elsewhere_is_fetched_without_any_of_our_headers() -> None:
    async with (
        raw_server(answering(http(200, ARCHIVE))) as blob,
        raw_server(answering(b"")) as api,
        client_of(api.url) as client,
    ):
        assert await download(client, f"{blob.url}/container/j.zip?sig=x") == ARCHIVE
        assert_nothing_of_ours(blob.requests[0])
        assert api.requests == []


async def test_a_redirect_elsewhere_takes_none_of_our_headers_along() -> None:
    async with raw_server(answering(http(200, ARCHIVE))) as blob:
        onward = http(302, headers={"Location": f"{blob.url}/j.zip", "Set-Cookie": "session=ours; Path=/"})
        async with raw_server(answering(onward)) as api, client_of(api.url) as client:
            assert await download(client) == ARCHIVE
            assert api.requests[-1].headers["authorization"] == "Bearer raw-token"
        assert_nothing_of_ours(blob.requests[0])


async def test_a_redirect_elsewhere_and_home_again_keeps_the_two_apart() -> None:
    home = ""

    async def back(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(http(302, headers={"Location": f"{home}/p/there"}))

    async with raw_server(back) as blob:
        answers = answering(http(302, headers={"Location": f"{blob.url}/away"}), http(200, ARCHIVE))
        async with raw_server(answers) as api, client_of(api.url) as client:
            home = api.url
            assert await download(client) == ARCHIVE
            assert api.requests[-1].headers["authorization"] == "Bearer raw-token"
        assert_nothing_of_ours(blob.requests[0])


async def test_a_redirect_to_nowhere_is_refused() -> None:
    async with raw_server(answering(http(302))) as api, client_of(api.url) as client:
        with pytest.raises(errors.RequestRefused):
            await download(client)


async def test_a_redirect_within_the_api_keeps_the_credential() -> None:
    answers = answering(http(302, headers={"Location": "/p/elsewhere"}), http(200, ARCHIVE))
    async with raw_server(answers) as api, client_of(api.url) as client:
        assert await download(client) == ARCHIVE
        assert api.requests[-1].path == "/p/elsewhere"
        assert api.requests[-1].headers["authorization"] == "Bearer raw-token"


@pytest.mark.parametrize(
    "path",
    [
        "/p/jobs/other/content",
        "/p/jobs/other//content",
        "/p//jobs//other/content//",
        "/p/JOBS/other/Content?v=1",
        "/p/jobs%2Fother/conten%74",
        "/p/jobs/j/%2E%2E/other/content",
    ],
)
@pytest.mark.parametrize("redirected", [False, True])
async def test_the_result_of_another_job_is_never_asked_for(path: str, redirected: bool) -> None:
    answers = [http(302, headers={"Location": path}), http(200, ARCHIVE)]
    async with raw_server(answering(*answers[not redirected :])) as api, client_of(api.url) as client:
        with pytest.raises(errors.RequestRefused, match="another job's"):
            await download(client, None if redirected else f"{api.url}{path}")
        asked = [request.path for request in api.requests if request.path.startswith("/p/")]
        assert asked == ["/p/jobs/j/content"] * redirected


@pytest.mark.parametrize(
    "path",
    [
        "/p/jobs/J/content",
        "/p/jobs//%6A/content/?of=/jobs/other/content",
        "/p/Jobs/j/content//",
        "/q/jobs/j/content",
    ],
)
@pytest.mark.parametrize("redirected", [False, True])
async def test_the_own_result_is_never_taken_for_another_s(path: str, redirected: bool) -> None:
    answers = [http(302, headers={"Location": path}), http(200, ARCHIVE)]
    async with raw_server(answering(*answers[not redirected :])) as api, client_of(api.url) as client:
        assert await download(client, None if redirected else f"{api.url}{path}") == ARCHIVE
        assert api.requests[-1].path == path


async def test_endless_redirects_end() -> None:
    async with raw_server(answering(http(302, headers={"Location": "/p/again"}))) as api:
        async with client_of(api.url) as client:
            with pytest.raises(errors.RequestRefused, match="again and again"):
                await download(client)
        assert len(api.requests) < 10


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/only/a/path", "", "http://", "http://host:port/"])
async def test_a_download_address_that_is_none_is_refused(url: str) -> None:
    async with client_of(unused_url()) as client:
        with pytest.raises(errors.RequestRefused):
            await download(client, url)


async def test_no_result_is_fetched_unencrypted_from_an_encrypted_api() -> None:
    async with raw_server(answering(http(200, ARCHIVE))) as blob:
        async with PrivacyServiceClient(config(base_url="https://api.example.com")) as client:
            with pytest.raises(errors.RequestRefused, match="not encrypted"):
                await download(client, f"{blob.url}/j.zip")
        assert blob.requests == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, errors.AddressDenied), (403, errors.AddressDenied), (404, errors.NotFound), (410, errors.NotFound),
     (500, errors.TemporarilyUnavailable)],
)  # fmt: skip
async def test_an_error_of_a_download_is_told_before_its_body(status: int, kind: type[Exception]) -> None:
    async with (
        raw_server(answering(http(status, b"<html>canary@example.com</html>"))) as blob,
        client_of(unused_url()) as client,
    ):
        with pytest.raises(kind) as refused:
            await download(client, f"{blob.url}/canary/j.zip?sig=canary")
        assert "canary" not in str(refused.value)


async def test_a_connection_dropped_after_a_creation_was_sent_leaves_its_outcome_open() -> None:
    async with raw_server(answering(b"")) as server:
        async with client_of(server.url, attempts=5) as client:
            with pytest.raises(errors.OutcomeUnknown):
                await client.create_jobs(REQUEST)
        assert [request.path for request in server.requests] == ["/ims/token/v3", "/p/jobs"]


async def test_a_creation_answered_in_part_leaves_its_outcome_open() -> None:
    async with (
        raw_server(answering(http(202, b'{"jobs":[{"jobId":"1', length=500))) as server,
        client_of(server.url) as client,
    ):
        with pytest.raises(errors.OutcomeUnknown):
            await client.create_jobs(REQUEST)


async def silent(request: Received, writer: asyncio.StreamWriter) -> None:
    if request.path.startswith("/ims/"):
        writer.write(http(200, TOKEN))
    else:
        await asyncio.sleep(30)


async def test_a_creation_that_is_never_answered_leaves_its_outcome_open() -> None:
    async with raw_server(silent) as server, client_of(server.url, timeout=0.3) as client:
        with pytest.raises(errors.OutcomeUnknown):
            await client.create_jobs(REQUEST)


async def dripping(request: Received, writer: asyncio.StreamWriter) -> None:
    if request.path.startswith("/ims/"):
        writer.write(http(200, TOKEN))
        return
    writer.write(http(200, b"{", length=1000))
    for _ in range(200):
        await asyncio.sleep(0.05)
        writer.write(b" ")
        await writer.drain()


async def test_an_answer_that_drips_in_is_cut_off() -> None:
    async with raw_server(dripping) as server, client_of(server.url, timeout=0.3) as client:
        async with asyncio.timeout(5):
            with pytest.raises(errors.TemporarilyUnavailable):
                await client.get_job("j")
            with pytest.raises(errors.OutcomeUnknown):
                await client.create_jobs(REQUEST)


async def test_connections_are_kept_and_no_two_requests_under_way_share_one() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(match[1]) if (match := re.search(rb"(?i)content-length: (\d+)", head)) else 0
                await reader.readexactly(length)
                await asyncio.sleep(0.01)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                    % len(body := TOKEN if length else DETAIL)
                    + body
                )
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with client_of(f"http://{host}:{port}") as client:
            for _ in range(3):
                await client.get_job("j")
            assert connections == 1
            for _ in range(3):
                await asyncio.gather(*(client.get_job("j") for _ in range(5)))
            assert connections == 5
            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                cancelled = group.create_task(client.get_job("j"))
                await asyncio.sleep(0.005)
                cancelled.cancel()
            await asyncio.gather(*(client.get_job("j") for _ in range(5)))
            assert connections <= 6


async def test_a_refused_connection_sent_nothing() -> None:
    async with client_of(unused_url()) as client:
        with pytest.raises(errors.ConnectionFailed, match=r"127\.0\.0\.1:\d+: no connection"):
            await client.create_jobs(REQUEST)


async def test_a_download_host_that_cannot_be_reached_is_not_named() -> None:
    async with client_of(unused_url(), download_hosts=("canary.invalid",)) as client:
        with pytest.raises(errors.ConnectionFailed) as failed:
            await download(client, "https://canary.invalid/j.zip")
        assert "canary" not in str(failed.value)


async def test_an_unknown_host_is_told_as_such() -> None:
    async with PrivacyServiceClient(
        config(token_url="https://nowhere.invalid/t", retry_attempts=1)
    ) as client:
        with pytest.raises(errors.ConnectionFailed, match="host name"):
            await client.fetch_token()


async def test_a_server_without_tls_is_told_as_such() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(400))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server, client_of(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        with pytest.raises(errors.ConnectionFailed, match="TLS"):
            await client.fetch_token()


async def test_a_thousand_results_are_fetched_over_one_pool() -> None:
    peak = now = 0

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal peak, now
        if request.path.startswith("/ims/"):
            writer.write(http(200, TOKEN))
            return
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0)
        writer.write(http(200, request.path.encode()))
        now -= 1

    async with raw_server(answer) as server, client_of(server.url) as client:
        gate = asyncio.Semaphore(32)

        async def one(number: int) -> bytes:
            async with gate, client.download(f"job-{number}") as result:
                return b"".join([chunk async for chunk in result.chunks()])

        bodies = await asyncio.gather(*(one(number) for number in range(1000)))
    assert bodies == [f"/p/jobs/job-{number}/content".encode() for number in range(1000)]
    assert len(server.requests) == 1001
    assert peak <= 32


async def test_no_log_at_any_level_holds_a_secret_a_token_an_identity_or_a_download_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio", "adobe_privacy"):
        caplog.set_level(logging.DEBUG, logger=name)
    token = TOKEN.replace(b"raw-token", b"canary-token")

    async with raw_server(answering(http(200, b"canary-content" + ARCHIVE))) as blob:
        onward = {
            "Location": f"{blob.url}/canary-address/j.zip?sig=canary-signature",
            "X-Echo": "canary-header",
        }

        async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
            if request.path.startswith("/ims/"):
                writer.write(http(200, token))
            elif request.path.endswith("/content"):
                writer.write(http(302, headers=onward))
            elif request.method == "POST":
                writer.write(
                    http(400, b'{"errors":{"detail":"canary-identity@example.com"}}', headers=onward)
                )
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary-body\r\n")

        async with raw_server(answer) as api:
            settings = config(
                base_url=f"{api.url}/p", token_url=f"{api.url}/ims/token/v3", client_secret="canary-secret",
                retry_attempts=1,
            )  # fmt: skip
            identity = (
                REQUEST.users[0].identities[0].model_copy(update={"value": "canary-identity@example.com"})
            )
            user = REQUEST.users[0].model_copy(update={"identities": (identity,)})
            async with PrivacyServiceClient(settings) as client:
                await download(client)
                with pytest.raises(errors.RequestRefused):
                    await client.create_jobs(REQUEST.model_copy(update={"users": (user,)}))
                with pytest.raises(errors.TemporarilyUnavailable):
                    await client.get_job("j")
            assert b"canary-identity" in api.requests[-2].body
            assert b"canary-secret" in api.requests[0].body
    assert "canary" not in caplog.text
    assert not [record for record in caplog.records if "canary" in repr(vars(record))]
