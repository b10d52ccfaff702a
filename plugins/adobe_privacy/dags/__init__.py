"""The DAGs of this package, to be built in a DAG file of one's own:

    from adobe_privacy.dags import privacy_requests

    privacy_requests(schedule="@daily", inbox_uri="s3://aws_default@cases/inbox")  # an Airflow DAG

Where Airflow's configuration lists several organisations, build one for each:

    for organisation in organisations():
        privacy_requests(organisation=organisation)

Airflow reads only files that contain the words "dag" and "airflow".
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from adobe_privacy.airflow_organisations import organisations

if TYPE_CHECKING:
    from adobe_privacy.dags._privacy_alarms import privacy_alarms
    from adobe_privacy.dags._privacy_optouts import privacy_optouts
    from adobe_privacy.dags._privacy_requests import privacy_requests
    from adobe_privacy.dags._privacy_retention import privacy_retention
    from adobe_privacy.dags._privacy_sweep import privacy_sweep

__all__ = [
    "organisations",
    "privacy_alarms",
    "privacy_optouts",
    "privacy_requests",
    "privacy_retention",
    "privacy_sweep",
]


def __getattr__(name: str) -> Any:
    """A DAG file is parsed again and again, in a new process each time: it imports no more than the DAG it builds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    builder = globals()[name] = getattr(import_module(f"{__name__}._{name}"), name)
    return builder
