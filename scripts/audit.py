"""Looks the locked packages up in a database of known vulnerabilities (OSV), by pip-audit.

Where the database cannot be reached within seconds, the check is left out, and that is said: exit code 0. Exit code 1
where a package has a known vulnerability.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("requirements.lock", "requirements.txt", "scripts/uv.txt")
# Seconds. A network that swallows packets must not hold anybody up.
REACHED_WITHIN = 15
WHOLE = 600
PROBE = """
import urllib.request
body = b'{"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "26.0"}'
urllib.request.urlopen(urllib.request.Request("https://api.osv.dev/v1/query", body), timeout=10).read(1)
"""


def reachable() -> bool:
    """Whether the database answers. Asked in a process of its own: looking up a name has no time limit."""
    try:
        asked = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=REACHED_WITHIN)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def main() -> int:
    if not reachable():
        print(
            "LEFT OUT: the check for known vulnerabilities, for its database cannot be reached. NOTHING WAS CHECKED."
        )
        return 0
    program = str(Path(sys.executable).with_name("pip-audit"))
    options = ["--vulnerability-service", "osv", "--disable-pip", "--require-hashes", "--timeout", "10"]
    files = [part for name in FILES for part in ("--requirement", str(ROOT / name))]
    try:
        return subprocess.run(
            [program, *options, "--progress-spinner", "off", *files], cwd=ROOT, timeout=WHOLE
        ).returncode
    except subprocess.TimeoutExpired:
        print("LEFT OUT: the check for known vulnerabilities took too long. IT IS NOT COMPLETE.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
