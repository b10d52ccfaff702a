from __future__ import annotations

import pytest

from adobe_privacy.api.names import PRODUCTS
from adobe_privacy.intake.catalogue import (
    IDENTITY_TYPES,
    PRODUCT_USES,
    concerns,
    identity_type,
    perhaps,
    standard_namespace,
    unknown_product,
    without_tenant,
)
from adobe_privacy.intake.options import CompanyContext

# The rows of "Which identities a product can use": what each can, and what people send it in vain.
USABLE = [
    ("analytics", "AAID", "standard"),
    ("analytics", "ecid", "standard"),
    ("analytics", "4", "namespaceId"),
    ("analytics", "email", "analytics"),
    ("target", "ECID", "standard"),
    ("target", "TNTID", "standard"),
    ("target", "THIRDPARTYID", "target"),
    ("audienceManager", "ECID", "standard"),
    ("audienceManager", "CORE", "standard"),
    ("audienceManager", "0", "namespaceId"),
    ("audienceManager", "loyaltyAccount", "integrationCode"),
    ("adCloud", "AdCloud", "standard"),
    ("adCloud", "411", "namespaceId"),
    ("CRS", "loyaltyAccount", "integrationCode"),
    ("profileService", "email", "standard"),
    ("profileService", "crmId", "unregistered"),
    ("aepDataLake", "email_label", "unregistered"),
    ("identity", "crmId", "custom"),
    ("identity", "email", "standard"),
    ("cjm", "email", "standard"),
    ("marketo", "email", "standard"),
    ("marketomeasure", "Email", "standard"),
    ("campaign", "recipientId", "custom"),
    ("primetimeAuthentication", "http://www.adobe.com/primetimeAuthentication/Dish", "unregistered"),
]
IN_VAIN = [
    ("analytics", "email", "standard"),
    ("analytics", "crmId", "custom"),
    ("target", "email", "standard"),
    ("target", "THIRDPARTYID", "custom"),
    ("target", "crmId", "target"),
    ("audienceManager", "email", "standard"),
    ("audienceManager", "crmId", "custom"),
    ("adCloud", "email", "standard"),
    ("adCloud", "412", "namespaceId"),
    ("CRS", "email", "standard"),
    ("profileService", "crmId", "custom"),
    ("aepDataLake", "email", "standard"),
    ("identity", "crmId", "integrationCode"),
    ("marketo", "ECID", "standard"),
    ("marketomeasure", "email", "custom"),
    ("primetimeAuthentication", "email", "standard"),
    ("primetimeAuthentication", "http://www.adobe.com/primetimeAuthentication/Dish", "custom"),
]


@pytest.mark.parametrize(("product", "namespace", "type_"), USABLE)
def test_a_product_is_given_what_it_can_use(product: str, namespace: str, type_: str) -> None:
    assert concerns(("access",), (product,), frozenset([(namespace.lower(), type_)])) == ()


def test_campaign_takes_one_namespace_a_request() -> None:
    two = frozenset([("recipientid", "custom"), ("email", "standard")])
    (concern,) = concerns(("delete",), ("campaign",), two)
    assert "one namespace" in concern.text
    assert not concern.nobody


TENANT = CompanyContext(namespace="campaign", value="acme-stg1")
OTHER = CompanyContext(namespace="imsOrgID", value="X@AdobeOrg")


@pytest.mark.parametrize(
    ("actions", "products", "own", "connection", "told"),
    [
        (("access",), ("campaign",), (), (OTHER,), True),
        (("delete", "opt_out_of_sale"), ("campaign", "target"), (OTHER,), (), True),
        (("access",), ("campaign",), (), None, True),
        (("access",), ("campaign",), (TENANT,), (OTHER,), False),
        (("access",), ("campaign",), (), (OTHER, TENANT), False),
        (("opt_out_of_sale",), ("campaign",), (), (), False),
        (("access",), ("analytics",), (), (), False),
    ],
)
def test_campaign_without_its_tenant_is_told_of(
    actions: tuple[str, ...],
    products: tuple[str, ...],
    own: tuple[CompanyContext, ...],
    connection: tuple[CompanyContext, ...] | None,
    told: bool,
) -> None:
    warning = without_tenant(actions, products, own, connection)
    assert (warning is not None) == told
    if warning:
        assert "campaign needs its tenant" in warning
        assert warning.endswith("if the connection does not name it") == (connection is None)


