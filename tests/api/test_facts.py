"""Adobe's figures stand in one module. What is of a day or a call, and the same by chance, is named here."""

from __future__ import annotations

import re
from pathlib import Path

from adobe_privacy.api import facts

PACKAGE = Path(facts.__file__).parents[1]
FIGURES = re.compile(r"\bdays=(?:29|30|44|45|46|60)\b|\b20_?000\b|= 9$|[A-Z_ ]= 1_?000$")
# Ours, by their names: rows of a transaction, names in a report, characters of a column, days of a chart.
OURS = re.compile(
    r"^(CHUNK|MAX_BATCHES|NAMED|MAX_LENGTH|AT_A_TIME|DAYS|_FOLDERS_KEPT|MAX_LISTED|MAX_PROBLEMS)\b"
)


def test_no_other_module_has_a_limit_of_adobes() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "facts.py" and "migrations" not in path.parts and path.parts[-2] != "regulations"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FIGURES.search(line.partition("#")[0].rstrip()) and not OURS.match(line.strip())
    ]
    assert found == []
