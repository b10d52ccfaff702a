"""Real object-store servers for tests."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from adobe_privacy.storage import S3Options, Store, open_store


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
def s3_server() -> Iterator[S3Server]:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        yield S3Server(endpoint, client)
    finally:
        server.stop()
