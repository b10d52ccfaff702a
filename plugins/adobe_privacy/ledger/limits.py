"""What Adobe's answers have shown of its limits and its lists. Every batch of the organisation goes by it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from adobe_privacy.api.error_bodies import LONGEST_RETRY_AFTER
from adobe_privacy.ledger.keys import setting
from adobe_privacy.ledger.schema import Setting
from adobe_privacy.ledger.unit import Topic

# After a "too many requests" that names no time: the first pause, doubled each time, up to the longest.
FIRST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=1)
# No answer is read as asking for a longer one.
LONGEST_ASKED_FOR = timedelta(seconds=LONGEST_RETRY_AFTER)
# After a refusal that may be the daily limit.
DOUBT_PAUSE = timedelta(minutes=5)

_PAUSE, _DOUBT = "pause", "daily_limit_doubt"
_SHOWS_OPEN_JOBS, _KEYS_COME_BACK = "lists_show_open_jobs", "keys_come_back"


class Paused(Exception):
    """Adobe asked for a pause: nothing may be sent before `until`. Nothing was changed."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"Adobe asked for a pause until {until:%Y-%m-%d %H:%M:%S} UTC")
        self.until = until


@dataclass(frozen=True)
class Doubt:
    """A refusal that may be the daily limit: of which batch, and of which user where it concerned one only."""

    batch_id: str
    alone: str | None


class Limits(Topic):
    """Kept until Adobe takes jobs again: the pause it asked for, and the doubt whether the day is used up.
    Kept for ever: what its lists were seen to show."""

    def not_before(self) -> datetime | None:
        """Until when nothing may be sent; None where nothing stands in the way."""
        with self.unit.read() as session:
            return paused_until(session, self.unit.now())

    def pause(self, seconds: float | None) -> datetime:
        """Adobe answered "too many requests": for so many seconds, or it did not say. Returns the pause's end."""
        with self.unit.write() as session:
            in_a_row = self._pauses_in_a_row(session)
            guess = min(FIRST_PAUSE * 2 ** min(in_a_row, 10), LONGEST_PAUSE)
            length = guess if seconds is None else timedelta(seconds=seconds)
            return self._pause(session, length, in_a_row + 1)

    def doubt(self) -> Doubt | None:
        with self.unit.read() as session:
            kept = _read(session, _DOUBT)
        return Doubt(kept["batch_id"], kept["alone"]) if kept else None

    def begin_doubt(self, doubt: Doubt, *, pause: bool) -> datetime | None:
        """Notes the doubt in place of an earlier one. With `pause`, everybody waits some minutes: returns until
        when."""
        with self.unit.write() as session:
            _write(session, _DOUBT, {"batch_id": doubt.batch_id, "alone": doubt.alone})
            if not pause:
                return None
            return self._pause(session, DOUBT_PAUSE, int(_read(session, _PAUSE).get("in_a_row", 0)))

    def _pauses_in_a_row(self, session: Session) -> int:
        """Those before this one. Of calls that were under way when Adobe asked for a pause, all may be told the same:
        that is one."""
        kept = _read(session, _PAUSE)
        if not kept:
            return 0
        now, until = self.unit.now(), datetime.fromisoformat(kept["until"])
        if now > until + LONGEST_PAUSE:
            return 0
        return max(0, int(kept["in_a_row"]) - (now < until))

    def _pause(self, session: Session, length: timedelta, in_a_row: int) -> datetime:
        now = self.unit.now()
        until = max(now + length, paused_until(session, now) or now)
        _write(session, _PAUSE, {"until": until.isoformat(), "in_a_row": in_a_row})
        return until

    def lists_show_open_jobs(self) -> bool:
        """Whether a list of Adobe's was ever seen to show a job that is not finished."""
        with self.unit.read() as session:
            return setting(session, _SHOWS_OPEN_JOBS) is not None

    def note_open_job_listed(self) -> None:
        with self.unit.write() as session:
            if setting(session, _SHOWS_OPEN_JOBS) is None:
                session.add(Setting(name=_SHOWS_OPEN_JOBS, value=self.unit.now().isoformat()))

    def keys_come_back(self) -> bool | None:
        """Whether Adobe gives users' keys back as they were sent; None where no answer has shown it yet."""
        with self.unit.read() as session:
            kept = setting(session, _KEYS_COME_BACK)
        return None if kept is None else kept == "unchanged"

    def note_keys(self, *, unchanged: bool) -> None:
        """Keys that came back changed once are never trusted again."""
        with self.unit.write() as session:
            if not unchanged or setting(session, _KEYS_COME_BACK) is None:
                value = "unchanged" if unchanged else "changed"
                session.merge(Setting(name=_KEYS_COME_BACK, value=value))


def paused_until(session: Session, now: datetime) -> datetime | None:
    kept = _read(session, _PAUSE)
    until = datetime.fromisoformat(kept["until"]) if kept else now
    # Of more than Adobe can ask for, a worker with a wrong clock was told.
    return until if now < until <= now + LONGEST_ASKED_FOR else None


def refuse_while_paused(session: Session, now: datetime) -> None:
    """Raises Paused."""
    if (until := paused_until(session, now)) is not None:
        raise Paused(until)


def end_pause_and_doubt(session: Session) -> None:
    """Adobe has taken jobs: it neither is overloaded nor has the day's limit been reached."""
    for name in (_PAUSE, _DOUBT):
        if (kept := session.get(Setting, name)) is not None:
            session.delete(kept)


def _read(session: Session, name: str) -> dict[str, Any]:
    kept = setting(session, name)
    return {} if kept is None else dict(json.loads(kept))


def _write(session: Session, name: str, value: dict[str, Any]) -> None:
    session.merge(Setting(name=name, value=json.dumps(value)))
