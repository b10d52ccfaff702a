"""Modules and classes of the inner half stay small enough to be read in one go."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "plugins" / "adobe_privacy"
MODULE, CLASS = 400, 300
# How long each may be, and why it reads better whole. None may grow.
LONGER: dict[str, tuple[int, str]] = {
    "api/client.py": (405, "the class below and nothing else"),
    "api/client.py:PrivacyServiceClient": (
        345,
        "one method for each call of the API, and what the calls share",
    ),
    "archive/zip_check.py:ZipCheck": (
        350,
        "a step for each record of the format; all of them move one place in one stream",
    ),
    "ledger/schema.py": (
        560,
        "one table after the other; indexes, conditions and foreign keys are read together",
    ),
    "storage/store.py:Store": (
        330,
        "what a store can do; what differs between providers stands beside what does not",
    ),
    "storage/store.py": (430, "the class above, and what its listings and writes tell"),
}


def inner_half() -> list[Path]:
    """What may not import Airflow, as the import rules list it."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    names = [name.removeprefix("adobe_privacy.").replace(".", "/") for name in rules["source_modules"]]
    found = [path for name in names for path in (PACKAGE / name).rglob("*.py")]
    return sorted(found + [PACKAGE / f"{name}.py" for name in names if (PACKAGE / f"{name}.py").exists()])


@pytest.mark.parametrize("path", inner_half(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_and_no_class_is_too_long(path: Path) -> None:
    name = str(path.relative_to(PACKAGE))
    source = path.read_text()
    limit, _ = LONGER.get(name, (MODULE, ""))
    lines = source.count("\n")
    assert lines <= limit, f"{name} has {lines} lines: split it by what it knows"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            limit, _ = LONGER.get(f"{name}:{node.name}", (CLASS, ""))
            assert length <= limit, f"{node.name} in {name} has {length} lines"


def test_nothing_is_excused_that_is_short_enough() -> None:
    for name, (limit, reason) in LONGER.items():
        path, _, kind = name.partition(":")
        assert limit > (CLASS if kind else MODULE)
        assert (PACKAGE / path).exists(), name
        assert reason, name


# The way of a request, from its file to its manifest.
WAY = ("intake", "planning", "submission", "waiting", "results", "archive")
# After a loss, not on the way.
BESIDE = ("submission/reconciliation.py", "submission/archive_records.py")


@pytest.mark.parametrize("step", WAY)
def test_who_follows_a_request_opens_each_folder_once(step: str) -> None:
    """No step of the way needs a later one, but the next: results hand over to the archive."""
    at = WAY.index(step)
    later = {f"adobe_privacy.{name}" for name in WAY[at + 2 :]}
    for path in (PACKAGE / step).rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        if name in BESIDE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                folder = ".".join((node.module or "").split(".")[:2])
                assert folder not in later, f"{name} imports {node.module}, a later step"
