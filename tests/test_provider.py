"""What Airflow finds of the installed provider."""

from __future__ import annotations

import importlib
import json
import logging
import re
from importlib.metadata import distribution, entry_points, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import adobe_privacy
from adobe_privacy._compat import warn_if_untested
from adobe_privacy.hooks.adobe_privacy import AdobePrivacyHook
from adobe_privacy.provider import get_provider_info
from adobe_privacy.setting_values import ConnectionFields
from adobe_privacy.settings import ServiceSettings, _ServiceExtra, service_settings


def test_the_entry_point_leads_to_the_provider_info() -> None:
    (entry,) = entry_points(group="apache_airflow_provider", name="provider_info").select(
        value="adobe_privacy.provider:get_provider_info"
    )
    assert entry.load() is get_provider_info


def test_the_version_is_the_distributions() -> None:
    assert version("airflow-adobe-privacy") == adobe_privacy.__version__


def test_the_connection_type_is_the_hooks() -> None:
    (connection_type,) = get_provider_info()["connection-types"]
    assert connection_type["connection-type"] == AdobePrivacyHook.conn_type
    assert connection_type["hook-class-name"] == f"{AdobePrivacyHook.__module__}.{AdobePrivacyHook.__name__}"
    assert connection_type["hook-name"] == AdobePrivacyHook.hook_name


def test_the_form_has_every_field_of_the_extra_and_an_untouched_one_is_not_set() -> None:
    (connection_type,) = get_provider_info()["connection-types"]
    fields = set(connection_type["conn-fields"])
    assert fields == set(_ServiceExtra.model_fields)
    given = {"org_id": "0123456789ABCDEF@AdobeOrg"}
    plain = _read(given)
    for empty in (None, ""):
        assert _read(dict.fromkeys(fields, empty) | given) == plain


def test_the_imported_connection_has_every_field_so_that_the_form_shows_it() -> None:
    (connection_type,) = get_provider_info()["connection-types"]
    root = Path(__file__).parent.parent
    settings = yaml.safe_load((root / "airflow_settings.yaml").read_text())["airflow"]
    (connection,) = settings["connections"]
    assert set(connection["conn_extra"]) == set(connection_type["conn-fields"])
    assert _read(connection["conn_extra"])


SHOWN = {
    "org_id": "0123456789ABCDEF@AdobeOrg",
    "token_url": "https://ims-na1.adobelogin.com/ims/token/v3",
    "scopes": "openid, AdobeID",
    "products": "analytics",
    "company_contexts": '[{"namespace": "AdvertisingId", "value": "acme"}]',
    "strict_identities": "true",
    "expand_ids": "true",
    "priority": "low",
    "merge_policy_id": "policy-1",
    "analytics_delete_method": "purge",
    "daily_job_limit": "20000",
    "schedule_share": "0.25",
    "list_lag": "300",
    "verify": "false",
    "proxy": "http://proxy.example.com:3128",
    "timeout": "60",
    "insecure": "true",
    "download_hosts": "*.adobe.io, *.adobe.com",
}


@pytest.mark.parametrize("field", SHOWN)
def test_what_a_fields_description_shows_can_be_typed_into_it_as_text(field: str) -> None:
    (connection_type,) = get_provider_info()["connection-types"]
    assert set(SHOWN) == set(connection_type["conn-fields"])
    found = _read({"org_id": SHOWN["org_id"], field: SHOWN[field]})
    assert (
        field == "org_id"
        or found != _read({"org_id": SHOWN["org_id"]})
        or field
        in (
            # The default itself.
            *("token_url", "daily_job_limit", "schedule_share", "list_lag", "timeout"),
        )
    )


def _read(extra: dict[str, Any]) -> ServiceSettings:
    return service_settings(
        ConnectionFields("c", "adobe_privacy", login="id", password="secret", extra=json.dumps(extra))
    )


def test_the_providers_manager_accepts_it() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()  # type: ignore[no-untyped-call]
    hook = manager.hooks["adobe_privacy"]
    assert hook is not None
    assert hook.hook_name == "Adobe Privacy Service"
    assert hook.connection_testable


def test_airflow_and_registries_can_read_it() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_every_module_that_it_names_is_there() -> None:
    info = get_provider_info()
    for kind in ("operators", "sensors", "hooks", "triggers"):
        (named,) = info[kind]
        folder = Path(adobe_privacy.__file__).parent / kind
        ours = {f"adobe_privacy.{kind}.{path.stem}" for path in folder.glob("*.py")}
        assert set(named["python-modules"]) <= ours
        for module in named["python-modules"]:
            importlib.import_module(module)


@pytest.mark.parametrize(
    ("airflow", "warned"),
    [("3.2.1", False), ("3.3.9", False), ("3.3.2+astro.1", False), ("3.4.0", True), ("4.0.0rc1", True)],
)
def test_an_airflow_that_is_newer_than_what_was_tested_is_told_in_the_log(
    airflow: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        warn_if_untested(airflow)
    assert (f"this is {airflow}" in caplog.text) is warned


def test_the_readme_of_the_index_page_has_no_relative_link() -> None:
    text = distribution("airflow-adobe-privacy").read_text("METADATA") or ""
    assert "## More" in text
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", text) == []


def test_its_options_are_in_airflows_configuration() -> None:
    section = get_provider_info()["config"]["adobe_privacy"]
    assert set(section["options"]) == {"organisations", "notifiers"}
