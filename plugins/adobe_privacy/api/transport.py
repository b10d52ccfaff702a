"""Sends requests over kept-alive connections and turns what can happen on the way into our errors.

Knows nothing of jobs or tokens. Redirects are never followed here and cookies never kept, so what a request
carries is exactly what its caller gave it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar

import httpx

from adobe_privacy import __version__, metrics, quiet_logs
from adobe_privacy.api import bodies
from adobe_privacy.api.config import ClientConfig
from adobe_privacy.api.error_bodies import error_for, speaks_of_an_error
from adobe_privacy.api.errors import (
    ConnectionFailed,
    OutcomeUnknown,
    PrivacyServiceError,
    TemporarilyUnavailable,
    UnreadableAnswer,
)
from adobe_privacy.api.routes import Routes, proxies, tls_context

USER_AGENT = f"airflow-adobe-privacy/{__version__}"
CONNECT_TIMEOUT = 15.0

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request to be made. `route` is its name in errors, `creates` whether a repetition would do harm."""

    method: str
    route: str
    url: httpx.URL = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str | int] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    creates: bool = False


class Transport:
    """The connections. `sleep` takes seconds, `now` gives an aware datetime; both are there for tests.

    Every request under way has a client of httpx to itself, and so a connection. A client that many share looks
    at all of its connections at every request, which took a quarter of the time of a thousand small results.
    There are as many as callers ever asked for at once.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        transport: httpx.AsyncBaseTransport | None,
        sleep: Callable[[float], Awaitable[None]],
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        quiet_logs.install(*quiet_logs.HTTP)
        self._config = config
        self.sleep = sleep
        self.now = now
        self._clock = clock
        self._api_host = httpx.URL(config.base_url).host
        self._ahead: timedelta | None = None
        connect = min(config.timeout, CONNECT_TIMEOUT)
        self._total_timeout = config.timeout + connect
        tls = tls_context(config.verify)
        proxy_of = proxies(config)

        def new_client() -> httpx.AsyncClient:
            return httpx.AsyncClient(
                transport=transport or Routes(tls, proxy_of),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(config.timeout, connect=connect, pool=connect),
                cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            )

        self._new_client = new_client
        self._idle: list[httpx.AsyncClient] = []
        self._busy: dict[httpx.Response, httpx.AsyncClient] = {}

    async def aclose(self) -> None:
        with quiet_logs.quiet():
            for client in [*self._idle, *self._busy.values()]:
                await client.aclose()

    async def open(self, call: Call) -> httpx.Response:
        """Send, and return once the headers of a success are there; the body is still to be read and closed.

        A redirect is returned too. Anything else raises.
        """
        failure: PrivacyServiceError
        try:
            # httpx limits each read; headers or an error that drip in need a limit as a whole.
            async with asyncio.timeout(self._total_timeout):
                with quiet_logs.quiet():
                    response = await self._counted(call)
                self._note_time(response)
                if response.is_success or (response.has_redirect_location and not call.creates):
                    return response
                failure = self._refusal(response, await self._read_error(response), call)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = self._translate(error, call)
        # Raised out here: an error chained to httpx's own could show headers or pieces of a body.
        raise failure

    def connections(self) -> int:
        return len(self._idle) + len(self._busy)

    async def _counted(self, call: Call) -> httpx.Response:
        status = metrics.NO_ANSWER
        try:
            with metrics.timed(metrics.API_TIME, method=call.method):
                response = await self._send(call)
            status = str(response.status_code)
            return response
        finally:
            metrics.count(metrics.API_CALLS, method=call.method, status=status)

    async def _send(self, call: Call) -> httpx.Response:
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            request = client.build_request(
                call.method,
                call.url,
                headers=call.headers,
                params=call.params,
                json=call.json,
                data=call.form,
            )
            response = await client.send(request, stream=True)
        except BaseException:
            self._idle.append(client)
            raise
        self._busy[response] = client
        return response

    def server_time(self) -> datetime:
        """Now by the API's own clock, as far as an answer has told it; else by ours."""
        return self.now() + (self._ahead or timedelta())

    @property
    def knows_server_time(self) -> bool:
        return self._ahead is not None

    def _note_time(self, response: httpx.Response) -> None:
        if response.url.host == self._api_host:
            with contextlib.suppress(TypeError, ValueError):
                told = parsedate_to_datetime(response.headers["date"]) if "date" in response.headers else None
                if told is not None and told.tzinfo is not None:
                    self._ahead = told - self.now()

    async def exchange(self, call: Call) -> bytes:
        """Send, and return the body of a success."""
        failure: PrivacyServiceError
        try:
            # httpx limits each read; a body that drips in needs a limit as a whole.
            async with asyncio.timeout(self._total_timeout):
                response = await self.open(call)
                if response.is_success:
                    return await self._whole(response, call)
                await self.close(response)
                failure = self._refusal(response, b"", call)
        except TimeoutError:
            failure = self._broken_off(call)
        raise failure

    async def accepted(self, call: Call) -> None:
        """Send what is answered without a word. Raises OutcomeUnknown where an error comes with the success."""
        if speaks_of_an_error(await self.exchange(call)):
            raise OutcomeUnknown(
                "the status says success, and the body is an error or somebody else's page: the request may have been "
                "taken or not.",
                method=call.method,
                route=call.route,
            )

    async def _whole(self, response: httpx.Response, call: Call) -> bytes:
        """A body that is to be read as one, without its content coding and within its limit."""
        body = bytearray()
        try:
            async for chunk in self.chunks(response, call):
                body += chunk
                if len(body) > bodies.MAX_ANSWER:
                    raise bodies.Unacceptable(f"is larger than {bodies.MAX_ANSWER} bytes")
            return bodies.decoded(bytes(body), content_coding(response), bodies.MAX_ANSWER)
        except bodies.Unacceptable as problem:
            failure = self._unacceptable(str(problem), call)
        raise failure

    async def chunks(self, response: httpx.Response, call: Call) -> AsyncIterator[bytes]:
        """The body as it arrives, still in its content coding, and closed at its end.

        Raises where it breaks off before it is complete, or is slower than the config allows.
        """
        body = response.aiter_raw()
        expected = content_length(response)
        received = 0
        pace = bodies.Pace(self._config.least_rate, self._config.longest_download, self._clock)
        failure: PrivacyServiceError | None = None
        try:
            while failure is None:
                pace.wait()
                try:
                    with quiet_logs.quiet():
                        chunk = await anext(body)
                except StopAsyncIteration:
                    break
                except (httpx.HTTPError, OSError):
                    failure = self._broken_off(call)
                else:
                    received += len(chunk)
                    if not pace.arrived(len(chunk)):
                        failure = self._too_slow(call)
                        break
                    yield chunk
        finally:
            await self.close(response)
        if failure is None and expected is not None and received != expected:
            failure = self._broken_off(call)
        if failure is not None:
            raise failure

    async def close(self, response: httpx.Response) -> None:
        with quiet_logs.quiet():
            await response.aclose()
        # One that could not be closed keeps its client, which may still be receiving.
        if (client := self._busy.pop(response, None)) is not None:
            self._idle.append(client)

    async def repeating(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat what may safely be repeated until it succeeds, the attempts are used up or the time is.

        Waits as long as Retry-After asks, else with exponential back-off and full jitter. Where the wait would be
        longer than the cap, nothing is sent again. The last failure is raised.
        """
        started = self.now()
        for number in range(self._config.retry_attempts):
            try:
                return await attempt()
            except (ConnectionFailed, TemporarilyUnavailable, UnreadableAnswer) as error:
                wait = self._wait(number, error)
                spent = (self.now() - started).total_seconds()
                last = (
                    number + 1 == self._config.retry_attempts
                    or spent + wait > self._config.retry_budget
                    # Whoever called may wait that long: the error says until when.
                    or wait > self._config.retry_after_cap
                )
                # A token request within this attempt has been repeated already.
                if last or error.given_up:
                    error.given_up = True
                    raise
            await self.sleep(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _wait(self, number: int, error: PrivacyServiceError) -> float:
        if isinstance(error, TemporarilyUnavailable) and error.retry_after is not None:
            return error.retry_after
        longest = min(self._config.retry_base_delay * 2**number, self._config.retry_after_cap)
        return random.uniform(0, longest)

    async def _read_error(self, response: httpx.Response) -> bytes:
        """The body of an error answer as far as it can be read: it only refines what the status says."""
        body = bytearray()
        try:
            with quiet_logs.quiet():
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > bodies.MAX_ERROR:
                        return b""
            return bodies.decoded(bytes(body), content_coding(response), bodies.MAX_ERROR)
        except (httpx.HTTPError, OSError, bodies.Unacceptable):
            return b""
        finally:
            await self.close(response)

    def _refusal(self, response: httpx.Response, body: bytes, call: Call) -> PrivacyServiceError:
        return error_for(
            call.method,
            call.route,
            response.status_code,
            response.headers,
            body,
            creates=call.creates,
            now=self.now(),
        )

    def _translate(self, error: Exception, call: Call) -> PrivacyServiceError:
        if isinstance(
            error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError
        ):
            return ConnectionFailed(
                f"{self._place(call)}: {_why_no_connection(error)}", method=call.method, route=call.route
            )
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
            return ConnectionFailed(
                "the address is not usable. Check the base URL and the token URL.",
                method=call.method,
                route=call.route,
            )
        return self._broken_off(call)

    def _place(self, call: Call) -> str:
        """Host and port of an address from the settings; any other may be all that is needed for a result."""
        host, port = call.url.host, call.url.port
        configured = {httpx.URL(self._config.base_url).host, httpx.URL(self._config.token_url).host}
        return (f"{host}:{port}" if port else host) if host in configured else "another host"

    def _too_slow(self, call: Call) -> PrivacyServiceError:
        return TemporarilyUnavailable(
            "the download came too slowly and was given up. Try again later.",
            method=call.method,
            route=call.route,
        )

    def _unacceptable(self, what: str, call: Call) -> PrivacyServiceError:
        if call.creates:
            return OutcomeUnknown(
                f"the request was accepted, but the answer {what}. Look for its jobs in the listing before sending "
                "it again.",
                method=call.method,
                route=call.route,
            )
        return UnreadableAnswer(f"the answer {what}.", method=call.method, route=call.route)

    def _broken_off(self, call: Call) -> PrivacyServiceError:
        if call.creates:
            return OutcomeUnknown(
                "the connection broke off or timed out after the request had begun to be sent. Look for its "
                "jobs in the listing before sending it again.",
                method=call.method,
                route=call.route,
            )
        return TemporarilyUnavailable(
            "the connection broke off or timed out before the answer was complete. Try again later.",
            method=call.method,
            route=call.route,
        )


def content_length(response: httpx.Response) -> int | None:
    """The number of bytes that `chunks` will give, None where the answer does not tell."""
    value = response.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() else None


def content_coding(response: httpx.Response) -> str:
    """How the body is coded, empty where it is not."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    return "" if coding == "identity" else str(coding)


def _why_no_connection(error: BaseException) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "no trusted TLS connection. Check the certificate authorities (verify) and the proxy."
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "the host name is not known. Check the address and the network."
    if isinstance(error, httpx.ProxyError):
        return "the proxy refuses the connection. Check the proxy's address and credentials."
    if isinstance(error, httpx.TimeoutException):
        return "no connection within the time limit. Check the address, the firewall and the proxy."
    return "no connection. Check the address, the network and the proxy."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
