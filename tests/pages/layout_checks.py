"""Checks of a page's layout in a browser: overflow, words that are broken inside, overlaps, and layout shift."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Page

MAX_SHIFT: Final = 0.05
"""Cumulative layout shift up to which a page does not move the text that a user reads."""
_FAULTS: Final = (Path(__file__).parent / "layout_checks.js").read_text("utf-8").partition("\n")[2]
_WATCH_SHIFT: Final = """
  window.layoutShift = 0;
  new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.layoutShift += entry.value; })
    .observe({ type: "layout-shift", buffered: true });
"""


def watch_shift(page: Page) -> None:
    """Sum up the layout shift of each page that is opened from now on."""
    page.add_init_script(_WATCH_SHIFT)


def list_shifts(page: Page) -> list[str]:
    """Describe the layout shift since the page was opened, if it is too large."""
    shift: float = page.evaluate("window.layoutShift")
    return [f"layout shift of {shift:.2f}"] if shift >= MAX_SHIFT else []


def list_faults(page: Page) -> list[str]:
    """Describe the faults of the page at its present width."""
    faults: list[str] = page.evaluate(_FAULTS)
    return faults
