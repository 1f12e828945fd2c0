"""The page of the audit trail."""

import base64
import re

import pytest

from tests.pages.conftest import BROWSER

pytestmark = pytest.mark.slow_on_postgresql  # tests/api/test_audit.py reads the same on both databases

PAGE = "/settings/audit"


def test_it_shows_events_with_actor_and_changes_newest_first(api, show):
    api.publish("Shop", "1", "Prices", branch="main")
    api.patch("/pacticipants/Shop", {"mainBranch": "trunk"}, headers={"user-agent": "curl/8"})
    text = show(PAGE).text
    assert re.search(r"anonymous changed Shop : main branch .* Before main branch main After main branch trunk", text)
    assert text.index("branch trunk") < text.index("published the pact of Shop 1 with Prices from branch main")
    assert "Sent by curl/8" in text


def test_filters_stand_in_the_address_and_in_the_form(api, show):
    api.publish("Shop", "1", "Prices")
    api.patch("/pacticipants/Till", {})
    page = show(f"{PAGE}?resource=Prices&type=pact_publication")
    assert "1 event on this page" in page.text
    assert [
        element.attributes["value"] for element in page.all("input") if element.attributes.get("name") == "resource"
    ] == ["Prices"]
    assert "/audit/export?resource=Prices&type=pact_publication" in page.links
    assert "No event matches the filter" in show(f"{PAGE}?user=nobody").text


def test_pages_follow_one_another_though_events_are_added(api, show, clock):
    for number in range(120):
        api.patch(f"/pacticipants/App-{number}", {})
    applications, path = [], PAGE
    while path:
        page = show(path)
        applications += re.findall(r"created the application (App-\d+)", page.text)
        older = [link for link in page.all("a") if link.attributes.get("rel") == "next"]
        path = PAGE + (older[0].attributes["href"] or "") if older else ""
        clock.now = clock.now.replace(hour=9)
        api.patch(f"/pacticipants/Later-{len(applications)}", {})
    assert applications == [f"App-{number}" for number in reversed(range(120))]


@pytest.mark.parametrize("sort", ["", "sort=%2Btimestamp"])
def test_pages_lead_back_as_they_led_on(api, show, clock, sort):
    for number in range(120):
        api.patch(f"/pacticipants/App-{number}", {})

    def names(page):
        return re.findall(r"created the application (App-\d+)", page.text)

    def follow(page, relation):
        (link,) = [element for element in page.all("a") if element.attributes.get("rel") == relation]
        return show(PAGE + (link.attributes["href"] or ""))

    first = show(f"{PAGE}?{sort}&type=pacticipant_creation")
    second = follow(first, "next")
    third = follow(second, "next")
    assert [len(names(page)) for page in (first, second, third)] == [50, 50, 20]
    assert 'rel="prev"' not in first.answer.text
    word = "Older" if sort else "Newer"
    assert f">{word}</a>" in third.answer.text
    assert f">{word}</a>" in second.answer.text
    assert names(follow(third, "prev")) == names(second)
    assert names(follow(follow(third, "prev"), "prev")) == names(first)
    clock.now = clock.now.replace(hour=9)
    api.patch("/pacticipants/App-121", {})
    back = follow(second, "prev")
    assert names(back) == names(first)
    if not sort:
        assert names(follow(back, "prev"))[:2] == ["App-121", "App-119"]


def test_denied_requests_are_shown(make_api, show):
    users = {"basic_auth_username": "writer", "basic_auth_password": "w-secret"}
    api = make_api(**users)
    for _ in range(3):
        api.get("/")
    headers = {"authorization": "Basic " + base64.b64encode(b"writer:w-secret").decode()}
    assert "Refused was refused access" in api.get(PAGE, accept=BROWSER, headers=headers).text.replace(
        "</span>", ""
    ).replace('<span class="state failed"><span aria-hidden="true">✕', "")
    assert api.get(PAGE, accept=BROWSER).status == 401
    assert show(PAGE).status == 200


@pytest.mark.parametrize("query", ["since=x", "from=x", "sort=x"])
def test_invalid_parameters_return_400_and_the_reason(show, query):
    page = show(f"{PAGE}?{query}")
    assert page.status == 400
    assert "must be" in page.text


def test_only_users_that_may_read_the_audit_trail_have_a_link_to_it(make_api):
    users = {
        "basic_auth_username": "writer",
        "basic_auth_password": "w-secret",
        "basic_auth_read_only_username": "reader",
        "basic_auth_read_only_password": "r-secret",
    }
    api = make_api(**users)
    for user, is_led in ((b"writer:w-secret", True), (b"reader:r-secret", False)):
        headers = {"authorization": "Basic " + base64.b64encode(user).decode()}
        assert (PAGE in api.get("/settings/account", accept=BROWSER, headers=headers).text) is is_led
    assert api.get(PAGE, accept=BROWSER, headers=headers).status == 403


def test_the_page_of_an_application_has_its_recent_changes_by_the_page(api, show):
    for number in range(11):
        api.publish("Shop", str(number), "Prices")
        api.publish("Till", str(number), "Stock")
    page = show("/pacticipants/Prices")
    assert "Recent changes" in page.text
    assert page.text.count("Anonymous published the pact of Shop") == 10
    assert "Stock" not in page.text.partition("Recent changes")[2]
    assert "/settings/audit?resource=Prices" in page.links
    page = show("/pacticipants/Shop?changes=2")
    assert "?changes=2#changes" in show("/pacticipants/Shop").links
    assert "Newer" in page.text


def test_recent_changes_need_permission_to_read_the_audit_trail(make_api):
    users = {
        "basic_auth_username": "writer",
        "basic_auth_password": "w-secret",
        "basic_auth_read_only_username": "reader",
        "basic_auth_read_only_password": "r-secret",
    }
    api = make_api(**users)
    headers = {"authorization": "Basic " + base64.b64encode(b"writer:w-secret").decode()}
    assert api.put("/pacticipants/Shop/versions/1", {}, headers=headers).status == 201
    for user, is_shown in ((b"writer:w-secret", True), (b"reader:r-secret", False)):
        headers = {"authorization": "Basic " + base64.b64encode(user).decode()}
        text = api.get("/pacticipants/Shop", accept=BROWSER, headers=headers).text
        assert ("Recent changes" in text) is is_shown
