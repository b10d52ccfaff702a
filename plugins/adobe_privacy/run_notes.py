"""The note of a run in Airflow's UI: its figures, beside the run itself.

A task of Airflow 3.3 cannot write its run's note. So the tasks that know figures push them as an XCom, and where
the end of a run is decided, in the scheduler or in the API server, this listener makes them the run's note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from adobe_privacy.plain_text import markdown, plain_logger

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import Context

XCOM_KEY = "adobe_privacy_run_note"  # of nobody else: any run of this Airflow is looked at
MAX_LENGTH = 1000  # of Airflow's column

log = plain_logger(__name__)


def push_figures(context: Context, figures: str) -> None:
    """Keeps a task's line of counts for the run's note, which is Markdown; ids and counts only, it is stored in
    Airflow's database."""
    context["ti"].xcom_push(key=XCOM_KEY, value=markdown(figures))


@hookimpl
def on_dag_run_success(dag_run: DagRun) -> None:
    _write_note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun) -> None:
    _write_note(dag_run)


def _write_note(dag_run: DagRun) -> None:
    """A note that a person has written stays as it is; one of an earlier end of the same run is replaced."""
    from airflow.models.dagrun import DagRunNote
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert, select, update
    from sqlalchemy.exc import IntegrityError
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        return
    # A note that comes with a person's mark of the run is only in the session yet.
    session.flush()
    # Below the session, whose savepoints the scheduler takes for commits and forbids.
    connection = session.connection()
    pushed = connection.execute(
        select(XComModel.value)
        .where(XComModel.dag_run_id == dag_run.id, XComModel.key == XCOM_KEY)
        .order_by(XComModel.timestamp)
    ).scalars()
    note = "\n\n".join(value for value in pushed if isinstance(value, str))[:MAX_LENGTH]
    if not note:
        return
    written_by = select(DagRunNote.user_id).where(DagRunNote.dag_run_id == dag_run.id)
    existing = connection.execute(written_by).one_or_none()
    if existing is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(DagRunNote).values(dag_run_id=dag_run.id, content=note))
        except IntegrityError:
            log.info("The run %s got a person's note at this moment: left as it is", dag_run.run_id)
    elif existing.user_id is None:
        ours = (DagRunNote.dag_run_id == dag_run.id, DagRunNote.user_id.is_(None))
        connection.execute(update(DagRunNote).where(*ours).values(content=note))
