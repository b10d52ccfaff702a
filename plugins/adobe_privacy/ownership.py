"""One ledger owns an archive. The archive's root says which one, and how far that ledger had written.

So these mistakes are found before anything is sent, stored or erased: an empty ledger in the place of the right one,
a ledger that belongs to another archive, and a ledger that a backup brought back.

Before a batch of intents is sent, the ledger commits them with a higher counter, and then the mark in the archive is
raised to it. So the ledger's counter is never lower than the mark, unless the ledger has lost what it had written. The
mark says when, too: a copy of the ledger that is in use beside it has the same counters at other moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.identity import Identity
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import (
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    StorageUnavailable,
    Store,
    check_replaces,
)

MARK = "ledger.json"
WAY_OUT = "run `airflow privacy reconcile`"
# Each time that another process was faster, the mark is higher: few tries are ever needed.
TRIES = 20


class Mark(BaseModel):
    """`ledger.json` in the archive's root: who owns the archive."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    ledger_id: str
    organisation: str
    counter: Annotated[int, Field(ge=0)]
    at: AwareDatetime | None = None

    def to_json(self) -> bytes:
        return self.model_dump_json(indent=2, exclude_none=True).encode() + b"\n"


def read_mark(archive: Store) -> tuple[Mark, ObjectInfo] | None:
    """The mark and its version; None where the archive belongs to no ledger yet. Raises LedgerError where the object is
    something else, and StorageError where it cannot be read."""
    try:
        text, info = archive.read_with_info(MARK)
    except ObjectNotFound:
        return None
    try:
        return Mark.model_validate_json(text), info
    except ValidationError:
        raise LedgerError(
            f"{archive.location.object_uri(MARK)} does not say which ledger owns the archive: nothing was done. "
            "Restore the object, or correct the variable privacy_archive_uri"
        ) from None


def holds_something(archive: Store) -> bool:
    """Whether a ledger has worked with this archive."""
    return read_mark(archive) is not None or bool(archive.folders("jobs"))


def check_owner(ledger: Ledger, archive: Store, organisation: str) -> tuple[Mark, ObjectInfo] | None:
    """Raises LedgerError where this ledger may not write to the archive. Changes nothing. Returns the mark that
    was checked."""
    # First the mark: what is committed in between only makes the ledger's counter higher.
    found = read_mark(archive)
    if found is None and ledger.identity.has_claimed(archive.location.public_uri):
        # Another process may have written the first one meanwhile.
        found = read_mark(archive)
        if found is None:
            raise LedgerError(
                f"{archive.location.object_uri(MARK)} is not there, and this ledger has written it: nothing was done. "
                "See whether the archive is still the same place, and restore the object. If it is lost for good, "
                f"{WAY_OUT}"
            )
    own = ledger.identity.known()
    if found is not None:
        _refuse_other(found[0], own, organisation, archive)
    elif ledger.identity.is_empty() and archive.folders("jobs"):
        raise LedgerError(
            f"the archive {archive.location.uri} holds results, and the ledger is empty: nothing was done. Correct the "
            f"connection privacy_ledger, or restore the ledger. If it is lost for good, {WAY_OUT}"
        )
    return found


def claim(ledger: Ledger, archive: Store) -> None:
    """Makes the archive this ledger's where it is nobody's, and raises its mark to the ledger's counter. To be called
    after intents are committed and before they are sent, and before anything is stored or erased.

    Raises LedgerError as `check_owner` does, and StorageError; StoreUnfit where the store ignores what was seen.
    """
    in_force = ledger.protection.in_force().get("organisation")
    organisation = "" if in_force is None else in_force.value
    needed: int | None = None
    for _ in range(TRIES):
        # The very mark that was checked: another ledger may claim the archive at any moment.
        found = check_owner(ledger, archive, organisation)
        own = ledger.identity.own()
        needed = own.counter if needed is None else needed
        if found is None or found[0].counter < needed:
            _check_conditions(ledger, archive)
            try:
                _write(archive, _mark_of(own, organisation), found)
            except ObjectExists:
                continue  # by another process, or by this call, whose answer was lost
        ledger.identity.note_claim(archive.location.public_uri)
        return
    uri = archive.location.object_uri(MARK)
    raise StorageUnavailable(f"{uri} was changed by others {TRIES} times in a row: run again", uri=uri)


