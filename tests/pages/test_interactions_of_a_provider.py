"""All interactions that consumers expect of a provider: by path, searched, with the consumers of each."""

from urllib.parse import quote

import pytest

from tests.api.usage import PROVIDER, interaction, publish
from tests.pages.conftest import deploy
from treaty.web.pages.interactions import MAX_INTERACTIONS, PAGE_SIZE

PATH = f"/pacticipants/{quote(PROVIDER)}"
PAGE = f"{PATH}/interactions"


def _pact(consumer, version):
    return f"/pacts/provider/{quote(PROVIDER)}/consumer/{quote(consumer)}/version/{version}"


@pytest.fixture
def shop(api):
    """Two consumers of an operation, a message, and an interaction that only a deployed version has."""
    assert api.post("/environments", {"name": "test", "displayName": "Test", "production": False}).status == 201
    cancel = {
        "description": "a cancellation",
        "request": {"method": "DELETE", "path": "/orders/7"},
        "response": {"status": 204},
    }
    publish(api, "Web Shop", "1", interaction(), cancel)
    deploy(api, "Web Shop", "1", "test")
    publish(api, "Web Shop", "2", interaction(providerState="order 12 exists"))
    publish(api, "Till", "5", interaction("/orders/5", {"total": 1}), interaction("/prices", description="all prices"))
    content = {"messages": [{"description": "an order was shipped", "contents": {"id": 1}}]}
    assert api.put(_pact("Mailer", "3"), content).status == 201
    return api


@pytest.mark.usefixtures("shop")
def test_interactions_are_grouped_by_path_with_the_consumers_of_each(show):
    page = show(PAGE)
    assert page.text.startswith("What 3 consumers expect of Orders API: 4 operations ·")
    order = ["/orders/{id}", "DELETE a cancellation", "GET a request for an order", "/prices", "GET all prices"]
    positions = [page.text.index(text) for text in order]
    assert positions == sorted(positions)
    assert page.text.count("a request for an order") == 1
    assert "DELETE a cancellation Web Shop 1 of Web Shop Environment: Test" in page.text
    assert "Till 5" in page.text
    assert "an order was shipped" in page.text
    assert f"{_pact('Till', '5')}?q=all%20prices" in page.links


@pytest.mark.usefixtures("shop")
def test_the_pages_of_the_application_lead_to_them(show):
    assert PAGE in show(PATH).links


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("query", "shown", "lost"),
    [
        ("prices", ["all prices"], ["a cancellation", "a request"]),
        ("/orders", ["a cancellation", "a request for an order"], ["all prices"]),
        ("DELETE", ["a cancellation"], ["a request", "all prices"]),
        ("SHIPPED", ["an order was shipped"], ["all prices"]),
        ("till", ["all prices", "a request for an order Till 5"], ["Web Shop", "a cancellation"]),
        ("order exists", ["a request for an order Web Shop 2"], ["Till 5", "Environment: Test", "all prices"]),
        ("total", ["a request for an order Till 5"], ["Web Shop 2", "all prices"]),
    ],
)
def test_a_search_finds_paths_descriptions_fields_states_and_consumers(show, query, shown, lost):
    page = show(f"{PAGE}?q={quote(query)}")
    assert page.values("q")[-1] == query
    listed = page.text.partition("Show all")[2]
    assert [text for text in shown if text not in listed] == []
    assert [text for text in lost if text in listed] == []


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("query", ["nothing like it", "%", "<b>"])
def test_a_search_without_a_match_has_a_message(show, query):
    page = show(f"{PAGE}?q={quote(query)}")
    assert f"No interaction contains “{query}”." in page.text
    assert not page.all("b")


def test_many_operations_and_interactions_are_paged(api, show):
    many = [interaction(f"/things/a{number:03}", description=f"thing {number}") for number in range(PAGE_SIZE + 5)]
    same = [interaction("/aaa", {f"field{number}": 1}, description=f"one {number:03}") for number in range(30)]
    publish(api, "Web Shop", "1", *many, *same)
    first, second = show(PAGE), show(f"{PAGE}?page=2")
    assert f"1-{PAGE_SIZE} of {PAGE_SIZE + 6} operations" in first.text
    assert first.text.count("GET one") == MAX_INTERACTIONS
    (link,) = [link for link in first.links if "operation=" in link]
    assert "All 30 interactions of GET /aaa" in first.text
    assert show(link).text.count("GET one") == 30
    assert f"thing {PAGE_SIZE + 4}" in second.text


def test_a_provider_without_pacts_has_a_message_and_an_unknown_one_returns_404(api, show):
    assert api.post("/pacticipants", {"name": "Lonely"}).status == 201
    assert "No pact in use has an interaction with Lonely." in show("/pacticipants/Lonely/interactions").text
    assert show("/pacticipants/Nobody/interactions").status == 404
