"""What a test or a person steers the simulator by: JSON under /_simulator/. No answer holds an identity."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from simulator_answers import json_answer
from simulator_catalogue import REGULATIONS, product_code
from simulator_clock import from_iso, iso
from simulator_faults import Fault
from simulator_jobs import Job
from simulator_scenario import Scenario
from simulator_state import Simulation


class ClockChange(BaseModel):
    """Applied in this order: now, rate, advance_seconds."""

    model_config = ConfigDict(extra="forbid")

    now: str | None = None
    rate: float | None = Field(default=None, ge=0)
    advance_seconds: float = 0


class JobsElsewhere(BaseModel):
    """Jobs as if a person had made them in Adobe's UI; `{n}` in the key is a running number."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(default=1, ge=1, le=100_000)
    regulation: str = "gdpr"
    action: Literal["access", "delete"] = "access"
    products: list[str] = ["profileService"]
    key: str = "elsewhere-{n}"
    # Of the first job; the others follow evenly over `spread_seconds`.
    created_at: str | None = None
    completed_at: str | None = None
    spread_seconds: float = Field(default=0, ge=0)
    code: str | None = None


class ControlRoutes:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/_simulator")
        router.add_api_route("/counters", self.counters, methods=["GET"])
        router.add_api_route("/counters/reset", self.reset_counters, methods=["POST"])
        router.add_api_route("/jobs", self.jobs, methods=["GET"], response_model=None)
        router.add_api_route("/jobs", self.make_jobs, methods=["POST"])
        router.add_api_route("/consents", self.consents, methods=["GET"])
        router.add_api_route("/switches", self.switches, methods=["GET"])
        router.add_api_route("/switches", self.change_switches, methods=["POST"])
        router.add_api_route("/scenario", self.change_scenario, methods=["POST"])
        router.add_api_route("/faults", self.faults, methods=["GET"])
        router.add_api_route("/faults", self.add_fault, methods=["POST"])
        router.add_api_route("/faults", self.clear_faults, methods=["DELETE"])
        router.add_api_route("/clock", self.clock, methods=["GET"])
        router.add_api_route("/clock", self.change_clock, methods=["POST"])
        router.add_api_route("/tokens/revoke", self.revoke_tokens, methods=["POST"])
        router.add_api_route("/reset", self.reset, methods=["POST"])
        return router

    async def counters(self) -> dict[str, Any]:
        return self.simulation.counters.as_json()

    async def reset_counters(self) -> dict[str, Any]:
        self.simulation.counters = type(self.simulation.counters)()
        return self.simulation.counters.as_json()

    async def jobs(self) -> Response:
        """The truth about every job, those that no list shows included."""
        now, expire = self.simulation.now(), self.simulation.switches.expire_after_days
        return json_answer([ground_truth(job, now, expire) for job in self.simulation.jobs])

    async def make_jobs(self, wanted: JobsElsewhere) -> dict[str, Any]:
        products = [product_code(spelling) for spelling in wanted.products]
        known = [product for product in products if product is not None]
        if len(known) != len(products) or wanted.regulation not in REGULATIONS:
            raise HTTPException(422, "unknown product or regulation")
        jobs = self.simulation.make_jobs_elsewhere(
            count=wanted.count,
            regulation=wanted.regulation,
            action=wanted.action,
            products=known,
            key=wanted.key,
            created_at=_moment(wanted.created_at),
            completed_at=_moment(wanted.completed_at),
            spread_seconds=wanted.spread_seconds,
            code=wanted.code,
        )
        return {"jobIds": [job.job_id for job in jobs]}

    async def consents(self) -> dict[str, Any]:
        return {"count": self.simulation.consents, "hashes": self.simulation.consent_hashes}

    async def switches(self) -> dict[str, Any]:
        return self.simulation.switches.model_dump(mode="json")

    async def change_switches(self, patch: dict[str, Any]) -> dict[str, Any]:
        try:
            self.simulation.change_switches(patch)
        except ValidationError as error:
            raise HTTPException(422, error.errors(include_url=False, include_context=False)) from None
        return await self.switches()

    async def change_scenario(self, scenario: Scenario) -> dict[str, Any]:
        """Rules for jobs created from now on, and switches; a reset brings the first scenario back."""
        await self.change_switches(scenario.starting_switches())
        self.simulation.scenario = scenario
        return {"rules": len(scenario.rules)}

    async def faults(self) -> list[dict[str, Any]]:
        return self.simulation.faults.waiting()

    async def add_fault(self, fault: Fault) -> dict[str, int]:
        return {"id": self.simulation.faults.add(fault)}

    async def clear_faults(self) -> list[dict[str, Any]]:
        self.simulation.faults.clear()
        return []

    async def clock(self) -> dict[str, Any]:
        return {"now": iso(self.simulation.clock.now()), "rate": self.simulation.clock.rate}

    async def change_clock(self, change: ClockChange) -> dict[str, Any]:
        self.simulation.clock.set(now=_moment(change.now), rate=change.rate)
        self.simulation.clock.advance(change.advance_seconds)
        return await self.clock()

    async def revoke_tokens(self) -> dict[str, Any]:
        self.simulation.revoke_all_tokens()
        return {}

    async def reset(self) -> dict[str, Any]:
        self.simulation.reset()
        return await self.clock()


def ground_truth(job: Job, now: float, expire_after_days: float) -> dict[str, Any]:
    return {
        "jobId": job.job_id,
        "key": job.key,
        "action": job.action,
        "regulation": job.regulation,
        "status": job.status(now, expire_after_days),
        "createdDate": iso(job.created_at),
        "completedDate": iso(job.finished_at(expire_after_days)),
        "requestId": job.request_id,
        "submittedBy": job.submitted_by,
        "products": {answer.product: answer.code for answer in job.products},
        "detailCalls": job.detail_calls,
        "contentCalls": job.content_calls,
    }


def _moment(text: str | None) -> float | None:
    try:
        return None if text is None else from_iso(text)
    except ValueError:
        raise HTTPException(422, "a moment must be ISO 8601, such as 2026-11-22T10:00:00Z") from None
