"""The fields of Airflow's forms: of a run that somebody triggers, and of an answer that is asked for."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

# Airflow checks each field's schema again and again while a DAG file is parsed. Without a version it takes the newest,
# 2020-12, whose check takes three times as long. What the fields use means the same in both.
DRAFT = "http://json-schema.org/draft-07/schema#"


def field(default: Any, *, title: str, description: str, **schema: Any) -> Param:
    """A field with its JSON schema, draft 7."""
    return Param(default, description=description, **{"$schema": DRAFT, "title": title, **schema})
