"""Processes that are to be killed: forked from one that has imported everything, which otherwise takes seconds.

Run as a program it reads a pickled call per line, carries it out in a child, and answers with how that ended.
"""

from __future__ import annotations

import base64
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Nursery:
    """Runs calls one after the other, each in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, function: Callable[..., None], *arguments: Any) -> int:
        """The exit code; negative where a signal ended it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(pickle.dumps((function, arguments))) + b"\n")
        self._process.stdin.flush()
        return os.waitstatus_to_exitcode(int(self._process.stdout.readline()))


@contextmanager
def nursery() -> Iterator[Nursery]:
    """One that has imported tests.archive.fault_trial."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.archive.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield Nursery(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def main() -> None:
    import tests.archive.fault_trial  # noqa: F401

    answers = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            try:
                function, arguments = pickle.loads(base64.b64decode(line))
                function(*arguments)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        os.write(answers, b"%d\n" % status)


if __name__ == "__main__":
    main()
