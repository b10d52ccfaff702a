"""By which proxy an address is asked, and which certificate authorities are trusted on the way."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import httpx

from adobe_privacy import host_network
from adobe_privacy.api.config import ClientConfig


class Routes(httpx.AsyncBaseTransport):
    """Sends each request by the proxy that holds for its address, or by none."""

    def __init__(self, tls: ssl.SSLContext, proxy_of: Callable[[str], str | None]) -> None:
        self._tls = tls
        self._proxy_of = proxy_of
        self._ways: dict[str | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        address = self._proxy_of(str(request.url))
        if address not in self._ways:
            # A proxy that is asked over TLS is trusted by the same authorities.
            tls = self._tls if address is not None and address.startswith("https:") else None
            proxy = None if address is None else httpx.Proxy(address, ssl_context=tls)
            self._ways[address] = httpx.AsyncHTTPTransport(verify=self._tls, proxy=proxy, trust_env=False)
        return await self._ways[address].handle_async_request(request)

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()


def proxies(config: ClientConfig) -> Callable[[str], str | None]:
    """The proxy of an address, by the connection or else by the environment. Raises HostFault."""
    if config.proxy is None:
        return host_network.environment_proxies().of
    proxy = config.proxy or None
    return lambda _address: proxy


def tls_context(verify: bool | str) -> ssl.SSLContext:
    """Raises HostFault."""
    place = host_network.authorities(verify)
    if place is not None:
        return host_network.context(place)
    return httpx.create_ssl_context(verify is not False, trust_env=False)
