"""The places where submission is struck: every step between reading the inbox and the last commit.

A place in our own process is named by the ledger call beside it (`before intend`, `commit of intend`,
`after intend`); what happens on the wire or at Adobe is a fault of the simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# For how long the simulator sits on a call whose caller is about to be killed.
HANGING = 20.0
# When jobs come into being whose request was cut off before.
LATER = 2.0


class Blow(StrEnum):
    """What happens to the process that comes to a place first."""

    KILL = "kill"  # SIGKILL
    FREEZE = "freeze"  # SIGSTOP, and SIGCONT once another process has finished the work
    BREAK = "break"  # the database's connection breaks: the call raises
    NOTE = "note"  # nothing: the simulator's fault, or the parent's SIGKILL meanwhile, is the blow


@dataclass(frozen=True)
class Strike:
    place: str
    blow: Blow = Blow.KILL


@dataclass(frozen=True)
class Boundary:
    """One way of going wrong. `strikes` are dealt in order, each once, to whichever process comes first."""

    name: str
    strikes: tuple[Strike, ...]
    # Of the simulator, on the first call that creates the case's first batch.
    fault: Mapping[str, Any] | None = field(default=None, hash=False)
    # The process is killed from outside while the simulator plays the fault.
    killed_meanwhile: bool = False


POSTING = Strike("before create_jobs", Blow.NOTE)
HALF_SENT = "half of the request sent"


def _at(name: str, *places: str, blow: Blow = Blow.KILL) -> Boundary:
    return Boundary(name, tuple(Strike(place, blow) for place in places))


def _cut(name: str, kind: str, *then: str, **options: Any) -> Boundary:
    return Boundary(name, (POSTING, *map(Strike, then)), {"kind": kind} | options)


def _killed(name: str, kind: str, *then: str, seconds: float = HANGING) -> Boundary:
    fault = {"kind": kind, "seconds": seconds}
    return Boundary(name, (POSTING, *map(Strike, then)), fault, killed_meanwhile=True)


PLANNING = (
    _at("plan: killed at the commit of the requests", "commit of receive"),
    _at("plan: killed after the requests are kept", "after receive"),
    _at("plan: killed at the commit of the claim", "commit of claim_batch"),
    _at("plan: killed after the claim", "after claim_batch"),
)
SENDING = (
    _at("killed before the intent", "before intend"),
    _at("killed at the commit of the intent", "commit of intend"),
    _at("killed after the intent", "after intend"),
    _at("suspended before the intent, woken when others have sent", "before intend", blow=Blow.FREEZE),
    _at("suspended after the intent, woken when others have sent", "after intend", blow=Blow.FREEZE),
    _at("killed with half of the request sent", HALF_SENT),
    _killed("killed, request received, never made", "error_before"),
    _killed(f"killed, request received, made {LATER:.0f} s later", "hang_before", seconds=LATER),
    _cut("cut, never made", "drop_before"),
    _cut(f"cut, made {LATER:.0f} s later", "delayed_creation", seconds=LATER),
    _cut("answered 503, never made", "error_before", status=503),
)
MADE = (
    _killed("killed, made, no answer", "hang_after"),
    _cut("cut, made, no answer", "drop_after"),
    _cut("given up, made, no answer in time", "hang_after", seconds=HANGING),
    _cut("answered 504 by the gateway, made", "error_after", status=504, body="gateway"),
    _cut("cut in the midst of the answer", "closed_early"),
    _cut("reset in the midst of the answer", "reset"),
    _cut("the answer lacks a job that was made", "partial_response"),
)
RECORDING = (
    _at("killed after the answer", "before record_submitted"),
    _at(
        "suspended after the answer, woken when others have adopted",
        "before record_submitted",
        blow=Blow.FREEZE,
    ),
    _at("killed at the commit of the answer", "commit of record_submitted"),
    _at("the commit of the answer fails", "commit of record_submitted", blow=Blow.BREAK),
    _at("the commit of the answer is lost on its way back", "after record_submitted", blow=Blow.BREAK),
    _at("killed after the commit", "after record_submitted"),
)
TWICE = (
    _killed("killed, made; killed again before the adoption", "hang_after", "before record_submitted"),
    _killed("killed, made; killed again at its commit", "hang_after", "commit of record_submitted"),
    _killed("killed, made; killed again after the adoption", "hang_after", "after record_submitted"),
    _at("killed after the intent; again before giving it up", "after intend", "before withdraw"),
    _at("killed after the intent; again at that commit", "after intend", "commit of withdraw"),
    _at("killed after the intent; again after giving it up", "after intend", "after withdraw"),
    _at("killed after the intent; again after the next", "after intend", "after intend"),
    Boundary(
        "killed after the intent; suspended before giving it up",
        (Strike("after intend"), Strike("before withdraw", Blow.FREEZE)),
    ),
    _cut("cut, never made; then killed, request half sent", "drop_before", HALF_SENT),
)

BOUNDARIES = PLANNING + SENDING + MADE + RECORDING + TWICE


def boundary(name: str) -> Boundary:
    (found,) = (boundary for boundary in BOUNDARIES if boundary.name == name)
    return found
