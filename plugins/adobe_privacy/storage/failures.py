"""What cannot be read costs itself only; a store that is down ends the work."""

from __future__ import annotations

from adobe_privacy.storage.errors import StorageUnavailable

FAILURES_IN_A_ROW = 5
"""A store that fails for so many objects in a row is down, and asking it for each of the others helps nobody."""


class Failures:
    """Tells one bad object from a store that is down."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def over(self) -> None:
        self._in_a_row = 0

    def note(self, error: Exception) -> None:
        """Raises the error where it is the last straw."""
        self._in_a_row = self._in_a_row + 1 if isinstance(error, StorageUnavailable) else 0
        if self._in_a_row >= FAILURES_IN_A_ROW:
            raise error
