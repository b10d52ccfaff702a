"""How long Airflow takes to parse each of our DAG files, beside an empty DAG.

    python benchmarks/parsing.py [--rounds 15]

Prints a Markdown section. As in the dag-processor, each parse is in a fork of a process that has Airflow imported. The
rounds go through the files in turn, so that a busy machine slows all of them down alike.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

EMPTY = """
from airflow.sdk import DAG

with DAG("empty_dag", schedule=None):
    pass
"""
PROMISED = 1.2


def parse(path: str, answers: multiprocessing.Queue[float | str]) -> None:
    from airflow.dag_processing.dagbag import DagBag

    began = time.perf_counter()
    bag = DagBag(path, bundle_path=Path(path).parent)
    seconds = time.perf_counter() - began
    answers.put(seconds if bag.dags and not bag.import_errors else f"{path}: {bag.import_errors}")


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
        # What the dag-processor has imported before it forks.
        import airflow.dag_processing.dagbag
        import airflow.dag_processing.processor
        import airflow.sdk  # noqa: F401

        empty = Path(home) / "empty_dag.py"
        empty.write_text(EMPTY)
        files = {"an empty DAG": empty} | {path.name: path for path in sorted((ROOT / "dags").glob("*.py"))}
        found: dict[str, list[float]] = {name: [] for name in files}
        forks = multiprocessing.get_context("fork")
        for _ in range(rounds):
            for name, path in files.items():
                answers = forks.Queue()
                process = forks.Process(target=parse, args=(str(path), answers))
                process.start()
                answer = answers.get(timeout=120)
                process.join()
                if isinstance(answer, str):
                    raise SystemExit(answer)
                found[name].append(answer)
    medians = {name: statistics.median(times) * 1000 for name, times in found.items()}
    base = medians["an empty DAG"]
    print("## Parsing the DAG files\n")
    print(f"Medians of {rounds} parses.\n")
    print("| file | ms | times an empty DAG |")
    print("| --- | ---: | ---: |")
    for name, milliseconds in medians.items():
        print(f"| {name} | {milliseconds:.1f} | {milliseconds / base:.2f} |")
    keep("parsing", medians, list(medians.items()), title="Milliseconds to parse a DAG file", unit="ms")
    kept = max(medians.values()) <= PROMISED * base
    print(f"\nPromised: at most {PROMISED} times an empty DAG: **{'kept' if kept else 'NOT KEPT'}**.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
