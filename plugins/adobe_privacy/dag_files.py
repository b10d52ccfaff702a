"""Writes DAG files: each calls a builder of `adobe_privacy.dags`, with room for a user's own arguments."""

from __future__ import annotations

from pathlib import Path

DAGS = ("privacy_requests", "privacy_sweep", "privacy_optouts", "privacy_retention", "privacy_alarms")


def dag_file(name: str) -> str:
    return f'''"""The Airflow DAG {name}, for each organisation. Its arguments: docs/production.md, "The DAGs"."""

from adobe_privacy.dags import organisations, {name}

for organisation in organisations():
    {name}(organisation=organisation)
'''


def write_dag_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the files that were written, and those that were there already and are left as they are.

    Raises OSError where the folder cannot be made or written."""
    folder.mkdir(parents=True, exist_ok=True)
    written, kept = [], []
    for name in DAGS:
        path = folder / f"{name}.py"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(dag_file(name))
        except FileExistsError:
            kept.append(path)
        else:
            written.append(path)
    return written, kept
