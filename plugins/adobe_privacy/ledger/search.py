"""Finds requests: by a part of their id, by Adobe's id of a job, by a batch, and by a fingerprint of a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Select, Text, cast, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.orm import Session

from adobe_privacy.ledger.schema import Access, Batch, HandedIn, Job, PersonPrint, RequestId, Transition
from adobe_privacy.ledger.unit import Topic, chunks, insert_rows

# Shorter parts are in too many ids.
SHORTEST_PART = 3


class Search(Topic):
    """Every search follows an index on PostgreSQL, at a million jobs too."""

    def by_text(self, text: str, *, limit: int = 50) -> list[str]:
        """Request ids: of the whole id in any case, of Adobe's id of a job or one of its earlier attempts, or of a
        batch; else of all ids that hold `text` in any case."""
        plain = text.strip().lower()
        if not plain:
            return []
        with self.unit.read() as session:
            if exact := session.scalars(_ids(RequestId.lower_id == plain)).all():
                return list(exact)
            forms = {text.strip(), plain}
            adobe = select(Job.request_id).where(Job.adobe_job_id.in_(forms))
            earlier = (
                select(Job.request_id)
                .join(Transition, Transition.job_id == Job.id)
                .where(Transition.adobe_job_id.in_(forms))
            )
            batch = select(Job.request_id).join(Batch, Batch.id == Job.batch_id).where(Batch.id.in_(forms))
            for query in (adobe, earlier, batch):
                if found := session.scalars(query.distinct().order_by(Job.request_id).limit(limit)).all():
                    return list(found)
            if len(plain) < SHORTEST_PART:
                return []
            holds = RequestId.lower_id.contains(plain, autoescape=True)
            if session.get_bind().dialect.name == "postgresql":
                triples = array([plain[at : at + 3] for at in range(len(plain) - 2)], type_=Text)
                holds = func.privacy_triples(RequestId.lower_id).op("@>")(cast(triples, ARRAY(Text))) & holds
            return sorted(session.scalars(_ids(holds).limit(limit)))

    def by_prints(self, prints: Collection[str], *, limit: int = 50) -> list[str]:
        """The ids of the requests that hold one of these identities, told by their `intake.person_print`."""
        query = select(PersonPrint.request_id).where(PersonPrint.print.in_(prints)).distinct()
        with self.unit.read() as session:
            return list(session.scalars(query.order_by(PersonPrint.request_id).limit(limit)))


def _ids(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(RequestId.request_id).where(condition)


def add_ids(session: Session, request_ids: Collection[str]) -> None:
    """Makes ids findable; those that are already stay so."""
    for some in chunks(set(request_ids)):
        rows = [{"lower_id": each.lower(), "request_id": each} for each in some]
        insert_rows(session, RequestId, rows, known_ones_stay=True)


def add_prints(session: Session, prints: Mapping[str, Collection[str]]) -> None:
    """Makes new requests findable by the fingerprints of their identities."""
    rows = [{"print": each, "request_id": name} for name, some in prints.items() for each in sorted(some)]
    if rows:
        insert_rows(session, PersonPrint, rows)


def forget(session: Session, request_ids: Collection[str]) -> None:
    """Removes what leads to these requests and to the persons in them."""
    for some in chunks(request_ids):
        session.execute(delete(PersonPrint).where(PersonPrint.request_id.in_(some)))
        session.execute(delete(HandedIn).where(HandedIn.request_id.in_(some)))
        session.execute(delete(Access).where(Access.request_id.in_(some)))
        lower = {each.lower() for each in some}
        ids = delete(RequestId).where(RequestId.lower_id.in_(lower), RequestId.request_id.in_(some))
        session.execute(ids)
