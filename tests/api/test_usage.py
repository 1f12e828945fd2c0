"""The consumers of an operation, a field, a provider state, or a text of a provider; and the basis of an answer."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.api.client import Api
from tests.api.history import History, q
from tests.api.usage import PROVIDER, consumers, count_rows, interaction, publish, remove_consumer, usage
from treaty.model.maintenance.retention import Retention
from treaty.store.engine.database import Database
from treaty.workers.cleanup import Cleaner
from treaty.workers.usage import IndexingWorker


def test_a_consumer_is_found_by_the_expectations_of_its_pact(api: Api) -> None:
    item = {"sku": "x", "price": 1.5}
    publish(api, "Web Shop", "1", interaction(body={"id": 1, "items": [item]}, providerState="order 12 exists"))
    for criteria in (
        {"operation": "GET /orders/{id}"},
        {"operation": "/orders/:id"},
        {"operation": "GET /orders/99"},
        {"pointer": "/items/*/price"},
        {"pointer": "/items/0/price"},
        {"pointer": "/items/-/price", "part": "response"},
        {"pointer": "/items"},
        {"field": "price"},
        {"field": "page"},
        {"field": "ACCEPT"},
        {"state": "order 12 exists"},
        {"text": "order exists"},
        {"operation": "GET /orders/1", "field": "sku"},
    ):
        assert consumers(api, **criteria) == ["Web Shop"], criteria
    for criteria in (
        {"operation": "POST /orders/{id}"},
        {"operation": "GET /orders"},
        {"operation": "GET /orders/new"},
        {"pointer": "/price"},
        {"pointer": "/items/*/price", "part": "request"},
        {"field": "Price"},
        {"state": "order 13 exists"},
        {"text": "invoice"},
        {"operation": "GET /invoices/1", "field": "sku"},
    ):
        answer = usage(api, **criteria)
        assert answer["verdict"] == "unused", criteria
        assert answer["_embedded"]["consumers"] == []


def test_a_field_of_many_interactions_is_found_where_it_is(api: Api) -> None:
    """Where many interactions have the terms, consumers are found by their first one."""
    many = [interaction(f"/a{number}", {"id": number, "name": "x"}) for number in range(80)]
    publish(api, "Web Shop", "1", interaction("/b", {"other": 1}), *many)
    publish(api, "Till", "1", interaction("/b", {"other": 1}))
    publish(api, "Map", "1", *many[:3])
    for criteria in ({"field": "id"}, {"text": "name"}, {"operation": "GET /{x}", "field": "name"}):
        answer = usage(api, **criteria)
        counts = [(each["name"], each["interactionCount"]) for each in answer["_embedded"]["consumers"]]
        assert counts == [("Map", 3), ("Web Shop", 80)]
        assert [len(each["interactions"]) for each in answer["_embedded"]["consumers"]] == [3, 20]
    assert consumers(api, operation="GET /{x}") == ["Map", "Till", "Web Shop"]
    assert consumers(api, operation="GET /{x}", field="other") == ["Till", "Web Shop"]


def test_former_consumers_of_a_field_of_many_interactions_are_named(api: Api) -> None:
    many = [interaction(f"/a{number}", {"id": number}) for number in range(120)]
    publish(api, "Web Shop", "1", *many)
    for consumer in ("Till", "Map"):
        publish(api, consumer, "1", interaction("/b", {"id": 1}))
        publish(api, consumer, "2", interaction("/b", {"other": 1}))
    publish(api, "Print", "1", interaction("/b", {"other": 1}))
    answer = usage(api, field="id")
    assert [consumer["name"] for consumer in answer["_embedded"]["consumers"]] == ["Web Shop"]
    assert answer["formerConsumers"] == [{"consumer": name, "version": "1"} for name in ("Map", "Till")]


def test_an_answer_has_the_strictness_of_each_expectation(api: Api) -> None:
    rules = {
        "body": {
            "$.items": {"matchers": [{"match": "type", "min": 1}]},
            "$.items[*].sku": {"matchers": [{"match": "regex", "regex": "[a-z]+"}]},
            "$.at": {"matchers": [{"match": "timestamp", "timestamp": "yyyy"}]},
            "$.note": {"matchers": [{"match": "include", "value": "x"}, {"match": "null"}], "combine": "OR"},
        }
    }
    body = {"id": 1, "at": "2024", "note": "x", "items": [{"sku": "x", "price": 1.5}]}
    publish(api, "Web Shop", "1", interaction(response={"status": 200, "body": body, "matchingRules": rules}))
    expected = {
        "/id": ("exact", "exactly this value"),
        "/at": ("format", "any date or time of this format"),
        "/note": ("contains", "must contain a text"),
        "/items": ("type", "any value of this type"),
        "/items/*/sku": ("regex", "must match a pattern"),
        "/items/*/price": ("type", "any value of this type"),
    }
    for pointer, (strictness, meaning) in expected.items():
        (consumer,) = usage(api, pointer=pointer)["_embedded"]["consumers"]
        (used_interaction,) = consumer["interactions"]
        assert used_interaction["operation"] == "GET /orders/{id}"
        assert used_interaction["expectations"] == [
            {"place": "response.body", "name": pointer, "strictness": strictness, "meaning": meaning}
        ]


def test_versions_in_environments_and_on_the_main_branch_are_listed(api: Api) -> None:
    history = History(api)
    for version, fields in (("1", {"old": 1}), ("2", {"old": 1, "new": 1}), ("3", {"new": 1})):
        publish(api, "Web Shop", version, interaction(body=fields))
    history.branch("Web Shop", "2", "main")
    history.branch("Web Shop", "3", "feat/x")
    api.patch("/pacticipants/Web%20Shop", {"mainBranch": "main"})
    history.deploy("Web Shop", "1", "production")
    history.release("Web Shop", "2", "test")
    (consumer,) = usage(api, field="old")["_embedded"]["consumers"]
    assert consumer["versions"] == [
        {"number": "1", "environments": ["production"], "isOnMainBranch": False, "isLatest": False},
        {"number": "2", "environments": ["test"], "isOnMainBranch": True, "isLatest": False},
    ]
    (consumer,) = usage(api, field="new")["_embedded"]["consumers"]
    assert [version["number"] for version in consumer["versions"]] == ["2", "3"]
    assert consumer["versions"][1]["isLatest"]


def test_a_field_that_only_old_versions_use_is_not_used_but_named(api: Api) -> None:
    publish(api, "Web Shop", "1", interaction(body={"old": 1}))
    publish(api, "Web Shop", "2", interaction(body={"new": 1}))
    answer = usage(api, field="old")
    assert answer["verdict"] == "unused"
    assert answer["formerConsumers"] == [{"consumer": "Web Shop", "version": "1"}]
    assert answer["summary"] == (
        "No consumer uses the field old of Orders API, according to 1 pact in use. "
        "Versions that are not in use any more did: Web Shop 1."
    )


def test_an_answer_has_its_basis(api: Api) -> None:
    publish(api, "Web Shop", "1", interaction(body={"id": 1}))
    publish(api, "Web Shop", "2", interaction(body={"id": 1}), extra="metadata")
    publish(api, "Till", "1", interaction(body={"name": 1}))
    path = f"/pacts/provider/{q(PROVIDER)}/consumer/Till/version/1"
    assert api.delete(path).status == 200
    answer = usage(api, field="name")
    assert answer["verdict"] == "unused"
    assert answer["basis"] == {
        "isComplete": True,
        "pactsInUse": 1,
        "contents": 2,
        "indexedContents": 2,
        "waitingPacts": [],
        "truncatedPacts": [],
        "consumersWithoutPacts": ["Till"],
    }
    assert "Without a pact, and therefore not covered: Till." in answer["summary"]


def test_a_misspelt_name_is_answered_with_a_suggestion(api: Api) -> None:
    publish(api, "Web Shop", "1", interaction(body={"customerId": 1}, providerState="order 12 exists"))
    assert usage(api, field="customerid")["suggestions"] == ["customerId"]
    assert usage(api, pointer="/customer_id")["suggestions"] == ["/customerId"]
    assert usage(api, state="order 12 exist")["suggestions"] == ["order 12 exists"]
    assert usage(api, operation="GET /order/{id}")["suggestions"] == ["GET /orders/{id}"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("field=x", "provider"),
        ("provider=Orders%20API", "at least one of operation, pointer, field, state and text"),
        ("provider=Orders%20API&operation=orders", "GET /orders/{id}"),
        ("provider=Orders%20API&pointer=items", "begins with a slash"),
        ("provider=Orders%20API&text=%22-%22", "a letter or a digit"),
        ("provider=Orders%20API&field=x&part=reply", "request, response, message"),
        ("provider=Orders%20API&field=x&operation=", "cannot be blank"),
    ],
)
def test_a_query_that_cannot_be_answered_is_explained(api: Api, query: str, message: str) -> None:
    publish(api, "Web Shop", "1", interaction())
    answer = api.get(f"/usage?{query}")
    assert answer.status == 400
    assert message in answer.text


def test_an_unknown_provider_is_not_taken_for_an_unused_one(api: Api) -> None:
    assert api.get("/usage?provider=Nobody&field=x").status == 404
    assert api.get("/usage/operations?provider=Nobody").status == 404


def test_consumers_are_paged(api: Api) -> None:
    for name in ("a", "B", "c"):
        publish(api, name, "1", interaction(body={"id": 1}))
    first = usage(api, field="id", size=2)
    assert first["page"]["totalElements"] == 3
    assert [consumer["name"] for consumer in first["_embedded"]["consumers"]] == ["a", "B"]
    second = api.get(first["_links"]["next"]["href"]).json()
    assert [consumer["name"] for consumer in second["_embedded"]["consumers"]] == ["c"]
    assert api.get(second["_links"]["previous"]["href"]).json()["_embedded"] == first["_embedded"]


def test_messages_of_all_versions_are_found(api: Api) -> None:
    rules = {"body": {"$.total": {"matchers": [{"match": "decimal"}]}}}
    content = {
        "consumer": {"name": "Mailer"},
        "provider": {"name": PROVIDER},
        "messages": [
            {
                "description": "an order was placed",
                "contents": {"total": 1.5},
                "metaData": {"topic": "orders"},
                "matchingRules": rules,
            }
        ],
    }
    answer = api.put(f"/pacts/provider/{q(PROVIDER)}/consumer/Mailer/version/1", content)
    assert answer.status == 201
    synchronous = {
        "type": "Synchronous/Messages",
        "description": "find an order",
        "request": {"contents": {"content": {"orderId": 1}, "contentType": "application/json"}},
        "response": [{"contents": {"content": {"total": 2}, "contentType": "application/json"}}],
        "pluginConfiguration": {"protobuf": {"service": ".shop.Orders/Find"}},
    }
    publish(api, "Web Shop", "1", synchronous)
    assert consumers(api, field="total") == ["Mailer", "Web Shop"]
    assert consumers(api, field="topic") == ["Mailer"]
    assert consumers(api, pointer="/total", part="message") == ["Mailer"]
    assert consumers(api, pointer="/total", part="response") == ["Web Shop"]
    assert consumers(api, text="orders find") == ["Web Shop"]
    (mailer,) = usage(api, text="placed")["_embedded"]["consumers"]
    assert mailer["interactions"][0]["kind"] == "Message"
    operations = api.get(f"/usage/operations?provider={q(PROVIDER)}").json()["operations"]
    assert [(item["kind"], item.get("method"), item["path"]) for item in operations] == [
        ("message", None, "Orders/Find"),
        ("message", None, "an order was placed"),
    ]


def test_operations_are_listed_by_path_with_their_consumers(api: Api) -> None:
    publish(api, "Web Shop", "1", interaction("/orders/1"), interaction("/items", description="all items"))
    publish(api, "Till", "1", interaction("/orders/2"), interaction("/orders/2", description="another"))
    answer = api.get(f"/usage/operations?provider={q(PROVIDER)}").json()
    assert answer["operations"] == [
        {
            "kind": "operation",
            "method": "GET",
            "path": "/items",
            "consumers": ["Web Shop"],
            "interactions": [{"description": "all items", "consumers": ["Web Shop"]}],
        },
        {
            "kind": "operation",
            "method": "GET",
            "path": "/orders/{id}",
            "consumers": ["Till", "Web Shop"],
            "interactions": [
                {"description": "a request for an order", "consumers": ["Till", "Web Shop"]},
                {"description": "another", "consumers": ["Till"]},
            ],
        },
    ]


# Keeping the index in step with the pacts


def count_words(database: Database) -> int:
    """The terms that a search for the beginning of any word finds."""
    if database.engine.dialect.name != "sqlite":
        return count_rows(database)["usage_term"]
    statement = "SELECT count(*) FROM usage_text WHERE usage_text MATCH 'o*'"
    count: int = database.read(lambda db: db.execute(text(statement)).scalar_one())
    return count


def test_versions_with_the_same_content_cost_nothing(api: Api, database: Database) -> None:
    publish(api, "Web Shop", "1", interaction())
    rows = count_rows(database)
    for version in ("2", "3"):
        publish(api, "Web Shop", version, interaction())
    assert count_rows(database) == rows


def test_interactions_that_differ_in_examples_only_are_stored_once(api: Api, database: Database) -> None:
    publish(api, "Web Shop", "1", interaction("/orders/1", {"id": 1, "name": "x"}))
    rows = count_rows(database)
    publish(api, "Web Shop", "2", interaction("/orders/2", {"id": 2, "name": "y"}))
    assert count_rows(database) == {**rows, "usage_occurrence": 2, "usage_content": 2}


def remove_integration(api: Api) -> None:
    assert api.delete(f"/integrations/provider/{q(PROVIDER)}/consumer/Web%20Shop").status == 204


def remove_provider(api: Api) -> None:
    assert api.delete(f"/pacticipants/{q(PROVIDER)}").status == 204


def remove_everything(api: Api) -> None:
    assert api.delete("/integrations").status == 204


@pytest.mark.parametrize("remove", [remove_integration, remove_consumer, remove_provider, remove_everything])
def test_entries_vanish_with_the_contents(api: Api, database: Database, remove: Any) -> None:
    publish(api, "Web Shop", "1", interaction(), interaction("/a", {"b": [{"c": 1}]}, providerState="s"))
    assert count_words(database) > 0
    remove(api)
    assert set(count_rows(database).values()) == {0}
    assert count_words(database) == 0


def test_entries_of_other_consumers_stay(api: Api) -> None:
    publish(api, "Web Shop", "1", interaction(body={"id": 1, "name": 1}))
    publish(api, "Till", "1", interaction(body={"id": 1}))
    remove_consumer(api)
    assert consumers(api, field="id") == ["Till"]
    assert usage(api, field="name")["verdict"] == "unused"


def test_entries_follow_a_new_name(api: Api) -> None:
    publish(api, "Web Shop", "1", interaction(body={"id": 1}))
    assert api.post("/pacticipants/Web%20Shop/rename", {"name": "Storefront"}).status == 200
    assert consumers(api, field="id") == ["Storefront"]


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (2, "The pacts of Shop 0 1, Shop 1 2 are"),
        (6, "The pacts of Shop 0 1, Shop 1 2, Shop 2 3, Shop 3 4, Shop 4 5 and 1 more are"),
    ],
)
def test_an_answer_names_the_pacts_that_are_not_indexed_yet(
    api: Api, number: int, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treaty.actions.usage.MAX_INLINE_BYTES", 0)
    for index in range(number):
        publish(api, f"Shop {index}", str(index + 1), interaction(body={"id": 1}))
    assert f"{names} not indexed yet; ask again in a moment." in usage(api, field="id")["summary"]


def test_a_large_pact_is_not_taken_for_one_without_expectations(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treaty.actions.usage.MAX_INLINE_BYTES", 100)
    publish(api, "Web Shop", "1", *(interaction(f"/a{number}", {f"f{number}": 1}) for number in range(60)))
    answer = usage(api, field="f7")
    assert answer["verdict"] == "unknown"
    assert answer["basis"]["waitingPacts"] == [{"consumer": "Web Shop", "version": "1"}]
    assert not answer["basis"]["isComplete"]
    assert answer["summary"] == (
        "It is not known whether a consumer uses the field f7 of Orders API. "
        "The pact of Web Shop 1 is not indexed yet; ask again in a moment."
    )
    assert IndexingWorker(database).index_all() == 1
    assert consumers(api, field="f7") == consumers(api, field="f59") == ["Web Shop"]
    assert usage(api, field="f60")["verdict"] == "unused"
    assert usage(api, field="f60")["basis"]["isComplete"]


def test_a_pact_that_is_too_large_to_be_indexed_completely_is_named(api: Api) -> None:
    publish(api, "Web Shop", "1", interaction(body={str(number): 1 for number in range(5500)}))
    answer = usage(api, field="5499")
    assert answer["verdict"] == "unknown"
    assert "too large to be indexed completely" in answer["summary"]


def test_the_clean_up_removes_entries_with_their_contents(api: Api, database: Database) -> None:
    publish(api, "Web Shop", "1", interaction(body={"kept": 1}), interaction("/a", {"gone": 1}))
    publish(api, "Web Shop", "2", interaction(body={"kept": 1}))
    rows = count_rows(database)
    assert api.delete("/pacticipants/Web%20Shop/versions/1").status == 204
    Cleaner(database, Retention(), pause=lambda _: False).clean()
    assert count_rows(database)["usage_content"] == 1
    assert count_rows(database)["usage_interaction"] == rows["usage_interaction"] - 1
    assert usage(api, field="gone")["suggestions"] == []
    assert usage(api, field="gone")["basis"]["contents"] == 1
    assert consumers(api, field="kept") == ["Web Shop"]
