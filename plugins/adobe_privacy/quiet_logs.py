"""Keeps other libraries from logging what they see of our requests.

httpx logs every URL at INFO (a download address may be all that is needed to fetch a result); httpcore logs
response headers, exceptions with pieces of the body, and the proxy's credentials at DEBUG; botocore logs whole requests
and answers at DEBUG, so the data keys that AWS KMS wraps, and the credentials that AWS STS gives out. Only records
from inside `quiet()` are dropped, so other users of these libraries in the same process keep their logs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HTTP = ("httpx", "httpcore", "h11")
AWS = ("boto3", "botocore", "urllib3", "aiobotocore")

# A filter counts for its own logger only, not for those below it. These may be made after `install`.
_LOGGERS = (
    "httpx",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "botocore.auth",
    "botocore.endpoint",
    "botocore.hooks",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.retryhandler",
    "urllib3.connectionpool",
)
_quiet: ContextVar[bool] = ContextVar("adobe_privacy_quiet_logs", default=False)


class _DropOurs(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _quiet.get()


_filter = _DropOurs()


def install(*libraries: str) -> None:
    """Add the filter to every logger of these libraries that there is; doing so again does no harm."""
    names = {name for name in list(logging.root.manager.loggerDict) if name.split(".")[0] in libraries}
    for name in names.union(_LOGGERS):
        logging.getLogger(name).addFilter(_filter)


@contextmanager
def quiet() -> Iterator[None]:
    """Never hold this across a `yield` to a caller: the flag would silence the caller's own requests."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)
