"""The heads of the history's chain, kept in the archive: what the ledger is compared with.

`seals/<YYYY>/<number>-<hash>.json`, written once and never replaced. Who rewrites the ledger's history would have to
remove these too: keep the archive where objects are locked or versioned, or give copies of the heads to somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from adobe_privacy.archive.signing import Sign, unproven, unsigned
from adobe_privacy.ledger.identity import is_lost_head, lost
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Seal
from adobe_privacy.storage import ObjectExists, ObjectNotFound, StorageError, Store

SEALS = "seals"


class Head(BaseModel):
    """One seal as the archive keeps it. `changes` up to the id `through` are in it."""

    model_config = ConfigDict(frozen=True)

    number: int
    through: int
    changes: int
    sealed_at: AwareDatetime
    hash: str

    @property
    def place(self) -> str:
        return f"{SEALS}/{self.sealed_at.astimezone(UTC):%Y}/{self.number:08d}-{self.hash[:16]}.json"


def seal_history(ledger: Ledger, archive: Store, sign: Sign = unsigned) -> Seal | None:
    """Seals the ledger's history and writes the heads that are not in the archive yet. Returns the newest seal."""
    seal = ledger.chain.seal()
    for each in ledger.chain.unwritten():
        head = Head.model_validate(each, from_attributes=True)
        # The answer to an earlier write may have been lost; what lies there is compared by `check_history`.
        with suppress(ObjectExists):
            archive.create(head.place, sign(head.model_dump_json(indent=2).encode() + b"\n"))
        ledger.chain.record_written(each.number)
    return seal


def heads(archive: Store) -> tuple[list[Head], list[str]]:
    """The heads in the archive, and what there is no head or cannot be read."""
    found: list[Head] = []
    odd: list[str] = []
    for info in archive.objects(SEALS):
        try:
            head = _read(archive, info.key)
        except StorageError as error:
            odd.append(f"{info.key} cannot be read: {error}")
            continue
        if head is None:
            odd.append(f"{info.key} is no head of a history")
        else:
            found.append(head)
    return found, odd


def unproven_heads(archive: Store, signers: Sequence[Ed25519PublicKey]) -> list[str]:
    """The heads in the archive that none of these keys has signed, and the numbers that are missing between them."""
    found, problems = heads(archive)
    for head in found:
        try:
            problem = unproven(archive.read(head.place), signers)
        except StorageError as error:
            problem = f"it cannot be read: {error}"
        if problem is not None:
            problems.append(f"{head.place}: {problem}")
    numbers = {head.number for head in found}
    gaps = sorted(set(range(1, max(numbers, default=0))) - numbers)
    return problems + [f"seal {number} is missing: a later one is there" for number in gaps]


def check_history(ledger: Ledger, archive: Store, *, every: int = 1, turn: int = 0) -> list[str]:
    """What of the ledger's history is not as it was sealed. With `every`, one seal in so many is computed anew.

    What a restored ledger has lost, and a person has reconciled, is no problem."""
    found, odd = heads(archive)
    seals = ledger.chain.seals()
    own = {seal.number: seal.hash for seal in seals}
    known = {head.number: head.hash for head in found if own.get(head.number) == head.hash}
    known |= {head.number: head.hash for head in _not_known(ledger, found, own)}
    missing = [
        f"seal {seal.number} was written into the archive, and is not there"
        for seal in seals
        if seal.written_at is not None and seal.number not in known
    ]
    problems = [*odd, *missing, *ledger.chain.problems(known, every=every, turn=turn)]
    return problems if every > 1 else problems + list(ledger.chain.odd_jobs())


def lost_heads(ledger: Ledger, archive: Store) -> list[Head]:
    """The heads in the archive of a history that this ledger does not have, and that nobody knows as lost yet."""
    return _not_known(ledger, heads(archive)[0], {seal.number: seal.hash for seal in ledger.chain.seals()})


def _not_known(ledger: Ledger, found: Sequence[Head], own: Mapping[int, str]) -> list[Head]:
    with ledger.unit.read() as session:
        time_lost = lost(session)
        strange = [head for head in found if own.get(head.number) != head.hash]
        later = [head for head in strange if time_lost is None or head.sealed_at > time_lost.until]
        return [head for head in later if not is_lost_head(session, head.hash)]


def _read(archive: Store, key: str) -> Head | None:
    """A head in its own place; None for whatever else lies there."""
    try:
        head = Head.model_validate_json(archive.read(key))
    except (ValidationError, ObjectNotFound):
        return None
    return head if head.place == key else None
