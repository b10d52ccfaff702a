"""A job's history as a person reads it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adobe_privacy.ledger.attention import KINDS, LASTING, Level
from adobe_privacy.ledger.schema import Transition
from adobe_privacy.ledger.states import JobState, Move
from adobe_privacy.web.sentences import dated, sentence
from adobe_privacy.web.what_to_do import BUTTONS
from adobe_privacy.web.words import LABELS, STATES

RUN = "privacy_requests/scheduled__2026-11-03T00:00:00+00:00/batch.submit[0]"


def change(origin: JobState | None, to: JobState, reason: str, actor: str = RUN) -> Transition:
    return Transition(
        job_id=1, at=datetime(2026, 11, 3, tzinfo=UTC), actor=actor, from_state=origin, to_state=to,
        attempt=1, reason=reason,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            change(JobState.SUBMITTING, JobState.SUBMITTED, "Adobe's answer"),
            "Sent to Adobe by the run of 3 Nov 2026.",
        ),
        (
            change(JobState.SUBMITTED, JobState.ERROR, "Adobe: error, 1000-400", "privacy_sweep/x/archive"),
            "Ended in error at Adobe, seen by privacy_sweep: error, 1000-400.",
        ),
        (
            change(JobState.SUBMITTED, JobState.SUBMITTED, "on hold: in court", "user/officer"),
            "Put on hold by officer: in court.",
        ),
        (
            change(JobState.SUBMITTED, JobState.SUBMITTED, "hold ended: settled", "user officer by command"),
            "Released by officer by command: settled.",
        ),
        (
            change(JobState.ERROR, JobState.RECEIVED, "sent again: mended", "user/officer"),
            "To be sent again by officer: mended.",
        ),
        (change(JobState.ERROR, JobState.CLOSED, "closed: done", "user/officer"), "Closed by officer: done."),
    ],
)
def test_a_change_is_a_sentence(made: Transition, told: str) -> None:
    assert sentence(made) == told


@pytest.mark.parametrize("move", Move, ids=lambda move: move.title)
def test_every_move_has_words_of_its_own(move: Move) -> None:
    for origin in move.origins:
        assert not sentence(change(origin, move.to, "a reason")).startswith("Changed")


def test_every_state_has_a_name() -> None:
    assert set(LABELS) == set(STATES) == set(JobState)


def test_what_needs_a_person_has_a_button() -> None:
    names = {kind.name for kind in LASTING if kind.level is Level.PERSON}
    assert names <= set(BUTTONS) <= {kind.name for kind in KINDS}


def test_days_are_written_in_one_way_and_folders_by_their_names() -> None:
    assert dated("due on 2026-11-03, in 2026-11-03/a.csv") == "due on 3 Nov 2026, in 2026-11-03/a.csv"
