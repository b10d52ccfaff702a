"""The main job against a server that knows Adobe's OpenAPI file alone: what differs from the simulator must not
matter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.models import ConsentEntity, ConsentRequest
from adobe_privacy.ledger.states import JobState
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from tests.api.fake_service import config as client_config
from tests.conformance.openapi_server import BASE, OpenApi, Service, running
from tests.support.day import finished
from tests.support.privacy import World, context, request

ORG = "0123456789ABCDEF01234567@AdobeOrg"


@pytest.fixture
def service(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The server, in the place of the simulator."""
    service = Service()
    with running(service) as url:
        monkeypatch.setenv(
            "AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT",
            json.dumps(
                {
                    "conn_type": "adobe_privacy",
                    "host": f"{url}{BASE}",
                    "login": "id",
                    "password": "secret",
                    "extra": {
                        "org_id": ORG,
                        "token_url": f"{url}/ims/token/v3",
                        "list_lag": 0,
                        "timeout": 20,
                        "products": ["profileService", "analytics"],
                    },
                }
            ),
        )
        yield service


def test_a_whole_day_by_the_openapi_file(world: World, service: Service) -> None:
    # More than one of its pages of 100.
    world.put(
        *(
            request(number, "access", "delete", products=["profileService", "analytics"])
            for number in range(120)
        )
    )
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    sent = CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    assert sent["submitted"] == len(service.jobs) == 240
    asyncio.run(finished(batch_id))
    ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    settled = SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id]).execute(context())
    assert settled["jobs"] == 240
    manifests = world.manifests()
    assert {manifest["job_id"] for manifest in manifests} == set(service.jobs)
    assert all(manifest["completeness"]["verdict"] == "done" for manifest in manifests)
    assert sum(1 for call in service.calls if call == f"POST {BASE}/jobs") == 1


def test_a_lost_answer_is_found_in_its_lists(world: World, service: Service) -> None:
    from adobe_privacy.hooks.ledger import open_ledger

    world.put(request(1, "access", "delete"))
    create = service.create
    lost: list[bool] = []

    def made_and_not_told(body: object) -> object:
        made = create(body)
        if not lost:
            lost.append(True)
            return 504, {"error_code": "504", "message": "Gateway Timeout"}
        return made

    service.create = made_and_not_told  # type: ignore[method-assign]
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    sent = CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    assert (sent["recognised"], sent["submitted"], sent["unknown"]) == (2, 0, 0)
    assert len(service.jobs) == 2
    with open_ledger("test") as ledger:
        assert ledger.overview.counts()[JobState.SUBMITTED] == 2


async def test_an_opt_out_has_the_form_of_the_file() -> None:
    service = Service()
    with running(service) as url:
        config = client_config(org_id=ORG, base_url=f"{url}{BASE}", token_url=f"{url}/ims/token/v3")
        async with PrivacyServiceClient(config) as client:
            entity = ConsentEntity(namespace="email", values=("subject1@example.com",))
            await client.send_consent(ConsentRequest(entities=(entity,)))
            today = datetime.now(UTC).date()
            assert [job async for job in client.list_jobs("gdpr", from_date=today, to_date=today)] == []
    (consent,) = service.consents
    assert consent["optOutOfSale"] is True


def test_it_refuses_what_the_file_does_not_allow(tmp_path: Path) -> None:
    api = OpenApi()
    with pytest.raises(jsonschema.ValidationError):
        api.check({"companyContexts": [], "users": [], "include": [], "regulation": "gdpr"}, "NewJobs")
