"""The page of the expectations of a provider's consumers, and the search in contents of pacts."""

from urllib.parse import quote

import pytest

from tests.api.usage import PROVIDER, interaction, publish

pytestmark = pytest.mark.slow_on_postgresql  # tests/api/test_usage.py reads the same on both databases

PAGE = f"/pacticipants/{quote(PROVIDER)}/usage"


@pytest.fixture
def shop(api):
    publish(api, "Web Shop", "1", interaction(body={"items": [{"price": 1}]}, providerState="order 12 exists"))
    publish(api, "Till", "1", interaction("/orders/5", {"total": 1}))
    return api


@pytest.mark.usefixtures("shop")
def test_operations_are_listed_with_their_consumers(show):
    page = show(PAGE)
    assert "GET /orders/{id} a request for an order Till Web Shop" in page.text
    assert f"{PAGE}?operation=GET+%2Forders%2F%7Bid%7D" in page.links
    assert PAGE in show(f"/pacticipants/{quote(PROVIDER)}").links


@pytest.mark.usefixtures("shop")
def test_a_query_shows_consumers_versions_and_expectations(show):
    page = show(f"{PAGE}?operation=&field=price&pointer=&part=&state=&text=")
    assert "1 consumer uses the field price of Orders API, according to 2 pacts in use." in page.text
    assert "response body /items/*/price: exactly this value" in page.text
    assert page.field("field")["value"] == "price"
    version = f"/pacts/provider/{quote(PROVIDER)}/consumer/Web%20Shop/version/1"
    assert version in page.links
    assert f"{version}?q=a%20request%20for%20an%20order" in page.links


@pytest.mark.usefixtures("shop")
def test_an_unused_field_is_shown_as_unused_with_a_suggestion(show):
    page = show(f"{PAGE}?field=prise")
    assert "No consumer uses the field prise of Orders API, according to 2 pacts in use." in page.text
    assert f"{PAGE}?text=price" in page.links


@pytest.mark.usefixtures("shop")
def test_a_wrong_query_is_explained_beside_the_list(show):
    page = show(f"{PAGE}?pointer=items")
    assert "JSON pointer, which begins with a slash" in page.text
    assert "GET /orders/{id}" in page.text


def test_the_search_finds_contents_of_pacts_and_names(shop, show):
    api = shop
    for path in ("branches/feat%2FnewPrices/versions/1", "labels/front-end"):
        assert api.put(f"/pacticipants/Till/{path}", {}).status in {200, 201}
    request = {"method": "POST", "url": "https://ci.example.org"}
    webhook = {"description": "Verify prices", "events": [{"name": "contract_published"}], "request": request}
    uuid = api.post("/webhooks", webhook).json()["uuid"]
    prices = show("/search?q=price").links
    assert f"{PAGE}?pointer=%2Fitems%2F%2A%2Fprice&part=response" in prices
    assert f"/webhooks/{uuid}" in prices
    assert "/pacticipants/Till?branch=feat/newPrices#versions" in show("/search?q=new+pric").links
    assert "/?label=front-end" in show("/search?q=end").links
    assert f"{PAGE}?state=order+12+exists" in show("/search?q=order+12").links
    assert f"{PAGE}?operation=GET+%2Forders%2F%7Bid%7D" in show("/search?q=get+/orders").links
    assert not [link for link in show("/search?q=price&suggest=yes").links if link.startswith(PAGE)]
