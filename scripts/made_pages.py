"""Pages of docs/ that are made from the code: written, or with `--check` compared with what they should be."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def write_or_check(page: Path, text: str, *, made_from: str, by: str) -> int:
    """The exit code: 1 where the page was to be checked and is not what `made_from` says."""
    if sys.argv[1:] != ["--check"]:
        page.write_text(text, "utf-8")
        return 0
    if page.read_text("utf-8") == text:
        return 0
    print(f"{page.relative_to(ROOT)} is not what {made_from} says: run python -m {by}", file=sys.stderr)
    return 1
