from __future__ import annotations

import base64
import hashlib
import html
import json
import quopri
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from adobe_privacy.results.masking import MASK, MAX_LENGTH, all_without_identities, without_identities

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


VALUES = [
    "ann+x@example.com",
    "44363657679975868102109072127600000001",
    "L-7712AB",
    "Renée Müller",
    "+49 170 1234567",
    "loyaltyjane",
    "12AD45FE30R29",
    "2CCEEAE88503384F-1188000089CA",
]
SPELT: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "in a URL": lambda value: quote(value, safe=""),
    "in a URL, small": lambda value: quote(value, safe="").lower(),
    "in a URL, twice": lambda value: quote(quote(value, safe=""), safe=""),
    "in a URL, each sign": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "in a query": quote_plus,
    "in HTML": html.escape,
    "in HTML, each sign": lambda value: "".join(f"&#{ord(char)};" for char in value),
    "in HTML, one sign": lambda value: value.replace("@", "&#x40;"),
    "in HTML, by name": lambda value: value.replace("@", "&commat;"),
    "in JSON": lambda value: json.dumps(value)[1:-1],
    "in JSON, each sign": lambda value: "".join(f"\\u{ord(char):04x}" for char in value),
    "Base64": lambda value: base64.b64encode(value.encode()).decode(),
    "Base64 of URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "Base64 of the small one": lambda value: base64.b64encode(value.lower().encode()).decode(),
    "hexadecimal": lambda value: value.encode().hex().upper(),
    "MD5": lambda value: hashlib.md5(value.encode()).hexdigest(),
    "SHA-1": lambda value: hashlib.sha1(value.encode()).hexdigest(),
    "SHA-256 of the small one": lambda value: hashlib.sha256(value.lower().encode()).hexdigest(),
    "SHA-256 in Base64": lambda value: base64.b64encode(hashlib.sha256(value.encode()).digest()).decode(),
    "with a sign that nobody sees": lambda value: f"{value[:3]}\u200b{value[3:]}",
    "with a soft hyphen": lambda value: f"{value[:3]}\u00ad{value[3:]}",
    "with hard blanks": lambda value: value.replace(" ", "\u00a0"),
    "wide": lambda value: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in value),
    "at": lambda value: value.replace("@", " at "),
    "at, dot": lambda value: value.replace("@", " [at] ").replace(".com", "[dot]com"),
    "for mail": lambda value: quopri.encodestring(value.encode()).decode(),
    "for a mail's head": lambda value: f"=?utf-8?B?{base64.b64encode(value.encode()).decode()}?=",
    "spaced out": lambda value: " ".join(value.removeprefix("+")),
    "in groups": lambda value: "-".join(value[at : at + 4] for at in range(0, len(value), 4)),
    "without signs": lambda value: "".join(filter(str.isalnum, value)),
    "among other words": lambda value: f"user_{value}_x",
    "in an address": lambda value: f"/users/{value}/jobs?id={value}&n=1",
    "its end cut off": lambda value: f"{value[:-3]}...",
    "its middle left out": lambda value: f"{value[:7]}…{value[-4:]}",
    "hidden in part": lambda value: f"{value[:7]}*****",
    "on two lines": lambda value: f"{value[:4]}\n{value[4:]}",
    "read in a wrong encoding": lambda value: value.encode().decode("cp1252"),
    "taken apart": lambda value: unicodedata.normalize("NFD", value),
    "without accents": lambda value: unicodedata.normalize("NFD", value).encode("ascii", "ignore").decode(),
    "the other way round": lambda value: ", ".join(reversed(value.split(" "))),
}


@pytest.mark.parametrize("how", SPELT)
@pytest.mark.parametrize("value", VALUES)
def test_however_an_identity_is_spelt_nothing_of_it_is_kept(value: str, how: str) -> None:
    spelt = SPELT[how](value)
    masked = without_identities(f"Value {spelt} was not found", VALUES)
    assert masked is not None
    assert MASK in masked
    assert masked.startswith("Value ")
    assert masked.endswith(" was not found")
    left = masked.replace(MASK, " ")
    parts = [value[at : at + 5].casefold() for at in range(len(value) - 4)]
    assert not any(
        part in text for part in parts for text in (left.casefold(), left.replace(" ", "").casefold())
    )
    coded = ("in a", "in HTML", "in JSON", "Base64", "hexadecimal", "MD5", "SHA")
    if how.startswith(coded) and how not in ("in an address",):
        assert left.split() == ["Value", "was", "not", "found"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("at", [3, 5, -4])
def test_an_identity_that_is_split_over_two_texts_is_kept_in_neither(value: str, at: int) -> None:
    message, detail = all_without_identities([f"for {value[:at]}", f"{value[at:]} failed"], [value])
    assert message == f"for {MASK}"
    assert detail is not None
    assert value[at:] not in detail
    assert detail.endswith(" failed")


def test_texts_stay_where_they_are() -> None:
    assert all_without_identities([None, "a\x1fb", ""], []) == [None, "a b", None]
    assert all_without_identities([None, None], ["Ann"]) == [None, None]


@pytest.mark.parametrize(
    "text",
    [
        "Success! 100% of 3 users, 50 %20 of them",
        "PARTIALLY COMPLETED- Data not found for some requests, check results for more info.",
        "dataSetIds = [5f0e2ab1c0ffee0000000001]",
        "finished processing",
        "Please wait... or try again later...",
        "Error: R&D &n=1 \\d+ C:\\users",
    ],
)
def test_what_adobe_says_of_nobody_stays_as_it_is(text: str) -> None:
    assert without_identities(text, VALUES) == text.replace(" %20", "  ")
