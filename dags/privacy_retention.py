"""The Airflow DAG privacy_retention. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import privacy_retention

privacy_retention()
