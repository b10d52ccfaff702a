"""Where settings are looked up, and how a look-up is made to fail: a secrets backend, and Airflow's execution API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from airflow.sdk.api.client import Client, ServerResponseError
from airflow.sdk.configuration import clear_secrets_backends_cache
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection, GetVariable
from airflow.sdk.execution_time.request_handlers import handle_get_connection, handle_get_variable
from airflow.secrets import BaseSecretsBackend


class Stored:
    """Connections as JSON and variables as text, by their names; `failing` holds names whose look-up fails."""

    def __init__(self) -> None:
        self.connections: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, str] = {}
        self.failing: set[str] = set()

    @property
    def names(self) -> list[str]:
        return [*self.connections, *self.variables]


STORED = Stored()


class Vault(BaseSecretsBackend):
    """A secrets backend whose server does not answer for some names."""

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        found = STORED.connections.get(self._answered(conn_id))
        return None if found is None else json.dumps(found)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return STORED.variables.get(self._answered(key))

    def get_config(self, key: str) -> str | None:
        return None

    def _answered(self, name: str) -> str:
        if name in STORED.failing:
            raise TimeoutError("vault-canary: no answer")
        return name


class _ExecutionApi(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, name = unquote(self.path).removeprefix("/execution/").split("/", 1)
        if name in STORED.failing:
            self._answer(503, {"detail": "QueuePool limit reached"})
        elif kind == "connections" and name in STORED.connections:
            fields = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))
            self._answer(200, fields | {"conn_id": name} | STORED.connections[name])
        elif kind == "variables" and name in STORED.variables:
            self._answer(200, {"key": name, "value": STORED.variables[name]})
        else:
            self._answer(404, {"detail": {"reason": "not_found"}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class _Client(Client):
    # Airflow's own tests do so: the client's pauses between its tries are left out.
    request: Any = Client.request.__wrapped__


class _Supervisor:
    """What a task's supervisor does with its questions, without the process between them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, msg: Any) -> Any:
        handlers: dict[type, Any] = {GetConnection: handle_get_connection, GetVariable: handle_get_variable}
        handle = handlers.get(type(msg))
        if handle is None:
            return None
        try:
            return handle(self._client, msg)[0]
        except ServerResponseError as error:
            return ErrorResponse(
                error=ErrorType.API_SERVER_ERROR, detail={"status_code": error.response.status_code}
            )

    async def asend(self, msg: Any) -> Any:
        return self.send(msg)


@contextmanager
def looked_up_in_vault(patch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """Airflow is configured with a secrets backend of a user's own."""
    patch.setenv("AIRFLOW__SECRETS__BACKEND", "tests.support.look_ups.Vault")
    clear_secrets_backends_cache()
    yield STORED
    STORED.__init__()  # type: ignore[misc]
    clear_secrets_backends_cache()


@contextmanager
def looked_up_in_the_execution_api(patch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """As in a task's process: Airflow's own backend asks an API server, which is a real one here."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _ExecutionApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = _Client(base_url=f"http://127.0.0.1:{server.server_port}/execution/", token="")
    patch.setattr(task_runner, "SUPERVISOR_COMMS", _Supervisor(client), raising=False)
    clear_secrets_backends_cache()
    yield STORED
    STORED.__init__()  # type: ignore[misc]
    server.shutdown()
    server.server_close()
    clear_secrets_backends_cache()
