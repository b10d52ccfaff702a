from __future__ import annotations

import pytest

from adobe_privacy.results.masking import MAX_LENGTH, without_identities

IDENTITIES = ["ann+x@example.com", "Renée", "12", "L-77"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Value ANN+X@example.com is bad", "Value [identity] is bad"),
        ("?id=ann%2Bx%40example.com&n=1", "?id=[identity]&n=1"),
        ("rene\N{COMBINING ACUTE ACCENT}e was not found", "[identity] was not found"),
        ("id 12 of 121 at 2012", "id [identity] of 121 at 2012"),
        ("(l-77)", "([identity])"),
        ("other@example.org, <b@c.de>", "[identity], <[identity]>"),
        ("call +39 06 1234-5678 or 10.20.30.40", "call [identity] or [identity]"),
        ("ECID 44363657679975868102109072127600000002", "ECID [identity]"),
        ("2CCEEAE88503384F-1188000089CA", "[identity]"),
        ("PRVCY-1000-400: 3 of 412 users", "PRVCY-1000-400: 3 of 412 users"),
        (
            "Success dataSetIds = [], Failed dataSetIds = [5f0e2ab1c0ffee0000000001, a@example.com]",
            "Success dataSetIds = [], Failed dataSetIds = [5f0e2ab1c0ffee0000000001, [identity]]",
        ),
        (
            "PARTIALLY COMPLETED- Data not found for some requests",
            "PARTIALLY COMPLETED- Data not found for some requests",
        ),
        ("", None),
        (None, None),
    ],
)
def test_identities_and_what_looks_like_one_are_replaced(text: str | None, masked: str | None) -> None:
    assert without_identities(text, IDENTITIES) == masked


def test_a_long_text_is_cut_after_it_was_masked() -> None:
    masked = without_identities("ann+x@example.com " * 1000, IDENTITIES)
    assert masked is not None
    assert len(masked) == MAX_LENGTH
    assert "ann" not in masked
