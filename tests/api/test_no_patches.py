"""The client changes nothing in the libraries that it shares with whatever else runs in the process."""

from __future__ import annotations

import subprocess
import sys

WATCH = """
import httpcore, httpx

def attributes():
    classes = [each for module in (httpcore, httpx) for each in vars(module).values() if isinstance(each, type)]
    return {(each, name): value for each in classes for name, value in vars(each).items()}

before = attributes()
import adobe_privacy.api.client
after = attributes()
changed = [f"{each.__name__}.{name}" for each, name in before if after.get((each, name)) is not before[each, name]]
print(changed)
"""


def test_no_class_of_the_http_libraries_is_patched() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCH],
        env={"PYTHONPATH": ":".join(sys.path), "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
