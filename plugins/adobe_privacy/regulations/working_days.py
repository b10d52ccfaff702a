"""Counting days as laws do: calendar months, working days, and the working day after a day off."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from functools import cache

import holidays

_SATURDAY = 5
_DAY = timedelta(days=1)
_LEAP_YEAR = date(2028, 1, 1)
HALF_A_YEAR = 183  # days


class WorkingDays:
    """Which days are working days: Monday to Friday without public holidays and yearly closed periods.

    `country` is an ISO 3166-1 code, with a subdivision after a hyphen where regional holidays count too, as
    the `holidays` library names them: "NZ", "NZ-AUK", "DE-BE". Without it only Saturdays and Sundays are off.
    `closed` is a period of each year, first and last day as "MM-DD", both inclusive; it may span the year's
    end.

    Raises ValueError for a country or subdivision that the `holidays` library does not know, and for a closed period of
    more than half a year.
    """

    def __init__(self, country: str | None = None, closed: tuple[str, str] | None = None) -> None:
        self._holidays = _public_holidays(country) if country else None
        self._closed = closed
        # Of so many days off, a count of working days would hardly have an end.
        if sum(self._is_closed(_LEAP_YEAR + day * _DAY) for day in range(366)) > HALF_A_YEAR:
            raise ValueError("closed must not be more than half a year")

    def __contains__(self, day: date) -> bool:
        if day.weekday() >= _SATURDAY or self._is_closed(day):
            return False
        return self._holidays is None or day not in self._holidays

    def add(self, day: date, count: int) -> date:
        """Return the `count`-th working day after `day`; `day` itself is not counted."""
        while count:
            day += _DAY
            count -= day in self
        return day

    def on_or_after(self, day: date) -> date:
        """Return `day` if it is a working day, else the next one."""
        while day not in self:
            day += _DAY
        return day

    def _is_closed(self, day: date) -> bool:
        if self._closed is None:
            return False
        first, last = self._closed
        month_and_day = f"{day:%m-%d}"
        if first <= last:
            return first <= month_and_day <= last
        return month_and_day >= first or month_and_day <= last


def add_calendar_months(day: date, count: int) -> date:
    """Return the same-numbered day `count` months later, or the last day of a month that has no such day."""
    year, month0 = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month0 + 1, min(day.day, calendar.monthrange(year, month0 + 1)[1]))


@cache
def _public_holidays(country: str) -> holidays.HolidayBase:
    code, _, subdivision = country.partition("-")
    try:
        return holidays.country_holidays(code, subdiv=subdivision or None)
    except NotImplementedError:
        raise ValueError(
            f"No public holidays are known for {country!r}. Use an ISO 3166-1 country code, or one with a "
            "subdivision, as the 'holidays' library knows them: NZ, NZ-AUK, DE-BE."
        ) from None
