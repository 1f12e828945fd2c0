"""Forms in a real browser, with scripts and without."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.pages.test_in_a_browser import Site, page, site  # noqa: F401 - fixtures


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def either(request: pytest.FixtureRequest, site: Site) -> Iterator[Page]:  # noqa: F811 - the fixture
    """A page with scripts, and one without; nothing may be complained of."""
    context = site.browser.new_context(base_url=site.address, java_script_enabled=request.param)
    page, faults = context.new_page(), []  # noqa: F811 - the fixture is another
    page.on("console", lambda said: None if "Failed to load" in said.text else faults.append(said.text))
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
    assert "It is created" in either.get_by_role("status").inner_text()
    assert "Staging 2" in either.get_by_role("heading", level=1).inner_text()
    assert "room 7b" in either.locator(".contacts").inner_text()
    either.get_by_role("link", name="Edit").click()
    either.get_by_label("It is production").check()
    either.get_by_role("button", name="Save").click()
    assert "production" in either.locator(".head").inner_text()
    either.get_by_role("link", name="Delete").click()
    either.get_by_label("Name of the environment").fill("staging-2")
    either.get_by_role("button", name="Delete it").click()
    assert "It is deleted" in either.get_by_role("status").inner_text()
    assert "Staging 2" not in either.locator("main").inner_text()
    either.go_back()
    either.go_back()
    assert "404" in either.locator("main").inner_text()


def test_a_form_on_a_page_of_another_site_does_nothing(site, page):  # noqa: F811 - fixtures
    foreign = site.address.replace("127.0.0.1", "localhost")
    page.route(f"{foreign}/evil", lambda route: route.fulfill(body=_evil(site.address), content_type="text/html"))
    page.goto(f"{foreign}/evil")
    page.get_by_role("button").click()
    assert "sent from another site" in page.locator("main").inner_text()


def _evil(address: str) -> str:
    field = '<input name="name" value="stolen">'
    return f'<form method="post" action="{address}/environments/new">{field}<button>Win</button></form>'
