"""Pages in a real browser: they fit every width, everybody can use them, and scripts only make them handier."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it says no types
from playwright.sync_api import Browser, Page

from tests.pages import browser as browsers
from tests.pages.corpus import SHA, Filler, fill
from tests.whole import servers

WIDTHS = (360, 768, 1440)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAIR = "/pacts/provider/orders-api/consumer/Web%20Shop"


@dataclass
class Site:
    address: str
    paths: Mapping[str, str]
    browser: Browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A browser, and a broker with something of everything."""
    database = f"sqlite:///{tmp_path_factory.mktemp('site') / 'treaty.sqlite'}"
    try:
        browsers.find_program()
    except browsers.Unavailable as absence:
        outcome = pytest.fail if os.environ.get("CI") in {"true", "1"} else pytest.skip
        raise outcome.Exception(str(absence), pytrace=False) from None
    with servers.running(database, "--example-data") as server, browsers.started() as browser:
        yield Site(server.address, fill(server.address), browser)


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    context = site.browser.new_context(viewport={"width": 1280, "height": 800}, base_url=site.address)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_every_page(site, scheme):
    context = site.browser.new_context(color_scheme=scheme, base_url=site.address)
    page, faults = context.new_page(), []
    for name, path in site.paths.items():
        page.goto(path)
        found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
        faults += [f"{name}: {one['id']} at {[node['target'] for node in one['nodes'][:3]]}" for one in found]
    context.close()
    assert faults == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_screen_and_none_complains(site, width):
    context = site.browser.new_context(viewport={"width": width, "height": 800}, base_url=site.address)
    page, faults = context.new_page(), []
    page.on("console", lambda said: faults.append(f"{said.text} {page.url}") if "404" not in said.text else None)
    page.on("pageerror", lambda error: faults.append(f"{error} {page.url}"))
    for name, path in site.paths.items():
        page.goto(path)
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        faults += [f"{name} is {beyond} pixels too wide"] if beyond else []
    context.close()
    assert faults == []


def test_nothing_comes_from_another_host(site, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for path in site.paths.values():
        page.goto(path)
    others = [url for url in asked if not url.startswith((site.address, "data:image/svg+xml"))]
    assert others == []


def test_what_was_published_does_not_run(site, page):
    for name in ("pact-hostile", "application-hostile", "verification"):
        page.goto(site.paths[name])
        assert page.title() != "run"
        assert page.locator("main img").count() == 0


def test_all_can_be_read_without_scripts(site):
    context = site.browser.new_context(java_script_enabled=False, base_url=site.address)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Name").fill("Web Shop")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Web Shop").first.click()
    page.get_by_label("Version", exact=True).fill("2")
    page.get_by_label("To environment").select_option("production")
    page.get_by_role("button", name="Ask").click()
    assert "Not yet" in page.get_by_role("status").inner_text()
    page.get_by_role("link", name="Show the pact").click()
    page.locator("summary").first.click()
    page.get_by_role("link", name="What changed").click()
    assert "1 changed, 1 gone" in page.locator("main").inner_text()
    context.close()


def test_the_keyboard_leads_everywhere(page):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.keyboard.press("/")
    page.keyboard.type("Web Shop")
    page.keyboard.press("Enter")
    page.wait_for_url("**/pacticipants/Web%20Shop")


def test_a_link_to_an_interaction_opens_it(page):
    page.goto(f"{PAIR}/version/{SHA}")
    page.get_by_role("button", name="Open or close all").click()
    assert page.locator("details[open]").count() == 0
    page.get_by_role("navigation", name="Interactions").get_by_role("link", name="shipped").click()
    assert page.locator("details[open]").count() == 1
    assert "an order was shipped" in page.locator("details[open]").inner_text()


def test_fields_left_blank_do_not_stand_in_the_address(page):
    page.goto("/matrix")
    page.get_by_label("Name").first.fill("Web Shop")
    page.get_by_role("button", name="Show").click()
    assert "branch" not in page.url
    assert "Web Shop" in page.locator("table").inner_text()


def test_a_delivery_can_be_sent_again(site, page):
    page.goto(site.paths["delivery"])
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Send again").click()
    page.get_by_text("It will be sent again").wait_for()


def test_an_integration_can_be_deleted_after_a_question(site, page):
    Filler(site.address).publish("Short-lived", "1", "main", "Gone", {"interactions": []})
    page.goto("/dashboard/provider/Gone/consumer/Short-lived")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Delete this integration").click()
    page.reload()
    assert "No pacticipant found" not in page.locator("main").inner_text()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete this integration").click()
    page.wait_for_url(f"{site.address}/")
    page.goto("/?q=Short-lived")
    assert "No pacticipants found" in page.locator("main").inner_text()
