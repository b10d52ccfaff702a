"""Which Adobe organisations there are: by which names each one's connection, ledger, inbox and archive are found.

The one that is called `default` goes by the usual names. More are listed in Airflow's configuration, which can be read
without a database: `[adobe_privacy] organisations = eu, us`, and `eu_connection`, `eu_ledger`, `eu_inbox_uri` and
`eu_archive_uri` for each. Imports nothing that is heavy: DAG files read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

DEFAULT = "default"
SECTION = "adobe_privacy"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
# What reads `[adobe_privacy] KEY`; None where it is not set.
Configuration = Callable[[str], str | None]


class OrganisationError(ValueError):
    """The configuration of the organisations cannot be used; the text names the option and what to do."""


@dataclass(frozen=True)
class Organisation:
    """The names of one organisation's things. `inbox_uri` and `archive_uri` are None where a variable holds them."""

    name: str = DEFAULT
    connection: str = "adobe_privacy_default"
    ledger: str = "privacy_ledger"
    inbox_uri: str | None = None
    archive_uri: str | None = None

    @property
    def is_default(self) -> bool:
        return self.name == DEFAULT

    def own(self, name: str) -> str:
        """A name that many have, such as that of a DAG: `privacy_requests`, and `privacy_requests_eu`."""
        return name if self.is_default else f"{name}_{self.name}"


THE_DEFAULT = Organisation()


def is_name(name: str) -> bool:
    """Whether an organisation may be called so."""
    return _NAME.fullmatch(name) is not None


def organisation_names(configured: Configuration) -> tuple[str, ...]:
    """All there are, `default` first. Raises OrganisationError."""
    names = [name.strip() for name in (configured("organisations") or "").split(",") if name.strip()]
    for name in names:
        if not is_name(name) or name == DEFAULT:
            raise OrganisationError(
                f"[{SECTION}] organisations: {name!r} is no name like eu: use lower-case letters, digits and _, and "
                f"not {DEFAULT}, which there always is"
            )
    if len(set(names)) != len(names):
        raise OrganisationError(f"[{SECTION}] organisations: a name is there twice")
    return (DEFAULT, *names)


def find_organisation(name: str, configured: Configuration) -> Organisation:
    """Raises OrganisationError for an unknown one, and where two would share a connection, a ledger or a place: then
    the same request would go to both."""
    names = organisation_names(configured)
    if name not in names:
        raise OrganisationError(
            f"there is no organisation {name!r}: [{SECTION}] organisations has {', '.join(names)}"
        )
    found = [_read(each, configured) for each in names]
    _refuse_shared(found)
    return found[names.index(name)]


def _read(name: str, configured: Configuration) -> Organisation:
    if name == DEFAULT:
        return THE_DEFAULT
    return Organisation(
        name,
        configured(f"{name}_connection") or f"adobe_privacy_{name}",
        configured(f"{name}_ledger") or f"privacy_ledger_{name}",
        configured(f"{name}_inbox_uri"),
        configured(f"{name}_archive_uri"),
    )


def _refuse_shared(organisations: list[Organisation]) -> None:
    for what in ("connection", "ledger", "inbox_uri", "archive_uri"):
        seen: dict[str, str] = {}
        for organisation in organisations:
            value: str | None = getattr(organisation, what)
            if value is None:
                continue
            other = seen.setdefault(value.rstrip("/"), organisation.name)
            if other != organisation.name:
                raise OrganisationError(
                    f"[{SECTION}] {organisation.name}_{what}: the organisation {other} has the same. Each needs its own"
                )
