"""The `privacy_ledger` connection: where the ledger lies."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from adobe_privacy.hooks.adobe_privacy import ConnectionProblem
from adobe_privacy.ledger import shared
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger

LEDGER_CONN_ID = "privacy_ledger"
# Of all waits of a triggerer together.
SHARED_CONNECTIONS = 3


def open_ledger(actor: str, conn_id: str = LEDGER_CONN_ID, *, existing: bool = False) -> Ledger:
    """Opens the ledger and brings its tables up to date, or with `existing` neither makes nor upgrades them; `actor`
    signs every change made through it.

    Without such a connection it is a SQLite file under AIRFLOW_HOME. Raises ConnectionProblem or LedgerError.
    """
    return _open(_connection(conn_id), actor, conn_id, existing=existing)


def configured_ledger(conn_id: str = LEDGER_CONN_ID) -> str:
    """The database URL that `open_ledger` would open, with its password. Raises ConnectionProblem."""
    return ledger_url(_connection(conn_id))[0]


def _connection(conn_id: str) -> Connection | None:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


@asynccontextmanager
async def shared_ledger(conn_id: str = LEDGER_CONN_ID) -> AsyncIterator[Ledger]:
    """The ledger that all triggers of this process share, with few connections. They only read it. The ledger's
    own calls block: make them in a thread. Raises what `open_ledger` does."""
    try:
        connection: Connection | None = await BaseHook.aget_connection(conn_id)
    except AirflowNotFoundException:
        connection = None
    opening = partial(_open, connection, "triggerer", conn_id, connections=SHARED_CONNECTIONS)
    async with shared.shared_ledger(ledger_url(connection), opening) as ledger:
        yield ledger


def _open(connection: Connection | None, actor: str, conn_id: str, **options: Any) -> Ledger:
    url, key = ledger_url(connection)
    try:
        return Ledger(url, actor=actor, fingerprint_key=key, **options)
    except SQLAlchemyError as error:
        # The database's own text may quote the address with its password.
        raise LedgerError(
            f"connection {conn_id}: the ledger's database does not answer as expected ({type(error).__name__}): "
            "check address, credentials and permissions"
        ) from None


def ledger_url(connection: Connection | None) -> tuple[str, str | None]:
    """The database URL of a `privacy_ledger` connection and the fingerprint key that it may bring."""
    if connection is None:
        home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
        return f"sqlite:///{Path(home).absolute() / 'privacy_ledger.db'}", None
    key = connection.extra_dejson.get("fingerprint_key")
    kind = connection.conn_type
    if kind == "sqlite":
        path = connection.host or connection.schema
        if not path:
            raise ConnectionProblem(
                f"connection {connection.conn_id}: host is empty: give the path of a file"
            )
        return f"sqlite:///{Path(path).absolute()}", key
    if kind in ("postgres", "postgresql"):
        if importlib.util.find_spec("psycopg") is None:
            raise ConnectionProblem(
                f"connection {connection.conn_id} is PostgreSQL, whose driver is missing: "
                "pip install 'airflow-adobe-privacy[postgres]'"
            )
        host = connection.host or ""
        url = URL.create(
            "postgresql+psycopg",
            username=connection.login or None,
            password=connection.password or None,
            # A path is the folder of a Unix socket, which a URL carries as a query.
            host=None if host.startswith("/") else host or None,
            port=connection.port,
            database=connection.schema or None,
            query={"host": host} if host.startswith("/") else {},
        )
        return url.render_as_string(hide_password=False), key
    raise ConnectionProblem(
        f"connection {connection.conn_id}: type {kind!r} is no ledger: use sqlite (host: a path) or postgres"
    )
