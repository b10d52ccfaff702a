"""What a person approves: the deletes of one batch that are about to be sent, and the hash that names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

# A DAG that is only parsed needs no tables.
if TYPE_CHECKING:
    from adobe_privacy.ledger.schema import Batch, Job

DELETE = "delete"
# So long a question waits for its answer. Then the jobs go back to the next plan, which asks again.
ANSWERED_WITHIN = timedelta(days=7)


class PlanChanged(Exception):
    """What would be sent is not what the person was shown; nothing was approved."""


class UnknownRequests(Exception):
    """Some of the request ids to be held are not in the plan; nothing was approved."""

    def __init__(self, request_ids: Iterable[str]) -> None:
        self.request_ids = sorted(request_ids)
        super().__init__(f"not in this plan: {', '.join(self.request_ids)}")


@dataclass(frozen=True)
class DeletePlan:
    """The deletes of a batch that nothing was sent of, those on hold among them."""

    batch: Batch
    jobs: tuple[Job, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of what decides what is sent: regulation, products, options, and each job with its attempt."""
        content = {
            "regulation": self.batch.regulation,
            "products": self.batch.products,
            "jobs": sorted((job.id, job.attempt) for job in self.jobs),
        }
        if self.batch.options:
            content["options"] = self.batch.options
        return _digest(content)

    @property
    def on_hold(self) -> list[int]:
        """The ids of the jobs that are not sent, whatever a person answers."""
        return sorted(job.id for job in self.jobs if job.on_hold)

    @property
    def on_hold_hash(self) -> str:
        """SHA-256 of what is on hold: two questions that differ in that alone are two texts."""
        return _digest(self.on_hold)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
