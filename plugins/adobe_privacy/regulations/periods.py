"""The facts of which a legal clock is made: lengths of time and days off, each with its source."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adobe_privacy.regulations.working_days import WorkingDays

Standing = Literal["verified", "general knowledge", "set by the organisation"]
Unit = Literal["calendar days", "calendar months", "working days"]
# A longer one is mistyped, and no calendar may reach to its end.
LONGEST_PERIOD = 3660
MonthAndDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


class Cell(BaseModel):
    """One fact about a law, where it was read, and how far it is to be trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "the organisation's own rule"
    standing: Standing = "set by the organisation"


class Period(Cell):
    """A length of time from the day of receipt, which is itself not counted.

    `amount` is in units of `unit`. None means that the law fixes no length: only an extension may be so.
    """

    amount: Annotated[int, Field(strict=True, ge=1, le=LONGEST_PERIOD)] | None = None
    unit: Unit

    def __str__(self) -> str:
        if self.amount is None:
            return "length not fixed"
        return f"{self.amount} {self.unit if self.amount > 1 else self.unit.removesuffix('s')}"


class Holidays(Cell):
    """The days off besides Saturday and Sunday. `country` and `closed` are as `WorkingDays` takes them."""

    country: str | None = None
    closed: tuple[MonthAndDay, MonthAndDay] | None = None

    def __str__(self) -> str:
        parts = [f"public holidays of {self.country}"] if self.country else []
        if self.closed:
            parts.append(f"{self.closed[0]} to {self.closed[1]}")
        return ", ".join(parts)

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        WorkingDays(self.country, self.closed)
        return self
