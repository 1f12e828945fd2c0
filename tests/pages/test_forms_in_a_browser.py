"""Forms in a real browser, with scripts and without."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.pages import browser as browsers
from tests.pages.browser import Site
from tests.pages.corpus import TRICK, Filler
from tests.receiver import receiving
from tests.waiting import eventually
from tests.whole import servers

WITH_AND_WITHOUT_SCRIPTS = [
    pytest.param(True, id="scripts"),
    pytest.param(False, id="no scripts", marks=pytest.mark.slow),
]


@pytest.fixture(params=WITH_AND_WITHOUT_SCRIPTS)
def either(request: pytest.FixtureRequest, site: Site) -> Iterator[Page]:
    """A page with scripts, and one without; nothing may be complained of."""
    context = browsers.context(site.browser, base_url=site.address, java_script_enabled=request.param)
    page, faults = context.new_page(), []
    page.on("console", lambda message: None if "Failed to load" in message.text else faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


def test_an_environment_is_made_changed_and_deleted(either):
    either.goto("/environments")
    either.get_by_role("link", name="New environment").click()
    either.get_by_label("Name", exact=True).fill("staging 2")
    either.get_by_label("Display name").fill("")
    either.get_by_role("button", name="Create environment").click()
    assert "cannot contain spaces" in either.locator(".field.bad").inner_text()
    either.get_by_label("Name", exact=True).fill("staging-2")
    either.get_by_label("Contact 1", exact=True).fill("Ops")
    either.get_by_label("Details of contact 1").fill("phone: 112\nroom: 7b")
    either.get_by_role("button", name="Create environment").click()
    assert "Created." in either.get_by_role("status").inner_text()
    assert "Staging 2" in either.get_by_role("heading", level=1).inner_text()
    assert "room 7b" in either.locator(".contacts").inner_text()
    either.get_by_role("link", name="Edit").click()
    either.get_by_label("Production environment").check()
    either.get_by_role("button", name="Save").click()
    assert "production" in either.locator(".head").inner_text()
    either.get_by_role("link", name="Delete").click()
    either.get_by_label("Name of the environment").fill("staging-2")
    either.get_by_role("button", name="Delete it").click()
    assert "Deleted." in either.get_by_role("status").inner_text()
    assert "Staging 2" not in either.locator("main").inner_text()
    either.go_back()
    either.go_back()
    assert "404" in either.locator("main").inner_text()


def test_a_form_on_a_page_of_another_site_does_nothing(site, page):
    foreign = site.address.replace("127.0.0.1", "localhost")
    page.route(f"{foreign}/evil", lambda route: route.fulfill(body=_evil(site.address), content_type="text/html"))
    page.goto(f"{foreign}/evil")
    page.get_by_role("button").click()
    assert "sent by a page of another site" in page.locator("main").inner_text()


def _evil(address: str) -> str:
    field = '<input name="name" value="stolen">'
    return f'<form method="post" action="{address}/environments/new">{field}<button>Win</button></form>'


@pytest.fixture(scope="module")
def reaching(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A broker that may send to this machine."""
    database = f"sqlite:///{tmp_path_factory.mktemp('reaching') / 'treaty.sqlite'}"
    allowed = {"TREATY_WEBHOOK_SCHEME_WHITELIST": "http https", "TREATY_WEBHOOK_HOST_WHITELIST": "127.0.0.1"}
    with servers.running(database, environ=allowed) as server:
        yield Site(server.address, {}, site.browser)


