"""Keeps httpx and httpcore from logging what they see of our requests.

httpx logs every URL at INFO (a download address may be all that is needed to fetch a result); httpcore logs
response headers, exceptions with pieces of the body, and the proxy's credentials at DEBUG. Only records
from inside `quiet()` are dropped, so other users of the two libraries in the same process keep their logs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LOGGERS = (
    "httpx",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
_quiet: ContextVar[bool] = ContextVar("adobe_privacy_quiet_logs", default=False)


class _DropOurs(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _quiet.get()


_filter = _DropOurs()


def install() -> None:
    """Add the filter; doing so again does no harm."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_filter)


@contextmanager
def quiet() -> Iterator[None]:
    """Never hold this across a `yield` to a caller: the flag would silence the caller's own requests."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)
