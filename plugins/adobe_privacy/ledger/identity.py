"""Which ledger this is, and how far it has written: by these a ledger is told from a copy, and from an older state of
itself that a backup brought back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.keys import note_moment, setting, setting_of
from adobe_privacy.ledger.schema import Job, Setting
from adobe_privacy.ledger.unit import Topic

_CLAIMED = "claimed."
_IDENTITY, _LOST, _LOST_HEAD = "identity", "lost", "lost_head."
# Whoever names inbox folders by another time zone's days is at most so far ahead.
TIME_ZONES = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# So many tasks at once may have committed intents before the first of them raises the archive's mark.
EARLIER_AT_MOST = 12


@dataclass(frozen=True)
class Identity:
    """`counter` grows with every batch of intents, in the transaction that commits them; `at` is when. `earlier` tells
    when it had its last values before, in microseconds since 1970."""

    id: str
    counter: int = 0
    at: datetime | None = None
    earlier: tuple[int | None, ...] = ()

    def has_written(self, counter: int, at: datetime) -> bool:
        """Whether the counter came to this value at this moment, as far as is remembered. A copy of the ledger that
        went its own way has other moments."""
        moments = (*self.earlier, _microseconds(self.at))
        back = self.counter - counter
        return not 0 <= back < len(moments) or moments[-1 - back] == _microseconds(at)


@dataclass(frozen=True)
class Lost:
    """What the ledger had written in this time is lost; `since` is None where nobody knows."""

    since: datetime | None
    until: datetime

    def concerns(self, inbox_date: date) -> bool:
        """Whether a request of this inbox folder may have been sent in the time."""
        return inbox_date <= (self.until + TIME_ZONES).date()


class Identities(Topic):
    """Tells the ledger's identity."""

    def known(self) -> Identity | None:
        """None for a ledger that no run has opened for writing yet."""
        with self.unit.read() as session:
            return _read(session)

    def own(self) -> Identity:
        """As `known`; a ledger without an id gets one."""
        known = self.known()
        if known is not None:
            return known
        with self.unit.write() as session:
            own = _read(session) or Identity(str(uuid.uuid4()))
            _write(session, own)
            return own

    def renew(self, *, at_least: int) -> Identity:
        """Another id, for a ledger that takes an archive over: one that had the old id stops at its next submission."""
        with self.unit.write() as session:
            old = _read(session)
            counter = max(at_least, old.counter if old else 0)
            own = Identity(str(uuid.uuid4()), counter, old.at if old else None)
            _write(session, own)
            return own

    def has_claimed(self, archive: str) -> bool:
        """Whether this ledger has made an archive its own; it is named by where it is."""
        with self.unit.read() as session:
            return setting(session, setting_of(_CLAIMED, archive)) is not None

    def note_claim(self, archive: str) -> None:
        """From now on `has_claimed`."""
        if not self.has_claimed(archive):
            with self.unit.write() as session:
                note_moment(session, setting_of(_CLAIMED, archive), self.unit.now())

    def is_empty(self) -> bool:
        """Whether it has never known a job."""
        with self.unit.read() as session:
            return session.scalar(select(Job.id).limit(1)) is None


def count_intents(session: Session, now: datetime) -> None:
    """To be called in every transaction that commits intents."""
    own = _read(session) or Identity(str(uuid.uuid4()))
    earlier = (*own.earlier, _microseconds(own.at))[-EARLIER_AT_MOST:]
    _write(session, Identity(own.id, own.counter + 1, now, earlier))


def _read(session: Session) -> Identity | None:
    kept = setting(session, _IDENTITY)
    if kept is None:
        return None
    fields: dict[str, Any] = json.loads(kept)
    at = fields["at"]
    earlier = tuple(fields.get("earlier", ()))
    return Identity(fields["id"], fields["counter"], at and datetime.fromisoformat(at), earlier)


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


def _write(session: Session, identity: Identity) -> None:
    fields = asdict(identity) | {"at": identity.at and identity.at.isoformat()}
    session.merge(Setting(name=_IDENTITY, value=json.dumps(fields)))


def lost(session: Session) -> Lost | None:
    kept = setting(session, _LOST)
    if kept is None:
        return None
    fields = json.loads(kept)
    since = fields["since"]
    return Lost(since and datetime.fromisoformat(since), datetime.fromisoformat(fields["until"]))


def keep_lost(session: Session, time_lost: Lost) -> None:
    since = time_lost.since and time_lost.since.isoformat()
    kept = {"since": since, "until": time_lost.until.isoformat()}
    session.merge(Setting(name=_LOST, value=json.dumps(kept)))


def keep_lost_heads(session: Session, hashes: Collection[str]) -> None:
    """These seals are of a history that is lost, whatever their dates say."""
    for each in hashes:
        session.merge(Setting(name=setting_of(_LOST_HEAD, each), value=each))


def is_lost_head(session: Session, digest: str) -> bool:
    return setting(session, setting_of(_LOST_HEAD, digest)) is not None
