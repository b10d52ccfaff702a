"""The chart of the last days: jobs that arrived and were archived, and how long it took. Coordinates for an SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 720, 120
LEFT, RIGHT = 44, 16  # room for the numbers, and for half of the last day's name


def chart(days: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Two panels of one width: bars of jobs a day, and the mean and longest days from reception to archive."""
    step = (WIDTH - LEFT - RIGHT) / len(days)
    most = _ceiling(max(max(day["arrived"], day["archived"]) for day in days))
    longest = _ceiling(max(day["longest_days"] or 0 for day in days))
    bars, dots = [], []
    for number, day in enumerate(days):
        left = LEFT + number * step
        for kind, offset in (("arrived", 0.0), ("archived", 0.45)):
            height = day[kind] / most * HEIGHT
            if height:
                height = max(1.0, height)
                bars.append(
                    {"kind": kind, "x": _round(left + offset * step), "y": _round(HEIGHT - height),
                     "width": _round(step * 0.42), "height": _round(height),
                     "text": f"{day['day']}: {day[kind]:,} {kind}"}
                )  # fmt: skip
        if day["mean_days"] is not None:
            place = left + step / 2
            dots.append(
                {"x": _round(place), "mean": _round(HEIGHT - day["mean_days"] / longest * HEIGHT),
                 "longest": _round(HEIGHT - day["longest_days"] / longest * HEIGHT),
                 "text": f"{day['day']}: {day['mean_days']} days on average, {day['longest_days']} at most"}
            )  # fmt: skip
    labels = [
        {"x": _round(LEFT + (number + 0.5) * step), "text": day["day"][5:]}
        for number, day in enumerate(days)
        if (len(days) - 1 - number) % 10 == 0
    ]
    return {
        "width": WIDTH,
        "right": WIDTH - RIGHT,
        "height": HEIGHT,
        "left": LEFT,
        "bars": bars,
        "dots": dots,
        "labels": labels,
        "most": most,
        "longest": longest,
        "days": days,
        "empty": not bars,
    }


def _ceiling(value: float) -> int:
    """The next round number: 1, 2 or 5 times a power of ten."""
    if value <= 1:
        return 1
    power = 10 ** math.floor(math.log10(value))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value))


def _round(value: float) -> float:
    return round(value, 1)
