"""The small world of `interleavings`, whose ledger is restored from a back-up at any moment, while people and sweeps
go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from adobe_privacy.intake.request import request_id_in
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.doubts import SeenJob
from adobe_privacy.ledger.others import OthersJob
from adobe_privacy.ledger.schema import Origin
from adobe_privacy.ledger.states import JobState
from adobe_privacy.planning.planning import PlanSettings
from adobe_privacy.submission.reconciliation import reconcile
from tests.submission.interleavings import DAY, AdobeJob, Client, Process, World
from tests.submission.test_restore import Backup, back_up, restore

REGULATION = "cpra_ca_usa"


@dataclass
class RestoredWorld(World):
    """Without approvals, whose answers a restore takes back."""

    backup: Backup | None = None
    restored: bool = False
    closed: set[str] = field(default_factory=set)

    def act(self) -> None:
        happenings: list[tuple[int, Any]] = [
            (86, super().act),
            (3, self.back_up),
            (3, self.restore),
            (4, self.reconcile),
            (4, self.sweep),
            (1, self.close_request),
        ]
        self.random.choices([do for _, do in happenings], [weight for weight, _ in happenings])[0]()

    def back_up(self) -> None:
        self.log.append("back-up")
        self.backup = back_up(self.ledger)

    def restore(self) -> None:
        """Some processes go on as if nothing had happened."""
        if self.backup is None:
            return
        if self.random.random() < 0.7:
            for process in list(self.processes):
                self.kill(process)
        self.log.append("restore")
        restore(self.ledger, self.backup)
        self.ledger.__dict__.pop("_fingerprint_key", None)
        self.restored = True
        # What a person closed since the back-up is open again, and sent.
        self.closed.clear()

    def reconcile(self) -> None:
        process = Process(f"reconcile {next(self.numbers)}")
        self.log.append(f"{process.name} begins")
        process.task = self.loop.create_task(
            reconcile(
                ledger=self._mortal(process.name),
                inbox=self.inbox,
                archive=self.archive,
                client=Client(self, process),  # type: ignore[arg-type]
                settings=PlanSettings(daily_limit=self.daily_limit),
                apply=True,
                regulations=(REGULATION,),
            )
        )
        self.processes.append(process)
        self._run(process)

    def sweep(self) -> None:
        """What a sweep does before it archives."""
        listed = [
            job for job in self.jobs if (self.shows_open_jobs or job.failed) and job.visible_at <= self.now
        ]
        seen = [SeenJob(job.job_id, _request_id(job), job.action) for job in listed]
        self.log.append(f"a sweep marks {self.ledger.doubts.note_seen(seen)}")
        ended = [job for job in listed if job.failed]
        known = self.ledger.intents.known_adobe_jobs([job.job_id for job in ended])
        self.ledger.others.register(
            [
                OthersJob(job.job_id, REGULATION, job.action, job.created_at, DAY, _request_id(job))
                for job in ended
                if job.job_id not in known
            ]
        )

    def close_request(self) -> None:
        request_id = self.random.choice(sorted(self.requests))
        if self.ledger.people.close(request_id, "test"):
            self.log.append(f"close {request_id}")
            self.closed.add(request_id)

    def fail_a_job(self) -> None:
        """Of what failed before a restore, the ledger hears again."""
        for row in self._rows(JobState.SUBMITTED):
            if row.origin is not Origin.INBOX:
                continue
            job = next(job for job in self.jobs if job.job_id == row.adobe_job_id)
            if job.failed or (self.random.random() < 0.5 and row.attempt < 3):
                job.failed = True
                self.log.append(f"{row.key} ({row.action}) fails")
                self.ledger.results.record_error(
                    row, completed_at=self.now, outcome_code="1020-400", reason="Adobe: error", try_again=True
                )
                return

    def check_quota(self) -> None:
        """What a lost ledger had charged, no other can keep to."""
        if not self.restored:
            super().check_quota()

    def _run(self, process: Process) -> None:
        try:
            super()._run(process)
        except LedgerError:
            # It sends nothing before `reconcile`.
            if not self.restored:
                raise
            self.log.append("the ledger is older than the archive")

    def come_to_rest(self) -> None:
        self.calm = True
        self._finish_processes()
        self.reconcile()
        super().come_to_rest()

    def check_nothing_is_lost(self) -> None:
        """Each is at Adobe, or waits for a person."""
        at_adobe = {(job.key, job.action) for job in self.jobs if not job.failed}
        ended = {job.job_id for job in self.jobs if job.failed}
        for request_id, actions in self.requests.items():
            rows = self.ledger.people.request_jobs(request_id)
            assert request_id in self.closed or {row.action for row in rows} == set(actions)
            for row in rows:
                if row.key in self.bad_keys or (row.key, row.action) in at_adobe:
                    continue
                waits = {JobState.CLOSED}
                if self.restored:
                    # Whether it was sent again since the back-up, nobody knows.
                    waits |= {JobState.ERROR, JobState.SUBMITTING}
                if not self.shows_open_jobs:
                    waits.add(JobState.SUBMITTING)
                assert row.state in waits or row.adobe_job_id in ended, f"{row.key} is lost, {row.state}"


def _request_id(job: AdobeJob) -> str:
    request_id = request_id_in(job.key)
    assert request_id is not None
    return request_id
