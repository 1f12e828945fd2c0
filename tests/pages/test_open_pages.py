"""Pages in a browser while they are open: they update themselves, and have keys and buttons that copy."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.absence import unavailable
from tests.pages import browser as browsers
from tests.whole import servers

pytestmark = pytest.mark.slow  # a server and a browser

CONSUMERS = 45
PROVIDER = "prices"
POLL = "document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))"
"""An open page looks for changes at once when it becomes visible, so that tests need not wait for the next time."""


@dataclass
class Site:
    address: str
    browser: Browser

    def publish(self, consumer: str, version: str, count: int = 1) -> str:
        """Publish a pact of a consumer; return the URL for its results."""
        items = [{"description": f"{version} {number}", "request": {}, "response": {}} for number in range(count)]
        url = f"{self.address}/pacts/provider/{PROVIDER}/consumer/{consumer}/version/{version}"
        response = httpx.put(url, json={"interactions": items})
        assert response.status_code in {200, 201}, response.text
        link: str = response.json()["_links"]["pb:publish-verification-results"]["href"]
        return link

    def verify(self, url: str, *, success: bool) -> None:
        body = {"success": success, "providerApplicationVersion": "1"}
        assert httpx.post(url, json=body).status_code == 201


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    database = f"sqlite:///{tmp_path_factory.mktemp('open') / 'treaty.sqlite'}"
    try:
        browsers.find_program()
    except browsers.Unavailable as absence:
        unavailable(str(absence))
    with servers.running(database) as server, browsers.started() as browser:
        site = Site(server.address, browser)
        for number in range(CONSUMERS):
            site.publish(f"consumer-{number:02}", "1")
        yield site


LONG_NAMES = [
    f"{kind}-{number:02}" for number in range(20) for kind in ("payment-settlement-batch", "customer-profile")
]
"""Names of 40 applications, most of which consume others of them."""


@pytest.fixture(scope="module")
def network(site: Site) -> str:
    """The path of a network of 40 applications."""
    for index, consumer in enumerate(LONG_NAMES):
        for step in (1, 3, 7):
            if index + step < len(LONG_NAMES):
                url = f"{site.address}/pacts/provider/{LONG_NAMES[index + step]}/consumer/{consumer}/version/1"
                assert httpx.put(url, json={"interactions": []}).status_code == 201
    return f"/network?focus={LONG_NAMES[0]}&depth=all"


@pytest.fixture
def context(site: Site) -> Iterator[BrowserContext]:
    opened = browsers.context(site.browser, viewport={"width": 1280, "height": 500}, base_url=site.address)
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def _top_of(page: Page, text: str) -> float:
    box = page.locator("main a", has_text=text).first.bounding_box()
    assert box
    return box["y"]


def test_an_open_page_shows_a_new_result_and_its_icon_turns_red(site, page):
    results = site.publish("web-shop", "1")
    page.goto(f"/pacts/provider/{PROVIDER}/consumer/web-shop/version/1")
    assert "Not verified" in page.locator("dl.facts").inner_text()
    green = page.locator("link[rel=icon]").get_attribute("href")
    site.verify(results, success=False)
    page.evaluate(POLL)
    expect(page.locator("dl.facts")).to_contain_text("Failed")
    expect(page).to_have_title(f"Pact of web-shop 1 with {PROVIDER}: failed · Treaty")
    assert page.locator("link[rel=icon]").get_attribute("href") != green


def test_an_update_does_not_move_the_visible_rows(site, page):
    page.goto(f"/pacticipants/{PROVIDER}")
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    page.locator("main a", has_text="consumer-30").first.scroll_into_view_if_needed()
    page.mouse.wheel(0, 200)
    page.wait_for_function("scrollY > 200")
    top = _top_of(page, "consumer-30")
    before = page.locator("main tr").count()
    site.publish("a-new-consumer", "1")
    page.evaluate(POLL)
    expect(page.locator("main tr")).to_have_count(before + 1)
    assert _top_of(page, "consumer-30") == pytest.approx(top, abs=2)


def test_focus_and_opened_parts_stay_and_typing_is_not_disturbed(site, page):
    site.publish("app", "1", count=8)
    page.goto(f"/pacts/provider/{PROVIDER}/consumer/app/version/1")
    page.locator("details.interaction summary").nth(3).click()
    page.get_by_role("link", name="JSON", exact=True).focus()
    site.publish("app", "2")
    page.evaluate(POLL)
    expect(page.locator("aside .card").filter(has_text="Versions")).to_contain_text("2")
    assert page.locator("details.interaction[open]").count() == 1
    assert page.evaluate("document.activeElement.textContent") == "JSON"
    page.get_by_role("searchbox", name="Search this pact").press_sequentially("something")
    site.publish("app", "3")
    with page.expect_response("**/revision"):
        page.evaluate(POLL)
    assert page.get_by_role("searchbox", name="Search this pact").input_value() == "something"
    page.get_by_role("searchbox", name="Search this pact").blur()
    page.evaluate(POLL)
    expect(page.locator("aside .card").filter(has_text="Versions")).to_contain_text("3")
    assert page.get_by_role("searchbox", name="Search this pact").input_value() == "something"


def test_an_unchanged_broker_costs_a_304_and_no_page(site, page):
    page.goto(f"/pacticipants/{PROVIDER}")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url.removeprefix(site.address)))
    statuses = []
    for _ in range(4):
        with page.expect_response("**/revision") as answer:
            page.evaluate(POLL)
        statuses.append(answer.value.status)
        page.wait_for_timeout(100)
    assert statuses[-1] == 304
    assert requests.count(f"/pacticipants/{PROVIDER}") <= 2


def test_a_version_and_a_command_are_copied(page):
    page.goto(f"/pacts/provider/{PROVIDER}/consumer/consumer-01/version/1")
    page.get_by_role("button", name="Copy the version of consumer-01").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text === '1')")
    page.get_by_role("button", name="Copy: Badge").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('[![Pact]('))")


def test_versions_in_tables_are_copied_whole_by_pointer_and_by_keyboard(site, page):
    commit = "0123456789abcdef0123456789abcdef01234567"
    site.publish("consumer-02", commit)
    page.goto("/?q=consumer-02")
    button = page.get_by_role("button", name=f"Copy version {commit}")
    expect(button).to_have_count(0)
    height = page.evaluate("document.body.scrollHeight")
    version = page.get_by_role("link", name=commit[:8], exact=True)
    version.hover()
    button.click()
    page.wait_for_function(f"navigator.clipboard.readText().then(text => text === '{commit}')")
    assert page.evaluate("document.body.scrollHeight") == height, "the button takes no room"
    page.evaluate("navigator.clipboard.writeText('')")
    page.get_by_role("searchbox").first.focus()
    page.get_by_role("searchbox").first.hover()
    expect(button).to_have_count(0)
    version.focus()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_function(f"navigator.clipboard.readText().then(text => text === '{commit}')")
    page.keyboard.press("Tab")
    expect(button).to_have_count(0)


def test_the_keys_are_listed_and_lead_to_pages(page):
    page.goto(f"/pacticipants/{PROVIDER}")
    page.get_by_role("link", name="Network").first.focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_contain_text("Go to Matrix")
    assert not browsers.hurdles(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate("document.activeElement.textContent") == "Network"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.type("?g m")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Network").first.focus()
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/matrix")


def test_keys_can_be_switched_off(page):
    page.goto("/matrix")
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Keys are on in this browser").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_buttons_that_need_scripts_are_absent_without_scripts(site):
    opened = browsers.context(site.browser, java_script_enabled=False, base_url=site.address)
    page = opened.new_page()
    page.goto(f"/pacts/provider/{PROVIDER}/consumer/consumer-01/version/1")
    for name in ("Copy", "Keyboard", "Expand or collapse all"):
        assert page.get_by_role("button", name=name).count() == 0
    opened.close()


_LABELS = """() => [...document.querySelectorAll("svg.graph .boxes a")].map((box) => {
    const [text, rect] = ["text", "rect"].map((part) => box.querySelector(part).getBoundingClientRect());
    const size = parseFloat(getComputedStyle(box.querySelector("text")).fontSize);
    return {
        name: box.textContent, x: rect.x, y: rect.y, right: rect.right, bottom: rect.bottom,
        cut: text.right > rect.right || text.bottom > rect.bottom || text.y < rect.y,
        size: size * rect.height / box.querySelector("rect").getBBox().height,
        shown: getComputedStyle(box.querySelector("text")).display !== "none",
    };
})"""


def test_40_applications_are_readable_without_overlap(page, network):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(network)
    page.get_by_role("button", name="Fit").click()
    labels = page.evaluate(_LABELS)
    assert len(labels) == len(LONG_NAMES)
    assert [label["name"] for label in labels if label["cut"] or not label["shown"] or label["size"] < 8] == []
    for index, first in enumerate(labels):
        for second in labels[index + 1 :]:
            is_beside = first["right"] <= second["x"] or second["right"] <= first["x"]
            assert is_beside or first["bottom"] <= second["y"] or second["bottom"] <= first["y"], (first, second)


def test_an_application_is_selected_with_the_mouse_or_the_keyboard(page, network):
    page.goto(network)
    boxes = page.locator("svg.graph .boxes a")
    boxes.filter(has_text="batch-05").first.click()
    panel = page.locator("#selected")
    expect(panel).to_contain_text("3 providers")
    assert page.locator("svg.graph.dim .boxes a.near").count() == 7
    page.mouse.move(5, 5)
    assert page.locator("svg.graph.dim .boxes a.near").count() == 7
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    boxes.filter(has_text="batch-05").first.focus()
    page.keyboard.press("Enter")
    expect(panel).to_be_visible()
    panel.get_by_role("link", name="Surroundings").click()
    page.wait_for_url("**depth=1")


def test_without_scripts_an_application_leads_to_its_surroundings(site, network):
    opened = browsers.context(site.browser, java_script_enabled=False, base_url=site.address)
    page = opened.new_page()
    page.goto(network)
    page.locator("svg.graph .boxes a").nth(5).click()
    page.wait_for_url("**depth=1")
    assert page.locator("svg.graph .boxes a").count() <= 7
    opened.close()
