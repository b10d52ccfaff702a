"""The requests of a person, by one identity, which is kept nowhere. The page and the command ask here."""

from __future__ import annotations

import unicodedata

from adobe_privacy.intake.catalogue import STANDARD_NAMESPACES, standard_namespace
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import AccessKind

_BY_LOWER = {name.lower(): name for name in STANDARD_NAMESPACES}


def is_adobes(namespace: str) -> bool:
    """Whether it is one of Adobe's namespaces, in any case, and none of one's own."""
    return namespace.lower() in _BY_LOWER


def _spellings(namespace: str) -> set[str]:
    """A standard namespace is one by its name and by its number."""
    name = standard_namespace(namespace) or standard_namespace(namespace, "namespaceId")
    number = STANDARD_NAMESPACES[name] if name else None
    return {namespace, *filter(None, (name, None if number is None else str(number)))}


def find_person(ledger: Ledger, namespace: str, value: str, *, limit: int) -> tuple[list[str], bool]:
    """The ids of the requests that hold this identity, `limit` at most, and whether there are more. The ledger keeps
    who asked, by which of Adobe's namespaces, and how many there are, and not the value."""
    prints = {
        ledger.intake.person_print(name, spelt)
        for name in _spellings(namespace)
        for spelt in (value, *(unicodedata.normalize(form, value) for form in ("NFC", "NFD")))
    }
    found = ledger.search.by_prints(prints, limit=limit + 1)
    by = _BY_LOWER.get(namespace.lower(), "a namespace of your own")
    more = len(found) > limit
    count = f"more than {limit}" if more else f"{len(found)}"
    ledger.accesses.note(AccessKind.SEARCHED, f"for a person, by {by}: {count} requests found")
    return found[:limit], more
