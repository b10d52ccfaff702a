"""The Airflow DAG privacy_alarms. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import privacy_alarms

privacy_alarms()
