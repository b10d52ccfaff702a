"""The page's JSON API, under /privacy/api. Reading what the page shows, and what a person decides about a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Response
from fastapi import Query as Parameter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, StringConstraints

from adobe_privacy.ledger.people import People, erased_file
from adobe_privacy.ledger.schema import AccessKind
from adobe_privacy.reporting.export import as_json_list, export_csv
from adobe_privacy.reporting.reports import as_json
from adobe_privacy.web.access import may_write
from adobe_privacy.web.filters import PeriodDep, QueryDep
from adobe_privacy.web.read import (
    read_evidence,
    read_manifest,
    read_needs,
    read_overview,
    read_page,
    read_report,
    read_request,
)
from adobe_privacy.web.source import Source, SourceDep

router = APIRouter()


@router.get("/overview")
def overview(source: SourceDep) -> dict[str, Any]:
    """Jobs by state, how much there is of each kind of attention, the day's quota, the figures of the last 60 days."""
    return read_overview(source)


@router.get("/attention")
def attention(
    source: SourceDep, query: QueryDep, limit: Annotated[int, Parameter(ge=1, le=500)] = 100
) -> list[dict[str, Any]]:
    """What there is of one kind of `attention`; without it, all that needs a person. Each says what to do."""
    return read_needs(source, query.attention, limit)


@router.get("/jobs")
def jobs(
    source: SourceDep, query: QueryDep, limit: Annotated[int, Parameter(ge=1, le=500)] = 50
) -> dict[str, Any]:
    """A page of the jobs that the filters leave. `next` is the query of the following page."""
    return read_page(source, query, limit)


@router.get("/export.csv")
def export(source: SourceDep, user: GetUserDep, query: QueryDep) -> StreamingResponse:
    """All the jobs that the filters leave, as CSV. It holds no formula and no identity. The ledger notes who asked."""
    _note_export(source, user, "CSV")
    return StreamingResponse(export_csv(source.ledger(), query.filters), media_type="text/csv; charset=utf-8")


@router.get("/export.json")
def export_json(source: SourceDep, user: GetUserDep, query: QueryDep) -> StreamingResponse:
    """The same as a JSON list."""
    _note_export(source, user, "JSON")
    return StreamingResponse(as_json_list(source.ledger(), query.filters), media_type="application/json")


def _note_export(source: Source, user: BaseUser, kind: str) -> None:
    with source.ledger_of(user.get_name()) as ledger:
        ledger.accesses.note(AccessKind.EXPORTED, f"the list of jobs, as {kind}")


@router.get("/request")
def request(source: SourceDep, id: str) -> dict[str, Any]:
    """One request: its jobs, each with its history and what each product answered."""
    return read_request(source, id)


@router.get("/manifest")
def manifest(source: SourceDep, job: int) -> dict[str, Any]:
    """The manifest of an archived job, or the receipt of an opt-out. `job` is the ledger's number."""
    return read_manifest(source, job)


@router.get("/report")
def report(source: SourceDep, period: PeriodDep) -> Response:
    """The figures of the requests received `from` one day `to` another, of one `regulation` or all: what the command
    `report` prints. Without days, of the last calendar year."""
    return _as_the_command(read_report(source, period))


@router.get("/evidence")
def evidence(source: SourceDep, id: str) -> Response:
    """All that ledger and archive know of a request: what the command `evidence` prints."""
    return _as_the_command(read_evidence(source, id))


def _as_the_command(value: dict[str, Any]) -> Response:
    """To the letter what the command of the same name prints."""
    return Response(as_json(value), media_type="application/json")


# Of `ledger.seen`; the ledger cannot hold a larger one.
SeenNumber = Annotated[int | None, Field(ge=0, lt=2**63)]


def seen_by(decided: Callable[..., int], seen: int | None) -> dict[str, int | None]:
    """What a decision is to be told of what its person had seen. A hold protects: it is never refused for it."""
    return {} if decided is People.hold else {"seen": seen}


class Decision(BaseModel):
    """What a person decides about a request; the reason is kept in its history for ever. `seen` is what the person had
    seen of it, from the answer of `/request` or `/jobs`: what has changed since is answered 409, but for a hold."""

    request_id: str
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400)]
    seen: SeenNumber = None


@router.post("/hold", dependencies=[Depends(may_write)])
def hold(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, Any]:
    """Puts a request on legal hold. Adobe is not stopped."""
    return _decide(source, user, decision, People.hold)


@router.post("/release", dependencies=[Depends(may_write)])
def release(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, Any]:
    """Ends a hold. 409 where the request has changed since it was `seen`, a number of `/request` or `/jobs`."""
    return _decide(source, user, decision, People.release)


@router.post("/resend", dependencies=[Depends(may_write)])
def resend(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, Any]:
    """Lets the next run send again what failed, was refused, is gone, or was not done by some product. 409 as for
    `/release`."""
    return _decide(source, user, decision, People.resend)


@router.post("/close", dependencies=[Depends(may_write)])
def close(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, Any]:
    """Nothing more happens to the request, for ever. 409 as for `/release`."""
    return _decide(source, user, decision, People.close)


def _decide(
    source: Source, user: BaseUser, decision: Decision, decided: Callable[..., int]
) -> dict[str, Any]:
    read_request(source, decision.request_id)
    with source.ledger_of(user.get_name()) as ledger:
        changed = decided(
            ledger.people, decision.request_id, decision.reason, **seen_by(decided, decision.seen)
        )
        erased = erased_file(ledger.people.request_jobs(decision.request_id))
        # A hold comes too late for these, however the page's button looks now.
        too_late = ledger.erasures.too_late(decision.request_id) if decided is People.hold else []
        return (
            {"changed": changed}
            | ({"inbox_file": erased} if erased else {})
            | ({"too_late": too_late} if too_late else {})
        )
