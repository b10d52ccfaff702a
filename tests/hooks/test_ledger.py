"""Where the ledger lies, by its connection."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from adobe_privacy.command_line import main
from adobe_privacy.hooks.ledger import open_ledger
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.settings import ConnectionFields, LookUpFailed, SettingsError, ledger_settings
from tests.support.ledgers import received


def test_without_a_connection_it_is_a_file_under_airflow_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/srv/airflow")
    settings = ledger_settings(None)
    assert (settings.url, settings.fingerprint_key) == ("sqlite:////srv/airflow/privacy_ledger.db", None)
    assert not settings.configured


def test_postgres_is_given_as_airflow_users_do() -> None:
    connection = ConnectionFields(
        conn_id="privacy_ledger",
        conn_type="postgres",
        host="db.example.com",
        port=5432,
        login="privacy",
        password="p@ss word",
        schema="ledger",
        extra='{"fingerprint_key": "k"}',
    )
    settings = ledger_settings(connection)
    assert settings.url == "postgresql+psycopg://privacy:p%40ss word@db.example.com:5432/ledger"
    assert settings.fingerprint_key == "k"


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(SettingsError, match="type 'mysql' is no ledger"):
        ledger_settings(ConnectionFields(conn_id="privacy_ledger", conn_type="mysql", host="x"))


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    monkeypatch.setenv(
        "AIRFLOW_CONN_PRIVACY_LEDGER", f'{{"conn_type": "sqlite", "host": "{blocker}/sub/ledger.db"}}'
    )
    with pytest.raises(LedgerError, match=r"folder .* cannot be made"):
        open_ledger("test")


def test_a_database_that_does_not_answer_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_PRIVACY_LEDGER",
        '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "u", "password": "pw-canary"}',
    )
    with pytest.raises(LedgerError, match="connection privacy_ledger") as failure:
        open_ledger("test")
    assert "pw-canary" not in str(failure.value)


def test_how_a_server_is_to_be_trusted_is_never_left_out() -> None:
    extra = '{"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "connect_timeout": 5, "sslcert": null}'
    settings = ledger_settings(ConnectionFields("l", "postgres", host="db", schema="d", extra=extra), "l")
    url = make_url(settings.url)
    assert dict(url.query) == {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "connect_timeout": "5",
    }
    for wrong in ({"sslmode": "verify_full"}, {"ssl_mode": "verify-full"}, {"sslmode": True}):
        with pytest.raises(SettingsError, match=r"connection l: extra\.ssl_?mode"):
            ledger_settings(ConnectionFields("l", "postgres", host="db", extra=json.dumps(wrong)), "l")


@pytest.mark.parametrize(
    "path",
    ["ledger.db", "./ledger.db", "~/ledger.db", ":memory:", "sqlite:////srv/l.db", "file:///l.db", "/a?b.db"],
)
def test_a_path_that_means_another_file_elsewhere_is_refused(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative one is another file for each process; a URL would end at the question mark."""
    with pytest.raises(SettingsError, match="connection l: host must be the absolute path"):
        ledger_settings(ConnectionFields("l", "sqlite", host=path), "l")
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps({"conn_type": "sqlite", "host": path}))
    assert main(["status"]) == 1


@pytest.mark.parametrize("field", ["host", "login", "password", "schema"])
def test_a_number_where_text_is_needed_is_named(field: str) -> None:
    given: dict[str, Any] = {"conn_type": "sqlite", "host": "/l.db", field: 5}
    with pytest.raises(SettingsError, match=f"connection l: {field} must be text"):
        ConnectionFields("l", **given)


@pytest.mark.parametrize(
    "text", ["{bad", '{"conn_type": "sqlite", "port": "abc"}', '{"conn_type": "sqlite", "hots": 1}']
)
def test_what_the_environment_holds_and_nobody_can_read_is_not_tried_again(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", text)
    with pytest.raises(
        SettingsError, match="environment variable AIRFLOW_CONN_PRIVACY_LEDGER holds"
    ) as problem:
        open_ledger("test")
    assert not isinstance(problem.value, LookUpFailed)


def test_commands_take_the_key_of_the_environments_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(f"sqlite:///{path}", actor="test", fingerprint_key="a key of ours") as ledger:
        ledger.intake.fingerprint(b"")
        ledger.intake.receive([received(1)])
    for key, code in (("a key of ours", 0), ("another", 1)):
        connection = {"conn_type": "sqlite", "host": str(path), "extra": {"fingerprint_key": key}}
        monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps(connection))
        monkeypatch.setattr(sys, "stdin", io.StringIO("dsmith@example.com\n"))
        assert main(["find", "--namespace", "email"]) == code
    assert "key" in capsys.readouterr().err
