"""The Airflow DAG privacy_optouts. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import privacy_optouts

privacy_optouts()
