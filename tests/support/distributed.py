"""Airflow as it is in production, on one machine: CeleryExecutor, Redis, PostgreSQL for the ledger and for Celery's
results, inbox and archive in S3."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from scripts.stack import BIN, Stack, free_port
from tests.storage.servers import S3Server

DAG_ID = "privacy_requests"
WORKERS = ("worker-1", "worker-2")

# A worker that dies between taking a task from Redis and telling Airflow that it runs takes the message with it.
# Airflow sends such a task again after ten minutes by default, which is longer than a test waits.
LOST_MESSAGES_ARE_FOUND = {
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
}


class Redis:
    """A Redis of our own that keeps what it was given: it appends each write to a file before it answers."""

    def __init__(self, folder: Path) -> None:
        executable = shutil.which("redis-server")
        if executable is None:
            pytest.fail("redis-server is not installed: apt-get install redis-server")
        port = free_port(16379)
        self.url = f"redis://127.0.0.1:{port}/0"
        self.command = (
            *(executable, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)),
            *("--appendonly", "yes", "--appendfsync", "always"),
        )

    def __enter__(self) -> Redis:
        self._process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def production(
    *, redis: str, ledger_url: str, results_url: str, s3: S3Server, bucket: str, endpoint: str | None = None
) -> dict[str, str]:
    """The environment of every process; `endpoint` is another way to the S3 server."""
    ledger = make_url(ledger_url)
    aws = {
        "conn_type": "aws",
        "login": s3.options.access_key_id,
        "password": s3.options.secret_access_key,
        "extra": {"endpoint_url": endpoint or s3.endpoint, "region_name": "us-east-1"},
    }
    connection = {
        "conn_type": "postgres",
        "host": ledger.query["host"],
        "login": ledger.username,
        "schema": ledger.database,
    }
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": redis,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{results_url}",
        "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW_CONN_SHARED_S3": json.dumps(aws),
        "AIRFLOW_CONN_PRIVACY_LEDGER": json.dumps(connection),
        "AIRFLOW_VAR_PRIVACY_INBOX_URI": f"s3://shared_s3@{bucket}/inbox",
        "AIRFLOW_VAR_PRIVACY_ARCHIVE_URI": f"s3://shared_s3@{bucket}/archive",
    }


def worker_command(name: str) -> tuple[str, ...]:
    return (
        *(str(BIN / "airflow"), "celery", "worker", "--concurrency", "2", "--skip-serve-logs"),
        *("--celery-hostname", f"{name}@%h", "--without-mingle", "--without-gossip"),
    )


def start_second(stack: Stack, component: str) -> None:
    """One more of a component of the stack."""
    stack.start_process(f"{component}-2", str(stack.bin / "airflow"), component, "--skip-serve-logs")


def start_workers(stack: Stack) -> None:
    for name in WORKERS:
        stack.start_process(name, *worker_command(name))


def fill_inbox(s3: S3Server, bucket: str, days: Mapping[str, list[dict[str, Any]]]) -> None:
    """Each day's requests as one file."""
    for day, requests in days.items():
        lines = "".join(json.dumps(line) + "\n" for line in requests)
        s3.client.put_object(Bucket=bucket, Key=f"inbox/{day}/requests.jsonl", Body=lines.encode())
