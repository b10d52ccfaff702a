"""Before a ledger sends anything for the first time: whether Adobe has jobs of its requests already.

Ledger and archive may be lost together, with the disk or the container that held them, while the inbox stays. Then
nothing on this side remembers what was sent. Adobe does.
"""

from __future__ import annotations

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.submission.recognition import Search, folded, listed_jobs


async def refuse_what_adobe_has(ledger: Ledger, client: PrivacyServiceClient) -> None:
    """Asks Adobe before the ledger's first intent, and never again. Sees what lists show: jobs of the last 45 days
    whose user keys come back.

    Raises LedgerError where Adobe lists jobs with the key and the action of requests that this ledger has never sent,
    and PrivacyServiceError where the lists cannot be read.
    """
    if _has_sent(ledger):
        return
    wanted = ledger.doubts.candidates()
    jobs = ledger.doubts.jobs(wanted.values())
    # What is doubtful is looked up in any case.
    doubtful = {job.id for job in jobs if job.doubt_until is not None}
    search = Search(place for place, job_id in wanted.items() if job_id not in doubtful)
    for row in await listed_jobs(client, sorted({job.regulation for job in jobs})):
        search.note(row)
    found = {folded(key) for key, _ in search.found(ledger)} | search.unclear(ledger, client.keys_without_id)
    # Another process of this ledger may have sent them while the lists were read.
    if found and not _has_sent(ledger):
        raise LedgerError(
            f"this ledger has never sent anything, and Adobe lists jobs of {len(found)} of its requests: another "
            "ledger has sent them, which was lost or is not the one that the connection privacy_ledger leads to. "
            "Nothing was sent. Correct the connection, or restore that ledger. If it is lost for good, run "
            "`airflow privacy reconcile`: with `--apply` it recognises these, and the next run sends only the rest"
        )


def _has_sent(ledger: Ledger) -> bool:
    own = ledger.identity.known()
    return own is not None and own.counter > 0
