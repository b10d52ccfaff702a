"""Where a client may go: for tokens and calls over https, for results to hosts that are known."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from fnmatch import fnmatchcase

# The API gives its own address. Older answers gave Adobe's storage accounts at Azure.
DOWNLOAD_HOSTS = ("*.adobe.io", "*.adobe.com", "*gdprprodblob.blob.core.windows.net")


def is_loopback(host: str) -> bool:
    """Whether the name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_listed(host: str, patterns: Iterable[str]) -> bool:
    """Whether a host is one of these names; `*` stands for any letters."""
    return any(fnmatchcase(host.lower(), pattern.lower()) for pattern in patterns)


async def leads_inside(host: str) -> bool:
    """Whether a host has an address of this machine, its link or a private network. False where it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(not _is_public(str(address[0])) for *_, address in found)


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_global
