"""The routes that a client of Adobe sees: tokens, jobs, content and consent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from simulator_answers import (
    NOT_FOUND_DETAIL,
    Refusal,
    created_answer,
    gateway_error,
    has_result,
    html_answer,
    job_detail,
    json_answer,
    list_row,
    service_error,
)
from simulator_archives import Archive, archive_of
from simulator_clock import DAY
from simulator_faults import ARCHIVE_KINDS, Fault, Operation
from simulator_jobs import Job
from simulator_playback import archive_answer, daily_limit_reached, play
from simulator_requests import (
    CONSENT_PATH,
    JOBS_PATH,
    ListQuery,
    quoted,
    read_consent,
    read_json,
    read_list_query,
    read_new_request,
)
from simulator_state import Simulation

Answer = Callable[[], Awaitable[Response]]
# Larger results are put together in a thread: their checksum takes a while.
_LARGE_RESULT = 16 << 20


class PrivacyService:
    """The service's operations on one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._unfinished: set[asyncio.Task[Any]] = set()

    def router(self) -> APIRouter:
        router = APIRouter()
        for version in ("v2", "v3"):
            router.add_api_route(f"/ims/token/{version}", self.token, methods=["POST"])
        router.add_api_route(JOBS_PATH, self.list_jobs, methods=["GET"])
        router.add_api_route(JOBS_PATH, self.create_jobs, methods=["POST"])
        router.add_api_route(JOBS_PATH + "/{job_id}", self.detail, methods=["GET"])
        router.add_api_route(JOBS_PATH + "/{job_id}/content", self.content, methods=["GET"])
        router.add_api_route(CONSENT_PATH, self.consent, methods=["POST"])
        return router

    def blob_router(self) -> APIRouter:
        """The host of unsigned download URLs, as they were until about 2020."""
        router = APIRouter()
        router.add_api_route("/gdpr-results/usa/{folder}/{job_id}/{name}", self.blob, methods=["GET"])
        return router

    # Every operation goes through here, in this order: count, fault, gateway, service.

    async def _serve(
        self,
        operation: Operation,
        request: Request,
        carry_out: Answer,
        *,
        keys: Callable[[], Iterable[str | None]] = tuple,
        fault_holder: list[Fault] | None = None,
        quote: Callable[[str], str] = str,
    ) -> Response:
        simulation = self.simulation
        counters = simulation.counters
        counters.calls[operation] += 1

        async def answer() -> Response:
            try:
                return await carry_out()
            except Refusal as refusal:
                return refusal.answer

        fault = simulation.faults.take(operation, keys)
        if fault is None:
            response = await answer()
        else:
            counters.faults_played[fault.kind] += 1
            if fault_holder is not None:
                fault_holder.append(fault)
            response = await play(
                fault,
                simulation,
                path=request.url.path,
                bearer=_bearer(request),
                carry_out=answer,
                later=self._keep_going,
                quote=quote,
            )
        counters.statuses[f"{operation} {response.status_code}"] += 1
        return response

    def _keep_going(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)

    # Credentials

    async def token(self, request: Request) -> Response:
        """IMS: client credentials from the form or the query string."""
        fields = dict(request.query_params) | dict(
            parse_qsl((await request.body()).decode("utf-8", "replace"))
        )

        async def carry_out() -> Response:
            switches = self.simulation.switches
            if fields.get("grant_type") != "client_credentials":
                return _ims_error(400, "unsupported_grant_type", "grant_type must be client_credentials")
            for name in ("client_id", "client_secret"):
                if not _same(fields.get(name, ""), getattr(switches, name)):
                    return _ims_error(
                        switches.invalid_client_status, "invalid_client", f"invalid {name} parameter"
                    )
            asked = [scope.strip() for scope in fields.get("scope", "").split(",") if scope.strip()]
            if not set(asked) <= set(switches.scopes):
                return _ims_error(400, "invalid_scope", "the credential may not ask for one of the scopes")
            lifetime = switches.token_lifetime_seconds
            expires_in = int(lifetime * 1000 if switches.expires_in_unit == "milliseconds" else lifetime)
            token = self.simulation.issue_token()
            return json_answer({"access_token": token, "token_type": "bearer", "expires_in": expires_in})

        return await self._serve("token", request, carry_out)

    def _pass_gateway(self, request: Request, permission: str) -> None:
        """The gateway's checks, then the product profile's. Raises Refusal."""
        switches = self.simulation.switches
        api_key = request.headers.get("x-api-key", "")
        organisation = request.headers.get("x-gw-ims-org-id", "")
        if switches.account_disabled:
            raise Refusal(gateway_error("403025", "Profile is not valid"))
        if not _bearer(request):
            raise Refusal(gateway_error("403010", "Oauth token is missing."))
        if not self.simulation.token_is_good(_bearer(request)):
            raise Refusal(gateway_error("401013", "Oauth token is not valid."))
        if not api_key:
            raise Refusal(gateway_error("403000", "Api Key is required"))
        if not _same(api_key, switches.client_id):
            raise Refusal(gateway_error("403003", "Api Key is invalid"))
        if not organisation:
            raise Refusal(gateway_error("400003", "Missing header"))
        if organisation != switches.org_id:
            raise Refusal(gateway_error("403025", "Profile is not valid"))
        if permission not in switches.permissions:
            path, detail = request.url.path, "Access and permissions are required."
            if switches.permission_refusal == "1010-400":
                raise Refusal(service_error(switches, path, 400, detail, code="1010-400"))
            raise Refusal(service_error(switches, path, 403, detail))

    # Jobs

    async def list_jobs(self, request: Request) -> Response:
        simulation = self.simulation
        simulation.counters.list_calls_by_regulation[request.query_params.get("regulation", "")] += 1

        async def carry_out() -> Response:
            self._pass_gateway(request, "read")
            query = read_list_query(request.query_params, simulation.now(), simulation.switches)
            answer = self._page(query)
            self._add_jobs_between_pages(query)
            return answer

        return await self._serve("list", request, carry_out)

    def _page(self, query: ListQuery) -> Response:
        simulation, switches = self.simulation, self.simulation.switches
        now = simulation.now()
        jobs = self._listed(self._dated(query, now), query, now)
        match switches.list_order:
            case "newest_first":
                jobs.reverse()
            case "unstable":
                jobs = simulation.jobs.shuffled(jobs)
        start = query.page * query.size
        page = [] if query.out_of_pages else jobs[start : start + query.size]
        if not page and switches.empty_list == "404":
            return service_error(switches, JOBS_PATH, 404, NOT_FOUND_DETAIL)
        total = len(jobs) if switches.total_records == "total" else len(page)
        rows = [list_row(job, now, switches) for job in page]
        return json_answer({"totalRecords": total, switches.list_array: rows})

    def _dated(self, query: ListQuery, now: float) -> list[Job]:
        """Jobs in the query's window of dates, oldest creation first."""
        store, switches = self.simulation.jobs, self.simulation.switches
        if switches.list_dates == "created":
            jobs = [
                job
                for code in query.regulations
                for job in store.created_between(code, query.since, query.until)
            ]
        else:
            moment = (
                self._finished_at if switches.list_dates == "completed" else lambda job: job.modified_at(now)
            )
            candidates = (job for code in query.regulations for job in store.of_regulation(code))
            jobs = [job for job in candidates if query.since <= moment(job) < query.until]
        return jobs if len(query.regulations) == 1 else sorted(jobs, key=lambda job: job.sort_key)

    def _finished_at(self, job: Job) -> float:
        return job.finished_at(self.simulation.switches.expire_after_days)

    def _listed(self, jobs: Iterable[Job], query: ListQuery, now: float) -> list[Job]:
        """Those jobs that a list shows at this moment."""
        simulation, switches = self.simulation, self.simulation.switches
        expire = switches.expire_after_days
        jobs = [job for job in jobs if job.created_at <= now]
        if switches.list_lag_seconds:
            made_before = simulation.real_now() - switches.list_lag_seconds
            jobs = [job for job in jobs if job.made_at <= made_before]
        if switches.list_dates == "completed":
            jobs = [job for job in jobs if self._finished_at(job) <= now]
        if switches.list_forgets_with_detail:
            jobs = [job for job in jobs if not self._is_forgotten(job, now)]
        if query.status is not None:
            jobs = [job for job in jobs if job.status(now, expire) == query.status]
        return jobs

    def _is_forgotten(self, job: Job, now: float) -> bool:
        return now >= self._finished_at(job) + self.simulation.switches.detail_retention_days * DAY

    def _add_jobs_between_pages(self, query: ListQuery) -> None:
        if self.simulation.switches.jobs_added_per_list_call:
            self.simulation.make_jobs_elsewhere(
                count=self.simulation.switches.jobs_added_per_list_call,
                regulation=query.regulations[0],
                action="access",
                products=["profileService"],
                key="elsewhere-{n}",
            )

    async def create_jobs(self, request: Request) -> Response:
        body = await request.body()
        content_type = request.headers.get("content-type", "")

        async def carry_out() -> Response:
            self._pass_gateway(request, "write")
            return self._create(read_json(content_type, body), request)

        def keys() -> list[str | None]:
            try:
                return [user.get("key") for user in read_json(content_type, body)["users"]]
            except (Refusal, KeyError, TypeError, AttributeError):
                return []

        def quote(text: str) -> str:
            return quoted(text, read_json(content_type, body))

        return await self._serve("create", request, carry_out, keys=keys, quote=quote)

    def _create(self, body: Any, request: Request) -> Response:
        simulation, switches = self.simulation, self.simulation.switches
        wanted = read_new_request(body, request.headers["x-gw-ims-org-id"], switches)
        now = simulation.now()
        if simulation.jobs.created_on_day_of(now) + wanted.job_count > switches.daily_job_limit:
            return daily_limit_reached(simulation, JOBS_PATH, switches.daily_limit_status)
        request_id = simulation.jobs.new_request_id(now)
        jobs = [
            job
            for user in wanted.users
            for action in user.actions
            for job in simulation.new_jobs(
                key=user.key,
                action=action,
                regulation=wanted.regulation,
                identities=user.identities,
                products=wanted.products,
                tenant=wanted.tenant,
                created_at=now,
                request_id=request_id,
            )
        ]
        simulation.jobs.add(jobs, charged_at=now)
        simulation.keep()
        simulation.counters.jobs_created += len(jobs)
        ordered = simulation.jobs.shuffled(jobs) if switches.create_order == "shuffled" else jobs
        return created_answer(ordered, request_id, switches)

    async def detail(self, request: Request, job_id: str) -> Response:
        simulation = self.simulation

        async def carry_out() -> Response:
            self._pass_gateway(request, "read")
            job, now = simulation.jobs.get(job_id), simulation.now()
            if job is None or self._is_forgotten(job, now):
                return service_error(simulation.switches, request.url.path, 404, NOT_FOUND_DETAIL)
            job.detail_calls += 1
            return json_answer(
                job_detail(job, now, simulation.switches, download_url=self._download_url(job, request))
            )

        return await self._serve("detail", request, carry_out, keys=lambda: self._keys_of(job_id))

    def _keys_of(self, job_id: str) -> list[str | None]:
        job = self.simulation.jobs.get(job_id)
        return [job.key] if job else []

    def _download_url(self, job: Job, request: Request) -> str:
        switches = self.simulation.switches
        if "content" not in switches.permissions:
            return ""
        if switches.download_url_host == "api":
            return f"{request.url.scheme}://{request.url.netloc}{JOBS_PATH}/{job.job_id}/content"
        folder = job.job_id.replace("-", "")[:12]
        host = f"{request.url.scheme}://{request.url.hostname}:{self.simulation.blob_port}"
        return f"{host}/gdpr-results/usa/{folder}/{job.job_id}/{job.job_id}.zip"

    # Results

    async def content(self, request: Request, job_id: str) -> Response:
        faults: list[Fault] = []

        async def carry_out() -> Response:
            self._pass_gateway(request, "content")
            return await self._result(job_id, request, faults)

        return await self._serve(
            "content", request, carry_out, keys=lambda: self._keys_of(job_id), fault_holder=faults
        )

    async def blob(self, request: Request, job_id: str) -> Response:
        counters = self.simulation.counters
        counters.calls["blob"] += 1
        seen = {name for name in ("authorization", "x-api-key", "x-gw-ims-org-id") if name in request.headers}
        if seen:
            counters.credentials_seen_by_blob_host += 1
            counters.credential_headers_seen_by_blob_host |= seen
        try:
            return await self._result(job_id, request, [])
        except Refusal:
            return html_answer(404)

    async def _result(self, job_id: str, request: Request, faults: list[Fault]) -> Response:
        simulation, switches = self.simulation, self.simulation.switches
        job, now, path = simulation.jobs.get(job_id), simulation.now(), request.url.path
        if job is None:
            raise Refusal(service_error(switches, path, 404, NOT_FOUND_DETAIL))
        if not has_result(job, now, switches):
            raise Refusal(service_error(switches, path, switches.content_not_ready_status, NOT_FOUND_DETAIL))
        if now >= job.answered_at + switches.content_retention_days * DAY:
            raise Refusal(service_error(switches, path, switches.content_expired_status, NOT_FOUND_DETAIL))
        job.content_calls += 1
        fault = next((fault for fault in faults if fault.kind in ARCHIVE_KINDS), None)
        archive = await self._archive(job, fault)
        simulation.counters.content_bytes += archive.length
        return archive_answer(archive, job.job_id, simulation)

    async def _archive(self, job: Job, fault: Fault | None) -> Archive:
        switches = self.simulation.switches
        kind, amount = (fault.kind, fault.amount) if fault else (None, None)
        if fault is None and switches.result_bytes < _LARGE_RESULT:
            return archive_of(job, switches, now=self.simulation.now())
        return await asyncio.to_thread(
            archive_of, job, switches, now=self.simulation.now(), broken=kind, amount=amount
        )

    # Opt-out

    async def consent(self, request: Request) -> Response:
        body = await request.body()

        async def carry_out() -> Response:
            self._pass_gateway(request, "optout_write")
            content = read_json(request.headers.get("content-type", ""), body)
            self.simulation.note_consent(read_consent(content, self.simulation.switches))
            return Response(status_code=202)

        return await self._serve("consent", request, carry_out)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _same(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())


def _ims_error(status: int, error: str, description: str) -> Response:
    return json_answer({"error": error, "error_description": description}, status)


def add_unknown_routes(app: FastAPI) -> None:
    """Whatever has no route gets the edge's HTML, as the real gateway does."""

    async def unknown(request: Request, error: Exception) -> Response:
        return html_answer(getattr(error, "status_code", 404))

    app.add_exception_handler(404, unknown)
    app.add_exception_handler(405, unknown)
