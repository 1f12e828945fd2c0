"""The page of a version: where it runs, its pacts and results, its verified pacts, and its part of the audit trail."""

import pytest

from tests.api.history import History
from tests.pages.web_shop import HEAD, PAGE, PRICES, title

pytestmark = pytest.mark.slow_on_postgresql  # the API runs the same statements, and the lookup has its own tests

VERSION = f"{PAGE}/versions/{HEAD}"


def test_a_consumer_version_has_its_branches_pacts_and_answers(api, show, web_shop):
    api.put(VERSION, {"buildUrl": "https://ci.example.org/builds/17"})
    api.put(f"{VERSION}/tags/rc", {})
    api.put(f"{VERSION}/aliases/merge-7", {})
    web_shop.deploy("web-shop", HEAD, "test")
    page = show(VERSION)
    assert page.status == 200
    assert title(page).startswith("web-shop fad5fb01: yes to Test, no to Production")
    assert f'data-copy="{HEAD}"' in page.answer.text, "a button copies the whole version"
    for words in (
        f"Version {HEAD} Branches Branch: ⎇ main Tags Tag: # rc Created just now Build",
        "Aliases merge-7",
        "Test ● Runs here",
        "Pacts 1",
        "✕ Failed by 99cbebc0",
        "✓ Verified by 2",
        "No verification results published by this version.",
    ):
        assert words in page.text, words
    for link in (
        "https://ci.example.org/builds/17",
        f"/pacticipants/prices/versions/{PRICES}",
        f"/pacts/provider/prices/consumer/web-shop/version/{HEAD}",
        f"{PAGE}?version={HEAD}&to=production#why",
    ):
        assert link in page.links, link


def test_a_provider_version_has_its_verified_pacts(show, web_shop):
    web_shop.deploy("prices", "2", "production")
    page = show(f"/pacticipants/prices/versions/{PRICES}")
    assert "Verified pacts 1" in page.text
    assert "web-shop fad5fb01 Pact of web-shop ✕ Failed" in page.text
    assert "replaced or undeployed just now" in page.text
    assert VERSION in page.links
    assert "No pacts published with this version." in page.text


def test_a_released_version_and_a_contract_are_shown(api, show):
    history = History(api)
    history.version("app", "1")
    history.release("app", "1", "store")
    contract = {
        "pacticipantVersionNumber": "1",
        "contract": {
            "content": "eyJvcGVuYXBpIjoiMy4wLjAiLCJpbmZvIjp7InRpdGxlIjoiYSIsInZlcnNpb24iOiIxIn0sInBhdGhzIjp7fX0=",
            "contentType": "application/json",
            "specification": "oas",
        },
    }
    assert api.post("/provider-contracts/provider/app/publish", contract).status == 200
    page = show("/pacticipants/app/versions/1")
    assert "● Supported" in page.text
    assert "/contracts/bi-directional/provider/app/version/1/provider-contract" in page.links


@pytest.mark.usefixtures("web_shop")
def test_clients_of_the_api_still_get_the_resource(api):
    for accept in ("application/hal+json", "*/*", "application/json"):
        answer = api.get(VERSION, accept=accept)
        assert answer.headers["content-type"].startswith("application/"), accept
        assert answer.json()["number"] == HEAD


@pytest.mark.usefixtures("web_shop")
@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{PAGE}/versions/fad5fb0", 200, f"Version {HEAD}"),
        ("/pacts/provider/prices/consumer/web-shop/version/fad5fb0", 200, "fad5fb01"),
        (f"{PAGE}/versions/fad5fb02", 404, "No version fad5fb02 of web-shop. Did you mean fad5fb01 ?"),
        (f"{PAGE}/versions/zzzzzzzz", 404, "No version zzzzzzzz of web-shop. Its newest version is 0b1c2d3e ."),
        ("/pacts/provider/prices/consumer/web-shop/version/fad5fb02", 404, "Did you mean fad5fb01 ?"),
        ("/pacticipants/nobody/versions/fad5fb0", 404, "No application has the name nobody."),
    ],
)
def test_pages_accept_a_unique_beginning_of_a_version(show, path, status, words):
    page = show(path)
    assert page.status == status
    assert words in page.text


def test_an_ambiguous_beginning_lists_the_versions(show, web_shop):
    other = HEAD[:30] + "0" * 10
    web_shop.version("web-shop", other)
    page = show(f"{PAGE}/versions/fad5fb0")
    assert page.status == 404
    assert "Several versions of web-shop begin with fad5fb0." in page.text
    assert {VERSION, f"{PAGE}/versions/{other}"} <= set(page.links)


def test_an_alias_leads_to_the_page_of_its_version(api, show, web_shop):  # noqa: ARG001 - the fixture
    api.put(f"{VERSION}/aliases/fad5fb", {})
    assert f"Version {HEAD}" in show(f"{PAGE}/versions/fad5fb").text


@pytest.mark.usefixtures("web_shop")
def test_the_audit_trail_of_a_version_has_its_own_events_only(api, show):
    api.put(f"/pacticipants/prices/versions/{HEAD}", {})
    text = show(VERSION).text.partition("Changes of this version")[2]
    assert text.count(" published the pact of ") == 1
    assert " result of " not in text
    assert " published the pact of " not in show(f"/pacticipants/prices/versions/{HEAD}").text


@pytest.mark.usefixtures("web_shop")
def test_versions_on_other_pages_link_to_their_page(show, api, web_shop):
    uuid = web_shop.environments["production"]
    version = f"/pacticipants/prices/versions/{PRICES}"
    pair = "/dashboard/provider/prices/consumer/web-shop"
    for path in (
        "/environments",
        f"/environments/{uuid}",
        f"/environments/{uuid}/history/prices",
        f"/matrix?q[][pacticipant]=web-shop&q[][version]={HEAD}&q[][pacticipant]=prices&latestby=cvpv",
        f"/pacts/provider/prices/consumer/web-shop/version/{HEAD}",
        f"{pair}?view=grid",
        "/pacticipants/prices",
    ):
        assert version in show(path).links, path
    assert api.get(version).status == 200
