"""The organisation's own legal clocks: from an Airflow variable to the clocks that requests get."""

from __future__ import annotations

import json
import tomllib

from airflow.sdk import Variable

from adobe_privacy.hooks.adobe_privacy import ConnectionProblem
from adobe_privacy.regulations.clocks import DEFAULT, Clocks
from adobe_privacy.regulations.codes import RegulationError

CLOCKS_VARIABLE = "privacy_legal_clocks"


def legal_clocks() -> Clocks:
    """The built-in clocks with what the variable `privacy_legal_clocks` changes: JSON, or the path of a TOML file
    that every worker can read. Raises ConnectionProblem where it cannot be used: a due date is not guessed."""
    value = str(Variable.get(CLOCKS_VARIABLE, default=None) or "").strip()
    if not value:
        return DEFAULT
    try:
        if value.startswith("{"):
            return DEFAULT.with_overrides(json.loads(value))
        return Clocks.read(value.removeprefix("file://"))
    except (OSError, json.JSONDecodeError, tomllib.TOMLDecodeError, RegulationError, ValueError) as error:
        raise ConnectionProblem(f"the Airflow variable {CLOCKS_VARIABLE} cannot be used: {error}") from None
