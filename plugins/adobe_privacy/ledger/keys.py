"""The key of the ledger's keyed hashes: it recognises content, and request ids that were forgotten."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.schema import Job, Setting

# No request id holds a `~`.
FORGOTTEN = "forgotten~"
# A setting of the ledger: since when it has forgotten any.
FORGETS = "forgets_since"


def known_key(session: Session, configured: str | None) -> bytes | None:
    """The key that the ledger's hashes are made with; None where it is not known, or not yet chosen."""
    key = configured or setting(session, "fingerprint_key")
    return key.encode() if key and setting(session, "fingerprint_check") == _check(key) else None


def chosen_key(session: Session, configured: str | None) -> bytes:
    """The key, which is made where there is none. Raises LedgerError where it is not the one that the ledger's requests
    were written with."""
    stored = setting(session, "fingerprint_key")
    key = configured or stored or secrets.token_hex(32)
    check = setting(session, "fingerprint_check")
    if check not in (None, _check(key)) and session.scalar(select(Job.id).limit(1)) is not None:
        raise LedgerError(
            "the ledger's requests were written with another fingerprint key, with which alone they can "
            "be recognised: put it back as extra.fingerprint_key of the connection privacy_ledger, or "
            "remove that field if there was none"
        )
    if configured is None and stored is None:
        session.add(Setting(name="fingerprint_key", value=key))
    session.merge(Setting(name="fingerprint_check", value=_check(key)))
    return key.encode()


def forgotten_id(key: bytes, request_id: str) -> str:
    """What the ledger keeps in the place of a request id that it has forgotten."""
    return FORGOTTEN + hmac.digest(key, b"request id " + request_id.encode(), "sha256").hex()[:32]


def _check(key: str) -> str:
    """Tells two fingerprint keys apart without giving either away."""
    return hmac.digest(key.encode(), b"fingerprint key", "sha256").hex()


def setting(session: Session, name: str) -> str | None:
    row = session.get(Setting, name)
    return None if row is None else row.value


def setting_of(kind: str, about: str) -> str:
    """The name of a setting about one of many things: an archive, an inbox, a job of Adobe's."""
    return kind + hashlib.sha256(about.encode()).hexdigest()[:32]


def note_moment(session: Session, name: str, at: datetime) -> None:
    session.merge(Setting(name=name, value=at.isoformat()))


def noted_moment(session: Session, name: str) -> datetime | None:
    """What `note_moment` last noted."""
    kept = setting(session, name)
    return None if kept is None else datetime.fromisoformat(kept)
