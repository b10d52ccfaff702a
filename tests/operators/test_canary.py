"""A day as Airflow's tasks live through it, with encryption by KMS and everything logged, while each call of Adobe's
fails in turn, in every way: no identity, secret or token anywhere outside the inbox and the results.

`tests/system/test_main_job.py` looks through all that a whole Airflow writes; here is what only faults bring out.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import create_engine, delete, inspect, make_url, text

from adobe_privacy.archive import iter_manifests
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Setting
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from adobe_privacy.sensors.privacy_jobs import PrivacyJobsSensor
from adobe_privacy.storage import open_store
from tests.fuzz.settings import SECONDS
from tests.storage.servers import moto_server
from tests.support.privacy import World, context, make_world
from tests.support.simulator import Simulator, running_simulator

CANARY = "c4n4ry"
SECRET, TOKEN, AWS_SECRET = f"{CANARY}-secret", f"{CANARY}-token-", f"{CANARY}/aws"
QUOTED = "bad: {identities} of {keys}"

# In each call: nothing comes back, an error that quotes the request, a part of the answer.
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("drop_after", {}),
    ("refusal", {"text": QUOTED}),
    ("closed_early", {}),
]
MORE: list[tuple[str, dict[str, Any]]] = [
    ("error_before", {"status": 403, "body": "gateway"}),
    ("not_json", {}),
    ("drop_before", {}),
    ("error_after", {"status": 502, "body": "html"}),
    ("error_before", {"status": 500}),
    ("rate_limited", {}),
    ("token_revoked", {}),
    ("spurious_401", {}),
    ("extra_fields", {}),
    ("missing_fields", {}),
    ("null_arrays", {}),
    ("reset", {}),
    ("chunk_broken", {}),
]
IN_FULL = SECONDS > 0  # `make test-faults`
CALLS = ("token", "list", "create", "detail", "content")
# What a killed process leaves: the place, in the middle of writing a result, is where all is in memory.
KILLED = """
import faulthandler, os, sys
import adobe_privacy.archive.archiver as archiver
from adobe_privacy.operators.privacy_requests import ArchivePrivacyResultsOperator
from tests.support.privacy import context

async def killed(*_):
    print("ARGUMENTS", open("/proc/self/cmdline").read().replace("\\0", " "))
    os.abort()

