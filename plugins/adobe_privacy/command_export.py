"""The command `export`: the jobs that the page's filters leave, as CSV."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import IO

from adobe_privacy import command_arguments
from adobe_privacy.api.names import Verdict, find_outcome_code, product_code
from adobe_privacy.command_output import closed_file
from adobe_privacy.command_places import Places
from adobe_privacy.intake.catalogue import unknown_product
from adobe_privacy.ledger.attention import BY_NAME, LASTING
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.overview import Filters
from adobe_privacy.ledger.states import JobState
from adobe_privacy.plain_text import plain
from adobe_privacy.reporting.export import as_json_list, export_csv
from adobe_privacy.settings import SettingsError

ALL = "all"


def add_export_arguments(command: argparse.ArgumentParser) -> None:
    """The page's filters, by the same names."""
    add = command.add_argument
    add(
        "--state",
        choices=[*(state.value for state in JobState), ALL],
        help="else all but archived and closed ones; with --attention, --request, --batch, --verdict or --code these, "
        "too",
    )
    add("--attention", choices=[kind.name for kind in LASTING if kind.states], help="a kind of attention")
    add(
        "--regulation",
        type=command_arguments.regulation,
        metavar="CODE",
        help="one regulation code; else all",
    )
    add("--action", type=command_arguments.action, metavar="ACTION", help="access, delete or opt_out_of_sale")
    add(
        "--product",
        metavar="CODE",
        help="such as target. Without --verdict and --code: a product of the request; of a request that names none "
        "and is not planned yet, `airflow privacy` alone knows the connection's default products",
    )
    verdicts = ", ".join(f"'{verdict}'" for verdict in Verdict)
    add("--verdict", choices=list(Verdict), metavar="VERDICT", help=f"one of {verdicts}")
    add("--code", type=_code, metavar="CODE", help="Adobe's outcome code, such as 6053")
    add("--request", metavar="ID", help="one request id")
    add("--batch", metavar="ID", help="one batch id, as the column batch_id has it")
    for flag in ("--from", "--to"):
        add(
            flag,
            dest=f"{flag[2:]}_day",
            type=command_arguments.day,
            metavar="DATE",
            help="of the inbox, included",
        )
    add("--output", type=Path, metavar="FILE", help="must not exist yet; else standard output")


def export_jobs(options: argparse.Namespace, ledger: Ledger) -> bool:
    """Writes all the jobs; none is no mistake."""
    filters = _filters(options)
    if options.output is None:
        _write(sys.stdout, options, ledger, filters)
        return True
    try:
        place = closed_file(options.output, "x")
    except OSError as error:
        options.usage_error(f"cannot write {options.output}: {error.strerror}")
    try:
        with place as file:
            _write(file, options, ledger, filters)
    except BaseException:
        # A part of the jobs would look like all of them.
        options.output.unlink(missing_ok=True)
        raise
    return True


def _write(file: IO[str], options: argparse.Namespace, ledger: Ledger, filters: Filters) -> None:
    for text in (as_json_list if options.json else export_csv)(ledger, filters):
        file.write(text)


def _filters(options: argparse.Namespace) -> Filters:
    if options.product and (fault := unknown_product(options.product)):
        # Not refused: Adobe may answer for a product that this version does not know.
        print(plain(f"--product: {fault}"), file=sys.stderr)
    states = tuple(JobState) if options.state == ALL else (JobState(options.state),) if options.state else ()
    return Filters(
        states=states,
        attention=BY_NAME[options.attention] if options.attention else None,
        regulation=options.regulation,
        action=options.action,
        product=product_code(options.product) if options.product else None,
        verdict=Verdict(options.verdict) if options.verdict else None,
        code=options.code,
        request_id=options.request,
        batch_id=options.batch,
        first_day=options.from_day,
        last_day=options.to_day,
        default_products=_default_products(options) if options.product else (),
    )


def _default_products(options: argparse.Namespace) -> tuple[str, ...]:
    places: Places = options.places
    try:
        return places.settings().service.products if places.settings is not None else ()
    except SettingsError:
        return ()  # an export tells what the ledger holds, whatever is wrong with the connection


def _code(text: str) -> str:
    code = find_outcome_code(text)
    if code is None:
        raise argparse.ArgumentTypeError(f"{text}: an outcome code of Adobe's, such as 6053 or 6053-200")
    return code
