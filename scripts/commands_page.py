"""Writes docs/reference/commands.md from the commands' help. With `--check` it only says whether it is current."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from adobe_privacy.command_line import parser_of
from scripts.made_pages import write_or_check

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"
HEAD = """# Commands

`airflow privacy COMMAND` uses the connections and variables of this Airflow. `python -m adobe_privacy COMMAND` needs no
Airflow. [Operations](../operations.md#commands) says more of each. This page is made by
`python -m scripts.commands_page`.
"""


def page() -> str:
    return "\n".join([HEAD, *_commands(parser_of("airflow privacy"))]).rstrip() + "\n"


def _commands(parser: argparse.ArgumentParser, within: str = "") -> Iterator[str]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {each.dest: each.help or "" for each in action._choices_actions}
        for command, of_command in action.choices.items():
            name = f"{within} {command}".strip()
            yield f"## {name}"
            yield ""
            if text := helps.get(command):
                yield f"{text[:1].upper()}{text[1:]}.\n".replace("..", ".")
            rows = [row for each in of_command._actions if (row := _row(each))]
            if rows:
                yield from ("| argument | means |", "|---|---|", *rows, "")
            yield from _commands(of_command, name)


def _row(action: argparse.Action) -> str | None:
    if action.help == argparse.SUPPRESS or isinstance(
        action, (argparse._HelpAction, argparse._SubParsersAction)
    ):
        return None
    value = "" if action.nargs == 0 else str(action.metavar or _one_of(action.choices) or action.dest.upper())
    shown = f"{', '.join(action.option_strings)} {value}".strip() if action.option_strings else value
    default = "" if action.default in (None, False, argparse.SUPPRESS) else str(action.default)
    told = (action.help or "").replace("%(default)s", default).replace("|", "\\|")
    return f"| `{shown}` | {told} |"


def _one_of(choices: Iterable[str] | None) -> str:
    return "\\|".join(choices or ())


def main() -> int:
    return write_or_check(PAGE, page(), made_from="command_line.py", by="scripts.commands_page")


if __name__ == "__main__":
    sys.exit(main())
