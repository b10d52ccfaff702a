from __future__ import annotations

import pickle

import pytest

from adobe_privacy.regulations.codes import (
    REGULATIONS,
    AmbiguousRegulation,
    RegulationError,
    UnknownRegulation,
    canonical_regulation,
    listing_codes,
)

# The list in the live API's 400 "The `regulation` parameter is mandatory", in its order (August 2026).
_LIVE_TEXT = """
vcdpa_usa gdpr ccpa lgpd_bra cpra_usa apa_aus hipaa_usa pdpa_tha mhmda_usa cpa_usa ctdpa_usa ucpa_usa nzpa_nzl
dpdpa_ind pipa_kor ocpa_usa tdpsa_usa fdbr_usa icdpa_usa mcdpa_usa ndpa_usa njdpa_usa nhpa_usa dpdpa_usa
ql25_can tipa_tn_usa mcdpa_mn_usa vcdpa_va_usa cpra_ca_usa mhmda_wa_usa cpa_co_usa ctdpa_ct_usa ucpa_ut_usa
ocpa_or_usa tdpsa_tx_usa fdbr_fl_usa icdpa_ia_usa mcdpa_mt_usa ndpa_ne_usa njdpa_nj_usa nhpa_nh_usa
dpdpa_de_usa ql25_qc_can icdpa_in_usa kcdpa_ky_usa modpa_md_usa ridtppa_ri_usa
"""
LIVE_LIST = _LIVE_TEXT.split()


def test_the_listing_codes_of_all_regulations_are_the_live_list() -> None:
    listed = [code for regulation in REGULATIONS for code in listing_codes(regulation)]
    assert sorted(listed) == sorted(LIVE_LIST)


@pytest.mark.parametrize("code", LIVE_LIST)
def test_every_code_of_the_live_list_leads_to_a_current_code(code: str) -> None:
    assert canonical_regulation(code) in REGULATIONS
    assert code in listing_codes(code)


@pytest.mark.parametrize("code", REGULATIONS)
def test_a_current_code_stays_as_it_is(code: str) -> None:
    assert canonical_regulation(code) == code
    assert REGULATIONS[code].code == code


@pytest.mark.parametrize(
    ("retired", "current"),
    [
        ("ucpa_usa", "ucpa_ut_usa"),
        ("mcdpa_usa", "mcdpa_mt_usa"),  # Montana, not Minnesota
        ("icdpa_usa", "icdpa_ia_usa"),  # Iowa, not Indiana
        ("dpdpa_usa", "dpdpa_de_usa"),
        ("ql25_can", "ql25_qc_can"),
        ("ql25", "ql25_qc_can"),
        ("cpa", "cpa_co_usa"),
        ("ctdpa", "ctdpa_ct_usa"),
        ("mhmda", "mhmda_wa_usa"),
    ],
)
def test_a_retired_code_leads_to_the_current_one(retired: str, current: str) -> None:
    assert canonical_regulation(retired) == current


def test_case_and_blanks_do_not_matter() -> None:
    assert canonical_regulation(" UCPA_Usa ") == "ucpa_ut_usa"


def test_the_current_code_is_listed_first_and_spellings_unknown_to_the_live_list_never() -> None:
    assert listing_codes("cpa") == ("cpa_co_usa", "cpa_usa")
    assert listing_codes("mcdpa_mn_usa") == ("mcdpa_mn_usa",)


@pytest.mark.parametrize(
    ("code", "candidates"),
    [
        ("dpdpa", ("dpdpa_de_usa", "dpdpa_ind")),
        ("MCDPA", ("mcdpa_mt_usa", "mcdpa_mn_usa")),
        ("icdpa", ("icdpa_ia_usa", "icdpa_in_usa")),
    ],
)
def test_an_ambiguous_code_is_refused_with_both_candidates(code: str, candidates: tuple[str, ...]) -> None:
    with pytest.raises(AmbiguousRegulation) as refused:
        canonical_regulation(code)
    assert refused.value.candidates == candidates
    for candidate in candidates:
        assert f"{candidate} ({REGULATIONS[candidate].jurisdiction})" in str(refused.value)


def test_no_current_or_retired_code_belongs_to_two_laws() -> None:
    codes = [code for r in REGULATIONS.values() for code in (r.code, *r.retired_codes, *r.older_codes)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("code", "match"),
    [("gpdr", "gdpr"), ("pdpa", "pdpa_tha"), ("ccpa_usa", "ccpa"), ("modpa", "modpa_md_usa")],
)
def test_an_unknown_code_is_refused_with_what_it_may_have_meant(code: str, match: str) -> None:
    with pytest.raises(UnknownRegulation, match=r"docs/legal-clocks\.md") as refused:
        canonical_regulation(code)
    assert refused.value.code == code
    assert match in refused.value.close_matches
    assert match in str(refused.value)


@pytest.mark.parametrize("value", ["dsmith@example.com", "+1 202 555 0123", "12025550123", "D Smith", ""])
def test_a_value_that_has_not_the_form_of_a_code_is_not_repeated(value: str) -> None:
    with pytest.raises(UnknownRegulation) as refused:
        canonical_regulation(value)
    shown = f"{refused.value}{refused.value!r}{refused.value.code}"
    assert not value or value not in shown
    assert f"{len(value)} characters" in shown


@pytest.mark.parametrize("code", ["gpdr", "dpdpa"])
def test_an_error_survives_the_way_between_processes(code: str) -> None:
    with pytest.raises(RegulationError) as refused:
        canonical_regulation(code)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
