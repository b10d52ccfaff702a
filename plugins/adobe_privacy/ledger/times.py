"""Times as Adobe tells them: mostly in whole minutes, and by a clock of its own."""

from __future__ import annotations

from datetime import UTC, datetime


def not_before(end: datetime | None, beginning: datetime | None) -> datetime | None:
    """When something ended. Adobe cuts the seconds off, so the end of a quick job seems to lie before its beginning."""
    return beginning if end is not None and beginning is not None and end < beginning else end


def as_told(moment: datetime | None) -> str | None:
    """A time of Adobe's in ISO 8601, in UTC: minutes stay minutes, since no second is known."""
    if moment is None:
        return None
    precision = "seconds" if moment.second else "minutes"
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
