"""The connection: every way to write it, and what is wrong with it in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from adobe_privacy.api.config import DEFAULT_BASE_URL, DEFAULT_SCOPES, DEFAULT_TOKEN_URL
from adobe_privacy.hooks.adobe_privacy import AdobePrivacyHook
from adobe_privacy.hooks.settings import fields_of
from adobe_privacy.settings import ConnectionFields, SettingsError, service_settings
from tests.support.privacy import World

ORG = "0123456789ABCDEF01234567@AdobeOrg"


def connection(extra: dict[str, Any] | None = None, **fields: Any) -> ConnectionFields:
    everything = {"conn_type": "adobe_privacy", "login": "client", "password": "not-a-secret"} | fields
    stored = Connection(
        conn_id="adobe_privacy_default", extra=json.dumps({"org_id": ORG} | (extra or {})), **everything
    )
    return fields_of(stored)


def test_what_is_left_out_has_the_documented_defaults() -> None:
    settings = service_settings(connection())
    assert settings.client.base_url == DEFAULT_BASE_URL
    assert settings.client.token_url == DEFAULT_TOKEN_URL
    assert settings.client.scopes == DEFAULT_SCOPES
    assert settings.client.timeout == 60
    assert settings.client.verify is True
    assert settings.daily_job_limit == 20_000
    assert [(item.namespace, item.value) for item in settings.company_contexts] == [("imsOrgID", ORG)]


def test_lists_may_come_from_a_form_as_text() -> None:
    settings = service_settings(connection({"products": "Adobe Analytics, Profile", "scopes": "a,b"}))
    assert settings.products == ("analytics", "profileService")
    assert settings.client.scopes == ("a", "b")


def test_what_adobe_is_asked_for_by_default_may_be_said_once() -> None:
    assert service_settings(connection()).options == {}
    given = {"expand_ids": "true", "priority": "low", "merge_policy_id": None, "analytics_delete_method": ""}
    assert service_settings(connection(given)).options == {"expand_ids": True, "priority": "low"}


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "https://example.com/privacy/"}, "https://example.com/privacy"),
        ({"host": "example.com/privacy"}, "https://example.com/privacy"),
        ({"host": "127.0.0.1/privacy", "schema": "http", "port": 8181}, "http://127.0.0.1:8181/privacy"),
        ({"host": "http://localhost:8181/privacy"}, "http://localhost:8181/privacy"),
    ],
)
def test_the_host_may_be_written_as_airflow_users_do(fields: dict[str, Any], url: str) -> None:
    assert service_settings(connection(**fields)).client.base_url == url


@pytest.mark.parametrize(
    ("fields", "extra", "says"),
    [
        ({"login": None}, {}, "login"),
        ({"password": ""}, {}, "password"),
        ({}, {"org_id": ""}, r"extra\.org_id"),
        ({}, {"timeout": "soon"}, r"extra\.timeout must be a valid number"),
        ({}, {"daily_job_limit": -1}, r"extra\.daily_job_limit must be greater than or equal to 1"),
        ({}, {"products": {"a": 1}}, r"extra\.products must be a list"),
        ({}, {"company_contexts": "acme"}, r"extra\.company_contexts must be"),
        ({}, {"products": "analitycs"}, r"extra\.products number 0: .*perhaps analytics"),
        ({}, {"strict_identities": "perhaps"}, r"extra\.strict_identities must be"),
        ({}, {"priority": "urgent"}, r"extra\.priority must be"),
        ({"host": "ftp://example.com"}, {}, "host"),
    ],
)
def test_a_problem_names_connection_and_field(
    fields: dict[str, Any], extra: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=f"connection adobe_privacy_default: .*{says}") as problem:
        service_settings(connection(extra, **fields))
    assert "not-a-secret" not in str(problem.value)


def test_the_test_button_fetches_a_token_and_reads(world: World) -> None:
    assert AdobePrivacyHook().test_connection() == (True, "A token was given, and jobs can be read.")
    calls = world.simulator.calls()
    assert calls["token"] == 1
    assert 1 <= calls["list"] <= 2


def test_the_test_button_says_that_there_is_no_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = json.loads(world.simulator.connection_json()) | {"password": "another"}
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(bad))
    fine, says = AdobePrivacyHook().test_connection()
    assert not fine
    assert says.startswith("No token: ")
    assert "another" not in says


def test_the_test_button_says_that_a_default_product_is_unknown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = json.loads(world.simulator.connection_json())
    given["extra"] |= {"products": ["profileService", "analitycs"]}
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(given))
    fine, says = AdobePrivacyHook().test_connection()
    assert not fine
    assert "extra.products number 1: not one of Adobe's products (perhaps analytics)" in says
    assert world.simulator.calls()["token"] == 0


def test_the_test_button_says_that_reading_is_not_allowed(world: World) -> None:
    world.simulator.switch(permissions=[])
    fine, says = AdobePrivacyHook().test_connection()
    assert not fine
    assert says.startswith("A token was given, but reading jobs failed: ")
