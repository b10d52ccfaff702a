"""What is installed is locked with hashes, listed, and looked up where that is possible."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import audit, sbom

ROOT = Path(__file__).resolve().parents[1]
NAME = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def packages(name: str) -> set[tuple[str, str]]:
    return set(NAME.findall((ROOT / name).read_text()))


@pytest.mark.parametrize("name", audit.FILES)
def test_each_package_is_pinned_with_hashes(name: str) -> None:
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    required = [line for line in lines if line.strip() and not line.startswith("#")]
    assert required
    for line in required:
        assert NAME.match(line), line
        assert "--hash=sha256:" in line, line.split()[0]


def test_an_image_installs_what_is_locked_and_no_airflow() -> None:
    assert packages("requirements.txt") <= packages("requirements.lock")
    names = {name for name, _ in packages("requirements.txt")}
    # The runtime has an Airflow of its own.
    assert not {"apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk"} & names
    needed = {
        "boto3",
        "editables",
        "hatchling",
        "holidays",
        "isal",
        "obstore",
        "psycopg",
        "psycopg-binary",
        "pyrage",
    }
    assert needed <= names


def test_an_image_gets_no_secret_of_the_machine_that_builds_it() -> None:
    assert {"**/.env", ".airflow", "data", "airflow_settings.yaml"} <= set(
        (ROOT / ".dockerignore").read_text().split()
    )


def test_the_image_is_built_without_what_is_not_locked() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "||" not in text
    assert re.search(r"^ARG BASE=\S+:\d+\.\d+-\d+$", text, re.MULTILINE), "a release, not `latest`"
    installs = [line for line in text.splitlines() if "pip install" in line and not line.startswith("#")]
    assert all("--no-deps" in line and "--no-build-isolation" in line for line in installs)


def test_the_bill_of_materials_is_the_lock_with_its_hashes_and_the_licences(tmp_path: Path) -> None:
    licences = sbom.make(tmp_path)
    bom = json.loads((tmp_path / "bom.cdx.json").read_text())
    assert bom["bomFormat"] == "CycloneDX"
    assert {(each["name"], each["version"]) for each in bom["components"]} == packages("requirements.lock")
    for component in bom["components"]:
        hashes = [
            digest
            for reference in component["externalReferences"]
            for digest in reference.get("hashes", [])
            if digest["alg"] == "SHA-256"
        ]
        assert hashes, component["name"]
    with (tmp_path / "licences.csv").open(newline="") as file:
        rows = {row["package"]: row["licence"] for row in csv.DictReader(file)}
    assert len(rows) == len({name for name, _ in packages("requirements.lock")})
    assert "Apache" in rows["apache-airflow"]
    assert "MIT" in rows["alembic"]
    assert not any("AGPL" in name or "Affero" in name for name in licences)


def test_without_its_database_the_audit_is_left_out_aloud_and_fails_nothing() -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    environment = {key: value for key, value in os.environ.items() if key.lower() != "no_proxy"} | nowhere
    found = subprocess.run(
        [sys.executable, "-m", "scripts.audit"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0
    assert "LEFT OUT" in found.stdout
    assert "NOTHING WAS CHECKED" in found.stdout
