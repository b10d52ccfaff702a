"""What a person types by mistake: nothing is done, the exit code says so, and one line says what to correct."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adobe_privacy.command_line import main
from adobe_privacy.ledger.ledger import Ledger
from tests.support.ledgers import received
from tests.support.ledgers import sqlite_template as sqlite_template
from tests.support.ledgers import sqlite_url as sqlite_url

WHY = ("--reason", "a court order")


@pytest.fixture
def filled(sqlite_url: str) -> str:
    with Ledger(sqlite_url, actor="test") as ledger:
        ledger.intake.receive([received(1), received(12), received(2, "delete")])
    return sqlite_url


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        code = main(list(arguments))
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, *capsys.readouterr()


def standing(url: str) -> list[object]:
    with Ledger(url, actor="test") as ledger:
        return [
            (job.request_id, job.state, job.on_hold, job.due_on, len(ledger.people.history(job.request_id)))
            for number in (1, 2, 12)
            for job in ledger.people.request_jobs(f"DSR-{number}")
        ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("close", "2026-99-99/requests.csv", *WHY), 1, "the ledger has no request 2026-99-99/requests.csv"),
        (("close", f"2026-11-20/requests.csv:{9**30}", *WHY), 1, "nothing is open about"),
        (("due", "--within", "99999999"), 2, "--within: give a whole number of days"),
        (("due", "--within", "-99999999"), 2, "--within: give a whole number of days"),
        (("due", "--within", "soon"), 2, "--within: give a whole number of days"),
        (("show", "\udcff"), 2, "no text in UTF-8"),
        (("hold", "DSR-1", "--reason", "\udcff"), 2, "no text in UTF-8"),
        (("hold", "DSR-1", "--reason", ""), 2, "--reason: give a reason of 1 to 400 characters"),
        (("hold", "DSR-1", "--reason", "  "), 2, "--reason: give a reason"),
        (("close", "DSR-1", "--reason", "x" * 401), 2, "--reason: give a reason"),
        (("hold", "DSR", *WHY), 1, "the ledger has no request DSR"),
        (("hold", "DSR-%", *WHY), 1, "the ledger has no request DSR-%"),
        (("hold", "", *WHY), 1, "the ledger has no request"),
        (("release", "DSR-1", *WHY), 1, "nothing to change for DSR-1: see show DSR-1"),
        (("resend", "DSR-1", *WHY), 1, "nothing to change for DSR-1: see show DSR-1"),
        (("extend", "DSR-1", "--until", "9999-12-31", *WHY), 2, "more than a year ahead"),
        (("extend", "DSR-1", "--until", "soon", *WHY), 2, "--until: give a day such as"),
        (("report", "--regulation", "gdrp"), 2, "--regulation: one of gdpr, "),
        (("export", "--regulation", "gdrp"), 2, "--regulation: one of gdpr, "),
        (("export", "--action", "acces"), 2, "--action: one of access, delete"),
        (("export", "--product", "targt"), 0, "perhaps target"),
    ],
)
def test_a_mistake_changes_nothing(
    filled: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, says: str
) -> None:
    before = standing(filled)
    got, _, err = said(capsys, *arguments, "--ledger", filled)
    assert got == code
    assert says in err
    assert standing(filled) == before


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://user@host:port/ledger", "no database URL"),
        # Such as of a variable of the shell that is not set: not the usual ledger.
        ("", "no database URL"),
    ],
)
@pytest.mark.parametrize("command", ["upgrade", "status"])
def test_an_address_that_leads_nowhere(
    filled: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    address: str,
    says: str,
) -> None:
    monkeypatch.setenv("PRIVACY_LEDGER_URL", filled)
    code, out, err = said(capsys, command, "--ledger", address)
    assert (code, out) == (2, "")
    assert says in err


def test_to_verify_what_is_no_archive_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as the folder above the archive."""
    (tmp_path / "archive" / "jobs").mkdir(parents=True)
    code, _, err = said(capsys, "verify", f"file://{tmp_path}")
    assert code == 1
    assert "is no archive" in err


def test_what_a_command_writes_is_for_its_user(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, report = tmp_path / "jobs.csv", tmp_path / "report.html"
    before = os.umask(0)
    try:
        assert said(capsys, "export", "--ledger", filled, "--output", str(export))[0] == 0
        assert said(capsys, "report", "--ledger", filled, "--html", str(report))[0] == 0
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (export, report)} == {0o600}


def test_an_extension_within_a_year_is_taken(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    until = datetime.now(UTC).date() + timedelta(days=360)
    assert said(capsys, "extend", "DSR-1", "--until", str(until), *WHY, "--ledger", filled)[0] == 0
