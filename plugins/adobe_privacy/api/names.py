"""The words of the Privacy Service: regulation codes, product names, outcome codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

# The 47 values that the live service named in its own error text in June and August 2026, old and new side
# by side, and the two bare spellings (dpdpa, ql25) that Adobe's API specification still lists.
REGULATION_CODES = frozenset(
    [
        "apa_aus",
        "ccpa",
        "cpa_co_usa",
        "cpa_usa",
        "cpra_ca_usa",
        "cpra_usa",
        "ctdpa_ct_usa",
        "ctdpa_usa",
        "dpdpa",
        "dpdpa_de_usa",
        "dpdpa_ind",
        "dpdpa_usa",
        "fdbr_fl_usa",
        "fdbr_usa",
        "gdpr",
        "hipaa_usa",
        "icdpa_ia_usa",
        "icdpa_in_usa",
        "icdpa_usa",
        "kcdpa_ky_usa",
        "lgpd_bra",
        "mcdpa_mn_usa",
        "mcdpa_mt_usa",
        "mcdpa_usa",
        "mhmda_usa",
        "mhmda_wa_usa",
        "modpa_md_usa",
        "ndpa_ne_usa",
        "ndpa_usa",
        "nhpa_nh_usa",
        "nhpa_usa",
        "njdpa_nj_usa",
        "njdpa_usa",
        "nzpa_nzl",
        "ocpa_or_usa",
        "ocpa_usa",
        "pdpa_tha",
        "pipa_kor",
        "ql25",
        "ql25_can",
        "ql25_qc_can",
        "ridtppa_ri_usa",
        "tdpsa_tx_usa",
        "tdpsa_usa",
        "tipa_tn_usa",
        "ucpa_usa",
        "ucpa_ut_usa",
        "vcdpa_usa",
        "vcdpa_va_usa",
    ]
)

# The `include` code of each product and the names that people, Adobe's documents and Adobe's answers give it
# (Privacy Service guide, appendix "Experience Cloud applications"; the samples of the API guide). Case, blanks
# and punctuation make no difference.
_PRODUCT_NAMES: dict[str, tuple[str, ...]] = {
    "analytics": ("Adobe Analytics",),
    "audienceManager": ("AAM", "Adobe Audience Manager"),
    "adCloud": (
        "Advertising",
        "Advertising Cloud",
        "Adobe Ad Cloud",
        "Adobe Advertising",
        "Adobe Advertising Cloud",
    ),
    "profileService": ("Profile", "Customer Profile", "Real-Time Customer Profile"),
    "aepDataLake": ("Data Lake", "Adobe Cloud Platform", "Adobe Experience Platform Data Lake"),
    "campaign": ("Adobe Campaign", "Campaign Standard", "Adobe Campaign Standard"),
    "target": ("Adobe Target",),
    "CRS": ("Customer Attributes", "Customer Attributes (CRS)", "Customer Record Service"),
    "cjm": ("AJO", "Journey Optimizer", "Adobe Journey Optimizer"),
    "marketo": ("Marketo Engage", "Adobe Marketo Engage"),
    "identity": ("Identity Service", "Adobe Identity Service"),
    "marketomeasure": ("Adobe Marketo Measure",),
    "commerceMarketingData": (),
    "primetimeAuthentication": ("Pass Authentication", "Adobe Pass Authentication"),
    "automationProduct": (),
    "DPSC": (),
}

PRODUCTS = tuple(_PRODUCT_NAMES)
"""The `include` codes of Adobe's products."""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


PRODUCT_NAMES = {name: code for code, names in _PRODUCT_NAMES.items() for name in (code, *names)}
"""Every name of a product with its `include` code."""

_PRODUCTS = {_plain(name): code for name, code in PRODUCT_NAMES.items()}


