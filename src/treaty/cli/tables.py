"""Tables of texts: as the original client formats them, or fitted to the width of a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_SEPARATOR: Final = " | "
_ELLIPSIS: Final = "..."
_MIN_WIDTH: Final = len(_ELLIPSIS) + 1
_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Line breaks would end a row, and escape sequences control the terminal."""

Cells = list[list[str]]


def format_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    whole: Collection[str] = (),
    width: int | None = None,
) -> str:
    """Format rows as the original client does, in columns separated by `|`. Without rows, the text is empty.

    With the width of a terminal, long cells are cut so that the table fits, except those of columns in `whole`, such as
    UUIDs. If that is not enough, each row becomes a paragraph of lines. Without a width, nothing is cut.
    """
    if not rows:
        return ""
    cells = [list(headings), *([_to_text(cell) for cell in row] for row in rows)]
    if width is None:
        return _join(cells, _measure(cells, len), len)
    widths = _measure(cells, _display_width)
    limit = _find_limit(headings, widths, whole, width)
    if limit is None:
        return _format_paragraphs(headings, cells[1:])
    fitted = [
        [cell if name in whole else _cut(cell, limit) for name, cell in zip(headings, row, strict=True)]
        for row in cells
    ]
    return _join(fitted, _measure(fitted, _display_width), _display_width)


def _to_text(cell: object) -> str:
    return "" if cell is None else _CONTROL_CHARACTERS.sub(" ", str(cell))


def _measure(cells: Cells, measure: Callable[[str], int]) -> list[int]:
    return [max(map(measure, column)) for column in zip(*cells, strict=True)]


def _find_limit(headings: Sequence[str], widths: Sequence[int], whole: Collection[str], width: int) -> int | None:
    """Return the largest maximum width of cells with which the table fits, or None if there is none."""
    available = width - len(_SEPARATOR) * (len(widths) - 1)
    for limit in range(max(widths), _MIN_WIDTH - 1, -1):
        columns = zip(headings, widths, strict=True)
        if sum(size if name in whole else min(size, limit) for name, size in columns) <= available:
            return limit
    return None


def _cut(text: str, limit: int) -> str:
    if _display_width(text) <= limit:
        return text
    end, size = 0, len(_ELLIPSIS)
    while (size := size + _display_width(text[end])) <= limit:
        end += 1
    return text[:end] + _ELLIPSIS


def _display_width(text: str) -> int:
    """Return the number of columns that a text takes on a terminal, where Chinese letters and emojis take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - needed for few names, and slow to load

    return cell_len(text)


def _join(cells: Cells, widths: Sequence[int], measure: Callable[[str], int]) -> str:
    lines = [
        _SEPARATOR.join(cell + " " * (size - measure(cell)) for cell, size in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join([lines[0], "-|-".join("-" * size for size in widths), *lines[1:]])


def _format_paragraphs(headings: Sequence[str], rows: Cells) -> str:
    size = max(map(len, headings))
    return "\n\n".join(
        "\n".join(f"{name.ljust(size)}  {cell}".rstrip() for name, cell in zip(headings, row, strict=True))
        for row in rows
    )