@pytest.mark.parametrize("name", ["campaign-acme-stg1", " Campaign-acme", "CAMPAIGN-x"])
def test_which_tenant_is_meant_is_not_guessed_from_a_products_name(name: str) -> None:
    assert "write campaign, and the tenant in company_contexts" in (unknown_product(name) or "")
    assert unknown_product("Campaign Standard") is None


@pytest.mark.parametrize(("product", "namespace", "type_"), IN_VAIN)
def test_a_product_that_can_use_nothing_is_told_of(product: str, namespace: str, type_: str) -> None:
    (concern,) = concerns(("access",), (product,), frozenset([(namespace.lower(), type_)]))
    assert concern.nobody
    assert concern.text.startswith(f"{product} can use none of the identities")


def test_one_identity_that_can_be_used_is_enough() -> None:
    shape = frozenset([("email", "standard"), ("ecid", "standard")])
    assert concerns(("access",), ("analytics", "marketo", "target"), shape) == ()


@pytest.mark.parametrize(
    ("products", "says"),
    [
        (("profileService",), "without identity and aepDataLake"),
        (("profileService", "identity"), "without aepDataLake"),
        (("commerceMarketingData", "identity", "aepDataLake"), "without profileService"),
        (("identity", "profileService", "aepDataLake"), None),
    ],
)
def test_a_delete_that_leaves_data_behind_is_told_of(products: tuple[str, ...], says: str | None) -> None:
    shape = frozenset([("email", "standard"), ("label", "unregistered")])
    told = [concern.text for concern in concerns(("delete",), products, shape)]
    assert (says is None) == (not told)
    assert all(str(says) in text for text in told)
    assert concerns(("access",), products, shape) == ()


def test_what_an_opt_out_cannot_do_is_told() -> None:
    mixed = frozenset([("email", "standard"), ("loyalty", "integrationCode")])
    texts = [
        concern.text for concern in concerns(("opt_out_of_sale",), ("CRS", "analytics", "target"), mixed)
    ]
    assert texts == [
        "Adobe takes an opt-out of sale in standard namespaces only: identities in other namespaces are left out "
        "of it",
        "an opt-out of sale has no effect at CRS, target",
    ]


def test_every_product_is_in_the_catalogue_and_uses_types_that_exist() -> None:
    assert set(PRODUCT_USES) == set(PRODUCTS)
    for use in PRODUCT_USES.values():
        assert {each.type for each in use.uses} <= set(IDENTITY_TYPES)
        assert bool(use.uses) == bool(use.source), "a limit has a source"


@pytest.mark.parametrize(
    ("name", "says"),
    [("analitycs", "perhaps analytics"), ("profil", "perhaps profileService"), ("Magento", "include codes")],
)
def test_an_unknown_product_is_named_by_the_one_that_is_meant(name: str, says: str) -> None:
    told = str(unknown_product(name))
    assert says in told
    assert name not in told.replace("profileService", "")
    assert unknown_product("Adobe Analytics") is None


def test_namespaces_and_types_are_known_in_any_case_and_guessed_in_none() -> None:
    assert standard_namespace("Email") == "email"
    assert standard_namespace("emial") is None
    assert standard_namespace("20914", "namespaceId") == "GAID"
    assert standard_namespace("email", "custom") is None
    assert identity_type("IntegrationCode ") == "integrationCode"
    assert identity_type("integration") is None
    assert perhaps("emial", ["email", "ECID"]) == " (perhaps email)"
    assert perhaps("Email Address", ["email", "ECID"]) == " (perhaps email)"
    assert perhaps("request|email|loyalty|ECID", ["email", "ECID"]) == ""
    assert perhaps("ECID (standard)", ["email", "ECID"]) == " (perhaps ECID)"
    assert perhaps("jane.doe@example.com", ["email", "ECID"]) == ""