faulthandler.enable(all_threads=True)
archiver._commit = killed
ArchivePrivacyResultsOperator(task_id="archive", batch_id=sys.argv[1]).execute(context())
"""


@pytest.fixture(scope="module")
def adobe() -> Iterator[Simulator]:
    switches = {"access_delay_seconds": 0, "delete_delay_seconds": 0, "processing_delay_seconds": 0}
    with running_simulator(switches=switches | {"client_secret": SECRET, "token_prefix": TOKEN}) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def kms() -> Iterator[tuple[str, str]]:
    """KMS of moto: its address and a key."""
    with moto_server("kms") as (endpoint, client):
        yield endpoint, client.create_key()["KeyMetadata"]["KeyId"]


@pytest.fixture
def place(
    adobe: Simulator,
    kms: tuple[str, str],
    ledger_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    adobe.reset()
    world = make_world(adobe, tmp_path, monkeypatch, timeout=2)
    url = make_url(ledger_url)
    ledger: dict[str, Any] = {"conn_type": "sqlite", "host": url.database}
    if url.get_backend_name() == "postgresql":
        ledger = {"conn_type": "postgres", "host": url.query["host"], "login": url.username}
        ledger["schema"] = url.database
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps(ledger))
    endpoint, key = kms
    aws = {"conn_type": "aws", "login": "testing", "password": AWS_SECRET}
    aws["extra"] = {"region_name": "us-east-1", "endpoint_url": endpoint}  # type: ignore[assignment]
    monkeypatch.setenv("AIRFLOW_CONN_AWS_KEYS", json.dumps(aws))
    extra = {"kms_key_id": key, "aws_conn_id": "aws_keys"}
    monkeypatch.setenv("AIRFLOW_CONN_RESULTS", json.dumps({"conn_type": "generic", "extra": extra}))
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS", json.dumps({"key_conn_id": "results"}))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return world


class Day:
    """Runs a day's tasks, whatever fails; keeps all that Airflow would keep of them."""

    def __init__(self, world: World, ledger_url: str) -> None:
        self.world, self.ledger_url = world, ledger_url
        self.kept: list[tuple[str, str]] = []
        self._day = 0

    def hand_in(self) -> None:
        self._day += 1
        identity = {"namespace": "email", "value": f"{CANARY}-{self._day}@example.com"}
        line = {
            "request_id": f"DSR-{self._day}",
            "regulation": "gdpr",
            "actions": ["access", "delete"],
            "identities": [identity],
            "products": ["profileService"],
        }
        bad = {"request_id": f"{CANARY}@example.com", f"{CANARY}": 1, "identities": [identity]}
        self.world.put(line, bad, name=f"{self._day}.jsonl")

    def live_through(self) -> None:
        with Ledger(self.ledger_url, actor="test") as ledger, ledger.unit.write() as session:
            # Pauses that Adobe asked for in the last case.
            session.execute(delete(Setting).where(Setting.name.in_(("pause", "daily_limit_doubt"))))
        batches = self.task("plan", PlanPrivacyRequestsOperator(task_id="plan")) or []
        for batch_id in batches:
            self.task("submit", CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id))
            self.wait(batch_id)
            self.task("archive", ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id))
        self.task("settle", SettlePrivacyRequestsOperator(task_id="settle", batch_ids=batches))

    def task(self, name: str, operator: Any) -> Any:
        """What Airflow keeps: arguments, XComs, the result, asset events, the error with its traceback."""
        given = context()
        self.kept.append(
            (f"{name}: arguments", str({each: getattr(operator, each) for each in operator.template_fields}))
        )
        try:
            found = operator.execute(given)
        except TaskDeferred as deferred:
            trigger: Any = deferred.trigger
            self.kept.append((f"{name}: trigger", str(trigger.serialize())))
            return None
        except Exception:
            self.kept.append((f"{name}: error", traceback.format_exc()))
            return None
        finally:
            self.kept.append(
                (f"{name}: XComs, asset events", f"{given['ti'].xcoms} {given['outlet_events']}")
            )
        self.kept.append((f"{name}: result", str(found)))
        return found

    def wait(self, batch_id: str) -> None:
        sensor = PrivacyJobsSensor(task_id="wait", batch_id=batch_id)
        self.task("wait", sensor)
        try:
            found = sensor.poke(context())
        except Exception:
            self.kept.append(("poke: error", traceback.format_exc()))
        else:
            self.kept.append(("poke: result", str(found)))

    def hits(self, logged: str) -> list[str]:
        """Where something that no place outside inbox and results may hold was found."""
        places = [*self.kept, ("log", logged), *self.files(), *self.ledger()]
        places += [("process arguments", Path("/proc/self/cmdline").read_text())]
        # The connections' own place is the environment here.
        places += [
            (f"environment: {name}", value)
            for name, value in os.environ.items()
            if not name.startswith("AIRFLOW_CONN_")
        ]
        return [f"{name}: …{_around(content)}…" for name, content in places if CANARY in content.lower()]

    def files(self) -> Iterator[tuple[str, str]]:
        for path in self.world.folder.rglob("*"):
            yield f"name of {path.name}", str(path.relative_to(self.world.folder))
            inbox = self.world.inbox in path.parents and path.parent.name != "rejected"
            if path.is_file() and not inbox and path.suffix != ".db":
                # Results too: they are encrypted.
                yield f"file {path.name}", path.read_bytes().decode("latin-1")

    def ledger(self) -> Iterator[tuple[str, str]]:
        engine = create_engine(self.ledger_url)
        with engine.connect() as connection:
            for table in inspect(engine).get_table_names():
                rows = connection.execute(text(f'SELECT * FROM "{table}"')).fetchall()
                yield f"table {table}", str([tuple(row) for row in rows])
        engine.dispose()


