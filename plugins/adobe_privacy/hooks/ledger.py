"""Opens the ledger that the connection `privacy_ledger` names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from adobe_privacy.hooks.settings import (
    LEDGER_CONN_ID,
    aconnection_fields,
    connection_fields,
    organisation_settings,
)
from adobe_privacy.hooks.storage import open_archive
from adobe_privacy.ledger import shared
from adobe_privacy.ledger.database import LedgerError, is_there
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.organisations import DEFAULT
from adobe_privacy.ownership import check_owner, holds_something
from adobe_privacy.protective import protective
from adobe_privacy.settings import LedgerSettings, Settings, ledger_settings
from adobe_privacy.storage import LocationNotFound, Store

# Reads of all triggers of a process at once.
SHARED_CONNECTIONS = 3


def open_ledger(actor: str, organisation: str = DEFAULT, *, existing: bool = False) -> Ledger:
    """Opens an organisation's ledger and brings its tables up to date, or with `existing` neither makes nor upgrades
    them; `actor` signs every change made through it.

    Raises SettingsError or LedgerError.
    """
    return open_configured(configured_ledger(organisation), actor, existing=existing)


def configured_ledger(organisation: str = DEFAULT) -> LedgerSettings:
    """Where an organisation's ledger lies. Without a connection, that of the default one is a SQLite file under
    AIRFLOW_HOME. Raises SettingsError."""
    own = organisation_settings(organisation)
    return ledger_settings(connection_fields(own.ledger), own.ledger)


@asynccontextmanager
async def shared_ledger(conn_id: str = LEDGER_CONN_ID) -> AsyncIterator[Ledger]:
    """The ledger that all triggers of this process share, with few connections. They only read it. The ledger's
    own calls block: make them in a thread. Raises what `open_ledger` does."""
    settings = ledger_settings(await aconnection_fields(conn_id), conn_id)
    opening = partial(open_to_wait, settings, "triggerer", connections=SHARED_CONNECTIONS)
    async with shared.shared_ledger(settings, opening) as ledger:
        yield ledger


def open_to_wait(settings: LedgerSettings, actor: str, **options: Any) -> Ledger:
    """The ledger of a batch that exists, which is neither made nor upgraded. Raises LedgerError."""
    if not is_there(settings.url):
        raise LedgerError(
            f"there is no ledger where connection {settings.conn_id} "
            f"{'leads' if settings.configured else 'is absent or could not be looked up'}"
        )
    return open_configured(settings, actor, existing=True, **options)


def open_for_run(settings: Settings, actor: str, *, needs_archive: bool = True) -> Ledger:
    """The ledger for a run, which may make it. Raises LedgerError where there is none and the archive was used by one,
    where the archive belongs to another ledger or knows more than this one, where the fingerprint key is another, and
    where a protective setting is not as it is in force: nothing was made or changed then.

    A run that neither sends, stores nor erases need not find the archive: without `needs_archive` it is not asked.
    """
    archive = _archive(settings) if needs_archive else None
    if archive is not None and not is_there(settings.ledger.url) and holds_something(archive):
        raise LedgerError(
            f"the archive holds results, and there is no ledger where connection {settings.ledger.conn_id} "
            f"{'leads' if settings.ledger.configured else 'is absent or could not be looked up'}: put the connection "
            "back, or restore the ledger. A new ledger would send every request again. If the ledger is lost for good, "
            "run `airflow privacy upgrade`, then `airflow privacy reconcile`"
        )
    ledger = open_configured(settings.ledger, actor)
    try:
        if archive is not None:
            check_owner(ledger, archive, settings.service.client.org_id)
        # Raises where the key is another.
        ledger.intake.fingerprint(b"")
        ledger.protection.check(protective(settings))
    except BaseException:
        ledger.close()
        raise
    return ledger


def _archive(settings: Settings) -> Store | None:
    """The archive, where there is one already."""
    uri = settings.variables.archive_uri
    try:
        return open_archive(uri, create=False) if uri else None
    except LocationNotFound:
        return None


def open_configured(settings: LedgerSettings, actor: str, **options: Any) -> Ledger:
    """Raises LedgerError where the ledger cannot be used."""
    try:
        return Ledger(settings.url, actor=actor, fingerprint_key=settings.fingerprint_key, **options)
    except SQLAlchemyError as error:
        # The database's own text may quote the address with its password.
        raise LedgerError(
            f"connection {settings.conn_id}: the ledger's database does not answer as expected "
            f"({type(error).__name__}): check address, credentials and permissions"
        ) from None
