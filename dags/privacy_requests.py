"""The Airflow DAG privacy_requests, for each organisation. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import organisations, privacy_requests

for organisation in organisations():
    privacy_requests(organisation=organisation)
