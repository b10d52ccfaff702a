"""The three families of error bodies, and the JSON of lists, details and creations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from simulator_catalogue import OUTCOMES, PRODUCTS
from simulator_clock import us_date
from simulator_jobs import Job, ProductAnswer
from simulator_switches import Switches

_TITLES = {400: "Invalid Request", 403: "Forbidden", 404: "Resource not found", 410: "Resource gone"}
NOT_FOUND_DETAIL = "Not able to find job data."


class Refusal(Exception):
    """A call that is not carried out; the answer says why and may name fields, never their values."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


def json_answer(content: Any, status: int = 200) -> Response:
    return Response(
        json.dumps(content, separators=(",", ":"), ensure_ascii=False),
        status_code=status,
        media_type="application/json",
    )


def html_answer(status: int) -> Response:
    """What the edge in front of the service gives."""
    return Response(
        f"<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>edge</body></html>",
        status_code=status,
        media_type="text/html",
    )


def gateway_error(code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """The API gateway's flat shape; the first three digits of its code are the HTTP status."""
    answer = json_answer({"error_code": code, "message": message}, int(code[:3]))
    answer.headers.update(headers or {})
    return answer


def service_error(
    switches: Switches, path: str, status: int, detail: str, *, code: str | None = None
) -> Response:
    """The Privacy Service's own envelope."""
    title = _TITLES.get(status, "Internal Server Error")
    error: dict[str, Any] = {
        "errorType": f"uri={path}",
        "errorCode": status,
        "title": title,
        "detail": detail,
    }
    if code is not None:
        error["errorCode"] = code
    body: dict[str, Any] = error if switches.error_envelope == "flat" else {"errors": error}
    if status == 404:
        body["totalRecords"] = 0
    return json_answer(body, status)


def platform_error(detail: str) -> Response:
    """The generic shape of the platform around the service."""
    body = {"type": "/placeholder/type/uri", "status": 400, "title": "BadRequestError", "detail": detail}
    return json_answer(body, 400)


def list_row(job: Job, now: float, switches: Switches) -> dict[str, Any]:
    """The eight fields of a row in a list; products, regulation and identities are only in the detail."""
    row = {
        "jobId": job.job_id,
        "requestId": job.request_id,
        "userKey": job.shown_key,
        "action": job.action,
        "status": job.status(now, switches.expire_after_days),
        "submittedBy": job.submitted_by,
        "createdDate": us_date(job.created_at),
        "lastModifiedDate": us_date(job.modified_at(now)),
    }
    if job.key is None:
        del row["userKey"]
    return row


def has_result(job: Job, now: float, switches: Switches) -> bool:
    """Whether there is something to download."""
    if job.action != "access" and not switches.download_url_on_deletes:
        return False
    status = job.status(now, switches.expire_after_days)
    return status == "complete" or (status == "error" and job.result_in_error)


def job_detail(job: Job, now: float, switches: Switches, *, download_url: str) -> dict[str, Any]:
    """`download_url` is shown where this job has a result to fetch; empty for a credential that may not."""
    row = list_row(job, now, switches)
    products = [_product_response(job, answer, now) for answer in job.products if not answer.silent]
    detail: dict[str, Any] = row | {
        "userIds": job.identities,
        "productResponses": products,
        "regulation": job.regulation,
    }
    shows_url = has_result(job, now, switches)
    finished = row["status"] in ("complete", "error")
    if finished and switches.incoherent_detail == "complete_with_submitted_product" and products:
        products[-1]["productStatusResponse"] = {"status": "submitted"}
    if finished and switches.incoherent_detail == "error_with_download_url":
        detail["status"], shows_url = "error", True
        for product in products:
            product["productStatusResponse"] = {"status": "submitted"}
    if shows_url and download_url:
        detail[switches.download_url_field] = download_url
    if job.child is not None:
        detail["childJobs"] = [job_detail(job.child, now, switches, download_url="")]
    return detail


def _product_response(job: Job, answer: ProductAnswer, now: float) -> dict[str, Any]:
    name = answer.name or PRODUCTS[answer.product]
    response: dict[str, Any] = {"product": name, "retryCount": answer.retry_count}
    if now < answer.answered_at:
        waiting = {"status": "submitted"} if now < job.processing_at else {"status": "processing"}
        return response | {"productStatusResponse": waiting | {"message": "processing"}}
    status: dict[str, Any] = {
        "status": "error" if answer.failed else "complete",
        "message": _filled_in(answer.message or ("Failure" if answer.failed else "Success"), job),
        "responseMsgCode": f"PRVCY-{answer.code}",
        "responseMsgDetail": _filled_in(answer.detail or OUTCOMES[answer.code] + _datasets(answer), job),
    }
    results = _results(job, answer)
    if results:
        status["results"] = results
    return response | {"processedDate": us_date(answer.answered_at), "productStatusResponse": status}


def _filled_in(text: str, job: Job) -> str:
    """A rule's text with the identities that it asks for: nothing promises that Adobe's words hold none."""
    values = ", ".join(str(identity.get("value")) for identity in job.identities)
    for placeholder, meant in (
        ("{identities}", values),
        ("{IDENTITIES}", values.upper()),
        ("{key}", job.key or ""),
    ):
        text = text.replace(placeholder, meant)
    return text


def _datasets(answer: ProductAnswer) -> str:
    if answer.product not in ("profileService", "aepDataLake") or answer.failed:
        return ""
    failed = ", ".join(answer.failed_datasets)
    return f" Success dataSetIds = [5f0e2ab1c0ffee0000000001], Failed dataSetIds = [{failed}]"


def _results(job: Job, answer: ProductAnswer) -> dict[str, Any]:
    if answer.failed:
        return {}
    if answer.product == "primetimeAuthentication":
        contexts = [
            {key: identity[key] for key in ("namespace", "namespaceId", "value", "type") if key in identity}
            for identity in job.identities
        ]
        receipt = {
            "createdAt": us_date(answer.answered_at),
            "message": "Done",
            "numberOfAuthenticationSessions": "2",
            "numberOfAuthorizationDecisions": "14",
        }
        return {"userContexts": contexts, "receiptData": receipt}
    if answer.shows_results:
        return {"processed": list(answer.processed), "ignored": list(answer.ignored)}
    return {}


def created_answer(jobs: Iterable[Job], request_id: str, switches: Switches) -> Response:
    """The answer to an accepted POST /jobs, in the order given."""
    rows = []
    for job in jobs:
        user: dict[str, Any] = {} if job.key is None else {"key": job.shown_key}
        user["action"] = [job.action]
        if switches.create_style == "new":
            user["userIDs"] = job.identities
        rows.append({"jobId": job.job_id, "customer": {"user": user}})
    body: dict[str, Any] = {switches.create_array: rows, "totalRecords": len(rows)}
    if switches.create_style == "new":
        body = {"requestId": request_id} | body
    else:
        body["requestStatus"] = 1
    return json_answer(body, switches.create_status)
