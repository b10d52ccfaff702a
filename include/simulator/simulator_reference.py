"""The tables of README.md, made from the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from simulator_faults import ANY_CALL, ON_CONTENT, ON_CREATE, Fault
from simulator_scenario import Rule
from simulator_state import delay_text
from simulator_switches import Switches

BEGIN = "<!-- from `python include/simulator --print-reference`; a test compares them -->"
END = "<!-- end of the reference -->"


def reference() -> str:
    """Markdown: switches, fault options, fault kinds and scenario rules."""
    sections = [
        BEGIN,
        "### Switches",
        _fields(Switches),
        "### Options of a fault",
        _fields(Fault),
        "### Kinds of faults on any call",
        _kinds(ANY_CALL),
        "### Further kinds on `create`",
        _kinds(ON_CREATE),
        "### Further kinds on `content`",
        _kinds(ON_CONTENT),
        "### Fields of a scenario's rule",
        _fields(Rule),
        END,
    ]
    return "\n\n".join(sections)


def _fields(model: type[BaseModel]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"`{_text(field.default)}`"
        choices = [_text(choice) for choice in get_args(field.annotation) if isinstance(choice, str | int)]
        listed = f" (one of {', '.join(f'`{choice}`' for choice in choices)})" if choices else ""
        rows.append((f"`{name}`", default, f"{field.description}{listed}"))
    return _table(("name", "default", "meaning"), rows)


def _kinds(kinds: Mapping[str, str]) -> str:
    return _table(("kind", "what happens"), ((f"`{kind}`", text) for kind, text in kinds.items()))


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple) and value and isinstance(value[0], int | float):
        return delay_text(value)
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value) or "empty"


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(columns)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
