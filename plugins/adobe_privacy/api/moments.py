"""Times as Adobe tells them: mostly in whole minutes, and by a clock of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, PlainSerializer


def as_told(moment: datetime | None) -> str | None:
    """A time of Adobe's in ISO 8601, in UTC: minutes stay minutes, since no second is known."""
    if moment is None:
        return None
    precision = "seconds" if moment.second else "minutes"
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


Told = Annotated[AwareDatetime, PlainSerializer(as_told, return_type=str, when_used="json")]
"""A field of a model that holds a time of Adobe's."""


def as_exact(moment: datetime, told: datetime | None) -> datetime:
    """`moment` where Adobe told it, else its minute: what stands for a time of Adobe's is no more exact than those."""
    return moment if moment == told else moment.replace(second=0, microsecond=0)
