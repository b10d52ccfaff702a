"""What each of Adobe's products can use of a request, as far as Adobe documents it.

Adobe refuses almost none of this: a product that can use no identity of a request looks for nobody and answers
that it is done. So what is missing is a warning here, or a refusal where the organisation wants that.

Sources: [1] Privacy Service API guide, appendix. [2] Analytics, "Namespaces" and "ID expansion". [3] Target, "Privacy
and GDPR". [4] Audience Manager, "Data privacy IDs". [5] Advertising Cloud, "GDPR". [6] Customer Attributes, "GDPR".
[7] Real-Time Customer Profile, "Privacy request processing". [8] The same for the data lake. [9] The same for Identity
Service. [10] Journey Optimizer, "Privacy requests". [11] Commerce, "Privacy requests". [12] Marketo Engage and Marketo
Measure, "Privacy requests". [13] Adobe Pass, "Make a privacy request". [14] "Experience Cloud applications".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol, get_args

from adobe_privacy.api.names import PRODUCT_NAMES, known_product

# [1]; `dpsc` is the legacy one and not offered.
IdentityType = Literal[
    "standard", "custom", "integrationCode", "namespaceId", "unregistered", "analytics", "target"
]
IDENTITY_TYPES: tuple[str, ...] = get_args(IdentityType)

# [1], and AAID of [2], which has no number. Adobe takes them in any case; its samples write these.
STANDARD_NAMESPACES: dict[str, int | None] = {
    "AAID": None,
    "AdCloud": 411,
    "CORE": 0,
    "ECID": 4,
    "email": 6,
    "GAID": 20914,
    "IDFA": 20915,
    "phone": 7,
    "TNTID": 9,
    "WAID": 8,
}
_TYPES = {spelt: name for name in IDENTITY_TYPES for spelt in (name, name.lower())}
_STANDARD = {name.lower(): name for name in STANDARD_NAMESPACES}
_BY_NUMBER = {str(number): name for name, number in STANDARD_NAMESPACES.items() if number is not None}

_ANY = "*"


class Use(NamedTuple):
    """Identities that a product can use: a namespace in lower case, its beginning, or any; and their type."""

    namespace: str
    type: str

    def fits(self, namespace: str, type_: str) -> bool:
        if self.type not in (_ANY, type_):
            return False
        return self.namespace in (_ANY, namespace) or (
            self.namespace.endswith(_ANY) and namespace.startswith(self.namespace[:-1])
        )


class ProductUse(NamedTuple):
    """`uses` is empty where Adobe documents no limit. `in_words` says what a person should send."""

    uses: tuple[Use, ...]
    in_words: str
    source: str


_ALL = ProductUse((), "any identity", "")

PRODUCT_USES: dict[str, ProductUse] = {
    "analytics": ProductUse(
        (Use("aaid", "standard"), Use("ecid", "standard"), Use(_ANY, "analytics")),
        "AAID or ECID, or the namespace of a label with the type analytics",
        "[2]",
    ),
    "target": ProductUse(
        (Use("ecid", "standard"), Use("tntid", "standard"), Use("thirdpartyid", "target")),
        "ECID or TNTID, or THIRDPARTYID with the type target",
        "[3]",
    ),
    "audienceManager": ProductUse(
        (
            Use("ecid", "standard"),
            Use("core", "standard"),
            Use("idfa", "standard"),
            Use("gaid", "standard"),
            Use(_ANY, "namespaceId"),
            Use(_ANY, "integrationCode"),
        ),
        "ECID or CORE, a device's advertising id, or a data source with the type integrationCode or namespaceId",
        "[4]",
    ),
    "adCloud": ProductUse((Use("adcloud", "standard"),), "AdCloud, or 411 with the type namespaceId", "[5]"),
    "CRS": ProductUse(
        (Use(_ANY, "integrationCode"),), "the data source's alias with the type integrationCode", "[6]"
    ),
    "profileService": ProductUse(
        (Use(_ANY, "standard"), Use(_ANY, "unregistered")),
        "a standard namespace, or another with the type unregistered",
        "[7]",
    ),
    "aepDataLake": ProductUse(
        (Use(_ANY, "unregistered"),), "the namespace of a label with the type unregistered", "[8]"
    ),
    "identity": ProductUse(
        (Use(_ANY, "standard"), Use(_ANY, "custom")),
        "a standard namespace, or another's symbol with the type custom",
        "[9]",
    ),
    "cjm": _ALL,
    "commerceMarketingData": _ALL,
    "marketo": ProductUse((Use("email", "standard"),), "email", "[12]"),
    "marketomeasure": ProductUse((Use("email", "standard"),), "email", "[12]"),
    "campaign": _ALL,
    "primetimeAuthentication": ProductUse(
        (Use("http://www.adobe.com/primetimeauthentication/*", "unregistered"),),
        "http://www.adobe.com/primetimeAuthentication/<MVPD> with the type unregistered",
        "[13]",
    ),
    "automationProduct": _ALL,
    "DPSC": _ALL,
}

CAMPAIGN = "campaign"
# [14]: the company context that says which of an organisation's tenants is meant.
_TENANT = "Campaign"

PLATFORM = ("profileService", "identity", "aepDataLake")
"""The stores of the Experience Platform: a delete at one of them leaves the copies in the others."""

# [7], [11]: the delete is done, and other stores keep the data. For cjm [10] it never ends, see `request.py`.
_DELETE_WITH: dict[str, tuple[str, ...]] = {
    "profileService": ("identity", "aepDataLake"),
    "commerceMarketingData": PLATFORM,
}
# [14]
_NO_OPT_OUT = frozenset(["CRS", "target", "marketo", "primetimeAuthentication"])


def standard_namespace(namespace: str, type_: str = "standard") -> str | None:
    """The standard namespace that an identity is in, by its name in any case or by its number; else None."""
    if type_ == "standard":
        return _STANDARD.get(namespace.lower())
    return _BY_NUMBER.get(namespace) if type_ == "namespaceId" else None


def identity_type(name: str) -> str | None:
    """The identity type of this name in any case; else None."""
    return _TYPES.get(name) or _TYPES.get(name.strip().lower())


def perhaps(name: str, known: Iterable[str] | Mapping[str, str]) -> str:
    """` (perhaps email)` where `name` is nearly one of `known`; else nothing. `name` is not repeated.

    Of a mapping, the keys are compared and the value is told.
    """
    names = known if isinstance(known, Mapping) else {each: each for each in known}
    plain = {re.sub(r"[\W_]", "", each).lower(): told for each, told in names.items()}
    given = re.sub(r"[\W_]", "", name[:64]).lower()
    close = difflib.get_close_matches(given, plain, n=1, cutoff=0.7)
    if not close and "@" not in name:  # `Email Address`, `phone number`
        within = {told: each for each, told in plain.items() if len(each) > 3 and each in given}
        close = list(within.values()) if len(within) == 1 else []
    return f" (perhaps {plain[close[0]]})" if close else ""


# Other signs may separate two products.
_PRODUCT_NAME = re.compile(r"[\w .()&'-]+")


@lru_cache(maxsize=1000)
def unknown_product(name: str) -> str | None:
    """Why a product cannot be asked for by this name, or None."""
    if (code := known_product(name)) and _PRODUCT_NAME.fullmatch(name):
        if code == CAMPAIGN and name.strip().lower().startswith("campaign-"):
            return (
                "the name of a Campaign tenant: write campaign, and the tenant in company_contexts with the namespace "
                "Campaign"
            )
        return None
    return f"not one of Adobe's products{perhaps(name, PRODUCT_NAMES)}; docs/requests.md lists their include codes"


class Concern(NamedTuple):
    """Something that a person should know of a request; Adobe would not say it. With `nobody`, a product that is
    asked for can use no identity of the request."""

    text: str
    nobody: bool = False


Shape = frozenset[tuple[str, str]]
"""The (namespace, type) pairs of a request's identities, namespaces in lower case."""


