"""The states of a job and every way from one to another. What is not in here, the ledger refuses to do.

`docs/states.md` is made from it: `python -m scripts.states_page`.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class JobState(StrEnum):
    """Where a job is. What each means is in `MEANINGS`."""

    RECEIVED = "received"
    PLANNED = "planned"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    COMPLETE = "complete"
    ARCHIVED = "archived"
    ERROR = "error"
    REFUSED = "refused"
    GONE = "gone"
    CLOSED = "closed"


MEANINGS = {
    JobState.RECEIVED: "The ledger knows the job. It waits for a batch.",
    JobState.PLANNED: "The job is in a batch. Nothing was sent.",
    JobState.SUBMITTING: "The intent to send is committed. Adobe may or may not have the job.",
    JobState.SUBMITTED: "Adobe has the job, and its id is known.",
    JobState.COMPLETE: "Adobe has finished the job. The result is not archived yet.",
    JobState.ARCHIVED: "The manifest is written, and the result is in the archive.",
    JobState.ERROR: "Adobe ended the job in error.",
    JobState.REFUSED: "Adobe or the plan did not accept the job. Nothing was made at Adobe.",
    JobState.GONE: "Adobe has no data of the job any more, or cannot be asked whether it ever had the job.",
    JobState.CLOSED: "A person decided that nothing more happens, and gave the reason.",
}

# A job in one of these moves on by a person's decision only, or never.
ENDS = (JobState.ARCHIVED, JobState.ERROR, JobState.REFUSED, JobState.GONE, JobState.CLOSED)
# The last word on a job: nobody waits for it any more.
OVER = (JobState.ARCHIVED, JobState.GONE, JobState.CLOSED)
UNFINISHED_STATES = tuple(state for state in JobState if state not in OVER)
# A person must decide: send it again, or close it.
FAILED_STATES = (JobState.ERROR, JobState.REFUSED, JobState.GONE)
OPEN_STATES = (JobState.PLANNED, JobState.SUBMITTING, JobState.SUBMITTED, JobState.COMPLETE)
# Adobe has it, and its result is not archived.
OPEN_AT_ADOBE = (JobState.SUBMITTED, JobState.COMPLETE)
# Adobe is not known to have a job in one of these.
UNSENT_STATES = (JobState.PLANNED, JobState.SUBMITTING)
# Where `closed` may come from: not from what is being sent.
_CLOSABLE = tuple(
    state for state in JobState if state not in (JobState.SUBMITTING, JobState.ARCHIVED, JobState.CLOSED)
)


class Who(StrEnum):
    """Who decides that a job moves."""

    RUN = "a run"
    PERSON = "a person"
    ADOBE = "Adobe's answer"


class Move(Enum):
    """Every way from one state to another: its origins (None: the job is new), its end, who decides, and when."""

    TAKE_IN = (None,), JobState.RECEIVED, Who.RUN, "A request arrives in the inbox."
    REGISTER = (
        (None,),
        JobState.SUBMITTED,
        Who.ADOBE,
        "Adobe has a job that this ledger did not know: another's, or a second one for a request.",
    )
    CLAIM = (JobState.RECEIVED,), JobState.PLANNED, Who.RUN, "A plan puts the job into a batch."
    GIVE_BACK = (JobState.PLANNED,), JobState.RECEIVED, Who.RUN, "The job is left to the next plan."
    HOLD_BACK = (JobState.PLANNED,), JobState.RECEIVED, Who.PERSON, "A person does not approve the delete."
    NOT_SENT = (JobState.PLANNED,), JobState.REFUSED, Who.RUN, "The job cannot be sent as it is."
    INTEND = (
        (JobState.PLANNED, JobState.RECEIVED),
        JobState.SUBMITTING,
        Who.RUN,
        "The intent is committed, then the call is made. An opt-out needs no batch.",
    )
    INTEND_AGAIN = (
        (JobState.SUBMITTING,),
        JobState.SUBMITTING,
        Who.RUN,
        "An opt-out whose call has no known outcome is sent again: accepted twice, it has the same effect.",
    )
    DOUBT = (
        (JobState.PLANNED,),
        JobState.SUBMITTING,
        Who.RUN,
        "Adobe may have the job, though the ledger knows of no call: it is looked for before it is sent.",
    )
    WITHDRAW = (
        (JobState.SUBMITTING,),
        JobState.PLANNED,
        Who.RUN,
        "The call certainly made nothing, and the batch is sent again.",
    )
    WITHDRAW_OPT_OUT = (
        (JobState.SUBMITTING,),
        JobState.RECEIVED,
        Who.RUN,
        "Adobe certainly did not accept the opt-out, which is sent again.",
    )
    REFUSE = (JobState.SUBMITTING,), JobState.REFUSED, Who.ADOBE, "Adobe refuses the job for good."
    FORGET = (
        (JobState.SUBMITTING,),
        JobState.GONE,
        Who.RUN,
        "The outcome of the call is unknown, and Adobe's lists do not reach back to it any more.",
    )
    RECOGNISE = (
        (JobState.SUBMITTING, JobState.PLANNED, JobState.RECEIVED, JobState.REFUSED, JobState.GONE),
        JobState.SUBMITTED,
        Who.ADOBE,
        "Adobe has the job, by its answer or by its list.",
    )
    ACCEPT = (
        (JobState.SUBMITTING, JobState.RECEIVED),
        JobState.COMPLETE,
        Who.ADOBE,
        "Adobe accepts an opt-out: that is all it ever says.",
    )
    COMPLETE = (JobState.SUBMITTED,), JobState.COMPLETE, Who.ADOBE, "Adobe has finished the job."
    FAIL = (
        (JobState.SUBMITTED, JobState.COMPLETE),
        JobState.ERROR,
        Who.ADOBE,
        "Adobe ended the job in error, or says so after it had called it complete.",
    )
    LOSE = (
        (JobState.SUBMITTED, JobState.COMPLETE),
        JobState.GONE,
        Who.ADOBE,
        "Adobe has neither the job's data nor its result any more.",
    )
    ARCHIVE = (JobState.COMPLETE,), JobState.ARCHIVED, Who.RUN, "The manifest, or the receipt, is written."
    TRY_AGAIN = (
        (JobState.ERROR,),
        JobState.RECEIVED,
        Who.RUN,
        "Adobe's error says that another try can help: a new attempt.",
    )
    RESEND = (
        (JobState.ERROR, JobState.REFUSED, JobState.GONE, JobState.ARCHIVED),
        JobState.RECEIVED,
        Who.PERSON,
        "`resend`: a new attempt. Not where it is unknown whether Adobe has the last one. Of an archived job only "
        "where a product should have done what was asked and did not.",
    )
    CLOSE = _CLOSABLE, JobState.CLOSED, Who.PERSON, "`close`: nothing more happens."

    def __init__(self, origins: tuple[JobState | None, ...], to: JobState, who: Who, when: str) -> None:
        self.origins = origins
        self.to = to
        self.who = who
        self.when = when

    @property
    def title(self) -> str:
        return self.name.lower().replace("_", " ")

    def check(self, origin: JobState | None) -> None:
        """Raises ForbiddenMove where a job in this state may not make the move."""
        if origin not in self.origins:
            raise ForbiddenMove(
                f"{self.title!r} does not lead from {origin or 'nothing'} to {self.to}: see Move in ledger/states.py"
            )


class ForbiddenMove(Exception):
    """An error of the program: it tried to move a job where no way leads. Nothing was written."""
