"""Finds the requests of the ledger's jobs in the inbox again: their identities are read at the moment they are sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from adobe_privacy.intake.files import LATE_DAYS
from adobe_privacy.intake.inbox import as_shown, file_key, files_of, find_requests, real_name, shown_name
from adobe_privacy.intake.request import PrivacyRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.storage import StorageError, Store

# So many folders are searched for a request whose line is gone; a request that waits longer is found by its first.
MAX_FOLDERS = 100


@dataclass
class FoundRequests:
    """`requests` by id. Of those in `unreadable`, nobody can say whether the inbox holds them: the error names the file
    that could not be read."""

    requests: dict[str, PrivacyRequest] = field(default_factory=dict)
    unreadable: dict[str, StorageError] = field(default_factory=dict)


def requests_of(jobs: Sequence[Job], store: Store, ledger: Ledger) -> FoundRequests:
    """The requests of the ledger's jobs, as far as the inbox still holds what was taken in: where each was seen last,
    else in any folder that may hold a copy.

    A file or folder that cannot be read costs those requests only that are found nowhere else.
    """
    search = _Search(jobs, store, ledger)
    search.where_seen_last()
    search.where_copies_may_be()
    found = search.found
    for request_id in found.requests:
        found.unreadable.pop(request_id, None)
    return found


class _Search:
    def __init__(self, jobs: Sequence[Job], store: Store, ledger: Ledger) -> None:
        self.found = FoundRequests()
        self._jobs = {job.request_id: job for job in jobs}
        self._store, self._ledger = store, ledger

    def where_seen_last(self) -> None:
        for source in sorted({job.source for job in self._jobs.values()}):
            wanted = {each for each, job in self._jobs.items() if job.source == source}
            with self._noting(wanted):
                self._look(real_name(source, self._store, self._ledger), source, wanted)

    def where_copies_may_be(self) -> None:
        """Several files held them, and the newest does not any more. The ledger knows this file and the first folder
        alone. It also knows which folders were read since a request arrived: a copy lies in one of these."""
        jobs = [self._jobs[each] for each in self._missing()]
        if not jobs:
            return
        arrived = {job.inbox_date for job in jobs}
        folders = self._ledger.inbox.folders_read(
            min(arrived) - timedelta(days=LATE_DAYS), min(job.taken_in_at for job in jobs), limit=MAX_FOLDERS
        )
        for day in sorted({*folders, *arrived}, reverse=True):
            if not (missing := self._missing()):
                return
            keys: list[str] = []
            with self._noting(missing):
                keys += filter(str.isprintable, files_of(self._store, day)[0])
            for key in keys:
                shown = f"{day}/{shown_name(key, file_key(key, self._ledger))}"
                # Where they were seen last was searched before.
                if wanted := {each for each in self._missing() if self._jobs[each].source != shown}:
                    with self._noting(wanted):
                        self._look(key, shown, wanted)

    def _missing(self) -> set[str]:
        return self._jobs.keys() - self.found.requests.keys()

    @contextmanager
    def _noting(self, wanted: Collection[str]) -> Iterator[None]:
        """One file or folder that cannot be read is no reason to send nothing of all others."""
        try:
            yield
        except StorageError as error:
            for request_id in wanted:
                self.found.unreadable.setdefault(request_id, error)

    def _look(self, real: str, shown: str, wanted: Collection[str]) -> None:
        left = set(wanted)
        with as_shown(real, shown):
            for request in find_requests(self._store, real, left):
                job = self._jobs[request.request_id]
                if self._ledger.intake.fingerprint(request.content()) == job.fingerprint:
                    self.found.requests[request.request_id] = request
                    left.discard(request.request_id)
                    if not left:
                        break
