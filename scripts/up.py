"""`make up`: the simulator and Airflow left running, until Ctrl-C.

Opens what `make demo` left, if it was there; otherwise lays out the sample inbox, for you to trigger or backfill.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from scripts.demo import DAG_ID, DATA, HOME, SAMPLES, lay_out_samples
from scripts.stack import Stack, StackError, stop_on_signals


def main() -> int:
    stop_on_signals()
    days = lay_out_samples(datetime.now(UTC).date())
    arguments = ("--scenario", str(SAMPLES / "scenario.json"))
    try:
        with Stack(HOME, DATA, simulator_arguments=arguments) as stack:
            print(f"Airflow:   {stack.url}")
            print(f"Simulator: {stack.simulator_url}")
            print(f"Inbox:     {DATA / 'inbox'}")
            print(f"Archive:   {DATA / 'archive'}")
            print(
                f"In the UI: open {DAG_ID}, Trigger, Backfill, {min(days.values())} to {max(days.values())}"
            )
            print("Ctrl-C ends it", flush=True)
            while True:
                stack.check_processes()
                time.sleep(1)
    except StackError as error:
        print(f"FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        print("Stopped")
        return 0


if __name__ == "__main__":
    sys.exit(main())
