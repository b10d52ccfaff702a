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
    """Two panels of one width: bars of jobs a day, and the mean and longest days from reception to archive. Each is a
    path for all days. Each day has its `column`, which leads to its rows."""
    step = (WIDTH - LEFT - RIGHT) / len(days)
    most = _ceiling(max(max(day["arrived"], day["archived"]) for day in days))
    longest = _ceiling(max(day["longest_days"] or 0 for day in days))
    paths: dict[str, list[str]] = {name: [] for name in ("arrived", "archived", "range", "longest", "mean")}
    columns = []
    for number, day in enumerate(days):
        left = LEFT + number * step
        for kind, offset in (("arrived", 0.0), ("archived", 0.45)):
            if day[kind]:
                height, width = max(1.0, day[kind] / most * HEIGHT), _round(step * 0.42)
                paths[kind].append(
                    f"M{_round(left + offset * step)} {HEIGHT}v{_round(-height)}h{width}V{HEIGHT}z"
                )
        took = ""
        if day["mean_days"] is not None:
            place = f"M{_round(left + step / 2)}"
            took = f"; {day['mean_days']} days on average, {day['longest_days']} at most"
            top = _round(HEIGHT - day["longest_days"] / longest * HEIGHT)
            paths["range"].append(f"{place} {HEIGHT}V{top}")
            # A line without length, whose round ends make it a dot.
            paths["longest"].append(f"{place} {top}h0")
            paths["mean"].append(f"{place} {_round(HEIGHT - day['mean_days'] / longest * HEIGHT)}h0")
        columns.append(
            {"day": day["day"], "x": _round(left), "width": _round(step),
             "text": f"{day_words(day['day'])}: {day['arrived']:,} jobs arrived, {day['archived']:,} archived{took}"}
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
        "paths": {name: "".join(path) for name, path in paths.items()},
        "columns": columns,
        "labels": labels,
        "most": _ticks(most),
        "longest": _ticks(longest),
        "days": days,
        "empty": not (paths["arrived"] or paths["archived"]),
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
