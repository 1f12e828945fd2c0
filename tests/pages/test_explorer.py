"""The API explorer: its contents, its requests, and its limits."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.pages import browser as browsers
from tests.pages.browser import WIDTHS
from tests.pages.corpus import TRICK, Filler
from tests.whole.proxies import free_address
from tests.whole.servers import running

pytestmark = pytest.mark.slow_on_postgresql  # about a page, and not about data

PATHS = ["/explorer", "/hal-browser", "/hal-browser/browser.html"]
SHOP = "/pacticipants/Web%20Shop"


def heading(page: Page):
    return page.locator("#explorer-document > h2")


@pytest.mark.parametrize("path", PATHS)
def test_without_scripts_the_links_of_the_index_are_plain_links(show, path):
    shown = show(path)
    assert shown.status == 200
    assert "/pacticipants.json" in shown.links
    assert "/doc/latest-pact-versions?context=index" in shown.links
    assert "/pacts/provider/{provider}/latest" in shown.text
    assert not [link for link in shown.links if "{" in link]


@pytest.mark.parametrize("path", PATHS[1:])
@pytest.mark.parametrize("accept", ["*/*", "", "application/hal+json, application/json, */*; q=0.01"])
def test_where_the_original_has_a_file_it_is_shown_whatever_a_client_takes(api, path, accept):
    shown = api.get(path, accept=accept)
    assert (shown.status, shown.headers["content-type"]) == (200, "text/html;charset=utf-8")
    assert shown.body == api.get(path, accept="text/html").body


def test_the_plain_links_lead_to_documents(show, api):
    for link in show("/explorer").links:
        if link.endswith(".json"):
            assert api.get(link, accept="text/html").json()


def test_every_page_leads_to_it(show):
    assert "/explorer" in show("/docs").links
    assert "/explorer" in show("/environments").links


def test_clients_of_the_api_are_not_shown_it(api):
    assert api.get("/explorer").status == 404


@pytest.mark.parametrize("path", PATHS)
def test_an_address_behind_the_sign_is_shown_as_it_was_by_the_original(page, path):
    page.goto(f"{path}#{SHOP}")
    expect(heading(page)).to_have_text(SHOP)
    expect(page.locator("#explorer-document")).to_contain_text("200 OK")
    expect(page.locator("#explorer-document .tree").first).to_contain_text('mainBranch: "main"')


@pytest.mark.slow  # a step of the journeys that are quick
def test_whole_addresses_of_this_broker_are_shown_too(site, page):
    page.goto(f"/hal-browser/browser.html#{site.address}{SHOP}")
    expect(heading(page)).to_have_text(SHOP)


def test_links_are_followed_and_back_leads_back(page):
    page.goto("/explorer")
    page.get_by_role("link", name="/pacticipants", exact=True).click()
    expect(heading(page)).to_have_text("/pacticipants")
    assert page.url.endswith("/explorer#/pacticipants")
    expect(heading(page)).to_be_focused()
    page.get_by_role("button", name="Back").click()
    expect(heading(page)).to_have_text("/")
    page.get_by_role("button", name="Forward").click()
    expect(heading(page)).to_have_text("/pacticipants")
    page.go_back()
    expect(heading(page)).to_have_text("/")


@pytest.mark.slow  # likewise
def test_embedded_resources_unfold_with_their_links(page):
    page.goto(f"/explorer#{SHOP}")
    page.locator("details.resource > summary", has_text="team-checkout").click()
    page.get_by_role("link", name=f"{SHOP}/labels/team-checkout").first.click()
    expect(heading(page)).to_have_text(f"{SHOP}/labels/team-checkout")


def test_a_template_is_filled_in_and_encoded(page):
    page.goto(f"/explorer#{SHOP}")
    page.get_by_role("button", name=re.compile("^Request: pb:version ")).click()
    expect(page.get_by_label("version", exact=True)).to_be_focused()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#explorer-preview")).to_have_text("Fill in version first.")
    page.get_by_label("version", exact=True).fill("2/ä?")
    expect(page.locator("#explorer-preview")).to_have_text(f"{SHOP}/versions/2%2F%C3%A4%3F")
    page.get_by_label("version", exact=True).fill("2")
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text(f"{SHOP}/versions/2")
    expect(page.locator("#explorer-document")).to_contain_text("200 OK")


@pytest.mark.slow  # likewise
def test_parameters_of_the_query_are_offered(page):
    page.goto("/explorer#/pacticipants")
    page.get_by_text("Parameters (").click()
    page.get_by_label("q", exact=True).fill("Web Shop")
    page.get_by_role("button", name="Send").click()
    expect(heading(page)).to_have_text("/pacticipants?q=Web%20Shop")


@pytest.mark.slow  # likewise
def test_the_documentation_of_a_relation_is_shown_beside_it(page):
    page.goto("/explorer")
    page.get_by_role("button", name="About pb:pacticipants", exact=True).click()
    about = page.get_by_role("region", name="Documentation")
    expect(about).to_contain_text("the applications and services that are consumers or providers")
    about.get_by_role("link", name="POST: Create a pacticipant").click()
    page.wait_for_url("**/docs#*")


@pytest.mark.slow  # likewise
def test_a_narrow_screen_shows_the_meaning_below_the_link(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/explorer")
    page.get_by_role("button", name="About pb:pacticipants", exact=True).click()
    expect(page.locator("tr", has=page.locator("#explorer-about"))).to_contain_text("the applications and services")
    page.get_by_role("link", name="/pacticipants", exact=True).click()
    expect(heading(page)).to_have_text("/pacticipants")
    expect(page.locator("#explorer-about")).to_contain_text("the applications and services")


def test_requests_that_write_take_their_body_from_the_openapi_document(page):
    page.goto("/explorer#/environments")
    expect(heading(page)).to_have_text("/environments")
    page.get_by_label("Method").select_option("POST")
    expect(page.get_by_label("Content type")).to_have_value("application/json")
    body = page.get_by_label("Body")
    expect(body).to_have_value(re.compile('"displayName"'))
    body.fill(json.dumps({"name": "explored", "displayName": "Explored", "production": False}))
    body.press("Control+Enter")
    expect(page.locator("#explorer-document")).to_contain_text("201 Created")
    page.get_by_text("It is found here:").get_by_role("link").click()
    expect(page.locator("#explorer-document .tree").first).to_contain_text('name: "explored"')


def test_a_refused_request_is_shown_with_its_reason(page):
    page.goto("/explorer#POST /environments")
    page.get_by_label("Body").fill('{"name": ""}')
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#explorer-document")).to_contain_text("400")
    page.get_by_role("button", name="Unfold").click()
    expect(page.locator("#explorer-answer .tree")).to_contain_text("must be filled")


@pytest.mark.slow  # likewise
def test_methods_that_an_address_does_not_take_cannot_be_chosen(page):
    page.goto("/explorer#/contracts/publish")
    expect(page.get_by_label("Method")).to_have_value("POST")
    assert page.locator("#explorer-method option:disabled").all_inner_texts() == ["GET", "PUT", "PATCH", "DELETE"]


def test_deleting_needs_a_confirmation(site, page):
    Filler(site.address).ask("PUT", f"{SHOP}/labels/short-lived", {})
    page.goto(f"/explorer#DELETE {SHOP}/labels/short-lived")
    expect(page.get_by_label("Method")).to_have_value("DELETE")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#explorer-document")).to_contain_text("Nothing is sent yet")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#explorer-document")).to_contain_text("204 No Content")


@pytest.mark.parametrize(
    "address",
    ["https://example.org/pacticipants", "//example.org/x", "javascript:alert(1)", "https://example.org/{name}"],
)
def test_other_hosts_are_refused_with_a_message(site, page, address):
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(f"/explorer#{address}")
    expect(page.locator("#explorer-document .notice.bad")).to_contain_text("leads to another host")
    assert [url for url in urls if not url.startswith((site.address, "data:"))] == []


def hostile(site) -> str:
    """Publish a pact with malicious links and names; return its path."""
    link = {"href": "javascript:document.title='run'", "title": TRICK, "name": TRICK}
    elsewhere = {"href": "https://example.org/steal", "title": "Elsewhere"}
    content = {
        "interactions": [],
        TRICK: {"__proto__": TRICK},
        "_links": {
            TRICK: link,
            "evil": [elsewhere, None, 7, {"href": 7}],
            "curies": [{"name": "x", "href": "//e.org/{rel}"}],
        },
        "_embedded": {TRICK: [{"name": TRICK, "_links": {"self": link}}, None, [TRICK]], "odd": "text"},
    }
    Filler(site.address).publish("Hostile", "1", "main", "Prey", content)
    return "/pacts/provider/Prey/consumer/Hostile/version/1"


def test_published_markup_is_shown_as_text(site, page):
    path = hostile(site)
    page.goto(f"/explorer#{path}")
    expect(heading(page)).to_have_text(path)
    page.get_by_role("button", name="Unfold").click()
    for fold in page.locator("details.resource > summary").all():
        fold.click()
    expect(page.locator("#explorer-answer .tree")).to_contain_text("<script>")
    assert page.locator("#explorer img, #explorer script").count() == 0
    assert "run" not in page.title()
    hrefs = page.locator("#explorer a").evaluate_all("all => all.map(one => one.href)")
    assert [href for href in hrefs if not href.startswith(site.address)] == []


@pytest.mark.slow  # likewise
def test_an_answer_can_be_copied_as_it_was_sent(site, page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/explorer#{SHOP}")
    page.locator("#explorer-answer").get_by_role("button", name="Copy").click()
    expect(page.locator("#explorer-answer").get_by_role("button", name="Copied")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied["_links"]["self"]["href"] == f"{site.address}{SHOP}"


@pytest.mark.slow  # likewise
def test_headers_and_text_are_shown(page):
    page.goto("/explorer#GET /metrics/prometheus")
    page.get_by_text("Headers (").click()
    expect(page.locator("#explorer-answer")).to_contain_text("x-request-id")
    expect(page.locator("#explorer-answer pre")).to_contain_text("# HELP")


@pytest.mark.slow  # likewise
def test_another_media_type_can_be_requested(page):
    page.goto("/explorer#/matrix?q[][pacticipant]=Web%20Shop")
    page.get_by_label("Response as").select_option("text/plain")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#explorer-answer pre")).to_contain_text("CONSUMER")


def test_a_base_url_with_a_path_is_kept(site, page):
    """Behind a proxy that mounts the broker below a path, links contain that path."""

    def answer(route):
        url = route.request.url.replace(f"{site.address}/mounted", site.address)
        response = route.fetch(url=url)
        text = (
            response.text()
            .replace(site.address, f"{site.address}/mounted")
            .replace('data-home="/"', 'data-home="/mounted/"')
        )
        text = re.sub(r'(data-(?:openapi|docs|doc)|src|href)="/(?!mounted)', r'\1="/mounted/', text)
        route.fulfill(response=response, body=text)

    page.route("**/mounted/**", answer)
    page.goto(f"/mounted/hal-browser/browser.html#{SHOP}")
    expect(heading(page)).to_have_text(SHOP)
    page.get_by_role("link", name=f"{SHOP}/versions").first.click()
    expect(heading(page)).to_have_text(f"{SHOP}/versions")
    assert page.url.endswith(f"#/mounted{SHOP}/versions")
    expect(page.locator("#explorer-document")).to_contain_text("200 OK")
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.slow
def test_below_a_path_with_the_name_of_a_resource_scripts_reach_the_broker(site, tmp_path):
    """With the base path /pacts, `/pacts/provider/…` is a path within the broker, too."""
    address = free_address()
    url, port = f"http://{address}/pacts", address.rpartition(":")[2]
    pact_path = "/pacts/provider/Till/consumer/Web%20Shop/version/1"
    with running(f"sqlite:///{tmp_path}/b.sqlite", "--port", port, "--base-url", url, cwd=tmp_path):
        Filler(url).publish("Web Shop", "1", "main", "Till", {"interactions": []})
        context = browsers.context(site.browser)
        page = context.new_page()
        page.goto(f"{url}{pact_path}")
        page.locator(".actions").get_by_role("link", name="API", exact=True).click()
        expect(heading(page)).to_have_text(pact_path)
        expect(page.locator("#explorer-document")).to_contain_text("200 OK")
        expect(page.locator("#explorer-form [name=path]")).to_have_value(pact_path)
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#explorer-history li")).to_have_count(2)
        expect(heading(page)).to_have_text(pact_path)
        expect(page.locator("#explorer-history")).not_to_contain_text("404")
        page.goto(f"{url}/")
        page.locator("#find").fill("Web")
        expect(page.get_by_role("option").first).to_contain_text("Web Shop")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}/pacticipants/Web%20Shop")
        context.close()


@pytest.mark.slow
def test_it_is_accessible(page):
    faults = []
    for path in (f"/explorer#{SHOP}", "/explorer#POST /contracts/publish", "/explorer#https://example.org/"):
        page.goto(path)
        expect(heading(page)).to_be_visible()
        page.reload()
        expect(heading(page)).to_be_visible()
        faults += [f"{path}: {fault}" for fault in browsers.hurdles_in_both_schemes(page)]
    assert faults == []


@pytest.mark.slow
def test_everything_can_be_read_while_an_answer_is_awaited(page):
    page.goto("/explorer")
    expect(page.locator(".explorer:not([aria-busy])")).to_be_visible()
    page.route("**/environments", lambda _: None)
    page.get_by_role("link", name="/environments", exact=True).click()
    expect(page.locator(".explorer[aria-busy]")).to_be_visible()
    assert browsers.hurdles_in_both_schemes(page) == []


@pytest.mark.slow  # likewise
def test_it_fits_every_width_and_never_complains(site, page):
    faults = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    for path in ("/", SHOP, hostile(site)):
        page.goto(f"/explorer#{path}")
        expect(heading(page)).to_have_text(path)
        page.get_by_role("button", name="Unfold").click()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            faults += [f"{path} is {beyond} pixels too wide at {width}"] if beyond else []
    assert faults == []
