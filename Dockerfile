# The Astro runtime with Airflow 3.3; its ONBUILD steps install packages.txt and requirements.txt and copy the project.
FROM astrocrpublic.azurecr.io/runtime:3.3-1

ENV AIRFLOW__STATE_STORE__DEFAULT_RETENTION_DAYS=90
# The connection type and its form exist only for an installed provider.
RUN pip install --no-deps --no-build-isolation --editable . || pip install --no-deps --editable .
