"""A real HTTP server handing out results, well or badly, and downloads from it with httpx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from adobe_privacy.archive import Download, OpenDownload


@dataclass
class Result:
    """A body and how it is served.

    `announced` is the Content-Length sent, by default the right one, `None` for a chunked body; `cut_after`
    drops the connection after so many bytes; `pause` waits that many seconds between two pieces.
    """

    body: bytes
    announced: int | None = -1
    cut_after: int | None = None
    pause: float = 0
    piece: int = 256 * 1024
    requests: int = 0


@dataclass
class ResultsServer:
    client: httpx.AsyncClient
    url: str = ""
    results: list[Result] = field(default_factory=list)

    def add(self, result: Result | bytes) -> tuple[Result, OpenDownload]:
        result = Result(result) if isinstance(result, bytes) else result
        self.results.append(result)
        url = f"{self.url}/{len(self.results) - 1}"

        @asynccontextmanager
        async def download() -> AsyncIterator[Download]:
            async with self.client.stream("GET", url) as response:
                yield HttpDownload(response)

        return result, download

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                result = self.results[int(request.split()[1].strip(b"/"))]
                result.requests += 1
                if not await self._send(result, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _send(self, result: Result, writer: asyncio.StreamWriter) -> bool:
        announced = len(result.body) if result.announced == -1 else result.announced
        length = "Transfer-Encoding: chunked" if announced is None else f"Content-Length: {announced}"
        writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode())
        body = result.body if result.cut_after is None else result.body[: result.cut_after]
        for at in range(0, len(body), result.piece):
            piece = body[at : at + result.piece]
            writer.write(piece if announced is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(result.pause)
        if result.cut_after is None and announced is None:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return result.cut_after is None and announced in (None, len(body))


@dataclass
class HttpDownload:
    response: httpx.Response

    @property
    def content_length(self) -> int | None:
        length = self.response.headers.get("Content-Length")
        return None if length is None else int(length)

    def chunks(self) -> AsyncIterator[bytes]:
        return self.response.aiter_raw()


class FromMemory:
    """A download without a network, for bodies that no HTTP client would pass on."""

    def __init__(self, body: bytes, content_length: int | None = None, piece: int = 256 * 1024) -> None:
        self.body, self.content_length, self.piece = body, content_length, piece

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.body), self.piece):
            yield self.body[at : at + self.piece]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Download]:
        yield self


@asynccontextmanager
async def results_server() -> AsyncIterator[ResultsServer]:
    async with httpx.AsyncClient(timeout=10) as client:
        server = ResultsServer(client)
        listener = await asyncio.start_server(server.answer, "127.0.0.1", 0)
        host, port = listener.sockets[0].getsockname()
        server.url = f"http://{host}:{port}"
        yield server
        listener.close()
