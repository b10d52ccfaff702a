"""The Airflow DAG privacy_alarms, for each organisation. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import organisations, privacy_alarms

for organisation in organisations():
    privacy_alarms(organisation=organisation)
