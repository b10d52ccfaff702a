from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from datetime import date, datetime
from pathlib import Path

import pytest

from adobe_privacy.regulations.clocks import DEFAULT, Clocks, due_dates
from adobe_privacy.regulations.clocks_table import BEGIN, END, clocks_table, with_clocks_table
from adobe_privacy.regulations.codes import REGULATIONS

PAGE = Path(__file__).parents[2] / "docs" / "legal-clocks.md"


def test_the_page_shows_the_clocks_as_they_are() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_clocks_table(page), (
        "run: python -m adobe_privacy.regulations.clocks_table docs/legal-clocks.md"
    )


def test_the_page_lists_every_code_current_and_former() -> None:
    page = PAGE.read_text("utf-8")
    for regulation in REGULATIONS.values():
        for code in (regulation.code, *regulation.retired_codes, *regulation.older_codes):
            assert f"`{code}`" in page


def test_a_changed_figure_changes_the_page() -> None:
    page = PAGE.read_text("utf-8")
    changed = DEFAULT.with_overrides({"lgpd_bra": {"answer": {"amount": 14}}})
    assert with_clocks_table(page, changed) != page
    assert "14 calendar days" in clocks_table(changed)


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no line"):
        with_clocks_table("# Legal clocks\n")


def test_the_worked_examples_of_the_page_are_what_is_computed() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| (\w+day \d+ \w+ \d{4}) \| (\w+day \d+ \w+ \d{4}) \|", PAGE.read_text(), re.M
    )
    codes = {"GDPR": "gdpr", "CCPA": "ccpa", "New Zealand": "nzpa_nzl", "LGPD": "lgpd_bra"}
    assert len(rows) == 6
    for law, received, due_on in rows:
        name, _, step = law.partition(", ")
        due = due_dates(codes[name], _day(received))
        assert (due.acknowledge_by if step == "acknowledge" else due.answer_by) == _day(due_on), law


def test_the_example_file_of_the_page_is_accepted() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    clocks = DEFAULT.with_overrides(tomllib.loads(example))
    assert isinstance(clocks, Clocks)
    assert clocks.clock("gdpr", date(2027, 1, 1)).time_zone == "Europe/Berlin"
    assert due_dates("lgpd_bra", date(2027, 7, 1), clocks=clocks).answer_by == date(2027, 7, 11)


def test_the_command_rewrites_the_tables_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    command = [sys.executable, "-m", "adobe_privacy.regulations.clocks_table", str(page)]
    subprocess.run(command, check=True, cwd=PAGE.parents[1] / "plugins")
    assert page.read_text("utf-8") == f"before\n{BEGIN}\n\n{clocks_table()}\n\n{END}\nafter\n"


def _day(text: str) -> date:
    parsed = datetime.strptime(text, "%A %d %B %Y").date()  # noqa: DTZ007 - a day, not a moment
    assert f"{parsed:%A}" == text.split()[0], f"{text} is a {parsed:%A}"
    return parsed
