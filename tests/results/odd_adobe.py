"""An Adobe whose lists, details, results and answers to opt-outs a test lays out as it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from adobe_privacy.api.client import ClientConfig, PrivacyServiceClient
from tests.api.fake_service import NO_JOB_DATA, ORG
from tests.api.raw_server import TOKEN, Received, http, raw_server
from tests.archive.zips import make_zip

GOOD = make_zip()


def adobe_date(back: timedelta) -> str:
    """A moment so long ago, as Adobe writes it."""
    return f"{datetime.now(UTC) - back:%m/%d/%Y %I:%M %p} GMT"


def answered(product: str = "Profile", code: str | None = "PRVCY-6000-200", **fields: Any) -> dict[str, Any]:
    status = {"status": "complete", "message": "Success", "responseMsgCode": code} | fields
    return {"product": product, "retryCount": 0, "productStatusResponse": status}


@dataclass
class OddAdobe:
    """Lists by regulation: rows, or a whole answer as bytes. Details and results by job id: an object, or such bytes.
    Whatever is not laid out is not there."""

    url: str = ""
    lists: dict[str, list[Any] | bytes] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    consent: bytes = http(202)
    asked: list[str] = field(default_factory=list)

    def add(self, job_id: str, *, regulation: str = "gdpr", listed: bool = True, **fields: Any) -> None:
        """A finished access job with a good result; `fields` change its row and its detail."""
        day_ago = adobe_date(timedelta(days=1))
        row = {
            "jobId": job_id,
            "userKey": f"key-{job_id}",
            "action": "access",
            "status": "complete",
            "createdDate": adobe_date(timedelta(days=3)),
            "lastModifiedDate": day_ago,
        } | fields
        if listed:
            rows = self.lists.setdefault(regulation, [])
            assert isinstance(rows, list)
            rows.append({name: value for name, value in row.items() if name != "productResponses"})
        self.details[job_id] = {"productResponses": [answered()], "regulation": regulation} | row
        self.contents[job_id] = http(200, GOOD)

    def client(self, **settings: Any) -> PrivacyServiceClient:
        given: dict[str, Any] = {
            "client_id": "an-id",
            "client_secret": "a-secret",
            "org_id": ORG,
            "retry_attempts": 1,
        }
        places = {"base_url": f"{self.url}/p", "token_url": f"{self.url}/token"}
        return PrivacyServiceClient(ClientConfig(**(given | places | settings)))

    async def answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(request.path)
        self.asked.append(f"{request.method} {unquote(address.path)}")
        writer.write(self._answer(address.path, parse_qs(address.query)))

    def _answer(self, path: str, query: dict[str, list[str]]) -> bytes:
        if path == "/token":
            return http(200, TOKEN)
        if path == "/p/consent":
            return self.consent
        nothing = http(404, json.dumps(NO_JOB_DATA).encode())
        if path == "/p/jobs":
            found = self.lists.get(query["regulation"][0], [])
            if isinstance(found, bytes):
                return found
            page = found if query["page"] == ["0"] and "status" not in query else []
            return http(200, json.dumps({"jobDetails": page}).encode()) if page else nothing
        job_id, _, content = unquote(path.removeprefix("/p/jobs/")).partition("/")
        if content:
            return self.contents.get(job_id, nothing)
        found = self.details.get(job_id, nothing)
        return found if isinstance(found, bytes) else http(200, json.dumps(found).encode())


@asynccontextmanager
async def odd_adobe() -> AsyncIterator[OddAdobe]:
    adobe = OddAdobe()
    async with raw_server(adobe.answer) as server:
        adobe.url = server.url
        yield adobe
