from __future__ import annotations

from typing import Any

import pytest

from adobe_privacy.api.client import ClientConfig, PrivacyServiceClient
from tests.api.fake_service import config


def test_the_repr_shows_neither_secret_nor_proxy() -> None:
    shown = repr(
        config(client_secret="canary-secret", proxy="http://user:canary-proxy@proxy.example.com:3128")
    )
    assert "canary" not in shown


def test_the_defaults_reach_adobe() -> None:
    settings = ClientConfig(client_id="a", client_secret="b", org_id="c")
    assert settings.base_url == "https://platform.adobe.io/data/core/privacy"
    assert settings.token_url == "https://ims-na1.adobelogin.com/ims/token/v3"
    assert "read_organizations" in settings.scopes


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("client_id", ""),
        ("client_secret", "canary\nsecret"),
        ("client_secret", " canary"),
        ("client_secret", "canärysecret"),
        ("org_id", "canary\r\nX: y"),
        ("base_url", "platform.adobe.io/data/core/privacy"),
        ("base_url", "https://someone:canary@platform.adobe.io/"),
        ("base_url", "ftp://platform.adobe.io/"),
        ("token_url", "https://ims.example.com/token?client_secret=canary"),
        ("proxy", "http://someone:canary@proxy.example.com:port"),
        ("proxy", "proxy.example.com"),
        ("timeout", 0),
        ("page_size", -1),
        ("retry_attempts", 0),
        ("retry_budget", float("nan")),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name_and_not_shown(setting: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{setting} ") as refused:
        config(**{setting: value})
    assert "canary" not in str(refused.value)


def test_missing_authorities_are_named() -> None:
    with pytest.raises(ValueError, match=r"^verify: /nowhere/ca\.pem "):
        PrivacyServiceClient(config(verify="/nowhere/ca.pem"))
