"""The states of a job."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. `ARCHIVED`, `ERROR` and `REFUSED` are ends; a person can release the last two."""

    RECEIVED = "received"  # known and valid, waits for a batch
    PLANNED = "planned"  # in a batch, nothing sent
    SUBMITTING = "submitting"  # the intent is committed: Adobe may or may not have it
    SUBMITTED = "submitted"  # Adobe's job id is known
    COMPLETE = "complete"  # Adobe is done with it, the result is not archived yet
    ARCHIVED = "archived"  # the manifest is written
    ERROR = "error"  # Adobe answered with an error
    REFUSED = "refused"  # Adobe or the planner would not take it


OPEN_STATES = (JobState.PLANNED, JobState.SUBMITTING, JobState.SUBMITTED, JobState.COMPLETE)
# Adobe is not known to have a job in one of these.
UNSENT_STATES = (JobState.PLANNED, JobState.SUBMITTING)
UNSUBMITTED_STATES = (JobState.RECEIVED, *UNSENT_STATES, JobState.REFUSED)
# Adobe has it, and what came of it is not archived.
OPEN_AT_ADOBE = (JobState.SUBMITTED, JobState.COMPLETE)
