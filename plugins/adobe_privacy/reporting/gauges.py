"""How things stand in the ledger, as gauges."""

from __future__ import annotations

from datetime import UTC, datetime, time

from adobe_privacy import metrics
from adobe_privacy.api.facts import DETAIL_KEPT
from adobe_privacy.ledger.attention import LASTING
from adobe_privacy.ledger.ledger import Ledger


def tell(ledger: Ledger, *, organisation: str, daily_limit: int) -> None:
    """Measures an organisation's ledger now. Costs a few queries along indexes, none where nobody measures."""
    if not metrics.sent():
        return
    now = ledger.now()
    for state, jobs in ledger.overview.counts().items():
        metrics.gauge(metrics.JOBS, jobs, organisation=organisation, state=state.value)
    for kind, count in ledger.attention.counts(LASTING).items():
        metrics.gauge(metrics.ATTENTION, count, organisation=organisation, kind=kind)
    quota = ledger.quotas.today()
    left = 0 if quota.refused else max(0, daily_limit - quota.used)
    metrics.gauge(metrics.QUOTA_LEFT, left, organisation=organisation)
    horizon = ledger.overview.horizon()
    age = now - (horizon.received_at or now)
    metrics.gauge(metrics.OLDEST_OPEN, int(age.total_seconds()), organisation=organisation)
    due = None if horizon.due_on is None else datetime.combine(horizon.due_on, time(), UTC)
    expires = None if horizon.completed_at is None else horizon.completed_at + DETAIL_KEPT
    for metric, moment in ((metrics.DUE_IN, due), (metrics.EXPIRES_IN, expires)):
        seconds = metrics.FAR if moment is None else min(metrics.FAR, int((moment - now).total_seconds()))
        metrics.gauge(metric, seconds, organisation=organisation)
