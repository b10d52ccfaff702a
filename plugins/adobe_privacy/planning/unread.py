"""Files of the inbox that lie there unread, since no plan looks: `privacy_requests` is paused, or its plan fails.

Airflow makes each new DAG paused. Nobody would hear of a request that came meanwhile, and no run would be red.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from adobe_privacy.intake.files import unread_files
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.planning.taking_in import LATE_DAYS
from adobe_privacy.storage import Location, Store

# A plan is made daily; a schedule may leave out a weekend.
LOOKED_WITHIN = timedelta(hours=84)
UNREAD_FOR = timedelta(hours=36)


def is_looked_at(ledger: Ledger, inbox: Location) -> bool:
    """Whether a plan has lately looked for what is new in an inbox."""
    looked_at = ledger.inbox.looked_at(inbox.public_uri)
    return looked_at is not None and ledger.now() - looked_at < LOOKED_WITHIN


def note_unread(store: Store, ledger: Ledger, *, run_id: str) -> None:
    """Puts the files that lie unread for 36 hours, in the folders of the last 45 days, into the list of what needs a
    person. The plan that reads one takes it out. Raises StorageError where the inbox cannot be read."""
    now, reason = ledger.now(), _reason(ledger.inbox.looked_at(store.location.public_uri))
    first = now.date() - timedelta(days=LATE_DAYS)
    for file in unread_files(store, ledger, first, now.date(), older_than=now - UNREAD_FOR):
        ledger.inbox.add_unread(file.name, reason, known=file.known, run_id=run_id)


def _reason(looked_at: datetime | None) -> str:
    since = f" since {looked_at:%Y-%m-%d %H:%M} UTC" if looked_at else ""
    return (
        f"no plan of privacy_requests has looked into the inbox{since}: see that the DAG is not paused and that its "
        "plan succeeds, which then reads the file"
    )
