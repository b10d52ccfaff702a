"""Handing in: one request as JSON, or a file of any format that the inbox takes. Nothing of a body is logged."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response, status

from adobe_privacy.intake.hand_in import KINDS, Answer, HandedIn, examine, hand_in
from adobe_privacy.web.access import may_upload, may_write
from adobe_privacy.web.bodies import read_body
from adobe_privacy.web.source import Source, SourceDep

router = APIRouter()

BodyDep = Annotated[bytes, Depends(read_body)]
_EXAMPLE = {
    "request_id": "DSR-2026-000123",
    "regulation": "gdpr",
    "actions": ["access", "delete"],
    "identities": [{"namespace": "email", "value": "dsmith@example.com"}],
    "products": ["analytics", "profileService"],
}
_REQUESTS = {
    "requestBody": {
        "required": True,
        "description": "One request, a list of requests, or the body of Adobe's own API: what a *.json file of the "
        "inbox may hold.",
        "content": {"application/json": {"schema": {"type": ["object", "array"]}, "example": _EXAMPLE}},
    }
}
_FILE = {
    "requestBody": {
        "required": True,
        "description": "A file as the inbox takes it.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    201: {"description": "Handed in: the file was kept in today's inbox folder."},
    200: {"description": "All requests were there before with the same content. Nothing was written."},
    409: {"description": "A request id is known with other content. Nothing was written."},
    413: {"description": "The body is too long. Nothing was written."},
    415: {"description": "The body has another content type."},
    422: {"description": "Intake would refuse a request. Nothing was written."},
}


def _kind(x_file_kind: Annotated[str, Header(description=f"one of {', '.join(KINDS)}")]) -> str:
    kind = x_file_kind.strip().lower().removeprefix(".")
    if kind not in KINDS:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"X-File-Kind: one of {', '.join(KINDS)}")
    return kind


KindDep = Annotated[str, Depends(_kind)]


@router.post(
    "/requests",
    dependencies=[Depends(may_write)],
    responses=_ANSWERS,
    openapi_extra=_REQUESTS,
    status_code=201,
)
def hand_in_requests(
    source: SourceDep, user: GetUserDep, body: BodyDep, response: Response
) -> dict[str, Any]:
    """Hands in requests. Idempotent by request id: a request that was handed in before with the same content is
    answered `known`, and a body whose requests are all known changes nothing."""
    return _kept(source, user.get_name(), body, "json", response)


@router.post("/requests/check", dependencies=[Depends(may_write)], openapi_extra=_REQUESTS)
def check_requests(source: SourceDep, body: BodyDep) -> dict[str, Any]:
    """What `/requests` would answer. Keeps nothing."""
    return _examined(source, body, "json")


@router.post("/requests/next-id", dependencies=[Depends(may_write)])
def next_id(source: SourceDep, user: GetUserDep) -> dict[str, str]:
    """A request id that nobody has, by the scheme of the Airflow variable `privacy_request_id_scheme`."""
    with source.ledger_of(user.get_name()) as ledger:
        return {"request_id": ledger.handing_in.next_id(source.id_scheme())}


@router.post(
    "/upload", dependencies=[Depends(may_upload)], responses=_ANSWERS, openapi_extra=_FILE, status_code=201
)
def upload(
    source: SourceDep,
    user: GetUserDep,
    body: BodyDep,
    kind: KindDep,
    response: Response,
    x_accept_refused: Annotated[bool, Header(description="keep the file although lines are refused")] = False,
) -> dict[str, Any]:
    """Hands in a file. Its name stays with the sender: it may be a person's."""
    return _kept(source, user.get_name(), body, kind, response, accept_refused=x_accept_refused)


@router.post("/upload/check", dependencies=[Depends(may_upload)], openapi_extra=_FILE)
def check_upload(source: SourceDep, body: BodyDep, kind: KindDep) -> dict[str, Any]:
    """What `/upload` would answer, line by line. Keeps nothing."""
    return _examined(source, body, kind)


@router.get("/openapi.json")
def openapi(request: Request) -> dict[str, Any]:
    """This description."""
    described: dict[str, Any] = request.app.openapi()
    return described


def _examined(source: Source, body: bytes, kind: str) -> dict[str, Any]:
    ledger = source.ledger()
    return _rows(examine(body, kind, ledger.now().date(), source.terms(), ledger))


def _kept(
    source: Source, user: str, body: bytes, kind: str, response: Response, *, accept_refused: bool = False
) -> dict[str, Any]:
    with source.ledger_of(user) as ledger:
        told = hand_in(body, kind, source.terms(), ledger, source.inbox(), accept_refused=accept_refused)
    if told.file is None:
        response.status_code = (
            status.HTTP_409_CONFLICT
            if told.count(Answer.CONFLICT)
            else status.HTTP_200_OK
            if told.lines and not told.count(Answer.REFUSED)
            else status.HTTP_422_UNPROCESSABLE_CONTENT
        )
    return _rows(told)


# So many lines are told, the refused ones first; the counts are of all.
MOST_ROWS = 500


def _rows(told: HandedIn) -> dict[str, Any]:
    row = told.as_row()
    order = {Answer.REFUSED.value: 0, Answer.CONFLICT.value: 1}
    row["requests"] = sorted(row["requests"], key=lambda each: order.get(each["answer"], 2))[:MOST_ROWS]
    return row
