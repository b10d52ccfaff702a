"""The command line: the ledger and the archive without Airflow.

Exit codes: 0 fine, 1 something is wrong with the data, 2 wrong usage, 141 nobody read the output to its end.
"""

from __future__ import annotations

import argparse
import os
import pwd
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from adobe_privacy import command_archive, command_arguments, command_decisions
from adobe_privacy.archive import ArchiveError
from adobe_privacy.command_export import add_export_arguments, export_jobs
from adobe_privacy.command_find import find
from adobe_privacy.command_intake import add_check_arguments, check_intake
from adobe_privacy.command_names import COMMANDS
from adobe_privacy.command_open import open_
from adobe_privacy.command_output import job_row, print_json, print_rows, printed
from adobe_privacy.command_places import Places, WrongUsage, ledger_address, places_of_environment
from adobe_privacy.command_reconcile import reconcile_with
from adobe_privacy.command_show import show
from adobe_privacy.dag_files import write_dag_files
from adobe_privacy.ledger.attention import Level
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.organisations import DEFAULT, OrganisationError
from adobe_privacy.plain_text import plain
from adobe_privacy.protective import protective
from adobe_privacy.reporting import reports
from adobe_privacy.reporting.attention import read_attention
from adobe_privacy.settings import SettingsError
from adobe_privacy.storage import InvalidLocation, StorageError, open_store

FINE, WRONG_DATA, WRONG_USAGE = 0, 1, 2
# As a shell says of what a broken pipe ended. What was not printed may be what is wrong.
NOT_READ = 128 + signal.SIGPIPE
ARCHIVE_HELP = "as for verify; else $AIRFLOW_VAR_PRIVACY_ARCHIVE_URI or Airflow's variable"
# The ledger that no option names.
USUAL = object()
REPORTED = (
    *("regulation", "requests_to", "received", "complied", "part", "denied", "failed", "open"),
    *("median_days", "mean_days", "in_time", "late", "overdue", "extended"),
)


