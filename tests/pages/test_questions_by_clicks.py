"""A team's questions: how many clicks from the overview it takes to read the answer, in a browser."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.absence import unavailable
from tests.pages import browser as browsers
from tests.pages.corpus import fill
from tests.whole import servers

pytestmark = pytest.mark.slow  # test_attention.py, test_pending.py and test_trends.py read the same answers

QUESTIONS = {
    "what is broken": ([], "Needs attention"),
    "what is broken, all of it": (["Needs attention"], "grouped by the application"),
    "what is pending": (["Pending and stale"], "What ends it"),
    "what is stale": (["Pending and stale", "Stale"], "Integrations for which neither a pact nor a result"),
    "how are we doing": (["Trends"], "Healthy integrations"),
    "which webhook failed, and why": (["Webhooks"], "Latest delivery"),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    try:
        browsers.find_program()
    except browsers.Unavailable as absence:
        unavailable(str(absence))
    database = f"sqlite:///{tmp_path_factory.mktemp('site') / 'treaty.sqlite'}"
    with servers.running(database) as server, browsers.started() as browser:
        fill(server.address)
        _deploy(server.address)
        context = browsers.context(browser, viewport={"width": 1280, "height": 800}, base_url=server.address)
        yield context.new_page()
        context.close()


def _deploy(address: str) -> None:
    """Deploy a version with a pact, so that an environment has something to explain."""
    response = httpx.post(f"{address}/environments", json={"name": "clicks", "production": False}).raise_for_status()
    path = f"/pacticipants/Web%20Shop/versions/2/deployed-versions/environment/{response.json()['uuid']}"
    httpx.post(f"{address}{path}", json={}).raise_for_status()


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_takes_so_many_clicks_from_the_overview(page: Page, question: str) -> None:
    clicks, answer = QUESTIONS[question]
    page.goto("/")
    for name in clicks:
        page.locator("#main, header").get_by_role("link", name=name, exact=True).first.click()
    expect(page.locator("main")).to_contain_text(answer)


def test_a_chip_of_an_environment_leads_to_the_row_that_explains_it(page: Page) -> None:
    page.goto("/?q=Web+Shop")
    chip = page.locator("a.chip.running").first
    href = chip.get_attribute("href") or ""
    chip.click()
    row = page.locator(f'[id="{href.partition("#")[2]}"]')
    expect(row).to_be_visible()
    expect(page.locator("tr:target")).to_have_count(1)


def test_recent_changes_are_on_the_page_of_an_application(page: Page) -> None:
    page.goto("/")
    page.locator("table .app").first.click()
    expect(page.locator("main")).to_contain_text("Recent changes")


def test_a_bar_leads_to_its_rows(page: Page) -> None:
    page.goto("/trends")
    page.locator("section:has(#results) svg a").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/trends/rows?show=results**")
    expect(page.locator("main tbody tr").first).to_be_visible()
