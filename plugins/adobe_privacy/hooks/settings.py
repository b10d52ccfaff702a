"""Everything that can be set, from Airflow's connections and variables: looked up once per task."""

from __future__ import annotations

from typing import Literal

from airflow.sdk import Connection

from adobe_privacy.airflow_organisations import configuration, organisation_of, organisations
from adobe_privacy.hooks.look_ups import alook_up_connection, look_up_connection, look_up_variable
from adobe_privacy.organisations import DEFAULT, SECTION, Organisation, OrganisationError
from adobe_privacy.settings import ConnectionFields, Settings, SettingsError, read_all, uri_of

CONN_ID = Organisation.connection
LEDGER_CONN_ID = Organisation.ledger
PLACES = ("privacy_inbox_uri", "privacy_archive_uri")


def organisation_settings(name: str) -> Organisation:
    """Raises SettingsError where the configuration of the organisations cannot be used."""
    try:
        return organisation_of(name)
    except OrganisationError as problem:
        raise SettingsError(str(problem)) from None


def read_settings(
    adobe_conn_id: str | None = None,
    ledger_conn_id: str | None = None,
    *,
    organisation: str = DEFAULT,
    inbox_uri: str | None = None,
    archive_uri: str | None = None,
) -> Settings:
    """All settings of an organisation, with the connections and locations given instead of its own. A variable such
    as `privacy_approve_deletes_eu` is the organisation's own, `privacy_approve_deletes` everybody's.

    Raises SettingsError, and LookUpFailed where a secrets backend or the API server does not answer. Some backends
    answer "absent" where access is denied: what is absent is no reason to protect people less, so `ledger.protection`
    compares it with what was in force.
    """
    own = organisation_settings(organisation)
    given = {"privacy_inbox_uri": inbox_uri, "privacy_archive_uri": archive_uri}
    return read_all(
        connection_fields,
        lambda name: given.get(name) or _variable(own, name),
        adobe_conn_id=adobe_conn_id or own.connection,
        ledger_conn_id=ledger_conn_id or own.ledger,
        organisation=own,
    )


def location(name: Literal["inbox", "archive"], organisation: str = DEFAULT) -> str:
    """The URI of inbox or archive alone. Raises SettingsError."""
    own = organisation_settings(organisation)
    return uri_of(name, _variable(own, f"privacy_{name}_uri"), own)


def variable_of(organisation: str, name: str) -> str | None:
    """A variable as it holds for an organisation. Raises SettingsError."""
    return _variable(organisation_settings(organisation), name)


def _variable(organisation: Organisation, name: str) -> str | None:
    if name in PLACES:
        return _place(organisation, name.removeprefix("privacy_"))
    if organisation.is_default:
        return look_up_variable(name)
    found = look_up_variable(organisation.own(name))
    return look_up_variable(name) if found is None else found


def _place(organisation: Organisation, name: str) -> str | None:
    """Never another organisation's: a request that lies there would be sent for both."""
    if not organisation.is_default:
        return organisation.inbox_uri if name == "inbox_uri" else organisation.archive_uri
    found = look_up_variable(f"privacy_{name}")
    if not found:
        return None
    for other in organisations():
        if other != DEFAULT and (configuration(f"{other}_{name}") or "").rstrip("/") == found.rstrip("/"):
            raise SettingsError(
                f"the Airflow variable privacy_{name} and [{SECTION}] {other}_{name} are the same place: each "
                "organisation needs its own"
            )
    return found


def connection_fields(conn_id: str) -> ConnectionFields | None:
    """A connection as it is stored; None where there is none. Raises LookUpFailed."""
    connection = look_up_connection(conn_id)
    return None if connection is None else fields_of(connection)


async def aconnection_fields(conn_id: str) -> ConnectionFields | None:
    """As `connection_fields`, for triggers."""
    connection = await alook_up_connection(conn_id)
    return None if connection is None else fields_of(connection)


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
