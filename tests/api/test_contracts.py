"""Publishing all pacts of a version together."""

import base64
import json

import pytest

from tests.api.client import publication


def contract(consumer, provider, content=None, **more):
    return {**publication(consumer, "1", provider, content)["contracts"][0], **more}


def request(*contracts, **more):
    return {"pacticipantName": "Shop", "pacticipantVersionNumber": "1", "contracts": list(contracts), **more}


def texts(answer):
    return [notice["text"] for notice in answer.json()["notices"]]


def test_contracts_with_several_providers_are_published_together(api):
    answer = api.post(
        "/contracts/publish", request(contract("Shop", "Prices"), contract("Shop", "Stock"), branch="main")
    )
    assert answer.status == 200
    assert [link["name"] for link in answer.json()["_links"]["pb:contracts"]] == [
        "Pact between Shop (1) and Prices",
        "Pact between Shop (1) and Stock",
    ]
    assert texts(answer)[0] == "Created Shop version 1 with branch main"


def test_the_same_contract_twice_in_a_request_is_published_once(api):
    answer = api.post("/contracts/publish", request(contract("Shop", "Prices"), contract("Shop", "Prices"), branch="b"))
    assert answer.status == 200
    assert "Pact successfully republished for Shop version 1 and provider Prices with no content changes." in texts(
        answer
    )


def test_two_contents_for_one_provider_contradict_each_other(api):
    answer = api.post("/contracts/publish", request(contract("Shop", "Prices", "a"), contract("Shop", "Prices", "b")))
    assert answer.status == 409
    assert answer.json()["errors"]["contracts"][0].startswith(
        "Cannot change the content of the pact for Shop version 1"
    )
    assert api.get("/pacticipants/Shop").status == 404


def test_two_contents_that_are_to_be_merged_are_one_pact(api):
    first, second = contract("Shop", "Prices", "a"), contract("Shop", "Prices", "b", onConflict="merge")
    assert api.post("/contracts/publish", request(first, second)).status == 200
    stored = api.get("/pacts/provider/Prices/consumer/Shop/version/1").json()["interactions"]
    assert [interaction["description"] for interaction in stored] == ["a request for a", "a request for b"]


def test_a_conflict_stores_nothing_and_shows_the_difference(api):
    api.publish("Shop", "1", "Prices", "a")
    answer = api.post(
        "/contracts/publish", request(contract("Shop", "Stock"), contract("Shop", "Prices", "b"), tags=["prod"])
    )
    kinds = [notice["type"] for notice in answer.json()["notices"]]
    assert (answer.status, kinds) == (409, ["error", "info"])
    assert '-      "description": "a request for a"' in texts(answer)[1]
    assert api.get("/pacticipants/Stock").status == 404
    assert api.get("/pacticipants/Shop/versions/1/tags/prod").status == 404


def test_a_difference_that_would_take_long_is_left_out(api):
    large = [{"description": str(number), "filling": list(range(20))} for number in range(9000)]
    changed = [{"description": f"{number}!", "filling": list(range(20, 40))} for number in range(9000)]
    for interactions, status in ((large, 200), (changed, 409)):
        content = base64.b64encode(json.dumps({"interactions": interactions}).encode()).decode()
        answer = api.post(
            "/contracts/publish", request(contract("Shop", "Prices", content=None) | {"content": content})
        )
        assert answer.status == status
    assert texts(answer)[1] == "The difference is too large to be shown."


@pytest.mark.parametrize("way", ["PUT", "PATCH", "POST"])
def test_a_name_like_an_existing_one_can_be_allowed_for_one_request(api, way):
    api.publish("Shop", "1", "Price Service", "a")
    path = "/contracts/publish" if way == "POST" else "/pacts/provider/price-api/consumer/Shop/version/2"
    body = request(contract("Shop", "price-api")) if way == "POST" else {"interactions": []}
    refused = api.request(way, path, body)
    assert refused.status == 409
    assert "`allowSimilarNames=true`" in refused.text
    assert api.request(way, f"{path}?allowSimilarNames=false", body).status == 409
    for invalid in ("=yes", "=", "[]=true", "[a]=1"):
        assert api.request(way, f"{path}?allowSimilarNames{invalid}", body).status == 400
    assert api.request(way, f"{path}?allowSimilarNames=true", body).status in {200, 201}
    assert api.publish("Shop", "3", "prices", "a").status == 409


def test_a_name_like_an_existing_one_is_refused_with_the_way_on(api):
    api.publish("Shop", "1", "Price Service", "a")
    answer = api.publish("Shop", "2", "price-api", "a")
    (text,) = answer.json()["errors"]["contracts"]
    assert answer.status == 409
    assert text.startswith('This is the first time a pact has been published for "price-api".')
    assert "* Price Service" in text
    assert 'pact-broker create-or-update-pacticipant --name "price-api" --broker-base-url http://localhost' in text
    api.post("/pacticipants", {"name": "price-api"})
    assert api.publish("Shop", "2", "price-api", "a").status == 200


