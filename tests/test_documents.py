"""The documentation site has what the page and the alarms lead to."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from adobe_privacy.command_names import COMMANDS
from adobe_privacy.documents import DOCUMENTS
from adobe_privacy.ledger.attention import KINDS, Kind
from adobe_privacy.reporting import reports
from scripts import commands_page
from tests.start import run as start

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_of_attention_has_a_page_that_says_what_to_do(kind: Kind) -> None:
    place = kind.document.removeprefix(f"{DOCUMENTS}/")
    text = (DOCS / place).read_text()
    assert f"Kind `{kind.name}`" in text
    assert "## What to do\n\n1. " in text
    assert f": {place}\n" in (ROOT / "mkdocs.yml").read_text()


def test_no_page_is_about_a_kind_that_there_is_not() -> None:
    assert {path.stem for path in (DOCS / "operate").iterdir()} == {kind.name for kind in KINDS}


def test_start_has_the_commands_and_names_that_are_followed() -> None:
    """`make test-start` follows them on a fresh clone, which takes minutes."""
    assert [len(start.blocks(number)) for number in (1, 2, 3)] == [1, 2, 5]
    assert [len(start.requests_of(start.part(number))) for number in (2, 3)] == [2, 1]
    web = ROOT / "plugins" / "adobe_privacy" / "web"
    shown = "".join(path.read_text() for path in (*web.glob("templates/*.html"), *web.glob("static/*.js")))
    in_airflow, *buttons, inbox_day = start.bold(2)
    assert (in_airflow, inbox_day) == ("Privacy", "Inbox day")
    assert [name for name in buttons if f"{name}<" not in shown and f'"{name}"' not in shown] == []


def test_the_site_has_these_parts() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    parts = re.findall(r"^  - (\w+):", text.partition("\nnav:\n")[2], re.MULTILINE)
    assert parts == ["Start", "Requests", "Operate", "Deploy", "Reference", "Concepts", "Decisions"]


def test_the_page_on_the_api_has_every_call() -> None:
    described = (DOCS / "reference" / "api.md").read_text()
    for call in (
        "POST /requests",
        "POST /upload",
        "POST /find-person",
        "GET /jobs",
        "GET /export.csv",
        "GET /result",
    ):
        assert f"\n## {call}\n" in described


def test_operations_say_what_each_command_does() -> None:
    text = (DOCS / "operations.md").read_text()
    _, _, table = text.partition("\n## Commands\n")
    assert set(re.findall(r"^\| `(\w+)", table.partition("\n## ")[0], re.MULTILINE)) == set(COMMANDS)


def test_the_page_on_the_commands_is_the_same_in_every_year(monkeypatch: pytest.MonkeyPatch) -> None:
    before = commands_page.page()
    monkeypatch.setattr(reports, "last_year", lambda today: (date(2031, 1, 1), date(2031, 12, 31)))
    assert commands_page.page() == before


def test_each_picture_is_there_and_is_taken_by_a_test() -> None:
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"images/([\w-]+)\.png", page.read_text())}
    taken = re.findall(r'take\(page, f?"([^"]+)"\)', (ROOT / "tests" / "ui" / "test_pictures.py").read_text())
    assert shown <= {name.replace("{theme}", theme) for name in taken for theme in ("light", "dark")}
    assert shown <= {path.stem for path in (DOCS / "images").iterdir()}
