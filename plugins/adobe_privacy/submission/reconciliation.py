"""Compares ledger, inbox, Adobe and archive after a restore or a loss, and lets the ledger go on from what it finds.

What Adobe lists, or the archive has, with the key and the action of a request that the ledger takes for not sent, is
recognised. Of everything else that may have been sent in the time that the ledger has lost, nobody can say yet whether
Adobe has it: those jobs are doubtful, and their submission looks for them before it sends anything.

It does not bring back what only the lost ledger knew: legal holds, approvals, and who decided what.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import RequestRefused
from adobe_privacy.api.facts import LIST_REACH
from adobe_privacy.api.models import JobStatus, JobSummary
from adobe_privacy.api.names import Verdict, product_code
from adobe_privacy.archive import Manifest, UnreadableManifest
from adobe_privacy.archive.manifest import manifest_keys, read_manifest
from adobe_privacy.ledger.identity import Lost
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import OPEN_AT_ADOBE
from adobe_privacy.ledger.unit import chunks
from adobe_privacy.ownership import accept, ownership
from adobe_privacy.planning.planning import PlanSettings, take_in_day
from adobe_privacy.planning.scratch import scratch_ledger
from adobe_privacy.regulations.codes import REGULATIONS, listing_codes
from adobe_privacy.results.verdicts import Answer
from adobe_privacy.storage import Store
from adobe_privacy.submission.recognition import Place, Search, recognise

log = logging.getLogger(__name__)

RUN = "reconcile"
CHUNK = 1000


@dataclass
class Reconciliation:
    """What differs; with `applied`, what was mended. `owner` says how ledger and archive stand to each other."""

    owner: str
    differs: bool
    applied: bool = False
    requests: int = 0  # of the inbox, new to the ledger
    at_adobe: list[str] = field(default_factory=list)  # taken for not sent, and listed by Adobe
    archived: list[str] = field(default_factory=list)  # in the archive, and not archived by the ledger
    unknown: int = 0  # at Adobe, known neither to the ledger nor to the inbox: the sweep registers them
    doubtful: int = 0  # are looked up before they are sent
    notes: list[str] = field(default_factory=list)

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
    rows = await _listed(client, regulations)
    day = ledger.now().date()
    if not apply:
        with scratch_ledger(ledger, run_id=RUN, inbox_date=day) as scratch:
            intake = take_in_day(inbox, scratch, day=day, run_id=RUN, settings=settings, report=False)
            wanted = scratch.doubts.candidates() | ledger.doubts.candidates()
        result.requests = intake.new
        _compare(ledger, wanted, rows, result)
        for manifest, _ in _unrecorded(ledger, archive, result):
            result.archived.append(f"{manifest.request_key} ({manifest.action})")
        result.differs |= bool(result.at_adobe or result.archived)
        return result
    time_lost = Lost(standing.since, standing.until or ledger.now())
    if standing.differs:
        # First of all: whatever ends this here must leave nothing that would be sent unseen.
        ledger.doubts.begin(time_lost)
    intake = take_in_day(inbox, ledger, day=day, run_id=RUN, settings=settings)
    result.requests = intake.new
    _record_archived(ledger, archive, result)
    wanted = ledger.doubts.candidates()
    search = _compare(ledger, wanted, rows, result)
    if result.at_adobe:
        ids = [wanted[place] for place in search.found(ledger)]
        found = recognise(
            ledger, ledger.doubts.jobs(ids), search, "found at Adobe by its user key: reconcile"
        )
        result.notes += found.notes
    if not standing.differs and (result.at_adobe or result.archived):
        # The archive was restored as well, or its mark: something is lost all the same.
        ledger.doubts.begin(time_lost)
    result.doubtful = ledger.doubts.count()
    if standing.differs:
        accept(ledger, archive)
    return result


async def _listed(client: PrivacyServiceClient, regulations: Collection[str]) -> list[JobSummary]:
    await client.learn_server_time()
    now = client.server_time()
    first, last = (now - LIST_REACH).date(), now.date() + timedelta(days=1)
    rows: dict[str, JobSummary] = {}
    refusals: list[RequestRefused] = []
    codes = [code for regulation in regulations for code in listing_codes(regulation)]
    for code in codes:
        try:
            async for row in client.list_jobs(code, from_date=first, to_date=last, thorough=True):
                rows[row.job_id] = row
        except RequestRefused as error:
            refusals.append(error)  # a retired code
    if len(refusals) == len(codes):
        raise refusals[0]
    return list(rows.values())


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


def _unrecorded(ledger: Ledger, archive: Store, result: Reconciliation) -> Iterator[tuple[Manifest, str]]:
    """What the archive has and the ledger does not have as archived: each manifest with its key."""
    for keys in chunks(list(manifest_keys(archive)), CHUNK):
        by_job = {key.split("/")[-2]: key for key in keys}
        for job_id in by_job.keys() - ledger.others.settled(by_job):
            key = by_job[job_id]
            try:
                yield read_manifest(archive, key.rpartition("/")[0]), key
            except UnreadableManifest as error:
                result.notes.append(str(error))


def _record_archived(ledger: Ledger, archive: Store, result: Reconciliation) -> None:
    found = sorted(
        _unrecorded(ledger, archive, result), key=lambda each: each[0].status != JobStatus.COMPLETE
    )
    wanted = ledger.doubts.candidates()
    for manifest, key in found:
        place = manifest.request_key, manifest.action
        if place in wanted and not ledger.intents.known_adobe_jobs([manifest.job_id]):
            made = [(job, manifest.job_id) for job in ledger.doubts.jobs([wanted[place]])]
            ledger.intents.record_submitted(
                made, adobe_request_id=None, reason="found in the archive: reconcile"
            )
        for job in ledger.others.jobs_at_adobe([manifest.job_id], *OPEN_AT_ADOBE):
            if manifest.status == JobStatus.COMPLETE:
                ledger.results.record_complete([_finished(job, manifest)])
                ledger.results.record_archived({job.id: key})
            else:
                ledger.results.record_error(
                    job,
                    completed_at=manifest.completed_at,
                    outcome_code=None,
                    reason="found in the archive: reconcile",
                    try_again=False,
                    manifest=key,
                )
            result.archived.append(f"{manifest.request_key} ({manifest.action})")


def _finished(job: Job, manifest: Manifest) -> FinishedJob:
    answers = [
        Answer(
            product_code(product.name),
            product.name,
            _verdict(product.verdict) or Verdict.NO_ANSWER,
            status=product.status,
            code=product.code,
            processed_at=product.processed_at,
            retry_count=product.retry_count,
        )
        for product in manifest.products
    ]
    verdict = _verdict(manifest.completeness.verdict) or Verdict.IN_PART
    return FinishedJob(job, manifest.completed_at, verdict.value, None, answers)


def _verdict(text: str | None) -> Verdict | None:
    try:
        return Verdict(text or "")
    except ValueError:
        return None
