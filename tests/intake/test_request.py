from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adobe_privacy.api.facts import MAX_IDENTITIES
from adobe_privacy.intake.request import (
    Action,
    PrivacyRequest,
    UnusableRequest,
    check_products,
    check_request,
    parse_request,
    user_key,
)
from adobe_privacy.regulations.codes import REGULATIONS
from tests.support.ledgers import DAY

CANARY = "cana.ry@example.com"


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "request_id": "DSR-2026-000123",
        "regulation": "gdpr",
        "actions": ["access", "delete"],
        "identities": [{"namespace": "email", "value": CANARY}],
    } | changes


def parse(**changes: Any) -> PrivacyRequest:
    return parse_request(fields(**changes), DAY)


def reason(**changes: Any) -> str:
    with pytest.raises(UnusableRequest) as caught:
        parse(**changes)
    return str(caught.value)


def emails(*numbers: int) -> list[dict[str, str]]:
    return [{"namespace": "email", "value": f"s{n:02}@example.com"} for n in numbers]


def test_the_least_a_request_needs() -> None:
    request = parse()
    assert request.actions == (Action.ACCESS, Action.DELETE)
    assert request.received_at == DAY
    assert request.received == datetime(2026, 11, 20, tzinfo=UTC)
    assert request.identities[0].type == "standard"
    assert request.products == ()


def test_a_time_with_another_zone_is_kept_in_utc_and_one_without_is_utc() -> None:
    assert parse(received_at="2026-11-20T09:30:00+02:00").received.isoformat() == "2026-11-20T07:30:00+00:00"
    assert parse(received_at=" 2026-11-20 09:30 ").received.isoformat() == "2026-11-20T09:30:00+00:00"


@pytest.mark.parametrize(
    "told",
    ["2026-11-20+02:00", "2026-11-20-05:00", "2026-11-20x09:30", "2026112012345", "2026-11-20009:30"],
    ids=["a day in a zone", "another", "no separator", "too many digits", "a digit for a separator"],
)
def test_what_is_no_date_with_a_time_is_not_read_as_one(told: str) -> None:
    """Python takes any sign between the two: the zone of `2026-11-20+02:00` was read as a time, two in the morning."""
    assert reason(received_at=told).startswith("received_at: must be a date and time such as")


@pytest.mark.parametrize("separator", ["T", "t", " ", "\u00a0"])
def test_a_date_and_its_time_may_be_separated_in_these_ways(separator: str) -> None:
    assert parse(received_at=f"2026-11-20{separator}09:30Z").received.hour == 9


def test_a_namespace_with_a_sign_that_only_looks_right_is_warned_of() -> None:
    """It finds nobody, and Adobe says that it is done."""
    for namespace in ("loyalty\ufe0f", "l\u043eyalty"):
        request = parse(identities=[{"namespace": namespace, "value": "AB12345", "type": "custom"}])
        (warning,) = [each for each in check_request(request, ["campaign"]).warnings if "number 0" in each]
        assert warning.startswith("identities: number 0: its namespace: ")


def test_a_namespace_and_its_value_are_both_warned_of() -> None:
    """The one that is less bad hid the other."""
    for namespace, says in (("l\u043eyalty", "its namespace: "), ("email", "the standard namespace email")):
        request = parse(identities=[{"namespace": namespace, "value": "12\u2011345", "type": "custom"}])
        first, second = [each for each in check_request(request, ["campaign"]).warnings if "number 0" in each]
        assert says in first
        assert "a dash other than -" in second


def test_midnight_is_a_time_where_it_is_written_and_a_date_is_a_day() -> None:
    assert parse(received_at="2026-11-20T00:00:00Z").received_at == datetime(2026, 11, 20, tzinfo=UTC)
    assert parse(received_at="2026-11-19").received_at == date(2026, 11, 19)
    assert parse(received_at="").received_at == DAY


