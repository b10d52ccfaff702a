"""What all tests share. Airflow reads its settings when it is first imported, so they are set here, before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
_HOME = tempfile.TemporaryDirectory(prefix="adobe-privacy-tests-")

for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "PRIVACY_LEDGER"))]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME.name}/airflow.db",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}

from adobe_privacy import airflow_organisations  # noqa: E402
from adobe_privacy.intake import files  # noqa: E402
from tests.support.ledgers import (  # noqa: E402, F401
    clock,
    ledger,
    ledger_url,
    open_ledger,
    postgres,
    sqlite_template,
    sqlite_url,
)
from tests.support.privacy import World, make_world  # noqa: E402
from tests.support.simulator import Simulator, running_simulator  # noqa: E402

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile(
    "here", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("here")

# The files of tests have always just been written.
files.SECOND_LOOK = 0.0


# What plays very many cases, waits in real time or starts many processes. `make test` leaves these out, and whatever
# runs on PostgreSQL; `make test-long` runs them.
LONG = (
    "api/test_bombs.py",
    "dags/test_preloading.py",
    "fuzz/",
    "ledger/test_at_random.py",
    "ledger/test_query_plans.py",
    "model/",
    "operators/test_canary.py",
    "operators/test_upgrading.py",
    "planning/test_latency.py",
    "reporting/test_export.py",
    "results/test_what_became.py",
    "simulation/",
    "submission/test_exactly_once.py",
    "submission/test_limits.py",
    "submission/test_submission.py",
    "submission/test_unknown.py",
    "triggers/test_privacy_jobs.py",
    "web/test_attention_kinds.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        place = item.path.relative_to(ROOT / "tests").as_posix()
        if place.startswith(LONG) or "postgres" in item.name:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def _simulator() -> Iterator[Simulator]:
    with running_simulator(switches={"access_delay_seconds": "1", "delete_delay_seconds": "1"}) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator: Simulator) -> Simulator:
    """A simulator as just started."""
    _simulator.reset()
    return _simulator


@pytest.fixture(autouse=True)
def _configuration_of_its_own() -> Iterator[None]:
    """A process of Airflow reads its configuration once; here each test may have another one."""
    yield
    airflow_organisations.configuration.cache_clear()


@pytest.fixture(autouse=True)
def _not_a_server() -> Iterator[None]:
    """A command of `airflow` makes its process one of Airflow's servers, which asks Airflow's database. Tests of tasks
    that run after it have none."""
    yield
    os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)


@pytest.fixture
def world(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Inbox, archive and ledger in a fresh folder, connections and variables in the environment."""
    return make_world(simulator, tmp_path, monkeypatch)
