"""Reads the service's error answers, whatever their shape, and says which of our errors each one is.

Shapes: Adobe's gateway (`{"error_code": "403010", "message": ...}`), the Privacy Service (`{"errors":
{"errorCode": 404, "title": ..., "detail": ...}}`, nested or flat), the platform (`{"status": 400, "title":
..., "detail": ...}`), the token address (`{"error": "invalid_client", ...}`), and HTML from the edge. Their
text is looked at here to choose an error, and goes no further.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import TypedDict

from adobe_privacy.api.errors import (
    AuthenticationFailed,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    PrivacyServiceError,
    QuotaReached,
    RateLimited,
    RequestRefused,
    TemporarilyUnavailable,
)

# No longer than a day is ever believed, so that no caller computes with a nonsense number.
LONGEST_RETRY_AFTER = 86400.0

_CODE = re.compile(r"(?:PRVCY-)?\d{1,6}(?:-\d{3})?", re.IGNORECASE)
_TOKEN_CODES = frozenset(
    [
        "invalid_client",
        "invalid_scope",
        "invalid_request",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "internal_error",
        "server_error",
        "temporarily_unavailable",
        "access_denied",
    ]
)
_FIELDS = (
    "regulation",
    "fromDate",
    "toDate",
    "filterDate",
    "page",
    "size",
    "status",
    "companyContexts",
    "imsOrgID",
    "users",
    "userIDs",
    "key",
    "action",
    "namespace",
    "namespaceId",
    "include",
    "expandIds",
    "priority",
    "mergePolicyId",
    "entities",
    "nameSpace",
    "optOutOfSale",
)
_QUOTED_FIELD = re.compile(rf"[`'\"]({'|'.join(_FIELDS)})[`'\"]")
_PAGE_SIZE = re.compile(r"page size.{0,80}?(\d{1,6})\s*$", re.IGNORECASE | re.DOTALL)
_QUOTA = re.compile(r"\b(daily|per day|a day|quota)\b", re.IGNORECASE)
_RATE = re.compile(r"rate limit|too many requests", re.IGNORECASE)
_NO_JOB_DATA = re.compile(r"find job data|no job data|job not found", re.IGNORECASE)
_BAD_CREDENTIAL = frozenset({"401013", "403000", "403003", "403010"})

# What each route needs, by Adobe's page "Manage permissions for Privacy Service".
_PERMISSIONS = {
    ("POST", "/jobs"): "Privacy Write",
    ("GET", "/jobs"): "Privacy Read",
    ("GET", "/jobs/{id}"): "Privacy Read",
    ("GET", "/jobs/{id}/content"): "Read (Access) Content Delivery",
    ("POST", "/consent"): "Opt-out Write",
}


@dataclass(frozen=True)
class ErrorBody:
    """What an error answer says. `text` may hold identities: to be searched, never to be shown."""

    is_json: bool = False
    code: str | None = None
    text: str = field(default="", repr=False)


class _Where(TypedDict):
    method: str
    route: str
    status: int
    code: str | None


def read_error_body(body: bytes) -> ErrorBody:
    """Never fails: a body that is no JSON object gives an empty answer."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorBody()
    if not isinstance(data, Mapping):
        return ErrorBody(is_json=True)
    inner = data.get("errors")
    if isinstance(inner, list):
        inner = next((item for item in inner if isinstance(item, Mapping)), None)
    if isinstance(inner, Mapping):
        data = inner
    code = next((str(data[name]) for name in ("error_code", "errorCode", "error") if data.get(name)), "")
    words = (data.get(name) for name in ("title", "detail", "message", "error_description"))
    return ErrorBody(
        is_json=True,
        code=code if _CODE.fullmatch(code) or code in _TOKEN_CODES else None,
        text=" ".join(word for word in words if isinstance(word, str)),
    )


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that Retry-After asks for, as a number or a date, at most a day; None where unreadable.

    A date is measured from the answer's own Date, so that a wrong clock on either side does no harm.
    """
    value = (headers.get("retry-after") or "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = _http_date(value)
        if until is None:
            return None
        seconds = (until - (_http_date(headers.get("date") or "") or now)).total_seconds()
    if seconds != seconds:  # NaN
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _http_date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def _next_midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), tzinfo=UTC)


def error_for(
    method: str,
    route: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    creates: bool,
    now: datetime,
) -> PrivacyServiceError:
    """The error that an answer outside 2xx stands for. `creates`: the request would have created something."""
    answer = read_error_body(body)
    where: _Where = {"method": method, "route": route, "status": status, "code": answer.code}
    code = answer.code
    pause = retry_after(headers, now)

    if status >= 500 or status in (303, 408):
        if creates:
            return OutcomeUnknown(
                "the request may have been carried out. Look for its jobs in the listing before "
                "sending it again.",
                **where,
            )
        return TemporarilyUnavailable(
            "the service is not available. Try again later.",
            retry_after=pause,
            **where,
        )
    if status in (400, 429) and _QUOTA.search(answer.text):
        return QuotaReached(
            "the organisation's jobs of the day are used up. Submit the rest after midnight UTC.",
            resets_at=_next_midnight(now),
            **where,
        )
    if status == 429 or (status == 400 and (_is(code, "1030-400") or _RATE.search(answer.text))):
        return RateLimited(
            "too many requests. Wait, and send fewer: going on can get the organisation disabled.",
            retry_after=pause,
            **where,
        )
    if status == 425:
        return TemporarilyUnavailable(
            "the service is not ready. Try again later.", retry_after=pause, **where
        )
    if status == 401 or (status == 403 and code in _BAD_CREDENTIAL):
        return AuthenticationFailed(
            "the API refuses the credential. Check client id, client secret and organisation id, and that "
            "the credential's project has the Privacy Service API.",
            step="api",
            **where,
        )
    if status == 403 or _is(code, "1010-400"):
        needed = _PERMISSIONS.get((method, route))
        wanted = f"needs the permission {needed}" if needed else "lacks a permission"
        return PermissionDenied(
            f"the credential {wanted}. Add it to its product profile in the Admin Console, and check that "
            "the organisation id is the credential's own.",
            **where,
        )
    if status in (404, 410):
        # Only the body tells an empty result from a missing route, and an empty result must never be a guess.
        job_data = _NO_JOB_DATA.search(answer.text) is not None
        if job_data:
            what = "the service has no such job data. It keeps them for 30 days after completion."
        elif answer.is_json:
            what = "nothing is found here: the data is gone, not ready yet, or the base URL is wrong."
        else:
            what = "there is no Privacy Service at this address. Check the base URL."
        return NotFound(what, job_data=job_data, **where)
    if 300 <= status < 400:
        return RequestRefused(
            "the address redirects elsewhere, which is not followed. Set the final address.",
            **where,
        )
    size = _PAGE_SIZE.search(answer.text)
    named = _QUOTED_FIELD.search(answer.text)
    return RequestRefused(
        "the service refuses the request as it is. Compare it with the API's documentation.",
        field="size" if size else named.group(1) if named else None,
        limit=int(size.group(1)) if size else None,
        **where,
    )


def _is(code: str | None, outcome: str) -> bool:
    return code is not None and code.upper().removeprefix("PRVCY-") == outcome
