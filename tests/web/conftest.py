"""Airflow's own api-server application in this process, with our page mounted as it mounts any plugin's."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Mount

from adobe_privacy.ledger.ledger import Ledger
from tests.support.ledgers import sqlite_template, sqlite_url  # noqa: F401

with warnings.catch_warnings():
    # Starlette would like another HTTP library.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

# One login of each role that matters; the officer may edit DAGs.
USERS = {"officer": "user", "reader": "viewer"}
LogIn = Callable[[str | None], TestClient]


@pytest.fixture(scope="module")
def simple_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """With Airflow's SimpleAuthManager."""
    passwords = tmp_path_factory.mktemp("airflow") / "passwords.json"
    passwords.write_text(json.dumps({name: f"{name}-password" for name in USERS}))
    users = ",".join(f"{name}:{role}" for name, role in USERS.items())
    settings = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users,
    }
    with _airflow(settings) as app:
        yield app


@pytest.fixture(scope="module")
def fab_airflow() -> Iterator[FastAPI]:
    """With the auth manager of the FAB provider, and its roles as they come."""
    name = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    with _airflow({"AIRFLOW__CORE__AUTH_MANAGER": name}) as app:
        from airflow.api_fastapi.app import get_auth_manager

        manager: Any = get_auth_manager()
        with manager.flask_app.app_context():
            users = manager.security_manager
            # Public may do nothing. The SimpleAuthManager has no such role.
            for name, role in (USERS | {"stranger": "public"}).items():
                found = users.find_role(role.capitalize())
                made = users.add_user(name, name, name, f"{name}@example.com", found, f"{name}-password")
                assert made
        yield app


@contextmanager
def _airflow(settings: dict[str, str]) -> Iterator[FastAPI]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ({"AIRFLOW__API_AUTH__JWT_SECRET": "j" * 64} | settings).items():
            patch.setenv(name, value)
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from airflow.utils.db import initdb

        initdb()
        purge_cached_app()
        yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture(scope="module")
def airflow(request: pytest.FixtureRequest) -> FastAPI:
    """A module may have its tests run with both: `pytest.mark.parametrize("airflow", …, indirect=True)`."""
    app: FastAPI = request.getfixturevalue(getattr(request, "param", "simple_airflow"))
    return app


@pytest.fixture(scope="module")
def page(airflow: FastAPI) -> FastAPI:
    """Our application within Airflow's."""
    (found,) = (route for route in airflow.routes if isinstance(route, Mount) and route.path == "/privacy")
    assert isinstance(found.app, FastAPI)
    return found.app


@pytest.fixture
def ledger(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:  # noqa: F811
    """The ledger that Airflow's connection names."""
    path = sqlite_url.removeprefix("sqlite:///")
    connection = json.dumps({"conn_type": "sqlite", "host": path})
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", connection)
    # A further organisation, with the same ledger where a test has none of its own for it.
    monkeypatch.setenv("AIRFLOW__ADOBE_PRIVACY__ORGANISATIONS", "eu")
    monkeypatch.setenv("AIRFLOW__ADOBE_PRIVACY__EU_ARCHIVE_URI", f"file://{path}.archive")
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER_EU", connection)
    with Ledger(sqlite_url, actor="privacy_requests/scheduled__2026-11-20/plan") as ledger:
        yield ledger


@pytest.fixture
def log_in(
    airflow: FastAPI, page: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LogIn]:
    """Makes a client that is logged in as a browser is, by Airflow's cookie; None is anonymous."""
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", f"file://{tmp_path / 'archive'}")
    page.state.sources = {}

    def client(user: str | None) -> TestClient:
        client = TestClient(airflow, follow_redirects=False)
        if user is not None:
            answer = client.post("/auth/token", json={"username": user, "password": f"{user}-password"})
            client.cookies.set("_token", answer.raise_for_status().json()["access_token"])
        return client

    yield client
    for source in page.state.sources.values():
        source.close()
