"""`airflow privacy …`: the command line of this package, with Airflow's own connections and variables."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def privacy_commands() -> list[CLICommand]:
    """What the provider adds to Airflow's command line. Read at every start of `airflow`, so it loads nothing."""
    from airflow.cli.cli_config import ActionCommand, Arg

    words = Arg(  # type: ignore[no-untyped-call]
        ("arguments",),
        nargs=argparse.REMAINDER,
        metavar="COMMAND …",
        help="status, show, hold, release, due, verify, report or evidence, as `python -m adobe_privacy`",
    )
    return [
        ActionCommand(
            name="privacy", help="Privacy requests: the ledger and the archive", func=run, args=(words,)
        )
    ]


def run(options: argparse.Namespace) -> None:
    """Runs one command and ends the process with its exit code."""
    from adobe_privacy.command_line import WRONG_DATA, Places, main
    from adobe_privacy.hooks.adobe_privacy import ConnectionProblem
    from adobe_privacy.hooks.ledger import open_ledger
    from adobe_privacy.hooks.storage import open_archive

    try:
        sys.exit(main(options.arguments, places=Places(open_ledger, open_archive), prog="airflow privacy"))
    except ConnectionProblem as problem:
        print(problem, file=sys.stderr)
        sys.exit(WRONG_DATA)