@lru_cache(maxsize=10_000)
def concerns(actions: Collection[str], products: Collection[str], shape: Shape) -> tuple[Concern, ...]:
    """What Adobe's products would make of a request of this shape. Products are include codes."""
    return tuple(_concerns(frozenset(actions), tuple(products), shape))


def _concerns(actions: frozenset[str], products: tuple[str, ...], shape: Shape) -> Iterator[Concern]:
    at_adobe = actions - {"opt_out_of_sale"}
    if at_adobe:
        for product in products:
            use = PRODUCT_USES.get(product, _ALL)
            if use.uses and not any(_fits(use, *each) for each in shape):
                yield Concern(
                    f"{product} can use none of the identities and would look for nobody; it uses {use.in_words}",
                    nobody=True,
                )
        if CAMPAIGN in products and len({namespace for namespace, _ in shape}) > 1:
            yield Concern(f"{CAMPAIGN} takes one namespace a request; it leaves identities in others out")
    if "delete" in actions:
        for product in products:
            missing = [name for name in _DELETE_WITH.get(product, ()) if name not in products]
            if missing:
                yield Concern(
                    f"a delete for {product} without {' and '.join(missing)} leaves the data that is there"
                )
    if "opt_out_of_sale" in actions:
        left_out = sum(standard_namespace(*each) is None for each in shape)
        if left_out:
            yield Concern(
                "Adobe takes an opt-out of sale in standard namespaces only: identities in other namespaces "
                "are left out of it"
            )
        without = [product for product in products if product in _NO_OPT_OUT]
        if without:
            yield Concern(f"an opt-out of sale has no effect at {', '.join(without)}")


class Context(Protocol):
    """A company context."""

    @property
    def namespace(self) -> str: ...


def without_tenant(
    actions: Collection[str],
    products: Collection[str],
    contexts: Iterable[Context],
    of_connection: Iterable[Context] | None,
) -> str | None:
    """What a person should know of a request for Campaign of which neither its own company contexts nor the
    connection's name the tenant. None `of_connection`: they are not known."""
    if CAMPAIGN not in products or not set(actions) - {"opt_out_of_sale"}:
        return None
    if any(each.namespace.lower() == _TENANT.lower() for each in (*contexts, *(of_connection or ()))):
        return None
    unless = " if the connection does not name it" if of_connection is None else ""
    return (
        f"campaign needs its tenant in company_contexts, with the namespace {_TENANT}: without it, Adobe may look for "
        f"nobody{unless}"
    )


def opt_out_reservations(warnings: str) -> tuple[str, ...]:
    """Of a request's warnings, one a line, those that say what its opt-out of sale does not reach."""
    return tuple(warning for warning in warnings.splitlines() if "opt-out of sale" in warning)


def _fits(use: ProductUse, namespace: str, type_: str) -> bool:
    standard = standard_namespace(namespace, type_)
    return any(
        each.fits(namespace, type_) or (standard is not None and each.fits(standard.lower(), "standard"))
        for each in use.uses
    )


def can_use(product: str, namespace: str, type_: str) -> bool:
    """Whether a product can look for a person by such an identity; so too of a product that nothing is known of."""
    use = PRODUCT_USES.get(product, _ALL)
    return not use.uses or _fits(use, namespace.lower(), type_)
