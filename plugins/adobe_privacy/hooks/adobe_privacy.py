"""The `adobe_privacy` connection: from its fields to a client of the Privacy Service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow.sdk import BaseHook, Connection

from adobe_privacy.api.addresses import DOWNLOAD_HOSTS
from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.config import DEFAULT_BASE_URL, DEFAULT_SCOPES, DEFAULT_TOKEN_URL, ClientConfig
from adobe_privacy.api.errors import NotFound, PrivacyServiceError
from adobe_privacy.api.facts import DAILY_JOBS, GATEWAY_TIMEOUT
from adobe_privacy.api.models import CompanyContext
from adobe_privacy.api.names import include_codes

IMS_ORG = "imsOrgID"


class ConnectionProblem(ValueError):
    """A connection lacks something or has it in a wrong form; the text names the connection and the field."""


@dataclass(frozen=True)
class ServiceSettings:
    """What the connection says beyond how to reach the API."""

    client: ClientConfig
    products: tuple[str, ...]
    company_contexts: tuple[CompanyContext, ...]
    daily_job_limit: int
    schedule_share: float
    list_lag: float


class AdobePrivacyHook(BaseHook):
    """Gives a `PrivacyServiceClient` for a connection. Touches no network before the client is used.

    :param adobe_privacy_conn_id: a connection of type `adobe_privacy`; its fields are listed in docs/settings.md.
    """

    conn_name_attr = "adobe_privacy_conn_id"
    default_conn_name = "adobe_privacy_default"
    conn_type = "adobe_privacy"
    hook_name = "Adobe Privacy Service"

    def __init__(self, adobe_privacy_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.adobe_privacy_conn_id = adobe_privacy_conn_id

    def settings(self) -> ServiceSettings:
        """Raises ConnectionProblem."""
        return service_settings(self.get_connection(self.adobe_privacy_conn_id))

    async def asettings(self) -> ServiceSettings:
        """As `settings`, for triggers."""
        return service_settings(await self.aget_connection(self.adobe_privacy_conn_id))

    def get_conn(self) -> PrivacyServiceClient:
        """A client to be used as `async with`."""
        return PrivacyServiceClient(self.settings().client)

    def test_connection(self) -> tuple[bool, str]:
        """Fetches a token, then reads one page of the job list; the answer says which of the two failed."""
        try:
            config = replace(self.settings().client, retry_attempts=1, timeout=15.0)
        except ConnectionProblem as problem:
            return False, str(problem)
        return asyncio.run(_test(config))


async def _test(config: ClientConfig) -> tuple[bool, str]:
    async with PrivacyServiceClient(config) as client:
        try:
            await client.fetch_token()
        except PrivacyServiceError as error:
            return False, f"No token: {error}"
        try:
            today = client.server_time().date()
            async for _ in client.list_jobs("gdpr", from_date=today, to_date=today):
                break
        except NotFound as error:
            return False, f"A token was given, but reading jobs failed: {error}"
        except PrivacyServiceError as error:
            return False, f"A token was given, but reading jobs failed: {error}"
    return True, "A token was given, and jobs can be read."


def service_settings(connection: Connection) -> ServiceSettings:
    """Reads a connection. Raises ConnectionProblem, which names the field and never a secret."""
    extra = dict(connection.extra_dejson)
    read = _Fields(connection.conn_id, extra)
    org_id = read.text("org_id")
    if not org_id:
        raise read.problem("extra.org_id", "is empty: give the organisation id, which ends in @AdobeOrg")
    contexts = [CompanyContext(namespace=IMS_ORG, value=org_id)]
    contexts += read.contexts("company_contexts")
    try:
        client = ClientConfig(
            client_id=connection.login or "",
            client_secret=connection.password or "",
            org_id=org_id,
            base_url=_base_url(connection),
            token_url=read.text("token_url") or DEFAULT_TOKEN_URL,
            scopes=read.names("scopes") or DEFAULT_SCOPES,
            timeout=read.number("timeout", GATEWAY_TIMEOUT),
            verify=read.verify("verify"),
            proxy=read.text("proxy") or None,
            insecure=read.text("insecure").lower() == "true",
            download_hosts=read.names("download_hosts") or DOWNLOAD_HOSTS,
        )
    except ValueError as error:
        text = str(error)
        for field, shown in (("client_id", "login"), ("client_secret", "password"), ("base_url", "host")):
            text = text.replace(field, f"{shown} ({field})")
        raise ConnectionProblem(f"connection {connection.conn_id}: {text}") from None
    return ServiceSettings(
        client=client,
        products=include_codes(read.names("products")),
        company_contexts=tuple(contexts),
        daily_job_limit=int(read.number("daily_job_limit", DAILY_JOBS)),
        schedule_share=read.number("schedule_share", 0.25),
        list_lag=read.number("list_lag", 300.0),
    )


def _base_url(connection: Connection) -> str:
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


@dataclass(frozen=True)
class _Fields:
    """Reads `extra` as it comes from JSON, a form or an environment variable."""

    conn_id: str
    extra: dict[str, Any]

    def problem(self, field: str, what: str) -> ConnectionProblem:
        return ConnectionProblem(f"connection {self.conn_id}: {field} {what}")

    def text(self, name: str) -> str:
        value = self.extra.get(name)
        return "" if value is None else str(value).strip()

    def number(self, name: str, default: float) -> float:
        value = self.text(name)
        try:
            number = float(value) if value else default
        except ValueError:
            raise self.problem(f"extra.{name}", "is not a number") from None
        if number < 0:
            raise self.problem(f"extra.{name}", "is negative")
        return number

    def names(self, name: str) -> tuple[str, ...]:
        value = self.extra.get(name)
        if value is None or isinstance(value, str):
            return tuple(part.strip() for part in (value or "").split(",") if part.strip())
        if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
            return tuple(item.strip() for item in value if item.strip())
        raise self.problem(f"extra.{name}", "is not a list of names")

    def contexts(self, name: str) -> list[CompanyContext]:
        value = self.extra.get(name) or []
        try:
            return [CompanyContext(namespace=item["namespace"], value=item["value"]) for item in value]
        except (TypeError, KeyError, ValueError):
            raise self.problem(f"extra.{name}", 'is not a list like [{"namespace": …, "value": …}]') from None

    def verify(self, name: str) -> bool | str:
        value = self.extra.get(name, True)
        if isinstance(value, bool):
            return value
        text = str(value).strip()
        if text.lower() in ("", "true", "false"):
            return text.lower() != "false"
        return text
