"""How every topic of the ledger reads and writes: transactions, moves, and the history of each change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Engine, Table, insert, literal, null, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from adobe_privacy.ledger.database import exclusive
from adobe_privacy.ledger.keys import chosen_key, forgotten_id, known_key
from adobe_privacy.ledger.schema import Base, DailyFigures, Job, StateName, Transition, UtcDateTime
from adobe_privacy.ledger.states import JobState, Move

T = TypeVar("T")
_together: ContextVar[tuple[Unit, Session] | None] = ContextVar("reads_together", default=None)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Unit:
    """One process's way to the ledger's database: reading, writing, and noting what was changed.

    The topics of the ledger share one. `actor` is written beside every change; `now` is replaced in tests. Rows that
    a read returns are copies: changing one changes nothing.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        actor: str,
        fingerprint_key: str | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.engine = engine
        self.actor = actor
        self.now = now
        self.configured_key = fingerprint_key
        self._key: bytes | None = None

    @property
    def fingerprint_key(self) -> bytes:
        """The key of the ledger's keyed hashes. Raises LedgerError where another one was configured before."""
        if self.known_fingerprint_key() is None:
            with self.write() as session:
                self._key = chosen_key(session, self.configured_key)
        assert self._key is not None
        return self._key

    def known_fingerprint_key(self) -> bytes | None:
        """The same for readers: None where it is another, or not yet chosen."""
        if self._key is None:
            with self.read() as session:
                self._key = known_key(session, self.configured_key)
        return self._key

    def names_of(self, request_id: str) -> tuple[str, ...]:
        """What the ledger may call a request: its id, and, where the key is known, what stands in the place of an id
        that was forgotten."""
        key = self.known_fingerprint_key()
        return (request_id,) if key is None else (request_id, forgotten_id(key, request_id))

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One write transaction; no other of this ledger runs beside it, in whatever process or host."""
        with exclusive(self.engine) as connection, Session(connection, expire_on_commit=False) as session:
            yield session
            session.flush()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that PostgreSQL lets write nothing."""
        together = _together.get()
        if together is not None and together[0] is self:
            yield together[1]
            return
        bind = self.engine.execution_options(read_only=True, postgresql_readonly=True)
        with Session(bind, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def read_together(self) -> Iterator[None]:
        """All reads inside share one transaction: a busy server spends more on a transaction than on its rows. Not for
        writes, nor for reads that are to see what another transaction does meanwhile."""
        with self.read() as session:
            token = _together.set((self, session))
            try:
                yield
            finally:
                _together.reset(token)

    def by_id(
        self, session: Session, job_ids: Collection[int], *conditions: ColumnElement[bool]
    ) -> list[Job]:
        return [
            row
            for some in chunks(job_ids)
            for row in session.scalars(select(Job).where(Job.id.in_(some), *conditions))
        ]

    def in_state(self, session: Session, job_ids: Collection[int], state: JobState) -> list[Job]:
        return self.by_id(session, job_ids, Job.state == state)

    def move(
        self, session: Session, jobs: Sequence[Job], move: Move, reason: str | Mapping[int, str]
    ) -> None:
        """`reason` is that of all, or each one's by its id. Raises ForbiddenMove, and changes nothing, where one of
        `jobs` is in no state that the move leads from."""
        by_origin: dict[JobState, list[Job]] = {}
        for job in jobs:
            move.check(job.state)
            by_origin.setdefault(job.state, []).append(job)
        for origin, moved in by_origin.items():
            for job in moved:
                job.state = move.to
            self.note(session, moved, origin, move.to, reason)

    def note(
        self,
        session: Session,
        jobs: Sequence[Job],
        origin: JobState | None,
        to: JobState,
        reason: str | Mapping[int, str],
        adobe_job_id: str | None = None,
    ) -> None:
        if not jobs:
            return
        now = self.now()
        session.execute(
            insert(Transition),
            [
                {
                    "job_id": job.id,
                    "at": now,
                    "actor": self.actor[:512],
                    "from_state": origin,
                    "to_state": to,
                    "attempt": job.attempt,
                    "batch_id": job.batch_id,
                    "adobe_job_id": adobe_job_id or job.adobe_job_id,
                    "reason": (reason if isinstance(reason, str) else reason[job.id])[:512],
                }
                for job in jobs
            ],
        )

    def note_rows(
        self,
        session: Session,
        condition: ColumnElement[bool],
        move: Move,
        reason: str,
    ) -> None:
        """Notes a move for all rows that meet the condition, without loading them. Their state was changed already."""
        (origin,) = move.origins
        columns: dict[str, Any] = {
            "job_id": Job.id,
            "at": literal(self.now(), UtcDateTime),
            "actor": literal(self.actor[:512]),
            "from_state": null() if origin is None else literal(origin, StateName),
            "to_state": literal(move.to, StateName),
            "attempt": Job.attempt,
            "batch_id": Job.batch_id,
            "adobe_job_id": Job.adobe_job_id,
            "reason": literal(reason[:512]),
        }
        rows = select(*columns.values()).where(condition)
        session.execute(insert(Transition).from_select(list(columns), rows))

    def put_back(
        self, session: Session, rows: Sequence[Job], move: Move, reason: str | Mapping[int, str]
    ) -> None:
        self.move(session, rows, move, reason)
        for row in rows:
            row.intent_at = None
            if move.to is JobState.RECEIVED:
                row.batch_id = None

    def new_attempt(self, session: Session, rows: Sequence[Job], move: Move, reason: str) -> None:
        for row in rows:
            row.attempt += 1
            row.intent_at = row.submitted_at = row.completed_at = None
            row.adobe_request_id = row.adobe_job_id = row.outcome = row.outcome_code = row.manifest = None
            row.manifest_sha256 = None
            row.batch_id = row.approval_id = None
        self.move(session, rows, move, reason)

    def daily_figures(self, session: Session) -> DailyFigures:
        day = self.now().date()
        figures = session.get(DailyFigures, day)
        if figures is None:
            figures = DailyFigures(day=day, arrived=0, archived=0, seconds=0, longest=0)
            session.add(figures)
            session.flush()
        return figures


class Topic:
    """What the ledger does about one topic."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit


def insert_rows(
    session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], *, known_ones_stay: bool = False
) -> None:
    """Adds many rows. Without the detour by objects, this takes half the time."""
    statement = insert(cast(Table, table.__table__))
    if known_ones_stay:
        statement = statement.prefix_with("OR IGNORE", dialect="sqlite")
        if session.get_bind().dialect.name == "postgresql":
            statement = postgresql.insert(cast(Table, table.__table__)).on_conflict_do_nothing()
    session.execute(statement, rows)


def chunks(items: Collection[T], size: int = 500) -> Iterator[list[T]]:
    """Databases limit how many parameters a statement may have."""
    rows = list(items)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
