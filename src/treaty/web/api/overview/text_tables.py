"""Tables of text, drawn as the original broker draws them."""

from collections.abc import Iterable, Sequence
from typing import Final

MAX_CELL_WIDTH: Final = 30
"""Characters of a cell; what is longer is cut."""


def draw_table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Draw a table, without a line end behind it."""
    cells = [[_cut(cell) for cell in line] for line in lines]
    if not cells:
        return "No data."
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    ruler = "|".join("-" * (width + (2 if 0 < at < len(widths) - 1 else 1)) for at, width in enumerate(widths))
    return "\n".join((_line(titles, widths), ruler, *(_line(line, widths) for line in cells)))


def _cut(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL_WIDTH else cell[: MAX_CELL_WIDTH - 3] + "..."


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
