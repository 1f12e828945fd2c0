"""A real browser for the tests: the Chromium of the system, never one that is downloaded."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.waiting import PATIENCE

RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_COLOR_RULES: Final = ("color-contrast", "link-in-text-block")
_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_PATIENCE: Final = 1000 * PATIENCE
"""Milliseconds."""


class Unavailable(Exception):
    """No browser is available; the text has the reason."""


def find_program() -> Path:
    """Find Chromium, or whatever TREATY_TEST_BROWSER names. Raises Unavailable."""
    names = [os.environ["TREATY_TEST_BROWSER"]] if os.environ.get("TREATY_TEST_BROWSER") else _NAMES
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        raise Unavailable("no Chromium is installed (on Debian: apt-get install chromium)")
    return Path(program)


@contextmanager
def started() -> Iterator[Browser]:
    """Start a browser with an empty profile. Raises Unavailable."""
    program = find_program()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=program, args=list(_FLAGS), headless=True, timeout=_PATIENCE
            )
        except Error as error:
            raise Unavailable(f"Chromium does not start: {error}") from error
        expect.set_options(timeout=_PATIENCE)
        yield browser
        browser.close()


def context(browser: Browser, **options: Any) -> BrowserContext:
    """Open a profile of its own, whose pages wait for a slow machine."""
    opened = browser.new_context(**options)
    opened.set_default_timeout(_PATIENCE)
    return opened


def hurdles(page: Page) -> list[str]:
    """List the accessibility problems of a page, with their elements."""
    return _violations(page, {"type": "tag", "values": RULES})


def hurdles_in_both_schemes(page: Page) -> list[str]:
    """List the accessibility problems of a page with light and with dark colours, on which only some rules depend."""
    page.emulate_media(color_scheme="light")
    faults = hurdles(page)
    page.emulate_media(color_scheme="dark")
    faults += [f"dark: {fault}" for fault in _violations(page, {"type": "rule", "values": _COLOR_RULES})]
    page.emulate_media(color_scheme="light")
    return faults


def _violations(page: Page, rules: dict[str, Any]) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    # Passing checks and style sheets take axe most of its time, so it skips them.
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
    violations = page.evaluate("options => axe.run(options).then(results => results.violations)", options)
    return [f"{violation['id']} at {[node['target'] for node in violation['nodes'][:3]]}" for violation in violations]


WIDTHS = (360, 768, 1440)


@dataclass
class Site:
    address: str
    paths: Mapping[str, str]
    browser: Browser
