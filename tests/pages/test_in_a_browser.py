"""Pages in a real browser: they fit every width, are accessible, and work without scripts."""

from dataclasses import dataclass, field

import httpx
import pytest
from playwright.sync_api import expect

from tests.pages import browser as browsers
from tests.pages.browser import WIDTHS
from tests.pages.corpus import SHA, Filler
from tests.scale import IS_SLOW, choose
from tests.waiting import eventually

OPENED = choose(2, slow=1, long=1)
"""One page of so many is opened at every width."""
STRIDE = choose(5, slow=5, long=1)
"""One of so many of these is checked with axe, which takes most of the time; with `--slow`, test_layout.py has all."""
ONLY_HERE = (
    *("application-unknown-version", "version-missing", "contract-missing", "guide-missing", "guide-search"),
    *("version-hostile", "pact-hostile", "application-hostile"),
)
"""Kinds of pages that test_layout.py does not open. They are checked with `--slow`, too."""
PAIR = "/pacts/provider/orders-api/consumer/Web%20Shop"


@dataclass
class Faults:
    """Problems of the pages, by check."""

    hurdles: list[str] = field(default_factory=list)
    widths: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    other_hosts: list[str] = field(default_factory=list)


def test_every_page_is_accessible_fits_the_screen_and_needs_no_other_host(site):
    """One test, so that no two workers open all pages."""
    faults, requests = Faults(), list[str]()
    context = browsers.context(site.browser, base_url=site.address)
    page = context.new_page()
    page.on(
        "console",
        lambda message: None if "404" in message.text else faults.complaints.append(f"{message.text} {page.url}"),
    )
    page.on("pageerror", lambda error: faults.complaints.append(f"{error} {page.url}"))
    page.on("request", lambda request: requests.append(request.url))
    assert site.paths.keys() >= set(ONLY_HERE)
    for number, (name, path) in enumerate(list(site.paths.items())[::OPENED]):
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(path)
        if number % STRIDE == 0 or (IS_SLOW and name in ONLY_HERE):
            faults.hurdles += [f"{name}: {fault}" for fault in browsers.hurdles_in_both_schemes(page)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            faults.widths += [f"{name} is {beyond} pixels too wide at {width}"] if beyond else []
    context.close()
    assert requests
    faults.other_hosts += [url for url in requests if not url.startswith((site.address, "data:image/svg+xml"))]
    assert faults == Faults()


def test_a_name_without_a_place_to_break_fits_into_a_narrow_audit_trail(site, page):
    """The names of webhooks are UUIDs, most of which browsers break at few of their hyphens."""
    httpx.post(f"{site.address}/pacticipants", json={"name": "1" * 80}).raise_for_status()
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(site.paths["audit"])
    assert page.get_by_role("link", name="1" * 80).count()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_published_scripts_do_not_run(site, page):
    for name in ("pact-hostile", "application-hostile", "verification", "contract", "contract-text", "comparison"):
        page.goto(site.paths[name])
        assert page.title() != "run"
        assert page.locator("main img").count() == 0


@pytest.mark.parametrize(("width", "is_stacked"), [(390, True), (768, False), (1280, False)])
def test_a_comparison_shows_both_sides_of_a_finding_as_wide_as_the_screen(site, page, width, is_stacked):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(site.paths["comparison"])
    pact, document = (page.locator(".finding .half").nth(index).bounding_box() for index in (0, 1))
    assert (document["y"] >= pact["y"] + pact["height"]) is is_stacked
    assert (document["x"] >= pact["x"] + pact["width"]) is not is_stacked
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.locator("mark").first.inner_text().strip() == '"price": 12.5'
    page.get_by_role("link", name="in the document").first.click()
    page.wait_for_url("**/document?name=&line=28#line-28")
    expect(page.locator("#line-28")).to_be_in_viewport()
    assert "price: {type: string}" in page.locator("#line-28").inner_text()


def test_all_can_be_read_without_scripts(site):
    context = browsers.context(site.browser, java_script_enabled=False, base_url=site.address)
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
    page.get_by_role("link", name="Compare with the previous pact").click()
    assert "1 changed, 1 removed" in page.locator("main").inner_text()
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
    page.get_by_role("button", name="Expand or collapse all").click()
    assert page.locator("details[open]").count() == 0
    page.get_by_role("navigation", name="Interactions").get_by_role("link", name="shipped").click()
    expect(page.locator("details[open]")).to_have_count(1)
    assert "an order was shipped" in page.locator("details[open]").inner_text()


@pytest.mark.slow  # a detail of an address
def test_fields_left_blank_do_not_stand_in_the_address(page):
    page.goto("/matrix")
    page.get_by_label("Name").first.fill("Web Shop")
    page.get_by_role("button", name="Show").click()
    assert "branch" not in page.url
    assert "Web Shop" in page.locator("table").inner_text()


@pytest.mark.slow  # the search box, in test_forms_in_a_browser.py, is quick
def test_the_matrix_offers_versions_branches_and_tags_of_the_application_that_is_named(page):
    page.goto("/matrix")
    page.get_by_role("button", name="Add an application").click()
    assert page.get_by_role("group", name="application").count() == 3
    page.get_by_label("Name").first.fill("Web Shop")
    page.get_by_label("Version").first.focus()
    page.wait_for_selector("#version-of-1 option", state="attached")

    def offered(name: str) -> list[str]:
        return [option.get_attribute("value") for option in page.locator(f"#{name} option").all()]

    assert offered("version-of-1") == ["2", SHA]
    assert set(offered("branch-of-1")) == {"main", "feat/new-basket"}
    assert set(offered("tag-of-1")) == {"main", "feat/new-basket"}


def test_typing_searches_at_once_and_changes_the_address(page):
    page.goto("/?sort=provider")
    page.get_by_label("Name").press_sequentially("app-11")
    page.wait_for_url("**/?q=app-11&sort=provider")
    assert page.locator("#results tbody tr").count() == 1
    assert page.get_by_label("Name").evaluate("field => field === document.activeElement")
    page.get_by_label("Name").fill("")
    page.wait_for_url("**/?sort=provider")
    assert page.locator("#results tbody tr").count() == 50


def shown_part(page):
    """The part of the graph that is seen: its left upper corner, and how wide and high it is."""
    return [float(number) for number in page.locator("svg.graph").get_attribute("viewBox").split()]


@pytest.mark.slow  # the next quick test uses a graph
def test_a_graph_is_zoomed_and_moved_by_buttons_keys_wheel_and_mouse(page):
    page.goto("/network")
    whole = shown_part(page)
    page.get_by_role("button", name="Zoom in").click()
    nearer = shown_part(page)
    assert nearer[2] == pytest.approx(whole[2] / 1.4, rel=0.01)
    page.get_by_role("button", name="Zoom out").click()
    assert shown_part(page)[2] == pytest.approx(whole[2], rel=0.01)
    view = page.get_by_role("region", name="Graph")
    view.focus()
    for _ in range(3):
        page.keyboard.press("+")
    closer = shown_part(page)
    page.keyboard.press("ArrowRight")
    assert shown_part(page)[0] > closer[0]
    page.mouse.move(600, 600)
    page.mouse.wheel(0, -200)
    eventually(lambda: shown_part(page)[2] < closer[2])
    before = shown_part(page)
    page.mouse.down()
    page.mouse.move(500, 600, steps=5)
    page.mouse.up()
    assert shown_part(page)[0] > before[0]
    assert page.url.endswith("/network")
    page.get_by_role("button", name="Fit").click()
    assert shown_part(page) == pytest.approx(whole)


@pytest.mark.slow  # likewise
def test_a_wheel_does_not_zoom_a_graph_without_the_focus(page):
    page.goto("/network")
    whole = shown_part(page)
    page.get_by_role("region", name="Graph").hover()
    page.mouse.wheel(0, -200)
    assert shown_part(page) == whole


@pytest.mark.slow  # likewise
def test_two_fingers_zoom_a_graph(page):
    page.goto("/network")
    whole = shown_part(page)
    page.evaluate(
        """() => {
            const view = document.querySelector(".canvas .view"), box = view.getBoundingClientRect();
            const touch = (kind, id, x) => view.dispatchEvent(new PointerEvent(kind, {
                pointerId: id, pointerType: "touch", bubbles: true, button: kind === "pointermove" ? -1 : 0,
                clientX: box.left + x, clientY: box.top + 80,
            }));
            touch("pointerdown", 1, 100); touch("pointerdown", 2, 200);
            touch("pointermove", 2, 300);
            touch("pointerup", 1, 100); touch("pointerup", 2, 300);
        }"""
    )
    assert shown_part(page)[2] == pytest.approx(whole[2] / 2, rel=0.02)


@pytest.mark.slow  # likewise
def test_an_application_is_found_in_a_graph_and_its_neighbours_stand_out(page):
    page.goto("/network")
    page.get_by_label("Find in the graph").fill("service-3")
    assert page.locator("svg.graph .hit text").all_text_contents() == ["service-3"]
    near = set(page.locator("svg.graph .boxes .near text").all_text_contents())
    assert near == {"service-3", *(f"app-{number:02}" for number in range(3, 60, 7))}


def test_a_graph_is_chosen_around_an_application_and_followed(page):
    page.goto("/network")
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Around application").fill("orders-api")
    page.get_by_label("Steps").select_option("1 step")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/network?focus=orders-api&depth=1")
    page.locator("svg.graph .boxes a", has_text="Web Shop").click()
    page.locator("#selected").get_by_role("link", name="Open").click()
    page.wait_for_url("**/pacticipants/Web%20Shop")


def test_a_graph_can_be_read_without_scripts(site):
    context = browsers.context(site.browser, java_script_enabled=False, base_url=site.address)
    page = context.new_page()
    page.goto("/network?focus=orders-api")
    assert page.locator("svg.graph .boxes a").count() >= 2
    assert page.get_by_role("button", name="Zoom in").count() == 0
    assert "Web Shop consumes orders-api" in page.locator("main").inner_text()
    context.close()


def test_a_delivery_can_be_sent_again(site, page):
    page.goto(site.paths["delivery"])
    page.get_by_role("button", name="Send again").click()
    page.get_by_text("Queued to be sent again").wait_for()


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
    assert "No applications found" in page.locator("main").inner_text()


@pytest.mark.parametrize(
    "path", ["/webhooks", "/docs", "/pacticipants/orders-api/usage", "/pacticipants/orders-api/network"]
)
def test_the_link_to_this_page_is_in_sight_where_links_scroll(page, path):
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(path)
    is_in_sight = """link => {
        const [row, box] = [link.closest('nav').getBoundingClientRect(), link.getBoundingClientRect()]
        return box.left > row.left - 1 && box.right < row.right + 1
    }"""
    assert page.locator(":is(.bar nav, .tabs) [aria-current]").first.evaluate(is_in_sight)
    assert page.evaluate("scrollY") == 0


def test_tables_need_not_be_scrolled_at_1024_pixels(site, page):
    page.set_viewport_size({"width": 1024, "height": 800})
    hidden = {}
    for name in ("overview", "application", "provider", "pending", "webhooks", "pair", "version", "trends"):
        page.goto(site.paths[name])
        hidden[name] = page.locator(".scroll").evaluate_all(
            "regions => Math.max(0, ...regions.map(region => region.scrollWidth - region.clientWidth))"
        )
    assert hidden == dict.fromkeys(hidden, 0)
