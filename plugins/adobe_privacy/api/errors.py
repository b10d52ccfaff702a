"""What can go wrong when talking to Adobe's Privacy Service, told apart by what a caller may do next.

    PrivacyServiceError
      ConnectionFailed          nothing was sent: fix the network or the address, then repeat
      TemporarilyUnavailable    repeat after `retry_after` seconds
        RateLimited             the same, and send less
      QuotaReached              the day's jobs may be used up: ask once more, with one user, before you believe it
      AuthenticationFailed      fix the credential; `step` says whether the token or the API refused it
      PermissionDenied          the credential is right but lacks a permission
        AddressDenied           of a download elsewhere: the address may have expired, the permission does not matter
      RequestRefused            fix the request; `field` names what, where known
      NotFound                  the job's data is gone or never was; or the address is wrong
      UnreadableAnswer          an answer came that is not what the API documents
      OutcomeUnknown            the request may or may not have been carried out: look before sending again

Of a request that creates something, only `OutcomeUnknown` leaves open whether it happened; with every other
error it is certain that nothing was created.

The text of an error holds the method, the route with `{id}` in place of the job's id, the HTTP status,
Adobe's error code and a fixed sentence. It never holds text written by Adobe (which may repeat an
identity), a URL, a body, a header or a token.
"""

from __future__ import annotations

from typing import Literal, TypedDict, Unpack


class Where(TypedDict, total=False):
    """Which call failed, and what was answered."""

    method: str | None
    route: str | None
    status: int | None
    code: str | None


class PrivacyServiceError(Exception):
    """Any failure of a call to the Privacy Service.

    `what` must be a fixed sentence, never text from an answer. `given_up` says that the client has repeated
    the call as often as its config allows.
    """

    def __init__(
        self,
        what: str,
        *,
        method: str | None = None,
        route: str | None = None,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.method = method
        self.route = route
        self.status = status
        self.code = code
        self.given_up = False

    def __str__(self) -> str:
        place = " ".join(part for part in (self.method, self.route) if part)
        facts = [f"HTTP {self.status}"] if self.status is not None else []
        if self.code is not None:
            facts.append(f"code {self.code}")
        answered = f" answered {', '.join(facts)}" if facts else ""
        return f"{place}{answered}: {self.what}" if place else self.what


class ConnectionFailed(PrivacyServiceError):
    """No connection came about (name not found, refused, TLS, proxy), so nothing was sent.

    The text names the host where it is one of the settings.
    """


class TemporarilyUnavailable(PrivacyServiceError):
    """The service could not answer now. `retry_after` is in seconds, None where the service named no time."""

    def __init__(
        self,
        what: str,
        *,
        retry_after: float | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(what, **where)
        self.retry_after = retry_after


class RateLimited(TemporarilyUnavailable):
    """Too many requests from this client id; every application that shares the id shares the limit."""


class QuotaReached(PrivacyServiceError):
    """The organisation's jobs of the day seem to be used up. Nothing was created.

    Adobe documents no code and no text for it: this is a sentence that speaks of nothing else. A 429 can't be told
    from `RateLimited` and is that.
    """


class AuthenticationFailed(PrivacyServiceError):
    """The credential was refused: at `step` "token" by the token address, at "api" by the API."""

    def __init__(
        self,
        what: str,
        *,
        step: Literal["token", "api"] = "api",
        **where: Unpack[Where],
    ) -> None:
        super().__init__(what, **where)
        self.step: Literal["token", "api"] = step


class PermissionDenied(PrivacyServiceError):
    """The credential is valid but its product profile lacks the permission that this call needs.

    Without `by_adobe`, the answer has the form of none of Adobe's errors: a proxy or a firewall may have given it, and
    it says nothing of a permission.
    """

    def __init__(
        self,
        what: str,
        *,
        by_adobe: bool = False,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(what, **where)
        self.by_adobe = by_adobe


class AddressDenied(PermissionDenied):
    """An address on another host, which gets no credential, lets nobody in."""


class RequestRefused(PrivacyServiceError):
    """The request itself is wrong; sending it again unchanged fails again.

    `field` is the name of the refused field as the API spells it, None where the answer does not tell.
    `limit` is the largest value that the service says it takes, where it says so (page size).
    """

    def __init__(
        self,
        what: str,
        *,
        field: str | None = None,
        limit: int | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(what, **where)
        self.field = field
        self.limit = limit

    def __str__(self) -> str:
        return f"{super().__str__()} Field: {self.field}." if self.field else super().__str__()


class NotFound(PrivacyServiceError):
    """HTTP 404 or 410. With `job_data`, the service itself said that it has no such job data. With `by_service`, the
    answer is of the service's form, or of the place where it keeps results: without, it may be a proxy's or a gateway's
    page, and says nothing of a job.

    Job data is gone 30 days after completion (Adobe, privacy jobs guide). A missing entitlement may look
    the same.
    """

    def __init__(
        self,
        what: str,
        *,
        job_data: bool = False,
        by_service: bool = False,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(what, **where)
        self.job_data = job_data
        self.by_service = by_service or job_data


class UnreadableAnswer(PrivacyServiceError):
    """A success status came with a body that is not what the API documents."""


class OutcomeUnknown(PrivacyServiceError):
    """A request that creates something was sent and no usable answer came: it may have been carried out.

    There is no idempotency key and no way to ask about one request, so look for the jobs by their key in the
    listing before sending anything again.
    """
