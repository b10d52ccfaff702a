"""A small world for tests of the outer half: a simulator, an inbox, an archive, a ledger, as Airflow sees them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.context import OutletEventAccessors

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_requests import privacy_archive
from tests.support.simulator import Simulator

DAY = date(2026, 11, 20)


def request(number: int, *actions: str, **fields: Any) -> dict[str, Any]:
    """A request as an inbox line."""
    return {
        "request_id": f"DSR-{number}",
        "regulation": "gdpr",
        "actions": list(actions or ("access",)),
        "identities": [{"namespace": "email", "value": f"subject{number}@example.com"}],
        "products": ["profileService"],
    } | fields


@contextmanager
def long_ago(world: World) -> Iterator[None]:
    """What is submitted and archived inside was so in January, by Adobe's clock and by the ledger's."""
    back = datetime.now(UTC) - datetime(2026, 1, 10, tzinfo=UTC)
    world.simulator.set_clock(now="2026-01-10T00:00:00Z")
    with pytest.MonkeyPatch.context() as patch:
        defaults: Any = Ledger.__init__.__kwdefaults__
        assert "now" in defaults
        patch.setitem(defaults, "now", lambda: datetime.now(UTC) - back)
        yield


@dataclass
class World:
    """Where everything lies. Connections and variables come from the environment, as in many real set-ups."""

    simulator: Simulator
    folder: Path

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.folder / 'ledger.db'}"

    def put(self, *requests: dict[str, Any], day: date = DAY, name: str = "requests.jsonl") -> None:
        folder = self.inbox / f"{day:%Y-%m-%d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in requests))

    def manifests(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.archive.rglob("manifest.json"))]


def make_world(simulator: Simulator, folder: Path, patch: pytest.MonkeyPatch, **extra: Any) -> World:
    world = World(simulator, folder)
    world.inbox.mkdir()
    extra = {"products": ["profileService"], "list_lag": 0, "timeout": 5} | extra
    patch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", simulator.connection_json(**extra))
    patch.setenv(
        "AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps({"conn_type": "sqlite", "host": str(folder / "ledger.db")})
    )
    patch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", f"file://{world.inbox}")
    patch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", f"file://{world.archive}")
    patch.setenv("AIRFLOW_VAR_PRIVACY_POLL_INTERVAL", "0.2")
    return world


def context(
    day: date = DAY,
    *,
    run_type: str = "scheduled",
    events: Sequence[Any] = (),
    retries: int = 0,
    **params: Any,
) -> Any:
    """As much of a task's context as our operators read; `events` are those of the archive's asset."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    xcoms: dict[str, Any] = {}
    task_instance = SimpleNamespace(
        id=uuid.uuid4(),
        dag_id="privacy_requests",
        run_id=f"{run_type}__{day}",
        task_id="task",
        map_index=-1,
        try_number=1,
        max_tries=retries,
        task=SimpleNamespace(retries=retries),
        xcoms=xcoms,
        xcom_push=lambda key, value: xcoms.update({key: value}),
    )
    return {
        "ti": task_instance,
        "task_instance": task_instance,
        "outlet_events": OutletEventAccessors(),
        "inlet_events": {privacy_archive("default"): SimpleNamespace(after=lambda _since: list(events))},
        "dag_run": SimpleNamespace(run_type=run_type, run_after=start),
        "data_interval_start": start,
        "params": {"dry_run": False, "products": None, "max_jobs": None} | params,
    }
