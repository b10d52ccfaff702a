"""The page's JSON API, under /privacy/api. Reading what the page shows, holding and releasing requests."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends
from fastapi import Query as Parameter
from pydantic import BaseModel, StringConstraints

from adobe_privacy.web.access import may_write
from adobe_privacy.web.filters import QueryDep
from adobe_privacy.web.read import read_manifest, read_overview, read_page, read_request
from adobe_privacy.web.source import SourceDep

router = APIRouter()


@router.get("/overview")
def overview(source: SourceDep) -> dict[str, Any]:
    return read_overview(source)


@router.get("/jobs")
def jobs(
    source: SourceDep, query: QueryDep, limit: Annotated[int, Parameter(ge=1, le=500)] = 50
) -> dict[str, Any]:
    return read_page(source, query, limit)


@router.get("/request")
def request(source: SourceDep, id: str) -> dict[str, Any]:
    return read_request(source, id)


@router.get("/manifest")
def manifest(source: SourceDep, job: int) -> dict[str, Any]:
    return read_manifest(source, job)


class Decision(BaseModel):
    """What a person decides about a request; the reason is kept in its history for ever."""

    request_id: str
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400)]


@router.post("/hold", dependencies=[Depends(may_write)])
def hold(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, int]:
    read_request(source, decision.request_id)
    with source.ledger_of(user.get_name()) as ledger:
        return {"changed": ledger.hold(decision.request_id, decision.reason)}


@router.post("/release", dependencies=[Depends(may_write)])
def release(source: SourceDep, user: GetUserDep, decision: Decision) -> dict[str, int]:
    read_request(source, decision.request_id)
    with source.ledger_of(user.get_name()) as ledger:
        return {"changed": ledger.release(decision.request_id, decision.reason)}
