"""Reads the service's error answers, whatever their shape, and says which of our errors each one is.

Shapes: Adobe's gateway (`{"error_code": "403010", "message": ...}`), the Privacy Service (`{"errors":
{"errorCode": 404, "title": ..., "detail": ...}}`, nested or flat), the platform (`{"status": 400, "title":
..., "detail": ...}`), the token address (`{"error": "invalid_client", ...}`), and HTML from the edge.

The status and the code decide. A text decides only as a whole sentence that is known to be Adobe's: a text may
repeat a value of the request, so a word inside of it says nothing. No text goes any further than this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
from adobe_privacy.api.lenient import says_none

# No longer than a month is ever believed, so that no caller computes with a nonsense number.
LONGEST_RETRY_AFTER = 31 * 86400.0

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
_PAGE_SIZE = re.compile(r"Page size exceeded, ?Maximum page size supported is (\d{1,6})\.?", re.IGNORECASE)
# "Not able to find job data." is what the service was seen to answer.
_NO_JOB_DATA = re.compile(r"Not able to find job data\.?", re.IGNORECASE)
# How Azure's and Amazon's stores say that they have no such object.
_NO_OBJECT = re.compile(rb"<Error>.{0,200}<Code>(BlobNotFound|ResourceNotFound|NoSuchKey)</Code>", re.DOTALL)
# The gateway's own words, and those of Adobe's troubleshooting guide.
_RATE = re.compile(
    r"Too many requests\.?|The workload was exceeded for the current document rate limit\.?", re.IGNORECASE
)
# How the daily limit is refused is documented nowhere. These words alone cannot repeat a value of a request: a
# sentence that has any other word is not believed.
_LIMIT_WORD = re.compile(
    r"a|all|allowed|already|and|been|by|daily|day|exceeded|exhausted|for|had|hard|has|have|ims|in|is|jobs?|limits?|"
    r"maximum|number|of|org|organi[sz]ation|per|privacy|quota|reached|requests?|service|that|the|this|to|today|up|"
    r"uploads?|used|was|were|your"
)
_OF_A_DAY = frozenset({"daily", "day", "today", "quota"})
_IS_REACHED = frozenset({"exceeded", "exhausted", "reached", "used"})
_FAILURE = re.compile(
    r"^[45]\d\d\b|\d{4} 400$|fail|error|invalid|reject|refus|denied|bad ?request|unsuccess|partial|"
    r"not ?(?:accepted|allowed|authori[sz]ed|found|valid)"
)
_NO_FAILURE = re.compile(
    r"\b(?:no|not|0|zero|without|without any) ?(?:errors?|failed|failures?|refused|rejected|invalid)\b"
)
_SUCCESS = re.compile(
    r"2\d\d|(?:(?:the|your) )?(?:(?:request|opt ?out) )?(?:(?:is|was|has been) )?"
    r"(?:accepted|completed?|created|done|ok|processed|queued|received|submitted|success|successful)"
)
_ERROR_FIELDS = ("error", "errors", "error_code", "errorCode", "failed", "rejected")
# 460 and 499 are a proxy's words for a caller that went away, which may be the proxy before it: the call went on.
_CUT_SHORT = frozenset({303, 408, 460, 499})
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
    """What an error answer says. `texts` may hold identities: to be compared, never to be shown. `by_service`: it has
    the form of the Privacy Service's own errors, or of the store's in which Adobe keeps results. `by_gateway`: of the
    errors of Adobe's gateway before it, which knows of permissions and of no job."""

    is_json: bool = False
    by_service: bool = False
    by_gateway: bool = False
    code: str | None = None
    texts: tuple[str, ...] = field(default=(), repr=False)

    def says(self, sentence: re.Pattern[str]) -> re.Match[str] | None:
        """Whether one of the texts is this sentence and nothing else."""
        return next((found for text in self.texts if (found := sentence.fullmatch(text))), None)

    @property
    def says_daily_limit(self) -> bool:
        return any(_is_daily_limit(text) for text in self.texts)


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
        return ErrorBody(by_service=_NO_OBJECT.search(body) is not None)
    if not isinstance(data, Mapping):
        return ErrorBody(is_json=True)
    inner = data.get("errors")
    if isinstance(inner, list):
        inner = next((item for item in inner if isinstance(item, Mapping)), None)
    if isinstance(inner, Mapping):
        data = inner
    code = next((str(data[name]) for name in ("error_code", "errorCode", "error") if data.get(name)), "")
    texts = (data.get(name) for name in ("title", "detail", "message", "error_description"))
    return ErrorBody(
        is_json=True,
        by_service=bool(data.get("errorCode")) and any(data.get(name) for name in ("title", "detail")),
        by_gateway=_CODE.fullmatch(str(data.get("error_code"))) is not None,
        code=code if _CODE.fullmatch(code) or code in _TOKEN_CODES else None,
        texts=tuple(text.strip() for text in texts if isinstance(text, str)),
    )


