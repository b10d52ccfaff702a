"""The buttons that do what each kind of attention asks for, as one table. What they need is checked where they lead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Button:
    """`decision` is about the requests that are picked, or all that are shown; `run` starts a run of that DAG; `place`
    is a page of ours, or of Airflow's where `in_airflow`."""

    label: str
    decision: str | None = None
    run: str | None = None
    place: str | None = None
    in_airflow: bool = False


RESEND = Button("Send again", decision="resend")
CLOSE = Button("Close", decision="close")
BUTTONS: dict[str, tuple[Button, ...]] = {
    "rejected": (Button("Hand in a corrected request", place="new"),),
    "unread": (Button("Hand in the requests as another file", place="new"),),
    "refused": (RESEND, CLOSE),
    "refused_together": (CLOSE,),
    "unreadable": (CLOSE,),
    "error": (RESEND, CLOSE),
    "gone": (RESEND, CLOSE),
    "not_done": (RESEND, CLOSE),
    "unknown": (Button("Open the runs", place="dags/{dag_id}/runs", in_airflow=True),),
    "approval": (
        Button("Answer the questions", place="required_actions?response_received=false", in_airflow=True),
    ),
    "overdue": (Button("Put on hold", decision="hold"), CLOSE),
    "not_erased": (CLOSE,),
    "expiring": (Button("Run the sweep now", run="privacy_sweep"),),
    "warned": (CLOSE,),
    "held": (Button("Release", decision="release"),),
}
