"""`make test-versions`: the wheel in a new virtual environment for each supported Airflow, under its constraints.

The installation is that of docs/production.md, whose commands and code are read from there. In each, a real Airflow
carries a day of requests through on the simulator, a delete that a person approves included.
Prints a table; exits 0 only if all of it is as it should be. `make test-versions VERSIONS=3.2.1` runs one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from adobe_privacy._compat import TESTED
from scripts.stack import BIN, ROOT, Stack, StackError, stop_on_signals
from tests.support.airflow import (
    answer_question,
    let_the_schedule_go_first,
    questions,
    retry_at_once,
    until,
)

HERE = Path(__file__).parent
DOCUMENTED = (ROOT / "docs" / "production.md").read_text()
DAG_ID = "privacy_requests"
ACCESS, DELETE = "DSR-2026-000501", "DSR-2026-000502"
CHECKS = (
    "installed in s",
    "DAGs",
    "docs",
    "main job",
    "approval",
    "note",
    "params",
    "page",
    "form",
    "command",
    "s in all",
)


def build_wheel(folder: Path) -> Path:
    subprocess.run(
        [BIN / "python", "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def documented(pattern: str) -> str:
    """What stands in docs/production.md, there once."""
    (found,) = re.findall(pattern, DOCUMENTED, re.DOTALL)
    return str(found)


def install(version: str, wheel: Path, venv: Path) -> None:
    """As docs/production.md says, word for word: the wheel, this version and the kept constraints take the place of the
    index's package, of the version and of the constraints there."""
    uv = [BIN / "uv"]
    said = shlex.split(documented(r"`(pip install [^`]+)`"))
    assert said[:2] == ["pip", "install"]
    assert said[-2] == "--constraint"
    assert "constraints-3.3.1/" in said[-1]
    given = [
        word.replace("airflow-adobe-privacy", str(wheel)).replace("==3.3.1", f"=={version}")
        for word in said[2:-2]
    ]
    constraints = HERE / f"constraints-{version}.txt"
    subprocess.run([*uv, "venv", "--quiet", "--python", BIN / "python", venv], check=True)
    there = ("--quiet", "--python", venv / "bin" / "python")
    # Compiled once here, where every process of Airflow would compile it otherwise.
    options = ("--compile-bytecode", "-c", constraints)
    subprocess.run([*uv, "pip", "install", *there, *options, *given], check=True)
    subprocess.run([*uv, "pip", "check", *there], check=True)


def try_version(version: str, wheel: Path, home: Path) -> dict[str, str]:
    """What came of each check: `yes`, or what is wrong."""
    started = time.monotonic()
    install(version, wheel, home / "venv")
    found = {"installed in s": f"{time.monotonic() - started:.0f}"}
    day = datetime.now(UTC).date() - timedelta(days=2)
    # Airflow 3.3 fails a task now and then that is resumed soon after it was set aside, and tries it again.
    retry_at_once(home / "airflow")
    with Stack(
        home / "airflow",
        home / "data",
        port=28080,
        simulator_arguments=("--port", "0"),
        environment={
            "AIRFLOW_VAR_PRIVACY_APPROVE_DELETES": "true",
            "AIRFLOW__CORE__PARALLELISM": "4",
        },
        bin=home / "venv" / "bin",
        dags=home / "dags",
        prepare=lambda stack: stack.airflow(
            *shlex.split(documented(r"`airflow (privacy dags --to DIR)`").replace("DIR", str(home / "dags")))
        ),
        say=lambda text: print(f"  {text}", flush=True),
    ) as stack:
        found["DAGs"] = check(lambda: dags_load(stack))
        found["docs"] = check(lambda: own_file(stack))
        write_inbox(home / "data" / "inbox" / str(day))
        with stack.api() as api:
            stack.backfill(DAG_ID, str(day), str(day))
            found["approval"] = check(lambda: approve(stack, api))
            found["main job"] = check(lambda: main_job(stack))
            found["note"] = check(lambda: note(stack, str(day)))
            found["params"] = check(lambda: params(stack, api, str(day)))
            found["page"] = check(lambda: page(stack))
            found["form"] = check(lambda: form(stack))
            found["command"] = check(lambda: command(stack))
    found["s in all"] = f"{time.monotonic() - started:.0f}"
    return found


def check(what: Callable[[], object]) -> str:
    """Whatever fails is this check's own failure: the next ones are made, and the table is printed."""
    try:
        what()
    except Exception as error:
        answer = f"NO: {type(error).__name__}: {error}"
        print(f"  {answer}", flush=True)
        return answer
    return "yes"


def write_inbox(folder: Path) -> None:
    folder.mkdir(parents=True)
    requests = [
        {
            "request_id": request_id,
            "regulation": "gdpr",
            "actions": [action],
            "identities": [{"namespace": "email", "value": f"subject-{action}@example.com"}],
            "products": ["profileService"],
        }
        for request_id, action in ((ACCESS, "access"), (DELETE, "delete"))
    ]
    (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in requests))


def dags_load(stack: Stack) -> None:
    for name in ("requests", "sweep", "optouts", "retention", "alarms"):
        stack.wait_for_dag(f"privacy_{name}")
    with stack.api() as api:
        errors = api.get("/importErrors").raise_for_status().json()["import_errors"]
    assert not errors, [error["stack_trace"] for error in errors]
    preloaded = [log.stem for log in stack.logs.glob("*.log") if "Preloaded the DAGs" in log.read_text()]
    assert preloaded == ["dag-processor"], preloaded
    let_the_schedule_go_first(stack, DAG_ID)