def speaks_of_an_error(body: bytes) -> bool:
    """Whether the body of a success is none: no JSON, such as a page of a proxy, or one with an error in it."""
    if not body.strip():
        return False
    try:
        data = json.loads(body)
        return data is False or _is_failure(data) or _tells_of_an_error(data)
    except (ValueError, RecursionError):
        return True


def _tells_of_an_error(data: object) -> bool:
    """So does one of several answers in a list, or one within another."""
    if isinstance(data, list):
        return any(map(_tells_of_an_error, data))
    if not isinstance(data, Mapping):
        return False
    return (
        not all(_is_nothing(data.get(name)) for name in _ERROR_FIELDS)
        or any(_is_failure(data.get(name)) for name in ("status", "statusCode", "code"))
        or _words(data.get("success", True)) in ("false", "no", "0")
        or _is_problem(data)
        or any(map(_tells_of_an_error, data.values()))
    )


def _is_nothing(said: object) -> bool:
    """Whether what an answer says of errors is that there are none."""
    if isinstance(said, Mapping):
        return all(map(_is_nothing, said.values()))
    if isinstance(said, list):
        return all(not isinstance(each, Mapping) and _is_nothing(each) for each in said)
    if isinstance(said, str):
        words = _words(said)
        return says_none(said) or words == "false" or _NO_FAILURE.fullmatch(words) is not None
    return not said


def _is_problem(data: Mapping[str, object]) -> bool:
    """Whether it has the form of a problem, as RFC 9457 has it, and does not say that all went well."""
    well = any(_SUCCESS.fullmatch(_words(data.get(name))) for name in ("title", "status", "statusCode"))
    return bool(data.get("title") and data.get("detail")) and not well


def _is_failure(said: object) -> bool:
    """Whether a status, by its number or words, is one of a failure."""
    if isinstance(said, str):
        return _FAILURE.search(_NO_FAILURE.sub("", _words(said))) is not None
    return isinstance(said, int | float) and 400 <= said < 600


def _words(said: object) -> str:
    return re.sub(r"[\W_]+", " ", str(said)).strip().lower() if isinstance(said, str | int) else ""


def _is_daily_limit(text: str) -> bool:
    words = set(re.sub(r"[\d.,:;!]+", " ", text.lower()).split())
    return all(map(_LIMIT_WORD.fullmatch, words)) and bool(words & _OF_A_DAY) and bool(words & _IS_REACHED)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that Retry-After asks for, as a number or a date, at most a month; None where unreadable.

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

    if status >= 500 or status in _CUT_SHORT:
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
    if status == 429 or (status == 400 and (_is(code, "1030-400") or answer.says(_RATE))):
        return RateLimited(
            "too many requests. Wait, and send fewer: going on can get the organisation disabled.",
            retry_after=pause,
            **where,
        )
    if status == 400 and answer.says_daily_limit:
        return QuotaReached(
            "the organisation's jobs of the day seem to be used up. The rest can be submitted on another day.",
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
        what = (
            f"the credential {wanted}. Add it to its product profile in the Admin Console, and check that "
            "the organisation id is the credential's own."
        )
        by_adobe = answer.by_service or answer.by_gateway
        if not by_adobe:
            what = f"the answer is not Adobe's. Check the proxy and the firewall on the way. If none refuses it, {what}"
        return PermissionDenied(what, by_adobe=by_adobe, **where)
    if status in (404, 410):
        # Only the body tells an empty result from a missing route, and an empty result must never be a guess.
        job_data = answer.says(_NO_JOB_DATA) is not None
        if job_data:
            what = "the service has no such job data. It keeps them for 30 days after completion."
        elif answer.is_json:
            what = "nothing is found here: the data is gone, not ready yet, or the base URL is wrong."
        else:
            what = "the answer is not the Privacy Service's. Check the base URL, and the proxy on the way."
        return NotFound(what, job_data=job_data, by_service=answer.by_service, **where)
    if 300 <= status < 400:
        return RequestRefused(
            "the address redirects elsewhere, which is not followed. Set the final address.",
            **where,
        )
    size = answer.says(_PAGE_SIZE)
    return RequestRefused(
        "the service refuses the request as it is. Compare it with the API's documentation.",
        # A name from our own list: it is shown to a person, and decides nothing that matters.
        field="size" if size else _named_field(answer),
        limit=int(size.group(1)) if size else None,
        **where,
    )


def _named_field(answer: ErrorBody) -> str | None:
    named = (_QUOTED_FIELD.search(text) for text in answer.texts)
    return next((found.group(1) for found in named if found), None)


def _is(code: str | None, outcome: str) -> bool:
    return code is not None and code.upper().removeprefix("PRVCY-") == outcome
