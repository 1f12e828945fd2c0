"""Bar charts: SVG without scripts, whose bars link to the rows that they count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 60
BAR_WIDTH: Final = 9
COLUMN_WIDTH: Final = 12
"""Units of a chart."""


@dataclass(frozen=True, slots=True)
class Column:
    """A value of a chart: its title, the path of its rows (None without rows), and its parts from the bottom on."""

    title: str
    path: str | None
    parts: Sequence[tuple[str, float]]
    """Kind and amount of each."""


@dataclass(frozen=True, slots=True)
class BarPart:
    """A rectangle."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A column as it is drawn."""

    x: int
    title: str
    path: str | None
    parts: Sequence[BarPart]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as it is drawn."""

    bars: Sequence[Bar]
    width: int
    height: int = HEIGHT
    bar_width: int = BAR_WIDTH


def draw_chart(columns: Sequence[Column], *, maximum: float | None = None) -> Chart:
    """Draw columns; the highest one, or `maximum`, is as high as the chart."""
    highest = maximum or max((sum(amount for _, amount in column.parts) for column in columns), default=0) or 1
    bars = [_draw_bar(column, index * COLUMN_WIDTH, HEIGHT / highest) for index, column in enumerate(columns)]
    return Chart(bars, len(columns) * COLUMN_WIDTH)


def _draw_bar(column: Column, x: int, scale: float) -> Bar:
    parts: list[BarPart] = []
    top = float(HEIGHT)
    for kind, amount in column.parts:
        if amount:
            top -= amount * scale
            parts.append(BarPart(kind, round(top, 2), round(amount * scale, 2)))
    return Bar(x, column.title, column.path, parts)
