"""The client against every sample body that is known of Adobe, each over a real connection."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from adobe_privacy.api import errors
from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.models import (
    Action,
    CompanyContext,
    ConsentEntity,
    ConsentRequest,
    CreateJobsRequest,
    Identity,
    User,
)
from adobe_privacy.results.verdicts import judge
from tests.api.fake_service import config as client_config
from tests.api.raw_server import TOKEN, Received, http, raw_server

ORG = "0123456789ABCDEF01234567@AdobeOrg"
PERSON = "subject1@example.com"
SAMPLES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "samples.yaml").read_text())


def new_jobs() -> CreateJobsRequest:
    person = Identity(namespace="email", value=PERSON)
    return CreateJobsRequest(
        regulation="ccpa",
        users=(User(key="DSR-1", actions=(Action.ACCESS, Action.DELETE), identities=(person,)),),
        include=("analytics", "audienceManager"),
        company_contexts=(CompanyContext.organisation(ORG),),
    )


async def call(client: PrivacyServiceClient, sample: dict[str, Any]) -> dict[str, Any]:
    """What the client makes of a sample, in the words of `gives`."""
    match sample["call"]:
        case "token":
            await client.fetch_token()
            return {}
        case "list":
            day = date(2026, 11, 20)
            rows = [job async for job in client.list_jobs("gdpr", from_date=day, to_date=day)]
            found: dict[str, Any] = {"jobs": [job.job_id for job in rows]}
            if rows:
                created = rows[0].created_at
                found |= {"status": str(rows[0].status.value), "created": created and created.isoformat()}
            return found
        case "create":
            created_jobs = await client.create_jobs(new_jobs())
            return {"created": {job.action: job.job_id for job in created_jobs.jobs}}
        case "consent":
            entity = ConsentEntity(namespace="email", values=(PERSON,))
            await client.send_consent(ConsentRequest(entities=(entity,)))
            return {}
    detail = await client.get_job(sample.get("body", {}).get("jobId", "a-job"))
    answers = judge(detail, (), last_look=False).answers
    return {
        "status": str(detail.status.value),
        "regulation": detail.regulation,
        "download": detail.download_url is not None,
        "children": len(detail.child_jobs),
        "verdicts": {answer.name: answer.verdict.value for answer in answers},
    }


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["name"] for sample in SAMPLES])
async def test_the_client_reads_what_adobe_writes(sample: dict[str, Any]) -> None:
    text = sample["text"] if "text" in sample else json.dumps(sample["body"])
    answered = http(sample.get("status", 200), text.encode(), headers=sample.get("headers"))

    listed = 0

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal listed
        of_token = received.path.startswith("/ims")
        listed += sample["call"] == "list" and not of_token
        if of_token != (sample["call"] == "token"):
            writer.write(http(200, TOKEN))
        else:
            # Of a list with rows, the sample is the first page and the only one.
            first = listed < 2 or "status" in sample
            writer.write(answered if first else http(200, b'{"jobDetails": [], "totalRecords": 0}'))

    async with raw_server(answer) as server:
        config = client_config(
            org_id=ORG,
            base_url=f"{server.url}/data/core/privacy",
            token_url=f"{server.url}/ims/token/v3",
            retry_attempts=1,
        )
        # What a 401 is asked again for takes no time here.
        async with PrivacyServiceClient(config, sleep=lambda _: asyncio.sleep(0)) as client:
            expected = sample["gives"]
            if kind := expected.get("error"):
                with pytest.raises(errors.PrivacyServiceError) as raised:
                    await call(client, sample)
                assert type(raised.value) is getattr(errors, kind), raised.value
                assert PERSON not in str(raised.value)
                if "retry_after" in expected:
                    assert getattr(raised.value, "retry_after", None) == expected["retry_after"]
                return
            made = await call(client, sample)
            assert {name: made.get(name) for name in expected} == expected
