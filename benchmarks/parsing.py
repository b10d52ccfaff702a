"""How long Airflow takes to parse each of our DAG files, beside an empty DAG.

    python benchmarks/parsing.py [--rounds 100]

Prints a Markdown section. Each parse is the dag-processor's own: a `DagFileProcessorManager`, made as by
`airflow dag-processor`, starts its process for a file, and reads from it until the DAGs are there. The time is that
from the manager's call until the result; the CPU time is that of the whole process, its fork and its end included. The
rounds go through the files in turn, the empty DAG among them, and the first round is left out.

The empty DAG has one `EmptyOperator`, as the smallest DAG that does anything. "No task" has none, "six tasks" six.

All of it is done twice, each time in a process of its own: with `adobe_privacy.preloading`, as it is, and without. What
that listener costs is what the dag-processor with it needs more, in time until its manager is made and in memory:
medians of several starts, with and without in turn.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

HEAD = "from airflow.providers.standard.operators.empty import EmptyOperator\nfrom airflow.sdk import DAG\n\n"
EMPTY, NO_TASK, SIX = "an empty DAG", "no task", "six tasks"
BESIDE = {
    EMPTY: f'{HEAD}with DAG("empty_dag", schedule=None):\n    EmptyOperator(task_id="empty")\n',
    NO_TASK: 'from airflow.sdk import DAG\n\nwith DAG("no_task", schedule=None):\n    pass\n',
    SIX: f'{HEAD}with DAG("six", schedule=None):\n    for n in range(6):\n        EmptyOperator(task_id=f"n{{n}}")\n',
}
PROMISED = 1.2
STARTS = 5


def measure(dags: Path, rounds: int, preloaded: bool) -> dict[str, Any]:
    """In this process, which becomes a dag-processor: for each file its times in ms, and what the start has cost. No
    file is parsed where there are no rounds."""
    from airflow.cli.commands import dag_processor_command
    from airflow.dag_processing.manager import DagFileInfo
    from airflow.listeners.listener import get_listener_manager

    from adobe_privacy import preloading

    if not preloaded:
        get_listener_manager().pm.unregister(preloading)
    started = time.perf_counter()
    arguments = argparse.Namespace(bundle_name=None, num_runs=-1)
    manager = dag_processor_command._create_dag_processor_job_runner(arguments).processor
    cost = {"seconds": time.perf_counter() - started}
    # As `before_run`, without its database and its signals.
    manager.prepare_server_process_context()
    manager.prepare_process_context()
    manager.load_dag_bundles()
    (bundle,) = manager._dag_bundles
    gc.freeze()
    cost["MiB"] = psutil.Process().memory_full_info().uss / 2**20
    found: dict[str, list[tuple[float, float]]] = {path.name: [] for path in sorted(dags.glob("*.py"))}
    for turn in range(rounds + 1 if rounds else 0):
        for name, times in found.items():
            file = DagFileInfo(rel_path=Path(name), bundle_name=bundle.name, bundle_path=dags)
            used, started = _cpu_of_children(), time.perf_counter()
            process = manager._create_process(file)
            while process.parsing_result is None:
                manager._service_processor_sockets(timeout=60)
            seconds = time.perf_counter() - started
            while not process.is_ready:
                manager._service_processor_sockets(timeout=0.001)
            process.close()  # type: ignore[no-untyped-call]
            if process.parsing_result.import_errors or not process.parsing_result.serialized_dags:
                raise SystemExit(f"{name} could not be parsed: {process.parsing_result.import_errors}")
            if turn:
                times.append((seconds * 1000, (_cpu_of_children() - used) * 1000))
    medians = {
        name: [statistics.median(each) for each in zip(*times, strict=True)] for name, times in found.items()
    }
    return {"times": medians, "cost": cost}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(home: Path, rounds: int, preloaded: bool) -> dict[str, Any]:
    """The same in a process of its own."""
    dags = home / "dags"
    answer = home / "answer.json"
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        # An installed package has its bytecode.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(home / "bytecode"),
    }
    options = ["--rounds", str(rounds), "--answer", str(answer), *(["--without"] if not preloaded else [])]
    subprocess.run(
        [sys.executable, __file__, *options],
        env=environment,
        stdout=sys.stderr,
        check=True,
    )
    result: dict[str, Any] = json.loads(answer.read_text())
    return result


def rows(figures: Mapping[str, Any]) -> dict[str, tuple[float, float, float, float]]:
    """For each file: ms, times the empty DAG, ms of CPU, times the empty DAG."""
    names = {f"{name.replace(' ', '_')}.py": name for name in BESIDE}
    times = {names.get(name, name): pair for name, pair in figures["times"].items()}
    wall, cpu = times[EMPTY]
    ordered = [*BESIDE, *(name for name in times if name not in BESIDE)]
    return {
        name: (times[name][0], times[name][0] / wall, times[name][1], times[name][1] / cpu)
        for name in ordered
    }


def median_start(costs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: statistics.median(cost[key] for cost in costs) for key in ("seconds", "MiB")}


def table(found: Mapping[str, tuple[float, float, float, float]]) -> str:
    lines = [
        "| file | ms | times an empty DAG | ms of CPU | times an empty DAG |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(f"| {name} | {a:.1f} | {b:.2f} | {c:.1f} | {d:.2f} |" for name, (a, b, c, d) in found.items()),
    ]
    return "\n".join(lines)


def main() -> int:
    from benchmarks.figures import keep

    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--without", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        dags = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
        options.answer.write_text(json.dumps(measure(dags, options.rounds, not options.without)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(ROOT / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        for name, text in BESIDE.items():
            (home / "dags" / f"{name.replace(' ', '_')}.py").write_text(text)
        # What is measured is not the compiler.
        measured(home, 1, preloaded=True)
        without, preloaded = (measured(home, options.rounds, each) for each in (False, True))
        starts = [{each: measured(home, 0, each)["cost"] for each in (False, True)} for _ in range(STARTS)]
    found = rows(preloaded)
    print("## Parsing the DAG files\n")
    print(
        f"Medians of {options.rounds} parses by Airflow's dag-processor, from the start of its process to the result.\n"
    )
    print(table(found))
    print("\nWithout preloading:\n")
    print(table(rows(without)))
    own = max(row[0] for name, row in found.items() if name not in BESIDE) / rows(without)[EMPTY][0]
    print(
        "\nPreloading makes the parse of the empty DAG faster too: ours take at most "
        f"{own:.2f} times what an empty DAG takes without it."
    )
    cost, bare = (median_start([start[each] for start in starts]) for each in (True, False))
    print(
        f"\nThe dag-processor itself: {cost['seconds']:.1f} s until its manager is made, {bare['seconds']:.1f} s "
        f"without preloading; {cost['MiB']:.0f} MiB, {bare['MiB']:.0f} MiB without. Its processes share this memory."
    )
    keep(
        "parsing",
        {
            "preloaded": {name: row[0] for name, row in found.items()},
            "without": without,
            "cost": {"with": cost, "without": bare},
        },
        [(name, row[0]) for name, row in found.items()],
        title="Milliseconds to parse a DAG file",
        unit="ms",
    )
    beyond = [f"{name} {row[1]:.2f}" for name, row in found.items() if row[1] > PROMISED]
    print(
        f"\nPromised: at most {PROMISED} times an empty DAG: "
        f"**{'NOT KEPT by ' + ', '.join(beyond) if beyond else 'kept'}**."
    )
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
