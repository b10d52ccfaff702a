"""The words of the Privacy Service: regulation codes, products, identity namespaces, outcome codes.

Sources: Adobe's privacy jobs guide and its appendix (newest versions of 2025 and 2026), the OpenAPI file of
the Privacy Service, and the list of regulations that a live 400 answer of 2026-08 names.
"""

from __future__ import annotations

# In the order in which a live 400 answer lists them (2026-06 and 2026-08), retired and current side by side.
REGULATIONS: tuple[str, ...] = (
    "vcdpa_usa",
    "gdpr",
    "ccpa",
    "lgpd_bra",
    "cpra_usa",
    "apa_aus",
    "hipaa_usa",
    "pdpa_tha",
    "mhmda_usa",
    "cpa_usa",
    "ctdpa_usa",
    "ucpa_usa",
    "nzpa_nzl",
    "dpdpa_ind",
    "pipa_kor",
    "ocpa_usa",
    "tdpsa_usa",
    "fdbr_usa",
    "icdpa_usa",
    "mcdpa_usa",
    "ndpa_usa",
    "njdpa_usa",
    "nhpa_usa",
    "dpdpa_usa",
    "ql25_can",
    "tipa_tn_usa",
    "mcdpa_mn_usa",
    "vcdpa_va_usa",
    "cpra_ca_usa",
    "mhmda_wa_usa",
    "cpa_co_usa",
    "ctdpa_ct_usa",
    "ucpa_ut_usa",
    "ocpa_or_usa",
    "tdpsa_tx_usa",
    "fdbr_fl_usa",
    "icdpa_ia_usa",
    "mcdpa_mt_usa",
    "ndpa_ne_usa",
    "njdpa_nj_usa",
    "nhpa_nh_usa",
    "dpdpa_de_usa",
    "ql25_qc_can",
    "icdpa_in_usa",
    "kcdpa_ky_usa",
    "modpa_md_usa",
    "ridtppa_ri_usa",
)

# Adobe's documents stop these after 2025-07-28; the live list above still names them.
RETIRED_REGULATIONS = frozenset(
    [
        "vcdpa_usa",
        "cpra_usa",
        "mhmda_usa",
        "cpa_usa",
        "ctdpa_usa",
        "ucpa_usa",
        "ocpa_usa",
        "tdpsa_usa",
        "fdbr_usa",
        "icdpa_usa",
        "mcdpa_usa",
        "ndpa_usa",
        "njdpa_usa",
        "nhpa_usa",
        "dpdpa_usa",
        "ql25_can",
    ]
)

# `include` code -> the name that `productResponses[].product` shows. The two differ on purpose.
PRODUCTS: dict[str, str] = {
    "analytics": "Analytics",
    "audienceManager": "AudienceManager",
    "adCloud": "AdCloud",
    "profileService": "Profile",
    "aepDataLake": "aepDataLake",
    "campaign": "Campaign",
    "target": "Target",
    "CRS": "CRS",
    "cjm": "CJM",
    "marketo": "Marketo",
    "identity": "Identity",
    "marketomeasure": "MarketoMeasure",
    "commerceMarketingData": "commerceMarketingData",
    "primetimeAuthentication": "Adobe Pass Authentication",
    "automationProduct": "automationProduct",
    "DPSC": "DPSC",
}

_PRODUCT_BY_SPELLING = {code.lower(): code for code in PRODUCTS} | {
    "adobecloudplatform": "aepDataLake",
    "profile": "profileService",
}

# A cjm delete stays `processing` until these are asked to delete too (Journey Optimizer, privacy requests).
UPSTREAM_OF_CJM = frozenset({"profileService", "aepDataLake", "identity"})

STANDARD_NAMESPACE_IDS: dict[str, int] = {
    "email": 6,
    "phone": 7,
    "adcloud": 411,
    "core": 0,
    "ecid": 4,
    "tntid": 9,
    "aaid": 10,
    "idfa": 20915,
    "gaid": 20914,
    "waid": 8,
}

IDENTITY_TYPES = frozenset(
    {"standard", "custom", "integrationCode", "namespaceId", "unregistered", "analytics", "target", "dpsc"}
)

# Outcome code -> the text beside it (error codes page; older texts from the troubleshooting guide).
OUTCOMES: dict[str, str] = {
    "6000-200": "Finished successfully.",
    "6051-200": "The IMS Org has not been provisioned.",
    "6052-200": "User IDs were not found.",
    "6053-200": "Invalid Namespace",
    "6054-200": "PARTIALLY COMPLETED- Data not found for some requests, check results for more info.",
    "1000-400": "The data is not in the required format.",
    "1001-400": "The IMS Org has not been provisioned.",
    "1010-400": "Access and permissions are required.",
    "1020-400": "There was a problem uploading and archiving the access data.",
    "1021-400": "One or more jobs of the request failed.",
    "1022-400": "The data could not be accessed.",
    "1023-400": "The given dataset ids could not be accessed.",
    "1024-400": "Unexpected error.",
    "1030-400": "The workload was exceeded for the current document rate limit.",
    "1040-400": "Access to the encryption key has been revoked.",
}


def product_code(spelling: str) -> str | None:
    """The `include` code of a spelling (`Analytics` -> `analytics`); None for an unknown product."""
    return _PRODUCT_BY_SPELLING.get(spelling.lower())
