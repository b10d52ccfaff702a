"""The page's filters, and a report's period, as they stand in an address: read from a query, written into links."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, HTTPException, Request, status
from starlette.datastructures import QueryParams

from adobe_privacy.api.names import Verdict, find_outcome_code, product_code
from adobe_privacy.ledger.attention import BY_NAME, LASTING, Kind
from adobe_privacy.ledger.overview import Filters, Position
from adobe_privacy.ledger.states import JobState
from adobe_privacy.regulations.codes import REGULATIONS
from adobe_privacy.reporting.reports import last_year
from adobe_privacy.settings import SettingsError
from adobe_privacy.web.source import SourceDep

ALL = "all"  # as a state: the archived ones too
LONGEST = 128  # of a value; no id or code is longer


class Query:
    """The filters of one call, and where its page begins. Raises HTTPException 400 for what cannot be read."""

    def __init__(self, params: QueryParams, default_products: Collection[str] = ()) -> None:
        given = {name: value.strip() for name, value in params.items() if value.strip()}
        if any(len(value) > LONGEST for value in given.values()):
            raise _bad("a filter is too long")
        self.given = {name: given[name] for name in NAMES if name in given}
        code = _code(given.get("code"))
        if code is not None:
            self.given["code"] = code
        state = given.get("state")
        self.after = _position(given.get("after"))
        self.attention = _attention(given.get("attention"))
        self.filters = Filters(
            states=tuple(JobState) if state == ALL else (_state(state),) if state else (),
            attention=self.attention if self.attention and self.attention.states else None,
            regulation=given.get("regulation"),
            action=given.get("action"),
            product=product_code(given["product"]) if "product" in given else None,
            verdict=_verdict(given.get("verdict")),
            code=code,
            request_id=given.get("request"),
            batch_id=given.get("batch"),
            first_day=_day(given.get("from")),
            last_day=_day(given.get("to")),
            default_products=default_products,
        )

    @property
    def shown(self) -> dict[str, str]:
        """What the form shows: what was given, and which states that means."""
        with_archived = JobState.ARCHIVED in self.filters.chosen_states
        return {"state": ALL if with_archived else ""} | self.given

    def link(self, **changes: str | None) -> str:
        """The query of a link that changes some of the filters and begins with the first page."""
        values = {name: value for name, value in (self.given | changes).items() if value}
        return f"?{urlencode(values)}" if values else "./"

    def link_to(self, after: Position) -> str:
        return self.link(after=f"{after.due_on}.{after.job_id}")


NAMES = (
    "state",
    "attention",
    "regulation",
    "action",
    "product",
    "verdict",
    "code",
    "request",
    "batch",
    "from",
    "to",
)


def read_query(request: Request, source: SourceDep) -> Query:
    try:
        default_products = source.settings().products
    except SettingsError:
        default_products = ()  # the page tells of it beside the quota
    return Query(request.query_params, default_products)


QueryDep = Annotated[Query, Depends(read_query)]


@dataclass(frozen=True)
class Period:
    """What a report is about: the requests received from `first` to `last`, under one regulation or all."""

    first: date
    last: date
    regulation: str | None

    @property
    def query(self) -> str:
        values = {"from": self.first, "to": self.last, "regulation": self.regulation}
        return f"?{urlencode({name: value for name, value in values.items() if value})}"


def read_period(request: Request) -> Period:
    """Last year where no day is given. Raises HTTPException 400 for what cannot be read."""
    given = request.query_params
    first, last = last_year(datetime.now(UTC).date())
    period = Period(
        _day(given.get("from")) or first, _day(given.get("to")) or last, given.get("regulation") or None
    )
    if period.first > period.last:
        raise _bad(f"from, to: the period ends on {period.last}, before it begins on {period.first}")
    if period.regulation not in (None, *REGULATIONS):
        raise _bad(f"regulation: one of {', '.join(REGULATIONS)}")
    return period


PeriodDep = Annotated[Period, Depends(read_period)]


def _bad(text: str) -> HTTPException:
    return HTTPException(status.HTTP_400_BAD_REQUEST, text)


def _state(value: str) -> JobState:
    try:
        return JobState(value)
    except ValueError:
        raise _bad(f"state: one of {ALL}, {', '.join(JobState)}") from None


def _attention(value: str | None) -> Kind | None:
    kind = BY_NAME.get(value or "")
    if value and kind not in LASTING:
        raise _bad(f"attention: one of {', '.join(each.name for each in LASTING)}")
    return kind


def _verdict(value: str | None) -> Verdict | None:
    try:
        return Verdict(value) if value else None
    except ValueError:
        raise _bad(f"verdict: one of {', '.join(Verdict)}") from None


def _code(value: str | None) -> str | None:
    code = find_outcome_code(value) if value else None
    if value and code is None:
        raise _bad("code: an outcome code of Adobe's, such as 6053 or 6053-200")
    return code


def _day(value: str | None) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise _bad("from, to: a day as YYYY-MM-DD") from None


def _position(value: str | None) -> Position | None:
    if not value:
        return None
    try:
        due_on, _, job_id = value.partition(".")
        return Position(date.fromisoformat(due_on), int(job_id))
    except ValueError:
        raise _bad("after: as it came with the page before") from None
