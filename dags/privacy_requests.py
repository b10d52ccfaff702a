"""The Airflow DAG privacy_requests. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import privacy_requests

privacy_requests()
