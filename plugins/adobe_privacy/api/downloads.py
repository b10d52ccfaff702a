"""A result on its way, and the address that it comes from."""

from __future__ import annotations

import posixpath
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx

from adobe_privacy.api.errors import RequestRefused
from adobe_privacy.api.transport import Call, Transport

CONTENT = "/jobs/{id}/content"
_CONTENT_OF = re.compile(r"/jobs/([^/]+)/content$", re.IGNORECASE)


@dataclass(frozen=True)
class Download:
    """An open download. Both headers are the service's word and None where it gives none.

    A complete transfer is not proof of a whole archive: a body that ends early raises
    `TemporarilyUnavailable` from `chunks`, but an empty body or an error told with status 200 looks like
    any other content here.
    """

    content_length: int | None
    content_type: str | None
    _response: httpx.Response = field(repr=False)
    _call: Call = field(repr=False)
    _transport: Transport = field(repr=False)

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in pieces as they arrive, once. A body that is slower than the config allows is given up."""
        return self._transport.chunks(self._response, self._call)


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, url.port or default


def refused_address(what: str, route: str) -> RequestRefused:
    return RequestRefused(f"{what}.", field="downloadUrl", method="GET", route=route)


def address_of(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        address = httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError):
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise RequestRefused(
            "the download address is not an absolute http(s) address. Ask for the job's detail anew.",
            field="downloadUrl",
            method="GET",
            route=CONTENT,
        )
    return address


def refuse_other(address: httpx.URL, job_id: str) -> None:
    """Refuses an address of the API's that names another job: its result would be given to the wrong person."""
    # Decoded, and without the slashes and dots that a server may pass over.
    named = _CONTENT_OF.search(posixpath.normpath(address.path))
    if named is not None and named.group(1).casefold() != job_id.casefold():
        raise refused_address("the download address is another job's. Ask Adobe, with the job id", CONTENT)
