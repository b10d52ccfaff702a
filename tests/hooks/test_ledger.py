"""Where the ledger lies, by its connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from adobe_privacy.hooks.ledger import open_ledger
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.settings import ConnectionFields, SettingsError, ledger_settings


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
