"""A bare caller of the simulated API: what the tests of the simulator use instead of the package's own client."""

from __future__ import annotations

import zlib
from typing import Any

import httpx

from tests.support.simulator import Simulator

SCOPE = "openid,AdobeID,read_organizations"


def ecid_of(key: str) -> str:
    """The identity of a user in these tests: one that Analytics and Profile can both use."""
    return f"{zlib.crc32(key.encode()):038d}"


class AdobeCaller:
    """Speaks the wire format and judges nothing."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.client_id, self.client_secret, self.org_id = (
            simulator.client_id,
            simulator.client_secret,
            simulator.org_id,
        )
        self.http = httpx.Client(base_url=simulator.api_url, timeout=30, trust_env=False)
        self._token: str | None = None

    def token_answer(self, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": SCOPE,
        }
        return self.http.post(self.simulator.token_url, data=form | changes)

    def sign_in(self) -> None:
        """Fetch a token now, so that a fault or time limit set afterwards finds only the call itself."""
        self._token = self.token_answer().json()["access_token"]

    def forget_token(self) -> None:
        self._token = None

    @property
    def headers(self) -> dict[str, str]:
        if self._token is None:
            self.sign_in()
        return {
            "Authorization": f"Bearer {self._token}",
            "x-api-key": self.client_id,
            "x-gw-ims-org-id": self.org_id,
        }

    def list_jobs(self, regulation: str | None = "gdpr", **parameters: Any) -> httpx.Response:
        query = parameters if regulation is None else {"regulation": regulation} | parameters
        return self.http.get("/jobs", params=query, headers=self.headers)

    def listed_ids(self, regulation: str = "gdpr", **parameters: Any) -> list[str]:
        answer = self.list_jobs(regulation, **parameters)
        return [] if answer.status_code == 404 else [row["jobId"] for row in answer.json()["jobDetails"]]

    def body(self, *keys: str, actions: tuple[str, ...] = ("access",), **changes: Any) -> dict[str, Any]:
        users = [
            {
                "key": key,
                "action": list(actions),
                "userIDs": [{"namespace": "ECID", "value": ecid_of(key), "type": "standard"}],
            }
            for key in keys
        ]
        return {
            "companyContexts": [{"namespace": "imsOrgID", "value": self.org_id}],
            "users": users,
            "include": ["analytics", "profileService"],
            "regulation": "gdpr",
        } | changes

    def create(self, *keys: str, actions: tuple[str, ...] = ("access",), **changes: Any) -> httpx.Response:
        return self.post(self.body(*(keys or ("DSR-1",)), actions=actions, **changes))

    def post(self, body: Any) -> httpx.Response:
        return self.http.post("/jobs", json=body, headers=self.headers)

    def created_ids(self, *keys: str, actions: tuple[str, ...] = ("access",), **changes: Any) -> list[str]:
        return [job["jobId"] for job in self.create(*keys, actions=actions, **changes).json()["jobs"]]

    def detail(self, job_id: str) -> httpx.Response:
        return self.http.get(f"/jobs/{job_id}", headers=self.headers)

    def content(self, job_id: str) -> httpx.Response:
        return self.http.get(f"/jobs/{job_id}/content", headers=self.headers)

    def consent(self, body: Any) -> httpx.Response:
        return self.http.post("/consent", json=body, headers=self.headers)

    def complete_job(self, key: str = "DSR-1", **changes: Any) -> str:
        """The id of an access job whose result is ready."""
        (job_id,) = self.created_ids(key, **changes)
        self.simulator.advance(60)
        return job_id