@pytest.mark.parametrize(
    "told", ["2025-11-19", "2026-11-21T23:59:59Z", "2026-11-21", "2026-11-22T13:00:00+14:00"]
)
def test_a_request_was_received_in_the_year_before_its_folder_or_a_day_after(told: str) -> None:
    assert parse(received_at=told)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"request_id": CANARY}, "request_id: must begin with a letter or digit"),
        ({"request_id": "+49 170 1234567"}, "request_id: must begin"),
        ({"request_id": "0170-123.4567"}, "request_id: looks like a phone number"),
        ({"request_id": "adobe:9a1b"}, "request_id: begins with adobe:"),
        ({"request_id": "15551234567"}, "request_id: looks like a phone number"),
        ({"request_id": "A~2"}, "request_id: must begin"),
        ({"request_id": ""}, "request_id: is empty"),
        ({"request_id": "A" * 129}, "request_id: String should have at most 128 characters"),
        ({"request_id": 123}, "request_id: must be text, in quotation marks"),
        ({"request_id": None}, "request_id: must be text, in quotation marks"),
        ({"regulation": CANARY}, "regulation: not one of Adobe's regulation codes"),
        ({"regulation": "dpdpa"}, "regulation: Regulation code dpdpa is ambiguous"),
        (
            {"regulation": "cpra_usa"},
            "regulation: the code 'cpra_usa' is retired at Adobe: write 'cpra_ca_usa'",
        ),
        ({"regulation": None}, "regulation: must be text, in quotation marks"),
        ({"actions": []}, "actions: none is given"),
        ({"actions": ["erase"]}, "actions.0: must be 'access', 'delete' or 'opt_out_of_sale'"),
        ({"actions": ["access", "access"]}, "actions: names an action twice"),
        ({"actions": CANARY}, "actions: must be a list, in square brackets"),
        ({"identities": []}, "identities: none is given"),
        ({"identities": {CANARY: CANARY}}, "identities: must be a list, in square brackets"),
        ({"identities": [CANARY]}, "identities.0: "),
        (
            {"identities": [{"namespace": "email", "value": "cana.ry"}]},
            "number 0: not exactly one e-mail address",
        ),
        (
            {"identities": [{"namespace": "email", "value": ""}]},
            "identities.0.value: is empty",
        ),
        ({"identities": [{"namespace": "", "value": CANARY}]}, "identities.0.namespace: is empty"),
        ({"identities": [{"namespace": "email", "value": f"{CANARY}\x00"}]}, "holds a control character"),
        ({"identities": [{"namespace": "em\nail", "value": CANARY}]}, "number 0: holds a control character"),
        ({"identities": [{"namespace": "\ud800", "value": CANARY}]}, "identities.0.namespace: "),
        (
            {"identities": [{"namespace": "ECID", "value": 4711}]},
            "identities.0.value: must be text, in quotation marks",
        ),
        (
            {"identities": [{"namespace": "email", "value": CANARY, "type": CANARY}]},
            "identities.0.type: must be",
        ),
        ({"identities": [{"namespace": "email", "value": CANARY, CANARY: 1}]}, "a field that is not one of"),
        ({"identities": [{"namespace": "AAID", "value": "0ABC-12"}]}, "number 0: an AAID is two upper-case"),
        (
            {"identities": [{"namespace": "aaid", "value": "2cceeae8-11"}]},
            "number 0: an AAID is two upper-case",
        ),
        (
            {"identities": [{"namespace": "email", "value": CANARY, "valeu": 1}]},
            "identities.0: a field that is not one of namespace, value, type, isDeletedClientSide (perhaps value)",
        ),
        (
            {"identities": [{"namespace": "emial", "value": CANARY}]},
            "identities: number 0: the namespace is not a standard one (perhaps email)",
        ),
        ({"identities": [{"namespace": "crmId", "value": "1"}]}, "a namespace of your own needs its type"),
        (
            {"identities": [{"namespace": "crm", "value": "1", "type": "namespaceId"}]},
            "the namespace is a number",
        ),
        ({"identities": emails(*range(201))}, "identities: 201 of them, more than the 200"),
        ({f"x{n}": 1 for n in range(50)}, "54 fields, which no request has"),
        ({"identities": [{}] * 20}, "; and 35 more"),
        ({CANARY: CANARY}, "a field that is not one of request_id, received_at"),
        ({"product": ["target"]}, "(perhaps products)"),
        ({"products": ["analytics", "Adobe Analytics".replace(" ", "")]}, "products: names a product twice"),
        ({"products": [CANARY]}, "products: number 0: not one of Adobe's products;"),
        ({"products": ["analitycs"]}, "products: number 0: not one of Adobe's products (perhaps analytics)"),
        (
            {"products": [f"p{n:03}{'x' * 62}" for n in range(20)]},
            "products.0: String should have at most 64",
        ),
        ({"received_at": CANARY}, "received_at: must be a date and time such as 2026-11-20T09:30:00Z"),
        ({"received_at": "20.11.2026"}, "received_at: must be a date and time"),
        ({"received_at": "9999-12-31T23:59:59Z"}, "received_at: is in no year"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "received_at: is in no year"),
        ({"received_at": "2027-11-20T10:00:00Z"}, "received_at: is after the day of its folder"),
        ({"received_at": "2026-11-22"}, "received_at: is after the day of its folder"),
        ({"received_at": "2025-11-18"}, "received_at: is more than a year before its folder's day"),
        ({"received_at": 5}, "received_at: must be text"),
        ({"received_at": [CANARY]}, "received_at: must be text"),
    ],
)
def test_an_unusable_line_is_explained_by_its_field_and_never_by_its_value(
    changes: dict[str, Any], expected: str
) -> None:
    told = reason(**changes)
    assert expected in told
    assert "cana" not in told
    assert "Traceback" not in told


