"""A Privacy Service on localhost: `python include/simulator`. See README.md beside this file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulator_clock import from_iso
from simulator_reference import reference
from simulator_scenario import Scenario
from simulator_server import listening_socket, port_of, serve
from simulator_state import Simulation, StartingPoint
from simulator_switches import Switches, changed

_DEFAULT_PORT = 8181
_FURTHER_PORTS = 100


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python include/simulator", description="A Privacy Service on localhost."
    )
    parser.add_argument(
        "--port", type=int, default=None, help=f"0: any free one; absent: {_DEFAULT_PORT} or the next free"
    )
    parser.add_argument("--clock-rate", type=float, default=1.0, help="simulated seconds per real second (1)")
    parser.add_argument("--start-time", type=from_iso, default=None, help="ISO 8601; absent: now")
    parser.add_argument("--scenario", type=Path, default=None, help="JSON file of rules")
    parser.add_argument("--scenario-json", default=None, metavar="JSON", help="the same, given here")
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    parser.add_argument(
        "--state", type=Path, default=None, help="file that keeps jobs and opt-outs over a kill"
    )
    parser.add_argument(
        "--access-log", action="store_true", help="method, route and status of each call on stderr"
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end with the process that started this one"
    )
    parser.add_argument(
        "--print-reference", action="store_true", help="print the tables of README.md and end"
    )
    return parser.parse_args()


def _starting_point(arguments: argparse.Namespace) -> StartingPoint:
    """What was asked for. Raises SystemExit with one line that names the mistake."""
    scenario = Scenario()
    try:
        if arguments.scenario is not None:
            scenario = Scenario.model_validate_json(arguments.scenario.read_text(encoding="utf-8"))
        elif arguments.scenario_json is not None:
            scenario = Scenario.model_validate_json(arguments.scenario_json)
        switches = changed(changed(Switches(), scenario.starting_switches()), _switches(arguments.switch))
    except OSError as error:
        raise SystemExit(f"cannot read the scenario {arguments.scenario}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SystemExit(
            f"{'switch' if error.title == 'Switches' else 'scenario'} {place}: {first['msg']}"
        ) from None
    return StartingPoint(scenario, switches, arguments.start_time, arguments.clock_rate)


def _switches(given: list[str]) -> dict[str, Any]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not equals:
            raise SystemExit(f"--switch {name}: write it as name=value")
    return {name: value for name, _, value in pairs}


def main() -> None:
    arguments = _arguments()
    if arguments.print_reference:
        print(reference())
        return
    simulation = Simulation(_starting_point(arguments), arguments.state)
    try:
        if arguments.port is None:
            listener = listening_socket(_DEFAULT_PORT, further_tries=_FURTHER_PORTS)
            if port_of(listener) != _DEFAULT_PORT:
                sys.stderr.write(f"port {_DEFAULT_PORT} is taken; using {port_of(listener)}\n")
        else:
            wanted = arguments.port
            listener = listening_socket(wanted, further_tries=_FURTHER_PORTS if wanted else 0)
            if wanted and port_of(listener) != wanted:
                sys.stderr.write(f"port {wanted} is taken; using {port_of(listener)}\n")
    except OSError as error:
        raise SystemExit(str(error)) from None
    serve(
        simulation, listener, access_log=arguments.access_log, until_stdin_closes=arguments.until_stdin_closes
    )


if __name__ == "__main__":
    main()
