"""What stands between us and a store, and fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

FULL = b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Passes bytes on, but for what `fault` says.

    `full`: whatever is written is refused with 507. `cut`: connections end once 3 MB were sent.
    `answer lost`: of the first manifest that is written the server's answer is thrown away.
    """

    def __init__(self, endpoint: str, fault: str) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path
        self.fault = fault
        self.struck = 0
        self.endpoint = ""

    async def answer(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, on = await asyncio.open_connection(self._host, self._port)
        lost = asyncio.Event()
        answers = asyncio.create_task(self._answers(server, back, lost))
        sent = 0
        with suppress(ConnectionError):
            while data := await client.read(65536):
                sent += len(data)
                writes = data.startswith((b"PUT ", b"POST "))
                if self.fault == "full" and writes:
                    self.struck += 1
                    back.write(FULL)
                    break
                if self.fault == "cut" and sent > 3_000_000:
                    self.struck += 1
                    break
                if self.fault == "answer lost" and writes and b"manifest" in data[:500] and not self.struck:
                    self.struck += 1
                    lost.set()
                on.write(data)
                await on.drain()
            if lost.is_set():
                await answers
        answers.cancel()
        for writer in (on, back):
            writer.close()

    async def _answers(
        self, server: asyncio.StreamReader, back: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await server.read(65536):
                if lost.is_set():
                    break
                back.write(data)
                await back.drain()
        back.close()


@asynccontextmanager
async def proxy(endpoint: str, fault: str) -> AsyncIterator[Proxy]:
    passing = Proxy(endpoint, fault)
    listener = await asyncio.start_server(passing.answer, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    passing.endpoint = f"http://{host}:{port}{urlsplit(endpoint).path}"
    yield passing
    listener.close()
