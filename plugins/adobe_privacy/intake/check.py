"""Reads a file as the inbox would, without a ledger and without sending anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from adobe_privacy.intake.catalogue import Context
from adobe_privacy.intake.inbox import KINDS, Line, Reading, is_request_file
from adobe_privacy.intake.options import as_text
from adobe_privacy.intake.request import CONFLICT, PrivacyRequest, check_request

_PIECE = 1024 * 1024


@dataclass(frozen=True)
class CheckedLine:
    """A request with its warnings, or a refusal with its reason. Holds no identity."""

    line: int
    request_id: str | None
    request: PrivacyRequest | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    reason: str | None = None


@dataclass
class Check:
    """What a file was taken for, and its lines."""

    taken_for: str = ""
    lines: list[CheckedLine] = field(default_factory=list)

    def request_rows(self) -> list[dict[str, Any]]:
        """The requests that would be taken, for a table."""
        return [
            {
                "line": line.line,
                "request_id": line.request_id,
                "regulation": line.request.regulation,
                "actions": ", ".join(line.request.actions),
                "products": ", ".join(line.request.products) or "the connection's",
                "identities": len(line.request.identities),
                "received": f"{line.request.received_at}",
                "options": as_text(line.request.said()),
                "warnings": "; ".join(line.warnings),
            }
            for line in self.lines
            if line.request is not None
        ]

    def refused_rows(self) -> list[dict[str, Any]]:
        return [
            {"line": line.line, "request_id": line.request_id, "reason": line.reason} for line in self.refused
        ]

    @property
    def refused(self) -> list[CheckedLine]:
        return [line for line in self.lines if line.reason is not None]


def check_file(path: Path, day: date, products: Sequence[str] = (), *, strict: bool = False) -> Check:
    """Reads one file of requests that arrived on `day`. `products` serve requests that name none.

    What only the ledger knows is not told: whether a request id was used before in another file. Raises OSError.
    """
    return check_content(path.name, lambda: _pieces(path), day, products, strict=strict)


def check_content(
    name: str,
    open_: Callable[[], Iterator[bytes]],
    day: date,
    products: Sequence[str] = (),
    *,
    strict: bool = False,
    organisation: str | None = None,
    contexts: Sequence[Context] | None = None,
) -> Check:
    """The same for what a file of this name would hold; `open_` gives its bytes, each time from the beginning."""
    check = Check()
    if not is_request_file(name):
        reason = f"not read: only {KINDS} hold requests"
        check.lines.append(CheckedLine(0, None, reason=reason))
        return check
    reading = Reading(name, open_, day)
    seen: dict[str, bytes] = {}
    check.lines = [
        _checked(line, products, seen, strict=strict, organisation=organisation, contexts=contexts)
        for line in reading
    ]
    check.taken_for = reading.taken_for
    return check


def folder_day(path: Path) -> date | None:
    """The day of the inbox folder that a file lies in, if it lies in one."""
    try:
        return date.fromisoformat(path.absolute().parent.name)
    except ValueError:
        return None


def _checked(
    line: Line,
    products: Sequence[str],
    seen: dict[str, bytes],
    *,
    strict: bool,
    organisation: str | None,
    contexts: Sequence[Context] | None,
) -> CheckedLine:
    request = line.request
    if request is None:
        return CheckedLine(line.number, line.request_id, reason=line.reason)
    asked = request.products or tuple(products)
    verdict = check_request(
        request, asked, strict=strict, organisation=organisation, contexts=contexts, places=line.places
    )
    # Without products, the connection's are asked, which are not known here.
    reason = verdict.problem if asked else None
    if seen.setdefault(request.request_id, request.content()) != request.content():
        reason = CONFLICT
    if reason:
        return CheckedLine(line.number, request.request_id, reason=reason)
    return CheckedLine(line.number, request.request_id, request, verdict.warnings)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
