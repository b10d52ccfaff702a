"""Everything that can be set: read once, checked as a whole, handed on as one object.

Where the values come from is the caller's matter: Airflow's connections and variables, or the environment. A value
that is absent, null or empty is not set. A value that cannot be used is refused with one line that names the place,
the field and what was expected; the line repeats no value, which may be a secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from adobe_privacy import host_network
from adobe_privacy.api.addresses import DOWNLOAD_HOSTS
from adobe_privacy.api.config import DEFAULT_BASE_URL, DEFAULT_SCOPES, DEFAULT_TOKEN_URL, ClientConfig
from adobe_privacy.api.facts import DAILY_JOBS, GATEWAY_TIMEOUT
from adobe_privacy.api.models import CompanyContext
from adobe_privacy.archive.zip_rules import ZipLimits
from adobe_privacy.intake.options import CallOptions, is_organisation
from adobe_privacy.ledger.protection import INBOX_DAYS, LEDGER_MONTHS
from adobe_privacy.ledger_settings import LedgerSettings, default_ledger, ledger_settings
from adobe_privacy.organisations import THE_DEFAULT, Organisation
from adobe_privacy.regulations.clocks import DEFAULT
from adobe_privacy.setting_values import (
    Cap,
    ConnectionFields,
    Count,
    Fields,
    JsonText,
    LegalClocks,
    LookUpFailed,
    Names,
    NotThere,
    Number,
    Products,
    ProxySetting,
    PublicKeys,
    RequestIdScheme,
    Retention,
    SettingsError,
    Share,
    Text,
    Uri,
    Verify,
    YesOrNo,
    check_poll_interval,
    checked,
    clocks_digest,
    extra_of,
    is_set,
    not_found,
    notifiers,
    uri_of,
)

__all__ = [
    "VARIABLES",
    "ArchiveOptions",
    "ConnectionFields",
    "KeySettings",
    "LedgerSettings",
    "LookUpFailed",
    "NotThere",
    "NotifierSettings",
    "ServiceSettings",
    "Settings",
    "SettingsError",
    "Variables",
    "check_poll_interval",
    "default_ledger",
    "key_settings",
    "ledger_settings",
    "not_found",
    "read_all",
    "read_variables",
    "service_settings",
    "uri_of",
]

IMS_ORG = "imsOrgID"
DAY_SECONDS = 86_400.0


class _ServiceExtra(CallOptions, Fields):
    org_id: Text
    token_url: Text = DEFAULT_TOKEN_URL
    scopes: Names = DEFAULT_SCOPES
    products: Products = ()
    company_contexts: Annotated[tuple[dict[str, str], ...], JsonText] = ()
    daily_job_limit: Count = DAILY_JOBS
    schedule_share: Share = 0.25
    list_lag: Annotated[Number, Field(ge=0, le=DAY_SECONDS)] = 300.0
    timeout: Annotated[Number, Field(gt=0, le=3600)] = GATEWAY_TIMEOUT
    verify: Verify = True
    proxy: ProxySetting | None = None
    insecure: YesOrNo = False
    strict_identities: YesOrNo = False
    download_hosts: Names = DOWNLOAD_HOSTS


class _KeyExtra(Fields):
    recipients: PublicKeys = ()
    kms_key_id: Text | None = None
    aws_conn_id: Text | None = None
    keys_uri: Uri | None = None


class ArchiveOptions(Fields):
    """How results are archived; `key_conn_id` names the connection of the key by which they are encrypted,
    `signing_conn_id` that of the key by which manifests are signed."""

    keep_rejected: Annotated[bool, Field(strict=True)] = False
    key_conn_id: Text | None = None
    signing_conn_id: Text | None = None
    max_entries: Cap = ZipLimits.max_entries
    max_inflated_bytes: Cap = ZipLimits.max_inflated_bytes
    max_ratio: Cap = ZipLimits.max_ratio
    ratio_free_bytes: Cap = ZipLimits.ratio_free_bytes
    max_nesting: Cap = ZipLimits.max_nesting

    @property
    def limits(self) -> ZipLimits:
        return ZipLimits(**self.model_dump(exclude={"keep_rejected", "key_conn_id", "signing_conn_id"}))


class NotifierSettings(Fields):
    """One of Airflow's notifiers, by its class's name. The arguments may hold secrets."""

    model_config = ConfigDict(populate_by_name=True)

    path: Annotated[Text, Field(alias="class", min_length=3)]
    arguments: Annotated[dict[str, Any], Field(alias="kwargs", repr=False)] = Field(default_factory=dict)


class Variables(Fields):
    """What the Airflow variables say. Each is called as the field is, with `privacy_` before it."""

    inbox_uri: Uri | None = None
    archive_uri: Uri | None = None
    poll_interval: Annotated[Number, Field(gt=0, le=DAY_SECONDS)] = 300.0
    backfill_patience: Annotated[Number, Field(gt=0, le=46 * DAY_SECONDS)] = 120.0
    inbox_retention_days: Annotated[Count, Field(le=36_500)] = INBOX_DAYS
    ledger_retention_months: Annotated[Count, Field(le=1_200)] = LEDGER_MONTHS
    approve_deletes: YesOrNo = False
    retention_days: Retention = Field(default_factory=dict)
    request_id_scheme: RequestIdScheme = "PR-{year}-{number}"
    archive_options: Annotated[ArchiveOptions, JsonText] = ArchiveOptions()
    legal_clocks: LegalClocks = DEFAULT
    alarm_notifier: Annotated[tuple[NotifierSettings, ...], BeforeValidator(notifiers)] = ()


VARIABLES = {f"privacy_{name}": name for name in Variables.model_fields}


@dataclass(frozen=True)
class ServiceSettings:
    """What the connection to Adobe says."""

    client: ClientConfig
    products: tuple[str, ...]
    company_contexts: tuple[CompanyContext, ...]
    daily_job_limit: int
    schedule_share: float
    list_lag: float
    strict_identities: bool
    options: dict[str, Any]


@dataclass(frozen=True)
class KeySettings:
    """The key of encrypted results: age, or a key of AWS KMS, and where the wrapped data keys lie."""

    conn_id: str
    recipients: tuple[str, ...] = ()
    identities: tuple[str, ...] = field(default=(), repr=False)
    kms_key_id: str | None = None
    aws_conn_id: str | None = None
    keys_uri: str | None = None

    @property
    def fingerprint(self) -> str:
        """Tells one key from another and holds no secret."""
        if self.kms_key_id:
            return f"aws-kms:{self.kms_key_id}"
        if self.recipients:
            return ", ".join(self.recipients)
        digest = hashlib.sha256("\n".join(self.identities).encode()).hexdigest()
        return f"the age key of {self.conn_id}, {digest[:16]}"


@dataclass(frozen=True)
class Settings:
    """All of it. Reading it again gives another object: one task has one."""

    service: ServiceSettings
    ledger: LedgerSettings
    variables: Variables
    key: KeySettings | None = None
    # Of what the organisation set itself, as it was read; empty where the built-in clocks hold.
    clocks_digest: str = ""
    signing_key: str | None = field(default=None, repr=False)
    organisation: Organisation = THE_DEFAULT

    def location(self, name: Literal["inbox", "archive"]) -> str:
        """The URI of inbox or archive. Raises SettingsError where none is set."""
        uri = self.variables.inbox_uri if name == "inbox" else self.variables.archive_uri
        return uri_of(name, uri, self.organisation)


def read_all(
    connection: Callable[[str], ConnectionFields | None],
    variable: Callable[[str], str | None],
    *,
    adobe_conn_id: str = Organisation.connection,
    ledger_conn_id: str = Organisation.ledger,
    organisation: Organisation = THE_DEFAULT,
) -> Settings:
    """Reads everything once, and all of it: what one task does not need can be wrong, and is told now.

    `connection` and `variable` return None for what is not set. Raises SettingsError.
    """
    found = {name: variable(name) for name in VARIABLES}
    variables = read_variables(found)
    options = variables.archive_options
    service = service_settings(_found(connection, adobe_conn_id))
    check_poll_interval(variables.poll_interval, service.client.base_url)
    return Settings(
        service=service,
        ledger=ledger_settings(connection(ledger_conn_id), ledger_conn_id),
        variables=variables,
        key=key_settings(connection(options.key_conn_id), options.key_conn_id)
        if options.key_conn_id
        else None,
        signing_key=_found(connection, options.signing_conn_id).password or ""
        if options.signing_conn_id
        else None,
        clocks_digest=clocks_digest(found["privacy_legal_clocks"]),
        organisation=organisation,
    )


def _found(connection: Callable[[str], ConnectionFields | None], conn_id: str) -> ConnectionFields:
    found = connection(conn_id)
    if found is None:
        raise not_found(conn_id)
    return found


def read_variables(found: Mapping[str, Any]) -> Variables:
    """The variables by their full names. Raises SettingsError."""
    given = {VARIABLES[name]: value for name, value in found.items() if name in VARIABLES and is_set(value)}
    inner = {"archive_options": [*ArchiveOptions.model_fields], "alarm_notifier": ["class", "kwargs"]}
    return checked(Variables, given, lambda path: f"the Airflow variable privacy_{path}", ": ", inner=inner)


def service_settings(connection: ConnectionFields) -> ServiceSettings:
    """Reads a connection to Adobe. Raises SettingsError, which names the field and never a secret."""
    place = f"connection {connection.conn_id}: "
    extra = checked(_ServiceExtra, extra_of(connection), lambda path: f"{place}extra.{path}")
    try:
        client = ClientConfig(
            client_id=connection.login or "",
            client_secret=connection.password or "",
            org_id=extra.org_id,
            base_url=_base_url(connection),
            token_url=extra.token_url,
            scopes=extra.scopes or DEFAULT_SCOPES,
            timeout=extra.timeout,
            verify=extra.verify,
            proxy=extra.proxy,
            insecure=extra.insecure,
            download_hosts=extra.download_hosts or DOWNLOAD_HOSTS,
        )
        host_network.check(extra.verify, extra.proxy)
    except host_network.HostFault as fault:
        raise SettingsError(f"{place}{fault}") from None
    except ValueError as error:
        name, _, rest = str(error).partition(" ")
        fields = {"client_id": "login", "client_secret": "password", "base_url": "host"}
        shown = f"{fields[name]} ({name})" if name in fields else f"extra.{name}"
        raise SettingsError(f"{place}{shown} {rest}") from None
    contexts = [CompanyContext(namespace=IMS_ORG, value=extra.org_id)]
    try:
        contexts += [CompanyContext(**item) for item in extra.company_contexts]
    except (TypeError, ValueError):
        raise SettingsError(
            f'{place}extra.company_contexts must be a list like [{{"namespace": …, "value": …}}]'
        ) from None
    if any(is_organisation(each.namespace) and each.value != extra.org_id for each in contexts):
        raise SettingsError(
            f"{place}extra.company_contexts names another organisation than extra.org_id: leave it out"
        )
    own, further = contexts[:1], [each for each in contexts if not is_organisation(each.namespace)]
    return ServiceSettings(
        client=client,
        products=extra.products,
        company_contexts=(*own, *further),
        daily_job_limit=extra.daily_job_limit,
        schedule_share=extra.schedule_share,
        list_lag=extra.list_lag,
        strict_identities=extra.strict_identities,
        options=extra.said(),
    )


def _base_url(connection: ConnectionFields) -> str:
    host = (connection.host or "").strip().rstrip("/")
    if not host:
        return DEFAULT_BASE_URL
    if "://" not in host:
        host = f"{connection.schema or 'https'}://{host}"
    if connection.port and f":{connection.port}" not in host:
        scheme, _, rest = host.partition("://")
        name, slash, path = rest.partition("/")
        host = f"{scheme}://{name}:{connection.port}{slash}{path}"
    return host


def key_settings(connection: ConnectionFields | None, conn_id: str) -> KeySettings:
    """Reads the connection of the key. Raises SettingsError: without it, results would lie there for everyone."""
    if connection is None:
        raise NotThere(
            f"the Airflow variable privacy_archive_options: key_conn_id names the connection {conn_id}, which does "
            "not exist, or access to it is denied"
        )
    extra = checked(_KeyExtra, extra_of(connection), lambda path: f"connection {conn_id}: extra.{path}")
    identities = tuple((connection.password or "").split())
    if extra.recipients and extra.kms_key_id:
        raise SettingsError(f"connection {conn_id}: extra.recipients and extra.kms_key_id: give one of them")
    if not (extra.recipients or extra.kms_key_id or identities):
        raise SettingsError(
            f"connection {conn_id} holds no key: give extra.recipients, the password or extra.kms_key_id"
        )
    return KeySettings(conn_id=conn_id, identities=identities, **extra.model_dump())
