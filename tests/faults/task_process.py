"""A task in a process of its own, as Airflow's worker runs it, and the blow that is dealt to it on its way.

The product knows nothing of this: everything is wrapped around it here, in the process that is to be struck.
Processes are forked from a server that has imported Airflow once, which otherwise takes seconds for each.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio._backends._asyncio
import httpcore
import psycopg
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time import supervisor
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import configure_mappers

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.hooks import ledger as ledger_hook
from adobe_privacy.hooks import storage as storage_hook
from adobe_privacy.intake import files
from adobe_privacy.ledger.claims import Claims
from adobe_privacy.ledger.intake import Intake
from adobe_privacy.ledger.intents import Intents
from adobe_privacy.ledger.unit import Topic
from adobe_privacy.operators.privacy_requests import CreatePrivacyJobsOperator, PlanPrivacyRequestsOperator
from adobe_privacy.planning import planning
from adobe_privacy.reporting import run_report
from adobe_privacy.submission import submission
from tests.faults.boundaries import HALF_SENT, Blow, Strike
from tests.support.privacy import context

# The inbox of a trial has just been written.
files.SECOND_LOOK = 0.0

# What a task imports only while it runs, and would import in every process anew.
WARM = (
    anyio._backends._asyncio,
    psycopg,
    supervisor,
    ledger_hook,
    storage_hook,
    planning,
    run_report,
    submission,
)
# Airflow imports all its models with the first mapper that is configured, whosever it is.
configure_mappers()

LEDGER_CALLS: dict[str, type[Topic]] = {
    "receive": Intake,
    "claim_batch": Claims,
    "intend": Intents,
    "record_submitted": Intents,
    "withdraw": Intents,
}
# What a task exits with that Airflow would not try again.
NO_RETRY = 3


@dataclass(frozen=True)
class Patience:
    """The connection's `timeout` and `list_lag`, in seconds, from which all of a submission's times follow."""

    timeout: float = 2.0
    list_lag: float = 0.0


@dataclass(frozen=True)
class Task:
    """One try of one task. `batch_id` is None for the task plan."""

    folder: Path
    run_type: str
    batch_id: str | None
    environment: Mapping[str, str]
    patience: Patience
    strikes: tuple[Strike, ...]
    # The user key whose request is the one to be struck on the wire.
    struck_key: str
    output: Path


def marker(folder: Path, number: int) -> Path:
    """Written when the strike of this number was dealt; holds the pid of the process that it hit."""
    return folder / f"struck-{number}"


def run_task(task: Task) -> None:
    """The body of the process: executes the operator, leaves what it returned at `task.output`."""
    os.environ.update(task.environment)
    log = os.open(task.output.with_suffix(".log"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    _arm(task)
    try:
        if task.batch_id is None:
            returned: Any = PlanPrivacyRequestsOperator(task_id="plan").execute(
                context(run_type=task.run_type)
            )
        else:
            submit = CreatePrivacyJobsOperator(task_id="submit", batch_id=task.batch_id)
            returned = submit.execute(context(run_type=task.run_type))
    except AirflowFailException:
        raise SystemExit(NO_RETRY) from None
    task.output.write_text(json.dumps(returned))


def _arm(task: Task) -> None:
    fate = _Fate(task)
    for name, topic in LEDGER_CALLS.items():
        patch.object(topic, name, fate.around(getattr(topic, name), name)).start()
    patch.object(PrivacyServiceClient, "create_jobs", fate.posting(PrivacyServiceClient.create_jobs)).start()
    patch.object(
        httpcore.AnyIOBackend, "connect_tcp", fate.sending(httpcore.AnyIOBackend.connect_tcp)
    ).start()
    # SQLAlchemy calls this before it commits (ConnectionEvents.commit).
    event.listen(Engine, "commit", fate.committing)


class _Fate:
    """Deals the case's strikes: each once, in their order, to whichever process comes to the place first."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.ledger_call = ""

    def at(self, place: str) -> None:
        for number, strike in enumerate(self.task.strikes):
            if marker(self.task.folder, number).exists():
                continue
            if strike.place == place and self._is_first(number):
                self._deal(strike.blow)
            return

    def due(self, place: str) -> bool:
        dealt = sum(marker(self.task.folder, number).exists() for number in range(len(self.task.strikes)))
        return dealt < len(self.task.strikes) and self.task.strikes[dealt].place == place

    def _is_first(self, number: int) -> bool:
        mine = self.task.folder / f"pid-{os.getpid()}"
        mine.write_text(str(os.getpid()))
        try:
            # A link is made whole or not at all, and only if the name is free.
            os.link(mine, marker(self.task.folder, number))
        except FileExistsError:
            return False
        return True

    @staticmethod
    def _deal(blow: Blow) -> None:
        match blow:
            case Blow.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Blow.FREEZE:
                os.kill(os.getpid(), signal.SIGSTOP)
            case Blow.BREAK:
                raise OperationalError("COMMIT", None, Exception("the connection to the database is lost"))
            case Blow.NOTE:
                pass

    def around(self, call: Any, name: str) -> Any:
        def struck(ledger: Topic, *args: Any, **kwargs: Any) -> Any:
            self.at(f"before {name}")
            self.ledger_call = name
            try:
                result = call(ledger, *args, **kwargs)
            finally:
                self.ledger_call = ""
            self.at(f"after {name}")
            return result

        return struck

    def committing(self, _connection: Any) -> None:
        if self.ledger_call:
            self.at(f"commit of {self.ledger_call}")

    def posting(self, create_jobs: Any) -> Any:
        async def struck(client: PrivacyServiceClient, request: Any) -> Any:
            if any(user.key == self.task.struck_key for user in request.users):
                self.at("before create_jobs")
            return await create_jobs(client, request)

        return struck

    def sending(self, connect_tcp: Any) -> Any:
        async def connect(backend: Any, *args: Any, **kwargs: Any) -> Any:
            stream = await connect_tcp(backend, *args, **kwargs)
            write = stream.write
            head = b""

            async def struck(buffer: bytes, *rest: Any, **more: Any) -> None:
                nonlocal head
                # Head and body are written one after the other.
                if head.startswith(b"POST ") and b"/jobs " in head.splitlines()[0] and self.due(HALF_SENT):
                    await write(buffer[: len(buffer) // 2], *rest, **more)
                    self.at(HALF_SENT)
                head = buffer
                await write(buffer, *rest, **more)

            stream.write = struck
            return stream

        return connect


# -- the parent's side ----------------------------------------------------------------------------------------

_context = multiprocessing.get_context("forkserver")
# multiprocessing's own book-keeping is not made for several threads.
_book_keeping = threading.Lock()


def preload() -> None:
    """Starts the server of the task processes, which has everything imported after a few seconds."""
    root = Path(__file__).resolve().parents[2]
    _context.set_forkserver_preload(["pytest", __name__])
    with patch.dict(os.environ, PYTHONPATH=os.pathsep.join([str(root / "plugins"), str(root)])):
        forkserver.ensure_running()


class TaskProcess:
    """A started task; methods may be called from any thread."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._process = _context.Process(target=run_task, args=(task,))
        with _book_keeping:
            self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def wait(self, seconds: float) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        multiprocessing.connection.wait([self._process.sentinel], seconds)
        with _book_keeping:
            self._process.join(0)
        return self._process.exitcode

    def signal(self, number: int) -> None:
        # Its pid is its own until it has been waited for, which `wait` does.
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def returned(self) -> Any:
        return json.loads(self.task.output.read_text())
