"""Several organisations: their names, and what of them is never shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.command_line import main
from adobe_privacy.hooks.ledger import open_ledger
from adobe_privacy.hooks.settings import location, read_settings
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_requests import PlanPrivacyRequestsOperator
from adobe_privacy.organisations import Organisation, OrganisationError, find_organisation, organisation_names
from adobe_privacy.settings import VARIABLES, SettingsError
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


def both_are_there(patch: pytest.MonkeyPatch, **options: str) -> None:
    configure(patch, **(EU | options))
    patch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", connection("usual"))
    patch.setenv("AIRFLOW_CONN_ADOBE_EU", connection("eu"))
    patch.setenv("AIRFLOW_CONN_LEDGER_EU", json.dumps({"conn_type": "sqlite", "host": "/tmp/eu.db"}))
    # What the environment has is not asked of a database, which is not there.
    for name in VARIABLES:
        for own in (name, f"{name}_eu"):
            patch.setenv(f"AIRFLOW_VAR_{own.upper()}", "")
    patch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps({"conn_type": "sqlite", "host": "/tmp/usual.db"}))


@pytest.mark.parametrize("empty", ["", "  ", "null"])
def test_an_empty_variable_of_its_own_is_not_set(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    """It takes nothing away of what protects everybody."""
    both_are_there(monkeypatch)
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "true")
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES_EU", empty)
    assert read_settings(organisation="eu").variables.approve_deletes


@pytest.mark.parametrize("name", ["adobe_conn_id", "ledger_conn_id", "inbox_uri", "archive_uri"])
@pytest.mark.parametrize("empty", ["", " "])
def test_a_template_that_comes_to_nothing_is_not_the_usual_place(
    monkeypatch: pytest.MonkeyPatch, name: str, empty: str
) -> None:
    both_are_there(monkeypatch)
    given: dict[str, Any] = {name: empty}
    with pytest.raises(SettingsError, match=r"the argument .* is empty"):
        read_settings(**given)
    given = {name.replace("adobe_conn", "adobe_privacy_conn"): empty}
    operator = PlanPrivacyRequestsOperator(task_id="plan", **given)
    with pytest.raises(SettingsError, match=r"the argument .* is empty"):
        _ = operator.settings


def test_the_same_place_in_other_words_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "inbox")
    both_are_there(monkeypatch, eu_inbox_uri=f"file://{tmp_path}/link")
    same = f"file://{tmp_path}/./inbox//"
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", same)
    for name in ("default", "eu"):
        with pytest.raises(SettingsError, match="are the same place"):
            read_settings(organisation=name)
        with pytest.raises(SettingsError, match="are the same place"):
            location("inbox", name)
    # So is a place that an operator was given.
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", f"file://{tmp_path}")
    assert read_settings().variables.inbox_uri == f"file://{tmp_path}"
    with pytest.raises(SettingsError, match="are the same place"):
        read_settings(inbox_uri=same)


def test_a_bucket_is_the_same_by_another_connection_unless_the_store_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both_are_there(monkeypatch, eu_inbox_uri="s3://aws_eu@cases/inbox")
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", "s3://aws_us@cases/inbox/")
    stores = {"aws_eu": "https://s3.eu.example.com", "aws_us": "https://s3.us.example.com"}
    for conn_id, endpoint in stores.items():
        text = json.dumps({"conn_type": "aws", "extra": {"endpoint_url": endpoint}})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)
    assert read_settings(organisation="eu").variables.inbox_uri == "s3://aws_eu@cases/inbox"
    for conn_id in stores:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "aws"}))
    for name in ("default", "eu"):
        with pytest.raises(SettingsError, match="are the same place"):
            read_settings(organisation=name)
