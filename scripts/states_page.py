"""Writes docs/states.md from `adobe_privacy.ledger.states`. With `--check` it only says whether the page is current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from adobe_privacy.ledger.states import ENDS, MEANINGS, JobState, Move
from scripts.made_pages import write_or_check

PAGE = Path(__file__).parents[1] / "docs" / "states.md"
INTRODUCTION = """\
# The states of a job

A request is one job for each of its actions. This page is made from `plugins/adobe_privacy/ledger/states.py` by
`python -m scripts.states_page`. The ledger refuses every move that is not listed here.

A hold is no state. A job on hold keeps its state, is not sent, and its result is not erased.
"""


def page() -> str:
    return "\n".join([INTRODUCTION, *_states(), "", *_diagram(), "", *_moves(), ""])


def _states() -> Iterator[str]:
    yield from ("## States", "", "| state | meaning | end |", "|---|---|---|")
    for state, meaning in MEANINGS.items():
        yield f"| `{state}` | {meaning} | {'yes' if state in ENDS else ''} |"
    yield ""
    yield "`resend` sends a job that ended in `error`, `refused` or `gone` again; `close` ends it for good."


def _diagram() -> Iterator[str]:
    yield from ("## Diagram", "", "```mermaid", "stateDiagram-v2")
    for move in Move:
        # A person can close nearly everything: the arrows would hide the others.
        if move is Move.CLOSE:
            continue
        for origin in move.origins:
            yield f"    {origin or '[*]'} --> {move.to}: {move.title}"
    yield f"    {JobState.ARCHIVED} --> [*]"
    yield f"    {JobState.CLOSED} --> [*]"
    yield from ("```", "", f"Not drawn: `close`, from {_origins(Move.CLOSE)}.")


def _moves() -> Iterator[str]:
    yield from ("## Moves", "", "| move | from | to | decided by | when |", "|---|---|---|---|---|")
    for move in Move:
        yield f"| {move.title} | {_origins(move)} | `{move.to}` | {move.who} | {move.when} |"


def _origins(move: Move) -> str:
    return ", ".join(f"`{origin}`" if origin else "new" for origin in move.origins)


def main() -> int:
    return write_or_check(PAGE, page(), made_from="ledger/states.py", by="scripts.states_page")


if __name__ == "__main__":
    sys.exit(main())
