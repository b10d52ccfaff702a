from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from adobe_privacy.storage import Store, open_store
from tests.archive.results_server import ResultsServer, results_server
from tests.storage.servers import AzureServer, S3Server, azure_server, s3_server

# What the faults of test_faults.py came to, for the table at the end.
OUTCOMES = pytest.StashKey[list[Any]]()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def azure() -> Iterator[AzureServer]:
    with azure_server() as server:
        yield server


@pytest.fixture
def file_store(tmp_path: Path) -> Store:
    return open_store(f"file://{tmp_path}")


@pytest.fixture(params=["file", "s3", "azure"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "file":
        return open_store(f"file://{tmp_path}")
    server: S3Server | AzureServer = request.getfixturevalue(request.param)
    return server.store()


@pytest.fixture
async def results() -> AsyncIterator[ResultsServer]:
    async with results_server() as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    outcomes = config.stash.get(OUTCOMES, [])
    if not outcomes:
        return
    terminalreporter.section("archive faults: manifests naming bad bytes / results lost after the next try")
    stores = list(dict.fromkeys(outcome.store for outcome in outcomes))
    by_place = {(outcome.fault, outcome.store): outcome for outcome in outcomes}
    table = Table(box=None, pad_edge=False)
    table.add_column("fault")
    for store in stores:
        table.add_column(store, justify="right")
    for fault in dict.fromkeys(outcome.fault for outcome in outcomes):
        row = [by_place.get((fault, store)) for store in stores]
        table.add_row(fault, *("" if each is None else f"{each.bad}/{each.lost}" for each in row))
    text = io.StringIO()
    Console(file=text, width=120).print(table)
    terminalreporter.write_line(text.getvalue().rstrip())
    bad, lost = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("bad", "lost"))
    terminalreporter.write_line(
        f"{len(outcomes)} faults: manifests naming bad bytes: {bad}; results lost: {lost}"
    )
