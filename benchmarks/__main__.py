"""`make bench`: runs every benchmark and writes what they print to benchmarks/RESULTS.md.

`python benchmarks --weeks` has waiting.py live through its 45 days too, which takes a quarter of an hour.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Each prints a Markdown section: what was measured, beside what it is compared with, in the same run.
BENCHMARKS = (
    "archive.py",
    "libraries.py",
    "retention.py",
    "planning.py",
    "page.py",
    "waiting.py",
    "waiting_connections.py",
    "parsing.py",
    "runs.py",
    "patterns.py",
)


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    cpuinfo = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), {memory:.0f} GiB"


def main() -> int:
    sections = [
        "# Benchmarks",
        "",
        f"`make bench`, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {machine()}. "
        "Ratios hold within this run; absolute figures do not travel. A whole distributed Airflow, and what "
        "became of it when its parts were killed: [SCALE.md](SCALE.md).",
        "",
    ]
    failed = False
    for name in BENCHMARKS:
        arguments = ["--only", "looks,weeks"] if name == "waiting.py" and "--weeks" in sys.argv else []
        print(f"Running {name}", flush=True)
        done = subprocess.run(
            [sys.executable, str(HERE / name), *arguments], stdout=subprocess.PIPE, text=True, check=False
        )
        failed = failed or done.returncode != 0
        text = (
            done.stdout.strip()
            if done.returncode == 0
            else f"`{name}` failed with exit code {done.returncode}."
        )
        print(text, flush=True)
        sections += [text, ""]
    (HERE / "RESULTS.md").write_text("\n".join(sections))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