def test_changed_content_is_taken_where_the_setting_allows_it(make_api):
    api = make_api(allow_dangerous_contract_modification=True)
    api.publish("Shop", "1", "Prices", "a")
    answer = api.publish("Shop", "1", "Prices", "b")
    assert answer.status == 200
    assert texts(answer)[2].startswith("Pact with changed content published over existing content for Shop version 1")
    stored = api.get("/pacts/provider/Prices/consumer/Shop/version/1").json()
    assert stored["interactions"][0]["description"] == "a request for b"


@pytest.mark.parametrize("body", [{}, {"contracts": []}, {"contracts": [5]}, {"contracts": {}}, {"contracts": None}])
def test_the_response_names_the_missing_fields(api, body):
    answer = api.post("/contracts/publish", body)
    assert answer.status == 400
    assert {"pacticipantName", "pacticipantVersionNumber"} <= answer.json()["errors"].keys()


def test_a_byte_order_mark_in_a_content_is_named(api):
    content = base64.b64encode(b"\xef\xbb\xbf{}").decode()
    answer = api.post("/contracts/publish", request(contract("Shop", "Prices") | {"content": content}))
    assert answer.status == 400
    (text,) = answer.json()["errors"]["contracts"]
    assert text.startswith(
        "content could not be parsed as application/json: the document begins with a byte order mark"
    )


def test_no_contracts_at_all_is_refused(api):
    answer = api.post("/contracts/publish", request())
    assert (answer.status, answer.json()) == (400, {"errors": {"contracts": ["size cannot be less than 1"]}})


def test_the_notices_of_a_publication_have_events_and_next_steps(api):
    first = api.publish("Shop", "1", "Prices", "a", branch="main", tags=["prod", "test"])
    assert texts(first)[0] == "Created Shop version 1 with branch main and tags prod, test"
    assert texts(first)[3] == (
        "  Events detected: contract_published, contract_content_changed"
        " (first time any pact published for this consumer with consumer version tagged prod,"
        " first time any pact published for this consumer with consumer version tagged test)"
    )
    assert texts(first)[-3] == "  Next steps:"
    again = api.publish("Shop", "2", "Prices", "a", branch="main", tags=["prod"])
    assert "and no new tags were applied" in texts(again)[3]


def test_any_json_object_can_be_published_as_a_pact(api):
    assert api.put("/pacts/provider/Prices/consumer/Shop/version/1", {"what": "ever"}).status == 201
    assert api.get("/pacts/provider/Prices/consumer/Shop/version/1").json()["what"] == "ever"


@pytest.mark.parametrize(
    ("contracts", "tags", "errors"),
    [
        (501, 1, {"contracts": ["size cannot be greater than 500"]}),
        (1, 101, {"tags": ["size cannot be greater than 100"]}),
        (
            5000,
            500,
            {"contracts": ["size cannot be greater than 500"], "tags": ["size cannot be greater than 100"]},
        ),
    ],
)
def test_more_contracts_or_tags_than_the_limit_are_refused(api, contracts, tags, errors):
    body = request(*[contract("Shop", "Prices")] * contracts, tags=[f"t{number}" for number in range(tags)])
    refused = api.post("/contracts/publish", body)
    assert (refused.status, refused.json()["errors"]) == (400, errors)
    assert api.get("/pacticipants/Shop").status == 404


@pytest.mark.slow_on_postgresql
def test_as_many_contracts_and_tags_as_the_limit_are_published(api):
    contracts = [contract("Shop", f"Prices{number}x") for number in range(500)]
    tags = [f"t{number}" for number in range(100)]
    assert api.post("/contracts/publish", request(*contracts, tags=tags)).status == 200
    stored = api.get("/pacticipants/Shop/versions/1").json()
    assert len(stored["_embedded"]["tags"]) == 100
    assert len(stored["_links"]["pb:pact-versions"]) == 500


def test_new_content_is_compared_with_the_latest_of_each_tag(api):
    api.publish("Shop", "1", "Prices", "a", tags=["dev", "prod"])
    api.publish("Shop", "2", "Prices", "b", tags=["dev"])
    published = api.publish("Shop", "3", "Prices", "a", tags=["prod", "dev", "new"])
    (reason,) = (text for text in texts(published) if "pact content has changed" in text)
    assert "changed since the last consumer version tagged with dev" in reason
    assert "first time any pact published for this consumer with consumer version tagged new" in reason
    assert "tagged with prod" not in reason
