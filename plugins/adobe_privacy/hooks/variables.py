"""Airflow variables that hold JSON."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk import Variable


class NotJson(Exception):
    """The variable is set, and is no JSON."""


def json_variable(name: str) -> Any:
    """The variable's value, None where it is absent or empty. Raises NotJson.

    Airflow's own `deserialize_json` takes a variable that is no JSON for an absent one where a default is given
    (3.3.2): a misspelt setting would silently be none.
    """
    text = str(Variable.get(name, default=None) or "").strip()
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise NotJson(name) from None
