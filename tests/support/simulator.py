"""Starts the Privacy Service simulator for a test, as a process of its own, and steers it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from adobe_privacy.api.config import ClientConfig

SIMULATOR = Path(__file__).resolve().parents[2] / "include" / "simulator"
_URL_LINE = "Privacy Service simulator on "


class Simulator:
    """A running simulator. Its methods raise httpx.HTTPStatusError where it refuses what a test asks for."""

    def __init__(self, url: str, pid: int | None = None) -> None:
        self.url = url
        # Of the simulator's process, where this one started it.
        self.pid = pid
        # The simulator may close a kept connection at the moment of the next call.
        self._control = httpx.Client(
            base_url=f"{url}/_simulator",
            timeout=60,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def __enter__(self) -> Simulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()

    # What a client needs

    @property
    def api_url(self) -> str:
        return f"{self.url}/data/core/privacy"

    @property
    def token_url(self) -> str:
        return f"{self.url}/ims/token/v3"

    @property
    def client_id(self) -> str:
        return str(self.switches()["client_id"])

    @property
    def client_secret(self) -> str:
        return str(self.switches()["client_secret"])

    @property
    def org_id(self) -> str:
        return str(self.switches()["org_id"])

    def client_config(self, **settings: Any) -> ClientConfig:
        """What a client of this simulator needs; `settings` adds to it or overrides it."""
        return ClientConfig(
            **{
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "org_id": self.org_id,
                "base_url": self.api_url,
                "token_url": self.token_url,
            }
            | settings
        )

    def connection_json(self, **extra: Any) -> str:
        """An `adobe_privacy` Airflow connection as JSON; `extra` adds to or overrides its extra."""
        return json.dumps(
            {
                "conn_type": "adobe_privacy",
                "host": self.api_url,
                "login": self.client_id,
                "password": self.client_secret,
                "extra": {"org_id": self.org_id, "token_url": self.token_url} | extra,
            }
        )

    # What happened

    def counters(self) -> dict[str, Any]:
        """`calls` by operation, `jobs_created` and the rest: see the simulator's README."""
        return dict(self._get("counters"))

    def calls(self) -> dict[str, int]:
        return dict(self.counters()["calls"])

    def reset_counters(self) -> None:
        self._post("counters/reset")

    def jobs(self) -> list[dict[str, Any]]:
        """The truth about every job, whatever lists and details show."""
        return list(self._get("jobs"))

    def consents(self) -> dict[str, Any]:
        return dict(self._get("consents"))

    # What is to happen

    def switches(self) -> dict[str, Any]:
        return dict(self._get("switches"))

    def switch(self, **switches: Any) -> None:
        self._post("switches", switches)

    def scenario(self, scenario: Mapping[str, Any]) -> None:
        """Rules for the jobs created from now on."""
        self._post("scenario", scenario)

    def fault(self, on: str, kind: str, **options: Any) -> None:
        """`options`: times, after, key, seconds, status, body, retry_after, amount."""
        self._post("faults", {"on": on, "kind": kind} | options)

    def faults(self) -> list[dict[str, Any]]:
        """Those that have not yet been played to their end."""
        return list(self._get("faults"))

    def clear_faults(self) -> None:
        self._control.delete("faults").raise_for_status()

    def now(self) -> str:
        """The simulated time, ISO 8601 in UTC."""
        return str(self._get("clock")["now"])

    def advance(self, seconds: float) -> None:
        """Move the simulated clock on."""
        self._post("clock", {"advance_seconds": seconds})

    def set_clock(self, *, now: str | None = None, rate: float | None = None) -> None:
        self._post("clock", {"now": now, "rate": rate})

    def create_jobs(self, **jobs: Any) -> list[str]:
        """Job ids of jobs made as if in Adobe's UI: count, regulation, action, products, key, created_at,
        completed_at, spread_seconds, code."""
        return list(self._post("jobs", jobs)["jobIds"])

    def revoke_tokens(self) -> None:
        self._post("tokens/revoke")

    def reset(self) -> None:
        """As just started: no jobs, tokens, faults or counts; first switches and clock."""
        self._post("reset")

    def _get(self, path: str) -> Any:
        return self._control.get(path).raise_for_status().json()

    def _post(self, path: str, content: Mapping[str, Any] | None = None) -> Any:
        return self._control.post(path, json=content).raise_for_status().json()


@contextmanager
def running_simulator(
    *,
    clock_rate: float = 1,
    scenario: Mapping[str, Any] | Path | None = None,
    switches: Mapping[str, Any] | None = None,
    start_time: str | None = None,
) -> Iterator[Simulator]:
    """A simulator on a free port, ended with the block, or with this process should that be killed.

    `scenario` is a file or its content. A reset brings back what is given here.
    Raises RuntimeError if it does not start.
    """
    command = [
        sys.executable,
        str(SIMULATOR),
        "--port",
        "0",
        "--clock-rate",
        str(clock_rate),
        "--until-stdin-closes",
    ]
    command += [] if start_time is None else ["--start-time", start_time]
    command += [f"--switch={name}={_switch_text(value)}" for name, value in (switches or {}).items()]
    if isinstance(scenario, Path):
        command += ["--scenario", str(scenario)]
    elif scenario is not None:
        command += ["--scenario-json", json.dumps(scenario)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith(_URL_LINE):
            raise RuntimeError(
                f"the simulator did not start (exit code {process.wait(timeout=10)}), see its stderr"
            )
        with Simulator(line.removeprefix(_URL_LINE), process.pid) as simulator:
            yield simulator
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _switch_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ("," if value and isinstance(value[0], str) else "..").join(str(part) for part in value)
    return str(value)
