"""Figures are kept beside the last run's, and drawn for light and dark."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as bench
from benchmarks.figures import COLOURS, chart, keep


def test_the_last_runs_figures_stay_beside_the_new_ones(tmp_path: Path) -> None:
    for seconds in (1.0, 2.0, 3.0):
        keep("runs", {"seconds": seconds}, [("a run", seconds)], title="Seconds", unit="s", folder=tmp_path)
    kept = json.loads((tmp_path / "runs.json").read_text())
    assert kept["figures"] == {"seconds": 3.0}
    assert kept["last"]["figures"] == {"seconds": 2.0}
    assert "last" not in kept["last"]
    for mode in COLOURS:
        assert "3 s" in (tmp_path / f"runs-{mode}.svg").read_text()


def test_a_chart_is_svg_with_a_title_and_a_bar_for_each() -> None:
    for mode, colours in COLOURS.items():
        text = chart([("ours", 1.0), ("<theirs> & more", 20.0)], title="Seconds", unit="s", mode=mode)
        root = ElementTree.fromstring(text)
        space = "{http://www.w3.org/2000/svg}"
        title = root.find(f"{space}title")
        assert title is not None
        assert title.text == "Seconds"
        bars = [each for each in root.iter(f"{space}rect") if each.get("fill") == colours["bar"]]
        assert [float(bar.get("width", "")) for bar in bars] == [19.0, 380.0]
        assert "<theirs> & more" in [each.text for each in root.iter(f"{space}text")]


def test_one_benchmark_takes_its_own_sections_place_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(bench, "PREVIOUS", tmp_path / "PREVIOUS.md")
    for name, text in (("page.py", "first page"), ("planning.py", "planning"), ("page.py", "second page")):
        bench.keep(name, text)
    results = (tmp_path / "RESULTS.md").read_text()
    assert "first page" not in results
    # In the order of the benchmarks, whichever ran first.
    assert results.index("planning") < results.index("second page")
    previous = (tmp_path / "PREVIOUS.md").read_text()
    assert "first page" in previous
    assert "planning" not in previous