@pytest.mark.parametrize("scripts", WITH_AND_WITHOUT_SCRIPTS)
def test_a_webhook_is_made_from_a_ready_one_and_its_deliveries_are_seen(reaching, scripts):
    filler = Filler(reaching.address)
    consumer = f"Till-{scripts}"
    filler.publish(consumer, "1", "main", "Ledger", {"interactions": [scripts]})
    context = browsers.context(reaching.browser, base_url=reaching.address, java_script_enabled=scripts)
    page = context.new_page()
    with receiving() as receiver:
        page.goto("/webhooks/new")
        page.get_by_role("link", name="Buildkite").click()
        page.get_by_label("URL", exact=True).fill(f"{receiver.url}/builds")
        page.get_by_label("A pact is published").check()
        page.get_by_role("button", name="Create webhook").click()
        assert "replace <TOKEN> with your own values" in page.locator(".field.bad").inner_text()
        headers = page.get_by_label("Headers")
        headers.fill(headers.input_value().replace("<TOKEN>", "canary-token"))
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("heading", name="What would be sent").wait_for()
        assert "Authorization: **********" in page.locator("#preview").inner_text()
        assert f"{reaching.address}/pacts/provider/Ledger" in page.locator("#preview").inner_text()
        assert receiver.arrivals == []
        if not scripts:
            page.get_by_role("button", name="Create webhook").click()
            assert "is masked; type it again" in page.locator(".field.bad").inner_text()
            headers.fill("Authorization: Bearer canary-token")
        page.get_by_role("button", name="Create webhook").click()
        assert "Created." in page.get_by_role("status").inner_text()
        filler.publish(consumer, "2", "main", "Ledger", {"interactions": [1, scripts]})
        arrival = receiver.wait(1)[0]
        assert arrival.headers["authorization"] == "Bearer canary-token"
        assert arrival.json()["env"]["PACT_URL"].startswith(
            f"{reaching.address}/pacts/provider/Ledger/consumer/{consumer}/"
        )
        _reload_until(page, "Delivered")
        page.get_by_role("row").nth(1).get_by_role("link").first.click()
        assert '{"heard":true}' in page.locator("main").inner_text()
        assert "canary-token" not in page.content()
        page.get_by_role("button", name="Send again").click()
        assert "Queued to be sent again" in page.get_by_role("status").first.inner_text()
        page.get_by_role("link", name="Buildkite").click()
        page.get_by_role("link", name="Preview and test").click()
        page.get_by_role("button", name="Send this now").click()
        assert "delivered" in page.get_by_role("status").inner_text()
        receiver.wait(3)
        page.get_by_role("link", name="Buildkite").click()
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name="Delete it").click()
        assert "There are no webhooks" in page.locator("main").inner_text()
    context.close()


def _reload_until(page: Page, text: str) -> None:
    """Look again until a text is there: a delivery is noted a moment after it has arrived."""

    def is_shown() -> bool:
        page.reload()
        return bool(page.get_by_text(text).count())

    eventually(is_shown, page.locator("main").inner_text)


def test_a_preview_keeps_the_values_of_fields_and_secrets(reaching):
    Filler(reaching.address).publish("Shop", "1", "main", "Ledger", {"interactions": []})
    context = browsers.context(reaching.browser, base_url=reaching.address)
    page = context.new_page()
    page.goto("/webhooks/new")
    page.get_by_label("URL", exact=True).fill("http://127.0.0.1:1/x")
    page.get_by_label("A result is published").check()
    page.get_by_label("Password").fill("typed")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name="What would be sent").wait_for()
    assert page.get_by_label("Password").input_value() == "typed"
    page.get_by_label("URL", exact=True).fill("")
    page.get_by_role("button", name="Preview again").click()
    page.get_by_text("Nothing was saved: 1 field needs correction").wait_for()
    context.close()


def test_the_search_box_suggests_and_the_keyboard_chooses(site, page):
    page.goto("/environments")
    page.keyboard.press("/")
    page.keyboard.type("app-0")
    suggestions = page.locator("#suggestions li")
    suggestions.nth(7).wait_for()
    assert suggestions.first.inner_text() == "app-00 application"
    field = page.get_by_role("combobox", name="Find an application or a version")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert field.get_attribute("aria-activedescendant") == "suggestion-1"
    assert page.locator("#suggestions [aria-selected=true]").inner_text() == "app-01 application"
    page.keyboard.press("Escape")
    assert suggestions.count() == 0
    assert field.input_value() == "app-0"
    page.keyboard.press("ArrowDown")
    suggestions.first.wait_for()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/pacticipants/app-07")
    page.keyboard.press("/")
    page.keyboard.type("script")
    suggestions.first.wait_for()
    assert TRICK in suggestions.first.inner_text()
    assert page.title() != "run"
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=script")
    assert site.address in page.url


@pytest.mark.slow
def test_suggestions_are_accessible(site):
    context = browsers.context(site.browser, base_url=site.address, color_scheme="dark")
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Find an application or a version").fill("app")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    faults = browsers.hurdles(page)
    context.close()
    assert faults == []
