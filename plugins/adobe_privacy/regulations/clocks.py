"""Legal clocks: by which day a request must be acknowledged, answered, or its extension announced.

The figures live in `clocks.toml` beside this module, each with its source and standing. They are not legal
advice; `Clocks.with_overrides` and `Clocks.read` replace any of them.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    field_validator,
    model_validator,
)

from adobe_privacy.regulations.codes import canonical_regulation
from adobe_privacy.regulations.periods import Cell, Holidays, Period
from adobe_privacy.regulations.working_days import WorkingDays, add_calendar_months

ADOBE_LATENCY_DAYS = 30
"""Days within which Adobe documents its integrated products to answer. Source: Adobe Experience Platform
documentation, "Privacy Service and Experience Cloud applications". Deletions are said to take 15 to 45 days
("Privacy request processing in Real-Time Customer Profile"), and none of it is guaranteed."""

ACCESS, DELETE, OPT_OUT = "access", "delete", "opt_out_of_sale"


class Clock(BaseModel):
    """The periods of one law, in the version in force from `effective_from` (None: from the beginning).

    `extension` is how much longer an answer may take, once, if the data subject is told so with the reason
    before the first period ends; it is for the actions that `extension_covers` names. `delete` replaces `answer`
    for a deletion. `acknowledge` is for access and deletion requests; `opt_out` replaces `answer` for a request
    that only opts out. `no_delete` says that the law knows no right of deletion. `next_working_day` moves an
    answer's last day that is a day off to the working day after it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regulation: str
    effective_from: date | None = None
    time_zone: str
    answer: Period
    delete: Period | None = None
    extension: Period | None = None
    extension_covers: tuple[Literal["access", "delete"], ...] = ("access", "delete")
    acknowledge: Period | None = None
    opt_out: Period | None = None
    holidays: Holidays | None = None
    next_working_day: Cell | None = None
    no_delete: Cell | None = None
    notes: str = ""

    def __hash__(self) -> int:  # every cell of it would take its time
        return hash((self.regulation, self.effective_from))

    @field_validator("time_zone")
    @classmethod
    def _time_zone_is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(f"{name!r} is not an IANA time zone such as Europe/London") from error
        return name

    @model_validator(mode="after")
    def _periods_fit_together(self) -> Self:
        for name in ("answer", "delete", "acknowledge", "opt_out"):
            period: Period | None = getattr(self, name)
            if period is not None and period.amount is None:
                raise ValueError(f"{name} needs an amount")
        for action in self.extension_covers:
            period = self.answer_to(action)
            if self.extension and self.extension.unit != period.unit:
                raise ValueError(
                    f"extension is in {self.extension.unit}, answer in {period.unit}: the two are counted "
                    "together from receipt, so give both in one unit"
                )
        return self

    def answer_to(self, action: str) -> Period:
        """Return the first period of an access or a deletion."""
        return self.delete if action == DELETE and self.delete is not None else self.answer

    @cached_property
    def working_days(self) -> WorkingDays:
        """The calendar that working days are counted in."""
        if self.holidays is None:
            return WorkingDays()
        return WorkingDays(self.holidays.country, self.holidays.closed)

    def day_of(self, moment: datetime) -> date:
        """Return the day that an aware moment falls on where the law holds."""
        return moment.astimezone(ZoneInfo(self.time_zone)).date()

    def last_day(self, start: date, *periods: Period) -> date:
        """Return the last day of periods of one unit counted together, `start` itself not counted."""
        amount = sum(period.amount or 0 for period in periods)
        match periods[0].unit:
            case "calendar days":
                return start + timedelta(days=amount)
            case "calendar months":
                return add_calendar_months(start, amount)
            case "working days":
                return self.working_days.add(start, amount)

    def last_day_to_answer(self, start: date, *periods: Period) -> date:
        """Return `last_day`, or the working day after it where the law says so."""
        day = self.last_day(start, *periods)
        return day if self.next_working_day is None else self.working_days.on_or_after(day)


def _merged(clock: Clock, cells: Mapping[str, Any]) -> dict[str, Any]:
    """The clock's own cells with those given in their place."""
    merged = clock.model_dump(exclude={"regulation"}, exclude_none=True)
    for name, given in cells.items():
        if isinstance(given, Mapping):
            kept = {k: v for k, v in merged.get(name, {}).items() if k not in ("source", "standing")}
            merged[name] = kept | dict(given)
        else:
            merged[name] = given
    return merged


