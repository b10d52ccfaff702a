"""A ledger to try a plan on, which is thrown away afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.inbox import Inbox
from adobe_privacy.ledger.intake import Intake, KnownRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import WAITING, Base, Batch, Job, Usage
from adobe_privacy.ledger.states import UNSENT_STATES
from adobe_privacy.ledger.unit import chunks

CHUNK = 1000


@contextmanager
def scratch_ledger(ledger: Ledger, *, run_id: str, inbox_date: date) -> Iterator[Ledger]:
    """A ledger in which a run of `inbox_date` plans as it would in `ledger`, and of which nothing is kept.

    It holds what waits and what is planned; it asks `ledger` for whatever was taken in and read before. That one is
    only read, and nobody waits for it.
    """
    # Made once, where the ledger has none yet: else a dry run and the run after it would differ.
    _ = ledger.unit.fingerprint_key
    with (
        tempfile.TemporaryDirectory(prefix="privacy-plan-") as folder,
        Ledger(f"sqlite:///{Path(folder, 'ledger.db')}", actor=ledger.unit.actor, now=ledger.now) as scratch,
    ):
        scratch.inbox = _Inbox(scratch, ledger)
        scratch.intake = _Intake(scratch, ledger)
        scratch.latency = ledger.latency
        open_batches = ledger.claims.open_batches(run_id=run_id, inbox_date=inbox_date)
        with ledger.unit.read() as known, scratch.unit.write() as session:
            unsent = known.scalars(select(Job.batch_id).where(Job.state.in_(UNSENT_STATES)).distinct())
            batches = {batch.id for batch in open_batches} | set(filter(None, unsent))
            _copy(Usage, select(Usage).where(Usage.day == ledger.now().date()), known, session)
            _copy(Job, select(Job).where(WAITING, Job.inbox_date <= inbox_date), known, session)
            for some in chunks(batches):
                _copy(Batch, select(Batch).where(Batch.id.in_(some)), known, session)
                _copy(Job, select(Job).where(Job.batch_id.in_(some)), known, session)
        yield scratch


def _copy(table: type[Base], query: Select[Any], known: Session, session: Session) -> None:
    columns = [column.name for column in table.__table__.columns]
    rows = known.execute(
        query.with_only_columns(*table.__table__.columns), execution_options={"yield_per": CHUNK}
    )
    for some in rows.partitions():
        session.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in some])


class _Inbox(Inbox):
    """Knows what the real ledger has read."""

    def __init__(self, scratch: Ledger, real: Ledger) -> None:
        super().__init__(scratch.unit)
        self._real = real

    def read_files(self, first: date, last: date) -> dict[tuple[date, str], tuple[int, str]]:
        return self._real.inbox.read_files(first, last)

    def first_read(self) -> datetime | None:
        return self._real.inbox.first_read()

    def files_with_problems(self, day: date) -> frozenset[str]:
        return self._real.inbox.files_with_problems(day)


class _Intake(Intake):
    """Recognises what the real ledger has taken in."""

    def __init__(self, scratch: Ledger, real: Ledger) -> None:
        super().__init__(scratch.unit)
        self._real = real

    def fingerprint(self, content: bytes) -> str:
        return self._real.intake.fingerprint(content)

    def _known(self, session: Session, request_ids: Collection[str]) -> dict[str, KnownRequest]:
        with self._real.unit.read() as real:
            return super()._known(real, request_ids) | super()._known(session, request_ids)

    def _forgotten(self, session: Session, request_ids: Collection[str]) -> set[str]:
        with self._real.unit.read() as real:
            return self._real.intake._forgotten(real, request_ids)
