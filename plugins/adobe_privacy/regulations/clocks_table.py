"""The legal clocks as the tables of docs/legal-clocks.md.

`python -m adobe_privacy.regulations.clocks_table docs/legal-clocks.md` rewrites them after a change.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from adobe_privacy.regulations.clocks import DEFAULT, Clock, Clocks
from adobe_privacy.regulations.codes import REGULATIONS
from adobe_privacy.regulations.periods import Cell, Holidays, Period

BEGIN = "<!-- begin: written by adobe_privacy.regulations.clocks_table -->"
END = "<!-- end -->"

_CELLS = {
    "answer": "Answer",
    "delete": "Deletion",
    "extension": "Extension",
    "acknowledge": "Acknowledge",
    "opt_out": "Opt-out",
    "holidays": "Holidays",
    "next_working_day": "Day off",
    "no_delete": "No right of deletion",
}


def clocks_table(clocks: Clocks = DEFAULT) -> str:
    """Return the periods, then the sources and notes, of every clock as Markdown."""
    return "\n".join(
        [
            f"Version {clocks.version}. * marks general knowledge that waits for counsel.",
            "",
            *_table(
                ("Code", "Law", "Answer", "Deletion", "Extension", "Acknowledge", "Opt-out"),
                (_periods(clock) for clock in clocks.clocks()),
            ),
            "",
            "### Codes, sources and notes",
            "",
            *(line for clock in clocks.clocks() for line in _sources(clock)),
        ]
    )


def with_clocks_table(page: str, clocks: Clocks = DEFAULT) -> str:
    """Return a page with what stands between its two marks replaced by the tables.

    Raises ValueError for a page without the marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"The page has no line {BEGIN} followed by a line {END}.")
    return f"{before}{BEGIN}\n\n{clocks_table(clocks)}\n\n{END}{after}"


def _periods(clock: Clock) -> tuple[str, ...]:
    regulation = REGULATIONS[clock.regulation]
    since = f" from {clock.effective_from}" if clock.effective_from else ""
    periods = (clock.answer, clock.delete, clock.extension, clock.acknowledge, clock.opt_out)
    return (
        f"`{clock.regulation}`",
        f"{regulation.name} ({regulation.jurisdiction}){since}",
        *(_cell(clock, period) for period in periods),
    )


def _cell(clock: Clock, period: Period | None) -> str:
    if period is None:
        return ""
    covers = f", {' and '.join(clock.extension_covers)} only" if len(clock.extension_covers) == 1 else ""
    return f"{period}{covers if period is clock.extension else ''}{_mark(period)}"


def _sources(clock: Clock) -> list[str]:
    regulation = REGULATIONS[clock.regulation]
    former = ", ".join(f"`{code}`" for code in (*regulation.retired_codes, *regulation.older_codes))
    facts = [f"code {regulation.standing}", f"time zone {clock.time_zone}"]
    if former:
        facts.insert(1, f"formerly {former}")
    lines = [f"- `{clock.regulation}`: {'; '.join(facts)}."]
    for name, title in _CELLS.items():
        cell: Cell | None = getattr(clock, name)
        if cell is not None:
            what = f"{cell}; " if isinstance(cell, Holidays) else ""
            lines.append(f"  - {title}: {what}{cell.source} ({cell.standing})")
    if clock.notes:
        lines.append(f"  - {clock.notes}")
    return lines


def _mark(cell: Cell) -> str:
    return "\\*" if cell.standing == "general knowledge" else ""


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ("---",) * len(header), *rows)]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m adobe_privacy.regulations.clocks_table PAGE.md")
    page_path = Path(sys.argv[1])
    page_path.write_text(with_clocks_table(page_path.read_text("utf-8")), "utf-8")
