from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adobe_privacy.storage import Store, open_store
from tests.storage.servers import AzureServer, GCSServer, S3Server, azure_server, gcs_server, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def azure() -> Iterator[AzureServer]:
    with azure_server() as server:
        yield server


@pytest.fixture(scope="session")
def gcs() -> Iterator[GCSServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture(params=["file", "s3", "azure", "gcs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "file":
        return open_store(f"file://{tmp_path}")
    server: S3Server | AzureServer | GCSServer = request.getfixturevalue(request.param)
    return server.store()
