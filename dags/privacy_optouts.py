"""The Airflow DAG privacy_optouts, for each organisation. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import organisations, privacy_optouts

for organisation in organisations():
    privacy_optouts(organisation=organisation)
