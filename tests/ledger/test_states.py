"""The table of states: every state has a way out, every end has a sentence, and the ledger does nothing else."""

from __future__ import annotations

import pytest

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import ENDS, MEANINGS, OVER, ForbiddenMove, JobState, Move, Who
from scripts import states_page
from tests.support.ledgers import received


def test_the_page_shows_the_table_as_it_is() -> None:
    assert states_page.PAGE.read_text("utf-8") == states_page.page(), "run: python -m scripts.states_page"


@pytest.mark.parametrize("state", JobState)
def test_every_state_is_explained_in_a_sentence_or_two(state: JobState) -> None:
    assert MEANINGS[state].endswith(".")
    assert len(MEANINGS[state]) < 120


@pytest.mark.parametrize("state", JobState)
def test_every_state_is_reached(state: JobState) -> None:
    assert state in _reached_from(None)


@pytest.mark.parametrize("state", [state for state in JobState if state not in OVER])
def test_from_every_state_a_run_or_a_person_reaches_the_last_word(state: JobState) -> None:
    """Without Adobe's help: what Adobe never answers ends too."""
    assert _reached_from(state, Who.RUN, Who.PERSON) & set(OVER)


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.SUBMITTING])
def test_a_person_closes_what_is_not_being_sent(state: JobState) -> None:
    assert state in (JobState.ARCHIVED, JobState.CLOSED) or state in Move.CLOSE.origins


def test_only_a_person_or_adobe_or_a_promised_second_try_leads_out_of_an_end() -> None:
    for move in Move:
        if set(move.origins) & set(ENDS):
            assert move.who is not Who.RUN or move is Move.TRY_AGAIN


def test_closed_is_final_and_only_a_person_sends_again_what_is_archived() -> None:
    assert [move for move in Move if JobState.CLOSED in move.origins] == []
    assert [move for move in Move if JobState.ARCHIVED in move.origins] == [Move.RESEND]


def test_a_move_that_is_not_in_the_table_is_refused_by_its_name(ledger: Ledger) -> None:
    ledger.intake.receive([received(1, "access")])
    [job] = ledger.people.request_jobs("DSR-1")
    with (
        pytest.raises(ForbiddenMove, match="'archive' does not lead from received to archived"),
        ledger.unit.write() as session,
    ):
        ledger.unit.move(session, ledger.unit.by_id(session, [job.id]), Move.ARCHIVE, "no way")
    assert ledger.people.request_jobs("DSR-1")[0].state is JobState.RECEIVED
    assert len(ledger.people.history("DSR-1")) == 1


def _reached_from(state: JobState | None, *who: Who) -> set[JobState]:
    reached: set[JobState] = set()
    places: list[JobState | None] = [state]
    while places:
        place = places.pop()
        for move in Move:
            if place in move.origins and move.to not in reached and (not who or move.who in who):
                reached.add(move.to)
                places.append(move.to)
    return reached
