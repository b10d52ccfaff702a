"""What people and programs hand in by the page: which request, with what content, in which file, and who did it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from adobe_privacy.ledger.keys import setting
from adobe_privacy.ledger.schema import HandedIn, Job, Setting
from adobe_privacy.ledger.search import add_ids
from adobe_privacy.ledger.unit import Topic, chunks


@dataclass(frozen=True, slots=True)
class Known:
    """A request that was there before: its content's fingerprint, and the file it was seen in last. `at` is when it was
    handed in by the page, else None; `received_at` when it was received, None where no run has taken it in."""

    fingerprint: str
    source: str
    at: datetime | None = None
    received_at: datetime | None = None


class HandingIn(Topic):
    """Keeps who handed in what, until long after a run has taken it in."""

    def known(self, request_ids: set[str]) -> dict[str, Known]:
        """Those that a run has taken in, or that were handed in by the page before."""
        found: dict[str, Known] = {}
        with self.unit.read() as session:
            for some in chunks(request_ids):
                for row in session.scalars(select(HandedIn).where(HandedIn.request_id.in_(some))):
                    found[row.request_id] = Known(row.fingerprint, row.source, row.at)
                jobs = select(Job.request_id, Job.fingerprint, Job.source, Job.received_at)
                for request_id, fingerprint, source, received_at in session.execute(
                    jobs.where(Job.request_id.in_(some))
                ):
                    found[request_id] = Known(fingerprint, source, received_at=received_at)
        return found

    def record(
        self, fingerprints: Mapping[str, str], source: str, *, young_since: datetime | None = None
    ) -> set[str]:
        """Notes that these requests, each with its content's fingerprint, are handed in with the file `source`. Returns
        those that another call has handed in with other content after `young_since`: then nothing is noted."""
        now, actor = self.unit.now(), self.unit.actor[:512]
        rows = [
            {"request_id": name, "fingerprint": fingerprint, "source": source, "actor": actor, "at": now}
            for name, fingerprint in fingerprints.items()
        ]
        with self.unit.write() as session:
            contradicted = {
                row.request_id
                for some in chunks(fingerprints)
                for row in session.scalars(select(HandedIn).where(HandedIn.request_id.in_(some)))
                if young_since and row.at > young_since and row.fingerprint != fingerprints[row.request_id]
            }
            if contradicted:
                return contradicted
            for some in chunks(fingerprints):
                session.execute(delete(HandedIn).where(HandedIn.request_id.in_(some)))
            if rows:
                session.execute(insert(HandedIn), rows)
            add_ids(session, fingerprints)
            return set()

    def of_request(self, request_id: str) -> HandedIn | None:
        with self.unit.read() as session:
            return session.get(HandedIn, request_id)

    def next_id(self, scheme: str) -> str:
        """The next request id of a scheme with `{year}` and `{number}`; no number is given out twice."""
        with self.unit.write() as session:
            year = self.unit.now().year
            name = f"next_number.{year}"
            number = int(setting(session, name) or 1)
            while True:
                request_id = scheme.replace("{year}", str(year)).replace("{number}", f"{number:06}")
                number += 1
                taken = session.scalar(select(Job.id).where(Job.request_id == request_id).limit(1))
                if taken is None and session.get(HandedIn, request_id) is None:
                    break
            session.merge(Setting(name=name, value=str(number)))
            return request_id
