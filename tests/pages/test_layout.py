"""Pages of a company with real names: they fit every width, are accessible, and do not shift while they load.

The data of the pages is in `bench/company.py`, and the list of pages in `company_site.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.absence import unavailable
from tests.pages import browser as browsers
from tests.pages import company_site, layout_checks

WIDTHS = (1440, 1024, 720, 390, 320)
"""720 pixels are also 1440 at a zoom of 200 %."""
NOT_FOUND = "/pacticipants/order-managment-service"
EXPLORER = "overview.explorer.show_explorer"
"""It fetches its contents after it has been loaded."""


def test_each_page_has_an_example():
    """A page that is added must be looked at, with the names that people have."""
    examples = set(company_site.list_examples())
    assert company_site.list_handlers() - set(company_site.WITHOUT_EXAMPLE) == examples


@dataclass
class Site:
    address: str
    paths: dict[str, list[str]]
    browser: Browser


@pytest.fixture(scope="module")
def site(company_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    try:
        browsers.find_program()
    except browsers.Unavailable as absence:
        unavailable(str(absence))
    folder = tmp_path_factory.mktemp("company")
    with company_site.running(folder, company_database) as server, browsers.started() as browser:
        yield Site(server.address, company_site.list_paths(folder), browser)


@dataclass
class Faults:
    """Problems of the pages, by kind."""

    answers: list[str] = field(default_factory=list)
    layout: list[str] = field(default_factory=list)
    shifts: list[str] = field(default_factory=list)
    hurdles: list[str] = field(default_factory=list)


@pytest.mark.slow  # test_in_a_browser.py looks at fewer pages, with simpler names
def test_each_page_exists_fits_every_width_does_not_shift_and_is_accessible(site: Site) -> None:
    """Each page is opened once. This is one test, so that no two workers open them all."""
    faults = Faults()
    context = browsers.context(site.browser, base_url=site.address)
    page = context.new_page()
    layout_checks.watch_shift(page)
    company_site.sign_in(page)
    for handler, path in ((handler, path) for handler, paths in site.paths.items() for path in paths):
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        response = page.goto(path)
        if handler == EXPLORER:
            page.wait_for_load_state("networkidle")
        status = response.status if response else 200  # a change of the fragment only
        faults.answers += [] if status == (404 if path == NOT_FOUND else 200) else [f"{path}: {status}"]
        faults.hurdles += [f"{path}: {fault}" for fault in browsers.hurdles_in_both_schemes(page)]
        # Only now, so that nothing waits for half a second without requests: axe takes longer.
        page.wait_for_load_state("networkidle")
        shifts = layout_checks.list_shifts(page)
        if shifts:
            # A busy machine draws a large table in parts. Shifts for other reasons occur again.
            page.reload()
            page.wait_for_load_state("networkidle")
            shifts = layout_checks.list_shifts(page)
        faults.shifts += [f"{path}: {fault}" for fault in shifts]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            faults.layout += [f"{path} at {width}: {fault}" for fault in layout_checks.list_faults(page)]
    context.close()
    assert faults == Faults()


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    context = browsers.context(site.browser, viewport={"width": 1280, "height": 800}, base_url=site.address)
    opened = context.new_page()
    company_site.sign_in(opened)
    yield opened
    context.close()


@pytest.mark.slow  # details of style sheets
def test_a_printed_table_has_no_empty_columns(page):
    page.emulate_media(media="print")
    page.goto("/")
    assert page.locator("main form:visible, main button:visible, header.bar:visible").count() == 0
    headings = [text.strip() for text in page.locator("#results thead th:visible").all_inner_texts()]
    assert headings
    assert "" not in headings
    assert page.locator("#results tbody tr").first.locator("td:visible, th:visible").count() == len(headings)


@pytest.mark.slow  # likewise
def test_the_current_tab_is_visible_in_forced_colours(page):
    page.emulate_media(forced_colors="active")
    page.goto("/dashboard/provider/order-management-service/consumer/checkout-web-frontend")
    colors = page.locator("main .tabs a").evaluate_all(
        "tabs => tabs.map(tab => [tab.hasAttribute('aria-current'), getComputedStyle(tab).borderBottomColor])"
    )
    current = {color for is_current, color in colors if is_current}
    others = {color for is_current, color in colors if not is_current}
    assert len(current) == 1
    assert current.isdisjoint(others)


@pytest.mark.slow  # likewise
def test_escape_closes_suggestions_and_then_returns_to_where_the_focus_was(page):
    page.goto("/environments")
    page.locator("main a").first.focus()
    before = page.evaluate("document.activeElement.href")
    page.keyboard.press("/")
    page.keyboard.type("order")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.href") == before
