"""The requests of a person, by one identity, which is kept nowhere. The page and the command ask here."""

from __future__ import annotations

from adobe_privacy.intake.catalogue import STANDARD_NAMESPACES
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import AccessKind

_BY_LOWER = {name.lower(): name for name in STANDARD_NAMESPACES}


def is_adobes(namespace: str) -> bool:
    """Whether it is one of Adobe's namespaces, in any case, and none of one's own."""
    return namespace.lower() in _BY_LOWER


def find_person(ledger: Ledger, namespace: str, value: str, *, limit: int) -> tuple[list[str], bool]:
    """The ids of the requests that hold this identity, `limit` at most, and whether there are more. The ledger keeps
    who asked, and not what was asked."""
    found = ledger.search.by_prints([ledger.intake.person_print(namespace, value)], limit=limit + 1)
    by = _BY_LOWER.get(namespace.lower(), "a namespace of your own")
    ledger.accesses.note(
        AccessKind.SEARCHED, f"for a person, by {by}: {min(len(found), limit)} requests found"
    )
    return found[:limit], len(found) > limit
