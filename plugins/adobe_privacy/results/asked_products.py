"""Which products Adobe was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job, Origin


class AskedProducts:
    """The products that the jobs of a ledger were asked of; each batch is looked up once."""

    def __init__(self, ledger: Ledger, default_products: Sequence[str]) -> None:
        self._ledger = ledger
        self._default = tuple(default_products)
        self._of_batch: dict[str, tuple[str, ...]] = {}

    def of(self, job: Job) -> tuple[str, ...]:
        """The products that were asked; of jobs that are not ours it is not known. Where the batch was lost, they are
        those that the request names, or the usual ones."""
        if job.batch_id is None:
            return () if job.origin is Origin.ADOBE else _split(job.products) or self._default
        if job.batch_id not in self._of_batch:
            self._of_batch[job.batch_id] = _split(self._ledger.claims.batch(job.batch_id).products)
        return self._of_batch[job.batch_id]


def _split(products: str) -> tuple[str, ...]:
    return tuple(filter(None, products.split(",")))
