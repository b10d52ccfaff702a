"""Everything that can be set: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adobe_privacy.settings import (
    VARIABLES,
    ConnectionFields,
    SettingsError,
    key_settings,
    read_all,
    read_variables,
    service_settings,
)

ORG = "0123456789ABCDEF01234567@AdobeOrg"


def connection(extra: Any = None, **fields: Any) -> ConnectionFields:
    given = (
        {"org_id": ORG} | extra if isinstance(extra, dict) else {"org_id": ORG} if extra is None else extra
    )
    text = given if isinstance(given, str) else json.dumps(given)
    everything = {"login": "client", "password": "not-a-secret", "extra": text} | fields
    return ConnectionFields("adobe_privacy_default", "adobe_privacy", **everything)


def test_null_and_empty_are_not_set() -> None:
    empty = dict.fromkeys(("token_url", "scopes", "products", "timeout", "verify", "proxy"))
    assert service_settings(
        connection(empty | {"list_lag": "", "daily_job_limit": "null"})
    ) == service_settings(connection())
    assert read_variables(dict.fromkeys(VARIABLES)) == read_variables(dict.fromkeys(VARIABLES, " "))


def test_json_typed_as_text_into_a_field_is_read_as_json() -> None:
    settings = service_settings(
        connection(
            {
                "products": '["analytics", "profileService"]',
                "company_contexts": '[{"namespace": "AdvertisingId", "value": "acme"}]',
                "timeout": "30",
            }
        )
    )
    assert settings.products == ("analytics", "profileService")
    assert settings.company_contexts[1].value == "acme"
    assert settings.client.timeout == 30


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (json.dumps(json.dumps({"org_id": ORG})), "extra is encoded as JSON twice"),
        ("{", "extra is not JSON"),
        ("[1]", "extra must be a JSON object"),
        ({"products": json.dumps(json.dumps(["analytics"]))}, r"extra\.products is encoded as JSON twice"),
        ({"productz": "analytics"}, r"extra\.productz is not known; known are analytics_delete_method"),
        ({"schedule_share": 2}, r"extra\.schedule_share must be less than or equal to 1"),
        ({"schedule_share": "nan"}, r"extra\.schedule_share must be"),
        ({"timeout": 0}, r"extra\.timeout must be greater than 0"),
        ({"timeout": "inf"}, r"extra\.timeout must be"),
        ({"list_lag": True}, r"extra\.list_lag must be a number"),
        ({"daily_job_limit": "many"}, r"extra\.daily_job_limit must be a valid integer"),
        ({"daily_job_limit": "20.000"}, r"extra\.daily_job_limit must be a number .*: 1000, not 1\.000"),
        ({"daily_job_limit": "20_000"}, r"extra\.daily_job_limit must be a number"),
        ({"list_lag": " 1.200 "}, r"extra\.list_lag must be a number"),
        (f'{{"org_id": "{ORG}", "products": "target", "products": "CRS"}}', "extra has a name twice"),
        (
            f'{{"org_id": "{ORG}", "company_contexts": [{{"value": "a", "value": "b"}}]}}',
            "extra has a name twice",
        ),
        (
            {"company_contexts": '[{"namespace": "a", "value": "b", "value": "c"}]'},
            r"extra.* has a name twice",
        ),
        (
            {"company_contexts": [{"namespace": "imsOrgID", "value": "other@AdobeOrg"}]},
            r"extra\.company_contexts names another organisation than extra\.org_id",
        ),
        (
            {"company_contexts": [{"namespace": "imsOrg", "value": "other@AdobeOrg"}]},
            r"extra\.company_contexts names another organisation",
        ),
    ],
)
def test_a_field_that_cannot_be_used_is_named_in_one_line(extra: Any, says: str) -> None:
    with pytest.raises(SettingsError, match=f"^connection adobe_privacy_default: {says}") as problem:
        service_settings(connection(extra))
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("poll_interval", "often", "must be a valid number"),
        ("poll_interval", "0", "must be greater than 0"),
        ("poll_interval", "nan", "must be"),
        ("approve_deletes", "maybe", "must be true or false"),
        ("inbox_retention_days", "-3", "must be greater than or equal to 1"),
        ("archive_options", json.dumps(json.dumps({"max_entries": 1})), "is encoded as JSON twice"),
        ("retention_days", json.dumps(json.dumps({"gdpr": 1})), "is encoded as JSON twice"),
        ("retention_days", '{"gdpr": true}', "must be like"),
        ("legal_clocks", json.dumps(json.dumps({})), "cannot be used: is encoded as JSON twice"),
        ("retention_days", '{"gdpr": 3650, "gdpr": 1}', "has a name twice"),
        ("archive_options", '{"max_entries": 9, "max_entries": 1}', "has a name twice"),
        (
            "legal_clocks",
            '{"gdpr": {"answer": {"amount": 1, "amount": 9}}}',
            "cannot be used: has a name twice",
        ),
        ("inbox_retention_days", "1.000", "must be a number"),
        ("poll_interval", "3.600", "must be a number"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_in_one_line(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"^the Airflow variable privacy_{name}: {says}"):
        read_variables({f"privacy_{name}": value})


@pytest.mark.parametrize(
    ("password", "extra", "says"),
    [
        # It would stand in the ledger and in `airflow privacy settings`, as the name of the key.
        (None, {"recipients": "AGE-SECRET-KEY-1QQ"}, r"extra\.recipients .* public keys"),
        (None, {"recipients": ["age1qq", "age-secret-key-1qq"]}, r"extra\.recipients .* public keys"),
        (None, {"recipients": "age1qq, ssh-ed25519"}, r"extra\.recipients .* public keys"),
        (
            None,
            {"recipients": "age1qq", "kms_key_id": "alias/results"},
            r"extra\.recipients and extra\.kms_key_id",
        ),
        (None, {}, "holds no key"),
        (" ", {"aws_conn_id": "aws_default"}, "holds no key"),
    ],
)
def test_a_key_that_cannot_be_meant_is_refused_and_never_repeated(
    password: str | None, extra: dict[str, Any], says: str
) -> None:
    given = ConnectionFields("archive_key", "generic", password=password, extra=json.dumps(extra))
    with pytest.raises(SettingsError, match=f"^connection archive_key:? ?{says}") as problem:
        key_settings(given, "archive_key")
    assert "1qq" not in str(problem.value).lower()


@pytest.mark.parametrize("namespace", ["imsOrgID", "imsorgid", "imsOrg"])
def test_the_organisation_among_the_company_contexts_is_sent_once(namespace: str) -> None:
    settings = service_settings(connection({"company_contexts": [{"namespace": namespace, "value": ORG}]}))
    assert [(each.namespace, each.value) for each in settings.company_contexts] == [("imsOrgID", ORG)]


@pytest.mark.parametrize(("text", "value"), [("0.125", 0.125), ("0.5", 0.5), ("1", 1.0), ("1.0", 1.0)])
def test_a_fraction_as_text_is_read(text: str, value: float) -> None:
    assert service_settings(connection({"schedule_share": text})).schedule_share == value


@pytest.mark.parametrize(("host", "fine"), [(None, False), ("https://example.com/privacy", True)])
def test_adobe_itself_is_not_asked_more_often_than_every_five_seconds(host: str | None, fine: bool) -> None:
    def read() -> None:
        read_all(
            lambda name: connection(host=host) if name == "adobe_privacy_default" else None,
            {"privacy_poll_interval": "1"}.get,
        )

    if fine:
        read()
    else:
        with pytest.raises(SettingsError, match="privacy_poll_interval must be 5 seconds or more"):
            read()
