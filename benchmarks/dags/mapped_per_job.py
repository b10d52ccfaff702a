"""The usual pattern: one mapped task for each job and step. For the benchmark only: its XCom holds what people sent."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import PokeReturnValue, Variable, dag, task


@dag(
    dag_id="mapped_per_job",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_tasks=1000,
    catchup=False,
)
def mapped_per_job() -> None:
    @task
    def read() -> list[dict[str, Any]]:
        inbox = Path(Variable.get("privacy_inbox_uri").removeprefix("file://"))
        lines = [line for path in sorted(inbox.glob("*/*.jsonl")) for line in path.read_text().splitlines()]
        return [json.loads(line) for line in lines]

    @task
    def create(request: dict[str, Any]) -> str:
        return asyncio.run(_create(request))

    @task.sensor(mode="reschedule", poke_interval=5, timeout=3600)
    def wait(job_id: str) -> PokeReturnValue:
        return PokeReturnValue(is_done=asyncio.run(_done(job_id)))

    @task
    def download(job_id: str) -> None:
        asyncio.run(_download(job_id))

    jobs = create.expand(request=read())
    wait.expand(job_id=jobs) >> download.expand(job_id=jobs)


def _client() -> Any:
    from adobe_privacy.hooks.adobe_privacy import AdobePrivacyHook

    return AdobePrivacyHook().get_conn()


async def _create(request: dict[str, Any]) -> str:
    from adobe_privacy.api.models import CompanyContext, CreateJobsRequest, Identity, User
    from adobe_privacy.hooks.adobe_privacy import AdobePrivacyHook

    config = AdobePrivacyHook().settings().client
    async with _client() as client:
        created = await client.create_jobs(
            CreateJobsRequest(
                regulation=request["regulation"],
                users=(
                    User(
                        key=request["request_id"],
                        actions=tuple(request["actions"]),
                        identities=tuple(Identity(**identity) for identity in request["identities"]),
                    ),
                ),
                include=tuple(request["products"]),
                company_contexts=(CompanyContext.organisation(config.org_id),),
            )
        )
    return str(created.jobs[0].job_id)


async def _done(job_id: str) -> bool:
    async with _client() as client:
        return bool((await client.get_job(job_id)).status.is_terminal)


async def _download(job_id: str) -> None:
    archive = Path(Variable.get("privacy_archive_uri").removeprefix("file://"))
    async with _client() as client, client.download(job_id) as result:
        with (archive / f"{job_id}.zip").open("wb") as file:
            async for chunk in result.chunks():
                file.write(chunk)


mapped_per_job()
