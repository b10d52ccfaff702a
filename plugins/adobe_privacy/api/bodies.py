"""How much of an answer is taken, in which form, and how slowly it may come."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

MIB = 1024**2
MAX_ANSWER = 8 * MIB
"""Of a listing page of 1,000 rows, a detail or the answer to 1,000 users: many times what Adobe was seen to send."""

MAX_ERROR = 256 * 1024
MAX_VALUES = 600_000
"""Objects, lists and their parts in one answer. Reading more of them would hold up everything else in the process for
more than a fifth of a second."""

ACCEPTED = "gzip"
RATE_WINDOW = 120.0
"""Seconds of waiting over which the rate of a download is measured."""


class Unacceptable(Exception):
    """The body is larger than it may be, or in a form that is not read; the text says which."""


def decoded(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its content coding. Raises `Unacceptable` before it takes more than `limit` bytes."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Unacceptable("is in a content coding that was not asked for")
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = inflate.decompress(body, limit + 1)
    except zlib.error:
        raise Unacceptable("is not in the content coding that it names") from None
    if len(plain) > limit:
        raise Unacceptable(f"is larger than {limit} bytes")
    if not inflate.eof:
        raise Unacceptable("is cut off")
    return plain


def read_json(body: bytes) -> Any:
    """The value. Raises ValueError or RecursionError where it is none, or has too many parts."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise ValueError("too many values")
    return json.loads(body)


class Pace:
    """Notices a body that drips in. Only waiting counts: a slow reader of the body does not make it slow.

    `least_rate` is in bytes a second, over each `RATE_WINDOW`; `longest` is the limit on all waiting, in seconds.
    """

    def __init__(self, least_rate: float, longest: float, clock: Callable[[], float]) -> None:
        self._least_rate, self._longest, self._clock = least_rate, longest, clock
        self._total = self._window = 0.0
        self._bytes = 0
        self._since = 0.0

    def wait(self) -> None:
        """The next piece is being waited for."""
        self._since = self._clock()

    def arrived(self, size: int) -> bool:
        """A piece has come. False where the body is too slow to go on."""
        spent = self._clock() - self._since
        self._total += spent
        self._window += spent
        self._bytes += size
        if self._total > self._longest:
            return False
        if self._window < RATE_WINDOW:
            return True
        fast_enough = self._bytes >= self._least_rate * self._window
        self._window, self._bytes = 0.0, 0
        return fast_enough


def parse(model: type[M], body: bytes, defaults: Mapping[str, Any] = MappingProxyType({})) -> M | None:
    """The model, or None for a body that does not hold it. `defaults` fill in what the answer leaves out."""
    try:
        data = read_json(body)
        if isinstance(data, Mapping):
            data = {**data, **{name: value for name, value in defaults.items() if data.get(name) is None}}
        return model.model_validate(data)
    except (ValidationError, ValueError, RecursionError):
        return None
