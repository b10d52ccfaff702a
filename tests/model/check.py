"""Checks the model in each of its forms and prints what was found: `python -m tests.model.check`."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).parents[2] / "docs" / "model" / "submission.pml"


@dataclass(frozen=True)
class Run:
    """One form of the model. `violated`: an invariant must fail in it. `quick` ones belong to every test run."""

    name: str
    options: tuple[str, ...]
    violated: bool = False
    quick: bool = True


RUNS = (
    Run("two processes die", ("-DCRASHES=2", "-DLOSSES=1", "-DFAILURES=0", "-DHOLDS=0")),
    Run("lists without open jobs", ("-DLOSSES=1", "-DFAILURES=0", "-DLISTS_OPEN_JOBS=false"), quick=False),
    Run("a hold, a failure, an approval", ("-DLOSSES=1",), quick=False),
    Run("two losses", (), quick=False),
    Run(
        "three processes",
        ("-DPROCESSES=3", "-DLOSSES=1", "-DFAILURES=0", "-DHOLDS=0", "-DDELAYS=0"),
        quick=False,
    ),
    # What must be found. The first is the exception that is not promised, the others are faults.
    Run("a process is suspended before its call", ("-DLOSSES=1", "-DSUSPENDED"), violated=True),
    Run("an absence is believed too early", ("-DLOSSES=1", "-DSETTLE_AFTER=3"), violated=True),
    Run(
        "an absence is believed without a witness",
        ("-DLOSSES=1", "-DLISTS_OPEN_JOBS=false", "-DWITNESS=true"),
        violated=True,
    ),
)


@dataclass(frozen=True)
class Result:
    violated: bool
    states: int
    transitions: int
    seconds: float


def check(run: Run, folder: Path) -> Result:
    """Searches every state of one form. Raises CalledProcessError where Spin or the compiler fails."""
    subprocess.run(["spin", "-a", *run.options, str(MODEL)], cwd=folder, check=True, capture_output=True)
    compiled = ["gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"]
    subprocess.run(compiled, cwd=folder, check=True, capture_output=True)
    told = subprocess.run(
        ["./pan", "-m200000"], cwd=folder, check=True, capture_output=True, text=True, timeout=1200
    ).stdout
    if "max search depth too small" in told or "out of memory" in told:
        raise RuntimeError(f"{run.name}: the search ended early")

    def number(pattern: str) -> str:
        found = re.search(pattern, told)
        assert found is not None, told
        return found[1]

    return Result(
        violated=int(number(r"errors: (\d+)")) > 0,
        states=int(number(r"(\d+) states, stored")),
        transitions=int(number(r"(\d+) transitions")),
        seconds=float(number(r"elapsed time ([\d.]+)")),
    )


def main() -> None:
    print(f"{'form':45} {'states':>10} {'transitions':>12} {'s':>6}  found")
    wrong = 0
    for run in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            result = check(run, Path(folder))
        wrong += result.violated is not run.violated
        found = "a violation" if result.violated else "none"
        if result.violated is not run.violated:
            found += ", WRONG"
        print(f"{run.name:45} {result.states:>10,} {result.transitions:>12,} {result.seconds:>6.1f}  {found}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