def test_every_problem_of_a_line_is_told_at_once() -> None:
    told = reason(received_at="nothing", actions=[], request_id=CANARY)
    assert [part.partition(":")[0] for part in told.split("; ")] == ["request_id", "received_at", "actions"]


def test_a_refused_line_is_named_only_by_an_id_that_is_fit_for_it() -> None:
    for request_id, named in (
        ("DSR-1", "DSR-1"),
        (CANARY, None),
        ("0170 1234567", None),
        (7, None),
        (None, None),
    ):
        with pytest.raises(UnusableRequest) as caught:
            parse(request_id=request_id, actions=[])
        assert caught.value.request_id == named


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*fields(), "received_at", "products", "x"]), json_values))
def test_whatever_a_line_holds_it_is_usable_or_explained(changes: dict[str, Any]) -> None:
    try:
        request = parse(**changes)
    except UnusableRequest as error:
        told = str(error)
    else:
        told = f"{len(request.parts())} parts, {len(request.content())} bytes"
    assert told
    assert "\n" not in told


def test_no_identity_shows_in_a_repr() -> None:
    assert CANARY not in repr(parse())
    assert CANARY not in str(parse())


@pytest.mark.parametrize("code", REGULATIONS)
def test_every_current_code_is_taken_in_any_case(code: str) -> None:
    assert parse(regulation=f" {code.upper()} ").regulation == code


