"""Everything that one running simulator knows, and how it starts again."""

from __future__ import annotations

import hashlib
import os
import pickle
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator_catalogue import STANDARD_NAMESPACE_IDS
from simulator_clock import SimulatedClock
from simulator_faults import OPERATIONS, FaultPlan
from simulator_jobs import NEVER, Job, JobStore, ProductAnswer, made_now
from simulator_outcomes import product_answer
from simulator_scenario import DEFAULT_RULE, Rule, Scenario, pick
from simulator_switches import Delay, Switches, changed

_TECHNICAL_ACCOUNT = "02b38adf-6573-401e-b4cc-6b08dbc0e61c@techacct.adobe.com"


@dataclass
class Counters:
    """What came in and what was done. No identity, no credential."""

    calls: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys((*OPERATIONS, "blob"), 0)))
    statuses: Counter[str] = field(default_factory=Counter)
    list_calls_by_regulation: Counter[str] = field(default_factory=Counter)
    faults_played: Counter[str] = field(default_factory=Counter)
    jobs_created: int = 0
    jobs_made_elsewhere: int = 0
    tokens_issued: int = 0
    content_bytes: int = 0
    credentials_seen_by_blob_host: int = 0
    # Names of the headers that carried them.
    credential_headers_seen_by_blob_host: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        return {
            "calls": dict(self.calls),
            "statuses": dict(sorted(self.statuses.items())),
            "list_calls_by_regulation": dict(self.list_calls_by_regulation),
            "faults_played": dict(self.faults_played),
            "jobs_created": self.jobs_created,
            "jobs_made_elsewhere": self.jobs_made_elsewhere,
            "tokens_issued": self.tokens_issued,
            "content_bytes": self.content_bytes,
            "credentials_seen_by_blob_host": self.credentials_seen_by_blob_host,
            "credential_headers_seen_by_blob_host": sorted(self.credential_headers_seen_by_blob_host),
        }


@dataclass(frozen=True)
class StartingPoint:
    """What the command line asked for; a reset returns to it."""

    scenario: Scenario = field(default_factory=Scenario)
    switches: Switches = field(default_factory=Switches)
    start_time: float | None = None
    clock_rate: float = 1.0


