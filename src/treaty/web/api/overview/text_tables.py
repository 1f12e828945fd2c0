"""Plain-text tables in the format of the original broker."""

from collections.abc import Iterable, Sequence
from typing import Final

MAX_CELL_WIDTH: Final = 30
"""Maximum number of characters in a cell; longer texts are truncated."""


def draw_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Draw a table, without a newline at its end."""
    cells = [[_truncate(cell) for cell in row] for row in rows]
    if not cells:
        return "No data."
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    ruler = "|".join("-" * (width + (2 if 0 < index < len(widths) - 1 else 1)) for index, width in enumerate(widths))
    return "\n".join((_draw_line(titles, widths), ruler, *(_draw_line(row, widths) for row in cells)))


def _truncate(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL_WIDTH else cell[: MAX_CELL_WIDTH - 3] + "..."


def _draw_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