class TestContent:
    @pytest.mark.parametrize(
        "changes",
        [
            {"actions": ["delete", "access"]},
            {"received_at": "2026-11-21T00:00:00Z"},
            {"identities": [{"namespace": "Email", "value": CANARY, "type": "standard"}] * 2},
            {"request_id": "DSR-2"},
        ],
        ids=str,
    )
    def test_order_spelling_and_time_do_not_make_another_request(self, changes: dict[str, Any]) -> None:
        assert parse(**changes).content() == parse().content()

    def test_products_are_the_same_in_any_order_and_spelling(self) -> None:
        one = parse(products=["analytics", "profileService"])
        assert parse(products=["ProfileService", "Analytics"]).content() == one.content()

    @pytest.mark.parametrize(
        "changes",
        [
            {"actions": ["access"]},
            {"regulation": "ccpa"},
            {"products": ["analytics"]},
            {"identities": [{"namespace": "email", "value": CANARY.upper()}]},
            {"identities": [{"namespace": "email", "value": CANARY, "type": "custom"}]},
            {"identities": [{"namespace": "email", "value": CANARY}, *emails(1)]},
        ],
        ids=str,
    )
    def test_whatever_is_sent_makes_another_request(self, changes: dict[str, Any]) -> None:
        assert parse(**changes).content() != parse().content()


class TestParts:
    def test_the_parts_are_the_same_in_whatever_order_the_line_lists_identities(self) -> None:
        forth, back = parse(identities=emails(*range(20))), parse(identities=emails(*range(19, -1, -1)))
        assert forth.parts() == back.parts()
        assert [len(part) for part in forth.parts()] == [9, 9, 2]

    @given(st.lists(st.integers(0, 99), min_size=1, max_size=60))
    def test_every_identity_is_in_exactly_one_part(self, numbers: list[int]) -> None:
        parts = parse(identities=emails(*numbers)).parts()
        values = [identity.value for part in parts for identity in part]
        assert sorted(values) == sorted({f"s{n:02}@example.com" for n in numbers})
        assert all(0 < len(part) <= MAX_IDENTITIES for part in parts)

    def test_user_keys_of_parts_cannot_be_another_requests_id(self) -> None:
        assert [user_key("DSR-1", part) for part in (1, 2, 3)] == ["DSR-1", "DSR-1~2", "DSR-1~3"]
        assert "request_id" in reason(request_id="DSR-1~2")


class TestProducts:
    @pytest.mark.parametrize(
        ("actions", "products", "problem"),
        [
            (["access"], ["analytics"], None),
            (["delete"], ["analytics"], None),
            (["access"], ["cjm"], None),
            (["delete"], ["cjm"], "without profileService, identity, aepDataLake"),
            (["delete"], ["CJM", "profileService", "identity"], "without aepDataLake"),
            (["delete"], ["cjm", "profile", "identity", "AdobeCloudPlatform"], None),
            (["delete"], ["journeyOptimizer", "aepDataLake", "profileService"], "without identity"),
            (["access"], [], "none given"),
        ],
    )
    def test_a_delete_that_would_hang_is_found(
        self, actions: list[str], products: list[str], problem: str | None
    ) -> None:
        found = check_products(actions, products)
        assert (found is None) if problem is None else (found is not None and problem in found)


@pytest.mark.parametrize(
    ("identities", "told"),
    [
        ([{"namespace": "email", "value": f"jane{number}@example.com"} for number in range(5)], False),
        ([{"namespace": "Email", "value": f"jane{number}@example.com"} for number in range(6)], True),
        (
            [{"namespace": "email", "value": f"jane{number}@example.com"} for number in range(3)]
            + [
                {"namespace": "6", "value": f"jane{number}@example.com", "type": "namespaceId"}
                for number in range(3, 6)
            ],
            True,
        ),
        ([{"namespace": "email", "value": value} for value in ("a@x.example", "A@X.example") * 5], False),
        (
            [
                {"namespace": "ECID", "value": f"4436365767997586810210907212760000{number:04}"}
                for number in range(30)
            ],
            False,
        ),
    ],
)
def test_addresses_of_many_people_are_told_of(identities: list[dict[str, str]], told: bool) -> None:
    request = parse_request(
        {"request_id": "DSR-1", "regulation": "gdpr", "actions": ["delete"], "identities": identities}, DAY
    )
    warnings = check_request(request, ("identity",)).warnings
    assert any("are they all one person's?" in warning for warning in warnings) == told
