"""The Airflow DAG privacy_sweep. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import privacy_sweep

privacy_sweep()
