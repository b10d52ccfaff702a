"""The client of Adobe's Privacy Service: listing, jobs, results and opt-outs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from adobe_privacy.api.access_token import AccessToken
from adobe_privacy.api.addresses import is_listed, is_loopback, leads_inside
from adobe_privacy.api.bodies import ACCEPTED, parse
from adobe_privacy.api.config import ClientConfig
from adobe_privacy.api.downloads import CONTENT, Download, address_of, origin, refuse_other, refused_address
from adobe_privacy.api.errors import (
    AddressDenied,
    AuthenticationFailed,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    PrivacyServiceError,
    RateLimited,
    RequestRefused,
    UnreadableAnswer,
)
from adobe_privacy.api.listing import Listing, is_news, until, windows
from adobe_privacy.api.models import (
    ConsentRequest,
    CreatedJobs,
    CreateJobsRequest,
    JobDetail,
    JobStatus,
    JobSummary,
    ListPage,
)
from adobe_privacy.api.transport import USER_AGENT, Call, Transport, content_coding, content_length
from adobe_privacy.plain_text import plain_logger

__all__ = ["ClientConfig", "Download", "PrivacyServiceClient"]

logger = plain_logger(__name__)

MAX_REDIRECTS = 5
# Seconds before a new token that was refused is tried again.
PAUSES_AFTER_401 = (1.0, 5.0)
ELSEWHERE = "download from another host"

T = TypeVar("T")


class PrivacyServiceClient:
    """One organisation's Privacy Service: an async context manager, safe for concurrent calls in one loop.

    GETs and token requests are repeated within the limits of the config. `create_jobs` and `send_consent`
    are sent at most once, apart from repetitions with a new token after a 401, by which the gateway says
    that it let nothing through. A call that is cancelled while `create_jobs` or `send_consent` is under way
    leaves open whether it was carried out, just as `OutcomeUnknown` does.

    Every call may raise the errors of `adobe_privacy.api.errors`. No secret, token, identity or download
    address is logged or put into an error, at any log level.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._transport = Transport(config, transport=transport, sleep=sleep, now=now, clock=clock)
        # A proxy looks up the names of hosts by itself.
        self._looks_up_hosts = transport is None and config.proxy is None
        self.connections = self._transport.connections
        self._token = AccessToken(config, self._transport)
        self._listing = Listing(config.page_size)
        # The user keys of rows that lists had without a usable job id.
        self.keys_without_id = self._listing.keys_without_id
        # Whether the service takes a `toDate` after today; None until that was seen.
        self._takes_future: bool | None = None
        self._base = httpx.URL(config.base_url.rstrip("/"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._token.aclose()
        await self._transport.aclose()

    async def fetch_token(self) -> None:
        """Make sure of a usable token, and call nothing else: shows whether the credential works."""
        await self._token.get()

    def server_time(self) -> datetime:
        """Now, by the service's clock where an answer has shown it: its date filters go by that one."""
        return self._transport.server_time()

    @property
    def lists_all_of_today(self) -> bool:
        """Whether lists are asked beyond today. Otherwise those jobs of today may be missing: it is not documented
        whether `toDate` itself is listed."""
        return self._takes_future is not False

    async def learn_server_time(self) -> None:
        """Asks the service for something small, unless it has answered already: `server_time` is by its clock
        then. Raises as `list_jobs` does where no answer told the time."""
        if not self._transport.knows_server_time:
            today = self.server_time().date()
            try:
                async for _ in self.list_jobs("gdpr", from_date=today, to_date=today, thorough=False):
                    break
            except (AuthenticationFailed, RateLimited):
                raise
            except PrivacyServiceError:
                if not self._transport.knows_server_time:
                    raise

    async def list_jobs(
        self,
        regulation: str,
        *,
        from_date: date,
        to_date: date,
        status: JobStatus | None = None,
        filter_date: date | None = None,
        thorough: bool = True,
    ) -> AsyncIterator[JobSummary]:
        """The jobs of one regulation code, each once, in no order; once more where it is first listed as open.

        Dates are days in GMT. Any span is cut into the 30 days that the service takes; it looks back 45
        days and refuses more. Which of a job's dates counts, and whether `to_date` is within, is not
        documented. A job made under a retired code is found under that code only. A listing costs
        one call per page, and mostly one more: for it is not known how many rows make a full page until the
        service has shown it. Where rows move while pages are read, or may have (`status`), pages are read
        again; not so with `thorough=False`, for callers to whom a missed job is no harm.
        """
        params: dict[str, str | int] = {"regulation": regulation}
        if status is not None:
            params["status"] = status.value
        if filter_date is not None:
            params["filterDate"] = filter_date.isoformat()
        seen: dict[str, bool] = {}
        for start, end in windows(from_date, to_date):
            async for job in self._list_window(params, start, end, thorough=thorough):
                if is_news(job, seen):
                    yield job

    async def _list_window(
        self, params: Mapping[str, str | int], start: date, end: date, *, thorough: bool
    ) -> AsyncIterator[JobSummary]:
        """The jobs of one window, perhaps some twice. Whether a `toDate` after today is taken is not documented: where
        the service refuses it, today is asked for."""
        if self._takes_future is False:
            start, end = until(self.server_time().date(), start, end)
        try:
            async for job in self._list_days(params, start, end, thorough=thorough):
                yield job
            if end > self.server_time().date():
                self._takes_future = True
            return
        except RequestRefused as error:
            today = self.server_time().date()  # by the clock that the refusal told
            # Where the date is not to blame, the same would be refused again.
            if end <= today or self._takes_future or error.field not in (None, "toDate"):
                raise
        start, end = until(today, start, end)
        async for job in self._list_days(params, start, end, thorough=thorough):
            yield job
        self._takes_future = False

    async def _list_days(
        self, params: Mapping[str, str | int], start: date, end: date, *, thorough: bool
    ) -> AsyncIterator[JobSummary]:
        dated = {**params, "fromDate": start.isoformat(), "toDate": end.isoformat()}

        async def fetch(page: int, size: int) -> ListPage | None:
            return await self._list_page({**dated, "page": page, "size": size})

        async for job in self._listing.jobs(fetch, filtered="status" in params, thorough=thorough):
            yield job.plausible(self.server_time())

    async def create_jobs(self, request: CreateJobsRequest) -> CreatedJobs:
        """Submit the request, at most once; one job comes of each user and action.

        Only `OutcomeUnknown` leaves open whether jobs were created; after any other error none was. The
        answer is not compared with the request: a service that left out a user gives fewer jobs.
        """
        if request.org_id != self._config.org_id:
            raise RequestRefused(
                "nothing was sent: the request's organisation is not the connection's.",
                field="companyContexts",
                method="POST",
                route="/jobs",
            )
        call = self._call("POST", "/jobs", self._url("jobs"), json=request.to_wire(), creates=True)
        body = await self._with_token(call, self._transport.exchange)
        created = parse(CreatedJobs, body)
        if created is None:
            raise OutcomeUnknown(
                "the request was accepted, but the answer names no jobs. Look for them in the listing before "
                "sending it again.",
                method="POST",
                route="/jobs",
            )
        return created

    async def get_job(self, job_id: str) -> JobDetail:
        """One job with what each product says. Raises `NotFound` from 30 days after its completion."""
        call = self._call("GET", "/jobs/{id}", self._job_url(job_id))

        async def attempt() -> JobDetail:
            body = await self._with_token(call, self._transport.exchange)
            detail = parse(JobDetail, body, {"jobId": job_id})
            if detail is None or detail.job_id != job_id:
                raise UnreadableAnswer(
                    "the answer is not this job's detail. If it stays so, the API has changed.",
                    method="GET",
                    route="/jobs/{id}",
                )
            believed = detail.plausible(self.server_time())
            if believed is not detail:
                logger.warning("A date of Adobe's job %s cannot be: it is taken for unknown", job_id)
            return believed

        return await self._transport.repeating(attempt)

    @asynccontextmanager
    async def _download(self, job_id: str, url: str | None) -> AsyncIterator[Download]:
        target = self._job_url(job_id, "/content") if url is None else address_of(url)
        response, call = await self._transport.repeating(lambda: self._open_download(target, job_id))
        try:
            yield Download(
                content_length=content_length(response),
                content_type=response.headers.get("content-type"),
                _response=response,
                _call=call,
                _transport=self._transport,
            )
        finally:
            await self._transport.close(response)

    def download(self, job_id: str, url: str | None = None) -> AbstractAsyncContextManager[Download]:
        """Open a job's result: at `url`, the detail's `download_url`, or else at the API's own `/content`.

        Only the API's own origin (scheme, host and port) is sent the credential; any other, be it `url` or
        reached by a redirect, gets no header of ours. From an https API nothing is fetched over plain http. A host
        that is neither the API's nor one of the config's `download_hosts` is refused, and so is an address of a
        private network, or of another job's result. A result in a content coding is refused: its size would not be
        known.
        Errors before the first byte are raised on entering, after the usual repetitions; a download that
        breaks off later is not resumed.
        """
        return self._download(job_id, url)

    async def send_consent(self, request: ConsentRequest) -> None:
        """Send opt-outs of sale, at most once. The service gives no id: there is nothing to follow up."""
        call = self._call("POST", "/consent", self._url("consent"), json=request.to_wire(), creates=True)
        await self._with_token(call, self._transport.accepted)

    async def _list_page(self, params: Mapping[str, str | int]) -> ListPage | None:
        call = self._call("GET", "/jobs", self._url("jobs"), params=params)

        async def attempt() -> ListPage | None:
            try:
                body = await self._with_token(call, self._transport.exchange)
            except NotFound as error:
                if error.job_data:
                    return None  # how the service says that nothing matches
                raise
            page = parse(ListPage, body)
            if page is None:
                raise UnreadableAnswer(
                    "the answer is not a listing of jobs. If it stays so, the API has changed.",
                    method="GET",
                    route="/jobs",
                )
            return page

        return await self._transport.repeating(attempt)

    async def _open_download(self, target: httpx.URL, job_id: str) -> tuple[httpx.Response, Call]:
        for _ in range(MAX_REDIRECTS + 1):
            call = self._download_call(target, job_id)
            response = await (
                self._with_token(call, self._transport.open)
                if self._is_own(target)
                else self._open_elsewhere(call)
            )
            if response.is_success:
                if content_coding(response):
                    await self._transport.close(response)
                    raise UnreadableAnswer(
                        "the result comes in a content coding, which was not asked for.",
                        method="GET",
                        route=call.route,
                    )
                return response, call
            location = response.headers["location"]
            await self._transport.close(response)
            target = address_of(location, target)
        raise RequestRefused("the download redirects again and again.", method="GET", route=call.route)

    async def _open_elsewhere(self, call: Call) -> httpx.Response:
        failure: PrivacyServiceError
        if self._looks_up_hosts and not self._is_home(call.url.host) and await leads_inside(call.url.host):
            raise refused_address("the download address leads into a private network", call.route)
        try:
            return await self._transport.open(call)
        except (AuthenticationFailed, PermissionDenied) as error:
            failure = AddressDenied(
                "the download address does not let us in; it may have expired. Ask for the job anew.",
                method="GET",
                route=call.route,
                status=error.status,
            )
        raise failure

    def _download_call(self, target: httpx.URL, job_id: str) -> Call:
        if self._is_own(target):
            refuse_other(target, job_id)
            call = self._call("GET", CONTENT, target)
            return replace(call, headers={**call.headers, "Accept-Encoding": "identity"})
        if self._base.scheme == "https" and target.scheme != "https":
            raise refused_address(
                "the download address is not encrypted (http), and results are personal data", ELSEWHERE
            )
        if not self._is_home(target.host) and not is_listed(target.host, self._config.download_hosts):
            raise refused_address(
                "the download address is at a host that is not listed. Look at where Adobe keeps the result, and add "
                "the host to extra.download_hosts",
                ELSEWHERE,
            )
        return Call("GET", ELSEWHERE, target, headers={"Accept-Encoding": "identity"})

    async def _with_token(self, call: Call, send: Callable[[Call], Awaitable[T]]) -> T:
        """Send with a token; after a 401 with a new one, and with that one again after each pause.

        The gateway says 401 before it lets anything through, so a request that creates may be sent again. It was
        seen to refuse a token right after the token was given out.
        """
        token = await self._token.get()
        pauses = iter((0.0, *PAUSES_AFTER_401))
        while True:
            try:
                return await send(_authorised(call, token))
            except AuthenticationFailed as error:
                pause = next(pauses, None)
                if error.status != 401 or pause is None:
                    raise
            if pause:
                await self._transport.sleep(pause)
            else:
                token = await self._token.get(refused=token)

    def _call(
        self,
        method: str,
        route: str,
        url: httpx.URL,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        creates: bool = False,
    ) -> Call:
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED,
            "x-api-key": self._config.client_id,
            "x-gw-ims-org-id": self._config.org_id,
        }
        return Call(method, route, url, headers=headers, params=params, json=json, creates=creates)

    def _url(self, path: str) -> httpx.URL:
        return httpx.URL(f"{self._base}/{path}")

    def _job_url(self, job_id: str, suffix: str = "") -> httpx.URL:
        if not job_id.strip("."):
            raise RequestRefused("a job's id is needed.", field="jobId", method="GET", route="/jobs/{id}")
        return self._url(f"jobs/{quote(job_id, safe='')}{suffix}")

    def _is_own(self, url: httpx.URL) -> bool:
        return origin(url) == origin(self._base)

    def _is_home(self, host: str) -> bool:
        """Whether a host is the API's own, at whatever port."""
        return host == self._base.host or (is_loopback(host) and is_loopback(self._base.host))


def _authorised(call: Call, token: str) -> Call:
    return replace(call, headers={**call.headers, "Authorization": f"Bearer {token}"})
