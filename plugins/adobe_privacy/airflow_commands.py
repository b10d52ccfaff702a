"""`airflow privacy …`: the command line of this package, with Airflow's own connections and variables."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from adobe_privacy.command_names import COMMANDS

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def privacy_commands() -> list[CLICommand]:
    """What the provider adds to Airflow's command line. Read at every start of `airflow`, so it loads nothing."""
    from airflow.cli.cli_config import ActionCommand, Arg

    words = Arg(  # type: ignore[no-untyped-call]
        ("arguments",),
        nargs=argparse.REMAINDER,
        metavar="COMMAND …",
        help=f"{', '.join(COMMANDS)}; `airflow privacy COMMAND --help` says more",
    )
    return [
        ActionCommand(
            name="privacy", help="Privacy requests: the ledger and the archive", func=run, args=(words,)
        )
    ]


def _keep_logs_off_stdout() -> None:
    """Airflow logs to standard output, where a command's answer belongs alone: `--json` is read by programs.

    What holds the old standard output, every logger among it, writes to standard error from here on.
    """
    output = sys.__stdout__
    if output is None or sys.stdout is not output:
        return
    output.flush()
    answers = open(os.dup(1), "w", encoding=output.encoding, errors=output.errors)  # noqa: SIM115
    os.dup2(2, 1)
    sys.stdout = answers


def run(options: argparse.Namespace) -> None:
    """Runs one command and ends the process with its exit code."""
    # First of all: what is imported below may log by itself.
    _keep_logs_off_stdout()
    # Outside a task Airflow's SDK asks the environment alone for connections and variables, unless this says that
    # the metadata database is within reach, as it is for every command of `airflow`.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from airflow.sdk.exceptions import AirflowException

    from adobe_privacy.airflow_organisations import organisation_of
    from adobe_privacy.command_line import WRONG_DATA, main
    from adobe_privacy.command_places import Places
    from adobe_privacy.hooks.archive import archive_opener
    from adobe_privacy.hooks.ledger import open_ledger
    from adobe_privacy.hooks.settings import location, read_settings
    from adobe_privacy.hooks.storage import open_archive, open_inbox

    def places(organisation: str) -> Places:
        organisation_of(organisation)
        return Places(
            lambda actor, *, existing: open_ledger(actor, organisation, existing=existing),
            lambda: open_archive(location("archive", organisation), create=False),
            lambda: read_settings(organisation=organisation),
            lambda settings: open_inbox(settings.location("inbox")),
            lambda: archive_opener(read_settings(organisation=organisation)),
        )

    try:
        code = main(options.arguments, places=places, prog="airflow privacy")
        sys.stdout.flush()
        sys.exit(code)
    except AirflowException as error:
        # Its text may be another's, and hold more than belongs on a terminal.
        print(
            f"a connection that a setting names cannot be used ({type(error).__name__}): see docs/settings.md",
            file=sys.stderr,
        )
        sys.exit(WRONG_DATA)
