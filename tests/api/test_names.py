from __future__ import annotations

import pytest

from adobe_privacy.api.names import (
    PRODUCTS,
    REGULATION_CODES,
    Verdict,
    find_outcome_code,
    include_codes,
    known_product,
    meaning_of,
    outcome_code,
    outcome_in_words,
    product_code,
    retry_can_help,
)


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("Analytics", "analytics"),
        ("AudienceManager", "audienceManager"),
        ("Audience Manager", "audienceManager"),
        ("Profile", "profileService"),
        ("Profile Service", "profileService"),
        ("profileService", "profileService"),
        ("AdobeCloudPlatform", "aepDataLake"),
        ("aepDataLake", "aepDataLake"),
        ("CJM", "cjm"),
        ("marketoMeasure", "marketomeasure"),
        ("crs", "CRS"),
        ("Adobe Pass Authentication", "primetimeAuthentication"),
        ("Primetime Authentication", "primetimeAuthentication"),
        ("campaign-example-stg", "campaign"),
        ("AJO", "cjm"),
        ("Marketo Engage", "marketo"),
        ("Customer Attributes", "CRS"),
        (" Something New ", "somethingnew"),
        ("something-new", "somethingnew"),
    ],
)
def test_a_product_has_one_name(name: str, product: str) -> None:
    assert product_code(name) == product


def test_what_is_sent_is_the_include_code_of_each_product_once() -> None:
    names = ["AJO", " Profile ", "identity", "Adobe Cloud Platform", "cjm", "Brand New"]
    assert include_codes(names) == ("cjm", "profileService", "identity", "aepDataLake", "Brand New")
    assert include_codes(PRODUCTS) == PRODUCTS


def test_a_name_that_no_product_has_is_not_guessed() -> None:
    assert known_product("analitycs") is None
    assert known_product("") is None
    assert known_product("campaigns") is None


@pytest.mark.parametrize(
    ("wire", "code", "verdict"),
    [
        ("PRVCY-6000-200", "6000-200", Verdict.DONE),
        ("6054-200", "6054-200", Verdict.IN_PART),
        ("PRVCY-6051-200", "6051-200", Verdict.NOTHING_TO_DO),
        ("PRVCY-6052-200", "6052-200", Verdict.NOBODY_FOUND),
        ("PRVCY-6053-200", "6053-200", Verdict.WRONG_NAMESPACE),
        ("PRVCY-1024-400", "1024-400", Verdict.NOT_DONE),
        ("PRVCY-7000-200", "7000-200", Verdict.RESERVED),
        ("PRVCY-7000-400", "7000-400", Verdict.NOT_DONE),
        ("PRVCY-7000-300", "7000-300", Verdict.RESERVED),
        ("someone@example.com", None, Verdict.RESERVED),
        ("", None, None),
        (None, None, None),
        ("PRVCY\N{EN DASH}6053\N{EN DASH}200", "6053-200", Verdict.WRONG_NAMESPACE),
        ("PRVCY-6000-200, PRVCY-6053-200", "6053-200", Verdict.WRONG_NAMESPACE),
        ("1010-400 6054-200", "1010-400", Verdict.NOT_DONE),
        ("Error 1010", "1010-400", Verdict.NOT_DONE),
        ("PRVCY-6000-200 with warnings", None, Verdict.RESERVED),
        ("in 2026", None, Verdict.RESERVED),
    ],
)
def test_an_outcome_code_is_read(wire: str | None, code: str | None, verdict: Verdict | None) -> None:
    assert outcome_code(wire) == code
    meaning = meaning_of(wire)
    assert (meaning and meaning.verdict) == verdict


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("PRVCY-6000-200", "done"),
        ("6052-200", "the product has no record of some identities"),
        ("1000-400", "a value does not have the form that the product expects"),
        ("7000-400", "failed"),
        ("7000-200", "done, with a reservation"),
        ("7000-300", "unknown code"),
        ("someone@example.com", "unknown code"),
        (None, "unknown code"),
    ],
)
def test_an_outcome_code_is_told_in_words(code: str | None, words: str) -> None:
    assert outcome_in_words(code) == words


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("6053", "6053-200"),
        (" 6053-200 ", "6053-200"),
        ("prvcy-6053-200", "6053-200"),
        ("6099", None),
        ("", None),
    ],
)
def test_a_person_may_name_a_code_shortly(text: str, code: str | None) -> None:
    assert find_outcome_code(text) == code


def test_only_processing_and_rate_failures_are_worth_another_request() -> None:
    codes = ["1000", "1001", "1010", "1020", "1021", "1022", "1023", "1024", "1030", "1040"]
    assert [c for c in codes if retry_can_help(f"PRVCY-{c}-400")] == [
        "1020",
        "1021",
        "1022",
        "1023",
        "1024",
        "1030",
    ]
    assert not retry_can_help(None)


def test_old_and_new_regulation_codes_are_known_and_ambiguous_ones_are_not() -> None:
    assert len(REGULATION_CODES) == 49
    assert {"gdpr", "cpra_usa", "cpra_ca_usa", "dpdpa", "ql25"} <= REGULATION_CODES
    assert not {"cpa", "ctdpa", "mhmda", "pdpa"} & REGULATION_CODES
