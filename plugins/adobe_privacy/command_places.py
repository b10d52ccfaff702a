"""Where the commands find the ledger and the archive without Airflow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from adobe_privacy.archive import Opener
from adobe_privacy.ledger.database import LedgerError, in_memory
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.organisations import Organisation, find_organisation
from adobe_privacy.settings import (
    ConnectionFields,
    LedgerSettings,
    Settings,
    default_ledger,
    ledger_settings,
)
from adobe_privacy.storage import Store, open_store


class WrongUsage(Exception):
    """The command cannot mean that; the text says why."""


class OpensLedger(Protocol):
    def __call__(self, actor: str, *, existing: bool) -> Ledger: ...


@dataclass(frozen=True)
class Places:
    """How the ledger, for an actor, and the archive are found where no option names them. With `existing=True` the
    ledger is neither made nor upgraded."""

    ledger: OpensLedger
    archive: Callable[[], Store]
    settings: Callable[[], Settings] | None = None
    inbox: Callable[[Settings], Store] | None = None
    opener: Callable[[], Opener | None] | None = None


def ledger_address(text: str) -> str:
    """A database URL as every tool writes it, with the driver that this package uses. Raises WrongUsage."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The text may hold a password.
        raise WrongUsage(
            "the ledger's address is no database URL like sqlite:////path or postgresql://…"
        ) from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        if in_memory(url):
            raise WrongUsage("the ledger's address names no file: write sqlite:////path")
        return url.set(drivername="sqlite").render_as_string()
    if kind not in ("postgres", "postgresql"):
        raise WrongUsage(f"a ledger is SQLite or PostgreSQL, not {kind}")
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def places_of_environment(organisation: str) -> Places:
    """Raises OrganisationError for an organisation that the environment does not name."""
    own = find_organisation(
        organisation, lambda option: os.environ.get(f"AIRFLOW__ADOBE_PRIVACY__{option.upper()}") or None
    )

    def ledger(actor: str, *, existing: bool) -> Ledger:
        found = _ledger_settings(own)
        return Ledger(found.url, actor=actor, fingerprint_key=found.fingerprint_key, existing=existing)

    def archive() -> Store:
        uri = os.environ.get("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI") if own.is_default else own.archive_uri
        if not uri:
            raise LedgerError("say where the archive is with --archive file:///… or s3://bucket/…")
        return open_store(uri)

    return Places(ledger, archive)


def _ledger_settings(organisation: Organisation) -> LedgerSettings:
    if organisation.is_default and (url := os.environ.get("PRIVACY_LEDGER_URL")):
        return LedgerSettings(ledger_address(url))
    name = f"AIRFLOW_CONN_{organisation.ledger.upper()}"
    if text := os.environ.get(name):
        return _of_connection(text, name, organisation.ledger)
    if not organisation.is_default:
        raise LedgerError(
            f"there is no {name} in the environment: use `airflow privacy`, or give the ledger's address with --ledger"
        )
    path = default_ledger()
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}: give its address with --ledger")
    return LedgerSettings(f"sqlite:///{path}")


def _of_connection(text: str, name: str, conn_id: str) -> LedgerSettings:
    """The ledger that an Airflow connection in the environment names, as JSON or as a URL. Raises SettingsError."""
    if not text.lstrip().startswith("{"):
        return LedgerSettings(ledger_address(text))
    try:
        fields: dict[str, Any] = json.loads(text)
        extra = fields.get("extra")
        port = int(fields["port"]) if fields.get("port") else None
    except (TypeError, ValueError):
        raise LedgerError(f"{name} is neither JSON nor a URL: give --ledger URL") from None
    kept = {each: fields.get(each) for each in ("host", "login", "password", "schema")}
    return ledger_settings(
        ConnectionFields(
            conn_id,
            str(fields.get("conn_type") or ""),
            port=port,
            extra=extra if isinstance(extra, str | None) else json.dumps(extra),
            **kept,
        ),
        conn_id,
    )