def main(
    arguments: Sequence[str] | None = None,
    *,
    places: Callable[[str], Places] = places_of_environment,
    prog: str = "adobe_privacy",
) -> int:
    """Runs one command and returns its exit code. `places` gives those of an organisation; without it the environment
    is asked for them."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        "".join(given).encode()
    except UnicodeEncodeError:
        print("an argument is no text in UTF-8", file=sys.stderr)
        return WRONG_USAGE
    options = parser_of(prog).parse_args(given)
    options.open_ledger = _open_ledger
    try:
        options.places = places(options.organisation)
        code = int(options.run(options))
        # Here, so that a reader who went away is noticed.
        sys.stdout.flush()
        return code
    except (WrongUsage, InvalidLocation, OrganisationError) as error:
        print(plain(str(error)), file=sys.stderr)
        return WRONG_USAGE
    except (ArchiveError, LedgerError, SettingsError, StorageError) as error:
        print(plain(str(error)), file=sys.stderr)
        return WRONG_DATA
    except SQLAlchemyError as error:
        # The database's own text may quote the address with its password.
        print(
            f"the ledger's database does not answer ({type(error).__name__}): check its address",
            file=sys.stderr,
        )
        return WRONG_DATA
    except BrokenPipeError:
        # Nobody reads any more; the interpreter would say so once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_READ


def parser_of(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Privacy requests: the ledger and the archive.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, *, ledger: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=COMMANDS[name], description=COMMANDS[name])
        command.set_defaults(run=run, usage_error=command.error, organisation=DEFAULT)
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
        if ledger:
            command.add_argument(
                "--ledger",
                metavar="URL",
                default=None,
                help="database URL; else $PRIVACY_LEDGER_URL, $AIRFLOW_CONN_PRIVACY_LEDGER, "
                "or the file under $AIRFLOW_HOME; `airflow privacy` takes Airflow's connection",
            )
        if ledger or name == "verify":
            command.add_argument(
                "--organisation",
                metavar="NAME",
                default=DEFAULT,
                help="one of [adobe_privacy] organisations in Airflow's configuration; else the default one",
            )
        return command

    verify = add("verify", command_archive.verify, ledger=False)
    verify.add_argument("uri", help="an archive on disk or with public access: file:///…, s3://bucket/…")
    verify.add_argument(
        "--ledger",
        metavar="URL",
        nargs="?",
        const=USUAL,
        help="compare it with the ledger, whose history is checked, too; without URL the usual ledger",
    )
    verify.add_argument(
        "--public-key",
        type=Path,
        metavar="FILE",
        help="Ed25519 public keys in PEM, one of which must have signed each manifest and each head of the history",
    )
    opening = add("open", open_)
    opening.add_argument(
        "what", metavar="REQUEST_ID", help="or the URI of a job's manifest.json, or of the folder it lies in"
    )
    opening.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="must not exist yet; or a folder that exists",
    )
    opening.add_argument("--archive", metavar="URI", help=ARCHIVE_HELP)
    for command in (verify, opening):
        command.add_argument(
            "--key", type=Path, metavar="FILE", help="age identities, as age-keygen writes them"
        )
        command.add_argument(
            "--kms", action="store_true", help="unwrap by AWS KMS, with the machine's credentials"
        )
        command.add_argument(
            "--keys", metavar="URI", help="where the data keys lie, if not beside the manifests"
        )
    add_check_arguments(add("intake", check_intake, ledger=False))
    add("status", _status)
    settings = add("settings", _settings)
    settings.add_argument(
        "what", nargs="?", choices=["accept"], help="what is set now is meant, although it protects less"
    )
    add("attention", _attention)
    add("find", _decide(find)).add_argument("--namespace", required=True, help="such as email or ECID")
    add("show", _decide(show)).add_argument("request_id", metavar="REQUEST_ID")
    add_export_arguments(add("export", _decide(export_jobs)))
    decisions = {
        name: add(name, _decide(getattr(command_decisions, name)))
        for name in ("hold", "release", "resend", "close", "extend")
    }
    decisions["extend"].add_argument(
        "--until",
        required=True,
        type=command_arguments.later_day,
        metavar="DATE",
        help="the later date, within a year from today",
    )
    for name in decisions.keys() - {"hold"}:
        decisions[name].add_argument(
            "--seen",
            type=int,
            metavar="NUMBER",
            help="as show printed it: refuse if the request has changed since"
            + ("; of FOLDER/FILE, as attention printed it" if name == "close" else ""),
        )
    of_the_inbox = "or FOLDER/FILE[:LINE] of the inbox, for what could not be used"
    for name, command in decisions.items():
        command.add_argument(
            "request_id", metavar="REQUEST_ID", help=of_the_inbox if name == "close" else None
        )
        command.add_argument(
            "--reason", required=True, type=command_arguments.reason, help="kept in the history"
        )
    reconciling = add("reconcile", _reconcile)
    reconciling.add_argument("--apply", action="store_true", help="mend what differs; else it is only said")
    due = add("due", _due)
    due.add_argument(
        "--within", type=command_arguments.days, default=7, metavar="DAYS", help="due in so many days (7)"
    )
    report = add("report", _report)
    first, last = reports.last_year(datetime.now(UTC).date())
    # The page made of these texts is the same in every year.
    for flag, name, default, day in (
        ("--from", "first", first, "1 January"),
        ("--to", "last", last, "31 December"),
    ):
        report.add_argument(
            flag,
            dest=name,
            type=command_arguments.day,
            default=default,
            metavar="DATE",
            help=f"{day} of last year if not given",
        )
    report.add_argument(
        "--period",
        choices=[name.replace(" ", "-") for name in reports.PERIODS],
        help="instead of --from and --to",
    )
    report.add_argument(
        "--regulation", type=command_arguments.regulation, help="one regulation code; else all"
    )
    evidence = add("evidence", _evidence)
    evidence.add_argument("request_id", metavar="REQUEST_ID")
    evidence.add_argument(
        "--archive",
        metavar="URI",
        help=ARCHIVE_HELP,
    )
    for command in (report, evidence):
        command.add_argument(
            "--html", metavar="FILE", help="write one page that prints well; - for standard output"
        )
    add("upgrade", _upgrade)
    dags = add("dags", _dags, ledger=False)
    dags.add_argument("--to", required=True, type=Path, metavar="DIR", help="your DAG folder")
    return parser


def _open_ledger(options: argparse.Namespace) -> Ledger:
    """An existing one: a command that looks for a request in a ledger that it has just made finds nothing."""
    actor = f"user {_user()} by command"
    if options.ledger not in (None, USUAL):
        return Ledger(ledger_address(options.ledger), actor=actor, existing=True)
    places: Places = options.places
    return places.ledger(actor, existing=True)


def _upgrade(options: argparse.Namespace) -> int:
    actor = f"user {_user()} by command"
    with (
        Ledger(ledger_address(options.ledger), actor=actor)
        if options.ledger is not None
        else options.places.ledger(actor, existing=False)
    ):
        print_rows(options, [{"ledger": "ready"}])
    return FINE


def _dags(options: argparse.Namespace) -> int:
    try:
        written, kept = write_dag_files(options.to)
    except OSError as error:
        raise WrongUsage(f"{error.filename or options.to}: {error.strerror}") from None
    states = [(path, "written") for path in written] + [(path, "was there: left as it is") for path in kept]
    print_rows(options, [{"file": path, "state": state} for path, state in states])
    return FINE


def _user() -> str:
    try:
        # Not `getpass.getuser`, which believes the environment.
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container may run under a number that has no name.
        return str(os.getuid())


def _reconcile(options: argparse.Namespace) -> int:
    with _open_ledger(options) as ledger:
        return reconcile_with(options, ledger)


def _settings(options: argparse.Namespace) -> int:
    if options.what:
        if options.places.settings is None:
            raise WrongUsage("only `airflow privacy settings accept` knows what is set in Airflow")
        found = protective(options.places.settings())
        with _open_ledger(options) as ledger:
            ledger.protection.accept(found)
    with _open_ledger(options) as ledger:
        kept = ledger.protection.in_force().values()
    rows = [
        {"setting": each.name, "value": each.value or "off", "since": each.since, "by": each.by}
        for each in kept
    ]
    print_rows(options, rows)
    return FINE


def _status(options: argparse.Namespace) -> int:
    with _open_ledger(options) as ledger:
        counts = {state.value: count for state, count in ledger.overview.counts().items() if count}
    print_rows(options, [{"state": state, "jobs": count} for state, count in sorted(counts.items())])
    return FINE


def _attention(options: argparse.Namespace) -> int:
    with _open_ledger(options) as ledger:
        seen = ledger.seen.of_inbox()
        found = read_attention(ledger)
    if options.json:
        counts = {kind.name: count for kind, count in found.counts.items()}
        print_json({"counts": counts, "items": [item.as_row() for item in found.items], "seen": seen})
    else:
        for level in Level:
            print(f"{level.value}: " + (", ".join(found.figures(level)) or "nothing"))
        for kind in found.counts:
            items = [item for item in found.items if item.kind is kind]
            if items:
                print(f"\n{kind.counted(found.counts[kind])}. {kind.to_do}")
            for item in items:
                print(f"- {item.text}" + (f" (since {item.since:%Y-%m-%d %H:%M} UTC)" if item.since else ""))
        if any(item.file for item in found.items):
            print(f"\nseen of the inbox: {seen}")
    return WRONG_DATA if found.count(Level.PERSON) else FINE


def _decide(decision: Callable[[argparse.Namespace, Ledger], bool]) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        with _open_ledger(options) as ledger:
            return FINE if decision(options, ledger) else WRONG_DATA

    return run


def _due(options: argparse.Namespace) -> int:
    by = datetime.now(UTC).date() + timedelta(days=options.within)
    with _open_ledger(options) as ledger:
        print_rows(options, [job_row(job) for job in ledger.overview.due(by)])
    return FINE


def _report(options: argparse.Namespace) -> int:
    if options.period:
        today = datetime.now(UTC).date()
        options.first, options.last = reports.PERIODS[options.period.replace("-", " ")](today)
    if options.first > options.last:
        options.usage_error(f"the period ends on {options.last}, before it begins on {options.first}")
    with _open_ledger(options) as ledger:
        report = reports.figures_report(ledger, options.first, options.last, regulation=options.regulation)
    if not printed(options, report, reports.figures_html):
        rows = [*report["figures"], report["total"] | {"regulation": "total"}]
        print_rows(options, [{name: row[name] for name in REPORTED} for row in rows])
    return FINE


def _evidence(options: argparse.Namespace) -> int:
    archive = open_store(options.archive) if options.archive else options.places.archive()
    with _open_ledger(options) as ledger:
        pack = reports.evidence(ledger, options.request_id, archive)
    if pack is None:
        print(f"the ledger has no request {options.request_id}", file=sys.stderr)
        return WRONG_DATA
    if not printed(options, pack, reports.evidence_html):
        columns: tuple[str, ...]
        columns = (
            "action",
            "part",
            "state",
            "received_at",
            "due_on",
            "adobe_job_id",
            "outcome",
            "archived_at",
        )
        print_rows(options, [{name: job[name] for name in columns} for job in pack["jobs"]])
        columns = ("at", "action", "from", "to", "who", "why")
        print_rows(options, [{name: step[name] for name in columns} for step in pack["history"]])
        print_rows(options, [{"manifest": path} for path in pack["manifests"]])
    wrong = [path for path, manifest in pack["manifests"].items() if "problem" in manifest]
    for path in wrong:
        print(f"{path}: {pack['manifests'][path]['problem']}", file=sys.stderr)
    return WRONG_DATA if wrong else FINE
