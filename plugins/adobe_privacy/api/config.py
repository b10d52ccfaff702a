"""How to reach one organisation's Privacy Service."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from adobe_privacy.api.addresses import DOWNLOAD_HOSTS, is_loopback
from adobe_privacy.api.facts import GATEWAY_TIMEOUT, PAGE_SIZE
from adobe_privacy.host_network import Proxy

DEFAULT_BASE_URL = "https://platform.adobe.io/data/core/privacy"
DEFAULT_TOKEN_URL = "https://ims-na1.adobelogin.com/ims/token/v3"
# No scope is documented for the Privacy Service; this set is reported to work. What a credential may do
# comes from its product profile, not from here.
DEFAULT_SCOPES = (
    "openid",
    "AdobeID",
    "read_organizations",
    "additional_info.projectedProductContext",
    "session",
)


@dataclass(frozen=True)
class ClientConfig:
    """Address, credential and patience of a client. Its repr shows neither secret nor proxy.

    Raises ValueError, naming the setting, where a value can't work. Nothing is sent to find out.
    """

    client_id: str
    client_secret: str = field(repr=False)
    org_id: str
    base_url: str = DEFAULT_BASE_URL
    token_url: str = DEFAULT_TOKEN_URL
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    timeout: float = GATEWAY_TIMEOUT
    """Seconds for a connection to answer; Adobe's gateway drops a request after 60 itself (best practices
    page).
    """
    verify: bool | str = True
    """True for the usual authorities, False for none, or the path of a file or folder of authorities."""
    proxy: Proxy = field(default=None, repr=False)
    """An address, False for no proxy, or None for what the environment says."""
    page_size: int = PAGE_SIZE
    """Rows asked for per listing page; 1,000 is the documented maximum, and the client copes with a smaller
    one.
    """
    retry_attempts: int = 5
    """How often a GET or a token request is sent at most. A request that creates something is never repeated.
    """
    retry_budget: float = 120.0
    """Seconds after the first attempt of a GET within which another one may begin."""
    retry_base_delay: float = 1.0
    """Seconds; the n-th wait is drawn evenly from 0 to this times 2^n (exponential back-off, full jitter)."""
    retry_after_cap: float = 60.0
    """Seconds that one wait may last at most. Where the service asks for more with Retry-After, the call fails."""
    insecure: bool = False
    """Allows plain http to hosts other than this machine: then the secret and every answer can be read on the way."""
    download_hosts: tuple[str, ...] = DOWNLOAD_HOSTS
    """Hosts, besides the API's own, from which results may be fetched; `*` stands for any letters."""
    least_rate: float = 1024.0
    """Bytes a second that a download must bring, measured over two minutes of waiting."""
    longest_download: float = 6 * 3600.0
    """Seconds that a download may be waited for in all."""

    def __post_init__(self) -> None:
        for name in ("client_id", "client_secret", "org_id"):
            value = getattr(self, name)
            if not value:
                raise ValueError(f"{name} is empty: give the value from the Adobe Developer Console.")
            # These go into headers, where httpx and h11 would print the value in their own errors.
            if not value.isascii() or not value.isprintable() or value != value.strip():
                raise ValueError(
                    f"{name} has blanks around it or characters no header can carry: copy it anew."
                )
        for name in ("base_url", "token_url"):
            if not _is_address(getattr(self, name)):
                raise ValueError(f"{name} must be an absolute http(s) address such as {DEFAULT_BASE_URL}.")
            parts = urlsplit(getattr(self, name))
            if parts.username or parts.password or parts.query or parts.fragment:
                raise ValueError(f"{name} must hold no user, password, query or fragment.")
            if parts.scheme == "http" and not (self.insecure or is_loopback(parts.hostname or "")):
                raise ValueError(
                    f"{name} must begin with https: over http the secret and personal data can be read on the way. "
                    "Set extra.insecure to allow it."
                )
        if self.proxy and not _is_address(self.proxy):
            raise ValueError(
                "proxy must be an absolute http(s) address such as http://proxy.example.com:3128."
            )
        for name in ("timeout", "retry_attempts", "page_size", "longest_download"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0.")
        for name in ("retry_budget", "retry_base_delay", "retry_after_cap", "least_rate"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more.")


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
