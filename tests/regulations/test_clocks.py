"""The worked examples were computed by hand with a paper calendar, from the rule that stands beside each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adobe_privacy.regulations.clocks import ADOBE_LATENCY_DAYS, DEFAULT, Clocks, due_dates, submit_by
from adobe_privacy.regulations.codes import REGULATIONS, AmbiguousRegulation, UnknownRegulation

# (rule and source, regulation, received, answer by, extended)
ANSWERS = [
    # GDPR Art. 12(3); Regulation 1182/71 Art. 3(1): day of receipt not counted, 3(2)(c): same-numbered day.
    ("same-numbered day, a Wednesday", "gdpr", "2026-06-15", "2026-07-15", "2026-09-15"),
    ("31 August has no 31 September", "gdpr", "2026-08-31", "2026-09-30", "2026-11-30"),
    ("31 January in a leap year", "gdpr", "2028-01-31", "2028-02-29", "2028-05-01"),  # 30 April is a Sunday
    ("across the year's end", "gdpr", "2026-12-14", "2027-01-14", "2027-03-15"),  # 14 March is a Sunday
    # Regulation 1182/71 Art. 3(4): a last day off moves to the next working day.
    ("20 December is a Sunday", "gdpr", "2026-11-20", "2026-12-21", "2027-02-22"),
    ("28 February 2026 is a Saturday", "gdpr", "2026-01-31", "2026-03-02", "2026-04-30"),
    ("28 February 2027 is a Sunday", "gdpr", "2027-01-31", "2027-03-01", "2027-04-30"),
    ("a request of a Saturday starts that day", "gdpr", "2026-09-19", "2026-10-19", "2026-12-21"),
    # 11 CCR 7021(b): 45 calendar days, at most 90 from receipt; calendar days end on weekends too.
    ("10 + 31 + 4 days", "ccpa", "2026-11-20", "2027-01-04", "2027-02-18"),
    ("ends on 29 February", "ccpa", "2028-01-15", "2028-02-29", "2028-04-14"),
    ("no 29 February", "ccpa", "2027-01-15", "2027-03-01", "2027-04-15"),
    ("ends on a Saturday", "cpra_ca_usa", "2026-11-18", "2027-01-02", "2027-02-16"),
    ("state of 45 + 45", "vcdpa_va_usa", "2026-11-20", "2027-01-04", "2027-02-18"),
    # Fla. Stat. 501.706(2): 45 + 15.
    ("45 + 15", "fdbr_fl_usa", "2026-11-20", "2027-01-04", "2027-01-19"),
    # Iowa: 90 + 45.
    ("90 + 45", "icdpa_ia_usa", "2026-11-20", "2027-02-18", "2027-04-04"),
    # 45 CFR 164.524(b)(2): 30 + 30.
    ("30 + 30", "hipaa_usa", "2026-11-20", "2026-12-20", "2027-01-19"),
    # LGPD Art. 19, II: 15 days, no extension; ends on a Saturday.
    ("15 days", "lgpd_bra", "2026-11-20", "2026-12-05", None),
    ("30 days over February", "ql25_qc_can", "2027-02-01", "2027-03-03", None),
    ("30 days", "pdpa_tha", "2026-11-20", "2026-12-20", None),
    ("30 days", "apa_aus", "2026-11-20", "2026-12-20", None),
    ("10 days", "pipa_kor", "2026-11-20", "2026-11-30", None),
    ("90 days", "dpdpa_ind", "2026-11-20", "2027-02-18", None),
    # Privacy Act 2020 s. 44: 20 working days; not 25 December to 15 January, nor the public holidays.
    ("8 before Christmas, 12 from 18 January", "nzpa_nzl", "2026-12-14", "2027-02-02", None),
    (
        "received while closed; Waitangi Day on Monday 8 February",
        "nzpa_nzl",
        "2027-01-04",
        "2027-02-15",
        None,
    ),
    ("Matariki on Friday 10 July", "nzpa_nzl", "2026-06-22", "2026-07-21", None),
    ("Easter, and Anzac Day on Monday 27 April", "nzpa_nzl", "2026-03-30", "2026-04-30", None),
]


@pytest.mark.parametrize(
    ("regulation", "received", "answer_by", "extended"),
    [pytest.param(*row[1:], id=f"{row[1]}: {row[0]}") for row in ANSWERS],
)
def test_an_answer_is_due_on_the_day_computed_by_hand(
    regulation: str, received: str, answer_by: str, extended: str | None
) -> None:
    due = due_dates(regulation, date.fromisoformat(received))
    assert due.answer_by.isoformat() == answer_by
    assert (due.answer_by_extended and due.answer_by_extended.isoformat()) == extended


# 11 CCR 7021(a): 10 business days to acknowledge; 7026: 15 to opt out. No holidays: Monday to Friday.
@pytest.mark.parametrize(
    ("received", "acknowledge_by", "opt_out_by"),
    [
        ("2026-11-20", "2026-12-04", "2026-12-11"),  # a Friday; Thanksgiving counts as a working day
        ("2026-02-14", "2026-02-27", "2026-03-06"),  # a Saturday
        ("2026-12-31", "2027-01-14", "2027-01-21"),  # a Thursday
    ],
)
@pytest.mark.parametrize("regulation", ["ccpa", "cpra_ca_usa"])
def test_california_counts_business_days_to_acknowledge_and_to_opt_out(
    regulation: str, received: str, acknowledge_by: str, opt_out_by: str
) -> None:
    due = due_dates(regulation, date.fromisoformat(received), actions=["access", "delete", "opt_out_of_sale"])
    assert due.acknowledge_by == date.fromisoformat(acknowledge_by)
    assert due.opt_out_by == date.fromisoformat(opt_out_by)


def test_an_opt_out_alone_is_answered_by_being_done_and_knows_no_extension() -> None:
    due = due_dates("ccpa", date(2026, 11, 20), actions=["opt_out_of_sale"])
    assert due.answer_by == due.opt_out_by == date(2026, 12, 11)
    assert (due.answer_by_extended, due.extension_notice_by, due.acknowledge_by) == (None, None, None)


def test_an_opt_out_has_the_period_of_an_answer_where_the_law_gives_it_none_of_its_own() -> None:
    due = due_dates("vcdpa_va_usa", date(2026, 11, 20), actions=["opt_out_of_sale"])
    assert due.answer_by == due.opt_out_by == date(2027, 1, 4)


def test_no_opt_out_is_due_where_none_is_requested() -> None:
    assert due_dates("ccpa", date(2026, 11, 20), actions=["access"]).opt_out_by is None


def test_an_extension_is_announced_within_the_first_period() -> None:
    assert due_dates("gdpr", date(2026, 11, 20)).extension_notice_by == date(2026, 12, 21)
    assert due_dates("nzpa_nzl", date(2026, 12, 14)).extension_notice_by == date(2027, 2, 2)
    assert due_dates("lgpd_bra", date(2026, 11, 20)).extension_notice_by is None


@pytest.mark.parametrize(
    ("regulation", "received_at", "received_on"),
    [
        ("ccpa", "2026-11-20T03:00:00+00:00", "2026-11-19"),  # 19:00 the day before in California
        ("ccpa", "2026-11-20T08:00:00+00:00", "2026-11-20"),  # midnight in California
        ("nzpa_nzl", "2026-11-20T10:59:00+00:00", "2026-11-20"),  # 23:59 in Auckland
        ("nzpa_nzl", "2026-11-20T11:00:00+00:00", "2026-11-21"),
        ("gdpr", "2026-06-30T23:30:00+00:00", "2026-07-01"),  # summer time
        ("gdpr", "2026-11-20T23:30:00-05:00", "2026-11-21"),
    ],
)
def test_the_day_of_receipt_is_that_of_the_place_where_the_law_holds(
    regulation: str, received_at: str, received_on: str
) -> None:
    due = due_dates(regulation, datetime.fromisoformat(received_at))
    assert due.received_on == date.fromisoformat(received_on)
    assert due == due_dates(regulation, date.fromisoformat(received_on))


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        due_dates("gdpr", datetime(2026, 11, 20, 9, 30))  # noqa: DTZ001 - what is refused


def test_a_retired_code_has_the_clock_of_the_current_one() -> None:
    assert due_dates("UCPA_usa", date(2026, 11, 20)).regulation == "ucpa_ut_usa"


def test_an_unknown_and_an_ambiguous_code_are_refused() -> None:
    with pytest.raises(UnknownRegulation):
        due_dates("gpdr", date(2026, 11, 20))
    with pytest.raises(AmbiguousRegulation):
        due_dates("dpdpa", date(2026, 11, 20))


def test_every_regulation_has_a_clock_and_every_clock_a_regulation() -> None:
    assert {clock.regulation for clock in DEFAULT.clocks()} == set(REGULATIONS)


def test_every_built_in_cell_names_its_source_and_none_claims_to_be_the_organisations() -> None:
    for clock in DEFAULT.clocks():
        cells = [cell for cell in dict(clock).values() if hasattr(cell, "standing")]
        assert cells
        for cell in cells:
            assert cell.source
            assert cell.standing in ("verified", "general knowledge")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(REGULATIONS)), st.dates(date(2021, 1, 1), date(2035, 12, 31)))
def test_due_dates_follow_receipt_in_order(regulation: str, received: date) -> None:
    due = due_dates(regulation, received)
    assert due.received_on < due.answer_by <= received + timedelta(days=140)
    assert due.answer_by_extended is None or due.answer_by < due.answer_by_extended
    assert due.acknowledge_by is None or received < due.acknowledge_by < due.answer_by
    assert due.answer_by <= due_dates(regulation, received + timedelta(days=1)).answer_by


def test_submission_leaves_the_latency_and_the_safety() -> None:
    due = date(2026, 12, 31)
    assert submit_by(due, ADOBE_LATENCY_DAYS) == date(2026, 12, 1)
    assert submit_by(due, 12.2, 3) == date(2026, 12, 15)  # 15.2 days count as 16
    assert submit_by(due, 0, 0) == due


@pytest.mark.parametrize(("latency", "safety"), [(-1, 0), (5, -1), (float("nan"), 0), (float("inf"), 0)])
def test_days_that_cannot_be_are_refused(latency: float, safety: float) -> None:
    with pytest.raises(ValueError, match="must be 0 or more"):
        submit_by(date(2026, 12, 31), latency, safety)


# Regulation 1182/71 Art. 2(1): the holidays are those of the Member State concerned, so they are named.
@pytest.mark.parametrize(
    ("country", "received", "answer_by"),
    [
        ("IE", "2026-03-05", "2026-04-07"),  # 5 April is Easter Sunday, 6 April Easter Monday
        ("DE-BE", "2026-02-09", "2026-03-09"),  # Sunday 8 March; Women's Day is a Berlin holiday
        ("FR", "2026-12-01", "2027-01-04"),  # New Year's Day is a Friday
    ],
)
def test_holidays_that_the_organisation_names_move_the_last_day(
    country: str, received: str, answer_by: str
) -> None:
    clocks = DEFAULT.with_overrides({"gdpr": {"holidays": {"country": country}}})
    due = due_dates("gdpr", date.fromisoformat(received), clocks=clocks)
    assert due.answer_by == date.fromisoformat(answer_by)


@pytest.mark.parametrize(
    ("region", "answer_by"),
    [("NZ-AUK", "2027-02-03"), ("NZ-WGN", "2027-02-03"), ("NZ-CAN", "2027-02-02")],
)
def test_the_anniversary_of_the_province_is_off_in_new_zealand_once_named(
    region: str, answer_by: str
) -> None:
    # Auckland Monday 1 February 2027, Wellington Monday 25 January, Canterbury in November.
    clocks = DEFAULT.with_overrides({"nzpa_nzl": {"holidays": {"country": region}}})
    due = due_dates("nzpa_nzl", date(2026, 12, 14), clocks=clocks)
    assert due.answer_by == date.fromisoformat(answer_by)


def test_california_state_holidays_move_the_acknowledgment_once_named() -> None:
    # Thursday 26 and Friday 27 November 2026 are off (Gov. Code 6700): 3 + 5 + 2 working days.
    clocks = DEFAULT.with_overrides({"ccpa": {"holidays": {"country": "US-CA"}}})
    assert due_dates("ccpa", date(2026, 11, 20), clocks=clocks).acknowledge_by == date(2026, 12, 8)


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    clocks = DEFAULT.with_overrides({"gdpr": {"extension": {"amount": 1}}, "version": "2027-1"})
    before, after = DEFAULT.clock("gdpr", date(2026, 11, 20)), clocks.clock("gdpr", date(2026, 11, 20))
    assert after.answer == before.answer
    assert after.extension is not None
    assert (after.extension.amount, after.extension.unit) == (1, "calendar months")
    assert after.extension.standing == "set by the organisation"
    assert clocks.clock("ccpa", date(2026, 11, 20)) == DEFAULT.clock("ccpa", date(2026, 11, 20))
    assert clocks.version == f"{DEFAULT.version}+2027-1"


def test_an_override_leaves_the_clocks_it_was_made_from_untouched() -> None:
    DEFAULT.with_overrides({"lgpd_bra": {"answer": {"amount": 3}}})
    assert due_dates("lgpd_bra", date(2026, 11, 20)).answer_by == date(2026, 12, 5)


@pytest.mark.parametrize("since", [date(2027, 7, 1), "2027-07-01"])
def test_a_new_version_holds_from_its_day_and_requests_before_keep_theirs(since: date | str) -> None:
    clocks = DEFAULT.with_overrides({"lgpd_bra": {"effective_from": since, "answer": {"amount": 10}}})
    assert due_dates("lgpd_bra", date(2027, 6, 30), clocks=clocks).answer_by == date(2027, 7, 15)
    assert due_dates("lgpd_bra", date(2027, 7, 1), clocks=clocks).answer_by == date(2027, 7, 11)
    # 02:00 UTC on 1 July is 21:00 on 30 June in Rio Branco.
    moment = datetime(2027, 7, 1, 2, tzinfo=UTC)
    assert due_dates("lgpd_bra", moment, clocks=clocks).answer_by == date(2027, 7, 15)


def test_a_request_before_the_law_took_effect_gets_its_first_clock() -> None:
    assert due_dates("icdpa_in_usa", date(2025, 12, 1)).answer_by == date(2026, 1, 15)


def test_an_override_may_use_a_retired_code() -> None:
    clocks = DEFAULT.with_overrides({"ucpa_usa": {"answer": {"amount": 30}}})
    assert due_dates("ucpa_ut_usa", date(2026, 11, 20), clocks=clocks).answer_by == date(2026, 12, 20)


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ({"gdpr": {"answer": {"amount": 0}}}, "gdpr.*answer.amount"),
        ({"gdpr": {"answer": {"unit": "weeks"}}}, "gdpr.*answer.unit"),
        ({"gdpr": {"reply": {"amount": 1}}}, "gdpr.*reply"),
        ({"gdpr": {"time_zone": "Europe/Atlantis"}}, "gdpr.*Europe/Atlantis.*IANA"),
        ({"gdpr": {"holidays": {"country": "XX"}}}, "gdpr.*'XX'"),
        ({"gdpr": {"holidays": {"closed": ["24-12", "01-02"]}}}, "gdpr.*holidays.closed"),
        ({"gdpr": {"answer": {"unit": "calendar days", "amount": 30}}}, "gdpr.*extension.*one unit"),
        ({"lgpd_bra": {"acknowledge": {"unit": "calendar days"}}}, "lgpd_bra.*acknowledge needs an amount"),
        ({"gdpr": {"effective_from": "next year"}}, "gdpr.*effective_from"),
        ({"gdpr": {"answer": {"amount": True}}}, "gdpr.*answer.amount"),
        ({"gdpr": {"answer": {"amount": 30_000_000}}}, "gdpr.*answer.amount"),
        ({"gdpr": {"holidays": {"closed": ["01-01", "12-31"]}}}, "gdpr.*holidays.*closed"),
        ({"gdpr": {"holidays": {"closed": ["03-02", "03-01"]}}}, "gdpr.*holidays.*closed"),
        (
            {"cpra_usa": {"answer": {"amount": 9}}, "cpra_ca_usa": {"answer": {"amount": 1}}},
            "cpra_ca_usa.*twice",
        ),
        ({"gdpr": {"answer": {"amount": 9}}, "GDPR": {"answer": {"amount": 1}}}, "gdpr.*twice"),
        ({"gdpr": 30}, "gdpr.*table of cells"),
        ({"gpdr": {"answer": {"amount": 1}}}, "gpdr.*Did you mean gdpr"),
    ],
)
def test_an_override_that_cannot_be_used_is_refused_by_name(overrides: dict[str, object], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        DEFAULT.with_overrides(overrides)


def test_overrides_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "clocks.toml"
    file.write_text('[lgpd_bra]\nanswer = { amount = 10, unit = "calendar days", source = "memo 7" }\n')
    clocks = Clocks.read(file)
    assert due_dates("lgpd_bra", date(2026, 11, 20), clocks=clocks).answer_by == date(2026, 11, 30)
    assert clocks.clock("lgpd_bra", date(2026, 11, 20)).answer.source == "memo 7"


def test_a_deletion_has_a_period_of_its_own_where_the_law_gives_one() -> None:
    received = date(2026, 11, 20)
    assert due_dates("pdpa_tha", received, actions=["access"]).answer_by == date(2026, 12, 20)
    assert due_dates("pdpa_tha", received, actions=["delete"]).answer_by == date(2027, 2, 18)
    both = due_dates("pdpa_tha", received, actions=["access", "delete"])
    assert both.answer_by == date(2026, 12, 20), "the earlier day"


def test_an_extension_covers_the_actions_that_the_law_gives_it_to() -> None:
    received = date(2026, 11, 20)
    access = due_dates("pipa_kor", received, actions=["access"])
    assert (access.answer_by, access.answer_by_extended) == (date(2026, 11, 30), date(2026, 12, 10))
    delete = due_dates("pipa_kor", received, actions=["delete"])
    assert (delete.answer_by, delete.answer_by_extended, delete.extension_notice_by) == (
        date(2026, 11, 30),
        None,
        None,
    )


@pytest.mark.parametrize("code", ["hipaa_usa", "apa_aus", "nzpa_nzl"])
def test_a_deletion_under_a_law_without_one_gets_a_remark(code: str) -> None:
    [remark] = due_dates(code, date(2026, 11, 20), actions=["delete"]).remarks
    assert remark.startswith(f"{code} knows no right of deletion")
    assert due_dates(code, date(2026, 11, 20), actions=["access"]).remarks == ()


def test_a_request_under_a_law_that_is_not_in_force_yet_gets_a_remark() -> None:
    [remark] = due_dates("dpdpa_ind", date(2026, 11, 20), actions=["access"]).remarks
    assert "takes effect on 2027-05-14" in remark
    assert due_dates("dpdpa_ind", date(2027, 6, 1), actions=["access"]).remarks == ()


def test_an_extension_in_another_unit_than_a_deletions_period_is_refused() -> None:
    cells = {"pdpa_tha": {"extension": {"amount": 5, "unit": "working days"}}}
    with pytest.raises(ValueError, match="give both in one unit"):
        DEFAULT.with_overrides(cells)
