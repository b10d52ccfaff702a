"""Plays one fault on one call: what is carried out, what is answered, and how the bytes leave (or do not)."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from email.utils import formatdate
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator_answers import NOT_FOUND_DETAIL, gateway_error, html_answer, json_answer, service_error
from simulator_archives import Archive, Run, blocks_of, length_of
from simulator_faults import WITHOUT_EFFECT, Fault
from simulator_state import Simulation

# The key under which the server puts the connection's transport into the ASGI scope.
TRANSPORT = "simulator.transport"
_BLOCK_SENT = 1 << 20
_OPTIONAL_FIELDS = frozenset(
    [
        "requestId",
        "submittedBy",
        "lastModifiedDate",
        "totalRecords",
        "userKey",
        "regulation",
        "retryCount",
        "processedDate",
        "message",
        "responseMsgCode",
        "responseMsgDetail",
        "results",
        "userIDs",
        "namespaceId",
        "isDeletedClientSide",
    ]
)


class BytesAnswer(Response):
    """A body of any size in bounded memory, with Content-Length or in chunks."""

    def __init__(
        self, runs: Iterable[Run], *, status: int = 200, headers: dict[str, str], known_length: bool
    ) -> None:
        self.runs = tuple(runs)
        self.status_code = status
        self.background = None
        self.length = length_of(self.runs)
        self.init_headers(headers | ({"content-length": str(self.length)} if known_length else {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for block in self.outgoing():
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await self.end(scope, receive, send)

    async def outgoing(self) -> AsyncIterator[bytes]:
        for block in _pieces(self.runs, _BLOCK_SENT):
            yield block

    async def end(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class SlowAnswer(BytesAnswer):
    """The whole body, in twenty pieces over a number of real seconds."""

    seconds: float = 0

    async def outgoing(self) -> AsyncIterator[bytes]:
        for piece in _pieces(self.runs, max(1, -(-self.length // 20))):
            yield piece
            await asyncio.sleep(self.seconds / 20)


class BrokenOffAnswer(BytesAnswer):
    """The first bytes of a body, then the connection ends in one of three ways."""

    sent_bytes: int = 0
    ending: str = "closed_early"

    async def outgoing(self) -> AsyncIterator[bytes]:
        left = self.sent_bytes
        for block in _pieces(self.runs, _BLOCK_SENT):
            if left <= 0:
                return
            yield block[:left]
            left -= len(block)

    async def end(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.ending == "chunk_broken":
            scope[TRANSPORT].write(b"this is no chunk size\r\n")
        if self.ending == "reset":
            # A reset overtakes bytes that still wait in a buffer: let the client have them first.
            await asyncio.sleep(0.05)
        await _hang_up(scope, receive, reset=self.ending == "reset")


class NoAnswer(Response):
    """The connection is closed, after `seconds` real seconds, without a byte."""

    seconds: float = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self.seconds)
        await _hang_up(scope, receive, reset=False)


async def _hang_up(scope: Scope, receive: Receive, *, reset: bool) -> None:
    transport = scope[TRANSPORT]
    if reset:
        plain = transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    # uvicorn answers 500 for an application that returns early, unless it has seen the connection end.
    while (await receive())["type"] != "http.disconnect":
        pass


def _pieces(runs: Iterable[Run], size: int) -> Iterator[bytes]:
    for block in blocks_of(runs):
        if len(block) <= size:
            yield block
        else:
            for start in range(0, len(block), size):
                yield block[start : start + size]


async def play(
    fault: Fault,
    simulation: Simulation,
    *,
    path: str,
    bearer: str,
    carry_out: Callable[[], Awaitable[Response]],
    later: Callable[[Awaitable[Any]], None],
    quote: Callable[[str], str],
) -> Response:
    """The answer to a call that suffers `fault`.

    `carry_out` does what the call asks for and gives the proper answer; `later` keeps a piece of work that
    goes on after the answer; `quote` puts parts of the call into a text. A proper answer that is a refusal (no
    token, say) is spoilt like any other.
    """
    if fault.kind in WITHOUT_EFFECT:
        return await _refused(fault, simulation, path, bearer, quote)
    if fault.kind == "delayed_creation":
        later(_after(fault.seconds, simulation, carry_out))
        return NoAnswer()
    if fault.kind == "hang_before":
        return await _after(fault.seconds, simulation, carry_out)
    answer = await carry_out()
    return await _spoilt(answer, fault, simulation, path)


async def _after(
    seconds: float, simulation: Simulation, carry_out: Callable[[], Awaitable[Response]]
) -> Response:
    """Carry out later, unless a reset has begun another life meanwhile."""
    jobs = simulation.jobs
    await asyncio.sleep(seconds)
    return await carry_out() if simulation.jobs is jobs else NoAnswer()


async def _refused(
    fault: Fault, simulation: Simulation, path: str, bearer: str, quote: Callable[[str], str]
) -> Response:
    match fault.kind:
        case "drop_before":
            answer = NoAnswer()
            answer.seconds = fault.seconds
            return answer
        case "rate_limited":
            headers = (
                {}
                if fault.retry_after is None
                else {"retry-after": _retry_after(fault.retry_after, simulation)}
            )
            return gateway_error("429050", "Too many requests", headers)
        case "token_revoked":
            simulation.revoke_token(bearer)
            return gateway_error("401013", "Oauth token is not valid.")
        case "spurious_401":
            return gateway_error("401013", "Oauth token is not valid.")
        case "refusal":
            text = quote(fault.text or "Invalid namespace: {namespaces}")
            return service_error(simulation.switches, path, fault.status, text)
        case "gone":
            return service_error(simulation.switches, path, 404, NOT_FOUND_DETAIL)
        case "quota_refusal":
            text = fault.text and quote(fault.text)
            return daily_limit_reached(simulation, path, fault.status, text)
    await asyncio.sleep(fault.seconds)
    return _error(fault, simulation, path)


async def _spoilt(answer: Response, fault: Fault, simulation: Simulation, path: str) -> Response:
    runs = answer.runs if isinstance(answer, BytesAnswer) else ((bytes(answer.body), 1),)
    length = length_of(runs)
    headers = {key: value for key, value in answer.headers.items() if key != "content-length"}

    def whole(new_runs: Iterable[Run], *, as_json: bool = False) -> Response:
        kind = {"content-type": "application/json"} if as_json else {}
        return BytesAnswer(new_runs, status=answer.status_code, headers=headers | kind, known_length=True)

    match fault.kind:
        case "drop_after":
            nothing = NoAnswer()
            nothing.seconds = fault.seconds
            return nothing
        case "hang_after":
            await asyncio.sleep(fault.seconds)
            return answer
        case "error_after":
            await asyncio.sleep(fault.seconds)
            return _error(fault, simulation, path)
        case "not_json":
            page = b"<html><body>Service is being upgraded</body></html>"
            return Response(page, status_code=answer.status_code, media_type="text/html")
        case "extra_fields" | "missing_fields" | "null_arrays" | "partial_response":
            return _reshaped(answer, fault)
        case "slow_body":
            slow = SlowAnswer(runs, status=answer.status_code, headers=headers, known_length=True)
            slow.seconds = fault.seconds
            return slow
        case "closed_early" | "reset" | "chunk_broken":
            known = fault.kind != "chunk_broken"
            broken = BrokenOffAnswer(runs, status=answer.status_code, headers=headers, known_length=known)
            broken.sent_bytes = length // 2 if fault.amount is None else min(fault.amount, max(0, length - 1))
            broken.ending = fault.kind
            return broken
        case "cut_body":
            return whole(_first(runs, length // 2 if fault.amount is None else fault.amount))
        case "zero_bytes":
            return whole(())
        case "json_error_200":
            error = service_error(simulation.switches, path, 500, "Unexpected error.")
            return json_answer(json.loads(bytes(error.body)))
        case "padded_body":
            return whole((*runs, (b"\xa5" * (1024 if fault.amount is None else fault.amount), 1)))
    return answer


def _first(runs: Iterable[Run], wanted: int) -> list[Run]:
    kept: list[Run] = []
    for block, times in runs:
        whole, rest = divmod(wanted, len(block)) if block else (0, 0)
        if whole >= times:
            kept.append((block, times))
            wanted -= len(block) * times
        else:
            kept += [(block, whole), (block[:rest], 1)]
            break
    return kept


def _error(fault: Fault, simulation: Simulation, path: str) -> Response:
    match fault.body:
        case "html":
            return html_answer(fault.status)
        case "gateway":
            return gateway_error(f"{fault.status}000", "Upstream error")
        case "empty":
            return Response(status_code=fault.status)
    return service_error(simulation.switches, path, fault.status, "Unexpected error.")


def daily_limit_reached(simulation: Simulation, path: str, status: int, text: str | None = None) -> Response:
    if status == 429:
        return gateway_error("429050", text or "Too many requests")
    return service_error(simulation.switches, path, status, text or simulation.switches.daily_limit_text)


def _retry_after(text: str, simulation: Simulation) -> str:
    kind, _, seconds = text.partition(":")
    if kind != "date":
        return text
    return formatdate(simulation.now() + simulation.switches.clock_skew_seconds + float(seconds), usegmt=True)


def _reshaped(answer: Response, fault: Fault) -> Response:
    try:
        content = json.loads(bytes(answer.body))
    except ValueError:
        return answer
    match fault.kind:
        case "extra_fields":
            content = _with_extra_fields(content)
        case "missing_fields":
            content = _without_optional_fields(content)
        case "null_arrays":
            content = _with_null_arrays(content, outermost=True)
        case "partial_response":
            missing = 1 if fault.amount is None else fault.amount
            for name in ("jobs", "jobDetails"):
                if isinstance(content.get(name), list):
                    content[name] = content[name][missing:]
                    content["totalRecords"] = len(content[name])
    return json_answer(content, answer.status_code)


def _with_extra_fields(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _with_extra_fields(value) for key, value in content.items()} | {
            "addedLater": {"since": 2027}
        }
    return [_with_extra_fields(each) for each in content] if isinstance(content, list) else content


def _without_optional_fields(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            key: _without_optional_fields(value)
            for key, value in content.items()
            if key not in _OPTIONAL_FIELDS
        }
    return [_without_optional_fields(each) for each in content] if isinstance(content, list) else content


def _with_null_arrays(content: Any, *, outermost: bool) -> Any:
    """Null for every array but those of the outermost object, which are the answer itself."""
    if isinstance(content, dict):
        keep = outermost and "jobId" not in content
        return {
            key: None if isinstance(value, list) and not keep else _with_null_arrays(value, outermost=False)
            for key, value in content.items()
        }
    return (
        [_with_null_arrays(each, outermost=False) for each in content]
        if isinstance(content, list)
        else content
    )


def archive_answer(archive: Archive, name: str, simulation: Simulation) -> BytesAnswer:
    """A result as it should be."""
    headers = {
        "content-type": simulation.switches.content_type,
        "content-disposition": f'attachment; filename="{name}.zip"',
    }
    return BytesAnswer(archive.runs, headers=headers, known_length=simulation.switches.content_length)
