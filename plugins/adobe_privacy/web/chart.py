"""The chart of the last days: jobs that arrived and were archived, and how long it took. Coordinates for an SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adobe_privacy.web.sentences import day_words

WIDTH, HEIGHT = 400, 110
LEFT, RIGHT = 36, 22  # room for the numbers, and for half of the last day's name
EVERY = 15  # days from one day's name to the next


def chart(days: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Two panels of one width: bars of jobs a day, and the mean and longest days from reception to archive. Each day
    has its `column`, which leads to its rows."""
    step = (WIDTH - LEFT - RIGHT) / len(days)
    most = _ceiling(max(max(day["arrived"], day["archived"]) for day in days))
    longest = _ceiling(max(day["longest_days"] or 0 for day in days))
    bars, dots, columns = [], [], []
    for number, day in enumerate(days):
        left = LEFT + number * step
        words = day_words(day["day"])
        for kind, offset in (("arrived", 0.0), ("archived", 0.45)):
            height = day[kind] / most * HEIGHT
            if height:
                height = max(1.0, height)
                bars.append(
                    {"kind": kind, "x": _round(left + offset * step), "y": _round(HEIGHT - height),
                     "width": _round(step * 0.42), "height": _round(height)}
                )  # fmt: skip
        took = ""
        if day["mean_days"] is not None:
            place = left + step / 2
            took = f"; {day['mean_days']} days on average, {day['longest_days']} at most"
            dots.append(
                {"x": _round(place), "mean": _round(HEIGHT - day["mean_days"] / longest * HEIGHT),
                 "longest": _round(HEIGHT - day["longest_days"] / longest * HEIGHT)}
            )  # fmt: skip
        columns.append(
            {"day": day["day"], "x": _round(left), "width": _round(step),
             "text": f"{words}: {day['arrived']:,} jobs arrived, {day['archived']:,} archived{took}"}
        )  # fmt: skip
    labels = [
        {"x": _round(LEFT + (number + 0.5) * step), "text": day_words(day["day"]).rpartition(" ")[0]}
        for number, day in enumerate(days)
        if (len(days) - 1 - number) % EVERY == 0
    ]
    return {
        "width": WIDTH,
        "right": WIDTH - RIGHT,
        "height": HEIGHT,
        "left": LEFT,
        "bars": bars,
        "dots": dots,
        "columns": columns,
        "labels": labels,
        "most": _ticks(most),
        "longest": _ticks(longest),
        "days": days,
        "empty": not bars,
    }


def _ticks(top: int) -> list[dict[str, Any]]:
    """The numbers beside a panel, from none to `top`."""
    values = [0, top // 2, top] if top % 2 == 0 else [0, top]
    return [{"text": f"{value:,}", "y": _round(HEIGHT - value / top * HEIGHT)} for value in values]


def _ceiling(value: float) -> int:
    """The next round number: 1, 2 or 5 times a power of ten."""
    if value <= 1:
        return 1
    power = 10 ** math.floor(math.log10(value))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value))


def _round(value: float) -> float:
    return round(value, 1)