@dataclass(frozen=True)
class Standing:
    """How a ledger and an archive stand to each other. Where it `differs`, what the ledger had written after `since`
    (None: nobody knows) and until `until` is lost."""

    words: str
    differs: bool
    since: datetime | None = None
    until: datetime | None = None


def ownership(ledger: Ledger, archive: Store, organisation: str) -> Standing:
    """Raises LedgerError where the archive belongs to another organisation, or does not say whose it is."""
    found = read_mark(archive)
    own = ledger.identity.known()
    if found is None:
        if ledger.identity.has_claimed(archive.location.public_uri):
            return Standing(f"the archive has no {MARK} any more", True)
        if not archive.folders("jobs") or not ledger.identity.is_empty():
            return Standing("the archive belongs to no ledger yet", False)
        return Standing("the archive holds results, and the ledger is empty", True)
    mark = found[0]
    try:
        _refuse_other(mark, own, organisation, archive)
    except LedgerError as problem:
        if mark.organisation != organisation:
            raise
        older = own is not None and own.id == mark.ledger_id and own.counter < mark.counter
        since = own.at if older and own is not None else None
        return Standing(str(problem).partition(": nothing was done")[0], True, since, mark.at)
    return Standing(f"the archive belongs to this ledger, {mark.ledger_id}", False)


def accept(ledger: Ledger, archive: Store) -> None:
    """Makes the archive this ledger's, under a new id: the ledger that had the archive stops, should it run somewhere.
    Only after everything that the ledger may have lost is doubtful, see `ledger.doubts`. Raises StorageError;
    StoreUnfit where the store ignores what was seen."""
    _check_conditions(ledger, archive)
    found = read_mark(archive)
    own = ledger.identity.renew(at_least=found[0].counter if found else 0)
    in_force = ledger.protection.in_force().get("organisation")
    organisation = found[0].organisation if found else in_force.value if in_force else ""
    _write(archive, _mark_of(own, organisation), found)
    ledger.identity.note_claim(archive.location.public_uri)


def _check_conditions(ledger: Ledger, archive: Store) -> None:
    """Before a ledger first uses an archive: else two ledgers could both claim it."""
    if not ledger.identity.has_claimed(archive.location.public_uri):
        check_replaces(archive)


def _mark_of(own: Identity, organisation: str) -> Mark:
    return Mark(ledger_id=own.id, organisation=organisation, counter=own.counter, at=own.at)


def _write(archive: Store, mark: Mark, found: tuple[Mark, ObjectInfo] | None) -> None:
    if found is None:
        archive.create(MARK, mark.to_json())
    else:
        archive.replace(MARK, mark.to_json(), found[1])


def _refuse_other(mark: Mark, own: Identity | None, organisation: str, archive: Store) -> None:
    uri = archive.location.uri
    if mark.organisation != organisation:
        raise LedgerError(
            f"the archive {uri} belongs to the organisation {mark.organisation}, the connection to Adobe is that of "
            f"{organisation}: nothing was done. Correct the connection, or give this organisation an archive of its own"
        )
    if own is None or own.id != mark.ledger_id:
        raise LedgerError(
            f"the archive {uri} belongs to the ledger {mark.ledger_id}, and the connection privacy_ledger leads to "
            f"{'an empty one' if own is None else own.id}: nothing was done. Correct the connection or the variable "
            f"privacy_archive_uri, or restore the ledger. If this ledger is the right one, {WAY_OUT}"
        )
    if own.counter < mark.counter:
        raise LedgerError(
            f"the ledger is older than the archive {uri}: it knows of {own.counter} submissions, the archive of "
            f"{mark.counter}{f', the last at {mark.at:%Y-%m-%d %H:%M} UTC' if mark.at else ''}. It was restored from a "
            f"backup, or is a copy: nothing was done. {WAY_OUT.capitalize()}, which says what Adobe has"
        )
    if mark.at is not None and not own.has_written(mark.counter, mark.at):
        raise LedgerError(
            f"the archive {uri} knows of a submission of {mark.at:%Y-%m-%d %H:%M:%S} UTC that this ledger has not "
            "written, and both have the same id: of two ledgers in use, one is a copy of the other: nothing was done. "
            f"Stop the Airflow that works with the copy, then {WAY_OUT} with the right ledger"
        )
