"""The page's JSON API, under /privacy/api. Reading what the page shows, and what a person decides about a request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Response
from fastapi import Query as Parameter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, StringConstraints

from adobe_privacy.ledger.people import People, erased_file
from adobe_privacy.reporting.export import export_csv, export_rows
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
    return read_overview(source)


@router.get("/attention")
def attention(
    source: SourceDep, query: QueryDep, limit: Annotated[int, Parameter(ge=1, le=500)] = 100
) -> list[dict[str, Any]]:
    return read_needs(source, query.attention, limit)


@router.get("/jobs")
def jobs(
    source: SourceDep, query: QueryDep, limit: Annotated[int, Parameter(ge=1, le=500)] = 50
) -> dict[str, Any]:
    return read_page(source, query, limit)


@router.get("/export.csv")
def export(source: SourceDep, query: QueryDep) -> StreamingResponse:
    """All the jobs that the filters leave, as CSV."""
    return StreamingResponse(export_csv(source.ledger(), query.filters), media_type="text/csv; charset=utf-8")


@router.get("/export.json")
def export_json(source: SourceDep, query: QueryDep) -> StreamingResponse:
    """The same as a JSON list."""

    def pieces() -> Iterator[str]:
        before = "["
        for row in export_rows(source.ledger(), query.filters):
            yield before + json.dumps(row, default=str)
            before = ",\n"
        yield "]\n" if before != "[" else "[]\n"

    return StreamingResponse(pieces(), media_type="application/json")


@router.get("/request")
def request(source: SourceDep, id: str) -> dict[str, Any]:
    return read_request(source, id)


@router.get("/manifest")
def manifest(source: SourceDep, job: int) -> dict[str, Any]:
    return read_manifest(source, job)


@router.get("/report")
def report(source: SourceDep, period: PeriodDep) -> Response:
    return _as_the_command(read_report(source, period))


@router.get("/evidence")
def evidence(source: SourceDep, id: str) -> Response:
    return _as_the_command(read_evidence(source, id))


def _as_the_command(value: dict[str, Any]) -> Response:
    """To the letter what the command of the same name prints."""
    return Response(as_json(value), media_type="application/json")


class Decision(BaseModel):
    """What a person decides about a request; the reason is kept in its history for ever."""

    request_id: str
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400)]


@router.post("/hold", dependencies=[Depends(may_write)])
def hold(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, Any]:
    return _decide(source, user, decision, People.hold)


@router.post("/release", dependencies=[Depends(may_write)])
def release(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, Any]:
    return _decide(source, user, decision, People.release)


@router.post("/resend", dependencies=[Depends(may_write)])
def resend(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, Any]:
    return _decide(source, user, decision, People.resend)


@router.post("/close", dependencies=[Depends(may_write)])
def close(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, Any]:
    return _decide(source, user, decision, People.close)


def _decide(
    source: Source, user: BaseUser, decision: Decision, decided: Callable[[People, str, str], int]
) -> dict[str, Any]:
    read_request(source, decision.request_id)
    with source.ledger_of(user.get_name()) as ledger:
        changed = decided(ledger.people, decision.request_id, decision.reason)
        erased = erased_file(ledger.people.request_jobs(decision.request_id))
        # A hold comes too late for these, however the page's button looks now.
        too_late = ledger.erasures.too_late(decision.request_id) if decided is People.hold else []
        return (
            {"changed": changed}
            | ({"inbox_file": erased} if erased else {})
            | ({"too_late": too_late} if too_late else {})
        )
