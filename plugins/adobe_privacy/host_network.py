"""The proxies and certificate authorities that the environment of this process names.

A variable is used, or refused by a line that names the variable: never passed over in silence.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
Proxy = str | Literal[False] | None
"""A proxy's address; False for none at all; None for what the environment says."""


class HostFault(ValueError):
    """A variable, or the path of a setting, cannot be used; the text begins with its name."""


@dataclass(frozen=True)
class _Exempt:
    """One entry of NO_PROXY: a network, or a name with all names below it; at one port or at any."""

    network: IPv4Network | IPv6Network | None
    name: str
    port: int | None

    def holds_for(self, host: str, port: int | None) -> bool:
        if self.port not in (None, port):
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return self.network is None and (self.name in ("*", host) or host.endswith(f".{self.name}"))
        return address in self.network if self.network is not None else self.name == "*"


@dataclass(frozen=True)
class Proxies:
    """The environment's proxies by the scheme of an address, and the hosts that are asked without one."""

    by_scheme: dict[str, str]
    exempt: tuple[_Exempt, ...]

    def of(self, address: str) -> str | None:
        """The proxy for an address; None where it is asked directly."""
        parts = urlsplit(address)
        proxy = self.by_scheme.get(parts.scheme)
        host = (parts.hostname or "").lower()
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return None if any(entry.holds_for(host, port) for entry in self.exempt) else proxy


def environment_proxies() -> Proxies:
    """HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; small letters are asked first, as other programs do.

    Raises HostFault, which names the variable and repeats no address: it may hold a password."""
    name, said = _variable("no_proxy")
    exempt = tuple(_exempt(entry, name) for entry in said.split(",") if entry.strip())
    if any(entry.name == "*" and entry.port is None for entry in exempt):
        return Proxies({}, ())
    by_scheme = {}
    for scheme in ("http", "https"):
        # A request's header Proxy would arrive as HTTP_PROXY in a CGI program: Python's own rule, too.
        names = [f"{scheme}_proxy", "all_proxy"]
        name, said = next((found for found in map(_variable, names) if found[1]), ("", ""))
        if said:
            by_scheme[scheme] = _proxy(said, name)
    return Proxies(by_scheme, exempt)


def _variable(name: str) -> tuple[str, str]:
    for spelt in (name, name.upper()):
        if said := os.environ.get(spelt, "").strip():
            return spelt, said
    return name.upper(), ""


def _proxy(said: str, name: str) -> str:
    address = said if "://" in said else f"http://{said}"
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if address.lower().startswith("socks"):
        raise HostFault(
            f"the environment variable {name} names a SOCKS proxy, which is not supported: name an HTTP proxy there, "
            "or set proxy in the connection's extra (false: no proxy)"
        )
    if not usable or parts.scheme not in ("http", "https"):
        raise HostFault(
            f"the environment variable {name} holds no address such as http://proxy.example.com:3128"
        )
    return address


def _exempt(entry: str, name: str) -> _Exempt:
    host, port = entry.strip().lower().rpartition("://")[2], ""
    if host.startswith("[") and "]" in host:
        host, _, port = host[1:].partition("]")
        port = port.removeprefix(":")
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    try:
        number = int(port) if port else None
        with contextlib.suppress(ValueError):
            return _Exempt(ip_network(host, strict=False), host, number)
        # What looks like an address and is none would exempt nothing as a name, and nobody would know.
        if any(sign in host for sign in ":/[] ") or not host.isprintable():
            raise ValueError
    except ValueError:
        raise HostFault(
            f"the environment variable {name} has an entry that is no host name, address or network: {entry.strip()}"
        ) from None
    return _Exempt(None, host.removeprefix("*.").lstrip(".") if host != "*" else host, number)


def authorities(
    verify: bool | str, field: str = "verify", variables: tuple[str, ...] = AUTHORITIES
) -> Path | None:
    """The file or folder of certificate authorities that the setting names, or else the first variable that is set;
    None where neither does. Raises HostFault, which names the one that cannot be used."""
    if verify is False:
        return None
    source, path = (field, verify) if isinstance(verify, str) else ("", "")
    if not path:
        found = next((name for name in variables if os.environ.get(name)), None)
        if found is None:
            return None
        source, path = f"the environment variable {found}", os.environ[found]
    place = Path(path)
    try:
        if not place.exists():
            raise HostFault(
                f"{source}: {path} does not exist; name a file or folder of certificate authorities"
            )
        # Read whole by whoever uses it: here for every connection, and so only looked at.
        holds = any(place.iterdir()) if place.is_dir() else b"-----BEGIN" in place.read_bytes()
    except OSError:
        holds = False
    if not holds:
        raise HostFault(f"{source}: {path} holds no readable certificate authorities")
    return place


def check(verify: bool | str, proxy: Proxy, field: str = "extra.verify") -> None:
    """Raises HostFault where what a connection is asked with cannot be used."""
    authorities(verify, field)
    if proxy is None:
        environment_proxies()


def context(place: Path) -> ssl.SSLContext:
    """Trusts the authorities of a file or folder, and no others. Raises HostFault."""
    folder = place.is_dir()
    try:
        return ssl.create_default_context(cafile=None if folder else place, capath=place if folder else None)
    except OSError:
        raise HostFault(f"{place} holds no readable certificate authorities") from None


def pem(place: Path) -> bytes:
    """The authorities of a file, or of all files of a folder."""
    files = sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else [place]
    return b"\n".join(path.read_bytes() for path in files)
