"""Runs several Airflow commands in one process: importing Airflow takes longer than any of them.

python scripts/airflow_commands.py '[["db", "migrate"], ["variables", "import", "file.json"]]'
"""

from __future__ import annotations

import json
import sys

from airflow.cli.cli_parser import get_parser


def main() -> None:
    for arguments in json.loads(sys.argv[1]):
        options = get_parser().parse_args(arguments)
        options.func(options)


if __name__ == "__main__":
    main()
