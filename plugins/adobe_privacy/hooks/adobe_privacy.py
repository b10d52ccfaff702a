"""The `adobe_privacy` connection: from its fields to a client of the Privacy Service."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from airflow.sdk import BaseHook

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.config import ClientConfig
from adobe_privacy.api.errors import NotFound, PrivacyServiceError
from adobe_privacy.hooks.settings import aconnection_fields, connection_fields, fields_of
from adobe_privacy.settings import ServiceSettings, SettingsError, not_found, service_settings


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
        """Raises SettingsError."""
        connection = connection_fields(self.adobe_privacy_conn_id)
        if connection is None:
            raise not_found(self.adobe_privacy_conn_id)
        return service_settings(connection)

    async def asettings(self) -> ServiceSettings:
        """As `settings`, for triggers."""
        connection = await aconnection_fields(self.adobe_privacy_conn_id)
        if connection is None:
            raise not_found(self.adobe_privacy_conn_id)
        return service_settings(connection)

    def get_conn(self) -> PrivacyServiceClient:
        """A client to be used as `async with`."""
        return PrivacyServiceClient(self.settings().client)

    def test_connection(self) -> tuple[bool, str]:
        """Fetches a token, then reads one page of the job list; the answer says which of the two failed."""
        try:
            # Airflow's own look-up: the connection under test may be stored nowhere.
            connection = fields_of(self.get_connection(self.adobe_privacy_conn_id))
            config = replace(service_settings(connection).client, retry_attempts=1, timeout=15.0)
        except SettingsError as problem:
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
