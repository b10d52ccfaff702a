"""Makes ready in the dag-processor, once, what every parse of our DAG files needs.

Airflow's dag-processor forks a process for each parse of a DAG file. What the dag-processor has imported, that process
has too. So this listener imports what our DAGs need, and makes and serializes each DAG once: after that, every import,
validator and schema that Airflow makes at its first use is there.

A fork copies whatever is held at that moment. So nothing here opens a connection, starts a thread or an event loop, or
looks up a connection or a variable.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any

from airflow.listeners import hookimpl

from adobe_privacy.dag_files import DAGS
from adobe_privacy.plain_text import plain_logger

# Of the command `airflow dag-processor`. Which type a job has is not known yet when the job calls its listeners.
DAG_PROCESSOR = "airflow.cli.commands.dag_processor_command"
# The dag-processor imports it next. It registers abstract classes, and with each of these Python forgets what
# `isinstance` has found before: so it comes first.
IMPORTED_NEXT = "airflow.api_fastapi.execution_api.app"

log = plain_logger(__name__)


@hookimpl
def on_starting(component: Any) -> None:
    """A failure is logged, and the dag-processor goes on: then each parse imports for itself, which takes longer."""
    if DAG_PROCESSOR not in sys.modules:
        return
    from airflow.jobs.job import Job

    if not isinstance(component, Job):
        return
    started = time.monotonic()
    try:
        preload()
    except Exception as error:
        log.warning(
            "The DAGs of airflow-adobe-privacy are not preloaded, so that their files take longer to parse: %s: %s",
            type(error).__name__,
            error,
        )
    else:
        log.info("Preloaded the DAGs of airflow-adobe-privacy in %.1f s", time.monotonic() - started)


def preload() -> None:
    """Keeps none of the DAGs. Those of other organisations need nothing else."""
    import_module(IMPORTED_NEXT)
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.interval import CronDataIntervalTimetable

    builders = import_module("adobe_privacy.dags")
    shared = import_module("adobe_privacy.dags._dag")
    shared.READY_TIMETABLES[shared.DAILY] = CronDataIntervalTimetable(shared.DAILY, timezone="UTC")
    for name in DAGS:
        DagSerialization.to_dict(getattr(builders, name)())
