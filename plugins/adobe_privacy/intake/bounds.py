"""How much a line may hold."""

from __future__ import annotations

from typing import Any

# A person has a few dozen identifiers. What has more is a list of persons, and would use up a day's jobs.
MAX_OF_ONE_PERSON = 200
# More fields than any request has; their faults would only fill the report.
MAX_FIELDS = 40


def too_many(fields: dict[str, Any]) -> str | None:
    """What would cost more to look into than it can be worth."""
    if len(fields) > MAX_FIELDS:
        return f"{len(fields)} fields, which no request has"
    for name in ("actions", "products", "company_contexts"):
        some = fields.get(name)
        if isinstance(some, list) and len(some) > MAX_FIELDS:
            return f"{name}: {len(some)} of them, more than Adobe has"
    identities = fields.get("identities")
    if isinstance(identities, list) and len(identities) > MAX_OF_ONE_PERSON:
        return (
            f"identities: {len(identities)} of them, more than the {MAX_OF_ONE_PERSON} that one person may have; "
            "is it a list of persons?"
        )
    for name in ("identities", "company_contexts"):
        some = fields.get(name)
        for each in some if isinstance(some, list) else ():
            if isinstance(each, dict) and len(each) > MAX_FIELDS:
                return f"{name}: one of them has {len(each)} fields, which none has"
    return None
