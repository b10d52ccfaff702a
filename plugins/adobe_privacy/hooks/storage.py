"""Inbox and archive: from a URI and the connection that it names to a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Connection

from adobe_privacy import host_network, quiet_logs
from adobe_privacy.hooks.look_ups import look_up_connection
from adobe_privacy.setting_values import is_set, proxy, verify
from adobe_privacy.settings import NotThere, SettingsError
from adobe_privacy.storage import (
    AzureOptions,
    FileOptions,
    GCSOptions,
    Location,
    S3Options,
    Store,
    StoreOptions,
    open_store,
    parse_location,
)


def open_inbox(uri: str) -> Store:
    """The inbox; its folder must be there. Raises SettingsError or StorageError."""
    location = parse_location(uri)
    return open_store(location, _options(location, create=False))


def open_archive(uri: str, *, create: bool = True) -> Store:
    """The archive; a missing folder on disk is made with `create`. Raises SettingsError or StorageError."""
    location = parse_location(uri)
    return open_store(location, _options(location, create=create))


def _options(location: Location, *, create: bool) -> StoreOptions:
    if location.scheme == "file":
        return FileOptions(create=create)
    connection = _connection(location.conn_id) if location.conn_id else None
    if location.scheme == "s3":
        return s3_options(connection)
    if location.scheme == "gs":
        return gcs_options(connection)
    return azure_options(connection)


def _connection(conn_id: str) -> Connection:
    connection = look_up_connection(conn_id)
    if connection is None:
        raise NotThere(f"connection {conn_id} does not exist, or access to it is denied")
    return connection


def aws_hook(conn_id: str | None, client_type: str, connection: Connection | None = None) -> Any:
    """Amazon's hook; the machine's own identity without `conn_id`. Raises SettingsError, and ImportError where the
    provider is not installed."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    hook: Any = AwsGenericHook(aws_conn_id=conn_id, client_type=client_type)
    if conn_id is not None:
        found = _with_plain_verify(connection or _connection(conn_id))
        # Its own look-up takes a connection that it does not find for the machine's own identity.
        hook.get_connection = lambda _conn_id: found
    return hook


def s3_options(connection: Connection | None) -> S3Options:
    """From a connection of type `aws`. Roles, profiles and the instance's own identity are resolved by the
    Amazon provider; plain keys work without it."""
    if connection is None:
        return S3Options(credential_provider=_boto3_credentials(None))
    extra: dict[str, Any] = dict(connection.extra_dejson)
    service = (extra.get("service_config") or {}).get("s3") or {}
    proxies = (extra.get("config_kwargs") or {}).get("proxies") or {}
    plain = {
        "region": extra.get("region_name"),
        "endpoint": service.get("endpoint_url") or extra.get("endpoint_url"),
        "sse_kms_key_id": extra.get("sse_kms_key_id"),
        "bucket_key_enabled": extra.get("bucket_key_enabled"),
        "storage_class": extra.get("storage_class"),
        "checksum_algorithm": extra.get("checksum_algorithm"),
    }
    options: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
    options |= _network(
        connection,
        {"proxy": proxies.get("https") or proxies.get("http"), "verify": service.get("verify")} | extra,
    )
    if connection.login and connection.password and not extra.get("role_arn"):
        return S3Options(
            access_key_id=connection.login,
            secret_access_key=connection.password,
            session_token=extra.get("aws_session_token"),
            **options,
        )
    return S3Options(credential_provider=_boto3_credentials(connection), **options)


def _boto3_credentials(connection: Connection | None) -> Any:
    try:
        hook = aws_hook(None if connection is None else connection.conn_id, "s3", connection)
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise SettingsError(
            "an s3:// location without plain keys needs the Amazon provider: "
            "pip install 'airflow-adobe-privacy[s3]'"
        ) from None

    class QuietCredentials(Boto3CredentialProvider):
        def __call__(self) -> Any:
            quiet_logs.install(*quiet_logs.AWS)
            # At DEBUG botocore would log the answer of AWS STS, credentials and all.
            with quiet_logs.quiet():
                return super().__call__()

    return QuietCredentials(hook.get_session())


def gcs_options(connection: Connection | None) -> GCSOptions:
    """From a connection of type `google_cloud_platform`: a key as JSON or a key file; else the default
    credentials of the machine."""
    if connection is None:
        return GCSOptions()
    extra = dict(connection.extra_dejson)
    key = extra.get("keyfile_dict")
    options: dict[str, Any] = {
        "service_account_key": key if isinstance(key, str) or key is None else json.dumps(key),
        "service_account_file": extra.get("key_path"),
        "endpoint": extra.get("endpoint_url"),
        "anonymous": bool(extra.get("is_anonymous")),
    }
    return GCSOptions(
        **{name: value for name, value in options.items() if value}, **_network(connection, extra)
    )


def azure_options(connection: Connection | None) -> AzureOptions:
    """From a connection of type `wasb` or `adls`: account key, SAS token or a service principal."""
    if connection is None:
        return AzureOptions()
    extra = dict(connection.extra_dejson)
    tenant = extra.get("tenant_id")
    options: dict[str, Any] = {
        "account_name": extra.get("account_name") or (None if tenant else connection.login),
        "account_key": extra.get("account_key") or (None if tenant else connection.password),
        "sas_token": extra.get("sas_token"),
        "tenant_id": tenant,
        "client_id": connection.login if tenant else None,
        "client_secret": connection.password if tenant else None,
        "endpoint": extra.get("endpoint_url"),
    }
    return AzureOptions(
        **{name: value for name, value in options.items() if value}, **_network(connection, extra)
    )


def _network(connection: Connection, extra: Mapping[str, Any]) -> dict[str, Any]:
    """`verify` and `proxy`, as in the connection to Adobe. Raises SettingsError."""
    found: dict[str, Any] = {}
    for name, read in (("verify", verify), ("proxy", proxy)):
        if is_set(extra.get(name)):
            field = f"extra.{name}"
            try:
                found[name] = read(extra[name])
                if name == "verify":
                    host_network.authorities(found[name], field)
            except ValueError as problem:
                text = str(problem) if isinstance(problem, host_network.HostFault) else f"{field} {problem}"
                raise SettingsError(f"connection {connection.conn_id}: {text}") from None
    return found


def _with_plain_verify(connection: Connection) -> Connection:
    """Amazon's hook would take the text "false" for the path of a bundle."""
    extra = dict(connection.extra_dejson)
    said = _network(connection, {"verify": extra.get("verify")})
    if said.get("verify", extra.get("verify")) is extra.get("verify"):
        return connection
    return Connection(
        conn_id=connection.conn_id,
        conn_type=connection.conn_type,
        host=connection.host,
        port=connection.port,
        login=connection.login,
        password=connection.password,
        schema=connection.schema,
        extra=json.dumps(extra | said),
    )
