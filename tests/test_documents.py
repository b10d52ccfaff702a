"""The documentation site has what the page and the alarms lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from adobe_privacy.documents import DOCUMENTS
from adobe_privacy.ledger.attention import KINDS, Kind

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
