"""The command line: the ledger and the archive without Airflow.

Exit codes: 0 fine, 1 something is wrong with the data, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from adobe_privacy.archive import (
    AgeKeys,
    ArchiveError,
    KmsKey,
    Opener,
    job_place,
    open_result,
    result_manifest,
    verify_archive,
)
from adobe_privacy.archive.verification import VerificationSummary
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.reporting import reports
from adobe_privacy.storage import InvalidLocation, StorageError, Store, open_store

FINE, WRONG_DATA, WRONG_USAGE = 0, 1, 2


class _WrongUsage(Exception):
    """The command cannot mean that; the text says why."""


@dataclass(frozen=True)
class Places:
    """How the ledger, for an actor, and the archive are found where no option names them."""

    ledger: Callable[[str], Ledger]
    archive: Callable[[], Store]


def main(
    arguments: Sequence[str] | None = None, *, places: Places | None = None, prog: str = "adobe_privacy"
) -> int:
    """Runs one command and returns its exit code. Without `places` the environment is asked for them."""
    options = _parser(prog).parse_args(arguments)
    options.places = places or Places(_ledger_of_environment, _archive_of_environment)
    try:
        return int(options.run(options))
    except (_WrongUsage, InvalidLocation) as error:
        print(error, file=sys.stderr)
        return WRONG_USAGE
    except (ArchiveError, LedgerError, StorageError) as error:
        print(error, file=sys.stderr)
        return WRONG_DATA
    except BrokenPipeError:
        return FINE


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Privacy requests: the ledger and the archive.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, text: str, *, ledger: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run, usage_error=command.error)
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
        if ledger:
            command.add_argument(
                "--ledger",
                metavar="URL",
                default=None,
                help="database URL; else $PRIVACY_LEDGER_URL, $AIRFLOW_CONN_PRIVACY_LEDGER, "
                "or the file under $AIRFLOW_HOME; `airflow privacy` takes Airflow's connection",
            )
        return command

    verify = add("verify", _verify, "check every archived result against its manifest", ledger=False)
    verify.add_argument("uri", help="an archive on disk or with public access: file:///…, s3://bucket/…")
    open_ = add("open", _open, "take one result out of the archive, decrypted and checked", ledger=False)
    open_.add_argument("uri", help="a job's manifest.json or the folder it lies in")
    open_.add_argument("--output", required=True, type=Path, metavar="FILE", help="must not exist yet")
    for command in (verify, open_):
        command.add_argument(
            "--key", type=Path, metavar="FILE", help="age identities, as age-keygen writes them"
        )
        command.add_argument(
            "--kms", action="store_true", help="unwrap by AWS KMS, with the machine's credentials"
        )
        command.add_argument(
            "--keys", metavar="URI", help="where the data keys lie, if not beside the manifests"
        )
    add("status", _status, "how many jobs are in which state")
    show = add("show", _show, "one request: its jobs and their history")
    show.add_argument("request_id")
    hold = add("hold", _hold, "put a request on legal hold: not submitted, its archive not erased")
    release = add("release", _release, "end a hold; send a job that ended in error again")
    for command in (hold, release):
        command.add_argument("request_id")
        command.add_argument("--reason", required=True, help="kept in the history")
    due = add("due", _due, "unfinished jobs by the date on which they must be answered")
    due.add_argument("--within", type=int, default=7, metavar="DAYS", help="due in so many days (7)")
    report = add(
        "report", _report, "requests received, complied with and denied in a period, and in how many days"
    )
    first, last = reports.last_year(datetime.now(UTC).date())
    for flag, name, default in (("--from", "first", first), ("--to", "last", last)):
        report.add_argument(
            flag,
            dest=name,
            type=date.fromisoformat,
            default=default,
            metavar="DATE",
            help=f"{default} if not given",
        )
    report.add_argument("--regulation", help="one regulation code; else all")
    evidence = add("evidence", _evidence, "all that the ledger and the archive know of one request")
    evidence.add_argument("request_id")
    evidence.add_argument(
        "--archive",
        metavar="URI",
        help="as for verify; else $AIRFLOW_VAR_PRIVACY_ARCHIVE_URI or Airflow's variable",
    )
    for command in (report, evidence):
        command.add_argument(
            "--html", metavar="FILE", help="write one page that prints well; - for standard output"
        )
    return parser


def _open_ledger(options: argparse.Namespace) -> Ledger:
    actor = f"user {_user()}"
    return Ledger(options.ledger, actor=actor) if options.ledger else options.places.ledger(actor)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        return str(os.getuid())


def _ledger_of_environment(actor: str) -> Ledger:
    return Ledger(_ledger_url(), actor=actor)


def _archive_of_environment() -> Store:
    uri = os.environ.get("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI")
    if not uri:
        raise LedgerError("say where the archive is with --archive file:///… or s3://bucket/…")
    return open_store(uri)


def _ledger_url() -> str:
    if url := os.environ.get("PRIVACY_LEDGER_URL"):
        return url
    if text := os.environ.get("AIRFLOW_CONN_PRIVACY_LEDGER"):
        fields = json.loads(text)
        if fields.get("conn_type") == "sqlite":
            return f"sqlite:///{fields['host']}"
        raise LedgerError("give the ledger's address with --ledger postgresql+psycopg://user@host/database")
    home = Path(os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow")
    path = home / "privacy_ledger.db"
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}: give its address with --ledger")
    return f"sqlite:///{path}"


def _verify(options: argparse.Namespace) -> int:
    verification = verify_archive(open_store(options.uri), opener=_opener(options), keys=_key_place(options))
    findings = []
    with _progress(verification.summary):
        for finding in verification:
            findings.append(finding)
            if not options.json:
                print(f"{finding.severity}: {finding.key}: {finding.detail}")
    summary = verification.summary
    if options.json:
        _print_json(
            {
                "ok": summary.ok,
                "summary": summary.model_dump(),
                "findings": [finding.model_dump() for finding in findings],
            }
        )
    else:
        print(
            f"{summary.manifests} manifests, {summary.results} results ({summary.bytes} bytes) re-read, "
            f"{summary.erased} erased: {summary.errors} errors, {summary.notes} notes"
        )
    return FINE if summary.ok else WRONG_DATA


def _open(options: argparse.Namespace) -> int:
    if options.output.exists():
        raise _WrongUsage(f"{options.output} exists already")
    location, folder = job_place(options.uri)
    store = open_store(location)
    manifest = result_manifest(store, folder)
    opener = _opener(options)
    if manifest.sealed is not None and opener is None:
        raise _WrongUsage(
            f"the result is encrypted, its data key wrapped by {manifest.sealed.wrapped_by}: give --key or --kms"
        )
    findings = open_result(store, manifest, options.output, opener)
    opened = {"job_id": manifest.job_id, "bytes": manifest.size, "sha256": manifest.sha256}
    if options.json:
        _print_json({"ok": not findings, **opened, "findings": [each.model_dump() for each in findings]})
    else:
        for finding in findings:
            print(f"{finding.severity}: {finding.key}: {finding.detail}")
        if not findings:
            print(f"{options.output}: {manifest.size} bytes, SHA-256 {manifest.sha256}")
    return WRONG_DATA if findings else FINE


def _key_place(options: argparse.Namespace) -> Store | None:
    return None if options.keys is None else open_store(options.keys)


def _opener(options: argparse.Namespace) -> Opener | None:
    keys = _key_place(options)
    if options.kms:
        import boto3

        return Opener(KmsKey(boto3.client("kms")), keys)
    if options.key is None:
        return None
    try:
        lines = options.key.read_text().split("\n")
        identities = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
        return Opener(AgeKeys(identities=identities), keys)
    except OSError as error:
        raise _WrongUsage(f"{options.key}: {error.strerror}") from None
    except ValueError as error:
        raise _WrongUsage(f"{options.key}: {error}") from None


def _status(options: argparse.Namespace) -> int:
    with _open_ledger(options) as ledger:
        counts = {state.value: count for state, count in ledger.overview.counts().items() if count}
    _print(options, [{"state": state, "jobs": count} for state, count in sorted(counts.items())])
    return FINE


def _show(options: argparse.Namespace) -> int:
    with _open_ledger(options) as ledger:
        jobs = ledger.people.request_jobs(options.request_id)
        history = ledger.people.history(options.request_id)
    if not jobs:
        print(f"the ledger has no request {options.request_id}", file=sys.stderr)
        return WRONG_DATA
    actions = {job.id: job.action for job in jobs}
    steps = [
        {
            "at": step.at,
            "action": actions[step.job_id],
            "from": step.from_state,
            "to": step.to_state,
            "attempt": step.attempt,
            "who": step.actor,
            "why": step.reason,
        }
        for step in history
    ]
    if options.json:
        _print_json({"jobs": [_row(job) for job in jobs], "history": steps})
    else:
        _print(options, [_row(job) for job in jobs])
        _print(options, steps)
    return FINE


def _hold(options: argparse.Namespace) -> int:
    with _open_ledger(options) as ledger:
        return _changed(options, ledger.people.hold(options.request_id, options.reason))


def _release(options: argparse.Namespace) -> int:
    with _open_ledger(options) as ledger:
        return _changed(options, ledger.people.release(options.request_id, options.reason))


def _changed(options: argparse.Namespace, count: int) -> int:
    _print(options, [{"request_id": options.request_id, "jobs_changed": count}])
    if not count:
        print(f"nothing to change for {options.request_id}: see show {options.request_id}", file=sys.stderr)
    return FINE if count else WRONG_DATA


def _due(options: argparse.Namespace) -> int:
    by = datetime.now(UTC).date() + timedelta(days=options.within)
    with _open_ledger(options) as ledger:
        _print(options, [_row(job) for job in ledger.overview.due(by)])
    return FINE


def _report(options: argparse.Namespace) -> int:
    if options.first > options.last:
        options.usage_error(f"the period ends on {options.last}, before it begins on {options.first}")
    with _open_ledger(options) as ledger:
        report = reports.figures_report(ledger, options.first, options.last, regulation=options.regulation)
    if not _printed(options, report, reports.figures_html):
        names = ("regulation", "requests_to", "received", "complied", "part", "denied", "open", "median_days")
        _print(options, [{name: row[name] for name in (*names, "mean_days")} for row in report["figures"]])
    return FINE


def _evidence(options: argparse.Namespace) -> int:
    archive = open_store(options.archive) if options.archive else options.places.archive()
    with _open_ledger(options) as ledger:
        pack = reports.evidence(ledger, options.request_id, archive)
    if pack is None:
        print(f"the ledger has no request {options.request_id}", file=sys.stderr)
        return WRONG_DATA
    if not _printed(options, pack, reports.evidence_html):
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
        _print(options, [{name: job[name] for name in columns} for job in pack["jobs"]])
        columns = ("at", "action", "from", "to", "who", "why")
        _print(options, [{name: step[name] for name in columns} for step in pack["history"]])
        _print(options, [{"manifest": path} for path in pack["manifests"]])
    wrong = [path for path, manifest in pack["manifests"].items() if "problem" in manifest]
    for path in wrong:
        print(f"{path}: {pack['manifests'][path]['problem']}", file=sys.stderr)
    return WRONG_DATA if wrong else FINE


def _printed(options: argparse.Namespace, data: Any, page: Callable[[Any], str]) -> bool:
    """Prints or writes a report in the form that was asked for; False where none was."""
    if options.html == "-":
        print(page(data))
    elif options.html:
        try:
            Path(options.html).write_text(page(data), encoding="utf-8")
        except OSError as error:
            options.usage_error(f"cannot write {options.html}: {error.strerror}")
    elif options.json:
        _print_json(data)
    else:
        return False
    return True


@contextmanager
def _progress(summary: VerificationSummary) -> Iterator[None]:
    """One line on a terminal that says how far the verification is; nothing where nobody looks."""

    class Line:
        def __rich__(self) -> Text:
            return Text(
                f"{summary.manifests} manifests, {summary.results} results, {summary.bytes / 1e9:.2f} GB re-read"
            )

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with Live(Line(), console=console, transient=True, redirect_stdout=sys.stdout.isatty()):
        yield


def _row(job: Job) -> dict[str, Any]:
    return {
        "request_id": job.request_id,
        "regulation": job.regulation,
        "action": job.action,
        "part": job.part,
        "state": job.state,
        "hold": job.on_hold,
        "due": job.due_on,
        "attempt": job.attempt,
        "adobe_job_id": job.adobe_job_id,
        "outcome": " ".join(filter(None, (job.outcome, job.outcome_code))) or None,
        "manifest": job.manifest,
    }


def _print(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    if options.json:
        _print_json(rows)
    elif not rows:
        print("nothing")
    else:
        table = Table()
        for name in rows[0]:
            table.add_column(name.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*map(_cell, row.values()))
        Console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _print_json(value: Any) -> None:
    print(reports.as_json(value))
