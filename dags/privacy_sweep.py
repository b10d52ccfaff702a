"""The Airflow DAG privacy_sweep, for each organisation. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import organisations, privacy_sweep

for organisation in organisations():
    privacy_sweep(organisation=organisation)
