"""The Airflow DAG privacy_retention, for each organisation. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import organisations, privacy_retention

for organisation in organisations():
    privacy_retention(organisation=organisation)
