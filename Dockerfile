# The Astro runtime with Airflow 3.3; its ONBUILD steps install packages.txt and requirements.txt and copy the project.
# requirements.txt has hashes, so pip takes nothing else. A tag can be moved: give the base by its digest where you build
# for production, `--build-arg BASE=astrocrpublic.azurecr.io/runtime@sha256:…`.
ARG BASE=astrocrpublic.azurecr.io/runtime:3.3-1
FROM ${BASE}

ENV AIRFLOW__STATE_STORE__DEFAULT_RETENTION_DAYS=90
# The connection type and its form exist only for an installed provider. What builds it is in requirements.txt.
RUN pip install --no-deps --no-build-isolation --editable .
