"""`make up`: the simulator and Airflow left running, until Ctrl-C.

At its first start it lays out the sample inbox, for you to trigger or backfill. Later it changes nothing that is there:
connections, variables, ledger, inbox and archive are yours.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from scripts.demo import DAG_ID, SAMPLES, lay_out_samples, sample_days
from scripts.stack import ROOT, Stack, StackError, stop_on_signals

HOME = ROOT / ".airflow" / "up"
DATA = ROOT / "data" / "up"


def main() -> int:
    stop_on_signals()
    first_start = not (DATA / "inbox").exists()
    days = sample_days(datetime.now(UTC).date())
    arguments = ("--scenario", str(SAMPLES / "scenario.json"))
    try:
        stack = Stack(
            HOME,
            DATA,
            simulator_arguments=arguments,
            keep=True,
            # Without a ledger nothing can be handed in on the page, and the first run would have to make it.
            prepare=lambda stack: stack.airflow("privacy", "upgrade"),
        )
        if first_start:
            lay_out_samples(DATA / "inbox", days)
        with stack:
            print(f"Airflow:   {stack.url}")
            print(
                f"Simulator: {stack.simulator_url}; the connection adobe_privacy_default is what you made it"
            )
            print(f"Inbox:     {DATA / 'inbox'}")
            print(f"Archive:   {DATA / 'archive'}")
            if first_start:
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
