"""How long a body may be. What is longer is refused before it fills the memory, also where nobody said its length."""

from __future__ import annotations

from fastapi import HTTPException, Request, status
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KIB = 1024
USUAL = 64 * KIB
# By the end of the path.
LONGER = {
    "/api/requests": 1024 * KIB,
    "/api/requests/check": 1024 * KIB,
    "/api/decide": 256 * KIB,
    "/api/upload": 16 * 1024 * KIB,
    "/api/upload/check": 16 * 1024 * KIB,
}


class LimitedBodies:
    """Refuses longer bodies with 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        most = next((size for end, size in LONGER.items() if path.endswith(end)), USUAL)
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0").decode("latin-1")
        if not length.isascii() or not length.isdigit() or int(length) > most:
            await JSONResponse({"detail": _too_long(most)}, status.HTTP_413_CONTENT_TOO_LARGE)(
                scope, receive, send
            )
            return
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > most:
                raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, _too_long(most))
            return message

        await self._app(scope, counted, send)


def _too_long(most: int) -> str:
    return f"the body is longer than {most // KIB:,} KiB; put a larger file into the inbox"


async def read_body(request: Request) -> bytes:
    """The body as it came, of no more than the route's limit."""
    return await request.body()
