"""The regulation codes of Adobe's Privacy Service, and the way from a retired code to the current one.

Sources: the `regulation` lists of the privacy jobs API guide, the regulations overview, the enum of the
OpenAPI file `privacy-service.yaml`, and the list that the live API prints in its 400 "The `regulation`
parameter is mandatory" (seen June and August 2026). Adobe renamed the state laws' codes on 2025-06-12 and
documented the old ones to stop after 2025-07-28; the live list of 2026 still accepts both.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

CodeStanding = Literal["documented", "announced", "live only"]
"""How Adobe stands by a code: in its documents; only in the live list and commented out in the documents'
source; only in the live list."""

_CODE_FORM = re.compile(r"[A-Za-z][A-Za-z0-9]{1,9}(_[A-Za-z]{2,4}){0,2}")


class RegulationError(ValueError):
    """A regulation code cannot be used.

    `code` is what was given if it has the form of a code, else a placeholder: a column out of place can put
    an e-mail address or a number where the code belongs, and that must not reach a log.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code if _CODE_FORM.fullmatch(code) else f"<{len(code)} characters, not shown>")
        self.code: str = self.args[0]


class UnknownRegulation(RegulationError):
    """The code is neither a current nor a retired code."""

    @property
    def close_matches(self) -> tuple[str, ...]:
        """Current codes that look like it, best first."""
        return _close_matches(self.code)

    def __str__(self) -> str:
        hint = f" Did you mean {' or '.join(self.close_matches)}?" if self.close_matches else ""
        return (
            f"{self.code} is not a regulation code of Adobe's Privacy Service.{hint}"
            " docs/legal-clocks.md lists the codes."
        )


class AmbiguousRegulation(RegulationError):
    """The code can mean more than one law."""

    @property
    def candidates(self) -> tuple[str, ...]:
        """The current codes of the laws it can mean, one of which to use."""
        return _AMBIGUOUS[self.code]

    def __str__(self) -> str:
        named = " or ".join(f"{code} ({REGULATIONS[code].jurisdiction})" for code in self.candidates)
        return f"Regulation code {self.code} is ambiguous. Use {named}."


@dataclass(frozen=True)
class Regulation:
    """A law as Adobe's Privacy Service knows it.

    `retired_codes` are former codes that the live API's own list still accepts: a job made under one of them
    may only be found by listing that code. `older_codes` are former spellings that the live list lacks.
    """

    code: str
    name: str
    jurisdiction: str
    retired_codes: tuple[str, ...] = ()
    older_codes: tuple[str, ...] = ()
    standing: CodeStanding = "documented"