def _effective_from(code: str, cells: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(str(cells["effective_from"]))
    except ValueError:
        raise ValueError(
            f"The legal clock of {code} cannot be used: effective_from must be a date such as 2027-01-01."
        ) from None


def _clock(code: str, cells: Mapping[str, Any]) -> Clock:
    try:
        return Clock(regulation=canonical_regulation(code), **cells)
    except ValidationError as error:
        problems = "; ".join(
            ".".join(str(part) for part in problem["loc"]) + ": " + problem["msg"]
            for problem in error.errors(include_url=False, include_context=False)
        )
        raise ValueError(f"The legal clock of {code} cannot be used: {problems}.") from None


class Clocks:
    """The clocks of every regulation, each in one or more versions by the day they take effect."""

    def __init__(self, versions: Mapping[str, tuple[Clock, ...]], version: str) -> None:
        self._versions = MappingProxyType(
            {
                code: tuple(sorted(clocks, key=lambda clock: clock.effective_from or date.min))
                for code, clocks in versions.items()
            }
        )
        self.version = version

    @classmethod
    def built_in(cls) -> Clocks:
        """Read the clocks that come with the package; `version` is the day of their last change."""
        text = resources.files("adobe_privacy.regulations").joinpath("clocks.toml").read_text("utf-8")
        data = tomllib.loads(text)
        version = data.pop("version")
        return cls({code: (_clock(code, cells),) for code, cells in data.items()}, version)

    @classmethod
    def read(cls, path: str | Path) -> Clocks:
        """Return the built-in clocks with the overrides of a TOML file, in the form of `clocks.toml`.

        Raises OSError, tomllib.TOMLDecodeError, and what `with_overrides` raises.
        """
        return cls.built_in().with_overrides(tomllib.loads(Path(path).read_text("utf-8")))

    def with_overrides(self, overrides: Mapping[str, Any]) -> Clocks:
        """Return clocks in which the organisation's own cells replace those given, the others untouched.

        `overrides` maps a regulation code to cells, in the form of `clocks.toml`; within a cell too, only
        what is given changes, and its standing becomes "set by the organisation" unless given. With
        `effective_from`, a new version begins on that day and earlier requests keep theirs; without, every
        version changes. A `version` beside the codes is added to `version`.

        Raises RegulationError for an unknown code and ValueError naming the regulation and the cell that
        cannot be used.
        """
        changed = dict(self._versions)
        codes = {given: canonical_regulation(given) for given in overrides if given != "version"}
        for given, code in codes.items():
            cells = overrides[given]
            if list(codes.values()).count(code) > 1:
                raise ValueError(f"The legal clock of {code} is there twice, in two spellings of its code.")
            if not isinstance(cells, Mapping):
                raise ValueError(f"The legal clock of {code} must be a table of cells, not {cells!r}.")
            if "effective_from" in cells:
                new = _clock(code, _merged(self._in_force(code, _effective_from(code, cells)), cells))
                kept = (clock for clock in changed[code] if clock.effective_from != new.effective_from)
                changed[code] = (*kept, new)
            else:
                changed[code] = tuple(_clock(code, _merged(clock, cells)) for clock in changed[code])
        return Clocks(changed, f"{self.version}+{overrides.get('version', 'overridden')}")

    def clocks(self) -> tuple[Clock, ...]:
        """Return every version of every clock, by regulation, the earliest version first."""
        return tuple(clock for clocks in self._versions.values() for clock in clocks)

    def clock(self, regulation: str, received: datetime | date) -> Clock:
        """Return the version of a regulation's clock in force on the day of receipt.

        A request that came before any version was in force gets the earliest: it named the law.
        Raises RegulationError for an unknown or ambiguous code.
        """
        return self._in_force(canonical_regulation(regulation), received)

    def _in_force(self, code: str, received: datetime | date) -> Clock:
        earliest, *later = self._versions[code]
        found = earliest
        for clock in later:
            day = clock.day_of(received) if isinstance(received, datetime) else received
            if clock.effective_from is not None and clock.effective_from <= day:
                found = clock
        return found


DEFAULT = Clocks.built_in()
"""The clocks that come with the package, without any override."""


@dataclass(frozen=True)
class DueDates:
    """The last days, each still in time, on which a request's steps can be done.

    They are days where the law holds; the day ends at midnight there. Not said: whether the organisation is
    bound by the law, or has grounds to refuse.
    """

    regulation: str
    """The current code."""
    received_on: date
    """The day of receipt where the law holds."""
    answer_by: date
    """The requested actions done and the data subject told. Of an opt-out alone: the opt-out done."""
    answer_by_extended: date | None
    """The same with the extension, counted from receipt; None where there is none of a fixed length."""
    extension_notice_by: date | None
    """The data subject told of the extension and its reason; None where the law gives none."""
    acknowledge_by: date | None
    """Receipt confirmed; None where the law asks for no confirmation."""
    opt_out_by: date | None
    """The opt-out done; None where none is requested."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the law and this request, one sentence each."""


def due_dates(
    regulation: str,
    received_at: datetime | date,
    *,
    actions: Collection[str] = ("access", "delete"),
    clocks: Clocks = DEFAULT,
) -> DueDates:
    """Return the due dates of a request.

    `received_at` is an aware moment, or the day of receipt itself as a date. `actions` are those of the
    request: `access`, `delete`, `opt_out_of_sale`. Of an access and a deletion with periods of their own the
    earlier day counts, and there is an extension only where the law gives it to both: ask for one action at a time
    to tell them apart. A period that the law gives to opt-outs alone is used for them, and opt-outs know no
    extension; where the law has none, `answer` holds for them too.

    Raises ValueError for a naive moment, RegulationError for an unknown or ambiguous code.
    """
    if isinstance(received_at, datetime) and received_at.utcoffset() is None:
        raise ValueError(
            "received_at has no time zone, so the day of receipt is unknown. Add an offset, as in "
            "2026-11-20T09:30:00Z."
        )
    clock = clocks.clock(regulation, received_at)
    received_on = clock.day_of(received_at) if isinstance(received_at, datetime) else received_at
    return _due_dates(clock, received_on, tuple(actions))


@lru_cache(maxsize=10_000)
def _due_dates(clock: Clock, received_on: date, actions: tuple[str, ...]) -> DueDates:
    answered = [action for action in actions if action != OPT_OUT] or [ACCESS]
    answer_by = min(clock.last_day_to_answer(received_on, clock.answer_to(action)) for action in answered)
    opt_out_by = None
    if OPT_OUT in actions:
        period = clock.opt_out or clock.answer
        opt_out_by = (
            clock.last_day(received_on, period)
            if clock.opt_out
            else clock.last_day_to_answer(received_on, period)
        )
    remarks = _remarks(clock, received_on, actions)
    if opt_out_by is not None and set(actions) == {OPT_OUT}:
        return DueDates(
            regulation=clock.regulation,
            received_on=received_on,
            answer_by=opt_out_by,
            answer_by_extended=None,
            extension_notice_by=None,
            acknowledge_by=None,
            opt_out_by=opt_out_by,
            remarks=remarks,
        )
    extension = clock.extension if set(answered) <= set(clock.extension_covers) else None
    extended = None
    if extension and extension.amount is not None:
        extended = min(
            clock.last_day_to_answer(received_on, clock.answer_to(action), extension) for action in answered
        )
    return DueDates(
        regulation=clock.regulation,
        received_on=received_on,
        answer_by=answer_by,
        answer_by_extended=extended,
        extension_notice_by=answer_by if extension else None,
        acknowledge_by=clock.last_day(received_on, clock.acknowledge) if clock.acknowledge else None,
        opt_out_by=opt_out_by,
        remarks=remarks,
    )


def _remarks(clock: Clock, received_on: date, actions: Collection[str]) -> tuple[str, ...]:
    remarks: list[str] = []
    if clock.effective_from is not None and received_on < clock.effective_from:
        remarks.append(
            f"{clock.regulation} takes effect on {clock.effective_from}: the request came before, and its due "
            "date is a courtesy"
        )
    if DELETE in actions and clock.no_delete is not None:
        remarks.append(f"{clock.regulation} knows no right of deletion ({clock.no_delete.source})")
    return tuple(remarks)


def submit_by(answer_by: date, latency_days: float, safety_days: float = 0) -> date:
    """Return the last day to submit to Adobe so that its answer comes `safety_days` before `answer_by`.

    `latency_days` is how long Adobe takes, as the organisation has seen it (or ADOBE_LATENCY_DAYS). Parts of
    a day count as a whole one. The day may lie before the day of receipt: then the answer cannot be promised.

    Raises ValueError for negative or not finite days.
    """
    days = latency_days + safety_days
    if not (math.isfinite(days) and latency_days >= 0 and safety_days >= 0):
        raise ValueError(f"latency_days ({latency_days}) and safety_days ({safety_days}) must be 0 or more.")
    return answer_by - timedelta(days=math.ceil(days))
