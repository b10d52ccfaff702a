"""The files to deploy with: read as Docker and the chart read them, as far as that can be without either."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from airflow.configuration import conf

from adobe_privacy.settings import ConnectionFields, ledger_settings, service_settings
from adobe_privacy.storage import parse_location
from scripts import metrics_page
from tests.conftest import ROOT

COMPOSE = ROOT / "deploy" / "compose" / "docker-compose.yaml"
VALUES = ROOT / "deploy" / "helm" / "values.yaml"
# Of the official chart; its first lines say where it is from.
SCHEMA = ROOT / "tests" / "helm_chart_values.schema.json"
CHECK = ROOT / ".venv-conformance" / "bin" / "check-jsonschema"
AIRFLOW = {"init", "api-server", "dag-processor", "scheduler", "worker", "triggerer"}


def interpolated(text: str) -> str:
    """With each variable of `.env` in its place."""
    return re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda found: f"a-{found[1].lower().replace('_', '-')}", text)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(interpolated(COMPOSE.read_text())))


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(yaml.safe_load(VALUES.read_text()))


def fields(conn_id: str, text: str) -> ConnectionFields:
    stored = json.loads(text)
    extra = stored.get("extra")
    return ConnectionFields(
        conn_id=conn_id,
        conn_type=stored["conn_type"],
        host=stored.get("host"),
        port=None,
        login=stored.get("login"),
        password=stored.get("password"),
        schema=stored.get("schema"),
        extra=None if extra is None else json.dumps(extra),
    )


def left_out(path: str) -> bool:
    """Whether Docker leaves a file out of the image, by the rules of .dockerignore: the last pattern that matches the
    file, or a folder it lies in, decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!").strip("/")
        if not pattern or pattern.startswith("#"):
            continue
        signs = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        if re.fullmatch(f"{signs}(/.*)?", path):
            out = not line.startswith("!")
    return out


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".env.production",
        # docs/production.md has people write it.
        "deploy/compose/.env",
        "airflow_settings.yaml",
        "private.pem",
        "keys/age.key",
        ".git/config",
        ".venv/bin/python",
        ".airflow/up/privacy_ledger.db",
        "privacy_ledger.db",
        "privacy_ledger.db-wal",
        "include/privacy_ledger.db-shm",
        "data/up/inbox/2026-11-20/requests.csv",
        "data/demo/archive/ledger.json",
        "inbox/2026-11-20/requests.csv",
        "archive/jobs/gdpr/2026/11/20/x/manifest.json",
    ],
)
def test_no_secret_and_no_persons_data_is_in_the_image(path: str) -> None:
    assert left_out(path)


def test_what_airflow_needs_is_in_the_image() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    needed = [path for path in listed.stdout.splitlines() if path.startswith(("plugins/", "dags/"))]
    assert needed
    for path in (*needed, "pyproject.toml", "README.md", "requirements.txt", "packages.txt"):
        assert not left_out(path), path


@pytest.mark.skipif(not CHECK.exists(), reason="make test-conformance installs it")
def test_the_compose_file_is_one_by_the_specification() -> None:
    done = subprocess.run(
        [CHECK, "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_values_are_ones_by_the_charts_schema(values: dict[str, Any]) -> None:
    check = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [error.message for error in check.iter_errors(values)] == []
    for wrong in (
        {"tirggerer": {"replicas": 2}},
        {"scheduler": {"replicas": "two"}},
        {"dagProcessor": {"enabled": "yes"}},
    ):
        assert list(check.iter_errors(values | wrong)), wrong


def test_each_of_the_values_is_known_to_the_chart(values: dict[str, Any]) -> None:
    assert sorted(_unknown(values, json.loads(SCHEMA.read_text()))) == []
    assert list(_unknown({"workers": {"celery": {"replica": 2}}}, json.loads(SCHEMA.read_text())))


def _unknown(values: dict[str, Any], schema: dict[str, Any], place: str = "") -> Iterator[str]:
    """The chart leaves out of account what it does not know."""
    known = schema.get("properties", {})
    for name, value in values.items():
        if name not in known:
            if not schema.get("additionalProperties"):
                yield f"{place}{name}"
        elif isinstance(value, dict):
            yield from _unknown(value, known[name], f"{place}{name}.")


def test_there_are_two_of_what_may_fail(compose: dict[str, Any], values: dict[str, Any]) -> None:
    for name in ("scheduler", "worker", "triggerer"):
        assert compose["services"][name]["deploy"]["replicas"] == 2
    assert (
        values["scheduler"]["replicas"]
        == values["triggerer"]["replicas"]
        == values["workers"]["celery"]["replicas"]
        == 2
    )
    assert values["executor"] == compose["services"]["worker"]["environment"]["AIRFLOW__CORE__EXECUTOR"]
    assert values["executor"] == "CeleryExecutor"


def test_all_of_airflow_is_there_and_has_the_same_settings(compose: dict[str, Any]) -> None:
    services = compose["services"]
    settings = services["worker"]["environment"]
    for name in AIRFLOW:
        assert services[name]["environment"] == settings, name
        for other in services[name]["depends_on"]:
            assert other in services
    assert set(services) == AIRFLOW | {"metadata", "ledger", "redis", "statsd-exporter"}
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (COMPOSE.parent / source).exists(), volume


def test_every_option_is_one_of_airflow(compose: dict[str, Any], values: dict[str, Any]) -> None:
    described = conf.configuration_description
    given = [
        tuple(name.lower().removeprefix("airflow__").split("__"))
        for name in compose["services"]["worker"]["environment"]
        if name.startswith("AIRFLOW__")
    ]
    given += [(section, option) for section, options in values["config"].items() for option in options]
    for section, option in given:
        options = described.get(section, {}).get("options", {})
        assert option in options or conf.has_option(section, option), (section, option)


def test_our_settings_read_what_they_hold(compose: dict[str, Any], values: dict[str, Any]) -> None:
    environment = compose["services"]["worker"]["environment"]
    service = service_settings(
        fields("adobe_privacy_default", environment["AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT"])
    )
    assert service.client.base_url == "https://platform.adobe.io/data/core/privacy"
    assert service.client.client_secret == "a-adobe-client-secret"
    ledger = ledger_settings(
        fields("privacy_ledger", environment["AIRFLOW_CONN_PRIVACY_LEDGER"]), "privacy_ledger"
    )
    assert ledger.url.startswith("postgresql")
    assert json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])["conn_type"] == "aws"
    for variable in ("AIRFLOW_VAR_PRIVACY_INBOX_URI", "AIRFLOW_VAR_PRIVACY_ARCHIVE_URI"):
        assert parse_location(environment[variable]).scheme == "s3"
        (given,) = [each["value"] for each in values["env"] if each["name"] == variable]
        assert parse_location(given).conn_id == "aws_default"
    assert yaml.safe_load(values["extraEnvFrom"]) == [{"secretRef": {"name": "adobe-privacy"}}]


def test_no_secret_is_in_either_file() -> None:
    for name, value in yaml.safe_load(COMPOSE.read_text())["services"]["worker"]["environment"].items():
        if re.search(r"SECRET|KEY|PASSWORD", name):
            assert re.fullmatch(r"\$\{\w+:\?.*\}", value), name
    for match in re.finditer(r'"password": "([^"]*)"', COMPOSE.read_text()):
        assert match[1].startswith("${")


def test_the_chart_maps_our_metrics(values: dict[str, Any]) -> None:
    assert values["statsd"]["enabled"] is True
    assert values["statsd"]["extraMappings"] == yaml.safe_load(metrics_page.MAPPING.read_text())["mappings"]
