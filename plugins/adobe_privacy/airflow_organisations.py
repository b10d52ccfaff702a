"""The organisations of this Airflow's configuration. Asks no database: DAG files read it."""

from __future__ import annotations

from functools import cache

from airflow.sdk import conf

from adobe_privacy.organisations import SECTION, Organisation, find_organisation, organisation_names


@cache
def configuration(option: str) -> str | None:
    """An option of `[adobe_privacy]`; None where it is not set. A process reads it once, for each task asks."""
    value = conf.get(SECTION, option, fallback=None)
    return str(value).strip() or None if value is not None else None


def organisations() -> tuple[str, ...]:
    """The names of all, `default` first. Raises OrganisationError."""
    return organisation_names(configuration)


def organisation_of(name: str) -> Organisation:
    """Raises OrganisationError."""
    return find_organisation(name, configuration)
