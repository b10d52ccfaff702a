"""A Privacy Service that knows Adobe's OpenAPI file and nothing else; not the simulator, and nothing of its.

Every answer is checked against `openapi.yaml` before it leaves, every body before it is taken. A job is complete when
it is looked at for the second time.
"""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import yaml

OPENAPI = Path(__file__).parent / "openapi.yaml"
BASE = "/data/core/privacy"
DISPLAY_NAMES = {"profileService": "Profile", "analytics": "Analytics", "audienceManager": "AudienceManager"}


class OpenApi:
    def __init__(self) -> None:
        self.document = yaml.safe_load(OPENAPI.read_text())

    def check(self, value: Any, schema: str) -> None:
        """Raises jsonschema.ValidationError."""
        whole = {"$ref": f"#/components/schemas/{schema}", "components": self.document["components"]}
        jsonschema.Draft7Validator(whole).validate(value)


class Service:
    def __init__(self) -> None:
        self.api = OpenApi()
        self.url = ""
        self.jobs: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.consents: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def token(self) -> Any:
        return 200, {"access_token": "token", "token_type": "bearer", "expires_in": 86399}

    def create(self, body: Any) -> Any:
        self.api.check(body, "NewJobs")
        now = _date()
        request_id = f"{int(time.time() * 1000)}1234RX-567"
        created = []
        for user in body["users"]:
            for action in user["action"]:
                job_id = str(uuid.uuid4())
                self.jobs[job_id] = {
                    "row": {
                        "jobId": job_id,
                        "requestId": request_id,
                        "userKey": user["key"],
                        "action": action,
                        "submittedBy": "0@techacct.example.com",
                        "createdDate": now,
                        "lastModifiedDate": now,
                    },
                    "userIds": user["userIDs"],
                    "include": body["include"],
                    "regulation": body["regulation"],
                    "looks": 0,
                }
                user_of_job = {"key": user["key"], "action": [action], "userIDs": user["userIDs"]}
                created.append({"jobId": job_id, "customer": {"user": user_of_job}})
        answer = {"requestId": request_id, "totalRecords": len(created), "jobs": created[::-1]}
        return 202, self._checked(answer, "Created")

    def list(self, query: dict[str, str]) -> Any:
        page, size = int(query.get("page", "1")), int(query.get("size", "25"))
        if page < 1 or not 1 <= size <= 100:
            detail = "Page size exceeded,Maximum page size supported is 100" if page >= 1 else "page"
            return 400, {"errors": {"errorCode": 400, "title": "Invalid Request", "detail": detail}}
        found = [
            job["row"] | {"status": self._status(job)}
            for job in self.jobs.values()
            if job["regulation"] == query["regulation"] and query.get("status") in (None, self._status(job))
        ]
        for job in self.jobs.values():
            job["looks"] += 1
        rows = found[(page - 1) * size : page * size]
        return 200, self._checked({"totalRecords": len(rows), "jobDetails": rows}, "JobList")

    def detail(self, job_id: str) -> Any:
        job = self.jobs.get(job_id)
        if job is None:
            return 404, {"errors": {"errorCode": 404, "detail": "Not able to find job data."}}
        job["looks"] += 1
        status = self._status(job)
        outcome = {"status": status}
        if status == "complete":
            outcome |= {
                "message": "Success",
                "responseMsgCode": "PRVCY-6000-200",
                "responseMsgDetail": "Finished successfully.",
            }
        answer = job["row"] | {
            "status": status,
            "userIds": job["userIds"],
            "regulation": job["regulation"],
            "productResponses": [
                {
                    "product": DISPLAY_NAMES.get(product, product),
                    "retryCount": 0,
                    "processedDate": job["row"]["lastModifiedDate"],
                    "productStatusResponse": outcome,
                }
                for product in job["include"]
            ],
        }
        if status == "complete" and job["row"]["action"] == "access":
            answer["downloadUrl"] = f"{self.url}{BASE}/jobs/{job_id}/content"
        return 200, self._checked(answer, "Job")

    def consent(self, body: Any) -> Any:
        self.api.check(body, "Consent")
        self.consents.append(body)
        return 202, None

    def content(self, job_id: str) -> bytes:
        folder = io.BytesIO()
        with zipfile.ZipFile(folder, "w", zipfile.ZIP_DEFLATED) as archive:
            for product in self.jobs[job_id]["include"]:
                archive.writestr(f"{product}/data.json", json.dumps({"jobId": job_id}))
        return folder.getvalue()

    def _status(self, job: dict[str, Any]) -> str:
        return "complete" if job["looks"] >= 2 else "processing"

    def _checked(self, answer: Any, schema: str) -> Any:
        self.api.check(answer, schema)
        return answer


def _date() -> str:
    return datetime.now(UTC).strftime("%m/%d/%Y %I:%M %p GMT")


@contextmanager
def running(service: Service) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix(BASE).rstrip("/")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            with service.lock:
                service.calls.append(f"{self.command} {parts.path}")
                try:
                    status, answer = self._answer(path, query, body)
                except jsonschema.ValidationError as error:
                    # Said without the value: it is a person's.
                    place = "/".join(str(part) for part in error.absolute_path)
                    status, answer = (
                        400,
                        {"errors": {"errorCode": 400, "detail": f"{place}: {error.validator}"}},
                    )
            data = (
                answer
                if isinstance(answer, bytes)
                else b""
                if answer is None
                else json.dumps(answer).encode()
            )
            self.send_response(status)
            self.send_header(
                "Content-Type", "application/zip" if isinstance(answer, bytes) else "application/json"
            )
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self, path: str, query: dict[str, str], body: bytes) -> Any:
            if path.startswith("/ims/token"):
                return service.token()
            for header in ("Authorization", "x-api-key", "x-gw-ims-org-id"):
                if not self.headers.get(header):
                    return 403, {"error_code": "403010", "message": "Oauth token is missing."}
            job_id, _, rest = path.removeprefix("/jobs/").partition("/")
            match (self.command, path, rest):
                case ("GET", "/jobs", _):
                    return service.list(query)
                case ("POST", "/jobs", _):
                    return service.create(json.loads(body))
                case ("POST", "/consent", _):
                    return service.consent(json.loads(body))
                case ("GET", _, "content"):
                    return 200, service.content(job_id)
                case ("GET", _, ""):
                    return service.detail(job_id)
            return 404, {"errors": {"errorCode": 404, "detail": "no such route"}}

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
