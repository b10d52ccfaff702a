"""Our errors for those of the library and of the operating system."""

from __future__ import annotations

import re

from obstore.exceptions import (
    AlreadyExistsError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from adobe_privacy.storage.errors import (
    AccessDenied,
    LocationNotFound,
    ObjectExists,
    ObjectNotFound,
    StorageError,
    StorageUnavailable,
    StoreUnfit,
)
from adobe_privacy.storage.location import Location

_OS_ADVICE: dict[int, tuple[type[StorageError], str]] = {
    1: (AccessDenied, "the operating system does not permit it; check owner and permissions"),
    2: (ObjectNotFound, "there is no such file"),
    13: (AccessDenied, "permission denied; check owner and permissions of the folder"),
    20: (LocationNotFound, "a part of the path is a file, not a folder"),
    27: (StorageUnavailable, "the file system takes no larger file; free some space or raise its limit"),
    28: (StorageUnavailable, "no space left on the device; free some space and run again"),
    30: (AccessDenied, "the file system is read-only"),
    122: (StorageUnavailable, "the disk quota is used up; free some space and run again"),
}


_WRONG_REGION = (
    "Received redirect without LOCATION|status code: 30[17]|PermanentRedirect|AuthorizationHeaderMalformed"
    "|IllegalLocationConstraint"
)
# What a store says beside the status 404. A page of somebody in between says nothing of an object.
_OWN_WORDS = r"<Code>\w+</Code>|Bulk delete request failed for key"
STRANGE_ANSWER = (
    "the answer ({}) is not in the store's own words, so nothing is known of the object; check the endpoint, and the "
    "proxy or gateway before it"
)
# What S3 refuses and may take a moment later: the session is renewed, the clock set.
_MAY_PASS = {"ExpiredToken", "RequestTimeTooSkewed", "TokenRefreshRequired"}
# By what the library shows of the error's cause.
_NO_CONNECTION = {
    r"InvalidCertificate\(\s*UnknownIssuer": "the store's certificate is of an authority that is not trusted; name the "
    "authorities in verify in the connection's extra, or in AWS_CA_BUNDLE or SSL_CERT_FILE",
    r"InvalidCertificate\(\s*NotValidForName": "the store's certificate is for another host name; correct the endpoint",
    r"InvalidCertificate\(\s*(Expired|NotValidYet)": "the store's certificate has expired or is not valid yet; check "
    "the clock of this machine, or renew the certificate",
    r"InvalidCertificate": "the store's certificate cannot be trusted; check it and verify in the connection's extra",
    r"InvalidMessage": "the store does not answer with TLS; check whether its endpoint begins with http:// or https://",
    r"AlertReceived": "no TLS connection: the store broke it off; check its endpoint and what TLS it asks for",
    r"TunnelUnsuccessful|ProxyAuthRequired|TunnelUnexpectedEof": "the proxy does not let the connection through; check "
    "the proxy and NO_PROXY, or set proxy in the connection's extra (false: no proxy)",
    r"dns error": "the host name is not known; check the endpoint and the network",
}


def translated(error: Exception, location: Location, key: str, *, writing: bool = False) -> StorageError:
    """Our error for a library's. The library's text stays out: servers quote access keys and signatures."""
    uri = location.object_uri(key)
    if isinstance(error, StorageError):
        return error
    text = str(error)
    number = getattr(error, "errno", None)
    if number is None and (match := re.search(r"\(os error (\d+)\)", text)):
        number = int(match[1])
    if isinstance(error, AlreadyExistsError | PreconditionError):
        return ObjectExists(f"{uri} exists already", uri=uri)
    if location.scheme == "file" and number in _OS_ADVICE:
        kind, advice = _OS_ADVICE[number]
        return kind(f"{uri}: {advice}", uri=uri)
    if location.scheme != "file" and isinstance(error, InvalidPathError):
        return StoreUnfit(
            f"{uri}: an object in it has an empty part (as in a//b), a part that is . or .., or a control character in "
            "its name, with which nothing here can be listed; rename the object, or remove it",
            uri=uri,
        )
    code = re.search(r"<Code>([\w.]+)</Code>", text)
    status = re.search(r"status code: (\d{3})", text)
    answer = " ".join(found[1] for found in (status, code) if found) or type(error).__name__
    missing = isinstance(error, FileNotFoundError)
    if code and code[1] == "NoSuchUpload":
        return StorageUnavailable(f"{uri}: the store knows no such upload any more; run again", uri=uri)
    if missing and status and not re.search(_OWN_WORDS, text):
        return StorageUnavailable(f"{uri}: {STRANGE_ANSWER.format(404)}", uri=uri)
    if (missing and writing) or re.search(r"NoSuchBucket|ContainerNotFound|bucket does not exist", text):
        return LocationNotFound(
            f"{location.uri}: the bucket or container does not exist; create it or correct the URI", uri=uri
        )
    if missing:
        return ObjectNotFound(f"{uri} does not exist", uri=uri)
    if code and code[1] in _MAY_PASS:
        return StorageUnavailable(
            f"{uri}: the store refused ({answer}); renew the session's token, or check the clock of this machine",
            uri=uri,
        )
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return AccessDenied(
            f"{uri}: the store refused ({answer}); check the connection's credentials and permissions",
            uri=uri,
        )
    if "169.254.169.254" in text or "InstanceCredential" in text or "MetadataEndpoint" in text:
        # The machine's service that tells them may be away for a moment.
        return StorageUnavailable(
            f"{uri}: no credentials found; name a connection in the URI (scheme://conn_id@…)", uri=uri
        )
    if re.search(_WRONG_REGION, text):
        return StoreUnfit(
            f"{uri}: the bucket lies in another region; set region_name in the extra of its connection",
            uri=uri,
        )
    if answer in ("501", "501 NotImplemented") or answer.endswith(" NotImplemented"):
        return no_conditions(location, uri, condition="If-None-Match, If-Match")
    for pattern, why in _NO_CONNECTION.items():
        if re.search(pattern, text):
            return StorageUnavailable(f"{uri}: {why}", uri=uri)
    return StorageUnavailable(f"{uri}: the store failed ({answer}); check that it can be reached", uri=uri)


def no_conditions(
    location: Location, uri: str | None = None, *, condition: str = "If-None-Match"
) -> StoreUnfit:
    return StoreUnfit(
        f"{uri or location.uri}: the store does not refuse to replace an object ({condition}), which the archive "
        "needs; use a store that does",
        uri=uri or location.uri,
    )
