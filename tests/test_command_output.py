"""What a command prints where: on a narrow terminal, into a pipe, and for what goes wrong."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from adobe_privacy.airflow_commands import privacy_commands
from adobe_privacy.command_line import main, parser_of
from adobe_privacy.command_names import COMMANDS
from adobe_privacy.ledger.ledger import Ledger
from tests.conftest import ROOT
from tests.support.ledgers import Postgres, received

LONG = "DSR-2026-000123-of-the-Amsterdam-branch-office"


@pytest.fixture
def filled(ledger_url: str) -> str:
    with Ledger(ledger_url, actor="test") as ledger:
        ledger.intake.receive([received(LONG, request_id=LONG)])
    return ledger_url


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(arguments)
    return code, *capsys.readouterr()


def test_into_a_pipe_go_lines_with_tabs(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = printed(capsys, "due", "--within", "9999", "--ledger", filled)
    names, row = out.splitlines()
    assert code == 0
    cells = dict(zip(names.split("\t"), row.split("\t"), strict=True))
    assert cells["request_id"] == LONG
    assert (cells["state"], cells["hold"]) == ("received", "no")
    assert printed(capsys, "due", "--within", "-9999", "--ledger", filled) == (0, "", "")


def test_on_eighty_columns_no_id_is_wrapped(
    filled: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for command in (("due", "--within", "9999"), ("show", LONG)):
        _, out, _ = printed(capsys, *command, "--ledger", filled)
        assert LONG in out
        assert max(map(len, out.splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "250")
    assert "│" in printed(capsys, "due", "--within", "9999", "--ledger", filled)[1]


def test_what_stands_in_the_ledger_is_printed_as_text(
    filled: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither markup nor an escape sequence."""
    reason = "[bold]see[/nothing] \x1b[31m\n ticket [7]"
    assert printed(capsys, "hold", LONG, "--reason", reason, "--ledger", filled)[0] == 0
    for columns, terminal in (("80", True), ("400", True), ("80", False)):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal)
        _, out, _ = printed(capsys, "show", LONG, "--ledger", filled)
        assert "[bold]see[/nothing]" in out
        assert "ticket [7]" in out
        assert "\x1b[31m" not in out


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("show", "DSR-1"),
        ("due",),
        ("report",),
        ("hold", "DSR-1", "--reason", "court"),
        ("release", "DSR-1", "--reason", "court"),
        ("evidence", "DSR-1", "--archive", "file:///tmp"),
    ],
)
def test_no_command_makes_a_ledger(
    tmp_path: Path, postgres: Postgres, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    path = tmp_path / "absent" / "ledger.db"
    code, out, err = printed(capsys, *command, "--ledger", f"sqlite:///{path}")
    assert (code, out) == (1, "")
    assert f"there is no ledger at {path}" in err
    assert not path.parent.exists()


def test_no_command_but_upgrade_changes_the_tables(
    postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres.new_database(f"bare_{id(capsys)}")
    code, _, err = printed(capsys, "status", "--ledger", url)
    assert code == 1
    assert "there is no ledger in postgresql" in err
    assert tables(url) == 0
    assert printed(capsys, "upgrade", "--ledger", url)[0] == 0
    assert printed(capsys, "status", "--ledger", url) == (0, "", "")
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("UPDATE privacy_ledger_version SET version_num = '0001'")
    code, _, err = printed(capsys, "status", "--ledger", url)
    assert code == 1
    assert "those of an older version (schema 0001)" in err
    assert "the command `upgrade`" in err


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def tables(url: str) -> int:
    with psycopg.connect(plain(url)) as connection:
        row = connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_an_address_as_every_tool_writes_it_is_taken(
    postgres: Postgres, capsys: pytest.CaptureFixture[str], scheme: str
) -> None:
    url = make_url(postgres.empty_ledger()).set(drivername=scheme).render_as_string(hide_password=False)
    assert printed(capsys, "status", "--ledger", url)[0] == 0


@pytest.mark.parametrize(
    ("address", "code", "text"),
    [
        ("postgresql://someone:s3cret@127.0.0.1:1/ledger", 1, "does not answer (OperationalError)"),
        ("s3cret", 2, "no database URL"),
        ("mysql://someone:s3cret@127.0.0.1/ledger", 2, "SQLite or PostgreSQL, not mysql"),
    ],
)
def test_a_wrong_address_is_one_line_without_its_password(
    capsys: pytest.CaptureFixture[str], address: str, code: int, text: str
) -> None:
    found, out, err = printed(capsys, "status", "--ledger", address)
    assert (found, out) == (code, "")
    assert text in err
    assert len(err.splitlines()) == 1
    assert "s3cret" not in err


@pytest.mark.parametrize("value", ["{", "[]", '{"conn_type": "mysql"}', '{"conn_type": "sqlite"}', "s3cret"])
def test_an_unusable_connection_in_the_environment_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", value)
    code, out, err = printed(capsys, "status")
    assert code in (1, 2)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "s3cret" not in err


def test_a_file_that_is_no_ledger_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.db").write_text("no database" * 1000)
    code, _, err = printed(capsys, "status", "--ledger", f"sqlite:///{tmp_path / 'text.db'}")
    assert code == 1
    assert "is no SQLite database: correct" in err


def test_a_postgres_connection_of_the_environment_is_taken(
    postgres: Postgres, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(postgres.empty_ledger()).set(drivername="postgresql")
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", url.render_as_string(hide_password=False))
    assert printed(capsys, "status")[0] == 0


def test_every_command_is_in_the_help_of_airflow_privacy() -> None:
    assert re.findall(r"^    (\w+)", parser_of("x").format_help(), re.MULTILINE) == list(COMMANDS)
    (command,) = privacy_commands()
    (words,) = command.args  # type: ignore[union-attr]
    assert all(name in words.kwargs["help"] for name in COMMANDS)


def test_dag_files_are_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "airflow" / "dags"
    assert printed(capsys, "dags", "--to", str(folder))[0] == 0
    ours = {path.name: path.read_text() for path in (ROOT / "dags").glob("*.py")}
    assert {path.name: path.read_text() for path in folder.iterdir()} == ours
    (folder / "privacy_sweep.py").write_text("# mine")
    (folder / "privacy_alarms.py").unlink()
    code, out, _ = printed(capsys, "dags", "--to", str(folder))
    assert code == 0
    assert f"{folder / 'privacy_sweep.py'}\twas there: left as it is" in out
    assert f"{folder / 'privacy_alarms.py'}\twritten" in out
    assert (folder / "privacy_sweep.py").read_text() == "# mine"
    shutil.rmtree(folder)
    folder.write_text("")
    assert printed(capsys, "dags", "--to", str(folder))[0] == 2
