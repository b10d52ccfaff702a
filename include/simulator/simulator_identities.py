"""Which identities a product can use. Adobe refuses none of the others: the product looks for nobody by them.

Sources: the product pages of Adobe's privacy documentation (Analytics namespaces, Target, Audience Manager,
Advertising Cloud, Customer Attributes, Real-Time Customer Profile, data lake, Identity Service, Journey Optimizer,
Commerce, Marketo, Campaign, Adobe Pass).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simulator_catalogue import STANDARD_NAMESPACE_IDS
from simulator_switches import Switches

_NAMES_OF_IDS = {number: name for name, number in STANDARD_NAMESPACE_IDS.items()}


@dataclass(frozen=True)
class Usable:
    """One type of identity, with the namespaces (in lower case) that the product knows; None: all of them."""

    type: str
    namespaces: frozenset[str] | None = None
    prefix: str = ""

    def fits(self, kind: str, namespace: str) -> bool:
        return (
            kind == self.type
            and (self.namespaces is None or namespace in self.namespaces)
            and namespace.startswith(self.prefix)
        )


def _standard(*namespaces: str) -> Usable:
    return Usable("standard", frozenset(namespaces or STANDARD_NAMESPACE_IDS))


_UNREGISTERED, _CUSTOM, _INTEGRATION_CODE = (
    Usable("unregistered"),
    Usable("custom"),
    Usable("integrationCode"),
)
_PASS = "http://www.adobe.com/primetimeauthentication/"

# Campaign's namespaces are the organisation's own: see the switch `campaign_namespaces`.
USABLE: dict[str, tuple[Usable, ...]] = {
    "analytics": (_standard("aaid", "ecid"), Usable("analytics")),
    "target": (_standard("ecid", "tntid"), Usable("target", frozenset({"thirdpartyid"}))),
    "audienceManager": (_standard("ecid", "core"), _INTEGRATION_CODE, Usable("namespaceId")),
    "adCloud": (_standard("adcloud"), Usable("namespaceId", frozenset({"411"}))),
    "CRS": (_INTEGRATION_CODE,),
    "profileService": (_standard(), _UNREGISTERED),
    "aepDataLake": (_UNREGISTERED,),
    "identity": (_standard(), _CUSTOM),
    "cjm": (_standard(), _CUSTOM, _UNREGISTERED),
    "commerceMarketingData": (_standard(),),
    "marketo": (_standard("email"),),
    "marketomeasure": (_standard("email"),),
    "primetimeAuthentication": (Usable("unregistered", prefix=_PASS),),
    "DPSC": (Usable("dpsc"), _INTEGRATION_CODE),
    "automationProduct": (_standard(), _CUSTOM, _UNREGISTERED),
}


def usable_identities(
    product: str, identities: Iterable[dict[str, Any]], switches: Switches
) -> list[dict[str, Any]]:
    """Those by which the product can look for the person, in the order given."""
    if product == "campaign":
        return _usable_at_campaign(identities, switches)
    return [
        identity
        for identity in identities
        if any(usable.fits(str(identity.get("type")), _namespace(identity)) for usable in USABLE[product])
    ]


def _usable_at_campaign(identities: Iterable[dict[str, Any]], switches: Switches) -> list[dict[str, Any]]:
    """Campaign knows the namespaces that are defined in it, and takes one of them a request: the first."""
    defined = {name.lower() for name in switches.campaign_namespaces}
    known = [identity for identity in identities if _namespace(identity) in defined]
    return [identity for identity in known if _namespace(identity) == _namespace(known[0])]


def _namespace(identity: dict[str, Any]) -> str:
    """In lower case; a standard namespace that is given by its number alone has its name."""
    name, number = identity.get("namespace"), identity.get("namespaceId")
    if identity.get("type") == "standard" and not name and isinstance(number, int):
        return _NAMES_OF_IDS.get(number, "")
    return str(name or "").lower()