@lru_cache(maxsize=1000)
def known_product(name: str) -> str | None:
    """The `include` code of a product, by any of its names in any spelling; None where no product is called so."""
    code = _PRODUCTS.get(_plain(name))
    if code is None and name.strip().casefold().startswith("campaign-"):
        return "campaign"  # answers name the tenant: campaign-<tenant>-stg
    return code


def product_code(name: str) -> str:
    """The one name of a product: two names mean the same product if this is equal.

    It is the `include` code where the product is known. Adobe adds products without notice: of any other name
    it is the letters and digits, in lower case.
    """
    return known_product(name) or _plain(name)


def include_codes(names: Iterable[str]) -> tuple[str, ...]:
    """What asks Adobe for the products of these names: each `include` code once, in order.

    The name of an unknown product stays as it is.
    """
    return tuple(dict.fromkeys(known_product(name) or name.strip() for name in names))


class Outcome(StrEnum):
    """How one product dealt with one job."""

    PENDING = "pending"
    FULL = "full"
    PARTIAL = "partial"
    NOT_APPLICABLE = "not_applicable"
    FAILED = "failed"


# Adobe's table of error codes, in few words.
_IN_WORDS = {
    "1000-400": "the data is not in the format that the application needs",
    "1001-400": "the organisation is not provisioned for the application",
    "1010-400": "permissions are missing",
    "1020-400": "the access data could not be uploaded",
    "1021-400": "one or more of the application's own jobs failed",
    "1022-400": "the data could not be accessed",
    "1023-400": "a dataset could not be found or accessed",
    "1024-400": "unexpected error",
    "1030-400": "too many documents at once",
    "1040-400": "access to the encryption key was revoked",
    "6000-200": "done",
    "6051-200": "not applicable: the organisation does not have this application",
    "6052-200": "some identities were not found",
    "6053-200": "the application does not know this identity namespace",
    "6054-200": "done in part: some identities or data were not found",
}

_NOT_APPLICABLE = frozenset({"6051-200", "6052-200", "6053-200"})
_TRANSIENT = frozenset({"1020-400", "1021-400", "1022-400", "1023-400", "1024-400", "1030-400"})
_OUTCOME_CODE = re.compile(r"(?:PRVCY-)?(\d{1,6}-\d{3})", re.IGNORECASE)


def outcome_code(message_code: str | None) -> str | None:
    """`PRVCY-6054-200` or `6054-200` -> `6054-200`; None for anything that has not that form."""
    match = _OUTCOME_CODE.fullmatch((message_code or "").strip())
    return match.group(1) if match else None


def outcome_of(message_code: str | None) -> Outcome | None:
    """What an outcome code means, by Adobe's table of error codes; None where it tells nothing.

    6051 to 6053 are complete but not applicable (not provisioned, identities or namespace unknown to the
    product). A code that is not in the table goes by its suffix: -200 is done with a reservation, -400 has
    failed.
    """
    code = outcome_code(message_code)
    if code is None:
        return None
    if code == "6000-200":
        return Outcome.FULL
    if code in _NOT_APPLICABLE:
        return Outcome.NOT_APPLICABLE
    if code.endswith("-200"):
        return Outcome.PARTIAL
    return Outcome.FAILED if code.endswith("-400") else None


def outcome_in_words(message_code: str | None) -> str:
    """What a code says to a person; of a code that is not in Adobe's table only whether it means failure."""
    code = outcome_code(message_code)
    if code in _IN_WORDS:
        return _IN_WORDS[code]
    words = {Outcome.FAILED: "failed", Outcome.PARTIAL: "done, with a reservation"}
    outcome = outcome_of(code)
    return words.get(outcome, "unknown code") if outcome is not None else "unknown code"


def retry_can_help(message_code: str | None) -> bool:
    """Whether a *new* request may succeed where this code came: 1020 to 1024 (processing) and 1030 (rate).

    Adobe never processes a failed job again, so trying again always means another submission.
    """
    return outcome_code(message_code) in _TRANSIENT
