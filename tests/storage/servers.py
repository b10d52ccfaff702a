"""Real object-store servers for tests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
import obstore
import pytest
from moto.server import DomainDispatcherApplication, ThreadedMotoServer, create_backend_app
from werkzeug.serving import make_server

from adobe_privacy.storage import AzureOptions, GCSOptions, S3Options, Store, open_store


@dataclass(frozen=True)
class S3Server:
    """moto's S3 over HTTP, with an unrelated vendor's client beside ours to look at what is really there."""

    endpoint: str
    client: Any

    @property
    def options(self) -> S3Options:
        return S3Options("testing", "testing", region="us-east-1", endpoint=self.endpoint)

    def new_bucket(self) -> str:
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        return name

    def store(self, bucket: str | None = None, prefix: str = "archive") -> Store:
        return open_store(f"s3://{bucket or self.new_bucket()}/{prefix}", self.options)

    def open_uploads(self, store: Store) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=store.location.bucket)
        return [upload["Key"] for upload in found.get("Uploads", [])]


@contextmanager
def moto_server(service: str) -> Iterator[tuple[str, Any]]:
    """One of Amazon's services by moto over HTTP: its address, and Amazon's client of it."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        yield endpoint, client
    finally:
        server.stop()


def ignore_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every store replaces an object whatever it was seen as."""
    put = obstore.put

    def unconditional(store: Any, key: str, data: bytes, mode: Any = None, **options: Any) -> Any:
        return put(store, key, data, mode=mode if mode == "create" else None, **options)

    monkeypatch.setattr(obstore, "put", unconditional)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    with moto_server("s3") as (endpoint, client):
        yield S3Server(endpoint, client)


@dataclass(frozen=True)
class GCSServer:
    """What Google's XML API shares with S3's, served by moto: see `gcs_server`."""

    endpoint: str

    @property
    def options(self) -> GCSOptions:
        # The form in which the library takes an emulator: its key says that no token is to be fetched.
        key = {"gcs_base_url": self.endpoint, "disable_oauth": True, "client_email": "", "private_key": ""}
        return GCSOptions(json.dumps(key | {"private_key_id": ""}), endpoint=self.endpoint)

    def new_bucket(self) -> str:
        name = f"bucket{uuid.uuid4().hex[:12]}"
        httpx.put(f"{self.endpoint}/{name}").raise_for_status()
        return name

    def store(self, bucket: str | None = None) -> Store:
        return open_store(f"gs://{bucket or self.new_bucket()}/archive", self.options)


@contextmanager
def gcs_server() -> Iterator[GCSServer]:
    """Google Cloud Storage, as far as it can be had: its XML API has S3's requests with headers of its own, and
    here moto's S3 answers them. That proves what our library asks for, not how Google answers: the emulators on
    the package indexes speak the JSON API only, which the library does not use for writing.
    """
    moto = DomainDispatcherApplication(create_backend_app)
    generations: dict[str, str] = {}
    # moto compares and writes in two steps, between which another thread may write. Google replaces in one.
    replacing = threading.Lock()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        # https://cloud.google.com/storage/docs/xml-api/reference-headers: 0 is "only if there is none".
        generation = environ.pop("HTTP_X_GOOG_IF_GENERATION_MATCH", None)
        if generation == "0":
            environ["HTTP_IF_NONE_MATCH"] = "*"
        elif generation:
            environ["HTTP_IF_MATCH"] = generations.get(generation, '"none"')
        if source := environ.pop("HTTP_X_GOOG_COPY_SOURCE", None):
            environ["HTTP_X_AMZ_COPY_SOURCE"] = source
        # By the credential moto knows the service and the account.
        scope = "testing/20260101/us-east-1/s3/aws4_request"
        environ["HTTP_AUTHORIZATION"] = (
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        )

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            # Google numbers what S3 hashes.
            for etag in [value for name, value in headers if name.lower() == "etag"]:
                number = str(int(etag.strip('"')[:12], 16))
                generations[number] = etag
                headers = [*headers, ("x-goog-generation", number)]
            return start_response(status, headers, *more)

        if "HTTP_IF_MATCH" not in environ:
            return moto(environ, start)
        with replacing:
            return list(moto(environ, start))

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield GCSServer(f"http://127.0.0.1:{server.port}")
    finally:
        server.shutdown()
        thread.join()


# The account and key that Azurite documents for everyone.
_AZURITE_ACCOUNT = "devstoreaccount1"
_AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class AzureServer:
    """Azurite, Microsoft's own emulator."""

    endpoint: str

    @property
    def options(self) -> AzureOptions:
        return AzureOptions(_AZURITE_ACCOUNT, _AZURITE_KEY, endpoint=self.endpoint)

    def new_container(self) -> str:
        name = f"container-{uuid.uuid4().hex[:12]}"
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
        signed = "PUT" + "\n" * 12 + "".join(f"{key}:{value}\n" for key, value in headers.items())
        signed += f"/{_AZURITE_ACCOUNT}/{_AZURITE_ACCOUNT}/{name}\nrestype:container"
        digest = hmac.new(base64.b64decode(_AZURITE_KEY), signed.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {_AZURITE_ACCOUNT}:{base64.b64encode(digest).decode()}"
        httpx.put(f"{self.endpoint}/{name}?restype=container", headers=headers).raise_for_status()
        return name

    def store(self) -> Store:
        return open_store(f"abfss://{self.new_container()}/archive", self.options)


@contextmanager
def azure_server() -> Iterator[AzureServer]:
    """Skips where Azurite is not installed in the project's folder, which `.ci/run` does, or on the machine."""
    local = Path(__file__).parent / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    command = str(local) if local.exists() else shutil.which("azurite-blob")
    if command is None:
        pytest.skip("azurite is not installed: npm ci --prefix tests/storage/azurite")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    address = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    process = subprocess.Popen([command, *options, *address], stdout=subprocess.DEVNULL)
    try:
        endpoint = f"http://127.0.0.1:{port}/{_AZURITE_ACCOUNT}"
        for _ in range(300):
            try:
                httpx.get(endpoint)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield AzureServer(endpoint)
    finally:
        process.terminate()
        process.wait()
