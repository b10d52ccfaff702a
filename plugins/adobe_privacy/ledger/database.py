"""Opens the ledger's database and brings its tables to the version this code needs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from adobe_privacy.ledger.other_versions import OLDEST_READABLE, stand_ins
from adobe_privacy.storage import local

MIGRATIONS = Path(__file__).parent / "migrations"
# Its own, so that the ledger can share a database with something else that Alembic keeps.
VERSION_TABLE = "privacy_ledger_version"
# Any number does, as long as every process that opens the ledger uses the same one.
ADVISORY_LOCK = 0x5052_4956
# How long a writer waits for another before it gives up, and its task is tried again.
LOCK_WAIT = "300s"
# A server that is silent is given up after a minute, where the ledger's address says nothing else.
PATIENCE = {
    "connect_timeout": 15,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class LedgerError(Exception):
    """The ledger cannot be used as it is; the text says what to do."""


def connections_of(engine: Engine) -> int:
    """How many connections an engine holds at the moment, in use or kept."""
    pool: Any = engine.pool
    return pool.checkedin() + pool.checkedout() if hasattr(pool, "checkedin") else 1


def create_ledger_engine(url: str, *, connections: int = 10, make_folder: bool = True) -> Engine:
    """An engine whose write transactions exclude each other and whose commits survive a power cut. It has at most
    so many connections to a server or a file at once; two of them are kept."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if not in_memory(parsed):
            path = Path(parsed.database or "")
            _refuse_other_file(path)
            if make_folder:
                _make_file(path)
            local.warn_if_open(path, "the ledger")
        pool = {} if in_memory(parsed) else {"pool_size": 2, "max_overflow": connections - 2}
        arguments = {"timeout": 60, "check_same_thread": False}
        engine = create_engine(parsed, connect_args=arguments, hide_parameters=True, **pool)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = {name: value for name, value in PATIENCE.items() if name not in parsed.query}
    return create_engine(
        parsed,
        connect_args=arguments,
        hide_parameters=True,
        # Whatever is the server's default: a writer must see what was committed while it waited for its lock.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=2,
        max_overflow=connections - 2,
    )


def _make_file(path: Path) -> None:
    """Where it is not there: for its user only. SQLite gives its journal the rights of the database."""
    try:
        local.make_folder(path.absolute().parent)
        # One that is there is never opened but by SQLite: to close any other descriptor of it takes all of the
        # process's locks, and the next process that closes it deletes the journal of everybody
        # (sqlite.org/howtocorrupt.html, 2.2).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, local.CLOSED_FILE))
    except OSError as error:
        raise LedgerError(
            f"the ledger's folder {path.parent} cannot be made ({error.strerror}): "
            "give the connection privacy_ledger a path that can be written"
        ) from None


def _refuse_other_file(path: Path) -> None:
    try:
        if path.stat().st_size == 0:
            return
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA schema_version")
    except OSError:
        return  # not there, or told by whoever opens it
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise LedgerError(
                f"{path} is no SQLite database: correct the connection privacy_ledger"
            ) from None


def in_memory(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction control would start transactions late and commit before DDL.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=60000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def exclusive(engine: Engine) -> Iterator[Connection]:
    """One write transaction; no other of this ledger runs beside it, in whatever process or host."""
    with engine.begin() as connection:
        lock(connection)
        yield connection


def lock(connection: Connection) -> None:
    """Keeps other writers out until the connection's transaction ends."""
    # SQLite's BEGIN IMMEDIATE has done so already.
    if connection.dialect.name == "postgresql":
        waiting = text("SELECT set_config('lock_timeout', :wait, true), pg_advisory_xact_lock(:lock)")
        connection.execute(waiting, {"wait": LOCK_WAIT, "lock": ADVISORY_LOCK})


def require_ledger(engine: Engine) -> str | None:
    """Makes and changes nothing. Raises LedgerError where there is no ledger, or one that this version cannot read.
    Returns None, or why this version can only read it: whoever begins to write gets that as a LedgerError."""
    path = engine.url.database if engine.url.get_backend_name() == "sqlite" else None
    # Connecting would make an empty file.
    if path and path != ":memory:" and not Path(path).exists():
        raise LedgerError(f"there is no ledger at {path}: the first run of a DAG makes it")
    script = ScriptDirectory.from_config(_config())
    with engine.execution_options(read_only=True).connect() as connection:
        current = _revision(connection)
        if current is None:
            raise LedgerError(
                f"there is no ledger in {engine.url.render_as_string()}: the first run of a DAG makes it"
            )
        if current == script.get_current_head():
            return None
        try:
            _refuse_newer(script, current)
            readable = current >= OLDEST_READABLE
            problem = (
                f"the ledger's tables are those of an older version (schema {current}): a run of a DAG upgrades them, "
                "or the command `upgrade`; before, install this version wherever Airflow runs"
            )
        except LedgerError as newer:
            readable, problem = True, str(newer)
        statements = stand_ins(connection) if readable else None
    if statements is None:
        raise LedgerError(problem)
    if statements:
        engine.dispose()
        event.listen(engine, "connect", partial(_run, statements))
    event.listen(engine, "begin", partial(_refuse_to_write, problem))
    return problem


def _refuse_to_write(problem: str, connection: Connection) -> None:
    if not connection.get_execution_options().get("read_only", False):
        raise LedgerError(problem)


def _run(statements: Sequence[str], connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()


def is_there(url: str) -> bool:
    """Whether there is a ledger, of whatever version, at this address. Makes nothing. True where the database does
    not answer: opening it says why."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return in_memory(parsed) or Path(parsed.database or "").exists()
    engine = create_ledger_engine(url)
    try:
        with engine.execution_options(read_only=True).connect() as connection:
            return _revision(connection) is not None
    except SQLAlchemyError:
        return True
    finally:
        engine.dispose()


def upgrade(engine: Engine) -> None:
    """Creates or upgrades the tables. Safe when several processes call it at once; quick when there is
    nothing to do. A ledger written by a newer version is refused, not downgraded."""
    config = _config()
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    with engine.execution_options(read_only=True).connect() as connection:
        if _revision(connection) == head:
            return
    with exclusive(engine) as connection:
        current = _revision(connection)
        if current == head:
            return
        if current is not None:
            _refuse_newer(script, current)
        elif connection.dialect.name == "sqlite" and (others := inspect(connection).get_table_names()):
            # A server's database may be shared, a file is not.
            raise LedgerError(
                f"{engine.url.database} is the database of something else: it has the table {others[0]} and is no "
                "ledger. Correct the connection privacy_ledger"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _refuse_newer(script: ScriptDirectory, current: str) -> None:
    if current not in {revision.revision for revision in script.walk_revisions()}:
        raise LedgerError(
            f"the ledger was written by a newer version of airflow-adobe-privacy (schema {current}): "
            "install that version or a later one"
        )
