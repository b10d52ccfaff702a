"""Whether a result covers what was asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from adobe_privacy.api.names import product_code

# With or without their prefix: `PRVCY-6054-200` is `6054-200`.
_WITH_CAVEAT = re.compile(r"\b605[1-4]\b")
_FAILED = re.compile(r"-400$")


class ProductOutcome(BaseModel):
    """What one product answered, in Adobe's words; `code` is e.g. `6000-200`."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: str
    code: str | None = None


class Completeness(BaseModel):
    """Asked and answered, side by side. Product names are as Adobe or the request wrote them.

    `verdict` is `gap` where a product that was asked for gave no answer or an error, or an access job has no
    result; `partial` where one answered with a caveat (codes 6051 to 6054) or ignored identities; `full`
    otherwise. A code ending in -400 is an error whatever the status beside it says. Folders do not enter into
    it: their names are undocumented, and a product without data may leave its folder out. `processed` and
    `ignored` count identities, absent where Adobe did not say.
    """

    model_config = ConfigDict(frozen=True)

    verdict: Literal["full", "partial", "gap"]
    products_requested: list[str]
    products_answered: list[str]
    products_missing: list[str]
    folders_found: list[str]
    other_folders: int
    processed: int | None = None
    ignored: int | None = None


def _unanswered(outcome: ProductOutcome) -> bool:
    return outcome.status != "complete" or _FAILED.search(outcome.code or "") is not None


def judge(
    *,
    requested: Sequence[str],
    outcomes: Sequence[ProductOutcome],
    processed: int | None,
    ignored: int | None,
    folders: Collection[str] = (),
    result_missing: bool = False,
) -> Completeness:
    """Compare. Of `folders` only those named like a product are repeated, the others counted."""
    answered = {product_code(outcome.name): outcome for outcome in outcomes}
    missing = [name for name in requested if product_code(name) not in answered]
    known = {product_code(name): name for name in [*requested, *(outcome.name for outcome in outcomes)]}
    matched = {known[product_code(folder)] for folder in folders if product_code(folder) in known}
    verdict: Literal["full", "partial", "gap"] = "full"
    if ignored or any(_WITH_CAVEAT.search(outcome.code or "") for outcome in outcomes):
        verdict = "partial"
    if missing or result_missing or any(map(_unanswered, outcomes)):
        verdict = "gap"
    return Completeness(
        verdict=verdict,
        products_requested=list(requested),
        products_answered=[outcome.name for outcome in outcomes],
        products_missing=missing,
        folders_found=sorted(matched),
        other_folders=sum(product_code(folder) not in known for folder in folders),
        processed=processed,
        ignored=ignored,
    )
