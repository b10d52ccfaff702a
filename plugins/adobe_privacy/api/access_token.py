"""The access token: fetched once for everyone who waits for it, kept, and renewed before it runs out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from adobe_privacy.api.bodies import ACCEPTED, read_json
from adobe_privacy.api.config import ClientConfig
from adobe_privacy.api.errors import (
    AuthenticationFailed,
    NotFound,
    PermissionDenied,
    PrivacyServiceError,
    RequestRefused,
    UnreadableAnswer,
)
from adobe_privacy.api.transport import USER_AGENT, Call, Transport

_ROUTE = "token"
_RENEW_EARLY = timedelta(minutes=5)
_DEFAULT_LIFETIME = 3600.0


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    renew_at: datetime


class AccessToken:
    """Tokens by client credentials (Adobe Developer Console, "Server to Server authentication", IMS).

    At most one token request is under way at a time, because IMS throttles clients that ask for many.
    """

    def __init__(self, config: ClientConfig, transport: Transport) -> None:
        self._config = config
        self._transport = transport
        self._token: _Token | None = None
        self._fetching: asyncio.Task[_Token] | None = None

    async def get(self, *, refused: str | None = None) -> str:
        """A token that is not about to run out, and not the one that the API has just `refused`."""
        token = self._token
        if token is not None and token.value != refused and self._transport.now() < token.renew_at:
            return token.value
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._transport.repeating(self._fetch))
            self._fetching.add_done_callback(self._fetched)
        # Shielded: one caller's cancellation must not take the token away from the others.
        return (await asyncio.shield(self._fetching)).value

    async def aclose(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _fetched(self, task: asyncio.Task[_Token]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _fetch(self) -> _Token:
        asked_at = self._transport.now()
        call = Call(
            "POST",
            _ROUTE,
            httpx.URL(self._config.token_url),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": ACCEPTED},
            form={
                "grant_type": "client_credentials",
                "client_id": self._config.client_id,
                "client_secret": self._config.client_secret,
                "scope": ",".join(self._config.scopes),
            },
        )
        failure: PrivacyServiceError
        try:
            return _read_token(await self._transport.exchange(call), asked_at)
        except (AuthenticationFailed, NotFound, PermissionDenied, RequestRefused) as error:
            failure = AuthenticationFailed(
                "no access token is given out. Check client id, client secret, scopes and the token URL.",
                step="token",
                method="POST",
                route=_ROUTE,
                status=error.status,
                code=error.code,
            )
        raise failure


def _read_token(body: bytes, asked_at: datetime) -> _Token:
    try:
        data = read_json(body)
    except (ValueError, RecursionError):
        data = None
    value = data.get("access_token") if isinstance(data, Mapping) else None
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise UnreadableAnswer(
            "the answer holds no access token. Check the token URL.", method="POST", route=_ROUTE
        ) from None
    try:
        lifetime = float(data["expires_in"])
    except (KeyError, TypeError, ValueError):
        lifetime = _DEFAULT_LIFETIME
    if lifetime > 1_000_000:
        lifetime /= 1000  # the older token endpoint counted in milliseconds
    lifetime = min(max(lifetime, 0.0), 86400.0)  # NaN becomes 0
    early = min(_RENEW_EARLY, timedelta(seconds=lifetime / 2))
    return _Token(value, asked_at + timedelta(seconds=lifetime) - early)
