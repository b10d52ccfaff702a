from __future__ import annotations

from datetime import date

import pytest

from adobe_privacy.regulations.working_days import WorkingDays, add_calendar_months


def test_without_a_country_only_saturdays_and_sundays_are_off() -> None:
    days = WorkingDays()
    assert date(2026, 12, 25) in days  # a Friday
    assert date(2026, 12, 26) not in days
    assert date(2026, 12, 27) not in days


def test_public_holidays_of_a_country_are_off() -> None:
    assert date(2026, 4, 6) not in WorkingDays("IE")  # Easter Monday


def test_regional_holidays_are_off_only_in_their_region() -> None:
    auckland_anniversary = date(2027, 2, 1)
    assert auckland_anniversary in WorkingDays("NZ")
    assert auckland_anniversary not in WorkingDays("NZ-AUK")


def test_a_closed_period_may_span_the_end_of_the_year() -> None:
    days = WorkingDays(closed=("12-25", "01-15"))
    assert date(2026, 12, 24) in days
    assert date(2026, 12, 25) not in days
    assert date(2027, 1, 15) not in days
    assert date(2027, 1, 18) in days  # the Monday after


def test_a_closed_period_within_a_year_ends_on_its_last_day() -> None:
    days = WorkingDays(closed=("08-03", "08-14"))
    assert date(2026, 7, 31) in days
    assert date(2026, 8, 3) not in days
    assert date(2026, 8, 14) not in days
    assert date(2026, 8, 17) in days


def test_the_first_day_is_not_counted() -> None:
    assert WorkingDays().add(date(2026, 11, 20), 1) == date(2026, 11, 23)  # Friday to Monday


def test_a_working_day_stays_and_a_day_off_moves_to_the_next_working_day() -> None:
    assert WorkingDays().on_or_after(date(2026, 11, 20)) == date(2026, 11, 20)
    assert WorkingDays().on_or_after(date(2026, 11, 21)) == date(2026, 11, 23)


@pytest.mark.parametrize("country", ["XX", "NZ-XX", "Berlin"])
def test_an_unknown_country_is_refused_by_name(country: str) -> None:
    with pytest.raises(ValueError, match=f"'{country}'.*ISO 3166-1"):
        WorkingDays(country)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2026, 11, 20), 1, date(2026, 12, 20)),
        (date(2026, 12, 20), 1, date(2027, 1, 20)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 1, 31), 3, date(2026, 4, 30)),
        (date(2026, 2, 28), 1, date(2026, 3, 28)),
    ],
)
def test_a_calendar_month_ends_on_the_same_number_or_the_last_day(
    start: date, months: int, end: date
) -> None:
    assert add_calendar_months(start, months) == end
