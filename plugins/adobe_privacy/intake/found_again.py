"""Finds the requests of the ledger's jobs in the inbox again: their identities are read at the moment they are sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from adobe_privacy.intake.inbox import as_shown, file_key, files_of, find_requests, real_name, shown_name
from adobe_privacy.intake.request import PrivacyRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.storage import StorageError, Store


@dataclass
class FoundRequests:
    """`requests` by id. Of those in `unreadable`, nobody can say whether the inbox holds them: the error names the file
    that could not be read."""

    requests: dict[str, PrivacyRequest] = field(default_factory=dict)
    unreadable: dict[str, StorageError] = field(default_factory=dict)

    def left(self, jobs: Sequence[Job]) -> list[Job]:
        """Those of the jobs that are to be looked for again."""
        return [job for job in jobs if job.request_id in self.unreadable]

    def gone(self, jobs: Sequence[Job]) -> list[Job]:
        """Those of the jobs whose request the inbox certainly does not hold."""
        looked_up = self.requests.keys() | self.unreadable.keys()
        return [job for job in jobs if job.request_id not in looked_up]


def requests_of(jobs: Sequence[Job], store: Store, ledger: Ledger) -> FoundRequests:
    """The requests of the ledger's jobs, as far as the inbox still holds what was taken in: where each was seen last,
    else in the folder where it first arrived.

    A file or folder that cannot be read costs those requests only that are found nowhere else.
    """
    search = _Search(jobs, store, ledger)
    search.where_seen_last()
    # A later file repeated them, and does not hold them any more.
    search.where_they_arrived()
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

    def where_they_arrived(self) -> None:
        moved = {each: self._jobs[each].inbox_date for each in self._missing() if _moved(self._jobs[each])}
        for day in sorted(set(moved.values())):
            here = {each for each in moved if moved[each] == day}
            keys: list[str] = []
            with self._noting(here):
                keys += filter(str.isprintable, files_of(self._store, day)[0])
            for key in keys:
                if wanted := here & self._missing():
                    with self._noting(wanted):
                        self._look(key, f"{day}/{shown_name(key, file_key(key, self._ledger))}", wanted)

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


def _moved(job: Job) -> bool:
    return not job.source.startswith(f"{job.inbox_date:%Y-%m-%d}/")
