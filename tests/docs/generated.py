"""Documents that end in a part made from the code: what people write stands before the mark, and is kept."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
MARK: Final = "<!-- From here on made by `./run renew`. -->\n"


def renewed(document: Path, part: str) -> str:
    """Give a document with its made part replaced."""
    head, mark, _ = document.read_text("utf-8").partition(MARK)
    assert mark, f"{document.name} lacks the line {MARK}"
    return f"{head}{mark}\n{part.strip()}\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table. Its columns are not lined up, so that a change stays one line."""
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *escaped))
