"""Compares ledger, inbox, Adobe and archive after a restore or a loss, and lets the ledger go on from what it finds.

What Adobe lists, or the archive has, with the key and the action of a request that the ledger takes for not sent, is
recognised. Of everything else that may have been sent in the time that the ledger has lost, nobody can say yet whether
Adobe has it: those jobs are doubtful, and their submission looks for them before it sends anything.

Results that the archive says were erased count as erased. Opt-outs whose receipts are in the archive count as
accepted. What only the lost ledger knew, nobody brings back:
`ONLY_THE_LEDGER_KNEW` says what that is, and `reconcile` tells it to the person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.models import JobSummary
from adobe_privacy.ledger.identity import Lost
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ownership import accept, ownership
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.planning.scratch import scratch_ledger
from adobe_privacy.planning.taking_in import PlanSettings, take_in_day
from adobe_privacy.regulations.codes import REGULATIONS
from adobe_privacy.seals import lost_heads
from adobe_privacy.storage import Store
from adobe_privacy.submission.archive_records import (
    compare_archive,
    named,
    open_opt_outs,
    receipts_found,
    record_archived,
    record_erased,
)
from adobe_privacy.submission.recognition import Place, Search, listed_jobs, recognise

log = plain_logger(__name__)

RUN = "reconcile"
ONLY_THE_LEDGER_KNEW = (
    "legal holds: place them again before privacy_retention runs",
    "approvals of deletes: the next run asks again",
    "requests that were closed or extended, and who decided what: decide again",
    "that other people's jobs at Adobe were archived, where Adobe lists them no longer",
)


@dataclass
class Reconciliation:
    """What differs; with `applied`, what was mended. `owner` says how ledger and archive stand to each other."""

    owner: str
    differs: bool
    applied: bool = False
    requests: int = 0  # of the inbox, new to the ledger
    at_adobe: list[str] = field(default_factory=list)  # taken for not sent, and listed by Adobe
    archived: list[str] = field(default_factory=list)  # in the archive, and not archived by the ledger
    erased: list[str] = field(default_factory=list)  # tombstones of the archive that the ledger does not know
    unknown: int = 0  # at Adobe, known neither to the ledger nor to the inbox: the sweep registers them
    doubtful: int = 0  # are looked up before they are sent
    seals: int = 0  # in the archive, of a history that the ledger does not have
    receipts: list[str] = field(default_factory=list)  # in the archive, of opt-outs taken for not accepted
    not_recovered: tuple[str, ...] = ()  # what only a ledger knows, where this one has lost something
    notes: list[str] = field(default_factory=list)

    @property
    def something_lost(self) -> bool:
        """Whether Adobe or the archive show what the ledger should have known."""
        return bool(self.at_adobe or self.archived or self.erased or self.receipts or self.seals)

    def conclude(self) -> None:
        self.differs |= self.something_lost
        self.not_recovered = ONLY_THE_LEDGER_KNEW if self.differs else ()

    @property
    def rows(self) -> list[dict[str, object]]:
        done = self.applied
        return [
            {"what": "ledger and archive", "found": self.owner},
            {
                "what": f"requests of the inbox {'taken in' if done else 'not in the ledger'}",
                "found": self.requests,
            },
            {
                "what": f"jobs at Adobe {'recognised' if done else 'not known to the ledger'}",
                "found": len(self.at_adobe),
            },
            {
                "what": f"results {'recorded' if done else 'not recorded'} as archived",
                "found": len(self.archived),
            },
            {
                "what": f"results {'recorded' if done else 'not recorded'} as erased, by their tombstones",
                "found": len(self.erased),
            },
            {
                "what": f"opt-outs {'recorded' if done else 'not recorded'} as accepted, by their receipts",
                "found": len(self.receipts),
            },
            {"what": "seals of a history that the ledger does not have", "found": self.seals},
            {"what": "other jobs at Adobe, which privacy_sweep registers", "found": self.unknown},
            {"what": "jobs that are looked up before they are sent", "found": self.doubtful},
        ]


async def reconcile(
    *,
    ledger: Ledger,
    inbox: Store,
    archive: Store,
    client: PrivacyServiceClient,
    settings: PlanSettings,
    apply: bool = False,
    regulations: Collection[str] = tuple(REGULATIONS),
) -> Reconciliation:
    """Says what differs, and with `apply` mends it: takes in what of the inbox was not read, recognises jobs at Adobe
    and in the archive, and makes the archive this ledger's. Sends and erases nothing, and may be repeated.

    Raises LedgerError where the archive belongs to another organisation, and PrivacyServiceError and StorageError where
    something cannot be read: the archive is not this ledger's before all of it was done.
    """
    standing = ownership(ledger, archive, settings.organisation or "")
    result = Reconciliation(standing.words, standing.differs, apply)
    rows = await listed_jobs(client, regulations, result.notes)
    day = ledger.now().date()
    heads = lost_heads(ledger, archive)
    result.seals = len(heads)
    if not apply:
        with scratch_ledger(ledger, run_id=RUN, inbox_date=day) as scratch:
            intake = take_in_day(inbox, scratch, day=day, run_id=RUN, settings=settings, report=False)
            wanted = scratch.doubts.candidates() | ledger.doubts.candidates()
            opt_outs = open_opt_outs(scratch) + open_opt_outs(ledger)
        result.requests = intake.new
        _compare(ledger, wanted, rows, result)
        archive_found = compare_archive(ledger, archive, result.notes)
        result.archived = [named(manifest) for manifest, _ in archive_found.unrecorded]
        result.erased = [named(manifest) for manifest in archive_found.erased]
        result.receipts = sorted(receipts_found(archive, opt_outs, result.notes))
        result.conclude()
        return result
    # Mark and seals may be of a worker whose clock was ahead. Ours may be behind: that must not shorten the time.
    now = max(ledger.now(), client.server_time())
    # A history is sealed once a day: perhaps after the last submission.
    sealed = [head.sealed_at for head in heads]
    until = min(now, max([standing.until or ledger.now(), *sealed]))
    since = standing.since if standing.since and standing.since <= until else None
    if standing.differs or heads:
        # First of all: whatever ends this here must leave nothing that would be sent unseen.
        ledger.doubts.begin(Lost(since, until), [head.hash for head in heads if head.sealed_at > until])
    intake = take_in_day(inbox, ledger, day=day, run_id=RUN, settings=settings)
    result.requests = intake.new
    created = {row.job_id: row.created_at for row in rows if row.created_at is not None}
    archive_found = compare_archive(ledger, archive, result.notes)
    result.archived = record_archived(ledger, archive_found, created)
    record_erased(ledger, archive_found.erased)
    result.erased = [named(manifest) for manifest in archive_found.erased]
    receipts = receipts_found(archive, open_opt_outs(ledger), result.notes)
    ledger.opt_outs.record_found(receipts.values())
    result.receipts = sorted(receipts)
    wanted = ledger.doubts.candidates()
    search = _compare(ledger, wanted, rows, result)
    if result.at_adobe:
        ids = [wanted[place] for place in search.found(ledger)]
        found = recognise(
            ledger, ledger.doubts.jobs(ids), search, "found at Adobe by its user key: reconcile"
        )
        result.notes += found.notes
    if not standing.differs and result.something_lost:
        # The archive was restored as well, or its mark: something is lost all the same.
        ledger.doubts.begin(Lost(since, until))
    result.conclude()
    result.doubtful = ledger.doubts.count()
    if standing.differs:
        accept(ledger, archive)
    return result


def _compare(
    ledger: Ledger, wanted: dict[Place, int], rows: Collection[JobSummary], result: Reconciliation
) -> Search:
    search = Search(wanted)
    for row in rows:
        search.note(row)
    found = search.found(ledger)
    ours = {row.job_id for some in found.values() for row in some}
    known = ledger.intents.known_adobe_jobs({row.job_id for row in rows})
    result.at_adobe += sorted(f"{key} ({action})" for key, action in found)
    result.unknown = sum(row.job_id not in known and row.job_id not in ours for row in rows)
    return search