class Simulation:
    """The state behind all routes. Not thread-safe: it lives on the server's event loop."""

    def __init__(self, starting_point: StartingPoint, state: Path | None = None) -> None:
        self._starting_point = starting_point
        self._state = state
        # Set once the second socket listens.
        self.blob_port = 0
        self.reset()
        if state is not None and state.exists():
            self.jobs, self.consents, self.consent_hashes = pickle.loads(state.read_bytes())

    def reset(self) -> None:
        """As just started: no jobs, tokens, faults or counts; switches and clock as on the command line."""
        start = self._starting_point
        self.scenario = start.scenario
        self.switches = start.switches
        self.clock = SimulatedClock(start.start_time, start.clock_rate)
        self.jobs = JobStore(self.scenario.seed)
        self.faults = FaultPlan()
        self.counters = Counters()
        self.consents = 0
        self.consent_hashes: list[str] = []
        self._token_ends: dict[str, float] = {}

    def keep(self) -> None:
        """Where there is a state file: what was created outlives this process, however it ends."""
        if self._state is None:
            return
        written = self._state.with_suffix(".new")
        with written.open("wb") as file:
            pickle.dump((self.jobs, self.consents, self.consent_hashes), file)
            file.flush()
            os.fsync(file.fileno())
        written.replace(self._state)

    def change_switches(self, patch: dict[str, Any]) -> None:
        self.switches = changed(self.switches, patch)

    def now(self) -> float:
        """The time by the service's own clock, which may be wrong."""
        return self.clock.now() + self.switches.clock_skew_seconds

    def real_now(self) -> float:
        """Real (monotonic) seconds, which list lag and tokens live by."""
        return made_now()

    # Tokens live in real time: with a fast clock a client could otherwise never hold a good one.

    def issue_token(self) -> str:
        token = self.switches.token_prefix + secrets.token_urlsafe(48)
        self._token_ends[token] = time.monotonic() + self.switches.token_lifetime_seconds
        self.counters.tokens_issued += 1
        return token

    def token_is_good(self, token: str) -> bool:
        return time.monotonic() < self._token_ends.get(token, 0)

    def revoke_token(self, token: str) -> None:
        self._token_ends.pop(token, None)

    def revoke_all_tokens(self) -> None:
        self._token_ends.clear()

    # Jobs

    def new_job(
        self,
        *,
        key: str | None,
        action: str,
        regulation: str,
        identities: list[dict[str, Any]],
        products: list[str],
        created_at: float,
        request_id: str,
        tenant: str | None = None,
        made_elsewhere: bool = False,
        completed_at: float | None = None,
        code: str | None = None,
    ) -> Job:
        """One job with its whole future. It exists once it is added to `jobs`.

        `completed_at` and `code`, where given, overrule the scenario for every product.
        """
        switches = self.switches
        attempt = self.jobs.next_attempt(key, action, regulation)
        seed = (self.scenario.seed, key, action, regulation, attempt)
        processing_at = created_at + pick(switches.processing_delay_seconds, seed, "processing")
        rules = [
            self._rule(key=key, action=action, regulation=regulation, product=product, attempt=attempt)
            for product in products
        ]
        answers = []
        for product, rule in zip(products, rules, strict=True):
            answer = product_answer(
                product,
                rule,
                action=action,
                created_at=created_at,
                processing_at=processing_at,
                identities=identities,
                tenant=tenant,
                seed=seed,
                switches=switches,
            )
            if completed_at is not None:
                answer.answered_at, answer.delay_after_upstream = completed_at, None
                processing_at = min(processing_at, completed_at)
            answer.code = code or answer.code
            answers.append(answer)
        job = Job(
            job_id=self.jobs.new_job_id(created_at, switches.job_ids, switches.odd_job_id_every),
            request_id=request_id,
            key=key,
            action=action,
            regulation=regulation,
            created_at=created_at,
            processing_at=processing_at,
            identities=identities,
            products=answers,
            submitted_by="privacy.officer@example.com" if made_elsewhere else _TECHNICAL_ACCOUNT,
            made_at=-NEVER if made_elsewhere else made_now(),
            shown_key=_echo(key, next((rule.key_echo for rule in rules if rule.key_echo != "same"), "same")),
            ends_as=next((rule.job_status for rule in rules if rule.job_status), None),
            result_in_error=any(rule.result_in_error for rule in rules),
        )
        child_code = next((rule.child_code for rule in rules if rule.child_code), None)
        if child_code or (switches.child_jobs and completed_at is None):
            job.child = self._child_of(job, child_code or "6000-200", seed)
        return job

    def new_jobs(self, *, products: list[str], **fields: Any) -> list[Job]:
        """What one user and action of a call becomes: one job, unless a switch or a rule wants more."""
        if self.switches.jobs_per == "product":
            return [self.new_job(products=[product], **fields) for product in products]
        first = self.new_job(products=products, **fields)
        named = {name: fields[name] for name in ("key", "action", "regulation")}
        attempt = self.jobs.attempts(**named)
        twice = any(self._rule(product=product, attempt=attempt, **named).twice for product in products)
        return [first, self.new_job(products=products, **fields)] if twice else [first]

    def _rule(self, **job: Any) -> Rule:
        return next((rule for rule in self.scenario.rules if rule.matches(**job)), DEFAULT_RULE)

    def _child_of(self, job: Job, code: str, seed: tuple[object, ...]) -> Job:
        switches = self.switches
        delay = pick(switches.child_delay_seconds, seed, "child")
        answers = [
            ProductAnswer(answer.product, job.created_at + delay, code=code, processed=answer.processed)
            for answer in job.products[:1]
        ]
        return Job(
            job_id=self.jobs.new_job_id(job.created_at, switches.job_ids, switches.odd_job_id_every),
            request_id=job.request_id,
            key=job.key,
            action=job.action,
            regulation=job.regulation,
            created_at=job.created_at,
            processing_at=job.processing_at,
            identities=job.identities,
            products=answers,
            submitted_by=job.submitted_by,
            shown_key=job.shown_key,
        )

    def make_jobs_elsewhere(
        self,
        *,
        count: int,
        regulation: str,
        action: str,
        products: list[str],
        key: str,
        created_at: float | None = None,
        completed_at: float | None = None,
        spread_seconds: float = 0,
        code: str | None = None,
    ) -> list[Job]:
        """Jobs as a person would make them in Adobe's UI: no list lag, no daily limit."""
        start = self.now() if created_at is None else created_at
        step = spread_seconds / count if count else 0
        jobs = []
        for number in range(count):
            moment = start + number * step
            user_key = key.replace("{n}", str(self.counters.jobs_made_elsewhere + number + 1))
            identity: dict[str, Any] = {
                "namespace": "email",
                "value": f"person{len(self.jobs) + number}@example.com",
                "type": "standard",
                "namespaceId": STANDARD_NAMESPACE_IDS["email"],
                "isDeletedClientSide": False,
            }
            jobs.append(
                self.new_job(
                    key=user_key,
                    action=action,
                    regulation=regulation,
                    identities=[identity],
                    products=products,
                    created_at=moment,
                    request_id=self.jobs.new_request_id(moment),
                    made_elsewhere=True,
                    completed_at=None if completed_at is None else completed_at + number * step,
                    code=code,
                )
            )
        self.jobs.add(jobs, charged_at=None)
        self.keep()
        self.counters.jobs_made_elsewhere += count
        return jobs

    def note_consent(self, entities: list[dict[str, Any]]) -> None:
        """Keep only hashes of what an opt-out named: SHA-256 of `namespace in lower case:value`."""
        self.consents += 1
        for entity in entities:
            for value in entity["values"]:
                text = f"{entity['nameSpace'].lower()}:{value}"
                self.consent_hashes.append(hashlib.sha256(text.encode()).hexdigest())
        self.keep()


def _echo(key: str | None, how: str) -> str | None:
    """A user's key as the service may repeat it."""
    if key is None:
        return None
    return {"trimmed": key.strip(), "lower_case": key.lower(), "upper_case": key.upper()}.get(how, key)


def delay_text(delay: Delay) -> str:
    low, high = delay
    return f"{low:g}" if low == high else f"{low:g}..{high:g}"
