"""`make bench`: runs every benchmark and writes what they print to benchmarks/RESULTS.md.

`python benchmarks planning.py page.py` runs these alone: the others keep their sections. What a section said before is
kept in benchmarks/PREVIOUS.md, so that a loss shows. `python benchmarks --weeks` has waiting.py live through its 45
days too, which takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS, PREVIOUS = HERE / "RESULTS.md", HERE / "PREVIOUS.md"
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


def sections_of(text: str) -> dict[str, str]:
    """Each benchmark's section, with the line above it that says when it was measured."""
    found = re.split(r"(?m)^(?=<!-- \w+\.py: )", text)[1:]
    return {re.match(r"<!-- (\w+\.py): ", each)[1]: each.strip() for each in found}  # type: ignore[index]


def written(title: str, sections: dict[str, str]) -> str:
    ordered = [sections[name] for name in BENCHMARKS if name in sections]
    return "\n\n".join([title, *ordered]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("benchmarks", nargs="*", metavar="NAME.py", help="all of them, where none is named")
    parser.add_argument("--weeks", action="store_true")
    options = parser.parse_args()
    unknown = set(options.benchmarks) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    failed = []
    for name in options.benchmarks or BENCHMARKS:
        print(f"Running {name}", flush=True)
        arguments = ["--only", "looks,weeks"] if name == "waiting.py" and options.weeks else []
        done = subprocess.run(
            [sys.executable, str(HERE / name), *arguments], stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout.strip(), flush=True)
        if done.returncode:
            failed.append(f"{name} failed with exit code {done.returncode}")
        if done.stdout.strip():
            keep(name, done.stdout.strip())
    print(*failed, sep="\n", end="\n" * bool(failed), file=sys.stderr)
    return 1 if failed else 0


def keep(name: str, text: str) -> None:
    """The section takes the place of the last one, which goes to PREVIOUS.md."""
    now, load = datetime.now(UTC), os.getloadavg()[0]
    where = f"Python {platform.python_version()}, {machine()}, load {load:.0f} at the end"
    section = f"<!-- {name}: {now:%Y-%m-%d %H:%M} -->\n\n{text}\n\n*{now:%Y-%m-%d}, {where}.*"
    results, previous = (
        sections_of(path.read_text() if path.exists() else "") for path in (RESULTS, PREVIOUS)
    )
    if name in results:
        previous[name] = results[name]
    results[name] = section
    RESULTS.write_text(
        written(
            "# Benchmarks\n\nBy `make bench`. Ratios hold within one section; absolute figures do not travel. What "
            "each section said before is in [PREVIOUS.md](PREVIOUS.md). A whole distributed Airflow, and what became "
            "of it when its parts were killed: [SCALE.md](SCALE.md).",
            results,
        )
    )
    PREVIOUS.write_text(written("# Benchmarks, the run before", previous))


if __name__ == "__main__":
    sys.exit(main())
