from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError, StatementError

from adobe_privacy.ledger import database
from adobe_privacy.ledger.database import (
    MIGRATIONS,
    VERSION_TABLE,
    LedgerError,
    create_ledger_engine,
    exclusive,
    upgrade,
)
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Base, Job, Usage
from tests.support.ledgers import DAY, Postgres, counted, received

OF_POSTGRESQL = "ix_privacy_request_ids_parts"  # an index of what a function makes of a column


@pytest.fixture(params=["sqlite", "postgres"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/folder/ledger.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database("bare_" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12])


def test_the_migrations_make_the_tables_that_the_code_expects(ledger_url: str) -> None:
    engine = create_ledger_engine(ledger_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "compare_type": True,
                "include_object": lambda _object, name, *_: name != OF_POSTGRESQL,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
        inspector = inspect(connection)
        for table in Base.metadata.tables.values():
            made = {
                index["name"]: index["column_names"]
                for index in inspector.get_indexes(table.name)
                if index["name"] != OF_POSTGRESQL
            }
            meant = {index.name: [column.name for column in index.columns] for index in table.indexes}
            made = {name: columns for name, columns in made.items() if not str(name).startswith("uq_")}
            assert made == meant
    engine.dispose()


@pytest.mark.parametrize(
    "name",
    ["ix_privacy_jobs_waiting", "ix_privacy_jobs_due", "ix_privacy_jobs_held", "ix_privacy_jobs_alarm"],
)
def test_indexes_with_a_condition_are_made_with_it(ledger_url: str, name: str) -> None:
    engine = create_ledger_engine(ledger_url)
    lookup = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE name = :name",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE indexname = :name",
    }
    with engine.connect() as connection:
        definition = connection.scalar(text(lookup[engine.dialect.name]), {"name": name})
    assert " WHERE " in str(definition)
    engine.dispose()


def test_another_schema_revision_is_recognised_and_refused(ledger_url: str) -> None:
    engine = create_ledger_engine(ledger_url)
    with engine.begin() as connection:
        head = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    try:
        with pytest.raises(LedgerError, match=r"newer version .*9999.*install"):
            upgrade(engine)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :head"), {"head": head})
        engine.dispose()


def test_a_ledger_of_before_the_alarms_gets_their_columns_and_its_unfinished_jobs_their_alarms(
    bare_url: str,
) -> None:
    engine = create_ledger_engine(bare_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with exclusive(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        columns = (
            "request_id, regulation, action, part, key, fingerprint, source, inbox_date, products, received_at, "
            "due_on, on_hold, attempt, origin, state"
        )
        for request_id, rest in (
            ("A", "'inbox', 'submitted'"),
            ("B", "'inbox', 'archived'"),
            ("C", "'adobe', 'error'"),
        ):
            connection.exec_driver_sql(
                f"INSERT INTO privacy_jobs ({columns}) VALUES ('{request_id}', 'gdpr', 'access', 1, 'k', 'f', 's', "
                f"'2026-11-20', '', '2026-11-20 09:30:00+00:00', '2026-12-20', false, 1, {rest})"
            )
    engine.dispose()
    with Ledger(bare_url, actor="test") as ledger:
        alarms = {id: ledger.people.request_jobs(id)[0].alarm_at for id in "ABC"}
    assert alarms == {"A": datetime(2026, 11, 20, 9, 30, tzinfo=UTC), "B": None, "C": None}


def test_tables_come_by_themselves_and_an_upgrade_again_does_nothing(bare_url: str) -> None:
    for _ in range(2):
        with Ledger(bare_url, actor="test") as ledger:
            ledger.intake.receive([received(1)])
            assert sum(counted(ledger).values()) == 1


def _open_and_receive(url: str, number: int) -> None:
    with Ledger(url, actor=f"process {number}") as ledger:
        ledger.intake.fingerprint(b"content")
        ledger.intake.receive([received(number)])


def test_processes_that_open_a_new_ledger_at_once_all_succeed(bare_url: str) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_open_and_receive, args=(bare_url, number)) for number in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(processes)
    with Ledger(bare_url, actor="test") as ledger:
        assert sum(counted(ledger).values()) == len(processes)


def test_one_write_transaction_keeps_every_other_out(ledger_url: str) -> None:
    engines = [create_ledger_engine(ledger_url) for _ in range(2)]
    order: list[str] = []
    inside = threading.Event()

    def first() -> None:
        with exclusive(engines[0]):
            inside.set()
            time.sleep(0.2)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with exclusive(engines[1]):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    for engine in engines:
        engine.dispose()


def test_a_writer_sees_what_was_committed_while_it_waited(postgres: Postgres) -> None:
    """Also where the server's default is another: an erasure would not see the hold that it waited for."""
    url = postgres.new_database("repeatable")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ALTER DATABASE repeatable SET default_transaction_isolation = 'repeatable read'")
    begun: list[bool] = []
    with Ledger(url, actor="a person") as ledger, Ledger(url, actor="retention") as other:
        ledger.intake.receive([received(1)])

        def erase() -> None:
            begun.append(other.erasures.begin("adobe-1", "DSR-1", "jobs/gdpr/2026/01/01/adobe-1"))

        with ledger.unit.write() as session:
            thread = threading.Thread(target=erase)
            thread.start()
            waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            while not session.scalar(waits):
                time.sleep(0.01)
            session.execute(update(Job).values(on_hold=True))
        thread.join()
    assert begun == [False]


def test_nobody_waits_for_a_writer_for_ever(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may stand still, or its machine be gone, within its transaction."""
    url = postgres.empty_ledger()
    monkeypatch.setattr(database, "LOCK_WAIT", "50ms")
    with Ledger(url, actor="stopped") as stopped, Ledger(url, actor="waiting") as waiting:
        with (
            stopped.unit.write(),
            pytest.raises(OperationalError, match="lock timeout"),
            waiting.unit.write(),
        ):
            pass
        waiting.intake.receive([received(1)])
        assert sum(counted(waiting).values()) == 1


def test_a_server_that_is_silent_is_given_up(postgres: Postgres) -> None:
    """What the address says by itself stays."""
    url = postgres.empty_ledger()
    engine = create_ledger_engine(f"{url}&connect_timeout=7")
    with engine.connect() as connection:
        told = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    engine.dispose()
    assert told["connect_timeout"] == "7"
    assert (told["keepalives_idle"], told["tcp_user_timeout"]) == ("30", "60000")


def test_readers_do_not_wait_for_a_writer(ledger_url: str) -> None:
    with (
        Ledger(ledger_url, actor="writer") as writer,
        Ledger(ledger_url, actor="reader") as reader,
        writer.unit.write() as session,
    ):
        session.add(Usage(day=DAY, jobs=1))
        session.flush()
        assert counted(reader) == {}


def test_a_process_that_opens_the_ledger_again_keeps_its_locks(sqlite_url: str) -> None:
    """Without them, the next process that closes the ledger deletes the journal that this one writes into."""
    path = sqlite_url.removeprefix("sqlite:///")
    take_over = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "print(connection.execute('PRAGMA journal_mode=DELETE').fetchone()[0])\n"
    )
    with Ledger(sqlite_url, actor="page") as ledger, Ledger(sqlite_url, actor="another") as again:
        ledger.intake.receive([received(1)])
        again.people.request_jobs("DSR-1")
        create_ledger_engine(sqlite_url).dispose()
        told = subprocess.run([sys.executable, "-c", take_over, path], capture_output=True, text=True)
        assert "database is locked" in told.stderr
        assert Path(f"{path}-wal").exists()


def test_sqlite_commits_survive_a_power_cut(sqlite_url: str) -> None:
    engine = create_ledger_engine(sqlite_url)
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    engine.dispose()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"file/below cannot be made .*privacy_ledger") as caught:
        create_ledger_engine(f"sqlite:///{tmp_path}/file/below/ledger.db")
    assert os.sep in str(caught.value)


def test_a_time_without_a_zone_is_refused(ledger_url: str) -> None:
    engine = create_ledger_engine(ledger_url)
    with engine.connect() as connection, pytest.raises(StatementError, match="aware datetimes only"):
        connection.execute(
            Usage.__table__.insert(),  # type: ignore[attr-defined]
            {"day": DAY, "jobs": 0, "refused_at": datetime(2026, 11, 20)},  # noqa: DTZ001
        )
    engine.dispose()


def test_what_a_statement_that_is_refused_held_is_not_told(ledger_url: str) -> None:
    with (
        Ledger(ledger_url, actor="test") as ledger,
        pytest.raises(SQLAlchemyError) as refused,
        ledger.unit.write() as session,
    ):
        session.execute(text("INSERT INTO nowhere VALUES (:value)"), {"value": "canary@example.com"})
    assert "canary" not in str(refused.value)
