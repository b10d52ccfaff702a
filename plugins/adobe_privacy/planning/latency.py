"""How long Adobe takes with this organisation's jobs, and so by which day one must be submitted."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from adobe_privacy.api.names import include_codes
from adobe_privacy.intake.request import Action
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.regulations.clocks import ADOBE_LATENCY_DAYS, DueDates, submit_by

PERCENTILE = 95
# Of fewer, the slowest of twenty would be a single job's luck: Adobe's own figure is taken instead.
ENOUGH_JOBS = 50


@dataclass(frozen=True)
class Latencies:
    """Days from submission to completion within which 95 of 100 jobs are done, by action and product.

    An approximation to the safe side: of a job for several products only the end of the slowest is known, and
    counts for each of them. `observed` lacks what was seen in fewer than `ENOUGH_JOBS` jobs: there Adobe's
    documented 30 days hold.
    """

    observed: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def days(self, action: str, products: Iterable[str]) -> float:
        """Within how many days a job is done; that of the slowest product. Adobe's figure without products."""
        days = [self.observed.get((action, product), float(ADOBE_LATENCY_DAYS)) for product in products]
        return max(days, default=float(ADOBE_LATENCY_DAYS))

    def submit_by(self, due_on: date, action: str, products: Iterable[str]) -> date:
        """The last day to submit a job to Adobe so that it is done by `due_on`. It may be over already."""
        return submit_by(due_on, self.days(action, products))


def observed_latencies(ledger: Ledger) -> Latencies:
    """What the ledger's most recently finished jobs say."""
    seen: dict[tuple[str, str], list[timedelta]] = defaultdict(list)
    for action in (Action.ACCESS, Action.DELETE):
        for products, latency in ledger.latency.recent(action):
            for product in include_codes(filter(None, products.split(","))):
                seen[action.value, product].append(latency)
    return Latencies(
        {
            place: max(0.0, _percentile(latencies) / timedelta(days=1))
            for place, latencies in seen.items()
            if len(latencies) >= ENOUGH_JOBS
        }
    )


def _percentile(latencies: list[timedelta]) -> timedelta:
    return sorted(latencies)[math.ceil(len(latencies) * PERCENTILE / 100) - 1]


def risk(due: DueDates, latency_days: float, today: date) -> str | None:
    """Why a request that is submitted today may not be done in time, for a person to read; None where it will.

    Not for opt-outs, which Adobe answers at once.
    """
    left, takes = (due.answer_by - today).days, math.ceil(latency_days)
    if left > takes:
        return None
    advice = "submit it today"
    if due.extension_notice_by is not None and due.extension_notice_by >= today:
        advice += " and prepare the notice of extension"
    if left < 0:
        return f"The answer was due {-left} days ago: {advice}."
    if left == takes:
        return f"The answer is due in {left} days, as many as Adobe may take: {advice}."
    return f"The answer is due in {left} days but Adobe may take {takes}: {advice}."
