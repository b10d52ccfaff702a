"""How results are archived, from the Airflow variable `privacy_archive_options`."""

from __future__ import annotations

from dataclasses import fields

from airflow.sdk import Variable

from adobe_privacy.archive import ArchiveSettings, ZipLimits
from adobe_privacy.hooks.adobe_privacy import ConnectionProblem

OPTIONS_VARIABLE = "privacy_archive_options"


def archive_settings() -> ArchiveSettings:
    """Raises ConnectionProblem, naming the option, where one is not understood: a misspelt cap is no cap."""
    options = Variable.get(OPTIONS_VARIABLE, default=None, deserialize_json=True)
    if options is None:
        return ArchiveSettings()
    if not isinstance(options, dict):
        raise _problem('must be a JSON object like {"max_entries": 100000}')
    caps = {field.name for field in fields(ZipLimits)}
    for name, value in options.items():
        if name in caps:
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise _problem(f"{name} must be a whole number of 0 or more")
        elif name == "keep_rejected":
            if not isinstance(value, bool):
                raise _problem(f"{name} must be true or false")
        else:
            raise _problem(f"{name} is not known; known are keep_rejected, {', '.join(sorted(caps))}")
    return ArchiveSettings(
        limits=ZipLimits(**{name: value for name, value in options.items() if name in caps}),
        keep_rejected=bool(options.get("keep_rejected")),
    )


def _problem(what: str) -> ConnectionProblem:
    return ConnectionProblem(f"the Airflow variable {OPTIONS_VARIABLE}: {what}")
