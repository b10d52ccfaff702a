"""Files of the inbox that lie there unread, since no plan looks: `privacy_requests` is paused, or its plan fails.

Airflow makes each new DAG paused. Nobody would hear of a request that came meanwhile, and no run would be red.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from adobe_privacy.intake.files import unread_files
from adobe_privacy.ledger.inbox import Problem
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import ProblemKind
from adobe_privacy.planning.taking_in import LATE_DAYS
from adobe_privacy.storage import Store

# A plan is made daily.
LOOKED_WITHIN = timedelta(hours=36)


def is_looked_at(ledger: Ledger) -> bool:
    """Whether a plan has lately looked for what is new in the inbox."""
    looked_at = ledger.inbox.looked_at()
    return looked_at is not None and ledger.now() - looked_at < LOOKED_WITHIN


def note_unread(store: Store, ledger: Ledger, *, run_id: str) -> int:
    """Puts the files that lie unread for 36 hours, in the folders of the last 45 days, into the list of what needs a
    person, but for those that are in it. The plan that reads one takes it out; so does this, where one is gone.
    Returns how many are unread. Raises StorageError where the inbox cannot be read."""
    now = ledger.now()
    unread, present = unread_files(
        store,
        ledger,
        now.date() - timedelta(days=LATE_DAYS),
        now.date(),
        older_than=now - LOOKED_WITHIN,
    )
    reason = _reason(ledger.inbox.looked_at())
    told = {day: ledger.inbox.files_with_problems(day) for day in present}
    for entry in unread:
        if entry.name.key in told[entry.name.day]:
            continue
        # Without a mark, the file is new to the next plan.
        ledger.inbox.record(
            entry.name,
            [Problem(ProblemKind.FILE, reason)],
            size=entry.size,
            mark="",
            run_id=run_id,
            to_its_end=False,
        )
    ledger.inbox.close_removed(present)
    return len(unread)


def _reason(looked_at: datetime | None) -> str:
    since = f"since {looked_at:%Y-%m-%d %H:%M} UTC " if looked_at else ""
    return (
        f"no plan of privacy_requests has looked into the inbox {since}: see that the DAG is not paused and that its "
        "plan succeeds, which then reads the file"
    ).replace("  ", " ")
