"""The words of the Privacy Service: regulation codes, product names, outcome codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
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


class Verdict(StrEnum):
    """What became of a person's request: at one product, or as a whole. The same word everywhere.

    A whole job is `done`, has `nothing to do`, is done `in part`, is `not done`, or has `no final answer yet`. The
    other words are of single products, but for the last two: `as judged before` is of jobs that an older version
    of this software judged, and `accepted` of opt-outs of sale, of which Adobe says no more.
    """

    DONE = "done"
    NOTHING_TO_DO = "nothing to do"
    RESERVED = "done with a reservation"
    IN_PART = "in part"
    DATA_LEFT = "data sets failed"
    NOBODY_FOUND = "nobody found"
    WRONG_NAMESPACE = "wrong namespace"
    NO_ANSWER = "no answer"
    PENDING = "no final answer yet"
    NOT_DONE = "not done"
    AS_BEFORE = "as judged before"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class OutcomeCode:
    """One row of Adobe's table of outcome codes. `in_words` is Adobe's meaning in few words, `advice` what a person
    should do; `verdict` holds where nothing else in the answer speaks against it. With `may_pass`, a *new* request
    may succeed: Adobe never processes a failed job again."""

    in_words: str
    verdict: Verdict
    advice: str = ""
    may_pass: bool = False


_AGAIN = "It was sent again where that could help. If it still fails, open a support case with the job id, then resend."

# Privacy Service API guide, "error codes": a stable contract to which Adobe adds. Branch on the code, not on texts.
OUTCOME_CODES: dict[str, OutcomeCode] = {
    "6000-200": OutcomeCode("done", Verdict.DONE),
    "6051-200": OutcomeCode(
        "not applicable: the organisation does not have this application",
        Verdict.NOTHING_TO_DO,
        "The organisation does not have the product. Take it out of the products if that is right; else ask Adobe.",
    ),
    "6052-200": OutcomeCode(
        "some identities were not found",
        Verdict.NOBODY_FOUND,
        "The product has no record of some identities. Compare them with the person's; if one is wrong, send a new "
        "request with the right one.",
    ),
    "6053-200": OutcomeCode(
        "the application does not know this identity namespace",
        Verdict.WRONG_NAMESPACE,
        "The product looked for nobody. Send a new request with a namespace that the product knows, or without the "
        "product if it has nothing of the person; docs/requests.md says what each product can use.",
    ),
    "6054-200": OutcomeCode(
        "done in part: some identities or data were not found",
        Verdict.IN_PART,
        "The product could have used an identity that it did not find. If the identity is right, nothing is left.",
    ),
    "1000-400": OutcomeCode(
        "the data is not in the format that the application needs",
        Verdict.NOT_DONE,
        "A value does not have the form that the product expects. Correct it and send a new request.",
    ),
    "1001-400": OutcomeCode(
        "the organisation is not provisioned for the application",
        Verdict.NOT_DONE,
        "Ask Adobe whether the organisation has the product, then resend, or send a new request without it.",
    ),
    "1010-400": OutcomeCode(
        "permissions are missing",
        Verdict.NOT_DONE,
        "Give the credential's product profile the missing permission in the Admin Console, then resend.",
    ),
    "1020-400": OutcomeCode("the access data could not be uploaded", Verdict.NOT_DONE, _AGAIN, may_pass=True),
    "1021-400": OutcomeCode(
        "one or more of the application's own jobs failed", Verdict.NOT_DONE, _AGAIN, may_pass=True
    ),
    "1022-400": OutcomeCode("the data could not be accessed", Verdict.NOT_DONE, _AGAIN, may_pass=True),
    "1023-400": OutcomeCode(
        "a dataset could not be found or accessed", Verdict.NOT_DONE, _AGAIN, may_pass=True
    ),
    "1024-400": OutcomeCode("unexpected error", Verdict.NOT_DONE, _AGAIN, may_pass=True),
    "1030-400": OutcomeCode("too many documents at once", Verdict.NOT_DONE, _AGAIN, may_pass=True),
    "1040-400": OutcomeCode(
        "access to the encryption key was revoked",
        Verdict.NOT_DONE,
        "Give Adobe access to the organisation's own encryption key again, then resend.",
    ),
}

_OUTCOME_CODE = re.compile(r"(?:PRVCY-)?(\d{1,6}-\d{3})", re.IGNORECASE)
_NEW_CODES = {
    "-200": OutcomeCode(
        "done, with a reservation", Verdict.RESERVED, "Adobe's table of error codes says what is left to do."
    ),
    "-400": OutcomeCode("failed", Verdict.NOT_DONE, "Adobe's table of error codes says what to do."),
}


def outcome_code(message_code: str | None) -> str | None:
    """`PRVCY-6054-200` or `6054-200` -> `6054-200`; None for anything that has not that form."""
    match = _OUTCOME_CODE.fullmatch((message_code or "").strip())
    return match.group(1) if match else None


def meaning_of(message_code: str | None) -> OutcomeCode | None:
    """Adobe's row for a code; None where it tells nothing. A code that is not in the table goes by its suffix: -200
    is done with a reservation, -400 has failed."""
    code = outcome_code(message_code)
    if code is None:
        return None
    return OUTCOME_CODES.get(code) or _NEW_CODES.get(code[-4:])


def outcome_in_words(message_code: str | None) -> str:
    """What a code says to a person; of a code that is not in Adobe's table only whether it means failure."""
    meaning = meaning_of(message_code)
    return meaning.in_words if meaning is not None else "unknown code"


def retry_can_help(message_code: str | None) -> bool:
    """Whether a *new* request may succeed where this code came: 1020 to 1024 (processing) and 1030 (rate)."""
    meaning = meaning_of(message_code)
    return meaning is not None and meaning.may_pass