def _around(content: str) -> str:
    at = content.lower().index(CANARY)
    return content[max(0, at - 60) : at + 20]


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(1)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(1, logger=name)
    return caplog


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Messages, what was put into them, and tracebacks."""
    caplog.handler.acquire()
    try:
        parts = [
            f"{record.name} {record.getMessage()} {record.args} {record.exc_text}"
            for record in caplog.records
        ]
    finally:
        caplog.handler.release()
    return "\n".join(parts)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("call", CALLS)
def test_whatever_call_fails_no_identity_and_no_secret_gets_out(
    place: World, ledger_url: str, everything_logged: pytest.LogCaptureFixture, call: str
) -> None:
    if not IN_FULL and ledger_url.startswith("postgresql") and call != "create":
        pytest.skip("`make test-faults` lets every call fail on PostgreSQL too")
    day = Day(place, ledger_url)
    for kind, options in [*FAULTS, *(MORE if IN_FULL else [])]:
        day.hand_in()
        if call == "list":
            # Only a lost answer makes a run list.
            place.simulator.fault("create", "drop_after")
        place.simulator.revoke_tokens()
        place.simulator.fault(call, kind, **options)
        day.live_through()
        place.simulator.clear_faults()
    assert place.simulator.counters()["faults_played"], "nothing has failed"
    # And a day on which nothing does, so that there are results.
    day.hand_in()
    day.live_through()
    day.task("sweep", SweepPrivacyJobsOperator(task_id="sweep"))
    manifests = [manifest for _, manifest in iter_manifests(open_store(f"file://{place.archive}"))]
    assert any(
        manifest.sealed and manifest.sealed.wrapped_by.startswith("aws-kms:") for manifest in manifests
    )
    assert {record.name.partition(".")[0] for record in everything_logged.records} >= {
        "adobe_privacy",
        "botocore",
    }
    assert day.hits(logged(everything_logged)) == []
    assert list((place.folder / "tmp").iterdir()) == [], "temporary files stay"


def test_a_process_that_dies_leaves_nothing_either(
    place: World, ledger_url: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    if not IN_FULL and ledger_url.startswith("postgresql"):
        pytest.skip("`make test-faults` does it on PostgreSQL too")
    day = Day(place, ledger_url)
    day.hand_in()
    [batch_id] = day.task("plan", PlanPrivacyRequestsOperator(task_id="plan"))
    day.task("submit", CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id))
    died = subprocess.run(
        [sys.executable, "-c", KILLED, batch_id],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(sys.path), "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert died.returncode < 0, died.stderr[-2000:]
    assert "Fatal Python error: Aborted" in died.stderr
    assert f"ARGUMENTS {sys.executable} -c" in died.stdout.replace("  ", " ")
    day.kept += [("its output", died.stdout), ("its crash dump", died.stderr)]
    day.live_through()
    assert day.hits(logged(everything_logged)) == []


def test_the_search_would_find_them(place: World, ledger_url: str) -> None:
    day = Day(place, ledger_url)
    assert day.hits(f"… {TOKEN} …") != []
    (place.folder / "tmp" / "left").write_text(SECRET)
    assert any("file left" in hit for hit in day.hits(""))
    day.hand_in()
    day.task("plan", PlanPrivacyRequestsOperator(task_id="plan"))
    names = {name for name, _ in day.ledger()}
    assert "table privacy_jobs" in names
    with Ledger(ledger_url, actor="test") as ledger, ledger.unit.write() as session:
        session.add(Setting(name="x", value=CANARY))
    assert any("table" in hit for hit in day.hits(""))
