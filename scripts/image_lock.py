"""Makes requirements.txt, which an image on the Astro runtime installs: what Airflow does not bring, with hashes.

Called by `make lock`; the versions are those of requirements.lock.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
HEAD = """\
# What an image on the Astro runtime installs: all that Airflow itself does not bring. Made by `make lock`.
"""
# The project is installed without a build environment of its own.
BUILD = "hatchling\neditables\n"


def closure(*inputs: str, without: tuple[str, ...] = (), extras: tuple[str, ...] = ()) -> str:
    """All that these need, in the lock's versions, with hashes."""
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--universal"]
    command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--generate-hashes"]
    command += ["--constraint", str(LOCK)]
    command += [part for name in without for part in ("--no-emit-package", name)]
    command += [part for extra in extras for part in ("--extra", extra)]
    return subprocess.run([*command, *inputs], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        airflow, build = Path(folder, "airflow.in"), Path(folder, "build.in")
        airflow.write_text("apache-airflow\n")
        build.write_text(BUILD)
        brought = tuple(re.findall(r"^([a-z0-9-]+)==", closure(str(airflow)), re.MULTILINE))
        own = closure("pyproject.toml", str(build), without=brought, extras=("s3", "postgres"))
    packages = re.sub(
        r"\n?^# The following packages were excluded.*\Z", "", own, flags=re.MULTILINE | re.DOTALL
    )
    (ROOT / "requirements.txt").write_text(HEAD + packages.rstrip("\n") + "\n")


if __name__ == "__main__":
    main()
