"""Several organisations: their names, and what of them is never shared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adobe_privacy.command_line import main
from adobe_privacy.hooks.ledger import open_ledger
from adobe_privacy.hooks.settings import location, read_settings
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.organisations import Organisation, OrganisationError, find_organisation, organisation_names
from adobe_privacy.settings import SettingsError
from tests.support.ledgers import received

NONE: dict[str, str] = {}
EU = {
    "organisations": "eu, us",
    "eu_connection": "adobe_eu",
    "eu_ledger": "ledger_eu",
    "eu_inbox_uri": "file:///eu/inbox",
    "eu_archive_uri": "file:///eu/archive",
}


def configure(patch: pytest.MonkeyPatch, **options: str) -> None:
    for option, value in options.items():
        patch.setenv(f"AIRFLOW__ADOBE_PRIVACY__{option.upper()}", value)


def connection(name: str) -> str:
    return json.dumps(
        {
            "conn_type": "adobe_privacy",
            "login": "id",
            "password": "secret",
            "extra": {"org_id": f"{name}@AdobeOrg"},
        }
    )


def test_one_is_called_default_and_has_the_usual_names() -> None:
    assert organisation_names(NONE.get) == ("default",)
    found = find_organisation("default", NONE.get)
    assert (found.connection, found.ledger) == ("adobe_privacy_default", "privacy_ledger")
    assert found.own("privacy_requests") == "privacy_requests"


def test_more_come_from_the_configuration() -> None:
    assert organisation_names(EU.get) == ("default", "eu", "us")
    assert find_organisation("eu", EU.get) == Organisation(
        "eu", "adobe_eu", "ledger_eu", "file:///eu/inbox", "file:///eu/archive"
    )
    us = find_organisation("us", EU.get)
    assert (us.connection, us.ledger, us.inbox_uri) == ("adobe_privacy_us", "privacy_ledger_us", None)
    assert us.own("privacy_requests") == "privacy_requests_us"


@pytest.mark.parametrize("names", ["EU", "default", "e u", "eu, eu", "a-b", "1"])
def test_a_name_that_no_option_could_have_is_refused(names: str) -> None:
    with pytest.raises(OrganisationError, match=r"\[adobe_privacy\] organisations"):
        organisation_names({"organisations": names}.get)


@pytest.mark.parametrize("what", ["connection", "ledger", "inbox_uri", "archive_uri"])
def test_two_share_nothing(what: str) -> None:
    shared = EU | {f"us_{what}": EU[f"eu_{what}"] + ("/" if "uri" in what else "")}
    with pytest.raises(OrganisationError, match=f"us_{what}: the organisation eu has the same"):
        find_organisation("eu", shared.get)


def test_the_default_ones_names_are_nobody_elses() -> None:
    with pytest.raises(OrganisationError, match="eu_ledger: the organisation default has the same"):
        find_organisation("eu", (EU | {"eu_ledger": "privacy_ledger"}).get)


def test_an_unknown_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--organisation", "apac"]) == 2
    assert "there is no organisation 'apac'" in capsys.readouterr().err


def test_locations_are_never_another_organisations(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, **EU)
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", "file:///inbox")
    assert location("inbox", "eu") == "file:///eu/inbox"
    with pytest.raises(
        SettingsError, match=r"\[adobe_privacy\] us_inbox_uri in Airflow's configuration is not set"
    ):
        location("inbox", "us")
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", "file:///eu/inbox/")
    with pytest.raises(SettingsError, match="are the same place"):
        location("inbox")


def test_a_variable_of_its_own_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, **EU)
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_EU", connection("eu"))
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER_EU", json.dumps({"conn_type": "sqlite", "host": "/tmp/eu.db"}))
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_RETENTION_DAYS", '{"gdpr": 100}')
    assert read_settings(organisation="eu").variables.retention_days == {"gdpr": 100}
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_RETENTION_DAYS_EU", '{"gdpr": 7}')
    assert read_settings(organisation="eu").variables.retention_days == {"gdpr": 7}
    assert read_settings(organisation="eu").service.client.org_id == "eu@AdobeOrg"


def test_its_ledger_must_have_a_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The usual file is the default organisation's."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    configure(monkeypatch, **EU)
    with pytest.raises(SettingsError, match="connection ledger_eu does not exist"):
        open_ledger("test", "eu")


def test_commands_take_an_organisation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, **EU)
    for name, ledger, number in (("default", "PRIVACY_LEDGER", 1), ("eu", "LEDGER_EU", 2)):
        path = tmp_path / f"{name}.db"
        monkeypatch.setenv(f"AIRFLOW_CONN_{ledger}", json.dumps({"conn_type": "sqlite", "host": str(path)}))
        with Ledger(f"sqlite:///{path}", actor="test") as opened:
            opened.intake.receive([received(number)])
    assert main(["show", "DSR-2", "--organisation", "eu", "--json"]) == 0
    assert main(["show", "DSR-1", "--organisation", "eu", "--json"]) == 1
    assert main(["show", "DSR-1", "--json"]) == 0
    capsys.readouterr()
    assert main(["status", "--organisation", "us"]) == 1
    assert "AIRFLOW_CONN_PRIVACY_LEDGER_US" in capsys.readouterr().err
