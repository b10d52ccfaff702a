"""The history of access: what people do that changes no job, such as a search for a person or a download."""

from __future__ import annotations

from sqlalchemy import select

from adobe_privacy.ledger.schema import Access, AccessKind
from adobe_privacy.ledger.unit import Topic


class Accesses(Topic):
    """Notes who did what. Nothing here holds an identity: `about` is the ledger's own words."""

    def note(self, kind: AccessKind, about: str = "", *, request_id: str | None = None) -> None:
        with self.unit.write() as session:
            session.add(
                Access(
                    at=self.unit.now(),
                    actor=self.unit.actor[:512],
                    kind=kind.value,
                    request_id=request_id,
                    about=about[:512],
                )
            )

    def of_request(self, request_id: str) -> list[Access]:
        """The oldest first."""
        query = select(Access).where(Access.request_id == request_id).order_by(Access.id)
        with self.unit.read() as session:
            return list(session.scalars(query))
