from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adobe_privacy.storage import Store, open_store
from tests.archive.results_server import ResultsServer, results_server
from tests.storage.servers import AzureServer, S3Server, azure_server, s3_server


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
