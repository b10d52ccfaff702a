"""What CI runs fails where a part of it fails, and says what was left out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What `.ci/run` calls of the machine, besides the shell's own commands.
OF_THE_MACHINE = ("bash", "dirname", "chmod", "timeout", "cat")


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def run_ci(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`.ci/run` on a machine that has none of the programs which the longer suites need. `make` only tells its target;
    it fails for the target FAILS."""
    (tmp_path / "clone" / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / "clone" / ".ci" / "run")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in OF_THE_MACHINE:
        (programs / name).symlink_to(shutil.which(name) or name)
    script(programs / "id", "echo 1000")
    script(programs / "make", 'echo "made $1"; [ "$1" != "$FAILS" ]')
    return subprocess.run(
        [tmp_path / "clone" / ".ci" / "run"],
        env={"PATH": str(programs), "FAILS": "none", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "target", ["lint", "docs", "test", "test-long", "demo", "test-conformance", "test-everyday"]
)
def test_ci_fails_where_a_suite_fails(target: str, tmp_path: Path) -> None:
    done = run_ci(tmp_path, FAILS=target)
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == f"made {target}"


@pytest.mark.parametrize("long", ["", "1"])
def test_ci_says_at_its_end_what_it_left_out(long: str, tmp_path: Path) -> None:
    done = run_ci(tmp_path, CI_LONG=long)
    assert done.returncode == 0, done.stderr
    made = set(re.findall(r"^made (\S+)$", done.stdout, re.MULTILINE))
    _, _, end = done.stdout.partition("\nAll passed but for this:\n")
    left_out = set(re.findall(r"^LEFT OUT: make (\S+), for ", end, re.MULTILINE))
    assert {"test-ui", "test-scale", "test-chaos", "model"} <= left_out
    assert ({"test-start", "test-faults", "test-weeks"} <= left_out) is not bool(long)
    targets = re.findall(
        r"^(test[a-z-]*|lint|docs|demo|audit|model):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert made | left_out == set(targets)


def test_ci_says_at_its_end_that_a_locked_package_is_vulnerable(tmp_path: Path) -> None:
    done = run_ci(tmp_path, FAILS="audit")
    assert done.returncode == 0, done.stderr
    assert "\nVULNERABLE PACKAGES ARE LOCKED" in done.stdout.partition("\nAll passed but for this:")[2]


def test_a_suite_whose_environment_cannot_be_installed_fails(tmp_path: Path) -> None:
    """Without it, all of its tests are skipped."""
    script(tmp_path / "uv", '[ "$2" != sync ]')
    script(tmp_path / "python", 'echo "$@"')
    installed = tmp_path / "installed"
    installed.touch()
    done = subprocess.run(
        ["make", "test-conformance", f"BIN={tmp_path}", f"INSTALLED={installed}"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "pytest" not in done.stdout


def test_a_test_that_is_skipped_says_why(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import pytest\n\ndef test_it():\n    pytest.skip('no spin')\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "no spin" in done.stdout
