"""The icon of a page is red if the page shows a failure."""

import pytest

from tests.api.client import BASE
from tests.pages.conftest import deploy, uuid_of, verify

RED, BLUE = "%23a8182a", "%230b5c7a"
PAIR = "/pacts/provider/Ledger/consumer/Till"
FAILING = (
    "/",
    "/network",
    f"{PAIR}/version/2",
    f"{PAIR}/version/2/verification-results/latest",
    "/matrix?q[][pacticipant]=Till&q[][version]=2&q[][pacticipant]=Ledger&q[][version]=11",
)
FINE = (
    f"{PAIR}/version/1",
    f"{PAIR}/version/1/verification-results/latest",
    f"{PAIR}/version/3",
    "/matrix?q[][pacticipant]=Till&q[][version]=1&environment=production",
    "/matrix/provider/Ledger/consumer/Till",
    "/environments",
)


def _icon(page):
    (icon,) = [element.attributes["href"] for element in page.all("link") if element.attributes.get("rel") == "icon"]
    return icon


@pytest.mark.parametrize(("paths", "color"), [(FAILING, RED), (FINE, BLUE)], ids=["failing", "fine"])
def test_the_icon_is_red_where_something_failed(history, show, paths, color):
    # The latest pact of the pair is that of a branch, which is not verified yet.
    history.publish("Shop", "1", "Ledger", "thing")
    link = history.get("/pacts/provider/Ledger/consumer/Shop/version/1").link("pb:publish-verification-results")
    assert history.post(link, {"success": False, "providerApplicationVersion": "12"}).status == 201
    assert {path: color in _icon(show(path)) for path in paths} == dict.fromkeys(paths, True)


def test_the_icon_of_an_application_is_red_if_one_of_its_integrations_failed(history, show):
    assert BLUE in _icon(show("/pacticipants/Till"))
    assert history.delete("/pacticipants/Till/versions/3").status == 204
    assert RED in _icon(show("/pacticipants/Till"))
    assert RED in _icon(show("/pacticipants/Ledger"))


def test_the_icon_is_red_for_failed_versions_and_negative_answers(history, show):
    for path in ("/pacticipants/Till/versions/2", "/dashboard/provider/Ledger/consumer/Till"):
        assert RED in _icon(show(path)), path
    assert BLUE in _icon(show("/pacticipants/Till/versions/1"))
    assert BLUE in _icon(show("/pacticipants/Till?version=1"))
    deploy(history, "Ledger", "11", "production")
    assert RED in _icon(show("/pacticipants/Till?version=2&to=production"))


def test_a_pair_that_runs_with_a_failure_has_a_red_icon(history, show):
    assert history.delete("/pacticipants/Till/versions/2").status == 204
    assert BLUE in _icon(show("/dashboard/provider/Ledger/consumer/Till"))
    verify(history, "1", "12", success=False)
    deploy(history, "Ledger", "12", "production")
    assert RED in _icon(show("/dashboard/provider/Ledger/consumer/Till"))


def _title(page):
    return page.text.partition(" · Treaty")[0]


def test_titles_have_the_answer_and_the_icon_agrees(history, show):
    deploy(history, "Till", "2", "test")
    deploy(history, "Ledger", "11", "test")
    webhook = {"events": [{"name": "contract_published"}], "request": {"method": "POST", "url": "https://ci.example"}}
    path = history.post("/webhooks", {**webhook, "description": "Build"}).headers["location"].removeprefix(BASE)
    uuid, production = uuid_of(history, "test"), uuid_of(history, "production")
    expected = {
        "/": ("Overview: 1 problem", RED),
        "/attention": ("What needs attention? 1 problem", RED),
        "/dashboard/provider/Ledger/consumer/Till": ("Till and Ledger: failed in Test", RED),
        "/webhooks": ("Webhooks: none failing", BLUE),
        path: ("Build: enabled", BLUE),
        f"/environments/{uuid}": ("What runs in Test? 2 versions", BLUE),
        f"/environments/{uuid}/what-if": ("What would break in Test?", BLUE),
        f"/environments/{production}/what-if?change=undeploy&pacticipant=Ledger": (
            "What would break in Production? Something",
            RED,
        ),
        "/pacticipants/Ledger/usage?text=thing": ("Who uses Ledger? 1 consumer", BLUE),
        "/pacticipants/Ledger/network": ("Network of Ledger: 1 integration", BLUE),
    }
    pages = {path: show(path) for path in expected}
    titles = {path: (_title(page), RED if RED in _icon(page) else BLUE) for path, page in pages.items()}
    assert titles == expected
