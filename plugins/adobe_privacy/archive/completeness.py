"""What was asked and what was answered, side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import BaseModel, ConfigDict

from adobe_privacy.api.moments import Told
from adobe_privacy.api.names import product_code


class ProductOutcome(BaseModel):
    """What one product answered: `status` and `code` (e.g. `6000-200`) in Adobe's words, `verdict` in ours. The verdict
    is absent in manifests written before 2026-12."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: str
    code: str | None = None
    verdict: str | None = None
    processed_at: Told | None = None
    retry_count: int | None = None


class Completeness(BaseModel):
    """Asked and answered, side by side. Product names are as Adobe or the request wrote them.

    `verdict` is that of the whole job, decided by whoever archives it; manifests written before 2026-12 have `full`,
    `partial` or `gap`, which were decided here. Folders do not enter into it: their names are undocumented, and a
    product without data may leave its folder out. `processed` and `ignored` count identities, absent where Adobe did
    not say.
    """

    model_config = ConfigDict(frozen=True)

    verdict: str
    products_requested: list[str]
    products_answered: list[str]
    products_missing: list[str]
    folders_found: list[str]
    other_folders: int
    processed: int | None = None
    ignored: int | None = None


def compare(
    *,
    verdict: str,
    requested: Sequence[str],
    outcomes: Sequence[ProductOutcome],
    processed: int | None,
    ignored: int | None,
    folders: Collection[str] = (),
) -> Completeness:
    """Of `folders` only those named like a product are repeated, the others counted."""
    answered = {product_code(outcome.name): outcome for outcome in outcomes}
    missing = [name for name in requested if product_code(name) not in answered]
    known = {product_code(name): name for name in [*requested, *(outcome.name for outcome in outcomes)]}
    matched = {known[product_code(folder)] for folder in folders if product_code(folder) in known}
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
