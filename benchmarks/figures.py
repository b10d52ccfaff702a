"""Keeps a benchmark's figures beside those of its last run, so that a loss shows, and draws them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "figures"
COLOURS = {
    "light": {"text": "#1f2328", "bar": "#2f6fb3", "back": "#ffffff"},
    "dark": {"text": "#e6edf3", "bar": "#6cb0f5", "back": "#0d1117"},
}
ROW, LABELS, BARS = 26, 260, 380


def keep(
    name: str,
    figures: Any,
    bars: Sequence[tuple[str, float]],
    *,
    title: str,
    unit: str,
    folder: Path = FOLDER,
) -> None:
    """Writes NAME.json with these figures and the last ones, NAME-light.svg and NAME-dark.svg."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    kept = {
        "measured_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "figures": figures,
        "last": {key: before[key] for key in ("measured_at", "figures") if key in before},
    }
    path.write_text(json.dumps(kept, indent=1) + "\n")
    for mode in COLOURS:
        (folder / f"{name}-{mode}.svg").write_text(chart(bars, title=title, unit=unit, mode=mode))


def chart(bars: Sequence[tuple[str, float]], *, title: str, unit: str, mode: str) -> str:
    """Horizontal bars with their figures; read by a screen reader as its title and texts."""
    colours = COLOURS[mode]
    largest = max((value for _, value in bars), default=0) or 1
    height = ROW * (len(bars) + 1) + 16
    width = LABELS + BARS + 90
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="13" fill="{colours["text"]}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" fill="{colours["back"]}"/>',
        f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (label, value) in enumerate(bars, 1):
        top = ROW * number + 8
        length = max(1.0, BARS * value / largest)
        parts += [
            f'<text x="{LABELS - 8}" y="{top + 15}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LABELS}" y="{top + 3}" width="{length:.1f}" height="16" fill="{colours["bar"]}"/>',
            f'<text x="{LABELS + length + 6:.1f}" y="{top + 15}">{value:,.4g} {escape(unit)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
