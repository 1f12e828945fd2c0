"""Search finds the contents of documents of providers, with the same answers on both databases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from tests.api.contracts import PUBLISH, build, document, publish
from tests.api.history import History
from tests.scale import choose
from treaty.model.usage.documents import MAX_NAMES, DocumentedName, index_document
from treaty.workers.usage import IndexingWorker

if TYPE_CHECKING:
    from tests.api.client import Api
    from treaty.store.engine.database import Database

SHOP = """\
openapi: 3.1.0
info: {title: Price lists, version: 1.0.0}
paths:
  /price-lists/{id}:
    get:
      operationId: findPriceList
      summary: Find the prices of a season
      responses:
        200:
          description: A list
          content: {application/json: {schema: {$ref: '#/components/schemas/PriceList'}}}
components:
  schemas:
    PriceList: {type: object, properties: {validUntil: {type: string}, 注文済み: {type: string}}}
"""
NAMES = ("Prices", "Other%20%3Cb%3E")
EVENTS = """\
asyncapi: 3.0.0
info: {title: Events, version: 1.0.0}
channels: {price-changes: {messages: {changed: {$ref: '#/components/messages/PriceChanged'}}}}
operations:
  publishPrice: {action: send, summary: Say that a price has changed, channel: {$ref: '#/channels/price-changes'}}
components: {messages: {PriceChanged: {payload: {properties: {oldPrice: {type: number}}}}}}
"""


def search(api: Api, words: str) -> list[tuple[str, str]]:
    answer = api.get(f"/usage?{urlencode({'provider': 'Prices', 'text': words})}")
    assert answer.status == 200, answer.text
    return [(result["place"], result["name"]) for result in answer.json()["documented"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("season", [("summary", "Find the prices of a season")]),
        ("price list", [("schema", "PriceList"), ("title", "Price lists"), ("operation", "findPriceList")]),
        ("valid", [("property", "validUntil")]),
        ("UNTIL valid", [("property", "validUntil")]),
        ("文済", [("property", "注文済み")]),
        ("get id", [("operation", "GET /price-lists/{id}")]),
        ("changed", [("message", "PriceChanged"), ("summary", "Say that a price has changed")]),
        ("price-changes", [("channel", "price-changes")]),
        ("old", [("property", "oldPrice")]),
        ("valid season", []),
        ("alid", []),
    ],
)
def test_names_in_documents_are_found_by_their_words(api: Api, words: str, expected: list[tuple[str, str]]) -> None:
    contracts = [
        {"name": "api", **document(SHOP)},
        {"name": "events", **document(EVENTS, specification="asyncapi")},
    ]
    assert api.post(f"{PUBLISH}-contracts", build(contracts=contracts)).status == 200
    results = search(api, words)
    assert results[: len(expected)] == expected
    assert len(results) == len(expected) or words == "price list"


def test_only_documents_in_use_and_the_newest_are_searched(api: Api) -> None:
    for version, name in enumerate(("alpha", "beta", "gamma")):
        assert publish(api, SHOP.replace("validUntil", f"{name}Price"), str(version)).status == 200
    assert [search(api, name) != [] for name in ("alpha", "beta", "gamma")] == [False, False, True]
    History(api).deploy("Prices", "0", "production")
    assert [search(api, name) != [] for name in ("alpha", "beta", "gamma")] == [True, False, True]


def test_the_search_box_finds_documents_of_all_providers(api: Api) -> None:
    assert publish(api, SHOP).status == 200
    other = api.post(PUBLISH.replace("Prices", "Other%20%3Cb%3E"), build(contract=document(SHOP)))
    assert other.status == 200, other.text
    page = api.get("/search?q=season", accept="text/html").text
    assert page.count("Find the prices of a season") == 2
    assert "of Other &lt;b&gt;" in page
    links = [f"/contracts/bi-directional/provider/{name}/version/1/provider-contract" for name in NAMES]
    assert [f'href="{link}"' in page for link in links] == [True, True]
    assert [api.get(link, accept="text/html").status for link in links] == [200, 200]
    assert "Find the prices" not in api.get("/search?q=winter", accept="text/html").text
    usage_page = api.get("/pacticipants/Prices/usage?text=season", accept="text/html").text
    assert "Find the prices of a season" in usage_page
    assert f'href="{links[0]}"' in usage_page


def test_a_result_links_to_the_newest_version_with_the_document(api: Api) -> None:
    for version, source in (("1", SHOP), ("2", SHOP), ("3", SHOP.replace("Find", "List"))):
        assert publish(api, source, version).status == 200
    History(api).deploy("Prices", "1", "production")
    results = api.get("/usage?provider=Prices&text=season").json()["documented"]
    assert results == [
        {"place": "summary", "name": "Find the prices of a season", "version": "2"},
        {"place": "summary", "name": "List the prices of a season", "version": "3"},
    ]


def test_documents_of_an_upgraded_database_are_indexed(api: Api, database: Database) -> None:
    assert publish(api, SHOP).status == 200
    database.write(lambda db: db.execute(text("DELETE FROM document_index")))
    assert search(api, "season") == []
    IndexingWorker(database).step()
    assert search(api, "season") == [("summary", "Find the prices of a season")]


def test_words_of_removed_documents_are_removed(api: Api, database: Database) -> None:
    assert publish(api, SHOP).status == 200
    assert api.delete("/pacticipants/Prices").status == 204
    count = database.read(lambda db: db.execute(text("SELECT count(*) FROM document_index")).scalar_one())
    assert count == 0
    assert publish(api, EVENTS, specification="asyncapi").status == 200
    assert search(api, "season") == []


def test_large_documents_are_published(api: Api) -> None:
    """PostgreSQL refuses to search in more than a megabyte of words."""
    properties: dict[str, object] = {
        f"{number} {'ж' * 190}": {} for number in range(choose(3000, slow=3000, long=9000))
    }
    large = {
        **json.loads('{"openapi": "3.1.0", "paths": {}}'),
        "components": {"schemas": {"A": {"properties": properties}}},
    }
    assert publish(api, json.dumps(large)).status == 200
    assert search(api, "A") == [("schema", "A")]


@pytest.mark.parametrize(
    "content",
    [None, [], {"paths": []}, {"paths": {"/": {"get": 7}}}, {"info": {"title": {}}}, {"definitions": {"": {}}}],
)
def test_any_json_can_be_indexed(content: Any) -> None:
    assert len(index_document(content).names) <= 1


def test_names_are_limited() -> None:
    content: dict[str, object] = {"definitions": {f"A{number}": {} for number in range(2 * MAX_NAMES)}}
    names = index_document(content).names
    assert len(names) == MAX_NAMES
    assert DocumentedName("schema", "A0") in names


def test_names_that_occur_again_do_not_hide_those_after_them() -> None:
    schemas: dict[str, object] = {"A": {"properties": {"id": {}}}, "B": {"properties": {"id": {}, "price": {}}}}
    names = index_document({"components": {"schemas": schemas}}).names
    assert [name.name for name in names if name.place == "property"] == ["id", "price"]
