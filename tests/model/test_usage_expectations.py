"""The expectations of a pact, in every version of the specification, and of JSON that is not a pact."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.model.pacts.documents import parse_document
from treaty.model.usage import expectations as expectations_module
from treaty.model.usage.expectations import (
    MAX_NAME_LENGTH,
    MAX_VALUES,
    DigestCache,
    Place,
    field_of,
    index_content,
    index_document,
    index_tree,
)
from treaty.model.usage.operations import OperationQuery, generalize_path
from treaty.model.usage.strictness import Strictness


def expectations(*interactions: Any, **members: Any) -> dict[tuple[str, str], str]:
    indexed = index_content(json.dumps({"interactions": interactions, **members}).encode())
    return {
        (place.value, name): strictness.label
        for interaction in indexed.interactions.values()
        for (place, name), strictness in interaction.expectations.items()
        if place is not Place.DESCRIPTION
    }


V2 = {
    "providerState": "a state",
    "request": {
        "method": "post",
        "path": "/users/alice",
        "query": "page=1&page=2&q=x",
        "headers": {"X-Id": "1"},
        "body": {"name": "x", "tags": ["a"]},
        "matchingRules": {
            "$.path": {"match": "regex", "regex": "^/users/[a-z]+$"},
            "$.query.page[0]": {"match": "type"},
            "$.headers.x-id": {"regex": "[0-9]+"},
            "$.body.tags": {"min": 1},
            "$.body.tags[*].*": {"match": "type"},
        },
    },
    "response": {"status": 200, "body": [{"id": 1}], "matchingRules": {"$.body": {"match": "type"}}},
}
EXPECTED_OF_V2 = {
    ("state", "a state"): "exact",
    ("operation", "POST /users/{any}"): "regex",
    ("request.query", "page"): "type",
    ("request.query", "q"): "exact",
    ("request.header", "x-id"): "regex",
    ("request.body", ""): "type",
    ("request.body", "/name"): "exact",
    ("request.body", "/tags"): "type",
    ("request.body", "/tags/*"): "type",
    ("response.body", ""): "type",
    ("response.body", "/*"): "type",
    ("response.body", "/*/id"): "type",
}
V4 = {
    "type": "Synchronous/HTTP",
    "providerStates": [{"name": "a"}, {"name": "b", "params": {"n": 1}}],
    "request": {"method": "GET", "path": "/a/4711", "query": {"page": ["1"]}},
    "response": {
        "status": 200,
        "headers": {"Content-Type": ["application/json"]},
        "body": {
            "contentType": "application/json",
            "encoded": False,
            "content": {"prices": {"GBP": {"at": "x"}}, "kinds": [{"a": 1}, {"b": 2}], "same": {"x": 1}, "a/b~": None},
        },
        "matchingRules": {
            "header": {"content-type": {"matchers": [{"match": "include", "value": "json"}], "combine": "AND"}},
            "body": {
                "$": {"matchers": [{"match": "type"}]},
                "$.prices": {"matchers": [{"match": "eachValue", "rules": []}]},
                "$.prices.*.at": {"matchers": [{"match": "date", "format": "yyyy"}]},
                "$.kinds": {
                    "matchers": [
                        {
                            "match": "arrayContains",
                            "variants": [
                                {"index": 0, "rules": {"$.a": {"matchers": [{"match": "integer"}]}}},
                                {"index": 1, "rules": {}},
                            ],
                        }
                    ]
                },
                "$.same": {"matchers": [{"match": "equality"}]},
                "$['a/b~']": {"matchers": [{"match": "notEmpty"}]},
            },
        },
    },
}
EXPECTED_OF_V4 = {
    ("state", "a"): "exact",
    ("state", "b"): "exact",
    ("operation", "GET /a/{id}"): "exact",
    ("request.query", "page"): "exact",
    ("response.header", "content-type"): "contains",
    ("response.body", ""): "type",
    ("response.body", "/prices"): "type",
    ("response.body", "/prices/{key}"): "type",
    ("response.body", "/prices/{key}/at"): "format",
    ("response.body", "/kinds"): "type",
    ("response.body", "/kinds/*"): "type",
    ("response.body", "/kinds/*/a"): "type",
    ("response.body", "/kinds/*/b"): "exact",
    ("response.body", "/same"): "exact",
    ("response.body", "/same/x"): "exact",
    ("response.body", "/a~1b~0"): "presence",
}


@pytest.mark.parametrize(("interaction", "expected"), [(V2, EXPECTED_OF_V2), (V4, EXPECTED_OF_V4)])
def test_expectations_are_read_in_the_formats_of_all_versions(
    interaction: dict[str, Any], expected: dict[tuple[str, str], str]
) -> None:
    assert expectations(interaction) == expected


def test_of_several_expectations_for_one_name_the_strictest_counts() -> None:
    rules = {"body": {"$[0].a": {"matchers": [{"match": "type"}]}}}
    response = {"body": [{"a": 1}, {"a": 2}], "matchingRules": rules}
    assert expectations({"response": response})["response.body", "/*/a"] == "exact"


def test_alternatives_count_by_the_loosest_and_combinations_by_the_strictest() -> None:
    matchers = [{"match": "type"}, {"match": "regex", "regex": "x"}]
    for combine, label in (("OR", "type"), ("or", "type"), ("AND", "regex"), ("XOR", "regex"), (None, "regex")):
        rules = {"body": {"$.a": {"matchers": matchers, "combine": combine}}}
        response = {"body": {"a": "x"}, "matchingRules": rules}
        assert expectations({"response": response})["response.body", "/a"] == label


def test_interactions_that_differ_in_examples_only_are_equal() -> None:
    pacts = [
        {"interactions": [{"request": {"path": f"/a/{number}"}, "response": {"body": {"at": f"{number}"}}}]}
        for number in (1, 2)
    ]
    first, second = (index_content(json.dumps(pact).encode()) for pact in pacts)
    assert first == second


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *("description", "providerState", "providerStates", "name", "request", "response", "method", "path", "query"),
        *("headers", "body", "contents", "content", "contentType", "encoded", "metadata", "matchingRules", "header"),
        *("$.body", "$.body.a[*]", "$", "matchers", "match", "regex", "combine", "variants", "index", "rules", "type"),
        *("pluginConfiguration", "service"),
    ]
)
ODD_PARTS = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)


@given(ODD_PARTS, st.sampled_from(["Synchronous/HTTP", "Asynchronous/Messages", "Synchronous/Messages", None, 1]))
def test_any_json_is_indexed_without_an_error(part: Any, kind: Any) -> None:
    item = {"type": kind, **part} if isinstance(part, dict) else part
    pact = {"interactions": [item, {"type": kind, "request": part, "response": part}], "messages": [item]}
    indexed = index_content(json.dumps(pact).encode())
    for interaction in indexed.interactions.values():
        for (_, name), strictness in interaction.expectations.items():
            assert len(name) <= MAX_NAME_LENGTH
            assert strictness in Strictness
            assert "\0" not in name
            name.encode()  # raises for a lone surrogate, which no database stores


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"null", b'"x"', b'{"interactions": 1}', b'{"interactions": [1, null, []]}', b"\xff"],
)
def test_content_that_is_not_a_pact_has_no_expectations(body: bytes) -> None:
    assert not index_content(body).interactions


def test_a_cached_digest_changes_no_expectation() -> None:
    """The second time, digests are cached, and expectations are extracted when they are accessed."""
    large = {"response": {"body": [{"a": 1}] * 10_000}}
    request: Any = V2["request"]
    pacts = [
        {"interactions": [V2, V4, V2], "messages": [V4]},
        # Differs from the first one in the list that contains the interaction, and in an example value.
        {"messages": [V2], "interactions": [{**V2, "request": {**request, "path": "/users/bob"}}]},
        {"interactions": [V2, large]},
        {"interactions": [{**V2, "description": "\ud800"}, {**V2, "description": 10**30}]},
    ]
    cache = DigestCache(100)
    for pact in pacts * 2:
        document = parse_document(json.dumps(pact).encode())
        indexed, expected = index_document(document, cache), index_tree(document.tree)
        assert dict(indexed.interactions) == dict(expected.interactions)
        assert len(indexed.interactions) == len(expected.interactions)
        assert indexed.is_truncated == expected.is_truncated


def test_the_cache_of_digests_is_bounded() -> None:
    cache = DigestCache(2)
    cache.add(b"a", "1")
    cache.add(b"b", "2")
    assert cache.find(b"a") == "1"
    cache.add(b"c", "3")
    assert (cache.find(b"a"), cache.find(b"b"), cache.find(b"c")) == ("1", None, "3")


def test_a_large_interaction_is_indexed_in_part_and_marked() -> None:
    wide = index_content(json.dumps({"interactions": [{"response": {"body": [{"a": 1}] * 10_000}}]}).encode())
    deep: Any = 1
    for _ in range(40):
        deep = {"a" * 50: deep}
    tall = index_content(json.dumps({"interactions": [{"response": {"body": deep}}]}).encode())
    assert wide.is_truncated
    assert tall.is_truncated
    assert not index_content(json.dumps({"interactions": [V4]}).encode()).is_truncated


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/orders/12/items/7", "/orders/{id}/items/{id}"),
        ("/orders/3fa85f64-5717-4562-b3fc-2c963f66afa6", "/orders/{id}"),
        ("/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV/", "/orders/{id}"),
        ("/days/2024-05-06", "/days/{id}"),
        ("/v1/orders/new", "/v1/orders/new"),
        ("/facade/decade", "/facade/decade"),
        pytest.param(f"/{'1' * 200}", "/{id}", id="a long number"),
        pytest.param(f"/{'1' * 201}", f"/{'1' * 201}", id="a number that is too long"),
    ],
)
def test_ids_in_paths_become_placeholders(path: str, template: str) -> None:
    assert generalize_path(path) == template


@pytest.mark.parametrize(
    ("query", "operation", "matches"),
    [
        ("GET /orders/{id}", "GET /orders/{id}", True),
        ("get /orders/*", "GET /orders/new", True),
        ("/orders/{id}/items", "POST /orders/{id}/items", True),
        ("GET /orders/5/", "GET /orders/{id}", True),
        ("GET /users/bob", "GET /users/{any}", True),
        ("GET /orders/new", "GET /orders/{id}", False),
        ("PUT /orders/{id}", "GET /orders/{id}", False),
        ("GET /orders", "GET /orders/{id}", False),
        ("GET /", "GET /", True),
    ],
)
def test_operations_are_compared_segment_by_segment(query: str, operation: str, *, matches: bool) -> None:
    assert OperationQuery(query).matches(operation) == matches


def test_an_expression_that_takes_exponential_time_is_never_executed() -> None:
    assert generalize_path("/a/" + "a" * 40, "^/a/(a+)+$") == "/a/{any}"


@pytest.mark.parametrize("loose_first", [False, True])
def test_the_strictest_of_several_expectations_does_not_depend_on_their_order(loose_first: bool) -> None:  # noqa: FBT001
    rules = {"body": {f"$[{0 if loose_first else 1}].a": {"matchers": [{"match": "type"}]}}}
    response = {"body": [{"a": 1}, {"a": 2}], "matchingRules": rules}
    assert expectations({"response": response})["response.body", "/*/a"] == "exact"


@pytest.mark.parametrize(
    ("place", "name", "field"),
    [
        (Place.RESPONSE_BODY, "/a/b", "b"),
        (Place.RESPONSE_BODY, "/a/*", "a"),
        (Place.REQUEST_BODY, "/a/{key}/*", "a"),
        (Place.MESSAGE_BODY, "/a~1b~0", "a/b~"),
        (Place.RESPONSE_BODY, "", None),
        (Place.RESPONSE_BODY, "/*", None),
        (Place.REQUEST_QUERY, "/a/b", "/a/b"),
        (Place.RESPONSE_HEADER, "x-id", "x-id"),
        (Place.STATE, "a state", None),
    ],
)
def test_an_expectation_about_a_part_of_a_body_is_about_its_last_name(
    place: Place, name: str, field: str | None
) -> None:
    assert field_of(place, name) == field


@pytest.mark.parametrize(
    ("name", "cleaned", "is_truncated"),
    [
        ("x" * MAX_NAME_LENGTH, "x" * MAX_NAME_LENGTH, False),
        ("x" * (MAX_NAME_LENGTH + 1), "x" * MAX_NAME_LENGTH, True),
        ("ä" * MAX_NAME_LENGTH, "ä" * MAX_NAME_LENGTH, False),
        ("ä" * (MAX_NAME_LENGTH + 1), "ä" * MAX_NAME_LENGTH, True),
        ("a\0b", "a\ufffdb", False),
        ("a\ud800b", "a?b", False),
        ("ä", "ä", False),
    ],
)
def test_names_are_stored_as_databases_can(name: str, cleaned: str, *, is_truncated: bool) -> None:
    pact = {"interactions": [{"request": {"query": {name: ["1"]}}}]}
    (interaction,) = index_content(json.dumps(pact).encode()).interactions.values()
    assert (Place.REQUEST_QUERY, cleaned) in interaction.expectations
    assert interaction.is_truncated is is_truncated


@pytest.mark.parametrize(("surplus", "is_truncated"), [(0, False), (1, True), (2, True)])
def test_only_so_many_values_of_an_interaction_are_examined(surplus: int, *, is_truncated: bool) -> None:
    body = {str(number): 1 for number in range(MAX_VALUES - 1 + surplus)}
    (interaction,) = index_tree({"interactions": [{"response": {"body": body}}]}).interactions.values()
    names = [name for place, name in interaction.expectations if place is Place.RESPONSE_BODY]
    assert (len(names), interaction.is_truncated) == (MAX_VALUES, is_truncated)


@pytest.mark.parametrize(("surplus", "is_truncated"), [(0, False), (1, True)])
def test_only_values_with_pointers_of_limited_length_are_examined(surplus: int, *, is_truncated: bool) -> None:
    body = {"x" * (MAX_NAME_LENGTH - 1 + surplus): 1}
    (interaction,) = index_tree({"interactions": [{"response": {"body": body}}]}).interactions.values()
    names = [name for place, name in interaction.expectations if place is Place.RESPONSE_BODY]
    assert (len(names), interaction.is_truncated) == (2 - surplus, is_truncated)


@pytest.mark.parametrize(("surplus", "is_truncated"), [(-1, False), (0, False), (1, True), (2, True)])
def test_only_so_many_interactions_are_examined(
    monkeypatch: pytest.MonkeyPatch, surplus: int, *, is_truncated: bool
) -> None:
    monkeypatch.setattr(expectations_module, "MAX_INTERACTIONS", 3)
    items = [{"description": str(number)} for number in range(3 + surplus)]
    body = json.dumps({"interactions": items}).encode()
    for indexed in (index_content(body), index_document(parse_document(body), DigestCache(10))):
        assert (len(indexed.interactions), indexed.is_truncated) == (min(len(items), 3), is_truncated)


def test_the_expectations_of_a_truncated_interaction_are_extracted_each_time() -> None:
    """Otherwise the content would count as complete once the digest is cached."""
    body = json.dumps({"interactions": [{"description": "x" * (MAX_NAME_LENGTH + 1)}]}).encode()
    cache = DigestCache(10)
    assert [index_document(parse_document(body), cache).is_truncated for _ in range(2)] == [True, True]


def test_interactions_with_a_cached_digest_are_not_extracted_before_they_are_accessed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document, cache = parse_document(json.dumps({"interactions": [V2]}).encode()), DigestCache(10)
    (digest,) = index_document(document, cache).interactions
    monkeypatch.setattr(expectations_module, "_index_interaction", None)
    assert list(index_document(document, cache).interactions) == [digest]


@pytest.mark.parametrize(
    ("method", "operation"),
    [("post", "POST /a"), ("", "GET /a"), (None, "GET /a"), (1, "GET /a")],
)
def test_a_request_without_a_method_is_a_get(method: object, operation: str) -> None:
    assert ("operation", operation) in expectations({"request": {"method": method, "path": "/a"}})


def test_the_last_of_several_requests_with_a_path_names_the_operation() -> None:
    parts = [{"path": "/a"}, {"path": "/b"}, {"path": 1}]
    (interaction,) = index_tree({"interactions": [{"request": parts}]}).interactions.values()
    assert interaction.operation == (Place.OPERATION, "GET /b")
    assert (Place.OPERATION, "GET /a") in interaction.expectations


@pytest.mark.parametrize(
    ("configuration", "names"),
    [
        ({"protobuf": {"service": ".shop.Orders/Find"}}, ["Orders/Find"]),
        ({"protobuf": {"service": "Orders/Find"}}, ["Orders/Find"]),
        ({"a": {"service": "A/B"}, "b": {"service": "C/D"}}, ["A/B", "C/D"]),
        ({"a": {"service": ""}, "b": {"service": 1}, "c": 1}, ["an order"]),
        ([], ["an order"]),
        (None, ["an order"]),
    ],
)
def test_a_message_is_named_by_its_services_or_its_description(configuration: Any, names: list[str]) -> None:
    item = {
        "type": "Synchronous/Messages",
        "description": "an order",
        "request": {"contents": {"content": {"a": 1}}, "metadata": {"m": "1"}},
        "response": [{"contents": {"content": {"b": 1}}}, {"contents": {"content": {"c": 1}}}],
        "pluginConfiguration": configuration,
    }
    (interaction,) = index_tree({"interactions": [item]}).interactions.values()
    assert [name for place, name in interaction.expectations if place is Place.MESSAGE] == names
    assert interaction.operation == (Place.MESSAGE, names[0])
    others = {(place.value, name) for place, name in interaction.expectations if place.value.startswith("re")}
    assert others == {
        ("request.metadata", "m"),
        ("request.body", ""),
        ("request.body", "/a"),
        ("response.body", ""),
        ("response.body", "/b"),
        ("response.body", "/c"),
    }


@pytest.mark.parametrize(
    ("description", "text"), [("", "(no description)"), (" ", "(no description)"), (1, "(no description)"), ("a", "a")]
)
def test_an_interaction_has_a_description(description: object, text: str) -> None:
    (interaction,) = index_tree({"interactions": [{"description": description}]}).interactions.values()
    assert interaction.description == text


@pytest.mark.parametrize("body", [None, "absent"])
def test_a_part_without_a_body_expects_none(body: object) -> None:
    response = {"status": 200} if body == "absent" else {"body": body}
    assert expectations({"response": response}) == {}
