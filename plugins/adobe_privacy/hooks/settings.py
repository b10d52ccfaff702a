"""Everything that can be set, from Airflow's connections and variables: looked up once per task."""

from __future__ import annotations

from typing import Any, Literal

from airflow.sdk import BaseHook, Connection, Variable
from airflow.sdk.exceptions import AirflowNotFoundException

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

    Airflow 3.3 tells no difference between what is not set and what could not be looked up. So what is absent
    here is no reason to do less for people's protection: `ledger.protection` compares it with what was in force.
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
    """A connection as it is stored; None where Airflow does not find it."""
    try:
        return fields_of(BaseHook.get_connection(conn_id))
    except AirflowNotFoundException:
        return None


def variable_text(name: str) -> str | None:
    """A variable's text. Airflow's own `deserialize_json` takes what is no JSON for absent (3.3.2)."""
    value: Any = Variable.get(name, default=None)
    return None if value is None else str(value)


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
