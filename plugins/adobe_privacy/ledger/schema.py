"""The ledger's tables. None has a column for an identity; what is known of a person is a keyed fingerprint.

Words: a *request* is the controller's case (`request_id`). Each of its actions is one *job*, the unit that
Adobe works on and counts; a data subject with more than nine identities needs several jobs per action,
numbered by `part`. A *batch* is what one call submits: jobs of one regulation with one list of products.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TextClause,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from adobe_privacy.api.names import IN_WHOLE
from adobe_privacy.ledger.states import JobState


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC on every database (SQLite drops the time zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger takes aware datetimes only")
        return value if value.tzinfo is UTC else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Origin(StrEnum):
    """Who asked Adobe for a job."""

    INBOX = "inbox"  # we did, for a request of the inbox
    SECOND = "second"  # Adobe, which has more than one job for one of ours; never sent by us
    ADOBE = "adobe"  # somebody else, in Adobe's UI for example; found by the sweep, never sent by us


StateName = Enum(
    JobState, native_enum=False, length=16, values_callable=lambda states: [state.value for state in states]
)
OriginName = Enum(
    Origin,
    native_enum=False,
    length=16,
    values_callable=lambda origins: [origin.value for origin in origins],
)
# SQLite numbers rows by itself only where the key's type is INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


# A condition of queries and of the indexes for them. Its values are written out, since a database cannot know
# that an index with a condition serves a query whose values come as parameters.
WAITING = text("state = 'received' AND NOT on_hold AND action <> 'opt_out_of_sale'")
PLANNED = text("state = 'planned'")
UNFINISHED = text("state NOT IN ('archived', 'gone', 'closed')")
HELD = text("on_hold")
WARNED = text("warnings <> '' AND state NOT IN ('archived', 'gone', 'closed')")
OPT_OUTS = text("action = 'opt_out_of_sale' AND state NOT IN ('archived', 'gone', 'closed')")
AT_ADOBE = text("state IN ('submitted', 'complete')")
ARCHIVED = text("state = 'archived'")
# Of a job with any other verdict on the whole, no product has missed anything.
_IN_WHOLE = ", ".join(f"'{verdict}'" for verdict in sorted(IN_WHOLE))
UNDONE = text(f"outcome NOT IN ({_IN_WHOLE})")
UNFINISHED_ERASURES = text("done_at IS NULL")
OPEN = text("closed_at IS NULL")
BY_PEOPLE = text("(actor LIKE 'user/%' OR actor LIKE 'user %')")
# An archived job stays archived: that a person closed it is in its history alone, in these words.
CLOSED = "closed: "
CLOSED_IN_ARCHIVE = text(f"from_state = 'archived' AND to_state = 'archived' AND reason LIKE '{CLOSED}%'")
# So begins the reason of a job that went back to waiting because Adobe took nobody of its batch.
REFUSED_TOGETHER = "the whole batch was refused: "
WAS_REFUSED_TOGETHER = text(f"reason LIKE '{REFUSED_TOGETHER}%'")
# So begins the reason of what is noted of a job that was not sent because a file of the inbox could not be read.
UNREADABLE = "not sent, since a file could not be read: "
# So begins the reason of what is noted of a job whose result was being erased when its manifest was gone.
NOT_ERASED = "not known to be erased: "
HOLD_ENDED = "hold ended"


def _where(condition: TextClause) -> dict[str, Any]:
    """Of an index with a condition, for either database."""
    return {"sqlite_where": condition, "postgresql_where": condition}


NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class Job(Base):
    """One row per request id, regulation, action and part."""

    __tablename__ = "privacy_jobs"
    __table_args__ = (
        UniqueConstraint("request_id", "regulation", "action", "part", name="uq_privacy_jobs_request"),
        Index("ix_privacy_jobs_waiting", "state", "due_on", "id", "inbox_date", **_where(WAITING)),
        Index("ix_privacy_jobs_group", "state", "regulation", "products", "due_on", "id", **_where(WAITING)),
        # Holds what is counted of them, too.
        Index("ix_privacy_jobs_due", "due_on", "id", "state", "on_hold", "request_id", **_where(UNFINISHED)),
        Index("ix_privacy_jobs_warned", "state", "due_on", "id", "request_id", "origin", **_where(WARNED)),
        Index("ix_privacy_jobs_opt_outs", "due_on", "id", "inbox_date", **_where(OPT_OUTS)),
        Index("ix_privacy_jobs_alarm", "alarm_at", "id", **_where(UNFINISHED)),
        Index(
            "ix_privacy_jobs_finished",
            "action",
            "completed_at",
            "submitted_at",
            "batch_id",
            **_where(ARCHIVED),
        ),
        Index("ix_privacy_jobs_planned", "state", "batch_id", "approval_id", **_where(PLANNED)),
        Index("ix_privacy_jobs_held", "request_id", **_where(HELD)),
        # Holds all that the page can filter by, so that a rare value among a million jobs is found in the index.
        Index(
            "ix_privacy_jobs_state",
            "state",
            "due_on",
            "id",
            "inbox_date",
            "regulation",
            "action",
            "products",
            "outcome",
        ),
        # Of the archived jobs, which are nearly all: for each filter of the page one in the order of its list. It
        # begins with the state: else SQLite follows the index above.
        *(
            Index(f"ix_privacy_jobs_archived_{column}", "state", column, "due_on", "id", **_where(ARCHIVED))
            for column in ("regulation", "action", "outcome", "products", "inbox_date")
        ),
        Index("ix_privacy_jobs_at_adobe", "state", "submitted_at", "completed_at", **_where(AT_ADOBE)),
        # Holds what is asked of them, too.
        Index(
            "ix_privacy_jobs_undone",
            *("state", "origin", "due_on", "id", "request_id", "action", "attempt"),
            **_where(UNDONE),
        ),
        Index("ix_privacy_jobs_batch", "batch_id", "state"),
        Index("ix_privacy_jobs_inbox", "inbox_date", "state", "batch_id"),
        Index("ix_privacy_jobs_adobe", "adobe_job_id", unique=True),
        Index("ix_privacy_jobs_received", "received_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    request_id: Mapped[str] = mapped_column(String(128))
    regulation: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(32))
    part: Mapped[int] = mapped_column(default=1)
    key: Mapped[str] = mapped_column(String(140))  # the user key at Adobe
    fingerprint: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(1024))  # the file, relative to the inbox
    inbox_date: Mapped[date] = mapped_column(Date)
    products: Mapped[str] = mapped_column(String(512), default="")  # comma-separated; empty: the default
    options: Mapped[str] = mapped_column(String(1024), default="")  # JSON, what the request says beyond that
    warnings: Mapped[str] = mapped_column(Text, default="")  # one a line, of when it was taken in
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_in_at: Mapped[datetime] = mapped_column(UtcDateTime)  # into this ledger
    due_on: Mapped[date] = mapped_column(Date)
    first_due_on: Mapped[date | None] = mapped_column(Date)  # before the person was told of a later date
    submit_by: Mapped[date | None] = mapped_column(Date)  # to Adobe, so that it is done by `due_on`
    alarm_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when its clock is worth the next alarm
    origin: Mapped[Origin] = mapped_column(OriginName, default=Origin.INBOX)
    state: Mapped[JobState] = mapped_column(StateName)
    on_hold: Mapped[bool] = mapped_column(default=False)
    attempt: Mapped[int] = mapped_column(default=1)
    batch_id: Mapped[str | None] = mapped_column(String(36))
    approval_id: Mapped[int | None] = mapped_column(RowId)  # by which this attempt may be sent
    intent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Until when a call that the ledger knows nothing of may have made it: it is looked for before it is sent.
    doubt_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    adobe_request_id: Mapped[str | None] = mapped_column(String(255))
    adobe_job_id: Mapped[str | None] = mapped_column(String(255))
    # When a sweep last asked for it by its id, because no list showed it as ended; 1970 where none did.
    asked_at: Mapped[datetime] = mapped_column(
        UtcDateTime, default=NEVER, server_default="1970-01-01 00:00:00"
    )
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(32))
    outcome_code: Mapped[str | None] = mapped_column(String(32))
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    manifest: Mapped[str | None] = mapped_column(String(512))  # relative to the archive
    manifest_sha256: Mapped[str | None] = mapped_column(
        String(64)
    )  # of the manifest's or the receipt's bytes
    # When the inbox file with its identities was erased, or began to be; None again once it is handed in again.
    inbox_erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When the ledger forgot the request id, of which it keeps a keyed hash.
    forgotten_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Transition(Base):
    """The append-only history: every change of a job's state or hold, who made it and why."""

    __tablename__ = "privacy_transitions"
    __table_args__ = (
        Index("ix_privacy_transitions_job", "job_id", "id"),
        Index("ix_privacy_transitions_adobe", "adobe_job_id"),
        Index("ix_privacy_transitions_people", "id", **_where(BY_PEOPLE)),
        Index("ix_privacy_transitions_closed", "job_id", "attempt", **_where(CLOSED_IN_ARCHIVE)),
        Index("ix_privacy_transitions_refused", "job_id", **_where(WAS_REFUSED_TOGETHER)),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("privacy_jobs.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(512))  # dag/run/task, or a user's name
    from_state: Mapped[JobState | None] = mapped_column(StateName)
    to_state: Mapped[JobState] = mapped_column(StateName)
    attempt: Mapped[int]
    batch_id: Mapped[str | None] = mapped_column(String(36))
    adobe_job_id: Mapped[str | None] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(String(512), default="")


class Seal(Base):
    """A link of the chain over the history: the changes since the link before, by their hash, which holds its hash."""

    __tablename__ = "privacy_seals"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    through: Mapped[int] = mapped_column(BigInteger)  # the last change's id
    changes: Mapped[int]
    sealed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    hash: Mapped[str] = mapped_column(String(64))
    written_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # into the archive


class ProductAnswer(Base):
    """What one product answered to one attempt of a job, and the verdict on it. Adobe's texts are masked."""

    __tablename__ = "privacy_answers"
    __table_args__ = (Index("ix_privacy_answers_verdict", "verdict", "product", "code", "job_id", "attempt"),)

    job_id: Mapped[int] = mapped_column(ForeignKey("privacy_jobs.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)  # in the order of Adobe's answer
    product: Mapped[str] = mapped_column(String(64))  # the include code
    name: Mapped[str] = mapped_column(String(160))  # Adobe's
    asked: Mapped[bool | None]  # None: not known
    status: Mapped[str | None] = mapped_column(String(16))
    code: Mapped[str | None] = mapped_column(String(16))
    verdict: Mapped[str] = mapped_column(String(32))
    processed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retry_count: Mapped[int | None]
    message: Mapped[str | None] = mapped_column(String(2000))
    detail: Mapped[str | None] = mapped_column(String(2000))


class Batch(Base):
    """Jobs that are submitted together, by the run that claimed them."""

    __tablename__ = "privacy_batches"
    __table_args__ = (
        Index("ix_privacy_batches_run", "run_id"),
        Index("ix_privacy_batches_products", "products"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    regulation: Mapped[str] = mapped_column(String(32))
    products: Mapped[str] = mapped_column(String(512))  # comma-separated, as sent
    options: Mapped[str] = mapped_column(String(1024), default="")  # JSON, as its requests say
    inbox_date: Mapped[date] = mapped_column(Date)  # of the run that claimed it
    run_id: Mapped[str] = mapped_column(String(512))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    needs_approval: Mapped[bool] = mapped_column(default=False)  # its deletes are sent only once approved
    # Until when a person is being asked about them, and by which task instance. Nobody else takes the batch before.
    asked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    asked_by: Mapped[str | None] = mapped_column(String(512))


class Approval(Base):
    """A person's answer to one batch's deletes as they were shown, told by their hash."""

    __tablename__ = "privacy_approvals"
    __table_args__ = (Index("ix_privacy_approvals_batch", "batch_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    batch_id: Mapped[str] = mapped_column(String(36))
    plan_hash: Mapped[str] = mapped_column(String(64))
    regulation: Mapped[str] = mapped_column(String(32))
    products: Mapped[str] = mapped_column(String(512))
    approved: Mapped[bool]  # else rejected
    jobs: Mapped[int]  # of the plan, with those put on hold
    on_hold: Mapped[int]  # of these, put or left on hold
    decided_by: Mapped[str] = mapped_column(String(512))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Erasure(Base):
    """A result that is being erased from the archive, or was."""

    __tablename__ = "privacy_erasures"
    __table_args__ = (
        Index("ix_privacy_erasures_request", "request_id"),
        Index("ix_privacy_erasures_unfinished", "folder", **_where(UNFINISHED_ERASURES)),
    )

    adobe_job_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(255))
    folder: Mapped[str] = mapped_column(String(512))
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(512))


class InboxErasure(Base):
    """A file of the inbox that is being erased, or was."""

    __tablename__ = "privacy_inbox_erasures"
    __table_args__ = (
        Index("ix_privacy_inbox_erasures_file", "inbox_date", "file_key"),
        Index("ix_privacy_inbox_erasures_unfinished", "inbox_date", **_where(UNFINISHED_ERASURES)),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    inbox_date: Mapped[date] = mapped_column(Date)
    file_key: Mapped[str] = mapped_column(String(64))  # a keyed hash of its name
    size: Mapped[int] = mapped_column(BigInteger)
    mark: Mapped[str] = mapped_column(String(255))  # its ETag
    content: Mapped[str] = mapped_column(String(64))  # a keyed hash of all of it
    requests: Mapped[int]
    rejected: Mapped[int]  # its lines that were no request
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(512))


class Usage(Base):
    """Jobs charged against the organisation's limit of one UTC day."""

    __tablename__ = "privacy_usage"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    jobs: Mapped[int] = mapped_column(default=0)
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when Adobe would take no more


class DailyFigures(Base):
    """What happened on one UTC day, counted as it happens: nobody has to count a million jobs afterwards."""

    __tablename__ = "privacy_daily_figures"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    arrived: Mapped[int] = mapped_column(default=0)  # jobs that the ledger took in
    archived: Mapped[int] = mapped_column(default=0)
    # From reception to the archive, of those that were archived on this day: the sum and the longest.
    seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    longest: Mapped[int] = mapped_column(BigInteger, default=0)


class Alarm(Base):
    """An alarm that was raised: about what, and at how many percent. Each is raised once."""

    __tablename__ = "privacy_alarms"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(160), primary_key=True)
    percent: Mapped[int] = mapped_column(primary_key=True)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProblemKind(StrEnum):
    """What of the inbox could not be used."""

    LINE = "line"  # no request could be read from it
    CONFLICT = "conflict"  # its request id is known already, with other content
    FILE = "file"  # nothing of it could be read


class InboxFile(Base):
    """An inbox file as it was when it was last read: not read again before its size or ETag change."""

    __tablename__ = "privacy_inbox_files"

    inbox_date: Mapped[date] = mapped_column(Date, primary_key=True)
    file_key: Mapped[str] = mapped_column(String(64), primary_key=True)  # a keyed hash of its name
    size: Mapped[int] = mapped_column(BigInteger)
    mark: Mapped[str] = mapped_column(String(255))  # its ETag
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)


class InboxProblem(Base):
    """A line of the inbox, or a whole file, that could not be used; open until it is corrected or a person closes
    it. A file with very many bad lines has one row for the rest of them, which `lines` counts."""

    __tablename__ = "privacy_inbox_problems"
    __table_args__ = (
        Index("ix_privacy_inbox_problems_open", "kind", "inbox_date", "id", **_where(OPEN)),
        Index("ix_privacy_inbox_problems_file", "inbox_date", "file_key"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    inbox_date: Mapped[date] = mapped_column(Date)
    file_key: Mapped[str] = mapped_column(String(64))
    file: Mapped[str] = mapped_column(String(160))  # its name as it may be shown
    line: Mapped[int | None]
    lines: Mapped[int] = mapped_column(default=1)
    reason: Mapped[str] = mapped_column(String(512))
    request_id: Mapped[str | None] = mapped_column(String(128))
    actions: Mapped[str] = mapped_column(
        String(64), default="", server_default=""
    )  # what it asks for, if known
    run_id: Mapped[str] = mapped_column(String(512))  # which found it
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(String(512))
    closed_reason: Mapped[str | None] = mapped_column(String(512))


class HandedIn(Base):
    """A request that somebody handed in by the page or its API: who, when, and in which file of the inbox."""

    __tablename__ = "privacy_handed_in"

    request_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))  # of its content, as a job's
    source: Mapped[str] = mapped_column(String(160))  # the file, relative to the inbox
    actor: Mapped[str] = mapped_column(String(512))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class RequestId(Base):
    """Every request id that the ledger knows: narrow rows, in which a part of an id is found. On PostgreSQL an index
    of all triples of characters, `ix_privacy_request_ids_parts`, helps."""

    __tablename__ = "privacy_request_ids"

    lower_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(128), primary_key=True)


class AccessKind(StrEnum):
    """What somebody did that changes no job."""

    HANDED_IN = "handed in"
    SEARCHED = "searched"  # for a person
    DOWNLOADED = "downloaded"  # a result
    EXPORTED = "exported"  # the list


class Access(Base):
    """The history of access: who handed in, looked for a person, took a result out or exported, and when."""

    __tablename__ = "privacy_accesses"
    __table_args__ = (Index("ix_privacy_accesses_request", "request_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(512))
    kind: Mapped[str] = mapped_column(String(16))
    request_id: Mapped[str | None] = mapped_column(String(128))  # None: about no request alone
    about: Mapped[str] = mapped_column(String(512), default="")  # no identity


class PersonPrint(Base):
    """A keyed fingerprint of one identity of a request, by which the requests of a person are found."""

    __tablename__ = "privacy_person_prints"
    __table_args__ = (Index("ix_privacy_person_prints_request", "request_id"),)

    print: Mapped[str] = mapped_column(String(32), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(128), primary_key=True)


class AttentionTold(Base):
    """When people were last told of a kind of attention."""

    __tablename__ = "privacy_attention_told"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    told_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Setting(Base):
    """What the ledger keeps for itself, such as the fingerprint key where none is configured."""

    __tablename__ = "privacy_settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(512))
