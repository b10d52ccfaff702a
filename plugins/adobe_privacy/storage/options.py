"""Credentials, endpoints and settings of a store, as plain values.

What is left out is looked for where the vendor's own tools look: environment, instance or workload identity.
`verify` is False, or the path of a file or folder of certificate authorities that are trusted too. `proxy` is an
address, False for none, or None for the environment's. `max_retries` is how often a failed request is repeated, for at
most three minutes. `credential_provider` is one of obstore's callables and wins over static keys; use it where
credentials expire during a long run. No secret shows in a repr.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from adobe_privacy.host_network import Proxy

CredentialProvider: TypeAlias = Callable[[], Any]


@dataclass(frozen=True)
class FileOptions:
    """A folder. `create` makes a missing one. `durable` waits until the disk has what was written."""

    create: bool = False
    durable: bool = True


@dataclass(frozen=True)
class S3Options:
    """Amazon S3 and whatever speaks its protocol (set `endpoint`).

    `sse_kms_key_id` switches on SSE-KMS with that key, `bucket_key_enabled` the bucket key that makes it
    cheaper. `checksum_algorithm` (`SHA256` or `CRC64NVME`) lets the server check and keep the checksum of every
    part; where it is not given, SHA256 at Amazon and none at an endpoint, from here or from the environment, which
    may not know it. `addressing_style` `virtual` puts the bucket into the host name.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str | None = None
    endpoint: str | None = None
    credential_provider: CredentialProvider | None = field(default=None, repr=False)
    anonymous: bool = False
    addressing_style: Literal["path", "virtual"] = "path"
    sse_kms_key_id: str | None = None
    bucket_key_enabled: bool | None = None
    storage_class: str | None = None
    checksum_algorithm: Literal["SHA256", "CRC64NVME"] | None = None
    verify: bool | str = True
    proxy: Proxy = field(default=None, repr=False)
    max_retries: int = 10


@dataclass(frozen=True)
class GCSOptions:
    """Google Cloud Storage. `service_account_key` is the JSON text, `service_account_file` a path to it."""

    service_account_key: str | None = field(default=None, repr=False)
    service_account_file: str | None = None
    endpoint: str | None = None
    credential_provider: CredentialProvider | None = field(default=None, repr=False)
    anonymous: bool = False
    storage_class: str | None = None
    verify: bool | str = True
    proxy: Proxy = field(default=None, repr=False)
    max_retries: int = 10


@dataclass(frozen=True)
class AzureOptions:
    """Azure Blob Storage. `account_name` may be left out where the URI names the account's host."""

    account_name: str | None = None
    account_key: str | None = field(default=None, repr=False)
    sas_token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    tenant_id: str | None = None
    endpoint: str | None = None
    credential_provider: CredentialProvider | None = field(default=None, repr=False)
    storage_class: str | None = None
    verify: bool | str = True
    proxy: Proxy = field(default=None, repr=False)
    max_retries: int = 10


StoreOptions: TypeAlias = FileOptions | S3Options | GCSOptions | AzureOptions
