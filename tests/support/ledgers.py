"""Ledgers for tests: a SQLite file or a database of a real PostgreSQL server, each test with one of its own.

A conftest takes the fixtures over by importing them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, insert, select

from adobe_privacy.ledger.database import create_ledger_engine, upgrade
from adobe_privacy.ledger.intake import ReceivedJob, ReceivedRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Base, Batch, Job
from adobe_privacy.ledger.states import JobState
from scripts.postgres import postgres_server

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


class Postgres:
    """A PostgreSQL server of the tests' own."""

    def __init__(self, folder: Path) -> None:
        self.server = postgres_server(folder)
        # Nothing here has to outlive a power cut.
        for setting in ("fsync = off", "full_page_writes = off"):
            self._run(f"ALTER SYSTEM SET {setting}")
        self._run("SELECT pg_reload_conf()")
        self._emptied = self.new_database("emptied")
        _make_tables(self._emptied)

    def new_database(self, name: str) -> str:
        """One without tables. A database is some three hundred files: many of them take their time."""
        self._run(f"CREATE DATABASE {name}")
        with psycopg.connect(self.server.get_uri()) as connection:
            return f"postgresql+psycopg://{connection.info.user}@/{name}?host={connection.info.host}"

    def empty_ledger(self) -> str:
        """Always the same database, with its tables, as when they were made."""
        names = ", ".join(Base.metadata.tables)
        self._run(f"TRUNCATE {names} RESTART IDENTITY", "emptied")
        return self._emptied

    def stop(self) -> None:
        self.server.cleanup()

    def _run(self, statement: str, database: str | None = None) -> None:
        with psycopg.connect(self.server.get_uri(database), autocommit=True) as connection:
            connection.execute(statement)


def _make_tables(url: str) -> None:
    engine = create_ledger_engine(url)
    upgrade(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Not below pytest's own folder, which the server's user may not enter.
    with tempfile.TemporaryDirectory(prefix="ledger-pg-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    _make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "ledger.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """An empty ledger on each database."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    server: Postgres = request.getfixturevalue("postgres")
    return server.empty_ledger()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


OpenLedger = Callable[..., Ledger]


@pytest.fixture
def open_ledger(ledger_url: str, clock: FakeClock) -> Iterator[OpenLedger]:
    """Opens the test's ledger, as often as there are processes to be played."""
    opened: list[Ledger] = []

    def opening(actor: str = "dag/run/task", **options: Any) -> Ledger:
        ledger = Ledger(ledger_url, actor=actor, **({"now": clock} | options))
        opened.append(ledger)
        return ledger

    yield opening
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> Ledger:
    return open_ledger()


def received(
    number: int | str,
    *actions: str,
    due: date = DAY + timedelta(days=30),
    parts: int = 1,
    fingerprint: str = "f" * 64,
    **fields: Any,
) -> ReceivedRequest:
    """A request as the intake hands it over, with an access job where nothing else is said."""
    request_id = f"DSR-{number}"
    jobs = tuple(
        ReceivedJob(action, part, request_id if part == 1 else f"{request_id}~{part}", due)
        for action in actions or ("access",)
        for part in range(1, parts + 1)
    )
    given: dict[str, Any] = {
        "request_id": request_id,
        "regulation": "gdpr",
        "fingerprint": fingerprint,
        "source": f"{DAY}/requests.jsonl",
        "inbox_date": DAY,
        "products": "analytics",
        "received_at": datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
        "jobs": jobs,
    }
    return ReceivedRequest(**given | fields)


def counted(ledger: Ledger) -> dict[JobState, int]:
    """The jobs of each state that has some, counted row by row."""
    with ledger.unit.read() as session:
        rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
        return {JobState(state): count for state, count in rows}


def put_at_adobe(url: str, job_ids: Mapping[str, Sequence[str]]) -> list[str]:
    """One batch for each job of a regulation, in the ledger as if submitted ten minutes ago; the batches' ids."""
    ago = datetime.now(UTC) - timedelta(minutes=10)
    jobs = [(regulation, job_id) for regulation, ids in job_ids.items() for job_id in ids]
    names = [f"batch-{number}" for number in range(len(jobs))]
    batch = {"products": "profileService", "inbox_date": ago.date(), "run_id": "run", "created_at": ago}
    job = {
        "action": "access",
        "fingerprint": "f" * 64,
        "source": "requests.jsonl",
        "inbox_date": ago.date(),
        "received_at": ago,
        "taken_in_at": ago,
        "due_on": date(2099, 1, 1),
        "state": JobState.SUBMITTED,
        "submitted_at": ago,
    }
    batches, rows = [], []
    for number, (name, (regulation, job_id)) in enumerate(zip(names, jobs, strict=True)):
        request_id = f"WAITS-{number}"
        batches.append(batch | {"id": name, "regulation": regulation})
        rows.append(
            job
            | {"request_id": request_id, "key": request_id, "regulation": regulation}
            | {"batch_id": name, "adobe_job_id": job_id}
        )
    with Ledger(url, actor="test") as ledger, ledger.unit.engine.begin() as connection:
        connection.execute(insert(Batch), batches)
        connection.execute(insert(Job), rows)
    return names
