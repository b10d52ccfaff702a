"""How many requests an object store is sent by retention on an archive of a million results, of which 100 are due.

    python benchmarks/retention.py [--results 1000000]

Prints a Markdown section; exits 1 where a promise does not hold. The archive lies in memory; listings are counted by
the thousand objects, as stores send them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

MOST_REQUESTS = 2000
DUE = 100
NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
RETENTION_DAYS = 365
A_DAY = timedelta(days=1)


def fill(backend: Any, results: int) -> None:
    """Half of it erased years ago, of which the manifests stay; 100 due today; the rest within its retention."""
    import obstore

    from tests.archive.jobs import empty_manifest

    def put(number: int, day: datetime, manifest: bytes, *, result: bool) -> None:
        folder = f"jobs/gdpr/{day:%Y/%m/%d}/job-{number}"
        obstore.put(backend, f"{folder}/manifest.json", manifest)
        if result:
            obstore.put(backend, f"{folder}/a.zip", b"")

    erased, young = results // 2, results - results // 2 - DUE
    for number in range(erased):
        put(number, NOW - A_DAY * (RETENTION_DAYS + 2 + number % 1000), b"{}", result=False)
    for number in range(erased, erased + young):
        put(number, NOW - A_DAY * (number % (RETENTION_DAYS - 1)), b"{}", result=True)
    day = NOW - A_DAY * (RETENTION_DAYS + 1)
    for number in range(results - DUE, results):
        put(number, day, empty_manifest(f"job-{number}", day).to_json(), result=True)


def counting(counts: Counter[str]) -> None:
    """Counts what the library would send."""
    import obstore

    def count(name: str, kind: str) -> None:
        real = getattr(obstore, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            counts[kind] += 1
            return real(*args, **kwargs)

        setattr(obstore, name, call)

    for name, kind in {"get": "read", "head": "read", "put": "write", "delete": "delete"}.items():
        count(name, kind)
    count("list_with_delimiter", "list")
    real_list = obstore.list

    def listed(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for batch in real_list(*args, **kwargs | {"chunk_size": 1000}):
            counts["list"] += 1
            yield batch

    obstore.list = listed  # type: ignore[assignment]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=int, default=1_000_000)
    options = parser.parse_args()
    from obstore.store import MemoryStore

    from adobe_privacy.archive import clean_up, erase_expired
    from adobe_privacy.storage import Store, parse_location
    from tests.archive.erasing import Erasing

    backend = MemoryStore()
    fill(backend, options.results)
    store = Store(parse_location("s3://bucket/archive"), backend)
    rows, asked = [], {}
    counts: Counter[str] = Counter()
    counting(counts)
    for name in ("erase", "clean_up"):
        counts.clear()
        started = time.monotonic()
        if name == "erase":
            found = list(
                erase_expired(store, {"gdpr": RETENTION_DAYS}, erasures=Erasing(), clock=lambda: NOW)
            )
            assert sum(action.action == "erased" for action in found) == DUE, Counter(a.action for a in found)
        else:
            clean = clean_up(
                store,
                older_than=A_DAY,
                on_hold=lambda *_: False,
                is_archived=lambda *_: False,
                clock=lambda: NOW,
            )
            assert [action for action in clean if action.action != "failed"] == []
        asked[name] = requests = counts.total()
        kinds = [str(counts[kind]) for kind in ("list", "read", "write", "delete")]
        rows.append(f"| {name} | {' | '.join(kinds)} | {requests} | {time.monotonic() - started:.1f} |")
    print(f"## Retention of {options.results:,} results, of which {DUE} are due\n")
    print("| task | list | read | write | delete | requests | seconds |\n|---|---:|---:|---:|---:|---:|---:|")
    print("\n".join(rows))
    print(
        f"\nHalf of them were erased years ago. The store lies in memory; a listing counts once a thousand objects. "
        f"Promised for erasing: {MOST_REQUESTS:,} requests at most."
    )
    return 0 if asked["erase"] <= MOST_REQUESTS else 1


if __name__ == "__main__":
    sys.exit(main())
