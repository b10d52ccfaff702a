"""The words of the Privacy Service: regulation codes, product names, outcome codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

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
    other words are of single products, but for the last three: `as judged before` is of jobs that an older version
    of this software judged, `accepted` of opt-outs of sale, of which Adobe says no more, and `unknown` of jobs of
    which nobody can say whether Adobe ever had them.
    """

    DONE = "done"
    NOTHING_TO_DO = "nothing to do"
    RESERVED = "done with a reservation"
    IN_PART = "in part"
    DATA_LEFT = "data sets failed"
    NOBODY_FOUND = "nobody found"
    WRONG_NAMESPACE = "wrong namespace"
    NO_ANSWER = "no answer"
    NO_DATA = "no data"
    PENDING = "no final answer yet"
    NOT_DONE = "not done"
    AS_BEFORE = "as judged before"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


IN_WHOLE = frozenset({Verdict.DONE, Verdict.NOTHING_TO_DO, Verdict.ACCEPTED})
"""Verdicts of a whole job by which all that was asked is done. Of `as judged before` nobody knows it."""


class VerdictMeaning(NamedTuple):
    """What a verdict says of one product, and what a person should do about it; both may name the `{product}`."""

    meaning: str
    advice: str = ""


VERDICT_MEANINGS: dict[Verdict, VerdictMeaning] = {
    Verdict.DONE: VerdictMeaning("{product} did all that was asked"),
    Verdict.NOTHING_TO_DO: VerdictMeaning(
        "the organisation does not have {product}",
        "Remove {product} from the products if the organisation does not have it. If it has, ask Adobe.",
    ),
    Verdict.RESERVED: VerdictMeaning(
        "{product} did it, with a reservation that is not in the table of codes",
        "Look the code up in Adobe's table of error codes.",
    ),
    Verdict.IN_PART: VerdictMeaning(
        "{product} did it for some identities and found nothing by others that it could use",
        "Compare the identities with the person's. If they are right, nothing is left to do.",
    ),
    Verdict.DATA_LEFT: VerdictMeaning(
        "{product} did it, and Adobe names data sets that failed",
        "Look at the data sets in Adobe's UI and repair them. Then send a new request.",
    ),
    Verdict.NOBODY_FOUND: VerdictMeaning(
        "{product} found nobody by these identities",
        "Compare the identities with the person's. If one is wrong, send a new request with the right one.",
    ),
    Verdict.WRONG_NAMESPACE: VerdictMeaning(
        "{product} looked for nobody: the namespace is not one that it knows",
        "Send a new request with a namespace that {product} knows, or without {product} if it has nothing of the "
        "person. docs/requests.md says what each product can use.",
    ),
    Verdict.NO_ANSWER: VerdictMeaning(
        "{product} was asked and did not answer",
        "Ask Adobe, with the job id, whether the organisation has {product}.",
    ),
    Verdict.NO_DATA: VerdictMeaning(
        "the result of an access holds no data, though a product says that it did what was asked",
        "Look in the products for data of the person. If there is none, close the request. Else send it again.",
    ),
    Verdict.PENDING: VerdictMeaning("{product} has yet to answer", "Nothing yet: every sweep asks again."),
    Verdict.NOT_DONE: VerdictMeaning(
        "{product} did not do it", "Open a support case at Adobe with the job id."
    ),
    Verdict.AS_BEFORE: VerdictMeaning(
        "an older version of this software judged it, by other rules", "Read the manifest of the job."
    ),
    Verdict.ACCEPTED: VerdictMeaning("Adobe accepted an opt-out of sale; Adobe says no more of it"),
    Verdict.UNKNOWN: VerdictMeaning(
        "nobody can say whether Adobe ever had the job", "Ask Adobe with the request id. Then close it."
    ),
}


@dataclass(frozen=True)
class OutcomeCode:
    """One row of Adobe's table of outcome codes. `title` is Adobe's; `in_words` is what the code says, `advice` what a
    person should do, and both may name the `{product}`. `verdict` holds where nothing else in the answer speaks
    against it. With `may_pass`, a *new* request may succeed: Adobe never processes a failed job again."""

    title: str
    in_words: str
    verdict: Verdict
    advice: str = ""
    may_pass: bool = False


_AGAIN = (
    "It was sent again where that could help. If it still fails, open a support case at Adobe with the job id. Then "
    "send it again."
)

