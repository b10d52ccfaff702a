"""Everything that can be set, from Airflow's connections and variables: looked up once per task."""

from __future__ import annotations

import os
from typing import Literal

from airflow.sdk import Connection

from adobe_privacy.airflow_organisations import configuration, organisation_of, organisations
from adobe_privacy.hooks.look_ups import alook_up_connection, look_up_connection, look_up_variable
from adobe_privacy.organisations import DEFAULT, SECTION, Organisation, OrganisationError
from adobe_privacy.setting_values import is_set
from adobe_privacy.settings import ConnectionFields, Settings, SettingsError, read_all, uri_of
from adobe_privacy.storage import InvalidLocation, Location, parse_location

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
    arguments = {
        "adobe_privacy_conn_id": adobe_conn_id,
        "ledger_conn_id": ledger_conn_id,
        "inbox_uri": inbox_uri,
        "archive_uri": archive_uri,
    }
    for name, value in arguments.items():
        if value is not None and not is_set(value):
            # A template that came to nothing: what was meant is another place than the usual one.
            raise SettingsError(f"the argument {name} is empty: give a value, or leave the argument out")
    given = {"privacy_inbox_uri": inbox_uri, "privacy_archive_uri": archive_uri}
    settings = read_all(
        connection_fields,
        lambda name: given.get(name) or _variable(own, name),
        adobe_conn_id=adobe_conn_id or own.connection,
        ledger_conn_id=ledger_conn_id or own.ledger,
        organisation=own,
    )
    for name in ("inbox_uri", "archive_uri"):
        _refuse_place_of_another(own, name, getattr(settings.variables, name))
    return settings


def location(name: Literal["inbox", "archive"], organisation: str = DEFAULT) -> str:
    """The URI of inbox or archive alone. Raises SettingsError."""
    own = organisation_settings(organisation)
    uri = uri_of(name, _variable(own, f"privacy_{name}_uri"), own)
    _refuse_place_of_another(own, f"{name}_uri", uri)
    return uri


def variable_of(organisation: str, name: str) -> str | None:
    """A variable as it holds for an organisation. Raises SettingsError."""
    return _variable(organisation_settings(organisation), name)


def _variable(organisation: Organisation, name: str) -> str | None:
    if name in PLACES:
        return _place(organisation, name.removeprefix("privacy_"))
    if organisation.is_default:
        return look_up_variable(name)
    found = look_up_variable(organisation.own(name))
    return found if is_set(found) else look_up_variable(name)


def _place(organisation: Organisation, name: str) -> str | None:
    """Never another organisation's: a request that lies there would be sent for both."""
    if not organisation.is_default:
        return organisation.inbox_uri if name == "inbox_uri" else organisation.archive_uri
    return look_up_variable(f"privacy_{name}")


def _refuse_place_of_another(own: Organisation, name: str, uri: str | None) -> None:
    """Raises SettingsError where another organisation has the same place, however it is written."""
    others = [each for each in organisations() if each != own.name]
    if not uri or not others:
        return
    place = parse_location(uri)
    for other in others:
        said = look_up_variable(f"privacy_{name}") if other == DEFAULT else configuration(f"{other}_{name}")
        try:
            there = parse_location(said) if is_set(said) and said else None
        except InvalidLocation:
            continue  # the other organisation's runs tell
        if there is not None and _same_place(place, there):
            names = [_option(each, name) for each in (own.name, other)]
            raise SettingsError(
                f"{names[0]} and {names[1]} are the same place: each organisation needs its own"
            )


def _option(organisation: str, name: str) -> str:
    if organisation == DEFAULT:
        return f"the Airflow variable privacy_{name}"
    return f"[{SECTION}] {organisation}_{name}"


def _same_place(one: Location, other: Location) -> bool:
    if any(getattr(one, name) != getattr(other, name) for name in ("scheme", "bucket", "host")):
        return False
    if one.scheme == "file":
        return os.path.realpath(one.prefix) == os.path.realpath(other.prefix)
    if one.prefix != other.prefix:
        return False
    if one.scheme == "abfss":
        # Without a host, the connection names the account.
        return one.host is not None or one.conn_id == other.conn_id
    # Two stores of one's own can each have a bucket of this name.
    return one.conn_id == other.conn_id or _endpoint(one.conn_id) == _endpoint(other.conn_id)


def _endpoint(conn_id: str | None) -> str | None:
    connection = look_up_connection(conn_id) if conn_id else None
    if connection is None:
        return None
    extra = connection.extra_dejson
    service = (extra.get("service_config") or {}).get("s3") or {}
    return service.get("endpoint_url") or extra.get("endpoint_url")


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