REGULATIONS: Mapping[str, Regulation] = MappingProxyType(
    {
        regulation.code: regulation
        for regulation in (
            Regulation("gdpr", "General Data Protection Regulation and UK GDPR", "EU, EEA and UK"),
            Regulation("ccpa", "California Consumer Privacy Act", "California"),
            Regulation("cpra_ca_usa", "California Privacy Rights Act", "California", ("cpra_usa",)),
            Regulation("vcdpa_va_usa", "Virginia Consumer Data Protection Act", "Virginia", ("vcdpa_usa",)),
            Regulation("cpa_co_usa", "Colorado Privacy Act", "Colorado", ("cpa_usa",), ("cpa",)),
            Regulation(
                "ctdpa_ct_usa", "Connecticut Data Privacy Act", "Connecticut", ("ctdpa_usa",), ("ctdpa",)
            ),
            Regulation("ucpa_ut_usa", "Utah Consumer Privacy Act", "Utah", ("ucpa_usa",)),
            Regulation("fdbr_fl_usa", "Florida Digital Bill of Rights", "Florida", ("fdbr_usa",)),
            Regulation("icdpa_ia_usa", "Iowa Consumer Data Protection Act", "Iowa", ("icdpa_usa",)),
            Regulation("mcdpa_mt_usa", "Montana Consumer Data Privacy Act", "Montana", ("mcdpa_usa",)),
            Regulation("mcdpa_mn_usa", "Minnesota Consumer Data Privacy Act", "Minnesota"),
            Regulation("mhmda_wa_usa", "My Health My Data Act", "Washington", ("mhmda_usa",), ("mhmda",)),
            Regulation("ndpa_ne_usa", "Nebraska Data Privacy Act", "Nebraska", ("ndpa_usa",)),
            Regulation("nhpa_nh_usa", "New Hampshire Privacy Act", "New Hampshire", ("nhpa_usa",)),
            Regulation("njdpa_nj_usa", "New Jersey Data Protection Act", "New Jersey", ("njdpa_usa",)),
            Regulation("ocpa_or_usa", "Oregon Consumer Privacy Act", "Oregon", ("ocpa_usa",)),
            Regulation("tdpsa_tx_usa", "Texas Data Privacy and Security Act", "Texas", ("tdpsa_usa",)),
            Regulation("tipa_tn_usa", "Tennessee Information Protection Act", "Tennessee"),
            Regulation("dpdpa_de_usa", "Delaware Personal Data Privacy Act", "Delaware", ("dpdpa_usa",)),
            Regulation("ql25_qc_can", "Law 25", "Quebec", ("ql25_can",), ("ql25",)),
            Regulation("hipaa_usa", "Health Insurance Portability and Accountability Act", "United States"),
            Regulation("lgpd_bra", "Lei Geral de Proteção de Dados", "Brazil"),
            Regulation("apa_aus", "Privacy Act 1988", "Australia"),
            Regulation("nzpa_nzl", "Privacy Act 2020", "New Zealand"),
            Regulation("pdpa_tha", "Personal Data Protection Act", "Thailand"),
            Regulation("modpa_md_usa", "Maryland Online Data Privacy Act", "Maryland"),
            Regulation("pipa_kor", "Personal Information Protection Act", "South Korea"),
            Regulation("dpdpa_ind", "Digital Personal Data Protection Act", "India", standing="live only"),
            Regulation(
                "icdpa_in_usa", "Indiana Consumer Data Protection Act", "Indiana", standing="announced"
            ),
            Regulation(
                "kcdpa_ky_usa", "Kentucky Consumer Data Protection Act", "Kentucky", standing="announced"
            ),
            Regulation(
                "ridtppa_ri_usa",
                "Rhode Island Data Transparency and Privacy Protection Act",
                "Rhode Island",
                standing="announced",
            ),
        )
    }
)
"""Every regulation by its current code."""

# `mcdpa_usa` and `icdpa_usa` are not here: Adobe gave each of them to one law alone (Montana, Iowa), and the
# API still reads them so. Without the `_usa` no document of Adobe says which of the two laws is meant, and
# `dpdpa` was Delaware's code in Adobe's documents while `dpdpa_ind` is India's in the live list.
_AMBIGUOUS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dpdpa": ("dpdpa_de_usa", "dpdpa_ind"),
        "icdpa": ("icdpa_ia_usa", "icdpa_in_usa"),
        "mcdpa": ("mcdpa_mt_usa", "mcdpa_mn_usa"),
    }
)

_CURRENT: Mapping[str, str] = MappingProxyType(
    {
        code: regulation.code
        for regulation in REGULATIONS.values()
        for code in (regulation.code, *regulation.retired_codes, *regulation.older_codes)
    }
)


def canonical_regulation(code: str) -> str:
    """Return the current code for a current or a retired one, whatever its case and surrounding blanks.

    A retired code that Adobe gave to a single law leads to that law's current code: `ucpa_usa` to
    `ucpa_ut_usa`, `mcdpa_usa` to `mcdpa_mt_usa` (Montana, never Minnesota), `icdpa_usa` to `icdpa_ia_usa`
    (Iowa, never Indiana).

    Raises AmbiguousRegulation for a code that can mean two laws, such as `dpdpa`, and UnknownRegulation for
    any other. Both are RegulationError and ValueError.
    """
    normalized = code.strip().lower()
    if normalized in _AMBIGUOUS:
        raise AmbiguousRegulation(normalized)
    current = _CURRENT.get(normalized)
    if current is None:
        raise UnknownRegulation(normalized)
    return current


def listing_codes(code: str) -> tuple[str, ...]:
    """Return the codes under which a regulation's jobs may be listed: the current one, then retired ones.

    Only codes of the live API's own list are returned. Whether a job made under a retired code is also shown
    under the current one is documented nowhere, so a complete listing asks for each of them.

    Raises what `canonical_regulation` raises.
    """
    regulation = REGULATIONS[canonical_regulation(code)]
    return (regulation.code, *regulation.retired_codes)


def _close_matches(code: str) -> tuple[str, ...]:
    same_law = [current for current in REGULATIONS if current.split("_")[0] == code.split("_")[0]]
    similar = [_CURRENT[match] for match in difflib.get_close_matches(code, _CURRENT, n=3)]
    return tuple(dict.fromkeys(same_law or similar))
