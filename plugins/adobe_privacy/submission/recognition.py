"""Finds our jobs in Adobe's lists, by user key and action."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import RequestRefused
from adobe_privacy.api.facts import LIST_REACH
from adobe_privacy.api.models import JobStatus, JobSummary
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.regulations.codes import REGULATIONS, listing_codes

log = plain_logger(__name__)

Place = tuple[str, str]  # user key and action


def folded(key: str) -> str:
    """A user key without what a service may change of it: case and blanks."""
    return "".join(key.split()).casefold()


async def listed_jobs(
    client: PrivacyServiceClient, regulations: Collection[str], notes: list[str] | None = None
) -> list[JobSummary]:
    """All that Adobe lists under these regulations, of the last 45 days. Raises PrivacyServiceError where the lists
    cannot be read; a code that Adobe refuses, as it may a retired one, has none as long as another is taken. Of one
    that is in use, `notes` tells."""
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
            if code in REGULATIONS:
                log.warning("%s: %s", code, error)
                (notes if notes is not None else []).append(f"the list of {code} was not read: {error}")
    if refusals and len(refusals) == len(codes):
        raise refusals[0]
    return list(rows.values())


@dataclass
class Recognised:
    """What was found: how many jobs are known to be at Adobe by this, which ones of those asked for, and what a person
    should know."""

    count: int = 0
    job_ids: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


class Search:
    """The rows of lists that may be one of the jobs wanted."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._wanted = set(places)
        self._keys = {folded(key) for key, _ in self._wanted}
        self._without_action: list[JobSummary] = []
        self._by_folded = {(folded(key), action): (key, action) for key, action in self._wanted}
        self._same: dict[Place, list[JobSummary]] = {}
        self._alike: dict[Place, list[JobSummary]] = {}

    def note(self, row: JobSummary) -> None:
        place = (row.key or "", row.action or "")
        if not row.action:
            if folded(place[0]) in self._keys:
                self._without_action.append(row)
        elif place in self._wanted:
            self._same.setdefault(place, []).append(row)
        elif (alike := self._by_folded.get((folded(place[0]), place[1]))) is not None:
            self._alike.setdefault(alike, []).append(row)

    def unclear(self, ledger: Ledger, without_id: Collection[str]) -> set[str]:
        """The folded keys of Adobe's jobs that the ledger does not know and that do not say their action, and of those
        `without_id`: what is wanted under such a key is neither found nor absent."""
        known = ledger.intents.known_adobe_jobs({row.job_id for row in self._without_action})
        unclear = {folded(row.key or "") for row in self._without_action if row.job_id not in known}
        return unclear | self._keys.intersection(map(folded, without_id))

    def found(self, ledger: Ledger) -> dict[Place, list[JobSummary]]:
        """By place, Adobe's jobs that the ledger does not know: what did not fail before what did, then the oldest
        first. Keys in another spelling count where Adobe is not known to give keys back unchanged."""
        found = dict(self._same)
        if self._alike and ledger.limits.keys_come_back() is not True:
            found |= self._alike
        known = ledger.intents.known_adobe_jobs({row.job_id for rows in found.values() for row in rows})
        new = {place: [row for row in rows if row.job_id not in known] for place, rows in found.items()}
        return {place: sorted(rows, key=_age) for place, rows in new.items() if rows}


def recognise(ledger: Ledger, jobs: Iterable[Job], search: Search, reason: str) -> Recognised:
    """Writes down which of `jobs` Adobe has. All of Adobe's jobs of a place belong to the request; the ledger takes
    the first for the one that was intended."""
    by_place = {(job.key, job.action): job for job in jobs}
    result = Recognised()
    made: list[tuple[Job, str]] = []
    created: dict[str, datetime] = {}
    for place, rows in search.found(ledger).items():
        made += [(by_place[place], row.job_id) for row in rows]
        created |= {row.job_id: row.created_at for row in rows if row.created_at is not None}
        if rows[0].key != place[0]:
            ledger.limits.note_keys(unchanged=False)
        if len(rows) > 1:
            result.notes.append(f"{place[0]} ({place[1]}): Adobe has {len(rows)} jobs, see {rows[1].job_id}")
    if made:
        result.count = ledger.intents.record_submitted(
            made, adobe_request_id=None, reason=reason, created=created
        )
        result.job_ids = {job.id for job, _ in made}
    return result


def _age(row: JobSummary) -> tuple[bool, bool, datetime, str]:
    """Those without a time last."""
    failed = row.status is JobStatus.ERROR
    return failed, row.created_at is None, row.created_at or datetime.max.replace(tzinfo=UTC), row.job_id