# Privacy Service API guide, "error codes": a stable contract to which Adobe adds. Branch on the code, not on texts.
OUTCOME_CODES: dict[str, OutcomeCode] = {
    "6000-200": OutcomeCode("Success", "done", Verdict.DONE),
    "6051-200": OutcomeCode(
        "Not provisioned",
        "the organisation does not have {product}",
        Verdict.NOTHING_TO_DO,
        VERDICT_MEANINGS[Verdict.NOTHING_TO_DO].advice,
    ),
    "6052-200": OutcomeCode(
        "User IDs not found",
        "{product} has no record of some identities",
        Verdict.NOBODY_FOUND,
        VERDICT_MEANINGS[Verdict.NOBODY_FOUND].advice,
    ),
    "6053-200": OutcomeCode(
        "Invalid namespace",
        "the namespace is not one that {product} knows",
        Verdict.WRONG_NAMESPACE,
        VERDICT_MEANINGS[Verdict.WRONG_NAMESPACE].advice,
    ),
    "6054-200": OutcomeCode(
        "Partially completed",
        "done in part: {product} did not find some identities or data",
        Verdict.IN_PART,
        VERDICT_MEANINGS[Verdict.IN_PART].advice,
    ),
    "1000-400": OutcomeCode(
        "Formatting error",
        "a value does not have the form that {product} expects",
        Verdict.NOT_DONE,
        "Correct the value and send a new request.",
    ),
    "1001-400": OutcomeCode(
        "Not authorized",
        "the organisation is not provisioned for {product}",
        Verdict.NOT_DONE,
        "Ask Adobe whether the organisation has {product}. Then send it again, or send a new request without "
        "{product}.",
    ),
    "1010-400": OutcomeCode(
        "Missing permissions",
        "permissions are missing",
        Verdict.NOT_DONE,
        "Give the missing permission to the credential's product profile in the Admin Console. Then send it again.",
    ),
    "1020-400": OutcomeCode(
        "Upload and archive failure",
        "the access data of {product} could not be uploaded",
        Verdict.NOT_DONE,
        _AGAIN,
        may_pass=True,
    ),
    "1021-400": OutcomeCode(
        "Job failure",
        "one or more jobs inside {product} failed",
        Verdict.NOT_DONE,
        _AGAIN,
        may_pass=True,
    ),
    "1022-400": OutcomeCode(
        "Data access failure",
        "{product} could not reach the data",
        Verdict.NOT_DONE,
        _AGAIN,
        may_pass=True,
    ),
    "1023-400": OutcomeCode(
        "Data access failure",
        "{product} could not find or reach a data set",
        Verdict.NOT_DONE,
        _AGAIN,
        may_pass=True,
    ),
    "1024-400": OutcomeCode(
        "Unexpected error", "unexpected error at {product}", Verdict.NOT_DONE, _AGAIN, may_pass=True
    ),
    "1030-400": OutcomeCode(
        "Document rate limit exceeded",
        "too many documents at once for {product}",
        Verdict.NOT_DONE,
        _AGAIN,
        may_pass=True,
    ),
    "1040-400": OutcomeCode(
        "Key encryption access failure",
        "{product} has no access to the organisation's encryption key any more",
        Verdict.NOT_DONE,
        "Give Adobe access to the organisation's own encryption key again. Then send it again.",
    ),
}

_OUTCOME_CODE = re.compile(r"(?:PRVCY)?[-_ ]*0*(\d{1,6})(?:[-_ ]+(\d{3}))?", re.IGNORECASE)
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_CODE_WITHIN = re.compile(r"(?<!\d)(?:PRVCY[-_ ]*)?0*(\d{4})(?:[-_ ]+(\d{3}))?(?!\d)", re.IGNORECASE)
_BY_NUMBER = {code.partition("-")[0]: code for code in OUTCOME_CODES}
_NEW_CODES = {
    "": OutcomeCode("", "unknown code", Verdict.RESERVED, VERDICT_MEANINGS[Verdict.RESERVED].advice),
    "-200": OutcomeCode(
        "", "done, with a reservation", Verdict.RESERVED, VERDICT_MEANINGS[Verdict.RESERVED].advice
    ),
    "-400": OutcomeCode("", "failed", Verdict.NOT_DONE, "Look the code up in Adobe's table of error codes."),
}


def outcome_code(message_code: str | None) -> str | None:
    """`PRVCY-6054-200`, `6054-200` or `6054` -> `6054-200`; of a text with several codes, the one that says least of
    what was done; None where there is none."""
    text = _DASHES.sub("-", message_code or "").strip()
    if match := _OUTCOME_CODE.fullmatch(text):
        return _code(match)
    found = [code for match in _CODE_WITHIN.finditer(text) if (code := _code(match))]
    code = max(found, key=_says_little, default=None)
    # Other words are there as well: they may be a reservation.
    return code if code is None or _says_little(code) else None


def _code(match: re.Match[str]) -> str | None:
    number, suffix = match.groups()
    return f"{number}-{suffix}" if suffix else _BY_NUMBER.get(number)


def _says_little(code: str) -> int:
    meaning = meaning_of(code)
    return list(Verdict).index(meaning.verdict) if meaning is not None else 0


def meaning_of(message_code: str | None) -> OutcomeCode | None:
    """Adobe's row for a code; None where there is no code. A code that is not in the table goes by its suffix: -200
    is done with a reservation, -400 has failed. So is a code that cannot be read: it does not say that all was done."""
    if not (message_code or "").strip():
        return None
    code = outcome_code(message_code)
    if code is None:
        return _NEW_CODES[""]
    if code in OUTCOME_CODES:
        return OUTCOME_CODES[code]
    number, _, suffix = code.partition("-")
    known = OUTCOME_CODES.get(_BY_NUMBER.get(number, ""))
    if suffix >= "400" or (known is not None and known.verdict is Verdict.NOT_DONE):
        return _NEW_CODES["-400"]
    # With an odd suffix, a code says no more than it does with its own.
    if known is not None and known.verdict is not Verdict.DONE:
        return known
    return _NEW_CODES.get(f"-{suffix}", _NEW_CODES[""])


def outcome_in_words(message_code: str | None, product: str = "the product") -> str:
    """What a code says to a person; of a code that is not in Adobe's table only whether it means failure."""
    meaning = meaning_of(message_code)
    return meaning.in_words.format(product=product) if meaning is not None else "unknown code"


def find_outcome_code(text: str) -> str | None:
    """The code that a person means by `6053`, `6053-200` or `PRVCY-6053-200`; None where it has no such form."""
    return outcome_code(text)


def retry_can_help(message_code: str | None) -> bool:
    """Whether a *new* request may succeed where this code came: 1020 to 1024 (processing) and 1030 (rate)."""
    meaning = meaning_of(message_code)
    return meaning is not None and meaning.may_pass
