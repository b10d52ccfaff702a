"""What Airflow finds of the installed provider."""

from __future__ import annotations

from importlib.metadata import entry_points, version

import adobe_privacy
from adobe_privacy.hooks.adobe_privacy import AdobePrivacyHook
from adobe_privacy.provider import get_provider_info


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


def test_the_providers_manager_accepts_it() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()  # type: ignore[no-untyped-call]
    hook = manager.hooks["adobe_privacy"]
    assert hook is not None
    assert hook.hook_name == "Adobe Privacy Service"
    assert hook.connection_testable