def own_file(stack: Stack) -> None:
    """The DAG file that docs/production.md shows."""
    code = documented(r"```python\n(.*?)```")
    shown = stack.python("-c", f"{code}\nfrom airflow.sdk import DAG\nprint(privacy_requests().dag_id)")
    assert "privacy_requests" in shown, shown


def run_of(stack: Stack) -> dict[str, Any]:
    return stack.runs(DAG_ID)[0]


def approve(stack: Stack, api: httpx.Client) -> None:
    def asked() -> list[dict[str, Any]]:
        return questions(api, DAG_ID, run_of(stack)["dag_run_id"]) if stack.runs(DAG_ID) else []

    (question,) = until(stack, asked, "nobody was asked", seconds=240)
    answer_question(stack, api, question)


def main_job(stack: Stack) -> None:
    until(
        stack,
        lambda: run_of(stack)["state"] in ("success", "failed"),
        "the run has not ended",
        seconds=300,
    )
    assert run_of(stack)["state"] == "success", stack.task_states(DAG_ID, run_of(stack)["dag_run_id"])
    made = httpx.get(f"{stack.simulator_url}/_simulator/jobs", timeout=30).json()
    assert sorted((job["key"], job["action"]) for job in made) == [(ACCESS, "access"), (DELETE, "delete")]
    manifests = [json.loads(path.read_text()) for path in (stack.data / "archive").rglob("manifest.json")]
    assert sorted(manifest["request_id"] for manifest in manifests) == [ACCESS, DELETE]


def note(stack: Stack, day: str) -> None:
    text = run_of(stack)["note"]
    assert text.startswith(f"Inbox {day}: 2 jobs (1 access, 1 delete): 2 archived"), text


def params(stack: Stack, api: httpx.Client, day: str) -> None:
    """As the form of a run: what it asks for, what it refuses, and that a run does as it says."""
    fields = api.get(f"/dags/{DAG_ID}/details").raise_for_status().json()["params"]
    assert list(fields) == ["dry_run", "inbox_day", "products", "max_jobs"], fields
    assert fields["max_jobs"]["schema"]["minimum"] == 1, fields["max_jobs"]

    def trigger(**conf: Any) -> httpx.Response:
        return api.post(f"/dags/{DAG_ID}/dagRuns", json={"logical_date": None, "conf": conf})

    for refused in ({"max_jobs": 0}, {"inbox_day": "yesterday"}, {"products": "analytics"}):
        assert trigger(**refused).status_code == 400, refused
    started = trigger(dry_run=True, inbox_day=day).raise_for_status().json()["dag_run_id"]

    def ended() -> dict[str, Any] | None:
        run = next(each for each in stack.runs(DAG_ID) if each["dag_run_id"] == started)
        return run if run["state"] in ("success", "failed") else None

    run = until(stack, ended, "the dry run has not ended", seconds=240)
    assert run is not None
    assert run["state"] == "success"
    assert run["note"].startswith("Dry run, nothing was kept or sent."), run["note"]


def page(stack: Stack) -> None:
    answer = httpx.get(f"{stack.url}/privacy/", headers=login(stack), timeout=60).raise_for_status()
    assert "Privacy" in answer.text


def form(stack: Stack) -> None:
    """What the connection form is made of."""
    url = f"{stack.url}/ui/connections/hook_meta"
    types = httpx.get(url, headers=login(stack), timeout=120).raise_for_status().json()
    (ours,) = (each for each in types if each["connection_type"] == "adobe_privacy")
    assert "org_id" in ours["extra_fields"], ours
    assert ours["standard_fields"]["login"]["title"] == "OAuth client id", ours


def command(stack: Stack) -> None:
    printed = stack.airflow("privacy", "status", "--json")
    shown = json.loads(printed[printed.index("[\n") :])  # Airflow's own lines may come before
    assert shown == [{"state": "archived", "jobs": 2}], shown


def login(stack: Stack) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.token()}"}


def print_table(rows: Mapping[str, Mapping[str, str]]) -> None:
    table = Table("Airflow", *CHECKS, title="airflow-adobe-privacy, installed as a wheel")
    for version, found in rows.items():
        table.add_row(version, *(found.get(name, "NO") for name in CHECKS))
    Console(width=120 if not sys.stdout.isatty() else None).print(table)


def main() -> int:
    stop_on_signals()
    versions = os.environ.get("VERSIONS", "").replace(",", " ").split() or list(TESTED)
    rows: dict[str, dict[str, str]] = {}
    folder = Path(tempfile.mkdtemp(prefix="adobe-privacy-versions-"))
    try:
        # The server of the metadata database runs as a user of its own where this is root.
        folder.chmod(0o755)
        wheel = build_wheel(folder / "wheel")
        for version in versions:
            print(f"Airflow {version}", flush=True)
            home = folder / version
            home.mkdir()
            try:
                rows[version] = try_version(version, wheel, home)
            except (StackError, subprocess.CalledProcessError) as error:
                rows[version] = {"main job": f"NO: {error}"}
            shutil.rmtree(home / "venv", ignore_errors=True)
    finally:
        print_table(rows)
        good = all(not value.startswith("NO") for found in rows.values() for value in found.values())
        if good:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"Logs are left in {folder}")
    return 0 if good and len(rows) == len(versions) else 1


if __name__ == "__main__":
    sys.exit(main())
