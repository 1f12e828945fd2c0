"""The main questions of a team are answered after few clicks, in a browser, with the data of a company."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.absence import unavailable
from tests.pages import browser as browsers
from tests.pages import company_site

pytestmark = pytest.mark.slow  # test_answers.py and test_version_page.py read the same answers without a browser

NAME = "checkout-web-frontend"


class Clicks:
    """Counts the actions of a visitor: a click, or Enter after typing."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    def link(self, name: str) -> None:
        self.count += 1
        self.page.get_by_role("link", name=name).first.click()

    def search(self, text: str) -> None:
        self.count += 1
        field = self.page.locator("#find")
        field.fill(text)
        field.press("Enter")


@pytest.fixture(scope="module")
def site(company_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Browser]]:
    try:
        browsers.find_program()
    except browsers.Unavailable as absence:
        unavailable(str(absence))
    folder = tmp_path_factory.mktemp("company")
    with company_site.running(folder, company_database) as server, browsers.started() as browser:
        yield server.address, browser


@pytest.fixture
def clicks(site: tuple[str, Browser]) -> Iterator[Clicks]:
    address, browser = site
    context = browsers.context(browser, viewport={"width": 1280, "height": 800}, base_url=address)
    page = context.new_page()
    company_site.sign_in(page)
    page.goto("/")
    yield Clicks(page)
    context.close()


def test_can_i_deploy_takes_one_search(clicks: Clicks) -> None:
    clicks.search(NAME)
    answers = clicks.page.get_by_role("region", name="Answers")
    expect(answers.locator("tbody tr")).to_have_count(1)
    expect(answers).to_contain_text("main")
    assert set(answers.locator("td .state").all_inner_texts()) <= {"✓ Yes", "✕ No", "? Not yet"}
    assert clicks.page.title().startswith(f"{NAME}: ")
    assert "Production" in clicks.page.title()
    assert clicks.count == 1


def test_why_not_takes_no_further_click_and_another_environment_one(clicks: Clicks) -> None:
    clicks.search(NAME)
    causes = clicks.page.get_by_role("region", name="Why, and what to do")
    row = causes.locator("tbody tr").first
    expect(row.locator("pre.command")).to_have_count(1)
    assert all(len(word) < 40 for word in row.locator("th").inner_text().split())
    assert clicks.count == 1
    clicks.link("to Production: why?")
    expect(clicks.page.locator(".question")).to_contain_text("Production")
    assert clicks.count == 2


def test_a_version_is_found_by_a_short_commit_with_one_search(clicks: Clicks) -> None:
    clicks.page.goto(f"/pacticipants/{NAME}")
    short = clicks.page.get_by_role("region", name="Answers").locator("th .number").inner_text()
    assert len(short) == 8
    clicks.page.goto("/")
    clicks.search(short)
    expect(clicks.page.get_by_role("heading", level=1)).to_have_text(f"{NAME} {short}")
    for heading in ("Can it be deployed?", "Environments", "Pacts", "Verified pacts"):
        expect(clicks.page.get_by_role("heading", name=heading).first).to_be_visible()
    assert clicks.count == 1


def test_a_version_on_a_page_is_one_click_away(clicks: Clicks) -> None:
    clicks.page.goto(f"/pacticipants/{NAME}")
    version = clicks.page.get_by_role("region", name="Answers").locator("th a").first
    short = version.inner_text()
    version.click()
    expect(clicks.page.get_by_role("heading", level=1)).to_have_text(f"{NAME} {short}")
