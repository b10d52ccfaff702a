"""A client of answers that a test lays out, and a clock that only moves when the client sleeps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from adobe_privacy.api.client import ClientConfig, PrivacyServiceClient

ORG = "ABCDEF0123456789ABCDEF01@AdobeOrg"
NO_JOB_DATA = {
    "errors": {
        "errorType": "uri=/data/core/privacy/jobs",
        "errorCode": 404,
        "title": "Resource not found",
        "detail": "Not able to find job data.",
    },
    "totalRecords": 0,
}


def config(**settings: Any) -> ClientConfig:
    return ClientConfig(
        **{
            "client_id": "an-id",
            "client_secret": "a-secret",
            "org_id": ORG,
            "base_url": "https://api.example.com/p",
        }
        | {"token_url": "https://ims.example.com/ims/token/v3"}
        | settings
    )


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.time += timedelta(seconds=seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content


def unread(answer: httpx.Response) -> httpx.Response:
    """The same answer with its body still to come, as over a network."""
    return httpx.Response(answer.status_code, headers=answer.headers, stream=_Body(answer.content))


class FakeService:
    """Gives each API call the next of `answers` (the last one for ever); an exception as an answer is raised."""

    def __init__(
        self, answers: Iterable[httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]]
    ):
        self.answers = list(answers)
        self.calls: list[httpx.Request] = []
        self.tokens = 0
        self.token_answers: list[httpx.Response | Exception] = []
        self.clock = Clock()

    def client(self, **settings: Any) -> PrivacyServiceClient:
        return PrivacyServiceClient(
            config(**settings),
            transport=httpx.MockTransport(lambda request: unread(self._handle(request))),
            sleep=self.clock.sleep,
            now=self.clock.now,
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "ims.example.com":
            self.tokens += 1
            if self.token_answers:
                token_answer = self.token_answers.pop(0)
                if isinstance(token_answer, Exception):
                    raise token_answer
                return token_answer
            return httpx.Response(200, json={"access_token": f"token-{self.tokens}", "expires_in": 86399})
        self.calls.append(request)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)


def job_row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "jobId": f"job-{number}",
        "userKey": f"DSR-{number}",
        "action": "access",
        "status": "processing",
    } | fields


def page(rows: list[dict[str, Any]], **fields: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps({"jobDetails": rows, "totalRecords": len(rows)} | fields))
