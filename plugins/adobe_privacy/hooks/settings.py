"""Everything that can be set, from Airflow's connections and variables: looked up once per task."""

from __future__ import annotations

from typing import Literal

from airflow.sdk import Connection

from adobe_privacy.hooks.look_ups import look_up_connection, look_up_variable
from adobe_privacy.settings import ConnectionFields, Settings, read_all, uri_of

CONN_ID = "adobe_privacy_default"
LEDGER_CONN_ID = "privacy_ledger"


def read_settings(
    adobe_conn_id: str = CONN_ID,
    ledger_conn_id: str = LEDGER_CONN_ID,
    *,
    inbox_uri: str | None = None,
    archive_uri: str | None = None,
) -> Settings:
    """All settings, with the locations given instead of those of the variables. Raises SettingsError.

    Raises LookUpFailed where a secrets backend or the API server does not answer. Some backends answer "absent" where
    access is denied: what is absent is no reason to protect people less, so `ledger.protection` compares it with what
    was in force.
    """
    given = {"privacy_inbox_uri": inbox_uri, "privacy_archive_uri": archive_uri}
    return read_all(
        connection_fields,
        lambda name: given.get(name) or variable_text(name),
        adobe_conn_id=adobe_conn_id,
        ledger_conn_id=ledger_conn_id,
    )


def location(name: Literal["inbox", "archive"]) -> str:
    """The URI of inbox or archive alone. Raises SettingsError."""
    return uri_of(name, variable_text(f"privacy_{name}_uri"))


def connection_fields(conn_id: str) -> ConnectionFields | None:
    """A connection as it is stored; None where there is none. Raises LookUpFailed."""
    connection = look_up_connection(conn_id)
    return None if connection is None else fields_of(connection)


def variable_text(name: str) -> str | None:
    """A variable's text; None where there is none. Raises LookUpFailed."""
    return look_up_variable(name)


def fields_of(connection: Connection) -> ConnectionFields:
    return ConnectionFields(
        conn_id=connection.conn_id,
        conn_type=connection.conn_type or "",
        host=connection.host,
        port=connection.port,
        login=connection.login,
        password=connection.password,
        schema=connection.schema,
        extra=connection.extra,
    )
