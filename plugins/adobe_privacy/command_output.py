"""How the commands print: tables that fit a terminal, tab-separated lines elsewhere, JSON and HTML where asked for."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from adobe_privacy.archive import VerificationSummary
from adobe_privacy.ledger.schema import Job
from adobe_privacy.plain_text import plain
from adobe_privacy.reporting import reports
from adobe_privacy.storage import local


def printed(options: argparse.Namespace, data: Any, page: Callable[[Any], str]) -> bool:
    """Prints or writes a report in the form that was asked for; False where none was."""
    if options.html == "-":
        print(page(data))
    elif options.html:
        try:
            with closed_file(Path(options.html), "w") as file:
                file.write(page(data))
        except OSError as error:
            options.usage_error(f"cannot write {options.html}: {error.strerror}")
    elif options.json:
        print_json(data)
    else:
        return False
    return True


def closed_file(path: Path, mode: str) -> IO[str]:
    """Opens a file to be written, which nobody but its user can read where it is new. Raises OSError."""
    return open(
        path,
        mode,
        encoding="utf-8",
        newline="",
        opener=lambda name, flags: os.open(name, flags, local.CLOSED_FILE),
    )


@contextmanager
def progress(summary: VerificationSummary) -> Iterator[None]:
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


def job_row(job: Job) -> dict[str, Any]:
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


def print_rows(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    """Rows of the same columns. Ids are never wrapped: rows that are too wide for the terminal are printed one under
    the other."""
    if options.json:
        print_json(rows)
        return
    if not sys.stdout.isatty():
        _print_lines(rows)
        return
    if not rows:
        print("nothing")
        return
    console = Console()
    names = [name.replace("_", " ") for name in rows[0]]
    cells = [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    if sum(widths) + 3 * len(widths) + 1 <= console.width:
        table = Table(*names)
        for row in cells:
            # As text: what stands in the ledger is no markup.
            table.add_row(*map(Text, row))
        console.print(table)
        return
    label = max(map(len, names)) + 2
    for row in cells:
        for name, value in zip(names, row, strict=True):
            if value:
                print(f"{name:<{label}}{value}")
        print()


def _print_lines(rows: list[dict[str, Any]]) -> None:
    """For another program: the names, then a line a row, separated by tabs; nothing where there is no row."""
    if rows:
        print("\t".join(rows[0]))
    for row in rows:
        print("\t".join(map(_cell, row.values())))


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else plain(str(value))


def print_json(value: Any) -> None:
    print(reports.as_json(value))
