"""The one URI form for inbox and archive."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import unquote, urlsplit

from adobe_privacy.storage.errors import InvalidLocation

Scheme = Literal["file", "s3", "gs", "abfss"]

_FORMS = (
    "file:///path, s3://conn_id@bucket/prefix, gs://conn_id@bucket/prefix or "
    "abfss://conn_id@container@account.dfs.core.windows.net/prefix (conn_id@ may be left out)"
)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_CONTAINER = re.compile(r"[A-Za-z0-9$][A-Za-z0-9-]{0,62}")


@dataclass(frozen=True)
class Location:
    """A parsed URI.

    `bucket` is the bucket or container, empty for files; `prefix` the path below it without slashes at its
    ends, for files the absolute path; `host` the Azure account host where the URI names one.
    """

    scheme: Scheme
    bucket: str
    prefix: str
    conn_id: str | None = None
    host: str | None = None

    @property
    def uri(self) -> str:
        """The location as a URI that `parse_location` reads back; it holds no credentials."""
        if self.scheme == "file":
            return f"file://{self.prefix}"
        authority = "@".join(part for part in (self.conn_id, self.bucket, self.host) if part)
        return f"{self.scheme}://{authority}/{self.prefix}".rstrip("/")

    @property
    def public_uri(self) -> str:
        """The URI without the connection: where it is, for whoever reaches it in another way."""
        return replace(self, conn_id=None).uri

    def object_uri(self, key: str) -> str:
        """The URI of an object of this location, for messages."""
        return f"{self.uri.rstrip('/')}/{key}" if key else self.uri

    def __str__(self) -> str:
        return self.uri


def parse_location(uri: str) -> Location:
    """Read a location.

    The connection stands before the last part of the authority, as Airflow's ObjectStoragePath writes it. For
    Azure the account may follow the container (`container@account.dfs.core.windows.net`) or come from the
    connection; the two cannot be confused, since a container name has no dot and an account host has one.

    Raises `InvalidLocation`, naming what is wrong. A password in the URI is refused, and not repeated.
    """
    shown = re.sub(r"://[^/]*@", "://…@", uri)
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise InvalidLocation(f"cannot read the location {shown!r}; write {_FORMS}", uri=shown) from None
    if parts.query or parts.fragment:
        raise InvalidLocation(f"the location {shown!r} must not hold '?' or '#'", uri=shown)
    if parts.scheme == "file":
        return _file(uri, parts.netloc, unquote(parts.path))
    if parts.scheme not in ("s3", "gs", "abfss"):
        found = f"the scheme {parts.scheme!r}" if parts.scheme else "no scheme"
        raise InvalidLocation(f"the location {shown!r} has {found}; write {_FORMS}", uri=shown)
    prefix = unquote(parts.path).strip("/")
    if any(segment in ("", ".", "..") for segment in prefix.split("/") if prefix):
        raise InvalidLocation(f"the location {shown!r} has an empty, '.' or '..' path segment", uri=shown)
    *before, last = parts.netloc.split("@")
    host = None
    if parts.scheme == "abfss" and re.search(r"[.:]", last):
        host = last
        last = before.pop() if before else ""
    if len(before) > 1:
        raise InvalidLocation(f"the location {shown!r} has too many '@'; write {_FORMS}", uri=shown)
    conn_id = unquote(before[0]) if before else None
    if conn_id is not None and not re.fullmatch(r"[\w.\-]+", conn_id):
        raise InvalidLocation(
            f"the part before '@' in {shown!r} must be a connection id; passwords belong in the connection",
            uri=shown,
        )
    pattern = _CONTAINER if parts.scheme == "abfss" else _BUCKET
    if not pattern.fullmatch(last):
        kind = "container" if parts.scheme == "abfss" else "bucket"
        raise InvalidLocation(f"the location {shown!r} names no valid {kind}; write {_FORMS}", uri=shown)
    scheme: Scheme = "s3" if parts.scheme == "s3" else "gs" if parts.scheme == "gs" else "abfss"
    return Location(scheme=scheme, bucket=last, prefix=prefix, conn_id=conn_id, host=host)


def _file(uri: str, netloc: str, path: str) -> Location:
    if netloc not in ("", "localhost"):
        raise InvalidLocation(
            f"the location {uri!r} has a host; a folder is written with three slashes: file:///path", uri=uri
        )
    if not path.startswith("/") or "\0" in path:
        raise InvalidLocation(f"the location {uri!r} names no absolute path; write file:///path", uri=uri)
    if ".." in path.split("/"):
        raise InvalidLocation(f"the location {uri!r} has a '..' path segment", uri=uri)
    return Location(scheme="file", bucket="", prefix="/" + path.strip("/"))
