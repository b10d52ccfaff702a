"""How long Airflow takes to parse each of our DAG files, beside an empty DAG.

    python benchmarks/parsing.py [--rounds 15]

Prints a Markdown section. Each parse is what the dag-processor's child does with a file: a fork of a process that has
Airflow imported and its objects frozen imports what it needs for its work, executes the file and serializes the DAGs.
What is compared is the child's CPU time; the rounds go through the files in turn.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import tempfile
from pathlib import Path

import structlog

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

EMPTY = """
from airflow.sdk import DAG

with DAG("empty_dag", schedule=None):
    pass
"""
PROMISED = 1.2


def parse(path: str) -> None:
    """As `_parse_file_entrypoint` of airflow.dag_processing.processor (3.3.2), without its pipe to the manager."""
    from airflow.dag_processing.processor import DagFileParseRequest, _parse_file
    from airflow.sdk.execution_time import comms, task_runner  # noqa: F401

    request = DagFileParseRequest(file=path, bundle_path=Path(path).parent, bundle_name="dags")
    result = _parse_file(request, structlog.get_logger("task"))
    if result is None or not result.serialized_dags or result.import_errors:
        raise RuntimeError(f"{path}: {result and result.import_errors}")


def seconds_of_child(path: str) -> float:
    """CPU time of the whole process, its fork and its end included."""
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)  # where Airflow logs
        status = 1
        try:
            parse(path)
            status = 0
        finally:
            os._exit(status)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{path} could not be parsed")
    return used.ru_utime + used.ru_stime


def main() -> int:
    from benchmarks.figures import keep

    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        sys.dont_write_bytecode, sys.pycache_prefix = False, f"{home}/bytecode"
        # What the dag-processor has imported before it forks.
        import airflow.dag_processing.manager  # noqa: F401

        empty = Path(home) / "empty_dag.py"
        empty.write_text(EMPTY)
        files = {"an empty DAG": empty} | {path.name: path for path in sorted((ROOT / "dags").glob("*.py"))}
        found: dict[str, list[float]] = {name: [] for name in files}
        gc.freeze()
        for turn in range(rounds + 1):
            for name, path in files.items():
                seconds = seconds_of_child(str(path))
                # The first parse compiles: an installed package has its bytecode.
                if turn:
                    found[name].append(seconds)
    medians = {name: statistics.median(times) * 1000 for name, times in found.items()}
    base = medians["an empty DAG"]
    print("## Parsing the DAG files\n")
    print(f"Medians of {rounds} parses, in CPU time.\n")
    print("| file | ms of CPU | times an empty DAG |")
    print("| --- | ---: | ---: |")
    for name, milliseconds in medians.items():
        print(f"| {name} | {milliseconds:.1f} | {milliseconds / base:.2f} |")
    keep(
        "parsing",
        medians,
        list(medians.items()),
        title="Milliseconds of CPU time to parse a DAG file",
        unit="ms",
    )
    kept = max(medians.values()) <= PROMISED * base
    print(
        f"\nPromised: at most {PROMISED} times an empty DAG: **{'kept' if kept else 'NOT KEPT'}**. What is "
        "beyond it is the import of our operators, and, for privacy_requests, of Airflow's task groups and of its "
        "operator that asks a person."
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
