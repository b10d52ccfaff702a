"""Looks up connections and variables, and tells what is absent from what could not be looked up.

Airflow's own look-up answers "not found" for both (3.3.2): it goes on after a secrets backend that fails, to one that
may hold an older value. Here each backend is asked in Airflow's order, and the first that fails ends the look-up.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Literal, NoReturn

from airflow.sdk import Connection
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection, GetVariable
from airflow.sdk.execution_time.secrets.execution_api import ExecutionAPISecretsBackend
from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
from airflow.sdk.log import mask_secret
from asgiref.sync import sync_to_async

from adobe_privacy._compat import amask_secret
from adobe_privacy.settings import LookUpFailed, SettingsError

Kind = Literal["connection", "variable"]
# What the API server answers where it knows that there is none.
ABSENT = ("CONNECTION_NOT_FOUND", "VARIABLE_NOT_FOUND")


class _ApiError(Exception):
    """The API server's error, without what it says about it."""


def look_up_connection(conn_id: str) -> Connection | None:
    """None where no backend has it. Raises LookUpFailed where one does not answer."""
    connection = _look_up("connection", conn_id)
    for secret in _secrets(connection):
        mask_secret(secret)
    return connection  # type: ignore[no-any-return]


def look_up_variable(name: str) -> str | None:
    """A variable's text; None where no backend has it. Raises LookUpFailed where one does not answer."""
    value = _look_up("variable", name)
    if value is None:
        return None
    mask_secret(value, name)
    return str(value)


async def alook_up_connection(conn_id: str) -> Connection | None:
    """What `look_up_connection` does, without blocking a trigger's event loop."""
    for backend in ensure_secrets_backend_loaded():
        try:
            connection = await _aconnection(backend, conn_id)
        except NotImplementedError:
            continue
        except Exception as error:
            _fail("connection", conn_id, backend, error)
        if connection:
            for secret in _secrets(connection):
                await amask_secret(secret)
            return connection  # type: ignore[no-any-return]
    return None


def _look_up(kind: Kind, name: str) -> Any:
    for backend in ensure_secrets_backend_loaded():
        try:
            found = _ask(backend, kind, name)
        except NotImplementedError:
            # It holds variables only, or connections only.
            continue
        except Exception as error:
            _fail(kind, name, backend, error)
        if found is not None:
            return found
    return None


def _ask(backend: Any, kind: Kind, name: str) -> Any:
    if isinstance(backend, ExecutionAPISecretsBackend):
        return _read(task_runner.SUPERVISOR_COMMS.send(_question(kind, name)))
    return backend.get_connection(conn_id=name) if kind == "connection" else backend.get_variable(key=name)


async def _aconnection(backend: Any, conn_id: str) -> Any:
    if isinstance(backend, ExecutionAPISecretsBackend):
        comms, question = task_runner.SUPERVISOR_COMMS, _question("connection", conn_id)
        if not hasattr(comms, "asend"):
            # `airflow dags test` runs a trigger within the task.
            return _read(await asyncio.to_thread(comms.send, question))
        return _read(await comms.asend(question))
    ask = getattr(backend, "aget_connection", None) or sync_to_async(backend.get_connection)
    answer = ask(conn_id=conn_id)
    return await answer if inspect.isawaitable(answer) else answer


def _question(kind: Kind, name: str) -> Any:
    return GetConnection(conn_id=name) if kind == "connection" else GetVariable(key=name)


def _read(answer: Any) -> Any:
    """The API server's answer, which Airflow's own backend takes for "not found" whatever the error."""
    if isinstance(answer, ErrorResponse):
        if answer.error.value in ABSENT:
            return None
        status = (answer.detail or {}).get("status_code")
        raise _ApiError(f"{answer.error.value} {status or ''}".strip())
    if hasattr(answer, "conn_id"):
        return Connection(**answer.model_dump(exclude={"type"}, by_alias=True))
    return answer.value


def _secrets(connection: Any) -> list[str]:
    return [secret for secret in (connection.password, connection.extra) if secret] if connection else []


def _fail(kind: Kind, name: str, backend: Any, error: Exception) -> NoReturn:
    # The error's own text is the backend's, and may hold more than belongs into a log.
    what = "connection" if kind == "connection" else "the Airflow variable"
    reason = str(error) if isinstance(error, _ApiError) else type(error).__name__
    if type(backend).__name__ == "EnvironmentVariablesBackend":
        # It always answers: what it holds cannot be read, and to try again would not help.
        prefix = "AIRFLOW_CONN_" if kind == "connection" else "AIRFLOW_VAR_"
        raise SettingsError(
            f"{what} {name} cannot be read: the environment variable {prefix}{name.upper()} holds no {kind} as JSON "
            f"or a URL ({reason}). Correct it"
        ) from None
    raise LookUpFailed(
        f"{what} {name} could not be looked up: "
        f"{type(backend).__name__} failed ({reason}). Nothing was done; it is tried again"
    ) from None
