"""The DAGs of this package, to be built in a DAG file of one's own:

    from adobe_privacy.dags import privacy_requests

    privacy_requests(schedule="@daily", inbox_uri="s3://aws_default@cases/inbox")  # an Airflow DAG

Where Airflow's configuration lists several organisations, build one for each:

    for organisation in organisations():
        privacy_requests(organisation=organisation)

Airflow reads only files that contain the words "dag" and "airflow".
"""

from __future__ import annotations

from adobe_privacy.airflow_organisations import organisations
from adobe_privacy.dags.privacy_alarms import privacy_alarms
from adobe_privacy.dags.privacy_optouts import privacy_optouts
from adobe_privacy.dags.privacy_requests import privacy_requests
from adobe_privacy.dags.privacy_retention import privacy_retention
from adobe_privacy.dags.privacy_sweep import privacy_sweep

__all__ = [
    "organisations",
    "privacy_alarms",
    "privacy_optouts",
    "privacy_requests",
    "privacy_retention",
    "privacy_sweep",
]
