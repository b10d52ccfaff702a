"""Adobe refuses a request whole for one bad user. Halves find that user, so that all others go."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
Name = TypeVar("Name", bound=Hashable)

# After this many refusals, and nobody taken, the fault is not a single user's.
MAX_REFUSALS = 24


class Refusals(Generic[Name]):
    """What was refused since Adobe last took somebody, and whether one bad user explains it.

    `suspects` were refused alone. They are refused for good only where Adobe took others: the fault may be the
    whole request's, or the day's.
    """

    def __init__(self) -> None:
        self.suspects: dict[Name, Exception] = {}
        self.anybody_taken = False
        self._count = 0
        self._since: list[frozenset[Name]] = []

    def taken(self) -> None:
        self.anybody_taken = True
        self._since = []

    def refused(self, names: Collection[Name], error: Exception) -> None:
        self._count += 1
        self._since.append(frozenset(names))
        if len(names) == 1:
            self.suspects[next(iter(names))] = error

    def remember(self, names: Collection[Name]) -> None:
        """A refusal of an earlier call."""
        self._since.append(frozenset(names))

    @property
    def too_many(self) -> bool:
        return self._count > MAX_REFUSALS and not self.anybody_taken

    @property
    def more_than_one_user(self) -> bool:
        """Whether two refusals had no user in common, and nobody was taken in between: no single bad user explains
        that."""
        last = self._since[-1] if self._since else frozenset()
        return any(last.isdisjoint(earlier) for earlier in self._since[:-1])


def halves(rows: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    middle = len(rows) // 2
    return rows[:middle], rows[middle:]
