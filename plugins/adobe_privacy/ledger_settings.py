"""Where the ledger lies: what its connection may say, and the usual file where there is no connection."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import URL

from adobe_privacy.organisations import Organisation
from adobe_privacy.setting_values import (
    ConnectionFields,
    Count,
    Fields,
    SettingsError,
    Text,
    checked,
    extra_of,
    not_found,
)


class _LedgerExtra(Fields):
    fingerprint_key: Annotated[str, Field(strict=True)] | None = None


class _PostgresExtra(_LedgerExtra):
    """Besides, what says how the server is to be trusted, by PostgreSQL's own names."""

    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = None
    sslrootcert: Text | None = None
    sslcert: Text | None = None
    sslkey: Text | None = None
    target_session_attrs: Text | None = None
    application_name: Text | None = None
    connect_timeout: Count | None = None


@dataclass(frozen=True)
class LedgerSettings:
    """Where the ledger lies. Not `configured` means that no connection said so: it is the usual file then."""

    url: str = field(repr=False)
    fingerprint_key: str | None = field(default=None, repr=False)
    conn_id: str = "privacy_ledger"
    configured: bool = True

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a database server."""
        return Path(self.url.removeprefix("sqlite:///")) if self.url.startswith("sqlite:///") else None


def default_ledger() -> Path:
    """The file that is the ledger where no connection says otherwise."""
    home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
    return Path(home).absolute() / "privacy_ledger.db"


def ledger_settings(
    connection: ConnectionFields | None, conn_id: str = Organisation.ledger
) -> LedgerSettings:
    """Reads the connection of the ledger. Where the usual one is absent it is the usual file; another ledger, such as
    that of a further organisation, must have its connection. Raises SettingsError."""
    if connection is None:
        if conn_id != Organisation.ledger:
            raise not_found(conn_id)
        return LedgerSettings(f"sqlite:///{default_ledger()}", None, conn_id, configured=False)
    place = f"connection {conn_id}"
    kind = connection.conn_type
    model = _LedgerExtra if kind == "sqlite" else _PostgresExtra
    extra = checked(model, extra_of(connection), lambda path: f"{place}: extra.{path}")
    key = extra.fingerprint_key
    if kind == "sqlite":
        path = connection.host or connection.schema
        if not path:
            raise SettingsError(f"{place}: host is empty: give the path of a file")
        # From another folder, another process would make another ledger. A URL has a query after a question mark.
        if not path.startswith("/") or "?" in path:
            raise SettingsError(f"{place}: host must be the absolute path of a file, without a question mark")
        return LedgerSettings(f"sqlite:///{path}", key, conn_id)
    if kind not in ("postgres", "postgresql"):
        raise SettingsError(f"{place}: type {kind!r} is no ledger: use sqlite (host: a path) or postgres")
    if importlib.util.find_spec("psycopg") is None:
        raise SettingsError(
            f"{place} is PostgreSQL, whose driver is missing: pip install 'airflow-adobe-privacy[postgres]'"
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
        query={
            name: str(value)
            for name, value in extra.model_dump(exclude={"fingerprint_key"}, exclude_none=True).items()
        }
        | ({"host": host} if host.startswith("/") else {}),
    )
    return LedgerSettings(url.render_as_string(hide_password=False), key, conn_id)
