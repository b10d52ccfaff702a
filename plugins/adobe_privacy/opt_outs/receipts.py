"""The receipt of an opt-out: all the proof there is that Adobe accepted it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from adobe_privacy.intake.catalogue import opt_out_reservations
from adobe_privacy.ledger.schema import Job
from adobe_privacy.storage import Store

RECEIPTS = "optouts"


class Receipt(BaseModel):
    """What can be shown of an opt-out, as `optouts/<regulation>/<YYYY>/<MM>/<DD>/<request_id>.json`; the date is
    the day of acceptance in UTC, and `/` in a request id becomes `~`, which no id contains.

    `fingerprint` is a keyed hash of the request whose identities were sent, the same as in the ledger: who has
    the key and the request can show that it was this one. `attempts` counts the calls that may have reached
    Adobe. `reservations` say what the opt-out does not reach: identities that were not sent, products without effect.
    It holds no identity.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    request_id: str
    regulation: str
    action: Literal["opt_out_of_sale"] = "opt_out_of_sale"
    fingerprint: str
    received_at: AwareDatetime
    due_on: date
    accepted_at: AwareDatetime
    answer: str
    attempts: int
    reservations: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it lies in the archive."""
        return place_of(self.request_id, self.regulation, self.accepted_at)

    def to_json(self) -> bytes:
        return self.model_dump_json(indent=2).encode() + b"\n"


def place_of(request_id: str, regulation: str, accepted_at: datetime) -> str:
    """Where the receipt of an opt-out lies."""
    return f"{RECEIPTS}/{regulation}/{accepted_at.astimezone(UTC):%Y/%m/%d}/{_file_name(request_id)}"


def _file_name(request_id: str) -> str:
    return f"{request_id.replace('/', '~')}.json"


def receipt_of(job: Job) -> Receipt:
    return Receipt(
        request_id=job.request_id,
        regulation=job.regulation,
        fingerprint=job.fingerprint,
        received_at=job.received_at,
        due_on=job.due_on,
        accepted_at=job.submitted_at or datetime.now(UTC),
        answer=job.outcome or "",
        attempts=job.attempt,
        reservations=opt_out_reservations(job.warnings),
    )


def receipts_of(archive: Store, request_ids: Collection[str]) -> Iterator[tuple[Receipt | None, str, bytes]]:
    """The receipts of these requests, each with its place and its bytes; None for what is no receipt."""
    names = set(map(_file_name, request_ids))
    for info in archive.objects(RECEIPTS) if names else ():
        if info.key.rpartition("/")[2] not in names:
            continue
        content = archive.read(info.key)
        yield receipt_in(content, info.key), info.key, content


def receipt_in(content: bytes, place: str) -> Receipt | None:
    """The receipt that lies at a place; None where these bytes are none, or another's."""
    try:
        receipt = Receipt.model_validate_json(content)
    except ValidationError:
        return None
    return receipt if receipt.place == place else None
