"""Where the documents are that the page and the alarms lead to."""

from __future__ import annotations

DOCUMENTS = "https://github.com/airflow-adobe-privacy/airflow-adobe-privacy/blob/main/docs"


def document(place: str) -> str:
    """The address of a document, by its place below `docs/`."""
    return f"{DOCUMENTS}/{place}"
