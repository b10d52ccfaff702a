"""From a location and its options to a store."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from obstore import store as backends
from obstore.exceptions import BaseError

from adobe_privacy import host_network
from adobe_privacy.storage import local
from adobe_privacy.storage.errors import InvalidLocation, LocationNotFound
from adobe_privacy.storage.location import Location, parse_location
from adobe_privacy.storage.options import AzureOptions, FileOptions, GCSOptions, S3Options, StoreOptions
from adobe_privacy.storage.store import Store
from adobe_privacy.storage.translate import translated

_OPTIONS: dict[str, type[StoreOptions]] = {
    "file": FileOptions,
    "s3": S3Options,
    "gs": GCSOptions,
    "abfss": AzureOptions,
}


def open_store(location: Location | str, options: StoreOptions | None = None) -> Store:
    """The store at a location, with the credentials and settings given.

    A folder that is missing raises `LocationNotFound` at once (or is made, with `FileOptions(create=True)`);
    a bucket is only looked for by the first call, no network is touched here. Options of another kind than
    the location's scheme raise `TypeError`.
    """
    if isinstance(location, str):
        location = parse_location(location)
    kind = _OPTIONS[location.scheme]
    options = kind() if options is None else options
    if type(options) is not kind:
        raise TypeError(f"{location.scheme} locations take {kind.__name__}, not {type(options).__name__}")
    try:
        if isinstance(options, FileOptions):
            return Store(location, _folder(location, options), _durable=options.durable)
        backend: Any
        if isinstance(options, S3Options):
            backend = _s3(location, options)
        elif isinstance(options, GCSOptions):
            backend = _gcs(location, options)
        else:
            backend = _azure(location, options)
    except host_network.HostFault as problem:
        raise InvalidLocation(f"{location.uri}: {problem}", uri=location.uri) from None
    except (BaseError, ValueError):
        raise InvalidLocation(
            f"cannot set up a store for {location.uri}: an option of its connection has the wrong form",
            uri=location.uri,
        ) from None
    attributes = {"Storage-Class": options.storage_class} if options.storage_class else None
    return Store(location, backend, attributes)


def _folder(location: Location, options: FileOptions) -> backends.LocalStore:
    path = Path(location.prefix)
    try:
        if options.create:
            # Results are personal data: a folder made here is closed to other users of the machine.
            local.make_folder(path)
        if not path.is_dir():
            what = "is not a folder" if path.exists() else "does not exist"
            raise LocationNotFound(f"{location.uri} {what}; create it or correct the URI", uri=location.uri)
        local.warn_if_open(path, "the folder")
        return backends.LocalStore(path)
    except OSError as error:
        raise translated(error, location, "") from None


def _s3(location: Location, options: S3Options) -> backends.S3Store:
    config: dict[str, Any] = {
        "access_key_id": options.access_key_id,
        "secret_access_key": options.secret_access_key,
        "session_token": options.session_token,
        "region": options.region,
        "endpoint": options.endpoint,
        "skip_signature": options.anonymous or None,
        "virtual_hosted_style_request": options.addressing_style == "virtual" or None,
        "checksum_algorithm": options.checksum_algorithm or _default_checksum(options),
        "sse_bucket_key_enabled": options.bucket_key_enabled,
    }
    if options.sse_kms_key_id:
        config |= {"server_side_encryption": "aws:kms", "sse_kms_key_id": options.sse_kms_key_id}
    return backends.S3Store(
        location.bucket,
        **_common(location, options, config),
    )


def _default_checksum(options: S3Options) -> str | None:
    """SHA256 at Amazon, where it costs nothing: the signature of each request needs it anyway."""
    # The library reads these too, where the options leave them open.
    variables = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CHECKSUM_ALGORITHM")
    elsewhere = options.endpoint or any(os.environ.get(name) for name in variables)
    return None if elsewhere else "SHA256"


def _gcs(location: Location, options: GCSOptions) -> backends.GCSStore:
    config: dict[str, Any] = {
        "service_account_key": options.service_account_key,
        "service_account": options.service_account_file,
        "base_url": options.endpoint,
        "skip_signature": options.anonymous or None,
    }
    return backends.GCSStore(
        location.bucket,
        **_common(location, options, config),
    )


def _azure(location: Location, options: AzureOptions) -> backends.AzureStore:
    account, endpoint = options.account_name, options.endpoint
    if location.host is not None:
        account = account or location.host.partition(".")[0]
        if endpoint is None and not location.host.endswith(".core.windows.net"):
            endpoint = "https://" + location.host.replace(".dfs.", ".blob.", 1)
    config: dict[str, Any] = {
        "account_name": account,
        "account_key": options.account_key,
        "sas_key": options.sas_token,
        "client_id": options.client_id,
        "client_secret": options.client_secret,
        "tenant_id": options.tenant_id,
        "endpoint": endpoint,
    }
    return backends.AzureStore(
        location.bucket,
        **_common(location, options, config),
    )


def _common(
    location: Location, options: S3Options | GCSOptions | AzureOptions, config: dict[str, Any]
) -> dict[str, Any]:
    return {
        "prefix": location.prefix or None,
        "config": _present(config),
        "client_options": _client(options),
        "retry_config": _retries(options),
        "credential_provider": options.credential_provider,
    }


def _client(options: S3Options | GCSOptions | AzureOptions) -> dict[str, Any]:
    amazon = ("AWS_CA_BUNDLE",) if isinstance(options, S3Options) else ()
    place = host_network.authorities(options.verify, variables=amazon)
    # These the library reads by itself, and says nothing where it cannot.
    host_network.authorities(options.verify)
    proxy = _proxy(options)
    return _present(
        {
            # The library's 30 s would be for a whole part or a whole read, too short on a slow line.
            "timeout": timedelta(minutes=10),
            "connect_timeout": timedelta(seconds=15),
            "allow_http": True if (options.endpoint or "").startswith("http://") else None,
            "allow_invalid_certificates": None if options.verify else True,
            "root_certificate": None if place is None else host_network.pem(place),
            "proxy_url": proxy or None,
        }
        # The library has no other way to leave out the environment's proxy than one that is used for no host.
        | (
            {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": "*,0.0.0.0/0,::/0"}
            if proxy is False
            else {}
        )
    )


def _proxy(options: S3Options | GCSOptions | AzureOptions) -> host_network.Proxy:
    """None leaves it to the library, which asks the environment for each host, those of tokens too."""
    if options.proxy is not None:
        return options.proxy
    proxies = host_network.environment_proxies()
    if options.endpoint is None:
        return None
    # One host, then, and the library does not know every way of writing it in NO_PROXY.
    return proxies.of(options.endpoint) or False


def _retries(options: S3Options | GCSOptions | AzureOptions) -> dict[str, Any]:
    return {"max_retries": options.max_retries, "retry_timeout": timedelta(minutes=3)}


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
