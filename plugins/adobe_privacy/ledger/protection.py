"""Which protective settings are in force, since when and by whom.

Some secrets backends answer "absent" where access is denied. So what protects people is kept here: once in force, it
stays in force until a person says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.schema import Setting
from adobe_privacy.ledger.unit import Topic

PREFIX = "in_force."
INBOX_DAYS, LEDGER_MONTHS = 30, 24
# What each setting is called, and when a new value protects no less than the old one. An empty value is "off".
_Stricter = Callable[[str, str], bool]
SETTINGS: dict[str, tuple[str, _Stricter]] = {
    "organisation": ("the organisation", lambda old, new: False),
    "approve_deletes": ("approval of deletes", lambda old, new: not old),
    "encryption": ("encryption of results", lambda old, new: not old),
    "signing": ("signing of manifests", lambda old, new: not old),
    "legal_clocks": ("the organisation's own legal clocks", lambda old, new: not old),
    "retention_days": ("retention", lambda old, new: not old),
    # Absent, they mean 30 days and 24 months.
    "inbox_retention_days": (
        "retention of the inbox",
        lambda old, new: bool(new) or int(old or 0) <= INBOX_DAYS,
    ),
    "ledger_retention_months": (
        "retention of the ledger",
        lambda old, new: bool(new) or int(old or 0) <= LEDGER_MONTHS,
    ),
    "daily_job_limit": ("the daily limit of jobs", lambda old, new: int(new) <= int(old)),
}


@dataclass(frozen=True)
class InForce:
    """A setting as it is in force; an empty `value` is off."""

    name: str
    value: str
    since: datetime
    by: str


class Protection(Topic):
    """Compares what a run finds with what is in force."""

    def in_force(self) -> dict[str, InForce]:
        with self.unit.read() as session:
            return _in_force(session)

    def check(self, found: Mapping[str, str]) -> None:
        """Puts what is new or stricter into force. Raises LedgerError where a setting protects less than the one in
        force, and for another organisation: then nothing was changed, and the run must not go on."""
        known = self.in_force()
        changed = {
            name: value for name, value in found.items() if name not in known or known[name].value != value
        }
        if not changed:
            return
        for name, value in changed.items():
            old = known.get(name)
            if old is not None and not SETTINGS[name][1](old.value, value):
                raise LedgerError(_problem(old, value))
        self._put(changed)

    def accept(self, found: Mapping[str, str]) -> list[str]:
        """A person says that these are meant. Returns the names of those that were other before. A ledger belongs to
        one organisation for ever: raises LedgerError for another."""
        known = self.in_force()
        changed = {
            name: value for name, value in found.items() if name not in known or known[name].value != value
        }
        if "organisation" in changed and "organisation" in known:
            raise LedgerError(_problem(known["organisation"], changed["organisation"]))
        self._put(changed)
        return sorted(changed)

    def _put(self, values: Mapping[str, str]) -> None:
        if not values:
            return
        with self.unit.write() as session:
            for name, value in values.items():
                kept = {"value": value, "since": self.unit.now().isoformat(), "by": self.unit.actor[:200]}
                session.merge(Setting(name=PREFIX + name, value=json.dumps(kept)))


def _in_force(session: Session) -> dict[str, InForce]:
    rows = session.scalars(select(Setting).where(Setting.name.startswith(PREFIX, autoescape=True)))
    found = {}
    for row in rows:
        name, kept = row.name.removeprefix(PREFIX), json.loads(row.value)
        found[name] = InForce(name, kept["value"], datetime.fromisoformat(kept["since"]), kept["by"])
    return found


def _problem(old: InForce, value: str) -> str:
    what = SETTINGS[old.name][0]
    since = f"since {old.since:%Y-%m-%d %H:%M} UTC"
    if old.name == "organisation":
        return (
            f"the ledger belongs to the organisation {old.value} {since}; the connection to Adobe is that of {value}: "
            "correct the connection, or give this organisation a ledger of its own"
        )
    now = value or "absent, or access to it is denied"
    return (
        f"{what} was {old.value} {since}, set by {old.by}; it is now {now}: nothing was done. If that is meant, run "
        "`airflow privacy settings accept`"
    )
